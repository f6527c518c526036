/* What config.json and GGUF say of rotary embeddings: YaRN's numbers, and the context that it
 * stretches.  Other scalings are in test_weights_folder.c. */
#include "backends/assets/rope_config.h"

#include <math.h>

#include "backends/assets/assets.h"
#include "backends/assets/rope_table.h"
#include "tests/backends/model_files.h"

#include "tests/check_main.h"

/* Qwen2.5-7B-Instruct's head, theta and context; its card says what to add for long texts. */
#define QWEN                                                                                       \
    "\"model_type\": \"qwen2\", \"num_hidden_layers\": 1, \"hidden_size\": 128, "                  \
    "\"num_attention_heads\": 1, \"vocab_size\": 16, \"intermediate_size\": 8, "                   \
    "\"rope_theta\": 1000000.0, \"max_position_embeddings\": 32768"
#define LONG "\"factor\": 4.0, \"original_max_position_embeddings\": 32768"

static struct dyno_weights describe(const char *more)
{
    struct dyno_weights weights = {0};
    struct dyno_error error = {0};
    char text[2048];

    (void)snprintf(text, sizeof text, "{" QWEN ", %s}", more);
    write_text("config.json", text);
    ck_assert_msg(dyno_weights_describe(&weights, model_folder, &error) == DYNO_OK, "%s",
                  error.text);
    return weights;
}

static void refuse(const char *more, dyno_status status, const char *part)
{
    struct dyno_weights weights = {0};
    struct dyno_error error = {0};
    char text[2048];

    (void)snprintf(text, sizeof text, "{" QWEN ", %s}", more);
    write_text("config.json", text);
    ck_assert_msg(dyno_weights_describe(&weights, model_folder, &error) == status, "%s: '%s'", more,
                  error.text);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
    ck_assert_msg(strstr(error.text, "config.json"), "'%s' does not name the file", error.text);
}

/* The first of newer files, the second of older ones, the third of transformers 5. */
START_TEST(yarn_is_read_in_each_of_its_spellings)
{
    static const char *const spellings[] = {
        "\"rope_scaling\": {\"rope_type\": \"yarn\", " LONG "}",
        "\"rope_scaling\": {\"type\": \"yarn\", " LONG "}",
        "\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 1000000.0, " LONG "}"};
    struct dyno_weights weights = describe(spellings[_i]);

    ck_assert_int_eq((int)weights.rope.scaling, DYNO_ROPE_YARN);
    ck_assert_double_eq(weights.rope.theta, 1e6);
    ck_assert_double_eq(weights.rope.factor, 4);
    ck_assert_double_eq(weights.rope.beta_fast, 32);
    ck_assert_double_eq(weights.rope.beta_slow, 1);
    ck_assert_uint_eq(weights.rope.original_context, 32768);
    ck_assert(!weights.rope.exact);
    ck_assert_double_eq_tol(weights.rope.length, 1.1386294361119891, 1e-15); /* 0.1 ln 4 + 1 */
    ck_assert_uint_eq(weights.model.context_max, 131072);
}
END_TEST

/* d(32) = 64 ln(32768 / 64 pi) / ln 1e6 = 23.6 and d(1) = 64 ln(32768 / 2 pi) / ln 1e6 = 39.65: up
 * to pair 23 as before, from pair 40 a quarter, between them pair 31 8/17 of the way. */
START_TEST(the_table_of_a_published_model_by_hand)
{
    static const struct {
        uint32_t pair;
        double share;
    } pairs[] = {{0, 1.0}, {23, 1.0}, {31, 1.0 - 0.75 * 8 / 17}, {40, 0.25}, {63, 0.25}};
    struct dyno_weights weights = describe("\"rope_scaling\": {\"rope_type\": \"yarn\", " LONG "}");
    float *table = dyno_rope_table_make(&weights.rope, 128, 3);

    ck_assert_ptr_nonnull(table);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const float *entry = table + ((size_t)2 * 64 + pairs[i].pair) * 2; /* of position 2 */
        double angle = 2 * pow(1e6, -(double)pairs[i].pair / 64.0) * pairs[i].share;

        ck_assert_double_eq_tol((double)entry[0], 1.1386294361119891 * cos(angle), 1e-6);
        ck_assert_double_eq_tol((double)entry[1], 1.1386294361119891 * sin(angle),
                                1e-9 + 1e-6 * angle);
    }
    free(table);
}
END_TEST

