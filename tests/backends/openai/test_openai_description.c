/* What we say that we serve: that it is whole, and that it is what the parsers take. */
#include "backends/openai/chat.h"
#include "backends/openai/completion.h"
#include "backends/openai/embedding.h"
#include "backends/openai/openapi.h"
#include "backends/openai/responses.h"
#include "backends/openai/tokenize.h"
#include "tests/backends/openai/endpoints.h"
#include "tests/check_main.h"

#include <jansson.h>
#include <string.h>

static json_t *load_description(void)
{
    size_t size;
    const char *text = dyno_openai_description(&size);
    json_t *description = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

    ck_assert_ptr_nonnull(description);
    return description;
}

static const json_t *schema_of(const json_t *description, const char *name)
{
    const json_t *components = json_object_get(description, "components");

    return json_object_get(json_object_get(components, "schemas"), name);
}

START_TEST(every_path_is_described)
{
    static const char *const paths[][2] = {
        {"/v1/chat/completions", "post"},
        {"/v1/completions", "post"},
        {"/v1/responses", "post"},
        {"/v1/embeddings", "post"},
        {"/v1/models", "get"},
        {"/v1/models/{model}", "get"},
        {"/tokenize", "post"},
        {"/detokenize", "post"},
        {"/health", "get"},
        {"/live", "get"},
        {"/metrics", "get"},
        {"/openapi.json", "get"},
        {"/", "get"},
        {"/dashboard", "get"},
        {"/dashboard/data", "get"},
    };
    json_t *description = load_description();
    const json_t *all = json_object_get(description, "paths");

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const json_t *path = json_object_get(all, paths[i][0]);

        ck_assert_msg(json_object_get(path, paths[i][1]), "%s %s", paths[i][1], paths[i][0]);
        ck_assert_uint_eq(json_object_size(path), 1);
    }
    ck_assert_uint_eq(json_object_size(all), sizeof paths / sizeof *paths);
    json_decref(description);
}
END_TEST

/* Every $ref below `value` names a schema; returns how many there are. */
static size_t check_references(const json_t *description, json_t *value)
{
    static const char place[] = "#/components/schemas/";
    size_t count = 0, index;
    const char *key;
    json_t *item;

    json_object_foreach(value, key, item)
    {
        count += check_references(description, item);
        if (strcmp(key, "$ref") == 0) {
            ck_assert(strncmp(json_string_value(item), place, sizeof place - 1) == 0);
            ck_assert_msg(schema_of(description, json_string_value(item) + sizeof place - 1), "%s",
                          json_string_value(item));
            count++;
        }
    }
    json_array_foreach(value, index, item)
    {
        count += check_references(description, item);
    }
    return count;
}

START_TEST(every_reference_leads_somewhere)
{
    json_t *description = load_description();

    ck_assert_uint_gt(check_references(description, description), 30);
    json_decref(description);
}
END_TEST

START_TEST(every_field_that_is_described_is_known_to_the_parser)
{
    json_t *description = load_description();
    const struct endpoint *endpoint = &endpoints[_i];
    const json_t *schema = schema_of(description, endpoint->schema);
    json_t *properties = json_object_get(schema, "properties"), *property;
    const char *name;

    ck_assert(json_is_false(json_object_get(schema, "additionalProperties")));
    json_object_foreach(properties, name, property)
    {
        const char *code = code_of_odd_value(endpoint, name);

        ck_assert_msg(strcmp(code, DYNO_OPENAI_CODE_UNKNOWN) != 0, "%s: %s is unknown",
                      endpoint->schema, name);
    }
    ck_assert_str_eq(code_of_odd_value(endpoint, "quux"), DYNO_OPENAI_CODE_UNKNOWN);
    json_decref(description);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("description");

    tcase_add_test(cases, every_path_is_described);
    tcase_add_test(cases, every_reference_leads_somewhere);
    tcase_add_loop_test(cases, every_field_that_is_described_is_known_to_the_parser, 0,
                        (int)(sizeof endpoints / sizeof *endpoints));
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/description", add_cases)
