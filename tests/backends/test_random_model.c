/* Random models: what is written is read again, and is the same in every format. */
#include "backends/assets/random/random_model.h"

#include <math.h>

#include "backends/assets/rope_table.h"
#include "tests/backends/family_shapes.h"
#include "tests/backends/model_files.h"

#include "tests/check_main.h"

static struct dyno_random_model plan(size_t shape, enum dyno_element element)
{
    return (struct dyno_random_model){.shape = family_shapes[shape],
                                      .element = element,
                                      .seed = 7,
                                      .shard_bytes_max = DYNO_SHARD_BYTES_MAX};
}

static struct dyno_weights *open_model(const char *path)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_weights_open(&weights, path, &error) == DYNO_OK, "%s", error.text);
    return weights;
}

static struct dyno_weights *open_folder(const struct dyno_random_model *model)
{
    struct dyno_error error = {0};

    ck_assert_msg(dyno_random_write_folder(model, model_folder, &error) == DYNO_OK, "%s",
                  error.text);
    return open_model(model_folder);
}

static struct dyno_weights *open_gguf(const struct dyno_random_model *model)
{
    struct dyno_error error = {0};

    (void)unlink(model_path("m.gguf"));
    ck_assert_msg(dyno_random_write_gguf(model, model_path("m.gguf"), &error) == DYNO_OK, "%s",
                  error.text);
    return open_model(model_path("m.gguf"));
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
        data += (size_t)column / DYNO_Q8_0_ELEMENTS * DYNO_Q8_0_BYTES;
        memcpy(&half, data, sizeof(half));
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

/* Row `row` of a head whose rotary pairs are half a head apart, where they are neighbours. */
static uint32_t paired(uint32_t row, uint32_t head_dim)
{
    uint32_t in_head = row % head_dim, half = head_dim / 2;

    return row - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

/* head_dim 0: rows are in the same order. */
static void assert_same(const struct dyno_matrix *a, const struct dyno_matrix *b, uint32_t head_dim,
                        float tolerance)
{
    ck_assert_uint_eq(a->rows, b->rows);
    ck_assert_uint_eq(a->columns, b->columns);
    ck_assert((a->data == NULL) == (b->data == NULL));
    for (uint32_t row = 0; a->data && row < a->rows; row++) {
        uint32_t other = head_dim ? paired(row, head_dim) : row;

        for (uint32_t column = 0; column < a->columns; column++) {
            ck_assert_float_le(fabsf(at(a, row, column) - at(b, other, column)), tolerance);
        }
    }
}

static void assert_same_vector(const float *a, const float *b, uint32_t count, uint32_t head_dim)
{
    ck_assert((a == NULL) == (b == NULL));
    for (uint32_t i = 0; a && i < count; i++) {
        ck_assert_float_eq(a[i], b[head_dim ? paired(i, head_dim) : i]);
    }
}

static void assert_same_layer(const struct dyno_model *model, const struct dyno_layer_weights *a,
                              const struct dyno_layer_weights *b, uint32_t head_dim)
{
    uint32_t queries = model->heads * model->head_dim, keys = model->kv_heads * model->head_dim;

    assert_same_vector(a->attention_norm, b->attention_norm, model->hidden, 0);
    assert_same_vector(a->attention_norm_bias, b->attention_norm_bias, model->hidden, 0);
    assert_same_vector(a->mlp_norm, b->mlp_norm, model->hidden, 0);
    assert_same_vector(a->mlp_norm_bias, b->mlp_norm_bias, model->hidden, 0);
    assert_same(&a->query, &b->query, head_dim, 0);
    assert_same(&a->key, &b->key, head_dim, 0);
    assert_same(&a->value, &b->value, 0, 0);
    assert_same(&a->output, &b->output, 0, 0);
    assert_same_vector(a->query_bias, b->query_bias, queries, head_dim);
    assert_same_vector(a->key_bias, b->key_bias, keys, head_dim);
    assert_same_vector(a->value_bias, b->value_bias, keys, 0);
    assert_same_vector(a->output_bias, b->output_bias, model->hidden, 0);
    assert_same_vector(a->query_norm, b->query_norm, model->head_dim, 0);
    assert_same_vector(a->key_norm, b->key_norm, model->head_dim, 0);
    assert_same(&a->gate, &b->gate, 0, 0);
    assert_same(&a->up, &b->up, 0, 0);
    assert_same(&a->down, &b->down, 0, 0);
    assert_same_vector(a->up_bias, b->up_bias, model->intermediate, 0);
    assert_same_vector(a->down_bias, b->down_bias, model->hidden, 0);
    assert_same(&a->router, &b->router, 0, 0);
    for (uint32_t i = 0; i < model->experts; i++) {
        assert_same(&a->expert_gate[i], &b->expert_gate[i], 0, 0);
        assert_same(&a->expert_up[i], &b->expert_up[i], 0, 0);
        assert_same(&a->expert_down[i], &b->expert_down[i], 0, 0);
    }
}

static void assert_same_settings(const struct dyno_weights *a, const struct dyno_weights *b)
{
    ck_assert_uint_eq(dyno_model_parameters(&a->model), dyno_model_parameters(&b->model));
    ck_assert_uint_eq(a->model.context_max, b->model.context_max);
    ck_assert_uint_eq(a->model.experts_per_token, b->model.experts_per_token);
    ck_assert_int_eq((int)a->activation, (int)b->activation);
    ck_assert_double_eq_tol(a->norm_epsilon, b->norm_epsilon, 1e-12);
    ck_assert_double_eq(a->rope.theta, b->rope.theta);
    ck_assert_int_eq(a->layer_norm, b->layer_norm);
    ck_assert_int_eq(a->normalize_top_k, b->normalize_top_k);
    ck_assert_uint_eq(a->window, b->window);
    ck_assert_uint_eq(a->bos, b->bos);
    ck_assert_uint_eq(a->eos_count, 1);
    ck_assert_uint_eq(a->eos[0], b->eos[0]);
}

/* GGUF's numbers are single, and Llama's factors are a table there. */
static void assert_same_turns(const struct dyno_weights *a, const struct dyno_weights *b)
{
    enum { POSITIONS = 40 };
    float *turns[2];

    if (a->rope.pairs == DYNO_ROPE_NONE) {
        return;
    }
    turns[0] = dyno_rope_table_make(&a->rope, a->model.head_dim, POSITIONS);
    turns[1] = dyno_rope_table_make(&b->rope, b->model.head_dim, POSITIONS);
    ck_assert(turns[0] && turns[1]);
    for (uint32_t i = 0; i < POSITIONS * a->model.head_dim; i++) {
        ck_assert_float_eq_tol(turns[0][i], turns[1][i], 1e-5F);
    }
    free(turns[0]);
    free(turns[1]);
}

/* _i: a shape and an element that safetensors have.  Nor do threads show. */
START_TEST(both_formats_hold_the_same_weights)
{
    struct dyno_random_model model = plan((size_t)_i / 3, (enum dyno_element)(_i % 3));
    struct dyno_weights *folder = open_folder(&model), *gguf;
    uint32_t head_dim;

    model.threads = 3;
    gguf = open_gguf(&model);
    head_dim = gguf->rope.pairs == DYNO_ROPE_ADJACENT ? model.shape.model.head_dim : 0;
    ck_assert_int_ne((int)folder->rope.pairs, DYNO_ROPE_ADJACENT);
    assert_same_settings(folder, gguf);
    assert_same_turns(folder, gguf);
    ck_assert_int_eq((int)folder->rope.scaling, (int)model.shape.rope.scaling);
    ck_assert_uint_eq(dyno_model_parameters(&folder->model),
                      dyno_model_parameters(&model.shape.model));
    assert_same(&folder->embedding, &gguf->embedding, 0, 0);
    assert_same(&folder->positions, &gguf->positions, 0, 0);
    assert_same(&folder->logits, &gguf->logits, 0, 0);
    assert_same_vector(folder->final_norm, gguf->final_norm, model.shape.model.hidden, 0);
    for (uint32_t i = 0; i < model.shape.model.layers; i++) {
        assert_same_layer(&model.shape.model, &folder->layers[i], &gguf->layers[i], head_dim);
    }
    dyno_weights_close(folder);
    dyno_weights_close(gguf);
}
END_TEST

/* A step of a block is max / 127, and the largest of a block is at most 3.47 * 0.02. */
START_TEST(q8_0_is_as_near_as_half_a_step)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_F32);
    struct dyno_weights *exact = open_folder(&model), *rounded;

