/* llama2.c models: the layout by hand, and files that do not fit it. */
#include "backends/assets/weights.h"

#include <math.h>

#include "tests/backends/model_files.h"

#include "tests/check_main.h"

/* dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len */
static const int32_t tied[7] = {8, 12, 2, 2, 1, 16, 32};
static const int32_t untied[7] = {8, 12, 2, 2, 1, -16, 32};

/* Float i of the file is i, so that places are seen in values. */
static struct bytes make_model(const int32_t head[7], size_t floats)
{
    struct bytes bytes = {0};

    put(&bytes, head, 7 * sizeof(*head));
    for (size_t i = 0; i < floats; i++) {
        float value = (float)i;

        put(&bytes, &value, sizeof(value));
    }
    return bytes;
}

/* By hand, in floats: embedding 16*8 = 128; attention norms 2*8 = 16; query 2*8*8 = 128; key and
 * value 2*4*8 = 64 each; output 128; MLP norms 16; gate, down, up 2*12*8 = 192 each; the last norm
 * 8; two rotary tables of 32*2 = 64 each; logits 128 unless tied. */
enum { FLOATS_TIED = 128 + 16 + 128 + 64 + 64 + 128 + 16 + 3 * 192 + 8 + 2 * 64 };
enum { FLOATS_UNTIED = FLOATS_TIED + 128 };

static float first(const struct dyno_matrix *matrix)
{
    float value;

    memcpy(&value, matrix->data, sizeof(value));
    return value;
}

static struct dyno_weights *open_bytes(struct bytes *bytes)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    write_bytes("m.bin", bytes->data, bytes->size);
    release_bytes(bytes);
    ck_assert_msg(dyno_weights_open(&weights, model_path("m.bin"), &error) == DYNO_OK, "%s",
                  error.text);
    return weights;
}

static void refuse_bytes(struct bytes *bytes, dyno_status status, const char *part)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    write_bytes("m.bin", bytes->data, bytes->size);
    release_bytes(bytes);
    ck_assert_int_eq(dyno_weights_open(&weights, model_path("m.bin"), &error), status);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_ptr_nonnull(strstr(error.text, "m.bin"));
}

START_TEST(every_matrix_is_at_its_place)
{
    struct bytes bytes = make_model(untied, FLOATS_UNTIED);
    struct dyno_weights *weights = open_bytes(&bytes);
    const struct dyno_layer_weights *layer = &weights->layers[1];

    ck_assert_float_eq(first(&weights->embedding), 0);
    ck_assert_float_eq(layer->attention_norm[0], 128 + 8);
    ck_assert_float_eq(first(&layer->query), 144 + 64);
    ck_assert_float_eq(first(&layer->key), 272 + 32);
    ck_assert_float_eq(first(&layer->value), 336 + 32);
    ck_assert_float_eq(first(&layer->output), 400 + 64);
    ck_assert_float_eq(layer->mlp_norm[0], 528 + 8);
    ck_assert_float_eq(first(&layer->gate), 544 + 96);
    ck_assert_float_eq(first(&layer->down), 736 + 96);
    ck_assert_float_eq(first(&layer->up), 928 + 96);
    ck_assert_float_eq(weights->final_norm[7], 1120 + 7);
    ck_assert_float_eq(first(&weights->logits), 1128 + 128);
    ck_assert_uint_eq(layer->down.rows, 8);
    ck_assert_uint_eq(layer->down.columns, 12);
    ck_assert_uint_eq(weights->model.head_dim, 4);
    ck_assert_int_eq((int)weights->rope.pairs, DYNO_ROPE_ADJACENT);
    ck_assert_uint_eq(weights->eos_count, 2);
    dyno_weights_close(weights);
}
END_TEST

START_TEST(a_positive_vocabulary_ties_the_logits)
{
    struct bytes bytes = make_model(tied, FLOATS_TIED);
    struct dyno_weights *weights = open_bytes(&bytes);

    ck_assert_ptr_eq(weights->logits.data, weights->embedding.data);
    ck_assert_uint_eq(weights->model.vocab, 16);
    dyno_weights_close(weights);
}
END_TEST

