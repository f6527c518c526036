#include "backends/ucx/peer.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/store/kv_file.h"
#include "backends/ucx/far_memory.h"
#include "backends/ucx/socket.h"

enum { WELCOME_MS = 120000 }; /* it takes memory from the system, and may be slow at that */

enum { BEATS = 4 }; /* of which the first that is heard does */

/* One of its workers, as its thread here knows it. */
struct hand {
    struct dyno_ucx_peer *peer;
    struct dyno_ucx_channel *channel;
    struct dyno_layer_gate *gate; /* of the step that is asked for; NULL: it has none */
    struct dyno_ucx_bytes question;
    struct dyno_ucx_far_memory *memory;
    uint64_t steps, beside_ns, layers;
};

/* The lock is for who says first that it is gone. */
struct dyno_ucx_peer {
    struct dyno_ucx_peers_config config;
    const struct dyno_ucx_library *ucx;
    struct dyno_ucx_hello hello;
    int socket;
    bool loopback;
    int gone_event; /* eventfd: readable when it is gone, or closed here */
    pthread_mutex_t lock;
    atomic_bool is_gone, closing;
    dyno_ns gone_since;
    char why[DYNO_ERROR_TEXT_MAX];
    pthread_t watch;
    bool watches;
    uint64_t key;
    struct dyno_ucx_channel *memories;
    pthread_mutex_t turn; /* whose it is to use that */
    struct hand *hands;   /* [config.workers] */
};

/* ---- gone ------------------------------------------------------------------------------------ */

void dyno_ucx_peer_give_up(struct dyno_ucx_peer *peer, const char *why)
{
    pthread_mutex_lock(&peer->lock);
    if (!atomic_load_explicit(&peer->is_gone, memory_order_relaxed)) {
        (void)snprintf(peer->why, sizeof peer->why, "%s", why);
        peer->gone_since = peer->config.now(peer->config.clock);
        atomic_store_explicit(&peer->is_gone, true, memory_order_release);
    }
    pthread_mutex_unlock(&peer->lock);
    (void)eventfd_write(peer->gone_event, 1);
    peer->config.wake(peer->config.clock);
}

bool dyno_ucx_peer_is_gone(const struct dyno_ucx_peer *peer, dyno_ns *since)
{
    if (!atomic_load_explicit(&peer->is_gone, memory_order_acquire)) {
        return false;
    }
    *since = peer->gone_since;
    return true;
}

const char *dyno_ucx_peer_why(const struct dyno_ucx_peer *peer)
{
    return atomic_load_explicit(&peer->is_gone, memory_order_acquire) ? peer->why : NULL;
}

static void give_up_silent(struct dyno_ucx_peer *peer)
{
    char why[128];

    (void)snprintf(why, sizeof why,
                   "nothing was heard of it for %.3g s: it hangs, or its machine does",
                   (double)peer->config.silence_ns / 1e9);
    dyno_ucx_peer_give_up(peer, why);
}

