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
        return 429;
    case DYNO_CANCELLED_BY_CLIENT:
    case DYNO_CANCELLED_AT_END:
        return 503;
    case DYNO_COMPLETED: /* without memory for its text */
    case DYNO_FAILED:
        return 500;
    }
    return 500;
}

static enum dyno_openai_finish finish_of(enum dyno_answer_end end)
{
    return end == DYNO_ANSWER_STOPPED ? DYNO_OPENAI_STOP : DYNO_OPENAI_LENGTH;
}

/* How likely tokens were is known of each, whether its text is out or held back. */
static void put_delta(struct dyno_choice *choice, const char *text, size_t size,
                      enum dyno_openai_finish finish)
{
    const struct dyno_call *call = choice->call;
    struct dyno_openai_delta delta = {.index = choice->index,
                                      .first = !choice->began,
                                      .finish = finish,
                                      .text = text,
                                      .text_size = size};

    if (size == 0 && choice->said.token_count == 0 && finish == DYNO_OPENAI_UNFINISHED) {
        return;
    }
    if (call->logprobs) {
        delta.tokens = dyno_said_tokens(&choice->said);
        delta.token_count = choice->said.token_count;
        delta.text_offset = choice->said_offset;
        choice->said_offset += dyno_openai_characters(text, size);
    }
    dyno_openai_stream_put(&call->stream, &call->door->out, &delta);
    dyno_said_clear(&choice->said);
    choice->began = true;
}

/* What was echoed is a chunk of its own. */
static void put_echo(struct dyno_choice *choice)
{
    if (!choice->began && choice->text.size > 0) {
        put_delta(choice, choice->text.data, choice->text.size, DYNO_OPENAI_UNFINISHED);
    }
}

/* A chunk a token; the last text goes with the reason why it is the last. */
static void put_news(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    const struct dyno_call *call = choice->call;
    uint32_t from = 0;

    put_echo(choice);
    for (uint32_t i = 0; i < news->token_count; i++) {
        if (call->logprobs &&
            dyno_said_add(&choice->said, call->door->tokenizer, news, i) != DYNO_OK) {
            choice->call->failed = 500;
            return;
        }
        put_delta(choice, news->text + from, news->tokens[i].text_end - from,
                  DYNO_OPENAI_UNFINISHED);
        from = news->tokens[i].text_end;
    }
    if (news->end == DYNO_ANSWER_STOPPED || news->end == DYNO_ANSWER_FULL) {
        put_delta(choice, news->text_size > from ? news->text + from : "", news->text_size - from,
                  finish_of(news->end));
    } else if (news->text_size > from) {
        put_delta(choice, news->text + from, news->text_size - from, DYNO_OPENAI_UNFINISHED);
    }
}

/* Told as a whole, later. */
static void keep_news(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;

    dyno_bytes_put(&choice->text, news->text, news->text_size);
    for (uint32_t i = 0; call->logprobs && i < news->token_count; i++) {
        if (dyno_said_add(&choice->said, call->door->tokenizer, news, i) != DYNO_OK) {
            call->failed = 500;
        }
    }
    if (choice->text.status != DYNO_OK) {
        call->failed = 500;
    }
}

static void begin_stream(struct dyno_call *call)
{
    struct dyno_http_header headers[DYNO_DOOR_HEADERS_MAX];
    uint32_t count = 0;

    dyno_door_headers(call->door, call->exchange, "text/event-stream; charset=utf-8", headers);
    while (headers[count].name) {
        count++;
    }
    headers[count] = (struct dyno_http_header){"Cache-Control", "no-cache"};
    headers[count + 1] = (struct dyno_http_header){.name = NULL};
    dyno_http_stream_begin(call->exchange, 200, headers);
    call->began = true;
}

static void end_choice(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;

    choice->finish = finish_of(news->end);
    call->usage.completion_tokens += news->record->output_tokens;
    call->usage.cached_tokens += news->record->cached_tokens;
    if (news->end == DYNO_ANSWER_FAILED && call->failed == 0) {
        call->failed = status_of(news->record);
    }
    dyno_answer_release(choice->answer);
    choice->answer = NULL;
    call->open_count--;
}

void dyno_call_hear(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;
    struct dyno_door *door = call->door;

    if (!call->streams) {
        keep_news(choice, news);
    } else if (call->failed == 0) {
        dyno_bytes_clear(&door->out);
        put_news(choice, news);
        if (door->out.size > 0 && !call->began) {
            begin_stream(call);
        }
        if (door->out.size > 0) {
            dyno_http_stream_write(call->exchange, door->out.data, door->out.size);
        }
    }
    if (news->end != DYNO_ANSWER_GOES_ON) {
        end_choice(choice, news);
    }
    if (call->open_count == 0) {
        dyno_call_end(call);
    }
}
