/* Models and GPUs from the user's own files: Hugging Face's config.json, and a GPU as YAML. */
#ifndef DYNO_BACKENDS_ASSETS_ASSETS_H
#define DYNO_BACKENDS_ASSETS_ASSETS_H

#include <stdbool.h>

#include "core/base/status.h"
#include "core/model/gpu.h"
#include "core/model/model.h"

/* Whether what a user typed is a file rather than a built-in name: it holds a '/', or ends in
 * .json, .yaml or .yml. */
bool dyno_assets_is_path(const char *name);

/* Read the model shapes of a config.json, or of the one in the directory `path`.  Understands
 * model_type llama, mistral, qwen2, qwen3, qwen2_moe, qwen3_moe, mixtral, gpt_oss, deepseek_v2,
 * deepseek_v3 and gpt2.  On success *out has passed dyno_model_check; on failure it is untouched.
 * Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT (not JSON: with line and column; a key that is
 * missing, of the wrong type or out of range: with the key), DYNO_UNSUPPORTED (another model_type).
 */
dyno_status dyno_assets_model(struct dyno_model *out, const char *path, struct dyno_error *error);

/* Read a GPU from a YAML mapping of scalars; docs/models-and-gpus.md lists the keys.  Figures that
 * the file leaves out come from the built-in GPU that its key `like` names, and are required
 * without it. On success *out is complete; on failure it is untouched.  Errors: DYNO_NOT_FOUND,
 * DYNO_IO, DYNO_BAD_INPUT with line and column. */
dyno_status dyno_assets_gpu(struct dyno_gpu *out, const char *path, struct dyno_error *error);

#endif
