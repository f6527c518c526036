/* Attention on the device against its definition: plain, decoding, prefill. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/attention.h"
#include "tests/cuda/device.h"
#include "tests/cuda/paged.h"
#include "tests/cuda/tests.h"

typedef int attention_function(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream);

struct world {
    unsigned seed;
    struct paged paged;
    struct elements query;
    struct dyno_cuda_attention_slice *slice;
    uint32_t rows;
    struct dyno_cuda_attention_job job;
    float *due;
};

/* What varies: of a sequence, `queries` at the end of up to `context` tokens. */
struct shape {
    enum dyno_element element;
    struct paged_shape paged;
    uint32_t sharing; /* queries of a kv head */
    uint32_t queries_max, window;
    float query_scale; /* elements are below this; 0: below 2 */
};

static void make_slices(struct world *world, struct dyno_rng *rng, const struct shape *shape)
{
    world->slice = host_array(shape->paged.sequences, sizeof(*world->slice));
    for (uint32_t s = 0; s < shape->paged.sequences; s++) {
        uint32_t tokens = 1 + (uint32_t)dyno_rng_below(rng, shape->paged.tokens_max);
        uint32_t count = 1 + (uint32_t)dyno_rng_below(rng, shape->queries_max);

        tokens = s == 0 ? shape->paged.tokens_max : tokens; /* one ends where its last block does */
        count = count < tokens ? count : tokens;
        paged_fill(&world->paged, rng, s, tokens);
        world->slice[s] = (struct dyno_cuda_attention_slice){s, tokens - count, count, world->rows};
        world->rows += count;
        world->job.slice_max = count > world->job.slice_max ? count : world->job.slice_max;
        world->job.context_max = tokens > world->job.context_max ? tokens : world->job.context_max;
    }
    world->job.slice_count = shape->paged.sequences;
    world->job.slices = device_copy(world->slice, shape->paged.sequences * sizeof(*world->slice));
}

static void make_due(struct world *world)
{
    struct dyno_attention_slice *slice = host_array(world->job.slice_count, sizeof(*slice));
    struct dyno_attention_job reference = {.layer = &world->paged.layer,
                                           .slices = slice,
                                           .slice_count = world->job.slice_count,
                                           .heads = world->job.heads,
                                           .window = world->job.window,
                                           .scale = world->job.scale,
                                           .q = world->query.values,
                                           .out = world->due,
                                           .q_stride = world->job.query_stride,
                                           .out_stride = world->job.out_stride};

    for (uint32_t s = 0; s < world->job.slice_count; s++) {
        const struct dyno_cuda_attention_slice *from = &world->slice[s];

        slice[s] = (struct dyno_attention_slice){
            .table = world->paged.table + (size_t)from->sequence * world->paged.table_width,
            .first = from->first,
            .count = from->count,
            .row = from->row};
    }
    dyno_attention_ref(&reference);
}

static struct world world_of(unsigned seed, struct dyno_rng *rng, const struct shape *shape)
{
    struct world world = {.seed = seed, .paged = paged_of(rng, shape->paged)};
    struct dyno_cuda_attention_job *job = &world.job;
    uint32_t wide = shape->paged.kv_heads * shape->sharing * shape->paged.head_dim;

    job->element = shape->element;
    job->heads = shape->paged.kv_heads * shape->sharing;
    job->window = shape->window;
    job->scale = (float)(1.0 / sqrt(shape->paged.head_dim));
    make_slices(&world, rng, shape);
    job->table = world.paged.device_table;
    job->table_width = world.paged.table_width;
    job->query_stride = wide + 8 * dyno_rng_below(rng, 2);
    job->out_stride = wide;
    world.query = random_elements(rng, job->element, world.rows * job->query_stride,
                                  shape->query_scale > 0.0F ? shape->query_scale : 2.0F);
    job->query = world.query.device;
    job->out = device_array(world.rows * job->out_stride * sizeof(uint16_t));
    job->kv = world.paged.kv;
    world.due = host_array(world.rows * job->out_stride, sizeof(float));
    make_due(&world);
    return world;
}

static void expect_attention(const char *what, attention_function *attention, struct world *world,
                             double slack)
{
    size_t scratch = dyno_cuda_decode_scratch(&world->job);

    world->job.scratch = scratch > 0 ? device_array(scratch) : NULL;
    if (attention(&world->job, NULL) != 0) {
        fail("%s, seed %u: not done", what, world->seed);
    }
    expect_elements(what, world->seed, world->job.element, world->job.out, world->due,
                    world->rows * world->job.out_stride, slack);
}

