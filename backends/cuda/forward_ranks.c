/* What ranks tell each other in a pass: sums that are split, and the logits' columns. */
#include "backends/cuda/forward_parts.h"

static dyno_status lost(const struct dyno_cuda_pass *pass, dyno_status status, const char *what)
{
    return status == DYNO_OK ? DYNO_OK
                             : dyno_fail(pass->error, status,
                                         "%s failed: a rank, its GPU or its link is lost", what);
}

dyno_status dyno_cuda_pass_reduce(const struct dyno_cuda_pass *pass)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    struct dyno_collective *collective = forward->config.collective;

    if (!collective) {
        return DYNO_OK;
    }
    return lost(pass,
                collective->ops->all_reduce_sum(collective, pass->hidden,
                                                (size_t)pass->rows * forward->shape->hidden,
                                                forward->model->element, forward->stream),
                "a sum over all ranks");
}

static dyno_status multiply(const struct dyno_cuda_pass *pass, uint32_t rows, float *to,
                            uint64_t stride)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    uint64_t hidden = forward->shape->hidden;

    return dyno_cuda_pass_multiply(
        pass,
        &(struct dyno_cuda_product){.weights = &forward->model->logits,
                                    .rows = rows,
                                    .x = dyno_cuda_at(forward->on.normed, pass->first * hidden),
                                    .y = to,
                                    .y_is_float = true,
                                    .y_stride = stride});
}

/* on.shares[ranks][rows][share_stride], without what pads them, as on.logits[rows][vocab]. */
static dyno_status join(const struct dyno_cuda_pass *pass)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    uint64_t vocab = forward->shape->vocab, each = forward->config.shard->vocab_each;
    uint64_t stride = forward->share_stride * sizeof(float);

    for (uint64_t first = 0, rank = 0; first < vocab; first += each, rank++) {
        uint64_t columns = vocab - first < each ? vocab - first : each;

        DYNO_CUDA_TRY(
            cudaMemcpy2DAsync(forward->on.logits + first, forward->logits_stride * sizeof(float),
                              forward->on.shares + rank * pass->rows * forward->share_stride,
                              stride, columns * sizeof(float), pass->rows, cudaMemcpyDeviceToDevice,
                              forward->stream),
            pass->error);
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_pass_logits(const struct dyno_cuda_pass *pass)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    const struct dyno_shard *shard = forward->config.shard;
    struct dyno_collective *collective = forward->config.collective;

    if (!collective) {
        return multiply(pass, forward->shape->vocab, forward->on.logits, forward->logits_stride);
    }
    if (shard->vocab.count > 0) { /* the last ranks may have none */
        DYNO_TRY(multiply(pass, shard->vocab.count, forward->on.share, forward->share_stride));
    }
    DYNO_TRY(lost(pass,
                  collective->ops->all_gather(
                      collective, forward->on.share, (size_t)pass->rows * forward->share_stride,
                      DYNO_ELEMENT_F32, forward->on.shares, forward->stream),
                  "a gather of logits"));
    return dyno_cuda_leads(forward) ? join(pass) : DYNO_OK;
}
