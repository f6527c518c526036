/* Blocks of KV in a file that outlives the run: a tier of NVMe.
 *
 * The file is a head of 4 KiB and then `blocks` slots, each of a header and a block, filled up to
 * 4 KiB:
 *
 *   head    "DYNOKV1\n", bytes of a block, what KV it is (fingerprint), XXH3 of those
 *   slot    "KVBLOCK\n", span, index in it, depth, XXH3 of the block, XXH3 of the header; the block
 *
 * A slot is written in one go, so that one that was written in part is seen to be: what is read
 * must have the name that it is asked for and the checksums that were written with it.  Nothing is
 * synchronised to the disk: what a machine that loses power has not written is lost or is seen to
 * be wrong, and is computed again.  Slots of before are found by their headers when the file is
 * opened; their blocks are checked when they are read.
 */
#ifndef DYNO_BACKENDS_STORE_KV_FILE_H
#define DYNO_BACKENDS_STORE_KV_FILE_H

#include "backends/assets/weights.h"
#include "backends/store/file_io.h"
#include "core/worker/tiers.h"

struct dyno_kv_file;

struct dyno_kv_file_config {
    const char *path; /* made if it is not there; NULL: a file without a name, gone with the run */
    uint32_t blocks;
    uint64_t block_bytes;
    uint64_t fingerprint; /* of what KV it is: what was computed from other weights is refused */
    enum dyno_file_way way;
    /* For tests: called after an operation, which it may change as a disk might.  NULL: nobody. */
    void (*fault)(void *context, struct dyno_file_op *op);
    void *fault_context;
};

/* On success *out is closed with dyno_kv_file_close.  Errors: DYNO_IO (with the system's reason),
 * DYNO_BAD_INPUT (another file, KV of another model or shape, or one that somebody else has open),
 * DYNO_NO_MEMORY. */
dyno_status dyno_kv_file_open(struct dyno_kv_file **out, const struct dyno_kv_file_config *config,
                              struct dyno_error *error);
void dyno_kv_file_close(struct dyno_kv_file *file); /* NULL: nothing */

/* What was there when it was opened, no name twice: [*count], the file's. */
struct dyno_kept_block *dyno_kv_file_kept(struct dyno_kv_file *file, uint32_t *count);

/* "io_uring" or "threads". */
const char *dyno_kv_file_way(const struct dyno_kv_file *file);

/* Blocks go to the slots `places`, or come from there; `move` is asked for the bytes of one, or
 * given them, in their order, from 0.  Returns how many of the last ones could not be written; or
 * read as they were named and written, of which `move` is told nothing.  From one thread at a time.
 */
uint32_t dyno_kv_file_write(struct dyno_kv_file *file, const uint32_t *places,
                            const struct dyno_block_name *names, uint32_t count,
                            void (*move)(void *context, uint32_t block, void *bytes),
                            void *context);
uint32_t dyno_kv_file_read(struct dyno_kv_file *file, const uint32_t *places,
                           const struct dyno_block_name *names, uint32_t count,
                           void (*move)(void *context, uint32_t block, void *bytes), void *context);

/* Of the weights, by samples of them, and of how their KV lies in blocks. */
uint64_t dyno_kv_fingerprint(const struct dyno_weights *weights, uint32_t block_tokens,
                             uint32_t ranks);

#endif
