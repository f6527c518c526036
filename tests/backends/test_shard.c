/* What a rank holds of a model. */
#include "backends/engine/shard.h"

#include "tests/backends/tiny_models.h"
#include "tests/check_main.h"

static const struct dyno_model llama = {.attention = DYNO_ATTENTION_GQA,
                                        .layers = 32,
                                        .hidden = 4096,
                                        .heads = 32,
                                        .kv_heads = 8,
                                        .head_dim = 128,
                                        .intermediate = 14336,
                                        .vocab = 128256};

static struct dyno_shard shard_of(const struct dyno_model *model, uint32_t rank, uint32_t ranks)
{
    struct dyno_shard shard;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_shard_make(&shard, model, rank, ranks, &error) == DYNO_OK, "%s", error.text);
    return shard;
}

START_TEST(llama_8b_by_hand)
{
    struct dyno_shard shard = shard_of(&llama, 3, 4);

    ck_assert_uint_eq(shard.heads.first, 24);
    ck_assert_uint_eq(shard.heads.count, 8);
    ck_assert_uint_eq(shard.kv_heads.first, 6);
    ck_assert_uint_eq(shard.kv_heads.count, 2);
    ck_assert_uint_eq(shard.intermediate.first, 10752);
    ck_assert_uint_eq(shard.intermediate.count, 3584);
    ck_assert_uint_eq(shard.vocab.first, 96192);
    ck_assert_uint_eq(shard.vocab.count, 32064);
    ck_assert_uint_eq(shard.vocab_each, 32064);
    ck_assert_uint_eq(shard.expert_intermediate.count, 0);
    shard = shard_of(&llama, 5, 16); /* two ranks have the same kv head */
    ck_assert_uint_eq(shard.heads.first, 10);
    ck_assert_uint_eq(shard.heads.count, 2);
    ck_assert_uint_eq(shard.kv_heads.first, 2);
    ck_assert_uint_eq(shard.kv_heads.count, 1);
    ck_assert_uint_eq(shard_of(&llama, 4, 16).kv_heads.first, 2);
}
END_TEST

/* Parts of all ranks, one after another, are [0, whole). */
static void expect_parted(uint32_t *end, struct dyno_shard_part part)
{
    ck_assert_uint_eq(part.first, *end);
    *end += part.count;
}

START_TEST(parts_make_a_whole_and_heads_find_their_kv_heads)
{
    struct dyno_rng rng;
    uint32_t ranks = 1U << (_i % 3);
    uint32_t heads = 0, intermediate = 0, expert = 0, vocab = 0;
    struct dyno_model model;

    dyno_rng_init(&rng, (uint64_t)_i, "shard");
    model = tiny_shapes_to_share(&rng, (enum family)(_i % FAMILIES), DYNO_ELEMENT_F32);
    for (uint32_t rank = 0; rank < ranks; rank++) {
        struct dyno_shard shard = shard_of(&model, rank, ranks);

        expect_parted(&heads, shard.heads);
        expect_parted(&intermediate, shard.intermediate);
        expect_parted(&expert, shard.expert_intermediate);
        expect_parted(&vocab, shard.vocab);
        ck_assert_uint_le(shard.vocab.count, shard.vocab_each);
        ck_assert(shard.vocab.count == 0 || shard.vocab.first == rank * shard.vocab_each);
        for (uint32_t i = 0; i < shard.heads.count; i++) { /* as a rank's attention finds it */
            uint32_t kv_head = i / (shard.heads.count / shard.kv_heads.count);

            ck_assert_uint_eq(shard.kv_heads.first + kv_head,
                              (shard.heads.first + i) / (model.heads / model.kv_heads));
        }
    }
    ck_assert_uint_eq(heads, model.heads);
    ck_assert_uint_eq(intermediate, model.intermediate);
    ck_assert_uint_eq(expert, model.expert_intermediate);
    ck_assert_uint_eq(vocab, model.vocab);
}
END_TEST

START_TEST(a_vocabulary_need_not_divide)
{
    static const uint32_t counts[] = {2, 2, 1, 0};
    struct dyno_model model = llama;

    model.vocab = 5;
    for (uint32_t rank = 0; rank < 4; rank++) {
        ck_assert_uint_eq(shard_of(&model, rank, 4).vocab.count, counts[rank]);
        ck_assert_uint_eq(shard_of(&model, rank, 4).vocab_each, 2);
    }
}
END_TEST

static void expect_refused(const struct dyno_model *model, uint32_t ranks, const char *text)
{
    struct dyno_shard shard = {.ranks = 77};
    struct dyno_error error = {0};

    ck_assert_int_ne(dyno_shard_make(&shard, model, 0, ranks, &error), DYNO_OK);
    ck_assert_str_eq(error.text, text);
    ck_assert_uint_eq(shard.ranks, 77);
}

START_TEST(what_does_not_divide_is_refused_with_what_would)
{
    struct dyno_model model = llama;

    expect_refused(&model, 3, "32 attention heads cannot be shared by 3 ranks; by 2 or 4 they can");
    expect_refused(&model, 64, "32 attention heads cannot be shared by 64 ranks; by 32 they can");
    model.heads = 12;
    model.kv_heads = 6;
    expect_refused(&model, 4, "6 kv heads cannot be shared by 4 ranks; by 3 or 6 they can");
    model.kv_heads = 4;
    model.intermediate = 30;
    expect_refused(&model, 4,
                   "30 columns of an MLP cannot be shared by 4 ranks; by 3 or 5 they "
                   "can");
    model.intermediate = 0;
    model.experts = 8;
    model.expert_intermediate = 6;
    expect_refused(&model, 4,
                   "6 columns of an expert cannot be shared by 4 ranks; by 3 or 6 they "
                   "can");
    model.expert_intermediate = 8;
    model.shared_intermediate = 8;
    expect_refused(&model, 4, "shared experts are not shared out among ranks");
    model.attention = DYNO_ATTENTION_MLA;
    model.shared_intermediate = 0;
    expect_refused(&model, 4, "latent keys are not shared out among ranks");
}
END_TEST

