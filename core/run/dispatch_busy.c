/* Dispatch: who is busy.
 *
 * Thresholds are judged by the router's own counts, whenever one of them changes, so that a request
 * that waits is let in at the instant at which a worker can take it.  Without thresholds none of
 * this runs.
 */
#include "core/run/dispatch_parts.h"

static bool reaches(uint64_t count, uint64_t threshold)
{
    return threshold > 0 && count >= threshold;
}

static bool is_busy(const struct dyno_dispatch *d, uint32_t worker)
{
    const struct dyno_dispatch_busy *busy = &d->config.busy;

    return reaches(d->inflight[worker], busy->inflight) ||
           reaches(d->prefill_tokens[worker], busy->prefill_tokens) ||
           reaches(d->active_blocks[worker], busy->blocks);
}

void dyno_dispatch_judge(struct dyno_dispatch *d, uint32_t worker)
{
    uint8_t open = d->eligible[worker] && !is_busy(d, worker);

    if (d->open == d->eligible) {
        return;
    }
    d->open_count += open;
    d->open_count -= d->open[worker];
    d->open[worker] = open;
}

bool dyno_dispatch_has_thresholds(const struct dyno_dispatch *dispatch)
{
    return dispatch->open != dispatch->eligible;
}

bool dyno_dispatch_all_busy(const struct dyno_dispatch *dispatch)
{
    return dispatch->open != dispatch->eligible && dispatch->open_count == 0 &&
           dispatch->eligible_count > 0;
}
