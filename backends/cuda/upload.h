/* Weights on their way to a GPU: converted to its 16-bit element by a team of threads, into one of
 * two pieces of pinned memory while the other one is copied. */
#ifndef DYNO_BACKENDS_CUDA_UPLOAD_H
#define DYNO_BACKENDS_CUDA_UPLOAD_H

#include <stdint.h>

#include "backends/cuda/runtime.h"
#include "kernels/matrix.h"
#include "kernels/team.h"

struct dyno_cuda_upload;

/* To the current device.  `team` may be NULL: the caller's thread alone.  On success *out is the
 * caller's; on failure it is untouched.  Errors: as dyno_cuda_fail, DYNO_NO_MEMORY. */
dyno_status dyno_cuda_upload_open(struct dyno_cuda_upload **out, struct dyno_team *team,
                                  struct dyno_error *error);

/* Waits for copies under way.  NULL: nothing. */
void dyno_cuda_upload_close(struct dyno_cuda_upload *upload);

/* `to` is [rows][columns] of `element` (F16 or BF16) on the device: rounded where the matrix has
 * more bits.  What is copied may be under way until dyno_cuda_upload_finish. */
dyno_status dyno_cuda_upload_matrix(struct dyno_cuda_upload *upload, void *to,
                                    const struct dyno_matrix *from, enum dyno_element element,
                                    struct dyno_error *error);

/* Of every row the elements [first, first + count) alone: `to` is [rows][count].  Of Q8_0 both are
 * multiples of 32. */
dyno_status dyno_cuda_upload_columns(struct dyno_cuda_upload *upload, void *to,
                                     const struct dyno_matrix *from, uint32_t first, uint32_t count,
                                     enum dyno_element element, struct dyno_error *error);

/* `rows` rows of `row_bytes` each, as `fill` writes them, from the team's threads; until it returns
 * `context` is read. */
dyno_status dyno_cuda_upload_rows(struct dyno_cuda_upload *upload, void *to, uint32_t rows,
                                  size_t row_bytes,
                                  void (*fill)(const void *context, uint32_t row, void *to),
                                  const void *context, struct dyno_error *error);

/* Bytes as they are. */
dyno_status dyno_cuda_upload_bytes(struct dyno_cuda_upload *upload, void *to, const void *from,
                                   uint64_t bytes, struct dyno_error *error);

/* Wait until all of it is there. */
dyno_status dyno_cuda_upload_finish(struct dyno_cuda_upload *upload, struct dyno_error *error);

#endif
