/* A byte at a time, but for runs of plain text. */
#include "backends/openai/tool_call.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_DEPTH_MAX = 64, TEXT_BYTES_MAX = 64 << 20 };

static const char begin_tag[] = "<tool_call>", end_tag[] = "</tool_call>";
static const char python_tag[] = "<|python_tag|>";

enum dyno_openai_call_form dyno_openai_call_form_of(const char *chat_template)
{
    bool is_bare = strstr(chat_template, "\"parameters\"") || strstr(chat_template, python_tag);

    return is_bare && !strstr(chat_template, begin_tag) ? DYNO_OPENAI_CALL_BARE
                                                        : DYNO_OPENAI_CALL_TAGGED;
}

void dyno_openai_call_reader_init(struct dyno_openai_call_reader *reader,
                                  enum dyno_openai_call_form form,
                                  const struct dyno_openai_tools *tools, uint64_t high,
                                  uint64_t low)
{
    *reader = (struct dyno_openai_call_reader){
        .form = form, .is_quiet = true, .tools = tools, .high = high, .low = low};
    dyno_bytes_init(&reader->text, TEXT_BYTES_MAX);
    dyno_bytes_init(&reader->held, 2 * DYNO_OPENAI_CALL_BYTES_MAX);
}

void dyno_openai_call_reader_release(struct dyno_openai_call_reader *reader)
{
    for (uint32_t i = 0; i < reader->call_count; i++) {
        free((char *)reader->calls[i].id); /* the beginning of the one block of a call */
    }
    free(reader->calls);
    dyno_bytes_release(&reader->text);
    dyno_bytes_release(&reader->held);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static void hold(struct dyno_openai_call_reader *reader, char byte)
{
    dyno_bytes_put(&reader->held, &byte, 1);
}

/* What was held is text after all. */
static void let_go(struct dyno_openai_call_reader *reader)
{
    for (size_t i = 0; i < reader->held.size && reader->is_quiet; i++) {
        reader->is_quiet = is_blank(reader->held.data[i]);
    }
    dyno_bytes_put(&reader->text, reader->held.data, reader->held.size);
    dyno_bytes_clear(&reader->held);
    reader->matched = 0;
    reader->state = DYNO_CALL_TEXT;
}

/* The text of the value of `key` in the well-formed object text[size]; NULL if it is not there
 * under that very spelling. */
static const char *value_text(const char *text, size_t size, const char *key, size_t *value_size)
{
    size_t key_size = strlen(key), depth = 0, begin = 0;

    for (size_t i = 0; i < size; i++) {
        size_t start = i;

        if (text[i] == '"') {
            for (i++; text[i] != '"'; i++) {
                i += text[i] == '\\';
            }
            if (depth == 1 && begin == 0 && i - start - 1 == key_size &&
                memcmp(text + start + 1, key, key_size) == 0) {
                for (i++; is_blank(text[i]); i++) {
                }
                begin = text[i] == ':' ? i + 1 : 0; /* else it is a value that looks like the key */
                i -= text[i] != ':';
            }
        } else if (depth == 1 && begin > 0 && (text[i] == ',' || text[i] == '}')) {
            *value_size = i - begin;
            return text + begin;
        } else if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
    }
    return NULL;
}

static bool is_known(const struct dyno_openai_tools *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools->list); i++) {
        const json_t *function = json_object_get(json_array_get(tools->list, i), "function");
        const char *known = json_string_value(json_object_get(function, "name"));

        if (known && strcmp(known, name) == 0) {
            return true;
        }
    }
    return false;
}

