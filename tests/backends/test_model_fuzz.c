/* Seeded mutations of good model files through the fuzz harnesses.  Under the sanitizers this is a
 * fuzzer of a few seconds; a failure prints the seed that repeats it. */
#include "core/base/rng.h"
#include "tests/fuzz/model_seeds.h"

#define LLVMFuzzerTestOneInput fuzz_one_safetensors
#include "tests/fuzz/fuzz_safetensors.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_gguf
#include "tests/fuzz/fuzz_gguf.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_llama2c
#include "tests/fuzz/fuzz_llama2c.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_config
#include "tests/fuzz/fuzz_config.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_one_tokenizer
#include "tests/fuzz/fuzz_tokenizer_file.c"
#undef LLVMFuzzerTestOneInput

#include "tests/check_main.h"

enum { MUTATIONS = 60, CHANGES_MAX = 4 };

static struct bytes good_folder(size_t i)
{
    return seed_folder(i / 2, (enum dyno_element)(i / 2 % 3), i % 2);
}

static struct bytes good_gguf(size_t i)
{
    return seed_gguf(i, (enum dyno_element)(i % 4));
}

static struct bytes good_gguf_vocabulary(size_t i)
{
    return seed_gguf_vocabulary(i == 0);
}

static struct bytes good_llama2c(size_t i)
{
    return i < 2 ? seed_llama2c(i == 0) : i == 2 ? seed_llama2c_int8() : seed_llama2c_tokenizer();
}

static struct bytes good_safetensors(size_t i)
{
    return seed_safetensors(i == 0);
}

static const struct kind {
    const char *name;
    struct bytes (*good)(size_t i);
    size_t count; /* of good files */
    size_t opens; /* models and tokenizers in one of them */
    int (*one)(const uint8_t *data, size_t size);
} kinds[] = {
    {"safetensors", good_safetensors, 2, 1, fuzz_one_safetensors},
    {"gguf", good_gguf, FAMILY_SHAPES, 2, fuzz_one_gguf},
    {"gguf vocabulary", good_gguf_vocabulary, 2, 1, fuzz_one_gguf},
    {"llama2c", good_llama2c, 4, 1, fuzz_one_llama2c},
    {"config", good_folder, 2 * FAMILY_SHAPES, 1, fuzz_one_config},
    {"fp8", seed_fp8_folder, FP8_SEEDS, 1, fuzz_one_config},
    {"tokenizer", seed_tokenizer, TOKENIZER_SEEDS, 1, fuzz_one_tokenizer},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Most changes near the beginning, where lengths and names are. */
static void mutate(struct dyno_rng *rng, struct bytes *bytes)
{
    static const uint64_t nasty[] = {0, 1, 7, 255, UINT32_MAX, INT64_MAX, UINT64_MAX, 1ULL << 31};
    size_t reach = dyno_rng_below(rng, 2) && bytes->size > 300 ? 300 : bytes->size;
    size_t at = dyno_rng_below(rng, reach + 1);
    uint64_t number = nasty[dyno_rng_below(rng, sizeof nasty / sizeof nasty[0])];
    size_t size = (size_t)1 << dyno_rng_below(rng, 4);

    switch (dyno_rng_below(rng, 4)) {
    case 0: /* another byte */
        if (at < bytes->size) {
            bytes->data[at] = (uint8_t)dyno_rng_below(rng, 256);
        }
        break;
    case 1: /* another number */
        if (at + size <= bytes->size) {
            memcpy(bytes->data + at, &number, size);
        }
        break;
    case 2: /* some bytes moved */
        if (at + size <= bytes->size && size < at) {
            memmove(bytes->data + at - size, bytes->data + at, size);
        }
        break;
    default: /* cut off, seldom */
        if (dyno_rng_below(rng, 4) == 0) {
            bytes->size = at;
        }
        break;
    }
}

/* _i: the kind of file. */
START_TEST(no_bytes_crash_a_loader)
{
    const struct kind *kind = &kinds[_i];
    const char *only = getenv("DYNO_FUZZ_SEED");

    for (size_t good = 0; good < kind->count; good++) {
        struct bytes whole = kind->good(good);

        for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
            struct bytes bytes = {0};
            struct dyno_rng rng;

            if (only && strtoull(only, NULL, 10) != seed) {
                continue;
            }
            put(&bytes, whole.data, whole.size);
            dyno_rng_init(&rng, seed, "mutation");
            for (uint64_t i = dyno_rng_below(&rng, CHANGES_MAX + 1); i > 0; i--) {
                mutate(&rng, &bytes);
            }
            (void)fprintf(stderr, "\r%s %zu, DYNO_FUZZ_SEED=%llu ", kind->name, good,
                          (unsigned long long)seed);
            (void)kind->one(bytes.data, bytes.size);
            release_bytes(&bytes);
        }
        release_bytes(&whole);
    }
}
END_TEST

/* The harness would find nothing if its good files were refused: _i: the kind of file. */
START_TEST(the_good_files_are_good)
{
    const struct kind *kind = &kinds[_i];

    for (size_t good = 0; good < kind->count; good++) {
        struct bytes bytes = kind->good(good);

        fuzz_opened_count = 0;
        (void)kind->one(bytes.data, bytes.size);
        ck_assert_msg(fuzz_opened_count == kind->opens, "%s %zu: %s", kind->name, good,
                      fuzz_refusal.text);
        release_bytes(&bytes);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("model_fuzz");

    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, the_good_files_are_good, 0, KINDS);
    tcase_add_loop_test(tcase, no_bytes_crash_a_loader, 0, KINDS);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("backends/model_fuzz", add_cases)
