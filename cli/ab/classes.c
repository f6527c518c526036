/* Classes of requests: by the model they ask for, by tenant, by what prefix they share, by length,
 * by when they came.
 *
 * Prefixes are told by how many requests begin with them, so that the classes mean the same under
 * every seed: the most shared one, the next four, the next fifteen, others, and those that begin
 * like no other request.  A beginning that nearly all have, such as a system prompt, tells nobody
 * apart; then it goes by what comes behind it. */
#include <stdlib.h>
#include <string.h>

#include "cli/ab/ab.h"
#include "cli/scenario/models.h"
#include "reports/format.h"

enum { CLASSES_MAX = 64, TENANTS_MAX = 8 };
static const double nearly_all = 0.9;

struct classifier {
    struct dyno_ab *ab;
    uint32_t **classes; /* [seeds][count of the pairing] */
};

/* The class of pair `i` under `seed`, by whatever kind `context` is of. */
typedef uint32_t class_of(const struct dyno_ab *ab, const void *context, uint32_t seed, uint32_t i);

static bool holds_any(const struct classifier *by, uint32_t which)
{
    for (uint32_t seed = 0; seed < by->ab->runs.seeds; seed++) {
        for (uint32_t i = 0; i < by->ab->counts[seed]; i++) {
            if (by->classes[seed][i] == which) {
                return true;
            }
        }
    }
    return false;
}

static dyno_status add_class(struct classifier *by, const char *kind, const char *label,
                             uint32_t which)
{
    struct dyno_ab *ab = by->ab;
    struct dyno_ab_class *one = &ab->classes[ab->class_count];
    struct dyno_paired_input input = ab->input;

    if (!holds_any(by, which) || ab->class_count == CLASSES_MAX) {
        return DYNO_OK;
    }
    input.classes = (const uint32_t *const *)by->classes;
    input.only = which;
    input.means_only = true;
    input.cells = ab->figures.cells;
    input.block_cells = ab->figures.block_cells;
    input.memories = ab->figures.memories;
    one->kind = kind;
    (void)snprintf(one->label, sizeof one->label, "%s", label);
    DYNO_TRY(dyno_paired_compute(&one->figures, &input));
    ab->class_count++;
    return DYNO_OK;
}

static void mark(struct classifier *by, class_of *find, const void *context)
{
    for (uint32_t seed = 0; seed < by->ab->runs.seeds; seed++) {
        for (uint32_t i = 0; i < by->ab->counts[seed]; i++) {
            by->classes[seed][i] = find(by->ab, context, seed, i);
        }
    }
}

static dyno_status add_all(struct classifier *by, const char *kind, const char *const *labels,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(add_class(by, kind, labels[i], i));
    }
    return DYNO_OK;
}

static const struct dyno_request_record *first_of(const struct dyno_ab *ab, uint32_t seed,
                                                  uint32_t i)
{
    return &ab->pairings[seed].records[0][i];
}

/* ---- lengths and time -------------------------------------------------------------------------
 */

static uint32_t prompt_class(const struct dyno_ab *ab, const void *context, uint32_t seed,
                             uint32_t i)
{
    uint32_t tokens = first_of(ab, seed, i)->prompt_tokens;

    (void)context;
    return tokens < 1024 ? 0 : tokens < 4096 ? 1 : tokens < 16384 ? 2 : 3;
}

static uint32_t answer_class(const struct dyno_ab *ab, const void *context, uint32_t seed,
                             uint32_t i)
{
    uint32_t tokens = first_of(ab, seed, i)->output_tokens;

    (void)context;
    return tokens < 64 ? 0 : tokens < 256 ? 1 : tokens < 1024 ? 2 : 3;
}

struct windows {
    dyno_ns first, length;
};

static uint32_t window_class(const struct dyno_ab *ab, const void *context, uint32_t seed,
                             uint32_t i)
{
    const struct windows *windows = context;
    dyno_ns at = first_of(ab, seed, i)->arrival_ns - windows->first;

    return (uint32_t)(at / windows->length);
}

static dyno_status add_windows(struct classifier *by)
{
    const struct dyno_ab *ab = by->ab;
    struct windows windows = {.first = DYNO_NEVER};
    dyno_ns last = 0;

    for (uint32_t seed = 0; seed < ab->runs.seeds; seed++) {
        for (uint32_t i = 0; i < ab->counts[seed]; i++) {
            dyno_ns at = first_of(ab, seed, i)->arrival_ns;

            windows.first = at < windows.first ? at : windows.first;
            last = at > last ? at : last;
        }
    }
    if (ab->options.windows < 2 || windows.first >= last) {
        return DYNO_OK;
    }
    windows.length = (last - windows.first) / ab->options.windows + 1;
    mark(by, window_class, &windows);
    for (uint32_t i = 0; i < ab->options.windows; i++) {
        char label[48], from[DYNO_FORMAT_MAX];

        (void)snprintf(label, sizeof label, "from %s",
                       dyno_format_span(from, (double)(windows.first + i * windows.length) * 1e-9));
        DYNO_TRY(add_class(by, "window", label, i));
    }
    return DYNO_OK;
}

