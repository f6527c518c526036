#include "core/kv/sketch.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"

enum { ROWS = 4, WIDTH_MIN = 16, SEEN_EACH = 10 };

dyno_status dyno_kv_sketch_init(struct dyno_kv_sketch *sketch, uint64_t keys)
{
    memset(sketch, 0, sizeof *sketch);
    sketch->width = WIDTH_MIN;
    sketch->shift = 60;
    while (sketch->width < keys && sketch->shift > 34) {
        sketch->width *= 2;
        sketch->shift--;
    }
    sketch->seen_max = SEEN_EACH * sketch->width;
    sketch->counters = calloc(ROWS, sketch->width / 2);
    return sketch->counters ? DYNO_OK : DYNO_NO_MEMORY;
}

void dyno_kv_sketch_release(struct dyno_kv_sketch *sketch)
{
    free(sketch->counters);
    memset(sketch, 0, sizeof *sketch);
}

/* The key's place in a row: upper bits of a hash of its own for every row. */
static uint64_t place_of(const struct dyno_kv_sketch *sketch, uint64_t key, uint32_t row)
{
    return row * sketch->width +
           (dyno_mix(key + (row + 1) * 0x9e3779b97f4a7c15ULL) >> sketch->shift);
}

static uint32_t count_at(const struct dyno_kv_sketch *sketch, uint64_t place)
{
    return sketch->counters[place / 2] >> (place % 2 * 4) & DYNO_SKETCH_MOST;
}

/* Both counters of a byte are halved at once. */
static void age(struct dyno_kv_sketch *sketch)
{
    for (uint64_t i = 0; i < ROWS * sketch->width / 2; i++) {
        sketch->counters[i] = sketch->counters[i] >> 1 & 0x77;
    }
    sketch->seen = 0;
}

void dyno_kv_sketch_see(struct dyno_kv_sketch *sketch, uint64_t key)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        uint64_t place = place_of(sketch, key, row);

        if (count_at(sketch, place) < DYNO_SKETCH_MOST) {
            sketch->counters[place / 2] =
                (uint8_t)(sketch->counters[place / 2] + (1u << (place % 2 * 4)));
        }
    }
    if (++sketch->seen >= sketch->seen_max) {
        age(sketch);
    }
}

uint32_t dyno_kv_sketch_estimate(const struct dyno_kv_sketch *sketch, uint64_t key)
{
    uint32_t least = DYNO_SKETCH_MOST;

    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t count = count_at(sketch, place_of(sketch, key, row));

        least = count < least ? count : least;
    }
    return least;
}
