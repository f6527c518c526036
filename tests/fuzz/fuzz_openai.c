/* Any bytes as the body of a request of each endpoint, and as what a model writes: a request whose
 * values are in their ranges, or a refusal of one sentence that is JSON when it is written; never a
 * crash.  The first byte says which. */
#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/openai/chat.h"
#include "backends/openai/completion.h"
#include "backends/openai/embedding.h"
#include "backends/openai/events.h"
#include "backends/openai/parse.h"
#include "backends/openai/responses.h"
#include "backends/openai/tokenize.h"
#include "backends/openai/tool_call.h"
#include "core/base/utf8.h"

static void fuzz_check_json(struct dyno_bytes *out)
{
    json_t *value;

    assert(out->status == DYNO_OK);
    value = json_loadb(out->data, out->size, JSON_REJECT_DUPLICATES, NULL);
    assert(value);
    json_decref(value);
    dyno_bytes_release(out);
}

static void fuzz_check_refusal(dyno_status status, const struct dyno_openai_error *error)
{
    struct dyno_bytes out;

    assert(error->cause.status == status && error->http_status >= 400);
    assert(error->cause.text[0] != '\0' && !strchr(error->cause.text, '\n'));
    dyno_bytes_init(&out, 1 << 16);
    dyno_openai_error_put(&out, error);
    fuzz_check_json(&out);
}

static void fuzz_check_sampling(const struct dyno_openai_sampling *sampling)
{
    assert(sampling->temperature >= 0 && sampling->temperature <= 2);
    assert(sampling->top_p >= 0 && sampling->top_p <= 1);
    assert(sampling->min_p >= 0 && sampling->min_p <= 1);
    assert(sampling->repetition_penalty >= 0.01 && sampling->repetition_penalty <= 100);
    assert(fabs(sampling->presence_penalty) <= 2 && fabs(sampling->frequency_penalty) <= 2);
    assert(sampling->choices >= 1 && sampling->choices <= DYNO_OPENAI_CHOICES_MAX);
    assert(sampling->stop_count <= DYNO_OPENAI_STOP_MAX);
    assert(sampling->top_logprobs <= DYNO_OPENAI_LOGPROBS_MAX);
    assert(!sampling->has_max_tokens || sampling->min_tokens <= sampling->max_tokens);
    for (uint32_t i = 0; i < sampling->stop_count; i++) {
        assert(strlen(sampling->stops[i].text) == sampling->stops[i].size);
    }
    for (uint32_t i = 0; i < sampling->bias_count; i++) {
        assert(fabsf(sampling->biases[i].bias) <= 100 && sampling->biases[i].token < 1000);
    }
}

/* Messages have a role, and contents that are text or null. */
static void fuzz_check_messages(const json_t *messages)
{
    assert(json_array_size(messages) > 0);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const json_t *content = json_object_get(message, "content");

        assert(json_is_string(json_object_get(message, "role")));
        assert(!content || json_is_null(content) || json_is_string(content));
    }
}

static void fuzz_check_prompts(const struct dyno_openai_prompts *prompts)
{
    assert(prompts->count > 0);
    for (size_t i = 0; i < prompts->count; i++) {
        const struct dyno_openai_prompt *prompt = &prompts->list[i];

        assert(!prompt->text != !prompt->tokens);
        assert(!prompt->text ||
               dyno_utf8_valid(prompt->text, prompt->text_size, NULL) == prompt->text_size);
        for (size_t j = 0; j < prompt->token_count; j++) {
            assert(prompt->tokens[j] < 1000);
        }
    }
}

/* What the fast parser takes is what Jansson takes. */
static void fuzz_parse(const char *body, size_t size)
{
    json_t *fast = dyno_openai_parse(body, size, 16, 1000);
    json_t *slow = fast ? json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

    assert(!fast || (slow && json_equal(fast, slow)));
    json_decref(fast);
    json_decref(slow);
}

static void fuzz_chat(const char *body, size_t size, const struct dyno_openai_rules *rules)
{
    struct dyno_openai_error error;
    struct dyno_openai_chat chat;
    dyno_status status = dyno_openai_chat_read(&chat, body, size, rules, &error);

    if (status != DYNO_OK) {
        fuzz_check_refusal(status, &error);
        return;
    }
    fuzz_check_sampling(&chat.sampling);
    fuzz_check_messages(chat.messages);
    dyno_openai_chat_release(&chat);
}

static void fuzz_completion(const char *body, size_t size, const struct dyno_openai_rules *rules)
{
    struct dyno_openai_completion completion;
    struct dyno_openai_error error;
    dyno_status status = dyno_openai_completion_read(&completion, body, size, rules, &error);

    if (status != DYNO_OK) {
        fuzz_check_refusal(status, &error);
        return;
    }
    fuzz_check_sampling(&completion.sampling);
    fuzz_check_prompts(&completion.prompts);
    dyno_openai_completion_release(&completion);
}

