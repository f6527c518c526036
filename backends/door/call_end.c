/* The end of a call: what is told once everything is known. */
#include <stdlib.h>

#include "backends/door/door_parts.h"

static void describe_failure(const struct dyno_call *call, struct dyno_openai_error *error)
{
    switch (call->failed) {
    case 400:
        (void)dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_CONTEXT, call->param,
                               "the prompt needs more memory than a worker has for one request");
        break;
    case 429:
        (void)dyno_openai_fail(
            error, 429, DYNO_OPENAI_CODE_RATE, NULL,
            "every worker is busy, and no more requests may wait or for longer; try "
            "again later");
        break;
    case 503:
        (void)dyno_openai_fail(error, 503, NULL, NULL, "the server is going away; try again later");
        break;
    default:
        (void)dyno_openai_fail(error, 500, NULL, NULL, "the request could not be served");
        break;
    }
}

/* The answer of chat or completions, told as a whole. */
static bool put_choices(struct dyno_call *call, struct dyno_bytes *out)
{
    struct dyno_openai_about about = dyno_call_about(call);
    struct dyno_openai_choice *choices = calloc(call->count, sizeof *choices);

    if (!choices) {
        return false;
    }
    for (uint32_t i = 0; i < call->count; i++) {
        struct dyno_choice *choice = &call->choices[i];

        choices[i] = (struct dyno_openai_choice){.index = i,
                                                 .finish = choice->finish,
                                                 .text = choice->text.data,
                                                 .text_size = choice->text.size,
                                                 .calls = choice->reader.calls,
                                                 .call_count = choice->reader.call_count};
        if (call->logprobs) {
            choices[i].tokens = dyno_said_tokens(&choice->said);
            choices[i].token_count = choice->said.token_count;
        }
    }
    if (call->kind == DYNO_CALL_CHAT) {
        dyno_openai_put_chat(out, &about, choices, call->count, &call->usage);
    } else {
        dyno_openai_put_completion(out, &about, choices, call->count, &call->usage);
    }
    free(choices);
    return true;
}

static void reply_whole(struct dyno_call *call)
{
    struct dyno_door *door = call->door;
    struct dyno_openai_error error;
    bool is_put = true;

    dyno_bytes_clear(&door->out);
    if (call->kind == DYNO_CALL_RESPONSE) {
        dyno_openai_events_put_whole(&call->events, &door->out, call->choices[0].finish,
                                     &call->usage, dyno_door_now_s());
    } else if (call->kind == DYNO_CALL_EMBEDDING) {
        dyno_call_put_vectors(call);
    } else {
        is_put = put_choices(call, &door->out);
    }
    if (!is_put) {
        (void)dyno_openai_fail_memory(&error);
        dyno_door_refuse(door, call->exchange, &call->asker, &error, 0);
        return;
    }
    dyno_door_reply_json(door, call->exchange, &call->asker, &door->out);
}

void dyno_call_log_stream(const struct dyno_call *call)
{
    const struct dyno_door *door = call->door;
    char trace[DYNO_DOOR_TRACE_MAX];

    dyno_log(door->config.log, call->failed > 0 ? DYNO_LOG_WARNING : DYNO_LOG_INFO,
             call->asker.request_id, "stream_ended", dyno_log_count("failed", call->failed),
             dyno_log_count("prompt_tokens", call->usage.prompt_tokens),
             dyno_log_count("output_tokens", call->usage.completion_tokens),
             dyno_log_text("trace", dyno_door_trace_text(&call->asker, trace)),
             dyno_log_real("ms", (double)(dyno_door_now(door) - call->asker.arrival_ns) * 1e-6));
}

static void end_stream(struct dyno_call *call)
{
    struct dyno_door *door = call->door;
    struct dyno_openai_error error;

    dyno_bytes_clear(&door->out);
    if (call->failed > 0) {
        describe_failure(call, &error);
    }
    if (call->kind == DYNO_CALL_RESPONSE) {
        if (call->failed > 0) {
            dyno_openai_events_fail(&call->events, &door->out, &error);
        }
    } else if (call->failed > 0) {
        dyno_openai_stream_put_error(&door->out, &error);
    } else {
        dyno_openai_stream_put_usage(&call->stream, &door->out, &call->usage);
        dyno_openai_stream_put_done(&door->out);
    }
    if (door->out.size > 0) {
        dyno_http_stream_write(call->exchange, door->out.data, door->out.size);
    }
    dyno_call_log_stream(call);
    dyno_http_stream_end(call->exchange);
}

void dyno_call_end(struct dyno_call *call)
{
    struct dyno_openai_error error;

    if (!call->exchange) {
        dyno_call_drop(call);
        return;
    }
    dyno_http_exchange_set_data(call->exchange, NULL);
    if (call->began) {
        end_stream(call);
    } else if (call->failed > 0) {
        describe_failure(call, &error);
        dyno_door_refuse(call->door, call->exchange, &call->asker, &error, DYNO_S);
    } else {
        reply_whole(call);
    }
    dyno_call_drop(call);
}
