/* A JSON file, written whole or not at all. */
#ifndef DYNO_REPORTS_JSON_FILE_H
#define DYNO_REPORTS_JSON_FILE_H

#include <jansson.h>

#include "core/base/status.h"

/* Takes `root`; NULL: memory ran out on the way.  "-" writes to standard output.  A file is written
 * beside its name and renamed over it.  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_json_file_write(json_t *root, const char *path, struct dyno_error *error);

/* A real; null where it is not finite. */
json_t *dyno_json_number(double value);

#endif
