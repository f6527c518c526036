/* cuBLASLt counts columns first: its A is W transposed, its B and D are x and y as they lie.
 *
 * How a product is computed (descriptors and algorithm) is kept by its shape and alignments, the
 * activations rounded up to a bucket, so that a launch costs the host a look into a table.  The
 * table forgets the oldest when it is full.
 */
#include "kernels/cuda/gemm.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cublasLt.h>

#include "kernels/cuda/device.cuh"

/* How many activations gemv.h takes; more are cuBLASLt's. */
static constexpr uint32_t gemv_max = 2;

static constexpr unsigned plans_max = 1024; /* a power of two */

/* What the choice of an algorithm depends on; no padding, for it is compared as bytes. */
struct plan_key {
    uint32_t element, kind, y_is_float, n, rows, columns;
    uint32_t residual, bias; /* 0: none; the residual: 1 is y, 2 is not */
    uint32_t y_alignment, residual_alignment;
    uint64_t x_stride, y_stride;
};

struct plan {
    plan_key key;
    bool usable; /* false: cuBLASLt does not support it */
    cublasLtMatmulDescOpaque_t product;
    cublasLtMatrixLayoutOpaque_t weights, x, y;
    cublasLtMatmulAlgo_t algorithm;
};

struct dyno_cuda_gemm {
    cublasLtHandle_t handle;
    void *workspace;
    size_t workspace_bytes;
    unsigned plan_count;       /* made so far; plan i is kept at i % plans_max */
    uint32_t first[plans_max]; /* by hash: 1 + a place in plans; 0: none */
    uint32_t next[plans_max];  /* of the same hash */
    plan plans[plans_max];
};

static int check(cublasStatus_t status, const char *call, int line)
{
    if (status == CUBLAS_STATUS_SUCCESS) {
        return 0;
    }
    fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, line, call, cublasLtGetStatusName(status));
    return DYNO_CUDA_FAILED;
}

#define CHECK_BLAS(call) check(call, #call, __LINE__)

int dyno_cuda_gemm_open(struct dyno_cuda_gemm **out, size_t workspace_bytes)
{
    auto *gemm = static_cast<struct dyno_cuda_gemm *>(calloc(1, sizeof(struct dyno_cuda_gemm)));

    if (!gemm) {
        fprintf(stderr, "%s: no memory for the table of algorithms\n", __FILE__);
        return DYNO_CUDA_FAILED;
    }
    gemm->workspace_bytes = workspace_bytes;
    if ((workspace_bytes > 0 && DYNO_CUDA_CHECK(cudaMalloc(&gemm->workspace, workspace_bytes))) ||
        CHECK_BLAS(cublasLtCreate(&gemm->handle))) {
        dyno_cuda_gemm_close(gemm);
        return DYNO_CUDA_FAILED;
    }
    *out = gemm;
    return 0;
}

void dyno_cuda_gemm_close(struct dyno_cuda_gemm *gemm)
{
    if (!gemm) {
        return;
    }
    if (gemm->handle) {
        CHECK_BLAS(cublasLtDestroy(gemm->handle));
    }
    DYNO_CUDA_CHECK(cudaFree(gemm->workspace));
    free(gemm);
}

static bool is_supported(const dyno_cuda_gemm_job *job)
{
    bool narrow = job->kind == DYNO_CUDA_WEIGHTS_E4M3;
    unsigned unit = narrow ? 16 : 8;

    return (job->element == DYNO_ELEMENT_F16 || job->element == DYNO_ELEMENT_BF16) &&
           (narrow || job->kind == DYNO_CUDA_WEIGHTS_16) && job->columns >= unit &&
           job->columns % unit == 0 && (!narrow || job->rows % unit == 0) && job->weights &&
           job->x && job->y && job->x != job->y && dyno::is_aligned(job->weights, 0) &&
           dyno::is_aligned(job->x, 0) && job->x_stride >= job->columns &&
           job->x_stride % unit == 0 && job->y_stride >= job->rows &&
           !(job->y_is_float && (job->bias || job->residual));
}

/* Whether gemv.h computes the job, which is then in *out. */
static bool is_small(const dyno_cuda_gemm_job *job, dyno_cuda_gemv_job *out)
{
    if (job->kind != DYNO_CUDA_WEIGHTS_16 || job->n > gemv_max) {
        return false;
    }
    *out = {};
    out->element = job->element;
    out->kind = job->kind;
    out->y_is_float = job->y_is_float;
    out->n = job->n;
    out->rows = job->rows;
    out->columns = job->columns;
    out->weights = job->weights;
    out->x = job->x;
    out->residual = job->residual;
    out->bias = job->bias;
    out->y = job->y;
    out->x_stride = job->x_stride;
    out->y_stride = job->y_stride;
    return true;
}

