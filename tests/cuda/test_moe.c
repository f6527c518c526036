/* Mixtures of experts: the choice, the order, the way there and back. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/moe.h"
#include "kernels/moe.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

struct world {
    struct dyno_cuda_moe_job job;
    uint32_t slots;
    float *logits;
    struct elements x, mixed, residual;
    uint32_t *expert, *place, *first; /* what is due */
    float *weight;
};

static void make_due(struct world *world)
{
    const struct dyno_cuda_moe_job *job = &world->job;
    uint32_t place = 0;

    world->expert = host_array(world->slots, sizeof(uint32_t));
    world->place = host_array(world->slots, sizeof(uint32_t));
    world->first = host_array(job->experts + 1, sizeof(uint32_t));
    world->weight = host_array(world->slots, sizeof(float));
    for (uint32_t t = 0; t < job->tokens; t++) {
        dyno_moe_route(world->logits + (size_t)t * job->experts, job->experts, job->chosen,
                       job->normalize, world->expert + t * job->chosen,
                       world->weight + t * job->chosen);
    }
    for (uint32_t expert = 0; expert < job->experts; expert++) {
        world->first[expert] = place;
        for (uint32_t slot = 0; slot < world->slots; slot++) {
            if (world->expert[slot] == expert) {
                world->place[slot] = place++;
            }
        }
    }
    world->first[job->experts] = place;
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.slots = 0};
    struct dyno_cuda_moe_job *job = &world.job;

    dyno_rng_init(&rng, seed, "cuda moe");
    job->element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->tokens = PICK(&rng, 1, 3, 33);
    job->experts = PICK(&rng, 1, 8, 33, 128);
    job->chosen = 1 + (uint32_t)dyno_rng_below(&rng, job->experts < 8 ? job->experts : 8);
    job->normalize = dyno_rng_below(&rng, 2);
    job->columns = PICK(&rng, 8, 72);
    world.slots = job->tokens * job->chosen;
    world.logits = host_array((size_t)job->tokens * job->experts, sizeof(float));
    for (uint32_t i = 0; i < job->tokens * job->experts; i++) {
        float logit = (float)(8.0 * dyno_rng_unit(&rng) - 4.0);

        world.logits[i] = seed % 3 ? logit : roundf(logit); /* with ties */
    }
    world.x = random_elements(&rng, job->element, (size_t)job->tokens * job->columns, 1.0F);
    world.residual = random_elements(&rng, job->element, (size_t)job->tokens * job->columns, 1.0F);
    world.mixed = random_elements(&rng, job->element, (size_t)world.slots * job->columns, 1.0F);
    make_due(&world);
    job->logits = device_copy(world.logits, (size_t)job->tokens * job->experts * sizeof(float));
    job->expert = device_array(world.slots * sizeof(uint32_t));
    job->weight = device_array(world.slots * sizeof(float));
    job->place = device_array(world.slots * sizeof(uint32_t));
    job->expert_first = device_array((job->experts + 1) * sizeof(uint32_t));
    job->x = world.x.device;
    job->mixed = world.mixed.device;
    job->residual = dyno_rng_below(&rng, 2) ? world.residual.device : NULL;
    job->gathered = device_array((size_t)world.slots * job->columns * sizeof(uint16_t));
    job->out = device_array((size_t)job->tokens * job->columns * sizeof(uint16_t));
    return world;
}

static void expect_ids(const char *what, unsigned seed, const uint32_t *device, const uint32_t *due,
                       uint32_t count)
{
    const uint32_t *got = device_read_all(device, count * sizeof(*got));

    for (uint32_t i = 0; i < count; i++) {
        if (got[i] != due[i]) {
            fail("moe, seed %u: %s %u is %u, not %u", seed, what, i, got[i], due[i]);
        }
    }
}

static void expect_route(const struct world *world, unsigned seed)
{
    const float *weight;

    if (dyno_cuda_moe_route(&world->job, NULL) != 0) {
        fail("moe, seed %u: not routed", seed);
    }
    expect_ids("expert", seed, world->job.expert, world->expert, world->slots);
    expect_ids("place", seed, world->job.place, world->place, world->slots);
    expect_ids("first place", seed, world->job.expert_first, world->first, world->job.experts + 1);
    weight = device_read_all(world->job.weight, world->slots * sizeof(*weight));
    for (uint32_t i = 0; i < world->slots; i++) {
        if (!(fabsf(weight[i] - world->weight[i]) <= 0x1p-18F)) {
            fail("moe, seed %u: weight %u is %g, not %g", seed, i, (double)weight[i],
                 (double)world->weight[i]);
        }
    }
}

static void expect_rows(const struct world *world, unsigned seed)
{
    const struct dyno_cuda_moe_job *job = &world->job;
    size_t columns = job->columns;
    float *gathered = host_array(world->slots * columns, sizeof(float));
    float *out = host_array(job->tokens * columns, sizeof(float));

    for (uint32_t slot = 0; slot < world->slots; slot++) {
        memcpy(gathered + world->place[slot] * columns,
               world->x.values + slot / job->chosen * columns, columns * sizeof(float));
    }
    for (size_t i = 0; i < job->tokens * columns; i++) {
        double sum = job->residual ? (double)world->residual.values[i] : 0.0;

        for (uint32_t choice = 0; choice < job->chosen; choice++) {
            size_t slot = i / columns * job->chosen + choice;

            sum += (double)world->weight[slot] *
                   (double)world->mixed.values[world->place[slot] * columns + i % columns];
        }
        out[i] = (float)sum;
    }
    if (dyno_cuda_moe_gather(job, NULL) != 0 || dyno_cuda_moe_combine(job, NULL) != 0) {
        fail("moe, seed %u: rows were not moved", seed);
    }
    expect_elements("moe, gathered", seed, job->element, job->gathered, gathered,
                    world->slots * columns, 0.0);
    expect_elements("moe, combined", seed, job->element, job->out, out, job->tokens * columns,
                    0x1p-14);
}

static void expect_refusals(void)
{
    struct world world = world_of(1);

    for (int i = 0; i < 4; i++) {
        struct dyno_cuda_moe_job bad = world.job;

        bad.chosen = i == 0 ? bad.experts + 1 : bad.chosen;
        bad.experts = i == 1 ? DYNO_CUDA_EXPERTS_MAX + 1 : bad.experts;
        bad.place = i == 2 ? NULL : bad.place;
        bad.chosen = i == 3 ? 0 : bad.chosen;
        if (dyno_cuda_moe_route(&bad, NULL) != DYNO_CUDA_REFUSED ||
            dyno_cuda_moe_gather(&bad, NULL) != DYNO_CUDA_REFUSED ||
            dyno_cuda_moe_combine(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("moe: wrong job %d was not refused", i);
        }
    }
    if (!device_untouched(world.job.expert, world.slots * sizeof(uint32_t))) {
        fail("moe: something was written all the same");
    }
    arrays_free();
}

void test_moe(uint32_t seeds)
{
    expect_refusals();
    for (unsigned seed = 0; seed < seeds; seed++) {
        struct world world = world_of(seed);

        expect_route(&world, seed);
        expect_rows(&world, seed);
        arrays_free();
    }
}
