/* What serving makes of a scenario: requests come from outside, at the wall's pace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/live.h"
#include "cli/scenario/models.h"
#include "cli/scenario/settle.h"
#include "core/model/model.h"
#include "core/route/route.h"

static const struct dyno_option_origin *origin_of(const struct dyno_options *options,
                                                  const char *name)
{
    return dyno_options_origin(options, dyno_options_find(options, name));
}

static bool is_given(const struct dyno_options *options, const char *name)
{
    return origin_of(options, name)->source > DYNO_SOURCE_PROFILE;
}

/* A file may be one that is replayed too: what it says of traces stays unread. */
static dyno_status pass_over(struct dyno_options *options, const struct dyno_option *row,
                             struct dyno_error *error)
{
    static const struct dyno_option_origin nobody = {.source = DYNO_SOURCE_DEFAULT};
    const struct dyno_option_origin *origin = dyno_options_origin(options, row);
    char place[256];

    if (origin->source == DYNO_SOURCE_SET || origin->source == DYNO_SOURCE_FLAG) {
        dyno_option_place(row, origin, place, sizeof place);
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s means nothing to a server: its requests come from clients", place);
    }
    return dyno_options_set(options, row, row->initial, &nobody, error);
}

static dyno_status set(struct dyno_options *options, const char *name, const char *value,
                       struct dyno_error *error)
{
    static const struct dyno_option_origin origin = {.source = DYNO_SOURCE_PROFILE,
                                                     .where = "serve"};

    return dyno_options_set(options, dyno_options_find(options, name), value, &origin, error);
}

static dyno_status refuse_beside(const struct dyno_options *options, const char *name,
                                 const char *why, struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(options, name);
    const struct dyno_option *endpoints = dyno_options_find(options, "fleet.endpoints");
    char one[256], other[256];

    dyno_option_place(row, dyno_options_origin(options, row), one, sizeof one);
    dyno_option_place(endpoints, dyno_options_origin(options, endpoints), other, sizeof other);
    return dyno_fail(error, DYNO_BAD_INPUT, "%s and %s contradict each other: %s", one, other, why);
}

/* What other servers cannot be beside. */
static dyno_status check_remote(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_route_policy *policy = dyno_route_find(scenario->router.policy);

    if (is_given(options, "run.device") && !dyno_live_is_remote(scenario)) {
        return refuse_beside(options, "run.device",
                             "other servers are asked, or a device of our own", error);
    }
    if (is_given(options, "output.journal")) {
        return refuse_beside(options, "output.journal", "a journal holds what devices did", error);
    }
    if (policy && (policy->needs & DYNO_ROUTE_NEEDS_OVERLAP) != 0) {
        return refuse_beside(options, "router.policy",
                             "it reads the events of caches, which other servers do not send; "
                             "kv_approx guesses them",
                             error);
    }
    return DYNO_OK;
}

/* What a file says of KV that moves is what a replay pretends of those servers. */
static dyno_status leave_kv_to_them(struct dyno_options *options, struct dyno_error *error)
{
    static const struct dyno_option_origin nobody = {.source = DYNO_SOURCE_DEFAULT};
    static const char *const names[] = {"disagg.policy", "tiers.levels", "tiers.peers",
                                        "tiers.peer_deadline"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct dyno_option *row = dyno_options_find(options, names[i]);
        int source = (int)dyno_options_origin(options, row)->source;

        if (source == DYNO_SOURCE_SET || source == DYNO_SOURCE_FLAG) {
            return refuse_beside(options, names[i],
                                 "other servers are asked by text alone, which moves no KV", error);
        }
        if (is_given(options, names[i])) {
            DYNO_TRY(dyno_options_set(options, row, row->initial, &nobody, error));
        }
    }
    return DYNO_OK;
}

/* Nor are its faults theirs; dyno_faulting_check refuses those of a command line. */
static dyno_status leave_faults_to_them(struct dyno_options *options, struct dyno_error *error)
{
    static const struct dyno_option_origin nobody = {.source = DYNO_SOURCE_DEFAULT};

    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];

        if (strncmp(row->name, "faults.", 7) == 0 &&
            dyno_options_origin(options, row)->source == DYNO_SOURCE_FILE) {
            DYNO_TRY(dyno_options_set(options, row, row->initial, &nobody, error));
        }
    }
    return DYNO_OK;
}

