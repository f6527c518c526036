#include "cli/scenario/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/live.h"
#include "cli/scenario/planning.h"
#include "core/base/units.h"
#include "core/base/words.h"
#include "reports/summary.h"

enum { WORKERS_MAX = 1000000, TP_MAX = 1024 };

bool dyno_models_are(const struct dyno_scenario *scenario)
{
    return scenario->fleet.models != NULL;
}

/* ---- one item -------------------------------------------------------------------------------- */

/* The item that is read, for what is said of it. */
struct item {
    struct dyno_fleet_model *model;
    const char *text;
    uint32_t given; /* a bit a key */
    struct dyno_error *error;
};

static dyno_status refuse(const struct item *item, const char *key, const char *value,
                          const char *expected)
{
    char quoted[DYNO_QUOTE_MAX], shown[DYNO_QUOTE_MAX];

    return dyno_fail(item->error, DYNO_BAD_INPUT, "fleet.models: %s: %s is %s; expected %s",
                     dyno_quote(quoted, item->text), key, dyno_quote(shown, value), expected);
}

static dyno_status take_number(const struct item *item, const char *key, const char *value,
                               uint64_t least, uint64_t most, uint32_t *out)
{
    char expected[96];
    uint64_t number;

    if (dyno_parse_u64(value, &number) != DYNO_UNITS_OK || number < least || number > most) {
        (void)snprintf(expected, sizeof expected, "a whole number from %llu to %llu",
                       (unsigned long long)least, (unsigned long long)most);
        return refuse(item, key, value, expected);
    }
    *out = (uint32_t)number;
    return DYNO_OK;
}

static dyno_status take_text(const struct item *item, const char *key, const char *value, char *out,
                             size_t size)
{
    if (*value == '\0' || strlen(value) >= size || !dyno_text_is_clean(value)) {
        return refuse(item, key, value, "a text that is not empty, shorter, and without controls");
    }
    (void)snprintf(out, size, "%s", value);
    return DYNO_OK;
}

/* "9@20min": from then on. */
static dyno_status take_share_from(const struct item *item, char *text)
{
    struct dyno_model_shares *shares = &item->model->shares;
    struct dyno_model_share *next = &shares->of[shares->count];
    char *at = strchr(text, '@');

    if (shares->count == DYNO_MODEL_SHARES_MAX) {
        return refuse(item, "share", text, "at most 32 of them");
    }
    if (at) {
        *at++ = '\0';
    }
    *next = (struct dyno_model_share){.from_ns = 0};
    if (dyno_parse_double(text, &next->share) != DYNO_UNITS_OK ||
        !(next->share >= 0.0 && next->share <= 1e9)) {
        return refuse(item, "share", text, "a number from 0 to 1e9, or SHARE@TIME;SHARE@TIME");
    }
    if (at && dyno_parse_duration(at, &next->from_ns) != DYNO_UNITS_OK) {
        return refuse(item, "the time of a share", at, "one with a unit, as in 20min");
    }
    if (shares->count == 0 ? next->from_ns > 0 : next->from_ns <= next[-1].from_ns) {
        return refuse(item, "the time of a share", at ? at : "none",
                      "0s for the first, and later ones after it");
    }
    shares->count++;
    return DYNO_OK;
}

/* "2", or "9@0s;1@20min". */
static dyno_status take_share(const struct item *item, char *value)
{
    while (value) {
        char *next = strchr(value, ';');

        if (next) {
            *next++ = '\0';
        }
        DYNO_TRY(take_share_from(item, value));
        value = next;
    }
    return DYNO_OK;
}

/* "3+5": the tenants whose requests are for it. */
static dyno_status take_tenants(const struct item *item, char *value)
{
    struct dyno_fleet_model *model = item->model;
    char *rest = value;

    while (rest) {
        char *plus = strchr(rest, '+');

        if (plus) {
            *plus++ = '\0';
        }
        if (model->tenant_count == DYNO_MODEL_TENANTS_MAX) {
            return refuse(item, "tenants", value, "at most 16 of them");
        }
        DYNO_TRY(take_number(item, "tenants", rest, 1, UINT32_MAX,
                             &model->tenants[model->tenant_count]));
        model->tenant_count++;
        rest = plus;
    }
    return DYNO_OK;
}

enum key {
    KEY_NAME,
    KEY_MODEL,
    KEY_GPU,
    KEY_WEIGHTS,
    KEY_TP,
    KEY_WORKERS,
    KEY_BLOCKS,
    KEY_MIN,
    KEY_MAX,
    KEY_START,
    KEY_SHARE,
    KEY_TENANTS,
    KEYS,
};

