#include "cli/machine/validation.h"

#include <stdlib.h>
#include <string.h>

#include "cli/values.h"

/* ---- measures of one request ----------------------------------------------------------------- */

static double ttft_ms(const struct dyno_request_record *record)
{
    return (double)(record->first_token_ns - record->arrival_ns) / 1e6;
}

/* 0 where there is none, as of a single token. */
static double tpot_ms(const struct dyno_request_record *record)
{
    return record->output_tokens > 1 ? (double)(record->last_token_ns - record->first_token_ns) /
                                           1e6 / (record->output_tokens - 1)
                                     : 0.0;
}

static double e2e_ms(const struct dyno_request_record *record)
{
    return (double)(record->last_token_ns - record->arrival_ns) / 1e6;
}

/* Those that waited for nothing of the kind do not count. */
static double onboard_ms(const struct dyno_request_record *record)
{
    return (double)record->onboard_ns / 1e6;
}

static double transfer_ms(const struct dyno_request_record *record)
{
    return (double)record->transfer_ns / 1e6;
}

typedef double (*measure_of)(const struct dyno_request_record *record);

static const measure_of measures[DYNO_VALIDATION_MEASURES] = {ttft_ms, tpot_ms, e2e_ms, onboard_ms,
                                                              transfer_ms};

/* ---- the requests of all runs ---------------------------------------------------------------- */

/* One measure of every request that has it in every run. */
struct sheet {
    uint32_t runs; /* the simulated one is the last */
    uint32_t requests;
    double *values;  /* [requests_max][runs] */
    double *scratch; /* [requests_max + runs] */
};

static int by_id(const void *key, const void *element)
{
    uint64_t id = *(const uint64_t *)key;
    uint64_t other = ((const struct dyno_request_record *)element)->id;

    return (id > other) - (id < other);
}

/* The measure of request `id` in a run; 0: it did not complete there, or has none. */
static double value_in(const struct dyno_listener *run, uint64_t id, measure_of measure)
{
    const struct dyno_request_record *record =
        run->record_count > 0
            ? bsearch(&id, run->records, run->record_count, sizeof *run->records, by_id)
            : NULL;

    return record && record->outcome == DYNO_COMPLETED ? measure(record) : 0.0;
}

static void fill(struct sheet *sheet, const struct dyno_listener *live,
                 const struct dyno_listener *simulated, measure_of measure)
{
    sheet->requests = 0;
    for (size_t i = 0; i < live->record_count; i++) {
        double *row = sheet->values + (size_t)sheet->requests * sheet->runs;
        bool everywhere = true;

        for (uint32_t run = 0; run < sheet->runs; run++) {
            row[run] = value_in(run + 1 < sheet->runs ? &live[run] : simulated, live->records[i].id,
                                measure);
            everywhere = everywhere && row[run] > 0.0;
        }
        sheet->requests += everywhere;
    }
}

/* ---- what is said of them -------------------------------------------------------------------- */

/* Sorts. */
static double median(double *values, uint32_t count)
{
    struct dyno_values sorted = {.values = values, .count = count};

    dyno_values_sort(&sorted);
    return dyno_values_percentile(&sorted, 0.5);
}

/* The figures of one run: mean, p50, p90, p99. */
static void figures_of(const struct sheet *sheet, uint32_t run, double *out)
{
    static const double fractions[] = {0.5, 0.9, 0.99};
    struct dyno_values values = {.values = sheet->scratch, .count = sheet->requests};

    for (uint32_t i = 0; i < sheet->requests; i++) {
        values.values[i] = sheet->values[(size_t)i * sheet->runs + run];
    }
    dyno_values_sort(&values);
    out[0] = dyno_values_mean(&values);
    for (uint32_t i = 0; i < 3; i++) {
        out[i + 1] = dyno_values_percentile(&values, fractions[i]);
    }
}

static void put_figures(const struct sheet *sheet, struct dyno_validation_measure *out)
{
    double of_run[DYNO_VALIDATION_REPEATS_MAX + 1][DYNO_VALIDATION_FIGURES];
    double of_live[DYNO_VALIDATION_REPEATS_MAX];
    uint32_t live = sheet->runs - 1;

    for (uint32_t run = 0; run < sheet->runs; run++) {
        figures_of(sheet, run, of_run[run]);
    }
    for (uint32_t i = 0; i < DYNO_VALIDATION_FIGURES; i++) {
        for (uint32_t run = 0; run < live; run++) {
            of_live[run] = of_run[run][i];
        }
        out->figures[i] = dyno_validation_figure(of_live, live, of_run[live][i]);
    }
}

/* The median of a request's live runs, but run `without` (none, if there is no such run). */
static double median_without(const struct sheet *sheet, const double *row, uint32_t without)
{
    uint32_t count = 0;

    for (uint32_t run = 0; run + 1 < sheet->runs; run++) {
        if (run != without) {
            sheet->scratch[count++] = row[run];
        }
    }
    return median(sheet->scratch, count);
}

static dyno_status put_errors(const struct sheet *sheet, struct dyno_validation_measure *out)
{
    struct dyno_errors error = {0}, machine = {0};
    uint32_t live = sheet->runs - 1;
    bool fits = true;

    for (uint32_t i = 0; i < sheet->requests; i++) {
        const double *row = sheet->values + (size_t)i * sheet->runs;

        fits = fits && dyno_errors_add(&error, row[live], median_without(sheet, row, live), 0);
        for (uint32_t run = 0; live > 1 && run < live; run++) {
            fits = fits && dyno_errors_add(&machine, row[run], median_without(sheet, row, run), 0);
        }
    }
    out->error = dyno_errors_figures(&error);
    out->machine = dyno_errors_figures(&machine);
    dyno_errors_release(&error);
    dyno_errors_release(&machine);
    return fits ? DYNO_OK : DYNO_NO_MEMORY;
}

static dyno_status compare(struct dyno_validation *out, struct sheet *sheet,
                           const struct dyno_listener *live, const struct dyno_listener *simulated)
{
    for (uint32_t i = 0; i < DYNO_VALIDATION_MEASURES; i++) {
        fill(sheet, live, simulated, measures[i]);
        out->measures[i].requests = sheet->requests;
        if (sheet->requests > 0) {
            put_figures(sheet, &out->measures[i]);
            DYNO_TRY(put_errors(sheet, &out->measures[i]));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_validation_compare(struct dyno_validation *out, const struct dyno_listener *live,
                                    uint32_t repeats, const struct dyno_listener *simulated)
{
    size_t most = live->record_count + 1; /* what does not have the measure lies past the others */
    struct dyno_validation made = *out;
    struct sheet sheet = {.runs = repeats + 1};
    dyno_status status = DYNO_NO_MEMORY;

    sheet.values = calloc(most * sheet.runs, sizeof *sheet.values);
    sheet.scratch = calloc(most + sheet.runs, sizeof *sheet.scratch);
    made.repeats = repeats;
    made.requests = (uint32_t)live->record_count;
    memset(made.measures, 0, sizeof made.measures);
    if (sheet.values && sheet.scratch) {
        status = compare(&made, &sheet, live, simulated);
    }
    free(sheet.values);
    free(sheet.scratch);
    if (status == DYNO_OK) {
        *out = made;
    }
    return status;
}
