/* From text to ids: repaired, parted at added tokens, normalised, cut into pieces, joined.
 *
 * Words come back: the ids of short pieces are remembered in a table with one place for each hash,
 * where a piece drives out the one before. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/fence.h"
#include "backends/assets/tokenizer/joiner.h"
#include "backends/assets/tokenizer/normalise.h"
#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/array.h"
#include "core/base/utf8.h"

enum { KNOWN_COUNT = 1 << 15, KNOWN_BYTES_MAX = 30, KNOWN_IDS_MAX = 8 };

/* A piece met before: one line of the processor's cache. */
struct known_piece {
    uint8_t size, count; /* size 0: none */
    char bytes[KNOWN_BYTES_MAX];
    uint32_t ids[KNOWN_IDS_MAX];
};

struct text_buffer {
    char *bytes;
    size_t size, capacity;
};

struct dyno_encoder {
    const struct dyno_tokenizer *tokenizer;
    struct known_piece *known; /* [KNOWN_COUNT] */
    uint32_t *ids;             /* [capacity] */
    size_t count, capacity;
    struct text_buffer repaired, unfenced, marked;
    size_t *fences; /* [fence_count], of this text */
    size_t fence_count;
    uint32_t fence_capacity;
    struct dyno_normaliser normaliser;
    struct dyno_joiner joiner;
    struct dyno_split_scratch *split;
    bool unknown_last; /* the last id is an unknown that the next one is fused with */
};

void dyno_encoder_close(struct dyno_encoder *encoder)
{
    if (!encoder) {
        return;
    }
    dyno_split_scratch_close(encoder->split);
    dyno_joiner_release(&encoder->joiner);
    dyno_normaliser_release(&encoder->normaliser);
    free(encoder->repaired.bytes);
    free(encoder->unfenced.bytes);
    free(encoder->fences);
    free(encoder->marked.bytes);
    free(encoder->known);
    free(encoder->ids);
    free(encoder);
}

dyno_status dyno_encoder_open(struct dyno_encoder **out, const struct dyno_tokenizer *tokenizer,
                              struct dyno_error *error)
{
    struct dyno_encoder *encoder = calloc(1, sizeof *encoder);

    if (encoder) {
        encoder->tokenizer = tokenizer;
        encoder->known = aligned_alloc(64, KNOWN_COUNT * sizeof *encoder->known);
    }
    if (!encoder || !encoder->known || dyno_split_scratch_open(&encoder->split, error) != DYNO_OK) {
        dyno_encoder_close(encoder);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to encode text");
    }
    memset(encoder->known, 0, KNOWN_COUNT * sizeof *encoder->known);
    *out = encoder;
    return DYNO_OK;
}

static dyno_status widen_ids(struct dyno_encoder *encoder, size_t more)
{
    size_t capacity = encoder->capacity ? encoder->capacity : 1024;
    uint32_t *wide;

    while (capacity < encoder->count + more) {
        capacity *= 2;
    }
    wide = realloc(encoder->ids, capacity * sizeof *wide);
    if (!wide) {
        return DYNO_NO_MEMORY;
    }
    encoder->ids = wide;
    encoder->capacity = capacity;
    return DYNO_OK;
}

static inline dyno_status reserve_ids(struct dyno_encoder *encoder, size_t more)
{
    return encoder->capacity - encoder->count >= more ? DYNO_OK : widen_ids(encoder, more);
}

static dyno_status put_id(struct dyno_encoder *encoder, uint32_t id)
{
    DYNO_TRY(reserve_ids(encoder, 1));
    encoder->ids[encoder->count++] = id;
    encoder->unknown_last = false;
    return DYNO_OK;
}

/* Room for `size` bytes more. */
static dyno_status reserve_text(struct text_buffer *buffer, size_t size)
{
    size_t capacity = 2 * (buffer->size + size) + 64;
    char *wide;

    if (buffer->capacity - buffer->size >= size) {
        return DYNO_OK;
    }
    wide = realloc(buffer->bytes, capacity);
    if (!wide) {
        return DYNO_NO_MEMORY;
    }
    buffer->bytes = wide;
    buffer->capacity = capacity;
    return DYNO_OK;
}