/* Of the definition's tolerance: S is at most 2 x 2 x sqrt(head_dim), V is 1. */
static double fp32_slack(const struct world *world)
{
    return 0x1p-13 * (1.0 + 4.0 * sqrt(world->job.kv.head_dim));
}

static void expect_plain(unsigned seed)
{
    struct dyno_rng rng;
    struct shape shape;
    struct world world;

    dyno_rng_init(&rng, seed, "cuda attention plain");
    shape.element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    shape.paged.element = (enum dyno_cuda_kv_element)(seed % 3);
    shape.paged.sequences = PICK(&rng, 1, 2, 4);
    shape.paged.block_tokens = PICK(&rng, 1, 5, 16);
    shape.paged.kv_heads = PICK(&rng, 1, 2);
    shape.paged.head_dim = PICK(&rng, 1, 20, 64, 96);
    shape.paged.tokens_max = PICK(&rng, 1, 16, 35);
    shape.sharing = PICK(&rng, 1, 3);
    shape.queries_max = PICK(&rng, 1, 7);
    shape.window = PICK(&rng, 0, 0, 1, 9);
    shape.query_scale = 2.0F;
    world = world_of(seed, &rng, &shape);
    expect_attention("attention, plain", dyno_cuda_attention_plain, &world, fp32_slack(&world));
    arrays_free();
}

static void expect_decode(unsigned seed)
{
    struct dyno_rng rng;
    struct shape shape;
    struct world world;

    dyno_rng_init(&rng, seed, "cuda attention decode");
    shape.element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    shape.paged.element = seed % 4 >= 2   ? DYNO_CUDA_KV_E4M3
                          : seed % 2 == 1 ? DYNO_CUDA_KV_F16
                                          : DYNO_CUDA_KV_BF16;
    shape.paged.sequences = PICK(&rng, 1, 3, 40);
    shape.paged.block_tokens = PICK(&rng, 1, 16, 64);
    shape.paged.kv_heads = PICK(&rng, 1, 2);
    shape.paged.head_dim = PICK(&rng, 64, 128);
    shape.paged.tokens_max = PICK(&rng, 1, 15, 17, 37, 257, 511, 513, 1030);
    if (shape.paged.sequences > 3 && shape.paged.tokens_max > 300) {
        shape.paged.tokens_max = 300;
    }
    shape.sharing = PICK(&rng, 1, 2, 3, 4, 7, 8, 9, 16, 19);
    shape.queries_max = 1;
    shape.window = PICK(&rng, 0, 0, 0, 40);
    shape.query_scale = 2.0F;
    world = world_of(seed, &rng, &shape);
    expect_attention("attention, decode", dyno_cuda_attention_decode, &world, fp32_slack(&world));
    arrays_free();
}

/* Queries of bf16 that f16 does not hold, against keys of 8 bits: the same scores as of small ones.
 */
static void expect_wide_queries(void)
{
    const float wide[] = {0x1p100F, 0x1p-100F, 0x1p20F, 0x1p-20F};

    for (unsigned i = 0; i < sizeof wide / sizeof *wide; i++) {
        struct dyno_rng rng;
        struct shape shape = {
            DYNO_ELEMENT_BF16, {DYNO_CUDA_KV_E4M3, 2, 16, 1, 64, 48}, 3, 1, 0, wide[i]};
        struct world world;

        dyno_rng_init(&rng, i, "wide queries");
        world = world_of(i, &rng, &shape);
        world.job.scale *= 2.0F / wide[i];
        make_due(&world);
        expect_attention("attention, decode, wide queries", dyno_cuda_attention_decode, &world,
                         fp32_slack(&world));
        arrays_free();
    }
}