static const char *const keys[KEYS] = {"name",   "model", "gpu", "weights", "tp",    "workers",
                                       "blocks", "min",   "max", "start",   "share", "tenants"};

static dyno_status take_value(const struct item *item, enum key key, char *value)
{
    struct dyno_fleet_model *model = item->model;

    switch (key) {
    case KEY_NAME:
        return take_text(item, keys[key], value, model->name, sizeof model->name);
    case KEY_MODEL:
        return take_text(item, keys[key], value, model->model, sizeof model->model);
    case KEY_GPU:
        return take_text(item, keys[key], value, model->gpu, sizeof model->gpu);
    case KEY_WEIGHTS:
        return take_text(item, keys[key], value, model->weights, sizeof model->weights);
    case KEY_TP:
        return take_number(item, keys[key], value, 1, TP_MAX, &model->tp);
    case KEY_WORKERS:
        return take_number(item, keys[key], value, 1, WORKERS_MAX, &model->workers);
    case KEY_BLOCKS:
        return take_number(item, keys[key], value, 1, UINT32_MAX - 1, &model->blocks);
    case KEY_MIN:
        return take_number(item, keys[key], value, 0, WORKERS_MAX, &model->workers_min);
    case KEY_MAX:
        return take_number(item, keys[key], value, 1, WORKERS_MAX, &model->workers_max);
    case KEY_START:
        return take_number(item, keys[key], value, 1, WORKERS_MAX, &model->start);
    case KEY_SHARE:
        return take_share(item, value);
    case KEY_TENANTS:
    case KEYS:
        break;
    }
    return take_tenants(item, value);
}

/* "KEY=VALUE", of a key that was not given before. */
static dyno_status take_pair(struct item *item, char *pair)
{
    char *equals = strchr(pair, '=');
    uint32_t key = 0;

    if (!equals) {
        return refuse(item, "a part", pair, "KEY=VALUE, as in name=chat:model=llama-3.1-8b");
    }
    *equals = '\0';
    while (key < KEYS && strcmp(keys[key], pair) != 0) {
        key++;
    }
    if (key == KEYS) {
        return refuse(item, "a key", pair,
                      "name, model, gpu, weights, tp, workers, blocks, min, max, start, share or "
                      "tenants");
    }
    if (item->given & 1U << key) {
        return refuse(item, "a key", pair, "each of them once");
    }
    item->given |= 1U << key;
    return take_value(item, (enum key)key, equals + 1);
}

/* "KEY=VALUE:KEY=VALUE". */
static dyno_status take_item(struct dyno_fleet_model *model, const char *text,
                             struct dyno_error *error)
{
    struct item item = {.model = model, .text = text, .error = error};
    char buffer[2 * DYNO_MODEL_TEXT_MAX], *rest = buffer;

    *model = (struct dyno_fleet_model){.workers_min = UINT32_MAX};
    (void)snprintf(buffer, sizeof buffer, "%s", text);
    while (rest) {
        char *pair = rest, *colon = strchr(pair, ':');

        rest = colon ? colon + 1 : NULL;
        if (colon) {
            *colon = '\0';
        }
        DYNO_TRY(take_pair(&item, pair));
    }
    if (model->name[0] == '\0') {
        return refuse(&item, "its name", "", "name=NAME, by which requests ask for it");
    }
    if (model->model[0] == '\0') {
        memcpy(model->model, model->name, sizeof model->name);
    }
    return DYNO_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Requests, and reports, tell the next one apart from those before it. */
static dyno_status check_name(const struct dyno_fleet_models *models, struct dyno_error *error)
{
    const char *name = models->of[models->count].name;
    char one[DYNO_SUMMARY_MODEL_MAX], other[DYNO_SUMMARY_MODEL_MAX];

    dyno_summary_model(one, name);
    for (uint32_t i = 0; i < models->count; i++) {
        dyno_summary_model(other, models->of[i].name);
        if (strcmp(one, other) == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "fleet.models: %s and %s are called alike: the first 24 letters must "
                             "differ, in letters, digits or -",
                             models->of[i].name, name);
        }
    }
    return DYNO_OK;
}

static dyno_status take_list(struct dyno_fleet_models *models, const char *list,
                             struct dyno_error *error)
{
    char text[2 * DYNO_MODEL_TEXT_MAX];