static dyno_status put_text(struct text_buffer *buffer, const char *bytes, size_t size)
{
    DYNO_TRY(reserve_text(buffer, size));
    if (size > 0) {
        memcpy(buffer->bytes + buffer->size, bytes, size);
    }
    buffer->size += size;
    return DYNO_OK;
}

/* A character that is no token: its bytes' tokens if all are there, else the unknown token. */
static dyno_status put_unknown(struct dyno_encoder *encoder, const char *bytes, size_t size)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    bool whole = true;

    for (size_t i = 0; i < size; i++) {
        whole &= tokenizer->byte_token[(unsigned char)bytes[i]] != DYNO_TOKEN_NONE;
    }
    if (!whole) {
        if (!encoder->unknown_last || !tokenizer->vocabulary.fuse_unknown) {
            DYNO_TRY(put_id(encoder, tokenizer->vocabulary.unknown));
        }
        encoder->unknown_last = true;
        return DYNO_OK;
    }
    for (size_t i = 0; i < size; i++) {
        DYNO_TRY(put_id(encoder, tokenizer->byte_token[(unsigned char)bytes[i]]));
    }
    return DYNO_OK;
}

static dyno_status put_symbols(struct dyno_encoder *encoder, const char *piece, size_t count)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    bool byte_level = tokenizer->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL;
    size_t length = 1;

    for (size_t i = 0; i < count; i++) {
        uint32_t symbol = encoder->joiner.symbols[i];

        if (symbol == DYNO_TOKEN_NONE && !byte_level) {
            (void)dyno_utf8_point(piece, &length);
        } else {
            length = symbol == DYNO_TOKEN_NONE ? 1 : tokenizer->tokens[symbol].size;
        }
        DYNO_TRY(symbol < tokenizer->token_count ? put_id(encoder, symbol)
                                                 : put_unknown(encoder, piece, length));
        piece += length;
    }
    return DYNO_OK;
}

static dyno_status join_piece(struct dyno_encoder *encoder, const char *piece, size_t size)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    uint32_t id = dyno_piece_table_find(&tokenizer->by_bytes, tokenizer->tokens, piece, size);
    size_t count;

    if (id < tokenizer->token_count && tokenizer->whole[id]) {
        return put_id(encoder, id);
    }
    DYNO_TRY(dyno_joiner_run(&encoder->joiner, tokenizer, piece, size, &count));
    return put_symbols(encoder, piece, count);
}

/* An unknown token is not remembered: whether it is there depends on the piece before. */
static void remember(struct dyno_encoder *encoder, struct known_piece *known, const char *piece,
                     size_t size, size_t count_before)
{
    size_t count = encoder->count - count_before;
    const uint32_t *ids = encoder->ids + count_before;

    if (count == 0 || count > KNOWN_IDS_MAX) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == encoder->tokenizer->vocabulary.unknown) {
            return;
        }
    }
    known->size = (uint8_t)size;
    known->count = (uint8_t)count;
    memcpy(known->bytes, piece, size);
    memcpy(known->ids, ids, count * sizeof *ids);
}

static dyno_status put_piece(struct dyno_encoder *encoder, const char *piece, size_t size)
{
    struct known_piece *known;
    size_t count_before = encoder->count;

    if (size > KNOWN_BYTES_MAX) {
        return join_piece(encoder, piece, size);
    }
    known = &encoder->known[dyno_piece_hash(piece, size) & (KNOWN_COUNT - 1)];
    if (known->size == size && dyno_piece_same(known->bytes, piece, size)) {
        DYNO_TRY(reserve_ids(encoder, KNOWN_IDS_MAX));
        memcpy(encoder->ids + encoder->count, known->ids, sizeof known->ids);
        encoder->count += known->count;
        encoder->unknown_last = false;
        return DYNO_OK;
    }
    DYNO_TRY(join_piece(encoder, piece, size));
    remember(encoder, known, piece, size, count_before);
    return DYNO_OK;
}

