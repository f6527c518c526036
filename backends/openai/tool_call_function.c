/* Calls as Qwen3-Coder writes them, behind <tool_call>:
 *
 *   <function=f>
 *   <parameter=x>
 *   some text
 *   </parameter>
 *   </function>
 *
 * A parameter becomes a member of the arguments when it is whole.  Its value is the text between
 * the tags without one line end at either side: a string if the tool's schema says so or if it is
 * no JSON, else as it stands.  What stands between parameters is nobody's.
 */
#include <stdlib.h>
#include <string.h>

#include "backends/openai/json_text.h"
#include "backends/openai/tool_call_parts.h"

static const char function_tag[] = "<function=", parameter_tag[] = "<parameter=";
static const char parameter_end[] = "</parameter>", function_end[] = "</function>";

enum { NAME_MAX_BYTES = 1024 };

static const char *held(const struct dyno_openai_call_reader *reader, size_t *size)
{
    *size = reader->held.size - reader->object;
    return reader->held.data + reader->object;
}

static bool ends_with(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);

    return size >= length && memcmp(text + size - length, word, length) == 0;
}

/* It is no function: what was held before it is text, and it may be anything that text may. */
static dyno_status give_up(struct dyno_openai_call_reader *reader)
{
    char rest[NAME_MAX_BYTES + 1];
    size_t size;
    const char *text = held(reader, &size);

    memcpy(rest, text, size);
    reader->held.size = reader->object;
    dyno_openai_call_let_go(reader);
    return dyno_openai_call_reader_feed(reader, rest, size);
}

/* "<function=NAME>" is held, or something else is. */
static dyno_status begin_function(struct dyno_openai_call_reader *reader)
{
    size_t size, tag = strlen(function_tag), most;
    const char *text = held(reader, &size);
    const json_t *tool;

    most = size < tag ? size : tag;
    if (memcmp(text, function_tag, most) != 0 || size > NAME_MAX_BYTES) {
        return give_up(reader);
    }
    if (size <= tag || text[size - 1] != '>') {
        return DYNO_OK;
    }
    tool = dyno_openai_call_tool(reader, text + tag, size - tag - 1);
    if (!tool || reader->call_count >= DYNO_OPENAI_CALLS_MAX) {
        return give_up(reader);
    }
    DYNO_TRY(dyno_openai_call_begin(reader, text + tag, size - tag - 1));
    reader->properties = json_object_get(
        json_object_get(json_object_get(tool, "function"), "parameters"), "properties");
    dyno_bytes_clear(&reader->held);
    reader->object = 0;
    (void)dyno_openai_call_argue(reader, "{", 1);
    return reader->arguments.status;
}

/* Whether the value of `key` goes between quotes. */
static bool is_text(const struct dyno_openai_call_reader *reader, const char *key, size_t key_size,
                    const char *value, size_t size)
{
    const json_t *type =
        json_object_get(json_object_getn(reader->properties, key, key_size), "type");
    json_t *read;

    if (json_is_string(type) && strcmp(json_string_value(type), "string") == 0) {
        return true;
    }
    read = json_loadb(value, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    json_decref(read);
    return !read;
}

/* "KEY>VALUE" as a member of the arguments. */
static dyno_status put_parameter(struct dyno_openai_call_reader *reader, const char *text,
                                 size_t size)
{
    const char *angle = memchr(text, '>', size), *value;
    size_t key_size = angle ? (size_t)(angle - text) : size, value_size;
    struct dyno_bytes member;

    if (!angle) {
        return DYNO_OK; /* a name without an end */
    }
    value = angle + 1;
    value_size = size - key_size - 1;
    if (value_size > 0 && value[0] == '\n') {
        value++;
        value_size--;
    }
    value_size -= value_size > 0 && value[value_size - 1] == '\n';
    dyno_bytes_init(&member, DYNO_JSON_ESCAPE_MAX * 2 * (size_t)DYNO_OPENAI_CALL_BYTES_MAX);
    dyno_bytes_put_text(&member, reader->arguments.size > 1 ? ", " : "");
    dyno_json_put_string(&member, text, key_size);
    dyno_bytes_put_text(&member, ": ");
    if (is_text(reader, text, key_size, value, value_size)) {
        dyno_json_put_string(&member, value, value_size);
    } else {
        dyno_bytes_put(&member, value, value_size);
    }
    (void)dyno_openai_call_argue(reader, member.data, member.size);
    dyno_bytes_release(&member);
    return reader->arguments.status;
}

static void end_function(struct dyno_openai_call_reader *reader)
{
    dyno_openai_call_close(reader);
    dyno_bytes_clear(&reader->held);
    reader->matched = 0;
    reader->is_quiet = true;
    reader->state = DYNO_CALL_AFTER;
}

/* Between parameters, or in one. */
static dyno_status body(struct dyno_openai_call_reader *reader)
{
    size_t size, tag = strlen(parameter_tag);
    const char *text = held(reader, &size);
    const char *parameter = memmem(text, size, parameter_tag, tag);

    if (!parameter && ends_with(text, size, function_end)) {
        (void)dyno_openai_call_argue(reader, "}", 1);
        end_function(reader);
        return reader->arguments.status;
    }
    if (parameter && ends_with(text, size, parameter_end)) {
        DYNO_TRY(put_parameter(reader, parameter + tag,
                               size - (size_t)(parameter - text) - tag - strlen(parameter_end)));
        dyno_bytes_clear(&reader->held);
    }
    if (reader->held.size >= DYNO_OPENAI_CALL_BYTES_MAX ||
        reader->arguments.size >= DYNO_OPENAI_CALL_BYTES_MAX) {
        end_function(reader);
    }
    return DYNO_OK;
}

dyno_status dyno_openai_call_function_byte(struct dyno_openai_call_reader *reader, char byte)
{
    dyno_bytes_put(&reader->held, &byte, 1);
    if (reader->held.status != DYNO_OK) {
        return reader->held.status;
    }
    if (!reader->is_open) {
        return begin_function(reader);
    }
    return byte == '>' || reader->held.size >= DYNO_OPENAI_CALL_BYTES_MAX ? body(reader) : DYNO_OK;
}
