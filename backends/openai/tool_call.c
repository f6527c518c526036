/* A byte at a time, but for runs of plain text. */
#include "backends/openai/tool_call.h"

#include "backends/openai/tool_call_parts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_DEPTH_MAX = 64, TEXT_BYTES_MAX = 64 << 20 };

static const char begin_tag[] = "<tool_call>", end_tag[] = "</tool_call>";
static const char python_tag[] = "<|python_tag|>";
static const char array_tag[] = "[TOOL_CALLS]", args_tag[] = "[ARGS]";

/* What calls begin with, if anything does. */
static const char *const tags[] = {[DYNO_OPENAI_CALL_TAGGED] = begin_tag,
                                   [DYNO_OPENAI_CALL_BARE] = python_tag,
                                   [DYNO_OPENAI_CALL_ARRAY] = array_tag};

enum dyno_openai_call_form dyno_openai_call_form_of(const char *chat_template)
{
    bool is_bare = strstr(chat_template, "\"parameters\"") || strstr(chat_template, python_tag);

    if (strstr(chat_template, array_tag)) {
        return DYNO_OPENAI_CALL_ARRAY;
    }
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
        bool is_last = i + 1 == reader->call_count;

        free((char *)reader->calls[i].id); /* the beginning of the block with its name */
        if (!is_last) {
            free((char *)reader->calls[i].arguments);
        }
    }
    free(reader->calls);
    dyno_bytes_release(&reader->arguments);
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

void dyno_openai_call_let_go(struct dyno_openai_call_reader *reader)
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

