/* The functions of cuBLASLt that kernels/cuda calls, each found in the library when it is called
 * first.  Linked in the library's place, so that a program with the CUDA device starts where there
 * is no CUDA; there each says CUBLAS_STATUS_NOT_INITIALIZED. */
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define TEXT_OF(number)   #number
#define LIBRARY_OF(major) "libcublasLt.so." TEXT_OF(major)

/* NULL: no such library, or none with such a function. */
static void *find(const char *name)
{
    void *library = dlopen(LIBRARY_OF(CUBLAS_VER_MAJOR), RTLD_NOW | RTLD_LOCAL);

    return library ? dlsym(library, name) : NULL; /* it stays for as long as the program */
}

/* An object pointer that is a function's, as POSIX lets it be; threads may come at once, and find
 * the same. */
#define FORWARD(name, parameters, arguments)                                                       \
    cublasStatus_t name parameters                                                                 \
    {                                                                                              \
        static _Atomic(void *) found;                                                              \
        void *symbol = atomic_load(&found);                                                        \
        cublasStatus_t(*function) parameters = NULL;                                               \
                                                                                                   \
        if (!symbol) {                                                                             \
            symbol = find(#name);                                                                  \
            atomic_store(&found, symbol);                                                          \
        }                                                                                          \
        memcpy(&function, &symbol, sizeof(function));                                              \
        return function ? function arguments : CUBLAS_STATUS_NOT_INITIALIZED;                      \
    }

FORWARD(cublasLtCreate, (cublasLtHandle_t * handle), (handle))
FORWARD(cublasLtDestroy, (cublasLtHandle_t handle), (handle))
FORWARD(cublasLtMatmulDescInit_internal,
        (cublasLtMatmulDesc_t product, size_t size, cublasComputeType_t compute,
         cudaDataType_t scale),
        (product, size, compute, scale))
FORWARD(cublasLtMatmulDescSetAttribute,
        (cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, const void *value,
         size_t size),
        (product, attribute, value, size))
FORWARD(cublasLtMatrixLayoutInit_internal,
        (cublasLtMatrixLayout_t layout, size_t size, cudaDataType type, uint64_t rows,
         uint64_t columns, int64_t stride),
        (layout, size, type, rows, columns, stride))
FORWARD(cublasLtMatmulPreferenceInit_internal, (cublasLtMatmulPreference_t preference, size_t size),
        (preference, size))
FORWARD(cublasLtMatmulPreferenceSetAttribute,
        (cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const void *value, size_t size),
        (preference, attribute, value, size))
FORWARD(cublasLtMatmulAlgoGetHeuristic,
        (cublasLtHandle_t handle, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
         cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
         cublasLtMatmulPreference_t preference, int count_max,
         cublasLtMatmulHeuristicResult_t results[], int *count),
        (handle, product, a, b, c, d, preference, count_max, results, count))
FORWARD(cublasLtMatmul,
        (cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void *alpha, const void *a,
         cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
         const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
         cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
         size_t workspace_bytes, cudaStream_t stream),
        (handle, product, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout,
         algorithm, workspace, workspace_bytes, stream))

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    const char *(*function)(cublasStatus_t) = NULL;
    void *symbol = find("cublasLtGetStatusName");

    memcpy(&function, &symbol, sizeof(function));
    return function ? function(status) : "there is no " LIBRARY_OF(CUBLAS_VER_MAJOR);
}
