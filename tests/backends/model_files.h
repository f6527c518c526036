/* Small models written by the tests themselves: growing bytes, a folder to put them in, and values
 * that every type of weights holds exactly. */
#ifndef DYNO_TESTS_BACKENDS_MODEL_FILES_H
#define DYNO_TESTS_BACKENDS_MODEL_FILES_H

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/half.h"
#include "kernels/matrix.h"

struct bytes {
    uint8_t *data;
    size_t size, room;
};

static inline void put(struct bytes *bytes, const void *data, size_t size)
{
    if (size == 0) {
        return;
    }
    if (bytes->size + size > bytes->room) {
        bytes->room = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->room);
        ck_assert_ptr_nonnull(bytes->data);
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static inline void put_u32(struct bytes *bytes, uint32_t value)
{
    put(bytes, &value, sizeof(value));
}

static inline void put_u64(struct bytes *bytes, uint64_t value)
{
    put(bytes, &value, sizeof(value));
}

static inline void put_word(struct bytes *bytes, const char *text)
{
    put(bytes, text, strlen(text));
}

static inline void release_bytes(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

/* A folder that is gone after the test. */
static char model_folder[sizeof P_tmpdir + 32];

static inline void make_model_folder(void)
{
    (void)snprintf(model_folder, sizeof model_folder, "%s/dyno-model-XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(model_folder));
}

static inline const char *model_path(const char *name)
{
    static char path[sizeof model_folder + 256];

    (void)snprintf(path, sizeof path, "%s/%s", model_folder, name);
    return path;
}

static inline void remove_model_folder(void)
{
    DIR *folder = opendir(model_folder);
    struct dirent *entry;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder))) {
        (void)unlink(model_path(entry->d_name));
    }
    (void)closedir(folder);
    (void)rmdir(model_folder);
}

static inline void write_bytes(const char *name, const void *data, size_t size)
{
    FILE *out = fopen(model_path(name), "wb");

    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, size, out), size);
    ck_assert_int_eq(fclose(out), 0);
}

static inline void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Sixty-fourths below 1, so that 16-bit floats and Q8_0 hold them exactly. */
static inline float value_at(const char *name, uint64_t i)
{
    uint64_t hash = 5381;

    for (; *name; name++) {
        hash = hash * 33 + (uint8_t)*name;
    }
    return (float)((int64_t)((hash + i * 7) % 101) - 50) / 64;
}

/* Element i of a tensor called `name`, of F32, F16 or BF16. */
static inline void put_value(struct bytes *bytes, enum dyno_element element, const char *name,
                             uint64_t i)
{
    float value = value_at(name, i);
    uint16_t half =
        element == DYNO_ELEMENT_F16 ? dyno_half_of_float(value) : dyno_bf16_of_float(value);

    if (element == DYNO_ELEMENT_F32) {
        put(bytes, &value, sizeof(value));
    } else {
        put(bytes, &half, sizeof(half));
    }
}

/* One block of Q8_0 with scale 1/64. */
static inline void put_block(struct bytes *bytes, const char *name, uint64_t first)
{
    uint16_t scale = dyno_half_of_float(1.0F / 64);
    int8_t values[DYNO_Q8_0_ELEMENTS];

    for (uint32_t i = 0; i < DYNO_Q8_0_ELEMENTS; i++) {
        values[i] = (int8_t)(value_at(name, first + i) * 64);
    }
    put(bytes, &scale, sizeof(scale));
    put(bytes, values, sizeof(values));
}

/* A tensor to be written; shape outermost first. */
struct tensor_plan {
    const char *name;
    uint32_t rank;
    uint32_t shape[3];
};

static inline uint64_t plan_elements(const struct tensor_plan *plan)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < plan->rank; i++) {
        count *= plan->shape[i];
    }
    return count;
}

/* The header and the data of a safetensors file. */
static inline void plan_safetensors(struct bytes *header, struct bytes *data,
                                    const struct tensor_plan *plans, size_t count,
                                    enum dyno_element element)
{
    static const char *const names[] = {"F32", "F16", "BF16"};
    char text[256];

    put_word(header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < count; i++) {
        const struct tensor_plan *plan = &plans[i];
        size_t begin = data->size;

        for (uint64_t j = 0; j < plan_elements(plan); j++) {
            put_value(data, element, plan->name, j);
        }
        (void)snprintf(text, sizeof text, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%u%s", plan->name,
                       names[element], plan->shape[0], plan->rank > 1 ? "," : "");
        put_word(header, text);
        if (plan->rank > 1) {
            (void)snprintf(text, sizeof text, "%u", plan->shape[1]);
            put_word(header, text);
        }
        (void)snprintf(text, sizeof text, "],\"data_offsets\":[%zu,%zu]}", begin, data->size);
        put_word(header, text);
    }
    put_word(header, "}");
}

static inline void write_safetensors(const char *name, const struct bytes *header,
                                     const struct bytes *data)
{
    struct bytes file = {0};

    put_u64(&file, header->size);
    put(&file, header->data, header->size);
    put(&file, data->data, data->size);
    write_bytes(name, file.data, file.size);
    release_bytes(&file);
}

#endif
