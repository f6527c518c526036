/* The sections of a scenario, in the order in which a reader meets them, and for whom their options
 * mean something. */
#include <string.h>

#include "backends/assets/default_model.h"
#include "cli/scenario/scenario.h"

enum { BOTH = DYNO_USE_REPLAY | DYNO_USE_SERVE };

const struct dyno_scenario_section dyno_scenario_sections[] = {
    {"run", "the run itself", BOTH},
    {"trace", "requests from a recorded trace, and how they are paced", DYNO_USE_REPLAY},
    {"generate", "requests from the seeded generator", DYNO_USE_REPLAY},
    {"model", "what is served", BOTH},
    {"fleet", "what serves it", BOTH},
    {"disagg", "prompts computed by one worker and decoded by another", BOTH},
    {"prefill", "how workers that compute prompts differ from those that decode", BOTH},
    {"links", "what lies between workers", BOTH},
    {"tiers", "where KV may lie beside the GPU's own memory", BOTH},
    {"engine", "which engine's habits the workers have", BOTH},
    {"batch", "how a worker forms its passes", BOTH},
    {"kv", "a worker's KV cache", BOTH},
    {"router", "who gets a request", BOTH},
    {"queue", "requests that no worker may take now: all are busy, or none is ready", BOTH},
    {"planner", "how many workers there are: who starts and stops them", BOTH},
    {"faults", "what goes wrong, and how the fleet goes on (docs/faults.md)", BOTH},
    {"slo", "what counts as goodput", BOTH},
    {"cost", "what the GPUs draw and cost (docs/planner.md)", BOTH},
    {"timing", "how long a pass takes; auto means the GPU's own figure", BOTH},
    {"output", "what a run leaves behind", BOTH},
    {"serve", "the front door of `dyno serve`", DYNO_USE_SERVE},
    {NULL, NULL, 0},
};

bool dyno_scenario_row_is_for(const struct dyno_option *row, enum dyno_scenario_use use)
{
    static const char *const of_replays[] = {"output.json",      "output.host_json",
                                             "output.intervals", "output.progress",
                                             "run.ends",         "run.clock"};
    size_t length = strcspn(row->name, ".");

    if (strcmp(row->name, "fleet.endpoints") == 0) {
        return use == DYNO_USE_SERVE; /* a replay simulates them, as the rest of the fleet says */
    }
    if (strcmp(row->name, "generate.output_tokens") == 0) {
        return true; /* how long answers are that nobody computes */
    }
    for (size_t i = 0; use == DYNO_USE_SERVE && i < sizeof of_replays / sizeof of_replays[0]; i++) {
        if (strcmp(row->name, of_replays[i]) == 0) {
            return false;
        }
    }
    for (const struct dyno_scenario_section *section = dyno_scenario_sections; section->name;
         section++) {
        if (strncmp(section->name, row->name, length) == 0 && section->name[length] == '\0') {
            return (section->uses & use) != 0;
        }
    }
    return false;
}

const char *dyno_scenario_row_default(const struct dyno_option *row, enum dyno_scenario_use use)
{
    static const struct {
        const char *name, *text;
    } of_servers[] = {
        {"run.device", "cpu; sim for a GPU or a model without weights"},
        {"model.name", DYNO_DEFAULT_MODEL},
        {"output.db", "none"},
        {"output.decisions", "true with --db"},
    };

    for (size_t i = 0; use == DYNO_USE_SERVE && i < sizeof of_servers / sizeof of_servers[0]; i++) {
        if (strcmp(row->name, of_servers[i].name) == 0) {
            return of_servers[i].text;
        }
    }
    return row->initial;
}
