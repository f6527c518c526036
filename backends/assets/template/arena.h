/* Memory that is taken piece by piece, up to a maximum, and given back all at once. */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_ARENA_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_ARENA_H

#include <stddef.h>

struct dyno_arena {
    void *chunks; /* list through the chunks' first word */
    char *unused;
    size_t unused_bytes;
    size_t bytes_left; /* until the maximum: set it first */
};

/* `bytes` zero bytes, aligned to 16; NULL where memory is out or the maximum is reached. */
void *dyno_arena_take(struct dyno_arena *arena, size_t bytes);
void dyno_arena_release(struct dyno_arena *arena);

#endif
