/* Links whose transfers are copies, made by threads of their own (core/worker/link.h).
 *
 * There are one or more paths between places, such as memory and a disk.  Each has a thread, which
 * copies one transfer after the other, in the order in which they were submitted: two on one path
 * share it by turns.  When a transfer has arrived the loop's clock is woken.
 *
 *   QUEUED [submit] -> copied [the path's thread] -> ARRIVED -> forgotten [reap]
 *
 * What a transfer takes is predicted from what those before it on its path took: the time for a
 * byte, averaged over bytes with weights that halve every 64 MiB or so, and from when it was
 * submitted to an idle path to when its copy began, averaged over the last 16 or so.  Where nothing
 * has been copied for a while, half of what was learned is forgotten every 10 seconds: whoever does
 * not use a path that was slow for a moment learns nothing of it.
 *
 * Single layers move while others are computed, so that copying them waits for a pass: they have
 * paths of their own, of which nothing is learned, one for each worker that they come from while
 * there are so many.
 */
#ifndef DYNO_BACKENDS_ENGINE_COPIER_H
#define DYNO_BACKENDS_ENGINE_COPIER_H

#include "core/base/status.h"
#include "core/run/clock.h"
#include "core/worker/link.h"

enum { DYNO_COPIER_PATHS_MAX = 4, DYNO_COPIER_LAYER_PATHS_MAX = 16 };

/* What a copy returns in place of how much is lost: an end is gone, and the transfer never arrives.
 * It is there to be dropped. */
enum { DYNO_COPY_NEVER = UINT32_MAX };

/* What a path was seen to do. */
struct dyno_copier_speed {
    double ns_per_byte;
    double latency_ns;
};

/* What a disk is taken for until one has been seen. */
static inline struct dyno_copier_speed dyno_copier_disk_speed(void)
{
    return (struct dyno_copier_speed){.ns_per_byte = 1.0, .latency_ns = 100000.0};
}

struct dyno_copier_config {
    uint32_t path_count;
    /* Which path a transfer takes, < path_count; NULL: there is one. */
    uint32_t (*path)(void *context, uint32_t from, uint32_t to);
    /* Copy it all.  Called from the path's thread; its arrays are valid during the call.  Returns
     * how many of its last blocks are lost: 0 between memories; or DYNO_COPY_NEVER. */
    uint32_t (*copy)(void *context, const struct dyno_transfer *transfer);
    /* Of single layers: which pass of worker `from` computes them, asked when it is submitted; and
     * copy them, as `copy` does, each when that has computed it.  Both, and 1 to
     * DYNO_COPIER_LAYER_PATHS_MAX paths; or NULL, and none: no single layers move. */
    uint64_t (*pass_of)(void *context, uint32_t from);
    uint32_t (*copy_layers)(void *context, const struct dyno_transfer *transfer, uint64_t pass);
    uint32_t layer_path_count;
    void (*release)(void *context); /* when the links close, their threads are gone; may be NULL */
    void *context;
    struct dyno_copier_speed speeds[DYNO_COPIER_PATHS_MAX]; /* to predict from at first */
    /* What time it is, and whom to wake: both from any thread. */
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* On success *out is closed through its ops, which copies what is still on its way: the places must
 * be there until then.  Errors: DYNO_NO_MEMORY, DYNO_IO (a thread cannot be started); the context
 * is not released then. */
dyno_status dyno_copier_open(struct dyno_links **out, const struct dyno_copier_config *config,
                             struct dyno_error *error);

/* Wait until all that was submitted has been copied, to links that dyno_copier_open opened: it can
 * be reaped then.  Of transfers that never arrive nobody waits for more. */
void dyno_copier_settle(struct dyno_links *links);

/* Of links that dyno_copier_open opened. */
struct dyno_copier_speed dyno_copier_speed(const struct dyno_links *links, uint32_t path);

#endif
