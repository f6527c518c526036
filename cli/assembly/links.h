/* What an assembly needs more to say what its links carried. */
#ifndef DYNO_CLI_ASSEMBLY_LINKS_H
#define DYNO_CLI_ASSEMBLY_LINKS_H

#include "core/run/loop.h"
#include "reports/reports.h"
#include "sim/topology.h"

struct dyno_linking {
    struct dyno_link_watch *watch;            /* NULL: there are no links, or nobody counts */
    const struct dyno_topology_links *places; /* who they are; not owned */
    struct dyno_link_report *rows;
    struct dyno_links_report report;
};

/* The loop watches the links, which are those of `places`; either may be NULL.  Closed by
 * dyno_linking_close, also after a failure.  DYNO_NO_MEMORY. */
dyno_status dyno_linking_open(struct dyno_linking *linking, struct dyno_loop *loop,
                              const struct dyno_links *links,
                              const struct dyno_topology_links *places);
/* What they carried in a run that ended then, into its report.  DYNO_NO_MEMORY. */
dyno_status dyno_linking_report(struct dyno_linking *linking, dyno_ns end_ns);
void dyno_linking_close(struct dyno_linking *linking);

#endif
