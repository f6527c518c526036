/* Models as numbers: published totals, and every derived figure by hand. */
#include "core/model/model.h"

#include <string.h>

#include "tests/check_main.h"

static const struct dyno_model *model_of(const char *name)
{
    const struct dyno_model *model = dyno_model_find(name);

    ck_assert_msg(model, "%s is not in the table", name);
    return model;
}

static void assert_near(double value, double expected, double tolerance)
{
    ck_assert_msg(value >= expected - tolerance && value <= expected + tolerance,
                  "%.17g is not %.17g", value, expected);
}

START_TEST(parameters_are_the_published_totals)
{
    static const struct {
        const char *name;
        uint64_t parameters;
    } published[] = {
        {"llama-3.1-8b", 8030261248},      {"llama-3.1-70b", 70553706496},
        {"llama-3.1-405b", 405853388800},  {"qwen3-0.6b", 596049920},
        {"qwen3-8b", 8190735360},          {"qwen3-32b", 32762123264},
        {"qwen3-235b-a22b", 235093634560}, {"mixtral-8x7b", 46702792704},
        {"gpt-oss-120b", 116829156672},    {"deepseek-v3", 671026419200},
    };

    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        ck_assert_uint_eq(dyno_model_parameters(model_of(published[i].name)),
                          published[i].parameters);
    }
}
END_TEST

/* Published: Mixtral 12.9e9, Qwen3 22e9, DeepSeek-V3 37e9, all with the embedding; gpt-oss 5.13e9
 * without it (201,088 x 2,880 = 579,133,440). */
START_TEST(active_parameters_are_the_published_ones)
{
    assert_near((double)dyno_model_parameters_active(model_of("mixtral-8x7b")), 12.88e9, 0.01e9);
    assert_near((double)dyno_model_parameters_active(model_of("qwen3-235b-a22b")), 22.19e9, 0.01e9);
    assert_near((double)dyno_model_parameters_active(model_of("deepseek-v3")), 37.55e9, 0.01e9);
    assert_near((double)dyno_model_parameters_active(model_of("gpt-oss-120b")) - 579133440, 5.13e9,
                0.01e9);
    ck_assert_uint_eq(dyno_model_parameters_active(model_of("qwen3-32b")), 32762123264);
}
END_TEST

/* Llama-3.1-8B, one layer: q 4096 x 4096 + k, v 4096 x 1024 each = 25,165,824; o 16,777,216;
 * MLP 3 x 4096 x 14336 = 176,160,768; embedding and logits 128256 x 4096 = 525,336,576 each;
 * vectors (2 x 32 + 1) x 4096 = 266,240. */
START_TEST(parts_of_a_dense_model_by_hand)
{
    struct dyno_model_parts parts;

    dyno_model_parts(model_of("llama-3.1-8b"), 1, &parts);
    ck_assert_uint_eq(parts.qkv, 25165824);
    ck_assert_uint_eq(parts.output, 16777216);
    ck_assert_uint_eq(parts.mlp, 176160768);
    ck_assert_uint_eq(parts.embedding, 525336576);
    ck_assert_uint_eq(parts.logits, 525336576);
    ck_assert_uint_eq(parts.vectors, 266240);
    ck_assert_uint_eq(parts.experts, 0);
}
END_TEST

/* DeepSeek-V3, one layer: down q 7168 x 1536 + up q 1536 x 128 x 192 + down kv 7168 x 576 + up kv
 * 512 x 128 x 256 = 11,010,048 + 37,748,736 + 4,128,768 + 16,777,216 = 69,664,768; output
 * 128 x 128 x 7168 = 117,440,512; an expert 3 x 7168 x 2048 = 44,040,192. */
START_TEST(parts_of_latent_attention_by_hand)
{
    struct dyno_model_parts parts;

    dyno_model_parts(model_of("deepseek-v3"), 1, &parts);
    ck_assert_uint_eq(parts.qkv, 69664768);
    ck_assert_uint_eq(parts.output, 117440512);
    ck_assert_uint_eq(parts.expert, 44040192);
    ck_assert_uint_eq(parts.experts, UINT64_C(256) * 44040192);
    ck_assert_uint_eq(parts.shared, 44040192);
    ck_assert_uint_eq(parts.router, 7168 * 256);
}
END_TEST

/* bf16: 2 x 8,030,261,248.  fp8: the layers' 32 x 218,103,808 = 6,979,321,856 matrix parameters at
 * one byte, the other 1,050,939,392 at two.  int4: the same at 68/128 bytes. */