    model.element = DYNO_ELEMENT_Q8_0;
    rounded = open_gguf(&model);
    ck_assert_int_eq((int)rounded->layers[1].down.element, DYNO_ELEMENT_Q8_0);
    assert_same(&exact->embedding, &rounded->embedding, 0, 0.51F * 0.0694F / 127);
    assert_same(&exact->layers[1].down, &rounded->layers[1].down, 0, 0.51F * 0.0694F / 127);
    dyno_weights_close(exact);
    dyno_weights_close(rounded);
}
END_TEST

/* Mean 0 and deviation 0.02 within four standard errors of 300 * 64 values. */
START_TEST(values_are_centred_and_narrow)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_F32);
    struct dyno_weights *weights = open_folder(&model);
    uint32_t count = weights->embedding.rows * weights->embedding.columns;
    double sum = 0, squares = 0;

    for (uint32_t row = 0; row < weights->embedding.rows; row++) {
        for (uint32_t column = 0; column < weights->embedding.columns; column++) {
            double value = (double)at(&weights->embedding, row, column);

            sum += value;
            squares += value * value;
        }
    }
    ck_assert_double_eq_tol(sum / count, 0, 4 * 0.02 / sqrt(count));
    ck_assert_double_eq_tol(sqrt(squares / count), 0.02, 4 * 0.02 / sqrt(2 * count));
    ck_assert_float_ne(at(&weights->layers[0].query, 0, 0), at(&weights->layers[1].query, 0, 0));
    ck_assert_float_ne(at(&weights->layers[0].query, 0, 0), at(&weights->layers[0].key, 0, 0));
    dyno_weights_close(weights);
}
END_TEST

