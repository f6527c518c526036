/* Looks at what links carry (core/worker/link.h), with the samples of a run. */
#ifndef DYNO_CORE_RUN_LINK_WATCH_H
#define DYNO_CORE_RUN_LINK_WATCH_H

#include "core/run/sink.h"
#include "core/worker/link.h"

/* Of a whole run. */
struct dyno_link_total {
    struct dyno_link_use use;
    uint64_t peak_bytes_per_s; /* between two looks; 0: there were none */
};

struct dyno_link_watch;

/* NULL in *out if nobody counts what the links carry, or there are none.  They are not owned, and
 * are looked at no more after the last look.  DYNO_NO_MEMORY. */
dyno_status dyno_link_watch_open(struct dyno_link_watch **out, const struct dyno_links *links);
void dyno_link_watch_close(struct dyno_link_watch *watch); /* NULL: no effect */

/* Look: the sinks hear of every link that carried something since the last look. */
dyno_status dyno_link_watch_look(struct dyno_link_watch *watch, dyno_ns now,
                                 struct dyno_sink *sinks);
/* Look for the last time: no sink hears of it, and what may be a short while has no peak. */
void dyno_link_watch_end(struct dyno_link_watch *watch, dyno_ns now);

/* [*count] as of the last look. */
const struct dyno_link_total *dyno_link_watch_totals(const struct dyno_link_watch *watch,
                                                     uint32_t *count);

#endif
