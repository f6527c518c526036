/* A random model as the files that transformers writes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/assets/random/output_file.h"
#include "backends/assets/random/random_parts.h"
#include "backends/assets/random/random_plan.h"
#include "backends/assets/random/random_tokens.h"
#include "core/base/array.h"
#include "core/base/units.h"
#include "core/base/words.h"

enum { ALIGNMENT = 64, NAME_MAX = 64 };

static const char *const element_names[DYNO_ELEMENTS] = {"F32", "F16", "BF16", "Q8_0"};
static const char *const torch_names[DYNO_ELEMENTS] = {"float32", "float16", "bfloat16", ""};

struct folder {
    const struct dyno_random_model *model;
    const char *path, *family;
    struct dyno_random_plan plan;
    uint32_t *shard_of; /* [plan.count] */
    uint32_t shards;
    uint64_t bytes, bytes_total; /* of tensors */
    char (*written)[NAME_MAX];   /* [written_count] files that are complete */
    uint32_t written_count, written_capacity;
    bool is_new; /* this call made it */
    struct dyno_error *error;
};

/* What is written to, and counts for the progress bar. */
struct sink {
    struct dyno_output_file file;
    struct folder *folder;
};

static dyno_status open_file(struct dyno_output_file *out, struct folder *folder, const char *name)
{
    dyno_status status;
    char *path;

    if (!dyno_array_reserve(&folder->written, &folder->written_capacity, folder->written_count + 1U,
                            sizeof *folder->written) ||
        asprintf(&path, "%s/%s", folder->path, name) < 0) {
        return dyno_fail(folder->error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    status = dyno_output_open(out, path, folder->error);
    free(path);
    return status;
}

/* What open_file opened has this `name` if all went well, and else is not there. */
static dyno_status close_file(struct dyno_output_file *file, struct folder *folder,
                              const char *name, dyno_status status)
{
    if (status != DYNO_OK) {
        dyno_output_abandon(file);
        return status;
    }
    DYNO_TRY(dyno_output_finish(file));
    (void)snprintf(folder->written[folder->written_count++], NAME_MAX, "%s", name);
    return DYNO_OK;
}

/* Of a model that is not finished nothing stays; what else lies in the folder does. */
static void remove_written(const struct folder *folder)
{
    char *path;

    for (uint32_t i = 0; i < folder->written_count; i++) {
        if (asprintf(&path, "%s/%s", folder->path, folder->written[i]) >= 0) {
            (void)unlink(path);
            free(path);
        }
    }
    if (folder->is_new) {
        (void)rmdir(folder->path);
    }
}

/* Write one file by `fill`. */
static dyno_status write_file(struct folder *folder, const char *name,
                              dyno_status (*fill)(struct dyno_output_file *file,
                                                  const struct folder *folder))
{
    struct dyno_output_file file;

    DYNO_TRY(open_file(&file, folder, name));
    return close_file(&file, folder, name, fill(&file, folder));
}

static const char *number(char out[DYNO_UNITS_TEXT_MAX], double value)
{
    dyno_print_double(out, value);
    return out;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static dyno_status put_llama3(struct dyno_output_file *file, const struct dyno_rope *rope)
{
    char factor[DYNO_UNITS_TEXT_MAX], low[DYNO_UNITS_TEXT_MAX], high[DYNO_UNITS_TEXT_MAX];

    return dyno_output_print(file,
                             "  \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": %s,\n"
                             "    \"low_freq_factor\": %s, \"high_freq_factor\": %s,\n"
                             "    \"original_max_position_embeddings\": %" PRIu32 "},\n",
                             number(factor, rope->factor), number(low, rope->low_freq_factor),
                             number(high, rope->high_freq_factor), rope->original_context);
}

static dyno_status put_yarn(struct dyno_output_file *file, const struct dyno_rope *rope)
{
    char factor[DYNO_UNITS_TEXT_MAX], fast[DYNO_UNITS_TEXT_MAX], slow[DYNO_UNITS_TEXT_MAX],
        length[DYNO_UNITS_TEXT_MAX];

    return dyno_output_print(file,
                             "  \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": %s,\n"
                             "    \"beta_fast\": %s, \"beta_slow\": %s, \"truncate\": %s,\n"
                             "    \"attention_factor\": %s,\n"
                             "    \"original_max_position_embeddings\": %" PRIu32 "},\n",
                             number(factor, rope->factor), number(fast, rope->beta_fast),
                             number(slow, rope->beta_slow), truth(!rope->exact),
                             number(length, rope->length), rope->original_context);
}

static dyno_status put_rope(struct dyno_output_file *file, const struct dyno_rope *rope)
{
    char theta[DYNO_UNITS_TEXT_MAX], factor[DYNO_UNITS_TEXT_MAX];

    DYNO_TRY(dyno_output_print(file, "  \"rope_theta\": %s,\n", number(theta, rope->theta)));
    switch (rope->scaling) {
    case DYNO_ROPE_LINEAR:
        return dyno_output_print(
            file, "  \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": %s},\n",
            number(factor, rope->factor));
    case DYNO_ROPE_LLAMA3:
        return put_llama3(file, rope);
    case DYNO_ROPE_YARN:
        return put_yarn(file, rope);
    case DYNO_ROPE_PLAIN:
    case DYNO_ROPE_TABLE: /* no config.json has one */
        break;
    }
    return DYNO_OK;
}

static dyno_status put_experts(struct dyno_output_file *file, const struct folder *folder)
{
    const struct dyno_model *model = &folder->model->shape.model;
    bool is_mixtral = strcmp(folder->family, "mixtral") == 0;

    if (model->experts == 0) {
        return dyno_output_print(file, "  \"intermediate_size\": %" PRIu32 ",\n",
                                 model->intermediate);
    }
    DYNO_TRY(dyno_output_print(
        file,
        "  \"%s\": %" PRIu32 ",\n  \"num_experts_per_tok\": %" PRIu32 ",\n  \"%s\": %" PRIu32 ",\n",
        is_mixtral ? "num_local_experts" : "num_experts", model->experts, model->experts_per_token,
        is_mixtral ? "intermediate_size" : "moe_intermediate_size", model->expert_intermediate));
    if (is_mixtral) {
        return DYNO_OK;
    }
    return dyno_output_print(file,
                             "  \"norm_topk_prob\": %s,\n  \"decoder_sparse_step\": 1,\n"
                             "  \"mlp_only_layers\": [],\n  \"intermediate_size\": %" PRIu32 ",\n",
                             truth(folder->model->shape.normalize_top_k),
                             model->expert_intermediate);
}

static dyno_status put_window(struct dyno_output_file *file, const struct folder *folder)
{
    uint32_t window = folder->model->shape.window;

    if (window == 0) {
        return dyno_output_print(file, "  \"sliding_window\": null,\n");
    }
    return dyno_output_print(file,
                             "  \"sliding_window\": %" PRIu32
                             ",\n  \"use_sliding_window\": true,\n  \"max_window_layers\": 0,\n",
                             window);
}

static dyno_status fill_llama(struct dyno_output_file *file, const struct folder *folder)
{
    const struct dyno_weights *shape = &folder->model->shape;
    const struct dyno_model *model = &shape->model;
    char epsilon[DYNO_UNITS_TEXT_MAX];

    DYNO_TRY(
        dyno_output_print(file,
                          "  \"hidden_act\": \"silu\",\n  \"num_hidden_layers\": %" PRIu32
                          ",\n  \"hidden_size\": %" PRIu32 ",\n  \"num_attention_heads\": %" PRIu32
                          ",\n  \"num_key_value_heads\": %" PRIu32 ",\n  \"head_dim\": %" PRIu32
                          ",\n  \"max_position_embeddings\": %" PRIu32 ",\n",
                          model->layers, model->hidden, model->heads, model->kv_heads,
                          model->head_dim, model->context_max));
    DYNO_TRY(put_experts(file, folder));
    DYNO_TRY(put_window(file, folder));
    DYNO_TRY(put_rope(file, &shape->rope));
    return dyno_output_print(file, "  \"attention_bias\": %s,\n  \"rms_norm_eps\": %s,\n",
                             truth(model->qkv_bias), number(epsilon, shape->norm_epsilon));
}

static dyno_status fill_gpt2(struct dyno_output_file *file, const struct folder *folder)
{
    const struct dyno_weights *shape = &folder->model->shape;
    const struct dyno_model *model = &shape->model;
    char epsilon[DYNO_UNITS_TEXT_MAX];

    return dyno_output_print(file,
                             "  \"activation_function\": \"gelu_new\",\n  \"n_layer\": %" PRIu32
                             ",\n  \"n_embd\": %" PRIu32 ",\n  \"n_head\": %" PRIu32
                             ",\n  \"n_positions\": %" PRIu32 ",\n  \"n_ctx\": %" PRIu32
                             ",\n  \"n_inner\": %" PRIu32 ",\n  \"layer_norm_epsilon\": %s,\n",
                             model->layers, model->hidden, model->heads, model->context_max,
                             model->context_max, model->intermediate,
                             number(epsilon, shape->norm_epsilon));
}

static const char *architecture_of(const char *family)
{
    static const struct {
        const char *family, *architecture;
    } table[] = {
        {"llama", "LlamaForCausalLM"},        {"mistral", "MistralForCausalLM"},
        {"qwen2", "Qwen2ForCausalLM"},        {"qwen3", "Qwen3ForCausalLM"},
        {"qwen3_moe", "Qwen3MoeForCausalLM"}, {"mixtral", "MixtralForCausalLM"},
        {"gpt2", "GPT2LMHeadModel"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].family, family) == 0) {
            return table[i].architecture;
        }
    }
    return "";
}

