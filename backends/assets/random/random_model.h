/* Weights of any shape without training: as a Hugging Face directory or as GGUF, the same values in
 * both, so that a rival can run what dyno runs.
 *
 * Value i of a matrix is a function of the seed, the matrix and i alone, close to normal with mean
 * 0 and deviation 0.02 (the sum of four uniform numbers; nothing beyond 3.5 deviations), so that
 * the logits of a model with norms of 1 are of order 1.  Norms are 1, biases like matrices.
 */
#ifndef DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_MODEL_H
#define DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/weights.h"
#include "core/base/status.h"

struct dyno_random_model {
    struct dyno_weights shape; /* all but the tensors and the tokens: dyno_weights_describe */
    enum dyno_element element; /* of the matrices; vectors of GGUF are F32 */
    uint64_t seed;
    uint32_t threads; /* that make values, at most DYNO_TEAM_MAX; 0: one.  Not seen in them */
    uint64_t shard_bytes_max; /* of a safetensors file; a larger model is several files */
    /* Called now and then with the bytes of tensors written so far; false: stop, and leave nothing.
     * NULL: nobody wants to know. */
    bool (*wrote)(void *context, uint64_t bytes, uint64_t bytes_total);
    void *context;
};

/* What a built-in model (core/model/model.h) is beyond its shapes. DYNO_UNSUPPORTED: not computed.
 */
dyno_status dyno_random_shape(struct dyno_weights *out, const struct dyno_model *model,
                              struct dyno_error *error);

#define DYNO_SHARD_BYTES_MAX 5000000000U /* as the transformers library parts models */

/* The family, as config.json names it, that computes such a model; NULL where dyno computes
 * none. */
const char *dyno_random_family(const struct dyno_weights *shape);

/* Write config.json, generation_config.json, tokenizer.json, tokenizer_config.json and the weights
 * into the directory `path`, which is made if need be and must hold no model yet.  Each file
 * appears when it is complete; after an error none is left that this call wrote.  Errors:
 * DYNO_BAD_INPUT (there is a model; a vocabulary of fewer than 257 tokens; Q8_0), DYNO_UNSUPPORTED
 * (the family), DYNO_INTERRUPTED (`wrote` said so), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_random_write_folder(const struct dyno_random_model *model, const char *path,
                                     struct dyno_error *error);

/* Write one GGUF file, tokenizer included, where there is none yet; it appears when it is complete.
 * Matrices whose rows are no whole blocks of Q8_0 are F32 instead.  Errors: as above. */
dyno_status dyno_random_write_gguf(const struct dyno_random_model *model, const char *path,
                                   struct dyno_error *error);

#endif
