/* How many turns a conversation has.
 *
 *   "5"                 always so many
 *   "1:70,2:20,9:10"    TURNS:SHARE, as often as the shares say
 */
#ifndef DYNO_TRACES_TURNS_H
#define DYNO_TRACES_TURNS_H

#include <stdint.h>

#include "core/base/status.h"
#include "traces/shares.h"

enum { DYNO_TURNS_MAX = 65536 };

struct dyno_turns {
    uint32_t most;             /* that any conversation has, >= 1 */
    struct dyno_shares shares; /* count 0: all have `most` */
};

/* `text` NULL: one turn.  Error: DYNO_BAD_INPUT (in words). */
dyno_status dyno_turns_init(struct dyno_turns *turns, const char *text, uint64_t seed,
                            struct dyno_error *error);

uint32_t dyno_turns_draw(struct dyno_turns *turns);

#endif
