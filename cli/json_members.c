#include "cli/json_members.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* In place of the brackets: a comma before the first member, nothing after the last. */
static char *write_members(const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

    if (text && json_object_size(object) == 0) {
        text[0] = '\0';
    } else if (text) {
        text[0] = ',';
        text[strlen(text) - 1] = '\0';
    }
    return text;
}

static dyno_status check(const json_t *object, const char *option, const char *const *refused,
                         struct dyno_error *error)
{
    if (!json_is_object(object)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is not a JSON object, such as {\"seed\":1}",
                         option);
    }
    for (; *refused; refused++) {
        if (json_object_get(object, *refused)) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s: \"%s\" is set by dyno itself", option,
                             *refused);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_json_members(char **out, const char *text, const char *option,
                              const char *const *refused, struct dyno_error *error)
{
    json_error_t why;
    json_t *object;
    dyno_status status;
    char *members;

    if (!text) {
        return DYNO_OK;
    }
    object = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!object) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is no JSON: %s", option, why.text);
    }
    status = check(object, option, refused, error);
    if (status == DYNO_OK) {
        members = write_members(object);
        if (members) {
            *out = members;
        } else {
            status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for %s", option);
        }
    }
    json_decref(object);
    return status;
}
