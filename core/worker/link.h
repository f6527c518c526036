/* Seam: links move KV blocks from one place to another.
 *
 * One object stands for all links of a fleet; an endpoint is a worker's index, or beyond those a
 * place that holds blocks of lower tiers (core/worker/tiers.h).  A transfer moves
 * whole blocks and holds what it touches until it has arrived.  Who does not want it any more marks
 * it, and lets go when it has arrived; only where an end is lost, or a link lets nothing pass, is
 * it given up.
 */
#ifndef DYNO_CORE_WORKER_LINK_H
#define DYNO_CORE_WORKER_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

/* What a block of KV is, wherever it lies: by that it is found again in a place that outlives the
 * run. */
struct dyno_block_name {
    uint64_t span;
    uint32_t index; /* in its span */
    uint32_t depth; /* in the chain in which it was stored: blocks before it */
};

struct dyno_transfer {
    uint64_t id;          /* unique among those on their way */
    uint32_t from, to;    /* endpoints */
    uint32_t blocks;      /* 0: only word that nothing needs to be moved */
    uint64_t block_bytes; /* of all layers that move */
    dyno_ns block_ns;     /* more for each block than others take: it is cut into more pieces */
    /* Between places that store KV: the block at from_blocks[i] goes to to_blocks[i], both of
     * [blocks] and valid during submit.  Elsewhere NULL. */
    const uint32_t *from_blocks, *to_blocks;
    const struct dyno_block_name *names; /* likewise, if either place outlives the run; else NULL */
    /* end_layer > 0: of the blocks only layers [first_layer, end_layer) move, each when the pass of
     * worker `from` that is in flight has computed it, or that is over. */
    uint32_t first_layer, end_layer;
};

struct dyno_arrival {
    uint64_t id;
    dyno_ns at;    /* when the last block was there */
    uint32_t lost; /* so many of its last blocks are not: they could not be read, are not what was
                      stored, or could not be written.  Only of places that outlive the run */
};

/* What a link carried since the start. */
struct dyno_link_use {
    uint64_t bytes;
    dyno_ns busy_ns; /* time in which some transfer was on it */
};

struct dyno_links;

struct dyno_links_ops {
    const char *name;

    /* Begin to move.  Errors: DYNO_NO_MEMORY; DYNO_BAD_INPUT (more bytes than links may carry). */
    dyno_status (*submit)(struct dyno_links *links, dyno_ns now,
                          const struct dyno_transfer *transfer);

    /* The next transfer that arrived at or before `now`, ordered by (time, id).  False: none. */
    bool (*reap)(struct dyno_links *links, dyno_ns now, struct dyno_arrival *out);

    /* Give up transfer `id`, which will not be reaped; false: it is not on its way. */
    bool (*drop)(struct dyno_links *links, dyno_ns now, uint64_t id);

    /* How long the transfer would take if it began now and nothing else changed: an estimate, of
     * links that others use from their present load. */
    dyno_ns (*predict)(const struct dyno_links *links, const struct dyno_transfer *transfer);

    /* When reap should be called next; DYNO_NEVER: nothing is on its way. */
    dyno_ns (*next)(const struct dyno_links *links);

    /* What each link carried until `now`, which is not before the last reap: of the link_count
     * links there are.  NULL: nobody counts. */
    void (*use)(const struct dyno_links *links, dyno_ns now, struct dyno_link_use *out);

    void (*close)(struct dyno_links *links);
};

struct dyno_links {
    const struct dyno_links_ops *ops;
    dyno_ns due;         /* what ops->next says, kept so that nobody need ask; 0: it is not kept */
    uint32_t link_count; /* of ops->use; else 0 */
    bool moves_layers;   /* single ones, between places that store KV */
};

/* As ops->next. */
static inline dyno_ns dyno_links_next(const struct dyno_links *links)
{
    return links->due > 0 ? links->due : links->ops->next(links);
}

/* As ops->reap, without a call where there is nothing. */
static inline bool dyno_links_reap(struct dyno_links *links, dyno_ns now, struct dyno_arrival *out)
{
    return links->due <= now && links->ops->reap(links, now, out);
}

#endif
