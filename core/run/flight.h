/* Requests in flight, kept so that one whose worker is lost can go on elsewhere.
 *
 * They are copies: a source's spans are its own until its next take.  Beside each there is room for
 * how far it came on the last worker that was lost; both stay where they are until the request
 * ends.
 */
#ifndef DYNO_CORE_RUN_FLIGHT_H
#define DYNO_CORE_RUN_FLIGHT_H

#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/base/slab.h"
#include "core/base/status.h"
#include "core/model/record.h"
#include "core/model/request.h"

struct dyno_flown {
    struct dyno_request request; /* its `before` is NULL until it was on a worker that was lost */
    struct dyno_resume how_far;
    struct dyno_span spans[];
};

struct dyno_flight {
    struct dyno_slab slab;
    struct dyno_map place_of; /* request id -> its place in flown ... */
    struct dyno_pool flown;   /* ... which holds a pointer to it */
};

void dyno_flight_init(struct dyno_flight *flight);
void dyno_flight_release(struct dyno_flight *flight); /* zeroed memory: no effect */

/* Keep a copy of a request.  DYNO_NO_MEMORY. */
dyno_status dyno_flight_keep(struct dyno_flight *flight, const struct dyno_request *request);
/* A request that is kept. */
struct dyno_flown *dyno_flight_at(const struct dyno_flight *flight, uint64_t id);
/* It has ended; one that is not kept: no effect. */
void dyno_flight_drop(struct dyno_flight *flight, uint64_t id);

#endif
