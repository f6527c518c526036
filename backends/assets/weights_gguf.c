/* A GGUF file: configuration from its metadata, tensors by llama.cpp's names.
 *
 * Keys and names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and llama.cpp's
 * gguf-py/gguf/constants.py.  The converters of the architecture "llama" (Llama, Mistral, Mixtral)
 * reorder the rows of the query and key matrices so that rotary pairs are adjacent; those of Qwen
 * leave them half-split.  Experts' weights of both are scaled to sum 1 in llama.cpp, without a key.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/rope_table.h"
#include "backends/assets/weights_parts.h"
#include "core/base/words.h"
#include "kernels/rope.h"

enum { KEY_MAX = 96 };

static const struct architecture {
    const char *name;
    enum dyno_rope_pairs pairs;
    bool qk_norm;
} architectures[] = {
    {"llama", DYNO_ROPE_ADJACENT, false},  {"qwen2", DYNO_ROPE_HALF_SPLIT, false},
    {"qwen3", DYNO_ROPE_HALF_SPLIT, true}, {"qwen3moe", DYNO_ROPE_HALF_SPLIT, true},
    {"gpt2", DYNO_ROPE_NONE, false},
};

#define GGUF_NAMES                                                                                 \
    .prefix = "", .embedding = "token_embd", .positions = "position_embd",                         \
    .final_norm = "output_norm", .logits = "output", .layers = "blk.",                             \
    .attention_norm = "attn_norm", .query = "attn_q", .key = "attn_k", .value = "attn_v",          \
    .output = "attn_output", .query_norm = "attn_q_norm", .key_norm = "attn_k_norm",               \
    .mlp_norm = "ffn_norm", .gate = "ffn_gate", .up = "ffn_up", .down = "ffn_down",                \
    .router = "ffn_gate_inp", .expert_gate = "ffn_gate_exps", .expert_up = "ffn_up_exps",          \
    .expert_down = "ffn_down_exps", .stacked = true

static const struct dyno_tensor_names names_of[] = {
    [DYNO_ROPE_NONE] = {GGUF_NAMES, .joint = "attn_qkv"},
    [DYNO_ROPE_HALF_SPLIT] = {GGUF_NAMES},
    [DYNO_ROPE_ADJACENT] = {GGUF_NAMES, .paired = true},
};

const struct dyno_tensor_names *dyno_gguf_names(enum dyno_rope_pairs pairs)
{
    return &names_of[pairs];
}

struct reader {
    struct dyno_opening *opening;
    struct dyno_gguf gguf;
    const struct architecture *architecture;
    struct dyno_error *error;
};

static bool has(const struct reader *reader, const char *name)
{
    return dyno_tensors_find(&reader->opening->tensors, name) != NULL;
}

/* "llama.block_count". */
static const char *key_of(char out[KEY_MAX], const struct reader *reader, const char *part)
{
    (void)snprintf(out, KEY_MAX, "%s.%s", reader->architecture->name, part);
    return out;
}

static dyno_status read_u32(const struct reader *reader, const char *part, uint32_t max,
                            int64_t fallback, uint32_t *out)
{
    char key[KEY_MAX];

    return dyno_gguf_u32(&reader->gguf, key_of(key, reader, part), 1, max, fallback, out,
                         reader->error);
}

static dyno_status read_positive(const struct reader *reader, const char *part, double fallback,
                                 double *out)
{
    char key[KEY_MAX], path[DYNO_QUOTE_MAX];

    DYNO_TRY(
        dyno_gguf_double(&reader->gguf, key_of(key, reader, part), fallback, out, reader->error));
    if (*out <= 0) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "%s: \"%s\" is %g where more than 0 is expected",
                         dyno_quote(path, reader->opening->path), key, *out);
    }
    return DYNO_OK;
}

static dyno_status find_architecture(struct reader *reader)
{
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];
    struct dyno_gguf_text text;

    DYNO_TRY(dyno_gguf_string(&reader->gguf, "general.architecture", &text, reader->error));
    for (size_t i = 0; i < sizeof architectures / sizeof architectures[0]; i++) {
        if (dyno_gguf_text_is(text, architectures[i].name)) {
            reader->architecture = &architectures[i];
            return DYNO_OK;
        }
    }
    (void)snprintf(name, sizeof(name), "%.*s", text.size < 64 ? (int)text.size : 64,
                   text.bytes ? text.bytes : "");
    return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                     "%s: \"general.architecture\" is %s; llama, qwen2, qwen3, qwen3moe and gpt2 "
                     "are computed",
                     dyno_quote(path, reader->opening->path), dyno_quote(quoted, name));
}

