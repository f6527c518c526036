/* GGUF models: what is read, and each way in which a file can be wrong. */
#include "backends/assets/weights.h"

#include "tests/backends/gguf_files.h"

#include "tests/check_main.h"

#define LAYER(n)                                                                                   \
    {"blk." n ".attn_norm.weight", 1, {32}}, {"blk." n ".attn_q.weight", 2, {32, 32}},             \
        {"blk." n ".attn_k.weight", 2, {16, 32}}, {"blk." n ".attn_v.weight", 2, {16, 32}},        \
        {"blk." n ".attn_output.weight", 2, {32, 32}}, {"blk." n ".ffn_norm.weight", 1, {32}},     \
        {"blk." n ".ffn_gate.weight", 2, {64, 32}}, {"blk." n ".ffn_up.weight", 2, {64, 32}},      \
    {                                                                                              \
        "blk." n ".ffn_down.weight", 2,                                                            \
        {                                                                                          \
            32, 64                                                                                 \
        }                                                                                          \
    }

static const struct tensor_plan llama[] = {
    {"token_embd.weight", 2, {16, 32}},
    LAYER("0"),
    LAYER("1"),
    {"output_norm.weight", 1, {32}},
};

enum { LLAMA_TENSORS = sizeof llama / sizeof llama[0] };

static void put_llama_keys(struct gguf_file *file)
{
    gguf_text(file, "general.architecture", "llama");
    gguf_text(file, "general.name", "tiny");
    gguf_u32(file, "llama.block_count", 2);
    gguf_u32(file, "llama.embedding_length", 32);
    gguf_u32(file, "llama.attention.head_count", 4);
    gguf_u32(file, "llama.attention.head_count_kv", 2);
    gguf_u32(file, "llama.feed_forward_length", 64);
    gguf_u32(file, "llama.context_length", 128);
    gguf_float(file, "llama.attention.layer_norm_rms_epsilon", 1e-5F);
    gguf_float(file, "llama.rope.freq_base", 500000);
    gguf_u32(file, "tokenizer.ggml.bos_token_id", 1);
    gguf_u32(file, "tokenizer.ggml.eos_token_id", 2);
    gguf_u32(file, "tokenizer.ggml.eot_token_id", 3);
}

/* Matrices of ggml's type `type`, vectors of F32. */
static struct bytes make_llama(uint32_t type)
{
    struct gguf_file file = {0};
    struct bytes all;

    put_llama_keys(&file);
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        gguf_tensor(&file, &llama[i], llama[i].rank == 1 ? 0 : type);
    }
    all = gguf_bytes(&file);
    gguf_release(&file);
    return all;
}

static struct dyno_weights *open_bytes(struct bytes *bytes)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    write_bytes("m.gguf", bytes->data, bytes->size);
    release_bytes(bytes);
    ck_assert_msg(dyno_weights_open(&weights, model_path("m.gguf"), &error) == DYNO_OK, "%s",
                  error.text);
    return weights;
}

static void refuse_bytes(struct bytes *bytes, dyno_status status, const char *part)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    write_bytes("m.gguf", bytes->data, bytes->size);
    release_bytes(bytes);
    ck_assert_int_eq(dyno_weights_open(&weights, model_path("m.gguf"), &error), status);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_msg(strstr(error.text, "m.gguf"), "'%s' does not name the file", error.text);
    ck_assert_ptr_null(weights);
}

/* The same model with the first `from` overwritten by `to`, of the same size. */
static void refuse_patched(const void *from, const void *to, size_t size, dyno_status status,
                           const char *part)
{
    struct bytes bytes = make_llama(0);

    memcpy(find_bytes(&bytes, from, size), to, size);
    refuse_bytes(&bytes, status, part);
}

