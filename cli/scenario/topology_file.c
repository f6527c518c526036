/* A topology file:
 *
 *     overhead: 20us             # of every transfer
 *     block_overhead: 100ns      # and of each of its blocks
 *     switches:                  # the first is the top
 *       - {name: spine}
 *       - {name: rack0, up: spine, bandwidth: 100GB/s, latency: 2us}
 *     nodes:                     # workers are numbered in this order
 *       - {count: 4, workers: 2, link: 900GB/s, link_latency: 2us,
 *          nic: 50GB/s, nic_latency: 5us, switch: rack0,
 *          host: 55GB/s, host_latency: 2us,           # of a worker; only for tiers
 *          disk_read: 50GB/s, disk_write: 30GB/s, disk_latency: 100us}
 *     store: 25GB/s              # at the top; only for a tier that is one
 *     store_latency: 5ms
 *
 * Rows below are the only list of keys. */
#include "cli/scenario/topology_file.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/base/units.h"
#include "core/base/words.h"

enum kind { TIME, SPEED, COUNT, NAME, SWITCH };

struct row {
    const char *key;
    enum kind kind;
    size_t offset;
    bool required;
};

static const struct row whole_rows[] = {
    {"overhead", TIME, offsetof(struct dyno_topology, overhead_ns), false},
    {"block_overhead", TIME, offsetof(struct dyno_topology, block_overhead_ns), false},
    {"store", SPEED, offsetof(struct dyno_topology, store.bytes_per_s), false},
    {"store_latency", TIME, offsetof(struct dyno_topology, store.latency_ns), false},
    {NULL, TIME, 0, false},
};

static const struct row switch_rows[] = {
    {"name", NAME, offsetof(struct dyno_switch, name), true},
    {"up", SWITCH, offsetof(struct dyno_switch, up), false},
    {"bandwidth", SPEED, offsetof(struct dyno_switch, link.bytes_per_s), false},
    {"latency", TIME, offsetof(struct dyno_switch, link.latency_ns), false},
    {NULL, TIME, 0, false},
};

static const struct row node_rows[] = {
    {"count", COUNT, offsetof(struct dyno_node_kind, count), false},
    {"workers", COUNT, offsetof(struct dyno_node_kind, workers), true},
    {"link", SPEED, offsetof(struct dyno_node_kind, link.bytes_per_s), true},
    {"link_latency", TIME, offsetof(struct dyno_node_kind, link.latency_ns), false},
    {"nic", SPEED, offsetof(struct dyno_node_kind, nic.bytes_per_s), true},
    {"nic_latency", TIME, offsetof(struct dyno_node_kind, nic.latency_ns), false},
    {"switch", SWITCH, offsetof(struct dyno_node_kind, at), false},
    {"host", SPEED, offsetof(struct dyno_node_kind, host.bytes_per_s), false},
    {"host_latency", TIME, offsetof(struct dyno_node_kind, host.latency_ns), false},
    {"disk_read", SPEED, offsetof(struct dyno_node_kind, disk_read.bytes_per_s), false},
    {"disk_write", SPEED, offsetof(struct dyno_node_kind, disk_write.bytes_per_s), false},
    {"disk_latency", TIME, offsetof(struct dyno_node_kind, disk_read.latency_ns), false},
    {NULL, TIME, 0, false},
};

/* Of the keys of the whole: one of whole_rows, or a list. */
enum { GIVEN_SWITCHES = 1u << 30, GIVEN_NODES = 1u << 29 };

struct reader {
    const char *path;
    struct dyno_error *error;
    struct dyno_topology *topology;
    unsigned given; /* keys of the whole so far */
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
};

static dyno_status refuse(const struct reader *reader, const char *what, const char *text,
                          const char *expected)
{
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];

    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s, line %zu, column %zu: %s%s%s; %s",
                     dyno_quote(path, reader->path), reader->event.start_mark.line + 1,
                     reader->event.start_mark.column + 1, what, text ? " " : "",
                     text ? dyno_quote(quoted, text) : "", expected);
}

