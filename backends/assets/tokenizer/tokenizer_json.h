/* The parts of a tokenizer.json, each into a vocabulary builder. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_JSON_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "backends/assets/tokenizer/vocabulary_builder.h"
#include "core/base/status.h"

/* Read the JSON file `path` (`inside`: in that directory); *out is the caller's.  An object.  With
 * `integers` a number that does not fit 64 bits is a mistake, as in a file of ids; without, every
 * number is a decimal: tokenizer_config.json says 10^30 where there is no maximum. */
dyno_status dyno_tokenizer_json_load(json_t **out, const char *path, const char *inside,
                                     bool integers, struct dyno_error *error);

/* "normalizer", "pre_tokenizer", "post_processor" and "decoder"; sets the vocabulary's kind and
 * flags.  The patterns are written to *patterns, the caller's to free, which the vocabulary points
 * to.  Comes before the model, whose texts are read by kind. */
dyno_status dyno_tokenizer_json_pipeline(struct dyno_vocabulary_builder *builder, char **patterns,
                                         const json_t *root, struct dyno_error *error);

/* "model" and "added_tokens". */
dyno_status dyno_tokenizer_json_model(struct dyno_vocabulary_builder *builder, const json_t *root,
                                      struct dyno_error *error);

/* An object of token text -> id alone: GPT-2's encoder.json. */
dyno_status dyno_tokenizer_json_tokens(struct dyno_vocabulary_builder *builder,
                                       const json_t *tokens, bool byte_fallback,
                                       struct dyno_error *error);

/* "post_processor": which tokens go around a text.  Comes after the model. */
dyno_status dyno_tokenizer_json_around(struct dyno_vocabulary_builder *builder, const json_t *root,
                                       struct dyno_error *error);

/* The id of the token whose text in the file is text[size], of whatever kind; DYNO_TOKEN_NONE. */
uint32_t dyno_tokenizer_json_id(const struct dyno_vocabulary_builder *builder, const char *text,
                                size_t size);

#endif
