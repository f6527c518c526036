/* A list of what was allocated. */
#include "backends/assets/memory_blocks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"

static bool make_room(struct dyno_memory_blocks *blocks)
{
    return dyno_array_reserve(&blocks->items, &blocks->room, blocks->count + 1, sizeof(void *));
}

void *dyno_memory_take(struct dyno_memory_blocks *blocks, size_t count, size_t size)
{
    size_t bytes;
    void *memory = NULL;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX || !make_room(blocks)) {
        return NULL;
    }
    if (posix_memalign(&memory, DYNO_BLOCK_ALIGNMENT, bytes ? bytes : 1) != 0) {
        return NULL;
    }
    memset(memory, 0, bytes);
    blocks->items[blocks->count++] = memory;
    return memory;
}

char *dyno_memory_text(struct dyno_memory_blocks *blocks, const char *text, size_t length)
{
    char *copy = dyno_memory_take(blocks, length + 1, 1);

    if (copy) {
        memcpy(copy, text, length);
    }
    return copy;
}

void dyno_memory_release(struct dyno_memory_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        free(blocks->items[i]);
    }
    free(blocks->items);
    *blocks = (struct dyno_memory_blocks){0};
}
