/* The inner loops for any CPU; the build gives this file its flags. */
#include "kernels/isa_parts.h"

#include "kernels/lanes_portable.h"

#include "kernels/activation_body.h"
#include "kernels/attention_body.h"
#include "kernels/largest_body.h"
#include "kernels/matmul_body.h"
#include "kernels/norm_body.h"

const struct dyno_isa dyno_isa_portable = {
    .name = "portable",
    .lanes = LANES,
    .matmul = matmul,
    .attention = attention,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .silu_multiply = silu_multiply,
    .gelu = gelu,
    .largest = largest,
};
