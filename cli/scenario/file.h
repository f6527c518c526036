/* A scenario file: YAML, sections that hold keys, read over the defaults.
 *
 *     router: {policy: kv, kv: {overlap_credit: 1}}      # names as in `dyno help scenario`
 *
 * A name may also be written with its dots ("router.kv.overlap_credit: 1").  Only mappings and
 * plain values: lists, anchors, aliases, tags, duplicate keys, a second document and unknown names
 * are refused with file, line and column.
 */
#ifndef DYNO_CLI_SCENARIO_FILE_H
#define DYNO_CLI_SCENARIO_FILE_H

#include <stddef.h>

#include "core/base/options.h"

enum { DYNO_SCENARIO_FILE_MAX = 1 << 20 }; /* bytes */

/* Set every option that the file names; "-" is standard input.  Errors: DYNO_NOT_FOUND, DYNO_IO,
 * DYNO_BAD_INPUT, DYNO_NO_MEMORY. */
dyno_status dyno_scenario_file_read(struct dyno_options *options, const char *path,
                                    struct dyno_error *error);

/* The same from memory; `name` stands for the file in messages. */
dyno_status dyno_scenario_text_read(struct dyno_options *options, const char *name,
                                    const char *text, size_t size, struct dyno_error *error);

#endif