static float at(const struct dyno_matrix *matrix, uint32_t row, uint32_t column)
{
    const uint8_t *data =
        (const uint8_t *)matrix->data + row * dyno_row_bytes(matrix->element, matrix->columns);
    uint16_t half;
    float value;

    switch (matrix->element) {
    case DYNO_ELEMENT_F32:
        memcpy(&value, data + (size_t)column * 4, sizeof(value));
        return value;
    case DYNO_ELEMENT_Q8_0:
        memcpy(&half, data, sizeof(half));
        ck_assert_uint_le(matrix->columns, 64);
        if (column >= DYNO_Q8_0_ELEMENTS) {
            memcpy(&half, data + DYNO_Q8_0_BYTES, sizeof(half));
            data += DYNO_Q8_0_BYTES;
        }
        return dyno_half_to_float(half) * (float)(int8_t)data[2 + column % DYNO_Q8_0_ELEMENTS];
    case DYNO_ELEMENT_F16:
    case DYNO_ELEMENT_BF16:
    case DYNO_ELEMENTS:
        break;
    }
    memcpy(&half, data + (size_t)column * 2, sizeof(half));
    return matrix->element == DYNO_ELEMENT_F16 ? dyno_half_to_float(half)
                                               : dyno_bf16_to_float(half);
}

static void assert_matrix(const struct dyno_matrix *matrix, const char *name)
{
    for (uint32_t row = 0; row < matrix->rows; row++) {
        for (uint32_t column = 0; column < matrix->columns; column++) {
            ck_assert_float_eq(at(matrix, row, column),
                               value_at(name, (uint64_t)row * matrix->columns + column));
        }
    }
}

START_TEST(a_llama_of_every_type_is_read)
{
    static const uint32_t types[] = {0, 1, 30, 8};
    struct bytes bytes = make_llama(types[_i]);
    struct dyno_weights *weights = open_bytes(&bytes);

    ck_assert_str_eq(weights->model.name, "tiny");
    ck_assert_uint_eq(weights->model.vocab, 16);
    ck_assert_uint_eq(weights->model.head_dim, 8);
    ck_assert(weights->model.tied_embeddings);
    ck_assert_ptr_eq(weights->logits.data, weights->embedding.data);
    ck_assert_int_eq((int)weights->rope.pairs, DYNO_ROPE_ADJACENT);
    ck_assert_double_eq(weights->rope.theta, 500000);
    ck_assert_uint_eq(weights->bos, 1);
    ck_assert_uint_eq(weights->eos_count, 2);
    ck_assert_uint_eq(weights->eos[1], 3);
    assert_matrix(&weights->embedding, "token_embd.weight");
    assert_matrix(&weights->layers[1].query, "blk.1.attn_q.weight");
    assert_matrix(&weights->layers[1].down, "blk.1.ffn_down.weight");
    assert_matrix(&weights->layers[0].value, "blk.0.attn_v.weight");
    dyno_weights_close(weights);
}
END_TEST

START_TEST(rope_factors_become_a_table)
{
    static const struct tensor_plan factors = {"rope_freqs.weight", 1, {4}};
    struct gguf_file file = {0};
    struct dyno_weights *weights;
    struct bytes bytes;

    put_llama_keys(&file);
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        gguf_tensor(&file, &llama[i], 0);
    }
    gguf_tensor(&file, &factors, 0);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    weights = open_bytes(&bytes);
    ck_assert_int_eq((int)weights->rope.scaling, DYNO_ROPE_TABLE);
    ck_assert_float_eq(weights->rope.factors[3], value_at("rope_freqs.weight", 3));
    dyno_weights_close(weights);
}
END_TEST

/* A Llama with further keys; `with` is a tensor more, or NULL. */
static struct bytes make_turned(void (*put_keys)(struct gguf_file *file),
                                const struct tensor_plan *with)
{
    struct gguf_file file = {0};
    struct bytes bytes;

    put_llama_keys(&file);
    put_keys(&file);
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        gguf_tensor(&file, &llama[i], 0);
    }
    if (with) {
        gguf_tensor(&file, with, 0);
    }
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    return bytes;
}

/* What llama.cpp's converter writes of Qwen's configuration for long texts. */
static void put_yarn(struct gguf_file *file)
{
    gguf_text(file, "llama.rope.scaling.type", "yarn");
    gguf_float(file, "llama.rope.scaling.factor", 4);
    gguf_u32(file, "llama.rope.scaling.original_context_length", 64);
}

static void put_all_of_yarn(struct gguf_file *file)
{
    gguf_text(file, "llama.rope.scaling.type", "yarn");
    gguf_float(file, "llama.rope.scaling.factor", 4);
    gguf_float(file, "llama.rope.scaling.yarn_beta_fast", 16);
    gguf_float(file, "llama.rope.scaling.yarn_beta_slow", 2);
    gguf_float(file, "llama.rope.scaling.attn_factor", 0.5F);
    gguf_float(file, "llama.rope.scaling.yarn_ext_factor", 1);
}

