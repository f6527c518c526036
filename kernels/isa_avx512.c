/* The inner loops for AVX-512F; the build gives this file its flags. */
#include "kernels/isa_parts.h"

#if defined(__x86_64__)
#include "kernels/lanes_avx512.h"

#include "kernels/activation_body.h"
#include "kernels/attention_body.h"
#include "kernels/largest_body.h"
#include "kernels/matmul_body.h"
#include "kernels/norm_body.h"

const struct dyno_isa dyno_isa_avx512 = {
    .name = "avx512",
    .lanes = LANES,
    .matmul = matmul,
    .attention = attention,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .silu_multiply = silu_multiply,
    .gelu = gelu,
    .largest = largest,
};
#endif
