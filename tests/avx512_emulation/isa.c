/* In the place of kernels/isa.c: AVX-512 as it is emulated runs, and nothing else. */
#include "kernels/isa.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/isa_parts.h"

/* Its halves want a CPU with AVX2. */
static __attribute__((constructor)) void skip_without_halves(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        (void)puts("skipped: this CPU has no AVX2");
        exit(77);
    }
}

bool dyno_isa_runs(const struct dyno_isa *isa)
{
    return isa == &dyno_isa_avx512;
}

const struct dyno_isa *dyno_isa_best(void)
{
    return &dyno_isa_avx512;
}

const struct dyno_isa *const dyno_isa_table[] = {&dyno_isa_avx512, &dyno_isa_avx2,
                                                 &dyno_isa_portable, NULL};
