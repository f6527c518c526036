/* The inner loops, once for each instruction set: one source (the *_body.h), compiled by
 * isa_portable.c, isa_avx2.c and isa_avx512.c with their own flags, chosen at run time.
 *
 * Results may differ between instruction sets, never within one.
 */
#ifndef DYNO_KERNELS_ISA_H
#define DYNO_KERNELS_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dyno_matmul_job;
struct dyno_attention_job;

struct dyno_isa {
    const char *name;
    uint32_t lanes; /* floats that an instruction works on */

    /* Rows [first, last) of one product, for all its activations (matmul.h). */
    void (*matmul)(const struct dyno_matmul_job *job, uint32_t first, uint32_t last);

    /* `rows` rows from `row` on of one slice, for the heads that share `kv_head` (attention.h). */
    void (*attention)(const struct dyno_attention_job *job, uint32_t slice, uint32_t row,
                      uint32_t rows, uint32_t kv_head, float *scratch);

    /* One row each (norm.h). */
    void (*rms_norm)(const float *x, const float *weight, float epsilon, uint32_t count,
                     float *out);
    void (*layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                       uint32_t count, float *out);

    /* gate = silu(gate) up; x = gelu(x) (activation.h). */
    void (*silu_multiply)(float *gate, const float *up, size_t count);
    void (*gelu)(float *x, size_t count);

    /* largest.h; the same for all. */
    uint32_t (*largest)(const float *x, uint32_t count);
};

/* All that this build has, the best first; NULL-terminated.  The portable one is the last. */
extern const struct dyno_isa *const dyno_isa_table[];

/* Does this CPU, under this operating system, run it? */
bool dyno_isa_runs(const struct dyno_isa *isa);

const struct dyno_isa *dyno_isa_best(void);

#endif
