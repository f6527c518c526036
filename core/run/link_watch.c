#include "core/run/link_watch.h"

#include <stdlib.h>

struct dyno_link_watch {
    const struct dyno_links *links;
    uint32_t count;
    dyno_ns at;                     /* of the last look */
    struct dyno_link_use *now;      /* [count] what this look sees */
    struct dyno_link_total *totals; /* [count] what the last one saw */
};

dyno_status dyno_link_watch_open(struct dyno_link_watch **out, const struct dyno_links *links)
{
    struct dyno_link_watch *watch;

    *out = NULL;
    if (!links || !links->ops->use || links->link_count == 0) {
        return DYNO_OK;
    }
    watch = calloc(1, sizeof *watch);
    if (!watch) {
        return DYNO_NO_MEMORY;
    }
    watch->links = links;
    watch->count = links->link_count;
    watch->now = calloc(watch->count, sizeof *watch->now);
    watch->totals = calloc(watch->count, sizeof *watch->totals);
    if (!watch->now || !watch->totals) {
        dyno_link_watch_close(watch);
        return DYNO_NO_MEMORY;
    }
    *out = watch;
    return DYNO_OK;
}

void dyno_link_watch_close(struct dyno_link_watch *watch)
{
    if (watch) {
        free(watch->now);
        free(watch->totals);
    }
    free(watch);
}

static void note_peak(struct dyno_link_total *total, uint64_t bytes, dyno_ns span)
{
    uint64_t rate = (uint64_t)((unsigned __int128)bytes * DYNO_S / span);

    total->peak_bytes_per_s = rate > total->peak_bytes_per_s ? rate : total->peak_bytes_per_s;
}

static dyno_status tell(struct dyno_sink *sinks, const struct dyno_link_record *record)
{
    for (struct dyno_sink *sink = sinks; sink; sink = sink->next) {
        if (sink->ops->link) {
            DYNO_TRY(sink->ops->link(sink, record));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_link_watch_look(struct dyno_link_watch *watch, dyno_ns now,
                                 struct dyno_sink *sinks)
{
    if (now <= watch->at) {
        return DYNO_OK;
    }
    watch->links->ops->use(watch->links, now, watch->now);
    for (uint32_t i = 0; i < watch->count; i++) {
        const struct dyno_link_use *use = &watch->now[i];
        struct dyno_link_total *total = &watch->totals[i];

        if (use->busy_ns > total->use.busy_ns) {
            struct dyno_link_record record = {.at = now,
                                              .since = watch->at,
                                              .link = i,
                                              .bytes = use->bytes - total->use.bytes,
                                              .busy_ns = use->busy_ns - total->use.busy_ns};

            note_peak(total, record.bytes, now - watch->at);
            DYNO_TRY(tell(sinks, &record));
            total->use = *use;
        }
    }
    watch->at = now;
    return DYNO_OK;
}

void dyno_link_watch_end(struct dyno_link_watch *watch, dyno_ns now)
{
    watch->links->ops->use(watch->links, now, watch->now);
    for (uint32_t i = 0; i < watch->count; i++) {
        watch->totals[i].use = watch->now[i];
    }
}

const struct dyno_link_total *dyno_link_watch_totals(const struct dyno_link_watch *watch,
                                                     uint32_t *count)
{
    *count = watch->count;
    return watch->totals;
}
