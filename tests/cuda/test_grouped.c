/* Experts' products in one launch against dyno_matmul_ref, expert by expert. */
#include <stdbool.h>
#include <string.h>

#include "kernels/cuda/grouped.h"
#include "kernels/cuda/widen.h"
#include "kernels/matmul.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

struct world {
    struct dyno_cuda_grouped_job job;
    struct elements weights, x;
    uint32_t *first;
    float *due;
};

/* Some experts have no places, one may have all. */
static void share_out(struct world *world, struct dyno_rng *rng)
{
    struct dyno_cuda_grouped_job *job = &world->job;
    uint32_t favourite = (uint32_t)dyno_rng_below(rng, job->experts);
    bool is_skewed = dyno_rng_below(rng, 2);

    world->first = host_array(job->experts + 1, sizeof(uint32_t));
    for (uint32_t slot = 0; slot < job->slots; slot++) {
        bool is_his = is_skewed && dyno_rng_below(rng, 4) > 0;

        world->first[1 + (is_his ? favourite : dyno_rng_below(rng, job->experts))]++;
    }
    for (uint32_t expert = 0; expert < job->experts; expert++) {
        world->first[expert + 1] += world->first[expert];
    }
    job->expert_first = device_copy(world->first, (job->experts + 1) * sizeof(uint32_t));
}

static void make_due(struct world *world)
{
    const struct dyno_cuda_grouped_job *job = &world->job;

    world->due = host_array(job->slots * job->y_stride, sizeof(float));
    for (uint32_t expert = 0; expert < job->experts; expert++) {
        size_t first = world->first[expert];
        struct dyno_matrix matrix = {DYNO_ELEMENT_F32, job->rows, job->columns,
                                     world->weights.values +
                                         (size_t)expert * job->rows * job->columns};
        struct dyno_matmul_job reference = {.weights = &matrix,
                                            .x = world->x.values + first * job->x_stride,
                                            .n = world->first[expert + 1] - world->first[expert],
                                            .x_stride = job->x_stride,
                                            .y_stride = job->y_stride,
                                            .y = world->due + first * job->y_stride};

        if (reference.n > 0) {
            dyno_matmul_ref(&reference);
        }
    }
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.due = NULL};
    struct dyno_cuda_grouped_job *job = &world.job;

    dyno_rng_init(&rng, seed, "cuda grouped");
    job->element = dyno_rng_below(&rng, 2) ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->experts = PICK(&rng, 1, 3, 8, 40);
    job->slots = job->experts * PICK(&rng, 1, 8, 20, 50, 130) - (uint32_t)dyno_rng_below(&rng, 2);
    job->slots = job->slots < 300 ? job->slots : 300;
    job->rows = PICK(&rng, 8, 40, 136);
    job->columns = PICK(&rng, 8, 72, 264);
    job->x_stride = job->columns + PICK(&rng, 0, 8);
    job->y_stride = job->rows + PICK(&rng, 0, 8);
    world.weights =
        random_elements(&rng, job->element, (size_t)job->experts * job->rows * job->columns, 1.0F);
    world.x = random_elements(&rng, job->element, job->slots * job->x_stride, 1.0F);
    job->weights = world.weights.device;
    job->x = world.x.device;
    job->y = device_array(job->slots * job->y_stride * sizeof(uint16_t));
    share_out(&world, &rng);
    make_due(&world);
    return world;
}

