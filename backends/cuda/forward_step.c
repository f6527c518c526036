/* A step of a pass: what it is told on its way to the device, what it yields on its way back, and
 * the step that follows it there. */
#include <assert.h>

#include "backends/cuda/forward_parts.h"
#include "kernels/cuda/advance.h"
#include "kernels/half.h"

dyno_status dyno_cuda_queue_told(struct dyno_cuda_forward *forward,
                                 const struct dyno_cuda_shape *shape, struct dyno_error *error)
{
    struct dyno_cuda_arena arena = {.base = forward->on.told};

    (void)dyno_cuda_arrays_take(&arena, shape);
    DYNO_CUDA_TRY(cudaMemcpyAsync(forward->on.told, forward->told, arena.used,
                                  cudaMemcpyHostToDevice, forward->stream),
                  error);
    return DYNO_OK;
}

static uint32_t *tokens_of(const struct dyno_cuda_forward *forward, uint32_t turn)
{
    return forward->token + (uint64_t)turn * forward->config.sequences_max;
}

/* The way of the step's tokens back. */
static dyno_status queue_tokens(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    uint32_t yields = forward->step.yields;

    if (dyno_cuda_leads(forward) && yields > 0) {
        DYNO_CUDA_TRY(cudaMemcpyAsync(tokens_of(forward, forward->turn), forward->on.token,
                                      yields * sizeof(uint32_t), cudaMemcpyDeviceToHost,
                                      forward->stream),
                      error);
    }
    return DYNO_OK;
}

/* The step that on.told says. */
static dyno_status queue_step(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    DYNO_TRY(dyno_cuda_queue_graph(forward, &forward->step, error));
    return queue_tokens(forward, error);
}

/* on.logits[count], which are those of the slice from a position on. */
static dyno_status tell_some(const struct dyno_cuda_forward *forward, uint32_t slice,
                             uint32_t position, uint32_t count, struct dyno_error *error)
{
    uint64_t vocab = forward->shape->vocab;

    DYNO_CUDA_TRY(cudaMemcpy2DAsync(forward->logits, vocab * sizeof(float), forward->on.logits,
                                    forward->logits_stride * sizeof(float), vocab * sizeof(float),
                                    count, cudaMemcpyDeviceToHost, forward->stream),
                  error);
    DYNO_CUDA_TRY(cudaStreamSynchronize(forward->stream), error);
    forward->config.score(forward->config.score_context, slice, position, count, forward->logits);
    return DYNO_OK;
}

/* Tell the rows that are scored, as many at a time as there is memory for logits; then go on with
 * those that yield. */
static dyno_status score(struct dyno_cuda_forward *forward, const struct dyno_cuda_slice *slices,
                         uint32_t slice_count, struct dyno_error *error)
{
    uint32_t most = forward->config.sequences_max, row = 0;

    for (uint32_t i = 0; i < slice_count; i++) {
        uint32_t rows = dyno_cuda_scored_rows(&slices[i]);

        for (uint32_t done = 0, count; done < rows; done += count) {
            count = rows - done < most ? rows - done : most;
            DYNO_TRY(dyno_cuda_queue_logits(forward, row + done, count, error));
            if (dyno_cuda_leads(forward)) {
                DYNO_TRY(tell_some(forward, i, slices[i].first + done, count, error));
            }
        }
        row += slices[i].count;
    }
    DYNO_TRY(dyno_cuda_queue_yields(forward, &forward->step, error));
    return queue_tokens(forward, error);
}

/* Whether the device can go on from these by itself. */
static bool can_go_on(const struct dyno_cuda_forward *forward, const struct dyno_cuda_slice *slices,
                      uint32_t slice_count)
{
    for (uint32_t i = 0; i < slice_count; i++) {
        if (slices[i].count > 1 || slices[i].want != DYNO_CUDA_WANT_TOKEN) {
            return false;
        }
    }
    return !forward->config.shard;
}

/* Steps that may follow for which there are positions. */
static uint32_t further_of(const struct dyno_cuda_forward *forward,
                           const struct dyno_cuda_slice *slices, uint32_t slice_count,
                           uint32_t further)
{
    for (uint32_t i = 0; i < slice_count; i++) {
        uint32_t left = forward->model->positions - slices[i].first - slices[i].count;

        further = left < further ? left : further;
    }
    return can_go_on(forward, slices, slice_count) ? further : 0;
}

static dyno_status begin(struct dyno_cuda_forward *forward, const struct dyno_cuda_slice *slices,
                         uint32_t slice_count, uint32_t further, struct dyno_error *error)
{
    forward->further = further_of(forward, slices, slice_count, further);
    forward->step = dyno_cuda_shape_of(forward, slices, slice_count, forward->further);
    forward->turn = 0;
    forward->running = true;
    dyno_cuda_tell(forward, &forward->step, slices, slice_count, forward->further);
    DYNO_TRY(dyno_cuda_queue_told(forward, &forward->step, error));
    if (forward->step.scores) {
        DYNO_TRY(dyno_cuda_queue_pass(forward, &forward->step, error));
        return score(forward, slices, slice_count, error);
    }
    return queue_step(forward, error);
}

