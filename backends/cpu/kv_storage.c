/* Keys and values: two arrays a layer. */
#include "backends/cpu/kv_storage.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

static struct dyno_kv_layer layer_shape(const struct dyno_model *model, uint32_t block_tokens,
                                        enum dyno_element element)
{
    return (struct dyno_kv_layer){.element = element,
                                  .block_tokens = block_tokens,
                                  .kv_heads = model->kv_heads,
                                  .head_dim = model->head_dim};
}

static uint64_t element_bytes(enum dyno_element element)
{
    return element == DYNO_ELEMENT_F32 ? 4 : 2;
}

uint64_t dyno_kv_storage_bytes(const struct dyno_model *model, uint32_t blocks,
                               uint32_t block_tokens, enum dyno_element element)
{
    struct dyno_kv_layer shape = layer_shape(model, block_tokens, element);
    unsigned __int128 block = dyno_kv_block_keys(&shape) + dyno_kv_block_values(&shape);
    unsigned __int128 bytes = block * element_bytes(element) * blocks * model->layers;

    return bytes > UINT64_MAX ? UINT64_MAX : (uint64_t)bytes;
}

static bool take_memory(struct dyno_kv_storage *storage, const struct dyno_kv_layer *shape)
{
    uint64_t keys = dyno_kv_block_keys(shape) * element_bytes(shape->element);
    uint64_t values = dyno_kv_block_values(shape) * element_bytes(shape->element);

    storage->layer = calloc(storage->layers, sizeof(*storage->layer));
    if (!storage->layer) {
        return false;
    }
    for (uint32_t i = 0; i < storage->layers; i++) {
        struct dyno_kv_layer *layer = &storage->layer[i];

        *layer = *shape;
        layer->keys = calloc(storage->blocks, keys);
        layer->values = calloc(storage->blocks, values);
        if (!layer->keys || !layer->values) {
            return false;
        }
    }
    return true;
}

/* Of layers of one shape. */
static dyno_status open_shape(struct dyno_kv_storage **out, struct dyno_kv_storage of,
                              const struct dyno_kv_layer *shape, struct dyno_error *error)
{
    struct dyno_kv_storage *storage = malloc(sizeof *storage);

    if (!storage) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for keys and values");
    }
    *storage = of;
    if (!take_memory(storage, shape)) {
        dyno_kv_storage_close(storage);
        return dyno_fail(error, DYNO_NO_MEMORY,
                         "there is no memory for %" PRIu64 " bytes of keys and values (%u blocks "
                         "of %u tokens); fewer blocks would be less",
                         of.bytes, of.blocks, of.block_tokens);
    }
    *out = storage;
    return DYNO_OK;
}

dyno_status dyno_kv_storage_open(struct dyno_kv_storage **out, const struct dyno_model *model,
                                 uint32_t blocks, uint32_t block_tokens, enum dyno_element element,
                                 struct dyno_error *error)
{
    struct dyno_kv_layer shape = layer_shape(model, block_tokens, element);

    if (blocks == 0 || block_tokens == 0 || block_tokens > DYNO_KV_BLOCK_TOKENS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u blocks of %u tokens for keys and values: at least 1 block of 1 to %d "
                         "tokens is needed",
                         blocks, block_tokens, DYNO_KV_BLOCK_TOKENS_MAX);
    }
    if (element != DYNO_ELEMENT_F32 && element != DYNO_ELEMENT_F16 &&
        element != DYNO_ELEMENT_BF16) {
        return dyno_fail(error, DYNO_BAD_INPUT, "keys and values are stored as F32, F16 or BF16");
    }
    return open_shape(out,
                      (struct dyno_kv_storage){
                          .blocks = blocks,
                          .block_tokens = block_tokens,
                          .layers = model->layers,
                          .element = element,
                          .bytes = dyno_kv_storage_bytes(model, blocks, block_tokens, element),
                      },
                      &shape, error);
}

uint64_t dyno_kv_storage_block_bytes(const struct dyno_kv_storage *storage)
{
    return storage->bytes / storage->blocks;
}

dyno_status dyno_kv_storage_like(struct dyno_kv_storage **out,
                                 const struct dyno_kv_storage *storage, uint32_t blocks,
                                 struct dyno_error *error)
{
    unsigned __int128 bytes = (unsigned __int128)dyno_kv_storage_block_bytes(storage) * blocks;
    struct dyno_kv_storage of = *storage;

    if (blocks == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "0 blocks for keys and values: at least 1 is needed");
    }
    of.blocks = blocks;
    of.is_placed = false;
    of.bytes = bytes > UINT64_MAX ? UINT64_MAX : (uint64_t)bytes;
    return open_shape(out, of, &storage->layer[0], error);
}

