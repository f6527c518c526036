/* config.json and GPU files: the built-in table from files, and input that is wrong. */
#include "backends/assets/assets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_main.h"

static char folder[sizeof P_tmpdir + 32];
static char file[sizeof folder + 32];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "%s/dyno-assets-XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/config.json", folder);
}

static void remove_folder(void)
{
    (void)unlink(file);
    (void)rmdir(folder);
}

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");

    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
}

static struct dyno_model load(const char *text)
{
    struct dyno_error error = {0};
    struct dyno_model model;

    write_file(text);
    ck_assert_msg(dyno_assets_model(&model, file, &error) == DYNO_OK, "%s", error.text);
    return model;
}

static void refuse(const char *text, dyno_status status, const char *part)
{
    struct dyno_error error = {0};
    struct dyno_model model = {.name = "untouched"};

    write_file(text);
    ck_assert_int_eq(dyno_assets_model(&model, file, &error), status);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_str_eq(model.name, "untouched");
}

#define LLAMA_SHAPES                                                                               \
    "\"num_hidden_layers\": 32, \"hidden_size\": 4096, \"num_attention_heads\": 32,"               \
    "\"num_key_value_heads\": 8, \"vocab_size\": 128256, \"max_position_embeddings\": 131072"

#define LLAMA "{\"model_type\": \"llama\", \"intermediate_size\": 14336, " LLAMA_SHAPES "}"

/* The figures of `name` in the table, with nothing but name and source differing. */
static void assert_is_built_in(const struct dyno_model *model, const char *name)
{
    const struct dyno_model *known = dyno_model_find(name);

    ck_assert_ptr_nonnull(known);
    ck_assert_uint_eq(dyno_model_parameters(model), dyno_model_parameters(known));
    ck_assert_uint_eq(dyno_model_parameters_active(model), dyno_model_parameters_active(known));
    ck_assert_uint_eq(dyno_model_weight_bytes(model, DYNO_INT4),
                      dyno_model_weight_bytes(known, DYNO_INT4));
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token(model, DYNO_BF16),
                      dyno_model_kv_bytes_per_token(known, DYNO_BF16));
    ck_assert_double_eq(dyno_model_flops_per_pair(model), dyno_model_flops_per_pair(known));
    ck_assert_double_eq(dyno_model_flops_per_token(model), dyno_model_flops_per_token(known));
    ck_assert_uint_eq(model->context_max, known->context_max);
}

START_TEST(llama_from_its_config_is_the_built_in_one)
{
    struct dyno_model model = load(LLAMA);

    assert_is_built_in(&model, "llama-3.1-8b");
    ck_assert_str_eq(model.source, "the user's config.json");
}
END_TEST

START_TEST(qwen3_ties_its_embeddings_and_norms_its_heads)
{
    struct dyno_model model =
        load("{\"model_type\": \"qwen3\", \"num_hidden_layers\": 28, \"hidden_size\": 1024,"
             "\"num_attention_heads\": 16, \"num_key_value_heads\": 8, \"head_dim\": 128,"
             "\"vocab_size\": 151936, \"max_position_embeddings\": 40960,"
             "\"intermediate_size\": 3072, \"tie_word_embeddings\": true,"
             "\"attention_bias\": false, \"sliding_window\": null,"
             "\"use_sliding_window\": false, \"max_window_layers\": 28}");

    assert_is_built_in(&model, "qwen3-0.6b");
}
END_TEST

START_TEST(qwen3_moe_from_its_config_is_the_built_in_one)
{
    struct dyno_model model =
        load("{\"model_type\": \"qwen3_moe\", \"num_hidden_layers\": 94, \"hidden_size\": 4096,"
             "\"num_attention_heads\": 64, \"num_key_value_heads\": 4, \"head_dim\": 128,"
             "\"vocab_size\": 151936, \"max_position_embeddings\": 40960,"
             "\"intermediate_size\": 12288, \"moe_intermediate_size\": 1536,"
             "\"num_experts\": 128, \"num_experts_per_tok\": 8, \"decoder_sparse_step\": 1,"
             "\"mlp_only_layers\": [], \"tie_word_embeddings\": false}");

    assert_is_built_in(&model, "qwen3-235b-a22b");
    ck_assert_uint_eq(model.dense_layers, 0);
}
END_TEST

