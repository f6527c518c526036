/* A pass, layer by layer.  Every step is one operation of the team over all rows. */
#include "backends/cpu/forward.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "backends/cpu/forward_parts.h"
#include "kernels/element.h"
#include "kernels/matmul.h"
#include "kernels/rope.h"

uint32_t dyno_forward_grain(size_t elements)
{
    return elements >= FORWARD_ELEMENTS_MIN ? 1 : (uint32_t)(FORWARD_ELEMENTS_MIN / elements);
}

struct norm {
    const struct dyno_forward *forward;
    const float *x, *weight, *bias;
    float *out;
};

static void norm_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct norm *norm = argument;
    const struct dyno_weights *weights = norm->forward->weights;
    const struct dyno_isa *isa = norm->forward->isa;
    size_t hidden = weights->model.hidden;
    float epsilon = (float)weights->norm_epsilon;

    (void)worker;
    for (size_t row = first; row < last; row++) {
        const float *x = norm->x + row * hidden;
        float *out = norm->out + row * hidden;

        if (weights->layer_norm) {
            isa->layer_norm(x, norm->weight, norm->bias, epsilon, (uint32_t)hidden, out);
        } else {
            isa->rms_norm(x, norm->weight, epsilon, (uint32_t)hidden, out);
        }
    }
}

void dyno_forward_norm(const struct dyno_forward *forward, const float *x, const float *weight,
                       const float *bias, uint32_t rows, float *out)
{
    struct norm norm = {forward, x, weight, bias, out};

    dyno_team_run(forward->config.team, rows, dyno_forward_grain(forward->weights->model.hidden),
                  norm_rows, &norm);
}

/* Lay the slices out as rows. */
static void begin_pass(struct dyno_forward *forward, const struct dyno_forward_slice *slices,
                       uint32_t slice_count)
{
    uint32_t row = 0, block_tokens = forward->config.storage->block_tokens;

    for (uint32_t s = 0; s < slice_count; s++) {
        const struct dyno_forward_slice *slice = &slices[s];

        assert(slice->count >= 1 && slice->count <= forward->config.rows_max - row);
        assert(slice->first < forward->positions &&
               slice->count <= forward->positions - slice->first);
        assert(slice->cached <= slice->count);
        assert(!slice->scored || forward->config.score);
        forward->slice[s] = (struct dyno_attention_slice){
            .table = slice->table, .first = slice->first, .count = slice->count, .row = row};
        for (uint32_t i = 0; i < slice->count; i++, row++) {
            uint32_t position = slice->first + i;

            assert(slice->tokens[i] < forward->weights->model.vocab);
            assert(slice->table[position / block_tokens] < forward->config.storage->blocks);
            forward->token[row] = slice->tokens[i];
            forward->position[row] = position;
            forward->block[row] =
                i < slice->cached ? FORWARD_NO_BLOCK : slice->table[position / block_tokens];
        }
    }
    forward->rows = row;
    forward->slice_count = slice_count;
}

static void embed_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct dyno_forward *forward = argument;
    const struct dyno_weights *weights = forward->weights;
    uint32_t hidden = weights->model.hidden;

    (void)worker;
    for (uint32_t row = first; row < last; row++) {
        float *out = forward->hidden + (size_t)row * hidden;
        float *learned = forward->other + (size_t)row * hidden;

        dyno_matrix_read(&weights->embedding, forward->token[row], 0, hidden, out);
        if (weights->positions.data) {
            dyno_matrix_read(&weights->positions, forward->position[row], 0, hidden, learned);
            for (uint32_t i = 0; i < hidden; i++) {
                out[i] += learned[i];
            }
        }
    }
}

enum projections { QUERY, KEY, VALUE, PROJECTIONS };

/* Of a layer's projections of the normed rows, those from `first` to `last`. */
static void project(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                    enum projections first, enum projections last)
{
    const struct dyno_model *model = &forward->weights->model;
    size_t wide = (size_t)model->heads * model->head_dim;
    size_t narrow = (size_t)model->kv_heads * model->head_dim;
    struct dyno_matmul_job jobs[PROJECTIONS] = {
        {.weights = &layer->query, .bias = layer->query_bias, .y = forward->query},
        {.weights = &layer->key, .bias = layer->key_bias, .y = forward->key},
        {.weights = &layer->value, .bias = layer->value_bias, .y = forward->value}};

    for (uint32_t i = QUERY; i < PROJECTIONS; i++) {
        jobs[i].x = forward->normed;
        jobs[i].n = forward->rows;
        jobs[i].x_stride = model->hidden;
        jobs[i].y_stride = i == QUERY ? wide : narrow;
    }
    dyno_matmul(forward->isa, forward->config.team, jobs + first, last - first + 1);
}

