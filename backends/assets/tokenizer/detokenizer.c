/* Two places to wait: `tail`, the beginning of a character, and `held`, of which a part may be the
 * beginning of a stop string.  Both have a maximum that follows from the vocabulary and the stops,
 * so that pushing a token takes no memory. */
#include "backends/assets/tokenizer/detokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/utf8.h"

struct stop {
    char *text;
    size_t size;
};

struct dyno_detokenizer {
    const struct dyno_tokenizer *tokenizer;
    struct dyno_detokenizer_options options; /* the stops are below */
    struct stop *stops;                      /* [stop_count] */
    char tail[DYNO_UTF8_SIZE_MAX];
    size_t tail_size;
    char *held; /* [held_capacity]; the first `given` bytes were given out */
    size_t held_size, given;
    bool begun; /* the first text was seen */
    const struct stop *met;
};

void dyno_detokenizer_close(struct dyno_detokenizer *detokenizer)
{
    if (!detokenizer) {
        return;
    }
    for (uint32_t i = 0; detokenizer->stops && i < detokenizer->options.stop_count; i++) {
        free(detokenizer->stops[i].text);
    }
    free(detokenizer->stops);
    free(detokenizer->held);
    free(detokenizer);
}

static dyno_status copy_stops(struct dyno_detokenizer *detokenizer, size_t *longest,
                              struct dyno_error *error)
{
    const struct dyno_detokenizer_options *options = &detokenizer->options;

    for (uint32_t i = 0; i < options->stop_count; i++) {
        struct stop *stop = &detokenizer->stops[i];

        stop->size = strlen(options->stops[i]);
        if (stop->size == 0 || stop->size > DYNO_STOP_BYTES_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "stop string %u has %zu bytes, which is not from 1 to %d", i,
                             stop->size, DYNO_STOP_BYTES_MAX);
        }
        if (dyno_utf8_valid(options->stops[i], stop->size, NULL) < stop->size) {
            return dyno_fail(error, DYNO_BAD_INPUT, "stop string %u is not UTF-8", i);
        }
        stop->text = strdup(options->stops[i]);
        if (!stop->text) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for stop strings");
        }
        *longest = stop->size > *longest ? stop->size : *longest;
    }
    return DYNO_OK;
}

dyno_status dyno_detokenizer_open(struct dyno_detokenizer **out,
                                  const struct dyno_tokenizer *tokenizer,
                                  const struct dyno_detokenizer_options *options,
                                  struct dyno_error *error)
{
    struct dyno_detokenizer *detokenizer;
    size_t longest = 0;
    dyno_status status;

    if (options->stop_count > DYNO_STOPS_MAX) {
        (void)dyno_fail(error, DYNO_BAD_INPUT, "%u stop strings are more than %d",
                        options->stop_count, DYNO_STOPS_MAX);
        return DYNO_BAD_INPUT;
    }
    detokenizer = calloc(1, sizeof *detokenizer);
    if (!detokenizer) {
        (void)dyno_fail(error, DYNO_NO_MEMORY, "no memory for a detokenizer");
        return DYNO_NO_MEMORY;
    }
    detokenizer->tokenizer = tokenizer;
    detokenizer->options = *options;
    detokenizer->stops = calloc(options->stop_count + 1U, sizeof *detokenizer->stops);
    status = detokenizer->stops ? copy_stops(detokenizer, &longest, error) : DYNO_NO_MEMORY;
    if (status == DYNO_OK) {
        /* A byte may become the three of U+FFFD, and a tail may come before it. */
        size_t capacity = 3 * ((size_t)tokenizer->token_bytes_max + DYNO_UTF8_SIZE_MAX) + longest;

        detokenizer->held = malloc(capacity);
        status = detokenizer->held
                     ? DYNO_OK
                     : dyno_fail(error, DYNO_NO_MEMORY, "no memory for a detokenizer");
    }
    if (status != DYNO_OK) {
        dyno_detokenizer_close(detokenizer);
        return status;
    }
    *out = detokenizer;
    return DYNO_OK;
}

