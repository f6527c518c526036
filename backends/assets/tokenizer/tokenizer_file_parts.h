/* A tokenizer's file while it is read, for the formats that it may be in. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_FILE_PARTS_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_FILE_PARTS_H

#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/assets/tokenizer/vocabulary_builder.h"

/* The whole of it; the user sees the first member. */
struct tokenizer_file {
    struct dyno_tokenizer_file shown;
    struct dyno_vocabulary_builder builder;
    char *path, *patterns, *chat_template, *tool_template, *template_path, *bos_text, *eos_text;
};

/* The metadata tokenizer.ggml.* and tokenizer.chat_template of a GGUF file. */
dyno_status dyno_tokenizer_read_gguf(struct tokenizer_file *file, const char *path,
                                     struct dyno_error *error);

/* llama2.c's tokenizer.bin: a 32-bit maximum, then for every token its score, its length and its
 * text, in which spaces stand for themselves.  Source: https://github.com/karpathy/llama2.c,
 * tokenizer.py (export) and run.c (build_tokenizer, encode). */
dyno_status dyno_tokenizer_read_llama2c(struct tokenizer_file *file, const char *path,
                                        struct dyno_error *error);

/* Add a token of SentencePiece; one of kind BYTE is written "<0xNN>".  Errors: DYNO_BAD_INPUT. */
dyno_status dyno_tokenizer_add_piece(struct tokenizer_file *file, uint32_t id,
                                     const struct dyno_token *token, struct dyno_error *error);

#endif
