/* What a JSON text is said to take is no less than what Jansson takes for it. */
#include "backends/assets/json_weight.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"

enum { COPIES = 2000, TEXT_MAX = 1 << 18, OVERHEAD = 16 /* malloc's, for each block */ };

static size_t taken;

static void *count_bytes(size_t size)
{
    taken += size + OVERHEAD;
    return malloc(size);
}

static uint64_t weigh(const char *text)
{
    struct dyno_json_weight weight = {0};

    dyno_json_weigh(&weight, text, strlen(text));
    return weight.bytes;
}

START_TEST(many_of_anything_weigh_what_they_take)
{
    static const char *const parts[] = {
        "{}",
        "[]",
        "0",
        "\"\"",
        "\"a longer text with \\\" and {[,:\"",
        "{\"a\":1}",
        "[1,2,3]",
        "{\"dtype\":\"BF16\",\"shape\":[2048,768],\"data_offsets\":[0,3145728]}",
        "[\"a\",\"b\"]"};
    char *text = malloc(TEXT_MAX);
    size_t used = 0;
    json_malloc_t before_malloc;
    json_free_t before_free;
    json_t *root;

    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < COPIES; i++) {
        used += (size_t)snprintf(text + used, TEXT_MAX - used, "%c%s", i ? ',' : '[', parts[_i]);
    }
    (void)snprintf(text + used, TEXT_MAX - used, "]");
    json_get_alloc_funcs(&before_malloc, &before_free);
    json_set_alloc_funcs(count_bytes, free);
    taken = 0;
    root = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(root);
    /* Half of what a list of lists takes while it grows is given back. */
    ck_assert_uint_ge(2 * weigh(text), taken);
    ck_assert_uint_le(weigh(text), 2 * taken + COPIES);
    json_decref(root);
    json_set_alloc_funcs(before_malloc, before_free);
    free(text);
}
END_TEST

START_TEST(signs_in_texts_weigh_nothing_wherever_a_part_ends)
{
    static const char text[] = "{\"a\\\"{[,:\\\\\": [\"{{{{\", 1]}";
    uint64_t whole = weigh(text);

    /* An object, a list, two texts, a key and a comma; and the 15 bytes behind quotes. */
    ck_assert_uint_eq(whole, 192 + 96 + 2 * 64 + 64 + 42 + 15);
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct dyno_json_weight weight = {0};

        dyno_json_weigh(&weight, text, cut);
        dyno_json_weigh(&weight, text + cut, strlen(text) - cut);
        ck_assert_uint_eq(weight.bytes, whole);
    }
}
END_TEST

START_TEST(more_than_a_quarter_of_the_memory_is_refused_with_the_file)
{
    struct dyno_json_weight weight = {.bytes = 2500000000};
    struct dyno_error error;

    ck_assert_int_eq(dyno_json_weight_check(&weight, "m.json", 10000000000, &error), DYNO_OK);
    ck_assert_int_eq(dyno_json_weight_check(&weight, "m.json", 9999999996, &error), DYNO_NO_MEMORY);
    ck_assert_str_eq(error.text,
                     "'m.json': to read its JSON would take 2.5 GB of memory, more than "
                     "a quarter of the 10.0 GB that may be used");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("json_weight");

    tcase_add_loop_test(tcase, many_of_anything_weigh_what_they_take, 0, 9);
    tcase_add_test(tcase, signs_in_texts_weigh_nothing_wherever_a_part_ends);
    tcase_add_test(tcase, more_than_a_quarter_of_the_memory_is_refused_with_the_file);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/json_weight", add_cases)
