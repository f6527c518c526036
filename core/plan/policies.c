/* The built-in policies: how many workers each would have. */
#include "core/plan/policies.h"

#define SAFE 0.8 /* of an objective: what a smaller fleet must be predicted to meet */

/* ---- what they have in common ---------------------------------------------------------------- */

/* Means over the ready workers that were heard. */
struct heard {
    double waiting, use;
    uint32_t count;
};

static struct heard hear(const struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    struct heard heard = {0};

    for (uint32_t i = 0; i < seen->ready; i++) {
        const struct dyno_plan_worker *worker = &seen->workers[i];
        double places = (double)worker->running / plan->config.sequences_max;

        heard.count += worker->known;
        heard.waiting += worker->waiting;
        heard.use += worker->kv_use > places ? worker->kv_use : places;
    }
    if (heard.count > 0) {
        heard.waiting /= heard.count;
        heard.use /= heard.count;
    }
    return heard;
}

/* A request nobody knows anything of is taken to be one token in and one out. */
static double input_of(const struct dyno_plan_observation *seen)
{
    double computed = seen->input_tokens * (1.0 - seen->cached_share);

    return computed > 1.0 ? computed : 1.0;
}

static double output_of(const struct dyno_plan_observation *seen)
{
    return seen->output_tokens > 1.0 ? seen->output_tokens : 1.0;
}

/* The most sequences for which a worker has places and memory. */
static double sequences_of(const struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    double tokens = seen->input_tokens + output_of(seen) / 2.0;
    double fit = tokens > 0.0 ? plan->config.kv_tokens / tokens : plan->config.sequences_max;

    fit = fit < plan->config.sequences_max ? fit : plan->config.sequences_max;
    return fit > 1.0 ? fit : 1.0;
}

/* Those who wait are to be served within a cool-down, beside those who come. */
static double with_backlog(const struct dyno_plan *plan, const struct dyno_plan_observation *seen,
                           double rate)
{
    double waiting = seen->lobby, seconds = (double)plan->config.cooldown_ns / 1e9;

    for (uint32_t i = 0; i < seen->ready; i++) {
        waiting += seen->workers[i].waiting;
    }
    return rate + waiting / (seconds > 1.0 ? seconds : 1.0);
}

static uint32_t rounded_up(double workers)
{
    uint32_t whole;

    if (!(workers < (double)UINT32_MAX)) {
        return UINT32_MAX;
    }
    whole = (uint32_t)workers;
    return whole + ((double)whole < workers);
}

/* ---- by thresholds --------------------------------------------------------------------------- */

static uint32_t ask_static(const struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    (void)seen;
    return plan->desired;
}

/* Fewer are asked for only if the others could take over the work without asking for more. */
static uint32_t ask_load(const struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    const struct dyno_plan_config *config = &plan->config;
    struct heard heard = hear(plan, seen);
    double fewer = seen->ready > 1 ? seen->ready - 1.0 : 1.0;
    double after = heard.use * seen->ready / fewer;

    if (seen->lobby > 0 || heard.waiting >= config->queue_up || heard.use >= config->use_up) {
        return plan->desired + 1;
    }
    if (heard.waiting <= config->queue_down && heard.use <= config->use_down &&
        (seen->ready <= 1 ? heard.use <= 0.0 : after < config->use_up)) {
        return plan->desired > 0 ? plan->desired - 1 : 0;
    }
    return plan->desired;
}

/* ---- by measured costs ----------------------------------------------------------------------- */

static uint32_t size_for(const struct dyno_plan *plan, const struct dyno_plan_observation *seen,
                         const struct dyno_capacity_costs *costs, double rate)
{
    double input = input_of(seen), output = output_of(seen);
    double sequences =
        dyno_capacity_sequences(costs, input, output, plan->config.itl_s, sequences_of(plan, seen));
    double each = dyno_capacity_rate(costs, sequences, input, output) * plan->config.headroom;

    return each > 0.0 ? rounded_up(rate / each) : plan->desired;
}

static uint32_t ask_throughput(const struct dyno_plan *plan,
                               const struct dyno_plan_observation *seen)
{
    struct dyno_capacity_costs costs;

    if (!dyno_capacity_costs(&plan->capacity, &costs)) {
        return ask_load(plan, seen);
    }
    return size_for(plan, seen, &costs, with_backlog(plan, seen, seen->forecast_rate));
}

/* At r requests a second a worker is kept busy, but for `base`, for the share u = r * output * each
 * of its time, so that a step takes base / (1 - u): Little's law with step(n).  A first token takes
 * a step, its own prompt, and a wait for the prompts before it as in M/D/1. */
