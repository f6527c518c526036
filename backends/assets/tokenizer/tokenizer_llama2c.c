/* The first three tokens stand for the unknown, the beginning and the end; the file writes a space
 * where SentencePiece has U+2581. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "backends/assets/mapping.h"
#include "backends/assets/tokenizer/tokenizer_file_parts.h"
#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/words.h"

enum { PIECE_MAX = 512, UNKNOWN = 0, BOS = 1, EOS = 2, SPECIAL = 3 };

static int hex_digit(char letter)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *found = letter ? strchr(digits, letter) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* The byte of "<0xNN>", or -1. */
static int byte_of(const char *text, size_t size)
{
    int high, low;

    if (size != strlen("<0xNN>") || memcmp(text, "<0x", 3) != 0 || text[5] != '>') {
        return -1;
    }
    high = hex_digit(text[3]);
    low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

dyno_status dyno_tokenizer_add_piece(struct tokenizer_file *file, uint32_t id,
                                     const struct dyno_token *token, struct dyno_error *error)
{
    int byte = token->kind == DYNO_TOKEN_BYTE ? byte_of(token->bytes, token->size) : -1;
    struct dyno_token piece = *token;
    char only = (char)byte;

    if (!isfinite(token->score)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the score of token %" PRIu32 " is not finite", id);
    }
    if (token->kind == DYNO_TOKEN_BYTE) {
        if (byte < 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "token %" PRIu32 " is of type byte but not written <0xNN>", id);
        }
        piece.bytes = &only;
        piece.size = 1;
    }
    return dyno_vocabulary_builder_token(&file->builder, id, &piece, error);
}

struct reader {
    struct tokenizer_file *file;
    struct dyno_mapping mapping;
    uint64_t at;
    struct dyno_error *error;
};

/* [size] bytes with U+2581 for every space. */
static uint32_t put_pieces(char *out, const char *text, uint32_t size)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < size; i++) {
        if (text[i] == ' ') {
            memcpy(out + used, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE);
            used += DYNO_LOWER_BLOCK_SIZE;
        } else {
            out[used++] = text[i];
        }
    }
    return used;
}

static dyno_status add_token(struct reader *reader, uint32_t id, float score, const char *text,
                             uint32_t size)
{
    static const char *const special[SPECIAL] = {"<unk>", "<s>", "</s>"};
    char piece[PIECE_MAX * DYNO_LOWER_BLOCK_SIZE];
    struct dyno_token token = {.bytes = piece, .score = score, .kind = DYNO_TOKEN_PLAIN};

    if (id < SPECIAL) {
        token.bytes = special[id];
        token.size = (uint32_t)strlen(special[id]);
        token.kind = DYNO_TOKEN_CONTROL;
    } else if (byte_of(text, size) >= 0) {
        token.bytes = text;
        token.size = size;
        token.kind = DYNO_TOKEN_BYTE;
    } else {
        token.size = put_pieces(piece, text, size);
    }
    return dyno_tokenizer_add_piece(reader->file, id, &token, reader->error);
}

static dyno_status refuse(const struct reader *reader, uint32_t id, const char *why)
{
    char path[DYNO_QUOTE_MAX];

    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s: token %" PRIu32 " at byte %" PRIu64 " %s",
                     dyno_quote(path, reader->mapping.path), id, reader->at, why);
}

static dyno_status take_token(struct reader *reader, uint32_t id)
{
    uint64_t left = reader->mapping.size - reader->at;
    const uint8_t *data = reader->mapping.data + reader->at;
    uint32_t size;
    float score;

    if (left < sizeof(score) + sizeof(size)) {
        return refuse(reader, id, "is cut short");
    }
    memcpy(&score, data, sizeof(score));
    memcpy(&size, data + sizeof(score), sizeof(size));
    if (size == 0 || size > PIECE_MAX || size > left - sizeof(score) - sizeof(size)) {
        return refuse(reader, id,
                      "must have from 1 to 512 bytes within the file; is this the tokenizer.bin of "
                      "llama2.c?");
    }
    reader->at += sizeof(score) + sizeof(size) + size;
    return add_token(reader, id, score, (const char *)data + sizeof(score) + sizeof(size), size);
}

static dyno_status read_all(struct reader *reader)
{
    struct dyno_vocabulary *vocabulary = &reader->file->builder.vocabulary;
    uint32_t id = 0;

    vocabulary->kind = DYNO_TOKENIZER_SPM;
    vocabulary->prefix_space = vocabulary->prefix_first_only = vocabulary->add_bos = true;
    for (reader->at = sizeof(uint32_t); reader->at < reader->mapping.size; id++) {
        if (id == DYNO_TOKEN_COUNT_MAX) {
            return refuse(reader, id, "is one too many");
        }
        DYNO_TRY(take_token(reader, id));
    }
    if (id <= SPECIAL) {
        return refuse(reader, id, "is missing: a vocabulary has more than three tokens");
    }
    vocabulary->unknown = UNKNOWN;
    vocabulary->bos = BOS;
    vocabulary->eos = EOS;
    return DYNO_OK;
}

dyno_status dyno_tokenizer_read_llama2c(struct tokenizer_file *file, const char *path,
                                        struct dyno_error *error)
{
    struct reader reader = {.file = file, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_mapping_open(&reader.mapping, path, error));
    status = read_all(&reader);
    dyno_mapping_close(&reader.mapping);
    return status;
}
