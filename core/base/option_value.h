/* One option's value between text and memory: the only place that knows how a type is written and
 * where it lies.  core/base/options.h is what others use. */
#ifndef DYNO_CORE_BASE_OPTION_VALUE_H
#define DYNO_CORE_BASE_OPTION_VALUE_H

#include "core/base/options.h"

struct dyno_option_value {
    uint64_t whole;   /* BOOL, U32, U64, DURATION, BYTES */
    double real;      /* DOUBLE */
    const char *text; /* TEXT (the caller's), CHOICE (the row's own word) */
};

/* The word at `index` of a CHOICE; NULL past the last. */
const char *dyno_option_choice(const struct dyno_option *row, uint32_t index);

/* `text` is the row's word for "not set". */
bool dyno_option_is_special(const struct dyno_option *row, const char *text);

/* False if `text` is not what the row accepts. */
bool dyno_option_value_parse(struct dyno_option_value *value, const struct dyno_option *row,
                             const char *text);
void dyno_option_value_print(const struct dyno_option_value *value, const struct dyno_option *row,
                             char out[DYNO_OPTION_TEXT_MAX]);

/* From and to the struct that the row describes. */
void dyno_option_value_load(struct dyno_option_value *value, const struct dyno_option *row,
                            const void *target);
void dyno_option_value_store(const struct dyno_option_value *value, const struct dyno_option *row,
                             void *target);

bool dyno_option_value_equals(const struct dyno_option_value *a, const struct dyno_option_value *b,
                              const struct dyno_option *row);

#endif