START_TEST(every_number_of_yarn_can_be_said)
{
    struct dyno_weights weights =
        describe("\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2.5, \"beta_fast\": 16, "
                 "\"beta_slow\": 2, \"truncate\": false, \"attention_factor\": 0.75, "
                 "\"original_max_position_embeddings\": 1001}");

    ck_assert_double_eq(weights.rope.factor, 2.5);
    ck_assert_double_eq(weights.rope.beta_fast, 16);
    ck_assert_double_eq(weights.rope.beta_slow, 2);
    ck_assert_double_eq(weights.rope.length, 0.75);
    ck_assert(weights.rope.exact);
    ck_assert_uint_eq(weights.rope.original_context, 1001);
    /* DeepSeek-V2's: (0.1 * 0.707 ln 40 + 1) / (0.1 * 0.5 ln 40 + 1). */
    weights = describe("\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 40, "
                       "\"mscale\": 0.707, \"mscale_all_dim\": 0.5, "
                       "\"original_max_position_embeddings\": 4096}");
    ck_assert_double_eq_tol(weights.rope.length, 1.2608037774 / 1.1844439727, 1e-9);
    /* One of the two is none. */
    weights = describe("\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 40, "
                       "\"mscale\": 0.707, \"original_max_position_embeddings\": 4096}");
    ck_assert_double_eq_tol(weights.rope.length, 1.3688879454, 1e-9); /* 0.1 ln 40 + 1 */
}
END_TEST

/* max_position_embeddings 32768 in all of them. */
START_TEST(the_context_is_the_longer_of_what_is_said)
{
    static const struct {
        const char *scaling;
        uint32_t context;
    } cases[] = {
        {"\"factor\": 4, \"original_max_position_embeddings\": 4096", 32768},
        {"\"factor\": 8, \"original_max_position_embeddings\": 4096", 32768},
        {"\"factor\": 16, \"original_max_position_embeddings\": 4096", 65536},
        {"\"factor\": 1.5, \"original_max_position_embeddings\": 32767", 49150}, /* .5 */
        {"\"original_max_position_embeddings\": 4096", 32768},
        {"\"factor\": 2", 65536},
    };
    struct dyno_weights weights;
    char text[512];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(text, sizeof text, "\"rope_scaling\": {\"rope_type\": \"yarn\", %s}",
                       cases[i].scaling);
        weights = describe(text);
        ck_assert_uint_eq(weights.model.context_max, cases[i].context);
    }
    ck_assert_double_eq(weights.rope.factor, 2);
    ck_assert_uint_eq(weights.rope.original_context, 32768);
    weights = describe("\"rope_scaling\": {\"type\": \"yarn\", "
                       "\"original_max_position_embeddings\": 4096}");
    ck_assert_double_eq(weights.rope.factor, 8); /* as both contexts say */
    weights = describe("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}");
    ck_assert_uint_eq(weights.model.context_max, 32768); /* a file with it counts it already */
}
END_TEST

