#include "cli/scenario/tiers.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/scenario/live.h"
#include "core/base/units.h"
#include "core/base/words.h"

static const char *const shares[] = {"worker", "node", "cluster"};

static dyno_status no_tier(const char *text, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(
        error, DYNO_BAD_INPUT,
        "--tier: %s is no tier; it must be g2 (host memory), g3 (NVMe) or g4 (a "
        "store), a size in MiB, GiB or TiB, and perhaps whose it is: g2=64GiB, g2=512GiB:node, "
        "g3=2TiB:worker, g4=1TiB:cluster",
        dyno_quote(quoted, text));
}

static dyno_status take_share(struct dyno_tier_spec *spec, const char *word, const char *text,
                              struct dyno_error *error)
{
    for (uint32_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        if (strcmp(word, shares[i]) == 0) {
            spec->share = (enum dyno_tier_share)i;
            return DYNO_OK;
        }
    }
    return no_tier(text, error);
}

static dyno_status take_spec(struct dyno_tier_spec *spec, const char *text,
                             struct dyno_error *error)
{
    char size[DYNO_UNITS_TEXT_MAX];
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);

    if (length < 4 || length - 3 >= sizeof size || text[0] != 'g' || text[1] < '2' ||
        text[1] > '4' || text[2] != '=') {
        return no_tier(text, error);
    }
    *spec = (struct dyno_tier_spec){.name = {'g', text[1]}, .level = (uint32_t)(text[1] - '0')};
    memcpy(size, text + 3, length - 3);
    size[length - 3] = '\0';
    if (dyno_parse_bytes(size, &spec->bytes) != DYNO_UNITS_OK || spec->bytes == 0) {
        return no_tier(text, error);
    }
    spec->share = spec->level == 4 ? DYNO_SHARE_CLUSTER : DYNO_SHARE_WORKER;
    if (colon) {
        DYNO_TRY(take_share(spec, colon + 1, text, error));
    }
    if (spec->level == 4 && spec->share != DYNO_SHARE_CLUSTER) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--tier g4: a store is everybody's; leave out who shares it, or say "
                         "cluster");
    }
    return DYNO_OK;
}

/* Put it where it belongs: ascending. */
static dyno_status insert(struct dyno_tier_spec *specs, uint32_t *count, struct dyno_tier_spec spec,
                          struct dyno_error *error)
{
    uint32_t to = *count;

    for (uint32_t i = 0; i < *count; i++) {
        if (specs[i].level == spec.level) {
            return dyno_fail(error, DYNO_BAD_INPUT, "--tier %s is given twice; give it once",
                             spec.name);
        }
    }
    for (; to > 0 && specs[to - 1].level > spec.level; to--) {
        specs[to] = specs[to - 1];
    }
    specs[to] = spec;
    (*count)++;
    return DYNO_OK;
}

dyno_status dyno_tier_specs(struct dyno_tier_spec specs[DYNO_TIERS_MAX], uint32_t *count,
                            const char *text, struct dyno_error *error)
{
    *count = 0;
    while (text && *text) {
        size_t length = strcspn(text, ",");
        struct dyno_tier_spec spec;
        char one[DYNO_QUOTE_MAX];

        (void)snprintf(one, sizeof one, "%.*s", (int)length, text);
        DYNO_TRY(take_spec(&spec, one, error));
        DYNO_TRY(insert(specs, count, spec, error));
        text += length + (text[length] == ',');
    }
    return DYNO_OK;
}

static dyno_status beside(const struct dyno_scenario *scenario, const char *what, const char *why,
                          struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT, "%s and %s cannot be together: %s",
                     scenario->tiers.levels ? "--tier" : "--peers", what, why);
}

dyno_status dyno_tiers_scenario_check(const struct dyno_scenario *scenario,
                                      struct dyno_error *error)
{
    struct dyno_tier_spec specs[DYNO_TIERS_MAX] = {0};
    uint32_t count = 0;

    if (scenario->tiers.peer_deadline_ns > 0 && !scenario->tiers.peers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "tiers.peer_deadline has no meaning without --peers");
    }
    if (!dyno_tiers_are(scenario)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_tier_specs(specs, &count, scenario->tiers.levels, error));
    assert(count > 0 || scenario->tiers.peers);
    if (strcmp(scenario->run.device, "remote") == 0) {
        return beside(scenario, "--device",
                      "nothing moves KV out of such workers; cpu, cuda and sim can", error);
    }
    for (uint32_t i = 0; dyno_live_is_machine(scenario) && i < count; i++) {
        if (specs[i].level == 4) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "--tier g4: workers that compute have g2 (host memory) and g3 (a "
                             "file) below their own");
        }
    }
    if (scenario->tiers.file &&
        !(dyno_live_is_real(scenario) && count > 0 && specs[count - 1].level == 3)) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "tiers.file has no meaning without --tier g3=SIZE of workers that compute");
    }
    if (scenario->output.journal && !dyno_live_is_real(scenario)) {
        return beside(scenario, "--journal", "a journal has no place for what simulated links do",
                      error);
    }
    if (scenario->output.journal && scenario->tiers.file) {
        return beside(scenario, "--journal and --tier-file",
                      "a journal has no place for what a file has from before", error);
    }
    if (!scenario->kv.prefix_cache) {
        return beside(scenario, "--no-prefix-cache", "what cannot be found again is not kept",
                      error);
    }
    return DYNO_OK;
}

bool dyno_tiers_count_spans(const struct dyno_scenario *scenario)
{
    return scenario->tiers.levels &&
           (scenario->tiers.file || dyno_store_policy_find(scenario->tiers.store)->counts ||
            dyno_store_policy_find(scenario->tiers.store_below)->counts);
}
