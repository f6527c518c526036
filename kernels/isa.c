/* Which instruction sets there are, and which of them this CPU runs. */
#include "kernels/isa.h"

#include "kernels/isa_parts.h"

bool dyno_isa_runs(const struct dyno_isa *isa)
{
#if defined(__x86_64__)
    if (isa == &dyno_isa_avx512) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
    }
    if (isa == &dyno_isa_avx2) { /* every CPU that has it has F16C, which came before */
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    }
#endif
    return isa == &dyno_isa_portable;
}

const struct dyno_isa *dyno_isa_best(void)
{
    const struct dyno_isa *const *isa = dyno_isa_table;

    while (!dyno_isa_runs(*isa)) {
        isa++;
    }
    return *isa;
}

const struct dyno_isa *const dyno_isa_table[] = {
#if defined(__x86_64__)
    &dyno_isa_avx512, &dyno_isa_avx2,
#endif
    &dyno_isa_portable, NULL};
