/* What computing a model needs of its config.json beside the shapes. */
#ifndef DYNO_BACKENDS_ASSETS_WEIGHTS_CONFIG_H
#define DYNO_BACKENDS_ASSETS_WEIGHTS_CONFIG_H

#include "backends/assets/weights_parts.h"

/* Read the config.json `path`, or the one in the directory `path` with the generation_config.json
 * beside it if there is one: all of *out but the tensors.  Errors: those of dyno_assets_model;
 * DYNO_UNSUPPORTED also for a model whose shapes are known but which is not computed. */
dyno_status dyno_weights_read_config(struct dyno_weights *out, const char *path,
                                     enum dyno_weights_family *family, struct dyno_fp8_config *fp8,
                                     struct dyno_error *error);

#endif
