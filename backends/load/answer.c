#include "backends/load/answer.h"

#include <string.h>

#include "backends/load/json_skim.h"

/* A string that is not empty, or a list or object of something. */
static bool says_something(struct dyno_skim *skim)
{
    struct dyno_skim_text text = {.size = 0};
    char first = dyno_skim_peek(skim);
    const char *from = skim->at;

    if (first == '"') {
        return dyno_skim_string(skim, &text) && text.size > 0;
    }
    dyno_skim_pass(skim);
    return (first == '[' || first == '{') && skim->at - from > 2;
}

/* chat: {"role":"assistant","content":"…"}; what models think and call comes beside it. */
static void read_delta(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key;

    if (dyno_skim_peek(skim) != '{') {
        dyno_skim_pass(skim);
        return;
    }
    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "content") || dyno_skim_is(key, "reasoning_content") ||
            dyno_skim_is(key, "reasoning") || dyno_skim_is(key, "refusal") ||
            dyno_skim_is(key, "tool_calls")) {
            out->has_text |= says_something(skim);
        } else {
            dyno_skim_pass(skim);
        }
    }
}

static void read_choice(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key, text;

    if (dyno_skim_peek(skim) != '{') {
        dyno_skim_pass(skim);
        return;
    }
    out->has_choices = true;
    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "delta")) {
            read_delta(out, skim);
        } else if (dyno_skim_is(key, "text")) {
            out->has_text |= dyno_skim_string(skim, &text) && text.size > 0;
        } else if (dyno_skim_is(key, "finish_reason")) {
            out->is_finished |= dyno_skim_string(skim, &text);
        } else {
            dyno_skim_pass(skim);
        }
    }
}

static void read_choices(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    if (dyno_skim_peek(skim) != '[') {
        dyno_skim_pass(skim);
        return;
    }
    (void)dyno_skim_array(skim);
    while (dyno_skim_item(skim)) {
        read_choice(out, skim);
    }
}

/* {"cached_tokens": n} */
static void read_details(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key;

    if (dyno_skim_peek(skim) != '{') {
        dyno_skim_pass(skim);
        return;
    }
    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "cached_tokens")) {
            out->has_cached |= dyno_skim_u32(skim, &out->cached_tokens);
        } else {
            dyno_skim_pass(skim);
        }
    }
}

static void read_usage(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key;

    if (dyno_skim_peek(skim) != '{') {
        dyno_skim_pass(skim);
        return;
    }
    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "completion_tokens")) {
            out->has_usage |= dyno_skim_u32(skim, &out->output_tokens);
        } else if (dyno_skim_is(key, "prompt_tokens")) {
            (void)dyno_skim_u32(skim, &out->prompt_tokens);
        } else if (dyno_skim_is(key, "prompt_tokens_details")) {
            read_details(out, skim);
        } else {
            dyno_skim_pass(skim);
        }
    }
}

/* Printable ASCII of a message; it goes into a terminal and into files. */
static void keep_message(struct dyno_answer_chunk *out, struct dyno_skim_text text)
{
    size_t size = text.size < DYNO_ANSWER_MESSAGE_MAX - 1 ? text.size : DYNO_ANSWER_MESSAGE_MAX - 1;

    for (size_t i = 0; i < size; i++) {
        out->message[i] = text.at[i] >= ' ' && text.at[i] < 0x7f ? text.at[i] : '?';
    }
    out->message[size] = '\0';
}

/* {"message": "…"}, or a text; null is no error. */
static void read_error(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key, text;

    if (dyno_skim_peek(skim) != '{') {
        out->has_error |= dyno_skim_peek(skim) != 'n';
        if (dyno_skim_string(skim, &text)) {
            keep_message(out, text);
        }
        return;
    }
    out->has_error = true;
    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "message") && dyno_skim_string(skim, &text)) {
            keep_message(out, text);
        } else if (!dyno_skim_is(key, "message")) {
            dyno_skim_pass(skim);
        }
    }
}

/* Older servers say {"object": "error", "message": "…"} without an object of its own. */
static void read_members(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key, text;

    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "choices")) {
            read_choices(out, skim);
        } else if (dyno_skim_is(key, "usage")) {
            read_usage(out, skim);
        } else if (dyno_skim_is(key, "error")) {
            read_error(out, skim);
        } else if (dyno_skim_is(key, "object")) {
            out->has_error |= dyno_skim_string(skim, &text) && dyno_skim_is(text, "error");
        } else if (dyno_skim_is(key, "message") && dyno_skim_string(skim, &text)) {
            keep_message(out, text);
        } else if (!dyno_skim_is(key, "message")) {
            dyno_skim_pass(skim);
        }
    }
}

bool dyno_answer_read(struct dyno_answer_chunk *out, const char *data, size_t size)
{
    struct dyno_skim skim;

    memset(out, 0, sizeof *out);
    if (size == 6 && memcmp(data, "[DONE]", 6) == 0) {
        out->is_done = true;
        return true;
    }
    dyno_skim_start(&skim, data, size);
    if (dyno_skim_object(&skim)) {
        read_members(out, &skim);
    }
    return dyno_skim_end(&skim);
}
