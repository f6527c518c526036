#include "cli/bench/aiperf_about.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_said(const char *text)
{
    return text && text[0] != '\0';
}

/* ---- the load -------------------------------------------------------------------------------- */

/* A length that is one number; others have no word of theirs. */
static void set_length(json_t *prompts, const char *name, const char *length)
{
    char *end;
    unsigned long long tokens = is_said(length) ? strtoull(length, &end, 10) : 0;

    if (is_said(length) && *end == '\0') {
        (void)json_object_set_new(prompts, name, json_integer((json_int_t)tokens));
    }
}

static json_t *dataset(const struct dyno_aiperf_about *about)
{
    json_t *prompts;

    if (is_said(about->trace)) {
        return json_pack("{s:s, s:s, s:s}", "name", "default", "type", "file", "path",
                         about->trace);
    }
    prompts = json_object();
    set_length(prompts, "isl", about->input_tokens);
    set_length(prompts, "osl", about->output_tokens);
    return json_pack("{s:s, s:s, s:o}", "name", "default", "type", "synthetic", "prompts", prompts);
}

/* "poisson:4" is its own type; a law without one is a schedule that was made beforehand. */
static void set_law(json_t *phase, const char *arrival)
{
    static const char *const types[] = {"constant", "poisson", "gamma"};
    double rate, variation;
    char *rest;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t size = strlen(types[i]);

        if (strncmp(arrival, types[i], size) != 0 || arrival[size] != ':') {
            continue;
        }
        rate = strtod(arrival + size + 1, &rest);
        variation = *rest == ',' ? strtod(rest + 1, NULL) : 0.0;
        (void)json_object_set_new(phase, "type", json_string(types[i]));
        (void)json_object_set_new(phase, "rate", json_real(rate));
        if (variation > 0) { /* the shape of the law, which AIPerf calls so */
            (void)json_object_set_new(phase, "smoothness", json_real(1 / (variation * variation)));
        }
        return;
    }
    (void)json_object_set_new(phase, "type", json_string("fixed_schedule"));
}

static uint32_t clients_of(const struct dyno_aiperf_about *about)
{
    static const char closed[] = "concurrency:";

    return is_said(about->arrival) && strncmp(about->arrival, closed, sizeof closed - 1) == 0
               ? (uint32_t)strtoul(about->arrival + sizeof closed - 1, NULL, 10)
               : about->concurrency;
}

static json_t *phase(const struct dyno_aiperf_about *about)
{
    json_t *phase = json_pack("{s:s}", "name", "profiling");
    uint32_t clients = clients_of(about);

    if (clients > 0) {
        (void)json_object_set_new(phase, "type", json_string("concurrency"));
    } else {
        set_law(phase, is_said(about->arrival) ? about->arrival : "");
        clients = about->inflight_max;
    }
    if (clients > 0) {
        (void)json_object_set_new(phase, "concurrency", json_integer(clients));
    }
    if (about->requests > 0 && about->requests < INT64_MAX) {
        (void)json_object_set_new(phase, "requests", json_integer((json_int_t)about->requests));
    }
    return phase;
}

/* ---- both ------------------------------------------------------------------------------------ */

static json_t *input_config(const struct dyno_aiperf_about *about)
{
    json_t *urls = json_array();

    if (is_said(about->url)) {
        (void)json_array_append_new(urls, json_string(about->url));
    }
    return json_pack("{s:{s:[{s:s}]}, s:{s:o, s:s, s:b}, s:[o], s:[o]}", "models", "items", "name",
                     is_said(about->model) ? about->model : "", "endpoint", "urls", urls, "type",
                     is_said(about->endpoint) ? about->endpoint : "completions", "streaming", 1,
                     "datasets", dataset(about), "phases", phase(about));
}

static json_t *run_info(const struct dyno_aiperf_about *about)
{
    json_int_t seed = about->seed <= INT64_MAX ? (json_int_t)about->seed : INT64_MAX;

    return json_pack("{s:I, s:i, s:s, s:s, s:i, s:{}, s:s?}", "random_seed", seed, "trial", 0,
                     "run_label", "run_0001", "variation_label", "base", "variation_index", 0,
                     "variation_values", "cli_command",
                     is_said(about->command) ? about->command : NULL);
}

static dyno_status print_both(char **out, json_t *config, json_t *info)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(12);
    char *config_text = config ? json_dumps(config, flags) : NULL;
    char *info_text = info ? json_dumps(info, flags) : NULL;
    bool good = config_text && info_text &&
                asprintf(out, ",\n  \"input_config\": %s,\n  \"run_info\": %s", config_text,
                         info_text) >= 0;

    free(config_text);
    free(info_text);
    return good ? DYNO_OK : DYNO_NO_MEMORY;
}

dyno_status dyno_aiperf_about_text(char **out, const struct dyno_aiperf_about *about)
{
    json_t *config = input_config(about), *info = run_info(about);
    dyno_status status = print_both(out, config, info);

    json_decref(config);
    json_decref(info);
    return status;
}