/* Where shapes alone are read, too. */
START_TEST(a_simulated_model_has_the_stretched_context)
{
    struct dyno_model model;
    struct dyno_error error = {0};

    (void)describe("\"rope_scaling\": {\"rope_type\": \"yarn\", " LONG "}");
    ck_assert_msg(dyno_assets_model(&model, model_path("config.json"), &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert_uint_eq(model.context_max, 131072);
}
END_TEST

#define YARN(more) "\"rope_scaling\": {\"rope_type\": \"yarn\", " more "}"

START_TEST(numbers_that_make_no_sense_are_refused)
{
    refuse(YARN("\"factor\": 0.5"), DYNO_BAD_INPUT, "factor is 0.5 where 1 or more");
    refuse(YARN("\"factor\": -4"), DYNO_BAD_INPUT, "\"factor\" is -4");
    refuse(YARN("\"factor\": \"four\""), DYNO_BAD_INPUT, "where a number is expected");
    refuse(YARN("\"factor\": 40000"), DYNO_BAD_INPUT, "1.31072e+09 tokens of a context of 32768");
    refuse(YARN("\"original_max_position_embeddings\": 0"), DYNO_BAD_INPUT,
           "\"original_max_position_embeddings\" is 0");
    refuse(YARN("\"original_max_position_embeddings\": 65536"), DYNO_BAD_INPUT,
           "factor is 0.5 where 1 or more");
    refuse(YARN(LONG ", \"beta_fast\": 1"), DYNO_BAD_INPUT, "beta_fast is 1 where more than");
    refuse(YARN(LONG ", \"beta_slow\": 0"), DYNO_BAD_INPUT, "\"beta_slow\" is 0");
    refuse(YARN(LONG ", \"beta_slow\": 64"), DYNO_BAD_INPUT, "beta_fast is 32 where more than");
    refuse(YARN(LONG ", \"attention_factor\": 0"), DYNO_BAD_INPUT, "attention factor is 0");
    refuse(YARN(LONG ", \"attention_factor\": 1e9"), DYNO_BAD_INPUT, "attention factor is 1e+09");
    refuse(YARN(LONG ", \"mscale\": 1, \"mscale_all_dim\": -20"), DYNO_BAD_INPUT,
           "attention factor is -");
    refuse(YARN(LONG ", \"truncate\": 1"), DYNO_BAD_INPUT, "\"truncate\" is a whole number");
    refuse("\"rope_scaling\": {" LONG "}", DYNO_UNSUPPORTED,
           "\"rope_type\" is 'absent, and \"factor\" is there'");
    refuse(YARN(LONG ", \"attn_factor\": 2"), DYNO_UNSUPPORTED, "\"attn_factor\" is 'not 1'");
    refuse("\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 1, " LONG "}",
           DYNO_BAD_INPUT, "theta is 1 where more than 1");
}
END_TEST

/* Of bounds that lie outside of a head, or in one place, nothing becomes infinite. */
START_TEST(extreme_bounds_still_give_numbers)
{
    static const char *const extremes[] = {
        "\"factor\": 4, \"original_max_position_embeddings\": 1",
        "\"factor\": 4, \"original_max_position_embeddings\": 7, \"truncate\": false",
        "\"factor\": 4, \"beta_fast\": 1.0000001",
        "\"factor\": 4, \"beta_fast\": 1e300, \"beta_slow\": 1e-300"};
    struct dyno_weights weights;
    char text[512];

    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
        float *table;

        (void)snprintf(text, sizeof text, "\"rope_scaling\": {\"rope_type\": \"yarn\", %s}",
                       extremes[i]);
        weights = describe(text);
        table = dyno_rope_table_make(&weights.rope, 128, 9);
        ck_assert_ptr_nonnull(table);
        for (size_t k = 0; k < (size_t)9 * 128; k++) {
            ck_assert_msg(fabs((double)table[k]) <= weights.rope.length * 1.000001,
                          "case %zu: element %zu is %g", i, k, (double)table[k]);
        }
        free(table);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("rope config");

    tcase_add_checked_fixture(tcase, make_model_folder, remove_model_folder);
    tcase_add_loop_test(tcase, yarn_is_read_in_each_of_its_spellings, 0, 3);
    tcase_add_test(tcase, the_table_of_a_published_model_by_hand);
    tcase_add_test(tcase, every_number_of_yarn_can_be_said);
    tcase_add_test(tcase, the_context_is_the_longer_of_what_is_said);
    tcase_add_test(tcase, a_simulated_model_has_the_stretched_context);
    tcase_add_test(tcase, numbers_that_make_no_sense_are_refused);
    tcase_add_test(tcase, extreme_bounds_still_give_numbers);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/rope_config", add_cases)
