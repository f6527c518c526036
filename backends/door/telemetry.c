#include "backends/door/telemetry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/door/telemetry_parts.h"
#include "core/base/words.h"

/* Rates of a worker are reckoned over at least this long, and less than twice as long. */
static const dyno_ns rate_span_ns = 5 * DYNO_S;

const char *dyno_end_word(uint32_t end)
{
    static const char *const words[DYNO_END_COUNT] = {
        [DYNO_COMPLETED] = "completed",
        [DYNO_REJECTED_PROMPT_TOO_LONG] = "prompt_too_long",
        [DYNO_REJECTED_QUEUE_FULL] = "queue_full",
        [DYNO_CANCELLED_BY_CLIENT] = "cancelled_by_client",
        [DYNO_CANCELLED_AT_END] = "cancelled_at_end",
        [DYNO_FAILED] = "failed",
        [DYNO_REJECTED_QUEUE_TIMEOUT] = "queue_timeout",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_BAD_REQUEST] = "bad_request",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_UNAUTHORIZED] = "unauthorized",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_NOT_FOUND] = "not_found",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_TOO_LARGE] = "too_large",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_RATE_LIMITED] = "rate_limited",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_OVERLOADED] = "overloaded",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_DRAINING] = "draining",
        [DYNO_OUTCOME_COUNT + DYNO_REFUSED_TIMED_OUT] = "timed_out",
    };

    return words[end];
}

uint64_t dyno_telemetry_in_flight(const struct dyno_telemetry *telemetry)
{
    uint64_t ended = 0;

    for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
        ended += telemetry->ends[i];
    }
    return telemetry->received - ended;
}

uint32_t dyno_telemetry_parts(const struct dyno_telemetry *telemetry)
{
    return telemetry->model_count > 0 ? telemetry->model_count : 1;
}

const struct dyno_telemetry *dyno_telemetry_part(const struct dyno_telemetry *telemetry, uint32_t i,
                                                 const char **label)
{
    const struct dyno_telemetry *part = telemetry->model_count > 0 ? telemetry->models[i] : NULL;

    *label = part ? part->model : NULL;
    return part ? part : telemetry;
}

struct dyno_telemetry *dyno_telemetry_of(struct dyno_telemetry *telemetry, uint32_t model)
{
    return telemetry->model_count > 0 ? telemetry->models[model] : telemetry;
}

static dyno_status check_models(const struct dyno_telemetry_config *config,
                                struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    uint64_t workers = 0;

    if (config->model_count > DYNO_MODELS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%u models are more than %d", config->model_count,
                         DYNO_MODELS_MAX);
    }
    for (uint32_t i = 0; i < config->model_count; i++) {
        workers += config->models[i].worker_count;
        if (!dyno_text_is_clean(config->models[i].name)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "the model's name %s is not UTF-8 without control characters",
                             dyno_quote(quoted, config->models[i].name));
        }
    }
    assert(config->model_count == 0 || workers == config->worker_count);
    return DYNO_OK;
}

static dyno_status check(const struct dyno_telemetry_config *config, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (config->worker_count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a fleet without workers has nothing to tell");
    }
    if (!dyno_text_is_clean(config->model) || !dyno_text_is_clean(config->version)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the model's name %s is not UTF-8 without control characters",
                         dyno_quote(quoted, config->model));
    }
    DYNO_TRY(check_models(config, error));
    for (uint32_t i = 0; config->worker_names && i < config->worker_count; i++) {
        if (!dyno_text_is_clean(config->worker_names[i])) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "worker %u's name %s is not UTF-8 without control characters", i,
                             dyno_quote(quoted, config->worker_names[i]));
        }
    }
    return DYNO_OK;
}

static void set_units(struct dyno_telemetry *telemetry)
{
    struct dyno_ladder *const durations[] = {
        &telemetry->ttft,  &telemetry->itl,     &telemetry->tpot,  &telemetry->e2e,
        &telemetry->queue, &telemetry->prefill, &telemetry->decode};

    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        durations[i]->unit = DYNO_LADDER_UNIT_NS;
    }
    telemetry->read.unit = telemetry->first_byte.unit = DYNO_LADDER_SHORT_UNIT_NS;
    telemetry->to_loop.unit = telemetry->in_fleet.unit = DYNO_LADDER_SHORT_UNIT_NS;
    telemetry->to_door.unit = DYNO_LADDER_SHORT_UNIT_NS;
    telemetry->prompt_length.unit = 1;
    telemetry->output_length.unit = 1;
}

