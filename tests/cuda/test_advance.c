/* What the next step of decoding is told, against the same on the host. */
#include <string.h>

#include "kernels/cuda/advance.h"
#include "kernels/cuda/rope.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

enum { VOCAB = 1000, BLOCKS = 500 };

/* On the host and on the device; what is due after a step on the host. */
struct world {
    struct dyno_cuda_advance_job host, device;
};

static void due(const struct dyno_cuda_advance_job *job)
{
    for (uint32_t i = 0; i < job->rows; i++) {
        uint32_t position = job->position[i] + 1, place = position / job->block_tokens;

        if (job->token[i] == UINT32_MAX) {
            continue;
        }
        job->token[i] = job->chosen[i];
        job->position[i] = job->slices[i].first = position;
        job->slot[i] = DYNO_CUDA_NO_SLOT;
        if (place < job->table_width) {
            job->slot[i] = job->table[(size_t)i * job->table_width + place] * job->block_tokens +
                           position % job->block_tokens;
        }
        job->sample[i].position++;
    }
}

static void fill(struct dyno_rng *rng, const struct dyno_cuda_advance_job *job, uint32_t *chosen,
                 uint32_t *table)
{
    for (uint32_t i = 0; i < job->rows; i++) {
        uint32_t position =
            (uint32_t)dyno_rng_below(rng, (uint64_t)job->block_tokens * job->table_width);

        for (uint32_t block = 0; block < job->table_width; block++) {
            table[(size_t)i * job->table_width + block] = (uint32_t)dyno_rng_below(rng, BLOCKS);
        }
        chosen[i] = (uint32_t)dyno_rng_below(rng, VOCAB);
        job->token[i] = (uint32_t)dyno_rng_below(rng, VOCAB);
        job->position[i] = position;
        job->slot[i] = (uint32_t)dyno_rng_below(rng, VOCAB);
        job->slices[i] = (struct dyno_cuda_attention_slice){
            .sequence = i, .first = position, .count = 1, .row = i};
        job->sample[i] = (struct dyno_cuda_sample_row){.position = position + UINT64_C(1)};
        if (dyno_rng_below(rng, 4) == 0) { /* nobody */
            job->token[i] = UINT32_MAX;
            chosen[i] = UINT32_MAX - 1;
        }
    }
}

static struct world world_of(struct dyno_rng *rng)
{
    struct world world;
    struct dyno_cuda_advance_job job = {.rows = PICK(rng, 1, 7, 128, 300),
                                        .block_tokens = PICK(rng, 1, 16, 24),
                                        .table_width = PICK(rng, 1, 5, 16)};
    size_t rows = job.rows, entries = rows * job.table_width;
    uint32_t *chosen = host_array(rows, sizeof *chosen),
             *table = host_array(entries, sizeof *table);

    job.chosen = chosen;
    job.table = table;
    job.token = host_array(rows, sizeof *job.token);
    job.position = host_array(rows, sizeof *job.position);
    job.slot = host_array(rows, sizeof *job.slot);
    job.slices = host_array(rows, sizeof *job.slices);
    job.sample = host_array(rows, sizeof *job.sample);
    fill(rng, &job, chosen, table);
    world.host = world.device = job;
    world.device.chosen = device_copy(chosen, rows * sizeof *chosen);
    world.device.table = device_copy(table, entries * sizeof *table);
    world.device.token = device_copy(job.token, rows * sizeof *job.token);
    world.device.position = device_copy(job.position, rows * sizeof *job.position);
    world.device.slot = device_copy(job.slot, rows * sizeof *job.slot);
    world.device.slices = device_copy(job.slices, rows * sizeof *job.slices);
    world.device.sample = device_copy(job.sample, rows * sizeof *job.sample);
    return world;
}

static void expect(unsigned seed, const char *what, const void *device, const void *host,
                   size_t bytes)
{
    if (memcmp(device_read_all(device, bytes), host, bytes) != 0) {
        fail("advance, seed %u: %s is not what is due", seed, what);
    }
}

static void expect_refusals(struct dyno_rng *rng)
{
    struct world world = world_of(rng);

    for (int i = 0; i < 4; i++) {
        struct dyno_cuda_advance_job bad = world.device;

        bad.block_tokens = i == 0 ? 0 : bad.block_tokens;
        bad.chosen = i == 1 ? NULL : bad.chosen;
        bad.slices = i == 2 ? NULL : bad.slices;
        bad.sample = i == 3 ? NULL : bad.sample;
        if (dyno_cuda_advance(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("advance: wrong job %d was not refused", i);
        }
    }
    expect(0, "what was refused", world.device.token, world.host.token,
           world.host.rows * sizeof *world.host.token);
    arrays_free();
}

void test_advance(uint32_t seeds)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "cuda advance");
    expect_refusals(&rng);
    for (unsigned seed = 0; seed < seeds; seed++) {
        struct world world = world_of(&rng);
        size_t rows = world.host.rows;

        for (unsigned step = 0; step < 1 + seed % 3; step++) {
            due(&world.host);
            if (dyno_cuda_advance(&world.device, NULL) != 0) {
                fail("advance, seed %u: not done", seed);
            }
        }
        expect(seed, "token", world.device.token, world.host.token, rows * sizeof(uint32_t));
        expect(seed, "position", world.device.position, world.host.position,
               rows * sizeof(uint32_t));
        expect(seed, "slot", world.device.slot, world.host.slot, rows * sizeof(uint32_t));
        expect(seed, "slices", world.device.slices, world.host.slices,
               rows * sizeof *world.host.slices);
        expect(seed, "sample", world.device.sample, world.host.sample,
               rows * sizeof *world.host.sample);
        arrays_free();
    }
}
