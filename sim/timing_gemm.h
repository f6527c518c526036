/* What one matrix multiplication costs.  Internal to sim/. */
#ifndef DYNO_SIM_TIMING_GEMM_H
#define DYNO_SIM_TIMING_GEMM_H

#include "sim/timing.h"

/* [tokens][in] x [in][out] -> [tokens][out]. */
struct dyno_gemm {
    double tokens;
    double inputs;  /* different rows among them: a token goes to several experts */
    double weights; /* parameters read */
    double flops;
    double in, out;           /* columns of activations, per token */
    double efficiency;        /* a further factor on that of operations, ... */
    double memory_efficiency; /* ... and on that of memory; both 1 but for grouped GEMMs */
    bool grouped;             /* many small ones in one launch: no waves of their own */
    enum dyno_dtype dtype;
};

/* Launching it, and quantising its input where weights and GPU are fp8, included. */
double dyno_gemm_us(const struct dyno_timing_config *config, const struct dyno_gemm *gemm);

/* Of two times that overlap but for their beginnings and ends: a little more than the longer, the
 * cube root of the sum of their cubes. */
double dyno_overlapped(double a, double b);

#endif