/* Cut by the pattern of this level; the pieces by those of the next. */
static dyno_status split_text(struct dyno_encoder *encoder, uint32_t level, const char *text,
                              size_t size)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    size_t match_start = 0, match_end = 0, end;

    if (tokenizer->splitter_count == 0) {
        return put_piece(encoder, text, size);
    }
    for (size_t start = 0; start < size; start = end) {
        DYNO_TRY(dyno_splitter_next(tokenizer->splitters[level], encoder->split, text, size, start,
                                    &match_start, &match_end, &end));
        DYNO_TRY(level + 1 == tokenizer->splitter_count
                     ? put_piece(encoder, text + start, end - start)
                     : split_text(encoder, level + 1, text + start, end - start));
    }
    return DYNO_OK;
}

static bool is_block(const char *text, size_t size, size_t at)
{
    return size - at >= DYNO_LOWER_BLOCK_SIZE &&
           memcmp(text + at, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE) == 0;
}

/* Where the U+2581 that the word at `start` begins with end: one of them, or all that follow each
 * other. */
static size_t blocks_end(const char *text, size_t size, size_t start, bool each_block)
{
    while (is_block(text, size, start)) {
        start += DYNO_LOWER_BLOCK_SIZE;
        if (each_block) {
            break;
        }
    }
    return start;
}

/* Where the word that begins at `start` ends: before the next U+2581 or run of them, if
 * `at_blocks`, or between two characters that are side by side in no token. */
static size_t word_end(const struct dyno_tokenizer *tokenizer, const char *text, size_t size,
                       size_t start, bool at_blocks)
{
    size_t at = start;
    unsigned char before, byte;

    if (at_blocks) {
        at = blocks_end(text, size, start, tokenizer->vocabulary.split_words);
    }
    if (at == size) {
        return size;
    }
    for (before = (unsigned char)text[at++]; at < size; at++, before = byte) {
        byte = (unsigned char)text[at];
        if (before < DYNO_LETTERS && byte < DYNO_LETTERS) {
            if (!(tokenizer->beside[before][byte / 64] >> byte % 64 & 1)) {
                return at;
            }
        } else if (byte == 0xE2 && at_blocks && is_block(text, size, at)) {
            return at;
        }
    }
    return size;
}

static dyno_status put_words(struct dyno_encoder *encoder, const char *text, size_t size)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    bool at_blocks = tokenizer->vocabulary.split_words || tokenizer->words_apart;
    size_t end;

    for (size_t start = 0; start < size; start = end) {
        end = word_end(tokenizer, text, size, start, at_blocks);
        DYNO_TRY(put_piece(encoder, text + start, end - start));
    }
    return DYNO_OK;
}

/* Spaces become U+2581.  Four bytes are written for each, of which one or three are kept. */
static dyno_status mark_spaces(struct text_buffer *marked, const char *text, size_t size)
{
    enum { PART = 4096 };
    uint32_t block = 0, bytes;

    memcpy(&block, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE);
    while (size > 0) {
        size_t part = size < PART ? size : PART;
        char *out;

        DYNO_TRY(reserve_text(marked, DYNO_LOWER_BLOCK_SIZE * part + sizeof bytes));
        out = marked->bytes + marked->size;
        for (size_t i = 0; i < part; i++) {
            bool is_space = text[i] == ' ';

            bytes = is_space ? block : (unsigned char)text[i];
            memcpy(out, &bytes, sizeof bytes);
            out += is_space ? DYNO_LOWER_BLOCK_SIZE : 1;
        }
        marked->size = (size_t)(out - marked->bytes);
        text += part;
        size -= part;
    }
    return DYNO_OK;
}

static bool needs_prefix(const struct dyno_encoder *encoder, const char *text, size_t size,
                         bool is_first)
{
    const struct dyno_vocabulary *vocabulary = &encoder->tokenizer->vocabulary;
    bool spaced =
        text[0] == ' ' || (vocabulary->kind == DYNO_TOKENIZER_SPM && is_block(text, size, 0));

    return vocabulary->prefix_space && (is_first || !vocabulary->prefix_first_only) &&
           !(spaced && vocabulary->prefix_unless_space);
}