/* A sequence alone, and beside a longer one, becomes the same, bit for bit. */
static void expect_no_company(unsigned seed, uint32_t tokens_max)
{
    struct dyno_rng rng;
    struct shape shape = {
        DYNO_ELEMENT_BF16,
        {seed % 2 ? DYNO_CUDA_KV_E4M3 : DYNO_CUDA_KV_BF16, 3, 16, 1, 128, tokens_max},
        4,
        1,
        0,
        2.0F};
    struct world world;
    uint16_t *together;
    size_t count;

    dyno_rng_init(&rng, seed, "no company");
    world = world_of(seed, &rng, &shape);
    count = world.job.out_stride;
    expect_attention("attention, decode, together", dyno_cuda_attention_decode, &world,
                     fp32_slack(&world));
    together = device_read_all(world.job.out, world.rows * count * sizeof(uint16_t));
    for (uint32_t s = 0; s < shape.paged.sequences; s++) {
        struct dyno_cuda_attention_job job = world.job;
        size_t at = world.slice[s].row * count;
        uint16_t *alone;

        job.out = device_array(world.rows * count * sizeof(uint16_t));
        job.slices += s;
        job.slice_count = 1;
        job.context_max = world.slice[s].first + 1;
        if (dyno_cuda_attention_decode(&job, NULL) != 0) {
            fail("attention, decode, alone, seed %u: not done", seed);
        }
        alone = device_read_all(job.out, world.rows * count * sizeof(uint16_t));
        if (memcmp(alone + at, together + at, count * sizeof(uint16_t)) != 0) {
            fail("attention, decode, seed %u: sequence %u becomes another alone", seed, s);
        }
    }
    arrays_free();
}

static void expect_prefill(const char *what, attention_function *attention, unsigned seed)
{
    struct dyno_rng rng;
    struct shape shape;
    struct world world;

    dyno_rng_init(&rng, seed, "cuda attention prefill");
    shape.element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    shape.paged.element = seed % 4 >= 2   ? DYNO_CUDA_KV_E4M3
                          : seed % 2 == 1 ? DYNO_CUDA_KV_F16
                                          : DYNO_CUDA_KV_BF16;
    shape.paged.sequences = PICK(&rng, 1, 2);
    shape.paged.block_tokens = PICK(&rng, 5, 16, 64);
    shape.paged.kv_heads = PICK(&rng, 1, 2);
    shape.paged.head_dim = PICK(&rng, 64, 128);
    shape.paged.tokens_max = PICK(&rng, 1, 63, 64, 65, 129, 200);
    shape.sharing = PICK(&rng, 1, 3, 4);
    shape.queries_max = PICK(&rng, 1, 16, 17, 70);
    shape.window = PICK(&rng, 0, 0, 0, 30);
    shape.query_scale = 2.0F;
    world = world_of(seed, &rng, &shape);
    expect_attention(what, attention, &world,
                     fp32_slack(&world) + (shape.element == DYNO_ELEMENT_F16 ? 0x1p-11 : 0x1p-8));
    arrays_free();
}

/* Tiles are of 128 rows and 128 positions. */
static void expect_wgmma(unsigned seed)
{
    struct dyno_rng rng;
    struct shape shape;
    struct world world;

    dyno_rng_init(&rng, seed, "cuda attention wgmma");
    shape.element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    shape.paged.element = seed % 2 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16;
    shape.paged.sequences = PICK(&rng, 1, 2, 3);
    shape.paged.block_tokens = PICK(&rng, 8, 16, 64, 128, 256);
    shape.paged.kv_heads = PICK(&rng, 1, 2);
    shape.paged.head_dim = PICK(&rng, 64, 128);
    shape.paged.tokens_max = PICK(&rng, 1, 127, 128, 129, 300, 391);
    shape.sharing = PICK(&rng, 1, 2, 3, 4, 8);
    shape.queries_max = PICK(&rng, 1, 33, 129, 300);
    shape.window = 0;
    shape.query_scale = 2.0F;
    world = world_of(seed, &rng, &shape);
    expect_attention("attention, wgmma", dyno_cuda_attention_prefill_wgmma, &world,
                     fp32_slack(&world) + (shape.element == DYNO_ELEMENT_F16 ? 0x1p-11 : 0x1p-8));
    arrays_free();
}

/* More slices than a warp has lanes: items are found over all of them. */
static void expect_wgmma_slices(void)
{
    struct dyno_rng rng;
    struct shape shape = {
        DYNO_ELEMENT_BF16, {DYNO_CUDA_KV_BF16, 45, 8, 1, 64, 140}, 2, 20, 0, 2.0F};
    struct world world;

    dyno_rng_init(&rng, 3, "slices");
    world = world_of(3, &rng, &shape);
    expect_attention("attention, wgmma, many slices", dyno_cuda_attention_prefill_wgmma, &world,
                     fp32_slack(&world) + 0x1p-8);
    arrays_free();
}