static bool set_names(struct dyno_telemetry *telemetry, const struct dyno_telemetry_config *config)
{
    bool whole;

    telemetry->model = strdup(config->model);
    telemetry->version = strdup(config->version);
    whole = telemetry->model && telemetry->version;
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        char number[16];

        (void)snprintf(number, sizeof number, "%u", i);
        telemetry->workers[i].name =
            strdup(config->worker_names ? config->worker_names[i] : number);
        whole = whole && telemetry->workers[i].name;
    }
    return whole;
}

/* `workers`: it is told what they do. */
static struct dyno_telemetry *make(const struct dyno_telemetry_config *config, uint32_t workers)
{
    struct dyno_telemetry *telemetry =
        calloc(1, sizeof *telemetry + workers * sizeof telemetry->workers[0]);

    if (!telemetry) {
        return NULL;
    }
    telemetry->worker_count = workers;
    telemetry->block_tokens = config->block_tokens;
    telemetry->block_bytes = config->block_bytes;
    telemetry->has_planner = config->has_planner;
    telemetry->prefill_from = config->prefill_from;
    telemetry->gpus = config->gpus;
    set_units(telemetry);
    if (!set_names(telemetry, config)) {
        dyno_telemetry_close(telemetry);
        return NULL;
    }
    return telemetry;
}

/* Its workers, which the whole looks at, are told whose they are. */
static bool add_model(struct dyno_telemetry *telemetry, const struct dyno_telemetry_model *model,
                      uint32_t first_worker)
{
    struct dyno_telemetry_config config = {.model = model->name,
                                           .version = telemetry->version,
                                           .block_tokens = telemetry->block_tokens,
                                           .block_bytes = model->block_bytes,
                                           .has_planner = telemetry->has_planner};
    struct dyno_telemetry *made = make(&config, 0);

    if (!made) {
        return false;
    }
    made->whole = telemetry;
    telemetry->models[telemetry->model_count++] = made;
    for (uint32_t i = 0; i < model->worker_count; i++) {
        telemetry->workers[first_worker + i].model = made->model;
    }
    return true;
}

dyno_status dyno_telemetry_open(struct dyno_telemetry **out,
                                const struct dyno_telemetry_config *config,
                                struct dyno_error *error)
{
    struct dyno_telemetry *telemetry;
    uint32_t first = 0;
    bool whole;

    DYNO_TRY(check(config, error));
    telemetry = make(config, config->worker_count);
    if (!telemetry) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the telemetry of %u workers",
                         config->worker_count);
    }
    whole = dyno_window_open(&telemetry->window) == DYNO_OK;
    for (uint32_t i = 0; whole && i < config->model_count; i++) {
        whole = add_model(telemetry, &config->models[i], first);
        first += config->models[i].worker_count;
    }
    if (!whole) {
        dyno_telemetry_close(telemetry);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for fifteen minutes of telemetry");
    }
    *out = telemetry;
    return DYNO_OK;
}

void dyno_telemetry_close(struct dyno_telemetry *telemetry)
{
    if (!telemetry) {
        return;
    }
    for (uint32_t i = 0; i < telemetry->model_count; i++) {
        dyno_telemetry_close(telemetry->models[i]);
    }
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        free(telemetry->workers[i].name);
    }
    free(telemetry->model);
    free(telemetry->version);
    dyno_window_close(telemetry->window);
    free(telemetry);
}

/* The second that `now` is in. */
static struct dyno_span_counts *turn(struct dyno_telemetry *telemetry, dyno_ns now)
{
    if (now > telemetry->now) {
        telemetry->now = now;
    }
    return telemetry->window ? dyno_window_second(telemetry->window, telemetry->now / DYNO_S)
                             : &telemetry->unkept;
}

void dyno_telemetry_received(struct dyno_telemetry *telemetry, dyno_ns now)
{
    turn(telemetry, now)->received++;
    telemetry->received++;
    if (telemetry->whole) {
        dyno_telemetry_received(telemetry->whole, now);
    }
}

static struct dyno_span_counts *end(struct dyno_telemetry *telemetry, dyno_ns now, uint32_t how)
{
    struct dyno_span_counts *second = turn(telemetry, now);

    assert(dyno_telemetry_in_flight(telemetry) > 0);
    second->ends[how]++;
    telemetry->ends[how]++;
    return second;
}

