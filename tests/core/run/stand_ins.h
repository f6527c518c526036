/* Stand-ins for everything that a loop runs on: a source that reads a list, workers that serve
 * every request in a stated time, a clock moved by hand, two sinks, and a log of every call. */
#ifndef DYNO_TESTS_CORE_RUN_STAND_INS_H
#define DYNO_TESTS_CORE_RUN_STAND_INS_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/route/route.h"
#include "core/run/loop.h"

enum { REQUESTS = 64, WORKERS = 2, LOG_BYTES = 4096 };

/* ---- a world of stand-ins -------------------------------------------------------------------- */

struct world {
    struct dyno_source source;
    struct dyno_workers workers;
    struct dyno_clock clock;
    struct dyno_answers answers;
    struct dyno_sink sink, second;
    struct dyno_sink_ops sink_ops, second_ops;
    struct dyno_dispatch_config routing;
    struct dyno_loop_config config;
    struct dyno_loop *loop;
    struct dyno_worker_listener listener;

    dyno_ns arrivals[REQUESTS];
    uint64_t request_count, taken, bad_request;
    bool endless; /* the source says that more will come, and nothing does */
    dyno_ns service_ns, response_ns;
    dyno_ns ends[REQUESTS]; /* DYNO_NEVER: not in flight */
    dyno_ns now, early_ns, late_ns;
    volatile sig_atomic_t interrupted;
    uint64_t interrupt_after; /* ends; 0: never */
    uint64_t told, told_second, decisions, candidates, forgotten, fail_at, progresses;
    dyno_ns ended_at[REQUESTS];
    struct dyno_request_record records[REQUESTS];
    char log[LOG_BYTES];
};

static struct world world;

/* A word for every call, so that their order can be read. */
static inline void note(const char *what, uint64_t number)
{
    size_t used = strlen(world.log);

    (void)snprintf(world.log + used, sizeof world.log - used, "%s%s%llu", used ? " " : "", what,
                   (unsigned long long)number);
}

static inline dyno_ns source_next(struct dyno_source *source)
{
    (void)source;
    return world.taken < world.request_count ? world.arrivals[world.taken] : DYNO_NEVER;
}

static inline dyno_status source_take(struct dyno_source *source, dyno_ns now,
                                      struct dyno_request *out, struct dyno_error *error)
{
    (void)source;
    ck_assert_uint_le(world.arrivals[world.taken], now);
    if (world.taken == world.bad_request) {
        return dyno_fail(error, DYNO_BAD_INPUT, "line %llu is bad",
                         (unsigned long long)world.taken);
    }
    *out = (struct dyno_request){.id = world.taken,
                                 .prompt_tokens = 5,
                                 .max_tokens = 1,
                                 .scheduled_ns = world.arrivals[world.taken],
                                 .arrival_ns = now};
    note("take", world.taken);
    world.taken++;
    return DYNO_OK;
}

static inline void source_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    (void)source;
    world.ended_at[id] = at;
    note("ended", id);
}

static inline bool source_finished(const struct dyno_source *source)
{
    (void)source;
    return world.taken == world.request_count && !world.endless;
}

static const struct dyno_source_ops source_ops = {.name = "list",
                                                  .next = source_next,
                                                  .take = source_take,
                                                  .ended = source_ended,
                                                  .finished = source_finished};

static inline dyno_ns clock_wait(struct dyno_clock *clock, dyno_ns deadline)
{
    (void)clock;
    ck_assert_uint_ne(deadline, DYNO_NEVER);
    if (world.early_ns > 0 && deadline > world.now + world.early_ns) {
        deadline = world.now + world.early_ns;
    }
    world.now = (deadline > world.now ? deadline : world.now) + world.late_ns;
    return world.now;
}

static const struct dyno_clock_ops clock_ops = {.name = "hand", .wait_until = clock_wait};

static inline void answers_forget(struct dyno_answers *answers, uint64_t id)
{
    (void)answers, (void)id;
    world.forgotten++;
}

static const struct dyno_answers_ops answers_ops = {.forget = answers_forget};

/* ---- workers --------------------------------------------------------------------------------- */

static inline dyno_status workers_submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                         const struct dyno_request *request)
{
    (void)workers;
    note("submit", request->id);
    world.ends[request->id] = now + world.service_ns;
    world.records[request->id] = (struct dyno_request_record){.id = request->id,
                                                              .worker = worker,
                                                              .prompt_tokens = 5,
                                                              .scheduled_ns = request->scheduled_ns,
                                                              .arrival_ns = request->arrival_ns,
                                                              .ready_ns = now,
                                                              .admitted_ns = now};
    return DYNO_OK;
}

static inline dyno_status finish(uint64_t id, enum dyno_outcome outcome, dyno_ns last_token)
{
    struct dyno_request_record *record = &world.records[id];

    world.ends[id] = DYNO_NEVER;
    record->outcome = outcome;
    record->first_token_ns = record->last_token_ns = last_token;
    return world.listener.ended(world.listener.context, record);
}

static inline dyno_status workers_settle(struct dyno_workers *workers, dyno_ns now)
{
    (void)workers;
    for (uint64_t id = 0; id < world.taken; id++) {
        if (world.ends[id] <= now) {
            world.listener.first_token(world.listener.context, id);
            DYNO_TRY(finish(id, DYNO_COMPLETED, world.ends[id] + world.response_ns));
        }
    }
    return DYNO_OK;
}

