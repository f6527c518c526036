/* Which physical block holds what, for devices that store KV.
 *
 * The cache (cache.h) decides which blocks are resident and never names one.  This mirrors its
 * decisions over numbered blocks, so that a device can be told where a sequence's tokens lie:
 * table[i] is the block of tokens [i x block_tokens, (i + 1) x block_tokens).  It never decides,
 * and a number never reaches a report; a fleet whose devices store nothing goes without.
 *
 * Every block number is in exactly one place: the free queue, one span (resident blocks that
 * somebody may ask for, held or idle), the queue of idle blocks that nobody will ask for, or the
 * table of the one sequence that fills it.  A table also names the blocks of spans that its
 * sequence holds.  Blocks are taken from the free queue's head in the order in which they were
 * freed.
 *
 * A table is that of a slot, below `slots`, or, for what a transfer reads or writes while nobody
 * computes it, one of those beyond.  Below, `table` is either.
 */
#ifndef DYNO_CORE_KV_PLACES_H
#define DYNO_CORE_KV_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/kv/cache.h"

struct dyno_kv_places;

/* For a cache of `capacity` blocks and sequences in `slots` slots, whose tables are empty.  On
 * success *out is closed with dyno_kv_places_close.  Errors: DYNO_NO_MEMORY, like all below. */
dyno_status dyno_kv_places_open(struct dyno_kv_places **out, uint32_t capacity, uint32_t slots);
void dyno_kv_places_close(struct dyno_kv_places *places);

/* [slots] tables; the array stays where it is, a table until its sequence takes or gives back. */
const uint32_t *const *dyno_kv_places_tables(const struct dyno_kv_places *places);
uint32_t dyno_kv_places_count(const struct dyno_kv_places *places, uint32_t table);
/* One table, likewise. */
const uint32_t *dyno_kv_places_table(const struct dyno_kv_places *places, uint32_t table);

/* An empty table beyond the slots; and give one back, which is empty again (retire or drop). */
dyno_status dyno_kv_places_add(struct dyno_kv_places *places, uint32_t *table);
void dyno_kv_places_remove(struct dyno_kv_places *places, uint32_t table);
/* What is in the slot's table goes to a new one beyond the slots: the slot is somebody else's, and
 * the blocks are kept. */
dyno_status dyno_kv_places_park(struct dyno_kv_places *places, uint32_t slot, uint32_t *table);

/* The first blocks to be taken are these, of which each is named once: before any was. */
void dyno_kv_places_prefer(struct dyno_kv_places *places, const uint32_t *numbers, uint32_t count);

/* Each mirrors what the cache just did for the sequence in `slot` (dyno_kv_seal: is about to do).
 */
dyno_status dyno_kv_places_hold(struct dyno_kv_places *places, uint32_t table,
                                const struct dyno_kv_link *links, uint32_t blocks);
dyno_status dyno_kv_places_take(struct dyno_kv_places *places, uint32_t table, uint32_t blocks);
dyno_status dyno_kv_places_seal(struct dyno_kv_places *places, uint32_t table,
                                const struct dyno_kv_link *links, uint32_t link_count,
                                uint32_t from, uint32_t to);
/* Of the chain's blocks from `from` on and before `to`, how many leading ones are resident: who
 * seals copies of them is given these instead. */
uint32_t dyno_kv_places_resident(const struct dyno_kv_places *places,
                                 const struct dyno_kv_link *links, uint32_t link_count,
                                 uint32_t from, uint32_t to);
/* The blocks of the table after the first `blocks` are dropped. */
void dyno_kv_places_drop_after(struct dyno_kv_places *places, uint32_t table, uint32_t blocks);
/* The sequence leaves: its blocks after the first `held` are retired (then it lets go of those), or
 * dropped. */
void dyno_kv_places_retire(struct dyno_kv_places *places, uint32_t table, uint32_t held);
void dyno_kv_places_drop(struct dyno_kv_places *places, uint32_t table, uint32_t held);

/* The cache evicted `count` blocks of `span` (0: contents nobody will ask for), the last ones. */
void dyno_kv_places_evicted(struct dyno_kv_places *places, uint64_t span, uint32_t count);

/* As just opened: every block is free, every table empty, and none beyond the slots is taken. */
void dyno_kv_places_forget(struct dyno_kv_places *places);

/* Steps ahead: a device that runs several decode steps needs to know the blocks that later steps
 * will take, in the order in which they will take them.  `start` begins; each `lend` puts the next
 * block that dyno_kv_take will yield into a table without taking it; once the cache has taken
 * what the steps really done needed, `settle` makes the first `count` lent blocks the tables' own;
 * `trim` takes those of steps that were not done out of a table, which is left with `blocks`. */
void dyno_kv_places_lend_start(struct dyno_kv_places *places, const struct dyno_kv_cache *cache);
dyno_status dyno_kv_places_lend(struct dyno_kv_places *places, const struct dyno_kv_cache *cache,
                                uint32_t slot);
void dyno_kv_places_lend_settle(struct dyno_kv_places *places, uint32_t count);
void dyno_kv_places_trim(struct dyno_kv_places *places, uint32_t slot, uint32_t blocks);
/* Whether any of the chain's first `blocks` blocks, which are resident, was lent since the last
 * settle: later steps write over it. */
bool dyno_kv_places_any_lent(const struct dyno_kv_places *places, const struct dyno_kv_link *links,
                             uint32_t blocks);

/* Aborts unless every block is in exactly one place and every span has as many as `cache` says.
 * For tests and debug runs. */
void dyno_kv_places_check(const struct dyno_kv_places *places, const struct dyno_kv_cache *cache);

#endif
