#include "backends/ucx/session.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "backends/store/kv_file.h"
#include "backends/ucx/channel.h"
#include "backends/ucx/labour.h"
#include "backends/ucx/socket.h"

enum { HELLO_MS = 5000 }; /* whoever connects has so long to say what for */

/* One worker. */
struct hand {
    struct dyno_ucx_session *session;
    struct dyno_ucx_channel *channel;
    struct dyno_ucx_labour *labour;
    struct dyno_ucx_memory *memory; /* [ranks] */
    pthread_t thread;
    bool started;
};

struct dyno_ucx_session {
    struct dyno_ucx_session_config config;
    struct dyno_ucx_hello hello;
    int socket;
    bool owns_socket, loopback;
    int over; /* eventfd: readable when all threads are to end */
    uint64_t key;
    struct dyno_ucx_channel *memories; /* by which the other process reaches all of them */
    pthread_t thread;                  /* that serves it */
    bool started;
    pthread_t heart; /* the thread that beats ... */
    bool beats;
    pthread_mutex_t speaking; /* ... not in the middle of what somebody else says */
    struct hand *hands;       /* [hello.workers] */
};

/* ---- threads --------------------------------------------------------------------------------- */

/* As long as this process lives, whatever else it does: also while it takes memory. */
static void *beat(void *context)
{
    struct dyno_ucx_session *session = context;
    struct pollfd over = {.fd = session->over, .events = POLLIN};
    int is_over;

    while ((is_over = poll(&over, 1, (int)session->hello.beat_ms)) <= 0) {
        if (is_over == 0) {
            pthread_mutex_lock(&session->speaking);
            dyno_ucx_beat(session->socket);
            pthread_mutex_unlock(&session->speaking);
        }
    }
    return NULL;
}

static void *serve_memories(void *context)
{
    const struct dyno_ucx_session *session = context;

    dyno_ucx_channel_serve(session->memories);
    return NULL;
}

/* A question that nobody can answer ends the session: whoever asked it is not what we took it
 * for. */
static void *work(void *context)
{
    const struct hand *hand = context;
    struct dyno_ucx_head head;
    const void *question;
    size_t size;

    while (dyno_ucx_channel_hear(hand->channel, &head, &question, &size) == DYNO_OK) {
        const struct dyno_ucx_bytes *answer =
            dyno_ucx_labour_do(hand->labour, &head, question, size);

        if (dyno_ucx_channel_answer(hand->channel, &head, answer->at, answer->size) != DYNO_OK) {
            break;
        }
    }
    return NULL;
}

static dyno_status start(pthread_t *thread, bool *started, void *(*run)(void *), void *context,
                         struct dyno_error *error)
{
    if (pthread_create(thread, NULL, run, context) != 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "a worker's thread cannot be started");
    }
    *started = true;
    return DYNO_OK;
}

static dyno_status start_all(struct dyno_ucx_session *session, struct dyno_error *error)
{
    DYNO_TRY(start(&session->thread, &session->started, serve_memories, session, error));
    for (uint32_t i = 0; i < session->hello.workers; i++) {
        struct hand *hand = &session->hands[i];

        DYNO_TRY(start(&hand->thread, &hand->started, work, hand, error));
    }
    return DYNO_OK;
}

/* ---- workers --------------------------------------------------------------------------------- */

static dyno_status open_channel(struct dyno_ucx_channel **out,
                                const struct dyno_ucx_session *session, size_t body_max,
                                struct dyno_error *error)
{
    DYNO_TRY(
        dyno_ucx_channel_open(out,
                              &(struct dyno_ucx_channel_config){
                                  .ucx = session->config.ucx,
                                  .transport = (enum dyno_ucx_transport)session->hello.transport,
                                  .loopback = session->loopback,
                                  .body_max = body_max,
                                  .connection = session->socket,
                                  .stop = session->over},
                              error));
    dyno_ucx_channel_listen(*out, session->key);
    return DYNO_OK;
}

/* Keys and values lie where the other process can reach them. */
static void *reachable_memory(void *context, uint32_t rank, uint64_t bytes)
{
    const struct hand *hand = context;
    struct dyno_error why;

    if (dyno_ucx_memory_open(&hand->memory[rank], hand->session->memories, bytes, &why) !=
        DYNO_OK) {
        return NULL;
    }
    return hand->memory[rank].at;
}

/* In the thread that works.  Who asked and is gone hears of nothing else either. */
static void tell_layers(void *context, uint32_t layers)
{
    const struct hand *hand = context;

    (void)dyno_ucx_channel_tell_layers(hand->channel, layers);
}

