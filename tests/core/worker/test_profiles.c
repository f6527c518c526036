/* The engine profiles: found by name, whole, and with the values that each engine is known by. */
#include <string.h>

#include "core/worker/config.h"
#include "tests/check_main.h"

START_TEST(every_profile_is_found_by_its_name)
{
    uint32_t count = 0;

    for (const struct dyno_engine_profile *row = dyno_engine_table; row->name; row++, count++) {
        ck_assert_ptr_eq(dyno_engine_find(row->name), row);
        ck_assert_str_eq(row->config.engine, row->name);
        ck_assert_uint_gt(strlen(row->help), 0);
        for (const struct dyno_engine_profile *other = dyno_engine_table; other < row; other++) {
            ck_assert_str_ne(other->name, row->name);
        }
    }
    ck_assert_uint_eq(count, 3);
    ck_assert_ptr_null(dyno_engine_find("vLLM"));
    ck_assert_ptr_null(dyno_engine_find(""));
    ck_assert_ptr_null(dyno_engine_find("vll"));
}
END_TEST

/* A profile may be used as it stands: what depends on model and GPU, or on the run, is left open.
 */
START_TEST(every_profile_can_be_used_as_it_stands)
{
    for (const struct dyno_engine_profile *row = dyno_engine_table; row->name; row++) {
        const struct dyno_worker_config *config = &row->config;

        ck_assert_uint_ge(config->block_tokens, 1);
        ck_assert_uint_ge(config->seqs_max, 1);
        ck_assert_uint_ge(config->batch_tokens_max, config->seqs_max);
        ck_assert(config->prefix_cache && config->chunked_prefill);
        ck_assert(config->watermark >= 0.0 && config->watermark < 1.0);
        ck_assert(config->new_token_ratio >= 0.0 && config->new_token_ratio <= 1.0);
        ck_assert_uint_eq(config->blocks, 0);
        ck_assert_uint_eq(config->context_max, 0);
        ck_assert_uint_eq(config->queue_max, 0);
    }
}
END_TEST

START_TEST(the_engines_are_told_apart_by_what_they_are_known_for)
{
    const struct dyno_worker_config *vllm = &dyno_engine_find("vllm")->config;
    const struct dyno_worker_config *sglang = &dyno_engine_find("sglang")->config;
    const struct dyno_worker_config *trtllm = &dyno_engine_find("trtllm")->config;

    ck_assert_int_eq(vllm->order, DYNO_ORDER_MIXED);
    ck_assert_int_eq(vllm->admission, DYNO_ADMIT_CHUNK);
    ck_assert_uint_eq(vllm->block_tokens, 16);
    ck_assert_uint_eq(vllm->seqs_max, 256);
    ck_assert(vllm->hit_when_scheduled && vllm->watermark == 0.0);
    ck_assert_int_eq(sglang->order, DYNO_ORDER_PREFILL_FIRST);
    ck_assert_int_eq(sglang->admission, DYNO_ADMIT_ESTIMATE);
    ck_assert_uint_eq(sglang->block_tokens, 1);
    ck_assert(!sglang->hit_when_scheduled && sglang->new_token_ratio > 0.0);
    ck_assert_int_eq(trtllm->order, DYNO_ORDER_MIXED);
    ck_assert_int_eq(trtllm->admission, DYNO_ADMIT_NO_EVICT);
    ck_assert_uint_eq(trtllm->block_tokens, 32);
    ck_assert(!trtllm->hit_when_scheduled);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("profiles");

    tcase_add_test(cases, every_profile_is_found_by_its_name);
    tcase_add_test(cases, every_profile_can_be_used_as_it_stands);
    tcase_add_test(cases, the_engines_are_told_apart_by_what_they_are_known_for);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/profiles", add_cases)
