/* The matrix product: against its definition, and against itself in other company. */
#include "kernels/matmul.h"

#include <math.h>

#include "tests/check_main.h"
#include "tests/kernels/arrays.h"

enum { N_MAX = 30 };

/* One random product, with strides wider than rows, and room for its results. */
struct round {
    struct dyno_matmul_job job;
    float *y;
    size_t y_count;
};

static struct round random_round(struct dyno_rng *rng, uint32_t rows_max, uint32_t columns_max)
{
    struct dyno_matrix *weights = array_of(1, sizeof(*weights));
    enum dyno_element element = (enum dyno_element)dyno_rng_below(rng, DYNO_ELEMENTS);
    uint32_t rows = 1 + (uint32_t)dyno_rng_below(rng, rows_max);
    uint32_t columns = 1 + (uint32_t)dyno_rng_below(rng, columns_max);
    uint32_t n = 1 + (uint32_t)dyno_rng_below(rng, N_MAX);
    struct round round = {.y = NULL};

    if (element == DYNO_ELEMENT_Q8_0) {
        columns = (columns + 31) / 32 * 32;
    }
    *weights = random_matrix(rng, element, rows, columns, dyno_rng_below(rng, 2));
    round.job = (struct dyno_matmul_job){.weights = weights,
                                         .n = n,
                                         .x_stride = columns + dyno_rng_below(rng, 3),
                                         .y_stride = rows + dyno_rng_below(rng, 3)};
    round.job.x = random_floats(rng, n * round.job.x_stride);
    round.job.bias = dyno_rng_below(rng, 2) ? random_floats(rng, rows) : NULL;
    round.y_count = n * round.job.y_stride;
    round.job.residual = dyno_rng_below(rng, 2) ? random_floats(rng, round.y_count) : NULL;
    round.y = random_floats(rng, round.y_count);
    round.job.y = round.y;
    return round;
}

/* What matmul.h calls the sum of magnitudes. */
static double magnitude(const struct dyno_matmul_job *job, uint32_t i, uint32_t row)
{
    double sum = job->bias ? fabs((double)job->bias[row]) : 0.0;

    sum += job->residual ? fabs((double)job->residual[i * job->y_stride + row]) : 0.0;
    for (uint32_t k = 0; k < job->weights->columns; k++) {
        float weight;

        dyno_matrix_read(job->weights, row, k, 1, &weight);
        sum += fabs((double)weight * (double)job->x[i * job->x_stride + k]);
    }
    return sum;
}

START_TEST(every_instruction_set_meets_the_definition)
{
    struct dyno_team *team = dyno_team_open(1);

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_rng rng;
        struct round round;
        float *due;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "matmul");
        round = random_round(&rng, 70, _i % 8 == 0 ? 2500 : 130);
        due = array_of(round.y_count, sizeof(float));
        memcpy(due, round.y, round.y_count * sizeof(float));
        dyno_matmul(isa, team, &round.job, 1);
        round.job.y = due;
        dyno_matmul_ref(&round.job);
        for (uint32_t i = 0; i < round.job.n; i++) {
            for (uint32_t row = 0; row < round.job.y_stride; row++) {
                size_t at = i * round.job.y_stride + row;
                double error = fabs((double)round.y[at] - (double)due[at]);

                if (row < round.job.weights->rows) {
                    double bound = magnitude(&round.job, i, row) * 0x1p-20;

                    ck_assert_msg(error <= bound, "seed %d, %s, (%u, %u): off by %g, not %g", _i,
                                  isa->name, i, row, error, bound);
                } else {
                    ck_assert_msg(error == 0.0, "seed %d: wrote past the rows", _i);
                }
            }
        }
    }
    dyno_team_close(team);
}
END_TEST

START_TEST(an_element_does_not_know_its_company)
{
    struct dyno_team *team = dyno_team_open(2);

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_matmul_job part;
        struct dyno_rng rng;
        struct round round;
        uint32_t first, n;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "company");
        round = random_round(&rng, 150, _i % 8 == 0 ? 2500 : 130);
        dyno_matmul(isa, team, &round.job, 1);
        first = (uint32_t)dyno_rng_below(&rng, round.job.n);
        n = 1 + (uint32_t)dyno_rng_below(&rng, round.job.n - first);
        part = round.job;
        part.n = n;
        part.x += first * part.x_stride;
        part.residual = part.residual ? part.residual + first * part.y_stride : NULL;
        part.y = array_of(n, part.y_stride * sizeof(float));
        for (uint32_t row = 0; row < part.weights->rows;) { /* also in other ranges of rows */
            uint32_t last = row + 1 + (uint32_t)dyno_rng_below(&rng, part.weights->rows - row);

            isa->matmul(&part, row, last);
            row = last;
        }
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t row = 0; row < part.weights->rows; row++) {
                float here = part.y[i * part.y_stride + row];
                float there = round.y[(first + i) * part.y_stride + row];

                ck_assert_msg(memcmp(&here, &there, sizeof(here)) == 0,
                              "seed %d, %s: %u of %u from %u, row %u: %a, not %a", _i, isa->name, i,
                              n, first, row, (double)here, (double)there);
            }
        }
    }
    dyno_team_close(team);
}
END_TEST

/* Columns [first, first + count) as a matrix without the others. */
static struct dyno_matrix cut_out(const struct dyno_matrix *whole, uint32_t first, uint32_t count)
{
    size_t wide = dyno_row_bytes(whole->element, whole->columns);
    size_t bytes = dyno_row_bytes(whole->element, count);
    unsigned char *data = array_of(whole->rows, bytes);

