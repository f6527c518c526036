/* What a choice says, in the words of its endpoint: chunks, events, or a text kept to the end.
 *
 * Where tools may be called, the text goes through a reader first, which takes calls out of it.
 */
#include "backends/door/door_parts.h"

/* Calls that were read and not told yet. */
static uint32_t new_calls(const struct dyno_choice *choice)
{
    return choice->reader.call_count - choice->calls_told;
}

static void put_chunk(struct dyno_choice *choice, const char *text, size_t size,
                      enum dyno_openai_finish finish)
{
    const struct dyno_call *call = choice->call;
    struct dyno_openai_call_part parts[DYNO_OPENAI_CALLS_MAX];
    struct dyno_openai_delta delta = {.index = choice->index,
                                      .first = !choice->began,
                                      .finish = finish,
                                      .text = text,
                                      .text_size = size,
                                      .calls = parts,
                                      .call_count = new_calls(choice)};

    if (size == 0 && choice->said.token_count == 0 && delta.call_count == 0 &&
        finish == DYNO_OPENAI_UNFINISHED) {
        return; /* the text is held back */
    }
    for (uint32_t i = 0; i < delta.call_count; i++) {
        uint32_t index = choice->calls_told + i;

        parts[i] =
            (struct dyno_openai_call_part){.index = index, .call = choice->reader.calls[index]};
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

static void put_events(struct dyno_choice *choice, const char *text, size_t size)
{
    struct dyno_call *call = choice->call;
    struct dyno_bytes *out = &call->door->out;

    if (!choice->began) {
        dyno_openai_events_begin(&call->events, out);
        choice->began = true;
    }
    if (size > 0 || choice->said.token_count > 0) {
        dyno_openai_events_text(&call->events, out, text, size,
                                call->logprobs ? dyno_said_tokens(&choice->said) : NULL,
                                choice->said.token_count);
        dyno_said_clear(&choice->said);
    }
    for (uint32_t i = choice->calls_told; i < choice->reader.call_count; i++) {
        dyno_openai_events_call(&call->events, out, &choice->reader.calls[i]);
    }
}

/* Text that is text for sure, and calls that were read. */
static bool say(struct dyno_choice *choice, const char *text, size_t size,
                enum dyno_openai_finish finish)
{
    struct dyno_call *call = choice->call;

    if (call->kind == DYNO_CALL_RESPONSE) {
        put_events(choice, text, size);
    } else if (call->streams) {
        put_chunk(choice, text, size, finish);
    } else {
        dyno_bytes_put(&choice->text, text, size);
    }
    choice->calls_told = choice->reader.call_count;
    return choice->text.status == DYNO_OK && call->door->out.status == DYNO_OK;
}

bool dyno_choice_say(struct dyno_choice *choice, const char *text, size_t size)
{
    struct dyno_openai_call_reader *reader = &choice->reader;

    if (!choice->call->tools.list) {
        return say(choice, text, size, DYNO_OPENAI_UNFINISHED);
    }
    dyno_bytes_clear(&reader->text);
    return dyno_openai_call_reader_feed(reader, text, size) == DYNO_OK &&
           say(choice, reader->text.data, reader->text.size, DYNO_OPENAI_UNFINISHED);
}

static enum dyno_openai_finish finish_of(const struct dyno_choice *choice, enum dyno_answer_end end)
{
    if (choice->reader.call_count > 0) {
        return DYNO_OPENAI_TOOL_CALLS;
    }
    return end == DYNO_ANSWER_STOPPED ? DYNO_OPENAI_STOP : DYNO_OPENAI_LENGTH;
}

bool dyno_choice_say_end(struct dyno_choice *choice, enum dyno_answer_end end)
{
    struct dyno_call *call = choice->call;
    struct dyno_openai_call_reader *reader = &choice->reader;

    if (call->tools.list) {
        dyno_bytes_clear(&reader->text);
        if (dyno_openai_call_reader_end(reader) != DYNO_OK ||
            !say(choice, reader->text.data, reader->text.size, DYNO_OPENAI_UNFINISHED)) {
            return false;
        }
    }
    choice->finish = finish_of(choice, end);
    if (!say(choice, "", 0, choice->finish)) {
        return false;
    }
    if (call->kind == DYNO_CALL_RESPONSE) {
        dyno_openai_events_end(&call->events, &call->door->out, choice->finish, &call->usage,
                               dyno_door_now_s());
    }
    return call->door->out.status == DYNO_OK;
}
