/* The fabric: simulated links that transfers share, max-min fair.
 *
 * A transfer takes `overhead + blocks x block_overhead + the latencies of its path`, and then as
 * long as its bytes take at its rate.  Rates are max-min fair over every link of every path: all
 * transfers rise together, and whoever reaches a full link stays there.  As numbers, so that the
 * same transfers always have the same rates: take, again and again, the smallest of
 *
 *     a transfer's ceiling   the narrowest link of its path
 *     a link's level         floor(what is left of it / transfers not yet fixed)
 *
 * (of equal ones ceilings first, then links by index), and fix at it that transfer, or those
 * transfers of the link.  Rates are whole units of 2^-32 bytes per nanosecond, and times whole
 * nanoseconds, so that nothing depends on when somebody looked.  The definition is max-min
 * fairness (Bertsekas and Gallager, Data Networks, 6.5.2) to within one unit a transfer.
 *
 * A change costs in proportion to the transfers it can reach: those that share a link with it that
 * all who use it together could overfill, those that share such a link with them, and so on.  Links
 * that nobody can overfill part the fabric; only transfers whose rates changed are moved on.
 */
#ifndef DYNO_SIM_FABRIC_H
#define DYNO_SIM_FABRIC_H

#include "core/worker/link.h"

enum { DYNO_PATH_LINKS_MAX = 12 };

#define DYNO_LINK_BYTES_PER_S_MIN 1000000ULL          /* 1 MB/s ... */
#define DYNO_LINK_BYTES_PER_S_MAX 1000000000000000ULL /* ... to 1 PB/s */
#define DYNO_TRANSFER_BYTES_MAX   (1ULL << 44)

struct dyno_fabric_link {
    uint64_t bytes_per_s; /* from DYNO_LINK_BYTES_PER_S_MIN to _MAX; one direction */
    dyno_ns latency_ns;
};

struct dyno_fabric_config {
    const struct dyno_fabric_link *links; /* [link_count]; copied */
    uint32_t link_count;
    /* The links from one endpoint to another, each once; none if there is nothing between them. */
    uint32_t (*path)(const void *context, uint32_t from, uint32_t to,
                     uint32_t path[DYNO_PATH_LINKS_MAX]);
    const void *path_context;  /* outlives the fabric */
    dyno_ns overhead_ns;       /* of a transfer ... */
    dyno_ns block_overhead_ns; /* ... and of each of its blocks */
    bool alone; /* every transfer has its path to itself: what is neglected where links are not
                   shared; for comparison */
};

/* On success *out is closed through its ops.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_fabric_open(struct dyno_links **out, const struct dyno_fabric_config *config);

/* From `now` on link `link` is so many times narrower than it was made; 0: it lets nothing pass,
 * and what is on its way over it waits until it does.  Costs in proportion to all transfers. */
void dyno_fabric_slow(struct dyno_links *links, dyno_ns now, uint32_t link, uint32_t slowness);

/* The rate of transfer `id` in 2^-32 bytes per nanosecond as of the last reap; 0: it is not moving
 * bytes.  For tests. */
uint64_t dyno_fabric_rate(const struct dyno_links *links, uint64_t id);

/* How many rates were computed since the start, for tests of what a change costs. */
uint64_t dyno_fabric_work(const struct dyno_links *links);

#endif
