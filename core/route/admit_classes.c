/* Classes of priority as text. */
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "core/route/admit.h"

static dyno_status refuse(const char *text, const char *why, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s %s; classes of priority are written PRIORITY:WEIGHT,..., at most %d of "
                     "them, priorities ascending, weights from 1 to %d (-1:4,0:2,1:1, say)",
                     dyno_quote(quoted, text), why, DYNO_ADMIT_CLASSES_MAX, DYNO_ADMIT_WEIGHT_MAX);
}

/* A whole number within the bounds, which ends before `end`; *at moves past both. */
static bool take_number(const char **at, char end, long low, long high, long *out)
{
    char *after;

    if ((**at < '0' || **at > '9') && **at != '-') {
        return false; /* strtol would pass over spaces */
    }
    *out = strtol(*at, &after, 10);
    if (after == *at || *out < low || *out > high || (*after != end && !(end == ',' && !*after))) {
        return false;
    }
    *at = *after ? after + 1 : after;
    return true;
}

dyno_status dyno_admit_classes_parse(struct dyno_admit_classes *out, const char *text,
                                     struct dyno_error *error)
{
    struct dyno_admit_classes classes = {.count = 0};
    const char *at = text;

    do {
        long priority, weight;

        if (classes.count == DYNO_ADMIT_CLASSES_MAX) {
            return refuse(text, "has too many classes", error);
        }
        if (!take_number(&at, ':', INT32_MIN, INT32_MAX, &priority) ||
            !take_number(&at, ',', 1, DYNO_ADMIT_WEIGHT_MAX, &weight)) {
            return refuse(text, "cannot be read", error);
        }
        if (classes.count > 0 && classes.of[classes.count - 1].priority >= priority) {
            return refuse(text, "does not ascend", error);
        }
        classes.of[classes.count].priority = (int32_t)priority;
        classes.of[classes.count].weight = (uint32_t)weight;
        classes.count++;
    } while (*at);
    if (text[strlen(text) - 1] == ',') {
        return refuse(text, "ends in a comma", error);
    }
    *out = classes;
    return DYNO_OK;
}
