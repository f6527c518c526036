/* How often keys were seen lately, approximately, in little memory: a count-min sketch that ages.
 *
 * Four rows of counters of 4 bits; a key has one in every row, at a place from bits of its own, and
 * its estimate is the smallest of the four: never less than what was counted since the last ageing
 * (up to 15), more where others share all four.  Every sighting counts; after ten for each counter
 * of a row all are halved.  (TinyLFU: Einziger, Friedman and Manes, ACM Transactions on Storage,
 * 2017.) Two bytes for each of `keys`.
 */
#ifndef DYNO_CORE_KV_SKETCH_H
#define DYNO_CORE_KV_SKETCH_H

#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_SKETCH_MOST = 15 }; /* what an estimate can be */

struct dyno_kv_sketch {
    uint8_t *counters; /* [rows][width / 2] */
    uint32_t shift;    /* leaves as many bits of a product as a row has places */
    uint64_t width;
    uint64_t seen, seen_max; /* since the last ageing, and when the next one is due */
};

/* For about so many different keys.  DYNO_NO_MEMORY. */
dyno_status dyno_kv_sketch_init(struct dyno_kv_sketch *sketch, uint64_t keys);
void dyno_kv_sketch_release(struct dyno_kv_sketch *sketch);

void dyno_kv_sketch_see(struct dyno_kv_sketch *sketch, uint64_t key);
uint32_t dyno_kv_sketch_estimate(const struct dyno_kv_sketch *sketch, uint64_t key);

#endif
