/* What is done to one row: norms, activations, rotary embeddings, the choice of experts. */
#include <math.h>

#include "kernels/activation.h"
#include "kernels/largest.h"
#include "kernels/moe.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "tests/check_main.h"
#include "tests/kernels/arrays.h"

START_TEST(norms_meet_their_definition)
{
    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_rng rng;
        uint32_t count;
        float *x, *weight, *bias, *due, *out;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "norm");
        count = 1 + (uint32_t)dyno_rng_below(&rng, _i % 10 == 0 ? 5000 : 70);
        x = random_floats(&rng, count);
        weight = random_floats(&rng, count);
        bias = random_floats(&rng, count);
        due = array_of(count, sizeof(float));
        out = array_of(count, sizeof(float));
        for (int layer = 0; layer < 2; layer++) {
            double largest = 1.0;

            if (layer) {
                dyno_layer_norm_ref(x, weight, bias, 1e-5, count, due);
                isa->layer_norm(x, weight, bias, 1e-5F, count, out);
            } else {
                dyno_rms_norm_ref(x, weight, 1e-5, count, due);
                isa->rms_norm(x, weight, 1e-5F, count, out);
            }
            for (uint32_t i = 0; i < count; i++) {
                largest = fmax(largest, fabs((double)due[i] / fmin(1.0, (double)weight[i])));
            }
            for (uint32_t i = 0; i < count; i++) {
                double error = fabs((double)out[i] - (double)due[i]);

                ck_assert_msg(error <= largest * 0x1p-19, "seed %d, %s, %u of %u: %g, not %g", _i,
                              isa->name, i, count, (double)out[i], (double)due[i]);
            }
        }
    }
}
END_TEST

/* Root mean square of (3, 4) is sqrt(12.5); of (1, 3) the mean is 2 and the deviation 1. */
START_TEST(norms_by_hand)
{
    float out[2];

    dyno_isa_best()->rms_norm((float[]){3, 4}, (float[]){1, 2}, 0.0F, 2, out);
    ck_assert_float_eq_tol(out[0], 3.0F / sqrtf(12.5F), 1e-6F);
    ck_assert_float_eq_tol(out[1], 8.0F / sqrtf(12.5F), 1e-6F);
    dyno_isa_best()->layer_norm((float[]){1, 3}, (float[]){1, 2}, (float[]){10, 20}, 0.0F, 2, out);
    ck_assert_float_eq_tol(out[0], 9.0F, 1e-6F);
    ck_assert_float_eq_tol(out[1], 22.0F, 1e-6F);
}
END_TEST

/* Also where e^-x leaves the range of floats. */
START_TEST(activations_meet_their_definition)
{
    enum { COUNT = 4003 };

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        float *gate, *due, *up;
        struct dyno_rng rng;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, 5, "activation");
        up = random_floats(&rng, COUNT);
        for (int gelu = 0; gelu < 2; gelu++) {
            float *x = array_of(COUNT, sizeof(float));

            gate = array_of(COUNT, sizeof(float));
            due = array_of(COUNT, sizeof(float));
            for (int i = 0; i < COUNT; i++) {
                x[i] = gate[i] = due[i] = (float)(i - 2000) * (i % 2 ? 0.01F : 0.5F);
            }
            if (gelu) {
                isa->gelu(gate, COUNT);
                dyno_gelu_ref(due, COUNT);
            } else {
                isa->silu_multiply(gate, up, COUNT);
                dyno_silu_multiply_ref(due, up, COUNT);
            }
            for (int i = 0; i < COUNT; i++) {
                double error = fabs((double)gate[i] - (double)due[i]);
                double bound = fabs((double)due[i]) * (gelu ? 0x1p-16 : 0x1p-20) +
                               fabs((double)x[i]) * 0x1p-120;

                ck_assert_msg(error <= bound, "%s, gelu %d, of %g: %g, not %g", isa->name, gelu,
                              (double)x[i], (double)gate[i], (double)due[i]);
            }
        }
    }
}
END_TEST

/* The last elements of a row, done apart, are those of a longer row. */
START_TEST(an_element_does_not_know_the_length_of_its_row)
{
    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_rng rng;
        float *x, *up;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, 9, "length");
        x = random_floats(&rng, 64);
        up = random_floats(&rng, 64);
        for (uint32_t count = 1; count <= 64; count++) {
            float part[64], whole[64];

            memcpy(part, x, sizeof(part));
            memcpy(whole, x, sizeof(whole));
            isa->silu_multiply(part, up, count);
            isa->silu_multiply(whole, up, 64);
            ck_assert(memcmp(part, whole, count * sizeof(float)) == 0);
            ck_assert(memcmp(part + count, x + count, (64 - count) * sizeof(float)) == 0);
        }
    }
}
END_TEST