void dyno_telemetry_refused(struct dyno_telemetry *telemetry, dyno_ns now, enum dyno_refusal why)
{
    assert(why < DYNO_REFUSAL_COUNT);
    (void)end(telemetry, now, DYNO_OUTCOME_COUNT + (uint32_t)why);
    if (telemetry->whole) {
        dyno_telemetry_refused(telemetry->whole, now, why);
    }
}

static void count_minute(struct dyno_worker_telemetry *worker, uint64_t minute,
                         const struct dyno_request_record *record)
{
    struct dyno_prompt_minute *slot = &worker->minutes[minute % DYNO_PROMPT_MINUTES];

    if (slot->minute != minute) {
        *slot = (struct dyno_prompt_minute){.minute = minute};
    }
    slot->tokens += record->prompt_tokens;
    slot->cached_tokens += record->cached_tokens;
    slot->onboarded_tokens += record->onboarded_tokens - record->pulled_tokens;
    slot->pulled_tokens += record->pulled_tokens;
}

static void count_prompt(struct dyno_telemetry *telemetry, struct dyno_span_counts *second,
                         const struct dyno_request_record *record)
{
    second->prompt_tokens += record->prompt_tokens;
    second->cached_tokens += record->cached_tokens;
    if (record->worker != DYNO_NO_WORKER && !telemetry->whole) {
        struct dyno_worker_telemetry *worker = &telemetry->workers[record->worker];

        worker->prompt_tokens += record->prompt_tokens;
        worker->cached_tokens += record->cached_tokens;
        worker->onboarded_tokens += record->onboarded_tokens - record->pulled_tokens;
        worker->pulled_tokens += record->pulled_tokens;
        worker->preemptions += record->preemptions;
        count_minute(worker, telemetry->now / (60 * DYNO_S), record);
    }
}

/* From one stamp to the next; a worker elsewhere may not tell all of them. */
static dyno_ns add_span(struct dyno_ladder *ladder, dyno_ns from, dyno_ns to)
{
    if (to == DYNO_NEVER || to < from) {
        return DYNO_NEVER;
    }
    dyno_ladder_add(ladder, to - from, 1);
    return to - from;
}

/* Durations of completed requests only, as in core/run/metrics.h. */
static void count_completed(struct dyno_telemetry *telemetry, struct dyno_span_counts *second,
                            const struct dyno_request_record *record)
{
    dyno_ns decode;

    (void)add_span(&telemetry->e2e, record->arrival_ns, record->last_token_ns);
    (void)add_span(&telemetry->queue, record->ready_ns - record->held_ns, record->admitted_ns);
    (void)add_span(&telemetry->prefill, record->admitted_ns, record->first_token_ns);
    decode = add_span(&telemetry->decode, record->first_token_ns, record->last_token_ns);
    dyno_ladder_add(&telemetry->prompt_length, record->prompt_tokens, 1);
    dyno_ladder_add(&telemetry->output_length, record->output_tokens, 1);
    if (decode != DYNO_NEVER && record->output_tokens > 1) {
        dyno_ns tpot = decode / (record->output_tokens - 1);

        dyno_ladder_add(&telemetry->tpot, tpot, 1);
        dyno_sketch_add(&second->tpot, tpot);
    }
}

void dyno_telemetry_ended(struct dyno_telemetry *telemetry, dyno_ns now,
                          const struct dyno_request_record *record, bool cut)
{
    struct dyno_span_counts *second = end(telemetry, now, (uint32_t)record->outcome);

    assert(telemetry->whole || record->worker == DYNO_NO_WORKER ||
           record->worker < telemetry->worker_count);
    if (record->admitted_ns != DYNO_NEVER) {
        count_prompt(telemetry, second, record);
    }
    if (record->outcome == DYNO_COMPLETED) {
        telemetry->cut += cut;
        count_completed(telemetry, second, record);
    }
    if (telemetry->whole) {
        dyno_telemetry_ended(telemetry->whole, now, record, cut);
    }
}

void dyno_telemetry_read(struct dyno_telemetry *telemetry, dyno_ns after_ns)
{
    dyno_ladder_add(&telemetry->read, after_ns, 1);
    if (telemetry->whole) {
        dyno_telemetry_read(telemetry->whole, after_ns);
    }
}