static inline dyno_status workers_form(struct dyno_workers *workers, dyno_ns now)
{
    (void)workers;
    note("form@", now);
    return DYNO_OK;
}

static inline void workers_sync(struct dyno_workers *workers, dyno_ns now)
{
    (void)workers;
    note("sync@", now);
}

static inline dyno_ns workers_next(const struct dyno_workers *workers)
{
    dyno_ns next = DYNO_NEVER;

    (void)workers;
    for (uint64_t id = 0; id < world.taken; id++) {
        next = world.ends[id] < next ? world.ends[id] : next;
    }
    return next;
}

static inline void workers_sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  struct dyno_sample_record *out)
{
    (void)workers;
    *out = (struct dyno_sample_record){.at = now, .worker = worker};
}

static inline dyno_status workers_abandon(struct dyno_workers *workers, dyno_ns now,
                                          enum dyno_outcome outcome)
{
    (void)workers;
    (void)now;
    note("abandon@", world.now);
    for (uint64_t id = 0; id < world.taken; id++) {
        if (world.ends[id] != DYNO_NEVER) {
            DYNO_TRY(finish(id, outcome, DYNO_NEVER));
        }
    }
    return DYNO_OK;
}

static const struct dyno_workers_ops workers_ops = {.name = "stand-ins",
                                                    .submit = workers_submit,
                                                    .settle = workers_settle,
                                                    .form = workers_form,
                                                    .sync = workers_sync,
                                                    .next = workers_next,
                                                    .sample = workers_sample,
                                                    .abandon = workers_abandon};

/* ---- sinks ----------------------------------------------------------------------------------- */

static inline dyno_status on_request(struct dyno_sink *sink,
                                     const struct dyno_request_record *record)
{
    (void)sink;
    ck_assert_uint_eq(world.told, world.told_second);
    world.told++;
    world.records[record->id] = *record;
    if (world.told == world.interrupt_after) {
        world.interrupted = 1;
    }
    return world.told == world.fail_at ? DYNO_IO : DYNO_OK;
}

static inline dyno_status on_request_second(struct dyno_sink *sink,
                                            const struct dyno_request_record *record)
{
    (void)sink, (void)record;
    world.told_second++;
    return DYNO_OK;
}

static inline dyno_status on_decision(struct dyno_sink *sink,
                                      const struct dyno_decision_record *record)
{
    (void)sink;
    world.decisions++;
    world.candidates += record->candidates ? record->candidate_count : 0;
    return DYNO_OK;
}

static inline dyno_status on_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    (void)sink;
    note(record->worker ? "and@" : "look@", record->at);
    return DYNO_OK;
}

static inline void on_progress(struct dyno_sink *sink, dyno_ns now, uint64_t requests_ended)
{
    (void)sink, (void)now;
    ck_assert_uint_eq(requests_ended, world.told);
    world.progresses++;
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* Requests at these times (ends with DYNO_NEVER), each served in `service_ns`, by round robin. */
static inline void set_up(const dyno_ns *arrivals, dyno_ns service_ns)
{
    memset(&world, 0, sizeof world);
    for (; arrivals[world.request_count] != DYNO_NEVER; world.request_count++) {
        world.arrivals[world.request_count] = arrivals[world.request_count];
    }
    memset(world.ends, 0xff, sizeof world.ends);
    world.bad_request = UINT64_MAX;
    world.service_ns = service_ns;
    world.source.ops = &source_ops;
    world.workers.ops = &workers_ops;
    world.clock.ops = &clock_ops;
    world.answers.ops = &answers_ops;
    world.sink_ops = (struct dyno_sink_ops){.name = "first",
                                            .request = on_request,
                                            .decision = on_decision,
                                            .sample = on_sample,
                                            .progress = on_progress};
    world.second_ops = (struct dyno_sink_ops){.name = "second", .request = on_request_second};
    world.sink = (struct dyno_sink){.ops = &world.sink_ops, .next = &world.second};
    world.second = (struct dyno_sink){.ops = &world.second_ops};
    world.routing = (struct dyno_dispatch_config){.policy = dyno_route_find("round_robin"),
                                                  .route = {.args = ""},
                                                  .worker_count = WORKERS,
                                                  .block_tokens = 4};
    world.config = (struct dyno_loop_config){.clock = &world.clock,
                                             .source = &world.source,
                                             .answers = &world.answers,
                                             .worker_count = WORKERS,
                                             .sinks = &world.sink,
                                             .interrupted = &world.interrupted};
}

static inline dyno_status run(struct dyno_loop_result *result, struct dyno_error *error)
{
    dyno_status status;

    ck_assert_int_eq(dyno_dispatch_open(&world.config.dispatch, &world.routing, error), DYNO_OK);
    ck_assert_int_eq(dyno_loop_open(&world.loop, &world.config), DYNO_OK);
    world.listener = dyno_loop_listener(world.loop);
    status = dyno_loop_run(world.loop, &world.workers, result, error);
    dyno_loop_close(world.loop);
    dyno_dispatch_close(world.config.dispatch);
    return status;
}

static inline struct dyno_loop_result run_well(void)
{
    struct dyno_loop_result result = {0};
    struct dyno_error error = {0};
    dyno_status status = run(&result, &error);

    ck_assert_msg(status == DYNO_OK, "%d: %s", status, error.text);
    return result;
}

#endif
