/* Models by name: those that come with the program, and any that lies at a path. */
#ifndef DYNO_BACKENDS_ASSETS_DEFAULT_MODEL_H
#define DYNO_BACKENDS_ASSETS_DEFAULT_MODEL_H

#include "core/base/status.h"

/* What a real device runs unless told otherwise: a small model of our own. */
#define DYNO_DEFAULT_MODEL "austen-2m"

enum { DYNO_MODEL_PATH_MAX = 4096 };

/* Where the model `name` lies.  A name with a '/' is a path and is taken as it is.  Any other is
 * looked for in share/dyno/models beside the running executable (a build tree) and beside its
 * folder (an installed prefix), then in the current folder.
 * Errors: DYNO_NOT_FOUND (the sentence lists the models that are there), DYNO_BAD_INPUT (empty or
 * too long). */
dyno_status dyno_default_model_find(char out[DYNO_MODEL_PATH_MAX], const char *name,
                                    struct dyno_error *error);

#endif