    for (size_t row = 0; row < whole->rows; row++) {
        memcpy(data + row * bytes,
               (const unsigned char *)whole->data + row * wide +
                   dyno_row_bytes(whole->element, first),
               bytes);
    }
    return (struct dyno_matrix){whole->element, whole->rows, count, data};
}

START_TEST(columns_alone_are_a_matrix_of_their_own)
{
    struct dyno_team *team = dyno_team_open(2);

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct dyno_matrix columns;
        struct dyno_rng rng;
        struct round round;
        uint32_t unit, units, first, count;
        float *due;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "columns");
        round = random_round(&rng, 70, _i % 8 == 0 ? 2500 : 130);
        unit = round.job.weights->element == DYNO_ELEMENT_Q8_0 ? DYNO_Q8_0_ELEMENTS : 1;
        units = round.job.weights->columns / unit;
        first = (uint32_t)dyno_rng_below(&rng, units);
        count = 1 + (uint32_t)dyno_rng_below(&rng, units - first);
        round.job.first_column = first * unit;
        round.job.column_count = count * unit;
        columns = cut_out(round.job.weights, first * unit, count * unit);
        due = array_of(round.y_count, sizeof(float));
        memcpy(due, round.y, round.y_count * sizeof(float));
        dyno_matmul(isa, team, &round.job, 1);
        round.job.weights = &columns;
        round.job.first_column = round.job.column_count = 0;
        round.job.y = due;
        dyno_matmul(isa, team, &round.job, 1);
        ck_assert_msg(memcmp(due, round.y, round.y_count * sizeof(float)) == 0, "seed %d, %s", _i,
                      isa->name);
    }
    dyno_team_close(team);
}
END_TEST

START_TEST(jobs_together_give_what_they_give_alone)
{
    const struct dyno_isa *isa = dyno_isa_best();
    struct dyno_team *one = dyno_team_open(1), *two = dyno_team_open(2);
    struct dyno_matmul_job jobs[3];
    struct dyno_matrix weights[3];
    struct dyno_rng rng;
    float *due[3];

    dyno_rng_init(&rng, (uint64_t)_i, "jobs");
    for (int j = 0; j < 3; j++) {
        uint32_t rows = 1 + (uint32_t)dyno_rng_below(&rng, 100);
        uint32_t n = (uint32_t)dyno_rng_below(&rng, 8); /* none at all, too */

        weights[j] = random_matrix(&rng, DYNO_ELEMENT_BF16, rows, 40, false);
        due[j] = array_of(n + 1, rows * sizeof(float));
        jobs[j] = (struct dyno_matmul_job){.weights = &weights[j],
                                           .x = random_floats(&rng, n * (size_t)40 + 1),
                                           .n = n,
                                           .x_stride = 40,
                                           .y_stride = rows,
                                           .y = due[j]};
        dyno_matmul(isa, one, &jobs[j], 1);
        jobs[j].y = array_of(n + 1, rows * sizeof(float));
    }
    dyno_matmul(isa, two, jobs, 3);
    for (int j = 0; j < 3; j++) {
        ck_assert_msg(memcmp(due[j], jobs[j].y, jobs[j].n * jobs[j].y_stride * 4) == 0,
                      "seed %d, job %d", _i, j);
    }
    dyno_team_close(one);
    dyno_team_close(two);
}
END_TEST

/* W = (1 2 3; 4 5 6), x = (1 0 -1), bias (10, 20), residual (100, 200). */
START_TEST(a_product_by_hand)
{
    float w[] = {1, 2, 3, 4, 5, 6}, x[] = {1, 0, -1}, bias[] = {10, 20}, residual[] = {100, 200};
    struct dyno_matrix weights = {DYNO_ELEMENT_F32, 2, 3, w};
    struct dyno_team *team = dyno_team_open(1);
    float y[2] = {0}, y_ref[2] = {0};
    struct dyno_matmul_job job = {.weights = &weights,
                                  .x = x,
                                  .n = 1,
                                  .x_stride = 3,
                                  .y_stride = 2,
                                  .bias = bias,
                                  .residual = residual,
                                  .y = y};

    dyno_matmul(dyno_isa_best(), team, &job, 1);
    ck_assert_float_eq(y[0], 108.0F);
    ck_assert_float_eq(y[1], 218.0F);
    job.y = y_ref;
    dyno_matmul_ref(&job);
    ck_assert_float_eq(y_ref[0], 108.0F);
    ck_assert_float_eq(y_ref[1], 218.0F);
    dyno_team_close(team);
}
END_TEST

/* Scale 0.5, elements 0 ... 31 less 16. */
START_TEST(a_q8_0_row_by_hand)
{
    unsigned char row[DYNO_Q8_0_BYTES] = {0x00, 0x38};
    struct dyno_matrix matrix = {DYNO_ELEMENT_Q8_0, 1, 32, row};
    float values[32];

    for (int i = 0; i < 32; i++) {
        row[2 + i] = (unsigned char)(int8_t)(i - 16);
    }
    dyno_matrix_read(&matrix, 0, 0, 32, values);
    for (int i = 0; i < 32; i++) {
        ck_assert_float_eq(values[i], 0.5F * (float)(i - 16));
    }
    dyno_matrix_read(&matrix, 0, 17, 1, values);
    ck_assert_float_eq(values[0], 0.5F);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("matmul");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, every_instruction_set_meets_the_definition, 0, 100);
    tcase_add_loop_test(tcase, an_element_does_not_know_its_company, 0, 100);
    tcase_add_loop_test(tcase, columns_alone_are_a_matrix_of_their_own, 0, 100);
    tcase_add_loop_test(tcase, jobs_together_give_what_they_give_alone, 0, 30);
    tcase_add_test(tcase, a_product_by_hand);
    tcase_add_test(tcase, a_q8_0_row_by_hand);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("matmul", add_cases)
