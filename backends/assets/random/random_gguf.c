/* A random model as one GGUF file that llama.cpp loads too.  Keys and tensor names are in the
 * comment of weights_gguf.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/random/output_file.h"
#include "backends/assets/random/random_parts.h"
#include "backends/assets/random/random_plan.h"
#include "backends/assets/random/random_tokens.h"
#include "core/base/words.h"
#include "kernels/rope.h"

enum { ALIGNMENT = 32, VERSION = 3, KEY_MAX = 96, TOKEN_NORMAL = 1, TOKEN_CONTROL = 3 };

struct writer {
    struct dyno_output_file file;
    const struct dyno_random_model *model;
    const char *architecture;
    struct dyno_random_plan plan;
    float *rope_factors; /* NULL: none */
    bool counting;       /* the first pass counts the keys, the second writes them */
    uint64_t keys;
    uint64_t bytes, bytes_total; /* of tensors */
    struct dyno_error *error;
};

static dyno_status put(struct writer *writer, const void *data, size_t size)
{
    return dyno_output_put(&writer->file, data, size);
}

static dyno_status put_u32(struct writer *writer, uint32_t value)
{
    return put(writer, &value, sizeof(value));
}

static dyno_status put_u64(struct writer *writer, uint64_t value)
{
    return put(writer, &value, sizeof(value));
}

static dyno_status put_text(struct writer *writer, const char *text, size_t size)
{
    DYNO_TRY(put_u64(writer, size));
    return put(writer, text, size);
}

/* Begin a key; true where its value is to follow.  A name that begins with a dot is the
 * architecture's. */
static bool begin_key(struct writer *writer, const char *name, enum dyno_gguf_type type,
                      dyno_status *status)
{
    char key[KEY_MAX];

    writer->keys++;
    if (writer->counting || *status != DYNO_OK) {
        return false;
    }
    (void)snprintf(key, sizeof(key), "%s%s", name[0] == '.' ? writer->architecture : "", name);
    *status = put_text(writer, key, strlen(key));
    if (*status == DYNO_OK) {
        *status = put_u32(writer, type);
    }
    return *status == DYNO_OK;
}

static void key_u32(struct writer *writer, const char *name, uint32_t value, dyno_status *status)
{
    if (begin_key(writer, name, DYNO_GGUF_U32, status)) {
        *status = put_u32(writer, value);
    }
}

static void key_float(struct writer *writer, const char *name, double value, dyno_status *status)
{
    float narrow = (float)value;

    if (begin_key(writer, name, DYNO_GGUF_F32, status)) {
        *status = put(writer, &narrow, sizeof(narrow));
    }
}

static void key_bool(struct writer *writer, const char *name, bool value, dyno_status *status)
{
    uint8_t byte = value;

    if (begin_key(writer, name, DYNO_GGUF_BOOL, status)) {
        *status = put(writer, &byte, sizeof(byte));
    }
}

static void key_text(struct writer *writer, const char *name, const char *value,
                     dyno_status *status)
{
    if (begin_key(writer, name, DYNO_GGUF_STRING, status)) {
        *status = put_text(writer, value, strlen(value));
    }
}

static bool begin_array(struct writer *writer, const char *name, enum dyno_gguf_type type,
                        uint64_t count, dyno_status *status)
{
    if (!begin_key(writer, name, DYNO_GGUF_ARRAY, status)) {
        return false;
    }
    *status = put_u32(writer, type);
    if (*status == DYNO_OK) {
        *status = put_u64(writer, count);
    }
    return *status == DYNO_OK;
}

static void put_tokens(struct writer *writer, dyno_status *status)
{
    uint32_t vocab = writer->model->shape.model.vocab;
    char token[DYNO_RANDOM_TOKEN_MAX];

    if (begin_array(writer, "tokenizer.ggml.tokens", DYNO_GGUF_STRING, vocab, status)) {
        for (uint32_t id = 0; id < vocab && *status == DYNO_OK; id++) {
            *status = put_text(writer, token, dyno_random_token(token, id, vocab));
        }
    }
    if (begin_array(writer, "tokenizer.ggml.token_type", DYNO_GGUF_I32, vocab, status)) {
        for (uint32_t id = 0; id < vocab && *status == DYNO_OK; id++) {
            *status = put_u32(writer, id + 1 == vocab ? TOKEN_CONTROL : TOKEN_NORMAL);
        }
    }
    (void)begin_array(writer, "tokenizer.ggml.merges", DYNO_GGUF_STRING, 0, status);
}

static void put_tokenizer(struct writer *writer, dyno_status *status)
{
    uint32_t end = writer->model->shape.model.vocab - 1;

    key_text(writer, "tokenizer.ggml.model", "gpt2", status);
    key_text(writer, "tokenizer.ggml.pre", "gpt-2", status);
    put_tokens(writer, status);
    key_u32(writer, "tokenizer.ggml.bos_token_id", end, status);
    key_u32(writer, "tokenizer.ggml.eos_token_id", end, status);
    key_bool(writer, "tokenizer.ggml.add_bos_token", false, status);
}

