/* Keys and their defaults are those of the transformers library; a value that would need other
 * arithmetic is refused by name. */
#include "backends/assets/weights_config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/assets/assets.h"
#include "backends/assets/json_keys.h"
#include "backends/assets/rope_config.h"
#include "backends/assets/weights_parts.h"
#include "core/base/words.h"

static const struct family {
    const char *type;
    enum dyno_weights_family family;
    double theta;    /* rope_theta, where the file leaves it out */
    double epsilon;  /* rms_norm_eps, likewise */
    bool normalizes; /* the weights of the chosen experts sum to 1 without being asked */
} families[] = {
    {"llama", DYNO_FAMILY_LLAMA, 1e4, 1e-6, false},
    {"mistral", DYNO_FAMILY_LLAMA, 1e4, 1e-6, false},
    {"qwen2", DYNO_FAMILY_LLAMA, 1e4, 1e-6, false},
    {"qwen3", DYNO_FAMILY_LLAMA, 1e4, 1e-6, false},
    {"qwen3_moe", DYNO_FAMILY_LLAMA, 1e4, 1e-6, false},
    {"mixtral", DYNO_FAMILY_MIXTRAL, 1e6, 1e-5, true},
    {"gpt2", DYNO_FAMILY_GPT2, 1e4, 1e-5, false},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

static dyno_status find_family(const struct dyno_json_keys *keys, const struct family **out)
{
    const char *type = NULL;

    DYNO_TRY(dyno_json_string(keys, "model_type", &type));
    for (size_t i = 0; type && i < FAMILIES; i++) {
        if (strcmp(families[i].type, type) == 0) {
            *out = &families[i];
            return DYNO_OK;
        }
    }
    return dyno_json_refuse(keys, "model_type", type ? type : "absent",
                            "llama, mistral, qwen2, qwen3, qwen3_moe, mixtral and gpt2");
}

static dyno_status check_word(const struct dyno_json_keys *keys, const char *key,
                              const char *fallback, const char *const *known, const char *words)
{
    const char *text = NULL;

    DYNO_TRY(dyno_json_string(keys, key, &text));
    text = text ? text : fallback;
    for (size_t i = 0; known[i]; i++) {
        if (strcmp(known[i], text) == 0) {
            return DYNO_OK;
        }
    }
    return dyno_json_refuse(keys, key, text, words);
}

/* One window for all layers, or none. */
static dyno_status read_window(const struct dyno_json_keys *keys, struct dyno_weights *weights)
{
    const struct dyno_model *model = &weights->model;

    if (model->sliding_layers != 0 && model->sliding_layers != model->layers) {
        return dyno_json_refuse(keys, "sliding_window", "of some layers only",
                                "one window for all layers, or none");
    }
    weights->window = model->sliding_layers ? model->sliding_window : 0;
    return DYNO_OK;
}

static dyno_status read_llama(const struct dyno_json_keys *keys, const struct family *family,
                              struct dyno_weights *weights)
{
    static const char *const known[] = {"silu", "swish", NULL};

    weights->activation = DYNO_ACTIVATION_SILU;
    DYNO_TRY(check_word(keys, "hidden_act", "silu", known, "silu"));
    DYNO_TRY(dyno_json_positive(keys, "rms_norm_eps", family->epsilon, &weights->norm_epsilon));
    DYNO_TRY(dyno_rope_config_read(&weights->rope, keys, family->theta));
    DYNO_TRY(read_window(keys, weights));
    if (weights->model.mlp_bias) {
        return dyno_json_refuse(keys, "mlp_bias", "true", "a gated MLP without biases");
    }
    weights->normalize_top_k = family->normalizes;
    if (weights->model.experts && !family->normalizes) {
        return dyno_json_bool(keys, "norm_topk_prob", false, &weights->normalize_top_k);
    }
    return DYNO_OK;
}

static dyno_status read_gpt2(const struct dyno_json_keys *keys, struct dyno_weights *weights)
{
    static const char *const known[] = {"gelu_new", "gelu_pytorch_tanh", NULL};
    bool scaled, by_layer;

    weights->activation = DYNO_ACTIVATION_GELU_TANH;
    weights->layer_norm = true;
    weights->rope.pairs = DYNO_ROPE_NONE;
    DYNO_TRY(check_word(keys, "activation_function", "gelu_new", known, "gelu_new"));
    DYNO_TRY(dyno_json_positive(keys, "layer_norm_epsilon", 1e-5, &weights->norm_epsilon));
    DYNO_TRY(dyno_json_bool(keys, "scale_attn_weights", true, &scaled));
    DYNO_TRY(dyno_json_bool(keys, "scale_attn_by_inverse_layer_idx", false, &by_layer));
    if (!scaled || by_layer) {
        return dyno_json_refuse(keys,
                                by_layer ? "scale_attn_by_inverse_layer_idx" : "scale_attn_weights",
                                by_layer ? "true" : "false", "attention scaled by the head's size");
    }
    if (weights->model.hidden % weights->model.heads != 0) {
        return dyno_json_refuse(keys, "n_embd", "no multiple of n_head", "heads of equal size");
    }
    return DYNO_OK;
}

static dyno_status refuse_token(const struct dyno_json_keys *keys, const char *key)
{
    char path[DYNO_QUOTE_MAX];

    return dyno_fail(keys->error, DYNO_BAD_INPUT,
                     "%s: \"%s\" must be a token of the vocabulary, or an array of them",
                     dyno_quote(path, keys->path), key);
}

/* "eos_token_id": one number or several. */
static dyno_status read_eos(const struct dyno_json_keys *keys, struct dyno_weights *weights)
{
    const json_t *value = json_object_get(keys->object, "eos_token_id");
    size_t count = json_is_array(value) ? json_array_size(value) : value && !json_is_null(value);

    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;

        if (!json_is_integer(item) || json_integer_value(item) < 0) {
            return refuse_token(keys, "eos_token_id");
        }
        DYNO_TRY(dyno_weights_add_eos(weights, keys->path, (uint64_t)json_integer_value(item),
                                      keys->error));
    }
    return DYNO_OK;
}

