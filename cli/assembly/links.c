#include "cli/assembly/links.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)DYNO_LINK_NAME_MAX <= (int)DYNO_LINK_REPORT_NAME_MAX, "a name that is cut");

dyno_status dyno_linking_open(struct dyno_linking *linking, struct dyno_loop *loop,
                              const struct dyno_links *links,
                              const struct dyno_topology_links *places)
{
    if (!places) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_link_watch_open(&linking->watch, links));
    linking->places = places;
    dyno_loop_watch(loop, linking->watch);
    return DYNO_OK;
}

dyno_status dyno_linking_report(struct dyno_linking *linking, dyno_ns end_ns)
{
    uint32_t count;
    const struct dyno_link_total *totals = dyno_link_watch_totals(linking->watch, &count);
    struct dyno_link_report *row;

    free(linking->rows);
    row = linking->rows = calloc(count + (size_t)1, sizeof *row);
    if (!row) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (totals[i].use.busy_ns > 0) {
            *row = (struct dyno_link_report){.number = i,
                                             .bytes_per_s =
                                                 dyno_topology_link_speed(linking->places, i),
                                             .bytes = totals[i].use.bytes,
                                             .busy_ns = totals[i].use.busy_ns,
                                             .peak_bytes_per_s = totals[i].peak_bytes_per_s};
            dyno_topology_link_name(linking->places, i, row++->name);
        }
    }
    linking->report = (struct dyno_links_report){
        .links = linking->rows, .count = (uint32_t)(row - linking->rows), .end_ns = end_ns};
    return DYNO_OK;
}

void dyno_linking_close(struct dyno_linking *linking)
{
    dyno_link_watch_close(linking->watch);
    free(linking->rows);
    memset(linking, 0, sizeof *linking);
}