START_TEST(weight_bytes_by_hand)
{
    const struct dyno_model *model = model_of("llama-3.1-8b");

    ck_assert_uint_eq(dyno_model_weight_bytes(model, DYNO_BF16), 16060522496);
    ck_assert_uint_eq(dyno_model_weight_bytes(model, DYNO_FP8),
                      6979321856 + UINT64_C(2) * 1050939392);
    ck_assert_uint_eq(dyno_model_weight_bytes(model, DYNO_INT4),
                      3707764736 + UINT64_C(2) * 1050939392);
}
END_TEST

/* OpenAI's checkpoint holds the experts in 4.25 bits and the rest in bf16: 60.8 GiB. */
START_TEST(gpt_oss_in_four_bits_is_its_checkpoint)
{
    assert_near((double)dyno_model_weight_bytes(model_of("gpt-oss-120b"), DYNO_INT4) / (1 << 30),
                60.8, 0.1);
}
END_TEST

/* Llama-3.1-70B over 8 GPUs, per layer: q 8192 x 1024, k and v 8192 x 128 each, o 1024 x 8192 and
 * MLP 3 x 8192 x 3584, together 8,388,608 + 2,097,152 + 8,388,608 + 88,080,384 = 106,954,752; 80 of
 * them; embedding and logits 2 x 16032 x 8192 = 262,668,288; vectors 161 x 8192 = 1,318,912. */
START_TEST(weight_bytes_of_one_of_eight_gpus_by_hand)
{
    uint64_t parameters = UINT64_C(80) * 106954752 + 262668288 + 1318912;

    ck_assert_uint_eq(dyno_model_weight_bytes_per_gpu(model_of("llama-3.1-70b"), DYNO_BF16, 8),
                      2 * parameters);
}
END_TEST

/* 2 (K and V) x layers x kv_heads x head_dim x bytes; MLA: layers x (rank + rope) x bytes. */
START_TEST(kv_bytes_per_token_by_hand)
{
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token(model_of("llama-3.1-8b"), DYNO_BF16),
                      2 * 32 * 8 * 128 * 2);
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token(model_of("llama-3.1-8b"), DYNO_FP8),
                      2 * 32 * 8 * 128);
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token(model_of("deepseek-v3"), DYNO_BF16),
                      61 * (512 + 64) * 2);
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token(model_of("gpt-oss-120b"), DYNO_BF16),
                      2 * 36 * 8 * 64 * 2);
}
END_TEST

/* Llama-3.1-70B has 8 kv heads: 8 GPUs hold one each, and so do 16.  MLA's latent is on all. */
START_TEST(kv_heads_are_replicated_beyond_their_number)
{
    const struct dyno_model *llama = model_of("llama-3.1-70b");
    const struct dyno_model *deepseek = model_of("deepseek-v3");

    ck_assert_uint_eq(dyno_model_kv_bytes_per_token_per_gpu(llama, DYNO_BF16, 8),
                      2 * 80 * 1 * 128 * 2);
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token_per_gpu(llama, DYNO_BF16, 16),
                      2 * 80 * 1 * 128 * 2);
    ck_assert_uint_eq(dyno_model_kv_bytes_per_token_per_gpu(deepseek, DYNO_BF16, 8), 70272);
}
END_TEST

/* Llama-3.1-8B: 2 x (8,030,261,248 - embedding 525,336,576 - vectors 266,240). */
START_TEST(flops_by_hand)
{
    assert_near(dyno_model_flops_per_token(model_of("llama-3.1-8b")), 15009316864.0, 0);
    /* Tied: 2 x (596,049,920 - vectors (2 x 28 + 1) x 1024 + 28 x 256 = 65,536). */
    assert_near(dyno_model_flops_per_token(model_of("qwen3-0.6b")), 2.0 * 595984384, 0);
    /* 4 x heads x head_dim x layers. */
    assert_near(dyno_model_flops_per_pair(model_of("llama-3.1-8b")), 4.0 * 32 * 128 * 32, 0);
    /* 2 x heads x (nope + rope + v) x layers. */
    assert_near(dyno_model_flops_per_pair(model_of("deepseek-v3")), 2.0 * 128 * 320 * 61, 0);
    /* gpt-oss: the 18 layers with a window of 128 are left out. */
    assert_near(dyno_model_flops_per_pair(model_of("gpt-oss-120b")), 4.0 * 64 * 64 * 18, 0);
}
END_TEST

/* Mixtral: one token reaches 2 of 8 experts; two reach 8 (1 - (6/8)^2) = 3.5; many reach all. */
START_TEST(experts_touched_by_hand)
{
    const struct dyno_model *mixtral = model_of("mixtral-8x7b");

    assert_near(dyno_model_experts_touched(mixtral, 1), 2, 1e-12);
    assert_near(dyno_model_experts_touched(mixtral, 2), 3.5, 1e-12);
    assert_near(dyno_model_experts_touched(mixtral, 1000), 8, 1e-12);
    assert_near(dyno_model_experts_touched(mixtral, 0), 0, 0);
    assert_near(dyno_model_experts_touched(model_of("llama-3.1-8b"), 5), 0, 0);
}
END_TEST

