#include "core/base/map.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 16 };

/* DYNO_MAP_NONE is all ones. */
static void clear_slots(struct dyno_map_slot *slots, size_t count)
{
    memset(slots, 0xff, count * sizeof *slots);
}

dyno_status dyno_map_grow(struct dyno_map *map)
{
    size_t count_new = map->slots ? 2 * (map->mask + 1) : SLOTS_MIN;
    struct dyno_map_slot *slots = malloc(count_new * sizeof *slots);
    struct dyno_map grown;

    if (!slots) {
        return DYNO_NO_MEMORY;
    }
    clear_slots(slots, count_new);
    grown = (struct dyno_map){.slots = slots,
                              .mask = count_new - 1,
                              .count = map->count,
                              .count_max = count_new / 4 * 3,
                              .shift = (uint32_t)__builtin_clzll(count_new) + 1};
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        if (map->slots[i].key != DYNO_MAP_NONE) {
            size_t place = dyno_map_home(&grown, map->slots[i].key);

            while (slots[place].key != DYNO_MAP_NONE) {
                place = (place + 1) & grown.mask;
            }
            slots[place] = map->slots[i];
        }
    }
    free(map->slots);
    *map = grown;
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

/* Deletion by backward shift: move up every later slot whose home lies at or before the gap. */
void dyno_map_close_gap(struct dyno_map *map, struct dyno_map_slot *slot)
{
    size_t gap = (size_t)(slot - map->slots), next;

    for (next = (gap + 1) & map->mask; map->slots[next].key != DYNO_MAP_NONE;
         next = (next + 1) & map->mask) {
        size_t home = dyno_map_home(map, map->slots[next].key);

        if (((next - home) & map->mask) >= ((next - gap) & map->mask)) {
            *slot = map->slots[next];
            slot = &map->slots[next];
            gap = next;
        }
    }
    slot->key = DYNO_MAP_NONE;
}
