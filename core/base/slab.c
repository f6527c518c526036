#include "core/base/slab.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/usual.h"

enum { CLASS_MIN = 4, CHUNK_BYTES = 1 << 18 };

/* The binary logarithm, rounded up; too large: DYNO_SLAB_CLASSES or more. */
static unsigned class_of(size_t bytes)
{
    return bytes <= (size_t)1 << CLASS_MIN ? CLASS_MIN : 64 - (unsigned)__builtin_clzll(bytes - 1);
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
    size_t size;
    void *piece;

    if (DYNO_RARELY(size_class >= DYNO_SLAB_CLASSES)) {
        return NULL;
    }
    size = (size_t)1 << size_class;
    piece = slab->free_of[size_class];
    if (!DYNO_RARELY(!piece)) {
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