/* Whether there is what it needs: Hopper's instructions. */
static bool has_wgmma(void)
{
    struct dyno_rng rng;
    struct shape shape = {DYNO_ELEMENT_BF16, {DYNO_CUDA_KV_BF16, 1, 16, 1, 64, 20}, 2, 1, 0, 2.0F};
    struct world world;
    int status;

    dyno_rng_init(&rng, 1, "wgmma");
    world = world_of(1, &rng, &shape);
    status = dyno_cuda_attention_prefill_wgmma(&world.job, NULL);
    arrays_free();
    return status == 0;
}

static void expect_refusals(void)
{
    struct dyno_rng rng;
    struct shape shape = {DYNO_ELEMENT_BF16, {DYNO_CUDA_KV_BF16, 2, 16, 1, 64, 20}, 2, 1, 0, 0.0F};
    struct world world;

    dyno_rng_init(&rng, 1, "refusals");
    world = world_of(1, &rng, &shape);
    for (int i = 0; i < 6; i++) {
        struct dyno_cuda_attention_job bad = world.job;

        bad.heads = i == 0 ? 0 : bad.heads;
        bad.kv.kv_heads = i == 1 ? 3 : bad.kv.kv_heads;
        bad.kv.head_dim = i == 2 ? 257 : bad.kv.head_dim;
        bad.element = i == 3 ? DYNO_ELEMENT_Q8_0 : bad.element;
        bad.table_width = i == 4 ? 0 : bad.table_width;
        bad.out_stride = i == 5 ? 1 : bad.out_stride;
        if (dyno_cuda_attention_plain(&bad, NULL) != DYNO_CUDA_REFUSED ||
            dyno_cuda_attention_decode(&bad, NULL) != DYNO_CUDA_REFUSED ||
            dyno_cuda_attention_prefill(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("attention: wrong job %d was not refused", i);
        }
    }
    world.job.slice_max = 2;
    if (dyno_cuda_attention_decode(&world.job, NULL) != DYNO_CUDA_REFUSED) {
        fail("attention: decoding two queries of a sequence was not refused");
    }
    if (!device_untouched(world.job.out, world.rows * world.job.out_stride * 2)) {
        fail("attention: something was written all the same");
    }
    arrays_free();
}

/* A table too short and an entry beyond the blocks: nothing is read there, and the rest counts. */
static void expect_safe_tables(attention_function *attention)
{
    const double rounded = 0x1p-8; /* of weights, where a kernel does so */
    struct dyno_rng rng;
    struct shape shape = {DYNO_ELEMENT_BF16, {DYNO_CUDA_KV_BF16, 1, 16, 1, 64, 48}, 2, 1, 0, 0.0F};
    struct world world;

    dyno_rng_init(&rng, 2, "tables");
    world = world_of(2, &rng, &shape);
    world.job.table_width = 2;
    world.slice[0].first = 31; /* what the reference may see */
    make_due(&world);
    expect_attention("attention with a short table", attention, &world,
                     fp32_slack(&world) + rounded);
    world.paged.table[1] = world.paged.kv.blocks;
    world.job.table = device_copy(world.paged.table, 2 * sizeof(uint32_t));
    world.slice[0].first = 15;
    make_due(&world);
    expect_attention("attention with a wild entry", attention, &world,
                     fp32_slack(&world) + rounded);
    arrays_free();
}

void test_attention(uint32_t seeds)
{
    bool wgmma = has_wgmma();

    expect_refusals();
    expect_safe_tables(dyno_cuda_attention_plain);
    expect_safe_tables(dyno_cuda_attention_decode);
    expect_safe_tables(dyno_cuda_attention_prefill);
    expect_wide_queries();
    expect_no_company(0, 4200); /* so many pieces that they are joined by another kernel */
    expect_no_company(1, 4200);
    expect_safe_tables(dyno_cuda_attention_prefill_mma);
    if (wgmma) {
        expect_safe_tables(dyno_cuda_attention_prefill_wgmma);
        expect_wgmma_slices();
    }
    for (unsigned seed = 0; seed < seeds; seed++) {
        expect_plain(seed);
        expect_decode(seed);
        expect_no_company(seed, 1100);
        expect_prefill("attention, prefill", dyno_cuda_attention_prefill, seed);
        expect_prefill("attention, mma", dyno_cuda_attention_prefill_mma, seed);
        if (wgmma) {
            expect_wgmma(seed);
        }
    }
}
