/* Prompts made from identities: equal ones begin alike, and their length is as asked. */
#include "backends/load/prompt.h"

#include <jansson.h>
#include <string.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "tests/check_main.h"

#define AUSTEN "backends/assets/models/austen-2m"

static struct dyno_prompt_maker *open_maker(const struct dyno_prompt_config *config)
{
    struct dyno_prompt_maker *maker = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_prompt_maker_open(&maker, config, &error) == DYNO_OK, "%s", error.text);
    return maker;
}

static json_t *prompt_of(const struct dyno_prompt_maker *maker, const struct dyno_request *request)
{
    struct dyno_load_text text = {0};
    json_t *value;

    ck_assert_int_eq(dyno_prompt_write(maker, request, &text), DYNO_OK);
    value = json_loadb(text.at, text.size, JSON_DECODE_ANY, NULL);
    ck_assert_ptr_nonnull(value);
    dyno_load_text_release(&text);
    return value;
}

static uint32_t words_in(const char *text)
{
    uint32_t count = 1;

    for (; *text; text++) {
        count += *text == ' ';
    }
    return count;
}

/* Letters that two texts have in common at the start. */
static size_t common(const char *one, const char *other)
{
    size_t size = 0;

    while (one[size] && one[size] == other[size]) {
        size++;
    }
    return size;
}

START_TEST(shared_identities_share_words_and_the_rest_differs)
{
    struct dyno_prompt_config config = {.seed = 7, .block_tokens = 16};
    struct dyno_prompt_maker *maker = open_maker(&config);
    struct dyno_span one[] = {{.id = 11, .blocks = 2}, {.id = 12, .blocks = 1}};
    struct dyno_span other[] = {{.id = 11, .blocks = 2}, {.id = 13, .blocks = 1}};
    struct dyno_request first = {.id = 0, .prompt_tokens = 100, .spans = one, .span_count = 2};
    struct dyno_request second = {.id = 1, .prompt_tokens = 100, .spans = one, .span_count = 2};
    struct dyno_request third = {.id = 2, .prompt_tokens = 100, .spans = other, .span_count = 2};
    json_t *a = prompt_of(maker, &first), *b = prompt_of(maker, &second),
           *c = prompt_of(maker, &third);
    char *shared = strdup(json_string_value(a));

    ck_assert_uint_eq(words_in(json_string_value(a)), 100);
    shared[common(json_string_value(a), json_string_value(b))] = '\0';
    ck_assert_uint_ge(words_in(shared), 48);
    ck_assert_uint_le(words_in(shared), 52);
    memcpy(shared, json_string_value(a), strlen(json_string_value(a)) + 1);
    shared[common(json_string_value(a), json_string_value(c))] = '\0';
    ck_assert_uint_ge(words_in(shared), 32);
    ck_assert_uint_le(words_in(shared), 36);
    free(shared);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    dyno_prompt_maker_close(maker);
}
END_TEST

START_TEST(another_seed_gives_other_prompts_and_the_same_the_same)
{
    struct dyno_prompt_config config = {.seed = 7, .block_tokens = 16};
    struct dyno_prompt_maker *one = open_maker(&config), *same = open_maker(&config), *other;
    struct dyno_span span = {.id = 11, .blocks = 4};
    struct dyno_request request = {.prompt_tokens = 64, .spans = &span, .span_count = 1};
    json_t *a, *b, *c;

    config.seed = 8;
    other = open_maker(&config);
    a = prompt_of(one, &request);
    b = prompt_of(same, &request);
    c = prompt_of(other, &request);
    ck_assert(json_equal(a, b));
    ck_assert_uint_lt(common(json_string_value(a), json_string_value(c)), 40);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    dyno_prompt_maker_close(one);
    dyno_prompt_maker_close(same);
    dyno_prompt_maker_close(other);
}
END_TEST

START_TEST(token_ids_stay_within_the_vocabulary)
{
    struct dyno_prompt_config config = {.as_tokens = true, .vocabulary = 80, .block_tokens = 16};
    struct dyno_prompt_maker *maker = open_maker(&config);
    struct dyno_request request = {.prompt_tokens = 1000};
    json_t *ids = prompt_of(maker, &request);

    ck_assert_uint_eq(json_array_size(ids), 1000);
    for (size_t i = 0; i < 1000; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));

        ck_assert(id >= 10 && id < 80);
    }
    json_decref(ids);
    dyno_prompt_maker_close(maker);
}
END_TEST

/* The spans may say more than the prompt has. */
START_TEST(a_prompt_is_never_longer_than_asked)
{
    struct dyno_prompt_config config = {.as_tokens = true, .vocabulary = 80, .block_tokens = 16};
    struct dyno_prompt_maker *maker = open_maker(&config);
    struct dyno_span spans[] = {{.id = 1, .blocks = UINT32_MAX}, {.id = 2, .blocks = 1}};
    struct dyno_request request = {.prompt_tokens = 20, .spans = spans, .span_count = 2};
    json_t *ids = prompt_of(maker, &request);

    ck_assert_uint_eq(json_array_size(ids), 20);
    json_decref(ids);
    dyno_prompt_maker_close(maker);
}
END_TEST

START_TEST(with_a_tokenizer_the_length_is_exact)
{
    struct dyno_prompt_config config = {.seed = 3, .block_tokens = 16};
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_encoder *encoder = NULL;
    struct dyno_prompt_maker *maker;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_tokenizer_file_open(&file, AUSTEN, &error) == DYNO_OK, "%s", error.text);
    ck_assert_int_eq(dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error), DYNO_OK);
    dyno_tokenizer_file_close(file);
    ck_assert_int_eq(dyno_encoder_open(&encoder, tokenizer, &error), DYNO_OK);
    config.tokenizer = tokenizer;
    maker = open_maker(&config);
    for (uint32_t tokens = 1; tokens < 400; tokens += 7) {
        struct dyno_request request = {.id = tokens, .prompt_tokens = tokens};
        json_t *prompt = prompt_of(maker, &request);
        struct dyno_token_ids ids;

        ck_assert_int_eq(dyno_encode(encoder, json_string_value(prompt), json_string_length(prompt),
                                     (struct dyno_encode_options){.around = false}, &ids, &error),
                         DYNO_OK);
        ck_assert_uint_eq(ids.count, tokens);
        json_decref(prompt);
    }
    dyno_prompt_maker_close(maker);
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("prompt");

    tcase_add_test(cases, shared_identities_share_words_and_the_rest_differs);
    tcase_add_test(cases, another_seed_gives_other_prompts_and_the_same_the_same);
    tcase_add_test(cases, token_ids_stay_within_the_vocabulary);
    tcase_add_test(cases, a_prompt_is_never_longer_than_asked);
    tcase_add_test(cases, with_a_tokenizer_the_length_is_exact);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/load/prompt", add_cases)
