/* A scenario file, read event by event: a path of keys leads to a row, whose own parser judges the
 * text.  A path is known only if it is a row's name or begins one, so depth is bounded by the rows.
 */
#include "cli/scenario/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/base/words.h"

enum { PATHS_MAX = 512 };

/* A path already met, as the beginning of a row's name. */
struct seen {
    const char *name;
    size_t length;
    size_t line; /* from 1 */
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    struct dyno_options *options;
    const char *name; /* of the file */
    struct dyno_error *error;
    struct seen seen[PATHS_MAX];
    size_t seen_count;
};

static dyno_status read_mapping(struct reader *reader, const char *path);

/* A refusal at the current event: "file:line:column: " and a sentence. */
static dyno_status refuse(const struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static dyno_status refuse(const struct reader *reader, const char *format, ...)
{
    char sentence[DYNO_ERROR_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s:%zu:%zu: %s", reader->name,
                     reader->event.start_mark.line + 1, reader->event.start_mark.column + 1,
                     sentence);
}

static dyno_status not_yaml(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;

    if (parser->error == YAML_MEMORY_ERROR) {
        return dyno_fail(reader->error, DYNO_NO_MEMORY, "out of memory while reading %s",
                         reader->name);
    }
    if (parser->error == YAML_READER_ERROR) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s: byte %zu: not YAML: %s", reader->name,
                         parser->problem_offset + 1, parser->problem);
    }
    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s:%zu:%zu: not YAML: %s", reader->name,
                     parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                     parser->problem ? parser->problem : "malformed");
}

/* The anchor or tag that the current event carries is refused here, once for all. */
static dyno_status check_plain(const struct reader *reader)
{
    const yaml_event_t *event = &reader->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (event->type == YAML_ALIAS_EVENT) {
        return refuse(reader, "aliases are not supported; write the value out");
    }
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor) {
        return refuse(reader, "anchors are not supported; write the value out");
    }
    return tag ? refuse(reader, "tags are not supported; the option knows its own type") : DYNO_OK;
}

static dyno_status advance(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        return not_yaml(reader);
    }
    return check_plain(reader);
}

/* A row whose name is `path` or begins with it and a dot; NULL: an unknown path. */
static const struct dyno_option *row_below(const struct reader *reader, const char *path)
{
    size_t length = strlen(path);

    for (uint32_t i = 0; i < reader->options->count; i++) {
        const char *name = reader->options->rows[i].name;

        if (strncmp(name, path, length) == 0 && (name[length] == '\0' || name[length] == '.')) {
            return &reader->options->rows[i];
        }
    }
    return NULL;
}

/* Offer every part of a name that ends before a dot: "router", "router.kv". */
static void offer_sections(struct dyno_nearest *nearest, const char *name,
                           char best[DYNO_OPTION_NAME_MAX])
{
    char section[DYNO_OPTION_NAME_MAX];

    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *before = nearest->best;

        snprintf(section, sizeof(section), "%.*s", (int)(dot - name), name);
        dyno_nearest_offer(nearest, section);
        if (nearest->best != before) {
            memcpy(best, section, sizeof(section));
            nearest->best = best;
        }
    }
}

static uint32_t dots_in(const char *name)
{
    uint32_t dots = 0;

    for (; *name; name++) {
        dots += *name == '.';
    }
    return dots;
}

/* A section is meant where one is as near, and as deep; else an option. */
static dyno_status refuse_unknown(const struct reader *reader, const char *path)
{
    char section[DYNO_OPTION_NAME_MAX], quoted[DYNO_QUOTE_MAX];
    struct dyno_nearest nearest;
    const char *near = NULL;

    dyno_nearest_start(&nearest, path);
    for (uint32_t i = 0; i < reader->options->count; i++) {
        offer_sections(&nearest, reader->options->rows[i].name, section);
    }
    near = dyno_nearest_word(&nearest);
    if (!near || dots_in(near) != dots_in(path)) {
        const char *row = dyno_options_suggest(reader->options, path);

        near = row ? row : near;
    }
    dyno_quote(quoted, path);
    if (!near) {
        return refuse(reader, "unknown key %s; 'dyno help scenario' lists them", quoted);
    }
    return refuse(reader, "unknown key %s; did you mean '%s'?", quoted, near);
}

static dyno_status note_seen(struct reader *reader, const char *path, const char *name)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < reader->seen_count; i++) {
        if (reader->seen[i].length == length && strncmp(reader->seen[i].name, path, length) == 0) {
            return refuse(reader, "key '%s' stands here again; it was given in line %zu", path,
                          reader->seen[i].line);
        }
    }
    if (reader->seen_count == PATHS_MAX) {
        return refuse(reader, "more than %d keys", PATHS_MAX);
    }
    reader->seen[reader->seen_count++] =
        (struct seen){.name = name, .length = length, .line = reader->event.start_mark.line + 1};
    return DYNO_OK;
}

