/* Opening a small text file that a user named. */
#ifndef DYNO_BACKENDS_ASSETS_FILE_H
#define DYNO_BACKENDS_ASSETS_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"

enum { DYNO_ASSET_BYTES_MAX = 16 << 20 }; /* of what describes a model or a GPU */

/* A regular file of at most DYNO_ASSET_BYTES_MAX bytes, or `inside` in the directory `path` (NULL:
 * a directory is refused).  On success *out is the caller's to fclose. */
dyno_status dyno_asset_open(FILE **out, const char *path, const char *inside,
                            struct dyno_error *error);

/* The same with another maximum. */
dyno_status dyno_asset_open_within(FILE **out, const char *path, const char *inside,
                                   int64_t bytes_max, struct dyno_error *error);

#endif
