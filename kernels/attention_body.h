/* Attention's inner loops (attention.h), for one instruction set (lanes.h).
 *
 * Up to DYNO_QUERIES_TILE queries of one kv head go together: scores of all positions that any of
 * them sees, into scratch; for each query the largest, the exponentials and their sum; then the
 * values.  Scores and values are the same small product, out[q][16] += sum of a[q][t] b[t][16]: of
 * a query's dimensions with 16 keys, or of 16 positions' weights with their values.
 */
#ifndef DYNO_KERNELS_ATTENTION_BODY_H
#define DYNO_KERNELS_ATTENTION_BODY_H

#include <math.h>
#include <stdbool.h>

#include "kernels/attention.h"
#include "kernels/lanes.h"

enum { WIDE = DYNO_KV_STEP / LANES }; /* vectors */

struct query {
    const float *q;
    float *out;
    float *total;  /* [head_dim filled up], scratch */
    float *scores; /* of position `base`, then of those that follow; scratch */
    uint32_t from, to;
};

/* Queries of one kv head of one slice, and what they look at. */
struct look {
    const struct dyno_attention_job *job;
    const uint32_t *table;
    uint32_t kv_head, queries;
    uint32_t base; /* a multiple of DYNO_KV_STEP, at or below the first position seen */
    struct query query[DYNO_QUERIES_TILE];
};

INLINE lanes load_kv(enum dyno_element element, const unsigned char *data, size_t index)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        return lanes_load((const float *)(const void *)(data + 4 * index));
    case DYNO_ELEMENT_F16:
        return lanes_load_f16(data + 2 * index);
    default:
        return lanes_load_bf16(data + 2 * index);
    }
}

/* A product of `a` with rows of DYNO_KV_STEP elements, `stride` elements apart, `count` of them. */
struct small_product {
    const float *a[DYNO_QUERIES_TILE]; /* [count] */
    float *out[DYNO_QUERIES_TILE];     /* [DYNO_KV_STEP] */
    const unsigned char *b;
    size_t stride;
    uint32_t count;
    bool fresh; /* out is not read: it was zero */
};

INLINE void multiply(enum dyno_element element, uint32_t queries,
                     const struct small_product *product)
{
    lanes sum[DYNO_QUERIES_TILE * WIDE];

    UNROLL
    for (uint32_t s = 0; s < queries * WIDE; s++) {
        sum[s] = product->fresh ? lanes_set(0.0F)
                                : lanes_load(product->out[s / WIDE] + s % WIDE * LANES);
    }
    for (uint32_t t = 0; t < product->count; t++) {
        lanes b[WIDE];

        UNROLL
        for (uint32_t w = 0; w < WIDE; w++) {
            b[w] = load_kv(element, product->b, t * product->stride + (size_t)w * LANES);
        }
        UNROLL
        for (uint32_t q = 0; q < queries; q++) {
            lanes a = lanes_set(product->a[q][t]);

            UNROLL
            for (uint32_t w = 0; w < WIDE; w++) {
                sum[q * WIDE + w] = lanes_fma(a, b[w], sum[q * WIDE + w]);
            }
        }
    }
    UNROLL
    for (uint32_t s = 0; s < queries * WIDE; s++) {
        lanes_store(product->out[s / WIDE] + s % WIDE * LANES, sum[s]);
    }
}

INLINE void multiply_queries(enum dyno_element element, uint32_t queries,
                             const struct small_product *product)
{
    switch (queries) {
    case 1:
        multiply(element, 1, product);
        break;
    case 2:
        multiply(element, 2, product);
        break;
    case 3:
        multiply(element, 3, product);
        break;
    case 4:
        multiply(element, 4, product);
        break;
    case 5:
        multiply(element, 5, product);
        break;
    default:
        multiply(element, 6, product);
    }
}

