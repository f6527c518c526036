/* Memory for keys and values: when it is taken from the system. */
#include "backends/cpu/kv_storage.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/check_main.h"

enum { BLOCKS = 4096, BLOCK_TOKENS = 16, PAGES_MAX = 1 << 14 };

/* Pages wholly inside `memory` that the system has given, in percent. */
static size_t percent_resident(void *memory, size_t bytes)
{
    static unsigned char is[PAGES_MAX];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = page - (uintptr_t)memory % page;
    size_t pages = (bytes - before) / page, resident = 0;

    ck_assert_uint_le(pages, PAGES_MAX);
    ck_assert_int_eq(mincore((char *)memory + before, pages * page, is), 0);
    for (size_t i = 0; i < pages; i++) {
        resident += is[i] & 1;
    }
    return 100 * resident / pages;
}

START_TEST(memory_that_is_touched_is_there_and_zero)
{
    const struct dyno_model model = {.layers = 2, .kv_heads = 1, .head_dim = 32};
    struct dyno_kv_storage *storage = NULL;
    struct dyno_error error;
    size_t floats;
    float *last;

    ck_assert_int_eq(
        dyno_kv_storage_open(&storage, &model, BLOCKS, BLOCK_TOKENS, DYNO_ELEMENT_F32, &error),
        DYNO_OK);
    last = storage->layer[1].values;
    floats = BLOCKS * dyno_kv_block_values(&storage->layer[1]);
    ck_assert_uint_lt(percent_resident(last, floats * sizeof(float)), 50);
    dyno_kv_storage_touch(storage);
    for (uint32_t i = 0; i < storage->layers; i++) {
        ck_assert_uint_eq(
            percent_resident(storage->layer[i].keys,
                             BLOCKS * dyno_kv_block_keys(&storage->layer[i]) * sizeof(float)),
            100);
        ck_assert_uint_eq(percent_resident(storage->layer[i].values, floats * sizeof(float)), 100);
    }
    ck_assert_float_eq(last[floats - 1], 0.0F);
    dyno_kv_storage_close(storage);
}
END_TEST

/* Every key and value of a block, of each layer. */
START_TEST(a_block_is_copied_bit_for_bit)
{
    const struct dyno_model model = {.layers = 3, .kv_heads = 2, .head_dim = 20};
    struct dyno_kv_storage *from = NULL, *to = NULL;
    struct dyno_error error;
    float key[20], value[20], got_key[20], got_value[20];

    ck_assert_int_eq(dyno_kv_storage_open(&from, &model, 4, 5, DYNO_ELEMENT_F32, &error), DYNO_OK);
    ck_assert_int_eq(dyno_kv_storage_like(&to, from, 9, &error), DYNO_OK);
    ck_assert_uint_eq(to->bytes, 9 * dyno_kv_storage_block_bytes(from));
    for (uint32_t i = 0; i < 20; i++) {
        key[i] = (float)i + 0.1F;
        value[i] = -(float)i - 0.1F;
    }
    for (uint32_t layer = 0; layer < 3; layer++) {
        key[0] = value[0] = (float)layer;
        dyno_kv_write(&from->layer[layer], 2, 4, 1, key, value);
    }
    dyno_kv_storage_copy(to, 8, from, 2);
    dyno_kv_storage_copy_layer(to, 6, from, 2, 1);
    for (uint32_t layer = 0; layer < 3; layer++) {
        key[0] = value[0] = (float)layer;
        dyno_kv_read(&to->layer[layer], 8, 4, 1, got_key, got_value);
        ck_assert_mem_eq(got_key, key, sizeof key);
        ck_assert_mem_eq(got_value, value, sizeof value);
        dyno_kv_read(&to->layer[layer], 6, 4, 1, got_key, got_value);
        ck_assert_float_eq(got_key[1], layer == 1 ? key[1] : 0.0F);
        ck_assert_float_eq(got_value[1], layer == 1 ? value[1] : 0.0F);
        dyno_kv_read(&to->layer[layer], 7, 4, 1, got_key, got_value);
        ck_assert_float_eq(got_key[1], 0.0F);
    }
    dyno_kv_storage_close(from);
    dyno_kv_storage_close(to);
}
END_TEST

/* Layer after layer, first all keys and then all values, in memory of somebody else's. */
START_TEST(blocks_lie_where_they_are_placed)
{
    const struct dyno_model model = {.layers = 2, .kv_heads = 2, .head_dim = 20};
    struct dyno_kv_storage *storage = NULL, *other = NULL;
    struct dyno_kv_parts parts;
    struct dyno_error error;
    char *memory, *copy;
    size_t layer;

    ck_assert_int_eq(dyno_kv_storage_open(&storage, &model, 4, 5, DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    ck_assert_int_eq(dyno_kv_storage_like(&other, storage, 3, &error), DYNO_OK);
    memory = calloc(1, storage->bytes);
    copy = malloc(dyno_kv_storage_block_bytes(storage));
    memset(copy, 7, dyno_kv_storage_block_bytes(storage));
    dyno_kv_storage_place(storage, memory);
    parts = dyno_kv_storage_parts(storage, 1, 2);
    layer = 4 * (parts.keys_bytes + parts.values_bytes);
    ck_assert_uint_eq(storage->bytes, 2 * layer);
    ck_assert_ptr_eq(parts.keys, memory + layer + 2 * parts.keys_bytes);
    ck_assert_ptr_eq(parts.values, memory + layer + 4 * parts.keys_bytes + 2 * parts.values_bytes);
    dyno_kv_storage_put(storage, 2, copy);
    ck_assert_int_eq(parts.values[parts.values_bytes - 1], 7);
    ck_assert_int_eq(parts.values[parts.values_bytes], 0);
    dyno_kv_storage_copy(other, 1, storage, 2); /* what is placed and what is not are alike */
    ck_assert_mem_eq(dyno_kv_storage_parts(other, 1, 1).values, copy, parts.values_bytes);
    dyno_kv_storage_close(storage);
    dyno_kv_storage_close(other);
    free(memory);
    free(copy);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("kv storage");

    tcase_add_test(cases, memory_that_is_touched_is_there_and_zero);
    tcase_add_test(cases, a_block_is_copied_bit_for_bit);
    tcase_add_test(cases, blocks_lie_where_they_are_placed);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("kv_storage", add_cases)