static void put_half_yarn(struct gguf_file *file)
{
    put_yarn(file);
    gguf_float(file, "llama.rope.scaling.yarn_ext_factor", 0.5F);
}

static void put_narrow_yarn(struct gguf_file *file)
{
    put_yarn(file);
    gguf_float(file, "llama.rope.scaling.yarn_beta_slow", 33);
}

static void put_dynamic(struct gguf_file *file)
{
    gguf_text(file, "llama.rope.scaling.type", "longrope");
}

START_TEST(yarn_is_read_as_llama_cpp_does)
{
    static const struct tensor_plan factors = {"rope_freqs.weight", 1, {4}};
    struct bytes bytes = make_turned(put_yarn, NULL);
    struct dyno_weights *weights = open_bytes(&bytes);

    ck_assert_int_eq((int)weights->rope.scaling, DYNO_ROPE_YARN);
    ck_assert_double_eq(weights->rope.factor, 4);
    ck_assert_double_eq(weights->rope.beta_fast, 32);
    ck_assert_double_eq(weights->rope.beta_slow, 1);
    ck_assert_uint_eq(weights->rope.original_context, 64);
    ck_assert_double_eq_tol(weights->rope.length, 1.1386294361119891, 1e-15);
    ck_assert_uint_eq(weights->model.context_max, 256); /* context_length is 128 */
    dyno_weights_close(weights);
    bytes = make_turned(put_all_of_yarn, NULL);
    weights = open_bytes(&bytes);
    ck_assert_double_eq(weights->rope.beta_fast, 16);
    ck_assert_double_eq(weights->rope.beta_slow, 2);
    ck_assert_uint_eq(weights->rope.original_context, 128); /* the model's own */
    ck_assert_double_eq_tol(weights->rope.length, 0.5 * 1.1386294361119891, 1e-15);
    ck_assert_uint_eq(weights->model.context_max, 512);
    dyno_weights_close(weights);
    bytes = make_turned(put_half_yarn, NULL);
    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "yarn_ext_factor\" is 0.5; what is computed is 1");
    bytes = make_turned(put_narrow_yarn, NULL);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "beta_fast is 32 where more than beta_slow");
    bytes = make_turned(put_dynamic, NULL);
    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "none, linear or yarn");
    bytes = make_turned(put_yarn, &factors);
    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "two scalings");
}
END_TEST

START_TEST(cut_anywhere_it_is_refused)
{
    struct bytes whole = make_llama(0);

    for (size_t size = 1; size < whole.size; size += size < 2000 ? 7 : 1999) {
        struct bytes part = {0};

        put(&part, whole.data, size);
        write_bytes("m.gguf", part.data, part.size);
        if (size >= 4) {
            refuse_bytes(&part, DYNO_BAD_INPUT, "m.gguf");
        }
        release_bytes(&part);
    }
    release_bytes(&whole);
}
END_TEST

START_TEST(a_head_that_lies_is_refused)
{
    static const uint32_t version = 1;
    static const uint64_t huge = UINT64_MAX / 2;
    struct bytes bytes = make_llama(0);

    memcpy(bytes.data, "GGUX", 4);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "begin with \"GGUF\"");
    bytes = make_llama(0);
    memcpy(bytes.data + 4, &version, sizeof(version));
    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "version 1");
    bytes = make_llama(0);
    memcpy(bytes.data + 8, &huge, sizeof(huge));
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "more tensors are announced");
    bytes = make_llama(0);
    memcpy(bytes.data + 16, &huge, sizeof(huge));
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "more metadata is announced");
    bytes = make_llama(0);
    memcpy(bytes.data + 24, &huge, sizeof(huge));
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "longer than the rest");
}
END_TEST