static dyno_status fill_config(struct dyno_output_file *file, const struct folder *folder)
{
    const struct dyno_model *model = &folder->model->shape.model;
    uint32_t end = model->vocab - 1;

    DYNO_TRY(dyno_output_print(file,
                               "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\",\n",
                               architecture_of(folder->family), folder->family));
    DYNO_TRY(strcmp(folder->family, "gpt2") == 0 ? fill_gpt2(file, folder)
                                                 : fill_llama(file, folder));
    return dyno_output_print(file,
                             "  \"vocab_size\": %" PRIu32 ",\n  \"tie_word_embeddings\": %s,\n"
                             "  \"torch_dtype\": \"%s\",\n  \"bos_token_id\": %" PRIu32
                             ",\n  \"eos_token_id\": %" PRIu32 "\n}\n",
                             model->vocab, truth(model->tied_embeddings),
                             torch_names[folder->model->element], end, end);
}

static dyno_status fill_generation(struct dyno_output_file *file, const struct folder *folder)
{
    uint32_t end = folder->model->shape.model.vocab - 1;

    return dyno_output_print(
        file, "{\n  \"bos_token_id\": %" PRIu32 ",\n  \"eos_token_id\": %" PRIu32 "\n}\n", end,
        end);
}

static dyno_status fill_tokenizer_config(struct dyno_output_file *file, const struct folder *folder)
{
    return dyno_output_print(file,
                             "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                             "  \"bos_token\": \"" DYNO_RANDOM_END
                             "\",\n  \"eos_token\": \"" DYNO_RANDOM_END
                             "\",\n  \"clean_up_tokenization_spaces\": false,\n"
                             "  \"model_max_length\": %" PRIu32 "\n}\n",
                             folder->model->shape.model.context_max);
}

