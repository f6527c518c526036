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

/* The step that on.told says, and the way of its tokens back. */
static dyno_status queue_step(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    uint32_t yields = forward->step.yields;

    DYNO_TRY(dyno_cuda_queue_graph(forward, &forward->step, error));
    if (dyno_cuda_leads(forward) && yields > 0) {
        DYNO_CUDA_TRY(cudaMemcpyAsync(tokens_of(forward, forward->turn), forward->on.token,
                                      yields * sizeof(uint32_t), cudaMemcpyDeviceToHost,
                                      forward->stream),
                      error);
    }
    return DYNO_OK;
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
