#include "cli/tune/space.h"

#include <stdlib.h>
#include <string.h>

#include "cli/arms/arms.h"
#include "core/base/math.h"
#include "core/base/units.h"
#include "core/base/words.h"

/* ---- values of a row ------------------------------------------------------------------------- */

/* The number that the scratch scenario has for a row. */
static double number_of(const struct dyno_tune_space *space, const struct dyno_option *row)
{
    const char *field = (const char *)&space->scratch + row->offset;

    switch (row->type) {
    case DYNO_OPTION_U32:
        return *(const uint32_t *)(const void *)field;
    case DYNO_OPTION_DOUBLE:
        return *(const double *)(const void *)field;
    default:
        return (double)*(const uint64_t *)(const void *)field;
    }
}

static bool is_numeric(const struct dyno_option *row)
{
    return row->type == DYNO_OPTION_U32 || row->type == DYNO_OPTION_U64 ||
           row->type == DYNO_OPTION_DOUBLE || row->type == DYNO_OPTION_DURATION ||
           row->type == DYNO_OPTION_BYTES;
}

/* What the row makes of `text`, as it prints it itself; to be freed. */
static dyno_status read_value(struct dyno_tune_space *space, const struct dyno_option *row,
                              const char *text, char **out, struct dyno_error *error)
{
    char where[DYNO_OPTION_NAME_MAX + 8], printed[DYNO_OPTION_TEXT_MAX];
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_FLAG, .where = where};

    (void)snprintf(where, sizeof where, "vary %s", row->name);
    DYNO_TRY(dyno_options_set(&space->options, row, text, &origin, error));
    *out = strdup(dyno_options_print(&space->options, row, printed));
    return *out ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
}

/* `value` to three significant digits. */
static double rounded(double value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.2e", value);
    return strtod(text, NULL);
}

/* Where `value` lies in the range of a dimension. */
static double place_of(const struct dyno_tune_dimension *dimension, double value)
{
    return dimension->is_log
               ? dyno_log(value / dimension->low) / dyno_log(dimension->high / dimension->low)
               : (value - dimension->low) / (dimension->high - dimension->low);
}

/* The value at `*at` of a range, as text; *at becomes where it lies after rounding. */
static void value_at(const struct dyno_tune_dimension *dimension, double *at,
                     char text[DYNO_UNITS_TEXT_MAX])
{
    double value;

    *at = *at > 0.0 ? (*at < 1.0 ? *at : 1.0) : 0.0;
    value = dimension->is_log ? dimension->low * dyno_pow(dimension->high / dimension->low, *at)
                              : dimension->low + *at * (dimension->high - dimension->low);
    value = rounded(value);
    if (dimension->row->type != DYNO_OPTION_DOUBLE) {
        value = (double)(uint64_t)(value + 0.5);
    }
    value = value < dimension->low || *at <= 0.0 ? dimension->low : value;
    value = value > dimension->high || *at >= 1.0 ? dimension->high : value;
    *at = place_of(dimension, value);
    if (dimension->row->type == DYNO_OPTION_DOUBLE) {
        dyno_print_double(text, value);
    } else if (dimension->row->type == DYNO_OPTION_DURATION) {
        dyno_print_duration(text, (dyno_ns)value);
    } else if (dimension->row->type == DYNO_OPTION_BYTES) {
        dyno_print_bytes(text, (uint64_t)value);
    } else {
        dyno_print_u64(text, (uint64_t)value);
    }
}

/* ---- reading --vary -------------------------------------------------------------------------- */

static dyno_status append(struct dyno_tune_dimension *dimension, char *value,
                          struct dyno_error *error)
{
    char **larger;

