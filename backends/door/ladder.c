#include "backends/door/ladder.h"

static const uint64_t rungs[DYNO_LADDER_RUNGS] = {
    1,    2,     5,     10,    20,     50,     100,    200,     500,     1000,    2000,
    5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000,
};

uint64_t dyno_ladder_rung(uint32_t rung)
{
    return rungs[rung];
}

void dyno_ladder_add(struct dyno_ladder *ladder, uint64_t value, uint64_t count)
{
    uint32_t rung = 0;

    while (rung < DYNO_LADDER_RUNGS && value > rungs[rung] * ladder->unit) {
        rung++;
    }
    ladder->counts[rung] += count;
    ladder->sum += (unsigned __int128)value * count;
}

uint64_t dyno_ladder_count(const struct dyno_ladder *ladder)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i <= DYNO_LADDER_RUNGS; i++) {
        count += ladder->counts[i];
    }
    return count;
}
