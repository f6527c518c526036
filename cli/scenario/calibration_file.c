/* Reads calibrations by their paths ("parameters.host_us.value"), and writes them. */
#include "cli/scenario/calibration_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "core/base/units.h"
#include "core/base/words.h"

#define CORRELATION_MIN 0.005 /* smaller ones are not written */

enum { DEPTH_MAX = 4, KEY_MAX = 64, PATH_MAX_BYTES = 4 * KEY_MAX + 16 };

/* A mapping or list that is open. */
struct level {
    bool is_mapping, has_key;
    char key[KEY_MAX];
    uint32_t index;
};

struct reader {
    yaml_parser_t parser;
    const char *path;
    struct dyno_calibration calibration;
    struct level levels[DEPTH_MAX];
    uint32_t depth;
    yaml_mark_t mark;
    struct dyno_error *error;
};

static dyno_status refuse(const struct reader *reader, const char *what, const char *text)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s:%zu:%zu: %s%s%s", reader->path,
                     reader->mark.line + 1, reader->mark.column + 1, what, text ? " " : "",
                     text ? dyno_quote(quoted, text) : "");
}

/* ---- what a value means ---------------------------------------------------------------------- */

static bool take_text(struct reader *reader, const char *path, const char *value)
{
    struct dyno_calibration *calibration = &reader->calibration;
    const struct {
        const char *path;
        char *to;
        size_t size;
    } texts[] = {{"gpu", calibration->gpu, sizeof calibration->gpu},
                 {"engine", calibration->engine, sizeof calibration->engine},
                 {"weights", calibration->weights, sizeof calibration->weights},
                 {"kv", calibration->kv, sizeof calibration->kv},
                 {"source", calibration->source, sizeof calibration->source},
                 {"date", calibration->date, sizeof calibration->date},
                 {"data", calibration->data, sizeof calibration->data}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(path, texts[i].path) == 0) {
            (void)snprintf(texts[i].to, texts[i].size, "%s", value);
            return true;
        }
    }
    return false;
}

static bool take_range(struct reader *reader, const char *path, double value)
{
    char expected[PATH_MAX_BYTES];

    for (size_t axis = 0; axis < DYNO_AXES; axis++) {
        struct dyno_calibration_range *range = &reader->calibration.ranges[axis];

        for (int end = 0; end < 2; end++) {
            (void)snprintf(expected, sizeof expected, "measured.%s.%d",
                           dyno_calibration_axis_names[axis], end);
            if (strcmp(path, expected) == 0) {
                *(end ? &range->max : &range->min) = value;
                return true;
            }
        }
    }
    return false;
}

static dyno_status take_parameter(struct reader *reader, size_t place, const char *field,
                                  double value)
{
    struct dyno_calibration *calibration = &reader->calibration;
    const struct dyno_timing_row *row = &dyno_timing_rows[place];
    char expected[160];

    if (strcmp(field, "standard_error") == 0) {
        calibration->standard_error[place] = value;
    } else if (strcmp(field, "samples") == 0) {
        calibration->samples[place] = value > 0 && value < 1e9 ? (uint32_t)value : 0;
    } else if (field[0] == '\0' || strcmp(field, "value") == 0) {
        if (!(value >= row->min && value <= row->max)) {
            (void)snprintf(expected, sizeof expected, "%s is not between %g and %g %s", row->name,
                           row->min, row->max, row->unit);
            return refuse(reader, expected, NULL);
        }
        *(double *)(void *)((char *)&calibration->parameters + row->offset) = value;
        calibration->given[place] = true;
    } else {
        return refuse(reader, "a parameter has value, standard_error and samples, not", field);
    }
    return DYNO_OK;
}