    for (uint32_t i = 0; i < dimension->value_count; i++) {
        if (strcmp(dimension->values[i], value) == 0) {
            free(value);
            return DYNO_OK;
        }
    }
    if (dimension->value_count == DYNO_TUNE_VALUES_MAX) {
        free(value);
        return dyno_fail(error, DYNO_BAD_INPUT, "--vary %s: more than %d values; give a range",
                         dimension->row->name, DYNO_TUNE_VALUES_MAX);
    }
    larger = realloc(dimension->values, (dimension->value_count + 1) * sizeof *larger);
    if (!larger) {
        free(value);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dimension->values = larger;
    dimension->values[dimension->value_count++] = value;
    return DYNO_OK;
}

static dyno_status read_list(struct dyno_tune_space *space, struct dyno_tune_dimension *dimension,
                             char *text, struct dyno_error *error)
{
    char separator = strchr(text, '|') ? '|' : ',', *value;

    dimension->is_ordered = is_numeric(dimension->row);
    while (text) {
        char *end = strchr(text, separator);

        if (end) {
            *end++ = '\0';
        }
        DYNO_TRY(read_value(space, dimension->row, text, &value, error));
        DYNO_TRY(append(dimension, value, error));
        text = end;
    }
    return DYNO_OK;
}

/* "/5" at the end of a range. */
static dyno_status read_points(const struct dyno_option *row, char *text, uint32_t *points,
                               struct dyno_error *error)
{
    char *slash = strchr(text, '/'), quoted[DYNO_QUOTE_MAX];
    uint64_t count;

    if (!slash) {
        return DYNO_OK;
    }
    *slash = '\0';
    if (dyno_parse_u64(slash + 1, &count) != DYNO_UNITS_OK || count < 2 ||
        count > DYNO_TUNE_VALUES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--vary %s: %s is no number of points on a grid; expected 2 to %d",
                         row->name, dyno_quote(quoted, slash + 1), DYNO_TUNE_VALUES_MAX);
    }
    *points = (uint32_t)count;
    return DYNO_OK;
}

/* Both ends of "LOW..HIGH", as the row reads them. */
static dyno_status read_ends(struct dyno_tune_space *space, struct dyno_tune_dimension *dimension,
                             char *text, struct dyno_error *error)
{
    char *dots = strstr(text, ".."), *value;

    *dots = '\0';
    DYNO_TRY(read_value(space, dimension->row, text, &value, error));
    free(value);
    dimension->low = number_of(space, dimension->row);
    DYNO_TRY(read_value(space, dimension->row, dots + 2, &value, error));
    free(value);
    dimension->high = number_of(space, dimension->row);
    if (dimension->row->special && (strcmp(text, dimension->row->special) == 0 ||
                                    strcmp(dots + 2, dimension->row->special) == 0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--vary %s: '%s' is no end of a range; list it beside numbers",
                         dimension->row->name, dimension->row->special);
    }
    if (!(dimension->low < dimension->high)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--vary %s: the range %s..%s is empty; the lower end comes first, and is "
                         "below the upper",
                         dimension->row->name, text, dots + 2);
    }
    return DYNO_OK;
}

static dyno_status read_range(struct dyno_tune_space *space, struct dyno_tune_dimension *dimension,
                              char *text, uint32_t points, struct dyno_error *error)
{
    if (!is_numeric(dimension->row)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--vary %s: a range is of numbers; list values, with commas between them",
                         dimension->row->name);
    }
    DYNO_TRY(read_points(dimension->row, text, &points, error));
    DYNO_TRY(read_ends(space, dimension, text, error));
    dimension->is_range = dimension->is_ordered = true;
    dimension->is_log = dimension->low > 0.0 && dimension->high / dimension->low >= 10.0;
    for (uint32_t i = 0; i < points; i++) {
        double at = (double)i / (points - 1);
        char printed[DYNO_UNITS_TEXT_MAX], *value;

        value_at(dimension, &at, printed);
        value = strdup(printed);
        if (!value) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
        DYNO_TRY(append(dimension, value, error));
    }
    return DYNO_OK;
}

static dyno_status check_row(const struct dyno_tune_space *space, const struct dyno_option *row,
                             struct dyno_error *error)
{
    for (uint32_t i = 0; i < space->count; i++) {
        if (space->items[i].row == row) {
            return dyno_fail(error, DYNO_BAD_INPUT, "--vary %s: it is varied already", row->name);
        }
    }
    return space->count < DYNO_TUNE_DIMENSIONS_MAX
               ? DYNO_OK
               : dyno_fail(error, DYNO_BAD_INPUT, "--vary: more than %d options; fix some",
                           DYNO_TUNE_DIMENSIONS_MAX);
}

static void release(struct dyno_tune_dimension *dimension)
{
    for (uint32_t i = 0; i < dimension->value_count; i++) {
        free(dimension->values[i]);
    }
    free(dimension->values);
    *dimension = (struct dyno_tune_dimension){.row = NULL};
}