/* The current event's key under `path`, joined in `out`. */
static dyno_status read_key(struct reader *reader, const char *path, char out[DYNO_OPTION_NAME_MAX])
{
    const char *key = (const char *)reader->event.data.scalar.value;
    const struct dyno_option *row;
    char quoted[DYNO_QUOTE_MAX];
    int length;

    if (reader->event.type != YAML_SCALAR_EVENT) {
        return refuse(reader, "a key is a word, not a list or a mapping");
    }
    length = snprintf(out, DYNO_OPTION_NAME_MAX, "%s%s%s", path, *path ? "." : "", key);
    if (length >= DYNO_OPTION_NAME_MAX || strlen(key) != reader->event.data.scalar.length) {
        return refuse(reader, "unknown key %s; 'dyno help scenario' lists them",
                      dyno_quote(quoted, key));
    }
    row = dyno_options_find(reader->options, out);
    if (row) { /* under whichever of its names */
        return note_seen(reader, row->name, row->name);
    }
    row = row_below(reader, out);
    return row ? note_seen(reader, out, row->name) : refuse_unknown(reader, out);
}

static bool is_null(const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (strcmp(value, "") == 0 || strcmp(value, "~") == 0 || strcmp(value, "null") == 0 ||
            strcmp(value, "Null") == 0 || strcmp(value, "NULL") == 0);
}

static dyno_status read_scalar(struct reader *reader, const struct dyno_option *row)
{
    const char *value = (const char *)reader->event.data.scalar.value;
    struct dyno_option_origin origin = {
        .source = DYNO_SOURCE_FILE,
        .where = reader->name,
        .line = (uint32_t)reader->event.start_mark.line + 1,
        .column = (uint32_t)reader->event.start_mark.column + 1,
    };

    if (is_null(&reader->event)) {
        return refuse(reader, "%s has no value; leave the key out for the default, '%s'", row->name,
                      row->initial);
    }
    if (strlen(value) != reader->event.data.scalar.length) {
        return refuse(reader, "%s: the value has a zero byte in it", row->name);
    }
    return dyno_options_set(reader->options, row, value, &origin, reader->error);
}

/* The word at the current event; NULL: there is none. */
static const char *word_here(const struct reader *reader)
{
    const char *value = (const char *)reader->event.data.scalar.value;
    bool is_word = reader->event.type == YAML_SCALAR_EVENT && !is_null(&reader->event) &&
                   strlen(value) == reader->event.data.scalar.length;

    return is_word ? value : NULL;
}

/* A list's text so far. */
struct listed {
    char text[DYNO_OPTION_TEXT_MAX];
    size_t used;
};

static dyno_status append(const struct reader *reader, const struct dyno_option *row,
                          struct listed *list, const char *before, const char *word)
{
    list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s",
                                   before, word);
    return list->used < sizeof list->text ? DYNO_OK
                                          : refuse(reader, "%s: the list is longer than %zu bytes",
                                                   row->name, sizeof list->text - 1);
}

/* An item that is a mapping of words, as "KEY=VALUE:KEY=VALUE". */
static dyno_status read_item_mapping(struct reader *reader, const struct dyno_option *row,
                                     struct listed *list)
{
    const char *before = list->used > 0 ? "," : "";

