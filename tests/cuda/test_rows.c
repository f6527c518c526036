/* Embedding lookup and SiLU times up. */
#include <math.h>
#include <string.h>

#include "kernels/activation.h"
#include "kernels/cuda/rows.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

static void expect_embedding(unsigned seed)
{
    struct dyno_rng rng;
    struct dyno_cuda_embedding_job job = {0};
    struct elements table;
    uint32_t token[40];
    uint16_t *out;

    dyno_rng_init(&rng, seed, "cuda embedding");
    job.vocab = PICK(&rng, 1, 7, 100);
    job.tokens = PICK(&rng, 1, 2, 40);
    job.columns = PICK(&rng, 8, 24, 136);
    table = random_elements(&rng, DYNO_ELEMENT_BF16, (size_t)job.vocab * job.columns, 1.0F);
    for (uint32_t t = 0; t < job.tokens; t++) {
        token[t] = (uint32_t)dyno_rng_below(&rng, job.vocab + 1); /* the last one is none */
    }
    job.table = table.device;
    job.token = device_copy(token, job.tokens * sizeof(*token));
    job.out = device_array((size_t)job.tokens * job.columns * sizeof(*out));
    if (dyno_cuda_embedding(&job, NULL) != 0) {
        fail("embedding, seed %u: not done", seed);
    }
    out = device_read_all(job.out, (size_t)job.tokens * job.columns * sizeof(*out));
    for (uint32_t i = 0; i < job.tokens * job.columns; i++) {
        uint32_t row = token[i / job.columns];
        uint16_t due = row < job.vocab ? table.bits[row * job.columns + i % job.columns] : 0;

        if (out[i] != due) {
            fail("embedding, seed %u: element %u is %04x, not %04x", seed, i, out[i], due);
        }
    }
    job.columns = 12;
    if (dyno_cuda_embedding(&job, NULL) != DYNO_CUDA_REFUSED) {
        fail("embedding of 12 columns was not refused");
    }
    arrays_free();
}

/* Gate and up are the halves of one matrix's rows. */
static void expect_silu(unsigned seed)
{
    struct dyno_rng rng;
    struct dyno_cuda_silu_job job = {.element = seed % 2 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16};
    struct elements both;
    size_t count;
    float *due;

    dyno_rng_init(&rng, seed, "cuda silu");
    job.rows = PICK(&rng, 1, 3, 20);
    job.columns = PICK(&rng, 8, 40, 264);
    job.stride = 2 * job.columns + 8 * dyno_rng_below(&rng, 2);
    count = (size_t)job.rows * job.columns;
    both = random_elements(&rng, job.element, job.rows * job.stride, 12.0F);
    job.gate = both.device;
    job.up = (const uint16_t *)both.device + job.columns;
    job.out = device_array(count * sizeof(uint16_t));
    due = host_array(count, sizeof(*due));
    for (uint32_t row = 0; row < job.rows; row++) {
        const float *from = both.values + row * job.stride;

        memcpy(due + (size_t)row * job.columns, from, job.columns * sizeof(*due));
        dyno_silu_multiply_ref(due + (size_t)row * job.columns, from + job.columns, job.columns);
    }
    if (dyno_cuda_silu(&job, NULL) != 0) {
        fail("silu, seed %u: not done", seed);
    }
    expect_elements("silu", seed, job.element, job.out, due, count, 144 * 0x1p-18);
    job.out = device_array(count * sizeof(uint16_t));
    job.stride += 4;
    if (dyno_cuda_silu(&job, NULL) != DYNO_CUDA_REFUSED ||
        !device_untouched(job.out, count * sizeof(uint16_t))) {
        fail("silu of rows at odd places was not refused");
    }
    arrays_free();
}

void test_rows(uint32_t seeds)
{
    for (unsigned seed = 0; seed < seeds; seed++) {
        expect_embedding(seed);
        expect_silu(seed);
    }
}
