/* The inside of a tokenizer, for the files that make and use it. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_PARTS_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_PARTS_H

#include "backends/assets/tokenizer/added_tokens.h"
#include "backends/assets/tokenizer/join_table.h"
#include "backends/assets/tokenizer/piece_table.h"
#include "backends/assets/tokenizer/splitter.h"
#include "backends/assets/tokenizer/tokenizer.h"

/* SentencePiece's space, U+2581. */
#define DYNO_LOWER_BLOCK "\xE2\x96\x81"
enum { DYNO_LOWER_BLOCK_SIZE = 3 };

enum { DYNO_LETTERS = 128 };

struct dyno_tokenizer {
    struct dyno_vocabulary vocabulary; /* flags; tokens, merges and pattern are not pointed to */
    struct dyno_token *tokens;         /* [token_count + symbol_count] */
    uint32_t token_count;
    uint32_t symbol_count; /* characters that are no token but a part of one, behind the tokens */
    uint32_t symbol_capacity;
    uint32_t token_bytes_max;
    char *bytes;                      /* of the tokens */
    struct dyno_piece_table by_bytes; /* PLAIN tokens and symbols */
    bool *whole; /* [token_count]: a piece that is this token becomes it; found once, here */
    struct dyno_join_table joins;
    uint32_t byte_token[256];         /* BYTE_LEVEL: the token of one byte; SPM: its BYTE token */
    uint32_t letter[DYNO_LETTERS];    /* SPM: the symbol of an ASCII character */
    bool words_apart;                 /* SPM: no token reaches from one word into the next */
    uint64_t beside[DYNO_LETTERS][2]; /* SPM: bit b of a: a token has the letter b behind a; between
                                         two that no token has so nothing is ever joined */
    struct dyno_splitter **splitters;
    uint32_t splitter_count;
    struct dyno_added_tokens added; /* all, by their own texts */
    struct dyno_added_tokens late;  /* the `normalized` ones, by their normalised texts */
};

/* The joins that follow from the scores: two symbols whose texts together are a token's become
 * it, the highest score first. */
dyno_status dyno_tokenizer_joins_of_scores(struct dyno_tokenizer *tokenizer,
                                           struct dyno_error *error);

#endif
