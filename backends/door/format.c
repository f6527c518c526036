/* What answers must be: JSON of a schema, any JSON object, or a call of a tool.
 *
 * A tool that must be called is a schema too: an object with the tool's name and arguments, the
 * whole answer (the form that dyno_openai_call_reader calls BARE).
 */
#include <string.h>

#include "backends/door/door_parts.h"

/* {"type": "object", "properties": {"name": ..., "arguments": ...}, ...}; NULL: no memory. */
static json_t *schema_of_call(const json_t *tool)
{
    const json_t *function = json_object_get(tool, "function");
    json_t *parameters = json_object_get(function, "parameters");

    if (json_is_object(parameters)) {
        json_incref(parameters);
    } else {
        parameters = json_pack("{s:s}", "type", "object");
    }
    return json_pack("{s:s, s:{s:{s:O}, s:o}, s:[s,s], s:b}", "type", "object", "properties",
                     "name", "const", json_object_get(function, "name"), "arguments", parameters,
                     "required", "name", "arguments", "additionalProperties", 0);
}

static bool is_asked(const struct dyno_openai_tools *tools, const json_t *tool)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(tool, "function"), "name"));

    return tools->choice == DYNO_OPENAI_TOOL_REQUIRED || (name && strcmp(name, tools->named) == 0);
}

/* Of all tools, or of the one that is named. */
static json_t *schema_of_calls(const struct dyno_openai_tools *tools)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(tools->list); i++) {
        const json_t *tool = json_array_get(tools->list, i);

        if (is_asked(tools, tool) && json_array_append_new(list, schema_of_call(tool)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:o}", "anyOf", list);
}

/* The grammar is made once, so that a schema that is none is refused before anything begins. */
static dyno_status try_schema(struct dyno_call *call, struct dyno_scribe *scribe, const char *param,
                              struct dyno_openai_error *error)
{
    struct dyno_error cause = {.status = DYNO_OK};
    struct dyno_constraints *constraints = call->served->constraints;
    struct dyno_constraint *constraint;
    dyno_status status;

    if (scribe->hurries && !dyno_constraint_is_kept(constraints, call->schema, call->is_strict)) {
        scribe->gave_up = true;
        return dyno_openai_fail(error, 503, NULL, param, "the schema takes long to understand");
    }
    status = dyno_constraint_take(constraints, call->schema, call->is_strict, &constraint, &cause);

    if (status == DYNO_NO_MEMORY) {
        return dyno_openai_fail_memory(error);
    }
    if (status != DYNO_OK) {
        return dyno_openai_fail(error, 400,
                                status == DYNO_UNSUPPORTED ? DYNO_OPENAI_CODE_UNSUPPORTED
                                                           : DYNO_OPENAI_CODE_VALUE,
                                param, "%s", cause.text);
    }
    dyno_constraint_give(constraint);
    return DYNO_OK;
}

static dyno_status constrain(struct dyno_call *call, struct dyno_scribe *scribe, const char *param,
                             struct dyno_openai_error *error)
{
    if (!call->served->constraints) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_UNSUPPORTED, param,
                                "this server computes nothing: its answers are filler, and cannot "
                                "be JSON");
    }
    call->is_constrained = true;
    return try_schema(call, scribe, param, error);
}

dyno_status dyno_call_constrain(struct dyno_call *call, struct dyno_scribe *scribe,
                                const struct dyno_call_config *config,
                                struct dyno_openai_error *error)
{
    const struct dyno_openai_tools *tools = &call->tools;
    const struct dyno_openai_format *format = config->format;
    bool has_format = format && format->kind != DYNO_OPENAI_FORMAT_TEXT;
    bool must_call = tools->list && tools->choice != DYNO_OPENAI_TOOL_AUTO;

    if (has_format && tools->list) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_UNSUPPORTED, "response_format",
                                "an answer cannot be JSON and call tools: leave out tools, or the "
                                "format");
    }
    if (must_call) {
        call->schema = schema_of_calls(tools);
        call->is_strict = true;
        return call->schema ? constrain(call, scribe, "tools", error)
                            : dyno_openai_fail_memory(error);
    }
    if (!has_format) {
        return DYNO_OK;
    }
    if (format->kind == DYNO_OPENAI_FORMAT_JSON_SCHEMA) {
        call->schema = json_deep_copy(format->schema);
        call->is_strict = format->strict;
        if (!call->schema) {
            return dyno_openai_fail_memory(error);
        }
    }
    return constrain(call, scribe, "response_format", error);
}
