/* Opening and closing a forward pass: what it cannot compute is refused, what it needs is taken. */
#include <stdlib.h>
#include <string.h>

#include "backends/assets/rope_table.h"
#include "backends/cpu/forward_parts.h"
#include "kernels/matmul.h"

static dyno_status check_matrix(const struct dyno_matrix *matrix, uint32_t rows, uint32_t columns,
                                const char *name, struct dyno_error *error)
{
    if (!matrix->data || matrix->rows != rows || matrix->columns != columns) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the model's %s is %u x %u, not %u x %u", name,
                         matrix->data ? matrix->rows : 0, matrix->data ? matrix->columns : 0, rows,
                         columns);
    }
    if (matrix->element == DYNO_ELEMENT_Q8_0 && columns % DYNO_Q8_0_ELEMENTS != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the model's %s has %u columns: Q8_0 needs a multiple of 32", name,
                         columns);
    }
    return DYNO_OK;
}

/* A matrix whose columns are the ranks' together. */
static dyno_status check_joint(const struct dyno_forward_config *config,
                               const struct dyno_matrix *matrix, uint32_t columns, const char *name,
                               struct dyno_error *error)
{
    uint32_t ranks = config->shard ? config->shard->ranks : 1;

    return check_matrix(matrix, config->weights->model.hidden, columns * ranks, name, error);
}

static dyno_status check_experts(const struct dyno_forward_config *config,
                                 const struct dyno_layer_weights *layer, struct dyno_error *error)
{
    const struct dyno_model *model = &config->weights->model;
    uint32_t width = model->expert_intermediate;

    if (model->experts_per_token == 0 || model->experts_per_token > model->experts) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a token goes to %u of %u experts",
                         model->experts_per_token, model->experts);
    }
    DYNO_TRY(check_matrix(&layer->router, model->experts, model->hidden, "router", error));
    for (uint32_t i = 0; i < model->experts; i++) {
        DYNO_TRY(check_matrix(&layer->expert_gate[i], width, model->hidden, "expert gate", error));
        DYNO_TRY(check_matrix(&layer->expert_up[i], width, model->hidden, "expert up", error));
        DYNO_TRY(check_joint(config, &layer->expert_down[i], width, "expert down", error));
    }
    return DYNO_OK;
}

static dyno_status check_layer(const struct dyno_forward_config *config,
                               const struct dyno_layer_weights *layer, struct dyno_error *error)
{
    const struct dyno_weights *weights = config->weights;
    const struct dyno_model *model = &weights->model;
    uint32_t wide = model->heads * model->head_dim, narrow = model->kv_heads * model->head_dim;

    DYNO_TRY(check_matrix(&layer->query, wide, model->hidden, "query projection", error));
    DYNO_TRY(check_matrix(&layer->key, narrow, model->hidden, "key projection", error));
    DYNO_TRY(check_matrix(&layer->value, narrow, model->hidden, "value projection", error));
    DYNO_TRY(check_joint(config, &layer->output, wide, "output projection", error));
    if (layer->router.data) {
        return check_experts(config, layer, error);
    }
    if ((layer->gate.data != NULL) != (weights->activation == DYNO_ACTIVATION_SILU)) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the CPU computes gated MLPs with silu and plain ones with gelu");
    }
    if (layer->gate.data) {
        DYNO_TRY(check_matrix(&layer->gate, model->intermediate, model->hidden, "gate", error));
    }
    DYNO_TRY(check_matrix(&layer->up, model->intermediate, model->hidden, "up", error));
    return check_joint(config, &layer->down, model->intermediate, "down", error);
}

static dyno_status check_config(const struct dyno_forward_config *config, struct dyno_error *error)
{
    const struct dyno_weights *weights = config->weights;
    const struct dyno_model *model = &weights->model;

    if (model->attention != DYNO_ATTENTION_GQA) {
        return dyno_fail(error, DYNO_UNSUPPORTED, "the CPU does not compute latent attention");
    }
    if (model->kv_heads == 0 || model->heads % model->kv_heads != 0 ||
        (weights->rope.pairs != DYNO_ROPE_NONE && model->head_dim % 2 != 0)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%u heads of %u do not go with %u kv heads",
                         model->heads, model->head_dim, model->kv_heads);
    }
    if (config->rows_max == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a pass of no rows computes nothing");
    }
    DYNO_TRY(check_matrix(&weights->embedding, model->vocab, model->hidden, "embedding", error));
    DYNO_TRY(check_matrix(&weights->logits,
                          config->shard ? config->shard->vocab.count : model->vocab, model->hidden,
                          "logits", error));
    if (weights->positions.data) {
        DYNO_TRY(check_matrix(&weights->positions, weights->positions.rows, model->hidden,
                              "position table", error));
    }
    for (uint32_t i = 0; i < model->layers; i++) {
        DYNO_TRY(check_layer(config, &weights->layers[i], error));
    }
    return DYNO_OK;
}

static uint32_t positions_of(const struct dyno_forward_config *config)
{
    uint64_t stored = (uint64_t)config->storage->blocks * config->storage->block_tokens;
    uint64_t positions = config->weights->model.context_max;

    if (config->weights->positions.data && config->weights->positions.rows < positions) {
        positions = config->weights->positions.rows;
    }
    return (uint32_t)(positions < stored ? positions : stored);
}

static bool make_rope(struct dyno_forward *forward)
{
    forward->rope = dyno_rope_table_make(&forward->weights->rope, forward->weights->model.head_dim,
                                         forward->positions);
    return forward->rope != NULL;
}

/* `count` x `size` bytes at the start of a cache line; NULL if `count` is 0, too. */
static bool take(void *place, size_t count, size_t size)
{
    void *memory = NULL;

    if (count > 0 && posix_memalign(&memory, 64, count * size) != 0) {
        return false;
    }
    memcpy(place, &memory, sizeof(memory));
    return true;
}