    while (*list) {
        size_t length = strcspn(list, ",");

        if (models->count == DYNO_MODELS_MAX || length >= sizeof text) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "fleet.models: more than %d models, or one of more than %zu bytes",
                             DYNO_MODELS_MAX, sizeof text - 1);
        }
        (void)snprintf(text, sizeof text, "%.*s", (int)length, list);
        DYNO_TRY(take_item(&models->of[models->count], text, error));
        DYNO_TRY(check_name(models, error));
        models->count++;
        list += length;
        list += *list == ',';
    }
    return DYNO_OK;
}

/* A fleet of that model alone. */
static void make_scenario(struct dyno_fleet_models *models, uint32_t i,
                          const struct dyno_scenario *scenario)
{
    const struct dyno_fleet_model *model = &models->of[i];
    struct dyno_scenario *of = &models->scenarios[i];

    *of = *scenario;
    of->fleet.models = NULL;
    of->kv.bound_belady = false; /* of one cache for all, which no two models share */
    of->model.name = model->model;
    of->model.weights = model->weights[0] ? model->weights : scenario->model.weights;
    of->fleet.gpu = model->gpu[0] ? model->gpu : scenario->fleet.gpu;
    of->fleet.tp = model->tp > 0 ? model->tp : scenario->fleet.tp;
    of->fleet.workers = model->workers > 0 ? model->workers : scenario->fleet.workers;
    of->kv.blocks = model->blocks > 0 ? model->blocks : scenario->kv.blocks;
    if (model->workers_min != UINT32_MAX) {
        of->planner.workers_min = model->workers_min;
    }
    if (model->workers_max > 0) {
        of->planner.workers_max = model->workers_max;
    }
    of->planner.start = model->start > 0 ? model->start : scenario->planner.start;
    models->first[i] = models->workers;
    models->workers += of->fleet.workers;
}

/* Who begins with how many, where nobody says: all places if the budget has them, else an even
 * part of it. */
static void settle_starts(struct dyno_fleet_models *models)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < models->count; i++) {
        const struct dyno_scenario *of = &models->scenarios[i];

        all += (uint64_t)dyno_planning_workers_max(of) * of->fleet.tp;
    }
    for (uint32_t i = 0; i < models->count; i++) {
        struct dyno_scenario *of = &models->scenarios[i];
        uint32_t most = dyno_planning_workers_max(of), least = of->planner.workers_min;
        uint32_t even = models->budget_gpus / models->count / of->fleet.tp;

        if (of->planner.start > 0 || all <= models->budget_gpus) {
            continue;
        }
        even = even < most ? even : most;
        even = even > least ? even : least;
        of->planner.start = even > 0 ? even : 1;
    }
}

static dyno_status settle_budget(struct dyno_fleet_models *models,
                                 const struct dyno_scenario *scenario, struct dyno_error *error)
{
    uint64_t gpus = 0;

    for (uint32_t i = 0; i < models->count; i++) {
        gpus += (uint64_t)models->scenarios[i].fleet.workers * models->scenarios[i].fleet.tp;
    }
    if (gpus > UINT32_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "fleet.models: more than 4294967295 GPUs in all");
    }
    models->budget_gpus = scenario->planner.budget_gpus > 0 && scenario->planner.budget_gpus < gpus
                              ? scenario->planner.budget_gpus
                              : (uint32_t)gpus;
    settle_starts(models);
    return DYNO_OK;
}

static void make_choice(struct dyno_fleet_models *models, uint64_t seed)
{
    models->choice.seed = seed;
    models->choice.count = models->count;
    for (uint32_t i = 0; i < models->count; i++) {
        const struct dyno_fleet_model *model = &models->of[i];
        struct dyno_model_asked *asked = &models->choice.of[i];

        asked->name = model->name;
        asked->shares = model->shares;
        if (model->shares.count == 0) { /* one, or none where it is for tenants */
            asked->shares.count = 1;
            asked->shares.of[0].share = model->tenant_count > 0 ? 0.0 : 1.0;
        }
        asked->tenant_count = model->tenant_count;
        memcpy(asked->tenants, model->tenants, sizeof asked->tenants);
    }
}

dyno_status dyno_models_read(struct dyno_fleet_models *out, const struct dyno_scenario *scenario,
                             struct dyno_error *error)
{
    memset(out, 0, sizeof *out);
    if (!dyno_models_are(scenario)) {
        return DYNO_OK;
    }
    DYNO_TRY(take_list(out, scenario->fleet.models, error));
    for (uint32_t i = 0; i < out->count; i++) {
        make_scenario(out, i, scenario);
    }
    make_choice(out, scenario->run.seed);
    return settle_budget(out, scenario, error);
}

