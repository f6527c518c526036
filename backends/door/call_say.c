/* What a choice says, in the words of its endpoint: chunks, events, or a text kept to the end.
 *
 * Where tools may be called, the text goes through a reader first, which takes calls out of it.
 */
#include "backends/door/door_parts.h"

/* What is new of call `index`: its arguments behind those that were told. */
static struct dyno_openai_tool_call rest_of(const struct dyno_choice *choice, uint32_t index)
{
    struct dyno_openai_tool_call call = choice->reader.calls[index];

    if (index < choice->calls_told) {
        call.id = call.name = NULL;
        call.arguments += choice->arguments_told;
        call.arguments_size -= choice->arguments_told;
    }
    return call;
}

/* Parts of calls that were read and not told yet, into parts[DYNO_OPENAI_CALLS_MAX]. */
static uint32_t new_parts(const struct dyno_choice *choice, struct dyno_openai_call_part *parts)
{
    uint32_t first = choice->calls_told > 0 ? choice->calls_told - 1 : 0, count = 0;

    for (uint32_t i = first; i < choice->reader.call_count; i++) {
        struct dyno_openai_tool_call call = rest_of(choice, i);

        if (call.id || call.arguments_size > 0) {
            parts[count++] = (struct dyno_openai_call_part){.index = i, .call = call};
        }
    }
    return count;
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
                                      .call_count = new_parts(choice, parts)};

    if (size == 0 && choice->said.token_count == 0 && delta.call_count == 0 &&
        finish == DYNO_OPENAI_UNFINISHED) {
        return; /* the text is held back */
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

/* The last call may not have ended yet. */
static void put_calls(struct dyno_choice *choice, struct dyno_bytes *out)
{
    const struct dyno_openai_call_reader *reader = &choice->reader;
    struct dyno_openai_events *events = &choice->call->events;
    uint32_t first = choice->is_call_open ? choice->calls_told - 1 : choice->calls_told;

    for (uint32_t i = first; i < reader->call_count; i++) {
        struct dyno_openai_tool_call rest = rest_of(choice, i);
        bool is_open = reader->is_open && i + 1 == reader->call_count;

        if (rest.id) {
            dyno_openai_events_call_begin(events, out, &reader->calls[i]);
        }
        if (rest.arguments_size > 0) {
            dyno_openai_events_call_arguments(events, out, rest.arguments, rest.arguments_size);
        }
        if (!is_open) {
            dyno_openai_events_call_end(events, out, &reader->calls[i]);
        }
        choice->is_call_open = is_open;
    }
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
    put_calls(choice, out);
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
    choice->arguments_told =
        choice->calls_told > 0 ? choice->reader.calls[choice->calls_told - 1].arguments_size : 0;
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
    if (choice->reader.call_count > 0 && !(choice->reader.is_cut && end == DYNO_ANSWER_FULL)) {
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