/* The place of the row whose name is the first `length` bytes of `name`; -1: none. */
static int place_of(const char *name, size_t length)
{
    for (int i = 0; dyno_timing_rows[i].name; i++) {
        if (strlen(dyno_timing_rows[i].name) == length &&
            strncmp(dyno_timing_rows[i].name, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* "ONE.OTHER" of the correlations. */
static dyno_status take_correlation(struct reader *reader, const char *pair, double value)
{
    size_t length = strcspn(pair, ".");
    int one = place_of(pair, length);
    int other = pair[length] ? place_of(pair + length + 1, strlen(pair + length + 1)) : -1;

    if (one < 0 || other < 0 || one == other) {
        return refuse(reader, "not two parameters:", pair);
    }
    if (!(value >= -1 && value <= 1)) {
        return refuse(reader, "a correlation is not between -1 and 1:", pair);
    }
    reader->calibration.correlation[one][other] = value;
    reader->calibration.correlation[other][one] = value;
    return DYNO_OK;
}

static dyno_status take_value(struct reader *reader, const char *path, const char *text)
{
    static const char parameters[] = "parameters.", correlations[] = "correlations.";
    const char *name = path + sizeof parameters - 1;
    double value;

    if (take_text(reader, path, text)) {
        return DYNO_OK;
    }
    if (dyno_parse_double(text, &value) != DYNO_UNITS_OK || !isfinite(value)) {
        return refuse(reader, "a number is expected, not", text);
    }
    if (take_range(reader, path, value)) {
        return DYNO_OK;
    }
    if (strncmp(path, correlations, sizeof correlations - 1) == 0) {
        return take_correlation(reader, path + sizeof correlations - 1, value);
    }
    if (strncmp(path, parameters, sizeof parameters - 1) == 0) {
        size_t length = strcspn(name, ".");
        int place = place_of(name, length);

        if (place >= 0) {
            return take_parameter(reader, (size_t)place, name + length + (name[length] == '.'),
                                  value);
        }
    }
    return refuse(reader, "unknown key", path);
}

/* ---- the events of YAML ---------------------------------------------------------------------- */

/* The path of the value in hand: the keys and places of all that is open. */
static void write_path(const struct reader *reader, char *path)
{
    size_t used = 0;

    path[0] = '\0';
    for (uint32_t i = 0; i < reader->depth; i++) {
        const struct level *level = &reader->levels[i];
        int wrote =
            level->is_mapping
                ? snprintf(path + used, PATH_MAX_BYTES - used, "%s%s", i ? "." : "", level->key)
                : snprintf(path + used, PATH_MAX_BYTES - used, ".%" PRIu32, level->index);

        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

/* A value has ended: the level that holds it waits for the next. */
static void advance(struct reader *reader)
{
    if (reader->depth > 0) {
        struct level *level = &reader->levels[reader->depth - 1];

        level->has_key = false;
        level->index++;
    }
}

static dyno_status take_scalar(struct reader *reader, const char *text)
{
    struct level *level = reader->depth > 0 ? &reader->levels[reader->depth - 1] : NULL;
    char path[PATH_MAX_BYTES];

    if (!level) {
        return refuse(reader, "a mapping is expected, not", text);
    }
    if (level->is_mapping && !level->has_key) {
        if (strlen(text) >= KEY_MAX) {
            return refuse(reader, "unknown key", text);
        }
        (void)snprintf(level->key, sizeof level->key, "%s", text);
        level->has_key = true;
        return DYNO_OK;
    }
    write_path(reader, path);
    DYNO_TRY(take_value(reader, path, text));
    advance(reader);
    return DYNO_OK;
}

static dyno_status open_level(struct reader *reader, bool is_mapping)
{
    if (reader->depth == DEPTH_MAX) {
        return refuse(reader, "nested too deeply", NULL);
    }
    reader->levels[reader->depth++] = (struct level){.is_mapping = is_mapping};
    return DYNO_OK;
}

static dyno_status take_event(struct reader *reader, const yaml_event_t *event)
{
    reader->mark = event->start_mark;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length) {
            return refuse(reader, "a text with a NUL byte", NULL);
        }
        return take_scalar(reader, (const char *)event->data.scalar.value);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return open_level(reader, event->type == YAML_MAPPING_START_EVENT);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        reader->depth--;
        advance(reader);
        return DYNO_OK;
    case YAML_ALIAS_EVENT:
        return refuse(reader, "aliases are not understood here", NULL);
    default:
        return DYNO_OK;
    }
}

static dyno_status read_events(struct reader *reader)
{
    dyno_status status = DYNO_OK;
    yaml_event_t event;
    bool ended = false;

    while (status == DYNO_OK && !ended) {
        if (!yaml_parser_parse(&reader->parser, &event)) {
            reader->mark = reader->parser.problem_mark;
            return refuse(reader, "not YAML:", reader->parser.problem);
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        status = take_event(reader, &event);
        yaml_event_delete(&event);
    }
    return status;
}

dyno_status dyno_calibration_read(struct dyno_calibration *out, const char *path,
                                  struct dyno_error *error)
{
    struct reader reader = {.path = path, .error = error};
    FILE *file = fopen(path, "r");
    dyno_status status;

    if (!file) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "the calibration %s cannot be opened: %s", path, strerror(errno));
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        (void)fclose(file);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    yaml_parser_set_input_file(&reader.parser, file);
    status = read_events(&reader);
    yaml_parser_delete(&reader.parser);
    (void)fclose(file);
    if (status == DYNO_OK) {
        *out = reader.calibration;
    }
    return status;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_quoted(FILE *file, const char *key, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    (void)fprintf(file, "%s: \"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', file);
        }
        (void)fputc(*text, file);
    }
    (void)fputs("\"\n", file);
}

/* A line for each parameter that has some with those after it. */
static void write_correlations(FILE *file, const struct dyno_calibration *calibration)
{
    bool any = false;

    for (size_t i = 0; dyno_timing_rows[i].name; i++) {
        bool begun = false;

        for (size_t j = i + 1; dyno_timing_rows[j].name; j++) {
            if (fabs(calibration->correlation[i][j]) < CORRELATION_MIN) {
                continue;
            }
            if (!begun) {
                (void)fprintf(file, "%s  %s: {", any ? "" : "correlations: # of their errors\n",
                              dyno_timing_rows[i].name);
            }
            (void)fprintf(file, "%s%s: %.3f", begun ? ", " : "", dyno_timing_rows[j].name,
                          calibration->correlation[i][j]);
            any = begun = true;
        }
        if (begun) {
            (void)fputs("}\n", file);
        }
    }
}

static void write_all(FILE *file, const struct dyno_calibration *calibration)
{
    struct dyno_timing_parameters parameters = calibration->parameters;

    write_quoted(file, "gpu", calibration->gpu);
    write_quoted(file, "engine", calibration->engine);
    write_quoted(file, "weights", calibration->weights);
    write_quoted(file, "kv", calibration->kv);
    write_quoted(file, "source", calibration->source);
    write_quoted(file, "date", calibration->date);
    write_quoted(file, "data", calibration->data);
    (void)fputs("measured:\n", file);
    for (size_t axis = 0; axis < DYNO_AXES; axis++) {
        if (calibration->ranges[axis].max > 0) {
            (void)fprintf(file, "  %s: [%.10g, %.10g]\n", dyno_calibration_axis_names[axis],
                          calibration->ranges[axis].min, calibration->ranges[axis].max);
        }
    }
    (void)fputs("parameters:\n", file);
    for (size_t i = 0; dyno_timing_rows[i].name; i++) {
        const struct dyno_timing_row *row = &dyno_timing_rows[i];

        if (calibration->given[i]) {
            (void)fprintf(
                file, "  %s: {value: %.6g, standard_error: %.3g, samples: %" PRIu32 "} # %s: %s\n",
                row->name, *(double *)(void *)((char *)&parameters + row->offset),
                calibration->standard_error[i], calibration->samples[i], row->unit, row->reason);
        }
    }
    write_correlations(file, calibration);
}

dyno_status dyno_calibration_write(const struct dyno_calibration *calibration, const char *path,
                                   struct dyno_error *error)
{
    char *unfinished;
    bool failed = true;
    FILE *file;

    if (asprintf(&unfinished, "%s.unfinished", path) < 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    file = fopen(unfinished, "w");
    if (file) {
        write_all(file, calibration);
        failed = ferror(file) != 0;
        failed = fclose(file) != 0 || failed || rename(unfinished, path) != 0;
    }
    if (failed) {
        (void)dyno_fail(error, DYNO_IO, "%s cannot be written: %s", path, strerror(errno));
        (void)unlink(unfinished);
    }
    free(unfinished);
    return failed ? DYNO_IO : DYNO_OK;
}