void dyno_detokenizer_restart(struct dyno_detokenizer *detokenizer)
{
    detokenizer->tail_size = detokenizer->held_size = detokenizer->given = 0;
    detokenizer->begun = false;
    detokenizer->met = NULL;
}

static void hold(struct dyno_detokenizer *detokenizer, const char *bytes, size_t size)
{
    memcpy(detokenizer->held + detokenizer->held_size, bytes, size);
    detokenizer->held_size += size;
}

static void hold_replacement(struct dyno_detokenizer *detokenizer)
{
    hold(detokenizer, DYNO_UTF8_REPLACEMENT, DYNO_UTF8_REPLACEMENT_SIZE);
}

/* One byte more: the tail grows, or ends as a character, or as U+FFFD before a new beginning. */
static void take_byte(struct dyno_detokenizer *detokenizer, char byte)
{
    size_t length;

    detokenizer->tail[detokenizer->tail_size++] = byte;
    while (detokenizer->tail_size > 0) {
        switch (dyno_utf8_look(detokenizer->tail, detokenizer->tail_size, &length)) {
        case DYNO_UTF8_SHORT:
            return;
        case DYNO_UTF8_GOOD:
            hold(detokenizer, detokenizer->tail, length);
            break;
        case DYNO_UTF8_BAD:
            hold_replacement(detokenizer);
            break;
        }
        detokenizer->tail_size -= length;
        memmove(detokenizer->tail, detokenizer->tail + length, detokenizer->tail_size);
    }
}

static void take_bytes(struct dyno_detokenizer *detokenizer, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t length = detokenizer->tail_size > 0 ? 0 : dyno_utf8_valid(bytes, size, NULL);

        hold(detokenizer, bytes, length);
        if (length < size) {
            take_byte(detokenizer, bytes[length++]);
        }
        bytes += length;
        size -= length;
    }
}

/* SentencePiece's tokens: U+2581 is a space, and the first of a text is not shown. */
static void take_spm(struct dyno_detokenizer *detokenizer, const struct dyno_token *token)
{
    bool first = !detokenizer->begun && !detokenizer->options.keep_space &&
                 detokenizer->tokenizer->vocabulary.prefix_space;
    uint32_t at = 0;

    while (at < token->size) {
        bool block = token->size - at >= DYNO_LOWER_BLOCK_SIZE &&
                     memcmp(token->bytes + at, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE) == 0;

        if (!block) {
            take_bytes(detokenizer, token->bytes + at, 1);
        } else if (!first) {
            take_bytes(detokenizer, " ", 1);
        }
        first = false;
        at += block ? DYNO_LOWER_BLOCK_SIZE : 1;
    }
}

static void take_token(struct dyno_detokenizer *detokenizer, uint32_t id)
{
    const struct dyno_tokenizer *tokenizer = detokenizer->tokenizer;
    const struct dyno_token *token;

    if (id >= tokenizer->token_count || tokenizer->tokens[id].size == 0) {
        return;
    }
    token = &tokenizer->tokens[id];
    if (token->kind == DYNO_TOKEN_CONTROL && !detokenizer->options.show_control) {
        return;
    }
    if (tokenizer->vocabulary.kind == DYNO_TOKENIZER_SPM && token->kind == DYNO_TOKEN_PLAIN) {
        take_spm(detokenizer, token);
    } else {
        take_bytes(detokenizer, token->bytes, token->size);
    }
    detokenizer->begun = true;
}

/* The longest stop that ends at held[end]. */
static const struct stop *stop_at(const struct dyno_detokenizer *detokenizer, size_t end)
{
    const struct stop *best = NULL;

    for (uint32_t i = 0; i < detokenizer->options.stop_count; i++) {
        const struct stop *stop = &detokenizer->stops[i];

        if (stop->size <= end && (!best || stop->size > best->size) &&
            memcmp(detokenizer->held + end - stop->size, stop->text, stop->size) == 0) {
            best = stop;
        }
    }
    return best;
}

