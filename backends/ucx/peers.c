/* Processes that work for this one: who is there, since when, and who still uses what was there. */
#include "backends/ucx/peers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ucx/peers_parts.h"
#include "kernels/sample.h"

bool dyno_ucx_is_built(void)
{
    return true;
}

static struct dyno_ucx_place *place_of(const struct dyno_ucx_hand *hand)
{
    return &hand->peers->places[hand->number / hand->peers->workers_each];
}

/* ---- stays ----------------------------------------------------------------------------------- */

static void let_go(struct dyno_ucx_hand *hand, struct dyno_ucx_stay *stay)
{
    struct dyno_ucx_place *place = place_of(hand);
    bool is_last;

    pthread_mutex_lock(&hand->peers->lock);
    is_last = --stay->holders == 0;
    if (is_last) {
        place->there = place->there == stay ? NULL : place->there;
        place->closing++;
    }
    pthread_mutex_unlock(&hand->peers->lock);
    if (is_last) {
        dyno_ucx_peer_close(stay->peer);
        free(stay);
        pthread_mutex_lock(&hand->peers->lock);
        place->closing--;
        pthread_cond_broadcast(&hand->peers->closed);
        pthread_mutex_unlock(&hand->peers->lock);
    }
}

/* Whoever is there already; NULL: nobody. */
static struct dyno_ucx_stay *hold(struct dyno_ucx_peers *peers, struct dyno_ucx_stay *const *from)
{
    struct dyno_ucx_stay *stay;
    dyno_ns since;

    pthread_mutex_lock(&peers->lock);
    stay = *from;
    if (stay && dyno_ucx_peer_is_gone(stay->peer, &since)) {
        stay = NULL;
    } else if (stay) {
        stay->holders++;
    }
    pthread_mutex_unlock(&peers->lock);
    return stay;
}

/* A process serves one stay at a time. */
static void await_closed(struct dyno_ucx_peers *peers, const struct dyno_ucx_place *place)
{
    pthread_mutex_lock(&peers->lock);
    while (place->closing > 0) {
        pthread_cond_wait(&peers->closed, &peers->lock);
    }
    pthread_mutex_unlock(&peers->lock);
}

/* Nobody else looks for it meanwhile.  *out is held. */
static dyno_status find(struct dyno_ucx_stay **out, struct dyno_ucx_peers *peers,
                        struct dyno_ucx_place *place, struct dyno_error *error)
{
    struct dyno_ucx_peers_config config = peers->config;
    struct dyno_ucx_stay *stay = hold(peers, &place->there);
    dyno_status status;

    if (stay) {
        *out = stay;
        return DYNO_OK;
    }
    stay = calloc(1, sizeof *stay);
    if (!stay) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for workers in other processes");
    }
    await_closed(peers, place);
    config.workers = peers->workers_each;
    status = dyno_ucx_peer_open(&stay->peer, &peers->ucx, place->address, &config, error);
    if (status != DYNO_OK) {
        free(stay);
        return status;
    }
    stay->holders = 1;
    pthread_mutex_lock(&peers->lock);
    place->there = stay;
    pthread_mutex_unlock(&peers->lock);
    *out = stay;
    return DYNO_OK;
}

static dyno_status meet(struct dyno_ucx_hand *hand, struct dyno_error *error)
{
    struct dyno_ucx_place *place = place_of(hand);
    struct dyno_ucx_peers *peers = hand->peers;
    struct dyno_ucx_stay *stay = NULL;
    dyno_status status;

    pthread_mutex_lock(&place->meeting);
    status = find(&stay, peers, place, error);
    pthread_mutex_unlock(&place->meeting);
    pthread_mutex_lock(&peers->lock);
    hand->stay = stay;
    if (status == DYNO_OK) {
        hand->told = false;
        hand->away_since = DYNO_NEVER;
    }
    pthread_mutex_unlock(&peers->lock);
    return status;
}

void dyno_ucx_hand_stop(struct dyno_ucx_hand *hand)
{
    struct dyno_ucx_stay *stay = hand->stay;

    pthread_mutex_lock(&hand->peers->lock);
    hand->stay = NULL;
    pthread_mutex_unlock(&hand->peers->lock);
    if (stay) {
        let_go(hand, stay);
    }
}

