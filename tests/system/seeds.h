/* Which random worlds a test plays: as many a test as it says, or one, DYNO_SEED, to repeat it. */
#ifndef DYNO_TESTS_SYSTEM_SEEDS_H
#define DYNO_TESTS_SYSTEM_SEEDS_H

#include <stdint.h>
#include <stdlib.h>

/* Sanitizers see in a fourth of the worlds what they would see in all; the optimised build plays
 * all. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORLDS(count) (((count) + 3) / 4)
#else
#define WORLDS(count) (count)
#endif

static inline uint64_t first_seed(int test, uint64_t worlds)
{
    const char *given = getenv("DYNO_SEED");

    return given ? strtoull(given, NULL, 10) : (uint64_t)test * worlds;
}

/* One past the last. */
static inline uint64_t last_seed(int test, uint64_t worlds)
{
    return first_seed(test, worlds) + (getenv("DYNO_SEED") ? 1 : worlds);
}

#endif
