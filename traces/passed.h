/* The beginning of a trace that is passed over, and what it means to the rows behind it: a turn
 * that has no time of its own goes with the one it waits for; one that has a time waits no longer.
 */
#ifndef DYNO_TRACES_PASSED_H
#define DYNO_TRACES_PASSED_H

#include <stdbool.h>

#include "core/base/map.h"
#include "core/base/status.h"
#include "traces/row.h"

/* All zeros is nothing passed. */
struct dyno_passed {
    uint64_t count; /* rows passed over, the turns that went with them among them */
    uint64_t seen;  /* rows */
    struct dyno_map sessions, names; /* that others may wait for */
};

/* See the next row: one of the first `skip`, or one that goes with them, is passed over; another is
 * parted from them.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_passed_see(struct dyno_passed *passed, uint64_t skip, struct dyno_row *row,
                            bool *is_passed, struct dyno_error *error);
void dyno_passed_release(struct dyno_passed *passed);

#endif