static void put_rope(struct writer *writer, dyno_status *status)
{
    const struct dyno_rope *rope = &writer->model->shape.rope;

    if (rope->pairs == DYNO_ROPE_NONE) {
        return;
    }
    key_u32(writer, ".rope.dimension_count", writer->model->shape.model.head_dim, status);
    key_float(writer, ".rope.freq_base", rope->theta, status);
    if (rope->scaling == DYNO_ROPE_LINEAR) {
        key_text(writer, ".rope.scaling.type", "linear", status);
        key_float(writer, ".rope.scaling.factor", rope->factor, status);
    }
    if (rope->scaling == DYNO_ROPE_YARN) {
        key_text(writer, ".rope.scaling.type", "yarn", status);
        key_float(writer, ".rope.scaling.factor", rope->factor, status);
        key_u32(writer, ".rope.scaling.original_context_length", rope->original_context, status);
        key_float(writer, ".rope.scaling.yarn_beta_fast", rope->beta_fast, status);
        key_float(writer, ".rope.scaling.yarn_beta_slow", rope->beta_slow, status);
        key_float(writer, ".rope.scaling.attn_factor",
                  rope->length / dyno_rope_yarn_length(rope->factor, 1), status);
    }
}

static void put_experts(struct writer *writer, dyno_status *status)
{
    const struct dyno_model *model = &writer->model->shape.model;

    if (model->experts) {
        key_u32(writer, ".expert_count", model->experts, status);
        key_u32(writer, ".expert_used_count", model->experts_per_token, status);
        key_u32(writer, ".expert_feed_forward_length", model->expert_intermediate, status);
    }
    key_u32(writer, ".feed_forward_length",
            model->experts ? model->expert_intermediate : model->intermediate, status);
}

/* ggml's numbers for "mostly" this type. */
static uint32_t file_type(enum dyno_element element)
{
    static const uint32_t numbers[DYNO_ELEMENTS] = {
        [DYNO_ELEMENT_F32] = 0,
        [DYNO_ELEMENT_F16] = 1,
        [DYNO_ELEMENT_Q8_0] = 7,
        [DYNO_ELEMENT_BF16] = 32,
    };

    return numbers[element];
}

static dyno_status put_keys(struct writer *writer)
{
    const struct dyno_weights *shape = &writer->model->shape;
    const struct dyno_model *model = &shape->model;
    dyno_status status = DYNO_OK;

    writer->keys = 0;
    key_text(writer, "general.architecture", writer->architecture, &status);
    key_text(writer, "general.name", model->name, &status);
    key_u32(writer, "general.file_type", file_type(writer->model->element), &status);
    key_u32(writer, "general.quantization_version", 2, &status);
    key_u32(writer, "general.alignment", ALIGNMENT, &status);
    key_u32(writer, ".vocab_size", model->vocab, &status);
    key_u32(writer, ".context_length", model->context_max, &status);
    key_u32(writer, ".embedding_length", model->hidden, &status);
    key_u32(writer, ".block_count", model->layers, &status);
    key_u32(writer, ".attention.head_count", model->heads, &status);
    key_u32(writer, ".attention.head_count_kv", model->kv_heads, &status);
    key_u32(writer, ".attention.key_length", model->head_dim, &status);
    key_u32(writer, ".attention.value_length", model->head_dim, &status);
    key_float(writer,
              shape->layer_norm ? ".attention.layer_norm_epsilon"
                                : ".attention.layer_norm_rms_epsilon",
              shape->norm_epsilon, &status);
    if (shape->window) {
        key_u32(writer, ".attention.sliding_window", shape->window, &status);
    }
    put_experts(writer, &status);
    put_rope(writer, &status);
    put_tokenizer(writer, &status);
    return status;
}

