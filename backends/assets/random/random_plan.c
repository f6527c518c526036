/* The list of tensors is the binder's (weights_bind.c), seen from the other side. */
#include "backends/assets/random/random_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"

/* Which matrix or vector of a layer, or of the model: a part of what its values depend on.  Their
 * order must not change, or the same seed would give other weights. */
enum role {
    ROLE_EMBEDDING,
    ROLE_POSITIONS,
    ROLE_LOGITS,
    ROLE_FINAL_NORM,
    ROLE_ATTENTION_NORM,
    ROLE_QUERY,
    ROLE_KEY,
    ROLE_VALUE,
    ROLE_OUTPUT,
    ROLE_QUERY_NORM,
    ROLE_KEY_NORM,
    ROLE_JOINT,
    ROLE_MLP_NORM,
    ROLE_GATE,
    ROLE_UP,
    ROLE_DOWN,
    ROLE_ROUTER,
    ROLE_EXPERT_GATE,
    ROLE_EXPERT_UP,
    ROLE_EXPERT_DOWN,
    ROLE_BIAS = 64, /* added to that of the matrix */
};

struct dyno_planned_tensor *dyno_random_plan_add(struct dyno_random_plan *plan)
{
    struct dyno_planned_tensor *fresh;

    if (!dyno_array_reserve(&plan->tensors, &plan->room, plan->count + 1, sizeof *plan->tensors)) {
        return NULL;
    }
    fresh = &plan->tensors[plan->count++];
    memset(fresh, 0, sizeof *fresh);
    return fresh;
}

/* What the list is being filled with: errors are remembered and asked for at the end. */
struct filler {
    struct dyno_random_plan *plan;
    const struct dyno_model *model;
    const struct dyno_tensor_names *names;
    uint32_t layer;
    bool in_layer;
    bool failed;
};

/* Rows of Q8_0 are whole blocks, and vectors, routers and positions of GGUF are F32. */
static enum dyno_element element_of(const struct filler *filler, uint32_t columns, bool is_small)
{
    enum dyno_element element = filler->plan->model->element;

    if (filler->plan->is_gguf && (columns == 0 || is_small)) {
        return DYNO_ELEMENT_F32;
    }
    if (element == DYNO_ELEMENT_Q8_0 && columns % DYNO_Q8_0_ELEMENTS != 0) {
        return DYNO_ELEMENT_F32;
    }
    return element;
}

static struct dyno_planned_tensor *add(struct filler *filler, enum role role, const char *part,
                                       const char *ending, uint32_t rows, uint32_t columns)
{
    const char *prefix = filler->names->prefix;
    struct dyno_planned_tensor *tensor = dyno_random_plan_add(filler->plan);

    if (!tensor) {
        filler->failed = true;
        return NULL;
    }
    if (filler->in_layer) {
        (void)snprintf(tensor->name, sizeof(tensor->name), "%s%s%" PRIu32 ".%s%s", prefix,
                       filler->names->layers, filler->layer, part, ending);
    } else {
        (void)snprintf(tensor->name, sizeof(tensor->name), "%s%s%s", prefix, part, ending);
    }
    tensor->role = role;
    tensor->layer = filler->layer;
    tensor->rows = rows;
    tensor->columns = columns;
    tensor->element = element_of(filler, columns, role == ROLE_ROUTER || role == ROLE_POSITIONS);
    return tensor;
}

static void add_norm(struct filler *filler, enum role role, const char *part, uint32_t count)
{
    struct dyno_planned_tensor *norm = add(filler, role, part, ".weight", count, 0);

    if (norm) {
        norm->is_ones = true;
    }
}

static void add_bias(struct filler *filler, bool wanted, enum role role, const char *part,
                     uint32_t count)
{
    if (wanted) {
        (void)add(filler, ROLE_BIAS + role, part, ".bias", count, 0);
    }
}

static void add_matrix(struct filler *filler, enum role role, const char *part, uint32_t rows,
                       uint32_t columns)
{
    struct dyno_planned_tensor *matrix = add(filler, role, part, ".weight", rows, columns);

    if (matrix && filler->in_layer && filler->names->transposed) {
        matrix->order = DYNO_ORDER_TRANSPOSED;
    }
}

