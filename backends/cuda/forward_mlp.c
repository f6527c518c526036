/* The second half of a layer: a dense MLP, or a mixture of experts.
 *
 * Which experts a row goes to is known on the device only; the host queues what is right for any
 * choice (kernels/cuda/grouped.h). */
#include "backends/cuda/forward_parts.h"
#include "kernels/cuda/grouped.h"
#include "kernels/cuda/moe.h"
#include "kernels/cuda/rows.h"

/* From on.gate_up to on.gated, both of `rows` rows; `width` is that of one half. */
static dyno_status gate(const struct dyno_cuda_pass *pass, uint32_t rows, uint32_t width)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    struct dyno_cuda_silu_job job = {.element = forward->model->element,
                                     .rows = rows,
                                     .columns = width,
                                     .gate = forward->on.gate_up,
                                     .up = dyno_cuda_at(forward->on.gate_up, width),
                                     .stride = 2 * (uint64_t)width,
                                     .out = forward->on.gated};

    DYNO_CUDA_LAUNCH(dyno_cuda_silu(&job, forward->stream), pass->error);
    return DYNO_OK;
}

static dyno_status compute_dense(const struct dyno_cuda_pass *pass,
                                 const struct dyno_cuda_layer *layer)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    uint32_t hidden = forward->shape->hidden, width = forward->shape->intermediate;

    DYNO_TRY(dyno_cuda_pass_multiply(pass, &(struct dyno_cuda_product){.weights = &layer->gate_up,
                                                                       .rows = 2 * width,
                                                                       .x = forward->on.normed,
                                                                       .y = forward->on.gate_up}));
    DYNO_TRY(gate(pass, pass->rows, width));
    return dyno_cuda_pass_multiply(
        pass, &(struct dyno_cuda_product){.weights = &layer->down,
                                          .bias = layer->down_bias,
                                          .rows = hidden,
                                          .x = forward->on.gated,
                                          .residual = dyno_cuda_pass_residual(pass),
                                          .y = pass->hidden});
}

/* The logits of the router, for every row those of all experts. */
static dyno_status route(const struct dyno_cuda_pass *pass, const struct dyno_cuda_layer *layer)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    uint32_t hidden = forward->shape->hidden, experts = forward->shape->experts;
    struct dyno_cuda_gemm_job job = {.element = forward->model->element,
                                     .kind = DYNO_CUDA_WEIGHTS_16,
                                     .y_is_float = true,
                                     .n = pass->rows,
                                     .rows = experts,
                                     .columns = hidden,
                                     .weights = layer->router,
                                     .x = forward->on.normed,
                                     .x_stride = hidden,
                                     .y = forward->on.router_logits,
                                     .y_stride = experts,
                                     .weight_scale = 1.0F,
                                     .x_scale = 1.0F};

    DYNO_CUDA_LAUNCH(dyno_cuda_gemm(forward->gemm, &job, forward->stream), pass->error);
    return DYNO_OK;
}

/* Every expert's product of its own rows. */
static dyno_status multiply_each(const struct dyno_cuda_pass *pass,
                                 const struct dyno_cuda_matrix *weights, uint32_t rows,
                                 const void *x, void *y)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    struct dyno_cuda_grouped_job job = {.element = forward->model->element,
                                        .experts = forward->shape->experts,
                                        .slots = pass->rows * forward->shape->experts_per_token,
                                        .kind = weights->kind,
                                        .group = weights->group,
                                        .rows = rows,
                                        .columns = weights->columns,
                                        .expert_first = forward->on.expert_first,
                                        .weights = weights->weights,
                                        .scales = weights->scales,
                                        .x = x,
                                        .y = y,
                                        .x_stride = weights->columns,
                                        .y_stride = rows};

    DYNO_CUDA_LAUNCH(dyno_cuda_grouped(&job, forward->stream), pass->error);
    return DYNO_OK;
}

static dyno_status compute_experts(const struct dyno_cuda_pass *pass,
                                   const struct dyno_cuda_layer *layer)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    const struct dyno_model *shape = forward->shape;
    uint32_t hidden = shape->hidden, width = shape->expert_intermediate;
    struct dyno_cuda_moe_job job = {.element = forward->model->element,
                                    .tokens = pass->rows,
                                    .experts = shape->experts,
                                    .chosen = shape->experts_per_token,
                                    .normalize = forward->model->weights->normalize_top_k,
                                    .columns = hidden,
                                    .logits = forward->on.router_logits,
                                    .expert = forward->on.expert,
                                    .weight = forward->on.expert_weight,
                                    .place = forward->on.place,
                                    .expert_first = forward->on.expert_first,
                                    .x = forward->on.normed,
                                    .gathered = forward->on.gathered,
                                    .mixed = forward->on.mixed,
                                    .residual = dyno_cuda_pass_residual(pass),
                                    .out = pass->hidden};

    DYNO_TRY(route(pass, layer));
    DYNO_CUDA_LAUNCH(dyno_cuda_moe_route(&job, forward->stream), pass->error);
    DYNO_CUDA_LAUNCH(dyno_cuda_moe_gather(&job, forward->stream), pass->error);
    DYNO_TRY(multiply_each(pass, &layer->expert_gate_up, 2 * width, forward->on.gathered,
                           forward->on.gate_up));
    DYNO_TRY(gate(pass, pass->rows * shape->experts_per_token, width));
    DYNO_TRY(
        multiply_each(pass, &layer->expert_down, hidden, forward->on.gated, forward->on.mixed));
    DYNO_CUDA_LAUNCH(dyno_cuda_moe_combine(&job, forward->stream), pass->error);
    return DYNO_OK;
}

dyno_status dyno_cuda_pass_mlp(const struct dyno_cuda_pass *pass,
                               const struct dyno_cuda_layer *layer)
{
    DYNO_TRY(dyno_cuda_pass_norm(pass, layer->mlp_norm));
    DYNO_TRY(layer->router ? compute_experts(pass, layer) : compute_dense(pass, layer));
    return dyno_cuda_pass_reduce(pass);
}