/* The vocabulary is as large as the embedding. */
static dyno_status read_vocab(const struct reader *reader, struct dyno_model *model)
{
    const struct dyno_tensor *embedding =
        dyno_tensors_find(&reader->opening->tensors, "token_embd.weight");
    char path[DYNO_QUOTE_MAX];

    if (!embedding || embedding->rank != 2 || embedding->shape[0] < 1 ||
        embedding->shape[0] > 1 << 24) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "%s needs a tensor 'token_embd.weight' of two dimensions, one row a token",
                         dyno_quote(path, reader->opening->path));
    }
    model->vocab = (uint32_t)embedding->shape[0];
    return DYNO_OK;
}

static dyno_status read_experts(const struct reader *reader, struct dyno_model *model)
{
    char key[KEY_MAX];

    DYNO_TRY(dyno_gguf_u32(&reader->gguf, key_of(key, reader, "expert_count"), 0, 65536, 0,
                           &model->experts, reader->error));
    if (model->experts == 0) {
        model->dense_layers = model->layers;
        return DYNO_OK;
    }
    DYNO_TRY(read_u32(reader, "expert_used_count", model->experts, DYNO_GGUF_REQUIRED,
                      &model->experts_per_token));
    return read_u32(reader, "expert_feed_forward_length", 1 << 20, model->intermediate,
                    &model->expert_intermediate);
}

static dyno_status read_shapes(const struct reader *reader, struct dyno_model *model)
{
    const int64_t required = DYNO_GGUF_REQUIRED;
    char path[DYNO_QUOTE_MAX];
    uint32_t value_dim;

    DYNO_TRY(read_u32(reader, "block_count", 4096, required, &model->layers));
    DYNO_TRY(read_u32(reader, "embedding_length", 1 << 20, required, &model->hidden));
    DYNO_TRY(read_u32(reader, "attention.head_count", 8192, required, &model->heads));
    DYNO_TRY(
        read_u32(reader, "attention.head_count_kv", model->heads, model->heads, &model->kv_heads));
    DYNO_TRY(read_u32(reader, "attention.key_length", 8192, model->hidden / model->heads,
                      &model->head_dim));
    DYNO_TRY(read_u32(reader, "attention.value_length", 8192, model->head_dim, &value_dim));
    if (value_dim != model->head_dim) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s: heads of %" PRIu32 " for keys and %" PRIu32
                         " for values are not computed",
                         dyno_quote(path, reader->opening->path), model->head_dim, value_dim);
    }
    DYNO_TRY(read_u32(reader, "context_length", 1 << 30, required, &model->context_max));
    DYNO_TRY(read_u32(reader, "feed_forward_length", 1 << 20, required, &model->intermediate));
    DYNO_TRY(read_vocab(reader, model));
    return read_experts(reader, model);
}

/* What the tensors themselves say. */
static void read_presence(const struct reader *reader, struct dyno_model *model)
{
    bool is_gpt2 = reader->architecture->pairs == DYNO_ROPE_NONE;

    model->tied_embeddings = !has(reader, "output.weight");
    model->gated_mlp = !is_gpt2;
    model->positions = is_gpt2 ? model->context_max : 0;
    model->qkv_bias = has(reader, "blk.0.attn_q.bias") || has(reader, "blk.0.attn_qkv.bias");
    model->output_bias = has(reader, "blk.0.attn_output.bias");
    model->mlp_bias = has(reader, "blk.0.ffn_down.bias");
    model->norm_bias = is_gpt2;
    model->qk_norm = reader->architecture->qk_norm;
}