START_TEST(mixtral_from_its_config_is_the_built_in_one)
{
    struct dyno_model model =
        load("{\"model_type\": \"mixtral\", \"num_hidden_layers\": 32, \"hidden_size\": 4096,"
             "\"num_attention_heads\": 32, \"num_key_value_heads\": 8, \"vocab_size\": 32000,"
             "\"max_position_embeddings\": 32768, \"intermediate_size\": 14336,"
             "\"num_local_experts\": 8, \"num_experts_per_tok\": 2, \"sliding_window\": null}");

    assert_is_built_in(&model, "mixtral-8x7b");
}
END_TEST

START_TEST(gpt_oss_from_its_config_is_the_built_in_one)
{
    struct dyno_model model =
        load("{\"model_type\": \"gpt_oss\", \"num_hidden_layers\": 36, \"hidden_size\": 2880,"
             "\"num_attention_heads\": 64, \"num_key_value_heads\": 8, \"head_dim\": 64,"
             "\"vocab_size\": 201088, \"max_position_embeddings\": 131072,"
             "\"intermediate_size\": 2880, \"num_local_experts\": 128, \"experts_per_token\": 4,"
             "\"sliding_window\": 128, \"attention_bias\": true}");

    assert_is_built_in(&model, "gpt-oss-120b");
    ck_assert_uint_eq(model.sliding_layers, 18);
}
END_TEST

START_TEST(deepseek_v3_from_its_config_is_the_built_in_one)
{
    struct dyno_model model =
        load("{\"model_type\": \"deepseek_v3\", \"num_hidden_layers\": 61, \"hidden_size\": 7168,"
             "\"num_attention_heads\": 128, \"num_key_value_heads\": 128, \"vocab_size\": 129280,"
             "\"max_position_embeddings\": 163840, \"intermediate_size\": 18432,"
             "\"moe_intermediate_size\": 2048, \"n_routed_experts\": 256, \"n_shared_experts\": 1,"
             "\"num_experts_per_tok\": 8, \"first_k_dense_replace\": 3, \"moe_layer_freq\": 1,"
             "\"q_lora_rank\": 1536, \"kv_lora_rank\": 512, \"qk_rope_head_dim\": 64,"
             "\"qk_nope_head_dim\": 128, \"v_head_dim\": 128, \"tie_word_embeddings\": false}");

    assert_is_built_in(&model, "deepseek-v3");
}
END_TEST

/* DeepSeek-V2-Lite, published as 15.7e9 parameters: queries are not compressed. */
START_TEST(deepseek_v2_lite_has_plain_queries)
{
    struct dyno_model model =
        load("{\"model_type\": \"deepseek_v2\", \"num_hidden_layers\": 27, \"hidden_size\": 2048,"
             "\"num_attention_heads\": 16, \"num_key_value_heads\": 16, \"vocab_size\": 102400,"
             "\"max_position_embeddings\": 163840, \"intermediate_size\": 10944,"
             "\"moe_intermediate_size\": 1408, \"n_routed_experts\": 64, \"n_shared_experts\": 2,"
             "\"num_experts_per_tok\": 6, \"first_k_dense_replace\": 1, \"moe_layer_freq\": 1,"
             "\"q_lora_rank\": null, \"kv_lora_rank\": 512, \"qk_rope_head_dim\": 64,"
             "\"qk_nope_head_dim\": 128, \"v_head_dim\": 128}");

    ck_assert_uint_eq(dyno_model_parameters(&model), 15706484224);
}
END_TEST

/* GPT-2 small: 124,439,808 parameters, as published. */
START_TEST(gpt2_has_names_of_its_own)
{
    struct dyno_model model = load("{\"model_type\": \"gpt2\", \"n_layer\": 12, \"n_embd\": 768,"
                                   "\"n_head\": 12, \"vocab_size\": 50257, \"n_positions\": 1024}");

    ck_assert_uint_eq(dyno_model_parameters(&model), 124439808);
    ck_assert_uint_eq(model.intermediate, 3072);
    ck_assert(!model.gated_mlp);
}
END_TEST

/* Qwen2.5-7B, published as 7,615,616,512 parameters: biases on q, k and v. */
START_TEST(qwen2_has_biases)
{
    struct dyno_model model =
        load("{\"model_type\": \"qwen2\", \"num_hidden_layers\": 28, \"hidden_size\": 3584,"
             "\"num_attention_heads\": 28, \"num_key_value_heads\": 4, \"vocab_size\": 152064,"
             "\"max_position_embeddings\": 131072, \"intermediate_size\": 18944}");

    ck_assert_uint_eq(dyno_model_parameters(&model), 7615616512);
}
END_TEST

