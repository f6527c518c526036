/* What is posted: the body of a request. */
#include <stdio.h>
#include <string.h>

#include "backends/load/load_parts.h"

enum { NUMBER_MAX = 160 };

static dyno_status add(struct dyno_load_text *body, const char *text)
{
    return dyno_load_text_add(body, text, strlen(text));
}

/* Names of models come from users and servers. */
static dyno_status add_quoted(struct dyno_load_text *body, const char *text)
{
    DYNO_TRY(add(body, "\""));
    for (; *text; text++) {
        char escape[8];

        if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text);
            DYNO_TRY(add(body, escape));
        } else {
            DYNO_TRY(dyno_load_text_add(body, text, 1));
        }
    }
    return add(body, "\"");
}

static uint32_t tokens_of(const struct dyno_load *load, const struct dyno_request *request)
{
    const struct dyno_load_task *task = &load->task;
    uint32_t tokens = request->max_tokens;

    if (task->answer_tokens) {
        uint32_t recorded = task->answer_tokens(task->answer_context, request->id);

        tokens = recorded < tokens ? recorded : tokens;
    }
    return tokens;
}

dyno_status dyno_load_write_body(struct dyno_load *load, const struct dyno_request *request)
{
    const struct dyno_load_task *task = &load->task;
    struct dyno_load_text *body = &load->body;
    char numbers[NUMBER_MAX];

    body->size = 0;
    DYNO_TRY(add(body, "{\"model\":"));
    DYNO_TRY(add_quoted(body, task->model));
    DYNO_TRY(add(body, task->is_chat ? ",\"messages\":[{\"role\":\"user\",\"content\":"
                                     : ",\"prompt\":"));
    DYNO_TRY(dyno_prompt_write(task->prompts, request, body));
    (void)snprintf(numbers, sizeof numbers,
                   "%s,\"%s\":%u,\"stream\":true,\"stream_options\":{\"include_usage\":true}%s",
                   task->is_chat ? "}]" : "",
                   task->is_chat ? "max_completion_tokens" : "max_tokens", tokens_of(load, request),
                   task->ignore_eos ? ",\"ignore_eos\":true" : "");
    DYNO_TRY(add(body, numbers));
    DYNO_TRY(add(body, task->extra));
    return add(body, "}");
}