static uint32_t tensor_type(enum dyno_element element)
{
    static const uint32_t numbers[DYNO_ELEMENTS] = {
        [DYNO_ELEMENT_F32] = 0,
        [DYNO_ELEMENT_F16] = 1,
        [DYNO_ELEMENT_Q8_0] = 8,
        [DYNO_ELEMENT_BF16] = 30,
    };

    return numbers[element];
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static dyno_status put_list(struct writer *writer)
{
    uint64_t offset = 0, shape[3];

    for (size_t i = 0; i < writer->plan.count; i++) {
        const struct dyno_planned_tensor *tensor = &writer->plan.tensors[i];
        uint32_t rank = dyno_planned_shape(tensor, shape);

        DYNO_TRY(put_text(writer, tensor->name, strlen(tensor->name)));
        DYNO_TRY(put_u32(writer, rank));
        for (uint32_t j = rank; j-- > 0;) {
            DYNO_TRY(put_u64(writer, shape[j]));
        }
        DYNO_TRY(put_u32(writer, tensor_type(tensor->element)));
        DYNO_TRY(put_u64(writer, offset));
        offset += aligned(dyno_planned_bytes(tensor));
    }
    writer->bytes_total = offset;
    return dyno_output_align(&writer->file, ALIGNMENT);
}

static dyno_status put_tensor_bytes(void *context, const void *data, size_t size)
{
    struct writer *writer = context;

    DYNO_TRY(put(writer, data, size));
    return dyno_random_wrote(writer->model, size, &writer->bytes, writer->bytes_total,
                             writer->error);
}

static dyno_status put_tensors(struct writer *writer)
{
    for (size_t i = 0; i < writer->plan.count; i++) {
        DYNO_TRY(dyno_planned_write(&writer->plan, &writer->plan.tensors[i], put_tensor_bytes,
                                    writer, writer->error));
        DYNO_TRY(dyno_output_align(&writer->file, ALIGNMENT));
    }
    return DYNO_OK;
}

static dyno_status put_all(struct writer *writer)
{
    writer->counting = true;
    DYNO_TRY(put_keys(writer));
    writer->counting = false;
    DYNO_TRY(put(writer, "GGUF", 4));
    DYNO_TRY(put_u32(writer, VERSION));
    DYNO_TRY(put_u64(writer, writer->plan.count));
    DYNO_TRY(put_u64(writer, writer->keys));
    DYNO_TRY(put_keys(writer));
    DYNO_TRY(put_list(writer));
    return put_tensors(writer);
}

/* llama3's scaling is a tensor of divisors, one a pair. */
static dyno_status add_rope_factors(struct writer *writer)
{
    const struct dyno_rope *rope = &writer->model->shape.rope;
    uint32_t head_dim = writer->model->shape.model.head_dim;
    struct dyno_planned_tensor *tensor;

    if (rope->scaling != DYNO_ROPE_LLAMA3) {
        return DYNO_OK;
    }
    writer->rope_factors = malloc(head_dim / 2 * sizeof(float));
    tensor = dyno_random_plan_add(&writer->plan);
    if (!writer->rope_factors || !tensor) {
        return dyno_fail(writer->error, DYNO_NO_MEMORY, "no memory for a model's rotary factors");
    }
    for (uint32_t i = 0; i < head_dim / 2; i++) {
        writer->rope_factors[i] = (float)dyno_rope_divisor(rope, head_dim, i);
    }
    (void)snprintf(tensor->name, sizeof(tensor->name), "rope_freqs.weight");
    tensor->element = DYNO_ELEMENT_F32;
    tensor->rows = head_dim / 2;
    tensor->values = writer->rope_factors;
    return DYNO_OK;
}

static dyno_status write_planned(struct writer *writer, const char *path)
{
    dyno_status status;

    DYNO_TRY(add_rope_factors(writer));
    DYNO_TRY(dyno_output_open(&writer->file, path, writer->error));
    status = put_all(writer);
    if (status != DYNO_OK) {
        dyno_output_abandon(&writer->file);
        return status;
    }
    return dyno_output_finish(&writer->file);
}

/* llama.cpp's names: Mistral and Mixtral are llama. */
static const char *architecture_of(const char *family)
{
    static const char *const same[] = {"qwen2", "qwen3", "gpt2"};

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (strcmp(same[i], family) == 0) {
            return same[i];
        }
    }
    return strcmp(family, "qwen3_moe") == 0 ? "qwen3moe" : "llama";
}

static dyno_status check_absent(const char *path, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return access(path, F_OK) == 0
               ? dyno_fail(error, DYNO_BAD_INPUT,
                           "%s is there already; give a file that is not, or remove it",
                           dyno_quote(quoted, path))
               : DYNO_OK;
}

dyno_status dyno_random_write_gguf(const struct dyno_random_model *model, const char *path,
                                   struct dyno_error *error)
{
    struct writer writer = {.model = model, .error = error};
    enum dyno_rope_pairs pairs = model->shape.rope.pairs;
    const char *family = NULL;
    dyno_status status;

    DYNO_TRY(dyno_random_check(model, &family, error));
    if (model->shape.rope.scaling == DYNO_ROPE_YARN && model->shape.rope.exact) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "GGUF has no way to say that YaRN's bounds are not rounded (\"truncate\": "
                         "false); write a folder");
    }
    DYNO_TRY(check_absent(path, error));
    writer.architecture = architecture_of(family);
    if (strcmp(writer.architecture, "llama") == 0) {
        pairs = DYNO_ROPE_ADJACENT;
    }
    DYNO_TRY(dyno_random_plan_make(&writer.plan, model, dyno_gguf_names(pairs), true, error));
    status = write_planned(&writer, path);
    free(writer.rope_factors);
    dyno_random_plan_release(&writer.plan);
    return status;
}
