/* A response repeats its request, with what was not said filled in. */
#include "backends/openai/events_echo.h"

#include "backends/openai/json_text.h"

static void put_bool(struct dyno_bytes *out, const char *name, bool truth)
{
    dyno_bytes_put_text(out, name);
    dyno_bytes_put_text(out, truth ? "true" : "false");
}

/* A function in the flat form, with the members that the API requires. */
static void put_tool(struct dyno_bytes *out, const json_t *tool)
{
    const json_t *function = json_object_get(tool, "function");
    const json_t *description = json_object_get(function, "description");

    dyno_bytes_put_text(out, "{\"type\":\"function\",\"name\":");
    dyno_json_put_value(out, json_object_get(function, "name"));
    if (description) {
        dyno_bytes_put_text(out, ",\"description\":");
        dyno_json_put_value(out, description);
    }
    dyno_bytes_put_text(out, ",\"parameters\":");
    dyno_json_put_value(out, json_object_get(function, "parameters"));
    dyno_bytes_put_text(out, ",\"strict\":");
    dyno_json_put_value(out, json_object_get(function, "strict"));
    dyno_bytes_put_text(out, "}");
}

static void put_tools(struct dyno_bytes *out, const struct dyno_openai_tools *tools)
{
    static const char *const words[] = {"\"none\"", "\"auto\"", "\"required\""};

    dyno_bytes_put_text(out, ",\"tools\":[");
    for (size_t i = 0; i < json_array_size(tools->list); i++) {
        dyno_bytes_put(out, ",", i > 0);
        put_tool(out, json_array_get(tools->list, i));
    }
    dyno_bytes_put_text(out, "],\"tool_choice\":");
    if (tools->choice == DYNO_OPENAI_TOOL_NAMED) {
        dyno_bytes_put_text(out, "{\"type\":\"function\",\"name\":");
        dyno_json_put_text(out, tools->named);
        dyno_bytes_put_text(out, "}");
    } else {
        dyno_bytes_put_text(out, words[tools->choice]);
    }
    put_bool(out, ",\"parallel_tool_calls\":", tools->parallel);
}

static void put_format(struct dyno_bytes *out, const struct dyno_openai_format *format)
{
    static const char *const words[] = {"text", "json_object", "json_schema"};

    dyno_bytes_put_text(out, ",\"text\":{\"format\":{\"type\":\"");
    dyno_bytes_put_text(out, words[format->kind]);
    dyno_bytes_put_text(out, "\"");
    if (format->kind == DYNO_OPENAI_FORMAT_JSON_SCHEMA) {
        dyno_bytes_put_text(out, ",\"name\":");
        dyno_json_put_text(out, format->name);
        dyno_bytes_put_text(out, ",\"schema\":");
        dyno_json_put_value(out, format->schema);
        put_bool(out, ",\"strict\":", format->strict);
    }
    dyno_bytes_put_text(out, "}}");
}

static void put_sampling(struct dyno_bytes *out, const struct dyno_openai_sampling *sampling)
{
    dyno_bytes_put_text(out, ",\"temperature\":");
    dyno_json_put_double(out, sampling->temperature);
    dyno_bytes_put_text(out, ",\"top_p\":");
    dyno_json_put_double(out, sampling->top_p);
    dyno_bytes_put_text(out, ",\"top_logprobs\":");
    dyno_bytes_put_u64(out, sampling->top_logprobs);
    dyno_bytes_put_text(out, ",\"max_output_tokens\":");
    if (sampling->has_max_tokens) {
        dyno_bytes_put_u64(out, sampling->max_tokens);
    } else {
        dyno_bytes_put_text(out, "null");
    }
}

void dyno_openai_put_echo(struct dyno_bytes *out, const struct dyno_openai_about *about,
                          const struct dyno_openai_responses *request)
{
    dyno_bytes_put_text(out, "{\"id\":");
    dyno_json_put_text(out, about->id);
    dyno_bytes_put_text(out, ",\"object\":\"response\",\"created_at\":");
    dyno_bytes_put_u64(out, about->created_s);
    dyno_bytes_put_text(out, ",\"model\":");
    dyno_json_put_text(out, about->model);
    dyno_bytes_put_text(out, ",\"instructions\":");
    dyno_json_put_text(out, request->instructions);
    dyno_bytes_put_text(out, ",\"metadata\":");
    if (request->metadata) {
        dyno_json_put_value(out, request->metadata);
    } else {
        dyno_bytes_put_text(out, "{}");
    }
    put_tools(out, &request->tools);
    put_format(out, &request->format);
    put_sampling(out, &request->sampling);
    dyno_bytes_put_text(out, ",\"truncation\":\"disabled\",\"previous_response_id\":null"
                             ",\"background\":false,\"store\":false");
}