static bool take_mlp(struct dyno_forward *forward)
{
    const struct dyno_model *model = &forward->weights->model;
    size_t dense = (size_t)forward->mlp_rows * model->intermediate;
    size_t slots = forward->expert_slots, expert = slots * model->expert_intermediate;
    size_t wide = dense > expert ? dense : expert;

    return take(&forward->gate, wide, sizeof(float)) && take(&forward->up, wide, sizeof(float)) &&
           take(&forward->router_logits, (size_t)forward->mlp_rows * model->experts,
                sizeof(float)) &&
           take(&forward->chosen, slots, sizeof(uint32_t)) &&
           take(&forward->chosen_weight, slots, sizeof(float)) &&
           take(&forward->place, slots, sizeof(uint32_t)) &&
           take(&forward->expert_first, (size_t)model->experts + 1, sizeof(uint32_t)) &&
           take(&forward->slot_input, slots * model->hidden, sizeof(float)) &&
           take(&forward->mixed, slots * model->hidden, sizeof(float)) &&
           take(&forward->expert_jobs, 2 * (size_t)model->experts, sizeof(struct dyno_matmul_job));
}

static bool take_scores(struct dyno_forward *forward)
{
    size_t bytes = forward->weights->model.vocab * sizeof(float);
    size_t rows = FORWARD_SCORED_BYTES / bytes;

    if (!forward->config.score) {
        return true;
    }
    rows = rows < FORWARD_SCORED_ROWS ? rows : FORWARD_SCORED_ROWS;
    forward->scored_rows = rows > 0 ? (uint32_t)rows : 1;
    return !dyno_forward_leads(forward) || take(&forward->scores, forward->scored_rows, bytes);
}

static bool take_shares(struct dyno_forward *forward)
{
    const struct dyno_shard *shard = forward->config.shard;
    size_t bytes;

    if (!shard) {
        return true;
    }
    bytes = (size_t)FORWARD_GATHERED_ROWS * shard->vocab_each * sizeof(float);
    if (!take(&forward->share, 1, bytes) || !take(&forward->gathered, shard->ranks, bytes)) {
        return false;
    }
    memset(forward->share, 0, bytes); /* the last ranks' have ends that are never written */
    return true;
}

static bool take_memory(struct dyno_forward *forward)
{
    const struct dyno_model *model = &forward->weights->model;
    size_t rows = forward->config.rows_max, hidden = rows * model->hidden;
    size_t wide = rows * model->heads * model->head_dim;
    size_t narrow = rows * model->kv_heads * model->head_dim;

    forward->attention_scratch_stride =
        dyno_attention_scratch(&forward->config.storage->layer[0], forward->positions);
    return take(&forward->token, rows, sizeof(uint32_t)) &&
           take(&forward->position, rows, sizeof(uint32_t)) &&
           take(&forward->block, rows, sizeof(uint32_t)) &&
           take(&forward->slice, rows, sizeof(struct dyno_attention_slice)) &&
           take(&forward->hidden, hidden, sizeof(float)) &&
           take(&forward->other, hidden, sizeof(float)) &&
           take(&forward->normed, hidden, sizeof(float)) &&
           take(&forward->query, wide, sizeof(float)) &&
           take(&forward->attended, wide, sizeof(float)) &&
           take(&forward->key, narrow, sizeof(float)) &&
           take(&forward->value, narrow, sizeof(float)) &&
           take(&forward->attention_scratch,
                forward->attention_scratch_stride * dyno_team_workers(forward->config.team),
                sizeof(float)) &&
           take_mlp(forward) && take_scores(forward) && take_shares(forward) &&
           (forward->weights->rope.pairs == DYNO_ROPE_NONE || make_rope(forward));
}

dyno_status dyno_forward_open(struct dyno_forward **out, const struct dyno_forward_config *config,
                              struct dyno_error *error)
{
    const struct dyno_model *model = &config->weights->model;
    struct dyno_forward *forward;

    DYNO_TRY(check_config(config, error));
    forward = calloc(1, sizeof(*forward));
    if (!forward) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for a forward pass");
    }
    forward->config = *config;
    forward->isa = config->isa ? config->isa : dyno_isa_best();
    forward->weights = config->weights;
    forward->positions = positions_of(config);
    forward->mlp_rows = config->rows_max < FORWARD_MLP_ROWS ? config->rows_max : FORWARD_MLP_ROWS;
    forward->expert_slots = forward->mlp_rows * (model->experts ? model->experts_per_token : 0);
    if (!take_memory(forward)) {
        dyno_forward_close(forward);
        return dyno_fail(error, DYNO_NO_MEMORY,
                         "there is no memory for passes of %u rows; fewer would need less",
                         config->rows_max);
    }
    *out = forward;
    return DYNO_OK;
}

void dyno_forward_close(struct dyno_forward *forward)
{
    if (!forward) {
        return;
    }
    void *all[] = {forward->token,         forward->position,
                   forward->block,         forward->slice,
                   forward->hidden,        forward->other,
                   forward->normed,        forward->query,
                   forward->attended,      forward->key,
                   forward->value,         forward->attention_scratch,
                   forward->gate,          forward->up,
                   forward->router_logits, forward->chosen,
                   forward->chosen_weight, forward->place,
                   forward->expert_first,  forward->slot_input,
                   forward->mixed,         forward->expert_jobs,
                   forward->rope,          forward->scores,
                   forward->share,         forward->gathered};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
    free(forward);
}

uint32_t dyno_forward_positions(const struct dyno_forward *forward)
{
    return forward->positions;
}
