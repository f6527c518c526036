#include "core/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 16 };

/* DYNO_MAP_NONE is all ones. */
static void clear_slots(struct dyno_map_slot *slots, size_t count)
{
    memset(slots, 0xff, count * sizeof *slots);
}

static dyno_status grow(struct dyno_map *map)
{
    size_t count_new = map->slots ? 2 * (map->mask + 1) : SLOTS_MIN;
    struct dyno_map_slot *slots = malloc(count_new * sizeof *slots);

    if (!slots) {
        return DYNO_NO_MEMORY;
    }
    clear_slots(slots, count_new);
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        if (map->slots[i].key != DYNO_MAP_NONE) {
            size_t place = dyno_mix(map->slots[i].key) & (count_new - 1);

            while (slots[place].key != DYNO_MAP_NONE) {
                place = (place + 1) & (count_new - 1);
            }
            slots[place] = map->slots[i];
        }
    }
    free(map->slots);
    map->slots = slots;
    map->mask = count_new - 1;
    return DYNO_OK;
}

void dyno_map_release(struct dyno_map *map)
{
    free(map->slots);
    memset(map, 0, sizeof *map);
}

void dyno_map_clear(struct dyno_map *map)
{
    if (map->slots) {
        clear_slots(map->slots, map->mask + 1);
    }
    map->count = 0;
}

uint32_t *dyno_map_find(const struct dyno_map *map, uint64_t key)
{
    if (!map->slots) {
        return NULL;
    }
    for (size_t place = dyno_mix(key) & map->mask;; place = (place + 1) & map->mask) {
        if (map->slots[place].key == DYNO_MAP_NONE) {
            return NULL;
        }
        if (map->slots[place].key == key) {
            return &map->slots[place].value;
        }
    }
}

uint32_t *dyno_map_put(struct dyno_map *map, uint64_t key, uint32_t fresh, int *is_new)
{
    size_t place;

    assert(key != DYNO_MAP_NONE);
    if (!map->slots || 4 * (map->count + 1) > 3 * (map->mask + 1)) {
        if (grow(map) != DYNO_OK) {
            return NULL;
        }
    }
    place = dyno_mix(key) & map->mask;
    while (map->slots[place].key != DYNO_MAP_NONE && map->slots[place].key != key) {
        place = (place + 1) & map->mask;
    }
    if (is_new) {
        *is_new = map->slots[place].key == DYNO_MAP_NONE;
    }
    if (map->slots[place].key == DYNO_MAP_NONE) {
        map->slots[place] = (struct dyno_map_slot){.key = key, .value = fresh};
        map->count++;
    }
    return &map->slots[place].value;
}

/* Deletion by backward shift: move up every later slot whose home lies at or before the gap. */
void dyno_map_remove(struct dyno_map *map, uint64_t key)
{
    uint32_t *value = dyno_map_find(map, key);
    size_t gap, next;

    if (!value) {
        return;
    }
    gap = (size_t)((struct dyno_map_slot *)(void *)((char *)value -
                                                    offsetof(struct dyno_map_slot, value)) -
                   map->slots);
    for (next = (gap + 1) & map->mask; map->slots[next].key != DYNO_MAP_NONE;
         next = (next + 1) & map->mask) {
        size_t home = dyno_mix(map->slots[next].key) & map->mask;

        if (((next - home) & map->mask) >= ((next - gap) & map->mask)) {
            map->slots[gap] = map->slots[next];
            gap = next;
        }
    }
    map->slots[gap].key = DYNO_MAP_NONE;
    map->count--;
}