START_TEST(a_file_of_another_length_is_refused)
{
    for (size_t floats = 0; floats < FLOATS_UNTIED; floats += 37) {
        struct bytes bytes = make_model(untied, floats);

        refuse_bytes(&bytes, DYNO_BAD_INPUT, "m.bin");
    }
    struct bytes longer = make_model(untied, FLOATS_UNTIED + 1);

    refuse_bytes(&longer, DYNO_BAD_INPUT, "ends at byte");
}
END_TEST

/* _i: which of the seven numbers. */
START_TEST(a_head_out_of_range_is_refused)
{
    static const char *const names[] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                        "n_kv_heads", "vocab_size", "seq_len"};
    static const int32_t wrong[] = {0, INT32_MIN, INT32_MAX};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int32_t head[7];
        struct bytes bytes;

        memcpy(head, tied, sizeof(head));
        head[_i] = wrong[i];
        bytes = make_model(head, FLOATS_TIED);
        refuse_bytes(&bytes, DYNO_BAD_INPUT, names[_i]);
    }
}
END_TEST

START_TEST(shapes_that_contradict_each_other_are_refused)
{
    static const int32_t uneven[7] = {8, 12, 2, 3, 1, 16, 32};
    static const int32_t unshared[7] = {8, 12, 2, 4, 3, 16, 32};
    struct bytes bytes = make_model(uneven, FLOATS_TIED);

    refuse_bytes(&bytes, DYNO_BAD_INPUT, "n_heads 3 does not divide dim 8");
    bytes = make_model(unshared, FLOATS_TIED);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "4 attention heads cannot share 3");
}
END_TEST

/* A head of version 2 for groups of 4; `version` and `group` may be wrong. */
static struct bytes int8_head(uint32_t version, int32_t group, bool is_tied)
{
    struct bytes bytes = {0};

    put_u32(&bytes, 0x616b3432);
    put_u32(&bytes, version);
    put(&bytes, tied, sizeof tied);
    put(&bytes, &(uint8_t){is_tied}, 1);
    put(&bytes, &group, sizeof group);
    while (bytes.size < 256) {
        put(&bytes, "", 1);
    }
    return bytes;
}

/* [count] numbers 0, 1, 2 ... 99, 0 ..., then a factor for every 4: 0.5, 1, 1.5 ... */
static void put_groups(struct bytes *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(bytes, &(int8_t){(int8_t)(i % 100)}, 1);
    }
    for (uint32_t i = 0; i < count / 4; i++) {
        put(bytes, &(float){(float)(i + 1) / 2}, sizeof(float));
    }
}

static struct bytes make_int8(bool is_tied)
{
    static const uint32_t per_layer[] = {64, 32, 32, 64, 96, 96, 96};
    struct bytes bytes = int8_head(2, 4, is_tied);

    for (uint32_t i = 0; i < 16 + 16 + 8; i++) {
        put(&bytes, &(float){(float)i}, sizeof(float));
    }
    put_groups(&bytes, 128);
    for (size_t kind = 0; kind < 7; kind++) {
        put_groups(&bytes, per_layer[kind]);
        put_groups(&bytes, per_layer[kind]);
    }
    if (!is_tied) {
        put_groups(&bytes, 128);
    }
    return bytes;
}

/* Element 5 of a matrix: the number 5 in the second group, whose factor is 1. */
START_TEST(int8_becomes_floats)
{
    struct bytes bytes = make_int8(_i != 0);
    struct dyno_weights *weights = open_bytes(&bytes);
    const struct dyno_layer_weights *layer = &weights->layers[1];
    float value;

    ck_assert_float_eq(layer->attention_norm[0], 8);
    ck_assert_float_eq(layer->mlp_norm[0], 16 + 8);
    ck_assert_float_eq(weights->final_norm[0], 32);
    memcpy(&value, (const uint8_t *)layer->up.data + 5 * sizeof(value), sizeof(value));
    ck_assert_float_eq(value, 5);
    memcpy(&value, (const uint8_t *)weights->logits.data + 127 * sizeof(value), sizeof(value));
    ck_assert_float_eq(value, 27 * 16);
    ck_assert((weights->logits.data == weights->embedding.data) == (_i != 0));
    dyno_weights_close(weights);
}
END_TEST

