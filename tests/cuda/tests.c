/* The list of tests. */
#include "tests/cuda/tests.h"

#include "tests/cuda/device.h"

const struct cuda_test cuda_tests[] = {
    {"norm", test_norm},           {"rope", test_rope},
    {"attention", test_attention}, {"rows", test_rows},
    {"blocks", test_blocks},       {"sample", test_sample},
    {"gemv", test_gemv},           {"gemm", test_gemm},
    {"widen", test_widen},         {"moe", test_moe},
    {"grouped", test_grouped},     {"layout", test_layout},
    {"advance", test_advance},     {NULL, NULL},
};
