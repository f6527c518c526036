/* config.json of the Hugging Face hub -> struct dyno_model.
 *
 * A family is what a model_type means: which shapes it reads beside the common ones, which vectors
 * it has, and what its keys default to where the file leaves them out.  Defaults are those of the
 * transformers library. */
#include "backends/assets/assets.h"

#include <stdio.h>
#include <string.h>

#include "backends/assets/json_keys.h"
#include "backends/assets/rope_config.h"
#include "core/base/words.h"

enum {
    LAYERS_MAX = 4096,
    SIDE_MAX = 1 << 20,
    VOCAB_MAX = 1 << 24,
    CONTEXT_MAX = 1 << 30,
    EXPERTS_MAX = 65536,
    WINDOW = 4096, /* of Mistral and Qwen, where no "sliding_window" is said, not even null */
    GPT_OSS_WINDOW = 128, /* likewise */
    QWEN3_HEAD_DIM = 128,
};

struct family {
    const char *type; /* model_type */
    dyno_status (*read)(const struct dyno_json_keys *keys, struct dyno_model *model);
    struct dyno_model base; /* what the type implies */
    bool attention_bias;    /* default of the key */
    bool output_bias;       /* attention_bias also means the output projection's */
};

static dyno_status read_shapes(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    DYNO_TRY(dyno_json_u32(keys, "num_hidden_layers", 1, LAYERS_MAX, DYNO_JSON_REQUIRED,
                           &model->layers));
    DYNO_TRY(dyno_json_u32(keys, "hidden_size", 1, SIDE_MAX, DYNO_JSON_REQUIRED, &model->hidden));
    DYNO_TRY(
        dyno_json_u32(keys, "num_attention_heads", 1, 8192, DYNO_JSON_REQUIRED, &model->heads));
    DYNO_TRY(dyno_json_u32(keys, "num_key_value_heads", 1, model->heads, model->heads,
                           &model->kv_heads));
    DYNO_TRY(dyno_json_u32(keys, "head_dim", 1, 8192,
                           model->head_dim ? model->head_dim : model->hidden / model->heads,
                           &model->head_dim));
    DYNO_TRY(dyno_json_u32(keys, "vocab_size", 1, VOCAB_MAX, DYNO_JSON_REQUIRED, &model->vocab));
    DYNO_TRY(dyno_json_u32(keys, "max_position_embeddings", 1, CONTEXT_MAX, DYNO_JSON_REQUIRED,
                           &model->context_max));
    return dyno_rope_config_context(keys, &model->context_max);
}

static dyno_status read_width(const struct dyno_json_keys *keys, const char *key, uint32_t *out)
{
    return dyno_json_u32(keys, key, 1, SIDE_MAX, DYNO_JSON_REQUIRED, out);
}

/* Attention of other kinds would be computed as if it were of all tokens. */
static dyno_status check_layer_types(const struct dyno_json_keys *keys)
{
    const json_t *types;

    DYNO_TRY(dyno_json_array(keys, "layer_types", &types));
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));

        if (!type ||
            (strcmp(type, "full_attention") != 0 && strcmp(type, "sliding_attention") != 0)) {
            return dyno_json_refuse(keys, "layer_types", type ? type : "no list of words",
                                    "full_attention and sliding_attention");
        }
    }
    return DYNO_OK;
}

/* Layers that layer_types calls "sliding_attention"; `fallback` where there is no such list. */
static dyno_status count_sliding(const struct dyno_json_keys *keys, uint32_t layers,
                                 uint32_t fallback, uint32_t *out)
{
    char quoted[DYNO_QUOTE_MAX];
    const json_t *types;
    uint32_t count = 0;

    DYNO_TRY(dyno_json_array(keys, "layer_types", &types));
    if (!types) {
        *out = fallback;
        return DYNO_OK;
    }
    if (json_array_size(types) != layers) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s: \"layer_types\" names %zu layers where num_hidden_layers is %u",
                         dyno_quote(quoted, keys->path), json_array_size(types), layers);
    }
    for (size_t i = 0; i < layers; i++) {
        const char *type = json_string_value(json_array_get(types, i));

        count += type && strcmp(type, "sliding_attention") == 0;
    }
    *out = count;
    return DYNO_OK;
}

