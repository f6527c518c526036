/* RMSNorm on the device against its definition. */
#include <math.h>
#include <stdio.h>

#include "kernels/cuda/norm.h"
#include "kernels/norm.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

typedef int norm_function(const struct dyno_cuda_norm_job *job, dyno_cuda_stream stream);

struct world {
    enum dyno_element element;
    uint32_t rows, columns, stride;
    struct elements x, residual, weight;
    uint16_t *sum_bits; /* [rows][columns] what becomes of the residual */
    float *due;         /* [rows][columns] */
};

static struct world world_of(struct dyno_rng *rng, uint32_t columns, bool with_residual)
{
    struct world world = {.element = dyno_rng_below(rng, 2) ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16,
                          .rows = PICK(rng, 1, 2, 3, 7),
                          .columns = columns};
    size_t count = (size_t)world.rows * columns;
    float *sum = host_array(columns, sizeof(*sum));

    world.stride = columns + PICK(rng, 0, 8, 64);
    world.x = random_elements(rng, world.element, (size_t)world.rows * world.stride, 3.0F);
    world.residual = random_elements(rng, world.element, count, 3.0F);
    world.weight = random_elements(rng, world.element, columns, 2.0F);
    world.due = host_array(count, sizeof(float));
    world.sum_bits = host_array(count, sizeof(uint16_t));
    for (uint32_t row = 0; row < world.rows; row++) {
        for (uint32_t i = 0; i < columns; i++) {
            size_t at = (size_t)row * columns + i;
            float x = world.x.values[(size_t)row * world.stride + i];

            world.sum_bits[at] =
                element_of(world.element, with_residual ? x + world.residual.values[at] : x);
            sum[i] = element_value(world.element, world.sum_bits[at]);
        }
        dyno_rms_norm_ref(sum, world.weight.values, (double)1e-5F, columns,
                          world.due + (size_t)row * columns);
    }
    return world;
}

/* The largest |out| there is bounds the error. */
static double slack_of(const struct world *world)
{
    double largest = 0.0;

    for (size_t i = 0; i < (size_t)world->rows * world->columns; i++) {
        largest = fmax(largest, fabs((double)world->due[i]));
    }
    return largest * 0x1p-18;
}

static void expect_norm(norm_function *norm, unsigned seed, uint32_t columns, bool with_residual)
{
    struct dyno_rng rng;
    struct world world;
    struct dyno_cuda_norm_job job;
    size_t count;

    dyno_rng_init(&rng, seed, "cuda norm");
    world = world_of(&rng, columns, with_residual);
    count = (size_t)world.rows * columns;
    job = (struct dyno_cuda_norm_job){.element = world.element,
                                      .rows = world.rows,
                                      .columns = columns,
                                      .epsilon = 1e-5F,
                                      .x = world.x.device,
                                      .residual = with_residual ? world.residual.device : NULL,
                                      .weight = world.weight.device,
                                      .out = device_array(count * sizeof(uint16_t)),
                                      .x_stride = world.stride};
    if (norm(&job, NULL) != 0) {
        fail("norm of %u x %u, seed %u: not done", world.rows, columns, seed);
    }
    expect_elements("norm", seed, world.element, job.out, world.due, count, slack_of(&world));
    if (with_residual) {
        uint16_t *sum = device_read_all(job.residual, count * sizeof(*sum));

        for (size_t i = 0; i < count; i++) {
            if (sum[i] != world.sum_bits[i]) {
                fail("norm, seed %u: residual %zu is %04x, not %04x", seed, i, sum[i],
                     world.sum_bits[i]);
            }
        }
    }
    arrays_free();
}

static void expect_refusals(void)
{
    struct dyno_rng rng;
    struct elements x;
    struct dyno_cuda_norm_job good, bad[5];

    dyno_rng_init(&rng, 1, "refusals");
    x = random_elements(&rng, DYNO_ELEMENT_BF16, 64, 1.0F);
    good = (struct dyno_cuda_norm_job){.element = DYNO_ELEMENT_BF16,
                                       .rows = 2,
                                       .columns = 16,
                                       .x = x.device,
                                       .weight = x.device,
                                       .out = device_array(64),
                                       .x_stride = 16};
    for (int i = 0; i < 5; i++) {
        bad[i] = good;
    }
    bad[0].element = DYNO_ELEMENT_Q8_0;
    bad[1].columns = 0;
    bad[2].x_stride = 15;
    bad[3].residual = bad[3].out;
    bad[4].x = NULL;
    for (int i = 0; i < 5; i++) {
        if (dyno_cuda_norm(&bad[i], NULL) != DYNO_CUDA_REFUSED) {
            fail("norm: wrong job %d was not refused", i);
        }
    }
    good.x_stride = 20;
    if (dyno_cuda_norm_vector(&good, NULL) != DYNO_CUDA_REFUSED) {
        fail("norm: vectors at odd places were not refused");
    }
    if (!device_untouched(good.out, 64)) {
        fail("norm: something was written all the same");
    }
    arrays_free();
}

void test_norm(uint32_t seeds)
{
    static const uint32_t odd[] = {1, 3, 31, 33, 257, 1000};
    static const uint32_t even[] = {8, 64, 264, 1032, 2048, 4104, 8200};

    expect_refusals();
    for (uint32_t seed = 0; seed < seeds; seed++) {
        expect_norm(dyno_cuda_norm, seed, odd[seed % 6], seed % 2);
        expect_norm(dyno_cuda_norm_plain, seed, even[seed % 6], seed % 2);
        expect_norm(dyno_cuda_norm_vector, seed, even[seed % 7], seed % 2);
    }
}
