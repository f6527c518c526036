/* Arrays that grow: of malloc, NULL while empty, the capacity beside them. */
#ifndef DYNO_CORE_BASE_ARRAY_H
#define DYNO_CORE_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Make room for `count` items of `item_bytes` bytes in the array whose pointer lies at
 * `array_place` (&struct->items), which has room for *capacity: it at least doubles, and the new
 * items are undefined.  Pointers into it end here.  False when memory is out, or *capacity could
 * not say it; then nothing has changed. */
bool dyno_array_reserve(void *array_place, uint32_t *capacity, size_t count, size_t item_bytes);

#endif