/* ---- values ---------------------------------------------------------------------------------- */

static dyno_status take_time(const struct reader *reader, const char *text, dyno_ns *out)
{
    if (dyno_parse_duration(text, out) != DYNO_UNITS_OK || *out > DYNO_S) {
        return refuse(reader, "no time:", text, "it must be from 0 to 1s, such as 20us");
    }
    return DYNO_OK;
}

static dyno_status take_speed(const struct reader *reader, const char *text, uint64_t *out)
{
    size_t length = strlen(text);
    char bytes[DYNO_UNITS_TEXT_MAX];

    if (length > 2 && length < sizeof bytes && strcmp(text + length - 2, "/s") == 0) {
        memcpy(bytes, text, length - 2);
        bytes[length - 2] = '\0';
        if (dyno_parse_bytes(bytes, out) == DYNO_UNITS_OK && *out >= DYNO_LINK_BYTES_PER_S_MIN &&
            *out <= DYNO_LINK_BYTES_PER_S_MAX) {
            return DYNO_OK;
        }
    }
    return refuse(reader, "no bandwidth:", text, "it must be from 1MB/s to 1000TB/s");
}

static dyno_status take_count(const struct reader *reader, const char *text, uint32_t *out)
{
    uint64_t value = 0;

    if (dyno_parse_u64(text, &value) != DYNO_UNITS_OK || value < 1 || value > 100000) {
        return refuse(reader, "no count:", text, "it must be a whole number from 1 to 100000");
    }
    *out = (uint32_t)value;
    return DYNO_OK;
}

static uint32_t find_switch(const struct dyno_topology *topology, const char *name)
{
    for (uint32_t i = 0; i < topology->switch_count; i++) {
        if (strcmp(topology->switches[i].name, name) == 0) {
            return i;
        }
    }
    return DYNO_NO_SWITCH;
}

static dyno_status take_name(const struct reader *reader, const char *text, char *out)
{
    if (!text[0] || strlen(text) >= DYNO_TOPOLOGY_NAME_MAX || !dyno_text_is_clean(text)) {
        return refuse(reader, "no name:", text, "it must be 1 to 31 bytes of plain text");
    }
    if (find_switch(reader->topology, text) != DYNO_NO_SWITCH) {
        return refuse(reader, "a second switch", text, "every switch needs a name of its own");
    }
    memcpy(out, text, strlen(text) + 1);
    return DYNO_OK;
}

static dyno_status take_switch(const struct reader *reader, const char *text, uint32_t *out)
{
    struct dyno_nearest nearest;
    char expected[128] = "it must be one of those named before";

    *out = find_switch(reader->topology, text);
    if (*out != DYNO_NO_SWITCH) {
        return DYNO_OK;
    }
    dyno_nearest_start(&nearest, text);
    for (uint32_t i = 0; i < reader->topology->switch_count; i++) {
        dyno_nearest_offer(&nearest, reader->topology->switches[i].name);
    }
    if (dyno_nearest_word(&nearest)) {
        (void)snprintf(expected, sizeof expected, "did you mean %s?", dyno_nearest_word(&nearest));
    }
    return refuse(reader, "no switch is called", text, expected);
}

static dyno_status take_value(const struct reader *reader, const struct row *row, char *object)
{
    const char *text = (const char *)reader->event.data.scalar.value;
    void *field = object + row->offset;

    if (strlen(text) != reader->event.data.scalar.length) {
        return refuse(reader, row->key, NULL, "its value holds a NUL byte");
    }
    switch (row->kind) {
    case TIME:
        return take_time(reader, text, field);
    case SPEED:
        return take_speed(reader, text, field);
    case COUNT:
        return take_count(reader, text, field);
    case NAME:
        return take_name(reader, text, field);
    case SWITCH:
        return take_switch(reader, text, field);
    }
    return DYNO_OK;
}