dyno_status dyno_cuda_queue_advance(struct dyno_cuda_forward *forward,
                                    const struct dyno_cuda_shape *shape, struct dyno_error *error)
{
    struct dyno_cuda_arena arena = {.base = forward->on.told};
    struct dyno_cuda_arrays told = dyno_cuda_arrays_take(&arena, shape);
    struct dyno_cuda_advance_job job = {.rows = shape->rows,
                                        .block_tokens = forward->config.block_tokens,
                                        .table_width = shape->table_width,
                                        .chosen = forward->on.token,
                                        .table = told.table,
                                        .token = told.token,
                                        .position = told.position,
                                        .slot = told.slot,
                                        .slices = told.decode,
                                        .sample = told.sample};

    DYNO_CUDA_LAUNCH(dyno_cuda_advance(&job, forward->stream), error);
    return DYNO_OK;
}

/* The step that follows the last one queued. */
static dyno_status begin_next(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    DYNO_CUDA_TRY(cudaEventRecord(forward->chosen, forward->stream), error);
    forward->ahead = true;
    forward->further--;
    forward->turn ^= 1;
    DYNO_TRY(dyno_cuda_queue_advance(forward, &forward->step, error));
    return queue_step(forward, error);
}

/* The logits and states that are wanted on the host. */
static dyno_status fetch(const struct dyno_cuda_forward *forward,
                         const struct dyno_cuda_slice *slices, uint32_t slice_count,
                         struct dyno_error *error)
{
    uint64_t hidden = forward->shape->hidden, yield = 0;

    for (uint32_t i = 0; i < slice_count; i++) {
        if (slices[i].want == DYNO_CUDA_WANT_LOGITS) {
            uint64_t at = yield * forward->logits_stride;

            DYNO_CUDA_TRY(cudaMemcpyAsync(forward->logits + at, forward->on.logits + at,
                                          forward->shape->vocab * sizeof(float),
                                          cudaMemcpyDeviceToHost, forward->stream),
                          error);
        } else if (slices[i].want == DYNO_CUDA_WANT_STATE) {
            DYNO_CUDA_TRY(cudaMemcpyAsync(forward->state + yield * hidden,
                                          dyno_cuda_at(forward->on.normed, yield * hidden),
                                          hidden * sizeof(uint16_t), cudaMemcpyDeviceToHost,
                                          forward->stream),
                          error);
        }
        yield += slices[i].want != DYNO_CUDA_WANT_NOTHING;
    }
    return DYNO_OK;
}

static float value_of(const struct dyno_cuda_forward *forward, uint16_t bits)
{
    return forward->model->element == DYNO_ELEMENT_F16 ? dyno_half_to_float(bits)
                                                       : dyno_bf16_to_float(bits);
}

static void hand_out(const struct dyno_cuda_forward *forward, const struct dyno_cuda_slice *slices,
                     uint32_t slice_count, const uint32_t *tokens, struct dyno_cuda_yield *yields)
{
    uint64_t hidden = forward->shape->hidden, yield = 0;

    for (uint32_t i = 0; i < slice_count; i++) {
        float *state = forward->state_values + yield * hidden;

        if (slices[i].want == DYNO_CUDA_WANT_NOTHING) {
            continue;
        }
        yields[yield] = (struct dyno_cuda_yield){.token = tokens[yield]};
        if (slices[i].want == DYNO_CUDA_WANT_LOGITS) {
            yields[yield].logits = forward->logits + yield * forward->logits_stride;
        } else if (slices[i].want == DYNO_CUDA_WANT_STATE) {
            yields[yield].state = state;
        }
        for (uint64_t k = 0; slices[i].want == DYNO_CUDA_WANT_STATE && k < hidden; k++) {
            state[k] = value_of(forward, forward->state[yield * hidden + k]);
        }
        yield++;
    }
}

dyno_status dyno_cuda_forward_step(struct dyno_cuda_forward *forward,
                                   const struct dyno_cuda_slice *slices, uint32_t slice_count,
                                   uint32_t further, struct dyno_cuda_yield *yields,
                                   struct dyno_error *error)
{
    uint32_t turn;

    if (!forward->ahead) {
        DYNO_TRY(begin(forward, slices, slice_count, further, error));
    }
    forward->ahead = false;
    turn = forward->turn;
    if (further > 0 && forward->further > 0 && can_go_on(forward, slices, slice_count)) {
        DYNO_TRY(begin_next(forward, error));
        DYNO_CUDA_TRY(cudaEventSynchronize(forward->chosen), error);
    } else {
        if (dyno_cuda_leads(forward)) {
            DYNO_TRY(fetch(forward, slices, slice_count, error));
        }
        DYNO_CUDA_TRY(cudaStreamSynchronize(forward->stream), error);
        forward->running = false;
    }
    if (dyno_cuda_leads(forward)) {
        hand_out(forward, slices, slice_count, tokens_of(forward, turn), yields);
    }
    return DYNO_OK;
}

bool dyno_cuda_forward_is_ahead(const struct dyno_cuda_forward *forward)
{
    return forward->ahead;
}

dyno_status dyno_cuda_forward_rest(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    forward->ahead = false;
    DYNO_CUDA_TRY(cudaStreamSynchronize(forward->stream), error);
    forward->running = false;
    return DYNO_OK;
}

dyno_status dyno_cuda_forward_run(struct dyno_cuda_forward *forward,
                                  const struct dyno_cuda_slice *slices, uint32_t slice_count,
                                  struct dyno_cuda_yield *yields, struct dyno_error *error)
{
    assert(!forward->ahead);
    return dyno_cuda_forward_step(forward, slices, slice_count, 0, yields, error);
}
