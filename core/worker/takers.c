#include "core/worker/takers.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 16 }; /* phases that are added up sooner than looked up */

dyno_status dyno_takers_init(struct dyno_takers *takers, uint32_t size)
{
    uint32_t *counts = calloc(2 * (size_t)size + 1, sizeof *counts);

    if (!counts) {
        return DYNO_NO_MEMORY;
    }
    *takers = (struct dyno_takers){.size = size, .at = counts, .tree = counts + size};
    return DYNO_OK;
}

void dyno_takers_release(struct dyno_takers *takers)
{
    free(takers->at);
    memset(takers, 0, sizeof *takers);
}

void dyno_takers_add(struct dyno_takers *takers, uint32_t phase)
{
    takers->count++;
    takers->at[phase]++;
    for (uint32_t i = phase + 1; i <= takers->size; i += i & -i) {
        takers->tree[i]++;
    }
}

void dyno_takers_remove(struct dyno_takers *takers, uint32_t phase)
{
    takers->count--;
    takers->at[phase]--;
    for (uint32_t i = phase + 1; i <= takers->size; i += i & -i) {
        takers->tree[i]--;
    }
}

/* Of all phases before `phase`. */
static uint32_t before(const struct dyno_takers *takers, uint32_t phase)
{
    uint32_t sum = 0;

    for (; phase > 0; phase &= phase - 1) {
        sum += takers->tree[phase];
    }
    return sum;
}

uint32_t dyno_takers_sum(const struct dyno_takers *takers, uint32_t phase, uint32_t count)
{
    uint32_t end = phase + count, sum = 0;

    if (end > takers->size) {
        return takers->count - before(takers, phase) + before(takers, end - takers->size);
    }
    if (count > FEW) {
        return before(takers, end) - before(takers, phase);
    }
    for (; phase < end; phase++) {
        sum += takers->at[phase];
    }
    return sum;
}

/* The last phase before which at most `blocks` < count are taken: at that one they run out. */
static uint32_t last_within(const struct dyno_takers *takers, uint32_t blocks)
{
    uint32_t phase = 0;

    for (uint32_t bit = 1U << (31 - __builtin_clz(takers->size)); bit; bit >>= 1) {
        if (phase + bit <= takers->size && takers->tree[phase + bit] <= blocks) {
            phase += bit;
            blocks -= takers->tree[phase];
        }
    }
    return phase;
}

uint32_t dyno_takers_steps(const struct dyno_takers *takers, uint32_t phase, uint32_t blocks)
{
    uint32_t skipped = before(takers, phase), to_end = takers->count - skipped;

    if (blocks >= takers->count) {
        return takers->size;
    }
    if (blocks < to_end) {
        return last_within(takers, skipped + blocks) - phase;
    }
    return takers->size - phase + last_within(takers, blocks - to_end);
}
