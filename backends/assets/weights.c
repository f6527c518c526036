/* Which format a path holds, and the life of what was opened. */
#include "backends/assets/weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/assets/weights_parts.h"
#include "core/base/words.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "weights are read where they lie, and they lie little-endian");

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), size = strlen(ending);

    return length >= size && strcmp(text + length - size, ending) == 0;
}

static bool is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static dyno_status read_any(struct dyno_opening *opening, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (is_folder(opening->path)) {
        return dyno_weights_read_folder(opening, error);
    }
    if (dyno_gguf_is(opening->path)) {
        return dyno_weights_read_gguf(opening, error);
    }
    if (ends_in(opening->path, ".safetensors") || ends_in(opening->path, ".json")) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is one file of a model; give the folder that holds it and its "
                         "config.json",
                         dyno_quote(quoted, opening->path));
    }
    if (ends_in(opening->path, ".gguf")) {
        struct dyno_gguf gguf; /* says what is wrong with it */

        return dyno_gguf_read(&gguf, &opening->tensors, opening->path, error);
    }
    return dyno_weights_read_llama2c(opening, error);
}

dyno_status dyno_weights_check_shapes(const struct dyno_opening *opening, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    struct dyno_error why;
    dyno_status status = dyno_model_check(&opening->weights.model, &why);

    if (status == DYNO_OK) {
        return DYNO_OK;
    }
    return dyno_fail(error, status, "%s: %s", dyno_quote(quoted, opening->path), why.text);
}

dyno_status dyno_weights_add_eos(struct dyno_weights *weights, const char *path, uint64_t token,
                                 struct dyno_error *error)
{
    const uint32_t eos_max = sizeof weights->eos / sizeof weights->eos[0];
    char quoted[DYNO_QUOTE_MAX];

    if (token >= weights->model.vocab) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: the end token %" PRIu64 " is none of the %" PRIu32
                         " tokens of the vocabulary",
                         dyno_quote(quoted, path), token, weights->model.vocab);
    }
    for (uint32_t i = 0; i < weights->eos_count; i++) {
        if (weights->eos[i] == token) {
            return DYNO_OK;
        }
    }
    if (weights->eos_count == eos_max) {
        return dyno_fail(error, DYNO_UNSUPPORTED, "%s: more than %" PRIu32 " end tokens",
                         dyno_quote(quoted, path), eos_max);
    }
    weights->eos[weights->eos_count++] = (uint32_t)token;
    return DYNO_OK;
}

static dyno_status open_all(struct dyno_opening *opening, struct dyno_error *error)
{
    opening->weights.bos = UINT32_MAX;
    DYNO_TRY(read_any(opening, error));
    return dyno_weights_check_finite(opening, error);
}

dyno_status dyno_weights_open(struct dyno_weights **out, const char *path, struct dyno_error *error)
{
    struct dyno_opening *opening = calloc(1, sizeof(*opening));
    dyno_status status;

    if (!opening) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a model");
    }
    opening->path = path;
    status = open_all(opening, error);
    opening->path = NULL;
    if (status != DYNO_OK) {
        dyno_weights_close(&opening->weights);
        return status;
    }
    *out = &opening->weights;
    return DYNO_OK;
}

void dyno_weights_close(struct dyno_weights *weights)
{
    struct dyno_opening *opening = (struct dyno_opening *)weights;

    if (opening) {
        dyno_tensors_release(&opening->tensors);
        free(opening);
    }
}
