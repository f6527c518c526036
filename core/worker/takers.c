#include "core/worker/takers.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT = 4 }; /* phases that are added up sooner than looked up */

dyno_status dyno_takers_init(struct dyno_takers *takers, uint32_t size)
{
    uint32_t *counts = calloc(2 * (size_t)size + 1, sizeof *counts);

    if (!counts) {
        return DYNO_NO_MEMORY;
    }
    *takers = (struct dyno_takers){.size = size, .at = counts, .tree = counts + size, .few = true};
    return DYNO_OK;
}

void dyno_takers_release(struct dyno_takers *takers)
{
    free(takers->at);
    memset(takers, 0, sizeof *takers);
}

/* There are too many to be looked through. */
static void plant_tree(struct dyno_takers *takers)
{
    memset(takers->tree, 0, (takers->size + (size_t)1) * sizeof *takers->tree);
    for (uint32_t i = 1; i <= takers->size; i++) {
        uint32_t parent = i + (i & -i);

        takers->tree[i] += takers->at[i - 1];
        if (parent <= takers->size) {
            takers->tree[parent] += takers->tree[i];
        }
    }
    takers->few = false;
}

/* There are so few again that it takes a while until they are too many. */
static void list_phases(struct dyno_takers *takers)
{
    uint32_t count = 0;

    for (uint32_t phase = 0; count < takers->count; phase++) {
        for (uint32_t i = 0; i < takers->at[phase]; i++) {
            takers->phases[count++] = phase;
        }
    }
    takers->few = true;
}

void dyno_takers_add(struct dyno_takers *takers, uint32_t phase)
{
    takers->at[phase]++;
    if (takers->few) {
        if (takers->count < DYNO_TAKERS_FEW) {
            takers->phases[takers->count++] = phase;
            return;
        }
        takers->count++;
        plant_tree(takers);
        return;
    }
    takers->count++;
    for (uint32_t i = phase + 1; i <= takers->size; i += i & -i) {
        takers->tree[i]++;
    }
}

void dyno_takers_remove(struct dyno_takers *takers, uint32_t phase)
{
    uint32_t place = 0;

    takers->count--;
    takers->at[phase]--;
    if (takers->few) {
        while (takers->phases[place] != phase) {
            place++;
        }
        takers->phases[place] = takers->phases[takers->count];
        return;
    }
    for (uint32_t i = phase + 1; i <= takers->size; i += i & -i) {
        takers->tree[i]--;
    }
    if (takers->count <= DYNO_TAKERS_FEW / 2) {
        list_phases(takers);
    }
}

/* How many steps after one at `phase` one at `other` comes. */
static inline uint32_t steps_to(const struct dyno_takers *takers, uint32_t phase, uint32_t other)
{
    return other >= phase ? other - phase : other + takers->size - phase;
}

/* Of few: those that come within `count` steps from `phase` on. */
static uint32_t count_few(const struct dyno_takers *takers, uint32_t phase, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < takers->count; i++) {
        sum += steps_to(takers, phase, takers->phases[i]) < count;
    }
    return sum;
}

/* Of few: after how many steps from `phase` on more than `blocks` < count have come. */
static uint32_t steps_of_few(const struct dyno_takers *takers, uint32_t phase, uint32_t blocks)
{
    uint32_t least = takers->size;

    for (uint32_t i = 0; i < takers->count; i++) {
        uint32_t steps = steps_to(takers, phase, takers->phases[i]);

        if (steps < least && count_few(takers, phase, steps + 1) > blocks) {
            least = steps;
        }
    }
    return least;
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

/* Of the phases from `phase` on before `end`: less of what both have before them is looked at, the
 * closer they are. */
static uint32_t between(const struct dyno_takers *takers, uint32_t phase, uint32_t end)
{
    uint32_t sum = 0;

    for (; end > phase; end &= end - 1) {
        sum += takers->tree[end];
    }
    for (; phase > end; phase &= phase - 1) {
        sum -= takers->tree[phase];
    }
    return sum;
}

uint32_t dyno_takers_sum(const struct dyno_takers *takers, uint32_t phase, uint32_t count)
{
    uint32_t end = phase + count, sum = 0;

    if (takers->few) {
        return count_few(takers, phase, count);
    }
    if (end > takers->size) {
        return takers->count - between(takers, end - takers->size, phase);
    }
    if (count > SHORT) {
        return between(takers, phase, end);
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
    uint32_t skipped, to_end;

    if (blocks >= takers->count) {
        return takers->size;
    }
    if (takers->few) {
        return steps_of_few(takers, phase, blocks);
    }
    skipped = before(takers, phase);
    to_end = takers->count - skipped;
    if (blocks < to_end) {
        return last_within(takers, skipped + blocks) - phase;
    }
    return takers->size - phase + last_within(takers, blocks - to_end);
}
