/* A tokenizer as data: what tokenizer.json, GGUF metadata and llama2.c's tokenizer.bin all say.
 * Loaders fill it, dyno_tokenizer is made from it.
 */
#ifndef DYNO_BACKENDS_ASSETS_VOCABULARY_H
#define DYNO_BACKENDS_ASSETS_VOCABULARY_H

#include <stdbool.h>
#include <stdint.h>

enum dyno_token_kind {
    DYNO_TOKEN_PLAIN,
    DYNO_TOKEN_BYTE,        /* SentencePiece's <0xNN>: one byte where nothing else fits */
    DYNO_TOKEN_CONTROL,     /* never made from text unless asked for; not shown */
    DYNO_TOKEN_ADDED,       /* matched in text before everything else, and shown */
    DYNO_TOKEN_UNREACHABLE, /* has a place and a text, but nothing makes it from text */
};

struct dyno_token {
    const char *bytes; /* [size], what it stands for in text: no byte-level alphabet, U+2581 as in
                          the file; not terminated */
    uint32_t size;
    float score; /* SentencePiece: merges with the highest score come first */
    enum dyno_token_kind kind;
    /* CONTROL and ADDED: takes the blanks to its left, to its right; only between characters that
     * are no part of a word. */
    bool strip_left, strip_right, single_word;
    bool normalized; /* CONTROL and ADDED: matched in text that is normalised, with its own text
                        normalised likewise, after those that are not */
};

enum dyno_tokenizer_kind {
    DYNO_TOKENIZER_BYTE_LEVEL, /* GPT-2, Llama 3, Qwen: split by a pattern, then merges over bytes
                                */
    DYNO_TOKENIZER_SPM, /* Llama 2: spaces become U+2581, then merges by score over characters,
                           bytes where there is no token */
};

struct dyno_merge {
    uint32_t left, right, result; /* token ids; earlier in the list: sooner */
};

/* Everything is owned by whoever filled it; a tokenizer copies what it keeps. */
struct dyno_vocabulary {
    enum dyno_tokenizer_kind kind;
    const struct dyno_token *tokens; /* [token_count] by id; size 0: unused */
    uint32_t token_count;
    const struct dyno_merge *merges; /* [merge_count]; BYTE_LEVEL, and SPM files of Hugging Face */
    uint32_t merge_count;            /* SPM with 0: merges follow from the scores */
    const char *pattern; /* BYTE_LEVEL: the regular expression that splits text; several are applied
                            in turn, '\n' between them; NULL: GPT-2's */
    bool nfc;            /* normalise text to NFC first */
    bool ignore_merges;  /* a piece that is a token is taken whole */
    bool prefix_space;   /* a space (or U+2581) is put before the text, and before what follows a
                            CONTROL or ADDED token */
    bool prefix_first_only;   /* ... but not before what follows a token */
    bool prefix_unless_space; /* ... and not where the text begins with a space */
    bool marks_first;  /* SPM: that is part of normalising (Hugging Face's Prepend and Replace)
                          and precedes the `normalized` tokens */
    bool split_words;  /* SPM: merges never cross to the next U+2581 */
    bool fuse_unknown; /* SPM: neighbouring unknown characters are one `unknown` */
    bool add_bos, add_eos;
    uint32_t bos, eos, unknown; /* UINT32_MAX: none */
};

#endif