struct heads {
    struct dyno_forward *forward;
    const struct dyno_layer_weights *layer;
    const struct dyno_kv_layer *kv;
};

/* A query's or key's head as attention wants it: normed, and turned to its position. */
static void prepare_head(const struct dyno_forward *forward, float *head, const float *norm,
                         uint32_t position)
{
    uint32_t head_dim = forward->weights->model.head_dim;

    if (norm) {
        forward->isa->rms_norm(head, norm, (float)forward->weights->norm_epsilon, head_dim, head);
    }
    if (forward->rope) {
        dyno_rope_turn(head, forward->rope + (size_t)position * head_dim, head_dim / 2,
                       forward->weights->rope.pairs == DYNO_ROPE_ADJACENT);
    }
}

/* kv heads [first, last) of all rows: one head's keys and values are written by one thread, so two
 * slices may write the same. */
static void store_heads(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct heads *heads = argument;
    const struct dyno_forward *forward = heads->forward;
    const struct dyno_kv_layer *kv = heads->kv;
    size_t stride = (size_t)kv->kv_heads * kv->head_dim;

    (void)worker;
    for (uint32_t row = 0; row < forward->rows; row++) {
        if (forward->block[row] == FORWARD_NO_BLOCK) {
            continue;
        }
        for (uint32_t head = first; head < last; head++) {
            float *key = forward->key + row * stride + (size_t)head * kv->head_dim;
            const float *value = forward->value + row * stride + (size_t)head * kv->head_dim;

            prepare_head(forward, key, heads->layer->key_norm, forward->position[row]);
            dyno_kv_write(kv, forward->block[row], forward->position[row] % kv->block_tokens, head,
                          key, value);
        }
    }
}

static void prepare_queries(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct heads *heads = argument;
    struct dyno_forward *forward = heads->forward;
    const struct dyno_model *model = &forward->weights->model;

    (void)worker;
    for (uint32_t row = first; row < last; row++) {
        for (uint32_t head = 0; head < model->heads; head++) {
            size_t at = (size_t)row * model->heads + head;

            prepare_head(forward, forward->query + at * model->head_dim, heads->layer->query_norm,
                         forward->position[row]);
        }
    }
}

/* The slice goes on with its last `count` rows, >= 1.  Rows only move up. */
static void keep_rows(struct dyno_forward *forward, struct dyno_attention_slice slice,
                      uint32_t count)
{
    size_t hidden = forward->weights->model.hidden, row = slice.row + slice.count - count;
    uint32_t kept = forward->rows;

    memmove(forward->hidden + kept * hidden, forward->hidden + row * hidden,
            count * hidden * sizeof(float));
    memmove(forward->normed + kept * hidden, forward->normed + row * hidden,
            count * hidden * sizeof(float));
    memmove(forward->position + kept, forward->position + row, count * sizeof(uint32_t));
    forward->slice[forward->slice_count++] =
        (struct dyno_attention_slice){.table = slice.table,
                                      .first = slice.first + slice.count - count,
                                      .count = count,
                                      .row = kept};
    forward->rows += count;
}

/* All keys and values are stored and nothing follows but the logits: go on with the slices that are
 * scored, and the last row of those that only yield. */
static void keep_wanted(struct dyno_forward *forward, const struct dyno_forward_slice *slices)
{
    uint32_t slice_count = forward->slice_count;

    forward->rows = forward->slice_count = 0;
    for (uint32_t s = 0; s < slice_count; s++) {
        if (slices[s].scored || slices[s].yields) {
            keep_rows(forward, forward->slice[s], slices[s].scored ? slices[s].count : 1);
        }
    }
}

/* What every rank has made of its part of a sum becomes the sum, on every rank. */
static void reduce(const struct dyno_forward *forward, float *rows)
{
    struct dyno_collective *collective = forward->config.collective;
    dyno_status status = DYNO_OK;

    if (collective) {
        status = collective->ops->all_reduce_sum(
            collective, rows, (size_t)forward->rows * forward->weights->model.hidden,
            DYNO_ELEMENT_F32, NULL);
    }
    assert(status == DYNO_OK); /* threads of this process: nothing there can be lost */
}

