/* A GPU of one's own: a YAML mapping of scalars.
 *
 *     name: h20
 *     like: h100            # what is not said below
 *     bf16: 148e12          # dense operations per second
 *     fp8: 296e12
 *     memory: 95.1GiB
 *     memory_bandwidth: 4.0e12
 *
 * Rows below are the only list of keys. */
#include "backends/assets/assets.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "backends/assets/file.h"
#include "core/base/units.h"
#include "core/base/words.h"

enum kind { NUMBER, BYTES, COUNT, TEXT };

struct row {
    const char *key;
    enum kind kind;
    size_t offset;
    size_t size; /* TEXT: of the array */
    double min, max;
    bool required; /* unless `like` gives it */
};

#define AT(field)   offsetof(struct dyno_gpu, field)
#define SIZE(field) sizeof(((struct dyno_gpu *)0)->field)

static const struct row rows[] = {
    {"name", TEXT, AT(name), SIZE(name), 0, 0, true},
    {"title", TEXT, AT(title), SIZE(title), 0, 0, false},
    {"source", TEXT, AT(source), SIZE(source), 0, 0, false},
    {"link", TEXT, AT(link), SIZE(link), 0, 0, false},
    {"bf16", NUMBER, AT(flops[DYNO_BF16]), 0, 1e9, 1e18, true},
    {"fp8", NUMBER, AT(flops[DYNO_FP8]), 0, 1e9, 1e18, false},
    {"int4", NUMBER, AT(flops[DYNO_INT4]), 0, 1e9, 1e18, false},
    {"memory", BYTES, AT(memory_bytes), 0, 1e6, 1e15, true},
    {"memory_bandwidth", NUMBER, AT(memory_bytes_per_s), 0, 1e9, 1e15, true},
    {"link_bandwidth", NUMBER, AT(link_bytes_per_s), 0, 1e6, 1e15, true},
    {"pcie_bandwidth", NUMBER, AT(pcie_bytes_per_s), 0, 1e6, 1e15, true},
    {"network_bandwidth", NUMBER, AT(network_bytes_per_s), 0, 1e6, 1e15, true},
    {"watts", NUMBER, AT(watts_max), 0, 1, 1e5, true},
    {"multiprocessors", COUNT, AT(multiprocessors), 0, 1, 65536, true},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

struct reader {
    const char *path;
    struct dyno_error *error;
    struct dyno_gpu gpu;
    bool given[ROWS];
    bool like;
    yaml_mark_t mark; /* of the scalar in hand */
};

static dyno_status refuse(const struct reader *reader, const char *what, const char *text,
                          const char *expected)
{
    char quoted_path[DYNO_QUOTE_MAX];
    char quoted[DYNO_QUOTE_MAX] = "";

    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s, line %zu, column %zu: %s%s%s; %s",
                     dyno_quote(quoted_path, reader->path), reader->mark.line + 1,
                     reader->mark.column + 1, what, text ? " " : "",
                     text ? dyno_quote(quoted, text) : "", expected);
}

static dyno_status refuse_range(const struct reader *reader, const struct row *row,
                                const char *text)
{
    char expected[160];

    (void)snprintf(expected, sizeof expected, "it must be %s from %g to %g",
                   row->kind == BYTES ? "a size such as 80GiB" : "a number", row->min, row->max);
    return refuse(reader, row->key, text, expected);
}

static dyno_status take_text(struct reader *reader, const struct row *row, const char *text)
{
    char *field = (char *)&reader->gpu + row->offset;

    if (!text[0] || strlen(text) >= row->size || !dyno_text_is_clean(text)) {
        char expected[96];

        (void)snprintf(expected, sizeof expected, "it must be 1 to %zu bytes of plain text",
                       row->size - 1);
        return refuse(reader, row->key, text, expected);
    }
    memcpy(field, text, strlen(text) + 1);
    return DYNO_OK;
}