/* Query and key: GGUF's llama has the rows of each head in pairs. */
static void add_rotated(struct filler *filler, enum role role, const char *part, uint32_t heads)
{
    bool paired = filler->names->paired;
    size_t first = filler->plan->count;

    add_matrix(filler, role, part, heads * filler->model->head_dim, filler->model->hidden);
    add_bias(filler, filler->model->qkv_bias, role, part, heads * filler->model->head_dim);
    for (size_t i = first; paired && i < filler->plan->count; i++) {
        filler->plan->tensors[i].order = DYNO_ORDER_PAIRED;
    }
}

static void add_attention(struct filler *filler)
{
    const struct dyno_tensor_names *names = filler->names;
    const struct dyno_model *model = filler->model;
    uint32_t queries = model->heads * model->head_dim, keys = model->kv_heads * model->head_dim;

    if (names->joint) {
        add_matrix(filler, ROLE_JOINT, names->joint, queries + 2 * keys, model->hidden);
        add_bias(filler, model->qkv_bias, ROLE_JOINT, names->joint, queries + 2 * keys);
    } else {
        add_rotated(filler, ROLE_QUERY, names->query, model->heads);
        add_rotated(filler, ROLE_KEY, names->key, model->kv_heads);
        add_matrix(filler, ROLE_VALUE, names->value, keys, model->hidden);
        add_bias(filler, model->qkv_bias, ROLE_VALUE, names->value, keys);
    }
    add_matrix(filler, ROLE_OUTPUT, names->output, model->hidden, queries);
    add_bias(filler, model->output_bias, ROLE_OUTPUT, names->output, model->hidden);
    if (model->qk_norm) {
        add_norm(filler, ROLE_QUERY_NORM, names->query_norm, model->head_dim);
        add_norm(filler, ROLE_KEY_NORM, names->key_norm, model->head_dim);
    }
}

static void add_dense(struct filler *filler)
{
    const struct dyno_tensor_names *names = filler->names;
    const struct dyno_model *model = filler->model;

    if (model->gated_mlp) {
        add_matrix(filler, ROLE_GATE, names->gate, model->intermediate, model->hidden);
    }
    add_matrix(filler, ROLE_UP, names->up, model->intermediate, model->hidden);
    add_bias(filler, model->mlp_bias, ROLE_UP, names->up, model->intermediate);
    add_matrix(filler, ROLE_DOWN, names->down, model->hidden, model->intermediate);
    add_bias(filler, model->mlp_bias, ROLE_DOWN, names->down, model->hidden);
}

static void add_expert(struct filler *filler, enum role role, uint32_t expert, const char *part,
                       uint32_t rows, uint32_t columns)
{
    char name[DYNO_PLAN_NAME_MAX];
    struct dyno_planned_tensor *tensor;

    (void)snprintf(name, sizeof(name), "%s%" PRIu32 ".%s", filler->names->experts, expert, part);
    tensor = add(filler, role, name, ".weight", rows, columns);
    if (tensor) {
        tensor->expert = expert;
    }
}

static void add_stack(struct filler *filler, enum role role, const char *part, uint32_t rows,
                      uint32_t columns)
{
    struct dyno_planned_tensor *tensor = add(filler, role, part, ".weight", rows, columns);

    if (tensor) {
        tensor->stack = filler->model->experts;
    }
}

static void add_experts(struct filler *filler)
{
    const struct dyno_tensor_names *names = filler->names;
    uint32_t hidden = filler->model->hidden, width = filler->model->expert_intermediate;

    add_matrix(filler, ROLE_ROUTER, names->router, filler->model->experts, hidden);
    if (names->stacked) {
        add_stack(filler, ROLE_EXPERT_GATE, names->expert_gate, width, hidden);
        add_stack(filler, ROLE_EXPERT_UP, names->expert_up, width, hidden);
        add_stack(filler, ROLE_EXPERT_DOWN, names->expert_down, hidden, width);
        return;
    }
    for (uint32_t i = 0; i < filler->model->experts; i++) {
        add_expert(filler, ROLE_EXPERT_GATE, i, names->expert_gate, width, hidden);
        add_expert(filler, ROLE_EXPERT_UP, i, names->expert_up, width, hidden);
        add_expert(filler, ROLE_EXPERT_DOWN, i, names->expert_down, hidden, width);
    }
}

