/* The matrix product: y[i][r] = sum over k of W[r][k] x[i][k], plus a bias, plus a residual; also
 * of some neighbouring columns of W alone, which count from their first one then.
 *
 * Bound by memory for few activations (bytes of W), by multiplications for many (n rows columns
 * fused multiply-adds).
 *
 * dyno_matmul_ref is the definition.  dyno_matmul differs from it by less than
 * 2^-20 (sum over k of |W[r][k] x[i][k]| + |bias| + |residual|) for up to 16384 columns.  Its
 * result for (i, r) is a function of row r, activation i and the instruction set alone, bit for
 * bit: every element is summed in the same order whatever n, the tile it lies in, and the team. The
 * order: chunks of DYNO_MATMUL_CHUNK columns one after another; in a chunk, lane l of the vector
 * sums the columns k = l (mod lanes) in ascending order, and the lanes are then summed as a tree.
 */
#ifndef DYNO_KERNELS_MATMUL_H
#define DYNO_KERNELS_MATMUL_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/isa.h"
#include "kernels/matrix.h"
#include "kernels/team.h"

enum {
    DYNO_MATMUL_CHUNK = 1024, /* columns; a multiple of 32 */
    DYNO_MATMUL_UNIT = 24,    /* weight rows: what a team shares out */
};

struct dyno_matmul_job {
    const struct dyno_matrix *weights;
    uint32_t first_column, column_count; /* of the weights, which x has; count 0: all of them. Q8_0:
                                            multiples of 32 */
    const float *x;                      /* [n][x_stride], one for each of those columns is read */
    uint32_t n;
    size_t x_stride, y_stride; /* in floats */
    const float *bias;         /* [weights->rows]; NULL: none */
    const float *residual;     /* [n][y_stride]; NULL: none; must not be y */
    float *y;                  /* [n][y_stride], the first weights->rows of each are written */
};

static inline uint32_t dyno_matmul_columns(const struct dyno_matmul_job *job)
{
    return job->column_count ? job->column_count : job->weights->columns;
}

/* The definition, in double, by one thread. */
void dyno_matmul_ref(const struct dyno_matmul_job *job);

/* All `count` jobs at once, as one operation of the team. */
void dyno_matmul(const struct dyno_isa *isa, struct dyno_team *team,
                 const struct dyno_matmul_job *jobs, uint32_t count);

#endif