static void name_model(const struct reader *reader, struct dyno_model *model)
{
    const char *slash = strrchr(reader->opening->path, '/');
    struct dyno_gguf_text text = {0};

    if (dyno_gguf_string(&reader->gguf, "general.name", &text, NULL) == DYNO_OK && text.bytes &&
        text.size > 0 && text.size < sizeof(model->name)) {
        memcpy(model->name, text.bytes, (size_t)text.size);
        model->name[text.size] = '\0';
    }
    if (!model->name[0] || strlen(model->name) != text.size || !dyno_text_is_clean(model->name)) {
        (void)snprintf(model->name, sizeof(model->name), "%s",
                       slash ? slash + 1 : reader->opening->path);
    }
    if (!model->name[0] || !dyno_text_is_clean(model->name)) {
        (void)snprintf(model->name, sizeof(model->name), "GGUF");
    }
}

/* What llama.cpp multiplies the scores with, or what changes the rule, is not computed. */
static dyno_status refuse_yarn_strangers(const struct reader *reader)
{
    static const struct {
        const char *part;
        double computed;
    } strangers[] = {{"rope.scaling.yarn_ext_factor", 1},
                     {"rope.scaling.yarn_log_multiplier", 0},
                     {"rope.scaling.yarn_attn_factor", 1}};
    char key[KEY_MAX], path[DYNO_QUOTE_MAX];
    double value;

    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        DYNO_TRY(dyno_gguf_double(&reader->gguf, key_of(key, reader, strangers[i].part),
                                  strangers[i].computed, &value, reader->error));
        if (value != strangers[i].computed) {
            return dyno_fail(
                reader->error, DYNO_UNSUPPORTED, "%s: \"%s\" is %g; what is computed is %g",
                dyno_quote(path, reader->opening->path), key, value, strangers[i].computed);
        }
    }
    return DYNO_OK;
}

/* As llama.cpp: "attn_factor" times the paper's length, and a context that is not said is the
 * model's. */
static dyno_status read_yarn(const struct reader *reader, uint32_t *context, struct dyno_rope *rope)
{
    double factor;

    rope->scaling = DYNO_ROPE_YARN;
    DYNO_TRY(read_positive(reader, "rope.scaling.factor", 1, &rope->factor));
    DYNO_TRY(read_u32(reader, "rope.scaling.original_context_length", DYNO_ROPE_CONTEXT_MAX,
                      *context, &rope->original_context));
    DYNO_TRY(read_positive(reader, "rope.scaling.yarn_beta_fast", DYNO_ROPE_BETA_FAST,
                           &rope->beta_fast));
    DYNO_TRY(read_positive(reader, "rope.scaling.yarn_beta_slow", DYNO_ROPE_BETA_SLOW,
                           &rope->beta_slow));
    DYNO_TRY(read_positive(reader, "rope.scaling.attn_factor", 1, &factor));
    DYNO_TRY(refuse_yarn_strangers(reader));
    rope->length = factor * dyno_rope_yarn_length(rope->factor, 1);
    DYNO_TRY(dyno_rope_check(rope, reader->opening->path, reader->error));
    return dyno_rope_stretch(context, rope->original_context, rope->factor, reader->opening->path,
                             reader->error);
}

static dyno_status read_scaling(const struct reader *reader, uint32_t *context,
                                struct dyno_rope *rope)
{
    char key[KEY_MAX], path[DYNO_QUOTE_MAX];
    struct dyno_gguf_text type;

    DYNO_TRY(dyno_gguf_string(&reader->gguf, key_of(key, reader, "rope.scaling.type"), &type,
                              reader->error));
    if (!type.bytes || dyno_gguf_text_is(type, "none")) {
        return DYNO_OK;
    }
    if (dyno_gguf_text_is(type, "yarn")) {
        return read_yarn(reader, context, rope);
    }
    if (!dyno_gguf_text_is(type, "linear")) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s: \"%s\" must be none, linear or yarn to be computed",
                         dyno_quote(path, reader->opening->path), key);
    }
    rope->scaling = DYNO_ROPE_LINEAR;
    return read_positive(reader, "rope.scaling.factor", 1, &rope->factor);
}

