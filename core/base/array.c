#include "core/base/array.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ITEMS = 16 };

bool dyno_array_reserve(void *array_place, uint32_t *capacity, size_t count, size_t item_bytes)
{
    size_t larger = *capacity ? *capacity : FIRST_ITEMS;
    void *array, *grown;

    if (count <= *capacity) {
        return true;
    }
    while (larger < count) {
        larger *= 2;
    }
    memcpy(&array, array_place, sizeof array); /* whatever it points to */
    grown = larger <= UINT32_MAX ? realloc(array, larger * item_bytes) : NULL;
    if (!grown) {
        return false;
    }
    memcpy(array_place, &grown, sizeof grown);
    *capacity = (uint32_t)larger;
    return true;
}