static void add_layer(struct filler *filler)
{
    const struct dyno_tensor_names *names = filler->names;
    const struct dyno_model *model = filler->model;

    add_norm(filler, ROLE_ATTENTION_NORM, names->attention_norm, model->hidden);
    add_bias(filler, model->norm_bias, ROLE_ATTENTION_NORM, names->attention_norm, model->hidden);
    add_attention(filler);
    add_norm(filler, ROLE_MLP_NORM, names->mlp_norm, model->hidden);
    add_bias(filler, model->norm_bias, ROLE_MLP_NORM, names->mlp_norm, model->hidden);
    if (model->experts) {
        add_experts(filler);
    } else {
        add_dense(filler);
    }
}

static void add_logits(struct filler *filler)
{
    struct dyno_planned_tensor *logits;

    if (filler->model->tied_embeddings) {
        return;
    }
    logits = add(filler, ROLE_LOGITS, filler->names->logits, ".weight", filler->model->vocab,
                 filler->model->hidden);
    if (logits && filler->names->bare_logits) {
        (void)snprintf(logits->name, sizeof(logits->name), "%s.weight", filler->names->logits);
    }
}

static void add_all(struct filler *filler)
{
    const struct dyno_tensor_names *names = filler->names;
    const struct dyno_model *model = filler->model;

    add_matrix(filler, ROLE_EMBEDDING, names->embedding, model->vocab, model->hidden);
    if (model->positions) {
        add_matrix(filler, ROLE_POSITIONS, names->positions, model->positions, model->hidden);
    }
    filler->in_layer = true;
    for (; filler->layer < model->layers; filler->layer++) {
        add_layer(filler);
    }
    filler->in_layer = false;
    filler->layer = 0;
    add_norm(filler, ROLE_FINAL_NORM, names->final_norm, model->hidden);
    add_bias(filler, model->norm_bias, ROLE_FINAL_NORM, names->final_norm, model->hidden);
    add_logits(filler);
}

dyno_status dyno_random_plan_make(struct dyno_random_plan *out,
                                  const struct dyno_random_model *model,
                                  const struct dyno_tensor_names *names, bool is_gguf,
                                  struct dyno_error *error)
{
    struct dyno_random_plan plan = {.model = model, .names = names, .is_gguf = is_gguf};
    struct filler filler = {.plan = &plan, .model = &model->shape.model, .names = names};

    plan.team = dyno_team_open(model->threads ? model->threads : 1);
    add_all(&filler);
    if (filler.failed || !plan.team) {
        dyno_random_plan_release(&plan);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the list of a model's tensors");
    }
    *out = plan;
    return DYNO_OK;
}

void dyno_random_plan_release(struct dyno_random_plan *plan)
{
    free(plan->tensors);
    dyno_team_close(plan->team);
    *plan = (struct dyno_random_plan){0};
}

uint32_t dyno_planned_shape(const struct dyno_planned_tensor *tensor, uint64_t shape[3])
{
    bool turned = tensor->order == DYNO_ORDER_TRANSPOSED;
    uint32_t rank = 0;

    if (tensor->stack) {
        shape[rank++] = tensor->stack;
    }
    shape[rank++] = turned ? tensor->columns : tensor->rows;
    if (tensor->columns) {
        shape[rank++] = turned ? tensor->rows : tensor->columns;
    }
    return rank;
}

uint64_t dyno_planned_bytes(const struct dyno_planned_tensor *tensor)
{
    uint64_t stack = tensor->stack ? tensor->stack : 1;

    if (tensor->columns == 0) {
        return dyno_row_bytes(tensor->element, tensor->rows);
    }
    return stack * tensor->rows * dyno_row_bytes(tensor->element, tensor->columns);
}