static dyno_status read_rope(const struct reader *reader, struct dyno_weights *weights)
{
    struct dyno_rope *rope = &weights->rope;
    char path[DYNO_QUOTE_MAX];
    uint32_t rotated;

    rope->pairs = reader->architecture->pairs;
    if (rope->pairs == DYNO_ROPE_NONE) {
        return DYNO_OK;
    }
    DYNO_TRY(read_positive(reader, "rope.freq_base", 1e4, &rope->theta));
    DYNO_TRY(read_u32(reader, "rope.dimension_count", 8192, weights->model.head_dim, &rotated));
    if (rotated != weights->model.head_dim) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s: rope.dimension_count is %" PRIu32 " of a head of %" PRIu32
                         "; only whole heads are rotated",
                         dyno_quote(path, reader->opening->path), rotated, weights->model.head_dim);
    }
    DYNO_TRY(read_scaling(reader, &weights->model.context_max, rope));
    if (has(reader, "rope_freqs.weight")) {
        if (rope->scaling != DYNO_ROPE_PLAIN) {
            return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                             "%s: 'rope_freqs.weight' and \"%s.rope.scaling.type\" are two "
                             "scalings; one is computed",
                             dyno_quote(path, reader->opening->path), reader->architecture->name);
        }
        rope->scaling = DYNO_ROPE_TABLE;
        return dyno_weights_vector(reader->opening, "rope_freqs.weight", rotated / 2,
                                   &rope->factors, reader->error);
    }
    return DYNO_OK;
}

static dyno_status read_config(const struct reader *reader, struct dyno_weights *weights)
{
    bool is_gpt2 = reader->architecture->pairs == DYNO_ROPE_NONE;
    struct dyno_model *model = &weights->model;
    char key[KEY_MAX], path[DYNO_QUOTE_MAX];

    name_model(reader, model);
    model->source = "the user's GGUF file";
    DYNO_TRY(read_shapes(reader, model));
    read_presence(reader, model);
    DYNO_TRY(dyno_gguf_u32(&reader->gguf, key_of(key, reader, "attention.sliding_window"), 0,
                           1 << 30, 0, &weights->window, reader->error));
    model->sliding_window = weights->window;
    model->sliding_layers = weights->window ? model->layers : 0;
    weights->layer_norm = is_gpt2;
    weights->activation = is_gpt2 ? DYNO_ACTIVATION_GELU_TANH : DYNO_ACTIVATION_SILU;
    weights->normalize_top_k = model->experts != 0;
    if (model->gated_mlp && model->mlp_bias) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s: 'blk.0.ffn_down.bias': a gated MLP with biases is not computed",
                         dyno_quote(path, reader->opening->path));
    }
    DYNO_TRY(read_positive(
        reader, is_gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5,
        &weights->norm_epsilon));
    DYNO_TRY(dyno_weights_check_shapes(reader->opening, reader->error));
    return read_rope(reader, weights);
}

static dyno_status read_tokens(const struct reader *reader, struct dyno_weights *weights)
{
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id"};
    uint32_t last = weights->model.vocab - 1, token;

    DYNO_TRY(dyno_gguf_u32(&reader->gguf, "tokenizer.ggml.bos_token_id", 0, last, UINT32_MAX,
                           &weights->bos, reader->error));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        DYNO_TRY(dyno_gguf_u32(&reader->gguf, ends[i], 0, last, UINT32_MAX, &token, reader->error));
        if (token != UINT32_MAX) {
            DYNO_TRY(dyno_weights_add_eos(weights, reader->opening->path, token, reader->error));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_weights_read_gguf(struct dyno_opening *opening, struct dyno_error *error)
{
    struct reader reader = {.opening = opening, .error = error};
    struct dyno_weights *weights = &opening->weights;

    DYNO_TRY(dyno_gguf_read(&reader.gguf, &opening->tensors, opening->path, error));
    DYNO_TRY(dyno_tensors_seal(&opening->tensors, error));
    DYNO_TRY(find_architecture(&reader));
    DYNO_TRY(read_config(&reader, weights));
    DYNO_TRY(read_tokens(&reader, weights));
    if (weights->model.experts) {
        /* Layers without a router are dense; binding finds them. */
        for (uint32_t layer = 0; layer < weights->model.layers; layer++) {
            char name[KEY_MAX];

            (void)snprintf(name, sizeof(name), "blk.%" PRIu32 ".ffn_gate_inp.weight", layer);
            weights->model.dense_layers += !has(&reader, name);
        }
    }
    return dyno_weights_bind(opening, dyno_gguf_names(reader.architecture->pairs), error);
}
