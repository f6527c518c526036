/* Small products against dyno_matmul_ref, weights of 16, 8 and 4 bits, the 8 integers or floats. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/gemv.h"
#include "kernels/fp8.h"
#include "kernels/matmul.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

struct world {
    struct dyno_cuda_gemv_job job;
    struct elements x, residual, bias, scales;
    float *weights; /* [rows][columns] as they are read */
    float *due;
    double slack;
};

/* Scales of more bits than an element has; magnitudes are at most 1.28, as those of integers. */
static void make_floats(struct world *world, struct dyno_rng *rng, size_t count, size_t scales)
{
    struct dyno_cuda_gemv_job *job = &world->job;
    uint8_t *bytes = host_array(count, 1);

    for (size_t i = 0; i < scales; i++) {
        world->scales.values[i] *= 0.25F * (1.0F + 0x1p-20F * (float)dyno_rng_below(rng, 1000));
    }
    for (size_t i = 0; i < count; i++) {
        size_t group =
            i / job->columns * (job->columns / job->group) + i % job->columns / job->group;

        bytes[i] = (uint8_t)dyno_rng_below(rng, 256);
        bytes[i] = (bytes[i] & 0x7f) == 0x7f ? 0 : bytes[i]; /* not a number */
        world->weights[i] = world->scales.values[group] * dyno_e4m3_to_float(bytes[i]);
    }
    job->scales = device_copy(world->scales.values, scales * sizeof(float));
    job->weights = device_copy(bytes, count);
}

static void make_weights(struct world *world, struct dyno_rng *rng)
{
    struct dyno_cuda_gemv_job *job = &world->job;
    size_t count = (size_t)job->rows * job->columns;
    size_t scales = count / job->group;
    uint8_t *bytes = host_array(count, 1);

    world->weights = host_array(count, sizeof(float));
    if (job->kind == DYNO_CUDA_WEIGHTS_16) {
        struct elements elements = random_elements(rng, job->element, count, 0.5F);

        memcpy(world->weights, elements.values, count * sizeof(float));
        job->weights = elements.device;
        return;
    }
    world->scales = random_elements(rng, job->element, scales, 0.01F);
    if (job->kind == DYNO_CUDA_WEIGHTS_E4M3) {
        make_floats(world, rng, count, scales);
        return;
    }
    job->scales = world->scales.device;
    for (size_t i = 0; i < count; i++) {
        float scale = world->scales.values[i / job->columns * (job->columns / job->group) +
                                           i % job->columns / job->group];
        bool narrow = job->kind == DYNO_CUDA_WEIGHTS_INT4;
        int quantum = (int)dyno_rng_below(rng, narrow ? 16 : 256) - (narrow ? 8 : 128);

        world->weights[i] = scale * (float)quantum;
        if (narrow) {
            bytes[i / 2] |= (uint8_t)((unsigned)(quantum + 8) << (i % 2 * 4));
        } else {
            bytes[i] = (uint8_t)(int8_t)quantum;
        }
    }
    job->weights = device_copy(bytes, job->kind == DYNO_CUDA_WEIGHTS_INT4 ? count / 2 : count);
}

static void make_due(struct world *world)
{
    const struct dyno_cuda_gemv_job *job = &world->job;
    struct dyno_matrix matrix = {DYNO_ELEMENT_F32, job->rows, job->columns, world->weights};
    struct dyno_matmul_job reference = {.weights = &matrix,
                                        .x = world->x.values,
                                        .n = job->n,
                                        .x_stride = job->x_stride,
                                        .y_stride = job->y_stride,
                                        .bias = job->bias ? world->bias.values : NULL,
                                        .residual = job->residual ? world->residual.values : NULL,
                                        .y = world->due};

    dyno_matmul_ref(&reference);
    /* |W| is at most 0.5 or 1.28, |x|, the bias and the residual 1. */
    world->slack = 0x1p-14 * (1.3 * job->columns + 2.0);
}