static dyno_status fill_tokenizer(struct dyno_output_file *file, const struct folder *folder)
{
    uint32_t vocab = folder->model->shape.model.vocab;
    char token[DYNO_RANDOM_TOKEN_MAX];

    DYNO_TRY(dyno_output_print(
        file,
        "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n"
        "  \"added_tokens\": [{\"id\": %" PRIu32 ", \"content\": \"" DYNO_RANDOM_END
        "\", \"single_word\": false,\n    \"lstrip\": false, \"rstrip\": false, \"normalized\": "
        "false, \"special\": true}],\n  \"normalizer\": null,\n"
        "  \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false,\n"
        "    \"trim_offsets\": true, \"use_regex\": true},\n  \"post_processor\": null,\n"
        "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false,\n"
        "    \"trim_offsets\": true, \"use_regex\": true},\n"
        "  \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null,\n"
        "    \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null,\n"
        "    \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false,\n"
        "    \"vocab\": {",
        vocab - 1));
    for (uint32_t id = 0; id < vocab; id++) {
        size_t size = dyno_random_token(token, id, vocab);
        const char *escape = token[0] == '"' || token[0] == '\\' ? "\\" : "";

        DYNO_TRY(dyno_output_print(file, "%s\"%s%.*s\": %" PRIu32, id ? ", " : "", escape,
                                   (int)size, token, id));
    }
    return dyno_output_print(file, "},\n    \"merges\": []}\n}\n");
}