/* The largest power of two that divides an address, of those that matter. */
static uint32_t alignment_of(const void *address)
{
    constexpr uintptr_t most = 16;
    uintptr_t bits = reinterpret_cast<uintptr_t>(address) | most;

    return static_cast<uint32_t>(bits & (~bits + 1));
}

uint32_t dyno_cuda_gemm_bucket(uint32_t n)
{
    constexpr uint32_t exact = 16, last = 1U << 31; /* buckets: 8 between powers of two */
    uint32_t step = 1;

    if (n > last) {
        return n;
    }
    while (step * exact < n) {
        step *= 2;
    }
    return (n + step - 1) / step * step;
}

/* Of a job as if it had n activations. */
static plan_key key_of(const dyno_cuda_gemm_job *job, uint32_t n)
{
    plan_key key = {};

    key.element = job->element;
    key.kind = job->kind;
    key.y_is_float = job->y_is_float;
    key.n = n;
    key.rows = job->rows;
    key.columns = job->columns;
    key.residual = !job->residual ? 0 : job->residual == job->y ? 1 : 2;
    key.bias = job->bias ? alignment_of(job->bias) : 0;
    key.y_alignment = alignment_of(job->y);
    key.residual_alignment = alignment_of(job->residual ? job->residual : job->y);
    key.x_stride = job->x_stride;
    key.y_stride = job->y_stride;
    return key;
}

static unsigned hash_of(const plan_key *key)
{
    constexpr uint64_t prime = 0x100000001b3, basis = 0xcbf29ce484222325; /* FNV-1a */
    const auto *bytes = reinterpret_cast<const unsigned char *>(key);
    uint64_t hash = basis;

    for (size_t i = 0; i < sizeof *key; i++) {
        hash = (hash ^ bytes[i]) * prime;
    }
    return static_cast<unsigned>(hash >> 32) % plans_max;
}

static plan *find(struct dyno_cuda_gemm *gemm, const plan_key *key)
{
    for (uint32_t at = gemm->first[hash_of(key)]; at > 0; at = gemm->next[at - 1]) {
        if (memcmp(&gemm->plans[at - 1].key, key, sizeof *key) == 0) {
            return &gemm->plans[at - 1];
        }
    }
    return nullptr;
}

static void forget(struct dyno_cuda_gemm *gemm, uint32_t place)
{
    uint32_t *link = &gemm->first[hash_of(&gemm->plans[place].key)];

    while (*link != place + 1) {
        link = &gemm->next[*link - 1];
    }
    *link = gemm->next[place];
}

/* An empty plan in the table, in place of the oldest if it is full. */
static plan *make_room(struct dyno_cuda_gemm *gemm, const plan_key *key)
{
    uint32_t place = gemm->plan_count % plans_max;
    uint32_t *first = &gemm->first[hash_of(key)];

    if (gemm->plan_count >= plans_max) {
        forget(gemm, place);
    }
    gemm->plan_count++;
    gemm->plans[place] = {};
    gemm->plans[place].key = *key;
    gemm->next[place] = *first;
    *first = place + 1;
    return &gemm->plans[place];
}

/* Data type of elements of 16 bits. */
static cudaDataType_t type_of(uint32_t element)
{
    return element == DYNO_ELEMENT_F16 ? CUDA_R_16F : CUDA_R_16BF;
}

template <class T>
static int set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, T value)
{
    return CHECK_BLAS(cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof value));
}