START_TEST(int8_that_is_wrong_is_refused)
{
    struct bytes bytes = int8_head(1, 4, true);

    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "another version");
    bytes = int8_head(2, 0, true);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "group_size is 0");
    bytes = int8_head(2, 4, true);
    bytes.size = 255;
    refuse_bytes(&bytes, DYNO_UNSUPPORTED, "another version");
    bytes = make_int8(true);
    memcpy(bytes.data + 37, &(int32_t){5}, sizeof(int32_t));
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "no whole number of groups of 5");
    bytes = make_int8(true);
    bytes.size--;
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "would end at");
    bytes = make_int8(true);
    put(&bytes, "", 1);
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "ends at byte");
    bytes = make_int8(true);
    memcpy(bytes.data + bytes.size - sizeof(float), &(float){HUGE_VALF}, sizeof(float));
    refuse_bytes(&bytes, DYNO_BAD_INPUT, "of tensor 'layer.1.up.weight' is infinite or not");
}
END_TEST

/* A number is at most half a step from the float that it was made of, and a step is at most the
 * largest element / 127. */
START_TEST(the_real_int8_model_is_near_the_real_one)
{
    static const char *const paths[] = {"../shared/models/stories260K/stories260K.bin",
                                        "../shared/models/stories260K/stories260K-q8.bin"};
    struct dyno_weights *weights[2] = {NULL, NULL};
    struct dyno_error error;

    if (access(paths[1], R_OK) != 0) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        ck_assert_msg(dyno_weights_open(&weights[i], paths[i], &error) == DYNO_OK, "%s",
                      error.text);
    }
    for (uint32_t i = 0; i < 64 * 172; i++) {
        float exact, near, largest = 4;

        memcpy(&exact, (const uint8_t *)weights[0]->layers[4].down.data + i * 4U, 4);
        memcpy(&near, (const uint8_t *)weights[1]->layers[4].down.data + i * 4U, 4);
        ck_assert_float_lt(fabsf(exact), largest);
        ck_assert_float_le(fabsf(exact - near), largest / 127 / 2);
    }
    ck_assert_mem_eq(weights[0]->layers[4].mlp_norm, weights[1]->layers[4].mlp_norm, 64 * 4);
    dyno_weights_close(weights[0]);
    dyno_weights_close(weights[1]);
}
END_TEST

START_TEST(the_real_babyllama_is_read)
{
    static const char path[] = "../shared/models/babyllama/tok105-model5000.bin";
    struct dyno_weights *weights = NULL;
    struct dyno_error error;

    if (access(path, R_OK) != 0) {
        return;
    }
    ck_assert_msg(dyno_weights_open(&weights, path, &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(weights->model.vocab, 105);
    ck_assert_uint_eq(weights->model.hidden, 128);
    ck_assert_uint_eq(weights->model.kv_heads, 4);
    dyno_weights_close(weights);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("llama2c");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_add_test(tcase, every_matrix_is_at_its_place);
    tcase_add_test(tcase, a_positive_vocabulary_ties_the_logits);
    tcase_add_test(tcase, a_file_of_another_length_is_refused);
    tcase_add_loop_test(tcase, a_head_out_of_range_is_refused, 0, 7);
    tcase_add_test(tcase, shapes_that_contradict_each_other_are_refused);
    tcase_add_loop_test(tcase, int8_becomes_floats, 0, 2);
    tcase_add_test(tcase, int8_that_is_wrong_is_refused);
    tcase_add_test(tcase, the_real_int8_model_is_near_the_real_one);
    tcase_add_test(tcase, the_real_babyllama_is_read);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/weights_llama2c", add_cases)