static void choose_shape(struct dyno_cuda_gemv_job *job, struct dyno_rng *rng, unsigned seed)
{
    job->element = dyno_rng_below(rng, 2) ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->kind = (enum dyno_cuda_weights)(seed % 4);
    job->n = 1 + (uint32_t)dyno_rng_below(rng, DYNO_CUDA_GEMV_MAX);
    job->rows = PICK(rng, 1, 3, 16, 37, 150);
    job->group = PICK(rng, 8, 32, 64, 128);
    job->columns = job->group * PICK(rng, 1, 3, 7, 20);
    if (job->kind == DYNO_CUDA_WEIGHTS_E4M3 && dyno_rng_below(rng, 2)) {
        job->group = job->columns; /* a scale a row */
    }
    job->x_stride = job->columns + PICK(rng, 0, 8);
    job->y_stride = job->rows;
    job->y_is_float = dyno_rng_below(rng, 4) == 0;
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.slack = 0.0};
    struct dyno_cuda_gemv_job *job = &world.job;
    size_t results;

    dyno_rng_init(&rng, seed, "cuda gemv");
    choose_shape(job, &rng, seed);
    results = job->n * job->y_stride;
    make_weights(&world, &rng);
    world.x = random_elements(&rng, job->element, job->n * job->x_stride, 1.0F);
    world.residual = random_elements(&rng, job->element, results, 1.0F);
    world.bias = random_elements(&rng, job->element, job->rows, 1.0F);
    world.due = host_array(results, sizeof(float));
    job->x = world.x.device;
    job->residual = seed % 2 && !job->y_is_float ? world.residual.device : NULL;
    job->bias = dyno_rng_below(&rng, 2) ? world.bias.device : NULL;
    job->y = device_array(results * (job->y_is_float ? sizeof(float) : sizeof(uint16_t)));
    make_due(&world);
    return world;
}

static void expect_refusals(void)
{
    struct world world = world_of(1);

    for (int i = 0; i < 6; i++) {
        struct dyno_cuda_gemv_job bad = world.job;

        bad.n = i == 0 ? DYNO_CUDA_GEMV_MAX + 1 : bad.n;
        bad.group = i == 1 ? 5 : bad.group;
        bad.y_is_float = i == 5 ? true : bad.y_is_float;
        bad.residual = i == 5 ? bad.x : bad.residual;
        bad.columns += i == 2 ? 4 : 0;
        bad.scales = i == 3 ? NULL : bad.scales;
        bad.x_stride -= i == 4 ? 16 : 0;
        if (dyno_cuda_gemv(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("gemv: wrong job %d was not refused", i);
        }
    }
    if (!device_untouched(world.job.y, world.job.n * world.job.y_stride * sizeof(uint16_t))) {
        fail("gemv: something was written all the same");
    }
    arrays_free();
}

static void expect_results(unsigned seed, const char *what, const struct world *world)
{
    const struct dyno_cuda_gemv_job *job = &world->job;
    size_t results = job->n * job->y_stride;
    float *got;

    if (!job->y_is_float) {
        expect_elements(what, seed, job->element, job->y, world->due, results, world->slack);
        return;
    }
    got = device_read_all(job->y, results * sizeof(*got));
    for (size_t i = 0; i < results; i++) {
        if (!(fabs((double)got[i] - (double)world->due[i]) <= world->slack)) {
            fail("%s, seed %u: float %zu is %g, not %g +- %g", what, seed, i, (double)got[i],
                 (double)world->due[i], world->slack);
        }
    }
}

/* An activation becomes, bit for bit, what it becomes alone. */
static void expect_no_company(unsigned seed, const struct world *world)
{
    struct dyno_cuda_gemv_job job = world->job;
    size_t row = job.rows * (job.y_is_float ? sizeof(float) : sizeof(uint16_t));
    const unsigned char *together = device_read_all(job.y, job.n * row), *alone;

    for (uint32_t i = 0; i < world->job.n; i++) {
        job.n = 1;
        job.x = (const uint16_t *)world->job.x + i * job.x_stride;
        job.y = device_array(row);
        if (job.residual) {
            job.residual = (const uint16_t *)world->job.residual + i * job.y_stride;
        }
        if (dyno_cuda_gemv(&job, NULL) != 0) {
            fail("gemv, seed %u: not done alone", seed);
        }
        alone = device_read_all(job.y, row);
        if (memcmp(alone, together + i * row, row) != 0) {
            fail("gemv, seed %u: activation %u of %u becomes something else alone", seed, i,
                 world->job.n);
        }
    }
}

void test_gemv(uint32_t seeds)
{
    expect_refusals();
    for (unsigned seed = 0; seed < 4 * seeds; seed++) {
        struct world world = world_of(seed);

        if (dyno_cuda_gemv_plain(&world.job, NULL) != 0) {
            fail("gemv, plain, seed %u: not done", seed);
        }
        expect_results(seed, "gemv, plain", &world);
        if (dyno_cuda_gemv(&world.job, NULL) != 0) {
            fail("gemv, seed %u: not done", seed);
        }
        expect_results(seed, "gemv", &world);
        expect_no_company(seed, &world);
        arrays_free();
    }
}
