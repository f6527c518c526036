/* Random texts through the fuzz harness: a fuzzer of a few seconds. */
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/fuzz/fuzz_encode.c"

enum { TEXT_MAX = 400, TEXTS = 1500 };

static const char *const pieces[] = {"the",
                                     " and",
                                     "aaa",
                                     " ",
                                     "  ",
                                     "\n",
                                     "<s>",
                                     "<|x|>y",
                                     "<tool",
                                     "</s>",
                                     "123",
                                     "e\xCC\x81",
                                     "\xC3\xA9",
                                     "\xE6\x97\xA5",
                                     "\xF0\x9F\x98\x80",
                                     "\xFF",
                                     "\xE6\x97",
                                     "\xE2\x96\x81",
                                     "'s",
                                     ".",
                                     "\xCC\x87\xCC\xA3",
                                     "\xE1\x84\x80\xE1\x85\xA1",
                                     "xy",
                                     "abc",
                                     "\xED\xA0\x80",
                                     "\xC0\x80"};

START_TEST(no_text_is_lost)
{
    struct dyno_rng rng;
    uint8_t text[TEXT_MAX];

    dyno_rng_init(&rng, (uint64_t)_i, "fuzz");
    for (int i = 0; i < TEXTS; i++) {
        size_t size = 1;

        text[0] = (uint8_t)dyno_rng_below(&rng, 256);
        for (uint64_t left = dyno_rng_below(&rng, 30); left > 0; left--) {
            const char *piece = pieces[dyno_rng_below(&rng, sizeof pieces / sizeof *pieces)];

            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
            if (dyno_rng_below(&rng, 5) == 0) {
                text[size++] = (uint8_t)dyno_rng_below(&rng, 256);
            }
        }
        (void)LLVMFuzzerTestOneInput(text, size);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fuzz");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, no_text_is_lost, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("tokenizer/fuzz", add_cases)
