/* A tokenizer from the files that come with a model.
 *
 * Understood: tokenizer.json with a BPE model, byte-level (GPT-2, Llama 3, Qwen) or after
 * SentencePiece (Llama 2, Mistral, Gemma); GPT-2's pairs encoder.json + vocab.bpe and vocab.json +
 * merges.txt; beside them tokenizer_config.json and chat_template.jinja; the metadata of a GGUF
 * file (gpt2 and llama); llama2.c's tokenizer.bin.  docs/tokenizers.md lists what of each is
 * understood; the rest is refused by name.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_FILE_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_FILE_H

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/vocabulary.h"
#include "core/base/status.h"

struct dyno_tokenizer_file {
    const char *path;                  /* as it was opened */
    struct dyno_vocabulary vocabulary; /* what it points to is the file's */
    const char *chat_template;         /* NULL: none */
    const char *tool_template;         /* the one for chats with tools; NULL: the same */
    const char *template_path;         /* the file that they are in; NULL: none is known */
    const char *bos_text, *eos_text;   /* "" where there is none */
};

/* Read `path`: a tokenizer.json or a directory that holds one, a .gguf file, a tokenizer.bin.  On
 * success *out is the caller's to close; on failure it is untouched.  Errors: DYNO_NOT_FOUND,
 * DYNO_IO, DYNO_BAD_INPUT, DYNO_UNSUPPORTED (understood, but not done here), DYNO_NO_MEMORY; all
 * name the file and the key.
 */
dyno_status dyno_tokenizer_file_open(const struct dyno_tokenizer_file **out, const char *path,
                                     struct dyno_error *error);

/* Make the tokenizer of `file`, which the caller closes, for weights that know `vocab` tokens (0:
 * not known).  Errors: those of dyno_tokenizer_open, and DYNO_BAD_INPUT (tokens that the weights do
 * not know); all name the file. */
dyno_status dyno_tokenizer_file_tokenizer(struct dyno_tokenizer **out,
                                          const struct dyno_tokenizer_file *file, uint32_t vocab,
                                          struct dyno_error *error);

void dyno_tokenizer_file_close(const struct dyno_tokenizer_file *file); /* NULL: no effect */

#endif
