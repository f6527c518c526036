/* A hash map from 64-bit identities to 32-bit values: open addressing, linear probing, deletion by
 * shifting back, so that it never fills with tombstones.  Keys are opaque and only compared for
 * equality; they are multiplied before use, so any bit pattern but DYNO_MAP_NONE will do.  It has
 * no iteration order on purpose.  Load factor at most 3/4; 16 bytes a slot.
 */
#ifndef DYNO_CORE_BASE_MAP_H
#define DYNO_CORE_BASE_MAP_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/usual.h"

#define DYNO_MAP_NONE UINT64_MAX /* not a key */

struct dyno_map_slot {
    uint64_t key;
    uint32_t value;
};

struct dyno_map {
    struct dyno_map_slot *slots; /* [mask + 1]; NULL while empty */
    size_t mask;
    size_t count, count_max; /* keys, and how many before it has to grow */
    uint32_t shift;          /* leaves the upper bits of a product as a place */
};

/* Where a key is looked for first: the upper bits of its product with 2^64 over the golden ratio,
 * after its upper half was folded into the lower. */
static inline size_t dyno_map_home(const struct dyno_map *map, uint64_t key)
{
    return (size_t)(((key ^ key >> 32) * 0x9e3779b97f4a7c15ULL) >> map->shift);
}

/* The key's slot, or the free one where it would go.  The map has slots. */
static inline struct dyno_map_slot *dyno_map_slot(const struct dyno_map *map, uint64_t key)
{
    size_t place = dyno_map_home(map, key);

    while (map->slots[place].key != key && map->slots[place].key != DYNO_MAP_NONE) {
        place = (place + 1) & map->mask;
    }
    return &map->slots[place];
}

void dyno_map_release(struct dyno_map *map);
void dyno_map_clear(struct dyno_map *map); /* forget everything, keep the memory */

/* The value's place, or NULL.  Valid until the next put or remove. */
static inline uint32_t *dyno_map_find(const struct dyno_map *map, uint64_t key)
{
    struct dyno_map_slot *slot;

    if (!map->slots) {
        return NULL;
    }
    slot = dyno_map_slot(map, key);
    return slot->key == key && key != DYNO_MAP_NONE ? &slot->value : NULL;
}

/* For put and the two removes: make room for another key; move up what stands behind a slot that
 * is given up. */
dyno_status dyno_map_grow(struct dyno_map *map);
void dyno_map_close_gap(struct dyno_map *map, struct dyno_map_slot *slot);

/* The value's place, inserting `fresh` if the key is new; NULL when memory is out.
 * `*is_new` (may be NULL) says which. */
static inline uint32_t *dyno_map_put(struct dyno_map *map, uint64_t key, uint32_t fresh,
                                     int *is_new)
{
    struct dyno_map_slot *slot;
    int is_fresh;

    assert(key != DYNO_MAP_NONE);
    if (DYNO_RARELY(map->count >= map->count_max) && dyno_map_grow(map) != DYNO_OK) {
        return NULL;
    }
    slot = dyno_map_slot(map, key);
    is_fresh = slot->key != key;
    if (is_fresh) {
        *slot = (struct dyno_map_slot){.key = key, .value = fresh};
        map->count++;
    }
    if (is_new) {
        *is_new = is_fresh;
    }
    return &slot->value;
}

/* Remove the key whose value's place is `value`, as find or put has just returned it. */
static inline void dyno_map_remove_found(struct dyno_map *map, const uint32_t *value)
{
    size_t at = (size_t)((const char *)value - (const char *)map->slots) / sizeof *map->slots;

    map->count--;
    dyno_map_close_gap(map, &map->slots[at]);
}

/* Absent: no effect. */
static inline void dyno_map_remove(struct dyno_map *map, uint64_t key)
{
    const uint32_t *value = dyno_map_find(map, key);

    if (value) {
        dyno_map_remove_found(map, value);
    }
}

/* A well-mixed 64-bit value of `key` (the finaliser of MurmurHash3, a bijection). */
static inline uint64_t dyno_mix(uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdULL;
    key ^= key >> 33;
    key *= 0xc4ceb9fe1a85ec53ULL;
    key ^= key >> 33;
    return key;
}

/* The identity of `child` under `parent`: never DYNO_MAP_NONE, never 0. */
static inline uint64_t dyno_chain(uint64_t parent, uint64_t child)
{
    uint64_t id = dyno_mix(dyno_mix(parent + 0x9e3779b97f4a7c15ULL) ^ child);

    return id == 0 || id == DYNO_MAP_NONE ? 1 : id;
}

#endif