const json_t *dyno_openai_call_tool(const struct dyno_openai_call_reader *reader, const char *name,
                                    size_t size)
{
    for (size_t i = 0; i < json_array_size(reader->tools->list); i++) {
        const json_t *tool = json_array_get(reader->tools->list, i);
        const json_t *known = json_object_get(json_object_get(tool, "function"), "name");

        if (json_is_string(known) && json_string_length(known) == size &&
            memcmp(json_string_value(known), name, size) == 0) {
            return tool;
        }
    }
    return NULL;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* One block: id and name, each terminated. */
dyno_status dyno_openai_call_begin(struct dyno_openai_call_reader *reader, const char *name,
                                   size_t size)
{
    struct dyno_openai_tool_call *calls =
        realloc(reader->calls, (reader->call_count + 1) * sizeof *calls);
    char *block;

    if (!calls) {
        return DYNO_NO_MEMORY;
    }
    reader->calls = calls;
    block = malloc(DYNO_OPENAI_ID_MAX + size + 1);
    if (!block) {
        return DYNO_NO_MEMORY;
    }
    dyno_openai_id(block, "call", reader->high, reader->low++);
    memcpy(block + DYNO_OPENAI_ID_MAX, name, size);
    block[DYNO_OPENAI_ID_MAX + size] = '\0';
    dyno_bytes_init(&reader->arguments, 2 * DYNO_OPENAI_CALL_BYTES_MAX);
    calls[reader->call_count++] = (struct dyno_openai_tool_call){
        .id = block, .name = block + DYNO_OPENAI_ID_MAX, .arguments = NULL};
    reader->is_open = true;
    return DYNO_OK;
}

void dyno_openai_call_close(struct dyno_openai_call_reader *reader)
{
    reader->is_open = false;
}

bool dyno_openai_call_argue(struct dyno_openai_call_reader *reader, const char *text, size_t size)
{
    struct dyno_bytes *arguments = &reader->arguments;
    char *room = dyno_bytes_reserve(arguments, size + 1);

    if (room) {
        memcpy(room, text, size);
        room[size] = '\0';
        arguments->size += size;
        reader->calls[reader->call_count - 1].arguments = arguments->data;
        reader->calls[reader->call_count - 1].arguments_size = arguments->size;
    }
    return room && arguments->size < DYNO_OPENAI_CALL_BYTES_MAX;
}

static dyno_status keep_call(struct dyno_openai_call_reader *reader, const char *name,
                             const char *arguments, size_t size)
{
    DYNO_TRY(dyno_openai_call_begin(reader, name, strlen(name)));
    (void)dyno_openai_call_argue(reader, arguments, size); /* as long as what was held at most */
    dyno_openai_call_close(reader);
    return reader->arguments.status;
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

    *is_call = name && arguments && dyno_openai_call_tool(reader, name, strlen(name)) &&
               reader->call_count < DYNO_OPENAI_CALLS_MAX;
    if (*is_call) {
        status = keep_call(reader, name, arguments, size);
    }
    json_decref(object);
    return status;
}

/* Text, or what may follow a call. */
static void go_on(struct dyno_openai_call_reader *reader)
{
    dyno_bytes_clear(&reader->held);
    reader->matched = 0;
    reader->is_quiet = true;
    reader->state = reader->form == DYNO_OPENAI_CALL_TAGGED ? DYNO_CALL_AFTER : DYNO_CALL_TEXT;
}

static dyno_status close_object(struct dyno_openai_call_reader *reader)
{
    bool is_call;

    DYNO_TRY(read_object(reader, &is_call));
    if (!is_call) {
        dyno_openai_call_let_go(reader);
        return DYNO_OK;
    }
    go_on(reader);
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
    bool separates = reader->call_count > 0 &&
                     ((byte == ';' && reader->form == DYNO_OPENAI_CALL_BARE) ||
                      ((byte == ',' || byte == ']') && reader->form == DYNO_OPENAI_CALL_ARRAY));

    return reader->is_quiet && reader->matched == 0 &&
           reader->held.size < DYNO_OPENAI_CALL_BYTES_MAX && (is_blank(byte) || separates);
}

/* The bracket of an array, which might have begun its tag, and did not. */
static bool was_bracket(struct dyno_openai_call_reader *reader, char byte)
{
    return reader->form == DYNO_OPENAI_CALL_ARRAY && reader->matched == 1 &&
           reader->call_count == 0 && (is_blank(byte) || byte == '{');
}

static void text_byte(struct dyno_openai_call_reader *reader, char byte)
{
    bool is_tagged = reader->form == DYNO_OPENAI_CALL_TAGGED;
    const char *tag = tags[reader->form];

    if (was_bracket(reader, byte)) {
        reader->matched = 0;
    }
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
        dyno_openai_call_let_go(reader);
        text_byte(reader, byte); /* it may begin a tag; nothing is matched now, so this ends */
    } else {
        dyno_openai_call_let_go(reader);
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

/* ---- objects --------------------------------------------------------------------------------- */

/* Behind text[size] that begins at *at, and blanks; false: it is not there. */
static bool skip(const char **at, const char *end, const char *word)
{
    size_t size = strlen(word);

    while (*at < end && is_blank(**at)) {
        ++*at;
    }
    if ((size_t)(end - *at) < size || memcmp(*at, word, size) != 0) {
        return false;
    }
    *at += size;
    return true;
}

/* Whether an object that begins so is a call whose arguments begin with its last brace: its name is
 * known and comes first. */
static bool is_call_so_far(const struct dyno_openai_call_reader *reader, const char **name,
                           size_t *size)
{
    const char *at = reader->held.data + reader->object;
    const char *end = reader->held.data + reader->held.size, *quote;

    if (!skip(&at, end, "{") || !skip(&at, end, "\"name\"") || !skip(&at, end, ":") ||
        !skip(&at, end, "\"")) {
        return false;
    }
    *name = at;
    quote = memchr(at, '"', (size_t)(end - at));
    *size = quote ? (size_t)(quote - at) : 0;
    if (!quote || !dyno_openai_call_tool(reader, *name, *size)) {
        return false;
    }
    at = quote + 1;
    return skip(&at, end, ",") &&
           (skip(&at, end, "\"arguments\"") || skip(&at, end, "\"parameters\"")) &&
           skip(&at, end, ":") && skip(&at, end, "{") && at == end &&
           reader->call_count < DYNO_OPENAI_CALLS_MAX;
}

/* A call of name[size], the first brace of whose arguments was the last byte. */
static dyno_status begin_arguments(struct dyno_openai_call_reader *reader, const char *name,
                                   size_t size)
{
    DYNO_TRY(dyno_openai_call_begin(reader, name, size));
    (void)dyno_openai_call_argue(reader, "{", 1);
    dyno_bytes_clear(&reader->held);
    reader->depth_end = reader->depth - 1;
    reader->swallowed = 0;
    reader->state = DYNO_CALL_ARGUMENTS;
    return reader->arguments.status;
}

/* ARRAY: "f[ARGS]{" or "f{" behind the tag, of which the brace is the last byte. */
static bool is_named(const struct dyno_openai_call_reader *reader, const char **name, size_t *size)
{
    const char *text = reader->held.data, *tag = NULL;
    size_t length = reader->held.size - 1, args = strlen(args_tag), tag_size = strlen(array_tag);

    tag = memmem(text, length, array_tag, tag_size);
    if (reader->form != DYNO_OPENAI_CALL_ARRAY || !tag ||
        reader->call_count >= DYNO_OPENAI_CALLS_MAX) {
        return false;
    }
    *name = tag + tag_size;
    *size = length - (size_t)(*name - text);
    if (*size > args && memcmp(*name + *size - args, args_tag, args) == 0) {
        *size -= args;
    }
    return dyno_openai_call_tool(reader, *name, *size) != NULL;
}

/* Between a tag and what it announces. */
static dyno_status announced_byte(struct dyno_openai_call_reader *reader, char byte)
{
    bool is_array = reader->form == DYNO_OPENAI_CALL_ARRAY;
    bool may_be_name = is_array && byte != '"' && byte != '}' && (unsigned char)byte > ' ';
    bool has_room = reader->held.size < DYNO_OPENAI_CALL_BYTES_MAX;

    if (has_room && byte == '<' && reader->form == DYNO_OPENAI_CALL_TAGGED) {
        reader->object = reader->held.size;
        hold(reader, byte);
        reader->state = DYNO_CALL_FUNCTION;
    } else if (has_room && (is_blank(byte) || may_be_name)) {
        hold(reader, byte);
    } else {
        dyno_openai_call_let_go(reader);
        text_byte(reader, byte);
    }
    return DYNO_OK;
}

static dyno_status object_byte(struct dyno_openai_call_reader *reader, char byte)
{
    const char *name;
    size_t size;

    if (reader->depth == 0 && byte != '{') {
        return announced_byte(reader, byte);
    }
    reader->object = reader->depth == 0 ? reader->held.size : reader->object;
    hold(reader, byte);
    see_structure(reader, byte);
    if (byte == '{' && reader->depth == 1 && is_named(reader, &name, &size)) {
        return begin_arguments(reader, name, size);
    }
    if (byte == '{' && reader->depth == 2 && !reader->in_string &&
        is_call_so_far(reader, &name, &size)) {
        return begin_arguments(reader, name, size);
    }
    if (reader->depth == 0) {
        return close_object(reader);
    }
    if (reader->depth > CALL_DEPTH_MAX || reader->held.size >= DYNO_OPENAI_CALL_BYTES_MAX) {
        dyno_openai_call_let_go(reader);
    }
    return DYNO_OK;
}

static void arguments_byte(struct dyno_openai_call_reader *reader, char byte)
{
    bool fits = dyno_openai_call_argue(reader, &byte, 1);

    see_structure(reader, byte);
    if (reader->depth == reader->depth_end || !fits) {
        dyno_openai_call_close(reader);
        reader->state = DYNO_CALL_REST;
        if (reader->depth == 0 || !fits) {
            go_on(reader);
        }
    }
}

/* What an object has behind its arguments is nobody's. */
static void rest_byte(struct dyno_openai_call_reader *reader, char byte)
{
    see_structure(reader, byte);
    if (reader->depth == 0 || ++reader->swallowed >= DYNO_OPENAI_CALL_BYTES_MAX) {
        go_on(reader);
    }
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
        dyno_openai_call_let_go(reader);
        text_byte(reader, byte);
    } else { /* both tags begin with the same byte */
        reader->state = DYNO_CALL_TEXT;
        text_byte(reader, byte);
    }
}

static dyno_status take_byte(struct dyno_openai_call_reader *reader, char byte)
{
    switch (reader->state) {
    case DYNO_CALL_OBJECT:
        return object_byte(reader, byte);
    case DYNO_CALL_FUNCTION:
        return dyno_openai_call_function_byte(reader, byte);
    case DYNO_CALL_ARGUMENTS:
        arguments_byte(reader, byte);
        break;
    case DYNO_CALL_REST:
        rest_byte(reader, byte);
        break;
    case DYNO_CALL_AFTER:
        after_byte(reader, byte);
        break;
    case DYNO_CALL_TEXT:
        text_byte(reader, byte);
        break;
    }
    return reader->arguments.status == DYNO_NO_MEMORY ? DYNO_NO_MEMORY : DYNO_OK;
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
        DYNO_TRY(take_byte(reader, text[i]));
        i++;
    }
    return check(reader);
}

/* Nothing but what may stand between calls. */
static bool holds_nothing(const struct dyno_openai_call_reader *reader)
{
    for (size_t i = 0; i < reader->held.size; i++) {
        char byte = reader->held.data[i];
        bool separates = (byte == ';' && reader->form == DYNO_OPENAI_CALL_BARE) ||
                         ((byte == ',' || byte == ']') && reader->form == DYNO_OPENAI_CALL_ARRAY);

        if (!is_blank(byte) && !(separates && reader->is_quiet)) {
            return false;
        }
    }
    return true;
}

dyno_status dyno_openai_call_reader_end(struct dyno_openai_call_reader *reader)
{
    bool is_over = reader->state == DYNO_CALL_AFTER || reader->state == DYNO_CALL_REST;

    reader->is_cut = reader->is_open;
    if (is_over || reader->is_open || (holds_nothing(reader) && reader->call_count > 0)) {
        dyno_bytes_clear(&reader->held);
    } else {
        dyno_openai_call_let_go(reader);
    }
    dyno_openai_call_close(reader);
    return check(reader);
}
