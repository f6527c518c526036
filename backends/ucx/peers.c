#include "backends/ucx/peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ucx/peer.h"
#include "kernels/sample.h"

struct dyno_ucx_peers {
    struct dyno_ucx_peers_config config;
    struct dyno_ucx_library ucx;
    struct dyno_ucx_peer **at; /* [count] */
    uint32_t count;
    uint32_t workers_each;
    void **scratch;                  /* [config.workers] of dyno_sample, a thread's each ... */
    struct dyno_ucx_reader *answers; /* ... and what the worker said last */
};

bool dyno_ucx_is_built(void)
{
    return true;
}

static struct dyno_ucx_peer *peer_of(const struct dyno_ucx_peers *peers, uint32_t worker)
{
    return peers->at[worker / peers->workers_each];
}

/* ---- the device ------------------------------------------------------------------------------ */

/* Bytes of an answer. */
static size_t answer_size(const struct dyno_ucx_peers *peers, enum dyno_ucx_wanted wanted)
{
    const struct dyno_model *model = &peers->config.weights->model;

    switch (wanted) {
    case DYNO_UCX_TOKEN:
        return sizeof(uint32_t);
    case DYNO_UCX_LOGITS:
        return model->vocab * sizeof(float);
    case DYNO_UCX_STATE:
        return model->hidden * sizeof(float);
    case DYNO_UCX_NOTHING:
        break;
    }
    return 0;
}

/* Whether it answers what was asked: as much, and tokens that there are. */
static bool is_answer(const struct dyno_ucx_peers *peers, const struct dyno_engine_piece *pieces,
                      uint32_t piece_count, struct dyno_ucx_reader answer)
{
    for (uint32_t i = 0; i < piece_count && !answer.failed; i++) {
        enum dyno_ucx_wanted wanted = dyno_ucx_wanted(&pieces[i]);

        if (wanted != DYNO_UCX_TOKEN) {
            (void)dyno_ucx_take_bytes(&answer, answer_size(peers, wanted));
        } else if (dyno_ucx_take_u32(&answer) >= peers->config.weights->model.vocab) {
            return false;
        }
    }
    return !answer.failed && answer.left == 0;
}

/* Where the process is gone nothing is told to anybody: that is asked next. */
static dyno_status step(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count, uint32_t *next)
{
    const struct dyno_ucx_peers *peers = context;
    struct dyno_ucx_peer *peer = peer_of(peers, worker);
    struct dyno_ucx_reader *answer = &peers->answers[worker];
    const void *bytes;

    (void)next;
    *answer = (struct dyno_ucx_reader){.at = NULL};
    if (dyno_ucx_peer_step(peer, worker % peers->workers_each, pieces, piece_count, &bytes,
                           &answer->left)) {
        answer->at = bytes;
        if (!is_answer(peers, pieces, piece_count, *answer)) {
            dyno_ucx_peer_give_up(peer, "it answered something else than it was asked for");
        }
    }
    return DYNO_OK;
}

/* What the yielding pieces' sequences go on with, by what their worker said. */
static void choose(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                   uint32_t piece_count, uint32_t *next)
{
    const struct dyno_ucx_peers *peers = context;
    const struct dyno_model *model = &peers->config.weights->model;
    struct dyno_ucx_reader *answer = &peers->answers[worker];

    for (uint32_t i = 0; i < piece_count; i++) {
        enum dyno_ucx_wanted wanted = dyno_ucx_wanted(&pieces[i]);
        struct dyno_generation *generation = pieces[i].transcript->generation;
        const void *bytes = dyno_ucx_take_bytes(answer, answer_size(peers, wanted));

        switch (wanted) {
        case DYNO_UCX_NOTHING:
            break;
        case DYNO_UCX_TOKEN:
            memcpy(next++, bytes, sizeof *next);
            break;
        case DYNO_UCX_LOGITS:
            *next++ = generation->ops->choose(generation, bytes, model->vocab, pieces[i].transcript,
                                              peers->scratch[worker]);
            break;
        case DYNO_UCX_STATE:
            generation->ops->embed(generation, bytes, model->hidden);
            *next++ = DYNO_TOKEN_FILLER;
            break;
        }
    }
}

static bool is_gone(void *context, uint32_t worker)
{
    dyno_ns since;

    return dyno_ucx_peer_is_gone(peer_of(context, worker), &since);
}

dyno_status dyno_ucx_device_open(struct dyno_device **out, struct dyno_ucx_peers *peers,
                                 const struct dyno_threaded_config *threaded,
                                 struct dyno_error *error)
{
    struct dyno_threaded_config config = *threaded;

    assert(config.worker_count == peers->config.workers);
    config.name = "ucx";
    config.help = "other processes compute real tokens";
    config.step = step;
    config.choose = choose;
    config.is_gone = is_gone;
    config.context = peers;
    config.eos = peers->config.weights->eos;
    config.eos_count = peers->config.weights->eos_count;
    return dyno_threaded_device_open(out, &config, error);
}

/* ---- faults ---------------------------------------------------------------------------------- */

struct deaths {
    struct dyno_faults base;
    struct dyno_ucx_mortals of[DYNO_UCX_MORTALS];
    bool *told[DYNO_UCX_MORTALS]; /* [workers] each */
};

static uint32_t workers_of(const struct dyno_ucx_mortals *mortals)
{
    return mortals->peers ? mortals->peers->config.workers : 0;
}

