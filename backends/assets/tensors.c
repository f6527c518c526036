/* A growing list, then a sorted one. */
#include "backends/assets/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/allowance.h"
#include "core/base/array.h"
#include "core/base/words.h"

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the list of a model's tensors");
}

void dyno_tensors_release(struct dyno_tensors *tensors)
{
    for (size_t i = 0; i < tensors->file_count; i++) {
        dyno_mapping_close(tensors->files[i]);
        free(tensors->files[i]);
    }
    free(tensors->files);
    free(tensors->items);
    dyno_memory_release(&tensors->memory);
    *tensors = (struct dyno_tensors){0};
}

static uint64_t mapped_bytes(const struct dyno_tensors *tensors)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < tensors->file_count; i++) {
        bytes += tensors->files[i]->size; /* of address space, so that no sum overflows */
    }
    return bytes;
}

dyno_status dyno_tensors_map(struct dyno_tensors *tensors, const char *path,
                             const struct dyno_mapping **out, struct dyno_error *error)
{
    struct dyno_mapping *mapping;
    dyno_status status;

    if (!dyno_array_reserve(&tensors->files, &tensors->file_room, tensors->file_count + 1,
                            sizeof(struct dyno_mapping *))) {
        return no_memory(error);
    }
    mapping = calloc(1, sizeof(*mapping));
    if (!mapping) {
        return no_memory(error);
    }
    status = dyno_mapping_open(mapping, path, error);
    if (status != DYNO_OK) {
        free(mapping);
        return status;
    }
    tensors->files[tensors->file_count++] = mapping;
    *out = mapping;
    return dyno_memory_check(path, mapped_bytes(tensors), dyno_allowed_memory_bytes(), error);
}

dyno_status dyno_tensors_add(struct dyno_tensors *tensors, const struct dyno_tensor *tensor,
                             const char *name, size_t length, struct dyno_error *error)
{
    char *copy = dyno_memory_text(&tensors->memory, name, length);

    if (!copy || !dyno_array_reserve(&tensors->items, &tensors->room, tensors->count + 1,
                                     sizeof(*tensors->items))) {
        return no_memory(error);
    }
    tensors->items[tensors->count] = *tensor;
    tensors->items[tensors->count].name = copy;
    tensors->count++;
    return DYNO_OK;
}

/* By place; of two at one place the empty one first, then by name. */
static int compare_places(const void *left, const void *right)
{
    const struct dyno_tensor *a = left, *b = right;

    if (a->data != b->data) {
        return a->data < b->data ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static dyno_status refuse_place(const struct dyno_tensor *tensor, const uint8_t *due,
                                struct dyno_error *error)
{
    const uint8_t *base = tensor->file->data;
    char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s: tensor %s begins at byte %" PRIu64 " of the file where the one before it "
                     "ends at %" PRIu64 "; tensors must follow one another, without %s",
                     dyno_quote(path, tensor->file->path), dyno_quote(name, tensor->name),
                     (uint64_t)(tensor->data - base), (uint64_t)(due - base),
                     tensor->data < due ? "overlapping" : "holes");
}

dyno_status dyno_tensors_check_layout(struct dyno_tensors *tensors, size_t first,
                                      const uint8_t *begin, uint64_t alignment, const uint8_t **end,
                                      struct dyno_error *error)
{
    const uint8_t *due = begin;

    if (first < tensors->count) {
        qsort(tensors->items + first, tensors->count - first, sizeof(*tensors->items),
              compare_places);
    }
    for (size_t i = first; i < tensors->count; i++) {
        const struct dyno_tensor *tensor = &tensors->items[i];
        uint64_t used = (uint64_t)(due - begin), past = used % alignment;
        const uint8_t *aligned = due + (past ? alignment - past : 0);

        if (tensor->data != aligned) {
            return refuse_place(tensor, due, error);
        }
        due = tensor->data + tensor->bytes;
    }
    *end = due;
    return DYNO_OK;
}

static int compare_names(const void *left, const void *right)
{
    const struct dyno_tensor *a = left, *b = right;

    return strcmp(a->name, b->name);
}

dyno_status dyno_tensors_seal(struct dyno_tensors *tensors, struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX], other[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];

    if (tensors->count > 1) {
        qsort(tensors->items, tensors->count, sizeof(*tensors->items), compare_names);
    }
    for (size_t i = 1; i < tensors->count; i++) {
        const struct dyno_tensor *a = &tensors->items[i - 1], *b = &tensors->items[i];

        if (strcmp(a->name, b->name) == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "tensor %s is there twice: in %s and in %s; a name may be used once",
                             dyno_quote(name, a->name), dyno_quote(path, a->file->path),
                             dyno_quote(other, b->file->path));
        }
    }
    return DYNO_OK;
}

struct dyno_tensor *dyno_tensors_find(const struct dyno_tensors *tensors, const char *name)
{
    const struct dyno_tensor wanted = {.name = name};

    if (tensors->count == 0) {
        return NULL;
    }
    return bsearch(&wanted, tensors->items, tensors->count, sizeof(*tensors->items), compare_names);
}

const char *dyno_tensor_shape_text(char out[DYNO_TENSOR_SHAPE_TEXT], const uint64_t *shape,
                                   uint32_t rank)
{
    size_t used = 0;

    for (uint32_t i = 0; i < rank; i++) {
        used += (size_t)snprintf(out + used, DYNO_TENSOR_SHAPE_TEXT - used, "%s%" PRIu64,
                                 i ? ", " : "[", shape[i]);
    }
    (void)snprintf(out + used, DYNO_TENSOR_SHAPE_TEXT - used, "%s", rank ? "]" : "[]");
    return out;
}

bool dyno_tensor_bytes(enum dyno_element element, const uint64_t *shape, uint32_t rank,
                       uint64_t *out)
{
    uint64_t columns = rank ? shape[rank - 1] : 1, bytes;

    if (element == DYNO_ELEMENT_Q8_0 && columns % DYNO_Q8_0_ELEMENTS != 0) {
        return false;
    }
    if (columns > UINT32_MAX) {
        return false;
    }
    bytes = dyno_row_bytes(element, (uint32_t)columns);
    for (uint32_t i = 0; i + 1 < rank; i++) {
        if (__builtin_mul_overflow(bytes, shape[i], &bytes)) {
            return false;
        }
    }
    *out = bytes;
    return true;
}
