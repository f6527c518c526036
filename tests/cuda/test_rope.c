/* QK-norm, rotary embedding and the write into blocks against their definitions. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/rope.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "tests/cuda/device.h"
#include "tests/cuda/paged.h"
#include "tests/cuda/tests.h"

enum { POSITIONS = 300 };

struct world {
    unsigned seed;
    struct paged paged;
    struct elements query, key, value, query_norm, key_norm;
    double *frequency, length;
    uint32_t *position, *slot;
    struct dyno_cuda_rope_job job;
};

static void make_frequencies(struct world *world, struct dyno_rng *rng)
{
    uint32_t pairs = world->job.pairs;
    float *table = host_array((size_t)POSITIONS * pairs * 2, sizeof(float)), factor[128];

    world->frequency = host_array(pairs, sizeof(double));
    dyno_rope_frequencies(10000.0, pairs, world->frequency);
    for (uint32_t i = 0; i < pairs; i++) {
        factor[i] = 1.0F + (float)i / 8.0F;
    }
    world->length = 1.0;
    switch (dyno_rng_below(rng, 5)) {
    case 0:
        dyno_rope_scale_llama3(8.0, 1.0, 4.0, 64, pairs, world->frequency);
        break;
    case 1:
        dyno_rope_scale_table(factor, pairs, world->frequency);
        break;
    case 2:
        dyno_rope_scale_linear(4.0, pairs, world->frequency);
        break;
    case 3:
        dyno_rope_scale_yarn(&(struct dyno_rope_yarn){.theta = 10000.0,
                                                      .factor = 4.0,
                                                      .beta_fast = 32.0,
                                                      .beta_slow = 1.0,
                                                      .original_context = 75},
                             pairs, world->frequency);
        world->length = dyno_rope_yarn_length(4.0, 1.0);
        break;
    default:
        break;
    }
    dyno_rope_table(world->frequency, world->length, pairs, POSITIONS, table);
    world->job.table = device_copy(table, (size_t)POSITIONS * pairs * 2 * sizeof(float));
}

/* Token t goes to a position of sequence t; one in eight is not stored. */
static void make_places(struct world *world, struct dyno_rng *rng)
{
    const struct dyno_cuda_kv *kv = &world->paged.kv;
    uint32_t tokens = world->job.tokens;

    world->position = host_array(tokens, sizeof(uint32_t));
    world->slot = host_array(tokens, sizeof(uint32_t));
    for (uint32_t t = 0; t < tokens; t++) {
        uint32_t at = (uint32_t)dyno_rng_below(rng, POSITIONS);

        world->position[t] = at;
        world->slot[t] =
            world->paged.table[(size_t)t * world->paged.table_width + at / kv->block_tokens] *
                kv->block_tokens +
            at % kv->block_tokens;
        if (dyno_rng_below(rng, 8) == 0) {
            world->slot[t] = DYNO_CUDA_NO_SLOT;
        }
    }
    world->job.position = device_copy(world->position, tokens * sizeof(uint32_t));
    world->job.slot = device_copy(world->slot, tokens * sizeof(uint32_t));
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.seed = seed};
    struct paged_shape shape;
    struct dyno_cuda_rope_job *job = &world.job;

    dyno_rng_init(&rng, seed, "cuda rope");
    shape.element = (enum dyno_cuda_kv_element)(seed % 3);
    shape.sequences = PICK(&rng, 1, 3, 9);
    shape.block_tokens = PICK(&rng, 1, 7, 16);
    shape.kv_heads = PICK(&rng, 1, 2, 3);
    shape.head_dim = PICK(&rng, 2, 24, 64, 128, 256);
    shape.tokens_max = POSITIONS;
    world.paged = paged_of(&rng, shape);
    job->element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->tokens = shape.sequences;
    job->heads = shape.kv_heads * PICK(&rng, 1, 4, 5);
    job->pairs = shape.head_dim / PICK(&rng, 2, 2, 4);
    job->adjacent = dyno_rng_below(&rng, 2);
    job->positions = POSITIONS;
    job->query_stride = job->heads * shape.head_dim + PICK(&rng, 0, 8);
    job->kv_stride = shape.kv_heads * shape.head_dim + PICK(&rng, 0, 8);
    job->epsilon = 1e-6F;
    job->kv = world.paged.kv;
    world.query = random_elements(&rng, job->element, job->tokens * job->query_stride, 2.0F);
    world.key = random_elements(&rng, job->element, job->tokens * job->kv_stride, 2.0F);
    world.value = random_elements(&rng, job->element, job->tokens * job->kv_stride, 2.0F);
    world.query_norm = random_elements(&rng, job->element, shape.head_dim, 2.0F);
    world.key_norm = random_elements(&rng, job->element, shape.head_dim, 2.0F);
    job->query = world.query.device;
    job->key = world.key.device;
    job->value = world.value.device;
    if (dyno_rng_below(&rng, 2)) {
        job->query_norm = world.query_norm.device;
        job->key_norm = world.key_norm.device;
    }
    make_frequencies(&world, &rng);
    make_places(&world, &rng);
    return world;
}

