/* Memory for keys and values: physical blocks of `block_tokens` tokens, each over all layers.
 *
 * Which block holds what is somebody else's business; a forward pass is given block tables.
 */
#ifndef DYNO_BACKENDS_CPU_KV_STORAGE_H
#define DYNO_BACKENDS_CPU_KV_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/model.h"
#include "kernels/attention.h"

struct dyno_kv_storage {
    uint32_t blocks, block_tokens, layers;
    enum dyno_element element;
    struct dyno_kv_layer *layer; /* [layers] */
    uint64_t bytes;              /* of keys and values, filled up as attention.h says */
    bool is_placed;              /* they lie where dyno_kv_storage_place was told */
};

enum { DYNO_KV_BLOCK_TOKENS_MAX = 4096 };

/* Bytes that `blocks` blocks would take; UINT64_MAX: more than can be counted. */
uint64_t dyno_kv_storage_bytes(const struct dyno_model *model, uint32_t blocks,
                               uint32_t block_tokens, enum dyno_element element);

/* `element` is F32, F16 or BF16.  All zero at first, and taken from the system as it is written to.
 * On success *out is the caller's (dyno_kv_storage_close); on failure it is untouched.
 * Errors: DYNO_BAD_INPUT (no blocks, block_tokens out of range, Q8_0), DYNO_NO_MEMORY. */
dyno_status dyno_kv_storage_open(struct dyno_kv_storage **out, const struct dyno_model *model,
                                 uint32_t blocks, uint32_t block_tokens, enum dyno_element element,
                                 struct dyno_error *error);
void dyno_kv_storage_close(struct dyno_kv_storage *storage); /* NULL: nothing */

/* Take all of it from the system now, in large pages where there are any, so that no pass pays for
 * the first touch of a page.  Before anything is stored: what was is zero again. */
void dyno_kv_storage_touch(struct dyno_kv_storage *storage);

/* Keys and values lie in memory[bytes] from now on, layer after layer, first all keys and then all
 * values of each; aligned as malloc does, somebody else's, and there until the storage closes.
 * Before anything is stored. */
void dyno_kv_storage_place(struct dyno_kv_storage *storage, void *memory);

/* Keys and values of one layer's block, and how many bytes they are.  Those of the next block
 * follow at once. */
struct dyno_kv_parts {
    char *keys, *values;
    size_t keys_bytes, values_bytes;
};

struct dyno_kv_parts dyno_kv_storage_parts(const struct dyno_kv_storage *storage, uint32_t layer,
                                           uint32_t block);

/* Memory of the same shape for `blocks` other blocks.  As dyno_kv_storage_open. */
dyno_status dyno_kv_storage_like(struct dyno_kv_storage **out,
                                 const struct dyno_kv_storage *storage, uint32_t blocks,
                                 struct dyno_error *error);

/* What block `from_block` of `from` holds, bit for bit, into block `to_block` of `to`: both of one
 * shape, and not the same block. */
void dyno_kv_storage_copy(const struct dyno_kv_storage *to, uint32_t to_block,
                          const struct dyno_kv_storage *from, uint32_t from_block);

/* The same of one layer. */
void dyno_kv_storage_copy_layer(const struct dyno_kv_storage *to, uint32_t to_block,
                                const struct dyno_kv_storage *from, uint32_t from_block,
                                uint32_t layer);

/* The same by way of other memory, of the bytes of a block. */
void dyno_kv_storage_get(const struct dyno_kv_storage *storage, uint32_t block, void *bytes);
void dyno_kv_storage_put(const struct dyno_kv_storage *storage, uint32_t block, const void *bytes);

/* Bytes of one block, all layers. */
uint64_t dyno_kv_storage_block_bytes(const struct dyno_kv_storage *storage);

#endif
