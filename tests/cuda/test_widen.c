/* Matrices of 8 bits as 16-bit elements: every one of the bytes, exactly. */
#include "kernels/cuda/widen.h"
#include "kernels/fp8.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

struct world {
    struct dyno_cuda_widen_job job;
    uint8_t *bytes;
    float *scale; /* [rows][columns / group] as they are read */
    size_t count;
};

static bool is_float(const struct world *world)
{
    return world->job.kind == DYNO_CUDA_WEIGHTS_E4M3;
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.count = 0};
    struct dyno_cuda_widen_job *job = &world.job;
    struct elements scales;
    size_t groups;

    dyno_rng_init(&rng, seed, "cuda widen");
    job->element = dyno_rng_below(&rng, 2) ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->kind = seed % 2 ? DYNO_CUDA_WEIGHTS_INT8 : DYNO_CUDA_WEIGHTS_E4M3;
    job->rows = PICK(&rng, 1, 3, 37);
    job->group = PICK(&rng, 8, 24, 32, 128);
    job->columns = job->group * PICK(&rng, 1, 2, 5);
    groups = (size_t)job->rows * (job->columns / job->group);
    world.count = (size_t)job->rows * job->columns;
    world.bytes = host_array(world.count, 1);
    for (size_t i = 0; i < world.count; i++) {
        world.bytes[i] = (uint8_t)dyno_rng_below(&rng, 256);
        if (is_float(&world) && (world.bytes[i] & 0x7f) == 0x7f) {
            world.bytes[i] = 0; /* not a number */
        }
    }
    scales = random_elements(&rng, job->element, groups, 0.01F);
    world.scale = scales.values;
    for (size_t i = 0; is_float(&world) && i < groups; i++) {
        world.scale[i] *= 1.0F + 0x1p-20F * (float)dyno_rng_below(&rng, 1000);
    }
    job->scales =
        is_float(&world) ? device_copy(world.scale, groups * sizeof(float)) : scales.device;
    job->weights = device_copy(world.bytes, world.count);
    job->out = device_array(world.count * sizeof(uint16_t));
    return world;
}

static void expect_elements_of(unsigned seed, const struct world *world)
{
    const struct dyno_cuda_widen_job *job = &world->job;
    const uint16_t *got = device_read_all(job->out, world->count * sizeof(*got));

    for (size_t i = 0; i < world->count; i++) {
        size_t row = i / job->columns, groups = job->columns / job->group;
        float scale = world->scale[row * groups + i % job->columns / job->group];
        float value =
            is_float(world) ? dyno_e4m3_to_float(world->bytes[i]) : (float)(int8_t)world->bytes[i];
        uint16_t due = element_of(job->element, value * scale);

        if (got[i] != due) {
            fail("widen, seed %u: element %zu of byte %02x is %04x, not %04x", seed, i,
                 world->bytes[i], got[i], due);
        }
    }
}

static void expect_refusals(void)
{
    struct world world = world_of(0);

    for (int i = 0; i < 6; i++) {
        struct dyno_cuda_widen_job bad = world.job;

        bad.kind = i == 0 ? DYNO_CUDA_WEIGHTS_INT4 : bad.kind;
        bad.element = i == 1 ? DYNO_ELEMENT_F32 : bad.element;
        bad.columns += i == 2 ? 4 : 0;
        bad.group = i == 3 ? bad.columns * 2 : bad.group;
        bad.scales = i == 4 ? NULL : bad.scales;
        bad.weights = i == 5 ? (const char *)bad.weights + 4 : bad.weights;
        if (dyno_cuda_widen(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("widen: wrong job %d was not refused", i);
        }
    }
    if (!device_untouched(world.job.out, world.count * sizeof(uint16_t))) {
        fail("widen: something was written all the same");
    }
    arrays_free();
}

void test_widen(uint32_t seeds)
{
    expect_refusals();
    for (unsigned seed = 0; seed < 2 * seeds; seed++) {
        struct world world = world_of(seed);

        if (dyno_cuda_widen(&world.job, NULL) != 0) {
            fail("widen, seed %u: not done", seed);
        }
        expect_elements_of(seed, &world);
        arrays_free();
    }
}
