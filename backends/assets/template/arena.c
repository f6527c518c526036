#include "backends/assets/template/arena.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 << 10, HEAD_BYTES = 16 };

static void *take_chunk(struct dyno_arena *arena, size_t bytes)
{
    char *chunk = calloc(1, bytes + HEAD_BYTES);

    if (!chunk) {
        return NULL;
    }
    memcpy(chunk, &arena->chunks, sizeof arena->chunks);
    arena->chunks = chunk;
    return chunk + HEAD_BYTES;
}

void *dyno_arena_take(struct dyno_arena *arena, size_t bytes)
{
    char *piece;

    if (bytes > arena->bytes_left) {
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    arena->bytes_left -= bytes < arena->bytes_left ? bytes : arena->bytes_left;
    if (bytes > CHUNK_BYTES / 4) {
        return take_chunk(arena, bytes);
    }
    if (bytes > arena->unused_bytes) {
        arena->unused = take_chunk(arena, CHUNK_BYTES);
        arena->unused_bytes = arena->unused ? CHUNK_BYTES : 0;
        if (!arena->unused) {
            return NULL;
        }
    }
    piece = arena->unused;
    arena->unused += bytes;
    arena->unused_bytes -= bytes;
    return piece;
}

void dyno_arena_release(struct dyno_arena *arena)
{
    while (arena->chunks) {
        void *chunk = arena->chunks;

        memcpy(&arena->chunks, chunk, sizeof arena->chunks);
        free(chunk);
    }
    memset(arena, 0, sizeof *arena);
}