static dyno_status read_bos(const struct dyno_json_keys *keys, struct dyno_weights *weights)
{
    return dyno_json_u32(keys, "bos_token_id", 0, weights->model.vocab - 1, weights->bos,
                         &weights->bos);
}

static dyno_status read_keys(const struct dyno_json_keys *keys, struct dyno_weights *weights,
                             enum dyno_weights_family *out, struct dyno_fp8_config *fp8)
{
    const struct family *family = NULL;

    DYNO_TRY(find_family(keys, &family));
    assert(family);
    DYNO_TRY(dyno_fp8_config_read(fp8, keys));
    DYNO_TRY(family->family == DYNO_FAMILY_GPT2 ? read_gpt2(keys, weights)
                                                : read_llama(keys, family, weights));
    DYNO_TRY(read_bos(keys, weights));
    DYNO_TRY(read_eos(keys, weights));
    *out = family->family;
    return DYNO_OK;
}

/* "folder/name", to be freed; NULL where memory is out. */
static char *join(const char *folder, const char *name)
{
    char *whole;

    return asprintf(&whole, "%s/%s", folder, name) < 0 ? NULL : whole;
}

struct suggestion_row {
    const char *key;
    struct dyno_suggestion *to;
    double low, high;
    bool whole;
};

static dyno_status read_suggestion(const struct dyno_json_keys *keys,
                                   const struct suggestion_row *row)
{
    const json_t *value = json_object_get(keys->object, row->key);
    char path[DYNO_QUOTE_MAX];
    double number = 0;

    if (!value || json_is_null(value)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_json_double(keys, row->key, 0, &number));
    if (number < row->low || number > row->high || (row->whole && !json_is_integer(value))) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT, "%s: \"%s\" is %g; expected %s from %g to %g",
                         dyno_quote(path, keys->path), row->key, number,
                         row->whole ? "a whole number" : "a number", row->low, row->high);
    }
    *row->to = (struct dyno_suggestion){.given = true, .value = number};
    return DYNO_OK;
}

