/* A fixed number of clients, each with at most one request in flight: when is one free? */
#ifndef DYNO_TRACES_CLIENTS_H
#define DYNO_TRACES_CLIENTS_H

#include "core/base/time.h"
#include "traces/order.h"

struct dyno_clients {
    uint32_t limit;          /* 0: as many as it takes */
    uint32_t unused;         /* that have sent nothing yet: free from time 0 */
    struct dyno_order freed; /* the others that are free, by when they became so */
};

/* When the next client is free; DYNO_NEVER if none is until a request ends. */
static inline dyno_ns dyno_clients_free_at(const struct dyno_clients *clients)
{
    if (clients->limit == 0 || clients->unused > 0) {
        return 0;
    }
    return clients->freed.count ? clients->freed.items[0].at : DYNO_NEVER;
}

/* The client that is free first sends a request. */
static inline void dyno_clients_take(struct dyno_clients *clients)
{
    if (clients->unused > 0) {
        clients->unused--;
    } else if (clients->limit > 0) {
        (void)dyno_order_pop(&clients->freed);
    }
}

/* A client's request ended.  Memory for it is there: dyno_clients_take made it. */
static inline bool dyno_clients_give(struct dyno_clients *clients, dyno_ns at, uint64_t sequence)
{
    return clients->limit == 0 ||
           dyno_order_push(&clients->freed,
                           (struct dyno_order_item){.at = at, .sequence = sequence});
}

#endif