/* Normalised text between two added tokens. */
static dyno_status put_normalised(struct dyno_encoder *encoder, const char *text, size_t size,
                                  bool is_first)
{
    const struct dyno_vocabulary *vocabulary = &encoder->tokenizer->vocabulary;
    struct text_buffer *marked = &encoder->marked;
    bool byte_level = vocabulary->kind == DYNO_TOKENIZER_BYTE_LEVEL;

    marked->size = 0;
    if (needs_prefix(encoder, text, size, is_first)) {
        DYNO_TRY(put_text(marked, byte_level ? " " : DYNO_LOWER_BLOCK,
                          byte_level ? 1 : DYNO_LOWER_BLOCK_SIZE));
    } else if (byte_level) {
        return split_text(encoder, 0, text, size);
    }
    if (byte_level) {
        DYNO_TRY(put_text(marked, text, size));
        return split_text(encoder, 0, marked->bytes, marked->size);
    }
    DYNO_TRY(mark_spaces(marked, text, size));
    return put_words(encoder, marked->bytes, marked->size);
}

/* Normalised text, in which the tokens are looked for that are matched there. */
static dyno_status put_late(struct dyno_encoder *encoder, const char *text, size_t size,
                            bool is_first, bool control)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    const struct dyno_added_fences none = {.count = 0};
    struct dyno_added_match match;

    for (size_t at = 0; at < size; at = match.end) {
        match = dyno_added_tokens_find(&tokenizer->late, tokenizer->tokens, text, size, at, control,
                                       none);
        if (match.start > at) {
            const char *between = text + at;
            size_t length = match.start - at;

            DYNO_TRY(tokenizer->vocabulary.marks_first
                         ? put_words(encoder, between, length)
                         : put_normalised(encoder, between, length, is_first && at == 0));
        }
        if (match.id != DYNO_TOKEN_NONE) {
            DYNO_TRY(put_id(encoder, match.id));
        }
    }
    return DYNO_OK;
}

/* Text between two tokens that are matched before it is normalised. */
static dyno_status put_segment(struct dyno_encoder *encoder, const char *text, size_t size,
                               bool is_first, bool control)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    struct text_buffer *marked = &encoder->marked;

    if (size == 0) {
        return DYNO_OK;
    }
    if (tokenizer->vocabulary.nfc && !dyno_is_nfc(text, size)) {
        DYNO_TRY(dyno_normalise(&encoder->normaliser, text, size, &text, &size));
    }
    if (!tokenizer->late.normalized) {
        return put_normalised(encoder, text, size, is_first);
    }
    if (tokenizer->vocabulary.marks_first) {
        marked->size = 0;
        if (needs_prefix(encoder, text, size, is_first)) {
            DYNO_TRY(put_text(marked, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE));
        }
        DYNO_TRY(mark_spaces(marked, text, size));
        text = marked->bytes;
        size = marked->size;
    }
    return put_late(encoder, text, size, is_first, control);
}

/* Fences are places in the text before it is normalised: where there is one, no CONTROL token is
 * made of what is normalised. */
static dyno_status put_segments(struct dyno_encoder *encoder, const char *text, size_t size,
                                bool control)
{
    const struct dyno_tokenizer *tokenizer = encoder->tokenizer;
    const struct dyno_added_fences fences = {encoder->fences, encoder->fence_count};
    struct dyno_added_match match;

    for (size_t at = 0; at < size; at = match.end) {
        size_t length;

        match = dyno_added_tokens_find(&tokenizer->added, tokenizer->tokens, text, size, at,
                                       control, fences);
        length = match.start - at;
        DYNO_TRY(put_segment(encoder, text + at, length, at == 0,
                             control && dyno_added_room_to_fence(fences, at) >= length));
        if (match.id != DYNO_TOKEN_NONE) {
            DYNO_TRY(put_id(encoder, match.id));
        }
    }
    return DYNO_OK;
}

