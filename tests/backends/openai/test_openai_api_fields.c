/* Every field that the API's own description has is read here, or refused as one that is known;
 * those that are read are in our description.  Skipped where the API's is not beside the tree. */
#include "backends/openai/openapi.h"

#include <jansson.h>
#include <unistd.h>

#include "tests/backends/openai/endpoints.h"
#include "tests/check_main.h"

#define API "../shared/specs/openai-openapi.json"

static json_t *api, *ours;

static const json_t *schema_of(const json_t *description, const char *name)
{
    const json_t *components = json_object_get(description, "components");

    return json_object_get(json_object_get(components, "schemas"), name);
}

/* Asks `endpoint` for every property of `schema`, whose parts may be elsewhere; how many there are.
 */
static size_t check_schema(const struct endpoint *endpoint, const json_t *schema)
{
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    json_t *properties = json_object_get(schema, "properties"), *item;
    const json_t *described = json_object_get(schema_of(ours, endpoint->schema), "properties");
    size_t count = 0, index;
    const char *name;

    if (reference) {
        return check_schema(endpoint, schema_of(api, strrchr(reference, '/') + 1));
    }
    json_array_foreach(json_object_get(schema, "allOf"), index, item)
    {
        count += check_schema(endpoint, item);
    }
    json_object_foreach(properties, name, item)
    {
        const char *code = code_of_odd_value(endpoint, name);

        ck_assert_msg(strcmp(code, DYNO_OPENAI_CODE_UNKNOWN) != 0, "%s: %s is unknown",
                      endpoint->schema, name);
        ck_assert_msg(strcmp(code, DYNO_OPENAI_CODE_UNSUPPORTED) == 0 ||
                          json_object_get(described, name),
                      "%s: %s is read, but not described", endpoint->schema, name);
        count++;
    }
    return count;
}

START_TEST(every_field_of_the_api_is_known_here)
{
    const struct endpoint *endpoint = &endpoints[_i];

    if (endpoint->api_schema) {
        ck_assert_uint_gt(check_schema(endpoint, schema_of(api, endpoint->api_schema)), 4);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fields");

    tcase_add_loop_test(cases, every_field_of_the_api_is_known_here, 0,
                        (int)(sizeof endpoints / sizeof *endpoints));
    suite_add_tcase(suite, cases);
}

int main(void)
{
    size_t size;
    const char *text = dyno_openai_description(&size);
    int result;

    if (access(API, R_OK) != 0) {
        puts("skipped: there is no " API);
        return DYNO_CHECK_SKIPPED;
    }
    api = json_load_file(API, JSON_DECODE_INT_AS_REAL, NULL); /* some integers are too big */
    ours = json_loadb(text, size, 0, NULL);
    result = api && ours ? dyno_check_run("openai/api_fields", add_cases) : EXIT_FAILURE;
    json_decref(api);
    json_decref(ours);
    return result;
}
