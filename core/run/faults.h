/* Seam: what goes wrong.  A source of faults in time order, which does not know who is hit.
 *
 * The loop deals with what it could know of in a real fleet: that a worker died.  What only makes
 * things slow (a worker that stalls, a link that is down) is physics: whoever yields it lets the
 * device or the links feel it, and the loop passes on word of it.
 */
#ifndef DYNO_CORE_RUN_FAULTS_H
#define DYNO_CORE_RUN_FAULTS_H

#include <stdbool.h>

#include "core/base/time.h"
#include "core/model/record.h"

struct dyno_faults;

struct dyno_faults_ops {
    const char *name;

    /* When take has something to do next; DYNO_NEVER: nothing will go wrong any more.  Cheap. */
    dyno_ns (*next)(const struct dyno_faults *faults);

    /* What is due at `now` >= next happens.  True: a fault began, which is in *out (its requests
     * are not counted).  False: one is over.  To be called until next > now. */
    bool (*take)(struct dyno_faults *faults, dyno_ns now, struct dyno_fault_record *out);

    void (*close)(struct dyno_faults *faults);
};

struct dyno_faults {
    const struct dyno_faults_ops *ops;
};

#endif
