/* Attention over blocks: against its definition, and against itself in other blocks and company. */
#include "kernels/attention.h"

#include <math.h>

#include "tests/check_main.h"
#include "tests/kernels/arrays.h"

enum { POSITIONS_MAX = 150 };

/* One sequence's keys and values in some blocks, and queries for all of its positions. */
struct round {
    struct dyno_kv_layer layer;
    struct dyno_attention_slice slice;
    struct dyno_attention_job job;
    uint32_t table[POSITIONS_MAX];
    float *out;
};

struct shapes {
    enum dyno_element element;
    uint32_t positions, kv_heads, heads, head_dim, window;
};

static struct shapes random_shapes(struct dyno_rng *rng)
{
    static const enum dyno_element stored[] = {DYNO_ELEMENT_F32, DYNO_ELEMENT_F16,
                                               DYNO_ELEMENT_BF16};
    struct shapes shapes = {.element = stored[dyno_rng_below(rng, 3)],
                            .positions = 1 + (uint32_t)dyno_rng_below(rng, POSITIONS_MAX),
                            .kv_heads = 1 + (uint32_t)dyno_rng_below(rng, 3),
                            .head_dim = 1 + (uint32_t)dyno_rng_below(rng, 70)};

    shapes.heads = shapes.kv_heads * (1 + (uint32_t)dyno_rng_below(rng, 8));
    shapes.window = dyno_rng_below(rng, 2) ? 1 + (uint32_t)dyno_rng_below(rng, 60) : 0;
    return shapes;
}

static void random_table(struct dyno_rng *rng, uint32_t blocks, uint32_t *table)
{
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t other = (uint32_t)dyno_rng_below(rng, i + 1);

        table[i] = table[other];
        table[other] = i;
    }
}

/* What is not written to is NaN: it must not be looked at. */
static void fill_nan(struct dyno_kv_layer *layer, uint32_t blocks)
{
    size_t size = layer->element == DYNO_ELEMENT_F32 ? 4 : 2;
    size_t keys = blocks * dyno_kv_block_keys(layer), values = blocks * dyno_kv_block_values(layer);

    layer->keys = array_of(keys, size);
    layer->values = array_of(values, size);
    memset(layer->keys, 0xff, keys * size);
    memset(layer->values, 0xff, values * size);
}

/* The same content for the same `content`; the blocks' size and order from `rng`. */
static void round_open(struct round *round, struct shapes shapes, uint64_t content,
                       struct dyno_rng *rng, uint32_t workers)
{
    struct dyno_rng rows;
    uint32_t wide = shapes.heads * shapes.head_dim, block = 1 + (uint32_t)dyno_rng_below(rng, 40);

    round->layer = (struct dyno_kv_layer){.element = shapes.element,
                                          .block_tokens = block,
                                          .kv_heads = shapes.kv_heads,
                                          .head_dim = shapes.head_dim};
    fill_nan(&round->layer, POSITIONS_MAX);
    random_table(rng, POSITIONS_MAX, round->table);
    dyno_rng_init(&rows, content, "content");
    for (uint32_t p = 0; p < shapes.positions; p++) {
        for (uint32_t head = 0; head < shapes.kv_heads; head++) {
            const float *key = random_floats(&rows, shapes.head_dim);
            const float *value = random_floats(&rows, shapes.head_dim);

            dyno_kv_write(&round->layer, round->table[p / block], p % block, head, key, value);
        }
    }
    round->slice = (struct dyno_attention_slice){.table = round->table, .count = shapes.positions};
    round->out = array_of((size_t)shapes.positions * wide, sizeof(float));
    round->job = (struct dyno_attention_job){
        .layer = &round->layer,
        .slices = &round->slice,
        .slice_count = 1,
        .heads = shapes.heads,
        .window = shapes.window,
        .scale = 1.0F / sqrtf((float)shapes.head_dim),
        .q = random_floats(&rows, (size_t)shapes.positions * wide),
        .out = round->out,
        .q_stride = wide,
        .out_stride = wide,
        .scratch_stride = dyno_attention_scratch(&round->layer, shapes.positions)};
    round->job.scratch = array_of(workers * round->job.scratch_stride, sizeof(float));
}

START_TEST(every_instruction_set_meets_the_definition)
{
    struct dyno_team *team = dyno_team_open(1);

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_rng rng;
        struct shapes shapes;
        struct round round;
        size_t count;
        float *due;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "attention");
        shapes = random_shapes(&rng);
        round_open(&round, shapes, (uint64_t)_i, &rng, 1);
        count = (size_t)shapes.positions * shapes.heads * shapes.head_dim;
        due = array_of(count, sizeof(float));
        dyno_attention(isa, team, &round.job);
        round.job.out = due;
        dyno_attention_ref(&round.job);
        for (size_t i = 0; i < count; i++) { /* magnitudes are at most 1 */
            double error = fabs((double)round.out[i] - (double)due[i]);
            double bound = 0x1p-16 * (1.0 + sqrt(shapes.head_dim));

            ck_assert_msg(error <= bound, "seed %d, %s: %zu is %g, not %g", _i, isa->name, i,
                          (double)round.out[i], (double)due[i]);
        }
        arrays_free();
    }
    dyno_team_close(team);
}
END_TEST

