/* A weight matrix on a GPU, of 16-bit elements, or of the 8 bits and the scales that its file has:
 * e4m3 and Q8_0, which take half the memory and half the time to read. */
#ifndef DYNO_BACKENDS_CUDA_MATRIX_H
#define DYNO_BACKENDS_CUDA_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/weights.h"
#include "backends/cuda/arena.h"
#include "backends/cuda/upload.h"
#include "backends/engine/shard.h"
#include "core/base/status.h"
#include "kernels/cuda/gemv.h"

/* Pointers are to the device's memory; the matrix is [rows][columns], a product of its rows. */
struct dyno_cuda_matrix {
    enum dyno_cuda_weights kind; /* 16, INT8 or E4M3 */
    uint32_t columns, group;     /* of 8 bits: `group` columns have one scale */
    const void *weights;         /* NULL: there is none */
    const void *scales; /* [rows][columns / group]: of INT8 elements, of E4M3 floats; of 16 NULL */
};

/* The most columns of 8 bits: what is widened at once has at least 8 rows of them. */
enum { DYNO_CUDA_NARROW_COLUMNS_MAX = 1 << 20 };

/* How matrices can lie, one above the other in one, each with the columns `part` of its own: as
 * 8 bits where all of them are the same kind of those in the file, with scales that the part does
 * not cut, else as 16.  Only `kind`, `columns` and `group` are filled in. */
struct dyno_cuda_matrix dyno_cuda_matrix_form(const struct dyno_weights *weights,
                                              const struct dyno_matrix *const *parts,
                                              uint32_t part_count, struct dyno_shard_part part);

/* Hand out the memory of `rows` rows of a matrix of that form. */
void dyno_cuda_matrix_take(struct dyno_cuda_matrix *matrix, struct dyno_cuda_arena *arena,
                           uint64_t rows);

/* Load the columns `part` of `from` to the rows from `row` on.  `element`: F16 or BF16, of what is
 * of 16 bits. */
dyno_status dyno_cuda_matrix_load(const struct dyno_cuda_matrix *matrix, uint64_t row,
                                  const struct dyno_weights *weights,
                                  const struct dyno_matrix *from, struct dyno_shard_part part,
                                  enum dyno_element element, struct dyno_cuda_upload *upload,
                                  struct dyno_error *error);

#endif
