#include "traces/course.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

static dyno_status refuse(const char *option, const char *text, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(
        error, DYNO_BAD_INPUT,
        "%s is %s; expected LENGTH@TIME;LENGTH@TIME;..., at most %d of them, the first "
        "at 0s, times rising",
        option, dyno_quote(quoted, text), DYNO_COURSE_LAWS_MAX);
}

/* "LENGTH@TIME"; cut into its parts where it stands. */
static dyno_status parse_piece(struct dyno_course *course, const char *option, char *piece,
                               const char *text, struct dyno_error *error)
{
    uint32_t i = course->count;
    char *at = strchr(piece, '@');

    if (!at || i == DYNO_COURSE_LAWS_MAX) {
        return refuse(option, text, error);
    }
    *at = '\0';
    if (dyno_parse_duration(at + 1, &course->from[i]) != DYNO_UNITS_OK ||
        (i == 0 ? course->from[i] != 0 : course->from[i] <= course->from[i - 1])) {
        return refuse(option, text, error);
    }
    DYNO_TRY(dyno_law_parse_tokens(&course->laws[i], option, piece, error));
    course->count++;
    return DYNO_OK;
}

static dyno_status parse_pieces(struct dyno_course *course, const char *option, char *copy,
                                const char *text, struct dyno_error *error)
{
    while (copy) {
        char *next = strchr(copy, ';');

        if (next) {
            *next++ = '\0';
        }
        DYNO_TRY(parse_piece(course, option, copy, text, error));
        copy = next;
    }
    return DYNO_OK;
}

static dyno_status parse_one(struct dyno_course *course, const char *option, const char *text,
                             struct dyno_error *error)
{
    DYNO_TRY(dyno_law_parse_tokens(&course->laws[0], option, text, error));
    course->count = 1;
    return DYNO_OK;
}

dyno_status dyno_course_parse(struct dyno_course *course, const char *option, const char *text,
                              struct dyno_error *error)
{
    dyno_status status;
    char *copy;

    course->laws = calloc(DYNO_COURSE_LAWS_MAX, sizeof *course->laws);
    copy = text ? strdup(text) : NULL;
    if (!course->laws || (text && !copy)) {
        free(copy);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the course of %s", option);
    }
    status = copy && strpbrk(copy, "@;") ? parse_pieces(course, option, copy, text, error)
                                         : parse_one(course, option, text, error);
    free(copy);
    return status;
}

void dyno_course_release(struct dyno_course *course)
{
    free(course->laws);
    memset(course, 0, sizeof *course);
}

uint32_t dyno_course_tokens(const struct dyno_course *course, dyno_ns at, struct dyno_rng *rng)
{
    uint32_t i = course->count - 1;

    while (course->from[i] > at) {
        i--;
    }
    return dyno_law_tokens(&course->laws[i], rng);
}