/* How long it is away counts from when it was first missed. */
static void note_in_vain(struct dyno_ucx_hand *hand, const char *why)
{
    struct dyno_ucx_peers *peers = hand->peers;
    dyno_ns now = peers->config.now(peers->config.clock);

    pthread_mutex_lock(&peers->lock);
    hand->away_since = hand->away_since == DYNO_NEVER ? now : hand->away_since;
    hand->given_up = now - hand->away_since >= peers->config.look_for_ns;
    (void)snprintf(peers->loss.in_vain, sizeof peers->loss.in_vain, "%s", why);
    pthread_mutex_unlock(&peers->lock);
}

dyno_status dyno_ucx_hand_start(struct dyno_ucx_hand *hand)
{
    struct dyno_error why = {0};
    dyno_status status;

    dyno_ucx_hand_stop(hand);
    status = meet(hand, &why);
    if (status != DYNO_OK) {
        note_in_vain(hand, why.text);
    }
    return status;
}

/* ---- memories -------------------------------------------------------------------------------- */

/* Whoever is there now; the worker's thread may be about to let go of it. */
static bool move_blocks(struct dyno_kv_peer *memory, const struct dyno_kv_move *move, bool fetches)
{
    struct dyno_ucx_hand *hand = (struct dyno_ucx_hand *)memory; /* its first member */
    struct dyno_ucx_stay *stay = hold(hand->peers, &hand->stay);
    struct dyno_kv_peer *now;
    bool done;

    if (!stay) {
        return false;
    }
    now = dyno_ucx_peer_memory(stay->peer, dyno_ucx_hand_index(hand));
    done = fetches ? now->ops->fetch(now, move) : now->ops->store(now, move);
    let_go(hand, stay);
    return done;
}

static bool fetch(struct dyno_kv_peer *memory, const struct dyno_kv_move *move)
{
    return move_blocks(memory, move, true);
}

static bool store(struct dyno_kv_peer *memory, const struct dyno_kv_move *move)
{
    return move_blocks(memory, move, false);
}

static const struct dyno_kv_peer_ops memory_ops = {.fetch = fetch, .store = store};

struct dyno_kv_peer *dyno_ucx_peers_memory(struct dyno_ucx_peers *peers, uint32_t worker)
{
    return &peers->hands[worker].memory;
}

/* ---- what became of them --------------------------------------------------------------------- */

struct dyno_ucx_totals dyno_ucx_peers_totals(struct dyno_ucx_peers *peers)
{
    struct dyno_ucx_totals sum = {0};

    pthread_mutex_lock(&peers->lock);
    for (uint32_t i = 0; i < peers->place_count; i++) {
        if (peers->places[i].there) {
            dyno_ucx_peer_add_totals(peers->places[i].there->peer, &sum);
        }
    }
    pthread_mutex_unlock(&peers->lock);
    return sum;
}

bool dyno_ucx_peers_are_gone(struct dyno_ucx_peers *peers)
{
    bool any = false;
    dyno_ns since;

    pthread_mutex_lock(&peers->lock);
    for (uint32_t i = 0; i < peers->config.workers; i++) {
        const struct dyno_ucx_hand *hand = &peers->hands[i];

        any = any || (hand->stay && dyno_ucx_peer_is_gone(hand->stay->peer, &since));
    }
    pthread_mutex_unlock(&peers->lock);
    return any;
}

struct dyno_ucx_loss dyno_ucx_peers_loss(struct dyno_ucx_peers *peers)
{
    struct dyno_ucx_loss loss;

    pthread_mutex_lock(&peers->lock);
    loss = peers->loss;
    for (uint32_t i = 0; i < peers->config.workers; i++) {
        loss.away += peers->hands[i].away_since != DYNO_NEVER;
    }
    pthread_mutex_unlock(&peers->lock);
    return loss;
}

/* ---- open and close -------------------------------------------------------------------------- */