struct dyno_kv_parts dyno_kv_storage_parts(const struct dyno_kv_storage *storage, uint32_t layer,
                                           uint32_t block)
{
    const struct dyno_kv_layer *of = &storage->layer[layer];
    size_t element = element_bytes(storage->element);
    struct dyno_kv_parts parts = {.keys_bytes = dyno_kv_block_keys(of) * element,
                                  .values_bytes = dyno_kv_block_values(of) * element};

    assert(block < storage->blocks);
    parts.keys = (char *)of->keys + block * parts.keys_bytes;
    parts.values = (char *)of->values + block * parts.values_bytes;
    return parts;
}

void dyno_kv_storage_get(const struct dyno_kv_storage *storage, uint32_t block, void *bytes)
{
    char *to = bytes;

    for (uint32_t i = 0; i < storage->layers; i++) {
        struct dyno_kv_parts parts = dyno_kv_storage_parts(storage, i, block);

        memcpy(to, parts.keys, parts.keys_bytes);
        memcpy(to + parts.keys_bytes, parts.values, parts.values_bytes);
        to += parts.keys_bytes + parts.values_bytes;
    }
}

void dyno_kv_storage_put(const struct dyno_kv_storage *storage, uint32_t block, const void *bytes)
{
    const char *from = bytes;

    for (uint32_t i = 0; i < storage->layers; i++) {
        struct dyno_kv_parts parts = dyno_kv_storage_parts(storage, i, block);

        memcpy(parts.keys, from, parts.keys_bytes);
        memcpy(parts.values, from + parts.keys_bytes, parts.values_bytes);
        from += parts.keys_bytes + parts.values_bytes;
    }
}

void dyno_kv_storage_copy_layer(const struct dyno_kv_storage *to, uint32_t to_block,
                                const struct dyno_kv_storage *from, uint32_t from_block,
                                uint32_t layer)
{
    struct dyno_kv_parts there = dyno_kv_storage_parts(to, layer, to_block);
    struct dyno_kv_parts here = dyno_kv_storage_parts(from, layer, from_block);

    assert(to->layers == from->layers && to->element == from->element &&
           to->block_tokens == from->block_tokens && layer < to->layers);
    memcpy(there.keys, here.keys, here.keys_bytes);
    memcpy(there.values, here.values, here.values_bytes);
}

void dyno_kv_storage_copy(const struct dyno_kv_storage *to, uint32_t to_block,
                          const struct dyno_kv_storage *from, uint32_t from_block)
{
    for (uint32_t i = 0; i < to->layers; i++) {
        dyno_kv_storage_copy_layer(to, to_block, from, from_block, i);
    }
}

static void give_memory(struct dyno_kv_storage *storage)
{
    for (uint32_t i = 0; storage->layer && !storage->is_placed && i < storage->layers; i++) {
        free(storage->layer[i].keys);
        free(storage->layer[i].values);
    }
}

void dyno_kv_storage_place(struct dyno_kv_storage *storage, void *memory)
{
    char *at = memory;

    give_memory(storage);
    storage->is_placed = true;
    for (uint32_t i = 0; i < storage->layers; i++) {
        struct dyno_kv_parts parts = dyno_kv_storage_parts(storage, i, 0);

        storage->layer[i].keys = at;
        at += storage->blocks * parts.keys_bytes;
        storage->layer[i].values = at;
        at += storage->blocks * parts.values_bytes;
    }
}

void dyno_kv_storage_close(struct dyno_kv_storage *storage)
{
    if (!storage) {
        return;
    }
    give_memory(storage);
    free(storage->layer);
    free(storage);
}

/* Advice is for whole pages, and refused where the system has no large ones: then small ones do. */
static void touch(void *memory, size_t bytes)
{
    size_t before = (LARGE_PAGE - (uintptr_t)memory % LARGE_PAGE) % LARGE_PAGE;

    if (bytes > before && bytes - before >= LARGE_PAGE) {
        (void)madvise((char *)memory + before, (bytes - before) / LARGE_PAGE * LARGE_PAGE,
                      MADV_HUGEPAGE);
    }
    memset(memory, 0, bytes);
}

void dyno_kv_storage_touch(struct dyno_kv_storage *storage)
{
    for (uint32_t i = 0; i < storage->layers; i++) {
        const struct dyno_kv_layer *layer = &storage->layer[i];
        size_t elements = (size_t)storage->blocks * element_bytes(storage->element);

        touch(layer->keys, elements * dyno_kv_block_keys(layer));
        touch(layer->values, elements * dyno_kv_block_values(layer));
    }
}
