/* Tokens chosen on the device, by either version, are those that dyno_sample chooses. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cuda/sample.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

enum { ROWS_MAX = 25, VOCAB_MAX = 20000, HISTORY_MAX = 40, BIAS_MAX = 5 };

/* On the host; the device has copies of the lists. */
struct world {
    uint32_t vocab;
    struct dyno_sampling sampling[ROWS_MAX];
    struct dyno_sample_history history[ROWS_MAX];
    uint64_t position[ROWS_MAX];
    struct dyno_cuda_sample_row row[ROWS_MAX];
    float *logits;
    struct dyno_cuda_sample_job job;
};

static void make_logits(struct world *world, struct dyno_rng *rng)
{
    uint32_t coarse = PICK(rng, 0, 0, 3); /* with few values there are ties */
    float spread = (float)PICK(rng, 0, 1, 5, 10, 40, 3000);
    float other = dyno_rng_below(rng, 6) ? -INFINITY : INFINITY;

    for (size_t i = 0; i < (size_t)world->job.rows * world->job.stride; i++) {
        float value = spread * (float)(2.0 * dyno_rng_unit(rng) - 1.0);

        world->logits[i] = coarse ? roundf(value) : value;
        if (dyno_rng_below(rng, 50) == 0) {
            world->logits[i] = dyno_rng_below(rng, 2) ? NAN : other;
        }
    }
}

static void make_lists(struct world *world, struct dyno_rng *rng, uint32_t r)
{
    struct dyno_sampling *sampling = &world->sampling[r], *device = &world->row[r].sampling;
    struct dyno_logit_bias *bias = host_array(BIAS_MAX, sizeof(*bias));
    uint32_t *tokens = host_array(HISTORY_MAX, sizeof(*tokens));
    uint64_t *allowed = host_array(VOCAB_MAX / 64 + 1, sizeof(*allowed));

    for (uint32_t i = 0; i < HISTORY_MAX; i++) {
        tokens[i] = (uint32_t)dyno_rng_below(rng, world->vocab);
    }
    for (uint32_t i = 0; i < BIAS_MAX; i++) {
        bias[i].token = (uint32_t)dyno_rng_below(rng, world->vocab);
        bias[i].bias = dyno_rng_below(rng, 4) ? 3.0 * dyno_rng_unit(rng) : (double)-INFINITY;
    }
    for (uint32_t i = 0; i <= VOCAB_MAX / 64; i++) {
        allowed[i] = dyno_rng_u64(rng);
    }
    allowed[0] |= 1;
    sampling->bias = bias;
    sampling->bias_count = PICK(rng, 0, 0, BIAS_MAX);
    sampling->allowed = dyno_rng_below(rng, 3) ? NULL : allowed;
    world->history[r].tokens = tokens;
    world->history[r].count = (uint32_t)dyno_rng_below(rng, HISTORY_MAX + 1);
    world->history[r].prompt_count = (uint32_t)dyno_rng_below(rng, world->history[r].count + 1);
    world->row[r].history = world->history[r];
    world->row[r].history.tokens = device_copy(tokens, HISTORY_MAX * sizeof(*tokens));
    *device = *sampling;
    device->bias = device_copy(bias, BIAS_MAX * sizeof(*bias));
    device->allowed =
        sampling->allowed ? device_copy(allowed, (VOCAB_MAX / 64 + 1) * sizeof(*allowed)) : NULL;
}

static double temperature_of(struct dyno_rng *rng)
{
    switch (dyno_rng_below(rng, 8)) {
    case 0:
        return 0.0;
    case 1:
        return pow(10.0, 400.0 * dyno_rng_unit(rng) - 100.0);
    default:
        return 0.2 + 2.0 * dyno_rng_unit(rng);
    }
}

/* As most requests are: temperature and top-p. */
static void make_plain_row(struct world *world, struct dyno_rng *rng, uint32_t r)
{
    world->sampling[r] = (struct dyno_sampling){.seed = dyno_rng_u64(rng),
                                                .temperature = 0.3 + dyno_rng_unit(rng),
                                                .top_p = 0.05 + 0.945 * dyno_rng_unit(rng)};
    world->position[r] = dyno_rng_below(rng, 5000);
    world->row[r].sampling = world->sampling[r];
    world->row[r].position = world->position[r];
}

