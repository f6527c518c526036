/* The course of a length: a law (law.h) that changes as time goes on, as traffic does in a day.
 *
 *   "LENGTH"                      the same all along
 *   "LENGTH@0s;LENGTH@6h;..."     each from its time on; the first at 0s, times rising
 */
#ifndef DYNO_TRACES_COURSE_H
#define DYNO_TRACES_COURSE_H

#include "traces/law.h"

enum { DYNO_COURSE_LAWS_MAX = 64 };

struct dyno_course {
    uint32_t count; /* >= 1 */
    dyno_ns from[DYNO_COURSE_LAWS_MAX];
    struct dyno_law *laws; /* [count]; owned */
};

/* Zero-initialise first; release also after a failure.  `option` is whose value the text is, for
 * errors.  Errors: DYNO_BAD_INPUT (in words), DYNO_NO_MEMORY. */
dyno_status dyno_course_parse(struct dyno_course *course, const char *option, const char *text,
                              struct dyno_error *error);
void dyno_course_release(struct dyno_course *course);

/* As dyno_law_tokens, of the law that holds at `at`. */
uint32_t dyno_course_tokens(const struct dyno_course *course, dyno_ns at, struct dyno_rng *rng);

#endif