static void attend(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                   const struct dyno_kv_layer *kv)
{
    const struct dyno_model *model = &forward->weights->model;
    const struct dyno_shard *shard = forward->config.shard;
    size_t wide = (size_t)model->heads * model->head_dim;
    struct dyno_attention_job job = {.layer = kv,
                                     .slices = forward->slice,
                                     .slice_count = forward->slice_count,
                                     .heads = model->heads,
                                     .window = forward->weights->window,
                                     .scale = (float)(1.0 / sqrt(model->head_dim)),
                                     .q = forward->query,
                                     .out = forward->attended,
                                     .q_stride = wide,
                                     .out_stride = wide,
                                     .scratch = forward->attention_scratch,
                                     .scratch_stride = forward->attention_scratch_stride};
    struct dyno_matmul_job output = {
        .weights = &layer->output,
        .first_column = shard ? shard->heads.first * model->head_dim : 0,
        .column_count = (uint32_t)wide,
        .x = forward->attended,
        .n = forward->rows,
        .x_stride = wide,
        .y_stride = model->hidden,
        .bias = layer->output_bias,
        .residual = dyno_forward_leads(forward) ? forward->hidden : NULL,
        .y = forward->other};

    dyno_attention(forward->isa, forward->config.team, &job);
    dyno_matmul(forward->isa, forward->config.team, &output, 1);
    reduce(forward, forward->other);
}

static void take_turns(struct dyno_forward *forward)
{
    float *hidden = forward->hidden;

    forward->hidden = forward->other;
    forward->other = hidden;
}

static void attention_half(struct dyno_forward *forward, uint32_t index,
                           const struct dyno_forward_slice *slices)
{
    const struct dyno_model *model = &forward->weights->model;
    const struct dyno_layer_weights *layer = &forward->weights->layers[index];
    struct heads heads = {forward, layer, &forward->config.storage->layer[index]};
    bool last = index + 1 == model->layers;

    dyno_forward_norm(forward, forward->hidden, layer->attention_norm, layer->attention_norm_bias,
                      forward->rows, forward->normed);
    project(forward, layer, last ? KEY : QUERY, VALUE);
    dyno_team_run(forward->config.team, model->kv_heads,
                  dyno_forward_grain((size_t)forward->rows * model->head_dim), store_heads, &heads);
    if (last) {
        keep_wanted(forward, slices);
        project(forward, layer, QUERY, QUERY);
    }
    dyno_team_run(forward->config.team, forward->rows,
                  dyno_forward_grain((size_t)model->heads * model->head_dim), prepare_queries,
                  &heads);
    attend(forward, layer, heads.kv);
    take_turns(forward);
}

static void mlp_half(struct dyno_forward *forward, uint32_t index)
{
    const struct dyno_layer_weights *layer = &forward->weights->layers[index];

    dyno_forward_norm(forward, forward->hidden, layer->mlp_norm, layer->mlp_norm_bias,
                      forward->rows, forward->normed);
    for (uint32_t first = 0; first < forward->rows; first += forward->mlp_rows) {
        uint32_t left = forward->rows - first;
        uint32_t rows = left < forward->mlp_rows ? left : forward->mlp_rows;

        if (layer->router.data) {
            dyno_forward_mlp_experts(forward, layer, first, rows);
        } else {
            dyno_forward_mlp_dense(forward, layer, first, rows);
        }
    }
    reduce(forward, forward->other);
    take_turns(forward);
}

/* Those that this rank has the matrix's rows for. */
static void multiply_logits(const struct dyno_forward *forward, const float *rows, uint32_t count,
                            float *logits, size_t stride)
{
    const struct dyno_weights *weights = forward->weights;
    struct dyno_matmul_job job = {.weights = &weights->logits,
                                  .x = rows,
                                  .n = count,
                                  .x_stride = weights->model.hidden,
                                  .y_stride = stride,
                                  .y = logits};

    dyno_matmul(forward->isa, forward->config.team, &job, 1);
}

/* gathered[ranks][count][vocab_each] as logits[count][vocab]. */
static void join_logits(const struct dyno_forward *forward, uint32_t count, float *logits)
{
    const struct dyno_shard *shard = forward->config.shard;
    size_t vocab = forward->weights->model.vocab, each = shard->vocab_each;

    for (size_t first = 0, rank = 0; first < vocab; first += each, rank++) {
        size_t columns = vocab - first < each ? vocab - first : each;

        for (size_t row = 0; row < count; row++) {
            memcpy(logits + row * vocab + first, forward->gathered + (rank * count + row) * each,
                   columns * sizeof(float));
        }
    }
}