/* Each query in a slice of its own that begins somewhere, two threads, other blocks. */
START_TEST(a_query_knows_neither_blocks_nor_company)
{
    struct dyno_team *one = dyno_team_open(1), *two = dyno_team_open(2);

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_attention_slice slices[POSITIONS_MAX];
        struct dyno_rng rng;
        struct shapes shapes;
        struct round round, other;
        uint32_t count = 0;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "company");
        shapes = random_shapes(&rng);
        round_open(&round, shapes, (uint64_t)_i, &rng, 1);
        round_open(&other, shapes, (uint64_t)_i, &rng, 2);
        dyno_attention(isa, one, &round.job);
        for (uint32_t p = 0; p < shapes.positions; p += slices[count++].count) {
            slices[count] = other.slice;
            slices[count].first = slices[count].row = p;
            slices[count].count = 1 + (uint32_t)dyno_rng_below(&rng, shapes.positions - p);
            slices[count].count = slices[count].count > 9 ? 9 : slices[count].count;
        }
        other.job.slices = slices;
        other.job.slice_count = count;
        dyno_attention(isa, two, &other.job);
        for (size_t i = 0; i < (size_t)shapes.positions * shapes.heads * shapes.head_dim; i++) {
            ck_assert_msg(memcmp(&round.out[i], &other.out[i], sizeof(float)) == 0,
                          "seed %d, %s: %zu is %a, not %a", _i, isa->name, i, (double)other.out[i],
                          (double)round.out[i]);
        }
        arrays_free();
    }
    dyno_team_close(one);
    dyno_team_close(two);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    struct dyno_kv_layer layer = {.element = DYNO_ELEMENT_F32 + (enum dyno_element)(_i % 3),
                                  .block_tokens = 5,
                                  .kv_heads = 2,
                                  .head_dim = 3};
    float key[3], value[3];

    fill_nan(&layer, 3);
    for (uint32_t at = 0; at < 3 * 5 * 2; at++) { /* small whole numbers are exact in all */
        float k[3] = {(float)at, 1.0F, -2.0F}, v[3] = {(float)at + 100.0F, 3.0F, -4.0F};

        dyno_kv_write(&layer, at / 10, at / 2 % 5, at % 2, k, v);
    }
    for (uint32_t at = 0; at < 3 * 5 * 2; at++) {
        dyno_kv_read(&layer, at / 10, at / 2 % 5, at % 2, key, value);
        ck_assert_float_eq(key[0], (float)at);
        ck_assert_float_eq(key[2], -2.0F);
        ck_assert_float_eq(value[0], (float)at + 100.0F);
        ck_assert_float_eq(value[2], -4.0F);
    }
}
END_TEST

/* One head of one dimension, scale 1: query 1, keys 0 and log 3, values 10 and 20.  Weights 1/4 and
 * 3/4. */
START_TEST(a_mean_by_hand)
{
    struct dyno_kv_layer layer = {
        .element = DYNO_ELEMENT_F32, .block_tokens = 1, .kv_heads = 1, .head_dim = 1};
    uint32_t table[] = {1, 0};
    struct dyno_attention_slice slice = {.table = table, .first = 1, .count = 1};
    struct dyno_team *team = dyno_team_open(1);
    float q = 1.0F, out = 0.0F, key[] = {0.0F, logf(3.0F)}, value[] = {10.0F, 20.0F};
    struct dyno_attention_job job = {.layer = &layer,
                                     .slices = &slice,
                                     .slice_count = 1,
                                     .heads = 1,
                                     .scale = 1.0F,
                                     .q = &q,
                                     .out = &out,
                                     .q_stride = 1,
                                     .out_stride = 1};

    fill_nan(&layer, 2);
    job.scratch_stride = dyno_attention_scratch(&layer, 2);
    job.scratch = array_of(job.scratch_stride, sizeof(float));
    dyno_kv_write(&layer, 1, 0, 0, &key[0], &value[0]);
    dyno_kv_write(&layer, 0, 0, 0, &key[1], &value[1]);
    dyno_attention(dyno_isa_best(), team, &job);
    ck_assert_float_eq_tol(out, 17.5F, 1e-5F);
    dyno_attention_ref(&job);
    ck_assert_float_eq_tol(out, 17.5F, 1e-5F);
    job.window = 1;
    dyno_attention(dyno_isa_best(), team, &job);
    ck_assert_float_eq(out, 20.0F);
    dyno_team_close(team);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("attention");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, every_instruction_set_meets_the_definition, 0, 60);
    tcase_add_loop_test(tcase, a_query_knows_neither_blocks_nor_company, 0, 60);
    tcase_add_loop_test(tcase, what_is_written_is_read_back, 0, 3);
    tcase_add_test(tcase, a_mean_by_hand);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("attention", add_cases)
