/* Filling a struct dyno_vocabulary token by token, whatever file it comes from. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_VOCABULARY_BUILDER_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_VOCABULARY_BUILDER_H

#include "backends/assets/tokenizer/piece_table.h"
#include "backends/assets/vocabulary.h"
#include "core/base/slab.h"
#include "core/base/status.h"

enum {
    DYNO_TOKEN_COUNT_MAX = 1 << 24, /* a vocabulary is no larger */
    DYNO_TOKEN_BYTES_MAX = 1 << 12, /* a token is no longer */
};

/* `vocabulary` is complete once _finish has returned, and lives as long as the builder.  Zero-
 * initialise, set vocabulary.kind and the three ids to UINT32_MAX (_init does), fill, _release. */
struct dyno_vocabulary_builder {
    struct dyno_vocabulary vocabulary;
    struct dyno_token *tokens; /* [token_capacity] */
    uint32_t token_capacity;
    struct dyno_merge *merges; /* [merge_capacity] */
    uint32_t merge_capacity;
    struct dyno_piece_table by_bytes; /* of the PLAIN tokens */
    struct dyno_slab bytes;
};

void dyno_vocabulary_builder_init(struct dyno_vocabulary_builder *builder,
                                  enum dyno_tokenizer_kind kind);
void dyno_vocabulary_builder_release(struct dyno_vocabulary_builder *builder);

/* Token `id` is `token`, whose bytes are copied.  Replaces what was there. Errors: DYNO_BAD_INPUT
 * (an id or a size past the maximum, or 0 bytes), DYNO_NO_MEMORY. */
dyno_status dyno_vocabulary_builder_token(struct dyno_vocabulary_builder *builder, uint32_t id,
                                          const struct dyno_token *token, struct dyno_error *error);

/* The same for a token as a byte-level vocabulary writes it (byte_alphabet.h); one with characters
 * outside the alphabet stands for its own text and is UNREACHABLE. */
dyno_status dyno_vocabulary_builder_alphabet(struct dyno_vocabulary_builder *builder, uint32_t id,
                                             const char *text, size_t size,
                                             struct dyno_error *error);

/* The next merge, as files write it: two token texts, in the alphabet of the vocabulary's kind.
 * The tokens must be there.  Errors: DYNO_BAD_INPUT (one of the three is no token). */
dyno_status dyno_vocabulary_builder_merge(struct dyno_vocabulary_builder *builder, const char *left,
                                          size_t left_size, const char *right, size_t right_size,
                                          struct dyno_error *error);

/* The same for the form "left right". */
dyno_status dyno_vocabulary_builder_merge_line(struct dyno_vocabulary_builder *builder,
                                               const char *line, size_t size,
                                               struct dyno_error *error);

/* The id of the PLAIN token with these bytes (not in the alphabet), or DYNO_TOKEN_NONE. */
uint32_t dyno_vocabulary_builder_find(const struct dyno_vocabulary_builder *builder,
                                      const char *bytes, size_t size);

/* Point `vocabulary` at what was gathered. */
const struct dyno_vocabulary *
dyno_vocabulary_builder_finish(struct dyno_vocabulary_builder *builder);

#endif
