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

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("kv storage");

    tcase_add_test(cases, memory_that_is_touched_is_there_and_zero);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("kv_storage", add_cases)