static void make_row(struct world *world, struct dyno_rng *rng, uint32_t r)
{
    static const double penalties[] = {0.0, 1.0, 1.3};
    bool penalized = dyno_rng_below(rng, 2);
    static const double cuts[] = {0.0, 0.5, 0.9, 0.999999999, 1.0};

    world->sampling[r] =
        (struct dyno_sampling){.seed = dyno_rng_u64(rng),
                               .temperature = temperature_of(rng),
                               .top_k = PICK(rng, 0, 0, 0, 1, 7, 300, 3000),
                               .top_p = cuts[dyno_rng_below(rng, 5)],
                               .min_p = dyno_rng_below(rng, 3) ? 0.0 : 0.05,
                               .repetition = penalized ? penalties[dyno_rng_below(rng, 3)] : 0.0,
                               .presence = penalized && dyno_rng_below(rng, 2) ? 0.7 : 0.0,
                               .frequency = penalized && dyno_rng_below(rng, 2) ? 0.3 : 0.0};
    world->position[r] = dyno_rng_below(rng, 5000);
    make_lists(world, rng, r);
    world->row[r].position = world->position[r];
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {0};

    dyno_rng_init(&rng, seed, "cuda sample");
    world.vocab = PICK(&rng, 1, 2, 100, 256, 700, 700, 2049, 5000, VOCAB_MAX);
    world.job.rows = world.vocab > 700 ? 1 : PICK(&rng, 1, 3, 6, ROWS_MAX);
    if (seed % 16 == 15) { /* more than one chunk of many rows */
        world.vocab = 8195;
        world.job.rows = ROWS_MAX;
    }
    world.job.vocab = world.vocab;
    world.job.stride = world.vocab + PICK(&rng, 0, 3);
    world.logits = host_array((size_t)world.job.rows * world.job.stride, sizeof(float));
    make_logits(&world, &rng);
    for (uint32_t r = 0; r < world.job.rows; r++) {
        (dyno_rng_below(&rng, 2) ? make_plain_row : make_row)(&world, &rng, r);
    }
    world.job.row = device_copy(world.row, world.job.rows * sizeof(*world.row));
    world.job.logits = device_copy(world.logits, world.job.rows * world.job.stride * sizeof(float));
    world.job.token = device_array(world.job.rows * sizeof(uint32_t));
    return world;
}

struct version {
    const char *name;
    size_t (*scratch)(const struct dyno_cuda_sample_job *job);
    int (*run)(const struct dyno_cuda_sample_job *job, dyno_cuda_stream stream);
};

static const struct version plain = {"plain", dyno_cuda_sample_plain_scratch,
                                     dyno_cuda_sample_plain};
static const struct version fast = {"fast", dyno_cuda_sample_scratch, dyno_cuda_sample};

static void expect_choices(struct world *world, unsigned seed, const struct version *version)
{
    uint32_t *token;

    world->job.scratch = device_array(version->scratch(&world->job));
    world->job.token = device_array(world->job.rows * sizeof(uint32_t));
    if (version->run(&world->job, NULL) != 0) {
        fail("sample, %s, seed %u: not done", version->name, seed);
    }
    token = device_read_all(world->job.token, world->job.rows * sizeof(*token));
    for (uint32_t r = 0; r < world->job.rows; r++) {
        void *scratch = host_array(dyno_sample_scratch(world->vocab), 1);
        uint32_t due = dyno_sample(&world->sampling[r], world->logits + r * world->job.stride,
                                   world->vocab, world->position[r], &world->history[r], scratch);

        if (token[r] != due) {
            fail("sample, %s, seed %u: row %u of a vocabulary of %u chose %u, not %u",
                 version->name, seed, r, world->vocab, token[r], due);
        }
    }
}

static void expect_refusals(const struct version *version)
{
    struct world world = world_of(3);

    world.job.scratch = device_array(version->scratch(&world.job));
    for (int i = 0; i < 5; i++) {
        struct dyno_cuda_sample_job bad = world.job;

        bad.vocab = i == 0 ? 0 : i == 1 ? DYNO_SAMPLE_VOCAB_MAX + 1 : bad.vocab;
        bad.stride = i == 2 ? bad.vocab - 1 : bad.stride;
        bad.logits = i == 3 ? NULL : bad.logits;
        bad.scratch = i == 4 ? (char *)bad.scratch + 4 : bad.scratch;
        if (version->run(&bad, NULL) != DYNO_CUDA_REFUSED) {
            fail("sample, %s: wrong job %d was not refused", version->name, i);
        }
    }
    if (!device_untouched(world.job.token, world.job.rows * sizeof(uint32_t))) {
        fail("sample, %s: something was written all the same", version->name);
    }
    arrays_free();
}

void test_sample(uint32_t seeds)
{
    expect_refusals(&plain);
    expect_refusals(&fast);
    for (unsigned seed = 0; seed < 2 * seeds; seed++) {
        struct world world = world_of(seed);

        if (world.vocab <= 700 && world.job.rows < ROWS_MAX) { /* it is slow, emulated */
            expect_choices(&world, seed, &plain);
        }
        expect_choices(&world, seed, &fast);
        arrays_free();
    }
}