/* Fill files in turn, none beyond the maximum unless by one tensor. */
static dyno_status part(struct folder *folder)
{
    uint64_t bytes = 0;

    folder->shard_of = calloc(folder->plan.count, sizeof(*folder->shard_of));
    if (!folder->shard_of) {
        return dyno_fail(folder->error, DYNO_NO_MEMORY, "no memory for the list of files");
    }
    for (size_t i = 0; i < folder->plan.count; i++) {
        uint64_t size = dyno_planned_bytes(&folder->plan.tensors[i]);

        if (bytes > 0 && bytes + size > folder->model->shard_bytes_max) {
            folder->shards++;
            bytes = 0;
        }
        bytes += size;
        folder->shard_of[i] = folder->shards;
        folder->bytes_total += size;
    }
    folder->shards++;
    return DYNO_OK;
}

static void name_shard(char out[NAME_MAX], const struct folder *folder, uint32_t shard)
{
    if (folder->shards == 1) {
        (void)snprintf(out, NAME_MAX, "model.safetensors");
    } else {
        (void)snprintf(out, NAME_MAX, "model-%05" PRIu32 "-of-%05" PRIu32 ".safetensors", shard + 1,
                       folder->shards);
    }
}

/* The JSON header of a shard, to be freed. */
static char *make_header(const struct folder *folder, uint32_t shard, size_t *size)
{
    uint64_t at = 0, shape[3];
    char *text = NULL;
    FILE *out = open_memstream(&text, size);

    if (!out) {
        return NULL;
    }
    fputs("{\"__metadata__\":{\"format\":\"pt\"}", out);
    for (size_t i = 0; i < folder->plan.count; i++) {
        const struct dyno_planned_tensor *tensor = &folder->plan.tensors[i];
        uint32_t rank = dyno_planned_shape(tensor, shape);

        if (folder->shard_of[i] != shard) {
            continue;
        }
        fprintf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%" PRIu64, tensor->name,
                element_names[tensor->element], shape[0]);
        for (uint32_t j = 1; j < rank; j++) {
            fprintf(out, ",%" PRIu64, shape[j]);
        }
        fprintf(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at,
                at + dyno_planned_bytes(tensor));
        at += dyno_planned_bytes(tensor);
    }
    fputs("}", out);
    while ((ftell(out) + (long)sizeof(uint64_t)) % ALIGNMENT != 0) {
        fputs(" ", out); /* so that the tensors lie at whole cache lines */
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static dyno_status put_bytes(void *context, const void *data, size_t size)
{
    struct sink *sink = context;
    struct folder *folder = sink->folder;

    DYNO_TRY(dyno_output_put(&sink->file, data, size));
    return dyno_random_wrote(folder->model, size, &folder->bytes, folder->bytes_total,
                             folder->error);
}

static dyno_status fill_shard(struct sink *sink, uint32_t shard)
{
    const struct folder *folder = sink->folder;
    size_t size = 0;
    char *header = make_header(folder, shard, &size);
    uint64_t length = size;
    dyno_status status;

    if (!header) {
        return dyno_fail(folder->error, DYNO_NO_MEMORY, "no memory for the header of a file");
    }
    status = dyno_output_put(&sink->file, &length, sizeof(length));
    if (status == DYNO_OK) {
        status = dyno_output_put(&sink->file, header, size);
    }
    free(header);
    for (size_t i = 0; i < folder->plan.count && status == DYNO_OK; i++) {
        if (folder->shard_of[i] == shard) {
            status = dyno_planned_write(&folder->plan, &folder->plan.tensors[i], put_bytes, sink,
                                        folder->error);
        }
    }
    return status;
}

static dyno_status write_shard(struct folder *folder, uint32_t shard)
{
    struct sink sink = {.folder = folder};
    char name[NAME_MAX];

    name_shard(name, folder, shard);
    DYNO_TRY(open_file(&sink.file, folder, name));
    return close_file(&sink.file, folder, name, fill_shard(&sink, shard));
}

static dyno_status fill_index(struct dyno_output_file *file, const struct folder *folder)
{
    char name[NAME_MAX];

    DYNO_TRY(dyno_output_print(
        file, "{\n  \"metadata\": {\"total_size\": %" PRIu64 "},\n  \"weight_map\": {",
        folder->bytes_total));
    for (size_t i = 0; i < folder->plan.count; i++) {
        name_shard(name, folder, folder->shard_of[i]);
        DYNO_TRY(dyno_output_print(file, "%s\n    \"%s\": \"%s\"", i ? "," : "",
                                   folder->plan.tensors[i].name, name));
    }
    return dyno_output_print(file, "\n  }\n}\n");
}

static dyno_status write_weights(struct folder *folder)
{
    DYNO_TRY(part(folder));
    for (uint32_t shard = 0; shard < folder->shards; shard++) {
        DYNO_TRY(write_shard(folder, shard));
    }
    return folder->shards > 1 ? write_file(folder, "model.safetensors.index.json", fill_index)
                              : DYNO_OK;
}

/* config.json comes last: a directory without it is no model. */
static dyno_status write_all(struct folder *folder)
{
    DYNO_TRY(write_weights(folder));
    DYNO_TRY(write_file(folder, "tokenizer.json", fill_tokenizer));
    DYNO_TRY(write_file(folder, "tokenizer_config.json", fill_tokenizer_config));
    DYNO_TRY(write_file(folder, "generation_config.json", fill_generation));
    return write_file(folder, "config.json", fill_config);
}

/* *is_new: there was none. */
static dyno_status make_folder(const char *path, bool *is_new, struct dyno_error *error)
{
    static const char *const files[] = {"config.json", "model.safetensors",
                                        "model.safetensors.index.json"};
    char quoted[DYNO_QUOTE_MAX];
    struct stat about;
    char *inside;

    *is_new = mkdir(path, 0777) == 0;
    if (!*is_new && errno != EEXIST) {
        return dyno_fail(error, DYNO_IO, "cannot make the folder %s: %s", dyno_quote(quoted, path),
                         strerror(errno));
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int exists;

        if (asprintf(&inside, "%s/%s", path, files[i]) < 0) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
        }
        exists = stat(inside, &about) == 0;
        free(inside);
        if (exists) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s holds a %s already; give a folder without a model",
                             dyno_quote(quoted, path), files[i]);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_random_write_folder(const struct dyno_random_model *model, const char *path,
                                     struct dyno_error *error)
{
    struct folder folder = {.model = model, .path = path, .error = error};
    enum dyno_weights_family family;
    dyno_status status;

    DYNO_TRY(dyno_random_check(model, &folder.family, error));
    if (model->element == DYNO_ELEMENT_Q8_0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "safetensors have no q8_0; write a .gguf file, or another type");
    }
    DYNO_TRY(make_folder(path, &folder.is_new, error));
    family = strcmp(folder.family, "gpt2") == 0      ? DYNO_FAMILY_GPT2
             : strcmp(folder.family, "mixtral") == 0 ? DYNO_FAMILY_MIXTRAL
                                                     : DYNO_FAMILY_LLAMA;
    DYNO_TRY(dyno_random_plan_make(&folder.plan, model, dyno_folder_names(family), false, error));
    status = write_all(&folder);
    if (status != DYNO_OK) {
        remove_written(&folder);
    }
    free(folder.written);
    free(folder.shard_of);
    dyno_random_plan_release(&folder.plan);
    return status;
}
