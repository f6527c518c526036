/* The layout of keys and values, attention's definition, and how a team shares it out. */
#include "kernels/attention.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "kernels/half.h"

size_t dyno_kv_block_keys(const struct dyno_kv_layer *layer)
{
    return (size_t)layer->kv_heads * layer->head_dim * dyno_kv_filled_up(layer->block_tokens);
}

size_t dyno_kv_block_values(const struct dyno_kv_layer *layer)
{
    return (size_t)layer->kv_heads * layer->block_tokens * dyno_kv_filled_up(layer->head_dim);
}

static void element_write(enum dyno_element element, void *data, size_t index, float value)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        ((float *)data)[index] = value;
        break;
    case DYNO_ELEMENT_F16:
        ((uint16_t *)data)[index] = dyno_half_of_float(value);
        break;
    case DYNO_ELEMENT_BF16:
        ((uint16_t *)data)[index] = dyno_bf16_of_float(value);
        break;
    default:
        assert(false);
    }
}

static float element_read(enum dyno_element element, const void *data, size_t index)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        return ((const float *)data)[index];
    case DYNO_ELEMENT_F16:
        return dyno_half_to_float(((const uint16_t *)data)[index]);
    default:
        return dyno_bf16_to_float(((const uint16_t *)data)[index]);
    }
}

/* Index of dimension 0 of one token's key; dimension d is d x (tokens filled up) further. */
static size_t key_at(const struct dyno_kv_layer *layer, uint32_t block, uint32_t token,
                     uint32_t kv_head)
{
    assert(token < layer->block_tokens && kv_head < layer->kv_heads);
    return block * dyno_kv_block_keys(layer) +
           (size_t)kv_head * layer->head_dim * dyno_kv_filled_up(layer->block_tokens) + token;
}

static size_t value_at(const struct dyno_kv_layer *layer, uint32_t block, uint32_t token,
                       uint32_t kv_head)
{
    return block * dyno_kv_block_values(layer) +
           ((size_t)kv_head * layer->block_tokens + token) * dyno_kv_filled_up(layer->head_dim);
}

void dyno_kv_write(const struct dyno_kv_layer *layer, uint32_t block, uint32_t token,
                   uint32_t kv_head, const float *key, const float *value)
{
    size_t key_index = key_at(layer, block, token, kv_head);
    size_t value_index = value_at(layer, block, token, kv_head);
    size_t step = dyno_kv_filled_up(layer->block_tokens);

    for (uint32_t d = 0; d < layer->head_dim; d++) {
        element_write(layer->element, layer->keys, key_index + d * step, key[d]);
        element_write(layer->element, layer->values, value_index + d, value[d]);
    }
}

void dyno_kv_read(const struct dyno_kv_layer *layer, uint32_t block, uint32_t token,
                  uint32_t kv_head, float *key, float *value)
{
    size_t key_index = key_at(layer, block, token, kv_head);
    size_t value_index = value_at(layer, block, token, kv_head);
    size_t step = dyno_kv_filled_up(layer->block_tokens);

    for (uint32_t d = 0; d < layer->head_dim; d++) {
        key[d] = element_read(layer->element, layer->keys, key_index + d * step);
        value[d] = element_read(layer->element, layer->values, value_index + d);
    }
}

/* For each query of a tile: its total, and scores from at most a step before the first block to the
 * end of the last one, filled up. */
size_t dyno_attention_scratch(const struct dyno_kv_layer *layer, uint32_t positions)
{
    size_t scores = (size_t)positions + layer->block_tokens + 3 * (size_t)DYNO_KV_STEP;

    return DYNO_QUERIES_TILE *
           (dyno_kv_filled_up(layer->head_dim) + scores / DYNO_KV_STEP * DYNO_KV_STEP);
}

static uint32_t first_seen(const struct dyno_attention_job *job, uint32_t position)
{
    return job->window > 0 && position >= job->window ? position - job->window + 1 : 0;
}