/* ---- tenants ----------------------------------------------------------------------------------
 */

static uint32_t tenant_class(const struct dyno_ab *ab, const void *context, uint32_t seed,
                             uint32_t i)
{
    uint32_t tenant = first_of(ab, seed, i)->tenant;

    (void)context;
    return tenant < TENANTS_MAX ? tenant : TENANTS_MAX;
}

static dyno_status add_tenants(struct classifier *by)
{
    bool any = false;

    mark(by, tenant_class, NULL);
    for (uint32_t i = 1; i <= TENANTS_MAX; i++) {
        any = any || holds_any(by, i);
    }
    for (uint32_t i = 0; any && i <= TENANTS_MAX; i++) {
        char label[48];

        (void)snprintf(label, sizeof label,
                       i == 0             ? "none"
                       : i == TENANTS_MAX ? "%u and above"
                                          : "%u",
                       i);
        DYNO_TRY(add_class(by, "tenant", label, i));
    }
    return DYNO_OK;
}

/* ---- models -----------------------------------------------------------------------------------
 */

static uint32_t model_class(const struct dyno_ab *ab, const void *context, uint32_t seed,
                            uint32_t i)
{
    (void)context;
    return first_of(ab, seed, i)->model;
}

static dyno_status add_models(struct classifier *by)
{
    const struct dyno_scenario *scenario = &by->ab->runs.items[0].with.scenario;
    struct dyno_fleet_models *models;
    struct dyno_error ignored; /* they were read before, when the scenario was loaded */
    dyno_status status;

    if (!dyno_models_are(scenario)) {
        return DYNO_OK;
    }
    models = calloc(1, sizeof *models);
    status = models ? dyno_models_read(models, scenario, &ignored) : DYNO_NO_MEMORY;
    mark(by, model_class, NULL);
    for (uint32_t i = 0; status == DYNO_OK && i < models->count; i++) {
        status = add_class(by, "model", models->of[i].name, i);
    }
    free(models);
    return status;
}

/* ---- prefixes ---------------------------------------------------------------------------------
 */

/* How many requests begin with a span. */
struct sharing {
    uint64_t span;
    uint32_t requests;
    uint32_t rank; /* by requests, from 0 */
};

struct sharings {
    struct sharing **of_seed; /* [seeds][counts] by span */
    uint32_t *levels; /* [seeds] whose spans they are, of those that are kept of a request */
    uint32_t *counts;
};

static int by_span(const void *a, const void *b)
{
    uint64_t left = ((const struct sharing *)a)->span, right = ((const struct sharing *)b)->span;

    return (left > right) - (left < right);
}

static int by_requests(const void *a, const void *b)
{
    const struct sharing *left = a, *right = b;

    if (left->requests != right->requests) {
        return left->requests > right->requests ? -1 : 1;
    }
    return by_span(a, b);
}

/* The spans of one run at a level of its prompts, each once, by span; returns how many.  *most: how
 * many requests have the most shared one. */
static uint32_t count_spans(struct sharing *out, const struct dyno_arm_run *run, uint32_t level,
                            uint32_t *most)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < run->prefix_count; i++) {
        out[i] = (struct sharing){.span = run->prefixes[i][level], .requests = 1};
    }
    qsort(out, run->prefix_count, sizeof *out, by_span);
    for (uint32_t i = 0; i < run->prefix_count; i++) {
        if (count > 0 && out[count - 1].span == out[i].span) {
            out[count - 1].requests++;
        } else if (out[i].span != 0) {
            out[count++] = out[i];
        }
    }
    qsort(out, count, sizeof *out, by_requests);
    *most = count > 0 ? out[0].requests : 0;
    for (uint32_t i = 0; i < count; i++) {
        out[i].rank = i;
    }
    qsort(out, count, sizeof *out, by_span);
    return count;
}

/* The level that tells requests apart: the first whose most shared span not nearly all have, if any
 * two share one there; else the first. */
