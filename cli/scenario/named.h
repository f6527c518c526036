/* What model.name and fleet.gpu stand for in a simulation: a row of a table, or a file. */
#ifndef DYNO_CLI_SCENARIO_NAMED_H
#define DYNO_CLI_SCENARIO_NAMED_H

#include "core/base/status.h"
#include "core/model/gpu.h"
#include "core/model/model.h"

/* A model that dyno knows, or the one of a config.json.
 * Errors: DYNO_NOT_FOUND, with the word that was meant; as dyno_assets_model. */
dyno_status dyno_named_model(struct dyno_model *out, const char *name, struct dyno_error *error);

/* A GPU that dyno knows, or the one that a file describes.
 * Errors: DYNO_NOT_FOUND, with the word that was meant; as dyno_assets_gpu. */
dyno_status dyno_named_gpu(struct dyno_gpu *out, const char *name, struct dyno_error *error);

#endif