/* The text with U+FFFD for what is no UTF-8. */
static dyno_status repair(struct text_buffer *repaired, const char *text, size_t size)
{
    repaired->size = 0;
    while (size > 0) {
        size_t length = dyno_utf8_valid(text, size, NULL);

        DYNO_TRY(put_text(repaired, text, length));
        text += length;
        size -= length;
        if (size > 0) {
            (void)dyno_utf8_look(text, size, &length);
            DYNO_TRY(put_text(repaired, DYNO_UTF8_REPLACEMENT, DYNO_UTF8_REPLACEMENT_SIZE));
            text += length;
            size -= length;
        }
    }
    return DYNO_OK;
}

static dyno_status add_fence(struct dyno_encoder *encoder, size_t at)
{
    if (!dyno_array_reserve(&encoder->fences, &encoder->fence_capacity, encoder->fence_count + 1,
                            sizeof *encoder->fences)) {
        return DYNO_NO_MEMORY;
    }
    encoder->fences[encoder->fence_count++] = at;
    return DYNO_OK;
}

/* The text without its fences, whose places are noted. */
static dyno_status take_fences(struct dyno_encoder *encoder, const char **text, size_t *size)
{
    struct text_buffer *unfenced = &encoder->unfenced;
    const char *from = *text, *end = *text + *size;
    const char *fence = memmem(from, *size, DYNO_FENCE, DYNO_FENCE_SIZE);

    if (!fence) {
        return DYNO_OK;
    }
    unfenced->size = 0;
    for (; fence; fence = memmem(from, (size_t)(end - from), DYNO_FENCE, DYNO_FENCE_SIZE)) {
        DYNO_TRY(put_text(unfenced, from, (size_t)(fence - from)));
        DYNO_TRY(add_fence(encoder, unfenced->size));
        from = fence + DYNO_FENCE_SIZE;
    }
    DYNO_TRY(put_text(unfenced, from, (size_t)(end - from)));
    *text = unfenced->bytes;
    *size = unfenced->size;
    return DYNO_OK;
}

static dyno_status encode(struct dyno_encoder *encoder, const char *text, size_t size,
                          struct dyno_encode_options options)
{
    const struct dyno_vocabulary *vocabulary = &encoder->tokenizer->vocabulary;

    encoder->count = encoder->fence_count = 0;
    encoder->unknown_last = false;
    if (options.around && vocabulary->add_bos) {
        DYNO_TRY(put_id(encoder, vocabulary->bos));
    }
    if (dyno_utf8_valid(text, size, NULL) < size) {
        DYNO_TRY(repair(&encoder->repaired, text, size));
        text = encoder->repaired.bytes;
        size = encoder->repaired.size;
    }
    if (options.control) {
        DYNO_TRY(take_fences(encoder, &text, &size));
    }
    DYNO_TRY(put_segments(encoder, text, size, options.control));
    return options.around && vocabulary->add_eos ? put_id(encoder, vocabulary->eos) : DYNO_OK;
}

dyno_status dyno_encode(struct dyno_encoder *encoder, const char *text, size_t size,
                        struct dyno_encode_options options, struct dyno_token_ids *out,
                        struct dyno_error *error)
{
    dyno_status status;

    if (size > DYNO_TEXT_BYTES_MAX) {
        return dyno_fail(error, DYNO_FULL, "a text of %zu bytes is longer than %d MiB", size,
                         DYNO_TEXT_BYTES_MAX >> 20);
    }
    status = encode(encoder, text, size, options);
    if (status == DYNO_FULL) {
        return dyno_fail(error, status,
                         "the tokenizer's pattern takes too many steps on this text");
    }
    if (status != DYNO_OK) {
        return dyno_fail(error, status, "no memory to encode a text of %zu bytes", size);
    }
    *out = (struct dyno_token_ids){.ids = encoder->ids, .count = encoder->count};
    return DYNO_OK;
}
