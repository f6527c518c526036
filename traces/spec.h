/* Small laws written as text: "NAME:ARGUMENT,ARGUMENT,..." or just "ARGUMENT". */
#ifndef DYNO_TRACES_SPEC_H
#define DYNO_TRACES_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_spec {
    const char *option; /* what it is the value of, for errors */
    const char *text;   /* as given */
    const char *usage;  /* what would be right */
    char *copy;         /* owned; the words below point into it */
    const char *name;   /* "" where there is none */
    const char **words; /* [count] */
    uint32_t count;
};

/* `option`, `text` and `usage` must outlive the spec.  A NULL text is refused as missing. */
dyno_status dyno_spec_split(struct dyno_spec *spec, const char *option, const char *text,
                            const char *usage, struct dyno_error *error);
void dyno_spec_release(struct dyno_spec *spec);

/* "OPTION is 'TEXT'; expected USAGE" (or `detail` in place of the usage). */
dyno_status dyno_spec_refuse(const struct dyno_spec *spec, const char *detail,
                             struct dyno_error *error);

/* The spec has this name and so many words. */
bool dyno_spec_is(const struct dyno_spec *spec, const char *name, uint32_t count);

/* Word `index` as a number in [low, high]; false if it is not one. */
bool dyno_spec_number(const struct dyno_spec *spec, uint32_t index, double low, double high,
                      double *out);

#endif
