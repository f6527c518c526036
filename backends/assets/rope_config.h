/* How a config.json says that positions are turned: "rope_theta", and "rope_scaling" or, as newer
 * files have it, "rope_parameters".
 *
 * Keys and their defaults are those of transformers' modeling_rope_utils.py. */
#ifndef DYNO_BACKENDS_ASSETS_ROPE_CONFIG_H
#define DYNO_BACKENDS_ASSETS_ROPE_CONFIG_H

#include "backends/assets/json_keys.h"
#include "backends/assets/weights.h"

/* The tokens that a model has a context for, of which "max_position_embeddings" says *context: a
 * context that YaRN stretches is its "original_max_position_embeddings" times the factor, whether
 * or not the file counts that already (Qwen's advice for long texts leaves it as it was).
 * DYNO_BAD_INPUT: a value that is no such thing. */
dyno_status dyno_rope_config_context(const struct dyno_json_keys *keys, uint32_t *context);

/* `theta` where the file leaves it out.  Errors: DYNO_BAD_INPUT; DYNO_UNSUPPORTED (a scaling that
 * is not computed, by name). */
dyno_status dyno_rope_config_read(struct dyno_rope *out, const struct dyno_json_keys *keys,
                                  double theta);

#endif