/* ---- events ---------------------------------------------------------------------------------- */

static dyno_status next(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    memset(&reader->event, 0, sizeof reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        memset(&reader->event, 0, sizeof reader->event);
        reader->event.start_mark = reader->parser.problem_mark;
        return refuse(reader, reader->parser.problem ? reader->parser.problem : "not YAML", NULL,
                      "a mapping of keys to values is expected");
    }
    return DYNO_OK;
}

static dyno_status expect(struct reader *reader, yaml_event_type_t type, const char *expected)
{
    DYNO_TRY(next(reader));
    return reader->event.type == type ? DYNO_OK
                                      : refuse(reader, "unexpected content", NULL, expected);
}

static dyno_status refuse_key(const struct reader *reader, const struct row *rows, const char *key)
{
    struct dyno_nearest nearest;
    char expected[256] = "known keys are";
    size_t used = strlen(expected);

    dyno_nearest_start(&nearest, key);
    for (const struct row *row = rows; row->key && used < sizeof expected; row++) {
        dyno_nearest_offer(&nearest, row->key);
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s %s",
                                 row > rows ? "," : "", row->key);
    }
    if (dyno_nearest_word(&nearest)) {
        (void)snprintf(expected, sizeof expected, "did you mean %s?", dyno_nearest_word(&nearest));
    }
    return refuse(reader, "unknown key", key, expected);
}

/* The current event is a key; its row, or NULL: none of these. */
static const struct row *find_row(const struct reader *reader, const struct row *rows)
{
    for (const struct row *row = rows; row->key; row++) {
        if (strcmp((const char *)reader->event.data.scalar.value, row->key) == 0) {
            return row;
        }
    }
    return NULL;
}

static dyno_status check_given(const struct reader *reader, const struct row *rows, unsigned given)
{
    for (const struct row *row = rows; row->key; row++) {
        if (row->required && (given >> (row - rows) & 1u) == 0) {
            return refuse(reader, "there is no key", row->key, "it is required here");
        }
    }
    return DYNO_OK;
}

/* The current event begins a mapping of scalars. */
static dyno_status read_object(struct reader *reader, const struct row *rows, void *object)
{
    unsigned given = 0;

    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        return refuse(reader, "unexpected content", NULL, "a mapping is expected");
    }
    for (;;) {
        const struct row *row;

        DYNO_TRY(next(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            return check_given(reader, rows, given);
        }
        if (reader->event.type != YAML_SCALAR_EVENT) {
            return refuse(reader, "unexpected content", NULL, "a key is expected");
        }
        row = find_row(reader, rows);
        if (!row) {
            return refuse_key(reader, rows, (const char *)reader->event.data.scalar.value);
        }
        if (given >> (row - rows) & 1u) {
            return refuse(reader, "key", row->key, "it is given twice");
        }
        given |= 1u << (row - rows);
        DYNO_TRY(expect(reader, YAML_SCALAR_EVENT, "every value here is a number or a name"));
        DYNO_TRY(take_value(reader, row, object));
    }
}

static dyno_status read_switch(struct reader *reader)
{
    struct dyno_topology *topology = reader->topology;
    struct dyno_switch one = {.up = DYNO_NO_SWITCH};

    if (topology->switch_count == DYNO_SWITCHES_MAX) {
        return refuse(reader, "too many switches", NULL, "256 at most");
    }
    DYNO_TRY(read_object(reader, switch_rows, &one));
    topology->switches[topology->switch_count++] = one;
    return DYNO_OK;
}

static dyno_status read_node(struct reader *reader)
{
    struct dyno_topology *topology = reader->topology;
    struct dyno_node_kind one = {.count = 1, .at = DYNO_NO_SWITCH};

    if (topology->kind_count == DYNO_NODE_KINDS_MAX) {
        return refuse(reader, "too many kinds of nodes", NULL, "64 at most");
    }
    DYNO_TRY(read_object(reader, node_rows, &one));
    one.disk_write.latency_ns = one.disk_read.latency_ns;
    topology->kinds[topology->kind_count++] = one;
    return DYNO_OK;
}