/* Nothing comes over the connection but beats, while the session lasts. */
static void *watch(void *context)
{
    struct dyno_ucx_peer *peer = context;
    struct pollfd polled[2] = {{.fd = peer->socket, .events = POLLIN | POLLRDHUP},
                               {.fd = peer->gone_event, .events = POLLIN}};
    int limit_ms = peer->hello.beat_ms > 0 ? BEATS * (int)peer->hello.beat_ms : -1, ready;

    do {
        ready = poll(polled, 2, limit_ms);
    } while (ready < 0 || (ready > 0 && polled[1].revents == 0 &&
                           (polled[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0 &&
                           dyno_ucx_hear_beats(peer->socket)));
    if (atomic_load_explicit(&peer->closing, memory_order_acquire)) {
        return NULL;
    }
    if (ready == 0) {
        give_up_silent(peer);
    } else {
        dyno_ucx_peer_give_up(peer, "its connection ended");
    }
    return NULL;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* What it says is another program's text, and may have any length and bytes. */
static void give_up_in_words(struct dyno_ucx_peer *peer, const char *words, size_t size)
{
    char text[256];
    size_t length = size < sizeof text - 1 ? size : sizeof text - 1;

    memcpy(text, words, length);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        text[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
    }
    dyno_ucx_peer_give_up(peer, text);
}

/* Of the last layer it tells by its answer. */
static bool note_layers(void *context, uint32_t layers)
{
    struct hand *hand = context;

    if (layers >= hand->peer->config.weights->model.layers) {
        dyno_ucx_peer_give_up(hand->peer, "it told of a layer that there is not");
        return false;
    }
    hand->layers++;
    if (hand->gate) {
        dyno_layer_gate_note(hand->gate, layers);
    }
    return true;
}

bool dyno_ucx_peer_step(struct dyno_ucx_peer *peer, uint32_t worker,
                        const struct dyno_engine_piece *pieces, uint32_t piece_count,
                        struct dyno_layer_gate *gate, const void **answer, size_t *size)
{
    struct hand *hand = &peer->hands[worker];
    dyno_ns began = peer->config.now(peer->config.clock), took;
    struct dyno_ucx_head head;

    hand->gate = gate;
    hand->question.size = 0;
    dyno_ucx_put_step(&hand->question, pieces, piece_count, peer->config.block_tokens);
    if (hand->question.failed) {
        abort(); /* as in core/worker/paced.c: a pass has no way to fail */
    }
    if (dyno_ucx_channel_ask(hand->channel, &head, hand->question.at, hand->question.size, answer,
                             size) != DYNO_OK) {
        dyno_ucx_peer_give_up(peer, "it does not answer");
        return false;
    }
    if (head.refused) {
        give_up_in_words(peer, *answer, *size);
        return false;
    }
    took = peer->config.now(peer->config.clock) - began;
    hand->steps++;
    hand->beside_ns += took > head.took_ns ? took - head.took_ns : 0;
    return true;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* `hand`: whose it is; NULL: nobody's. */
static dyno_status open_channel(struct dyno_ucx_channel **out, const struct dyno_ucx_peer *peer,
                                const void *address, size_t body_max, struct hand *hand,
                                struct dyno_error *error)
{
    bool told = hand && peer->config.tells_layers;

    DYNO_TRY(dyno_ucx_channel_open(out,
                                   &(struct dyno_ucx_channel_config){
                                       .ucx = peer->ucx,
                                       .transport = (enum dyno_ucx_transport)peer->hello.transport,
                                       .loopback = peer->loopback,
                                       .body_max = body_max,
                                       .connection = peer->socket,
                                       .stop = peer->gone_event,
                                       .layers_done = told ? note_layers : NULL,
                                       .context = hand},
                                   error));
    dyno_ucx_channel_listen(*out, peer->key);
    return dyno_ucx_channel_connect(*out, address, error);
}

static const void *take_address(struct dyno_ucx_reader *reader)
{
    uint32_t size = dyno_ucx_take_u32(reader);

    return size > 0 ? dyno_ucx_take_bytes(reader, size) : NULL;
}

static dyno_status cut_short(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT, "the worker's welcome ends too early");
}

static dyno_status open_hand(struct dyno_ucx_peer *peer, struct hand *hand,
                             struct dyno_ucx_reader *reader, struct dyno_error *error)
{
    const struct dyno_model *model = &peer->config.weights->model;
    size_t row = (model->vocab > model->hidden ? model->vocab : model->hidden) * sizeof(float);
    const void *address = take_address(reader);

    if (!address) {
        return cut_short(error);
    }
    hand->peer = peer;
    DYNO_TRY(open_channel(&hand->channel, peer, address, peer->config.rows_max * row, hand, error));
    return dyno_ucx_far_memory_open(
        &hand->memory, peer->memories, reader,
        &(struct dyno_ucx_far_memory_config){.weights = peer->config.weights,
                                             .ranks = peer->config.ranks,
                                             .blocks = peer->config.blocks,
                                             .block_tokens = peer->config.block_tokens,
                                             .is_shared =
                                                 peer->hello.transport == DYNO_UCX_SHARED_MEMORY,
                                             .turn = &peer->turn,
                                             .peer = peer},
        error);
}

static dyno_status open_hands(struct dyno_ucx_peer *peer, struct dyno_ucx_reader *reader,
                              struct dyno_error *error)
{
    const void *address;

    dyno_ucx_take(reader, &peer->key, sizeof peer->key);
    address = take_address(reader);
    if (!address) {
        return cut_short(error);
    }
    DYNO_TRY(open_channel(&peer->memories, peer, address, 0, NULL, error));
    peer->hands = calloc(peer->config.workers, sizeof *peer->hands);
    if (!peer->hands) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u workers", peer->config.workers);
    }
    for (uint32_t i = 0; i < peer->config.workers; i++) {
        DYNO_TRY(open_hand(peer, &peer->hands[i], reader, error));
    }
    return DYNO_OK;
}

/* The welcome's head, after beats, of which there are not more than in the time that it has. */
static bool read_head(const struct dyno_ucx_peer *peer, struct dyno_ucx_welcome *welcome)
{
    uint32_t beats = peer->hello.beat_ms > 0 ? WELCOME_MS / peer->hello.beat_ms + 1 : 0;
    char *at = (char *)welcome;

    do {
        if (!dyno_ucx_read(peer->socket, at, 1)) {
            return false;
        }
    } while (*at == 0 && beats-- > 0);
    return dyno_ucx_read(peer->socket, at + 1, sizeof *welcome - 1);
}

/* Its welcome, as bytes[welcome->size], or its refusal as an error; *bytes, NULL before, is the
 * caller's to free in any case. */
static dyno_status read_welcome(const struct dyno_ucx_peer *peer, const char *address,
                                struct dyno_ucx_welcome *welcome, char **bytes,
                                struct dyno_error *error)
{
    struct dyno_error why;

    if (!read_head(peer, welcome)) {
        return dyno_fail(error, DYNO_IO, "the worker at %s does not answer", address);
    }
    if (dyno_ucx_welcome_check(welcome, &why) != DYNO_OK) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s", address, why.text);
    }
    *bytes = calloc(1, (size_t)welcome->size + 1);
    if (!*bytes) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a worker's welcome");
    }
    if (!dyno_ucx_read(peer->socket, *bytes, welcome->size)) {
        return dyno_fail(error, DYNO_IO, "the worker at %s stopped in the middle of its answer",
                         address);
    }
    return welcome->refused ? dyno_fail(error, DYNO_BAD_INPUT, "the worker at %s refuses: %.600s",
                                        address, *bytes)
                            : DYNO_OK;
}

