/* The kernels of a pass, layer by layer, on one stream. */
#include "backends/cuda/forward.h"

#include <math.h>

#include "backends/cuda/forward_parts.h"
#include "kernels/cuda/norm.h"
#include "kernels/cuda/rope.h"
#include "kernels/cuda/rows.h"

static const struct dyno_cuda_layer *layer_of(const struct dyno_cuda_pass *pass, uint32_t index)
{
    return &pass->forward->model->layers[index];
}

dyno_status dyno_cuda_pass_norm(const struct dyno_cuda_pass *pass, const void *weight)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    struct dyno_cuda_norm_job job = {.element = forward->model->element,
                                     .rows = pass->rows,
                                     .columns = forward->shape->hidden,
                                     .epsilon = (float)forward->model->weights->norm_epsilon,
                                     .x = pass->hidden,
                                     .weight = weight,
                                     .out = forward->on.normed,
                                     .x_stride = forward->shape->hidden};

    DYNO_CUDA_LAUNCH(dyno_cuda_norm(&job, forward->stream), pass->error);
    return DYNO_OK;
}

/* Rows `index` of `from` [from_rows][columns], side by side in `to`: an embedding's lookup. */
static dyno_status pick_rows(const struct dyno_cuda_pass *pass, const void *from,
                             uint32_t from_rows, uint32_t columns, const uint32_t *index,
                             uint32_t count, void *to)
{
    struct dyno_cuda_embedding_job job = {.tokens = count,
                                          .vocab = from_rows,
                                          .columns = columns,
                                          .table = from,
                                          .token = index,
                                          .out = to};

    DYNO_CUDA_LAUNCH(dyno_cuda_embedding(&job, pass->forward->stream), pass->error);
    return DYNO_OK;
}

static struct dyno_cuda_kv kv_of(const struct dyno_cuda_forward *forward, uint32_t layer)
{
    const struct dyno_model *shape = forward->shape;
    const struct dyno_cuda_forward_config *config = &forward->config;
    uint64_t half = (uint64_t)shape->kv_heads * config->block_tokens * shape->head_dim;
    uint64_t bytes = dyno_cuda_kv_bytes(config->kv);
    char *keys = (char *)forward->kv + (uint64_t)layer * config->blocks * 2 * half * bytes;

    return (struct dyno_cuda_kv){.element = config->kv,
                                 .blocks = config->blocks,
                                 .block_tokens = config->block_tokens,
                                 .kv_heads = shape->kv_heads,
                                 .head_dim = shape->head_dim,
                                 .block_stride = 2 * half,
                                 .keys = keys,
                                 .values = keys + half * bytes,
                                 .key_scale = 1.0F,
                                 .value_scale = 1.0F};
}

/* Query and key normed where the model does so, and turned; key and value stored. */
static dyno_status turn_and_store(const struct dyno_cuda_pass *pass, uint32_t index)
{
    const struct dyno_cuda_forward *forward = pass->forward;
    const struct dyno_weights *weights = forward->model->weights;
    struct dyno_cuda_rope_job job = {
        .element = forward->model->element,
        .tokens = pass->rows,
        .heads = forward->shape->heads,
        .pairs = forward->shape->head_dim / 2,
        .adjacent = weights->rope.pairs == DYNO_ROPE_ADJACENT,
        .table = forward->model->rope,
        .positions = forward->model->positions,
        .position = pass->told.position,
        .slot = pass->told.slot,
        .query = pass->joint,
        .key = dyno_cuda_at(pass->joint, forward->wide),
        .value = dyno_cuda_at(pass->joint, forward->wide + forward->narrow),
        .query_stride = forward->joint_width,
        .kv_stride = forward->joint_width,
        .query_norm = layer_of(pass, index)->query_norm,
        .key_norm = layer_of(pass, index)->key_norm,
        .epsilon = (float)weights->norm_epsilon,
        .kv = kv_of(forward, index),
    };

    DYNO_CUDA_LAUNCH(dyno_cuda_rope(&job, forward->stream), pass->error);
    return DYNO_OK;
}

typedef int (*attention_launcher)(const struct dyno_cuda_attention_job *job,
                                  dyno_cuda_stream stream);

