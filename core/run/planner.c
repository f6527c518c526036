#include "core/run/planner.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/map.h"

/* Means of lengths follow what came in the last ticks: a tick weighs half of what came before. */
#define LENGTH_WEIGHT 0.5

enum { TICKS_OLD_MAX = 5 }; /* metrics that are older are missing */

struct mean {
    double value, sum;
    uint64_t count; /* since the last tick */
    bool known;
};

struct dyno_planner {
    struct dyno_planner_config config;
    struct dyno_plan plan;
    struct dyno_forecast forecast;
    struct dyno_plan_worker *seen;    /* [worker_count] of the tick being made */
    struct dyno_sample_record *heard; /* [worker_count] when each was heard last */
    dyno_ns *heard_since;             /* [worker_count] its state then was entered at */
    struct dyno_sample_record *said;  /* [late_ticks + 1][worker_count] at the last ticks */
    dyno_ns next, last;
    uint64_t arrivals; /* since the last tick */
    uint64_t ticks, decisions;
    uint64_t ahead_at; /* of the foresight's arrivals, the first not before the last tick */
    struct mean input, output, cached;
};

/* ---- counting -------------------------------------------------------------------------------- */

static void add(struct mean *mean, double value)
{
    mean->sum += value;
    mean->count++;
}

static void close_mean(struct mean *mean)
{
    if (mean->count > 0) {
        double fresh = mean->sum / (double)mean->count;

        mean->value = mean->known ? mean->value + LENGTH_WEIGHT * (fresh - mean->value) : fresh;
        mean->known = true;
    }
    mean->sum = 0.0;
    mean->count = 0;
}

void dyno_planner_arrived(struct dyno_planner *planner, const struct dyno_request *request)
{
    planner->arrivals++;
    add(&planner->input, request->prompt_tokens);
}

