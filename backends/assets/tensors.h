/* The named tensors of a model's files, whatever the format: where each lies, and of what type.
 *
 * A reader (safetensors.h, gguf.h, llama2c.h) maps a file and adds its tensors; when all files are
 * read the set is sealed, and from then on found by name. */
#ifndef DYNO_BACKENDS_ASSETS_TENSORS_H
#define DYNO_BACKENDS_ASSETS_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/mapping.h"
#include "backends/assets/memory_blocks.h"
#include "core/base/status.h"
#include "kernels/matrix.h"

enum { DYNO_TENSOR_RANK_MAX = 4, DYNO_TENSOR_SHAPE_TEXT = 96 };

struct dyno_tensor {
    const char *name;
    const char *type;                     /* as the file calls it */
    enum dyno_element element;            /* DYNO_ELEMENTS: a type that is not computed with */
    uint32_t rank;                        /* 0: one element */
    uint64_t shape[DYNO_TENSOR_RANK_MAX]; /* outermost first */
    const struct dyno_mapping *file;
    const uint8_t *data; /* [bytes], in the mapped file or in the set's memory */
    uint64_t bytes;
    bool used; /* somebody asked for it: its values count */
};

struct dyno_tensors {
    struct dyno_tensor *items; /* [count]; sorted by name once sealed */
    size_t count;
    uint32_t room;
    struct dyno_mapping **files; /* [file_count] */
    size_t file_count;
    uint32_t file_room;
    struct dyno_memory_blocks memory; /* names, and whatever else lives as long as the set */
};

void dyno_tensors_release(struct dyno_tensors *tensors);

/* Map a file for as long as the set lives.  DYNO_NO_MEMORY also where the files together are larger
 * than the machine's memory. */
dyno_status dyno_tensors_map(struct dyno_tensors *tensors, const char *path,
                             const struct dyno_mapping **out, struct dyno_error *error);

/* Add a copy of *tensor with a copy of its name [length]. */
dyno_status dyno_tensors_add(struct dyno_tensors *tensors, const struct dyno_tensor *tensor,
                             const char *name, size_t length, struct dyno_error *error);

/* The tensors from items[first] lie one after the other in their file from `begin` on, each at the
 * next multiple of `alignment`: no overlap, no hole.  *end is where the last one ends.  Sorts
 * them. */
dyno_status dyno_tensors_check_layout(struct dyno_tensors *tensors, size_t first,
                                      const uint8_t *begin, uint64_t alignment, const uint8_t **end,
                                      struct dyno_error *error);

/* Sort by name; two of one name are refused. */
dyno_status dyno_tensors_seal(struct dyno_tensors *tensors, struct dyno_error *error);

/* NULL: there is none of this name.  The set must be sealed. */
struct dyno_tensor *dyno_tensors_find(const struct dyno_tensors *tensors, const char *name);

/* "[4096, 14336]". */
const char *dyno_tensor_shape_text(char out[DYNO_TENSOR_SHAPE_TEXT], const uint64_t *shape,
                                   uint32_t rank);

/* Bytes of a tensor of this shape, innermost rows of whole blocks; false where that overflows, or
 * where rows of Q8_0 are not whole blocks. */
bool dyno_tensor_bytes(enum dyno_element element, const uint64_t *shape, uint32_t rank,
                       uint64_t *out);

#endif