/* One block: id, name and arguments, each terminated. */
static dyno_status keep_call(struct dyno_openai_call_reader *reader, const char *name,
                             const char *arguments, size_t size)
{
    size_t name_size = strlen(name) + 1;
    struct dyno_openai_tool_call *calls =
        realloc(reader->calls, (reader->call_count + 1) * sizeof *calls);
    char *block;

    if (!calls) {
        return DYNO_NO_MEMORY;
    }
    reader->calls = calls;
    block = malloc(DYNO_OPENAI_ID_MAX + name_size + size + 1);
    if (!block) {
        return DYNO_NO_MEMORY;
    }
    dyno_openai_id(block, "call", reader->high, reader->low++);
    memcpy(block + DYNO_OPENAI_ID_MAX, name, name_size);
    memcpy(block + DYNO_OPENAI_ID_MAX + name_size, arguments, size);
    block[DYNO_OPENAI_ID_MAX + name_size + size] = '\0';
    calls[reader->call_count++] =
        (struct dyno_openai_tool_call){.id = block,
                                       .name = block + DYNO_OPENAI_ID_MAX,
                                       .arguments = block + DYNO_OPENAI_ID_MAX + name_size,
                                       .arguments_size = size};
    return DYNO_OK;
}

/* The arguments as the model wrote them, without blanks around; {} where there are none, and NULL
 * where their name is spelt so that they are not found. */
static const char *arguments_text(const struct dyno_openai_call_reader *reader,
                                  const json_t *object, size_t *size)
{
    const char *key = json_object_get(object, "arguments") ? "arguments" : "parameters";
    const char *text;

    if (!json_object_get(object, key)) {
        *size = 2;
        return "{}";
    }
    text = value_text(reader->held.data + reader->object, reader->held.size - reader->object, key,
                      size);
    while (text && is_blank(*text)) {
        text++;
        --*size;
    }
    while (text && is_blank(text[*size - 1])) {
        --*size;
    }
    return text && *text == '{' ? text : NULL;
}

/* Keep the object that is held, if it is a call of a function that is known; *is_call says so. */
static dyno_status read_object(struct dyno_openai_call_reader *reader, bool *is_call)
{
    json_t *object = json_loadb(reader->held.data + reader->object,
                                reader->held.size - reader->object, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(object, "name"));
    size_t size = 0;
    const char *arguments = object ? arguments_text(reader, object, &size) : NULL;
    dyno_status status = DYNO_OK;

    *is_call = name && arguments && is_known(reader->tools, name) &&
               reader->call_count < DYNO_OPENAI_CALLS_MAX;
    if (*is_call) {
        status = keep_call(reader, name, arguments, size);
    }
    json_decref(object);
    return status;
}

static dyno_status close_object(struct dyno_openai_call_reader *reader)
{
    bool is_call;

    DYNO_TRY(read_object(reader, &is_call));
    if (!is_call) {
        let_go(reader);
        return DYNO_OK;
    }
    dyno_bytes_clear(&reader->held);
    reader->matched = 0;
    reader->is_quiet = true;
    reader->state = reader->form == DYNO_OPENAI_CALL_TAGGED ? DYNO_CALL_AFTER : DYNO_CALL_TEXT;
    return DYNO_OK;
}

static void open_object(struct dyno_openai_call_reader *reader)
{
    reader->state = DYNO_CALL_OBJECT;
    reader->matched = 0;
    reader->depth = 0;
    reader->in_string = reader->is_escaped = false;
}

/* Whether a byte at the beginning, or after a call, says nothing yet. */
static bool says_nothing(const struct dyno_openai_call_reader *reader, char byte)
{
    return reader->is_quiet && reader->matched == 0 &&
           reader->held.size < DYNO_OPENAI_CALL_BYTES_MAX &&
           (is_blank(byte) ||
            (byte == ';' && reader->form == DYNO_OPENAI_CALL_BARE && reader->call_count > 0));
}

static void text_byte(struct dyno_openai_call_reader *reader, char byte)
{
    bool is_tagged = reader->form == DYNO_OPENAI_CALL_TAGGED;
    const char *tag = is_tagged ? begin_tag : python_tag;

    if (says_nothing(reader, byte)) {
        hold(reader, byte);
    } else if ((is_tagged || reader->is_quiet) && byte == tag[reader->matched]) {
        hold(reader, byte);
        if (tag[++reader->matched] == '\0') {
            open_object(reader);
        }
    } else if (!is_tagged && reader->is_quiet && reader->matched == 0 && byte == '{') {
        open_object(reader);
        reader->depth = 1;
        reader->object = reader->held.size;
        hold(reader, byte);
    } else if (reader->matched > 0) {
        let_go(reader);
        text_byte(reader, byte); /* it may begin a tag; nothing is matched now, so this ends */
    } else {
        let_go(reader);
        reader->is_quiet = false;
        dyno_bytes_put(&reader->text, &byte, 1);
    }
}

