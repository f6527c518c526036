/* Small GGUF files, put together key by key. */
#ifndef DYNO_TESTS_BACKENDS_GGUF_FILES_H
#define DYNO_TESTS_BACKENDS_GGUF_FILES_H

#include "backends/assets/gguf.h"
#include "tests/backends/model_files.h"

struct gguf_file {
    struct bytes keys, list, data;
    uint64_t key_count, tensor_count;
};

static inline void put_gguf_text(struct bytes *bytes, const char *text)
{
    put_u64(bytes, strlen(text));
    put_word(bytes, text);
}

static inline void gguf_key(struct gguf_file *file, const char *name, enum dyno_gguf_type type)
{
    put_gguf_text(&file->keys, name);
    put_u32(&file->keys, type);
    file->key_count++;
}

static inline void gguf_u32(struct gguf_file *file, const char *name, uint32_t value)
{
    gguf_key(file, name, DYNO_GGUF_U32);
    put_u32(&file->keys, value);
}

static inline void gguf_float(struct gguf_file *file, const char *name, float value)
{
    gguf_key(file, name, DYNO_GGUF_F32);
    put(&file->keys, &value, sizeof(value));
}

static inline void gguf_text(struct gguf_file *file, const char *name, const char *value)
{
    gguf_key(file, name, DYNO_GGUF_STRING);
    put_gguf_text(&file->keys, value);
}

static inline void gguf_array(struct gguf_file *file, const char *name, enum dyno_gguf_type type,
                              uint64_t count)
{
    gguf_key(file, name, DYNO_GGUF_ARRAY);
    put_u32(&file->keys, type);
    put_u64(&file->keys, count);
}

/* A tensor of value_at(), of ggml's type number `type`: 0 F32, 1 F16, 8 Q8_0, 30 BF16. */
static inline void gguf_tensor(struct gguf_file *file, const struct tensor_plan *plan,
                               uint32_t type)
{
    enum dyno_element element = type == 1   ? DYNO_ELEMENT_F16
                                : type == 0 ? DYNO_ELEMENT_F32
                                            : DYNO_ELEMENT_BF16;

    while (file->data.size % 32 != 0) {
        put(&file->data, "", 1);
    }
    put_gguf_text(&file->list, plan->name);
    put_u32(&file->list, plan->rank);
    for (uint32_t i = plan->rank; i-- > 0;) {
        put_u64(&file->list, plan->shape[i]);
    }
    put_u32(&file->list, type);
    put_u64(&file->list, file->data.size);
    for (uint64_t i = 0; i < plan_elements(plan); i++) {
        if (type != 8) {
            put_value(&file->data, element, plan->name, i);
        } else if (i % DYNO_Q8_0_ELEMENTS == 0) {
            put_block(&file->data, plan->name, i);
        }
    }
    file->tensor_count++;
}

/* The whole file; released by the caller. */
static inline struct bytes gguf_bytes(const struct gguf_file *file)
{
    struct bytes all = {0};

    put_word(&all, "GGUF");
    put_u32(&all, 3);
    put_u64(&all, file->tensor_count);
    put_u64(&all, file->key_count);
    put(&all, file->keys.data, file->keys.size);
    if (file->list.size) {
        put(&all, file->list.data, file->list.size);
    }
    while (all.size % 32 != 0) {
        put(&all, "", 1);
    }
    if (file->data.size) {
        put(&all, file->data.data, file->data.size);
    }
    return all;
}

static inline void gguf_release(struct gguf_file *file)
{
    release_bytes(&file->keys);
    release_bytes(&file->list);
    release_bytes(&file->data);
    *file = (struct gguf_file){0};
}

/* The first place of `what` in the bytes. */
static inline uint8_t *find_bytes(const struct bytes *bytes, const void *what, size_t size)
{
    uint8_t *found = memmem(bytes->data, bytes->size, what, size);

    ck_assert_ptr_nonnull(found);
    return found;
}

#endif
