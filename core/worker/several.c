#include "core/worker/several.h"

#include <assert.h>
#include <stdlib.h>

struct member {
    struct dyno_workers *workers;
    struct dyno_worker_listener outer;
    uint32_t first, count; /* workers */
};

struct dyno_several {
    struct dyno_workers base;
    uint32_t capacity, count;
    struct member members[];
};

static struct dyno_several *several_of(struct dyno_workers *workers)
{
    return (struct dyno_several *)workers;
}

static const struct dyno_several *several_seen(const struct dyno_workers *workers)
{
    return (const struct dyno_several *)workers;
}

/* Whose worker it is, and what that calls it. */
static struct dyno_workers *owner(struct dyno_workers *workers, uint32_t *worker)
{
    struct dyno_several *several = several_of(workers);
    uint32_t i = several->count - 1;

    while (*worker < several->members[i].first) {
        i--;
    }
    *worker -= several->members[i].first;
    assert(*worker < several->members[i].count);
    return several->members[i].workers;
}

/* ---- what members say ------------------------------------------------------------------------ */

static void on_first_token(void *context, uint64_t request)
{
    const struct member *member = context;

    member->outer.first_token(member->outer.context, request);
}

static struct dyno_request_record outside(const struct member *member,
                                          const struct dyno_request_record *record)
{
    struct dyno_request_record seen = *record;

    if (seen.worker != DYNO_NO_WORKER) {
        seen.worker += member->first;
    }
    return seen;
}

static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    const struct member *member = context;
    struct dyno_request_record seen = outside(member, record);

    return member->outer.ended(member->outer.context, &seen);
}

static dyno_status on_lost(void *context, const struct dyno_resume *how_far)
{
    const struct member *member = context;
    struct dyno_resume seen = *how_far;

    seen.record = outside(member, &how_far->record);
    return member->outer.lost(member->outer.context, &seen);
}

static void on_kv_changed(void *context, uint32_t worker, dyno_ns at, uint64_t span,
                          uint32_t blocks)
{
    const struct member *member = context;

    member->outer.kv_changed(member->outer.context, member->first + worker, at, span, blocks);
}

static void on_kv_resident(void *context, dyno_ns at, uint64_t span, bool held)
{
    const struct member *member = context;

    member->outer.kv_resident(member->outer.context, at, span, held);
}

static void on_presence(void *context, uint32_t worker, bool is_there)
{
    const struct member *member = context;

    member->outer.presence(member->outer.context, member->first + worker, is_there);
}

/* Routers of a member's requests choose among its workers only. */
static uint32_t on_reroute(void *context, const struct dyno_request *request, dyno_status *status)
{
    const struct member *member = context;
    uint32_t worker = member->outer.reroute(member->outer.context, request, status);

    return worker == DYNO_NO_WORKER ? worker : worker - member->first;
}

/* ---- what they are told ---------------------------------------------------------------------- */

static dyno_status several_submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  const struct dyno_request *request)
{
    struct dyno_workers *member = owner(workers, &worker);

    return member->ops->submit(member, now, worker, request);
}

static dyno_status several_cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  uint64_t id)
{
    struct dyno_workers *member = owner(workers, &worker);

    return member->ops->cancel(member, now, worker, id);
}

static dyno_status several_settle(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_several *several = several_of(workers);

    for (uint32_t i = 0; i < several->count; i++) {
        DYNO_TRY(several->members[i].workers->ops->settle(several->members[i].workers, now));
    }
    return DYNO_OK;
}

static dyno_status several_form(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_several *several = several_of(workers);

    for (uint32_t i = 0; i < several->count; i++) {
        DYNO_TRY(several->members[i].workers->ops->form(several->members[i].workers, now));
    }
    return DYNO_OK;
}

static bool several_stop(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    struct dyno_workers *member = owner(workers, &worker);

    return !member->ops->stop || member->ops->stop(member, now, worker);
}

static dyno_status several_halt(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    struct dyno_workers *member = owner(workers, &worker);

    return member->ops->halt(member, now, worker);
}