START_TEST(another_seed_gives_other_weights)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_F32);
    struct dyno_weights *folder = open_folder(&model), *gguf;

    model.seed = 8;
    gguf = open_gguf(&model);
    ck_assert_float_ne(at(&folder->embedding, 3, 5), at(&gguf->embedding, 3, 5));
    dyno_weights_close(folder);
    dyno_weights_close(gguf);
}
END_TEST

START_TEST(a_large_model_is_parted_and_read_again)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_F32);
    struct dyno_weights *folder, *gguf;

    model.shard_bytes_max = 100000;
    folder = open_folder(&model);
    ck_assert_int_eq(access(model_path("model.safetensors.index.json"), F_OK), 0);
    ck_assert_int_ne(access(model_path("model.safetensors"), F_OK), 0);
    gguf = open_gguf(&model);
    assert_same(&folder->logits, &gguf->logits, 0, 0);
    assert_same(&folder->layers[1].gate, &gguf->layers[1].gate, 0, 0);
    dyno_weights_close(folder);
    dyno_weights_close(gguf);
}
END_TEST

static void refuse_folder(const struct dyno_random_model *model, dyno_status status,
                          const char *part)
{
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_random_write_folder(model, model_folder, &error), status);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
}

START_TEST(a_model_is_never_overwritten)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_F32);

    struct dyno_error error = {0};

    dyno_weights_close(open_folder(&model));
    refuse_folder(&model, DYNO_BAD_INPUT, "holds a config.json already");
    dyno_weights_close(open_gguf(&model));
    ck_assert_int_eq(dyno_random_write_gguf(&model, model_path("m.gguf"), &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "m.gguf' is there already"));
}
END_TEST

