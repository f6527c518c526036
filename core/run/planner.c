#include "core/run/planner.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/map.h"

/* Means of lengths follow what came in the last ticks: a tick weighs half of what came before. */
#define LENGTH_WEIGHT 0.5

enum { TICKS_OLD_MAX = 5 }; /* metrics that are older are missing */
enum { POOLS_MAX = DYNO_MODELS_MAX * DYNO_WORKER_ROLES };

struct mean {
    double value, sum;
    uint64_t count; /* since the last tick */
    bool known;
};

/* Of requests that ended, prompt tokens that workers of either role computed. */
struct computed {
    struct mean prompt, by[DYNO_WORKER_ROLES];
};

struct dyno_planner {
    struct dyno_planner_config config;
    uint32_t role_count;
    uint32_t total; /* workers of all roles */
    struct dyno_plan plans[DYNO_WORKER_ROLES];
    struct dyno_forecast forecast;
    struct dyno_plan_worker *seen;    /* [total] of the tick being made */
    struct dyno_sample_record *heard; /* [total] when each was heard last */
    dyno_ns *heard_since;             /* [total] its state then was entered at */
    struct dyno_sample_record *said;  /* [late_ticks + 1][total] at the last ticks */
    dyno_ns next, last;
    uint64_t arrivals; /* since the last tick */
    uint64_t ticks, decisions;
    uint64_t looks[DYNO_WORKER_ROLES][DYNO_PLAN_REASONS];
    uint64_t ahead_at; /* of the foresight's arrivals, the first not before the last tick */
    struct mean input, output, cached;
    struct computed computed; /* with roles, in place of `cached` */
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

static void note_computed(struct computed *computed, const struct dyno_request_record *record)
{
    double tokens = record->prompt_tokens - record->cached_tokens;
    bool in_halves = record->prefill_worker > 0;

    add(&computed->prompt, record->prompt_tokens);
    add(&computed->by[DYNO_ROLE_SERVE], in_halves ? 0.0 : tokens);
    add(&computed->by[DYNO_ROLE_PREFILL], in_halves ? tokens : 0.0);
}

void dyno_planner_ended(struct dyno_planner *planner, const struct dyno_request_record *record)
{
    if (record->outcome == DYNO_COMPLETED) {
        add(&planner->output, record->output_tokens);
        add(&planner->cached, (double)record->cached_tokens / record->prompt_tokens);
        note_computed(&planner->computed, record);
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

    return &planner->said[row * planner->total + worker];
}

static struct dyno_plan_worker said(const struct dyno_sample_record *sample)
{
    return (struct dyno_plan_worker){
        .known = true,
        .running = sample->running,
        .waiting = sample->waiting - sample->elsewhere, /* those wait for other workers */
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

    workers->ops->sample(workers, now, planner->config.first_worker + worker,
                         said_at(planner, planner->ticks, worker));
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

/* How long a start, or where no more may be up a change of role, took so far, on average, and one
 * tick: what is decided now is there then. */
static dyno_ns lead(const struct dyno_planner *planner)
{
    const struct dyno_roster *roster = planner->config.roster;
    bool changes = planner->role_count > 1 && dyno_roster_is_full(roster);
    dyno_ns seen = changes ? dyno_roster_change_mean(roster) : dyno_roster_startup_mean(roster);
    dyno_ns guess = changes ? planner->config.change_guess_ns : planner->config.startup_guess_ns;

    return (seen > 0 ? seen : guess) + planner->config.every_ns;
}

static uint64_t weight_of(const uint32_t *tokens, uint64_t request)
{
    return tokens ? tokens[request] : 1;
}

/* The most that comes in any stretch of one tick until what is decided now is there: requests, or
 * tokens of them. */
static double look_ahead(struct dyno_planner *planner, dyno_ns now, const uint32_t *tokens)
{
    const struct dyno_foresight *foresight = planner->config.foresight;
    dyno_ns every = planner->config.every_ns, end = now + lead(planner) + every;
    uint64_t most = 0, sum = 0, first;

    while (planner->ahead_at < foresight->count && foresight->arrivals[planner->ahead_at] < now) {
        planner->ahead_at++;
    }
    first = planner->ahead_at;
    for (uint64_t i = first; i < foresight->count && foresight->arrivals[i] < end; i++) {
        sum += weight_of(tokens, i);
        while (foresight->arrivals[first] + every <= foresight->arrivals[i]) {
            sum -= weight_of(tokens, first++);
        }
        most = sum > most ? sum : most;
    }
    return (double)most / ((double)every / 1e9);
}

static double share_computed(const struct computed *computed, enum dyno_worker_role role)
{
    double prompt = computed->prompt.value;

    return prompt > 0.0 ? computed->by[role].value / prompt : 0.0;
}

/* What lies ahead, as a rate of requests that are like those that came: of prompts if it is that
 * which workers of the role spend most on, of answers else. */
static double ahead_of_role(struct dyno_planner *planner, dyno_ns now, enum dyno_worker_role role)
{
    const struct dyno_foresight *foresight = planner->config.foresight;
    bool prompts = role == DYNO_ROLE_PREFILL;
    double mean = prompts ? planner->input.value : planner->output.value;

    if (planner->role_count == 1 || mean < 1.0) {
        return look_ahead(planner, now, NULL);
    }
    return look_ahead(planner, now, prompts ? foresight->prompt_tokens : foresight->output_tokens) /
           mean;
}

/* Those that are ready, from `first` of what is seen on. */
static void observe_workers(struct dyno_planner *planner, struct dyno_workers *workers, dyno_ns now,
                            enum dyno_worker_role role, uint32_t first,
                            struct dyno_plan_observation *out)
{
    uint32_t count = planner->config.worker_count, from = role * count;

    for (uint32_t i = from; i < from + count; i++) {
        if (dyno_roster_state(planner->config.roster, i) == DYNO_WORKER_READY) {
            planner->seen[first + out->ready++] = look_at(planner, workers, now, i);
        }
    }
    out->now_ns = now;
    out->starting = dyno_roster_count(planner->config.roster, role, DYNO_WORKER_STARTING) +
                    dyno_roster_coming(planner->config.roster, role);
    out->workers = planner->seen + first;
}

static void observe_requests(struct dyno_planner *planner, dyno_ns now, enum dyno_worker_role role,
                             double rate, double forecast, struct dyno_plan_observation *out)
{
    out->rate = rate;
    out->forecast_rate = forecast;
    out->input_tokens = planner->input.value;
    out->output_tokens = planner->output.value;
    out->cached_share = planner->cached.value;
    if (planner->role_count > 1) {
        out->cached_share = 1.0 - share_computed(&planner->computed, role);
    }
    if (role == DYNO_ROLE_PREFILL) { /* a request is what of its prompt is computed there */
        out->input_tokens *= 1.0 - out->cached_share;
        out->output_tokens = 1.0;
        out->cached_share = 0.0;
    }
    out->ahead_known = planner->config.foresight != NULL;
    out->ahead_rate = out->ahead_known ? ahead_of_role(planner, now, role) : 0.0;
}

static void observe(struct dyno_planner *planner, struct dyno_workers *workers, dyno_ns now,
                    struct dyno_plan_observation seen[])
{
    double seconds = (double)(now - planner->last) / 1e9, rate, forecast;
    uint64_t horizon = lead(planner) / planner->config.every_ns;
    uint32_t first = 0;

    close_mean(&planner->input);
    close_mean(&planner->output);
    close_mean(&planner->cached);
    close_mean(&planner->computed.prompt);
    close_mean(&planner->computed.by[DYNO_ROLE_SERVE]);
    close_mean(&planner->computed.by[DYNO_ROLE_PREFILL]);
    rate = seconds > 0.0 ? (double)planner->arrivals / seconds : 0.0;
    dyno_forecast_learn(&planner->forecast, rate);
    forecast = dyno_forecast_ahead(&planner->forecast,
                                   horizon < UINT32_MAX ? (uint32_t)horizon : UINT32_MAX);
    for (uint32_t role = 0; role < planner->role_count; role++) {
        observe_workers(planner, workers, now, role, first, &seen[role]);
        observe_requests(planner, now, role, rate, forecast, &seen[role]);
        first += seen[role].ready;
    }
}

/* ---- the tick -------------------------------------------------------------------------------- */

static void write_down(const struct dyno_planner *planner, enum dyno_worker_role role,
                       const struct dyno_plan_observation *seen,
                       const struct dyno_plan_verdict *verdict, uint32_t before,
                       struct dyno_plan_record *record)
{
    static const char *const names[] = {"decode", "prefill"};
    const struct dyno_roster *roster = planner->config.roster;

    *record = (struct dyno_plan_record){
        .at = seen->now_ns,
        .model = planner->config.model,
        .role = planner->role_count > 1 ? names[role] : "serve",
        .coming = dyno_roster_coming(roster, role),
        .before = before,
        .asked = verdict->asked,
        .desired = verdict->desired,
        .reason = dyno_plan_reason_name(verdict->reason),
        .ready = seen->ready,
        .starting = dyno_roster_count(roster, role, DYNO_WORKER_STARTING),
        .draining = dyno_roster_count(roster, role, DYNO_WORKER_DRAINING),
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

/* What became of one model's part: say in the records why. */
static void note(struct dyno_planner *planner, const struct dyno_plan_observation seen[],
                 const struct dyno_plan_verdict verdicts[], const uint32_t before[],
                 struct dyno_plan_record records[])
{
    bool changed = false;

    for (uint32_t role = 0; role < planner->role_count; role++) {
        write_down(planner, role, &seen[role], &verdicts[role], before[role], &records[role]);
        changed = changed || verdicts[role].desired != before[role];
        planner->looks[role][verdicts[role].reason]++;
    }
    planner->decisions += changed;
}

/* Do it, and go on to the next tick. */
static void set_roster(struct dyno_planner *planner, dyno_ns now)
{
    uint32_t desired[DYNO_WORKER_ROLES] = {0};

    for (uint32_t role = 0; role < planner->role_count; role++) {
        desired[role] = planner->plans[role].desired;
    }
    dyno_roster_set_roles(planner->config.roster, now, desired);
    planner->arrivals = 0;
    planner->last = now;
    planner->ticks++;
    while (planner->next <= now) { /* a wall clock may be late */
        planner->next += planner->config.every_ns;
    }
}

uint32_t dyno_planner_tick(struct dyno_planner *const planners[], uint32_t count, dyno_ns now,
                           struct dyno_workers *workers, const uint32_t lobby[],
                           struct dyno_plan_record records[])
{
    struct dyno_plan_observation seen[POOLS_MAX] = {{.lobby = 0}};
    struct dyno_plan_verdict verdicts[POOLS_MAX];
    struct dyno_plan *plans[POOLS_MAX] = {NULL};
    uint32_t before[POOLS_MAX] = {0}, pools = 0;

    assert(count <= DYNO_MODELS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        seen[pools].lobby = lobby[i];
        observe(planners[i], workers, now, &seen[pools]);
        for (uint32_t role = 0; role < planners[i]->role_count; role++, pools++) {
            plans[pools] = &planners[i]->plans[role];
            before[pools] = plans[pools]->desired;
        }
    }
    dyno_plan_tick_shared(plans, seen, pools, pools > 1 ? planners[0]->config.budget : UINT32_MAX,
                          verdicts);
    for (uint32_t i = 0, first = 0; i < count; first += planners[i++]->role_count) {
        note(planners[i], &seen[first], &verdicts[first], &before[first], &records[first]);
    }
    for (uint32_t i = 0; i < count; i++) {
        set_roster(planners[i], now);
    }
    return pools;
}

dyno_ns dyno_planner_next(const struct dyno_planner *planner)
{
    return planner->next;
}

const uint64_t *dyno_planner_looks(const struct dyno_planner *planner, enum dyno_worker_role role)
{
    return planner->looks[role];
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
    planner->role_count = config->has_roles ? DYNO_WORKER_ROLES : 1;
    planner->total = planner->role_count * config->worker_count;
    for (uint32_t role = 0; role < planner->role_count; role++) {
        dyno_plan_init(&planner->plans[role], config->policy,
                       role == DYNO_ROLE_PREFILL ? &config->prefill : &config->plan,
                       dyno_roster_desired(config->roster, role));
    }
    planner->seen = calloc(planner->total, sizeof *planner->seen);
    planner->heard = calloc(planner->total, sizeof *planner->heard);
    planner->heard_since = calloc(planner->total, sizeof *planner->heard_since);
    planner->said =
        calloc((config->late_ticks + (size_t)1) * planner->total, sizeof *planner->said);
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
