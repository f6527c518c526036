/* A Hugging Face directory: config.json, generation_config.json, *.safetensors.
 *
 * Names and keys are those that the transformers library writes.  Files named by the index may not
 * lie outside the directory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/assets/assets.h"
#include "backends/assets/json_keys.h"
#include "backends/assets/safetensors.h"
#include "backends/assets/weights_config.h"
#include "backends/assets/weights_parts.h"
#include "core/base/words.h"

/* Llama, Mistral, Qwen2, Qwen3 and Qwen3-MoE; Mixtral calls its experts otherwise. */
#define LLAMA_NAMES                                                                                \
    .prefix = "model.", .embedding = "embed_tokens", .final_norm = "norm", .logits = "lm_head",    \
    .bare_logits = true, .layers = "layers.", .attention_norm = "input_layernorm",                 \
    .query = "self_attn.q_proj", .key = "self_attn.k_proj", .value = "self_attn.v_proj",           \
    .output = "self_attn.o_proj", .query_norm = "self_attn.q_norm",                                \
    .key_norm = "self_attn.k_norm", .mlp_norm = "post_attention_layernorm",                        \
    .gate = "mlp.gate_proj", .up = "mlp.up_proj", .down = "mlp.down_proj"

#define GPT2_NAMES                                                                                 \
    .embedding = "wte", .positions = "wpe", .final_norm = "ln_f", .logits = "lm_head",             \
    .bare_logits = true, .layers = "h.", .attention_norm = "ln_1", .joint = "attn.c_attn",         \
    .output = "attn.c_proj", .mlp_norm = "ln_2", .up = "mlp.c_fc", .down = "mlp.c_proj",           \
    .router = "", .transposed = true

static const struct dyno_tensor_names llama_names = {
    LLAMA_NAMES,
    .router = "mlp.gate",
    .experts = "mlp.experts.",
    .expert_gate = "gate_proj",
    .expert_up = "up_proj",
    .expert_down = "down_proj",
};

static const struct dyno_tensor_names mixtral_names = {
    LLAMA_NAMES,
    .router = "block_sparse_moe.gate",
    .experts = "block_sparse_moe.experts.",
    .expert_gate = "w1",
    .expert_up = "w3",
    .expert_down = "w2",
};

/* Checkpoints of the bare model lack the prefix. */
static const struct dyno_tensor_names gpt2_names = {GPT2_NAMES, .prefix = "transformer."};
static const struct dyno_tensor_names gpt2_bare_names = {GPT2_NAMES, .prefix = ""};

const struct dyno_tensor_names *dyno_folder_names(enum dyno_weights_family family)
{
    switch (family) {
    case DYNO_FAMILY_MIXTRAL:
        return &mixtral_names;
    case DYNO_FAMILY_GPT2:
        return &gpt2_names;
    case DYNO_FAMILY_LLAMA:
        break;
    }
    return &llama_names;
}

static const struct dyno_tensor_names *names_of(const struct dyno_opening *opening,
                                                enum dyno_weights_family family)
{
    bool is_bare = dyno_tensors_find(&opening->tensors, "wte.weight") != NULL;

    return family == DYNO_FAMILY_GPT2 && is_bare ? &gpt2_bare_names : dyno_folder_names(family);
}

/* "folder/name", to be freed. */
static char *join(const char *folder, const char *name)
{
    char *whole;

    return asprintf(&whole, "%s/%s", folder, name) < 0 ? NULL : whole;
}

static dyno_status read_file(struct dyno_opening *opening, const char *name,
                             struct dyno_error *error)
{
    char *path = join(opening->path, name);
    dyno_status status;

    if (!path) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    status = dyno_safetensors_read(&opening->tensors, path, error);
    free(path);
    return status;
}

static bool exists(const struct dyno_opening *opening, const char *name)
{
    char *path = join(opening->path, name);
    struct stat about;
    bool there = path && lstat(path, &about) == 0; /* a link that leads nowhere is said */

    free(path);
    return there;
}

/* The end of the path of the tensor's file. */
static const char *file_of(const struct dyno_tensor *tensor)
{
    const char *slash = strrchr(tensor->file->path, '/');

    return slash ? slash + 1 : tensor->file->path;
}

