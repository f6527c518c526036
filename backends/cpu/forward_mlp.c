/* The second half of a layer: a dense MLP, or a mixture of experts. */
#include <assert.h>
#include <string.h>

#include "backends/cpu/forward_parts.h"
#include "kernels/activation.h"
#include "kernels/matmul.h"
#include "kernels/moe.h"

struct activate {
    const struct dyno_forward *forward;
    uint32_t width;
    bool gated;
};

static void activate_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct activate *activate = argument;
    const struct dyno_forward *forward = activate->forward;
    size_t begin = (size_t)first * activate->width,
           count = (size_t)(last - first) * activate->width;

    (void)worker;
    if (activate->gated) {
        forward->isa->silu_multiply(forward->gate + begin, forward->up + begin, count);
    } else {
        forward->isa->gelu(forward->up + begin, count);
    }
}

/* gate = silu(gate) up, or up = gelu(up). */
static void activate(const struct dyno_forward *forward, uint32_t width, uint32_t rows, bool gated)
{
    struct activate argument = {forward, width, gated};

    dyno_team_run(forward->config.team, rows, dyno_forward_grain(width), activate_rows, &argument);
}

void dyno_forward_mlp_dense(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                            uint32_t first, uint32_t rows)
{
    const struct dyno_shard *shard = forward->config.shard;
    bool gated = layer->gate.data != NULL;
    size_t hidden = forward->weights->model.hidden, width = layer->up.rows;
    struct dyno_matmul_job widen[] = {{.weights = &layer->up,
                                       .x = forward->normed + first * hidden,
                                       .n = rows,
                                       .x_stride = hidden,
                                       .y_stride = width,
                                       .bias = layer->up_bias,
                                       .y = forward->up},
                                      {.weights = &layer->gate,
                                       .x = forward->normed + first * hidden,
                                       .n = rows,
                                       .x_stride = hidden,
                                       .y_stride = width,
                                       .y = forward->gate}};
    struct dyno_matmul_job narrow = {
        .weights = &layer->down,
        .first_column = shard ? shard->intermediate.first : 0,
        .column_count = (uint32_t)width,
        .x = gated ? forward->gate : forward->up,
        .n = rows,
        .x_stride = width,
        .y_stride = hidden,
        .bias = layer->down_bias,
        .residual = dyno_forward_leads(forward) ? forward->hidden + first * hidden : NULL,
        .y = forward->other + first * hidden};

    dyno_matmul(forward->isa, forward->config.team, widen, gated ? 2 : 1);
    activate(forward, (uint32_t)width, rows, gated);
    dyno_matmul(forward->isa, forward->config.team, &narrow, 1);
}

/* Which experts each row goes to, and where its slots lie when they are put in order. */
static void route_rows(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                       uint32_t first, uint32_t rows)
{
    const struct dyno_model *model = &forward->weights->model;
    uint32_t experts = model->experts, each = model->experts_per_token;
    struct dyno_matmul_job job = {.weights = &layer->router,
                                  .x = forward->normed + (size_t)first * model->hidden,
                                  .n = rows,
                                  .x_stride = model->hidden,
                                  .y_stride = experts,
                                  .y = forward->router_logits};

    dyno_matmul(forward->isa, forward->config.team, &job, 1);
    memset(forward->expert_first, 0, (experts + 1) * sizeof(uint32_t));
    for (uint32_t row = 0; row < rows; row++) {
        dyno_moe_route(forward->router_logits + (size_t)row * experts, experts, each,
                       forward->weights->normalize_top_k, forward->chosen + (size_t)row * each,
                       forward->chosen_weight + (size_t)row * each);
    }
    for (uint32_t slot = 0; slot < rows * each; slot++) {
        forward->place[slot] = forward->expert_first[forward->chosen[slot] + 1]++;
    }
    for (uint32_t expert = 0; expert < experts; expert++) {
        forward->expert_first[expert + 1] += forward->expert_first[expert];
    }
    for (uint32_t slot = 0; slot < rows * each; slot++) {
        forward->place[slot] += forward->expert_first[forward->chosen[slot]];
    }
}

/* One product for each expert that has slots: from x, `columns` of the matrices from `column` on,
 * to y, both in the order of experts. */
static uint32_t expert_jobs(struct dyno_forward *forward, const struct dyno_matrix *weights,
                            uint32_t column, uint32_t columns, const float *x, float *y,
                            struct dyno_matmul_job *jobs)
{
    uint32_t count = 0;

    for (uint32_t expert = 0; expert < forward->weights->model.experts; expert++) {
        size_t first = forward->expert_first[expert];
        uint32_t slots = forward->expert_first[expert + 1] - forward->expert_first[expert];

        if (slots > 0) {
            const struct dyno_matrix *matrix = &weights[expert];

            jobs[count++] = (struct dyno_matmul_job){.weights = matrix,
                                                     .first_column = column,
                                                     .column_count = columns,
                                                     .x = x + first * columns,
                                                     .n = slots,
                                                     .x_stride = columns,
                                                     .y_stride = matrix->rows,
                                                     .y = y + first * matrix->rows};
        }
    }
    return count;
}

/* Each row's experts in the order of its choice, on top of what it was. */
static void mix_rows(struct dyno_forward *forward, uint32_t first, uint32_t rows)
{
    size_t hidden = forward->weights->model.hidden;
    uint32_t each = forward->weights->model.experts_per_token;

    for (uint32_t row = 0; row < rows; row++) {
        float *out = forward->other + (first + row) * hidden;

        if (dyno_forward_leads(forward)) {
            memcpy(out, forward->hidden + (first + row) * hidden, hidden * sizeof(float));
        } else {
            memset(out, 0, hidden * sizeof(float));
        }
        for (uint32_t slot = row * each; slot < (row + 1) * each; slot++) {
            const float *mixed = forward->mixed + forward->place[slot] * hidden;
            float weight = forward->chosen_weight[slot];

            for (size_t i = 0; i < hidden; i++) {
                out[i] += weight * mixed[i];
            }
        }
    }
}

void dyno_forward_mlp_experts(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                              uint32_t first, uint32_t rows)
{
    const struct dyno_shard *shard = forward->config.shard;
    uint32_t hidden = forward->weights->model.hidden;
    uint32_t width = forward->weights->model.expert_intermediate;
    uint32_t each = forward->weights->model.experts_per_token;
    struct dyno_matmul_job *jobs = forward->expert_jobs;
    uint32_t count;

    route_rows(forward, layer, first, rows);
    for (uint32_t slot = 0; slot < rows * each; slot++) {
        memcpy(forward->slot_input + (size_t)forward->place[slot] * hidden,
               forward->normed + (size_t)(first + slot / each) * hidden, hidden * sizeof(float));
    }
    count =
        expert_jobs(forward, layer->expert_up, 0, hidden, forward->slot_input, forward->up, jobs);
    count += expert_jobs(forward, layer->expert_gate, 0, hidden, forward->slot_input, forward->gate,
                         jobs + count);
    dyno_matmul(forward->isa, forward->config.team, jobs, count);
    activate(forward, width, rows * each, true);
    count = expert_jobs(forward, layer->expert_down, shard ? shard->expert_intermediate.first : 0,
                        width, forward->gate, forward->mixed, jobs);
    dyno_matmul(forward->isa, forward->config.team, jobs, count);
    mix_rows(forward, first, rows);
}
