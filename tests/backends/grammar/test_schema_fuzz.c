/* Seeded mutations of schemas through the fuzz harness: a fuzzer of a few seconds. */
#include "core/base/rng.h"
#include "tests/backends/grammar/random_schema.h"
#include "tests/fuzz/fuzz_schema.c"

#include "tests/check_main.h"

enum { MUTATIONS = 40, CHANGES_MAX = 3, CHOICES = 32 };

static const char *const seeds[] = {
    "{\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":"
    "\"#/$defs/node\"},{\"type\":\"null\"}]}},\"required\":[\"next\"]}},\"$ref\":\"#/$defs/node\"}",
    "{\"pattern\":\"^(?:[a-z]+|\\\\d{2,3})\\\\.x*?$\",\"minLength\":2,\"maxLength\":9}",
    "{\"type\":[\"integer\",\"string\"],\"exclusiveMinimum\":-1.5,\"maximum\":1e3}",
    "{\"type\":\"number\",\"minimum\":-20,\"exclusiveMaximum\":31}",
    "{\"oneOf\":[{\"const\":{\"a\":[1,null]}},{\"enum\":[\"a\",\"ab\",0.5]},{\"prefixItems\":[true,"
    "{\"format\":\"date\"}],\"items\":false}]}",
};

enum { SEEDS = sizeof seeds / sizeof *seeds };

/* A schema, of which some bytes are changed to others that stand in it, and choices behind it. */
static void mutate(struct dyno_rng *rng, const char *text)
{
    static const char bytes[] = "\"{}[],:0123456789-.^$*+?()|\\abcdnrtux";
    size_t size = strlen(text);
    uint8_t *data = malloc(size + CHOICES);

    memcpy(data, text, size);
    for (uint32_t i = pick(rng, CHANGES_MAX + 1); i > 0; i--) {
        data[pick(rng, (uint32_t)size)] = pick(rng, 2) ? (uint8_t)bytes[pick(rng, sizeof bytes - 1)]
                                                       : data[pick(rng, (uint32_t)size)];
    }
    for (int i = 0; i < CHOICES; i++) {
        data[size + (size_t)i] = (uint8_t)pick(rng, '}');
    }
    (void)LLVMFuzzerTestOneInput(data, size + CHOICES - pick(rng, 2));
    free(data);
}

START_TEST(changed_schemas_are_refused_or_never_get_stuck)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "schema fuzz");
    for (int i = 0; i < MUTATIONS; i++) {
        json_t *schema = random_schema(&rng, 2);
        char *text = json_dumps(schema, JSON_COMPACT);

        mutate(&rng, text);
        mutate(&rng, seeds[i % SEEDS]);
        free(text);
        json_decref(schema);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("schema fuzz");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, changed_schemas_are_refused_or_never_get_stuck, 0, 10);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("schema fuzz", add_cases)
