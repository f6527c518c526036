/* The instruction sets by name, for isa.c. */
#ifndef DYNO_KERNELS_ISA_PARTS_H
#define DYNO_KERNELS_ISA_PARTS_H

#include "kernels/isa.h"

extern const struct dyno_isa dyno_isa_portable;
#if defined(__x86_64__)
extern const struct dyno_isa dyno_isa_avx2;
extern const struct dyno_isa dyno_isa_avx512;
#endif

#endif
