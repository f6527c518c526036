#include "cli/scenario/named.h"

#include "backends/assets/assets.h"
#include "core/base/words.h"

static dyno_status unknown(const struct dyno_nearest *nearest, const char *what, const char *file,
                           struct dyno_error *error)
{
    const char *meant = dyno_nearest_word(nearest);
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(
        error, DYNO_NOT_FOUND,
        "%s is not a %s that dyno knows%s%s%s; `dyno help models` lists them, and a path "
        "to %s will do",
        dyno_quote(quoted, nearest->word), what, meant ? " (did you mean " : "", meant ? meant : "",
        meant ? "?)" : "", file);
}

dyno_status dyno_named_model(struct dyno_model *out, const char *name, struct dyno_error *error)
{
    const struct dyno_model *known = dyno_model_find(name);
    struct dyno_nearest nearest;

    if (known) {
        *out = *known;
        return DYNO_OK;
    }
    if (dyno_assets_is_path(name)) {
        return dyno_assets_model(out, name, error);
    }
    dyno_nearest_start(&nearest, name);
    for (known = dyno_model_table; known->name[0]; known++) {
        dyno_nearest_offer(&nearest, known->name);
    }
    return unknown(&nearest, "model", "a config.json", error);
}

dyno_status dyno_named_gpu(struct dyno_gpu *out, const char *name, struct dyno_error *error)
{
    const struct dyno_gpu *known = dyno_gpu_find(name);
    struct dyno_nearest nearest;

    if (known) {
        *out = *known;
        return DYNO_OK;
    }
    if (dyno_assets_is_path(name)) {
        return dyno_assets_gpu(out, name, error);
    }
    dyno_nearest_start(&nearest, name);
    for (known = dyno_gpu_table; known->name[0]; known++) {
        dyno_nearest_offer(&nearest, known->name);
    }
    return unknown(&nearest, "GPU", "a YAML file", error);
}
