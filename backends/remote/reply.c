#include "backends/remote/reply.h"

#include "backends/load/json_skim.h"

static bool ends_with(struct dyno_skim_text text, const char *end)
{
    size_t size = strlen(end);

    return text.size >= size && memcmp(text.at + text.size - size, end, size) == 0;
}

static void read_type(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text type;

    if (!dyno_skim_string(skim, &type)) {
        return;
    }
    out->has_text |= ends_with(type, ".delta");
    out->has_error |= dyno_skim_is(type, "error");
    out->is_finished |= dyno_skim_is(type, "response.completed") ||
                        dyno_skim_is(type, "response.incomplete") ||
                        dyno_skim_is(type, "response.failed");
}

/* {"cached_tokens": n} */
static void read_details(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key;

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

    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "output_tokens")) {
            out->has_usage |= dyno_skim_u32(skim, &out->output_tokens);
        } else if (dyno_skim_is(key, "input_tokens")) {
            (void)dyno_skim_u32(skim, &out->prompt_tokens);
        } else if (dyno_skim_is(key, "input_tokens_details") && dyno_skim_peek(skim) == '{') {
            read_details(out, skim);
        } else {
            dyno_skim_pass(skim);
        }
    }
}

/* {"usage": {...}, ...}: the response as far as it has come. */
static void read_response(struct dyno_answer_chunk *out, struct dyno_skim *skim)
{
    struct dyno_skim_text key;

    (void)dyno_skim_object(skim);
    while (dyno_skim_member(skim, &key)) {
        if (dyno_skim_is(key, "usage") && dyno_skim_peek(skim) == '{') {
            read_usage(out, skim);
        } else {
            dyno_skim_pass(skim);
        }
    }
}

static bool read_event(struct dyno_answer_chunk *out, const char *data, size_t size)
{
    struct dyno_skim_text key;
    struct dyno_skim skim;

    memset(out, 0, sizeof *out);
    dyno_skim_start(&skim, data, size);
    if (dyno_skim_object(&skim)) {
        while (dyno_skim_member(&skim, &key)) {
            if (dyno_skim_is(key, "type")) {
                read_type(out, &skim);
            } else if (dyno_skim_is(key, "response") && dyno_skim_peek(&skim) == '{') {
                read_response(out, &skim);
            } else if (dyno_skim_is(key, "error")) {
                out->has_error |= dyno_skim_peek(&skim) != 'n';
                dyno_skim_pass(&skim);
            } else {
                dyno_skim_pass(&skim);
            }
        }
    }
    return dyno_skim_end(&skim);
}

bool dyno_reply_read(struct dyno_answer_chunk *out, const char *data, size_t size, bool is_response)
{
    bool is_done = size == 6 && memcmp(data, "[DONE]", 6) == 0;

    return is_response && !is_done ? read_event(out, data, size)
                                   : dyno_answer_read(out, data, size);
}