static double score_ref(const struct dyno_attention_job *job,
                        const struct dyno_attention_slice *slice, uint32_t position,
                        uint32_t kv_head, const float *q, double *value)
{
    const struct dyno_kv_layer *layer = job->layer;
    uint32_t block = slice->table[position / layer->block_tokens];
    uint32_t token = position % layer->block_tokens;
    size_t key_index = key_at(layer, block, token, kv_head);
    size_t value_index = value_at(layer, block, token, kv_head);
    double score = 0.0;

    for (uint32_t d = 0; d < layer->head_dim; d++) {
        size_t at = key_index + (size_t)d * dyno_kv_filled_up(layer->block_tokens);

        score += (double)q[d] * (double)element_read(layer->element, layer->keys, at);
        value[d] = (double)element_read(layer->element, layer->values, value_index + d);
    }
    return score * (double)job->scale;
}

/* One query, in two looks at its context: the largest score, then the sums. */
static void query_ref(const struct dyno_attention_job *job,
                      const struct dyno_attention_slice *slice, uint32_t index, uint32_t head)
{
    enum { HEAD_DIM_MAX = 1024 };
    uint32_t head_dim = job->layer->head_dim, position = slice->first + index;
    uint32_t kv_head = head / (job->heads / job->layer->kv_heads);
    size_t row = slice->row + index;
    const float *q = job->q + row * job->q_stride + (size_t)head * head_dim;
    float *out = job->out + row * job->out_stride + (size_t)head * head_dim;
    double value[HEAD_DIM_MAX], total[HEAD_DIM_MAX] = {0}, largest = -INFINITY, sum = 0.0;

    assert(head_dim <= HEAD_DIM_MAX);
    for (uint32_t j = first_seen(job, position); j <= position; j++) {
        largest = fmax(largest, score_ref(job, slice, j, kv_head, q, value));
    }
    for (uint32_t j = first_seen(job, position); j <= position; j++) {
        double power = exp(score_ref(job, slice, j, kv_head, q, value) - largest);

        sum += power;
        for (uint32_t d = 0; d < head_dim; d++) {
            total[d] += power * value[d];
        }
    }
    for (uint32_t d = 0; d < head_dim; d++) {
        out[d] = (float)(total[d] / sum);
    }
}

void dyno_attention_ref(const struct dyno_attention_job *job)
{
    for (uint32_t s = 0; s < job->slice_count; s++) {
        for (uint32_t i = 0; i < job->slices[s].count; i++) {
            for (uint32_t head = 0; head < job->heads; head++) {
                query_ref(job, &job->slices[s], i, head);
            }
        }
    }
}

struct shared {
    const struct dyno_isa *isa;
    const struct dyno_attention_job *job;
    uint32_t rows; /* of one item */
};

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b > 0) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static uint32_t groups_of(const struct dyno_attention_slice *slice, uint32_t rows)
{
    return (slice->count + rows - 1) / rows;
}

/* An item is a group of rows of one slice and a kv head; kv heads are innermost. */
static void attend_items(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct shared *shared = argument;
    const struct dyno_attention_job *job = shared->job;
    uint32_t kv_heads = job->layer->kv_heads, begin = 0, slice = 0;

    for (uint32_t item = first; item < last; item++) {
        uint32_t group = item / kv_heads, row;

        while (group - begin >= groups_of(&job->slices[slice], shared->rows)) {
            begin += groups_of(&job->slices[slice++], shared->rows);
        }
        row = (group - begin) * shared->rows;
        shared->isa->attention(job, slice, row,
                               job->slices[slice].count - row < shared->rows
                                   ? job->slices[slice].count - row
                                   : shared->rows,
                               item % kv_heads, job->scratch + worker * job->scratch_stride);
    }
}

void dyno_attention(const struct dyno_isa *isa, struct dyno_team *team,
                    const struct dyno_attention_job *job)
{
    uint32_t sharing = job->heads / job->layer->kv_heads; /* queries of a row and kv head */
    struct shared shared = {isa, job,
                            DYNO_QUERIES_TILE / common_divisor(DYNO_QUERIES_TILE, sharing)};
    uint32_t groups = 0, items, grain;

    for (uint32_t s = 0; s < job->slice_count; s++) {
        groups += groups_of(&job->slices[s], shared.rows);
    }
    items = groups * job->layer->kv_heads;
    grain = items / (dyno_team_workers(team) * 8);
    dyno_team_run(team, items, grain < 1 ? 1 : grain, attend_items, &shared);
}
