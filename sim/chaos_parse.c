/* One fault, as somebody wrote it: WHAT:WHICH@FROM[..TO]=HOW. */
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"
#include "sim/chaos.h"

enum { PART_MAX = 64 };

/* What stands before `mark`, which is passed over; false: there is none, or it is too long. */
static bool cut(const char **text, const char *mark, char part[PART_MAX])
{
    const char *end = strstr(*text, mark);
    size_t size = end ? (size_t)(end - *text) : 0;

    if (!end || size >= PART_MAX) {
        return false;
    }
    memcpy(part, *text, size);
    part[size] = '\0';
    *text = end + strlen(mark);
    return true;
}

static bool parse_number(const char *text, uint32_t *out)
{
    uint64_t number;

    if (dyno_parse_u64(text, &number) != DYNO_UNITS_OK || number > UINT32_MAX - 1) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

/* "2" or "4-7". */
static bool parse_range(const char *text, struct dyno_chaos_fault *fault)
{
    char first[PART_MAX];

    if (!cut(&text, "-", first)) {
        if (!parse_number(text, &fault->first)) {
            return false;
        }
        fault->last = fault->first;
        return true;
    }
    return parse_number(first, &fault->first) && parse_number(text, &fault->last) &&
           fault->first <= fault->last;
}

/* "120s", "120s..180s", "120s..never". */
static bool parse_times(const char *text, struct dyno_chaos_fault *fault, bool *has_end)
{
    char from[PART_MAX];

    *has_end = cut(&text, "..", from);
    if (!*has_end) {
        if (dyno_parse_duration(text, &fault->at) != DYNO_UNITS_OK) {
            return false;
        }
        fault->until = fault->at;
        return true;
    }
    if (dyno_parse_duration(from, &fault->at) != DYNO_UNITS_OK) {
        return false;
    }
    if (strcmp(text, "never") == 0) {
        fault->until = DYNO_NEVER;
        return true;
    }
    return dyno_parse_duration(text, &fault->until) == DYNO_UNITS_OK && fault->at < fault->until;
}

/* "dead", "frozen", "slow:3" of a worker; "down", "slow:3" of a link. */
static bool parse_how(const char *text, struct dyno_chaos_fault *fault)
{
    bool is_link = fault->kind == DYNO_FAULT_LINK;
    char slow[PART_MAX];

    if (!is_link) {
        fault->kind = strcmp(text, "dead") == 0 ? DYNO_FAULT_DEATH : DYNO_FAULT_STALL;
    }
    if (fault->kind == DYNO_FAULT_DEATH || strcmp(text, is_link ? "down" : "frozen") == 0) {
        return true;
    }
    return cut(&text, ":", slow) && strcmp(slow, "slow") == 0 &&
           parse_number(text, &fault->slowness) && fault->slowness >= 2 &&
           fault->slowness <= DYNO_CHAOS_SLOWNESS_MAX;
}

/* "worker:2@", "nic:4-7@", "switch:rack1@". */
static bool parse_what(const char **text, struct dyno_chaos_fault *fault)
{
    char what[PART_MAX], which[PART_MAX];

    if (!cut(text, ":", what) || !cut(text, "@", which)) {
        return false;
    }
    if (strcmp(what, "worker") == 0) {
        return parse_range(which, fault);
    }
    fault->kind = DYNO_FAULT_LINK;
    for (int i = 0; i < DYNO_LINK_PARTS; i++) {
        fault->part = (enum dyno_link_part)i;
        if (strcmp(what, dyno_link_part_name(fault->part)) != 0) {
            continue;
        }
        if (fault->part != DYNO_LINK_SWITCH) {
            return parse_range(which, fault);
        }
        memcpy(fault->name, which, strnlen(which, sizeof fault->name - 1));
        return which[0] != '\0' && strlen(which) < sizeof fault->name;
    }
    return false;
}

static dyno_status check_end(const struct dyno_chaos_fault *fault, bool has_end, const char *option,
                             const char *quoted, struct dyno_error *error)
{
    if (fault->kind == DYNO_FAULT_DEATH || (has_end && fault->until != DYNO_NEVER)) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s: %s has no end, and what %s in hand would wait for ever: give FROM..TO",
                     option, quoted,
                     fault->kind == DYNO_FAULT_LINK ? "a link has" : "a worker that stalls has");
}

dyno_status dyno_chaos_parse(struct dyno_chaos_fault *out, const char *option, const char *text,
                             struct dyno_error *error)
{
    struct dyno_chaos_fault fault = {.kind = DYNO_FAULT_DEATH};
    char when[PART_MAX], quoted[DYNO_QUOTE_MAX];
    const char *rest = text;
    bool has_end = false;

    dyno_quote(quoted, text);
    if (!parse_what(&rest, &fault)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: %s does not begin with worker:N@ or worker:N-M@, or with peer:, "
                         "nic:, host:, disk: or store:N@ or switch:NAME@, as in worker:2@120s=dead",
                         option, quoted);
    }
    if (!cut(&rest, "=", when) || !parse_times(when, &fault, &has_end)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: %s does not say when, as FROM=, FROM..TO= with a later TO or "
                         "FROM..never=, as in worker:2@120s..3min=dead",
                         option, quoted);
    }
    if (!parse_how(rest, &fault)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: %s does not end with %s or =slow:N, N times slower, from 2 to %d",
                         option, quoted, fault.kind == DYNO_FAULT_LINK ? "=down" : "=dead, =frozen",
                         DYNO_CHAOS_SLOWNESS_MAX);
    }
    DYNO_TRY(check_end(&fault, has_end, option, quoted, error));
    *out = fault;
    return DYNO_OK;
}