bool dyno_plan_predict(const struct dyno_plan_observation *seen,
                       const struct dyno_capacity_costs *costs, double rate, uint32_t workers,
                       double *ttft_s, double *itl_s)
{
    double each_rate = rate / workers, prompt_s = input_of(seen) * costs->prefill_s;
    double prompts = each_rate * prompt_s;
    double busy = prompts + each_rate * output_of(seen) * costs->decode_s;

    if (!(busy < 1.0)) {
        return false;
    }
    *itl_s = costs->base_s / (1.0 - busy);
    *ttft_s = *itl_s + prompt_s * (1.0 + prompts / (2.0 * (1.0 - prompts)));
    return true;
}

static bool meets(const struct dyno_plan *plan, const struct dyno_plan_observation *seen,
                  const struct dyno_capacity_costs *costs, double rate, uint32_t workers)
{
    double share = workers < plan->desired ? SAFE : 1.0, ttft_s, itl_s;
    double sequences;

    if (!dyno_plan_predict(seen, costs, rate, workers, &ttft_s, &itl_s)) {
        return false;
    }
    sequences = rate / workers * output_of(seen) * itl_s; /* Little's law */
    return sequences <= share * sequences_of(plan, seen) &&
           (plan->config.ttft_s <= 0.0 || ttft_s <= share * plan->config.ttft_s) &&
           (plan->config.itl_s <= 0.0 || itl_s <= share * plan->config.itl_s);
}

static uint32_t fewest(const struct dyno_plan *plan, const struct dyno_plan_observation *seen,
                       const struct dyno_capacity_costs *costs, double rate)
{
    uint32_t workers = plan->config.workers_min > 0 ? plan->config.workers_min : 1;

    if (rate <= 0.0) {
        return 0;
    }
    while (workers < plan->config.workers_max && !meets(plan, seen, costs, rate, workers)) {
        workers++;
    }
    return workers;
}

static uint32_t ask_sla(const struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    struct dyno_capacity_costs costs;

    if (!dyno_capacity_costs(&plan->capacity, &costs)) {
        return ask_load(plan, seen);
    }
    return fewest(plan, seen, &costs, with_backlog(plan, seen, seen->forecast_rate));
}

static uint32_t ask_for_rate(const struct dyno_plan *plan, const struct dyno_plan_observation *seen,
                             double rate)
{
    struct dyno_capacity_costs costs;
    uint32_t floor, other;

    if (!dyno_capacity_costs(&plan->capacity, &costs)) {
        return ask_load(plan, seen);
    }
    rate = with_backlog(plan, seen, rate);
    floor = size_for(plan, seen, &costs, rate);
    other = plan->config.ttft_s > 0.0 || plan->config.itl_s > 0.0 ? fewest(plan, seen, &costs, rate)
                                                                  : floor;
    return floor > other ? floor : other;
}

static uint32_t ask_hybrid(const struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    bool has_objective = plan->config.ttft_s > 0.0 || plan->config.itl_s > 0.0;
    uint32_t floor = ask_for_rate(plan, seen, seen->forecast_rate);
    uint32_t load = has_objective || seen->starting > 0 ? 0 : ask_load(plan, seen);

    return floor > load ? floor : load;
}

static uint32_t ask_clairvoyant(const struct dyno_plan *plan,
                                const struct dyno_plan_observation *seen)
{
    struct dyno_capacity_costs costs;
    uint32_t asked = ask_for_rate(plan, seen, seen->ahead_rate);
    bool guesses = !dyno_capacity_costs(&plan->capacity, &costs);

    /* It does not cool down: what it sends away by thresholds, it might need for what will come. */
    return guesses && seen->ahead_rate > 0.0 && asked < plan->desired ? plan->desired : asked;
}

const struct dyno_plan_policy dyno_plan_static = {
    .name = "static", .help = "as many as there are", .ask = ask_static};
const struct dyno_plan_policy dyno_plan_load = {.name = "load",
                                                .help = "thresholds on queues and use",
                                                .needs = DYNO_PLAN_COUNTS_STEPS,
                                                .ask = ask_load};
const struct dyno_plan_policy dyno_plan_throughput = {
    .name = "throughput", .help = "forecast rate over measured capacity", .ask = ask_throughput};
const struct dyno_plan_policy dyno_plan_sla = {.name = "sla",
                                               .help = "predicted TTFT and ITL within objectives",
                                               .needs = DYNO_PLAN_NEEDS_OBJECTIVE,
                                               .ask = ask_sla};
const struct dyno_plan_policy dyno_plan_hybrid = {
    .name = "hybrid", .help = "the larger of throughput and sla, or load", .ask = ask_hybrid};
const struct dyno_plan_policy dyno_plan_clairvoyant = {.name = "clairvoyant",
                                                       .help = "as hybrid, knowing what will come",
                                                       .needs = DYNO_PLAN_NEEDS_FUTURE,
                                                       .ask = ask_clairvoyant};