/* Wants no more than so many thirds of the bytes. */
static bool stop_behind(void *context, uint64_t bytes, uint64_t bytes_total)
{
    const int *thirds = context;

    ck_assert_uint_le(bytes, bytes_total);
    return 3 * bytes <= (uint64_t)*thirds * bytes_total;
}

static uint32_t files_in(const char *path)
{
    DIR *folder = opendir(path);
    uint32_t count = 0;

    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        (void)closedir(folder);
    }
    return count; /* with . and .. */
}

/* _i: behind how many thirds; behind 2, whole files have been written. */
START_TEST(nothing_stays_of_what_was_interrupted)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_F32);
    struct dyno_error error = {0};
    char folder[512];

    model.wrote = stop_behind;
    model.context = &_i;
    model.shard_bytes_max = 100000;
    ck_assert_int_eq(dyno_random_write_gguf(&model, model_path("m.gguf"), &error),
                     DYNO_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(error.text, "interrupted"));
    (void)snprintf(folder, sizeof folder, "%s", model_path("new"));
    ck_assert_int_eq(dyno_random_write_folder(&model, folder, &error), DYNO_INTERRUPTED);
    ck_assert_uint_eq(files_in(model_folder), 2); /* not even the new folder */
    refuse_folder(&model, DYNO_INTERRUPTED, "no model was written");
    ck_assert_uint_eq(files_in(model_folder), 2); /* but a folder that was there is */
}
END_TEST

START_TEST(gguf_has_no_place_for_exact_bounds)
{
    struct dyno_random_model model = plan(2, DYNO_ELEMENT_F32);
    struct dyno_error error = {0};
    struct dyno_weights *folder;

    ck_assert_int_eq((int)model.shape.rope.scaling, DYNO_ROPE_YARN);
    model.shape.rope.exact = true;
    ck_assert_int_eq(dyno_random_write_gguf(&model, model_path("m.gguf"), &error),
                     DYNO_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.text, "truncate"));
    folder = open_folder(&model);
    ck_assert(folder->rope.exact);
    dyno_weights_close(folder);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    struct dyno_random_model model = plan(0, DYNO_ELEMENT_Q8_0);

    refuse_folder(&model, DYNO_BAD_INPUT, "no q8_0");
    model.element = DYNO_ELEMENT_F32;
    model.shape.model.vocab = 256;
    refuse_folder(&model, DYNO_BAD_INPUT, "vocabulary of 256");
    model.shape.model.vocab = 257;
    model.shape.model.head_dim = 15;
    refuse_folder(&model, DYNO_BAD_INPUT, "even");
    model.shape.model.attention = DYNO_ATTENTION_MLA;
    model.shape.model.mla_kv_rank = model.shape.model.mla_nope_dim = model.shape.model.mla_v_dim =
        8;
    refuse_folder(&model, DYNO_UNSUPPORTED, "not of a family");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("random_model");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, both_formats_hold_the_same_weights, 0, FAMILY_SHAPES * 3);
    tcase_add_loop_test(tcase, nothing_stays_of_what_was_interrupted, 0, 3);
    tcase_add_test(tcase, q8_0_is_as_near_as_half_a_step);
    tcase_add_test(tcase, values_are_centred_and_narrow);
    tcase_add_test(tcase, another_seed_gives_other_weights);
    tcase_add_test(tcase, a_large_model_is_parted_and_read_again);
    tcase_add_test(tcase, a_model_is_never_overwritten);
    tcase_add_test(tcase, gguf_has_no_place_for_exact_bounds);
    tcase_add_test(tcase, what_cannot_be_written_is_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/random_model", add_cases)
