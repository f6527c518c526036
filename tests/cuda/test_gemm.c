/* Products by cuBLASLt, and by gemv.h behind the same call, against dyno_matmul_ref. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/gemm.h"
#include "kernels/fp8.h"
#include "kernels/matmul.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

enum { WORKSPACE_BYTES = 1 << 22 };

struct world {
    struct dyno_cuda_gemm_job job;
    float *weights, *x; /* as they are multiplied, scales included */
    struct elements residual, bias;
    float *due;
    double slack;
};

/* `count` elements of a job's weights or x; *values: what they are worth. */
static const void *random_operand(struct dyno_rng *rng, const struct dyno_cuda_gemm_job *job,
                                  size_t count, float scale, float **values)
{
    uint8_t *bytes;

    if (job->kind == DYNO_CUDA_WEIGHTS_16) {
        struct elements elements = random_elements(rng, job->element, count, 1.0F);

        *values = elements.values;
        return elements.device;
    }
    bytes = host_array(count, 1);
    *values = host_array(count, sizeof(float));
    for (size_t i = 0; i < count; i++) {
        bytes[i] = dyno_e4m3_of_float((float)(dyno_rng_unit(rng) * 2.0 - 1.0) / scale);
        (*values)[i] = scale * dyno_e4m3_to_float(bytes[i]);
    }
    return device_copy(bytes, count);
}

static void make_due(struct world *world)
{
    const struct dyno_cuda_gemm_job *job = &world->job;
    struct dyno_matrix matrix = {DYNO_ELEMENT_F32, job->rows, job->columns, world->weights};
    struct dyno_matmul_job reference = {.weights = &matrix,
                                        .x = world->x,
                                        .n = job->n,
                                        .x_stride = job->x_stride,
                                        .y_stride = job->y_stride,
                                        .bias = job->bias ? world->bias.values : NULL,
                                        .residual = job->residual ? world->residual.values : NULL,
                                        .y = world->due};
    double unit = job->kind == DYNO_CUDA_WEIGHTS_E4M3 ? 0x1p-8 : 0x1p-14;

    world->due = host_array(job->n * job->y_stride, sizeof(float));
    reference.y = world->due;
    dyno_matmul_ref(&reference);
    /* |W|, |x|, the bias and the residual are at most 1. */
    world->slack = unit * (job->columns + 2.0);
    if (job->bias && job->residual) { /* rounded twice */
        double element_unit = job->element == DYNO_ELEMENT_F16 ? 0x1p-11 : 0x1p-8;

        world->slack += element_unit * (job->columns + 2.0);
    }
}

static void choose_shape(struct dyno_cuda_gemm_job *job, struct dyno_rng *rng, unsigned seed)
{
    bool narrow = seed % 3 == 2;

    job->element = dyno_rng_below(rng, 2) ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    job->kind = narrow ? DYNO_CUDA_WEIGHTS_E4M3 : DYNO_CUDA_WEIGHTS_16;
    job->n = PICK(rng, 1, 2, 3, 7, 16, 17, 33);
    job->rows = narrow ? PICK(rng, 16, 48) : PICK(rng, 1, 3, 16, 37);
    job->columns = narrow ? PICK(rng, 16, 80) : PICK(rng, 8, 24, 72);
    job->x_stride = job->columns + PICK(rng, 0, 16);
    job->y_stride = job->rows + (narrow ? 0 : PICK(rng, 0, 1, 8));
    job->y_is_float = dyno_rng_below(rng, 3) == 0;
    job->weight_scale = narrow ? 0.25F : NAN;
    job->x_scale = narrow ? 0.125F : NAN;
}

static struct world world_of(unsigned seed)
{
    struct dyno_rng rng;
    struct world world = {.slack = 0.0};
    struct dyno_cuda_gemm_job *job = &world.job;
    size_t results;

    dyno_rng_init(&rng, seed, "cuda gemm");
    choose_shape(job, &rng, seed);
    results = job->n * job->y_stride;
    job->weights = random_operand(&rng, job, (size_t)job->rows * job->columns, job->weight_scale,
                                  &world.weights);
    job->x = random_operand(&rng, job, job->n * job->x_stride, job->x_scale, &world.x);
    world.residual = random_elements(&rng, job->element, results, 1.0F);
    world.bias = random_elements(&rng, job->element, job->rows, 1.0F);
    job->residual = !job->y_is_float && dyno_rng_below(&rng, 2) ? world.residual.device : NULL;
    job->bias = !job->y_is_float && dyno_rng_below(&rng, 2) ? world.bias.device : NULL;
    job->y = job->residual && dyno_rng_below(&rng, 2)
                 ? world.residual.device
                 : device_array(results * (job->y_is_float ? sizeof(float) : sizeof(uint16_t)));
    make_due(&world);
    return world;
}

static void expect_floats(unsigned seed, const struct world *world)
{
    const struct dyno_cuda_gemm_job *job = &world->job;
    float *got = device_read_all(job->y, job->n * job->y_stride * sizeof(*got));

    for (size_t i = 0; i < job->n * job->y_stride; i++) {
        if (i % job->y_stride < job->rows && !(fabsf(got[i] - world->due[i]) <= world->slack)) {
            fail("gemm, seed %u: float %zu is %g, not %g +- %g", seed, i, (double)got[i],
                 (double)world->due[i], world->slack);
        }
    }
}

