/* What the patterns of the common families cut off where the text is ASCII, without a regular
 * expression's machine: most pieces of most texts.
 *
 * A piece is decided by its own bytes and the one behind them.  Where one of these is not ASCII,
 * nothing is decided, and the pattern itself is asked (splitter.h); so results never differ.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_ASCII_PIECES_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_ASCII_PIECES_H

#include <stddef.h>

struct dyno_ascii_rule;

/* The rule that says what pattern[size] says of ASCII, or NULL: the pattern is none of those that
 * are known (patterns.h: gpt-2, llama-bpe, qwen2). */
const struct dyno_ascii_rule *dyno_ascii_rule_of(const char *pattern, size_t size);

/* The end of the piece of text[size] that begins at `start` < size; 0: not decided. */
size_t dyno_ascii_piece_end(const struct dyno_ascii_rule *rule, const char *text, size_t size,
                            size_t start);

#endif