static uint32_t level_of(struct sharing *scratch, const struct dyno_arm_run *run)
{
    uint32_t level = 0, most;

    do {
        (void)count_spans(scratch, run, level++, &most);
    } while (level < DYNO_ARM_PREFIXES && most > nearly_all * run->prefix_count);
    return most < 2 || most > nearly_all * run->prefix_count ? 0 : level - 1;
}

static uint32_t prefix_class(const struct dyno_ab *ab, const void *context, uint32_t seed,
                             uint32_t i)
{
    const struct sharings *sharings = context;
    uint32_t place = (uint32_t)first_of(ab, seed, i)->id, level = sharings->levels[seed];
    const struct dyno_arm_run *run = &ab->runs.items[seed];
    struct sharing key = {.span = place < run->prefix_count ? run->prefixes[place][level] : 0};
    const struct sharing *found =
        bsearch(&key, sharings->of_seed[seed], sharings->counts[seed], sizeof *found, by_span);

    if (!found || found->requests < 2) {
        return 4;
    }
    return found->rank == 0 ? 0 : found->rank < 5 ? 1 : found->rank < 20 ? 2 : 3;
}

static dyno_status fill_sharings(struct sharings *sharings, const struct dyno_ab *ab)
{
    for (uint32_t seed = 0; seed < ab->runs.seeds; seed++) {
        const struct dyno_arm_run *run = &ab->runs.items[seed]; /* of the first arm */
        uint32_t most;

        sharings->of_seed[seed] =
            malloc((run->prefix_count + (size_t)1) * sizeof **sharings->of_seed);
        if (!sharings->of_seed[seed]) {
            return DYNO_NO_MEMORY;
        }
        sharings->levels[seed] = level_of(sharings->of_seed[seed], run);
        sharings->counts[seed] =
            count_spans(sharings->of_seed[seed], run, sharings->levels[seed], &most);
    }
    return DYNO_OK;
}

static dyno_status add_prefixes(struct classifier *by)
{
    static const char *const labels[] = {"the most shared", "the next 4", "the next 15", "others",
                                         "shared by none"};
    uint32_t seeds = by->ab->runs.seeds;
    struct sharings sharings = {.of_seed = calloc(seeds, sizeof(struct sharing *)),
                                .counts = calloc(seeds, sizeof *sharings.counts),
                                .levels = calloc(seeds, sizeof *sharings.levels)};
    dyno_status status = sharings.of_seed && sharings.counts && sharings.levels
                             ? fill_sharings(&sharings, by->ab)
                             : DYNO_NO_MEMORY;

    if (status == DYNO_OK) {
        mark(by, prefix_class, &sharings);
        if (holds_any(by, 0)) {
            status = add_all(by, "prefix", labels, sizeof labels / sizeof labels[0]);
        }
    }
    for (uint32_t seed = 0; sharings.of_seed && seed < seeds; seed++) {
        free(sharings.of_seed[seed]);
    }
    free(sharings.of_seed);
    free(sharings.counts);
    free(sharings.levels);
    return status;
}

/* ---- all --------------------------------------------------------------------------------------
 */

static dyno_status classify(struct classifier *by)
{
    static const char *const prompts[] = {"< 1k tokens", "1k to 4k", "4k to 16k", "16k and more"};
    static const char *const answers[] = {"< 64 tokens", "64 to 256", "256 to 1k", "1k and more"};

    DYNO_TRY(add_models(by));
    DYNO_TRY(add_tenants(by));
    DYNO_TRY(add_prefixes(by));
    mark(by, prompt_class, NULL);
    DYNO_TRY(add_all(by, "prompt", prompts, 4));
    mark(by, answer_class, NULL);
    DYNO_TRY(add_all(by, "answer", answers, 4));
    return add_windows(by);
}

dyno_status dyno_ab_classify(struct dyno_ab *ab)
{
    struct classifier by = {.ab = ab, .classes = calloc(ab->runs.seeds, sizeof *by.classes)};
    dyno_status status = by.classes ? DYNO_OK : DYNO_NO_MEMORY;

    ab->classes = calloc(CLASSES_MAX, sizeof *ab->classes);
    if (!ab->classes) {
        status = DYNO_NO_MEMORY;
    }
    for (uint32_t seed = 0; status == DYNO_OK && seed < ab->runs.seeds; seed++) {
        by.classes[seed] = malloc((ab->counts[seed] + (size_t)1) * sizeof **by.classes);
        status = by.classes[seed] ? DYNO_OK : DYNO_NO_MEMORY;
    }
    if (status == DYNO_OK) {
        status = classify(&by);
    }
    for (uint32_t seed = 0; by.classes && seed < ab->runs.seeds; seed++) {
        free(by.classes[seed]);
    }
    free(by.classes);
    return status;
}