static uint32_t count_addresses(const char *text)
{
    uint32_t count = 1;

    for (; *text; text++) {
        count += *text == ',';
    }
    return count;
}

static dyno_status open_hand(struct dyno_ucx_peers *peers, uint32_t number,
                             struct dyno_error *error)
{
    struct dyno_ucx_hand *hand = &peers->hands[number];

    hand->memory = (struct dyno_kv_peer){.ops = &memory_ops, .blocks = peers->config.blocks};
    hand->peers = peers;
    hand->number = number;
    hand->away_since = DYNO_NEVER;
    hand->scratch = malloc(dyno_sample_scratch(peers->config.weights->model.vocab));
    return hand->scratch ? DYNO_OK
                         : dyno_fail(error, DYNO_NO_MEMORY, "no memory to choose tokens in");
}

static bool is_ready(const struct dyno_ucx_peers_config *config, uint32_t worker)
{
    return config->ready_count == 0 ||
           (worker >= config->ready_first && worker - config->ready_first < config->ready_count);
}

static dyno_status open_all(struct dyno_ucx_peers *peers, struct dyno_error *error)
{
    char *rest = peers->addresses;

    for (uint32_t i = 0; i < peers->place_count; i++) {
        peers->places[i].address = strsep(&rest, ",");
    }
    for (uint32_t i = 0; i < peers->config.workers; i++) {
        DYNO_TRY(open_hand(peers, i, error));
    }
    DYNO_TRY(dyno_ucx_library_open(&peers->ucx, error));
    for (uint32_t i = 0; i < peers->config.workers; i++) {
        if (is_ready(&peers->config, i)) {
            DYNO_TRY(meet(&peers->hands[i], error));
        }
    }
    return DYNO_OK;
}

/* Room for all of them, in which nobody is yet. */
static struct dyno_ucx_peers *make(const struct dyno_ucx_peers_config *config, uint32_t count)
{
    struct dyno_ucx_peers *peers = calloc(1, sizeof *peers);

    if (!peers) {
        return NULL;
    }
    peers->config = *config;
    peers->workers_each = config->workers / count;
    (void)pthread_mutex_init(&peers->lock, NULL);
    (void)pthread_cond_init(&peers->closed, NULL);
    peers->addresses = strdup(config->addresses);
    peers->places = calloc(count, sizeof *peers->places);
    peers->hands = calloc(config->workers, sizeof *peers->hands);
    for (uint32_t i = 0; peers->places && i < count; i++) {
        (void)pthread_mutex_init(&peers->places[i].meeting, NULL);
        peers->place_count++;
    }
    return peers;
}

dyno_status dyno_ucx_peers_open(struct dyno_ucx_peers **out,
                                const struct dyno_ucx_peers_config *config,
                                struct dyno_error *error)
{
    uint32_t count = count_addresses(config->addresses);
    struct dyno_ucx_peers *peers;
    dyno_status status;

    if (config->workers % count != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u workers cannot be in %u processes: as many are in each",
                         config->workers, count);
    }
    peers = make(config, count);
    status = peers && peers->addresses && peers->places && peers->hands
                 ? open_all(peers, error)
                 : dyno_fail(error, DYNO_NO_MEMORY, "no memory for workers in other processes");
    if (status != DYNO_OK) {
        dyno_ucx_peers_close(peers);
        return status;
    }
    *out = peers;
    return DYNO_OK;
}

void dyno_ucx_peers_close(struct dyno_ucx_peers *peers)
{
    if (!peers) {
        return;
    }
    for (uint32_t i = 0; peers->hands && i < peers->config.workers; i++) {
        if (peers->hands[i].stay) {
            dyno_ucx_hand_stop(&peers->hands[i]);
        }
        free(peers->hands[i].scratch);
    }
    for (uint32_t i = 0; i < peers->place_count; i++) {
        (void)pthread_mutex_destroy(&peers->places[i].meeting);
    }
    dyno_ucx_library_close(&peers->ucx);
    (void)pthread_mutex_destroy(&peers->lock);
    (void)pthread_cond_destroy(&peers->closed);
    free(peers->hands);
    free(peers->places);
    free(peers->addresses);
    free(peers);
}
