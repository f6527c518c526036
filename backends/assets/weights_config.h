/* What computing a model needs of its config.json beside the shapes. */
#ifndef DYNO_BACKENDS_ASSETS_WEIGHTS_CONFIG_H
#define DYNO_BACKENDS_ASSETS_WEIGHTS_CONFIG_H

#include "backends/assets/weights.h"

/* What the tensors are called. */
enum dyno_weights_family { DYNO_FAMILY_LLAMA, DYNO_FAMILY_MIXTRAL, DYNO_FAMILY_GPT2 };

/* Read config.json, and generation_config.json where there is one, of the directory `folder`: all
 * of *out but the tensors.  Errors: those of dyno_assets_model; DYNO_UNSUPPORTED also for a model
 * whose shapes are known but which is not computed. */
dyno_status dyno_weights_read_config(struct dyno_weights *out, const char *folder,
                                     enum dyno_weights_family *family, struct dyno_error *error);

#endif