/* Of a model that is not to be sampled ("do_sample") the temperature is 0, whatever is said. */
static dyno_status read_sampling(const struct dyno_json_keys *keys,
                                 struct dyno_suggested_sampling *sampling)
{
    const struct suggestion_row suggestions[] = {
        {"temperature", &sampling->temperature, 0, 100, false},
        {"top_k", &sampling->top_k, 0, 1 << 24, true},
        {"top_p", &sampling->top_p, 0, 1, false},
        {"min_p", &sampling->min_p, 0, 1, false},
        {"repetition_penalty", &sampling->repetition, 0.01, 100, false},
    };
    bool samples;

    for (size_t i = 0; i < sizeof suggestions / sizeof suggestions[0]; i++) {
        DYNO_TRY(read_suggestion(keys, &suggestions[i]));
    }
    DYNO_TRY(dyno_json_bool(keys, "do_sample", true, &samples));
    if (!samples) {
        sampling->temperature = (struct dyno_suggestion){.given = true};
    }
    return DYNO_OK;
}

static dyno_status read_generation_keys(struct dyno_weights *weights, const char *path,
                                        struct dyno_error *error)
{
    struct dyno_json_keys keys = {.path = path, .error = error};
    dyno_status status;
    json_t *root;

    DYNO_TRY(dyno_json_read(&root, path, NULL, "a generation_config.json", error));
    keys.object = root;
    status = read_bos(&keys, weights);
    if (status == DYNO_OK) {
        status = read_eos(&keys, weights);
    }
    if (status == DYNO_OK) {
        status = read_sampling(&keys, &weights->sampling);
    }
    json_decref(root);
    return status;
}

/* generation_config.json may add end tokens, and suggests how to choose tokens. */
static dyno_status read_generation(struct dyno_weights *weights, const char *folder,
                                   struct dyno_error *error)
{
    char *path = join(folder, "generation_config.json");
    dyno_status status = DYNO_OK;
    struct stat about;

    if (!path) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    if (lstat(path, &about) == 0) { /* a link that leads nowhere is said */
        status = read_generation_keys(weights, path, error);
    }
    free(path);
    return status;
}

static dyno_status read_config(struct dyno_weights *weights, const char *path,
                               enum dyno_weights_family *family, struct dyno_fp8_config *fp8,
                               struct dyno_error *error)
{
    dyno_status status;
    json_t *root;

    DYNO_TRY(dyno_assets_model(&weights->model, path, error));
    DYNO_TRY(dyno_json_read(&root, path, NULL, "the config.json of a model", error));
    status = read_keys(&(struct dyno_json_keys){root, path, error}, weights, family, fp8);
    json_decref(root);
    return status;
}

dyno_status dyno_weights_read_config(struct dyno_weights *out, const char *path,
                                     enum dyno_weights_family *family, struct dyno_fp8_config *fp8,
                                     struct dyno_error *error)
{
    struct dyno_weights weights = {.bos = UINT32_MAX};
    dyno_status status;
    struct stat about;
    char *inside;

    if (stat(path, &about) == 0 && !S_ISDIR(about.st_mode)) {
        DYNO_TRY(read_config(&weights, path, family, fp8, error));
        *out = weights;
        return DYNO_OK;
    }
    inside = join(path, "config.json");
    if (!inside) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    status = read_config(&weights, inside, family, fp8, error);
    free(inside);
    DYNO_TRY(status);
    DYNO_TRY(read_generation(&weights, path, error));
    *out = weights;
    return DYNO_OK;
}

dyno_status dyno_weights_describe(struct dyno_weights *out, const char *path,
                                  struct dyno_error *error)
{
    enum dyno_weights_family family;
    struct dyno_fp8_config fp8;

    return dyno_weights_read_config(out, path, &family, &fp8, error);
}