static void multiply_small(enum dyno_element element, uint32_t queries,
                           const struct small_product *product)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        multiply_queries(DYNO_ELEMENT_F32, queries, product);
        break;
    case DYNO_ELEMENT_F16:
        multiply_queries(DYNO_ELEMENT_F16, queries, product);
        break;
    default:
        multiply_queries(DYNO_ELEMENT_BF16, queries, product);
    }
}

static size_t element_size(enum dyno_element element)
{
    return element == DYNO_ELEMENT_F32 ? 4 : 2;
}

/* Scores, not yet scaled, of the positions in [position, end) of the block that begins at
 * `position`.  Blocks are taken in ascending order: what the filled-up tokens of one leave behind,
 * the next one overwrites. */
static void score_block(const struct look *look, uint32_t position, uint32_t end)
{
    const struct dyno_kv_layer *layer = look->job->layer;
    uint32_t tokens = dyno_kv_filled_up(layer->block_tokens);
    size_t first = look->table[position / layer->block_tokens] * dyno_kv_block_keys(layer) +
                   (size_t)look->kv_head * layer->head_dim * tokens;

    for (uint32_t token = 0; token < layer->block_tokens && position + token < end;
         token += DYNO_KV_STEP) {
        struct small_product product = {.b = (const unsigned char *)layer->keys +
                                             (first + token) * element_size(layer->element),
                                        .stride = tokens,
                                        .count = layer->head_dim,
                                        .fresh = true};

        for (uint32_t q = 0; q < look->queries; q++) {
            product.a[q] = look->query[q].q;
            product.out[q] = look->query[q].scores + (position + token - look->base);
        }
        multiply_small(layer->element, look->queries, &product);
    }
}

/* Scores become weights, not yet divided by their sum, which is returned.  What lies in the same
 * vectors as the first and the last position, but was not seen, gets the weight 0. */
static float weigh(const struct look *look, const struct query *query)
{
    float *scores = query->scores, largest;
    uint32_t from = query->from - look->base, to = query->to - look->base;
    uint32_t begin = from / LANES * LANES, end = (to + LANES - 1) / LANES * LANES;
    lanes high = lanes_set(-INFINITY), sum = lanes_set(0.0F), scale = lanes_set(look->job->scale);

    for (uint32_t j = begin; j < from; j++) {
        scores[j] = -INFINITY;
    }
    for (uint32_t j = to; j < end; j++) {
        scores[j] = -INFINITY;
    }
    for (uint32_t j = begin; j < end; j += LANES) {
        lanes score = lanes_mul(lanes_load(scores + j), scale);

        high = lanes_max(score, high);
        lanes_store(scores + j, score);
    }
    largest = lanes_highest(high);
    for (uint32_t j = begin; j < end; j += LANES) {
        lanes_store(scores + j, lanes_exp(lanes_sub(lanes_load(scores + j), lanes_set(largest))));
    }
    for (uint32_t j = begin; j < from; j++) {
        scores[j] = 0.0F;
    }
    for (uint32_t j = to; j < end; j++) {
        scores[j] = 0.0F;
    }
    for (uint32_t j = begin; j < end; j += LANES) {
        sum = lanes_add(sum, lanes_load(scores + j));
    }
    return lanes_sum(sum);
}

/* Add the weighted values of positions [from, to) to the totals of queries [first, first + count),
 * all of which see them. */
static void add_values(const struct look *look, uint32_t first, uint32_t count, uint32_t from,
                       uint32_t to)
{
    const struct dyno_kv_layer *layer = look->job->layer;
    uint32_t stride = dyno_kv_filled_up(layer->head_dim);

    while (from < to) {
        uint32_t token = from % layer->block_tokens, left = layer->block_tokens - token;
        struct small_product product = {.stride = stride,
                                        .count = to - from < left ? to - from : left};
        size_t value = look->table[from / layer->block_tokens] * dyno_kv_block_values(layer) +
                       ((size_t)look->kv_head * layer->block_tokens + token) * stride;

        for (uint32_t d = 0; d < stride; d += DYNO_KV_STEP) {
            product.b =
                (const unsigned char *)layer->values + (value + d) * element_size(layer->element);
            for (uint32_t q = 0; q < count; q++) {
                product.a[q] = look->query[first + q].scores + (from - look->base);
                product.out[q] = look->query[first + q].total + d;
            }
            multiply_small(layer->element, count, &product);
        }
        from += product.count;
    }
}