/* Whether held[from ..] is the beginning of a stop. */
static bool may_stop(const struct dyno_detokenizer *detokenizer, size_t from)
{
    size_t size = detokenizer->held_size - from;

    for (uint32_t i = 0; i < detokenizer->options.stop_count; i++) {
        const struct stop *stop = &detokenizer->stops[i];

        if (stop->size > size && memcmp(detokenizer->held + from, stop->text, size) == 0) {
            return true;
        }
    }
    return false;
}

/* How much of held[] may be given out, of which the bytes from `seen` on are new. */
static size_t safe_size(struct dyno_detokenizer *detokenizer, size_t seen)
{
    for (size_t end = seen + 1; end <= detokenizer->held_size; end++) {
        const struct stop *stop = stop_at(detokenizer, end);

        if (stop) {
            detokenizer->met = stop;
            return detokenizer->options.include_stop ? end : end - stop->size;
        }
    }
    for (size_t from = 0; from < detokenizer->held_size; from++) {
        if (may_stop(detokenizer, from)) {
            return from;
        }
    }
    return detokenizer->held_size;
}

/* Drop what the call before gave out; returns what is left, all of it seen. */
static size_t drop_given(struct dyno_detokenizer *detokenizer)
{
    detokenizer->held_size -= detokenizer->given;
    memmove(detokenizer->held, detokenizer->held + detokenizer->given, detokenizer->held_size);
    detokenizer->given = 0;
    return detokenizer->held_size;
}

static struct dyno_text_piece give(struct dyno_detokenizer *detokenizer, size_t size)
{
    detokenizer->given = size;
    if (detokenizer->met) {
        detokenizer->held_size = size; /* what follows a stop is nobody's */
    }
    return (struct dyno_text_piece){.bytes = detokenizer->held, .size = size};
}

struct dyno_text_piece dyno_detokenizer_push(struct dyno_detokenizer *detokenizer, uint32_t id)
{
    size_t seen = drop_given(detokenizer);

    if (detokenizer->met) {
        return (struct dyno_text_piece){.bytes = detokenizer->held, .size = 0};
    }
    take_token(detokenizer, id);
    return give(detokenizer, safe_size(detokenizer, seen));
}

struct dyno_text_piece dyno_detokenizer_finish(struct dyno_detokenizer *detokenizer)
{
    size_t seen = drop_given(detokenizer), size;

    if (detokenizer->met) {
        return (struct dyno_text_piece){.bytes = detokenizer->held, .size = 0};
    }
    if (detokenizer->tail_size > 0) {
        hold_replacement(detokenizer);
        detokenizer->tail_size = 0;
    }
    size = safe_size(detokenizer, seen);
    return give(detokenizer, detokenizer->met ? size : detokenizer->held_size);
}

const char *dyno_detokenizer_stop(const struct dyno_detokenizer *detokenizer)
{
    return detokenizer->met ? detokenizer->met->text : NULL;
}

static bool append(char **text, size_t *size, size_t *capacity, struct dyno_text_piece piece)
{
    if (*capacity - *size <= piece.size) {
        size_t wider = 2 * (*size + piece.size) + 64;
        char *wide = realloc(*text, wider);

        if (!wide) {
            return false;
        }
        *text = wide;
        *capacity = wider;
    }
    memcpy(*text + *size, piece.bytes, piece.size);
    *size += piece.size;
    (*text)[*size] = '\0';
    return true;
}

dyno_status dyno_decode(const struct dyno_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                        bool show_control, char **out, size_t *out_size, struct dyno_error *error)
{
    const struct dyno_detokenizer_options options = {.show_control = show_control};
    struct dyno_detokenizer *detokenizer;
    size_t size = 0, capacity = 0;
    char *text = NULL;
    bool done = true;

    DYNO_TRY(dyno_detokenizer_open(&detokenizer, tokenizer, &options, error));
    for (size_t i = 0; done && i < count; i++) {
        done = append(&text, &size, &capacity, dyno_detokenizer_push(detokenizer, ids[i]));
    }
    done = done && append(&text, &size, &capacity, dyno_detokenizer_finish(detokenizer));
    dyno_detokenizer_close(detokenizer);
    if (!done) {
        free(text);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the text of %zu tokens", count);
    }
    *out = text;
    *out_size = size;
    return DYNO_OK;
}