template <class T>
static int set(cublasLtMatmulPreference_t preference,
               cublasLtMatmulPreferenceAttributes_t attribute, T value)
{
    return CHECK_BLAS(
        cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
}

static int describe(plan *plan, const void *bias)
{
    const plan_key *key = &plan->key;
    bool narrow = key->kind == DYNO_CUDA_WEIGHTS_E4M3;
    cudaDataType_t element = type_of(key->element), in = narrow ? CUDA_R_8F_E4M3 : element;
    cudaDataType_t out = key->y_is_float ? CUDA_R_32F : element;

    if (CHECK_BLAS(cublasLtMatmulDescInit(&plan->product, CUBLAS_COMPUTE_32F, CUDA_R_32F)) ||
        set(&plan->product, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T) ||
        CHECK_BLAS(cublasLtMatrixLayoutInit(&plan->weights, in, key->columns, key->rows,
                                            static_cast<int64_t>(key->columns))) ||
        CHECK_BLAS(cublasLtMatrixLayoutInit(&plan->x, in, key->columns, key->n,
                                            static_cast<int64_t>(key->x_stride))) ||
        CHECK_BLAS(cublasLtMatrixLayoutInit(&plan->y, out, key->rows, key->n,
                                            static_cast<int64_t>(key->y_stride)))) {
        return DYNO_CUDA_FAILED;
    }
    if (!bias) {
        return 0;
    }
    return set(&plan->product, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS) ||
                   set(&plan->product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, element) ||
                   set(&plan->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias)
               ? DYNO_CUDA_FAILED
               : 0;
}

/* Up to `wanted` of cuBLASLt's choices, the one it expects most of first. */
static int look_up(struct dyno_cuda_gemm *gemm, plan *plan, int wanted,
                   cublasLtMatmulHeuristicResult_t *found, int *count)
{
    /* Parts of a sum are not rounded to y's element before they are added. */
    constexpr uint32_t aligned = 16, in_fp32 = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulPreferenceOpaque_t preference;
    cublasStatus_t status;

    *count = 0;
    if (CHECK_BLAS(cublasLtMatmulPreferenceInit(&preference)) ||
        set(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, gemm->workspace_bytes) ||
        set(&preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, in_fp32) ||
        set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, aligned) ||
        set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, aligned) ||
        set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
            plan->key.residual_alignment) ||
        set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, plan->key.y_alignment)) {
        return DYNO_CUDA_FAILED;
    }
    status = cublasLtMatmulAlgoGetHeuristic(gemm->handle, &plan->product, &plan->weights, &plan->x,
                                            &plan->y, &plan->y, &preference, wanted, found, count);
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? 0 : CHECK_BLAS(status);
}

/* *out: the job's plan, from the table or new, as for n activations. */
static int plan_for(struct dyno_cuda_gemm *gemm, const dyno_cuda_gemm_job *job, uint32_t n,
                    plan **out)
{
    plan_key key = key_of(job, n);
    plan *plan = find(gemm, &key);

    if (!plan) {
        cublasLtMatmulHeuristicResult_t found = {};
        int count;

        plan = make_room(gemm, &key);
        if (describe(plan, job->bias) || look_up(gemm, plan, 1, &found, &count)) {
            return DYNO_CUDA_FAILED;
        }
        plan->usable = count > 0;
        plan->algorithm = found.algo;
    }
    *out = plan;
    return plan->usable ? 0 : DYNO_CUDA_REFUSED;
}

int dyno_cuda_gemm_prepare(struct dyno_cuda_gemm *gemm, const struct dyno_cuda_gemm_job *job)
{
    dyno_cuda_gemv_job small;
    plan *plan;

    if (!is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->n == 0 || job->rows == 0 || is_small(job, &small)) {
        return 0;
    }
    return plan_for(gemm, job, dyno_cuda_gemm_bucket(job->n), &plan);
}

/* The plan's may be for more activations than the job has. */
static cublasStatus_t multiply(struct dyno_cuda_gemm *gemm, plan *plan,
                               const dyno_cuda_gemm_job *job, const cublasLtMatmulAlgo_t *algorithm,
                               cudaStream_t stream)
{
    float scale = job->kind == DYNO_CUDA_WEIGHTS_E4M3 ? job->weight_scale * job->x_scale : 1.0F;
    float residual_scale = job->residual ? 1.0F : 0.0F;
    const plan_key *key = &plan->key;
    cublasLtMatrixLayoutOpaque_t x, y;
    bool narrow = key->kind == DYNO_CUDA_WEIGHTS_E4M3;
    cudaDataType_t element = type_of(key->element);

    if (cublasLtMatrixLayoutInit(&x, narrow ? CUDA_R_8F_E4M3 : element, key->columns, job->n,
                                 static_cast<int64_t>(key->x_stride)) != CUBLAS_STATUS_SUCCESS ||
        cublasLtMatrixLayoutInit(&y, key->y_is_float ? CUDA_R_32F : element, key->rows, job->n,
                                 static_cast<int64_t>(key->y_stride)) != CUBLAS_STATUS_SUCCESS ||
        (job->bias && set(&plan->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, job->bias))) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return cublasLtMatmul(gemm->handle, &plan->product, &scale, job->weights, &plan->weights,
                          job->x, &x, &residual_scale, job->residual ? job->residual : job->y, &y,
                          job->y, &y, algorithm, gemm->workspace, gemm->workspace_bytes, stream);
}

