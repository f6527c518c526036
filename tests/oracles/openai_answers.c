/* Writes one answer of each kind, a line each: a schema of the API's own description, a tab, JSON.
 *
 * Streams are split into their events.  A chunk of completions, for which there is no schema, goes
 * by that of whole ones, which tests/oracles/openai_ajv.mjs softens. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/openai/error.h"
#include "backends/openai/events.h"
#include "backends/openai/response.h"
#include "backends/openai/stream.h"

static const struct dyno_openai_about about = {"chatcmpl-0123", "m", 1700000000};
static const struct dyno_openai_usage usage = {10, 5, 4};
static const struct dyno_openai_tool_call call = {"call-1", "f", "{\"x\":1}", 7};
static const struct dyno_openai_alternative top[] = {{"a", 1, -0.5F}, {"\xe6", 1, -2}};
static const struct dyno_openai_token tokens[] = {{{"a", 1, -0.5F}, 1, true, top, 2},
                                                  {{"\xe6", 1, -2}, 1, true, NULL, 0}};

static const struct dyno_openai_token echoed[] = {{{"a", 1, 0}, 1, false, NULL, 0},
                                                  {{"a", 1, -0.5F}, 1, true, top, 2}};

static struct dyno_bytes new_bytes(void)
{
    struct dyno_bytes bytes;

    dyno_bytes_init(&bytes, 1 << 20);
    return bytes;
}

static void print_whole(const char *schema, struct dyno_bytes *out)
{
    assert(out->status == DYNO_OK);
    printf("%s\t%.*s\n", schema, (int)out->size, out->data);
    dyno_bytes_release(out);
}

/* The data of every event but [DONE]. */
static void print_events(const char *schema, struct dyno_bytes *out)
{
    char *at, *rest;

    assert(out->status == DYNO_OK);
    dyno_bytes_put(out, "", 1);
    for (at = strtok_r(out->data, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(at, "data: {", 7) == 0) {
            printf("%s\t%s\n", schema, at + 6);
        }
    }
    dyno_bytes_release(out);
}

static void print_wholes(void)
{
    const struct dyno_openai_choice choices[] = {
        {.finish = DYNO_OPENAI_STOP, .text = "Hi", .text_size = 2},
        {.index = 1,
         .finish = DYNO_OPENAI_LENGTH,
         .text = "a",
         .text_size = 1,
         .tokens = tokens,
         .token_count = 2},
        {.index = 2, .finish = DYNO_OPENAI_TOOL_CALLS, .calls = &call, .call_count = 1},
    };
    const struct dyno_openai_choice scored = {.finish = DYNO_OPENAI_LENGTH,
                                              .text = "aa",
                                              .text_size = 2,
                                              .tokens = echoed,
                                              .token_count = 2};
    const float vectors[] = {1, -2};
    const struct dyno_openai_model model = {"a", "/models/a", NULL, 5, 4096};
    struct dyno_bytes out = new_bytes();

    dyno_openai_put_chat(&out, &about, choices, 3, &usage);
    print_whole("CreateChatCompletionResponse", &out);
    out = new_bytes();
    dyno_openai_put_completion(&out, &about, choices, 2, &usage);
    print_whole("CreateCompletionResponse", &out);
    out = new_bytes();
    dyno_openai_put_completion(&out, &about, &scored, 1, &usage);
    print_whole("CreateCompletionResponse", &out);
    out = new_bytes();
    dyno_openai_put_embeddings(&out, "m", vectors, 1, 2, false, 7);
    print_whole("CreateEmbeddingResponse", &out);
    out = new_bytes();
    dyno_openai_put_models(&out, &model, 1);
    print_whole("ListModelsResponse", &out);
    out = new_bytes();
    dyno_openai_put_model(&out, &model);
    print_whole("Model", &out);
}

static void print_errors(void)
{
    struct dyno_openai_error error;
    struct dyno_bytes out = new_bytes();

    (void)dyno_openai_fail_context(&error, "messages", 9, 2, 10);
    dyno_openai_error_put(&out, &error);
    print_whole("ErrorResponse", &out);
    out = new_bytes();
    (void)dyno_openai_fail(&error, 500, NULL, NULL, "no memory");
    dyno_openai_stream_put_error(&out, &error);
    print_events("ErrorResponse", &out);
}

