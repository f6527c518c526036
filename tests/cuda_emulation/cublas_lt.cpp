/* cuBLASLt over memory of the host: matrices lie by columns, and a product is a loop in double. */
#include "tests/cuda_emulation/cublasLt.h"

#include <cstring>

#include "kernels/fp8.h"
#include "kernels/half.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/stream.h"

namespace
{

struct product {
    cublasComputeType_t compute;
    cudaDataType_t scale, bias_type;
    cublasOperation_t turn_a;
    cublasLtEpilogue_t epilogue;
    const void *bias;
};

struct layout {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t stride;
};

struct preference {
    uint64_t workspace_bytes;
    uint32_t alignment[4], reductions;
};

/* An algorithm is good for the alignments, and with the workspace, that it was asked for with. */
struct algorithm {
    uint64_t workspace_bytes;
    uint32_t alignment[4], is_chosen;
};

cublasLtHandle_t the_handle()
{
    static char handle;

    return reinterpret_cast<cublasLtHandle_t>(&handle);
}

template <class T, class Opaque> T read(const Opaque *from)
{
    T to;

    static_assert(sizeof(T) <= sizeof(Opaque), "what NVIDIA has room for");
    memcpy(&to, from, sizeof to);
    return to;
}

template <class T, class Opaque> cublasStatus_t write(Opaque *to, const T &from)
{
    *to = {};
    memcpy(to, &from, sizeof from);
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> bool take(T *to, const void *value, size_t bytes)
{
    if (bytes == sizeof *to) {
        memcpy(to, value, bytes);
    }
    return bytes == sizeof *to;
}

size_t bytes_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2;
}

double element_at(const void *from, cudaDataType_t type, uint64_t at)
{
    switch (type) {
    case CUDA_R_32F:
        return static_cast<double>(static_cast<const float *>(from)[at]);
    case CUDA_R_16F:
        return static_cast<double>(dyno_half_to_float(static_cast<const uint16_t *>(from)[at]));
    case CUDA_R_16BF:
        return static_cast<double>(dyno_bf16_to_float(static_cast<const uint16_t *>(from)[at]));
    case CUDA_R_8F_E4M3:
        return static_cast<double>(dyno_e4m3_to_float(static_cast<const uint8_t *>(from)[at]));
    }
    return 0.0;
}

void put_element(void *to, cudaDataType_t type, uint64_t at, float value)
{
    if (type == CUDA_R_32F) {
        static_cast<float *>(to)[at] = value;
    } else {
        static_cast<uint16_t *>(to)[at] =
            type == CUDA_R_16F ? dyno_half_of_float(value) : dyno_bf16_of_float(value);
    }
}

/* NVIDIA's table of types for CUBLAS_COMPUTE_32F, as far as it is used here. */
bool types_go_together(const product &what, const layout &a, const layout &b, const layout &c,
                       const layout &d)
{
    bool narrow = a.type == CUDA_R_8F_E4M3, has_bias = what.epilogue == CUBLASLT_EPILOGUE_BIAS;
    cudaDataType_t bias_due = d.type == CUDA_R_32F && narrow ? CUDA_R_16BF : d.type;

    return what.compute == CUBLAS_COMPUTE_32F && what.scale == CUDA_R_32F && a.type == b.type &&
           c.type == d.type && a.type != CUDA_R_32F && d.type != CUDA_R_8F_E4M3 &&
           (narrow || d.type == CUDA_R_32F || d.type == a.type) &&
           (!has_bias || what.bias_type == bias_due);
}

bool is_supported(const product &what, const layout &a, const layout &b, const layout &c,
                  const layout &d)
{
    uint64_t unit = a.type == CUDA_R_8F_E4M3 ? 16 : 1;

    return types_go_together(what, a, b, c, d) && what.turn_a == CUBLAS_OP_T &&
           a.rows % unit == 0 && a.columns % unit == 0 &&
           static_cast<uint64_t>(b.stride) % unit == 0;
}

bool shapes_fit(const layout &a, const layout &b, const layout &c, const layout &d)
{
    auto is_whole = [](const layout &of) {
        return of.stride > 0 && static_cast<uint64_t>(of.stride) >= of.rows;
    };

    return a.rows == b.rows && d.rows == a.columns && d.columns == b.columns && c.rows == d.rows &&
           c.columns == d.columns && is_whole(a) && is_whole(b) && is_whole(c) && is_whole(d);
}

bool is_aligned(const void *address, uint32_t bytes)
{
    return bytes > 0 && reinterpret_cast<uintptr_t>(address) % bytes == 0;
}

/* The columns of a matrix, each whole within the device's memory. */
template <class F> bool for_columns(const layout &of, const void *memory, F within)
{
    for (uint64_t i = 0; i < of.columns; i++) {
        const char *column = static_cast<const char *>(memory) +
                             i * static_cast<uint64_t>(of.stride) * bytes_of(of.type);

        if (!within(column, of.rows * bytes_of(of.type))) {
            return false;
        }
    }
    return true;
}

struct operands {
    product what;
    layout a, b, c, d;
    const void *from_a, *from_b, *from_c;
    void *to;
    double alpha, beta;
};

double sum_at(const operands &job, uint64_t row, uint64_t column)
{
    double sum = 0.0;

    for (uint64_t k = 0; k < job.a.rows; k++) {
        sum += element_at(job.from_a, job.a.type, row * static_cast<uint64_t>(job.a.stride) + k) *
               element_at(job.from_b, job.b.type, column * static_cast<uint64_t>(job.b.stride) + k);
    }
    return sum;
}

void compute(const operands &job)
{
    for (uint64_t column = 0; column < job.d.columns; column++) {
        for (uint64_t row = 0; row < job.d.rows; row++) {
            double sum = job.alpha * sum_at(job, row, column);

            if (job.beta != 0.0) {
                sum += job.beta * element_at(job.from_c, job.c.type,
                                             column * static_cast<uint64_t>(job.c.stride) + row);
            }
            if (job.what.epilogue == CUBLASLT_EPILOGUE_BIAS) {
                sum += element_at(job.what.bias, job.what.bias_type, row);
            }
            put_element(job.to, job.d.type, column * static_cast<uint64_t>(job.d.stride) + row,
                        static_cast<float>(sum));
        }
    }
}

/* False: some of it lies outside of the device's memory. */
bool run(const operands &job)
{
    emulation::memory_other_launch();
    if (!for_columns(job.a, job.from_a, emulation::memory_is_here) ||
        !for_columns(job.b, job.from_b, emulation::memory_is_here) ||
        (job.beta != 0.0 && !for_columns(job.c, job.from_c, emulation::memory_is_here)) ||
        (job.what.epilogue == CUBLASLT_EPILOGUE_BIAS &&
         !emulation::memory_is_here(job.what.bias, job.d.rows * bytes_of(job.what.bias_type))) ||
        !for_columns(job.d, job.to, emulation::memory_is_here) ||
        !for_columns(job.d, job.to, emulation::memory_written)) {
        return false;
    }
    compute(job);
    return true;
}

} /* namespace */

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    *handle = the_handle();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    return handle == the_handle() ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "an unknown status";
}

