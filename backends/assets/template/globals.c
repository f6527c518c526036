/* The functions that every template has. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/template/run.h"

#define GLOBAL(name)                                                                               \
    static dyno_status name(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,    \
                            const struct dyno_jinja_bindings *arguments,                           \
                            struct dyno_jinja_value *out)

static dyno_status whole(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                         int64_t *out)
{
    if (!value || !dyno_jinja_is_whole(value)) {
        return dyno_jinja_fail(run, "range needs integers");
    }
    *out = dyno_jinja_whole(value);
    return DYNO_OK;
}

GLOBAL(range)
{
    int64_t start = 0, stop = 0, step = 1;

    (void)subject;
    DYNO_TRY(whole(run, arguments->of[arguments->of[1] ? 1 : 0], &stop));
    if (arguments->of[1]) {
        DYNO_TRY(whole(run, arguments->of[0], &start));
    }
    if (arguments->of[2]) {
        DYNO_TRY(whole(run, arguments->of[2], &step));
    }
    if (step == 0) {
        return dyno_jinja_fail(run, "the step of range is 0");
    }
    DYNO_TRY(dyno_jinja_new_list(run, 8, out));
    while (step > 0 ? start < stop : start > stop) {
        DYNO_TRY(dyno_jinja_append(run, out->as.list, dyno_jinja_integer(start)));
        if (__builtin_add_overflow(start, step, &start)) {
            break;
        }
    }
    return DYNO_OK;
}

/* A mapping of the named arguments, after the pairs of a mapping. */
GLOBAL(dict)
{
    const struct dyno_jinja_arguments *all = arguments->all;

    (void)subject;
    DYNO_TRY(dyno_jinja_new_dict(run, 4, out));
    if (all->count > 1 || (all->count == 1 && all->items[0].type != DYNO_JINJA_DICT)) {
        return dyno_jinja_fail(run, "dict and namespace take a mapping and named values");
    }
    for (size_t i = 0; all->count == 1 && i < all->items[0].as.dict->count; i++) {
        DYNO_TRY(dyno_jinja_put(run, out->as.dict, all->items[0].as.dict->pairs[i].key,
                                all->items[0].as.dict->pairs[i].value));
    }
    for (size_t i = 0; i < all->named_count; i++) {
        DYNO_TRY(dyno_jinja_put(
            run, out->as.dict, dyno_jinja_string(all->named[i].name.bytes, all->named[i].name.size),
            all->named[i].value));
    }
    return DYNO_OK;
}

GLOBAL(namespace_)
{
    DYNO_TRY(dict(run, subject, arguments, out));
    out->type = DYNO_JINJA_NAMESPACE;
    return DYNO_OK;
}

GLOBAL(raise_exception)
{
    struct dyno_jinja_text text = {"", 0};

    (void)subject;
    (void)out;
    if (arguments->of[0]) {
        DYNO_TRY(dyno_jinja_to_string(run, arguments->of[0], &text));
    }
    return dyno_jinja_fail(run, "%.*s", (int)(text.size < 800 ? text.size : 800), text.bytes);
}

/* A date of the Gregorian calendar, UTC. */
struct date {
    int64_t year, month, day, weekday,
        day_of_year; /* weekday 0: Sunday; day_of_year 0: 1 January */
    int64_t second;  /* of the day */
};

/* Days to date: Howard Hinnant's civil_from_days, with years that begin in March. */
static struct date date_of(int64_t time_s)
{
    int64_t days = time_s / 86400 - (time_s % 86400 < 0), shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100),
            month = (5 * of_year + 2) / 153;
    struct date date = {.day = of_year - (153 * month + 2) / 5 + 1,
                        .second = time_s - days * 86400};
    bool leap;

    date.month = month < 10 ? month + 3 : month - 9;
    date.year = year + era * 400 + (date.month <= 2);
    date.weekday = ((days + 4) % 7 + 7) % 7;
    leap = (date.year % 4 == 0 && date.year % 100 != 0) || date.year % 400 == 0;
    date.day_of_year = date.month > 2 ? of_year + 59 + leap : of_year - 306;
    return date;
}

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

/* One conversion of strftime in the C locale, into out[64]; false: unknown. */
static bool convert(char letter, bool bare, const struct date *date, char *out)
{
    int64_t hour = date->second / 3600, hour12 = hour % 12 == 0 ? 12 : hour % 12;
    const struct {
        char letter;
        int width;
        int64_t value;
    } numbers[] = {{'Y', 4, date->year},
                   {'m', 2, date->month},
                   {'d', 2, date->day},
                   {'H', 2, hour},
                   {'I', 2, hour12},
                   {'M', 2, date->second / 60 % 60},
                   {'S', 2, date->second % 60},
                   {'y', 2, (date->year % 100 + 100) % 100},
                   {'j', 3, date->day_of_year + 1},
                   {'w', 1, date->weekday},
                   {'u', 1, date->weekday == 0 ? 7 : date->weekday}};
    const struct {
        char letter;
        int width;
        const char *text;
    } texts[] = {{'B', 99, months[date->month - 1]},
                 {'b', 3, months[date->month - 1]},
                 {'h', 3, months[date->month - 1]},
                 {'A', 99, weekdays[date->weekday]},
                 {'a', 3, weekdays[date->weekday]},
                 {'p', 2, hour < 12 ? "AM" : "PM"},
                 {'Z', 3, "UTC"},
                 {'z', 5, "+0000"},
                 {'%', 1, "%"},
                 {'n', 1, "\n"},
                 {'t', 1, "\t"}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].letter == letter) {
            (void)snprintf(out, 64, "%0*" PRId64, bare ? 1 : numbers[i].width, numbers[i].value);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].letter == letter) {
            (void)snprintf(out, 64, "%.*s", texts[i].width, texts[i].text);
            return true;
        }
    }
    return false;
}

GLOBAL(strftime_now)
{
    const struct dyno_jinja_value *format = arguments->of[0];
    struct date date = date_of(run->now_s);
    struct dyno_jinja_builder builder = {0};
    char text[64];

    (void)subject;
    if (!format || format->type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "strftime_now needs a format");
    }
    for (size_t i = 0; i < format->as.text.size; i++) {
        const char *at = format->as.text.bytes + i;
        size_t left = format->as.text.size - i;
        bool bare = left > 2 && at[1] == '-';

        if (*at != '%') {
            DYNO_TRY(dyno_jinja_write(run, &builder, at, 1));
            continue;
        }
        if (left < 2 || !convert(at[bare ? 2 : 1], bare, &date, text)) {
            return dyno_jinja_fail(run, "strftime_now does not know a conversion of its format");
        }
        DYNO_TRY(dyno_jinja_write_text(run, &builder, text));
        i += bare ? 2 : 1;
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

const struct dyno_jinja_function *dyno_jinja_global(struct dyno_jinja_text name)
{
    static const struct dyno_jinja_function table[] = {
        {"range", "start stop step", range},      {"dict", "*", dict},
        {"namespace", "*", namespace_},           {"raise_exception", "message", raise_exception},
        {"strftime_now", "format", strftime_now}, {0}};

    return dyno_jinja_lookup(table, name);
}
