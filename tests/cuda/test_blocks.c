/* Moving blocks: copy, gather and scatter against the same on the host. */
#include <string.h>

#include "kernels/cuda/blocks.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

enum { BLOCKS = 20 };

struct world {
    uint32_t source[BLOCKS], target[BLOCKS];
    unsigned char *from, *due;
    struct dyno_cuda_blocks_job job;
};

static void shuffle(struct dyno_rng *rng, uint32_t *list)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t other = (uint32_t)dyno_rng_below(rng, i + 1);

        list[i] = list[other];
        list[other] = i;
    }
}

/* `packed`: of neither, the target's, the source's side. */
static struct world world_of(struct dyno_rng *rng, uint32_t packed)
{
    struct world world = {.job = {.count = PICK(rng, 1, 5, BLOCKS),
                                  .block_bytes = PICK(rng, 16, 496, 16384, 20000),
                                  .source_blocks = BLOCKS,
                                  .target_blocks = BLOCKS}};
    size_t bytes = BLOCKS * world.job.block_bytes;

    shuffle(rng, world.source);
    shuffle(rng, world.target);
    if (dyno_rng_below(rng, 3) == 0 && packed != 2) {
        world.source[0] = BLOCKS; /* beyond the pool: left out */
    }
    world.from = host_array(bytes, 1);
    world.due = host_array(bytes, 1);
    memset(world.due, 0xff, bytes);
    for (size_t i = 0; i < bytes; i++) {
        world.from[i] = (unsigned char)dyno_rng_below(rng, 256);
    }
    for (uint32_t i = 0; i < world.job.count; i++) {
        uint32_t source = packed == 2 ? i : world.source[i];
        uint32_t target = packed == 1 ? i : world.target[i];

        if (source < BLOCKS) {
            memcpy(world.due + target * world.job.block_bytes,
                   world.from + source * world.job.block_bytes, world.job.block_bytes);
        }
    }
    world.job.source = packed == 2 ? NULL : device_copy(world.source, sizeof(world.source));
    world.job.target = packed == 1 ? NULL : device_copy(world.target, sizeof(world.target));
    world.job.from = device_copy(world.from, bytes);
    world.job.to = device_array(bytes);
    return world;
}

static void expect_refusals(struct dyno_rng *rng)
{
    struct world world = world_of(rng, 1);

    for (int i = 0; i < 4; i++) {
        struct dyno_cuda_blocks_job bad = world.job;

        bad.block_bytes += i == 0 ? 8 : 0;
        bad.target_blocks = i == 1 ? bad.count - 1 : bad.target_blocks;
        bad.from = i == 2 ? NULL : bad.from;
        bad.to = i == 3 ? (unsigned char *)bad.to + 4 : bad.to;
        if (dyno_cuda_blocks(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("blocks: wrong job %d was not refused", i);
        }
    }
    if (!device_untouched(world.job.to, BLOCKS * world.job.block_bytes)) {
        fail("blocks: something was written all the same");
    }
    arrays_free();
}

void test_blocks(uint32_t seeds)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "cuda blocks");
    expect_refusals(&rng);
    for (unsigned seed = 0; seed < seeds; seed++) {
        struct world world = world_of(&rng, seed % 3);
        size_t bytes = BLOCKS * world.job.block_bytes;

        if (dyno_cuda_blocks(&world.job, NULL) != 0) {
            fail("blocks, seed %u: not done", seed);
        }
        if (memcmp(device_read_all(world.job.to, bytes), world.due, bytes) != 0) {
            fail("blocks, seed %u: %u blocks of %zu bytes did not arrive", seed, world.job.count,
                 (size_t)world.job.block_bytes);
        }
        arrays_free();
    }
}
