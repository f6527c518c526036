/* Hugging Face directories: what is read of each family. */
#include "tests/backends/llama_folder.h"

#include "tests/check_main.h"

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

START_TEST(what_is_suggested_for_choosing_tokens_is_read)
{
    struct dyno_weights *weights;

    write_text("config.json", plain_config);
    write_llama(DYNO_ELEMENT_F32);
    weights = open_folder();
    ck_assert(!weights->sampling.temperature.given && !weights->sampling.top_k.given);
    dyno_weights_close(weights);
    write_text("generation_config.json",
               "{\"do_sample\": true, \"temperature\": 0.6, \"top_k\": 20, \"top_p\": 1, "
               "\"repetition_penalty\": 1.05, \"max_new_tokens\": 512}");
    weights = open_folder();
    ck_assert(weights->sampling.temperature.given && weights->sampling.top_k.given);
    ck_assert_double_eq(weights->sampling.temperature.value, 0.6);
    ck_assert_double_eq(weights->sampling.top_k.value, 20);
    ck_assert_double_eq(weights->sampling.top_p.value, 1);
    ck_assert_double_eq(weights->sampling.repetition.value, 1.05);
    ck_assert(!weights->sampling.min_p.given);
    dyno_weights_close(weights);
    write_text("generation_config.json", "{\"do_sample\": false, \"temperature\": 0.6}");
    weights = open_folder();
    ck_assert(weights->sampling.temperature.given);
    ck_assert_double_eq(weights->sampling.temperature.value, 0);
    dyno_weights_close(weights);
}
END_TEST

START_TEST(a_tied_model_may_carry_its_logits)
{
    struct dyno_weights *weights;

    write_text("config.json",
               "{\"model_type\": \"llama\", \"tie_word_embeddings\": true, " SHAPES "}");
    write_llama(DYNO_ELEMENT_F32);
    weights = open_folder();
    ck_assert_ptr_eq(weights->logits.data, weights->embedding.data);
    dyno_weights_close(weights);
}
END_TEST

/* The header's length decides where the tensors lie; floats at odd places are moved. */
START_TEST(tensors_at_odd_places_are_read)
{
    struct bytes header = {0}, data = {0};

    write_text("config.json", plain_config);
    plan_safetensors(&header, &data, llama, LLAMA_TENSORS, DYNO_ELEMENT_F32);
    for (int i = 0; i < 4; i++) {
        struct dyno_weights *weights;

        put_word(&header, " ");
        write_safetensors("model.safetensors", &header, &data);
        weights = open_folder();
        ck_assert_uint_eq((uintptr_t)weights->embedding.data % 4, 0);
        assert_matrix(&weights->embedding, DYNO_ELEMENT_F32, 16, 8, "model.embed_tokens.weight");
        assert_vector(weights->final_norm, 8, "model.norm.weight");
        dyno_weights_close(weights);
    }
    release_bytes(&header);
    release_bytes(&data);
}
END_TEST

START_TEST(a_model_in_parts_is_read)
{
    struct dyno_weights *weights;

    write_text("config.json", plain_config);
    write_part("a.safetensors", 0, 10);
    write_part("b.safetensors", 10, LLAMA_TENSORS - 10);
    write_index("b.safetensors");
    weights = open_folder();
    assert_matrix(&weights->logits, DYNO_ELEMENT_F32, 16, 8, "lm_head.weight");
    assert_matrix(&weights->embedding, DYNO_ELEMENT_F32, 16, 8, "model.embed_tokens.weight");
    dyno_weights_close(weights);
}
END_TEST

static struct tensor_plan moe_layer[] = {
    {"model.embed_tokens.weight", 2, {16, 8}},
    {"model.layers.0.input_layernorm.weight", 1, {8}},
    {"model.layers.0.self_attn.q_proj.weight", 2, {8, 8}},
    {"model.layers.0.self_attn.k_proj.weight", 2, {4, 8}},
    {"model.layers.0.self_attn.v_proj.weight", 2, {4, 8}},
    {"model.layers.0.self_attn.o_proj.weight", 2, {8, 8}},
    {"model.layers.0.post_attention_layernorm.weight", 1, {8}},
    {"model.norm.weight", 1, {8}},
    {"model.layers.0.block_sparse_moe.gate.weight", 2, {2, 8}},
    {"model.layers.0.block_sparse_moe.experts.0.w1.weight", 2, {12, 8}},
    {"model.layers.0.block_sparse_moe.experts.0.w2.weight", 2, {8, 12}},
    {"model.layers.0.block_sparse_moe.experts.0.w3.weight", 2, {12, 8}},
    {"model.layers.0.block_sparse_moe.experts.1.w1.weight", 2, {12, 8}},
    {"model.layers.0.block_sparse_moe.experts.1.w2.weight", 2, {8, 12}},
    {"model.layers.0.block_sparse_moe.experts.1.w3.weight", 2, {12, 8}},
};

