/* Small products against dyno_matmul_ref, weights of 16, 8 and 4 bits. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/gemv.h"
#include "kernels/matmul.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

struct world {
    struct dyno_cuda_gemv_job job;
    struct elements x, residual, scales;
    float *weights; /* [rows][columns] as they are read */
    float *due;
    double slack;
};

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

static void make_due(struct world *world, bool with_residual)
{
    const struct dyno_cuda_gemv_job *job = &world->job;
    struct dyno_matrix matrix = {DYNO_ELEMENT_F32, job->rows, job->columns, world->weights};
    struct dyno_matmul_job reference = {.weights = &matrix,
                                        .x = world->x.values,
                                        .n = job->n,
                                        .x_stride = job->x_stride,
                                        .y_stride = job->y_stride,
                                        .residual = with_residual ? world->residual.values : NULL,
                                        .y = world->due};

    dyno_matmul_ref(&reference);
    /* |W| is at most 0.5 or 1.28, |x| and the residual 1. */
    world->slack = 0x1p-14 * (1.3 * job->columns + 1.0);
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.slack = 0.0};
    struct dyno_cuda_gemv_job *job = &world.job;
    bool with_residual = seed % 2;

    dyno_rng_init(&rng, seed, "cuda gemv");
    job->element = dyno_rng_below(&rng, 2) ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->kind = (enum dyno_cuda_weights)(seed % 3);
    job->n = 1 + (uint32_t)dyno_rng_below(&rng, DYNO_CUDA_GEMV_MAX);
    job->rows = PICK(&rng, 1, 3, 4, 37);
    job->group = PICK(&rng, 8, 32, 64);
    job->columns = job->group * PICK(&rng, 1, 3, 7);
    job->x_stride = job->columns + PICK(&rng, 0, 8);
    job->y_stride = job->rows;
    make_weights(&world, &rng);
    world.x = random_elements(&rng, job->element, job->n * job->x_stride, 1.0F);
    world.residual = random_elements(&rng, job->element, job->n * job->y_stride, 1.0F);
    world.due = host_array(job->n * job->y_stride, sizeof(float));
    job->x = world.x.device;
    job->residual = with_residual ? world.residual.device : NULL;
    job->y = device_array(job->n * job->y_stride * sizeof(uint16_t));
    make_due(&world, with_residual);
    return world;
}

static void expect_refusals(void)
{
    struct world world = world_of(1);

    for (int i = 0; i < 5; i++) {
        struct dyno_cuda_gemv_job bad = world.job;

        bad.n = i == 0 ? DYNO_CUDA_GEMV_MAX + 1 : bad.n;
        bad.group = i == 1 ? 5 : bad.group;
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

void test_gemv(uint32_t seeds)
{
    expect_refusals();
    for (unsigned seed = 0; seed < 2 * seeds; seed++) {
        struct world world = world_of(seed);

        if (dyno_cuda_gemv(&world.job, NULL) != 0) {
            fail("gemv, seed %u: not done", seed);
        }
        expect_elements("gemv", seed, world.job.element, world.job.y, world.due,
                        world.job.n * world.job.y_stride, world.slack);
        arrays_free();
    }
}
