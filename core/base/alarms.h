/* A time for each of a fixed number of owners, and whose is the earliest; ties by the smaller
 * owner.
 *
 * A tree of minima over all owners, so that a change costs as many steps as levels of it change,
 * and asking for the earliest time one.  For few that come and go among many a heap is better
 * (core/base/heap.h).  16 to 32 bytes an owner.
 */
#ifndef DYNO_CORE_BASE_ALARMS_H
#define DYNO_CORE_BASE_ALARMS_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

struct dyno_alarms {
    dyno_ns *least;  /* [2 leaves]: of the two below, 2i and 2i + 1; from `leaves` on the times */
    uint32_t leaves; /* a power of two, at least as many as owners */
};

/* `count` >= 1 owners, at most 2^30, none with a time.  DYNO_NO_MEMORY: nothing to release. */
dyno_status dyno_alarms_init(struct dyno_alarms *alarms, uint32_t count);
void dyno_alarms_release(struct dyno_alarms *alarms);

/* The owner's time from now on; DYNO_NEVER: it has none. */
static inline void dyno_alarms_set(struct dyno_alarms *alarms, uint32_t owner, dyno_ns at)
{
    dyno_ns *least = alarms->least;
    uint32_t place = alarms->leaves + owner;

    while (least[place] != at) {
        least[place] = at;
        if (place == 1) {
            return;
        }
        at = at < least[place ^ 1] ? at : least[place ^ 1];
        place /= 2;
    }
}

/* The earliest time; DYNO_NEVER: nobody has one. */
static inline dyno_ns dyno_alarms_next(const struct dyno_alarms *alarms)
{
    return alarms->least[1];
}

/* Where it is kept, as long as the alarms are. */
static inline const dyno_ns *dyno_alarms_next_place(const struct dyno_alarms *alarms)
{
    return &alarms->least[1];
}

/* Whose it is; somebody has one. */
static inline uint32_t dyno_alarms_owner(const struct dyno_alarms *alarms)
{
    uint32_t place = 1;

    while (place < alarms->leaves) {
        place *= 2;
        place += alarms->least[place] != alarms->least[1];
    }
    return place - alarms->leaves;
}

#endif
