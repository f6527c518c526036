/* Runs the tests of kernels/cuda.
 *
 * usage: test_cuda [NAME]
 *
 * Without a name all of them.  DYNO_CUDA_SEEDS: over how many seeds, in place of the few of a short
 * run.  Ends with 77, having said "skipped: no GPU", where there is none.
 */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/device.h"

enum { SEEDS = 12, SKIPPED = 77 };

static uint32_t seeds_wanted(void)
{
    const char *text = getenv("DYNO_CUDA_SEEDS");
    long seeds = text ? strtol(text, NULL, 10) : SEEDS;

    if (seeds < 1 || seeds > 1000000) {
        fail("DYNO_CUDA_SEEDS is '%s', not a number from 1 to 1000000", text);
    }
    return (uint32_t)seeds;
}

int main(int argc, char **argv)
{
    int devices = 0, run = 0;

    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        puts("skipped: no GPU");
        return SKIPPED;
    }
    for (const struct cuda_test *test = cuda_tests; test->name; test++) {
        if (argc < 2 || strcmp(argv[1], test->name) == 0) {
            test->run(seeds_wanted());
            arrays_free();
            printf("ok %s\n", test->name);
            run++;
        }
    }
    if (run == 0) {
        fail("there is no test '%s'", argv[1]);
    }
    return EXIT_SUCCESS;
}
