/* Constraints: a grammar for each schema, found again only for the very same one. */
#include "backends/door/constraint.h"

#include "tests/check_main.h"

enum { VOCAB = 257, END_TOKEN = 256 };

static struct dyno_constraints *open_bytes(void)
{
    static char bytes[256];
    static struct dyno_token tokens[VOCAB];
    const struct dyno_vocabulary vocabulary = {.tokens = tokens, .token_count = VOCAB};
    const uint32_t ends[] = {END_TOKEN};
    struct dyno_constraints *constraints;
    struct dyno_error error;

    for (uint32_t id = 0; id < 256; id++) {
        bytes[id] = (char)id;
        tokens[id] = (struct dyno_token){.bytes = &bytes[id], .size = 1};
    }
    ck_assert_int_eq(dyno_constraints_open(&constraints, &vocabulary, VOCAB, ends, 1, &error),
                     DYNO_OK);
    return constraints;
}

/* The bytes that are written where there is one choice only; the end is written '$'. */
static void write_only(struct dyno_constraints *constraints, const char *schema_text, char *out,
                       size_t size)
{
    json_t *schema = json_loads(schema_text, 0, NULL);
    struct dyno_constraint *constraint;
    struct dyno_error error;
    size_t count = 0;

    ck_assert_int_eq(dyno_constraint_take(constraints, schema, true, &constraint, &error), DYNO_OK);
    while (count + 1 < size) {
        const uint64_t *mask = dyno_constraint_mask(constraint);
        uint32_t token = 0;

        while (token == ' ' || token == '\n' || !(mask[token / 64] >> (token % 64) & 1)) {
            token++;
        }
        out[count++] = token == END_TOKEN ? '$' : (char)token;
        if (token == END_TOKEN) {
            break;
        }
        dyno_constraint_advance(constraint, token);
    }
    out[count] = '\0';
    dyno_constraint_give(constraint);
    json_decref(schema);
}

START_TEST(schemas_that_differ_in_the_order_of_properties_are_two)
{
    struct dyno_constraints *constraints = open_bytes();
    char text[64];

    for (int i = 0; i < 2; i++) {
        write_only(constraints,
                   "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2}},"
                   "\"required\":[\"a\",\"b\"]}",
                   text, sizeof text);
        ck_assert_str_eq(text, "{\"a\":1,\"b\":2}$");
        write_only(constraints,
                   "{\"type\":\"object\",\"properties\":{\"b\":{\"const\":2},\"a\":{\"const\":1}},"
                   "\"required\":[\"a\",\"b\"]}",
                   text, sizeof text);
        ck_assert_str_eq(text, "{\"b\":2,\"a\":1}$");
    }
    dyno_constraints_close(constraints);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("constraint");

    tcase_add_test(tcase, schemas_that_differ_in_the_order_of_properties_are_two);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("constraint", add_cases)
