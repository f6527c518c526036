/* Chat templates: the part of Jinja that models' templates are written in.
 *
 * A template is parsed once and can then be rendered by several threads at the same time. It is
 * somebody's program: it can loop, call itself and build texts, so rendering has limits on steps,
 * depth, memory and output, and can neither read the clock nor anything else but its variables.
 * Steps are counted so that each takes about a tenth of a microsecond; how many there may be grows
 * with what is rendered, so that a template that loops is found out soon however short the chat.
 *
 * Meant is Jinja 3.1 as Hugging Face sets it up: trim_blocks, lstrip_blocks, loop controls,
 * `tojson` as Python's json.dumps, raise_exception, strftime_now, nothing can be changed but
 * namespaces. docs/tokenizers.md lists what is understood; the rest is refused by name when a
 * template is opened.
 */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_TEMPLATE_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_TEMPLATE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum {
    DYNO_TEMPLATE_BYTES_MAX = 1 << 20,    /* of a template's text */
    DYNO_TEMPLATE_DEPTH_MAX = 100,        /* of brackets and blocks in each other */
    DYNO_TEMPLATE_STACK_MAX = 500,        /* of what is evaluated for something else, with calls */
    DYNO_TEMPLATE_STEPS_MAX = 20 << 20,   /* of one rendering, whatever its variables */
    DYNO_TEMPLATE_STEPS_LEAST = 1 << 18,  /* that any may have: a few 10 ms ... */
    DYNO_TEMPLATE_STEPS_A_BYTE = 32,      /* ... and so many more for every byte of its variables */
    DYNO_TEMPLATE_MEMORY_MAX = 512 << 20, /* of one rendering, bytes */
    DYNO_TEMPLATE_OUTPUT_MAX = 64 << 20,  /* of one rendering, bytes */
};

struct dyno_template;

/* Parse `text` (UTF-8).  On success *out is the caller's to close; on failure it is untouched.
 * Errors, with the line: DYNO_BAD_INPUT (no template), DYNO_UNSUPPORTED (Jinja, but not done here),
 * DYNO_NO_MEMORY. */
dyno_status dyno_template_open(struct dyno_template **out, const char *text,
                               struct dyno_error *error);
void dyno_template_close(struct dyno_template *template_); /* NULL: no effect */

/* Render with the keys of the object `variables` as names.  `now_s` is what strftime_now takes for
 * the present, in seconds from 1970-01-01 UTC.  `steps_max`: of this rendering, if that is less
 * than what dyno_template_steps_max allows; 0: as many as that.  On success *out is the caller's to
 * free, terminated; it may hold NUL where a variable did.  Errors, with the line: DYNO_BAD_INPUT
 * (the template raises an exception, or does what its variables do not allow), DYNO_FULL (a limit),
 * DYNO_NO_MEMORY. */
dyno_status dyno_template_render(const struct dyno_template *template_, const json_t *variables,
                                 int64_t now_s, uint64_t steps_max, char **out, size_t *out_size,
                                 struct dyno_error *error);

/* How many steps a rendering with these variables may have. */
uint64_t dyno_template_steps_max(const json_t *variables);

#endif