/* What is said again in an answer is JSON. */
static void fuzz_check_whole(const struct dyno_openai_responses *responses)
{
    const struct dyno_openai_about about = {"resp-0", "m", 1};
    const struct dyno_openai_usage usage = {1, 2, 0};
    struct dyno_openai_events events;
    struct dyno_bytes out, whole;

    assert(dyno_openai_events_open(&events, &about, responses) == DYNO_OK);
    dyno_bytes_init(&out, 64 << 20);
    dyno_bytes_init(&whole, 64 << 20);
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_STOP, &usage, 2);
    dyno_openai_events_put_whole(&events, &whole, DYNO_OPENAI_STOP, &usage, 2);
    dyno_openai_events_close(&events);
    dyno_bytes_release(&out);
    fuzz_check_json(&whole);
}

static void fuzz_responses(const char *body, size_t size, const struct dyno_openai_rules *rules)
{
    struct dyno_openai_responses responses;
    struct dyno_openai_error error;
    dyno_status status = dyno_openai_responses_read(&responses, body, size, rules, &error);

    if (status != DYNO_OK) {
        fuzz_check_refusal(status, &error);
        return;
    }
    fuzz_check_sampling(&responses.sampling);
    fuzz_check_messages(responses.messages);
    fuzz_check_whole(&responses);
    dyno_openai_responses_release(&responses);
}

static void fuzz_embedding(const char *body, size_t size, const struct dyno_openai_rules *rules)
{
    struct dyno_openai_embedding embedding;
    struct dyno_openai_error error;
    dyno_status status = dyno_openai_embedding_read(&embedding, body, size, rules, &error);

    if (status != DYNO_OK) {
        fuzz_check_refusal(status, &error);
        return;
    }
    fuzz_check_prompts(&embedding.inputs);
    dyno_openai_embedding_release(&embedding);
}

static void fuzz_tokenize(const char *body, size_t size, const struct dyno_openai_rules *rules)
{
    struct dyno_openai_detokenize detokenize;
    struct dyno_openai_tokenize tokenize;
    struct dyno_openai_error error;
    dyno_status status = dyno_openai_tokenize_read(&tokenize, body, size, rules, &error);

    if (status == DYNO_OK) {
        assert(!tokenize.prompt != !tokenize.messages);
        dyno_openai_tokenize_release(&tokenize);
    } else {
        fuzz_check_refusal(status, &error);
    }
    status = dyno_openai_detokenize_read(&detokenize, body, size, rules, &error);
    if (status == DYNO_OK) {
        dyno_openai_detokenize_release(&detokenize);
    } else {
        fuzz_check_refusal(status, &error);
    }
}

/* An answer in two parts: calls are of functions that are there, and their arguments begin an
 * object. */
static void fuzz_answer(const char *text, size_t size, enum dyno_openai_call_form form)
{
    struct dyno_openai_tools tools = {
        .list = json_pack("[{s:s,s:{s:s}}]", "type", "function", "function", "name", "f")};
    struct dyno_openai_call_reader reader;

    dyno_openai_call_reader_init(&reader, form, &tools, 1, 2);
    assert(dyno_openai_call_reader_feed(&reader, text, size / 2) == DYNO_OK);
    assert(dyno_openai_call_reader_feed(&reader, text + size / 2, size - size / 2) == DYNO_OK);
    assert(dyno_openai_call_reader_end(&reader) == DYNO_OK);
    assert(reader.text.size <= size);
    for (uint32_t i = 0; i < reader.call_count; i++) {
        const struct dyno_openai_tool_call *call = &reader.calls[i];

        assert(call->arguments[0] == '{' && call->arguments[call->arguments_size] == '\0');
        assert(strcmp(call->name, "f") == 0);
    }
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const endpoints[])(const char *body, size_t size,
                                     const struct dyno_openai_rules *rules) = {
        fuzz_chat, fuzz_completion, fuzz_responses, fuzz_embedding, fuzz_tokenize};
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    size_t which = size > 0 ? data[0] % 8 : 0, rest = size > 0 ? size - 1 : 0;
    char *text = malloc(rest > 0 ? rest : 1); /* of its exact size, so that reading on is seen */

    assert(text);
    rules.vocab = 1000;
    rules.depth_max = 16;
    memcpy(text, data + size - rest, rest);
    fuzz_parse(text, rest);
    if (which < 5) {
        endpoints[which](text, rest, &rules);
    } else {
        fuzz_answer(text, rest, (enum dyno_openai_call_form)(which - 5));
    }
    free(text);
    return 0;
}