/* The fast kernel, or the plain one for shapes that it does not take. */
static dyno_status launch_attention(const struct dyno_cuda_pass *pass, attention_launcher fast,
                                    const struct dyno_cuda_attention_job *job)
{
    int code = fast(job, pass->forward->stream);

    if (code == DYNO_CUDA_REFUSED) {
        DYNO_CUDA_LAUNCH(dyno_cuda_attention_plain(job, pass->forward->stream), pass->error);
    } else if (code != 0) {
        return dyno_cuda_launch_fail(pass->error, code, "an attention kernel");
    }
    return DYNO_OK;
}

static struct dyno_cuda_attention_job attention_job(const struct dyno_cuda_pass *pass,
                                                    uint32_t layer)
{
    const struct dyno_cuda_forward *forward = pass->forward;

    return (struct dyno_cuda_attention_job){
        .element = forward->model->element,
        .heads = forward->shape->heads,
        .window = forward->model->weights->window,
        .scale = (float)(1.0 / sqrt(forward->shape->head_dim)),
        .slice_max = 1,
        .context_max = pass->shape->context_max,
        .table = pass->told.table,
        .table_width = pass->shape->table_width,
        .query = pass->joint,
        .out = forward->on.attended,
        .query_stride = forward->joint_width,
        .out_stride = forward->wide,
        .kv = kv_of(forward, layer),
        .scratch = forward->on.attention_scratch,
    };
}

/* As many slices at a time as the scratch memory is for. */
static dyno_status attend_singly(const struct dyno_cuda_pass *pass,
                                 struct dyno_cuda_attention_job job,
                                 const struct dyno_cuda_attention_slice *slices, uint32_t count)
{
    uint32_t group = count;

    job.slice_count = group;
    while (group > 1 && dyno_cuda_decode_scratch(&job) > pass->forward->attention_scratch_bytes) {
        job.slice_count = group = (group + 1) / 2;
    }
    for (uint32_t first = 0; first < count; first += group) {
        job.slices = slices + first;
        job.slice_count = count - first < group ? count - first : group;
        DYNO_TRY(launch_attention(pass, dyno_cuda_attention_decode, &job));
    }
    return DYNO_OK;
}

static dyno_status attend_slices(const struct dyno_cuda_pass *pass, uint32_t layer)
{
    struct dyno_cuda_attention_job job = attention_job(pass, layer);

    if (pass->shape->prefills > 0) {
        job.slices = pass->told.prefill;
        job.slice_count = pass->shape->prefills;
        job.slice_max = pass->shape->prefill_max;
        DYNO_TRY(launch_attention(pass, dyno_cuda_attention_prefill, &job));
    }
    job.slice_max = 1;
    job.context_max = pass->shape->decode_context_max;
    return attend_singly(pass, job, pass->told.decode, pass->shape->decodes);
}

/* Go on with the rows that yield, one a slice. */
static dyno_status keep_rows(struct dyno_cuda_pass *pass)
{
    struct dyno_cuda_forward *forward = pass->forward;

    DYNO_TRY(pick_rows(pass, pass->hidden, pass->rows, forward->shape->hidden, pass->told.yield_row,
                       pass->shape->yields, forward->on.last_hidden));
    pass->hidden = forward->on.last_hidden;
    pass->rows = pass->shape->yields;
    return DYNO_OK;
}

/* The same where keys and values of the last layer are stored and its attention is to come. */
static dyno_status keep_yielding(struct dyno_cuda_pass *pass)
{
    struct dyno_cuda_forward *forward = pass->forward;

    DYNO_TRY(pick_rows(pass, pass->joint, pass->rows, forward->joint_width, pass->told.yield_row,
                       pass->shape->yields, forward->on.last_joint));
    pass->joint = forward->on.last_joint;
    return keep_rows(pass);
}