START_TEST(keys_that_are_wrong_are_named)
{
    refuse_patched("llama.block_count", "llama.block_counx", 17, DYNO_BAD_INPUT,
                   "\"llama.block_count\" is missing");
    refuse_patched("llama.context_length\4", "llama.context_length\6", 21, DYNO_BAD_INPUT,
                   "whole number");
    refuse_patched("llama.context_length\4", "llama.context_length\x63", 21, DYNO_BAD_INPUT,
                   "metadata type");
    refuse_patched("llama.block_count\4\0\0\0\2", "llama.block_count\4\0\0\0\3", 22, DYNO_BAD_INPUT,
                   "lacks the tensor 'blk.2.attn_norm.weight'");
    refuse_patched("eos_token_id\4\0\0\0\2", "eos_token_id\4\0\0\0\x10", 17, DYNO_BAD_INPUT,
                   "\"tokenizer.ggml.eos_token_id\" is 16");
    refuse_patched("head_count\4\0\0\0\4", "head_count\4\0\0\0\3", 15, DYNO_BAD_INPUT,
                   "3 attention heads cannot share 2");
}
END_TEST

START_TEST(another_architecture_is_named)
{
    struct gguf_file file = {0};
    struct bytes bytes;

    gguf_text(&file, "general.architecture", "mamba");
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "is 'mamba'");
}
END_TEST

START_TEST(a_key_given_twice_is_refused)
{
    struct gguf_file file = {0};
    struct bytes bytes;

    gguf_u32(&file, "a", 1);
    gguf_u32(&file, "b", 1);
    gguf_u32(&file, "a", 2);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "twice");
}
END_TEST

START_TEST(arrays_are_held_to_the_file)
{
    struct gguf_file file = {0};
    struct bytes bytes;

    gguf_array(&file, "a", DYNO_GGUF_U64, UINT64_MAX / 8 + 2);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "an array is longer");
    gguf_array(&file, "a", DYNO_GGUF_STRING, UINT64_MAX);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "m.gguf");
    gguf_array(&file, "a", DYNO_GGUF_ARRAY, 1);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "array of arrays");
}
END_TEST

/* The tensor 'blk.1.ffn_up.weight' in the list: name, rank 2, 32, 64, type, offset. */
static uint8_t *listed(const struct bytes *bytes)
{
    return find_bytes(bytes, "blk.1.ffn_up.weight", 19) + 19;
}

static void refuse_listed(size_t place, uint64_t value, size_t size, dyno_status status,
                          const char *part)
{
    struct bytes bytes = make_llama(0);

    memcpy(listed(&bytes) + place, &value, size);
    refuse_bytes(&bytes, status, part);
}

START_TEST(a_list_that_lies_is_refused)
{
    refuse_listed(0, 0, 4, DYNO_BAD_INPUT, "1 to 4 dimensions");
    refuse_listed(0, 5, 4, DYNO_BAD_INPUT, "1 to 4 dimensions");
    refuse_listed(4, 64, 8, DYNO_BAD_INPUT, "m.gguf");
    refuse_listed(4, UINT64_MAX, 8, DYNO_BAD_INPUT, "overflows");
    refuse_listed(12, UINT64_MAX / 64, 8, DYNO_BAD_INPUT, "m.gguf");
    refuse_listed(20, 2, 4, DYNO_UNSUPPORTED, "of type Q4_0");
    refuse_listed(20, 99, 4, DYNO_UNSUPPORTED, "of type unknown (number 99)");
    refuse_listed(20, 1, 4, DYNO_BAD_INPUT, "holes");
    refuse_listed(24, 0, 8, DYNO_BAD_INPUT, "overlapping");
    refuse_listed(24, 1, 8, DYNO_BAD_INPUT, "overlapping");
    refuse_listed(24, UINT64_MAX - 8, 8, DYNO_BAD_INPUT, "beyond the end");
}
END_TEST

START_TEST(tensors_given_twice_or_for_nothing_are_refused)
{
    refuse_patched("blk.1.ffn_up.weight", "blk.0.ffn_up.weight", 19, DYNO_BAD_INPUT,
                   "is there twice");
    refuse_patched("blk.1.ffn_up.weight", "blk.1.ffn_ux.weight", 19, DYNO_BAD_INPUT,
                   "lacks the tensor 'blk.1.ffn_up.weight' of shape [64, 32]");
    refuse_patched("blk.1.ffn_up.weight", "blk.1.ffn_up\0weight", 19, DYNO_BAD_INPUT,
                   "none of them zero");
}
END_TEST