dyno_status dyno_models_workers(uint32_t *out, const struct dyno_scenario *scenario,
                                struct dyno_error *error)
{
    struct dyno_fleet_models *models = dyno_models_are(scenario) ? calloc(1, sizeof *models) : NULL;
    dyno_status status = DYNO_OK;

    *out = scenario->fleet.workers;
    if (models) {
        status = dyno_models_read(models, scenario, error);
        *out = models->workers;
    } else if (dyno_models_are(scenario)) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the models of the fleet");
    }
    free(models);
    return status;
}

/* ---- checking -------------------------------------------------------------------------------- */

static dyno_status beside(const char *other, const char *why, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT, "fleet.models and %s cannot be together: %s", other,
                     why);
}

/* Each model has tiers and links of its own, where they are real. */
static dyno_status check_tiers(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    if (!dyno_live_is_real(scenario)) {
        return beside(scenario->tiers.levels ? "--tier" : "--peers",
                      "simulated links are those of one model; --device cpu has some for each",
                      error);
    }
    return scenario->tiers.file
               ? beside("--tier-file",
                        "it holds the KV of one model; leave it out, and it is gone "
                        "with the run",
                        error)
               : DYNO_OK;
}

/* What is not there for several models. */
static dyno_status check_others(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    if (scenario->disagg.policy) {
        return beside("--disagg", "the workers of each model serve whole requests", error);
    }
    if (scenario->tiers.levels || scenario->tiers.peers) {
        DYNO_TRY(check_tiers(scenario, error));
    }
    if (scenario->output.journal) {
        return beside("--journal", "a journal holds one device", error);
    }
    if (scenario->timing.machine) {
        return beside("--machine", "one model was measured there", error);
    }
    if (scenario->fleet.at) {
        return beside("--workers-at", "processes of workers have one model", error);
    }
    if (dyno_live_is_remote(scenario)) {
        return beside("--worker", "other servers have models of their own", error);
    }
    return DYNO_OK;
}

/* One budget holds what each begins with, and one worker of each: else somebody who asks for the
 * last of them could wait for ever. */
static dyno_status check_budget(const struct dyno_fleet_models *models, struct dyno_error *error)
{
    uint64_t least = 0, start = 0;

    for (uint32_t i = 0; i < models->count; i++) {
        const struct dyno_scenario *of = &models->scenarios[i];
        uint32_t workers = of->planner.workers_min > 0 ? of->planner.workers_min : 1;

        DYNO_TRY(dyno_planning_check(of, error));
        least += (uint64_t)workers * of->fleet.tp;
        start += (uint64_t)dyno_planning_ready_first(of) * of->fleet.tp;
    }
    if (least > models->budget_gpus) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.budget (%u GPUs) is less than what the least of all models take, "
                         "at least one worker each: %llu GPUs",
                         models->budget_gpus, (unsigned long long)least);
    }
    if (start > models->budget_gpus) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "what all models start with takes %llu GPUs, more than planner.budget "
                         "(%u); lower the start of some",
                         (unsigned long long)start, models->budget_gpus);
    }
    return DYNO_OK;
}

static dyno_status check_shares(const struct dyno_fleet_models *models, struct dyno_error *error)
{
    for (uint32_t i = 0; i < models->count; i++) {
        const struct dyno_model_asked *asked = &models->choice.of[i];
        bool any = asked->tenant_count > 0;

        for (uint32_t j = 0; j < asked->shares.count; j++) {
            any = any || asked->shares.of[j].share > 0.0;
        }
        if (any) {
            return DYNO_OK;
        }
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "fleet.models: no model has a share of the requests or a tenant");
}

dyno_status dyno_models_check(const struct dyno_scenario *scenario,
                              const struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_option *name = dyno_options_find(options, "model.name");
    struct dyno_fleet_models *models;
    dyno_status status;

    if (!dyno_models_are(scenario)) {
        return DYNO_OK;
    }
    if (dyno_options_origin(options, name)->source == DYNO_SOURCE_FLAG) {
        return beside("--model", "the list says which models there are", error);
    }
    models = calloc(1, sizeof *models);
    if (!models) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the models of the fleet");
    }
    status = check_others(scenario, error);
    if (status == DYNO_OK) {
        status = dyno_models_read(models, scenario, error);
    }
    if (status == DYNO_OK) {
        status = check_shares(models, error);
    }
    if (status == DYNO_OK && dyno_planning_is_on(scenario)) {
        status = check_budget(models, error);
    }
    free(models);
    return status;
}
