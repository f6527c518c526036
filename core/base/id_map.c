#include "core/base/id_map.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

/* Ids that had slots of their own have them among twice as many, too. */
dyno_status dyno_id_map_grow(struct dyno_id_map *map)
{
    uint64_t count = map->slots ? 2 * (map->mask + 1) : SLOTS_MIN;
    struct dyno_id_slot *slots = calloc(count, sizeof *slots);

    if (!slots) {
        return DYNO_NO_MEMORY;
    }
    for (uint64_t i = 0; map->slots && i <= map->mask; i++) {
        if (map->slots[i].key != 0) {
            slots[(map->slots[i].key - 1) & (count - 1)] = map->slots[i];
        }
    }
    free(map->slots);
    map->slots = slots;
    map->mask = count - 1;
    return DYNO_OK;
}

uint32_t *dyno_id_map_put_other(struct dyno_id_map *map, uint64_t id, uint32_t fresh, bool *is_new)
{
    struct dyno_id_slot *slot = &map->slots[id & map->mask];
    uint32_t *value = dyno_id_map_find(map, id);

    *is_new = value == NULL;
    if (value) {
        return value;
    }
    if (slot->key == 0) {
        *slot = (struct dyno_id_slot){.key = id + 1, .value = fresh};
        value = &slot->value;
    } else {
        value = dyno_map_put(&map->others, id, fresh, NULL);
    }
    map->count += value != NULL;
    return value;
}

void dyno_id_map_remove_other(struct dyno_id_map *map, uint64_t id)
{
    const uint32_t *value = dyno_map_find(&map->others, id);

    if (value) {
        dyno_map_remove_found(&map->others, value);
        map->count--;
    }
}

void dyno_id_map_release(struct dyno_id_map *map)
{
    free(map->slots);
    dyno_map_release(&map->others);
    memset(map, 0, sizeof *map);
}
