/* Hugging Face directories: what is read, and each way in which one can be wrong. */
#include "backends/assets/weights.h"

#include "tests/backends/model_files.h"

#include "tests/check_main.h"

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

static void write_llama(enum dyno_element element)
{
    struct bytes header = {0}, data = {0};

    plan_safetensors(&header, &data, llama, LLAMA_TENSORS, element);
    write_safetensors("model.safetensors", &header, &data);
    release_bytes(&header);
    release_bytes(&data);
}

static struct dyno_weights *open_folder(void)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_weights_open(&weights, model_folder, &error) == DYNO_OK, "%s", error.text);
    return weights;
}

static float matrix_at(const struct dyno_matrix *matrix, uint32_t row, uint32_t column)
{
    const uint8_t *data = matrix->data;
    size_t at = (size_t)row * matrix->columns + column;
    uint16_t half;
    float value;

    if (matrix->element == DYNO_ELEMENT_F32) {
        memcpy(&value, data + at * 4, sizeof(value));
        return value;
    }
    memcpy(&half, data + at * 2, sizeof(half));
    return matrix->element == DYNO_ELEMENT_F16 ? dyno_half_to_float(half)
                                               : dyno_bf16_to_float(half);
}

static void assert_matrix(const struct dyno_matrix *matrix, enum dyno_element element,
                          uint32_t rows, uint32_t columns, const char *name)
{
    ck_assert_int_eq((int)matrix->element, (int)element);
    ck_assert_uint_eq(matrix->rows, rows);
    ck_assert_uint_eq(matrix->columns, columns);
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t column = 0; column < columns; column++) {
            ck_assert_float_eq(matrix_at(matrix, row, column),
                               value_at(name, (uint64_t)row * columns + column));
        }
    }
}

static void assert_vector(const float *values, uint32_t count, const char *name)
{
    ck_assert_ptr_nonnull(values);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_float_eq(values[i], value_at(name, i));
    }
}

/* _i is the element type. */
START_TEST(a_llama_is_read_where_it_lies)
{
    enum dyno_element element = (enum dyno_element)_i;
    const struct dyno_layer_weights *layer;
    struct dyno_weights *weights;

    write_text("config.json", "{\"model_type\": \"llama\", " SHAPES
                              ", \"rms_norm_eps\": 1e-5, \"rope_theta\": 500000.0,"
                              "\"bos_token_id\": 1, \"eos_token_id\": [2, 3]}");
    write_text("generation_config.json", "{\"eos_token_id\": [3, 4]}");
    write_llama(element);
    weights = open_folder();
    layer = &weights->layers[1];
    assert_matrix(&weights->embedding, element, 16, 8, "model.embed_tokens.weight");
    assert_matrix(&weights->logits, element, 16, 8, "lm_head.weight");
    assert_vector(weights->final_norm, 8, "model.norm.weight");
    assert_vector(layer->attention_norm, 8, "model.layers.1.input_layernorm.weight");
    assert_vector(layer->mlp_norm, 8, "model.layers.1.post_attention_layernorm.weight");
    assert_matrix(&layer->query, element, 8, 8, "model.layers.1.self_attn.q_proj.weight");
    assert_matrix(&layer->key, element, 4, 8, "model.layers.1.self_attn.k_proj.weight");
    assert_matrix(&layer->value, element, 4, 8, "model.layers.1.self_attn.v_proj.weight");
    assert_matrix(&layer->output, element, 8, 8, "model.layers.1.self_attn.o_proj.weight");
    assert_matrix(&layer->gate, element, 12, 8, "model.layers.1.mlp.gate_proj.weight");
    assert_matrix(&layer->up, element, 12, 8, "model.layers.1.mlp.up_proj.weight");
    assert_matrix(&layer->down, element, 8, 12, "model.layers.1.mlp.down_proj.weight");
    ck_assert_ptr_null(layer->query_bias);
    ck_assert_ptr_null(layer->query_norm);
    ck_assert_int_eq((int)weights->rope.pairs, DYNO_ROPE_HALF_SPLIT);
    ck_assert_int_eq((int)weights->rope.scaling, DYNO_ROPE_PLAIN);
    ck_assert_double_eq(weights->rope.theta, 500000);
    ck_assert_double_eq(weights->norm_epsilon, 1e-5);
    ck_assert_uint_eq(weights->bos, 1);
    ck_assert_uint_eq(weights->eos_count, 3);
    ck_assert_uint_eq(weights->eos[2], 4);
    dyno_weights_close(weights);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("folder");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_add_loop_test(tcase, a_llama_is_read_where_it_lies, 0, 3);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/weights_folder", add_cases)
