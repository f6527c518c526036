/* Completions, embeddings, /tokenize and /detokenize: what is taken, and what is refused. */
#include "backends/openai/completion.h"
#include "backends/openai/embedding.h"
#include "backends/openai/tokenize.h"
#include "tests/backends/openai/refusals.h"
#include "tests/check_main.h"

static struct dyno_openai_rules rules_of_test(void)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();

    rules.vocab = 1000;
    rules.prompts_max = 3;
    return rules;
}

static struct dyno_openai_completion read_completion(const char *members)
{
    struct dyno_openai_rules rules = rules_of_test();
    struct dyno_openai_error error = {.code = NULL};
    struct dyno_openai_completion completion;
    char *text = with_member("{\"model\":\"m\"}", members);

    ck_assert_msg(dyno_openai_completion_read(&completion, text, strlen(text), &rules, &error) ==
                      DYNO_OK,
                  "%s: %s", text, error.cause.text);
    free(text);
    return completion;
}

START_TEST(a_prompt_is_text_or_tokens_one_or_several)
{
    struct dyno_openai_completion completion = read_completion("\"prompt\":\"a\"");

    ck_assert_uint_eq(completion.prompts.count, 1);
    ck_assert_str_eq(completion.prompts.list[0].text, "a");
    ck_assert_uint_eq(completion.prompts.list[0].text_size, 1);
    ck_assert_uint_eq(completion.sampling.max_tokens, 16);
    ck_assert(!completion.echo && !completion.sampling.logprobs);
    dyno_openai_completion_release(&completion);
    completion = read_completion("\"prompt\":[\"a\",\"\"]");
    ck_assert_uint_eq(completion.prompts.count, 2);
    ck_assert_str_eq(completion.prompts.list[1].text, "");
    dyno_openai_completion_release(&completion);
    completion = read_completion("\"prompt\":[5,999]");
    ck_assert_uint_eq(completion.prompts.count, 1);
    ck_assert_ptr_null(completion.prompts.list[0].text);
    ck_assert_uint_eq(completion.prompts.list[0].token_count, 2);
    ck_assert_uint_eq(completion.prompts.list[0].tokens[1], 999);
    dyno_openai_completion_release(&completion);
    completion = read_completion("\"prompt\":[[1],[2,3]]");
    ck_assert_uint_eq(completion.prompts.count, 2);
    ck_assert_uint_eq(completion.prompts.list[0].tokens[0], 1);
    ck_assert_uint_eq(completion.prompts.list[1].token_count, 2);
    ck_assert_uint_eq(completion.prompts.list[1].tokens[1], 3);
    dyno_openai_completion_release(&completion);
}
END_TEST

START_TEST(a_prompt_can_be_scored_alone)
{
    struct dyno_openai_completion completion =
        read_completion("\"prompt\":\"a\",\"echo\":true,\"max_tokens\":0,\"logprobs\":0,\"n\":2,"
                        "\"best_of\":2,\"suffix\":null");

    ck_assert(completion.echo && completion.sampling.logprobs);
    ck_assert_uint_eq(completion.sampling.max_tokens, 0);
    ck_assert_uint_eq(completion.sampling.top_logprobs, 0);
    dyno_openai_completion_release(&completion);
}
END_TEST

static const struct refusal bad_completions[] = {
    {"\"n\":1", "missing_required_parameter", "prompt", "missing"},
    {"\"prompt\":5", "invalid_type", "prompt", "a string, or an array"},
    {"\"prompt\":[]", "invalid_value", "prompt", "is empty"},
    {"\"prompt\":[[]]", "invalid_value", "prompt[0]", "is empty"},
    {"\"prompt\":[true]", "invalid_type", "prompt[0]", "is true"},
    {"\"prompt\":[\"a\",5]", "invalid_type", "prompt[1]", "like the first"},
    {"\"prompt\":[[5],\"a\"]", "invalid_type", "prompt[1]", "like the first"},
    {"\"prompt\":[5,\"a\"]", "invalid_type", "prompt[1]", "a token"},
    {"\"prompt\":[5,-1]", "invalid_value", "prompt[1]", "is -1, which is no token"},
    {"\"prompt\":[[5,1000]]", "invalid_value", "prompt[0][1]", "they are 0 to 999"},
    {"\"prompt\":[1.5]", "invalid_type", "prompt[0]", "a decimal"},
    {"\"prompt\":[\"a\",\"a\",\"a\",\"a\"]", "invalid_value", "prompt", "4 prompts"},
    {"\"prompt\":\"a\",\"max_tokens\":0", "invalid_value", "max_tokens", "'echo'"},
    {"\"prompt\":\"a\",\"min_tokens\":17", "invalid_value", "min_tokens", "the most there may be"},
    {"\"prompt\":\"a\",\"logprobs\":21", "invalid_value", "logprobs", "from 0 to 20"},
    {"\"prompt\":\"a\",\"logprobs\":true", "invalid_type", "logprobs", "whole number"},
    {"\"prompt\":\"a\",\"suffix\":\"b\"", "unsupported_parameter", "suffix", "filling in"},
    {"\"prompt\":\"a\",\"best_of\":2", "unsupported_parameter", "best_of", "as 'n'"},
    {"\"prompt\":\"a\",\"best_of\":true", "invalid_type", "best_of", "whole number"},
    {"\"prompt\":\"a\",\"messages\":[]", "unknown_parameter", "messages", "use 'prompt'"},
    {"\"prompt\":\"a\",\"max_completion_tokens\":5", "unknown_parameter", "max_completion_tokens",
     "use 'max_tokens'"},
    {"\"prompt\":\"a\",\"max_output_tokens\":5", "unknown_parameter", "max_output_tokens",
     "use 'max_tokens'"},
    {"\"prompt\":\"a\",\"echo\":1", "invalid_type", "echo", "true or false"},
};