START_TEST(a_tensor_of_no_use_is_refused)
{
    static const struct tensor_plan stray = {"blk.0.attn_q_norm.weight", 1, {8}};
    struct gguf_file file = {0};
    struct bytes bytes;

    put_llama_keys(&file);
    for (size_t i = 0; i < LLAMA_TENSORS; i++) {
        gguf_tensor(&file, &llama[i], 0);
    }
    gguf_tensor(&file, &stray, 0);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "'blk.0.attn_q_norm.weight' has no place");
}
END_TEST

/* Element 5 of the last tensor, and a scale of Q8_0. */
START_TEST(weights_that_are_not_finite_are_refused)
{
    static const uint32_t bad[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001};
    struct bytes bytes;
    uint8_t *scale;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bytes = make_llama(0);
        memcpy(bytes.data + bytes.size - 27 * sizeof(float), &bad[i], sizeof(bad[i]));
        refuse_bytes(&bytes, DYNO_BAD_INPUT, "element 5 of tensor 'output_norm.weight'");
    }
    bytes = make_llama(8);
    scale = bytes.data + bytes.size - 32 * sizeof(float) - DYNO_Q8_0_BYTES;
    memcpy(scale, &(uint16_t){0x7c00}, 2);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "element 2016 of tensor 'blk.1.ffn_down.weight'");
}
END_TEST

START_TEST(an_alignment_must_be_a_power_of_two)
{
    struct gguf_file file = {0};
    struct bytes bytes;

    gguf_u32(&file, "general.alignment", 24);
    bytes = gguf_bytes(&file);
    gguf_release(&file);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "power of two");
}
END_TEST

/* stories260K, in GGUF and in llama2.c's format, is one model. */
START_TEST(a_real_model_is_the_same_in_both_formats)
{
    static const char *const paths[] = {"../shared/models/stories260K/stories260K.f32.gguf",
                                        "../shared/models/stories260K/stories260K.bin"};
    struct dyno_weights *weights[2] = {NULL, NULL};
    struct dyno_error error;

    if (access(paths[0], R_OK) != 0) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        ck_assert_msg(dyno_weights_open(&weights[i], paths[i], &error) == DYNO_OK, "%s",
                      error.text);
    }
    for (uint32_t i = 0; i < 5; i++) {
        const struct dyno_layer_weights *a = &weights[0]->layers[i], *b = &weights[1]->layers[i];

        ck_assert_mem_eq(a->query.data, b->query.data, 64 * 64 * 4);
        ck_assert_mem_eq(a->key.data, b->key.data, 32 * 64 * 4);
        ck_assert_mem_eq(a->gate.data, b->gate.data, 172 * 64 * 4);
        ck_assert_mem_eq(a->down.data, b->down.data, 172 * 64 * 4);
        ck_assert_mem_eq(a->mlp_norm, b->mlp_norm, 64 * 4);
    }
    ck_assert_mem_eq(weights[0]->embedding.data, weights[1]->embedding.data, 512 * 64 * 4);
    ck_assert_uint_eq(weights[0]->bytes, 260032 * 4);
    dyno_weights_close(weights[0]);
    dyno_weights_close(weights[1]);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("gguf");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_llama_of_every_type_is_read, 0, 4);
    tcase_add_test(tcase, rope_factors_become_a_table);
    tcase_add_test(tcase, yarn_is_read_as_llama_cpp_does);
    tcase_add_test(tcase, cut_anywhere_it_is_refused);
    tcase_add_test(tcase, a_head_that_lies_is_refused);
    tcase_add_test(tcase, keys_that_are_wrong_are_named);
    tcase_add_test(tcase, another_architecture_is_named);
    tcase_add_test(tcase, a_key_given_twice_is_refused);
    tcase_add_test(tcase, arrays_are_held_to_the_file);
    tcase_add_test(tcase, a_list_that_lies_is_refused);
    tcase_add_test(tcase, tensors_given_twice_or_for_nothing_are_refused);
    tcase_add_test(tcase, a_tensor_of_no_use_is_refused);
    tcase_add_test(tcase, weights_that_are_not_finite_are_refused);
    tcase_add_test(tcase, an_alignment_must_be_a_power_of_two);
    tcase_add_test(tcase, a_real_model_is_the_same_in_both_formats);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/weights_gguf", add_cases)
