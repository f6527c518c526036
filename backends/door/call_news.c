/* What is new of a choice, on its way to the client.
 *
 * Nothing is written before the first token is there, so that a request which the fleet refuses
 * gets a status that says so.  What comes of one choice in one turn leaves in one write.
 */
#include "backends/door/door_parts.h"

/* What became of a choice that did not come to its end. */
static uint32_t status_of(const struct dyno_request_record *record)
{
    switch (record->outcome) {
    case DYNO_REJECTED_PROMPT_TOO_LONG:
        return 400;
    case DYNO_REJECTED_QUEUE_FULL:
    case DYNO_REJECTED_QUEUE_TIMEOUT:
        return 429;
    case DYNO_CANCELLED_BY_CLIENT:
    case DYNO_CANCELLED_AT_END:
        return 503;
    case DYNO_COMPLETED: /* without memory for its text, or its vector is none */
    case DYNO_FAILED:
        return 500;
    }
    return 500;
}

/* A token at a time: each gets a chunk. */
static bool say_news(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    const struct dyno_call *call = choice->call;
    uint32_t from = 0;

    if (choice->echoes && news->end == DYNO_ANSWER_FAILED) {
        return true; /* its status says so */
    }
    if (!dyno_choice_say_echo(choice, news)) {
        return false;
    }
    for (uint32_t i = 0; i < news->token_count; i++) {
        uint32_t to = news->tokens[i].text_end;

        if (call->logprobs &&
            dyno_said_add(&choice->said, call->served->tokenizer, news, i) != DYNO_OK) {
            return false;
        }
        if (!dyno_choice_say(choice, news->text + from, to - from)) {
            return false;
        }
        from = to;
    }
    return news->text_size == from ||
           dyno_choice_say(choice, news->text + from, news->text_size - from);
}

void dyno_call_begin_stream(struct dyno_call *call)
{
    struct dyno_door *door = call->door;
    struct dyno_door_headers headers =
        dyno_door_headers(door, &call->asker, "text/event-stream; charset=utf-8");

    dyno_door_add_header(&headers, "Cache-Control", "no-cache");
    dyno_telemetry_answered(door->telemetry, 200);
    dyno_http_stream_begin(call->exchange, 200, headers.list);
    call->began = true;
}

/* When tokens came, as the door hears of them: those that come together share the time between. */
void dyno_choice_count_tokens(struct dyno_choice *choice, uint32_t count)
{
    struct dyno_telemetry *telemetry = choice->call->served->telemetry;
    dyno_ns now = dyno_door_now(choice->call->door);

    if (count > 0 && choice->last_token_ns == 0) {
        struct dyno_answer_stamps stamps = dyno_answer_stamps(choice->answer);

        dyno_telemetry_first_token(telemetry, now, now - stamps.arrival_ns);
        dyno_telemetry_way(telemetry, stamps.taken_ns - stamps.arrival_ns,
                           stamps.told_ns - stamps.taken_ns, now - stamps.told_ns);
        choice->last_token_ns = now;
        count--;
    }
    if (count > 0) {
        dyno_telemetry_next_tokens(telemetry, now, count, (now - choice->last_token_ns) / count);
        choice->last_token_ns = now;
    }
}

/* Say what the end brings; false: no memory. */
static bool say_end(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    if (news->vector) {
        dyno_choice_keep_vector(choice, news->vector);
        return true;
    }
    return dyno_choice_say_end(choice, news->end);
}

/* The choice has come to its end, one way or another. */
static void end_choice(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;

    dyno_telemetry_ended(call->served->telemetry, dyno_door_now(call->door), news->record,
                         news->end == DYNO_ANSWER_FULL);
    call->usage.completion_tokens += call->mute ? 0 : news->record->output_tokens;
    if (choice->index % call->choices_each == 0) { /* its siblings find what it has computed */
        call->usage.cached_tokens += news->record->cached_tokens;
    }
    if (news->end == DYNO_ANSWER_FAILED) {
        call->failed = call->failed > 0 ? call->failed : status_of(news->record);
    } else if (call->exchange && call->failed == 0 && !say_end(choice, news)) {
        call->failed = 500;
    }
    dyno_answer_release(choice->answer);
    choice->answer = NULL;
    call->open_count--;
}

void dyno_call_hear(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;
    struct dyno_door *door = call->door;

    if (call->relay) {
        dyno_relay_hear(choice, news);
        return;
    }
    dyno_bytes_clear(&door->out);
    dyno_choice_count_tokens(choice, news->token_count);
    if (call->exchange && call->failed == 0 && !say_news(choice, news)) {
        call->failed = 500;
    }
    if (news->end != DYNO_ANSWER_GOES_ON) {
        end_choice(choice, news);
    }
    if (call->exchange && call->streams && door->out.size > 0) {
        if (!call->began) {
            dyno_call_begin_stream(call);
        }
        dyno_http_stream_write(call->exchange, door->out.data, door->out.size);
    }
    if (call->open_count == 0) {
        dyno_call_end(call);
    }
}
