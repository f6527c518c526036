/* What KV moves over, of workers that compute on this machine's CPU or GPUs, or are simulated as
 * its CPU was measured: memories, and links between them.
 */
#ifndef DYNO_CLI_ASSEMBLY_LIVE_LINKS_H
#define DYNO_CLI_ASSEMBLY_LIVE_LINKS_H

#include <stdbool.h>

#include "core/base/status.h"
#include "core/worker/link.h"

struct dyno_assembly;
struct dyno_kv_storage;
struct dyno_kv_file;

/* A place beside the workers' own memories. */
struct dyno_live_pool {
    uint32_t level; /* 2: host memory, 3: a file */
    uint32_t blocks;
};

struct dyno_live_links {
    struct dyno_links *links;          /* NULL: not open */
    struct dyno_kv_storage **storages; /* [storage_count] of pools, a rank's each */
    uint32_t storage_count;
    struct dyno_kv_storage **between; /* [between_count] ranks', where both ends may be far */
    uint32_t between_count;
    struct dyno_kv_file **files; /* [file_count], by pool; NULL: it is memory */
    uint32_t file_count;
    /* Simulated ones: by pool, as in dyno_live_pool; the first is the endpoint after the workers.
     */
    uint32_t *levels; /* [level_count] */
    uint32_t level_count, first_pool;
    uint32_t first_behind;   /* endpoint of the first worker that computes prompts ... */
    bool is_far, behind_far; /* ... and whether they, or those before them, are elsewhere */
};

/* Whether the assembly's workers are such ones. */
bool dyno_live_links_are(const struct dyno_assembly *assembly);

/* Bytes of one block of KV as it lies there. */
uint64_t dyno_live_links_block_bytes(const struct dyno_assembly *assembly);

/* Endpoints are the workers, as a hand-off numbers them, and then the pools.  Devices, clock and
 * machine are open.  Closed by dyno_live_links_close, before the devices, also after a failure.
 * Errors: as dyno_cpu_links_open, dyno_cuda_links_open, dyno_kv_storage_like and dyno_kv_file_open;
 * DYNO_BAD_INPUT (a measured machine whose copies were not measured). */
dyno_status dyno_live_links_open(struct dyno_live_links *out, const struct dyno_assembly *assembly,
                                 const struct dyno_live_pool *pools, uint32_t pool_count,
                                 struct dyno_error *error);
void dyno_live_links_close(struct dyno_live_links *links);

#endif