static dyno_status read_list(struct reader *reader, dyno_status (*read_one)(struct reader *))
{
    DYNO_TRY(expect(reader, YAML_SEQUENCE_START_EVENT, "a list is expected"));
    for (;;) {
        DYNO_TRY(next(reader));
        if (reader->event.type == YAML_SEQUENCE_END_EVENT) {
            return DYNO_OK;
        }
        DYNO_TRY(read_one(reader));
    }
}

/* The current event is a key of the whole, which is `bit`. */
static dyno_status give(struct reader *reader, unsigned bit)
{
    if (reader->given & bit) {
        return refuse(reader, "key", (const char *)reader->event.data.scalar.value,
                      "it is given twice");
    }
    reader->given |= bit;
    return DYNO_OK;
}

/* The current event is a key of the whole. */
static dyno_status read_member(struct reader *reader)
{
    const char *key = (const char *)reader->event.data.scalar.value;
    const struct row *row = find_row(reader, whole_rows);

    if (strcmp(key, "switches") == 0) {
        DYNO_TRY(give(reader, GIVEN_SWITCHES));
        return read_list(reader, read_switch);
    }
    if (strcmp(key, "nodes") == 0) {
        DYNO_TRY(give(reader, GIVEN_NODES));
        return read_list(reader, read_node);
    }
    if (!row) {
        return refuse(reader, "unknown key", key,
                      "known keys are overhead, block_overhead, store, store_latency, switches, "
                      "nodes");
    }
    DYNO_TRY(give(reader, 1u << (row - whole_rows)));
    DYNO_TRY(expect(reader, YAML_SCALAR_EVENT, "a number with its unit is expected"));
    return take_value(reader, row, (char *)reader->topology);
}

static dyno_status read_document(struct reader *reader)
{
    DYNO_TRY(expect(reader, YAML_STREAM_START_EVENT, "a mapping is expected"));
    DYNO_TRY(expect(reader, YAML_DOCUMENT_START_EVENT, "a mapping is expected"));
    DYNO_TRY(expect(reader, YAML_MAPPING_START_EVENT, "a mapping is expected"));
    for (;;) {
        DYNO_TRY(next(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        if (reader->event.type != YAML_SCALAR_EVENT) {
            return refuse(reader, "unexpected content", NULL, "a key is expected");
        }
        DYNO_TRY(read_member(reader));
    }
    if (reader->topology->kind_count == 0) {
        return refuse(reader, "there are no nodes", NULL, "a topology has at least one");
    }
    DYNO_TRY(expect(reader, YAML_DOCUMENT_END_EVENT, "one document is expected"));
    return expect(reader, YAML_STREAM_END_EVENT, "one document is expected");
}

static dyno_status read_file(FILE *file, const char *path, struct dyno_topology *topology,
                             struct dyno_error *error)
{
    struct reader reader = {.path = path, .error = error, .topology = topology};
    dyno_status status;

    if (!yaml_parser_initialize(&reader.parser)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read a topology");
    }
    yaml_parser_set_input_file(&reader.parser, file);
    status = read_document(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return status;
}

dyno_status dyno_topology_read(struct dyno_topology *out, const char *path,
                               struct dyno_error *error)
{
    struct dyno_topology *topology;
    FILE *file = fopen(path, "rb");
    char quoted[DYNO_QUOTE_MAX];
    dyno_status status;

    if (!file) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "the topology %s cannot be opened: %s", dyno_quote(quoted, path),
                         strerror(errno));
    }
    topology = calloc(1, sizeof *topology);
    if (!topology) {
        (void)fclose(file);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read a topology");
    }
    status = read_file(file, path, topology, error);
    if (status == DYNO_OK) {
        *out = *topology;
    }
    free(topology);
    (void)fclose(file);
    return status;
}
