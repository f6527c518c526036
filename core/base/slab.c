#include "core/base/slab.h"

#include <stdlib.h>
#include <string.h>

enum { CLASS_MIN = 4, CHUNK_BYTES = 1 << 18 };

static unsigned class_of(size_t bytes)
{
    unsigned size_class = CLASS_MIN;

    while (size_class < DYNO_SLAB_CLASSES && ((size_t)1 << size_class) < bytes) {
        size_class++;
    }
    return size_class;
}

/* The first 16 bytes of a chunk link it to the one before. */
static char *new_chunk(struct dyno_slab *slab, size_t bytes)
{
    char *chunk = aligned_alloc(16, bytes + 16);

    if (chunk) {
        memcpy(chunk, &slab->chunks, sizeof slab->chunks);
        slab->chunks = chunk;
        return chunk + 16;
    }
    return NULL;
}

void *dyno_slab_take(struct dyno_slab *slab, size_t bytes)
{
    unsigned size_class = class_of(bytes);
    size_t size = (size_t)1 << size_class;
    void *piece;

    if (size_class >= DYNO_SLAB_CLASSES) {
        return NULL;
    }
    piece = slab->free_of[size_class];
    if (piece) {
        memcpy(&slab->free_of[size_class], piece, sizeof piece);
        return piece;
    }
    if (size > CHUNK_BYTES / 4) {
        return new_chunk(slab, size);
    }
    if (size > slab->unused_bytes) {
        slab->unused = new_chunk(slab, CHUNK_BYTES);
        slab->unused_bytes = slab->unused ? CHUNK_BYTES : 0;
        if (!slab->unused) {
            return NULL;
        }
    }
    piece = slab->unused;
    slab->unused += size;
    slab->unused_bytes -= size;
    return piece;
}

void dyno_slab_give(struct dyno_slab *slab, void *piece, size_t bytes)
{
    if (piece) {
        unsigned size_class = class_of(bytes);

        memcpy(piece, &slab->free_of[size_class], sizeof piece);
        slab->free_of[size_class] = piece;
    }
}

void dyno_slab_release(struct dyno_slab *slab)
{
    while (slab->chunks) {
        void *chunk = slab->chunks;

        memcpy(&slab->chunks, chunk, sizeof chunk);
        free(chunk);
    }
    memset(slab, 0, sizeof *slab);
}
