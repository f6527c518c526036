/* The way of blocks of keys and values from GPUs to files and back: over pinned memory for some
 * blocks of every rank at a time.  Blocks that lie in pinned memory go there without.
 *
 * In a file a block is what every rank has of it, one after another, all layers of each as in
 * pinned memory (kv_pool.h).  Used by one thread at a time. */
#ifndef DYNO_BACKENDS_CUDA_KV_STAGE_H
#define DYNO_BACKENDS_CUDA_KV_STAGE_H

#include "backends/cuda/kv_pool.h"
#include "backends/store/kv_file.h"

struct dyno_cuda_kv_stage;

/* For blocks of the shapes of likes[ranks], on GPUs below gpu_count.  On success *out is closed
 * with dyno_cuda_kv_stage_close; on failure it is untouched.
 * Errors: DYNO_NO_MEMORY, and as dyno_cuda_fail. */
dyno_status dyno_cuda_kv_stage_open(struct dyno_cuda_kv_stage **out,
                                    const struct dyno_cuda_kv_pool *likes, uint32_t ranks,
                                    uint32_t gpu_count, struct dyno_error *error);
void dyno_cuda_kv_stage_close(struct dyno_cuda_kv_stage *stage); /* NULL: nothing */

/* Where `count` blocks lie: blocks[i] of every rank's pool; and in the file, places[i], under
 * names[i]. */
struct dyno_cuda_filing {
    const struct dyno_cuda_kv_pool *pools; /* [ranks], all of the host or all of GPUs */
    const uint32_t *blocks, *places;
    const struct dyno_block_name *names;
    uint32_t count;
};

/* Both return how many of the last blocks did not get there; of a call to CUDA that failed *error
 * says so, which is else untouched. */
uint32_t dyno_cuda_kv_stage_write(struct dyno_cuda_kv_stage *stage, struct dyno_kv_file *file,
                                  const struct dyno_cuda_filing *filing, struct dyno_error *error);
uint32_t dyno_cuda_kv_stage_read(struct dyno_cuda_kv_stage *stage, struct dyno_kv_file *file,
                                 const struct dyno_cuda_filing *filing, struct dyno_error *error);

#endif