/* Llama-3.1-8B reads all but its embedding: 16,060,522,496 - 2 x 525,336,576.  Mixtral with one
 * token: a quarter of the 32 x 8 experts of 3 x 4096 x 14336, and all else but the embedding. */
START_TEST(bytes_per_step_by_hand)
{
    const struct dyno_model *mixtral = model_of("mixtral-8x7b");
    double experts = 32.0 * 8 * 3 * 4096 * 14336;
    double others = 46702792704.0 - experts - 32000.0 * 4096;

    assert_near(dyno_model_bytes_per_step(model_of("llama-3.1-8b"), DYNO_BF16, 7),
                16060522496.0 - 1050673152.0, 0);
    assert_near(dyno_model_bytes_per_step(mixtral, DYNO_BF16, 1), 2 * (others + experts / 4), 1);
    /* Tied embeddings are read, as logits: all 596,049,920 parameters. */
    assert_near(dyno_model_bytes_per_step(model_of("qwen3-0.6b"), DYNO_BF16, 1), 1192099840.0, 0);
}
END_TEST

/* 128 weights of 4 bits, a scale and a zero point of 16 bits: 544 bits. */
START_TEST(dtypes_have_names_and_sizes)
{
    ck_assert_str_eq(dyno_dtype_name(DYNO_INT4), "int4");
    assert_near(dyno_dtype_bytes(DYNO_BF16), 2, 0);
    assert_near(dyno_dtype_bytes(DYNO_FP8), 1, 0);
    assert_near(dyno_dtype_bytes(DYNO_INT4), 544.0 / 8 / 128, 0);
}
END_TEST

START_TEST(names_are_found_in_any_case_and_others_are_not)
{
    ck_assert_ptr_nonnull(dyno_model_find("Llama-3.1-8B"));
    ck_assert_ptr_null(dyno_model_find("llama"));
    ck_assert_ptr_null(dyno_model_find(""));
}
END_TEST

START_TEST(every_model_of_the_table_is_consistent_and_sourced)
{
    struct dyno_error error;

    for (const struct dyno_model *model = dyno_model_table; model->name[0]; model++) {
        ck_assert_msg(dyno_model_check(model, &error) == DYNO_OK, "%s", error.text);
        ck_assert_uint_gt(strlen(model->source), 10);
    }
}
END_TEST

START_TEST(contradicting_shapes_are_refused_by_name)
{
    struct dyno_model model = *model_of("llama-3.1-8b");
    struct dyno_error error;

    model.kv_heads = 5;
    ck_assert_int_eq(dyno_model_check(&model, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "32 attention heads cannot share 5"));
    model = *model_of("llama-3.1-8b");
    model.hidden = 0;
    ck_assert_int_eq(dyno_model_check(&model, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "hidden is 0"));
    model = *model_of("mixtral-8x7b");
    model.experts_per_token = 9;
    ck_assert_int_eq(dyno_model_check(&model, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "experts_per_token is 9"));
}
END_TEST

START_TEST(shapes_too_large_to_count_are_refused)
{
    struct dyno_model model = *model_of("mixtral-8x7b");
    struct dyno_error error;

    model.layers = 4096;
    model.hidden = 1 << 20;
    model.experts = 65536;
    model.expert_intermediate = 1 << 20;
    ck_assert_int_eq(dyno_model_check(&model, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "parameters"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("model");

    tcase_add_test(tc, parameters_are_the_published_totals);
    tcase_add_test(tc, active_parameters_are_the_published_ones);
    tcase_add_test(tc, parts_of_a_dense_model_by_hand);
    tcase_add_test(tc, parts_of_latent_attention_by_hand);
    tcase_add_test(tc, weight_bytes_by_hand);
    tcase_add_test(tc, gpt_oss_in_four_bits_is_its_checkpoint);
    tcase_add_test(tc, weight_bytes_of_one_of_eight_gpus_by_hand);
    tcase_add_test(tc, kv_bytes_per_token_by_hand);
    tcase_add_test(tc, kv_heads_are_replicated_beyond_their_number);
    tcase_add_test(tc, flops_by_hand);
    tcase_add_test(tc, experts_touched_by_hand);
    tcase_add_test(tc, bytes_per_step_by_hand);
    tcase_add_test(tc, dtypes_have_names_and_sizes);
    tcase_add_test(tc, names_are_found_in_any_case_and_others_are_not);
    tcase_add_test(tc, every_model_of_the_table_is_consistent_and_sourced);
    tcase_add_test(tc, contradicting_shapes_are_refused_by_name);
    tcase_add_test(tc, shapes_too_large_to_count_are_refused);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/model/model", add_cases)