/* Qwen1.5-MoE-A2.7B, published as 14,315,784,192 parameters: a gated shared expert. */
START_TEST(qwen2_moe_has_a_gated_shared_expert)
{
    struct dyno_model model =
        load("{\"model_type\": \"qwen2_moe\", \"num_hidden_layers\": 24, \"hidden_size\": 2048,"
             "\"num_attention_heads\": 16, \"num_key_value_heads\": 16, \"vocab_size\": 151936,"
             "\"max_position_embeddings\": 8192, \"intermediate_size\": 5632,"
             "\"moe_intermediate_size\": 1408, \"shared_expert_intermediate_size\": 5632,"
             "\"num_experts\": 60, \"num_experts_per_tok\": 4, \"decoder_sparse_step\": 1}");

    ck_assert_uint_eq(dyno_model_parameters(&model), 14315784192);
}
END_TEST

/* Mistral-7B-v0.1, published as 7,241,732,096 parameters; a window of 4,096 on every layer. */
START_TEST(mistral_has_a_window_on_every_layer)
{
    struct dyno_model model =
        load("{\"model_type\": \"mistral\", \"num_hidden_layers\": 32, \"hidden_size\": 4096,"
             "\"num_attention_heads\": 32, \"num_key_value_heads\": 8, \"vocab_size\": 32000,"
             "\"max_position_embeddings\": 32768, \"intermediate_size\": 14336,"
             "\"sliding_window\": 4096}");

    ck_assert_uint_eq(dyno_model_parameters(&model), 7241732096);
    ck_assert_uint_eq(model.sliding_layers, 32);
    ck_assert_uint_eq(dyno_model_full_layers(&model), 32); /* a long window counts as endless */
}
END_TEST

/* What transformers takes where a file leaves it out; null is said, and means none. */
START_TEST(what_is_left_out_is_as_in_transformers)
{
    struct dyno_model model =
        load("{\"model_type\": \"mistral\", " LLAMA_SHAPES ", \"intermediate_size\": 9}");

    ck_assert_uint_eq(model.sliding_window, 4096);
    ck_assert_uint_eq(model.sliding_layers, 32);
    model = load("{\"model_type\": \"mistral\", " LLAMA_SHAPES ", \"intermediate_size\": 9,"
                 "\"sliding_window\": null}");
    ck_assert_uint_eq(model.sliding_window, 0);
    model = load("{\"model_type\": \"qwen2\", " LLAMA_SHAPES ", \"intermediate_size\": 9,"
                 "\"use_sliding_window\": true}");
    ck_assert_uint_eq(model.sliding_window, 4096);
    ck_assert_uint_eq(model.sliding_layers, 4); /* of 32, from layer 28 on */
    model = load("{\"model_type\": \"qwen3\", \"num_hidden_layers\": 1, \"hidden_size\": 64,"
                 "\"num_attention_heads\": 4, \"vocab_size\": 9, \"intermediate_size\": 9,"
                 "\"max_position_embeddings\": 9}");
    ck_assert_uint_eq(model.head_dim, 128); /* and not 64 / 4 */
}
END_TEST

START_TEST(sparse_layers_are_counted)
{
    struct dyno_model model =
        load("{\"model_type\": \"qwen3_moe\", " LLAMA_SHAPES ", \"intermediate_size\": 100,"
             "\"moe_intermediate_size\": 50, \"num_experts\": 4, \"num_experts_per_tok\": 2,"
             "\"decoder_sparse_step\": 2, \"mlp_only_layers\": [1, 3, \"x\"]}");

    /* Layers 0, 2, ... are dense by step: 16; of the others, 1 and 3 by list. */
    ck_assert_uint_eq(model.dense_layers, 18);
}
END_TEST

START_TEST(a_directory_stands_for_the_config_inside)
{
    struct dyno_error error = {0};
    struct dyno_model model;

    write_file(LLAMA);
    ck_assert_int_eq(dyno_assets_model(&model, folder, &error), DYNO_OK);
    ck_assert_str_eq(model.name, strrchr(folder, '/') + 1);
}
END_TEST

START_TEST(names_and_paths_are_told_apart)
{
    ck_assert(dyno_assets_is_path("models/config.json"));
    ck_assert(dyno_assets_is_path("h20.yaml"));
    ck_assert(dyno_assets_is_path("./h20"));
    ck_assert(!dyno_assets_is_path("llama-3.1-8b"));
    ck_assert(!dyno_assets_is_path(".json"));
}
END_TEST

