/* safetensors: eight bytes of header length, a JSON header, then the tensors' bytes.
 * Format: https://github.com/huggingface/safetensors#format. */
#ifndef DYNO_BACKENDS_ASSETS_SAFETENSORS_H
#define DYNO_BACKENDS_ASSETS_SAFETENSORS_H

#include "backends/assets/tensors.h"

/* Map `path` and add its tensors.  Errors: those of dyno_tensors_map, DYNO_BAD_INPUT. */
dyno_status dyno_safetensors_read(struct dyno_tensors *tensors, const char *path,
                                  struct dyno_error *error);

#endif