static dyno_status attention_half(struct dyno_cuda_pass *pass, uint32_t index)
{
    struct dyno_cuda_forward *forward = pass->forward;
    const struct dyno_cuda_layer *layer = layer_of(pass, index);
    struct dyno_cuda_product joint = {.weights = &layer->query_key_value,
                                      .bias = layer->query_key_value_bias,
                                      .rows = forward->joint_width,
                                      .x = forward->on.normed,
                                      .y = pass->joint};
    struct dyno_cuda_product output = {.weights = &layer->output,
                                       .bias = layer->output_bias,
                                       .rows = forward->shape->hidden,
                                       .x = forward->on.attended};

    DYNO_TRY(dyno_cuda_pass_norm(pass, layer->attention_norm));
    DYNO_TRY(dyno_cuda_pass_multiply(pass, &joint));
    DYNO_TRY(turn_and_store(pass, index));
    if (pass->shape->gathers && !pass->shape->scores && index + 1 == pass->layers) {
        if (pass->shape->yields == 0) {
            pass->rows = 0;
            return DYNO_OK;
        }
        DYNO_TRY(keep_yielding(pass));
        DYNO_TRY(attend_singly(pass, attention_job(pass, index), pass->told.yield, pass->rows));
    } else {
        DYNO_TRY(attend_slices(pass, index));
    }
    output.residual = dyno_cuda_pass_residual(pass);
    output.y = pass->hidden;
    DYNO_TRY(dyno_cuda_pass_multiply(pass, &output));
    return dyno_cuda_pass_reduce(pass);
}

static dyno_status choose(const struct dyno_cuda_pass *pass)
{
    struct dyno_cuda_forward *forward = pass->forward;
    struct dyno_cuda_sample_job sample = {.rows = pass->rows,
                                          .vocab = forward->shape->vocab,
                                          .row = pass->told.sample,
                                          .logits = forward->on.logits,
                                          .stride = forward->logits_stride,
                                          .scratch = forward->on.sample_scratch,
                                          .token = forward->on.token};

    DYNO_TRY(dyno_cuda_pass_logits(pass));
    if (!dyno_cuda_leads(forward)) {
        return DYNO_OK;
    }
    DYNO_CUDA_LAUNCH(dyno_cuda_sample(&sample, forward->stream), pass->error);
    return DYNO_OK;
}

static struct dyno_cuda_pass pass_of(struct dyno_cuda_forward *forward,
                                     const struct dyno_cuda_shape *shape, uint32_t layers,
                                     struct dyno_error *error)
{
    struct dyno_cuda_arena arena = {.base = forward->on.told};

    return (struct dyno_cuda_pass){.forward = forward,
                                   .shape = shape,
                                   .told = dyno_cuda_arrays_take(&arena, shape),
                                   .rows = shape->rows,
                                   .layers = layers,
                                   .hidden = forward->on.hidden,
                                   .joint = forward->on.joint,
                                   .error = error};
}

dyno_status dyno_cuda_queue_layers(struct dyno_cuda_forward *forward,
                                   const struct dyno_cuda_shape *shape, uint32_t layers,
                                   struct dyno_error *error)
{
    struct dyno_cuda_pass pass = pass_of(forward, shape, layers, error);

    DYNO_TRY(pick_rows(&pass, forward->model->embedding, forward->shape->vocab,
                       forward->shape->hidden, pass.told.token, pass.rows, pass.hidden));
    for (uint32_t layer = 0; layer < layers; layer++) {
        DYNO_TRY(attention_half(&pass, layer));
        if (pass.rows == 0) {
            return DYNO_OK; /* nothing yields: this was the last layer */
        }
        DYNO_TRY(dyno_cuda_pass_mlp(&pass, layer_of(&pass, layer)));
    }
    DYNO_TRY(dyno_cuda_pass_norm(&pass, forward->model->final_norm));
    return shape->scores ? DYNO_OK : choose(&pass);
}

dyno_status dyno_cuda_queue_logits(struct dyno_cuda_forward *forward, uint32_t first,
                                   uint32_t count, struct dyno_error *error)
{
    struct dyno_cuda_pass pass = {
        .forward = forward, .rows = count, .first = first, .error = error};

    return dyno_cuda_pass_logits(&pass);
}

dyno_status dyno_cuda_queue_yields(struct dyno_cuda_forward *forward,
                                   const struct dyno_cuda_shape *shape, struct dyno_error *error)
{
    struct dyno_cuda_pass pass = pass_of(forward, shape, forward->shape->layers, error);

    if (shape->yields == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(keep_rows(&pass));
    DYNO_TRY(dyno_cuda_pass_norm(&pass, forward->model->final_norm));
    return choose(&pass);
}

dyno_status dyno_cuda_queue_pass(struct dyno_cuda_forward *forward,
                                 const struct dyno_cuda_shape *shape, struct dyno_error *error)
{
    return dyno_cuda_queue_layers(forward, shape, forward->shape->layers, error);
}