START_TEST(what_is_not_json_is_refused_with_line_and_column)
{
    refuse("{\n  \"model_type\": llama\n}", DYNO_BAD_INPUT, "line 2, column");
    refuse("", DYNO_BAD_INPUT, "line 1");
    refuse("[1, 2]", DYNO_BAD_INPUT, "no JSON object");
    refuse("{\"model_type\": \"llama\", \"model_type\": \"llama\"}", DYNO_BAD_INPUT, "line 1");
}
END_TEST

START_TEST(a_missing_key_is_named)
{
    refuse("{}", DYNO_BAD_INPUT, "\"model_type\" is missing");
    refuse("{\"model_type\": \"llama\"}", DYNO_BAD_INPUT,
           "\"num_hidden_layers\" is missing; it must be a whole number from 1 to 4096");
    refuse("{\"model_type\": \"llama\", " LLAMA_SHAPES "}", DYNO_BAD_INPUT,
           "\"intermediate_size\" is missing");
    refuse("{\"model_type\": \"llama\", " LLAMA_SHAPES ", \"intermediate_size\": null}",
           DYNO_BAD_INPUT, "\"intermediate_size\" is missing");
}
END_TEST

START_TEST(wrong_types_are_named)
{
    refuse("{\"model_type\": 7}", DYNO_BAD_INPUT,
           "\"model_type\" is a whole number where a string is expected");
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": \"32\"}", DYNO_BAD_INPUT,
           "\"num_hidden_layers\" is a string where a whole number is expected");
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 32.0}", DYNO_BAD_INPUT,
           "is a decimal where a whole number is expected");
    refuse("{\"model_type\": \"llama\", \"tie_word_embeddings\": \"no\"}", DYNO_BAD_INPUT,
           "\"tie_word_embeddings\" is a string where true or false is expected");
    refuse("{\"model_type\": \"mistral\", " LLAMA_SHAPES ", \"intermediate_size\": 14336,"
           "\"sliding_window\": 128, \"layer_types\": {}}",
           DYNO_BAD_INPUT, "\"layer_types\" is an object where an array is expected");
}
END_TEST

START_TEST(figures_out_of_range_are_named)
{
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": -1}", DYNO_BAD_INPUT,
           "\"num_hidden_layers\" is -1, which is not from 1 to 4096");
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 0}", DYNO_BAD_INPUT, "is 0");
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 9223372036854775807}",
           DYNO_BAD_INPUT, "is 9223372036854775807");
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 99999999999999999999}",
           DYNO_BAD_INPUT, "line 1");
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"hidden_size\": 8,"
           "\"num_attention_heads\": 16, \"vocab_size\": 9, \"max_position_embeddings\": 9,"
           "\"intermediate_size\": 9}",
           DYNO_BAD_INPUT, "head_dim is 0");
}
END_TEST

START_TEST(contradictions_are_refused)
{
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"hidden_size\": 64,"
           "\"num_attention_heads\": 8, \"num_key_value_heads\": 3, \"vocab_size\": 9,"
           "\"max_position_embeddings\": 9, \"intermediate_size\": 9}",
           DYNO_BAD_INPUT, "8 attention heads cannot share 3");
    refuse("{\"model_type\": \"mixtral\", " LLAMA_SHAPES ", \"intermediate_size\": 9,"
           "\"num_local_experts\": 4, \"num_experts_per_tok\": 5}",
           DYNO_BAD_INPUT, "\"num_experts_per_tok\" is 5, which is not from 1 to 4");
    refuse("{\"model_type\": \"gpt_oss\", " LLAMA_SHAPES ", \"intermediate_size\": 9,"
           "\"num_local_experts\": 4, \"num_experts_per_tok\": 2, \"sliding_window\": 128,"
           "\"layer_types\": [\"full_attention\"]}",
           DYNO_BAD_INPUT, "names 1 layers where num_hidden_layers is 32");
    refuse(
        "{\"model_type\": \"qwen3_moe\", " LLAMA_SHAPES ", \"intermediate_size\": 9,"
        "\"moe_intermediate_size\": 9, \"num_experts\": 4, \"num_experts_per_tok\": 2,"
        "\"mlp_only_layers\": [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}",
        DYNO_BAD_INPUT, "\"mlp_only_layers\" names 33 layers where num_hidden_layers is 32");
    refuse("{\"model_type\": \"qwen3\", " LLAMA_SHAPES ", \"intermediate_size\": 9,"
           "\"layer_types\": [\"linear_attention\"]}",
           DYNO_UNSUPPORTED, "\"layer_types\" is 'linear_attention'; what is computed is full_");
}
END_TEST