#define MOE_SHAPES                                                                                 \
    "\"num_hidden_layers\": 1, \"hidden_size\": 8, \"num_attention_heads\": 2,"                    \
    "\"num_key_value_heads\": 1, \"vocab_size\": 16, \"max_position_embeddings\": 32,"             \
    "\"tie_word_embeddings\": true, \"num_experts_per_tok\": 1,"

static void write_plans(const struct tensor_plan *plans, size_t count)
{
    struct bytes header = {0}, data = {0};

    plan_safetensors(&header, &data, plans, count, DYNO_ELEMENT_F32);
    write_safetensors("model.safetensors", &header, &data);
    release_bytes(&header);
    release_bytes(&data);
}

/* w1 is the gate, w2 leads down, w3 up. */
START_TEST(mixtral_is_read)
{
    const struct dyno_layer_weights *layer;
    struct dyno_weights *weights;

    write_text("config.json", "{\"model_type\": \"mixtral\", " MOE_SHAPES
                              "\"intermediate_size\": 12, \"num_local_experts\": 2}");
    write_plans(moe_layer, sizeof moe_layer / sizeof moe_layer[0]);
    weights = open_folder();
    layer = &weights->layers[0];
    ck_assert(weights->normalize_top_k);
    ck_assert_double_eq(weights->rope.theta, 1e6);
    ck_assert_double_eq(weights->norm_epsilon, 1e-5); /* unlike the others, where none is said */
    assert_matrix(&layer->router, DYNO_ELEMENT_F32, 2, 8, moe_layer[8].name);
    assert_matrix(&layer->expert_gate[1], DYNO_ELEMENT_F32, 12, 8, moe_layer[12].name);
    assert_matrix(&layer->expert_down[1], DYNO_ELEMENT_F32, 8, 12, moe_layer[13].name);
    assert_matrix(&layer->expert_up[1], DYNO_ELEMENT_F32, 12, 8, moe_layer[14].name);
    ck_assert_ptr_null(layer->gate.data);
    dyno_weights_close(weights);
}
END_TEST

#define EXPERT(n)                                                                                  \
    {"model.layers.1.mlp.experts." n ".gate_proj.weight", 2, {12, 8}},                             \
        {"model.layers.1.mlp.experts." n ".down_proj.weight", 2, {8, 12}},                         \
    {                                                                                              \
        "model.layers.1.mlp.experts." n ".up_proj.weight", 2,                                      \
        {                                                                                          \
            12, 8                                                                                  \
        }                                                                                          \
    }

static const struct tensor_plan qwen3_moe[] = {
    {"model.embed_tokens.weight", 2, {16, 8}},
    LAYER("0"),
    {"model.layers.0.self_attn.q_norm.weight", 1, {4}},
    {"model.layers.0.self_attn.k_norm.weight", 1, {4}},
    {"model.layers.1.input_layernorm.weight", 1, {8}},
    {"model.layers.1.self_attn.q_proj.weight", 2, {8, 8}},
    {"model.layers.1.self_attn.k_proj.weight", 2, {4, 8}},
    {"model.layers.1.self_attn.v_proj.weight", 2, {4, 8}},
    {"model.layers.1.self_attn.o_proj.weight", 2, {8, 8}},
    {"model.layers.1.self_attn.q_norm.weight", 1, {4}},
    {"model.layers.1.self_attn.k_norm.weight", 1, {4}},
    {"model.layers.1.post_attention_layernorm.weight", 1, {8}},
    {"model.layers.1.mlp.gate.weight", 2, {2, 8}},
    EXPERT("0"),
    EXPERT("1"),
    {"model.norm.weight", 1, {8}},
};

/* Layer 0 has no experts, layer 1 has two. */
START_TEST(qwen3_moe_is_read)
{
    struct dyno_weights *weights;

    write_text("config.json",
               "{\"model_type\": \"qwen3_moe\", \"num_hidden_layers\": 2, \"hidden_size\": 8,"
               "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 4,"
               "\"vocab_size\": 16, \"max_position_embeddings\": 32,"
               "\"tie_word_embeddings\": true, \"num_experts_per_tok\": 1,"
               "\"intermediate_size\": 12, \"moe_intermediate_size\": 12, \"num_experts\": 2,"
               "\"mlp_only_layers\": [0], \"norm_topk_prob\": true}");
    write_plans(qwen3_moe, sizeof qwen3_moe / sizeof qwen3_moe[0]);
    weights = open_folder();
    ck_assert(weights->normalize_top_k);
    ck_assert_ptr_null(weights->layers[0].router.data);
    assert_matrix(&weights->layers[0].gate, DYNO_ELEMENT_F32, 12, 8,
                  "model.layers.0.mlp.gate_proj.weight");
    assert_vector(weights->layers[1].query_norm, 4, "model.layers.1.self_attn.q_norm.weight");
    assert_matrix(&weights->layers[1].router, DYNO_ELEMENT_F32, 2, 8,
                  "model.layers.1.mlp.gate.weight");
    assert_matrix(&weights->layers[1].expert_down[1], DYNO_ELEMENT_F32, 8, 12,
                  "model.layers.1.mlp.experts.1.down_proj.weight");
    dyno_weights_close(weights);
}
END_TEST