static dyno_status open_hand(struct hand *hand, struct dyno_ucx_session *session,
                             struct dyno_error *error)
{
    const struct dyno_ucx_hello *hello = &session->hello;
    uint32_t threads = hello->threads > 0 ? hello->threads : session->config.threads;

    hand->session = session;
    hand->memory = calloc(hello->ranks, sizeof *hand->memory);
    if (!hand->memory) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a worker");
    }
    DYNO_TRY(dyno_ucx_labour_open(
        &hand->labour,
        &(struct dyno_ranks_config){.weights = session->config.weights,
                                    .ranks = hello->ranks,
                                    .threads = threads > hello->ranks ? threads / hello->ranks : 1,
                                    .blocks = hello->blocks,
                                    .block_tokens = hello->block_tokens,
                                    .kv = DYNO_ELEMENT_F32,
                                    .rows_max = hello->rows_max,
                                    .layer_done = hello->tells_layers ? tell_layers : NULL,
                                    .layer_context = hand,
                                    .memory = reachable_memory,
                                    .memory_context = hand},
        error));
    return open_channel(&hand->channel, session,
                        dyno_ucx_step_max(dyno_ucx_labour_limits(hand->labour)), error);
}

static dyno_status open_hands(struct dyno_ucx_session *session, struct dyno_error *error)
{
    session->hands = calloc(session->hello.workers, sizeof *session->hands);
    if (!session->hands) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u workers", session->hello.workers);
    }
    if (getrandom(&session->key, sizeof session->key, 0) != (ssize_t)sizeof session->key) {
        return dyno_fail(error, DYNO_IO, "the system has no random numbers");
    }
    DYNO_TRY(open_channel(&session->memories, session, 0, error));
    for (uint32_t i = 0; i < session->hello.workers; i++) {
        DYNO_TRY(open_hand(&session->hands[i], session, error));
    }
    return DYNO_OK;
}

/* ---- who asks -------------------------------------------------------------------------------- */

static dyno_status check_hello(const struct dyno_ucx_session *session, struct dyno_error *error)
{
    const struct dyno_ucx_hello *hello = &session->hello;
    const struct dyno_model *model = &session->config.weights->model;
    struct dyno_model of = *model;
    uint64_t each, here;

    DYNO_TRY(dyno_ucx_hello_check(hello, error));
    if (hello->ranks > model->heads || hello->threads > 4096) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%u ranks of %u threads: %s has %u heads",
                         hello->ranks, hello->threads, model->name, model->heads);
    }
    here = dyno_kv_fingerprint(session->config.weights, hello->block_tokens, hello->ranks);
    if (hello->fingerprint != here) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "this worker computes %s, and another model was asked for (fingerprint "
                         "%016" PRIx64 ", not %016" PRIx64 "): both ends need the same --model",
                         model->name, here, hello->fingerprint);
    }
    of.kv_heads = of.kv_heads > hello->ranks ? of.kv_heads : hello->ranks;
    each = dyno_kv_storage_bytes(&of, hello->blocks, hello->block_tokens, DYNO_ELEMENT_F32);
    if (each > session->config.kv_bytes_max / hello->workers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u workers with %" PRIu64
                         " bytes of KV each are more than this process has room for (%" PRIu64
                         "; --kv-memory says how much): fewer blocks would be less",
                         hello->workers, each, session->config.kv_bytes_max);
    }
    return DYNO_OK;
}

void dyno_ucx_refuse(int socket, const char *why)
{
    struct dyno_ucx_welcome no = {.magic = DYNO_UCX_MAGIC,
                                  .version = DYNO_UCX_VERSION,
                                  .refused = 1,
                                  .size = (uint32_t)strlen(why)};

    if (dyno_ucx_write(socket, &no, sizeof no)) {
        (void)dyno_ucx_write(socket, why, no.size);
    }
}

static void put_address(struct dyno_ucx_bytes *bytes, const struct dyno_ucx_channel *channel)
{
    size_t size;
    const void *address = dyno_ucx_channel_address(channel, &size);

    dyno_ucx_put_u32(bytes, (uint32_t)size);
    dyno_ucx_put(bytes, address, size);
}

static void put_hand(struct dyno_ucx_bytes *bytes, const struct hand *hand)
{
    put_address(bytes, hand->channel);
    for (uint32_t rank = 0; rank < hand->session->hello.ranks; rank++) {
        const struct dyno_ucx_memory *memory = &hand->memory[rank];
        uint64_t at = (uintptr_t)memory->at;

        dyno_ucx_put(bytes, &at, sizeof at);
        dyno_ucx_put_u32(bytes, (uint32_t)memory->key_size);
        dyno_ucx_put(bytes, memory->key, memory->key_size);
    }
}

