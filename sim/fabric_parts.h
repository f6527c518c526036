/* What the fabric is made of.  Private to sim/fabric*.c. */
#ifndef DYNO_SIM_FABRIC_PARTS_H
#define DYNO_SIM_FABRIC_PARTS_H

#include "core/base/heap.h"
#include "core/base/pool.h"
#include "sim/fabric.h"

enum { RATE_BITS = 32, NO_HOP = UINT32_MAX };

/* A transfer's passage over one link: transfer x DYNO_PATH_LINKS_MAX + place on its path. */
struct hop {
    uint32_t link;
    uint32_t prev, next; /* hops over the same link */
    bool bound;          /* it did when the transfer left */
};

struct moving {
    uint64_t id;
    unsigned __int128 left; /* bytes x 2^32, as of `since` */
    dyno_ns since;
    uint64_t rate, ceiling;
    uint64_t mark; /* of the change that reached it last */
    uint32_t hop_count;
    bool begun;
    struct hop hops[DYNO_PATH_LINKS_MAX];
};

struct link {
    uint64_t capacity; /* 2^-32 bytes per ns; 0: it lets nothing pass ... */
    uint64_t whole;    /* ... and when nothing is wrong with it */
    dyno_ns latency_ns;
    unsigned __int128 demand;  /* ceilings of its transfers, summed */
    unsigned __int128 awaited; /* of those that have been submitted and do not move yet */
    uint32_t first;            /* hop */
    unsigned __int128 carried; /* bytes x 2^32 since the start, but for what moved since rates were
                                  set last ... */
    dyno_ns busy_ns, busy_since; /* ... and time in which it had users, likewise */
    uint32_t users;
    /* While rates are being fixed: */
    uint64_t mark, left;
    uint32_t unfixed;
};

struct fabric {
    struct dyno_links base;
    struct dyno_fabric_config config;
    struct link *links;
    struct dyno_pool transfers; /* struct moving */
    struct dyno_heap events;    /* by transfer: when it begins, or has moved everything */
    struct dyno_arrival *done;  /* ordered by (time, id), latest first */
    uint32_t done_count, done_capacity;
    /* The change being worked on. */
    uint64_t mark, work;
    uint32_t *reached; /* [reached_count] transfers */
    uint32_t reached_count, reached_capacity;
    struct dyno_heap levels, ceilings; /* by link, by transfer */
};

static inline struct fabric *fabric_of(struct dyno_links *links)
{
    return (void *)links; /* its first member */
}

static inline struct moving *at(const struct fabric *fabric, uint32_t transfer)
{
    return dyno_pool_at(&fabric->transfers, transfer);
}

static inline struct hop *hop_at(const struct fabric *fabric, uint32_t hop)
{
    return &at(fabric, hop / DYNO_PATH_LINKS_MAX)->hops[hop % DYNO_PATH_LINKS_MAX];
}

static inline bool binds(const struct link *link)
{
    return link->demand > link->capacity;
}

/* What happens by itself until `now`, and when something does next. */
void dyno_fabric_advance(struct fabric *fabric, dyno_ns now);
dyno_ns dyno_fabric_next(const struct dyno_links *links);
/* A transfer will use its links, or begins to. */
void dyno_fabric_await(struct fabric *fabric, const struct moving *moving, bool comes);
/* It has ceased to use its links: those that shared one that bound have new rates. */
void dyno_fabric_quit(struct fabric *fabric, uint32_t transfer, dyno_ns now);
/* The parts of that: on its links or off them, true if one of them binds or did; whoever is
 * reached, and then everybody that shares what binds with them. */
bool dyno_fabric_join(struct fabric *fabric, uint32_t transfer);
bool dyno_fabric_leave(struct fabric *fabric, uint32_t transfer);
void dyno_fabric_reach(struct fabric *fabric, uint32_t transfer);
void dyno_fabric_share_anew(struct fabric *fabric, dyno_ns now);
void dyno_fabric_set_rate(struct fabric *fabric, uint32_t transfer, uint64_t rate, dyno_ns now);

/* fabric_faults.c: as in struct dyno_links_ops. */
bool dyno_fabric_drop(struct dyno_links *links, dyno_ns now, uint64_t id);

/* fabric_use.c: what links carry. */
/* A transfer begins to use its links, has moved something more, or ceases to use them. */
void dyno_fabric_occupy(struct fabric *fabric, const struct moving *moving, dyno_ns now);
void dyno_fabric_carry(struct fabric *fabric, const struct moving *moving, unsigned __int128 moved);
void dyno_fabric_vacate(struct fabric *fabric, const struct moving *moving, dyno_ns now);
/* What it has moved from `since` until now. */
unsigned __int128 dyno_fabric_moved(const struct moving *moving, dyno_ns now);
/* As in struct dyno_links_ops. */
void dyno_fabric_use(const struct dyno_links *links, dyno_ns now, struct dyno_link_use *out);

#endif