/* With and without the prefix; matrices lie as [in][out]. */
START_TEST(gpt2_is_transposed_and_parted)
{
    static const char *const prefixes[] = {"", "transformer."};
    static const struct tensor_plan plain[] = {
        {"wte.weight", 2, {16, 8}},
        {"wpe.weight", 2, {32, 8}},
        {"h.0.ln_1.weight", 1, {8}},
        {"h.0.ln_1.bias", 1, {8}},
        {"h.0.attn.c_attn.weight", 2, {8, 24}},
        {"h.0.attn.c_attn.bias", 1, {24}},
        {"h.0.attn.c_proj.weight", 2, {8, 8}},
        {"h.0.attn.c_proj.bias", 1, {8}},
        {"h.0.ln_2.weight", 1, {8}},
        {"h.0.ln_2.bias", 1, {8}},
        {"h.0.mlp.c_fc.weight", 2, {8, 32}},
        {"h.0.mlp.c_fc.bias", 1, {32}},
        {"h.0.mlp.c_proj.weight", 2, {32, 8}},
        {"h.0.mlp.c_proj.bias", 1, {8}},
        {"ln_f.weight", 1, {8}},
        {"ln_f.bias", 1, {8}},
        {"h.0.attn.bias", 2, {32, 32}},
    };
    enum { COUNT = sizeof plain / sizeof plain[0] };
    struct tensor_plan plans[COUNT];
    char names[COUNT][64], joint[64];
    const struct dyno_layer_weights *layer;
    struct dyno_weights *weights;

    for (size_t i = 0; i < COUNT; i++) {
        plans[i] = plain[i];
        (void)snprintf(names[i], sizeof names[i], "%s%s", prefixes[_i], plain[i].name);
        plans[i].name = names[i];
    }
    (void)snprintf(joint, sizeof joint, "%sh.0.attn.c_attn.weight", prefixes[_i]);
    write_text("config.json", "{\"model_type\": \"gpt2\", \"n_layer\": 1, \"n_embd\": 8,"
                              "\"n_head\": 2, \"n_positions\": 32, \"vocab_size\": 16}");
    write_plans(plans, COUNT);
    weights = open_folder();
    layer = &weights->layers[0];
    ck_assert_int_eq((int)weights->rope.pairs, DYNO_ROPE_NONE);
    ck_assert(weights->layer_norm);
    for (uint32_t row = 0; row < 8; row++) {
        for (uint32_t column = 0; column < 8; column++) {
            ck_assert_float_eq(matrix_at(&layer->query, row, column),
                               value_at(joint, column * 24 + row));
            ck_assert_float_eq(matrix_at(&layer->key, row, column),
                               value_at(joint, column * 24 + 8 + row));
            ck_assert_float_eq(matrix_at(&layer->value, row, column),
                               value_at(joint, column * 24 + 16 + row));
        }
    }
    ck_assert_float_eq(matrix_at(&layer->up, 31, 7), value_at(names[10], 7 * 32 + 31));
    ck_assert_float_eq(matrix_at(&layer->down, 7, 31), value_at(names[12], 31 * 8 + 7));
    ck_assert_float_eq(layer->value_bias[3], value_at(names[5], 19));
    assert_vector(layer->mlp_norm_bias, 8, names[9]);
    assert_matrix(&weights->positions, DYNO_ELEMENT_F32, 32, 8, names[1]);
    dyno_weights_close(weights);
}
END_TEST