START_TEST(a_turn_meets_its_definition)
{
    struct dyno_rng rng;
    double frequency[24];
    double length = 1.0 + _i % 3 / 8.0;
    float table[50 * 24 * 2], head[48], due[48];

    dyno_rng_init(&rng, (uint64_t)_i, "rope");
    dyno_rope_frequencies(10000.0, 24, frequency);
    dyno_rope_table(frequency, length, 24, 50, table);
    for (uint32_t i = 0; i < 48; i++) {
        head[i] = due[i] = random_float(&rng);
    }
    dyno_rope_turn(head, table + 37 * 48, 24, _i % 2);
    dyno_rope_turn_ref(due, frequency, length, 37, 24, _i % 2);
    for (uint32_t i = 0; i < 48; i++) {
        ck_assert_float_eq_tol(head[i], due[i], /* a pair is at most 1.25 sqrt 2 long */
                               1.8F * 0x1p-22F);
    }
}
END_TEST

/* With theta 100 and 2 pairs the frequencies are 1 and 0.1.  At position 3 and a quarter turn for
 * frequency pi / 6, (1, 0) becomes (0, 1). */
START_TEST(turns_by_hand)
{
    double frequency[2], quarter[2] = {3.14159265358979323846 / 6.0, 0.0};
    float table[4 * 4], head[4] = {1, 2, 0, 5};

    dyno_rope_frequencies(100.0, 2, frequency);
    ck_assert_double_eq_tol(frequency[0], 1.0, 1e-15);
    ck_assert_double_eq_tol(frequency[1], 0.1, 1e-15);
    dyno_rope_table(quarter, 1.0, 2, 4, table);
    dyno_rope_turn(head, table + 12, 2, false);
    ck_assert_float_eq_tol(head[0], 0.0F, 1e-6F);
    ck_assert_float_eq_tol(head[2], 1.0F, 1e-6F);
    ck_assert_float_eq_tol(head[1], 2.0F, 1e-6F);
    ck_assert_float_eq_tol(head[3], 5.0F, 1e-6F);
    memcpy(head, (float[]){1, 0, 2, 5}, sizeof(head));
    dyno_rope_turn(head, table + 12, 2, true);
    ck_assert_float_eq_tol(head[0], 0.0F, 1e-6F);
    ck_assert_float_eq_tol(head[1], 1.0F, 1e-6F);
}
END_TEST

/* Context 2 pi 100: frequency 1 turns 100 times, 0.02 twice, 0.001 a tenth of a turn.  With low 1,
 * high 4 and factor 8 the second is a third of the way from an eighth to itself. */
START_TEST(scalings_by_hand)
{
    double llama3[] = {1.0, 0.02, 0.001}, linear[] = {1.0, 0.5}, table[] = {1.0, 0.5};

    dyno_rope_scale_llama3(8.0, 1.0, 4.0, 628, 3, llama3);
    ck_assert_double_eq_tol(llama3[0], 1.0, 1e-12);
    ck_assert_double_eq_tol(llama3[1], 0.02 * (2.0 / 3.0 / 8.0 + 1.0 / 3.0), 2e-5);
    ck_assert_double_eq_tol(llama3[2], 0.001 / 8.0, 1e-12);
    dyno_rope_scale_linear(4.0, 2, linear);
    ck_assert_double_eq(linear[1], 0.125);
    dyno_rope_scale_table((float[]){2.0F, 5.0F}, 2, table);
    ck_assert_double_eq(table[0], 0.5);
    ck_assert_double_eq(table[1], 0.1);
}
END_TEST

/* With theta 256 and 8 pairs pair i has frequency 2^-i, and turns 403 / (2 pi 2^i) times in a
 * context of 403, that is 2^(6.003140 - i) times: 32 times at 1.003140, once at 6.003140. */
START_TEST(yarn_by_hand)
{
    struct dyno_rope_yarn yarn = {.theta = 256.0,
                                  .factor = 4.0,
                                  .beta_fast = 32.0,
                                  .beta_slow = 1.0,
                                  .original_context = 403};
    double frequency[8];

    dyno_rope_frequencies(yarn.theta, 8, frequency);
    dyno_rope_scale_yarn(&yarn, 8, frequency); /* from pair 1 to pair 7 */
    ck_assert_double_eq_tol(frequency[0], 1.0, 1e-12);
    ck_assert_double_eq_tol(frequency[1], 0.5, 1e-12);
    ck_assert_double_eq_tol(frequency[2], 0.25 * (1.0 - 0.75 / 6.0), 1e-12);
    ck_assert_double_eq_tol(frequency[4], 0.0625 * 0.625, 1e-12);
    ck_assert_double_eq_tol(frequency[7], 0.0078125 / 4.0, 1e-12);
    yarn.exact = true;
    dyno_rope_frequencies(yarn.theta, 8, frequency);
    dyno_rope_scale_yarn(&yarn, 8, frequency);
    ck_assert_double_eq_tol(frequency[1], 0.5, 1e-12);
    ck_assert_double_eq_tol(frequency[2], 0.25 * (1.0 - 0.75 * 0.199372), 1e-7);
    ck_assert_double_eq_tol(frequency[6], 0.015625 * (1.0 - 0.75 * 0.999372), 1e-7);
    ck_assert_double_eq_tol(frequency[7], 0.0078125 / 4.0, 1e-12);
    ck_assert_double_eq_tol(dyno_rope_yarn_length(4.0, 1.0), 1.1386294361119891, 1e-15);
    ck_assert_double_eq(dyno_rope_yarn_length(1.0, 3.0), 1.0);
}
END_TEST