/* As often as it is to be heard of; 0: it need not be. */
static uint32_t beat_ms(dyno_ns silence_ns)
{
    dyno_ns ms = silence_ns / BEATS / DYNO_MS;

    if (silence_ns == 0) {
        return 0;
    }
    ms = ms > DYNO_UCX_BEAT_MS_MIN ? ms : DYNO_UCX_BEAT_MS_MIN;
    return ms < DYNO_UCX_BEAT_MS_MAX ? (uint32_t)ms : DYNO_UCX_BEAT_MS_MAX;
}

static dyno_status meet(struct dyno_ucx_peer *peer, const char *address, struct dyno_error *error)
{
    const struct dyno_ucx_peers_config *config = &peer->config;
    struct dyno_ucx_welcome welcome;
    struct dyno_ucx_reader reader;
    char *bytes = NULL;
    dyno_status status;

    DYNO_TRY(dyno_ucx_dial(&peer->socket, &peer->loopback, address, error));
    peer->hello = (struct dyno_ucx_hello){
        .magic = DYNO_UCX_MAGIC,
        .version = DYNO_UCX_VERSION,
        .transport = config->transport != DYNO_UCX_AUTO ? config->transport
                     : peer->loopback                   ? DYNO_UCX_SHARED_MEMORY
                                                        : DYNO_UCX_TCP,
        .fingerprint = dyno_kv_fingerprint(config->weights, config->block_tokens, config->ranks),
        .workers = config->workers,
        .ranks = config->ranks,
        .threads = config->threads,
        .blocks = config->blocks,
        .block_tokens = config->block_tokens,
        .rows_max = config->rows_max,
        .beat_ms = beat_ms(config->silence_ns),
        .tells_layers = config->tells_layers};
    dyno_ucx_socket_limit(peer->socket,
                          peer->hello.beat_ms > 0 ? BEATS * peer->hello.beat_ms : WELCOME_MS);
    if (!dyno_ucx_write(peer->socket, &peer->hello, sizeof peer->hello)) {
        return dyno_fail(error, DYNO_IO, "the worker at %s hung up", address);
    }
    status = read_welcome(peer, address, &welcome, &bytes, error);
    if (status == DYNO_OK) {
        reader = (struct dyno_ucx_reader){.at = bytes, .left = welcome.size};
        status = open_hands(peer, &reader, error);
    }
    free(bytes);
    return status;
}