/* What all queries see is added for all at once, what only some see for each alone: a weight of 0
 * for the others would make their result depend on values that they do not see. */
static void add_all_values(const struct look *look)
{
    uint32_t from = 0, to = UINT32_MAX;

    for (uint32_t q = 0; q < look->queries; q++) {
        from = look->query[q].from > from ? look->query[q].from : from;
        to = look->query[q].to < to ? look->query[q].to : to;
    }
    from = from < to ? from : to;
    for (uint32_t q = 0; q < look->queries; q++) {
        add_values(look, q, 1, look->query[q].from, from);
    }
    add_values(look, 0, look->queries, from, to);
    for (uint32_t q = 0; q < look->queries; q++) {
        uint32_t rest = look->query[q].from > to ? look->query[q].from : to;

        add_values(look, q, 1, rest, look->query[q].to);
    }
}

static void look_at_context(const struct look *look)
{
    uint32_t head_dim = look->job->layer->head_dim, block = look->job->layer->block_tokens;
    uint32_t first = UINT32_MAX, end = 0;
    float sum[DYNO_QUERIES_TILE] = {0};

    for (uint32_t q = 0; q < look->queries; q++) {
        first = look->query[q].from < first ? look->query[q].from : first;
        end = look->query[q].to > end ? look->query[q].to : end;
    }
    for (uint32_t position = first / block * block; position < end; position += block) {
        score_block(look, position, end);
    }
    for (uint32_t q = 0; q < look->queries; q++) {
        sum[q] = weigh(look, &look->query[q]);
        memset(look->query[q].total, 0, dyno_kv_filled_up(head_dim) * sizeof(float));
    }
    add_all_values(look);
    for (uint32_t q = 0; q < look->queries; q++) {
        for (uint32_t d = 0; d < head_dim; d++) {
            look->query[q].out[d] = look->query[q].total[d] / sum[q];
        }
    }
}

static void attention(const struct dyno_attention_job *job, uint32_t slice, uint32_t row,
                      uint32_t rows, uint32_t kv_head, float *scratch)
{
    const struct dyno_attention_slice *queries = &job->slices[slice];
    uint32_t sharing = job->heads / job->layer->kv_heads, head_dim = job->layer->head_dim;
    size_t each = job->scratch_stride / DYNO_QUERIES_TILE;
    struct look look = {.job = job, .table = queries->table, .kv_head = kv_head};

    for (uint32_t i = 0; i < rows * sharing; i++) {
        uint32_t position = queries->first + row + i / sharing;
        size_t at = queries->row + row + i / sharing;
        size_t element = ((size_t)kv_head * sharing + i % sharing) * head_dim;
        struct query *query = &look.query[look.queries];

        *query = (struct query){.q = job->q + at * job->q_stride + element,
                                .out = job->out + at * job->out_stride + element,
                                .total = scratch + look.queries * each,
                                .to = position + 1};
        query->scores = query->total + dyno_kv_filled_up(head_dim);
        if (job->window > 0 && position >= job->window) {
            query->from = position - job->window + 1;
        }
        if (look.queries++ == 0) {
            uint32_t block = job->layer->block_tokens;

            look.base = query->from / block * block / DYNO_KV_STEP * DYNO_KV_STEP;
        }
        if (look.queries == DYNO_QUERIES_TILE || i + 1 == rows * sharing) {
            look_at_context(&look);
            look.queries = 0;
        }
    }
}

#endif
