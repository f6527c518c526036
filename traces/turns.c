#include "traces/turns.h"

#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

static dyno_status refuse(const char *text, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "session_turns is %s; expected a number of turns from 1 to %d, or pairs "
                     "TURNS:SHARE with commas between them (1:70,2:20,9:10, say), at most %d",
                     dyno_quote(quoted, text), DYNO_TURNS_MAX, DYNO_SHARES_MAX);
}

dyno_status dyno_turns_init(struct dyno_turns *turns, const char *text, uint64_t seed,
                            struct dyno_error *error)
{
    struct dyno_error ignored;
    uint64_t fixed = 1;

    *turns = (struct dyno_turns){.most = 1};
    if (!text || !strchr(text, ':')) {
        if (text && (dyno_parse_u64(text, &fixed) != DYNO_UNITS_OK || fixed < 1 ||
                     fixed > DYNO_TURNS_MAX)) {
            return refuse(text, error);
        }
        turns->most = (uint32_t)fixed;
        return DYNO_OK;
    }
    if (dyno_shares_init(&turns->shares, "session_turns", text, 1, seed, &ignored) != DYNO_OK) {
        return refuse(text, error);
    }
    for (uint32_t i = 0; i < turns->shares.count; i++) {
        int32_t value = turns->shares.values[i];

        if (value < 1 || value > DYNO_TURNS_MAX) {
            return refuse(text, error);
        }
        turns->most = (uint32_t)value > turns->most ? (uint32_t)value : turns->most;
    }
    return DYNO_OK;
}

uint32_t dyno_turns_draw(struct dyno_turns *turns)
{
    return turns->shares.count ? (uint32_t)dyno_shares_draw(&turns->shares) : turns->most;
}