cublasStatus_t cublasLtMatmulDescInit(cublasLtMatmulDesc_t product, cublasComputeType_t compute,
                                      cudaDataType_t scale)
{
    struct product what = {compute, scale, CUDA_R_32F, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT,
                           nullptr};

    return write(product, what);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    auto what = read<struct product>(product);
    bool taken = false;

    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        taken = take(&what.turn_a, value, bytes);
        break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        taken = take(&what.epilogue, value, bytes);
        break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        taken = take(&what.bias, value, bytes);
        break;
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        taken = take(&what.bias_type, value, bytes);
        break;
    }
    return taken ? write(product, what) : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutInit(cublasLtMatrixLayout_t layout, cudaDataType_t type,
                                        uint64_t rows, uint64_t columns, int64_t stride)
{
    struct layout what = {type, rows, columns, stride};

    return write(layout, what);
}

cublasStatus_t cublasLtMatmulPreferenceInit(cublasLtMatmulPreference_t preference)
{
    constexpr uint32_t aligned = 256;
    struct preference what = {0, {aligned, aligned, aligned, aligned}, 0};

    return write(preference, what);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *value, size_t bytes)
{
    auto what = read<struct preference>(preference);
    bool taken = false;

    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        taken = take(&what.workspace_bytes, value, bytes);
        break;
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        taken = take(&what.reductions, value, bytes);
        break;
    default:
        taken = take(&what.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value,
                     bytes);
        break;
    }
    return taken ? write(preference, what) : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t *found, int *count)
{
    auto what = read<struct preference>(preference);
    constexpr int guesses_max = 3;
    algorithm chosen = {what.workspace_bytes, {}, 1};

    *count = 0;
    if (handle != the_handle() || wanted < 1 ||
        !shapes_fit(read<layout>(a), read<layout>(b), read<layout>(c), read<layout>(d))) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (!is_supported(read<struct product>(product), read<layout>(a), read<layout>(b),
                      read<layout>(c), read<layout>(d))) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    memcpy(chosen.alignment, what.alignment, sizeof chosen.alignment);
    for (; *count < wanted && *count < guesses_max; ++*count) {
        found[*count] = {};
        found[*count].workspaceSize = what.workspace_bytes;
        write(&found[*count].algo, chosen);
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                              const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout,
                              const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    auto by = read<algorithm>(algo);
    operands job = {read<struct product>(product),
                    read<layout>(a_layout),
                    read<layout>(b_layout),
                    read<layout>(c_layout),
                    read<layout>(d_layout),
                    a,
                    b,
                    c,
                    d,
                    static_cast<double>(*static_cast<const float *>(alpha)),
                    static_cast<double>(*static_cast<const float *>(beta))};

    if (handle != the_handle() || !emulation::is_here(stream) || !by.is_chosen ||
        by.workspace_bytes > workspace_bytes || (by.workspace_bytes > 0 && !workspace) ||
        !shapes_fit(job.a, job.b, job.c, job.d) ||
        !is_supported(job.what, job.a, job.b, job.c, job.d) || !is_aligned(a, by.alignment[0]) ||
        !is_aligned(b, by.alignment[1]) || !is_aligned(c, by.alignment[2]) ||
        !is_aligned(d, by.alignment[3])) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return emulation::queue(stream,
                            [=]() { return run(job) ? cudaSuccess : cudaErrorIllegalAddress; }) ==
                   cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}