/* Probabilities 1/7, 2/7, 4/7 and the like. */
START_TEST(experts_by_hand)
{
    float logits[] = {0.0F, logf(2.0F), logf(4.0F)}, equal[] = {1, 5, 5, 5}, weights[3];
    uint32_t ids[3];

    dyno_moe_route(logits, 3, 2, false, ids, weights);
    ck_assert_uint_eq(ids[0], 2);
    ck_assert_uint_eq(ids[1], 1);
    ck_assert_float_eq_tol(weights[0], 4.0F / 7, 1e-6F);
    ck_assert_float_eq_tol(weights[1], 2.0F / 7, 1e-6F);
    dyno_moe_route(logits, 3, 2, true, ids, weights);
    ck_assert_float_eq_tol(weights[0], 4.0F / 6, 1e-6F);
    dyno_moe_route(equal, 4, 2, true, ids, weights);
    ck_assert_uint_eq(ids[0], 1);
    ck_assert_uint_eq(ids[1], 2);
    dyno_moe_route(logits, 3, 3, true, ids, weights);
    ck_assert_uint_eq(ids[2], 0);
}
END_TEST

/* Few different values, so that many are equal; or so many NaNs that nothing else may be left. */
START_TEST(the_largest_is_found_by_every_instruction_set)
{
    static const float few[] = {-1.5F, 0.0F, -0.0F, 2.0F, -INFINITY, INFINITY};
    struct dyno_rng rng;
    uint32_t count, values, nans, due;
    float *x;

    dyno_rng_init(&rng, (uint64_t)_i, "largest");
    count = 1 + (uint32_t)dyno_rng_below(&rng, _i % 4 == 0 ? 5000 : 150);
    values = (uint32_t)dyno_rng_below(&rng, 7);
    nans = (uint32_t)dyno_rng_below(&rng, 5); /* of four */
    x = random_floats(&rng, count);
    for (uint32_t i = 0; i < count; i++) {
        x[i] = values > 0 ? few[dyno_rng_below(&rng, values)] : x[i];
        x[i] = dyno_rng_below(&rng, 4) < nans ? NAN : x[i];
    }
    due = dyno_largest_ref(x, count);
    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);

        ck_assert_msg(!isa || isa->largest(x, count) == due, "seed %d, %s: %u of %u, not %u", _i,
                      isa ? isa->name : "", isa ? isa->largest(x, count) : 0, count, due);
    }
}
END_TEST

START_TEST(the_largest_by_hand)
{
    ck_assert_uint_eq(dyno_largest_ref((float[]){1, 3, 2, 3}, 4), 1);
    ck_assert_uint_eq(dyno_largest_ref((float[]){-0.0F, 0.0F}, 2), 0);
    ck_assert_uint_eq(dyno_largest_ref((float[]){NAN, -3, NAN, -INFINITY}, 4), 1);
    ck_assert_uint_eq(dyno_largest_ref((float[]){NAN, -INFINITY}, 2), 1);
    ck_assert_uint_eq(dyno_largest_ref((float[]){NAN, NAN}, 2), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("rows");

    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, norms_meet_their_definition, 0, 60);
    tcase_add_test(tcase, norms_by_hand);
    tcase_add_test(tcase, activations_meet_their_definition);
    tcase_add_test(tcase, an_element_does_not_know_the_length_of_its_row);
    tcase_add_loop_test(tcase, a_turn_meets_its_definition, 0, 10);
    tcase_add_test(tcase, turns_by_hand);
    tcase_add_test(tcase, scalings_by_hand);
    tcase_add_test(tcase, yarn_by_hand);
    tcase_add_test(tcase, experts_by_hand);
    tcase_add_loop_test(tcase, the_largest_is_found_by_every_instruction_set, 0, 400);
    tcase_add_test(tcase, the_largest_by_hand);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("rows", add_cases)
