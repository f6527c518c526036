/* Recorded requests as lines of a trace. */
#include "traces/recording_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/lines.h"

enum {
    PIECE_BYTES_MAX = 512,
    IDENTITY_BYTES_MAX = 24,
    WORDS_MAX = 4, /* that an identity is made of */
};

struct dyno_recorded *dyno_recorded_new(const struct dyno_request *request, uint64_t started_at_ns)
{
    size_t spans_size = request->span_count * sizeof *request->spans;
    struct dyno_recorded *recorded = malloc(sizeof *recorded + spans_size);

    if (!recorded) {
        return NULL;
    }
    *recorded = (struct dyno_recorded){.id = request->id,
                                       .session = request->session,
                                       .tenant = request->tenant,
                                       .model = request->model,
                                       .priority = request->priority,
                                       .at_ns = started_at_ns + request->arrival_ns,
                                       .prompt_tokens = request->prompt_tokens,
                                       .span_count = request->span_count};
    if (spans_size > 0) {
        memcpy(recorded->spans, request->spans, spans_size);
    }
    return recorded;
}

size_t dyno_recorded_bytes(const struct dyno_recorded *recorded)
{
    return sizeof *recorded + recorded->span_count * sizeof *recorded->spans;
}

/* Room for one more piece. */
static bool make_room(struct dyno_recording_text *text)
{
    size_t capacity = text->capacity ? 2 * text->capacity : 8 * PIECE_BYTES_MAX;
    char *larger;

    if (text->capacity - text->size >= PIECE_BYTES_MAX) {
        return true;
    }
    larger = realloc(text->bytes, capacity);
    if (!larger) {
        return false;
    }
    text->bytes = larger;
    text->capacity = capacity;
    return true;
}

__attribute__((format(printf, 2, 3))) static bool put(struct dyno_recording_text *text,
                                                      const char *format, ...)
{
    va_list arguments;
    int length;

    if (!make_room(text)) {
        return false;
    }
    va_start(arguments, format);
    length = vsnprintf(text->bytes + text->size, PIECE_BYTES_MAX, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
    return length >= 0 && length < PIECE_BYTES_MAX;
}

/* An identity and a comma: almost all of a line. */
static bool put_identity(struct dyno_recording_text *text, uint64_t identity)
{
    char digits[IDENTITY_BYTES_MAX];
    size_t at = sizeof digits;

    if (!make_room(text)) {
        return false;
    }
    digits[--at] = ' ';
    digits[--at] = ',';
    do {
        digits[--at] = (char)('0' + identity % 10);
        identity /= 10;
    } while (identity > 0);
    memcpy(text->bytes + text->size, digits + at, sizeof digits - at);
    text->size += sizeof digits - at;
    return true;
}

/* Walks over a chain of spans, engine block by engine block. */
struct walk {
    const struct dyno_recorded *recorded;
    uint32_t span;       /* where it is ... */
    uint64_t span_start; /* ... and which engine block begins there */
};

/* The identity of engine block `block`, never less than the one asked for before; false: it is in
 * no span, and like no other. */
static bool find_block(struct walk *walk, uint64_t block, uint64_t words[2])
{
    const struct dyno_recorded *recorded = walk->recorded;

    while (walk->span < recorded->span_count &&
           block >= walk->span_start + recorded->spans[walk->span].blocks) {
        walk->span_start += recorded->spans[walk->span++].blocks;
    }
    if (walk->span == recorded->span_count) {
        return false;
    }
    words[0] = recorded->spans[walk->span].id;
    words[1] = block - walk->span_start;
    return true;
}

/* A recorded block is named by the last whole engine block in it, which (being chained) names all
 * before it too.  Without one, or where that is nobody else's, its name is nobody else's either. */
static uint64_t identity_of(const struct dyno_recording_line *form, struct walk *walk,
                            uint32_t index)
{
    const struct dyno_recorded *recorded = walk->recorded;
    uint64_t per_block = form->block_tokens / form->engine_block_tokens;
    uint64_t whole = recorded->prompt_tokens / form->engine_block_tokens;
    uint64_t first = index * per_block, end = first + per_block;
    uint64_t words[WORDS_MAX] = {recorded->at_ns, recorded->id, index, 0};

    end = end < whole ? end : whole;
    if (end > first && find_block(walk, end - 1, words)) {
        return dyno_salt_identity(&form->salt, words, 2);
    }
    return dyno_salt_identity(&form->salt, words, WORDS_MAX);
}

static bool put_blocks(const struct dyno_recording_line *form, struct dyno_recording_text *text,
                       const struct dyno_recorded *recorded)
{
    uint32_t count = (recorded->prompt_tokens + form->block_tokens - 1) / form->block_tokens;
    struct walk walk = {.recorded = recorded};

    if (!put(text, ", \"hash_ids\": [")) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!put_identity(text, identity_of(form, &walk, i))) {
            return false;
        }
    }
    text->size -= strlen(", "); /* behind the last one: a prompt has a token, and so a block */
    return put(text, "]");
}

bool dyno_recording_line_name(char out[DYNO_RECORDED_MODEL_MAX], const char *name)
{
    size_t used = 0;

    out[used++] = '"';
    for (; *name && used < DYNO_RECORDED_MODEL_MAX - 3; name++) { /* two for it, and the end */
        if (*name == '"' || *name == '\\') {
            out[used++] = '\\';
        }
        out[used++] = *name;
    }
    out[used++] = '"';
    out[used] = '\0';
    return *name == '\0';
}

static bool put_line(const struct dyno_recording_line *form, struct dyno_recording_text *text,
                     const struct dyno_recorded *recorded, uint64_t lost)
{
    const uint64_t session[3] = {recorded->session, 0, 0};

    return put(text,
               "{\"timestamp\": %" PRIu64 ".%06" PRIu64 ", \"input_length\": %" PRIu32
               ", \"output_length\": %" PRIu32 ", \"outcome\": \"%s\", \"number\": %" PRIu64
               ", \"recording\": \"%s\", \"block_tokens\": %" PRIu32,
               recorded->at_ns / DYNO_MS, recorded->at_ns % DYNO_MS, recorded->prompt_tokens,
               recorded->output_tokens, dyno_outcome_name(recorded->outcome), recorded->id,
               form->label, form->block_tokens) &&
           (lost == 0 || put(text, ", \"lost\": %" PRIu64, lost)) &&
           (!form->models || put(text, ", \"model\": %s", form->models[recorded->model])) &&
           (recorded->tenant == 0 || put(text, ", \"tenant\": %" PRIu32, recorded->tenant)) &&
           (recorded->priority == 0 || put(text, ", \"priority\": %" PRId32, recorded->priority)) &&
           (recorded->session == 0 ||
            put(text, ", \"session_id\": %" PRIu64, dyno_salt_identity(&form->salt, session, 3))) &&
           (recorded->span_count == 0 || put_blocks(form, text, recorded)) && put(text, "}\n");
}

bool dyno_recording_line_put(const struct dyno_recording_line *form,
                             struct dyno_recording_text *text, const struct dyno_recorded *recorded,
                             uint64_t lost)
{
    size_t before = text->size;

    if (put_line(form, text, recorded, lost) && text->size - before <= DYNO_LINE_BYTES_MAX) {
        return true;
    }
    text->size = before;
    return false;
}