/* Every rank takes part; `logits` is rank 0's. */
static void gather_logits(struct dyno_forward *forward, const float *rows, uint32_t count,
                          float *logits)
{
    struct dyno_collective *collective = forward->config.collective;
    size_t hidden = forward->weights->model.hidden, vocab = forward->weights->model.vocab;
    size_t each = forward->config.shard->vocab_each;

    for (size_t done = 0; done < count; done += FORWARD_GATHERED_ROWS) {
        size_t left = count - done;
        size_t some = left < FORWARD_GATHERED_ROWS ? left : FORWARD_GATHERED_ROWS;
        dyno_status status;

        multiply_logits(forward, rows + done * hidden, (uint32_t)some, forward->share, each);
        status = collective->ops->all_gather(collective, forward->share, some * each,
                                             DYNO_ELEMENT_F32, forward->gathered, NULL);
        assert(status == DYNO_OK); /* as above */
        if (dyno_forward_leads(forward)) {
            join_logits(forward, (uint32_t)some, logits + done * vocab);
        }
    }
}

static void write_logits(struct dyno_forward *forward, const float *rows, uint32_t count,
                         float *logits)
{
    if (forward->config.collective) {
        gather_logits(forward, rows, count, logits);
    } else {
        multiply_logits(forward, rows, count, logits, forward->weights->model.vocab);
    }
}

/* Tell the logits of the slice's positions but the one that yields; states[] are all its rows.
 * Returns how many those were. */
static uint32_t tell_scores(struct dyno_forward *forward, uint32_t index,
                            const struct dyno_forward_slice *slice, const float *states)
{
    size_t hidden = forward->weights->model.hidden;
    uint32_t scored = slice->count - slice->yields;

    for (uint32_t done = 0; done < scored; done += forward->scored_rows) {
        uint32_t left = scored - done;
        uint32_t count = left < forward->scored_rows ? left : forward->scored_rows;

        write_logits(forward, states + done * hidden, count, forward->scores);
        if (dyno_forward_leads(forward)) {
            forward->config.score(forward->config.score_context, index, slice->first + done, count,
                                  forward->scores);
        }
    }
    return scored;
}

/* The scores and the states that are wanted go out; of the rows, those stay whose logits are
 * yielded.  They only move up. */
static void hand_out_rows(struct dyno_forward *forward, const struct dyno_forward_slice *slices,
                          uint32_t slice_count)
{
    size_t hidden = forward->weights->model.hidden;
    uint32_t kept = 0;
    const float *state = forward->normed;

    for (uint32_t s = 0; s < slice_count; s++) {
        if (slices[s].scored) {
            state += tell_scores(forward, s, &slices[s], state) * hidden;
        }
        if (!slices[s].yields) {
            continue;
        }
        if (!slices[s].state) {
            memmove(forward->normed + kept++ * hidden, state, hidden * sizeof(float));
        } else if (dyno_forward_leads(forward)) {
            memcpy(slices[s].state, state, hidden * sizeof(float));
        }
        state += hidden;
    }
    forward->rows = kept;
}

void dyno_forward_run(struct dyno_forward *forward, const struct dyno_forward_slice *slices,
                      uint32_t slice_count, float *logits)
{
    begin_pass(forward, slices, slice_count);
    dyno_team_run(forward->config.team, forward->rows,
                  dyno_forward_grain(forward->weights->model.hidden), embed_rows, forward);
    for (uint32_t layer = 0; layer < forward->weights->model.layers; layer++) {
        attention_half(forward, layer, slices);
        if (forward->rows == 0) {
            return; /* nothing is wanted: this was the last layer */
        }
        mlp_half(forward, layer);
        if (forward->config.layer_done && dyno_forward_leads(forward)) {
            forward->config.layer_done(forward->config.layer_context, layer + 1);
        }
    }
    dyno_forward_norm(forward, forward->hidden, forward->weights->final_norm,
                      forward->weights->final_norm_bias, forward->rows, forward->normed);
    hand_out_rows(forward, slices, slice_count);
    if (forward->rows > 0) {
        write_logits(forward, forward->normed, forward->rows, logits);
    }
}
