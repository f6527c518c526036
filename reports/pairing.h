/* Which request of one arm is which of another.
 *
 * A source numbers requests in the order it gives them out, which may depend on who answers when
 * (a conversation's next turn waits for the answer before it).  What does not depend on it is the
 * conversation and the turn: request k of a session is request k of that session in every arm, and
 * requests without a session keep their order among themselves. */
#ifndef DYNO_REPORTS_PAIRING_H
#define DYNO_REPORTS_PAIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/record.h"

struct dyno_pairing {
    uint32_t arms, count;
    struct dyno_request_record **records; /* [arms][count], in the order of the first arm */
    uint32_t *places;                     /* [count] the index in the first arm's records */
    uint32_t unpaired;       /* requests of the first arm that another one lacks, or that are not
                                as long there, or for another model */
    uint32_t arrivals_moved; /* pairs that did not arrive at the same time in every arm */
};

/* `records` [arms][counts[arm]] in the order of their ids.  On success released by
 * dyno_pairing_release.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_pairing_make(struct dyno_pairing *out, uint32_t arms,
                              const struct dyno_request_record *const *records,
                              const uint32_t *counts);
void dyno_pairing_release(struct dyno_pairing *pairing); /* zeroed memory: no effect */

/* Whether two arms treated a pair differently at all. */
bool dyno_pairing_differs(const struct dyno_pairing *pairing, uint32_t a, uint32_t b,
                          uint32_t pair);

/* The pair that two arms treated differently first: sent it elsewhere when it came, or reached one
 * of its stamps at another time.  *when: that moment.  `count`: none, and DYNO_NEVER. */
uint32_t dyno_pairing_parts_at(const struct dyno_pairing *pairing, uint32_t a, uint32_t b,
                               dyno_ns *when);

#endif