static void expect_refusals(void)
{
    struct world world = world_of(1);

    for (int i = 0; i < 7; i++) {
        struct dyno_cuda_grouped_job bad = world.job;

        bad.element = i == 0 ? DYNO_ELEMENT_F32 : bad.element;
        bad.experts = i == 1 ? 0 : bad.experts;
        bad.rows = i == 2 ? bad.rows - 4 : bad.rows;
        bad.x_stride = i == 3 ? bad.columns - 8 : bad.x_stride;
        bad.x = i == 4 ? (const uint16_t *)bad.x + 1 : bad.x;
        bad.expert_first = i == 5 ? NULL : bad.expert_first;
        bad.kind = i == 6 ? DYNO_CUDA_WEIGHTS_INT4 : bad.kind;
        if (dyno_cuda_grouped(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("grouped: wrong job %d was not refused", i);
        }
    }
    if (!device_untouched(world.job.y, world.job.slots * world.job.y_stride * sizeof(uint16_t))) {
        fail("grouped: something was written all the same");
    }
    arrays_free();
}

/* What lies between the rows of y is as it was. */
static void expect_results(unsigned seed, const struct world *world)
{
    const struct dyno_cuda_grouped_job *job = &world->job;
    size_t count = (size_t)job->slots * job->y_stride;
    uint16_t *got = device_read_all(job->y, count * sizeof(*got));

    for (size_t i = 0; i < count; i++) {
        if (i % job->y_stride >= job->rows) {
            if (got[i] != 0xffff) {
                fail("grouped, seed %u: something was written between rows", seed);
            }
            got[i] = 0;
        }
    }
    expect_elements("grouped", seed, job->element, device_copy(got, count * sizeof(*got)),
                    world->due, count, 0x1p-14 * job->columns);
}

typedef int grouped_function(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream);

/* Refused: the GPU is not of Hopper's generation, which takes every job. */
static void expect_product(unsigned seed, struct world *world, grouped_function *multiply,
                           bool may_refuse)
{
    int status;

    world->job.y = device_array(world->job.slots * world->job.y_stride * sizeof(uint16_t));
    status = multiply(&world->job, NULL);
    if (status == DYNO_CUDA_REFUSED && may_refuse) {
        return;
    }
    if (status != 0) {
        fail("grouped, seed %u: not done", seed);
    }
    expect_results(seed, world);
}

/* The same weights of 8 bits, and as the elements that they become: the same results, to the bit.
 */
static void expect_same_of_8_bits(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = world_of(seed);
    struct dyno_cuda_grouped_job *job = &world.job;
    uint64_t count = (uint64_t)job->experts * job->rows * job->columns;
    size_t results = job->slots * job->y_stride * sizeof(uint16_t);
    struct dyno_cuda_widen_job widen = {.element = job->element,
                                        .kind = seed % 2 ? DYNO_CUDA_WEIGHTS_INT8
                                                         : DYNO_CUDA_WEIGHTS_E4M3,
                                        .rows = job->experts * job->rows,
                                        .columns = job->columns};
    uint8_t *bytes = host_array(count, 1);
    float *scales;
    const void *due;

    dyno_rng_init(&rng, seed, "cuda grouped of 8 bits");
    widen.group = dyno_rng_below(&rng, 2) ? 8 : job->columns;
    for (uint64_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(dyno_rng_below(&rng, 2) << 7 | dyno_rng_below(&rng, 0x78));
    }
    scales = random_elements(&rng, job->element, count / widen.group, 0.01F).values;
    widen.weights = device_copy(bytes, count);
    widen.scales = device_copy(scales, count / widen.group * sizeof *scales);
    if (widen.kind == DYNO_CUDA_WEIGHTS_INT8) {
        widen.scales = random_elements(&rng, job->element, count / widen.group, 0.01F).device;
    }
    widen.out = device_array(count * sizeof(uint16_t));
    if (dyno_cuda_widen(&widen, NULL) != 0) {
        fail("grouped, seed %u: weights are not widened", seed);
    }
    job->weights = widen.out;
    job->y = device_array(results);
    if (dyno_cuda_grouped_mma(job, NULL) != 0) {
        fail("grouped, seed %u: the widened are not multiplied", seed);
    }
    due = device_read_all(job->y, results);
    job->kind = widen.kind;
    job->group = widen.group;
    job->weights = widen.weights;
    job->scales = widen.scales;
    job->y = device_array(results);
    if (dyno_cuda_grouped_wgmma(job, NULL) != DYNO_CUDA_REFUSED ||
        dyno_cuda_grouped(job, NULL) != 0) {
        fail("grouped, seed %u: weights of 8 bits are not multiplied, or by wgmma", seed);
    }
    if (memcmp(device_read_all(job->y, results), due, results) != 0) {
        fail("grouped, seed %u: weights of 8 bits give other results than what they become", seed);
    }
    job->scales = NULL;
    if (dyno_cuda_grouped(job, NULL) != DYNO_CUDA_REFUSED) {
        fail("grouped, seed %u: weights of 8 bits without scales are not refused", seed);
    }
    arrays_free();
}

void test_grouped(uint32_t seeds)
{
    expect_refusals();
    for (unsigned seed = 0; seed < seeds; seed++) {
        expect_same_of_8_bits(seed);
    }
    for (unsigned seed = 0; seed < 2 * seeds; seed++) {
        struct world world = world_of(seed);

        expect_product(seed, &world, dyno_cuda_grouped_mma, false);
        expect_product(seed, &world, dyno_cuda_grouped_wgmma, true);
        expect_product(seed, &world, dyno_cuda_grouped, false);
        arrays_free();
    }
}