static void print_stream(bool is_chat, const char *schema)
{
    const struct dyno_openai_call_part parts[] = {{0, {"call-1", "f", "{\"x\"", 4}},
                                                  {0, {NULL, NULL, ":1}", 3}}};
    const struct dyno_openai_delta deltas[] = {
        {.first = true, .text = "Hi", .text_size = 2},
        {.index = 1,
         .first = true,
         .text = "a",
         .text_size = 1,
         .tokens = tokens,
         .token_count = 2},
        {.text = " there", .text_size = 6},
        {.calls = parts, .call_count = is_chat ? 1 : 0},
        {.calls = parts + 1, .call_count = is_chat ? 1 : 0},
        {.finish = is_chat ? DYNO_OPENAI_TOOL_CALLS : DYNO_OPENAI_STOP},
        {.index = 1, .text = "b", .text_size = 1, .finish = DYNO_OPENAI_LENGTH},
    };
    struct dyno_bytes out = new_bytes();
    struct dyno_openai_stream stream;

    if (dyno_openai_stream_open(&stream, &about, is_chat, true) != DYNO_OK) {
        abort();
    }
    for (size_t i = 0; i < sizeof deltas / sizeof *deltas; i++) {
        dyno_openai_stream_put(&stream, &out, &deltas[i]);
    }
    dyno_openai_stream_put_usage(&stream, &out, &usage);
    dyno_openai_stream_put_done(&out);
    dyno_openai_stream_close(&stream);
    print_events(schema, &out);
}

static struct dyno_openai_events open_events(void)
{
    static const char body[] =
        "{\"model\":\"m\",\"input\":\"a\",\"instructions\":\"i\",\"temperature\":0.7,\"tools\":[{"
        "\"type\":\"function\",\"name\":\"f\",\"description\":\"d\",\"parameters\":{}}],"
        "\"metadata\":{\"k\":\"v\"},\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"s\","
        "\"schema\":{}}}}";
    const struct dyno_openai_about response = {"resp-0123", "m", 1700000000};
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_responses request;
    struct dyno_openai_events events;
    struct dyno_openai_error error;

    if (dyno_openai_responses_read(&request, body, sizeof body - 1, &rules, &error) != DYNO_OK ||
        dyno_openai_events_open(&events, &response, &request) != DYNO_OK) {
        abort();
    }
    dyno_openai_responses_release(&request);
    return events;
}

static void print_responses(enum dyno_openai_finish finish)
{
    struct dyno_openai_events events = open_events();
    struct dyno_bytes out = new_bytes(), whole = new_bytes();

    dyno_openai_events_begin(&events, &out);
    dyno_openai_events_text(&events, &out, "a", 1, tokens, 2);
    dyno_openai_events_text(&events, &out, "b", 1, NULL, 0);
    dyno_openai_events_call(&events, &out, &call);
    dyno_openai_events_end(&events, &out, finish, &usage, 1700000001);
    dyno_openai_events_put_whole(&events, &whole, finish, &usage, 1700000001);
    dyno_openai_events_close(&events);
    print_events("ResponseStreamEvent", &out);
    print_whole("Response", &whole);
}

static void print_failure(void)
{
    struct dyno_openai_events events = open_events();
    struct dyno_bytes out = new_bytes();
    struct dyno_openai_error error;

    (void)dyno_openai_fail(&error, 503, NULL, NULL, "the worker is gone");
    dyno_openai_events_begin(&events, &out);
    dyno_openai_events_fail(&events, &out, &error);
    dyno_openai_events_close(&events);
    print_events("ResponseStreamEvent", &out);
}

int main(void)
{
    print_wholes();
    print_errors();
    print_stream(true, "CreateChatCompletionStreamResponse");
    print_stream(false, "CreateCompletionResponse");
    print_responses(DYNO_OPENAI_TOOL_CALLS);
    print_responses(DYNO_OPENAI_LENGTH);
    print_failure();
    return 0;
}
