#include "cli/scenario/engine_defaults.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/live.h"
#include "cli/scenario/models.h"
#include "cli/scenario/named.h"
#include "core/base/units.h"
#include "sim/timing.h"

enum { ORIGIN_MAX = 96 };

/* ---- limits ---------------------------------------------------------------------------------- */

static bool is_a100(const char *name)
{
    for (; *name; name++) {
        if (tolower((unsigned char)name[0]) == 'a' && strncmp(name + 1, "100", 3) == 0) {
            return true;
        }
    }
    return false;
}

static struct dyno_limits limits_of_vllm(const struct dyno_gpu *gpu)
{
    static const uint64_t large = (uint64_t)70 << 30;

    if (gpu->memory_bytes >= large && !is_a100(gpu->name) && !is_a100(gpu->title)) {
        return (struct dyno_limits){.tokens = 8192, .seqs = 1024};
    }
    return (struct dyno_limits){.tokens = 2048, .seqs = 256};
}

/* SGLang's chunked_prefill_size. */
static uint32_t chunk_of_sglang(const struct dyno_gpu *gpu)
{
    static const struct {
        uint64_t gib_below;
        uint32_t tokens;
    } rows[] = {{35, 2048}, {60, 4096}, {160, 8192}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (gpu->memory_bytes >> 30 < rows[i].gib_below) {
            return rows[i].tokens;
        }
    }
    return 16384;
}

static bool is_engine(const char *engine, const char *name)
{
    return strcmp(engine, name) == 0;
}

struct dyno_limits dyno_limits_of_gpu(const char *engine, const struct dyno_gpu *gpu)
{
    const struct dyno_worker_config *config = &dyno_engine_find(engine)->config;
    struct dyno_limits limits = {.tokens = config->batch_tokens_max, .seqs = config->seqs_max};

    if (is_engine(engine, "vllm")) {
        return limits_of_vllm(gpu);
    }
    if (is_engine(engine, "sglang")) {
        limits.tokens = chunk_of_sglang(gpu);
    }
    return limits;
}

/* Other engines and devices, and machines that were measured, have limits of their own. */
static bool follow_gpu(const struct dyno_scenario *scenario)
{
    return !is_engine(scenario->batch.engine, "trtllm") &&
           strcmp(scenario->run.device, "sim") == 0 && !dyno_live_is_machine(scenario);
}

void dyno_limits_fill(struct dyno_worker_config *worker, const struct dyno_scenario *scenario,
                      const struct dyno_gpu *gpu)
{
    const char *engine = scenario->batch.engine;
    struct dyno_limits limits = dyno_limits_of_gpu(engine, gpu);
    bool fits = strcmp(scenario->batch.chunked_prefill, "false") != 0 ||
                limits.tokens > worker->batch_tokens_max;

    if (!follow_gpu(scenario)) {
        return;
    }
    if (scenario->batch.batch_tokens_max == 0 && fits) {
        worker->batch_tokens_max = limits.tokens;
    }
    if (scenario->batch.seqs_max == 0) {
        worker->seqs_max = is_engine(engine, "vllm") && limits.seqs > worker->batch_tokens_max
                               ? worker->batch_tokens_max
                               : limits.seqs;
    }
}

/* What workers of such a scenario take on its GPU; false where that is not known. */
static bool limits_on(struct dyno_limits *out, const struct dyno_scenario *scenario)
{
    struct dyno_worker_config worker = dyno_engine_find(scenario->batch.engine)->config;
    struct dyno_gpu gpu;

    if (dyno_named_gpu(&gpu, scenario->fleet.gpu, NULL) != DYNO_OK) {
        return false;
    }
    if (scenario->batch.batch_tokens_max > 0) {
        worker.batch_tokens_max = scenario->batch.batch_tokens_max;
    }
    dyno_limits_fill(&worker, scenario, &gpu);
    *out = (struct dyno_limits){.tokens = worker.batch_tokens_max, .seqs = worker.seqs_max};
    return true;
}

/* The share of memory that they take. */
static double share_on(const struct dyno_scenario *scenario)
{
    struct dyno_timing_config config = {.tp = scenario->fleet.tp};
    struct dyno_limits limits = {0};

    (void)dyno_named_gpu(&config.gpu, scenario->fleet.gpu, NULL);
    (void)limits_on(&limits, scenario);
    config.batch_tokens_max = limits.tokens;
    return dyno_timing_memory_share(&config, scenario->batch.engine);
}

/* What the first kind of worker takes, and whether all others do. */
struct everywhere {
    bool any, same_limits, same_share;
    struct dyno_limits limits;
    double share;
};

static void look_at(struct everywhere *all, const struct dyno_scenario *kind)
{
    struct dyno_limits limits;
    double share = share_on(kind);
    bool known = limits_on(&limits, kind);

    if (!all->any) {
        *all = (struct everywhere){.any = true, .same_share = true, .share = share};
        all->same_limits = known;
        all->limits = known ? limits : all->limits;
        return;
    }
    all->same_share = all->same_share && share == all->share;
    all->same_limits = all->same_limits && known && limits.tokens == all->limits.tokens &&
                       limits.seqs == all->limits.seqs;
}

static void look_at_models(struct everywhere *all, const struct dyno_scenario *scenario)
{
    struct dyno_fleet_models *models = calloc(1, sizeof *models);

    if (models && dyno_models_read(models, scenario, NULL) == DYNO_OK) {
        for (uint32_t i = 0; i < models->count; i++) {
            look_at(all, &models->scenarios[i]);
        }
    }
    free(models);
}

