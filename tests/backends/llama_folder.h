/* A small Llama as a Hugging Face directory, for the tests that read it and those that break it. */
#ifndef DYNO_TESTS_BACKENDS_LLAMA_FOLDER_H
#define DYNO_TESTS_BACKENDS_LLAMA_FOLDER_H

#include "backends/assets/weights.h"
#include "tests/backends/model_files.h"

#define SHAPES                                                                                     \
    "\"num_hidden_layers\": 2, \"hidden_size\": 8, \"num_attention_heads\": 2,"                    \
    "\"num_key_value_heads\": 1, \"vocab_size\": 16, \"max_position_embeddings\": 32,"             \
    "\"intermediate_size\": 12"

#define LAYER(n)                                                                                   \
    {"model.layers." n ".input_layernorm.weight", 1, {8}},                                         \
        {"model.layers." n ".self_attn.q_proj.weight", 2, {8, 8}},                                 \
        {"model.layers." n ".self_attn.k_proj.weight", 2, {4, 8}},                                 \
        {"model.layers." n ".self_attn.v_proj.weight", 2, {4, 8}},                                 \
        {"model.layers." n ".self_attn.o_proj.weight", 2, {8, 8}},                                 \
        {"model.layers." n ".post_attention_layernorm.weight", 1, {8}},                            \
        {"model.layers." n ".mlp.gate_proj.weight", 2, {12, 8}},                                   \
        {"model.layers." n ".mlp.up_proj.weight", 2, {12, 8}},                                     \
    {                                                                                              \
        "model.layers." n ".mlp.down_proj.weight", 2,                                              \
        {                                                                                          \
            8, 12                                                                                  \
        }                                                                                          \
    }

static const struct tensor_plan llama[] = {
    {"model.embed_tokens.weight", 2, {16, 8}},
    LAYER("0"),
    LAYER("1"),
    {"model.norm.weight", 1, {8}},
    {"lm_head.weight", 2, {16, 8}},
};

enum { LLAMA_TENSORS = sizeof llama / sizeof llama[0] };

static inline void write_llama(enum dyno_element element)
{
    struct bytes header = {0}, data = {0};

    plan_safetensors(&header, &data, llama, LLAMA_TENSORS, element);
    write_safetensors("model.safetensors", &header, &data);
    release_bytes(&header);
    release_bytes(&data);
}

static const char plain_config[] = "{\"model_type\": \"llama\", " SHAPES "}";

static inline struct dyno_weights *open_folder(void)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_weights_open(&weights, model_folder, &error) == DYNO_OK, "%s", error.text);
    return weights;
}

static inline void refuse_folder(dyno_status status, const char *part)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_weights_open(&weights, model_folder, &error), status);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_ptr_null(weights);
}

static inline void write_part(const char *name, size_t first, size_t count)
{
    struct bytes header = {0}, data = {0};

    plan_safetensors(&header, &data, llama + first, count, DYNO_ELEMENT_F32);
    write_safetensors(name, &header, &data);
    release_bytes(&header);
    release_bytes(&data);
}

static inline void write_index(const char *last_file)
{
    struct bytes text = {0};

    put_word(&text, "{\"weight_map\": {");
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        put_word(&text, i ? ", \"" : "\"");
        put_word(&text, llama[i].name);
        put_word(&text, "\": \"");
        put_word(&text, i + 1 == LLAMA_TENSORS ? last_file
                        : i < 10               ? "a.safetensors"
                                               : "b.safetensors");
        put_word(&text, "\"");
    }
    put_word(&text, "}}");
    write_bytes("model.safetensors.index.json", text.data, text.size);
    release_bytes(&text);
}

#endif
