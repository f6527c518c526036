/* Traces that are made: of a generator's rows, and of other traces'. */
#include <string.h>

#include "traces/rows.h"
#include "traces/shape.h"
#include "traces/traces.h"
#include "traces/writer.h"

/* Mooncake's own trace has whole milliseconds; no more is made up. */
static void round_down(struct dyno_row *row)
{
    row->at -= row->at % DYNO_MS;
    row->delay -= row->delay % DYNO_MS;
}

/* The next row, unless nobody wants the trace any more. */
static dyno_status put(struct dyno_trace_writer *writer, const struct dyno_row *row,
                       const volatile sig_atomic_t *interrupted, struct dyno_error *error)
{
    if (interrupted && *interrupted) {
        return dyno_fail(error, DYNO_INTERRUPTED, "interrupted: no trace was written");
    }
    return dyno_trace_writer_put(writer, row, error);
}

static dyno_status write_generated(struct dyno_trace_writer *writer, struct dyno_rows *rows,
                                   bool is_rounded, const volatile sig_atomic_t *interrupted,
                                   uint64_t *requests, struct dyno_error *error)
{
    struct dyno_row row = {0};
    dyno_status status = DYNO_OK;
    bool got = true;

    for (*requests = 0; status == DYNO_OK; *requests += got) {
        status = rows->ops->read(rows, &row, &got, error);
        if (status != DYNO_OK || !got) {
            break;
        }
        if (is_rounded) {
            round_down(&row);
        }
        status = put(writer, &row, interrupted, error);
    }
    dyno_row_release(&row);
    return status;
}

dyno_status dyno_trace_write(const char *path, const char *format, uint32_t block_tokens,
                             const struct dyno_generator_config *config, uint64_t *requests,
                             struct dyno_error *error)
{
    struct dyno_trace_writer *writer;
    struct dyno_rows *rows;
    uint32_t concurrency;
    uint64_t count;
    dyno_status status;

    DYNO_TRY(dyno_trace_writer_open(&writer, path, format, block_tokens, 0, NULL, error));
    status = dyno_generator_rows_open(&rows, config, dyno_trace_writer_block_tokens(writer),
                                      &concurrency, error);
    if (status != DYNO_OK) {
        return dyno_trace_writer_close(writer, status, error);
    }
    if (concurrency > 0) {
        status = dyno_fail(error, DYNO_BAD_INPUT,
                           "a closed loop has no timestamps to write; expected another arrival "
                           "than concurrency:N");
    } else {
        status = write_generated(writer, rows, strcmp(format, "mooncake") == 0, config->interrupted,
                                 requests ? requests : &count, error);
    }
    dyno_rows_close(rows);
    return dyno_trace_writer_close(writer, status, error);
}

static dyno_status write_pile(const struct dyno_pile *pile, const struct dyno_shape_output *output,
                              struct dyno_error *error)
{
    bool is_free = output->block_tokens == 0 && strcmp(output->format, "bailian") != 0;
    uint32_t block_tokens = is_free ? pile->block_tokens : output->block_tokens;
    struct dyno_trace_writer *writer;
    struct dyno_salt salt;
    dyno_status status = DYNO_OK;

    if (output->salt) {
        DYNO_TRY(dyno_salt_from_text(&salt, output->salt, error));
    }
    DYNO_TRY(dyno_trace_writer_open(&writer, output->path, output->format, block_tokens,
                                    pile->block_tokens, output->salt ? &salt : NULL, error));
    for (size_t i = 0; i < pile->count && status == DYNO_OK; i++) {
        status = put(writer, &pile->rows[i], output->interrupted, error);
    }
    return dyno_trace_writer_close(writer, status, error);
}

static dyno_status read_all(struct dyno_pile *pile, const struct dyno_trace_config *inputs,
                            uint32_t count, bool is_shared, struct dyno_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(dyno_pile_read(pile, &inputs[i], i, is_shared, error));
    }
    dyno_pile_sort(pile);
    return DYNO_OK;
}

dyno_status dyno_trace_shape(const struct dyno_trace_config *inputs, uint32_t count, bool is_shared,
                             const struct dyno_shape_config *config,
                             const struct dyno_shape_output *output,
                             struct dyno_shape_counts *counts, struct dyno_error *error)
{
    struct dyno_pile read = {0}, shaped = {0};
    dyno_status status = read_all(&read, inputs, count, is_shared, error);

    *counts = (struct dyno_shape_counts){.requests_read = read.count};
    if (status == DYNO_OK) {
        status = dyno_shape(&shaped, &read, config, &counts->conversations_read, error);
    }
    if (status == DYNO_OK) {
        status = write_pile(&shaped, output, error);
        counts->requests_written = shaped.count;
    }
    dyno_pile_release(&read);
    dyno_pile_release(&shaped);
    return status;
}
