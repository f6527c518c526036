/* The tests of kernels/cuda, one function a file. */
#ifndef DYNO_TESTS_CUDA_TESTS_H
#define DYNO_TESTS_CUDA_TESTS_H

#include <stdint.h>

void test_norm(uint32_t seeds);
void test_rope(uint32_t seeds);
void test_attention(uint32_t seeds);
void test_rows(uint32_t seeds);
void test_blocks(uint32_t seeds);
void test_sample(uint32_t seeds);
void test_advance(uint32_t seeds);

void test_gemv(uint32_t seeds);

void test_gemm(uint32_t seeds);
void test_widen(uint32_t seeds);

void test_moe(uint32_t seeds);

void test_grouped(uint32_t seeds);

void test_layout(uint32_t seeds);

#endif