START_TEST(a_bad_completion_is_refused_by_name)
{
    const struct refusal *due = &bad_completions[_i];
    char *text = with_member("{\"model\":\"m\"}", due->text);
    struct dyno_openai_rules rules = rules_of_test();
    struct dyno_openai_completion completion;
    struct dyno_openai_error error;

    ck_assert_msg(dyno_openai_completion_read(&completion, text, strlen(text), &rules, &error) ==
                      DYNO_BAD_INPUT,
                  "%s was taken", text);
    expect_error(&error, 400, due);
    free(text);
}
END_TEST

START_TEST(choices_of_all_prompts_have_a_limit)
{
    static const char body[] = "{\"model\":\"m\",\"n\":128,\"prompt\":[\"a\"%s]}";
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_completion completion;
    struct dyno_openai_error error;
    char text[512], more[256] = "";

    for (int i = 0; i < 32; i++) {
        memcpy(more + strlen(more), ",\"a\"", sizeof ",\"a\"");
    }
    (void)snprintf(text, sizeof text, body, more);
    ck_assert_int_eq(dyno_openai_completion_read(&completion, text, strlen(text), &rules, &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.cause.text, "4224 choices, more than the 4096"));
    (void)snprintf(text, sizeof text, body, more + 4);
    ck_assert_int_eq(dyno_openai_completion_read(&completion, text, strlen(text), &rules, &error),
                     DYNO_OK);
    dyno_openai_completion_release(&completion);
}
END_TEST

static dyno_status read_embedding(const char *members, struct dyno_openai_embedding *embedding,
                                  struct dyno_openai_error *error)
{
    struct dyno_openai_rules rules = rules_of_test();
    char *text = with_member("{\"model\":\"m\"}", members);
    dyno_status status = dyno_openai_embedding_read(embedding, text, strlen(text), &rules, error);

    free(text);
    return status;
}

START_TEST(embeddings_are_asked_for)
{
    struct dyno_openai_embedding embedding;
    struct dyno_openai_error error;

    ck_assert_int_eq(read_embedding("\"input\":\"a\"", &embedding, &error), DYNO_OK);
    ck_assert(!embedding.base64 && embedding.dimensions == 0);
    dyno_openai_embedding_release(&embedding);
    ck_assert_int_eq(read_embedding("\"input\":[[1,2]],\"encoding_format\":\"base64\","
                                    "\"dimensions\":8,\"user\":\"u\"",
                                    &embedding, &error),
                     DYNO_OK);
    ck_assert(embedding.base64 && embedding.dimensions == 8);
    ck_assert_uint_eq(embedding.inputs.list[0].token_count, 2);
    dyno_openai_embedding_release(&embedding);
}
END_TEST

static const struct refusal bad_embeddings[] = {
    {"\"user\":\"u\"", "missing_required_parameter", "input", "missing"},
    {"\"input\":\"\"", "invalid_value", "input", "is empty"},
    {"\"input\":[\"a\",\"\"]", "invalid_value", "input[1]", "is empty"},
    {"\"input\":\"a\",\"encoding_format\":\"hex\"", "invalid_value", "encoding_format", "neither"},
    {"\"input\":\"a\",\"encoding_format\":1", "invalid_type", "encoding_format", "a string"},
    {"\"input\":\"a\",\"dimensions\":0", "invalid_value", "dimensions", "from 1"},
    {"\"input\":\"a\",\"stream\":true", "invalid_value", "stream", "vectors come whole"},
    {"\"input\":\"a\",\"temperature\":1", "unknown_parameter", "temperature", "not a field"},
};

START_TEST(a_bad_embedding_is_refused_by_name)
{
    struct dyno_openai_embedding embedding;
    struct dyno_openai_error error;

    ck_assert_int_eq(read_embedding(bad_embeddings[_i].text, &embedding, &error), DYNO_BAD_INPUT);
    expect_error(&error, 400, &bad_embeddings[_i]);
}
END_TEST

static dyno_status read_tokenize(const char *text, struct dyno_openai_tokenize *tokenize,
                                 struct dyno_openai_error *error)
{
    struct dyno_openai_rules rules = rules_of_test();

    return dyno_openai_tokenize_read(tokenize, text, strlen(text), &rules, error);
}

