#include "reports/functions.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/format.h"
#include "reports/liveness.h"

/* true_status(status, machine, process, since): a run that was killed still says 'running'. */
static void true_status(sqlite3_context *context, int count, sqlite3_value **values)
{
    static const char *const names[] = {
        [DYNO_LIVENESS_RUNNING] = "running",
        [DYNO_LIVENESS_GONE] = "crashed",
        [DYNO_LIVENESS_UNKNOWN] = "unfinished",
    };
    const char *status = (const char *)sqlite3_value_text(values[0]);

    (void)count;
    if (!status || strcmp(status, "running") != 0) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    sqlite3_result_text(
        context,
        names[dyno_liveness_of((const char *)sqlite3_value_text(values[1]),
                               sqlite3_value_int64(values[2]), sqlite3_value_int64(values[3]))],
        -1, SQLITE_STATIC);
}

/* span_words(ms): for alternative texts, which are read out. */
static void span_words(sqlite3_context *context, int count, sqlite3_value **values)
{
    double ms = sqlite3_value_double(values[0]);
    char text[DYNO_FORMAT_MAX];

    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        (void)snprintf(text, sizeof text, "n/a");
    } else if (fabs(ms) < 999.95) {
        (void)snprintf(text, sizeof text, "%.4g ms", ms);
    } else if (fabs(ms) < 59950.0) {
        (void)snprintf(text, sizeof text, "%.3g s", ms / 1e3);
    } else {
        text[0] = '-';
        dyno_format_span(text + (ms < 0.0), fabs(ms) / 1e3);
    }
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* ---- bins ------------------------------------------------------------------------------------ */

enum {
    PART_BITS = 6, /* 64 bins to a power of two */
    PARTS = 1 << PART_BITS,
    BINS = (64 - PART_BITS) * PARTS, /* of one sign */
};

/* Numbers below 0 are counted by their magnitude, apart. */
struct histogram {
    uint64_t counts[2][BINS]; /* [is below 0] */
};

static unsigned bin_of(uint64_t value)
{
    unsigned shift;

    if (value < PARTS) {
        return (unsigned)value;
    }
    shift = 63U - (unsigned)__builtin_clzll(value) - PART_BITS;
    return (shift << PART_BITS) + (unsigned)(value >> shift);
}

static int64_t least_of(unsigned bin)
{
    unsigned shift = bin < 2 * PARTS ? 0 : (bin >> PART_BITS) - 1;

    return (int64_t)((uint64_t)(bin - (shift << PART_BITS)) << shift);
}

static int64_t most_of(unsigned bin)
{
    return bin + 1 < BINS ? least_of(bin + 1) - 1 : INT64_MAX;
}

static void bins_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct histogram **kept = sqlite3_aggregate_context(context, sizeof(struct histogram *));
    int64_t value = sqlite3_value_int64(values[0]);

    (void)count;
    if (!kept || sqlite3_value_type(values[0]) == SQLITE_NULL) {
        return;
    }
    if (!*kept) {
        *kept = calloc(1, sizeof **kept);
        if (!*kept) {
            sqlite3_result_error_nomem(context);
            return;
        }
    }
    (*kept)->counts[value < 0][bin_of(value < 0 ? -(uint64_t)value : (uint64_t)value)]++;
}

static void put_bin(FILE *out, int64_t most, uint64_t count)
{
    if (count > 0) {
        (void)fprintf(out, "%s[%" PRId64 ",%" PRIu64 "]", ftell(out) > 1 ? "," : "", most, count);
    }
}

static void bins_final(sqlite3_context *context)
{
    struct histogram **kept = sqlite3_aggregate_context(context, 0);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        sqlite3_result_error_nomem(context);
    } else {
        fputc('[', out);
        for (unsigned i = 0; kept && *kept && i < BINS; i++) { /* from the lowest on */
            put_bin(out, -least_of(BINS - 1 - i), (*kept)->counts[1][BINS - 1 - i]);
        }
        for (unsigned bin = 0; kept && *kept && bin < BINS; bin++) {
            put_bin(out, most_of(bin), (*kept)->counts[0][bin]);
        }
        fputc(']', out);
        if (fclose(out) == 0) {
            sqlite3_result_text(context, text, (int)size, SQLITE_TRANSIENT);
        } else {
            sqlite3_result_error_nomem(context);
        }
    }
    free(text);
    if (kept) {
        free(*kept);
    }
}

int dyno_functions_add(sqlite3 *database)
{
    int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
    int result =
        sqlite3_create_function(database, "true_status", 4, flags, NULL, true_status, NULL, NULL);

    flags |= SQLITE_DETERMINISTIC;
    if (result == SQLITE_OK) {
        result =
            sqlite3_create_function(database, "span_words", 1, flags, NULL, span_words, NULL, NULL);
    }
    return result != SQLITE_OK ? result
                               : sqlite3_create_function(database, "bins", 1, flags, NULL, NULL,
                                                         bins_step, bins_final);
}
