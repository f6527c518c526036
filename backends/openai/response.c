/* Whole answers, written in one go. */
#include "backends/openai/response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/openai/json_text.h"
#include "backends/openai/response_parts.h"

void dyno_openai_id(char out[DYNO_OPENAI_ID_MAX], const char *prefix, uint64_t high, uint64_t low)
{
    (void)snprintf(out, DYNO_OPENAI_ID_MAX, "%.24s-%016" PRIx64 "%016" PRIx64, prefix, high, low);
}

void dyno_openai_put_about(struct dyno_bytes *out, const struct dyno_openai_about *about,
                           const char *object)
{
    dyno_bytes_put_text(out, "{\"id\":");
    dyno_json_put_text(out, about->id);
    dyno_bytes_put_text(out, ",\"object\":\"");
    dyno_bytes_put_text(out, object);
    dyno_bytes_put_text(out, "\",\"created\":");
    dyno_bytes_put_u64(out, about->created_s);
    dyno_bytes_put_text(out, ",\"model\":");
    dyno_json_put_text(out, about->model);
}

void dyno_openai_put_finish(struct dyno_bytes *out, enum dyno_openai_finish finish)
{
    static const char *const words[] = {"null", "\"stop\"", "\"length\"", "\"tool_calls\""};

    dyno_bytes_put_text(out, words[finish]);
}

void dyno_openai_put_usage(struct dyno_bytes *out, const struct dyno_openai_usage *usage)
{
    dyno_bytes_put_text(out, "{\"prompt_tokens\":");
    dyno_bytes_put_u64(out, usage->prompt_tokens);
    dyno_bytes_put_text(out, ",\"completion_tokens\":");
    dyno_bytes_put_u64(out, usage->completion_tokens);
    dyno_bytes_put_text(out, ",\"total_tokens\":");
    dyno_bytes_put_u64(out, (uint64_t)usage->prompt_tokens + usage->completion_tokens);
    dyno_bytes_put_text(out, ",\"prompt_tokens_details\":{\"cached_tokens\":");
    dyno_bytes_put_u64(out, usage->cached_tokens);
    dyno_bytes_put_text(out, "}}");
}

void dyno_openai_put_call(struct dyno_bytes *out, const struct dyno_openai_tool_call *call)
{
    if (call->id) {
        dyno_bytes_put_text(out, "\"id\":");
        dyno_json_put_text(out, call->id);
        dyno_bytes_put_text(out, ",\"type\":\"function\",");
    }
    dyno_bytes_put_text(out, "\"function\":{");
    if (call->name) {
        dyno_bytes_put_text(out, "\"name\":");
        dyno_json_put_text(out, call->name);
        dyno_bytes_put_text(out, ",");
    }
    dyno_bytes_put_text(out, "\"arguments\":");
    dyno_json_put_string(out, call->arguments, call->arguments_size);
    dyno_bytes_put_text(out, "}");
}

static void put_calls(struct dyno_bytes *out, const struct dyno_openai_choice *choice)
{
    dyno_bytes_put_text(out, ",\"tool_calls\":[");
    for (uint32_t i = 0; i < choice->call_count; i++) {
        dyno_bytes_put_text(out, i > 0 ? ",{" : "{");
        dyno_openai_put_call(out, &choice->calls[i]);
        dyno_bytes_put_text(out, "}");
    }
    dyno_bytes_put_text(out, "]");
}

static void put_message(struct dyno_bytes *out, const struct dyno_openai_choice *choice)
{
    dyno_bytes_put_text(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
    if (choice->text_size == 0 && choice->call_count > 0) {
        dyno_bytes_put_text(out, "null");
    } else {
        dyno_json_put_string(out, choice->text, choice->text_size);
    }
    dyno_bytes_put_text(out, ",\"refusal\":null");
    if (choice->call_count > 0) {
        put_calls(out, choice);
    }
    dyno_bytes_put_text(out, "},\"logprobs\":");
    if (choice->tokens) {
        dyno_openai_put_chat_logprobs(out, choice->tokens, choice->token_count);
    } else {
        dyno_bytes_put_text(out, "null");
    }
}

static void put_text(struct dyno_bytes *out, const struct dyno_openai_choice *choice)
{
    dyno_bytes_put_text(out, ",\"text\":");
    dyno_json_put_string(out, choice->text, choice->text_size);
    dyno_bytes_put_text(out, ",\"logprobs\":");
    if (choice->tokens) {
        dyno_openai_put_text_logprobs(out, choice->tokens, choice->token_count, 0);
    } else {
        dyno_bytes_put_text(out, "null");
    }
}

static void
put_choices(struct dyno_bytes *out, const struct dyno_openai_choice *choices, uint32_t count,
            void (*put)(struct dyno_bytes *out, const struct dyno_openai_choice *choice))
{
    dyno_bytes_put_text(out, ",\"choices\":[");
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put_text(out, i > 0 ? ",{\"index\":" : "{\"index\":");
        dyno_bytes_put_u64(out, choices[i].index);
        put(out, &choices[i]);
        dyno_bytes_put_text(out, ",\"finish_reason\":");
        dyno_openai_put_finish(out, choices[i].finish);
        dyno_bytes_put_text(out, "}");
    }
    dyno_bytes_put_text(out, "],\"usage\":");
}

void dyno_openai_put_chat(struct dyno_bytes *out, const struct dyno_openai_about *about,
                          const struct dyno_openai_choice *choices, uint32_t count,
                          const struct dyno_openai_usage *usage)
{
    dyno_openai_put_about(out, about, "chat.completion");
    put_choices(out, choices, count, put_message);
    dyno_openai_put_usage(out, usage);
    dyno_bytes_put_text(out, "}");
}

void dyno_openai_put_completion(struct dyno_bytes *out, const struct dyno_openai_about *about,
                                const struct dyno_openai_choice *choices, uint32_t count,
                                const struct dyno_openai_usage *usage)
{
    dyno_openai_put_about(out, about, "text_completion");
    put_choices(out, choices, count, put_text);
    dyno_openai_put_usage(out, usage);
    dyno_bytes_put_text(out, "}");
}