START_TEST(an_unknown_family_lists_the_known_ones)
{
    refuse("{\"model_type\": \"t5\"}", DYNO_UNSUPPORTED,
           "'t5' is not one that is understood: llama, mistral");
}
END_TEST

START_TEST(files_that_cannot_be_read_are_refused)
{
    struct dyno_error error = {0};
    struct dyno_model model;
    struct dyno_gpu gpu;

    ck_assert_int_eq(dyno_assets_model(&model, "/nowhere/config.json", &error), DYNO_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/config.json"));
    ck_assert_int_eq(dyno_assets_gpu(&gpu, folder, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "not a regular file"));
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    ck_assert_int_eq(dyno_assets_model(&model, file, &error), DYNO_BAD_INPUT);
    ck_assert_int_eq(unlink(file), 0);
    write_file("{");
    ck_assert_int_eq(truncate(file, (off_t)17 << 20), 0);
    ck_assert_int_eq(dyno_assets_model(&model, file, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "larger than 16 MiB"));
}
END_TEST

static struct dyno_gpu load_gpu(const char *text)
{
    struct dyno_error error = {0};
    struct dyno_gpu gpu;

    write_file(text);
    ck_assert_msg(dyno_assets_gpu(&gpu, file, &error) == DYNO_OK, "%s", error.text);
    return gpu;
}

static void refuse_gpu(const char *text, const char *part)
{
    struct dyno_error error = {0};
    struct dyno_gpu gpu = {.name = "untouched"};

    write_file(text);
    ck_assert_int_eq(dyno_assets_gpu(&gpu, file, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_str_eq(gpu.name, "untouched");
}

static const char whole_gpu[] = "# all of it\n"
                                "name: mine\n"
                                "title: My GPU\n"
                                "source: measured\n"
                                "bf16: 148e12\n"
                                "fp8: 296e12\n"
                                "memory: 96GiB\n"
                                "memory_bandwidth: 4.0e12\n"
                                "link: nvlink4\n"
                                "link_bandwidth: 450e9\n"
                                "pcie_bandwidth: 63e9\n"
                                "network_bandwidth: 50e9\n"
                                "watts: 500\n"
                                "multiprocessors: 78\n";

START_TEST(a_whole_gpu_is_read)
{
    struct dyno_gpu gpu = load_gpu(whole_gpu);

    ck_assert_str_eq(gpu.name, "mine");
    ck_assert_str_eq(gpu.title, "My GPU");
    ck_assert_str_eq(gpu.source, "measured");
    ck_assert_str_eq(gpu.link, "nvlink4");
    ck_assert_double_eq(gpu.flops[DYNO_BF16], 148e12);
    ck_assert_double_eq(gpu.flops[DYNO_FP8], 296e12);
    ck_assert_double_eq(gpu.flops[DYNO_INT4], 148e12);
    ck_assert_uint_eq(gpu.memory_bytes, UINT64_C(96) << 30);
    ck_assert_double_eq(gpu.memory_bytes_per_s, 4e12);
    ck_assert_uint_eq(gpu.multiprocessors, 78);
}
END_TEST

START_TEST(a_gpu_like_another_takes_the_rest_from_it)
{
    /* Where `like` stands does not matter. */
    struct dyno_gpu gpu = load_gpu("name: h20\nbf16: 148e12\nlike: h200\nmemory: 95GiB\n");
    const struct dyno_gpu *h200 = dyno_gpu_find("h200");

    ck_assert_str_eq(gpu.name, "h20");
    ck_assert_str_eq(gpu.title, "h20");
    ck_assert_str_eq(gpu.source, "the user's file");
    ck_assert_str_eq(gpu.link, h200->link);
    ck_assert_double_eq(gpu.flops[DYNO_BF16], 148e12);
    ck_assert_double_eq(gpu.flops[DYNO_INT4], 148e12);
    ck_assert_uint_eq(gpu.memory_bytes, UINT64_C(95) << 30);
    ck_assert_double_eq(gpu.memory_bytes_per_s, h200->memory_bytes_per_s);
    ck_assert_uint_eq(gpu.multiprocessors, h200->multiprocessors);
}
END_TEST

START_TEST(a_wrong_gpu_is_refused_with_line_and_column)
{
    refuse_gpu("", "line 1");
    refuse_gpu("- 1\n", "line 1, column 1");
    refuse_gpu("name: x\nbf61: 1e12\n", "line 2, column 1: unknown key 'bf61'; did you mean bf16?");
    refuse_gpu("name: x\nwholly_unknown: 1\n", "known keys are like, name");
    refuse_gpu("name: x\nname: y\n", "line 2, column 1: key 'name'; it is given twice");
    refuse_gpu("name: x\nbf16: fast\n", "line 2, column 7: bf16 'fast'; it must be a number");
    refuse_gpu("name: x\nbf16: -1e12\n", "line 2");
    refuse_gpu("name: x\nbf16: nan\n", "line 2");
    refuse_gpu("name: x\nbf16: 1e300\n", "from 1e+09 to 1e+18");
    refuse_gpu("name: x\nmemory: 80\n", "it must be a size such as 80GiB");
    refuse_gpu("name: x\nmultiprocessors: 1.5\n", "it must be a whole number");
    refuse_gpu("name: x\nbf16: [1, 2]\n", "line 2, column 7");
    refuse_gpu("name: ''\n", "it must be 1 to 63 bytes");
    refuse_gpu("name: \"a\\0b\"\n", "NUL");
    refuse_gpu("like: h2000\n", "did you mean h200?");
    refuse_gpu("name: x\n\tbf16: 1\n", "line 2");
    refuse_gpu("name: x\nlike: h100\n---\nname: y\n", "one document is expected");
}
END_TEST

START_TEST(a_missing_figure_is_named)
{
    refuse_gpu("name: x\nbf16: 1e14\n", "\"memory\" is missing");
    refuse_gpu("like: h100\n", "\"name\" is missing");
}
END_TEST

/* Cut anywhere, a file is read or refused, never more. */
START_TEST(every_prefix_of_a_file_ends_in_a_status)
{
    char text[sizeof whole_gpu];

    for (size_t length = 0; length < sizeof whole_gpu; length++) {
        struct dyno_error error = {0};
        struct dyno_gpu gpu;
        struct dyno_model model;

        (void)snprintf(text, length + 1, "%s", whole_gpu);
        write_file(text);
        if (dyno_assets_gpu(&gpu, file, &error) != DYNO_OK) {
            ck_assert_uint_gt(strlen(error.text), 10);
        }
        ck_assert_int_ne(dyno_assets_model(&model, file, &error), DYNO_OK);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("assets");

    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, llama_from_its_config_is_the_built_in_one);
    tcase_add_test(tc, qwen3_ties_its_embeddings_and_norms_its_heads);
    tcase_add_test(tc, qwen3_moe_from_its_config_is_the_built_in_one);
    tcase_add_test(tc, mixtral_from_its_config_is_the_built_in_one);
    tcase_add_test(tc, gpt_oss_from_its_config_is_the_built_in_one);
    tcase_add_test(tc, deepseek_v3_from_its_config_is_the_built_in_one);
    tcase_add_test(tc, deepseek_v2_lite_has_plain_queries);
    tcase_add_test(tc, gpt2_has_names_of_its_own);
    tcase_add_test(tc, qwen2_has_biases);
    tcase_add_test(tc, qwen2_moe_has_a_gated_shared_expert);
    tcase_add_test(tc, mistral_has_a_window_on_every_layer);
    tcase_add_test(tc, what_is_left_out_is_as_in_transformers);
    tcase_add_test(tc, sparse_layers_are_counted);
    tcase_add_test(tc, a_directory_stands_for_the_config_inside);
    tcase_add_test(tc, names_and_paths_are_told_apart);
    tcase_add_test(tc, what_is_not_json_is_refused_with_line_and_column);
    tcase_add_test(tc, a_missing_key_is_named);
    tcase_add_test(tc, wrong_types_are_named);
    tcase_add_test(tc, figures_out_of_range_are_named);
    tcase_add_test(tc, contradictions_are_refused);
    tcase_add_test(tc, an_unknown_family_lists_the_known_ones);
    tcase_add_test(tc, files_that_cannot_be_read_are_refused);
    tcase_add_test(tc, a_whole_gpu_is_read);
    tcase_add_test(tc, a_gpu_like_another_takes_the_rest_from_it);
    tcase_add_test(tc, a_wrong_gpu_is_refused_with_line_and_column);
    tcase_add_test(tc, a_missing_figure_is_named);
    tcase_add_test(tc, every_prefix_of_a_file_ends_in_a_status);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/assets", add_cases)