dyno_status dyno_tune_space_add(struct dyno_tune_space *space, const char *text, uint32_t points,
                                struct dyno_error *error)
{
    struct dyno_tune_dimension *dimension = &space->items[space->count];
    const struct dyno_option *row;
    char *values;
    dyno_status status;

    DYNO_TRY(dyno_arm_option_find("--vary", text, &row, error));
    row = &space->options.rows[row - dyno_scenario_rows];
    DYNO_TRY(check_row(space, row, error));
    *dimension = (struct dyno_tune_dimension){.row = row};
    values = strdup(strchr(text, '=') + 1);
    if (!values) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = strstr(values, "..") && !strchr(values, ',')
                 ? read_range(space, dimension, values, points, error)
                 : read_list(space, dimension, values, error);
    free(values);
    if (status == DYNO_OK) {
        space->count++;
    } else {
        release(dimension);
    }
    return status;
}

dyno_status dyno_tune_space_open(struct dyno_tune_space *space, struct dyno_error *error)
{
    *space = (struct dyno_tune_space){.count = 0};
    return dyno_options_open(&space->options, dyno_scenario_rows, dyno_scenario_row_count,
                             &space->scratch, error);
}

void dyno_tune_space_close(struct dyno_tune_space *space)
{
    for (uint32_t i = 0; i < space->count; i++) {
        release(&space->items[i]);
    }
    space->count = 0;
    dyno_options_close(&space->options);
}

/* ---- points ---------------------------------------------------------------------------------- */

uint64_t dyno_tune_space_grid_size(const struct dyno_tune_space *space)
{
    uint64_t size = 1;

    for (uint32_t i = 0; i < space->count; i++) {
        size = size > UINT64_MAX / DYNO_TUNE_VALUES_MAX ? UINT64_MAX
                                                        : size * space->items[i].value_count;
    }
    return size;
}

dyno_status dyno_tune_space_grid(const struct dyno_tune_space *space, uint64_t index,
                                 struct dyno_tune_point *out)
{
    double at[DYNO_TUNE_DIMENSIONS_MAX];

    for (uint32_t i = space->count; i-- > 0;) {
        const struct dyno_tune_dimension *dimension = &space->items[i];
        uint64_t place = index % dimension->value_count;

        index /= dimension->value_count;
        at[i] = dimension->is_range && dimension->value_count > 1
                    ? (double)place / (dimension->value_count - 1)
                    : (double)place;
    }
    return dyno_tune_space_at(space, at, out);
}

dyno_status dyno_tune_space_at(const struct dyno_tune_space *space, const double *at,
                               struct dyno_tune_point *out)
{
    *out = (struct dyno_tune_point){.at = {0}};
    for (uint32_t i = 0; i < space->count; i++) {
        const struct dyno_tune_dimension *dimension = &space->items[i];
        double last = dimension->value_count - 1;
        char text[DYNO_UNITS_TEXT_MAX];

        out->at[i] = at[i];
        if (dimension->is_range) {
            value_at(dimension, &out->at[i], text);
            out->values[i] = strdup(text);
        } else {
            uint32_t index = (uint32_t)(at[i] < 0.0 ? 0.0 : (at[i] > last ? last : at[i] + 0.5));

            out->at[i] = index;
            out->values[i] = strdup(dimension->values[index]);
        }
        if (!out->values[i]) {
            dyno_tune_point_release(out);
            return DYNO_NO_MEMORY;
        }
    }
    return DYNO_OK;
}

void dyno_tune_point_release(struct dyno_tune_point *point)
{
    for (uint32_t i = 0; i < DYNO_TUNE_DIMENSIONS_MAX; i++) {
        free(point->values[i]);
        point->values[i] = NULL;
    }
}

bool dyno_tune_point_same(const struct dyno_tune_space *space, const struct dyno_tune_point *a,
                          const struct dyno_tune_point *b)
{
    for (uint32_t i = 0; i < space->count; i++) {
        if (strcmp(a->values[i], b->values[i]) != 0) {
            return false;
        }
    }
    return true;
}

void dyno_tune_point_print(const struct dyno_tune_space *space, const struct dyno_tune_point *point,
                           char *out, size_t size)
{
    size_t used = 0;

    *out = '\0';
    for (uint32_t i = 0; i < space->count && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s=%s", i ? " " : "",
                                 space->items[i].row->name, point->values[i]);
    }
}