static struct everywhere look_everywhere(const struct dyno_scenario *scenario)
{
    struct everywhere all = {0};
    struct dyno_scenario of_prompts = *scenario;

    if (dyno_models_are(scenario)) {
        look_at_models(&all, scenario);
    } else {
        look_at(&all, scenario);
    }
    if (scenario->disagg.policy) {
        if (scenario->prefill.gpu) {
            of_prompts.fleet.gpu = scenario->prefill.gpu;
        }
        if (scenario->prefill.tp > 0) {
            of_prompts.fleet.tp = scenario->prefill.tp;
        }
        look_at(&all, &of_prompts);
    }
    return all;
}

/* ---- options --------------------------------------------------------------------------------- */

/* Set an option that is still the profile's to the profile's value. */
static dyno_status settle_one(struct dyno_options *options, const char *name, const char *value,
                              const char *profile, struct dyno_error *error)
{
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_PROFILE, .where = profile};
    const struct dyno_option *row = dyno_options_find(options, name);
    char now[DYNO_OPTION_TEXT_MAX];

    assert(row); /* names in this file are ours */
    if (strcmp(dyno_options_print(options, row, now), "profile") != 0) {
        return DYNO_OK;
    }
    return dyno_options_set(options, row, value, &origin, error);
}

static dyno_status settle_whole(struct dyno_options *options, const char *name, uint64_t value,
                                const char *profile, struct dyno_error *error)
{
    char text[DYNO_UNITS_TEXT_MAX];

    dyno_print_u64(text, value);
    return settle_one(options, name, text, profile, error);
}

static dyno_status settle_real(struct dyno_options *options, const char *name, double value,
                               const char *profile, struct dyno_error *error)
{
    char text[DYNO_UNITS_TEXT_MAX];

    dyno_print_double(text, value);
    return settle_one(options, name, text, profile, error);
}

static dyno_status settle_limits(const struct dyno_scenario *scenario, struct dyno_options *options,
                                 const struct dyno_engine_profile *profile,
                                 const struct everywhere *all, struct dyno_error *error)
{
    struct dyno_limits limits = {.tokens = profile->config.batch_tokens_max,
                                 .seqs = profile->config.seqs_max};
    const char *name = profile->name;
    char origin[ORIGIN_MAX];

    if (follow_gpu(scenario) && !all->same_limits) {
        (void)snprintf(origin, sizeof origin, "%s, by each worker's GPU", name);
        DYNO_TRY(settle_one(options, "batch.tokens_max", "profile", origin, error));
        return settle_one(options, "batch.seqs_max", "profile", origin, error);
    }
    if (follow_gpu(scenario)) {
        (void)snprintf(origin, sizeof origin, "%s, by the GPU", name);
        name = origin;
        limits = all->limits;
    }
    DYNO_TRY(settle_whole(options, "batch.tokens_max", limits.tokens, name, error));
    return settle_whole(options, "batch.seqs_max", limits.seqs, name, error);
}

/* SGLang's depends on the GPU, of others it is one for all. */
static dyno_status settle_share(struct dyno_options *options,
                                const struct dyno_engine_profile *profile,
                                const struct everywhere *all, struct dyno_error *error)
{
    const char *more = ", by the GPU";
    char origin[ORIGIN_MAX];

    if (!is_engine(profile->name, "sglang")) {
        more = "";
    } else if (!all->same_share) {
        more = ", by each worker's GPU";
    }
    (void)snprintf(origin, sizeof origin, "%s%s", profile->name, more);
    if (!all->same_share) {
        return settle_one(options, "kv.memory_utilization", "profile", origin, error);
    }
    return settle_real(options, "kv.memory_utilization", all->share, origin, error);
}

dyno_status dyno_engine_defaults_settle(const struct dyno_scenario *scenario,
                                        struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_engine_profile *profile = dyno_engine_find(scenario->batch.engine);
    const struct dyno_worker_config *config = &profile->config;
    const struct everywhere all = look_everywhere(scenario);
    const char *name = profile->name;
    bool schedules_ahead = /* a host that does not, does not */
        config->async_scheduling && strcmp(scenario->timing.host, "vllm-sync") != 0;

    DYNO_TRY(settle_limits(scenario, options, profile, &all, error));
    DYNO_TRY(settle_share(options, profile, &all, error));
    DYNO_TRY(settle_real(options, "batch.watermark", config->watermark, name, error));
    DYNO_TRY(settle_real(options, "batch.new_token_ratio", config->new_token_ratio, name, error));
    DYNO_TRY(settle_one(options, "batch.chunked_prefill",
                        config->chunked_prefill ? "true" : "false", name, error));
    DYNO_TRY(settle_one(options, "batch.admission", dyno_admission_word(config->admission), name,
                        error));
    DYNO_TRY(settle_one(options, "batch.queue_order",
                        config->queue_order == DYNO_QUEUE_LPM ? "lpm" : "fcfs", name, error));
    DYNO_TRY(settle_one(options, "batch.reserve_prompt", config->reserve_prompt ? "true" : "false",
                        name, error));
    DYNO_TRY(settle_one(options, "batch.async_scheduling", schedules_ahead ? "true" : "false", name,
                        error));
    DYNO_TRY(settle_whole(options, "kv.block_tokens", config->block_tokens, name, error));
    return settle_one(options, "kv.hit_when",
                      config->hit_when_scheduled ? "scheduled" : "completed", name, error);
}
