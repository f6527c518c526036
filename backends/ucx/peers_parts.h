/* What workers in other processes are made of, on this side.  Private to backends/ucx/peers*.c and
 * deaths.c.
 *
 * A process may end, and another one may be there when it is looked for again.  So what is kept of
 * one lasts only as long as somebody uses it: its stay.
 *
 *   met [meet]  -> held by each of its workers [their starts]
 *   gone        -> nobody is met there any more; who holds it lets go when it starts anew, or stops
 *   let go of by the last one -> closed
 */
#ifndef DYNO_BACKENDS_UCX_PEERS_PARTS_H
#define DYNO_BACKENDS_UCX_PEERS_PARTS_H

#include <pthread.h>

#include "backends/ucx/peer.h"
#include "backends/ucx/peers.h"

struct dyno_ucx_stay {
    struct dyno_ucx_peer *peer;
    uint32_t holders;
};

/* Where a process is. */
struct dyno_ucx_place {
    const char *address;
    pthread_mutex_t meeting; /* held by who looks for it, before the peers' lock if both are */
    /* Under the peers' lock: */
    struct dyno_ucx_stay *there; /* who was met last, while somebody holds it; NULL: nobody */
    uint32_t closing;            /* stays: until they are closed nobody else is let in there */
};

/* A worker of one.  Its memory (first member) is the same for whoever is there. */
struct dyno_ucx_hand {
    struct dyno_kv_peer memory;
    struct dyno_ucx_peers *peers;
    uint32_t number;
    /* Under the lock, and written by the worker's thread alone: */
    struct dyno_ucx_stay *stay; /* NULL: it was stopped, or could not be started */
    bool told;                  /* that it is gone */
    bool given_up;              /* nobody is looked for any more ... */
    bool told_given_up;         /* ... and so is this */
    dyno_ns away_since;         /* DYNO_NEVER: it is not */
    /* Its thread's: */
    void *scratch;                 /* of dyno_sample */
    struct dyno_ucx_reader answer; /* what it said last */
};

struct dyno_ucx_peers {
    struct dyno_ucx_peers_config config;
    struct dyno_ucx_library ucx;
    char *addresses;
    struct dyno_ucx_place *places; /* [place_count] */
    uint32_t place_count, workers_each;
    struct dyno_ucx_hand *hands; /* [config.workers] */
    struct dyno_device *device;  /* not owned; NULL: it is not open yet */
    pthread_mutex_t lock;        /* of what says so */
    pthread_cond_t closed;       /* a stay was */
    struct dyno_ucx_loss loss;   /* likewise */
};

/* The worker begins anew with whoever is at its place: for its thread.  Errors: as
 * dyno_ucx_peers_open; nobody is there then. */
dyno_status dyno_ucx_hand_start(struct dyno_ucx_hand *hand);
void dyno_ucx_hand_stop(struct dyno_ucx_hand *hand);

/* The process of the worker, for its thread: valid until it starts or stops.  NULL: there is
 * none. */
static inline struct dyno_ucx_peer *dyno_ucx_hand_peer(const struct dyno_ucx_hand *hand)
{
    return hand->stay ? hand->stay->peer : NULL;
}

/* Which of its process's workers it is. */
static inline uint32_t dyno_ucx_hand_index(const struct dyno_ucx_hand *hand)
{
    return hand->number % hand->peers->workers_each;
}

#endif