/* The first worker that died and is not told of: where that is to be noted; NULL: there is none. */
static bool *find_dead(const struct deaths *deaths, uint32_t *target, dyno_ns *since)
{
    for (uint32_t i = 0; i < DYNO_UCX_MORTALS; i++) {
        const struct dyno_ucx_mortals *of = &deaths->of[i];

        for (uint32_t j = 0; j < workers_of(of); j++) {
            if (!deaths->told[i][j] && dyno_ucx_peer_is_gone(peer_of(of->peers, j), since)) {
                *target = of->first_worker + j;
                return &deaths->told[i][j];
            }
        }
    }
    return NULL;
}

static dyno_ns deaths_next(const struct dyno_faults *faults)
{
    uint32_t target;
    dyno_ns since;

    return find_dead((const struct deaths *)faults, &target, &since) ? since : DYNO_NEVER;
}

static bool deaths_take(struct dyno_faults *faults, dyno_ns now, struct dyno_fault_record *out)
{
    uint32_t target;
    dyno_ns since;
    bool *told = find_dead((const struct deaths *)faults, &target, &since);

    if (!told) {
        return false;
    }
    *told = true;
    *out = (struct dyno_fault_record){.kind = DYNO_FAULT_DEATH,
                                      .what = "worker",
                                      .target = target,
                                      .at = now,
                                      .until = DYNO_NEVER};
    return true;
}

static void deaths_close(struct dyno_faults *faults)
{
    struct deaths *deaths = (struct deaths *)faults;

    for (uint32_t i = 0; i < DYNO_UCX_MORTALS; i++) {
        free(deaths->told[i]);
    }
    free(deaths);
}

static const struct dyno_faults_ops deaths_ops = {
    .name = "ucx", .next = deaths_next, .take = deaths_take, .close = deaths_close};

dyno_status dyno_ucx_faults_open(struct dyno_faults **out,
                                 const struct dyno_ucx_mortals mortals[DYNO_UCX_MORTALS])
{
    struct deaths *deaths = calloc(1, sizeof *deaths);
    bool whole = deaths != NULL;

    for (uint32_t i = 0; whole && i < DYNO_UCX_MORTALS; i++) {
        deaths->of[i] = mortals[i];
        deaths->told[i] = calloc(workers_of(&mortals[i]) + 1, sizeof(bool));
        whole = deaths->told[i] != NULL;
    }
    if (!whole) {
        if (deaths) {
            deaths_close(&deaths->base);
        }
        return DYNO_NO_MEMORY;
    }
    deaths->base.ops = &deaths_ops;
    *out = &deaths->base;
    return DYNO_OK;
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

static dyno_status open_one(struct dyno_ucx_peers *peers, uint32_t index, const char *address,
                            struct dyno_error *error)
{
    struct dyno_ucx_peers_config config = peers->config;

    config.workers = peers->workers_each;
    return dyno_ucx_peer_open(&peers->at[index], &peers->ucx, address, &config, error);
}

static dyno_status open_all(struct dyno_ucx_peers *peers, char *addresses, struct dyno_error *error)
{
    char *rest = addresses;

    DYNO_TRY(dyno_ucx_library_open(&peers->ucx, error));
    for (uint32_t i = 0; i < peers->config.workers; i++) {
        peers->scratch[i] = malloc(dyno_sample_scratch(peers->config.weights->model.vocab));
        if (!peers->scratch[i]) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory to choose tokens in");
        }
    }
    for (uint32_t i = 0; i < peers->count; i++) {
        DYNO_TRY(open_one(peers, i, strsep(&rest, ","), error));
    }
    return DYNO_OK;
}

static dyno_status open_copied(struct dyno_ucx_peers *peers, struct dyno_error *error)
{
    char *addresses = strdup(peers->config.addresses);
    dyno_status status;

    peers->at = calloc(peers->count, sizeof(struct dyno_ucx_peer *));
    peers->scratch = calloc(peers->config.workers, sizeof(void *));
    peers->answers = calloc(peers->config.workers, sizeof *peers->answers);
    status = addresses && peers->at && peers->scratch && peers->answers
                 ? open_all(peers, addresses, error)
                 : dyno_fail(error, DYNO_NO_MEMORY, "no memory for workers in other processes");
    free(addresses);
    return status;
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
    peers = calloc(1, sizeof *peers);
    if (!peers) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for workers in other processes");
    }
    peers->config = *config;
    peers->count = count;
    peers->workers_each = config->workers / count;
    status = open_copied(peers, error);
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
    for (uint32_t i = 0; peers->at && i < peers->count; i++) {
        dyno_ucx_peer_close(peers->at[i]);
    }
    for (uint32_t i = 0; peers->scratch && i < peers->config.workers; i++) {
        free(peers->scratch[i]);
    }
    dyno_ucx_library_close(&peers->ucx);
    free(peers->scratch);
    free(peers->answers);
    free(peers->at);
    free(peers);
}

struct dyno_kv_peer *dyno_ucx_peers_memory(struct dyno_ucx_peers *peers, uint32_t worker)
{
    return dyno_ucx_peer_memory(peer_of(peers, worker), worker % peers->workers_each);
}

struct dyno_ucx_totals dyno_ucx_peers_totals(const struct dyno_ucx_peers *peers)
{
    struct dyno_ucx_totals sum = {0};

    for (uint32_t i = 0; i < peers->count; i++) {
        dyno_ucx_peer_add_totals(peers->at[i], &sum);
    }
    return sum;
}

const char *dyno_ucx_peers_why(const struct dyno_ucx_peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        const char *why = dyno_ucx_peer_why(peers->at[i]);

        if (why) {
            return why;
        }
    }
    return NULL;
}