void dyno_telemetry_first_byte(struct dyno_telemetry *telemetry, dyno_ns after_ns)
{
    dyno_ladder_add(&telemetry->first_byte, after_ns, 1);
}

void dyno_telemetry_way(struct dyno_telemetry *telemetry, dyno_ns to_loop_ns, dyno_ns in_fleet_ns,
                        dyno_ns to_door_ns)
{
    dyno_ladder_add(&telemetry->to_loop, to_loop_ns, 1);
    dyno_ladder_add(&telemetry->in_fleet, in_fleet_ns, 1);
    dyno_ladder_add(&telemetry->to_door, to_door_ns, 1);
    if (telemetry->whole) {
        dyno_telemetry_way(telemetry->whole, to_loop_ns, in_fleet_ns, to_door_ns);
    }
}

void dyno_telemetry_first_token(struct dyno_telemetry *telemetry, dyno_ns now, dyno_ns ttft_ns)
{
    struct dyno_span_counts *second = turn(telemetry, now);

    second->output_tokens++;
    telemetry->output_tokens++;
    dyno_sketch_add(&second->ttft, ttft_ns);
    dyno_ladder_add(&telemetry->ttft, ttft_ns, 1);
    if (telemetry->whole) {
        dyno_telemetry_first_token(telemetry->whole, now, ttft_ns);
    }
}

void dyno_telemetry_next_tokens(struct dyno_telemetry *telemetry, dyno_ns now, uint64_t count,
                                dyno_ns gap_ns)
{
    turn(telemetry, now)->output_tokens += count;
    telemetry->output_tokens += count;
    dyno_ladder_add(&telemetry->itl, gap_ns, count);
    if (telemetry->whole) {
        dyno_telemetry_next_tokens(telemetry->whole, now, count, gap_ns);
    }
}

/* A place where nobody is has no blocks to be used. */
static uint32_t blocks_of(const struct dyno_sample_record *record)
{
    bool is_there = !record->state || strcmp(record->state, "ready") == 0 ||
                    strcmp(record->state, "draining") == 0;

    return is_there ? record->blocks_total : 0;
}

static void replace_look(struct dyno_fleet_look *sum, const struct dyno_sample_record *old,
                         const struct dyno_sample_record *new)
{
    sum->running += (uint64_t) new->running - old->running;
    sum->waiting += (uint64_t) new->waiting - old->waiting;
    sum->blocks_used += (uint64_t) new->blocks_used - old->blocks_used;
    sum->blocks_idle += (uint64_t) new->blocks_idle - old->blocks_idle;
    sum->blocks_total += (uint64_t)blocks_of(new) - blocks_of(old);
}

void dyno_telemetry_sampled(struct dyno_telemetry *telemetry,
                            const struct dyno_sample_record *sample)
{
    struct dyno_span_counts *second = turn(telemetry, sample->at);
    struct dyno_worker_telemetry *worker;

    assert(sample->worker < telemetry->worker_count);
    worker = &telemetry->workers[sample->worker];
    replace_look(&telemetry->look, &worker->latest, sample);
    if (!worker->looked || sample->tokens_out < worker->middle.tokens_out ||
        sample->busy_ns < worker->middle.busy_ns) { /* it is new, or has begun again */
        worker->earlier = worker->middle = *sample;
        worker->looked = true;
    }
    worker->latest = *sample;
    if (sample->at >= worker->middle.at + rate_span_ns) {
        worker->earlier = worker->middle;
        worker->middle = *sample;
    }
    second->looked = true;
    second->look = telemetry->look;
}

void dyno_telemetry_planned(struct dyno_telemetry *telemetry, const struct dyno_plan_record *record)
{
    struct dyno_plan_telemetry *plan = &telemetry->plan;
    size_t role = strcmp(record->role, "prefill") == 0;

    plan->latest[role] = *record;
    plan->ticked[role] = true;
    if (record->desired != record->before) {
        plan->changes[plan->change_count++ % DYNO_PLAN_CHANGES_KEPT] = *record;
    }
    if (telemetry->whole) {
        dyno_telemetry_planned(telemetry->whole, record);
    }
}

void dyno_telemetry_answered(struct dyno_telemetry *telemetry, int http_status)
{
    assert(http_status >= 100 && http_status < DYNO_HTTP_STATUSES);
    telemetry->answers[http_status]++;
}

void dyno_telemetry_connections(struct dyno_telemetry *telemetry, uint32_t open)
{
    telemetry->connections = open;
}