/* Brackets outside of strings. */
static void see_structure(struct dyno_openai_call_reader *reader, char byte)
{
    if (reader->in_string) {
        if (reader->is_escaped) {
            reader->is_escaped = false;
        } else if (byte == '\\') {
            reader->is_escaped = true;
        } else if (byte == '"') {
            reader->in_string = false;
        }
    } else if (byte == '"') {
        reader->in_string = true;
    } else if (byte == '{' || byte == '[') {
        reader->depth++;
    } else if (byte == '}' || byte == ']') {
        reader->depth--;
    }
}

static dyno_status object_byte(struct dyno_openai_call_reader *reader, char byte)
{
    if (reader->depth == 0 && byte != '{') {
        if (is_blank(byte) && reader->held.size < DYNO_OPENAI_CALL_BYTES_MAX) {
            hold(reader, byte);
        } else {
            let_go(reader);
            text_byte(reader, byte);
        }
        return DYNO_OK;
    }
    reader->object = reader->depth == 0 ? reader->held.size : reader->object;
    hold(reader, byte);
    see_structure(reader, byte);
    if (reader->depth == 0) {
        return close_object(reader);
    }
    if (reader->depth > CALL_DEPTH_MAX || reader->held.size >= DYNO_OPENAI_CALL_BYTES_MAX) {
        let_go(reader);
    }
    return DYNO_OK;
}

static void after_byte(struct dyno_openai_call_reader *reader, char byte)
{
    if (reader->matched == 0 && is_blank(byte) && reader->held.size < DYNO_OPENAI_CALL_BYTES_MAX) {
        hold(reader, byte);
    } else if (byte == end_tag[reader->matched]) {
        hold(reader, byte);
        if (end_tag[++reader->matched] == '\0') {
            dyno_bytes_clear(&reader->held);
            reader->matched = 0;
            reader->state = DYNO_CALL_TEXT;
        }
    } else if (reader->matched > 1) {
        let_go(reader);
        text_byte(reader, byte);
    } else { /* both tags begin with the same byte */
        reader->state = DYNO_CALL_TEXT;
        text_byte(reader, byte);
    }
}

static dyno_status check(const struct dyno_openai_call_reader *reader)
{
    return reader->text.status != DYNO_OK ? reader->text.status : reader->held.status;
}

/* How much of text[size] is plainly text. */
static size_t plain_size(const struct dyno_openai_call_reader *reader, const char *text,
                         size_t size)
{
    const char *found;

    if (reader->state != DYNO_CALL_TEXT || reader->is_quiet || reader->held.size > 0) {
        return 0;
    }
    found = reader->form == DYNO_OPENAI_CALL_TAGGED ? memchr(text, '<', size) : NULL;
    return found ? (size_t)(found - text) : size;
}

dyno_status dyno_openai_call_reader_feed(struct dyno_openai_call_reader *reader, const char *text,
                                         size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t plain = plain_size(reader, text + i, size - i);

        dyno_bytes_put(&reader->text, text + i, plain);
        i += plain;
        if (i == size) {
            break;
        }
        if (reader->state == DYNO_CALL_OBJECT) {
            DYNO_TRY(object_byte(reader, text[i]));
        } else if (reader->state == DYNO_CALL_AFTER) {
            after_byte(reader, text[i]);
        } else {
            text_byte(reader, text[i]);
        }
        i++;
    }
    return check(reader);
}

dyno_status dyno_openai_call_reader_end(struct dyno_openai_call_reader *reader)
{
    bool is_blank_only = true;

    for (size_t i = 0; i < reader->held.size; i++) {
        is_blank_only = is_blank_only && (is_blank(reader->held.data[i]) ||
                                          (reader->held.data[i] == ';' && reader->is_quiet));
    }
    if (reader->state == DYNO_CALL_AFTER || (is_blank_only && reader->call_count > 0)) {
        dyno_bytes_clear(&reader->held);
    } else {
        let_go(reader);
    }
    return check(reader);
}