/* `window` is the one of a file that does not say it; null says that there is none. */
static dyno_status read_window(const struct dyno_json_keys *keys, uint32_t window,
                               uint32_t sliding_layers, struct dyno_model *model)
{
    bool is_said = json_object_get(keys->object, "sliding_window") != NULL;

    DYNO_TRY(dyno_json_u32(keys, "sliding_window", 1, CONTEXT_MAX, is_said ? 0 : window,
                           &model->sliding_window));
    if (model->sliding_window == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(count_sliding(keys, model->layers, sliding_layers, &model->sliding_layers));
    if (model->sliding_layers == 0) {
        model->sliding_window = 0;
    }
    return DYNO_OK;
}

static dyno_status read_dense(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    model->dense_layers = model->layers;
    DYNO_TRY(dyno_json_bool(keys, "mlp_bias", false, &model->mlp_bias));
    return read_width(keys, "intermediate_size", &model->intermediate);
}

static dyno_status read_mistral(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    DYNO_TRY(read_dense(keys, model));
    return read_window(keys, WINDOW, model->layers, model);
}

/* Qwen's windows are off unless use_sliding_window, and then begin at layer max_window_layers. */
static dyno_status read_qwen_window(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    uint32_t first;
    bool used;

    DYNO_TRY(dyno_json_bool(keys, "use_sliding_window", false, &used));
    if (!used) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_json_u32(keys, "max_window_layers", 0, LAYERS_MAX, 28, &first));
    return read_window(keys, WINDOW, first < model->layers ? model->layers - first : 0, model);
}

static dyno_status read_qwen(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    DYNO_TRY(read_dense(keys, model));
    return read_qwen_window(keys, model);
}

/* Layer i has experts if it is not in mlp_only_layers and decoder_sparse_step divides i + 1. */
static dyno_status count_dense_layers(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    char quoted[DYNO_QUOTE_MAX];
    const json_t *plain;
    uint32_t step;

    DYNO_TRY(dyno_json_u32(keys, "decoder_sparse_step", 1, LAYERS_MAX, 1, &step));
    DYNO_TRY(dyno_json_array(keys, "mlp_only_layers", &plain));
    if (json_array_size(plain) > model->layers) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s: \"mlp_only_layers\" names %zu layers where num_hidden_layers is %u",
                         dyno_quote(quoted, keys->path), json_array_size(plain), model->layers);
    }
    for (uint32_t layer = 0; layer < model->layers; layer++) {
        bool dense = (layer + 1) % step != 0;

        for (size_t i = 0; i < json_array_size(plain) && !dense; i++) {
            dense = json_integer_value(json_array_get(plain, i)) == (json_int_t)layer &&
                    json_is_integer(json_array_get(plain, i));
        }
        model->dense_layers += dense;
    }
    return DYNO_OK;
}

static dyno_status read_experts(const struct dyno_json_keys *keys, const char *count_key,
                                const char *chosen_key, const char *width_key,
                                struct dyno_model *model)
{
    DYNO_TRY(dyno_json_u32(keys, count_key, 1, EXPERTS_MAX, DYNO_JSON_REQUIRED, &model->experts));
    DYNO_TRY(dyno_json_u32(keys, chosen_key, 1, model->experts, DYNO_JSON_REQUIRED,
                           &model->experts_per_token));
    return read_width(keys, width_key, &model->expert_intermediate);
}

static dyno_status read_qwen_moe(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    DYNO_TRY(
        read_experts(keys, "num_experts", "num_experts_per_tok", "moe_intermediate_size", model));
    DYNO_TRY(count_dense_layers(keys, model));
    if (model->dense_layers) {
        DYNO_TRY(read_width(keys, "intermediate_size", &model->intermediate));
    }
    if (model->shared_gate) {
        DYNO_TRY(read_width(keys, "shared_expert_intermediate_size", &model->shared_intermediate));
    }
    return read_qwen_window(keys, model);
}

static dyno_status read_mixtral(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    DYNO_TRY(
        read_experts(keys, "num_local_experts", "num_experts_per_tok", "intermediate_size", model));
    return read_window(keys, 0, model->layers, model);
}

static dyno_status read_gpt_oss(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    const char *chosen = json_object_get(keys->object, "num_experts_per_tok")
                             ? "num_experts_per_tok"
                             : "experts_per_token";

    DYNO_TRY(read_experts(keys, "num_local_experts", chosen, "intermediate_size", model));
    return read_window(keys, GPT_OSS_WINDOW, (model->layers + 1) / 2, model);
}

