/* Any bytes as a text: it becomes tokens, and the tokens become the text again, with U+FFFD for
 * what was no UTF-8; token by token as well as at once, and never a part of a stop string.  Fenced,
 * it names no control token.
 *
 * The first byte chooses the vocabulary and the options. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/fence.h"
#include "backends/assets/tokenizer/normalise.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "core/base/utf8.h"
#include "tests/backends/tokenizer/small_vocabulary.h"

enum { FUZZ_VOCABULARIES = 6 };

struct fuzz_tokenizer {
    struct dyno_tokenizer *tokenizer;
    struct dyno_encoder *encoder;
};

/* 0 GPT-2's pattern, 1 Llama's, 2 Qwen's with NFC, 3 a single piece, 4 SentencePiece, 5 the same
 * without bytes. */
static void fuzz_open(struct fuzz_tokenizer *out, int which)
{
    struct dyno_vocabulary_builder builder;
    dyno_status status;

    if (which < 4) {
        small_byte_level(&builder);
        builder.vocabulary.pattern = which == 0   ? dyno_pattern_of("gpt-2")->pattern
                                     : which == 1 ? dyno_pattern_of("llama-bpe")->pattern
                                     : which == 2 ? dyno_pattern_of("qwen2")->pattern
                                                  : "";
        builder.vocabulary.nfc = which == 2;
    } else {
        small_spm(&builder, which == 4);
    }
    status = dyno_tokenizer_open(&out->tokenizer, &builder.vocabulary, NULL);
    assert(status == DYNO_OK);
    dyno_vocabulary_builder_release(&builder);
    status = dyno_encoder_open(&out->encoder, out->tokenizer, NULL);
    assert(status == DYNO_OK);
}

/* What the text must come back as: repaired, and normalised if so; fences go with `control`. */
static char *fuzz_repaired(const char *text, size_t size, bool control, size_t *out_size)
{
    char *out = malloc(3 * size + 1);
    size_t length;

    *out_size = 0;
    for (size_t at = 0; at < size; at += length) {
        bool good = dyno_utf8_look(text + at, size - at, &length) == DYNO_UTF8_GOOD;

        if (control && good && length == DYNO_FENCE_SIZE &&
            memcmp(text + at, DYNO_FENCE, DYNO_FENCE_SIZE) == 0) {
            continue;
        }
        memcpy(out + *out_size, good ? text + at : DYNO_UTF8_REPLACEMENT, good ? length : 3);
        *out_size += good ? length : 3;
    }
    return out;
}

static void fuzz_stream(const struct dyno_tokenizer *tokenizer, struct dyno_token_ids ids,
                        const char *whole, size_t whole_size)
{
    static const char *const stops[] = {"the", "aab", "\xC3\xA9x", "</s>", "he"};
    const struct dyno_detokenizer_options options = {
        .stops = stops, .stop_count = 5, .show_control = true};
    struct dyno_detokenizer *detokenizer;
    struct dyno_text_piece piece;
    size_t shown = 0;
    dyno_status status = dyno_detokenizer_open(&detokenizer, tokenizer, &options, NULL);

    assert(status == DYNO_OK);
    for (size_t i = 0; i <= ids.count; i++) {
        piece = i < ids.count ? dyno_detokenizer_push(detokenizer, ids.ids[i])
                              : dyno_detokenizer_finish(detokenizer);
        assert(dyno_utf8_valid(piece.bytes, piece.size, NULL) == piece.size);
        assert(shown + piece.size <= whole_size);
        assert(piece.size == 0 || memcmp(whole + shown, piece.bytes, piece.size) == 0);
        shown += piece.size;
    }
    for (size_t i = 0; i < 5; i++) {
        assert(!memmem(whole, shown, stops[i], strlen(stops[i])));
    }
    assert(dyno_detokenizer_stop(detokenizer) || shown == whole_size);
    dyno_detokenizer_close(detokenizer);
}

/* A fenced text is encoded with control tokens as it is without. */
static void fuzz_fence(const struct fuzz_tokenizer *with, const char *text, size_t size)
{
    struct dyno_token_ids ids;
    uint32_t *plain;
    size_t fenced_size, count;
    char *fenced;
    dyno_status status;

    if (memmem(text, size, DYNO_FENCE, DYNO_FENCE_SIZE)) {
        return; /* becomes another character */
    }
    status = dyno_fence(with->tokenizer, text, size, &fenced, &fenced_size);
    assert(status == DYNO_OK);
    status = dyno_encode(with->encoder, text, size, (struct dyno_encode_options){0}, &ids, NULL);
    assert(status == DYNO_OK);
    count = ids.count;
    plain = malloc((count + 1) * sizeof *plain);
    if (count > 0) {
        memcpy(plain, ids.ids, count * sizeof *plain);
    }
    status = dyno_encode(with->encoder, fenced, fenced_size,
                         (struct dyno_encode_options){.control = true}, &ids, NULL);
    assert(status == DYNO_OK && ids.count == count);
    assert(count == 0 || memcmp(plain, ids.ids, count * sizeof *plain) == 0);
    free(plain);
    free(fenced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_tokenizer tokenizers[FUZZ_VOCABULARIES];
    int which = size > 0 ? data[0] % FUZZ_VOCABULARIES : 0;
    const struct dyno_encode_options options = {.control = size > 0 && data[0] & 64,
                                                .around = size > 0 && data[0] & 128};
    const char *text = size > 0 ? (const char *)data + 1 : "";
    struct fuzz_tokenizer *with = &tokenizers[which];
    size_t due_size, whole_size;
    struct dyno_token_ids ids;
    char *due, *whole;
    dyno_status status;

    size -= size > 0;
    if (!with->tokenizer) {
        fuzz_open(with, which);
    }
    status = dyno_encode(with->encoder, text, size, options, &ids, NULL);
    assert(status == DYNO_OK);
    for (size_t i = 0; i < ids.count; i++) {
        assert(ids.ids[i] < dyno_tokenizer_count(with->tokenizer));
    }
    status = dyno_decode(with->tokenizer, ids.ids, ids.count, true, &whole, &whole_size, NULL);
    assert(status == DYNO_OK);
    due = fuzz_repaired(text, size, options.control, &due_size);
    if (which < 4 && which != 2) {
        assert(whole_size == due_size && memcmp(whole, due, due_size) == 0);
    }
    if (which == 2) {
        struct dyno_normaliser normaliser = {0};
        const char *again;
        size_t again_size;

        status = dyno_normalise(&normaliser, whole, whole_size, &again, &again_size);
        assert(status == DYNO_OK && again_size <= whole_size);
        dyno_normaliser_release(&normaliser);
    }
    fuzz_stream(with->tokenizer, ids, whole, whole_size);
    fuzz_fence(with, due, due_size);
    free(due);
    free(whole);
    return 0;
}