static dyno_status take_number(struct reader *reader, const struct row *row, const char *text)
{
    char *field = (char *)&reader->gpu + row->offset;
    uint64_t bytes = 0;
    double value = 0;
    bool read = row->kind == BYTES ? dyno_parse_bytes(text, &bytes) == DYNO_UNITS_OK
                                   : dyno_parse_double(text, &value) == DYNO_UNITS_OK;

    if (row->kind == BYTES) {
        value = (double)bytes;
    }
    if (!read || !(value >= row->min && value <= row->max)) {
        return refuse_range(reader, row, text);
    }
    if (row->kind == COUNT && value != (double)(uint32_t)value) {
        return refuse(reader, row->key, text, "it must be a whole number");
    }
    if (row->kind == NUMBER) {
        memcpy(field, &value, sizeof value);
    } else if (row->kind == BYTES) {
        memcpy(field, &bytes, sizeof bytes);
    } else {
        memcpy(field, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    }
    return DYNO_OK;
}

/* Figures of another GPU for all rows not given so far; given rows stay. */
static dyno_status take_like(struct reader *reader, const char *text)
{
    const struct dyno_gpu *similar = dyno_gpu_find(text);
    struct dyno_gpu mixed;

    if (!similar) {
        struct dyno_nearest nearest;
        char expected[128] = "it must be the name of a built-in GPU";

        dyno_nearest_start(&nearest, text);
        for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
            dyno_nearest_offer(&nearest, gpu->name);
        }
        if (dyno_nearest_word(&nearest)) {
            (void)snprintf(expected, sizeof expected, "did you mean %s?",
                           dyno_nearest_word(&nearest));
        }
        return refuse(reader, "no GPU is called", text, expected);
    }
    mixed = *similar;
    for (size_t i = 0; i < ROWS; i++) {
        size_t size = rows[i].kind == TEXT    ? rows[i].size
                      : rows[i].kind == COUNT ? sizeof(uint32_t)
                                              : sizeof(uint64_t);

        if (reader->given[i]) {
            memcpy((char *)&mixed + rows[i].offset, (char *)&reader->gpu + rows[i].offset, size);
        }
    }
    reader->gpu = mixed;
    reader->like = true;
    return DYNO_OK;
}

static dyno_status refuse_key(const struct reader *reader, const char *key)
{
    struct dyno_nearest nearest;
    char expected[320] = "known keys are like";
    size_t used = strlen(expected);

    dyno_nearest_start(&nearest, key);
    dyno_nearest_offer(&nearest, "like");
    for (size_t i = 0; i < ROWS && used < sizeof expected; i++) {
        dyno_nearest_offer(&nearest, rows[i].key);
        used += (size_t)snprintf(expected + used, sizeof expected - used, ", %s", rows[i].key);
    }
    if (dyno_nearest_word(&nearest)) {
        (void)snprintf(expected, sizeof expected, "did you mean %s?", dyno_nearest_word(&nearest));
    }
    return refuse(reader, "unknown key", key, expected);
}

static dyno_status take_pair(struct reader *reader, const yaml_event_t *key,
                             const yaml_event_t *value)
{
    const char *name = (const char *)key->data.scalar.value;
    const char *text = (const char *)value->data.scalar.value;

    reader->mark = value->start_mark;
    if (strlen(text) != value->data.scalar.length) {
        return refuse(reader, name, NULL, "its value holds a NUL byte");
    }
    if (strcmp(name, "like") == 0) {
        return take_like(reader, text);
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].key, name) != 0) {
            continue;
        }
        if (reader->given[i]) {
            reader->mark = key->start_mark;
            return refuse(reader, "key", name, "it is given twice");
        }
        reader->given[i] = true;
        return rows[i].kind == TEXT ? take_text(reader, &rows[i], text)
                                    : take_number(reader, &rows[i], text);
    }
    reader->mark = key->start_mark;
    return refuse_key(reader, name);
}

/* The next event, which must be of `type` (or, if `end` is not YAML_NO_EVENT, of that one). */
static dyno_status next_event(struct reader *reader, yaml_parser_t *parser, yaml_event_type_t type,
                              yaml_event_type_t end, const char *expected, yaml_event_t *event)
{
    if (!yaml_parser_parse(parser, event)) {
        reader->mark = parser->problem_mark;
        return refuse(reader, parser->problem ? parser->problem : "not YAML", NULL,
                      "a mapping of keys to values is expected");
    }
    if (event->type == type || (end != YAML_NO_EVENT && event->type == end)) {
        return DYNO_OK;
    }
    reader->mark = event->start_mark;
    yaml_event_delete(event);
    return refuse(reader, "unexpected content", NULL, expected);
}