static dyno_status read_latent(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    const int64_t required = DYNO_JSON_REQUIRED;

    DYNO_TRY(dyno_json_u32(keys, "q_lora_rank", 1, 65536, 0, &model->mla_q_rank));
    DYNO_TRY(dyno_json_u32(keys, "kv_lora_rank", 1, 65536, required, &model->mla_kv_rank));
    DYNO_TRY(dyno_json_u32(keys, "qk_rope_head_dim", 0, 8192, required, &model->mla_rope_dim));
    DYNO_TRY(dyno_json_u32(keys, "qk_nope_head_dim", 1, 8192, required, &model->mla_nope_dim));
    DYNO_TRY(dyno_json_u32(keys, "v_head_dim", 1, 8192, required, &model->mla_v_dim));
    model->head_dim = model->mla_nope_dim + model->mla_rope_dim;
    return DYNO_OK;
}

/* The first first_k_dense_replace layers are dense; of the others, moe_layer_freq divides the
 * number of those with experts. */
static dyno_status read_deepseek(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    uint32_t shared, dense, every;

    DYNO_TRY(read_latent(keys, model));
    DYNO_TRY(dyno_json_u32(keys, "first_k_dense_replace", 0, model->layers, 0, &dense));
    DYNO_TRY(dyno_json_u32(keys, "moe_layer_freq", 1, LAYERS_MAX, 1, &every));
    DYNO_TRY(dyno_json_u32(keys, "n_shared_experts", 0, 1024, 0, &shared));
    model->dense_layers = dense;
    for (uint32_t layer = dense; layer < model->layers; layer++) {
        model->dense_layers += layer % every != 0;
    }
    if (model->dense_layers) {
        DYNO_TRY(read_width(keys, "intermediate_size", &model->intermediate));
    }
    if (model->dense_layers < model->layers) {
        DYNO_TRY(read_experts(keys, "n_routed_experts", "num_experts_per_tok",
                              "moe_intermediate_size", model));
        model->shared_intermediate = shared * model->expert_intermediate;
    }
    return DYNO_OK;
}

/* GPT-2 has names of its own for everything. */
static dyno_status read_gpt2(const struct dyno_json_keys *keys, struct dyno_model *model)
{
    const int64_t required = DYNO_JSON_REQUIRED;

    DYNO_TRY(dyno_json_u32(keys, "n_layer", 1, LAYERS_MAX, required, &model->layers));
    DYNO_TRY(dyno_json_u32(keys, "n_embd", 1, SIDE_MAX / 4, required, &model->hidden));
    DYNO_TRY(dyno_json_u32(keys, "n_head", 1, 8192, required, &model->heads));
    DYNO_TRY(dyno_json_u32(keys, "vocab_size", 1, VOCAB_MAX, required, &model->vocab));
    DYNO_TRY(dyno_json_u32(keys, "n_positions", 1, CONTEXT_MAX, required, &model->context_max));
    DYNO_TRY(dyno_json_u32(keys, "n_inner", 1, SIDE_MAX, 4 * (int64_t)model->hidden,
                           &model->intermediate));
    model->kv_heads = model->heads;
    model->head_dim = model->hidden / model->heads;
    model->positions = model->context_max;
    model->dense_layers = model->layers;
    return DYNO_OK;
}