/* As many workers as there are in the list. */
static dyno_status choose_remote(const struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error)
{
    uint32_t workers = 1;
    char count[24];

    DYNO_TRY(check_remote(scenario, options, error));
    DYNO_TRY(leave_kv_to_them(options, error));
    DYNO_TRY(leave_faults_to_them(options, error));
    for (const char *at = scenario->fleet.endpoints; *at; at++) {
        workers += *at == ',';
    }
    (void)snprintf(count, sizeof count, "%u", workers);
    DYNO_TRY(set(options, "fleet.workers", count, error));
    return set(options, "run.device", "remote", error);
}

/* Whether one of several models is a shape of a table, or has a GPU named for it. */
static dyno_status any_pretends(const struct dyno_scenario *scenario, bool *out,
                                struct dyno_error *error)
{
    struct dyno_fleet_models *models = dyno_models_are(scenario) ? calloc(1, sizeof *models) : NULL;
    dyno_status status;

    if (!models) {
        return dyno_models_are(scenario) ? DYNO_NO_MEMORY : DYNO_OK;
    }
    status = dyno_models_read(models, scenario, error);
    for (uint32_t i = 0; status == DYNO_OK && i < models->count; i++) {
        *out = *out || models->of[i].gpu[0] != '\0' ||
               dyno_model_find(models->scenarios[i].model.name) != NULL;
    }
    free(models);
    return status;
}

/* A measured machine is this one: it is there to compute. */
static dyno_status choose_device(const struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error)
{
    bool pretends = false;

    if (scenario->fleet.endpoints) {
        return choose_remote(scenario, options, error);
    }
    if (dyno_live_is_remote(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the device 'remote' needs servers to ask: give --worker URL");
    }
    DYNO_TRY(any_pretends(scenario, &pretends, error));
    pretends = pretends || is_given(options, "fleet.gpu") ||
               (is_given(options, "model.name") && dyno_model_find(scenario->model.name));
    if (scenario->timing.machine) {
        DYNO_TRY(set(options, "timing.machine", "none", error));
        pretends = false;
    }
    return is_given(options, "run.device")
               ? DYNO_OK
               : set(options, "run.device", pretends ? "sim" : "cpu", error);
}

/* Each has a name of its own. */
static dyno_status check_names(const struct dyno_scenario *scenario,
                               const struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(options, "serve.model_name");
    char place[256];

    if (!dyno_models_are(scenario) || !is_given(options, row->name)) {
        return DYNO_OK;
    }
    dyno_option_place(row, dyno_options_origin(options, row), place, sizeof place);
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s names one model, and fleet.models has several: clients ask for them by "
                     "the names of that list",
                     place);
}

/* Neither of the two is any good alone. */
static dyno_status check_tls(const struct dyno_scenario *scenario,
                             const struct dyno_options *options, struct dyno_error *error)
{
    bool has_key = scenario->serve.tls_key != NULL;
    const struct dyno_option *given =
        dyno_options_find(options, has_key ? "serve.tls_key" : "serve.tls_certificate");
    char place[256];

    if (has_key == (scenario->serve.tls_certificate != NULL)) {
        return DYNO_OK;
    }
    dyno_option_place(given, dyno_options_origin(options, given), place, sizeof place);
    return dyno_fail(error, DYNO_BAD_INPUT, "%s alone is not enough for TLS: give %s too", place,
                     has_key ? "--ssl-certfile" : "--ssl-keyfile");
}

dyno_status dyno_scenario_settle_to_serve(const struct dyno_scenario *scenario,
                                          struct dyno_options *options, struct dyno_error *error)
{
    DYNO_TRY(check_names(scenario, options, error));
    DYNO_TRY(check_tls(scenario, options, error));
    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];

        if (!dyno_scenario_row_is_for(row, DYNO_USE_SERVE) && is_given(options, row->name)) {
            DYNO_TRY(pass_over(options, row, error));
        }
    }
    if (!is_given(options, "output.db")) {
        DYNO_TRY(set(options, "output.db", "none", error));
    } else if (scenario->output.db && !is_given(options, "output.decisions")) {
        DYNO_TRY(set(options, "output.decisions", "true", error)); /* nobody can serve it again */
    }
    DYNO_TRY(choose_device(scenario, options, error));
    if (!dyno_live_is_real(scenario) && !is_given(options, "batch.steps_max")) {
        DYNO_TRY(set(options, "batch.steps_max", "1", error)); /* a token is told when it is due */
    }
    if (!is_given(options, "fleet.reconnect")) {
        DYNO_TRY(set(options, "fleet.reconnect", "240000h", error)); /* for ever */
    }
    DYNO_TRY(set(options, "run.clock", "wall", error));
    return set(options, "run.ends", "model", error);
}
