/* A map from ids of requests in flight to 32-bit values.
 *
 * Ids are given out one after the other, so that those in flight lie close together: each has the
 * slot of its lower bits, and nothing is hashed, searched for or moved up.  An id that finds
 * another's in its slot (one that has been in flight for long) goes into an ordinary map beside it.
 * Twice as many slots as ids, 16 bytes each; they are never given back.  Any 64-bit number but
 * DYNO_MAP_NONE is an id.
 */
#ifndef DYNO_CORE_BASE_ID_MAP_H
#define DYNO_CORE_BASE_ID_MAP_H

#include <stdbool.h>

#include "core/base/map.h"

struct dyno_id_slot {
    uint64_t key; /* id + 1; 0: free */
    uint32_t value;
};

struct dyno_id_map {
    struct dyno_id_slot *slots; /* [mask + 1]; NULL while empty */
    uint64_t mask;
    uint64_t count; /* of all ids */
    struct dyno_map others;
};

/* Zero-initialise first. */
void dyno_id_map_release(struct dyno_id_map *map);

/* Where find, put and remove do not see to it themselves. */
dyno_status dyno_id_map_grow(struct dyno_id_map *map);
uint32_t *dyno_id_map_put_other(struct dyno_id_map *map, uint64_t id, uint32_t fresh, bool *is_new);
void dyno_id_map_remove_other(struct dyno_id_map *map, uint64_t id);

/* The value's place, or NULL.  Valid until the next put or remove. */
static inline uint32_t *dyno_id_map_find(const struct dyno_id_map *map, uint64_t id)
{
    struct dyno_id_slot *slot;

    if (DYNO_RARELY(map->count == 0)) {
        return NULL;
    }
    slot = &map->slots[id & map->mask];
    if (slot->key == id + 1) {
        return &slot->value;
    }
    return DYNO_RARELY(map->others.count > 0) ? dyno_map_find(&map->others, id) : NULL;
}

/* The value's place, inserting `fresh` if the id is new, which *is_new says; NULL when memory is
 * out. */
static inline uint32_t *dyno_id_map_put(struct dyno_id_map *map, uint64_t id, uint32_t fresh,
                                        bool *is_new)
{
    struct dyno_id_slot *slot;

    if (DYNO_RARELY(2 * map->count >= map->mask) && dyno_id_map_grow(map) != DYNO_OK) {
        return NULL;
    }
    slot = &map->slots[id & map->mask];
    if (DYNO_RARELY(slot->key != 0 || map->others.count > 0)) {
        return dyno_id_map_put_other(map, id, fresh, is_new);
    }
    *slot = (struct dyno_id_slot){.key = id + 1, .value = fresh};
    map->count++;
    *is_new = true;
    return &slot->value;
}

/* Absent: no effect. */
static inline void dyno_id_map_remove(struct dyno_id_map *map, uint64_t id)
{
    struct dyno_id_slot *slot;

    if (DYNO_RARELY(map->count == 0)) {
        return;
    }
    slot = &map->slots[id & map->mask];
    if (slot->key == id + 1) {
        slot->key = 0;
        map->count--;
    } else if (DYNO_RARELY(map->others.count > 0)) {
        dyno_id_map_remove_other(map, id);
    }
}

#endif