static const struct family families[] = {
    {.type = "llama", .read = read_dense, .base = {.gated_mlp = true}, .output_bias = true},
    {.type = "mistral", .read = read_mistral, .base = {.gated_mlp = true}},
    {.type = "qwen2", .read = read_qwen, .base = {.gated_mlp = true}, .attention_bias = true},
    {.type = "qwen3",
     .read = read_qwen,
     .base = {.gated_mlp = true, .qk_norm = true, .head_dim = QWEN3_HEAD_DIM},
     .output_bias = true},
    {.type = "qwen2_moe",
     .read = read_qwen_moe,
     .base = {.gated_mlp = true, .shared_gate = true},
     .attention_bias = true},
    {.type = "qwen3_moe",
     .read = read_qwen_moe,
     .base = {.gated_mlp = true, .qk_norm = true},
     .output_bias = true},
    {.type = "mixtral", .read = read_mixtral, .base = {.gated_mlp = true}},
    {.type = "gpt_oss",
     .read = read_gpt_oss,
     .base = {.gated_mlp = true,
              .mlp_bias = true,
              .router_bias = true,
              .attention_sinks = true,
              .quantized_experts = true},
     .attention_bias = true,
     .output_bias = true},
    {.type = "deepseek_v2",
     .read = read_deepseek,
     .base = {.attention = DYNO_ATTENTION_MLA, .gated_mlp = true}},
    {.type = "deepseek_v3",
     .read = read_deepseek,
     .base = {.attention = DYNO_ATTENTION_MLA, .gated_mlp = true, .router_bias = true}},
    {.type = "gpt2",
     .read = read_gpt2,
     .base = {.tied_embeddings = true,
              .qkv_bias = true,
              .output_bias = true,
              .mlp_bias = true,
              .norm_bias = true}},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

static dyno_status refuse_family(const struct dyno_json_keys *keys, const char *type)
{
    char quoted_path[DYNO_QUOTE_MAX];
    char quoted[DYNO_QUOTE_MAX];
    char known[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < FAMILIES && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 families[i].type);
    }
    return dyno_fail(keys->error, DYNO_UNSUPPORTED,
                     "%s: \"model_type\" %s is not one that is understood: %s",
                     dyno_quote(quoted_path, keys->path), dyno_quote(quoted, type), known);
}

static const struct family *find_family(const char *type)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        if (strcmp(families[i].type, type) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

/* The last two parts of the path, so that ".../meta-llama/Llama-3.1-8B/config.json" is told from
 * others by "Llama-3.1-8B". */
static void name_model(struct dyno_model *model, const char *path)
{
    size_t length = strlen(path);
    const char *start;

    if (length > strlen("/config.json") &&
        strcmp(path + length - strlen("/config.json"), "/config.json") == 0) {
        length -= strlen("/config.json");
    }
    start = path + length;
    while (start > path && start[-1] != '/') {
        start--;
    }
    (void)snprintf(model->name, sizeof model->name, "%.*s", (int)(path + length - start), start);
    if (!model->name[0] || !dyno_text_is_clean(model->name)) {
        (void)snprintf(model->name, sizeof model->name, "config.json");
    }
}

static dyno_status read_of_family(const struct dyno_json_keys *keys, const struct family *family,
                                  struct dyno_model *out)
{
    struct dyno_model model = family->base;

    model.source = "the user's config.json";
    name_model(&model, keys->path);
    DYNO_TRY(dyno_json_bool(keys, "tie_word_embeddings", family->base.tied_embeddings,
                            &model.tied_embeddings));
    if (family->read != read_gpt2) {
        DYNO_TRY(read_shapes(keys, &model));
        DYNO_TRY(check_layer_types(keys));
        DYNO_TRY(dyno_json_bool(keys, "attention_bias", family->attention_bias, &model.qkv_bias));
        model.output_bias = model.qkv_bias && family->output_bias;
    }
    DYNO_TRY(family->read(keys, &model));
    DYNO_TRY(dyno_model_check(&model, keys->error));
    *out = model;
    return DYNO_OK;
}

static dyno_status read_model(const struct dyno_json_keys *keys, struct dyno_model *out)
{
    const struct family *family;
    char quoted[DYNO_QUOTE_MAX];
    const char *type = NULL;

    DYNO_TRY(dyno_json_string(keys, "model_type", &type));
    if (!type) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s: \"model_type\" is missing; is this the config.json of a model?",
                         dyno_quote(quoted, keys->path));
    }
    family = find_family(type);
    return family ? read_of_family(keys, family, out) : refuse_family(keys, type);
}

dyno_status dyno_assets_model(struct dyno_model *out, const char *path, struct dyno_error *error)
{
    json_t *root = NULL;
    dyno_status status;

    DYNO_TRY(dyno_json_read(&root, path, "config.json", "the config.json of a model", error));
    status = read_model(&(struct dyno_json_keys){root, path, error}, out);
    json_decref(root);
    return status;
}

bool dyno_assets_is_path(const char *name)
{
    static const char *const endings[] = {".json", ".yaml", ".yml"};
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i]);

        if (length > ending && strcmp(name + length - ending, endings[i]) == 0) {
            return true;
        }
    }
    return strchr(name, '/') != NULL;
}