/* GPT2LMHeadModel's logits stand beside its "transformer.", not in it. */
START_TEST(gpt2_may_have_logits_of_its_own)
{
    static const struct tensor_plan plans[] = {
        {"transformer.wte.weight", 2, {16, 8}},
        {"transformer.wpe.weight", 2, {32, 8}},
        {"transformer.h.0.ln_1.weight", 1, {8}},
        {"transformer.h.0.ln_1.bias", 1, {8}},
        {"transformer.h.0.attn.c_attn.weight", 2, {8, 24}},
        {"transformer.h.0.attn.c_attn.bias", 1, {24}},
        {"transformer.h.0.attn.c_proj.weight", 2, {8, 8}},
        {"transformer.h.0.attn.c_proj.bias", 1, {8}},
        {"transformer.h.0.ln_2.weight", 1, {8}},
        {"transformer.h.0.ln_2.bias", 1, {8}},
        {"transformer.h.0.mlp.c_fc.weight", 2, {8, 32}},
        {"transformer.h.0.mlp.c_fc.bias", 1, {32}},
        {"transformer.h.0.mlp.c_proj.weight", 2, {32, 8}},
        {"transformer.h.0.mlp.c_proj.bias", 1, {8}},
        {"transformer.ln_f.weight", 1, {8}},
        {"transformer.ln_f.bias", 1, {8}},
        {"lm_head.weight", 2, {16, 8}},
    };
    struct dyno_weights *weights;

    write_text("config.json", "{\"model_type\": \"gpt2\", \"n_layer\": 1, \"n_embd\": 8,"
                              "\"n_head\": 2, \"n_positions\": 32, \"vocab_size\": 16,"
                              "\"tie_word_embeddings\": false}");
    write_plans(plans, sizeof plans / sizeof plans[0]);
    weights = open_folder();
    assert_matrix(&weights->logits, DYNO_ELEMENT_F32, 16, 8, "lm_head.weight");
    assert_matrix(&weights->embedding, DYNO_ELEMENT_F32, 16, 8, "transformer.wte.weight");
    dyno_weights_close(weights);
}
END_TEST

START_TEST(rope_scaling_is_read_in_each_of_its_spellings)
{
    struct dyno_weights *weights;

    write_llama(DYNO_ELEMENT_F32);
    write_text("config.json", "{\"model_type\": \"llama\", " SHAPES
                              ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0,"
                              "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
                              "\"original_max_position_embeddings\": 8192}}");
    weights = open_folder();
    ck_assert_int_eq((int)weights->rope.scaling, DYNO_ROPE_LLAMA3);
    ck_assert_double_eq(weights->rope.factor, 8);
    ck_assert_double_eq(weights->rope.high_freq_factor, 4);
    ck_assert_uint_eq(weights->rope.original_context, 8192);
    dyno_weights_close(weights);
    write_text("config.json", "{\"model_type\": \"llama\", " SHAPES
                              ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}");
    weights = open_folder();
    ck_assert_int_eq((int)weights->rope.scaling, DYNO_ROPE_LINEAR);
    ck_assert_double_eq(weights->rope.theta, 10000);
    dyno_weights_close(weights);
    write_text("config.json", "{\"model_type\": \"llama\", " SHAPES
                              ", \"rope_parameters\": {\"rope_type\": \"default\","
                              "\"rope_theta\": 30000}}");
    weights = open_folder();
    ck_assert_int_eq((int)weights->rope.scaling, DYNO_ROPE_PLAIN);
    ck_assert_double_eq(weights->rope.theta, 30000);
    dyno_weights_close(weights);
}
END_TEST

START_TEST(a_window_is_for_all_layers_or_refused)
{
    struct dyno_weights *weights;

    write_llama(DYNO_ELEMENT_F32);
    write_text("config.json", "{\"model_type\": \"mistral\", " SHAPES ", \"sliding_window\": 7}");
    weights = open_folder();
    ck_assert_uint_eq(weights->window, 7);
    dyno_weights_close(weights);
    write_text("config.json", "{\"model_type\": \"qwen2\", " SHAPES
                              ", \"attention_bias\": false, \"sliding_window\": 7,"
                              "\"use_sliding_window\": true, \"max_window_layers\": 1}");
    refuse_folder(DYNO_UNSUPPORTED, "of some layers only");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("folder");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_llama_is_read_where_it_lies, 0, 3);
    tcase_add_test(tcase, what_is_suggested_for_choosing_tokens_is_read);
    tcase_add_test(tcase, a_tied_model_may_carry_its_logits);
    tcase_add_test(tcase, tensors_at_odd_places_are_read);
    tcase_add_test(tcase, a_model_in_parts_is_read);
    tcase_add_test(tcase, mixtral_is_read);
    tcase_add_test(tcase, qwen3_moe_is_read);
    tcase_add_loop_test(tcase, gpt2_is_transposed_and_parted, 0, 2);
    tcase_add_test(tcase, gpt2_may_have_logits_of_its_own);
    tcase_add_test(tcase, rope_scaling_is_read_in_each_of_its_spellings);
    tcase_add_test(tcase, a_window_is_for_all_layers_or_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/weights_folder", add_cases)