    for (;;) {
        const char *word;

        DYNO_TRY(advance(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            return DYNO_OK;
        }
        for (int i = 0; i < 2; i++) {
            word = word_here(reader);
            if (!word || strpbrk(word, i == 0 ? ",:=" : ",:")) {
                return refuse(reader,
                              "%s: an item's keys and values are texts without commas and colons",
                              row->name);
            }
            DYNO_TRY(append(reader, row, list, i == 0 ? before : "=", word));
            if (i == 0) {
                DYNO_TRY(advance(reader));
            }
        }
        before = ":";
    }
}

/* The list of words at the current event, as the row's text: with commas between them. */
static dyno_status read_list(struct reader *reader, const struct dyno_option *row)
{
    struct dyno_option_origin origin = {
        .source = DYNO_SOURCE_FILE,
        .where = reader->name,
        .line = (uint32_t)reader->event.start_mark.line + 1,
        .column = (uint32_t)reader->event.start_mark.column + 1,
    };
    struct listed list = {.used = 0};

    for (;;) {
        DYNO_TRY(advance(reader));
        if (reader->event.type == YAML_SEQUENCE_END_EVENT) {
            return dyno_options_set(reader->options, row, list.text, &origin, reader->error);
        }
        if (reader->event.type == YAML_MAPPING_START_EVENT) {
            DYNO_TRY(read_item_mapping(reader, row, &list));
        } else if (word_here(reader)) {
            DYNO_TRY(append(reader, row, &list, list.used > 0 ? "," : "", word_here(reader)));
        } else {
            return refuse(reader, "%s: each of the list is a text", row->name);
        }
    }
}

/* The value of the key at `path`: the current event is its first. */
static dyno_status read_value(struct reader *reader, const char *path)
{
    const struct dyno_option *row = dyno_options_find(reader->options, path);
    char accepts[256];

    if (row && reader->event.type == YAML_SCALAR_EVENT) {
        return read_scalar(reader, row);
    }
    if (row && row->is_list && reader->event.type == YAML_SEQUENCE_START_EVENT) {
        return read_list(reader, row);
    }
    if (row) {
        dyno_option_describe(row, accepts, sizeof(accepts));
        return refuse(reader, "%s is a value, not a %s: give %s", path,
                      reader->event.type == YAML_SEQUENCE_START_EVENT ? "list" : "section",
                      accepts);
    }
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        return refuse(reader, "%s is a section: give keys with values, as in '%s: {%s: %s}'", path,
                      path, row_below(reader, path)->name + strlen(path) + 1,
                      row_below(reader, path)->initial);
    }
    return read_mapping(reader, path);
}

/* From a mapping's start to its end.  A section within another that says nothing was meant to: a
 * budget without a bound, say. */
static dyno_status read_mapping(struct reader *reader, const char *path)
{
    char key[DYNO_OPTION_NAME_MAX];

    for (bool is_empty = true;; is_empty = false) {
        DYNO_TRY(advance(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            return is_empty && strchr(path, '.')
                       ? refuse(reader, "%s has no keys: give some, as in '{%s: %s}'", path,
                                row_below(reader, path)->name + strlen(path) + 1,
                                row_below(reader, path)->initial)
                       : DYNO_OK;
        }
        DYNO_TRY(read_key(reader, path, key));
        DYNO_TRY(advance(reader));
        DYNO_TRY(read_value(reader, key));
    }
}

static dyno_status read_stream(struct reader *reader)
{
    DYNO_TRY(advance(reader)); /* the stream's start */
    DYNO_TRY(advance(reader));
    if (reader->event.type == YAML_STREAM_END_EVENT) {
        return DYNO_OK; /* nothing but comments: all defaults */
    }
    DYNO_TRY(advance(reader)); /* past the document's start */
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        return refuse(reader, "a scenario is a mapping of sections, as in 'fleet: {workers: 8}'");
    }
    DYNO_TRY(read_mapping(reader, ""));
    DYNO_TRY(advance(reader)); /* the document's end */
    DYNO_TRY(advance(reader));
    if (reader->event.type != YAML_STREAM_END_EVENT) {
        return refuse(reader, "a second document begins; a scenario file holds one");
    }
    return DYNO_OK;
}

dyno_status dyno_scenario_text_read(struct dyno_options *options, const char *name,
                                    const char *text, size_t size, struct dyno_error *error)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    dyno_status status;

    if (!reader || !yaml_parser_initialize(&reader->parser)) {
        free(reader);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory while reading %s", name);
    }
    reader->options = options;
    reader->name = name;
    reader->error = error;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, size);
    status = read_stream(reader);
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
    free(reader);
    return status;
}

/* All of `file`, of which *size bytes may be had at most; *size is then what was read. */
static dyno_status read_all(FILE *file, const char *path, char *buffer, size_t *size,
                            struct dyno_error *error)
{
    size_t room = *size;

    *size = fread(buffer, 1, room, file);
    if (ferror(file)) {
        return dyno_fail(error, DYNO_IO, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (*size == room) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: larger than %d bytes; a scenario file is not",
                         path, DYNO_SCENARIO_FILE_MAX);
    }
    return DYNO_OK;
}

dyno_status dyno_scenario_file_read(struct dyno_options *options, const char *path,
                                    struct dyno_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    const char *name = is_stdin ? "standard input" : path;
    size_t size = DYNO_SCENARIO_FILE_MAX + 1;
    dyno_status status;
    char *buffer;

    if (!file) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "%s: the scenario file cannot be opened: %s", path, strerror(errno));
    }
    buffer = malloc(size);
    status = buffer ? read_all(file, name, buffer, &size, error)
                    : dyno_fail(error, DYNO_NO_MEMORY, "out of memory while reading %s", name);
    if (status == DYNO_OK) {
        status = dyno_scenario_text_read(options, name, buffer, size, error);
    }
    free(buffer);
    if (!is_stdin) {
        fclose(file);
    }
    return status;
}