/* `part` is rows [first, ...) of `whole`, where they lie. */
static void expect_rows(const struct dyno_matrix *part, const struct dyno_matrix *whole,
                        uint32_t first, uint32_t count)
{
    size_t bytes = dyno_row_bytes(whole->element, whole->columns);

    ck_assert_uint_eq(part->rows, count);
    ck_assert_uint_eq(part->columns, whole->columns);
    ck_assert_ptr_eq(part->data, (const char *)whole->data + first * bytes);
}

static void expect_layer(const struct dyno_layer_weights *part,
                         const struct dyno_layer_weights *whole, const struct dyno_shard *shard,
                         const struct dyno_model *model)
{
    uint32_t dim = model->head_dim;

    expect_rows(&part->query, &whole->query, shard->heads.first * dim, shard->heads.count * dim);
    expect_rows(&part->key, &whole->key, shard->kv_heads.first * dim, shard->kv_heads.count * dim);
    expect_rows(&part->value, &whole->value, shard->kv_heads.first * dim,
                shard->kv_heads.count * dim);
    ck_assert_mem_eq(&part->output, &whole->output, sizeof whole->output);
    ck_assert_mem_eq(&part->down, &whole->down, sizeof whole->down);
    ck_assert_ptr_eq(part->attention_norm, whole->attention_norm);
    if (whole->query_bias) {
        ck_assert_ptr_eq(part->query_bias, whole->query_bias + shard->heads.first * dim);
        ck_assert_ptr_eq(part->value_bias, whole->value_bias + shard->kv_heads.first * dim);
    }
    ck_assert_ptr_eq(part->down_bias, shard->rank == 0 ? whole->down_bias : NULL);
    ck_assert_ptr_eq(part->output_bias, shard->rank == 0 ? whole->output_bias : NULL);
    if (model->experts == 0) {
        expect_rows(&part->up, &whole->up, shard->intermediate.first, shard->intermediate.count);
        return;
    }
    ck_assert_mem_eq(&part->router, &whole->router, sizeof whole->router);
    for (uint32_t i = 0; i < model->experts; i++) {
        expect_rows(&part->expert_gate[i], &whole->expert_gate[i], shard->expert_intermediate.first,
                    shard->expert_intermediate.count);
        expect_rows(&part->expert_up[i], &whole->expert_up[i], shard->expert_intermediate.first,
                    shard->expert_intermediate.count);
        ck_assert_ptr_eq(part->expert_down[i].data, whole->expert_down[i].data);
    }
}

START_TEST(a_view_points_into_the_weights)
{
    enum family family = (enum family)(_i % FAMILIES);
    enum dyno_element element = (enum dyno_element)(_i / FAMILIES % DYNO_ELEMENTS);
    struct dyno_error error = {0};
    struct dyno_weights *whole, *part;
    struct dyno_model model;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "view");
    model = tiny_shapes_to_share(&rng, family, element);
    whole = tiny_model_of(&rng, family, element, &model);
    for (uint32_t rank = 0; rank < 4; rank++) {
        struct dyno_shard shard = shard_of(&model, rank, 4);

        ck_assert_msg(dyno_shard_weights_open(&part, whole, &shard, &error) == DYNO_OK, "%s",
                      error.text);
        ck_assert_uint_eq(part->model.heads, model.heads / 4);
        ck_assert_uint_eq(part->model.vocab, model.vocab);
        ck_assert_mem_eq(&part->embedding, &whole->embedding, sizeof whole->embedding);
        expect_rows(&part->logits, &whole->logits, shard.vocab.first, shard.vocab.count);
        for (uint32_t i = 0; i < model.layers; i++) {
            expect_layer(&part->layers[i], &whole->layers[i], &shard, &model);
        }
        dyno_shard_weights_close(part);
    }
}
END_TEST

/* Columns are cut between groups of 32 that have one scale, or not at all. */
START_TEST(groups_of_q8_0_are_not_cut)
{
    struct dyno_error error = {0};
    struct dyno_weights *whole, *part = NULL;
    struct dyno_model model;
    struct dyno_shard shard;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "groups");
    model = tiny_shapes_to_share(&rng, LLAMA2, DYNO_ELEMENT_Q8_0);
    model.intermediate = 64;
    whole = tiny_model_of(&rng, LLAMA2, DYNO_ELEMENT_Q8_0, &model);
    shard = shard_of(&model, 0, 4);
    ck_assert_int_eq(dyno_shard_weights_open(&part, whole, &shard, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text,
                     "4 ranks would have 16 columns each of the model's down, whose type Q8_0 has "
                     "a scale for every 32; fewer ranks, or weights of another type, would do");
    ck_assert_ptr_null(part);
    shard = shard_of(&model, 0, 2);
    ck_assert_int_eq(dyno_shard_weights_open(&part, whole, &shard, &error), DYNO_OK);
    dyno_shard_weights_close(part);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("shard");

    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_test(tcase, llama_8b_by_hand);
    tcase_add_loop_test(tcase, parts_make_a_whole_and_heads_find_their_kv_heads, 0, 120);
    tcase_add_test(tcase, a_vocabulary_need_not_divide);
    tcase_add_test(tcase, what_does_not_divide_is_refused_with_what_would);
    tcase_add_loop_test(tcase, a_view_points_into_the_weights, 0, DYNO_ELEMENTS * FAMILIES);
    tcase_add_test(tcase, groups_of_q8_0_are_not_cut);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("shard", add_cases)