static dyno_status several_lose(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    struct dyno_workers *member = owner(workers, &worker);

    return member->ops->lose(member, now, worker);
}

static void several_sync(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_several *several = several_of(workers);

    for (uint32_t i = 0; i < several->count; i++) {
        several->members[i].workers->ops->sync(several->members[i].workers, now);
    }
}

static dyno_ns several_next(const struct dyno_workers *workers)
{
    const struct dyno_several *several = several_seen(workers);
    dyno_ns next = DYNO_NEVER;

    for (uint32_t i = 0; i < several->count; i++) {
        dyno_ns member = several->members[i].workers->ops->next(several->members[i].workers);

        next = member < next ? member : next;
    }
    return next;
}

static void several_sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                           struct dyno_sample_record *out)
{
    uint32_t outside_number = worker;
    struct dyno_workers *member = owner(workers, &worker);

    member->ops->sample(member, now, worker, out);
    out->worker = outside_number;
}

static void several_totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    const struct dyno_several *several = several_seen(workers);
    struct dyno_fleet_totals member;

    *out = (struct dyno_fleet_totals){0};
    for (uint32_t i = 0; i < several->count; i++) {
        several->members[i].workers->ops->totals(several->members[i].workers, &member);
        dyno_fleet_totals_add(out, &member);
    }
}

static dyno_status several_abandon(struct dyno_workers *workers, dyno_ns now,
                                   enum dyno_outcome outcome)
{
    struct dyno_several *several = several_of(workers);

    for (uint32_t i = 0; i < several->count; i++) {
        DYNO_TRY(
            several->members[i].workers->ops->abandon(several->members[i].workers, now, outcome));
    }
    return DYNO_OK;
}

static void several_close(struct dyno_workers *workers)
{
    struct dyno_several *several = several_of(workers);

    for (uint32_t i = 0; i < several->count; i++) {
        several->members[i].workers->ops->close(several->members[i].workers);
    }
    free(several);
}

static const struct dyno_workers_ops several_ops = {.name = "several",
                                                    .submit = several_submit,
                                                    .cancel = several_cancel,
                                                    .settle = several_settle,
                                                    .form = several_form,
                                                    .stop = several_stop,
                                                    .halt = several_halt,
                                                    .lose = several_lose,
                                                    .sync = several_sync,
                                                    .next = several_next,
                                                    .sample = several_sample,
                                                    .totals = several_totals,
                                                    .abandon = several_abandon,
                                                    .close = several_close};

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_several_open(struct dyno_several **out, uint32_t count)
{
    struct dyno_several *several = calloc(1, sizeof *several + count * sizeof several->members[0]);

    if (!several) {
        return DYNO_NO_MEMORY;
    }
    several->base.ops = &several_ops;
    several->capacity = count;
    *out = several;
    return DYNO_OK;
}

struct dyno_worker_listener dyno_several_listener(struct dyno_several *several,
                                                  const struct dyno_worker_listener *outer)
{
    struct member *member = &several->members[several->count];

    assert(several->count < several->capacity);
    member->outer = *outer;
    return (struct dyno_worker_listener){
        .context = member,
        .first_token = on_first_token,
        .ended = on_ended,
        .lost = on_lost,
        .kv_changed = outer->kv_changed ? on_kv_changed : NULL,
        .kv_times = outer->kv_times,
        .kv_resident = outer->kv_resident ? on_kv_resident : NULL,
        .presence = on_presence,
        .reroute = on_reroute,
    };
}

void dyno_several_add(struct dyno_several *several, struct dyno_workers *member,
                      uint32_t worker_count)
{
    struct member *last = &several->members[several->count];

    assert(several->count < several->capacity);
    last->workers = member;
    last->count = worker_count;
    last->first = several->count > 0 ? last[-1].first + last[-1].count : 0;
    several->count++;
}

struct dyno_workers *dyno_several_workers(struct dyno_several *several)
{
    return &several->base;
}

struct dyno_workers *dyno_several_member(const struct dyno_several *several, uint32_t member)
{
    return several->members[member].workers;
}