/* A head by the definitions, in place. */
static void prepare(const struct world *world, float *head, const float *norm, uint32_t token)
{
    if (world->job.query_norm) {
        float normed[256];

        dyno_rms_norm_ref(head, norm, (double)world->job.epsilon, world->job.kv.head_dim, normed);
        memcpy(head, normed, world->job.kv.head_dim * sizeof(float));
    }
    dyno_rope_turn_ref(head, world->frequency, world->length, world->position[token],
                       world->job.pairs, world->job.adjacent);
}

static void expect_queries(struct world *world)
{
    const struct dyno_cuda_rope_job *job = &world->job;

    for (uint32_t t = 0; t < job->tokens; t++) {
        for (uint32_t h = 0; h < job->heads; h++) {
            prepare(world, world->query.values + t * job->query_stride + h * job->kv.head_dim,
                    world->query_norm.values, t);
        }
    }
    expect_elements("query", world->seed, job->element, job->query, world->query.values,
                    job->tokens * job->query_stride, 0x1p-15);
}

/* What is stored is what is due, rounded, give or take a unit where it lay midway. */
static void expect_stored(const struct world *world, const float *due, const void *array, size_t at,
                          float scale)
{
    const struct dyno_cuda_kv *kv = &world->paged.kv;
    double unit = kv->element == DYNO_CUDA_KV_E4M3   ? 0x1p-4
                  : kv->element == DYNO_CUDA_KV_BF16 ? 0x1p-8
                                                     : 0x1p-11;

    for (uint32_t d = 0; d < kv->head_dim; d++) {
        double got = (double)paged_value(kv, array, at + d, scale), want = (double)due[d];

        if (!(fabs(got - want) <= fabs(want) * unit * 1.001 + 0x1p-10 * (double)scale + 0x1p-15)) {
            fail("rope, seed %u: dimension %u is stored as %g, not %g", world->seed, d, got, want);
        }
    }
}

static void expect_blocks(struct world *world)
{
    const struct dyno_cuda_rope_job *job = &world->job;
    const struct dyno_cuda_kv *kv = &job->kv;
    size_t bytes = kv->blocks * kv->block_stride * dyno_cuda_kv_bytes(kv->element);
    const void *keys = device_read_all(kv->keys, bytes);
    const void *values = device_read_all(kv->values, bytes);

    for (uint32_t t = 0; t < job->tokens; t++) {
        for (uint32_t h = 0; h < kv->kv_heads; h++) {
            float *key = world->key.values + t * job->kv_stride + h * kv->head_dim;
            size_t at = paged_at(&world->paged, t, h, world->position[t]);
            const float *value = world->value.values + t * job->kv_stride + h * kv->head_dim;

            if (world->slot[t] == DYNO_CUDA_NO_SLOT) {
                continue;
            }
            prepare(world, key, world->key_norm.values, t);
            expect_stored(world, key, keys, at, kv->key_scale);
            expect_stored(world, value, values, at, kv->value_scale);
        }
    }
}

static void expect_refusals(void)
{
    struct world world = world_of(1);
    size_t bytes = world.job.tokens * world.job.query_stride * sizeof(uint16_t);

    for (int i = 0; i < 6; i++) {
        struct dyno_cuda_rope_job bad = world.job;

        bad.pairs = i == 0 ? bad.kv.head_dim / 2 + 1 : bad.pairs;
        bad.kv.head_dim = i == 1 ? 512 : bad.kv.head_dim;
        bad.kv.key_scale = i == 2 ? 0.0F : bad.kv.key_scale;
        bad.query_stride = i == 3 ? 1 : bad.query_stride;
        bad.element = i == 4 ? DYNO_ELEMENT_F32 : bad.element;
        bad.slot = i == 5 ? NULL : bad.slot;
        if (dyno_cuda_rope(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("rope: wrong job %d was not refused", i);
        }
    }
    if (memcmp(device_read_all(world.job.query, bytes), world.query.bits, bytes) != 0) {
        fail("rope: something was written all the same");
    }
    arrays_free();
}

typedef int version(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream);

/* Whether the version takes the shape of this seed; then it does right by it. */
static bool does_right(unsigned seed, version *run, const char *name)
{
    struct world world = world_of(seed);
    int status = run(&world.job, NULL);

    if (status == 0) {
        expect_queries(&world);
        expect_blocks(&world);
    } else if (status != DYNO_CUDA_REFUSED) {
        fail("rope, %s, seed %u: not done", name, seed);
    }
    arrays_free();
    return status == 0;
}

void test_rope(uint32_t seeds)
{
    bool in_vectors = false;

    expect_refusals();
    for (unsigned seed = 0; seed < 2 * seeds; seed++) {
        if (!does_right(seed, dyno_cuda_rope_plain, "plain") ||
            !does_right(seed, dyno_cuda_rope, "fastest")) {
            fail("rope, seed %u: refused", seed);
        }
        in_vectors |= does_right(seed, dyno_cuda_rope_vector, "vector");
    }
    if (!in_vectors) {
        fail("rope: not one of the shapes was done in vectors");
    }
}