void dyno_planner_ended(struct dyno_planner *planner, const struct dyno_request_record *record)
{
    if (record->outcome == DYNO_COMPLETED) {
        add(&planner->output, record->output_tokens);
        add(&planner->cached, (double)record->cached_tokens / record->prompt_tokens);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

/* A function of the seed, the worker and the tick. */
static bool is_lost(const struct dyno_planner *planner, uint32_t worker)
{
    uint64_t draw = dyno_chain(dyno_chain(dyno_chain(planner->config.seed, 0x706c616e), worker),
                               planner->ticks);

    return (double)(draw >> 11) * 0x1p-53 < planner->config.metric_loss;
}

/* What the worker said at one of the last ticks. */
static struct dyno_sample_record *said_at(const struct dyno_planner *planner, uint64_t tick,
                                          uint32_t worker)
{
    uint64_t row = tick % (planner->config.late_ticks + (uint64_t)1);

    return &planner->said[row * planner->config.worker_count + worker];
}

static struct dyno_plan_worker said(const struct dyno_sample_record *sample)
{
    return (struct dyno_plan_worker){
        .known = true,
        .running = sample->running,
        .waiting = sample->waiting,
        .kv_use =
            sample->blocks_total > 0 ? (double)sample->blocks_used / sample->blocks_total : 0.0,
    };
}

/* Unless that is too long ago, or it was another life of the worker. */
static struct dyno_plan_worker as_heard_last(const struct dyno_planner *planner, dyno_ns now,
                                             uint32_t worker)
{
    const struct dyno_sample_record *last = &planner->heard[worker];
    struct dyno_plan_worker seen = {.known = false};

    if (last->at > 0 &&
        now - last->at <= (TICKS_OLD_MAX + planner->config.late_ticks) * planner->config.every_ns &&
        planner->heard_since[worker] == dyno_roster_since(planner->config.roster, worker)) {
        seen = said(last);
        seen.age_ns = now - last->at;
    }
    return seen;
}

static struct dyno_plan_worker look_at(struct dyno_planner *planner, struct dyno_workers *workers,
                                       dyno_ns now, uint32_t worker)
{
    struct dyno_sample_record sample, before = planner->heard[worker];
    dyno_ns since = dyno_roster_since(planner->config.roster, worker);
    struct dyno_plan_worker seen;

    workers->ops->sample(workers, now, worker, said_at(planner, planner->ticks, worker));
    if (planner->ticks < planner->config.late_ticks || is_lost(planner, worker)) {
        return as_heard_last(planner, now, worker);
    }
    sample = *said_at(planner, planner->ticks - planner->config.late_ticks, worker);
    if (sample.at < since) { /* in another life, or never */
        return as_heard_last(planner, now, worker);
    }
    seen = said(&sample);
    seen.age_ns = now - sample.at;
    seen.warm =
        planner->heard_since[worker] == since && before.at >= since + planner->config.warmup_ns;
    seen.work = (struct dyno_capacity_work){
        .busy_s = (double)(sample.busy_ns - before.busy_ns) / 1e9,
        .steps = (double)(sample.steps - before.steps),
        .prefill_tokens = (double)(sample.prefill_tokens - before.prefill_tokens),
        .decode_tokens = (double)(sample.tokens_out - before.tokens_out),
    };
    planner->heard[worker] = sample;
    planner->heard_since[worker] = since;
    return seen;
}

/* How long a start took so far, on average, and one tick: what is decided now is there then. */
static dyno_ns lead(const struct dyno_planner *planner)
{
    dyno_ns seen = dyno_roster_startup_mean(planner->config.roster);

    return (seen > 0 ? seen : planner->config.startup_guess_ns) + planner->config.every_ns;
}

/* The most that come in any stretch of one tick until what is decided now is there. */
static double look_ahead(struct dyno_planner *planner, dyno_ns now)
{
    const struct dyno_foresight *foresight = planner->config.foresight;
    dyno_ns every = planner->config.every_ns, end = now + lead(planner) + every;
    uint64_t most = 0, first;

    while (planner->ahead_at < foresight->count && foresight->arrivals[planner->ahead_at] < now) {
        planner->ahead_at++;
    }
    first = planner->ahead_at;
    for (uint64_t i = first; i < foresight->count && foresight->arrivals[i] < end; i++) {
        while (foresight->arrivals[first] + every <= foresight->arrivals[i]) {
            first++;
        }
        most = i + 1 - first > most ? i + 1 - first : most;
    }
    return (double)most / ((double)every / 1e9);
}

static void observe(struct dyno_planner *planner, struct dyno_workers *workers, dyno_ns now,
                    struct dyno_plan_observation *out)
{
    double seconds = (double)(now - planner->last) / 1e9;
    uint64_t horizon = lead(planner) / planner->config.every_ns;

    for (uint32_t i = 0; i < planner->config.worker_count; i++) {
        if (dyno_roster_state(planner->config.roster, i) == DYNO_WORKER_READY) {
            planner->seen[out->ready++] = look_at(planner, workers, now, i);
        }
    }
    close_mean(&planner->input);
    close_mean(&planner->output);
    close_mean(&planner->cached);
    out->now_ns = now;
    out->starting = dyno_roster_count(planner->config.roster, DYNO_WORKER_STARTING);
    out->workers = planner->seen;
    out->rate = seconds > 0.0 ? (double)planner->arrivals / seconds : 0.0;
    dyno_forecast_learn(&planner->forecast, out->rate);
    out->forecast_rate = dyno_forecast_ahead(&planner->forecast,
                                             horizon < UINT32_MAX ? (uint32_t)horizon : UINT32_MAX);
    out->input_tokens = planner->input.value;
    out->output_tokens = planner->output.value;
    out->cached_share = planner->cached.value;
    out->ahead_known = planner->config.foresight != NULL;
    out->ahead_rate = out->ahead_known ? look_ahead(planner, now) : 0.0;
}

/* ---- the tick -------------------------------------------------------------------------------- */

static void write_down(const struct dyno_planner *planner, const struct dyno_plan_observation *seen,
                       const struct dyno_plan_verdict *verdict, uint32_t before,
                       struct dyno_plan_record *record)
{
    *record = (struct dyno_plan_record){
        .at = seen->now_ns,
        .before = before,
        .asked = verdict->asked,
        .desired = verdict->desired,
        .reason = dyno_plan_reason_name(verdict->reason),
        .ready = seen->ready,
        .starting = seen->starting,
        .draining = dyno_roster_count(planner->config.roster, DYNO_WORKER_DRAINING),
        .lobby = seen->lobby,
        .rate = seen->rate,
        .forecast_rate = seen->ahead_known ? seen->ahead_rate : seen->forecast_rate,
    };
    for (uint32_t i = 0; i < seen->ready; i++) {
        record->heard += seen->workers[i].known;
        record->waiting += seen->workers[i].waiting;
        record->running += seen->workers[i].running;
    }
}

void dyno_planner_tick(struct dyno_planner *planner, dyno_ns now, struct dyno_workers *workers,
                       uint32_t lobby, struct dyno_plan_record *record)
{
    struct dyno_plan_observation seen = {.lobby = lobby};
    struct dyno_plan_verdict verdict;
    uint32_t before = planner->plan.desired;

    observe(planner, workers, now, &seen);
    verdict = dyno_plan_tick(&planner->plan, &seen);
    write_down(planner, &seen, &verdict, before, record);
    dyno_roster_set(planner->config.roster, now, verdict.desired);
    planner->decisions += verdict.desired != before;
    planner->arrivals = 0;
    planner->last = now;
    planner->ticks++;
    while (planner->next <= now) { /* a wall clock may be late */
        planner->next += planner->config.every_ns;
    }
}

dyno_ns dyno_planner_next(const struct dyno_planner *planner)
{
    return planner->next;
}

uint64_t dyno_planner_decisions(const struct dyno_planner *planner)
{
    return planner->decisions;
}

dyno_status dyno_planner_open(struct dyno_planner **out, const struct dyno_planner_config *config)
{
    struct dyno_planner *planner = calloc(1, sizeof *planner);

    if (!planner) {
        return DYNO_NO_MEMORY;
    }
    assert(config->every_ns > 0);
    planner->config = *config;
    planner->next = config->every_ns;
    dyno_plan_init(&planner->plan, config->policy, &config->plan,
                   dyno_roster_desired(config->roster));
    planner->seen = calloc(config->worker_count, sizeof *planner->seen);
    planner->heard = calloc(config->worker_count, sizeof *planner->heard);
    planner->heard_since = calloc(config->worker_count, sizeof *planner->heard_since);
    planner->said =
        calloc((config->late_ticks + (size_t)1) * config->worker_count, sizeof *planner->said);
    if (!planner->seen || !planner->heard || !planner->heard_since || !planner->said ||
        dyno_forecast_init(&planner->forecast, config->predictor, &config->forecast) != DYNO_OK) {
        dyno_planner_close(planner);
        return DYNO_NO_MEMORY;
    }
    *out = planner;
    return DYNO_OK;
}

void dyno_planner_close(struct dyno_planner *planner)
{
    if (planner) {
        dyno_forecast_release(&planner->forecast);
        free(planner->seen);
        free(planner->heard);
        free(planner->heard_since);
        free(planner->said);
        free(planner);
    }
}