static dyno_status skip_event(struct reader *reader, yaml_parser_t *parser, yaml_event_type_t type,
                              const char *expected)
{
    yaml_event_t event;

    DYNO_TRY(next_event(reader, parser, type, YAML_NO_EVENT, expected, &event));
    yaml_event_delete(&event);
    return DYNO_OK;
}

/* One key and its value; *done: the mapping has ended. */
static dyno_status read_pair(struct reader *reader, yaml_parser_t *parser, bool *done)
{
    yaml_event_t key, value;
    dyno_status status;

    DYNO_TRY(next_event(reader, parser, YAML_SCALAR_EVENT, YAML_MAPPING_END_EVENT,
                        "a key is expected", &key));
    *done = key.type == YAML_MAPPING_END_EVENT;
    if (*done) {
        yaml_event_delete(&key);
        return DYNO_OK;
    }
    status = next_event(reader, parser, YAML_SCALAR_EVENT, YAML_NO_EVENT,
                        "every value must be a number or a text", &value);
    if (status == DYNO_OK) {
        status = take_pair(reader, &key, &value);
        yaml_event_delete(&value);
    }
    yaml_event_delete(&key);
    return status;
}

static dyno_status read_document(struct reader *reader, yaml_parser_t *parser)
{
    const char *mapping = "a mapping of keys to values is expected";
    bool done = false;

    DYNO_TRY(skip_event(reader, parser, YAML_STREAM_START_EVENT, mapping));
    DYNO_TRY(skip_event(reader, parser, YAML_DOCUMENT_START_EVENT, mapping));
    DYNO_TRY(skip_event(reader, parser, YAML_MAPPING_START_EVENT, mapping));
    while (!done) {
        DYNO_TRY(read_pair(reader, parser, &done));
    }
    DYNO_TRY(skip_event(reader, parser, YAML_DOCUMENT_END_EVENT, "one document is expected"));
    return skip_event(reader, parser, YAML_STREAM_END_EVENT, "one document is expected");
}

static bool given(const struct reader *reader, size_t offset)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].offset == offset) {
            return reader->given[i];
        }
    }
    return false;
}

/* Text that the file did not give, and peaks that follow from bf16's. */
static void fill_derived(struct reader *reader)
{
    struct dyno_gpu *gpu = &reader->gpu;

    if (!given(reader, AT(title))) {
        (void)snprintf(gpu->title, sizeof gpu->title, "%s", gpu->name);
    }
    if (!given(reader, AT(source))) {
        (void)snprintf(gpu->source, sizeof gpu->source, "the user's file");
    }
    if (!given(reader, AT(link)) && !reader->like) {
        (void)snprintf(gpu->link, sizeof gpu->link, "link");
    }
    if (!given(reader, AT(flops[DYNO_INT4])) && given(reader, AT(flops[DYNO_BF16]))) {
        gpu->flops[DYNO_INT4] = gpu->flops[DYNO_BF16];
    }
    if (!given(reader, AT(flops[DYNO_FP8])) && !reader->like) {
        gpu->flops[DYNO_FP8] = gpu->flops[DYNO_BF16];
    }
}

static dyno_status finish(struct reader *reader, struct dyno_gpu *out)
{
    char quoted[DYNO_QUOTE_MAX];

    for (size_t i = 0; i < ROWS; i++) {
        bool inherited = reader->like && rows[i].offset != AT(name);

        if (rows[i].required && !reader->given[i] && !inherited) {
            return dyno_fail(reader->error, DYNO_BAD_INPUT,
                             "%s: \"%s\" is missing; give it, or name a similar GPU with \"like\"",
                             dyno_quote(quoted, reader->path), rows[i].key);
        }
    }
    fill_derived(reader);
    *out = reader->gpu;
    return DYNO_OK;
}

dyno_status dyno_assets_gpu(struct dyno_gpu *out, const char *path, struct dyno_error *error)
{
    struct reader reader = {.path = path, .error = error};
    yaml_parser_t parser;
    dyno_status status;
    FILE *file;

    DYNO_TRY(dyno_asset_open(&file, path, NULL, error));
    if (!yaml_parser_initialize(&parser)) {
        (void)fclose(file);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read a YAML file");
    }
    yaml_parser_set_input_file(&parser, file);
    status = read_document(&reader, &parser);
    if (status == DYNO_OK) {
        status = finish(&reader, out);
    }
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return status;
}