START_TEST(a_text_or_messages_can_be_tokenized)
{
    struct dyno_openai_tokenize tokenize;
    struct dyno_openai_error error;

    ck_assert_int_eq(read_tokenize("{\"prompt\":\"ab\"}", &tokenize, &error), DYNO_OK);
    ck_assert_str_eq(tokenize.prompt, "ab");
    ck_assert_uint_eq(tokenize.prompt_size, 2);
    ck_assert(tokenize.add_special_tokens);
    ck_assert_ptr_null(tokenize.model);
    dyno_openai_tokenize_release(&tokenize);
    ck_assert_int_eq(read_tokenize("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                                   "\"a\"}],\"add_generation_prompt\":false}",
                                   &tokenize, &error),
                     DYNO_OK);
    ck_assert(!tokenize.add_special_tokens && !tokenize.add_generation_prompt);
    ck_assert_uint_eq(json_array_size(tokenize.messages), 1);
    dyno_openai_tokenize_release(&tokenize);
}
END_TEST

static const struct refusal bad_tokenizes[] = {
    {"{}", "missing_required_parameter", "prompt", "missing"},
    {"{\"prompt\":[1]}", "invalid_type", "prompt", "a string"},
    {"{\"prompt\":\"a\",\"messages\":[]}", "invalid_value", "messages", "cannot both"},
    {"{\"prompt\":\"a\",\"tools\":[]}", "invalid_value", "tools", "only for 'messages'"},
    {"{\"prompt\":\"a\",\"add_generation_prompt\":true}", "invalid_value", "add_generation_prompt",
     "only for 'messages'"},
    {"{\"prompt\":\"a\",\"return_token_strs\":true}", "unknown_parameter", "return_token_strs",
     "not a field"},
    {"{\"messages\":[]}", "invalid_value", "messages", "0 messages"},
};

START_TEST(a_bad_tokenize_is_refused_by_name)
{
    struct dyno_openai_tokenize tokenize;
    struct dyno_openai_error error;

    ck_assert_int_eq(read_tokenize(bad_tokenizes[_i].text, &tokenize, &error), DYNO_BAD_INPUT);
    expect_error(&error, 400, &bad_tokenizes[_i]);
}
END_TEST

static dyno_status read_detokenize(const char *text, struct dyno_openai_detokenize *detokenize,
                                   struct dyno_openai_error *error)
{
    struct dyno_openai_rules rules = rules_of_test();

    return dyno_openai_detokenize_read(detokenize, text, strlen(text), &rules, error);
}

START_TEST(tokens_can_be_detokenized)
{
    struct dyno_openai_detokenize detokenize;
    struct dyno_openai_error error;

    ck_assert_int_eq(read_detokenize("{\"tokens\":[1,999]}", &detokenize, &error), DYNO_OK);
    ck_assert_uint_eq(detokenize.count, 2);
    ck_assert_uint_eq(detokenize.tokens[1], 999);
    dyno_openai_detokenize_release(&detokenize);
    ck_assert_int_eq(read_detokenize("{\"tokens\":[]}", &detokenize, &error), DYNO_OK);
    ck_assert_uint_eq(detokenize.count, 0);
    dyno_openai_detokenize_release(&detokenize);
}
END_TEST

static const struct refusal bad_detokenizes[] = {
    {"{}", "missing_required_parameter", "tokens", "missing"},
    {"{\"tokens\":5}", "invalid_type", "tokens", "an array"},
    {"{\"tokens\":[5,\"a\"]}", "invalid_type", "tokens[1]", "a token"},
    {"{\"tokens\":[1000]}", "invalid_value", "tokens[0]", "no token"},
    {"{\"token\":[1]}", "unknown_parameter", "token", "did you mean 'tokens'?"},
};

START_TEST(a_bad_detokenize_is_refused_by_name)
{
    struct dyno_openai_detokenize detokenize;
    struct dyno_openai_error error;

    ck_assert_int_eq(read_detokenize(bad_detokenizes[_i].text, &detokenize, &error),
                     DYNO_BAD_INPUT);
    expect_error(&error, 400, &bad_detokenizes[_i]);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void add_cases(Suite *suite)
{
    TCase *good = tcase_create("good"), *bad = tcase_create("bad");

    tcase_add_test(good, a_prompt_is_text_or_tokens_one_or_several);
    tcase_add_test(good, a_prompt_can_be_scored_alone);
    tcase_add_test(good, embeddings_are_asked_for);
    tcase_add_test(good, a_text_or_messages_can_be_tokenized);
    tcase_add_test(good, tokens_can_be_detokenized);
    tcase_add_loop_test(bad, a_bad_completion_is_refused_by_name, 0, COUNT(bad_completions));
    tcase_add_test(bad, choices_of_all_prompts_have_a_limit);
    tcase_add_loop_test(bad, a_bad_embedding_is_refused_by_name, 0, COUNT(bad_embeddings));
    tcase_add_loop_test(bad, a_bad_tokenize_is_refused_by_name, 0, COUNT(bad_tokenizes));
    tcase_add_loop_test(bad, a_bad_detokenize_is_refused_by_name, 0, COUNT(bad_detokenizes));
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
}

DYNO_CHECK_MAIN("openai/inputs", add_cases)
