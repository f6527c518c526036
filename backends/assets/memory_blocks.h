/* Memory that is given back all at once: the names, float vectors and transposed matrices of one
 * opened model. */
#ifndef DYNO_BACKENDS_ASSETS_MEMORY_BLOCKS_H
#define DYNO_BACKENDS_ASSETS_MEMORY_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum { DYNO_BLOCK_ALIGNMENT = 64 };

struct dyno_memory_blocks {
    void **items; /* [count] */
    size_t count;
    uint32_t room;
};

/* `count` items of `size` bytes, zeroed, aligned to DYNO_BLOCK_ALIGNMENT; NULL where memory is out
 * or the product overflows. */
void *dyno_memory_take(struct dyno_memory_blocks *blocks, size_t count, size_t size);

/* A copy of [length] characters, terminated; NULL where memory is out. */
char *dyno_memory_text(struct dyno_memory_blocks *blocks, const char *text, size_t length);

void dyno_memory_release(struct dyno_memory_blocks *blocks);

#endif
