/* How a model's files become a struct dyno_weights: what its formats share.
 *
 * Each format reads its configuration into the shapes, adds its tensors to the set, and says what
 * they are called; binding finds every matrix and vector that the shapes call for. */
#ifndef DYNO_BACKENDS_ASSETS_WEIGHTS_PARTS_H
#define DYNO_BACKENDS_ASSETS_WEIGHTS_PARTS_H

#include "backends/assets/fp8_config.h"
#include "backends/assets/gguf.h"
#include "backends/assets/tensors.h"
#include "backends/assets/weights.h"

/* What dyno_weights_open allocates. */
struct dyno_opening {
    struct dyno_weights weights; /* first, so that closing finds the rest */
    struct dyno_tensors tensors;
    const char *path; /* as the user typed it, for errors while it is opened */
};

/* What a format calls its tensors, without ".weight" and ".bias"; NULL: a model of this kind has
 * none.  A layer's names are behind `layers` and its number ("model.layers." "7" "." "mlp.gate");
 * an expert's behind `experts` and the expert's number. */
struct dyno_tensor_names {
    const char *prefix; /* of every name */
    const char *embedding, *positions, *final_norm, *logits;
    const char *layers;
    const char *attention_norm, *query, *key, *value, *output, *query_norm, *key_norm;
    const char *joint; /* query, key and value in one matrix, one above the other */
    const char *mlp_norm, *gate, *up, *down;
    const char *router, *experts, *expert_gate, *expert_up, *expert_down;
    bool stacked;     /* a layer's experts are one tensor of three dimensions */
    bool transposed;  /* layers' matrices are [columns][rows] (GPT-2's Conv1D) */
    bool bare_logits; /* `logits` has no prefix */
    bool paired;      /* rows of query and key: rotary pairs are neighbours */
};

/* Fill the matrices and vectors of opening->weights from the sealed set, by its shapes.  A layer
 * has experts where it has a router.  Errors: DYNO_BAD_INPUT (a tensor is missing, of another
 * shape, or of no use to this model), DYNO_UNSUPPORTED (its type), DYNO_NO_MEMORY. */
dyno_status dyno_weights_bind(struct dyno_opening *opening, const struct dyno_tensor_names *names,
                              struct dyno_error *error);

/* Make bf16 of the sealed set's matrices of e4m3 by their scales, where the configuration says that
 * there may be some.  Errors: DYNO_BAD_INPUT (a scale is missing, or does not fit), DYNO_NO_MEMORY.
 */
dyno_status dyno_weights_widen(struct dyno_opening *opening, const struct dyno_fp8_config *config,
                               struct dyno_error *error);

/* One vector of the set as floats, marked as used. */
dyno_status dyno_weights_vector(struct dyno_opening *opening, const char *name, uint32_t count,
                                const float **out, struct dyno_error *error);

/* Read every tensor that was bound, once, and refuse what is not finite. */
dyno_status dyno_weights_check_finite(const struct dyno_opening *opening, struct dyno_error *error);

/* The formats: configuration, tensors, binding. */
dyno_status dyno_weights_read_folder(struct dyno_opening *opening, struct dyno_error *error);
dyno_status dyno_weights_read_gguf(struct dyno_opening *opening, struct dyno_error *error);
dyno_status dyno_weights_read_llama2c(struct dyno_opening *opening, struct dyno_error *error);

/* What transformers and llama.cpp call them. */
enum dyno_weights_family { DYNO_FAMILY_LLAMA, DYNO_FAMILY_MIXTRAL, DYNO_FAMILY_GPT2 };
const struct dyno_tensor_names *dyno_folder_names(enum dyno_weights_family family);
const struct dyno_tensor_names *dyno_gguf_names(enum dyno_rope_pairs pairs);

/* dyno_model_check with the file's name before what is wrong. */
dyno_status dyno_weights_check_shapes(const struct dyno_opening *opening, struct dyno_error *error);

/* Add an end token unless it is known; DYNO_BAD_INPUT where it is no token or one too many. */
dyno_status dyno_weights_add_eos(struct dyno_weights *weights, const char *path, uint64_t token,
                                 struct dyno_error *error);

#endif