/* The name of a file beside the index, not of one elsewhere. */
static dyno_status check_shard_name(const struct dyno_json_keys *keys, const char *tensor,
                                    const json_t *value)
{
    const char *text = json_string_value(value);
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];

    if (text && text[0] && !strchr(text, '/') && text[0] != '.') {
        return DYNO_OK;
    }
    return dyno_fail(keys->error, DYNO_BAD_INPUT,
                     "%s: \"weight_map\" must name a file of the same folder for tensor %s",
                     dyno_quote(path, keys->path), dyno_quote(quoted, tensor));
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Each file that the map names, once, in the order of their names. */
static dyno_status read_shards(struct dyno_opening *opening, const struct dyno_json_keys *keys,
                               const json_t *map)
{
    size_t count = 0, room = json_object_size(map);
    const char **files = calloc(room ? room : 1, sizeof(*files));
    dyno_status status = DYNO_OK;
    const char *tensor;
    json_t *value;

    if (!files) {
        return dyno_fail(keys->error, DYNO_NO_MEMORY, "no memory for the list of a model's files");
    }
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        status = check_shard_name(keys, tensor, value);
        if (status != DYNO_OK) {
            break;
        }
        files[count++] = json_string_value(value);
    }
    if (status == DYNO_OK && count > 1) {
        qsort(files, count, sizeof(*files), compare_words);
    }
    for (size_t i = 0; i < count && status == DYNO_OK; i++) {
        if (i == 0 || strcmp(files[i], files[i - 1]) != 0) {
            status = read_file(opening, files[i], keys->error);
        }
    }
    free(files);
    return status;
}

/* What the index promises must be where it says. */
static dyno_status check_map(const struct dyno_opening *opening, const struct dyno_json_keys *keys,
                             const json_t *map)
{
    char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX], file[DYNO_QUOTE_MAX];
    const char *tensor;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const struct dyno_tensor *found = dyno_tensors_find(&opening->tensors, tensor);
        const char *promised = json_string_value(value);

        if (!found || strcmp(file_of(found), promised) != 0) {
            return dyno_fail(
                keys->error, DYNO_BAD_INPUT, "%s places tensor %s in %s, which does not hold it",
                dyno_quote(path, keys->path), dyno_quote(name, tensor), dyno_quote(file, promised));
        }
    }
    return DYNO_OK;
}

static dyno_status read_indexed(struct dyno_opening *opening, const struct dyno_json_keys *keys)
{
    char path[DYNO_QUOTE_MAX];
    const json_t *map;

    DYNO_TRY(dyno_json_object(keys, "weight_map", &map));
    if (!map || json_object_size(map) == 0) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s has no \"weight_map\" of tensors and their files",
                         dyno_quote(path, keys->path));
    }
    DYNO_TRY(read_shards(opening, keys, map));
    DYNO_TRY(dyno_tensors_seal(&opening->tensors, keys->error));
    return check_map(opening, keys, map);
}

static dyno_status read_sharded(struct dyno_opening *opening, struct dyno_error *error)
{
    dyno_status status;
    json_t *root;
    char *path = join(opening->path, "model.safetensors.index.json");

    if (!path) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file's name");
    }
    status = dyno_json_read(&root, path, NULL, "an index of safetensors files", error);
    if (status == DYNO_OK) {
        status = read_indexed(opening, &(struct dyno_json_keys){root, path, error});
        json_decref(root);
    }
    free(path);
    return status;
}

static dyno_status read_tensors(struct dyno_opening *opening, struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX];

    if (exists(opening, "model.safetensors")) {
        DYNO_TRY(read_file(opening, "model.safetensors", error));
        return dyno_tensors_seal(&opening->tensors, error);
    }
    if (exists(opening, "model.safetensors.index.json")) {
        return read_sharded(opening, error);
    }
    return dyno_fail(error, DYNO_NOT_FOUND,
                     "%s holds neither model.safetensors nor model.safetensors.index.json; weights "
                     "of other formats must be converted first",
                     dyno_quote(path, opening->path));
}

dyno_status dyno_weights_read_folder(struct dyno_opening *opening, struct dyno_error *error)
{
    enum dyno_weights_family family = DYNO_FAMILY_LLAMA;
    struct dyno_fp8_config fp8 = {.is_fp8 = false};

    DYNO_TRY(dyno_weights_read_config(&opening->weights, opening->path, &family, &fp8, error));
    DYNO_TRY(read_tensors(opening, error));
    DYNO_TRY(dyno_weights_widen(opening, &fp8, error));
    return dyno_weights_bind(opening, names_of(opening, family), error);
}