static dyno_status open_all(struct dyno_ucx_peer *peer, const char *address,
                            struct dyno_error *error)
{
    peer->gone_event = eventfd(0, EFD_CLOEXEC);
    if (peer->gone_event < 0) {
        return dyno_fail(error, DYNO_IO, "no file descriptor is left");
    }
    DYNO_TRY(meet(peer, address, error));
    if (pthread_create(&peer->watch, NULL, watch, peer) != 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "a thread cannot be started");
    }
    peer->watches = true;
    return DYNO_OK;
}

dyno_status dyno_ucx_peer_open(struct dyno_ucx_peer **out, const struct dyno_ucx_library *ucx,
                               const char *address, const struct dyno_ucx_peers_config *config,
                               struct dyno_error *error)
{
    struct dyno_ucx_peer *peer = calloc(1, sizeof *peer);
    dyno_status status;

    if (!peer) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a worker in another process");
    }
    peer->config = *config;
    peer->ucx = ucx;
    peer->socket = peer->gone_event = -1;
    pthread_mutex_init(&peer->lock, NULL);
    pthread_mutex_init(&peer->turn, NULL);
    status = open_all(peer, address, error);
    if (status != DYNO_OK) {
        dyno_ucx_peer_close(peer);
        return status;
    }
    *out = peer;
    return DYNO_OK;
}

void dyno_ucx_peer_close(struct dyno_ucx_peer *peer)
{
    if (!peer) {
        return;
    }
    if (peer->watches) {
        atomic_store_explicit(&peer->closing, true, memory_order_release);
        (void)eventfd_write(peer->gone_event, 1);
        (void)pthread_join(peer->watch, NULL);
    }
    for (uint32_t i = 0; peer->hands && i < peer->config.workers; i++) {
        dyno_ucx_far_memory_close(peer->hands[i].memory);
        dyno_ucx_channel_close(peer->hands[i].channel);
        free(peer->hands[i].question.at);
    }
    dyno_ucx_channel_close(peer->memories);
    if (peer->socket >= 0) {
        (void)close(peer->socket);
    }
    if (peer->gone_event >= 0) {
        (void)close(peer->gone_event);
    }
    pthread_mutex_destroy(&peer->lock);
    pthread_mutex_destroy(&peer->turn);
    free(peer->hands);
    free(peer);
}

struct dyno_kv_peer *dyno_ucx_peer_memory(struct dyno_ucx_peer *peer, uint32_t worker)
{
    return dyno_ucx_far_memory_peer(peer->hands[worker].memory);
}

void dyno_ucx_peer_add_totals(const struct dyno_ucx_peer *peer, struct dyno_ucx_totals *sum)
{
    for (uint32_t i = 0; i < peer->config.workers; i++) {
        sum->steps += peer->hands[i].steps;
        sum->beside_ns += peer->hands[i].beside_ns;
        sum->layers += peer->hands[i].layers;
    }
}
