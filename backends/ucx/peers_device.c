/* Workers in other processes as a device: a step is a question and an answer. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ucx/peers_parts.h"

static struct dyno_ucx_hand *hand_of(void *context, uint32_t worker)
{
    struct dyno_ucx_peers *peers = context;

    return &peers->hands[worker];
}

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

static struct dyno_layer_gate *gate_of(const struct dyno_ucx_hand *hand)
{
    const struct dyno_ucx_peers *peers = hand->peers;

    return peers->config.tells_layers ? dyno_threaded_device_gate(peers->device, hand->number)
                                      : NULL;
}

/* Where the process is gone nothing is told to anybody: that is asked next. */
static dyno_status step(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count, uint32_t *next)
{
    struct dyno_ucx_hand *hand = hand_of(context, worker);
    struct dyno_ucx_peer *peer = dyno_ucx_hand_peer(hand);
    struct dyno_ucx_reader *answer = &hand->answer;
    const void *bytes;

    (void)next;
    *answer = (struct dyno_ucx_reader){.at = NULL};
    if (peer && dyno_ucx_peer_step(peer, dyno_ucx_hand_index(hand), pieces, piece_count,
                                   gate_of(hand), &bytes, &answer->left)) {
        answer->at = bytes;
        if (!is_answer(hand->peers, pieces, piece_count, *answer)) {
            dyno_ucx_peer_give_up(peer, "it answered something else than it was asked for");
        }
    }
    return DYNO_OK;
}

/* What the yielding pieces' sequences go on with, by what their worker said. */
static void choose(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                   uint32_t piece_count, uint32_t *next)
{
    struct dyno_ucx_hand *hand = hand_of(context, worker);
    const struct dyno_model *model = &hand->peers->config.weights->model;
    struct dyno_ucx_reader *answer = &hand->answer;

    for (uint32_t i = 0; i < piece_count; i++) {
        enum dyno_ucx_wanted wanted = dyno_ucx_wanted(&pieces[i]);
        struct dyno_generation *generation = pieces[i].transcript->generation;
        const void *bytes = dyno_ucx_take_bytes(answer, answer_size(hand->peers, wanted));

        switch (wanted) {
        case DYNO_UCX_NOTHING:
            break;
        case DYNO_UCX_TOKEN:
            memcpy(next++, bytes, sizeof *next);
            break;
        case DYNO_UCX_LOGITS:
            *next++ = generation->ops->choose(generation, bytes, model->vocab, pieces[i].transcript,
                                              hand->scratch);
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
    const struct dyno_ucx_peer *peer = dyno_ucx_hand_peer(hand_of(context, worker));
    dyno_ns since;

    return !peer || dyno_ucx_peer_is_gone(peer, &since);
}

static dyno_status start(void *context, uint32_t worker)
{
    return dyno_ucx_hand_start(hand_of(context, worker));
}

static void stop(void *context, uint32_t worker)
{
    dyno_ucx_hand_stop(hand_of(context, worker));
}

/* A pass that is asked for to see how long it takes; one that nobody answers tells nothing, and the
 * faults tell of that. */
static void try_pass(void *context, const uint32_t *table, uint32_t first, uint32_t tokens)
{
    static const uint32_t zeros[DYNO_PASS_PROBE_TOKENS + DYNO_PASS_PROBE_CONTEXT] = {0};
    struct dyno_ucx_hand *hand = context;
    struct dyno_transcript nobodys = {.generation = NULL};
    const struct dyno_engine_piece piece = {
        .transcript = &nobodys, .tokens = zeros, .first = first, .count = tokens, .table = table};
    const void *answer;
    size_t size;

    (void)dyno_ucx_peer_step(dyno_ucx_hand_peer(hand), dyno_ucx_hand_index(hand), &piece, 1, NULL,
                             &answer, &size);
}

/* Of the first worker that is there. */
static dyno_status measure_costs(struct dyno_ucx_peers *peers, struct dyno_pass_costs *out,
                                 struct dyno_error *error)
{
    const struct dyno_ucx_peers_config *config = &peers->config;

    return dyno_pass_costs_measure(
        out,
        &(struct dyno_pass_probe){.run = try_pass,
                                  .context = &peers->hands[config->ready_first],
                                  .positions = config->weights->model.context_max,
                                  .rows_max = config->rows_max,
                                  .blocks = config->blocks,
                                  .block_tokens = config->block_tokens,
                                  .now = config->now,
                                  .clock = config->clock},
        error);
}

dyno_status dyno_ucx_device_open(struct dyno_device **out, struct dyno_ucx_peers *peers,
                                 const struct dyno_threaded_config *threaded,
                                 struct dyno_error *error)
{
    struct dyno_threaded_config config = *threaded;

    assert(config.worker_count == peers->config.workers);
    if (peers->config.predicts) {
        DYNO_TRY(measure_costs(peers, &config.costs, error));
    }
    config.name = "ucx";
    config.help = "other processes compute real tokens";
    config.step = step;
    config.choose = choose;
    config.is_gone = is_gone;
    config.start = start;
    config.stop = stop;
    config.context = peers;
    config.eos = peers->config.weights->eos;
    config.eos_count = peers->config.weights->eos_count;
    DYNO_TRY(dyno_threaded_device_open(&peers->device, &config, error));
    *out = peers->device;
    return DYNO_OK;
}
