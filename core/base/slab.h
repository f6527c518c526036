/* Small arrays of varying length, without malloc once warm: power-of-two size classes carved from
 * chunks, each with a list of returned pieces.  Memory is given back when the slab is released. */
#ifndef DYNO_CORE_BASE_SLAB_H
#define DYNO_CORE_BASE_SLAB_H

#include <stddef.h>

enum { DYNO_SLAB_CLASSES = 32 };

struct dyno_slab {
    void *free_of[DYNO_SLAB_CLASSES]; /* lists through the pieces' first word */
    void *chunks;                     /* list through the chunks' first word */
    char *unused;                     /* of the newest chunk ... */
    size_t unused_bytes;
};

/* A piece of at least `bytes` bytes, aligned to 16; NULL when memory is out.  Contents undefined.
 * Zero-initialise the slab first. */
void *dyno_slab_take(struct dyno_slab *slab, size_t bytes);
/* Give a piece back; `bytes` as it was taken.  NULL: no effect. */
void dyno_slab_give(struct dyno_slab *slab, void *piece, size_t bytes);
void dyno_slab_release(struct dyno_slab *slab);

#endif