/* What lies between the rows of y is not the product's: as much is due there as before. */
static void expect_rows(unsigned seed, const struct world *world)
{
    const struct dyno_cuda_gemm_job *job = &world->job;

    for (uint32_t i = 0; i < job->n; i++) {
        expect_elements("gemm", seed, job->element, (const uint16_t *)job->y + i * job->y_stride,
                        world->due + i * job->y_stride, job->rows, world->slack);
    }
}

static void expect_between(unsigned seed, const struct world *world)
{
    const struct dyno_cuda_gemm_job *job = &world->job;
    size_t bytes = job->y_is_float ? sizeof(float) : sizeof(uint16_t);
    bool in_place = job->y == world->residual.device;
    const unsigned char *y = job->y;

    for (uint32_t i = 0; i < job->n && !in_place; i++) {
        if (!device_untouched(y + (i * job->y_stride + job->rows) * bytes,
                              (job->y_stride - job->rows) * bytes)) {
            fail("gemm, seed %u: something was written between rows", seed);
        }
    }
}

static void expect_refusals(struct dyno_cuda_gemm *gemm)
{
    struct world world = world_of(1);
    size_t bytes = world.job.n * world.job.y_stride * sizeof(uint16_t);

    world.job.y = device_array(2 * bytes);
    for (int i = 0; i < 8; i++) {
        struct dyno_cuda_gemm_job bad = world.job;

        bad.element = i == 0 ? DYNO_ELEMENT_F32 : bad.element;
        bad.kind = i == 1 ? DYNO_CUDA_WEIGHTS_INT4 : bad.kind;
        bad.columns += i == 2 ? 4 : 0;
        bad.x_stride = i == 3 ? bad.columns - 8 : bad.x_stride;
        bad.y_stride = i == 4 ? bad.rows - 1 : bad.y_stride;
        bad.x = i == 5 ? (const uint16_t *)bad.x + 1 : bad.x;
        bad.weights = i == 6 ? NULL : bad.weights;
        bad.y_is_float = i == 7 ? true : bad.y_is_float;
        bad.bias = i == 7 ? world.bias.device : bad.bias;
        if (dyno_cuda_gemm(gemm, &bad, NULL) != DYNO_CUDA_REFUSED ||
            dyno_cuda_gemm_prepare(gemm, &bad) != DYNO_CUDA_REFUSED) {
            fail("gemm: wrong job %d was not refused", i);
        }
    }
    if (!device_untouched(world.job.y, bytes)) {
        fail("gemm: something was written all the same");
    }
    arrays_free();
}

/* Every n has a bucket that is not far above it, and is its own bucket's. */
static void expect_buckets(void)
{
    uint32_t bucket;

    for (uint32_t n = 0; n < 20000; n++) {
        bucket = dyno_cuda_gemm_bucket(n);
        if (bucket < n || (n <= 16 && bucket != n) || bucket - n > n / 8 ||
            dyno_cuda_gemm_bucket(bucket) != bucket) {
            fail("gemm: the bucket of %u is %u", n, bucket);
        }
    }
    if (dyno_cuda_gemm_bucket(33) != 36 || dyno_cuda_gemm_bucket(UINT32_MAX) != UINT32_MAX) {
        fail("gemm: the bucket of 33 is %u", dyno_cuda_gemm_bucket(33));
    }
}

/* More shapes than the table has room for, twice: what was forgotten is found again. */
static void expect_many_shapes(struct dyno_cuda_gemm *gemm)
{
    enum { SHAPES = 1100 };
    struct world world = world_of(1);
    struct dyno_cuda_gemm_job job = world.job;

    for (uint32_t i = 0; i < 2 * SHAPES; i++) {
        job.y_stride = world.job.y_stride + i % SHAPES;
        if (dyno_cuda_gemm_prepare(gemm, &job) != 0) {
            fail("gemm: shape %u of many was not prepared", i);
        }
    }
    arrays_free();
}

void test_gemm(uint32_t seeds)
{
    struct dyno_cuda_gemm *gemm;

    if (dyno_cuda_gemm_open(&gemm, WORKSPACE_BYTES) != 0) {
        fail("gemm: not opened");
    }
    expect_refusals(gemm);
    expect_buckets();
    expect_many_shapes(gemm);
    for (unsigned seed = 0; seed < 3 * seeds; seed++) {
        struct world world = world_of(seed);
        bool may_be_tuned = world.job.y != world.residual.device && seed % 2;
        int status = may_be_tuned ? dyno_cuda_gemm_tune(gemm, &world.job, NULL)
                                  : dyno_cuda_gemm_prepare(gemm, &world.job);

        /* A GPU before Hopper has no e4m3. */
        if (status == DYNO_CUDA_REFUSED && world.job.kind == DYNO_CUDA_WEIGHTS_E4M3) {
            arrays_free();
            continue;
        }
        if (status != 0 || dyno_cuda_gemm(gemm, &world.job, NULL) != 0) {
            fail("gemm, seed %u: not done", seed);
        }
        if (world.job.y_is_float) {
            expect_floats(seed, &world);
        } else {
            expect_rows(seed, &world);
        }
        expect_between(seed, &world);
        arrays_free();
    }
    dyno_cuda_gemm_close(gemm);
}