static dyno_status welcome(struct dyno_ucx_session *session, struct dyno_error *error)
{
    struct dyno_ucx_welcome yes = {.magic = DYNO_UCX_MAGIC, .version = DYNO_UCX_VERSION};
    struct dyno_ucx_bytes bytes = {0};
    bool sent;

    dyno_ucx_put(&bytes, &session->key, sizeof session->key);
    put_address(&bytes, session->memories);
    for (uint32_t i = 0; i < session->hello.workers; i++) {
        put_hand(&bytes, &session->hands[i]);
    }
    yes.size = (uint32_t)bytes.size;
    pthread_mutex_lock(&session->speaking);
    sent = !bytes.failed && dyno_ucx_write(session->socket, &yes, sizeof yes) &&
           dyno_ucx_write(session->socket, bytes.at, bytes.size);
    pthread_mutex_unlock(&session->speaking);
    free(bytes.at);
    return sent ? DYNO_OK : dyno_fail(error, DYNO_IO, "who asked is gone again");
}

/* ---- open and close -------------------------------------------------------------------------- */

static dyno_status open_all(struct dyno_ucx_session *session, struct dyno_error *error)
{
    dyno_ucx_socket_limit(session->socket, HELLO_MS);
    if (!dyno_ucx_read(session->socket, &session->hello, sizeof session->hello)) {
        session->hello.workers = 0;
        return dyno_fail(error, DYNO_BAD_INPUT, "who connected did not say what for");
    }
    DYNO_TRY(check_hello(session, error));
    session->loopback = dyno_ucx_is_loopback(session->socket);
    session->over = eventfd(0, EFD_CLOEXEC);
    if (session->over < 0) {
        return dyno_fail(error, DYNO_IO, "no file descriptor is left");
    }
    if (session->hello.beat_ms > 0) {
        DYNO_TRY(start(&session->heart, &session->beats, beat, session, error));
    }
    DYNO_TRY(open_hands(session, error));
    DYNO_TRY(start_all(session, error));
    return welcome(session, error);
}

/* Threads are told to end; nobody beats any more. */
static void end_all(struct dyno_ucx_session *session)
{
    if (session->over >= 0) {
        (void)eventfd_write(session->over, 1);
    }
    if (session->beats) {
        (void)pthread_join(session->heart, NULL);
        session->beats = false;
    }
}

dyno_status dyno_ucx_session_open(struct dyno_ucx_session **out, int socket,
                                  const struct dyno_ucx_session_config *config,
                                  struct dyno_error *error)
{
    struct dyno_ucx_session *session = calloc(1, sizeof *session);
    dyno_status status;

    if (!session) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a session");
    }
    session->config = *config;
    session->socket = socket;
    session->over = -1;
    (void)pthread_mutex_init(&session->speaking, NULL);
    status = open_all(session, error);
    if (status != DYNO_OK) {
        end_all(session);
        dyno_ucx_refuse(socket, error->text);
        dyno_ucx_session_close(session);
        return status;
    }
    session->owns_socket = true;
    *out = session;
    return DYNO_OK;
}

static void close_hand(struct hand *hand)
{
    if (hand->started) {
        (void)pthread_join(hand->thread, NULL);
    }
    dyno_ucx_channel_close(hand->channel);
    dyno_ucx_labour_close(hand->labour);
    for (uint32_t i = 0; hand->memory && i < hand->session->hello.ranks; i++) {
        dyno_ucx_memory_close(&hand->memory[i], hand->session->memories);
    }
    free(hand->memory);
}

void dyno_ucx_session_close(struct dyno_ucx_session *session)
{
    if (!session) {
        return;
    }
    end_all(session);
    if (session->started) {
        (void)pthread_join(session->thread, NULL);
    }
    for (uint32_t i = 0; session->hands && i < session->hello.workers; i++) {
        close_hand(&session->hands[i]);
    }
    dyno_ucx_channel_close(session->memories);
    if (session->over >= 0) {
        (void)close(session->over);
    }
    if (session->owns_socket) {
        (void)close(session->socket);
    }
    (void)pthread_mutex_destroy(&session->speaking);
    free(session->hands);
    free(session);
}

int dyno_ucx_session_socket(const struct dyno_ucx_session *session)
{
    return session->socket;
}

const struct dyno_ucx_hello *dyno_ucx_session_hello(const struct dyno_ucx_session *session)
{
    return &session->hello;
}