int dyno_cuda_gemm(struct dyno_cuda_gemm *gemm, const struct dyno_cuda_gemm_job *job,
                   dyno_cuda_stream stream)
{
    dyno_cuda_gemv_job small;
    plan *plan;
    cublasStatus_t outcome;
    int status;

    if (!is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->n == 0 || job->rows == 0) {
        return 0;
    }
    if (is_small(job, &small)) {
        return dyno_cuda_gemv(&small, stream);
    }
    status = plan_for(gemm, job, dyno_cuda_gemm_bucket(job->n), &plan);
    if (status) {
        return status;
    }
    outcome = multiply(gemm, plan, job, &plan->algorithm, stream);
    if ((outcome == CUBLAS_STATUS_NOT_SUPPORTED || outcome == CUBLAS_STATUS_INVALID_VALUE) &&
        plan->key.n != job->n) { /* the bucket's algorithm does not do for n */
        status = plan_for(gemm, job, job->n, &plan);
        outcome = status ? outcome : multiply(gemm, plan, job, &plan->algorithm, stream);
    }
    return CHECK_BLAS(outcome);
}

/* *ms: the time of some launches; an algorithm that fails takes forever. */
static int time_of(struct dyno_cuda_gemm *gemm, plan *plan, const dyno_cuda_gemm_job *job,
                   const cublasLtMatmulAlgo_t *algorithm, const cudaEvent_t (&between)[2],
                   cudaStream_t stream, float *ms)
{
    constexpr int launches = 5;

    if (multiply(gemm, plan, job, algorithm, stream) != CUBLAS_STATUS_SUCCESS) { /* warms up */
        *ms = INFINITY;
        return 0;
    }
    if (DYNO_CUDA_CHECK(cudaEventRecord(between[0], stream))) {
        return DYNO_CUDA_FAILED;
    }
    for (int i = 0; i < launches; i++) {
        if (CHECK_BLAS(multiply(gemm, plan, job, algorithm, stream))) {
            return DYNO_CUDA_FAILED;
        }
    }
    return DYNO_CUDA_CHECK(cudaEventRecord(between[1], stream)) ||
                   DYNO_CUDA_CHECK(cudaEventSynchronize(between[1])) ||
                   DYNO_CUDA_CHECK(cudaEventElapsedTime(ms, between[0], between[1]))
               ? DYNO_CUDA_FAILED
               : 0;
}

/* The plan takes the fastest of cuBLASLt's choices, of equal ones that which it expects most of. */
static int take_fastest(struct dyno_cuda_gemm *gemm, plan *plan, const dyno_cuda_gemm_job *job,
                        const cudaEvent_t (&between)[2], cudaStream_t stream)
{
    constexpr int wanted = 8;
    cublasLtMatmulHeuristicResult_t found[wanted];
    float least = INFINITY, ms = 0.0F;
    int count;

    if (look_up(gemm, plan, wanted, found, &count)) {
        return DYNO_CUDA_FAILED;
    }
    for (int i = 0; i < count; i++) {
        if (time_of(gemm, plan, job, &found[i].algo, between, stream, &ms)) {
            return DYNO_CUDA_FAILED;
        }
        if (ms < least) {
            least = ms;
            plan->algorithm = found[i].algo;
        }
    }
    return 0;
}

int dyno_cuda_gemm_tune(struct dyno_cuda_gemm *gemm, const struct dyno_cuda_gemm_job *job,
                        dyno_cuda_stream stream)
{
    dyno_cuda_gemv_job small;
    cudaEvent_t between[2] = {};
    plan *plan;
    int status = dyno_cuda_gemm_prepare(gemm, job);

    if (status || job->n == 0 || job->rows == 0 || is_small(job, &small)) {
        return status;
    }
    status = plan_for(gemm, job, dyno_cuda_gemm_bucket(job->n), &plan);
    for (cudaEvent_t &event : between) {
        status = status ? status : DYNO_CUDA_CHECK(cudaEventCreateWithFlags(&event, 0));
    }
    status = status ? status : take_fastest(gemm, plan, job, between, stream);
    for (cudaEvent_t event : between) {
        if (event && DYNO_CUDA_CHECK(cudaEventDestroy(event))) {
            status = DYNO_CUDA_FAILED;
        }
    }
    return status;
}
