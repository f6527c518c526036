/* Values that come in stated shares: "8,1,1" are 1, 2 and 3, "0:9,5:1" are 0 and 5. */
#ifndef DYNO_TRACES_SHARES_H
#define DYNO_TRACES_SHARES_H

#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/status.h"

enum { DYNO_SHARES_MAX = 64 };

struct dyno_shares {
    struct dyno_rng rng;
    uint32_t count; /* 0: the value is always 0 */
    int32_t values[DYNO_SHARES_MAX];
    double up_to[DYNO_SHARES_MAX]; /* shares, summed */
};

/* `text` NULL: always 0.  `named`: with values, else they are 1, 2, ...  The stream of draws is
 * named by the option. */
dyno_status dyno_shares_init(struct dyno_shares *shares, const char *option, const char *text,
                             int named, uint64_t seed, struct dyno_error *error);

int32_t dyno_shares_draw(struct dyno_shares *shares);

#endif
