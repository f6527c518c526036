/* Writing what a generator makes, as a trace that this and other tools read.
 *
 * A file's identities stand for blocks of its own size.  Such a block belongs to the segment that
 * holds its last token and is numbered within it (as in dyno_row_spans), which keeps who shares
 * what; the file numbers the different ones densely, in the order in which they appear. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/map.h"
#include "traces/format.h"
#include "traces/rows.h"

enum { TEXT_BYTES = 256 };

struct writer {
    const struct dyno_format *format;
    uint32_t block_tokens;
    const char *path;
    char *partial; /* where it is written until it is whole; NULL: it is written straight to the
                      path (standard output, a device, a pipe) */
    gzFile file;
    struct dyno_map ids; /* block -> number in the file */
    uint32_t ids_used;
};

static dyno_status refuse_write(const struct writer *writer, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_IO, "%s: writing failed: %s", writer->path,
                     errno ? strerror(errno) : "no space or a broken pipe");
}

static bool put(struct writer *writer, const char *text)
{
    return gzputs(writer->file, text) >= 0;
}

/* The file's number of a block that others may share. */
static bool number_of(struct writer *writer, uint64_t block, uint32_t *number)
{
    int is_new;
    uint32_t *known = dyno_map_put(&writer->ids, block, writer->ids_used, &is_new);

    if (!known) {
        return false;
    }
    writer->ids_used += is_new != 0;
    *number = *known;
    return true;
}

/* The identities of the prompt's blocks; a partial last block, and what no segment covers, is like
 * no other. */
static bool put_blocks(struct writer *writer, const struct dyno_row *row)
{
    uint32_t count = (row->input_tokens + writer->block_tokens - 1) / writer->block_tokens;
    uint32_t segment = 0, in_segment = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = ((uint64_t)i + 1) * writer->block_tokens;
        uint32_t number = writer->ids_used;
        char text[TEXT_BYTES];

        while (segment < row->segment_count && row->segments[segment].end < end) {
            segment++;
            in_segment = 0;
        }
        if (segment == row->segment_count) {
            writer->ids_used++;
        } else if (!number_of(writer, dyno_chain(row->segments[segment].id, in_segment++),
                              &number)) {
            return false;
        }
        (void)snprintf(text, sizeof text, "%s%" PRIu32, i ? ", " : "", number);
        if (!put(writer, text)) {
            return false;
        }
    }
    return true;
}

static bool put_mooncake(struct writer *writer, const struct dyno_row *row)
{
    char text[TEXT_BYTES], time[64];

    (void)snprintf(time, sizeof time, "\"%s\": %" PRIu64, row->has_at ? "timestamp" : "delay",
                   (row->has_at ? row->at : row->delay) / DYNO_MS);
    (void)snprintf(text, sizeof text,
                   "{%s, \"input_length\": %" PRIu32 ", \"output_length\": %" PRIu32, time,
                   row->input_tokens, row->output_tokens);
    if (!put(writer, text)) {
        return false;
    }
    if (row->session) {
        (void)snprintf(text, sizeof text, ", \"session_id\": %" PRIu64, row->session);
        if (!put(writer, text)) {
            return false;
        }
    }
    return put(writer, ", \"hash_ids\": [") && put_blocks(writer, row) && put(writer, "]}\n");
}

/* Days are counted from 2024-05-10, where the public trace of this form begins. */
static bool put_azure(struct writer *writer, const struct dyno_row *row)
{
    uint64_t us = row->at / DYNO_US, seconds = us / 1000000, day = seconds / 86400;
    char text[TEXT_BYTES];

    (void)snprintf(text, sizeof text,
                   "2024-05-%02" PRIu64 " %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64
                   "+00:00,%" PRIu32 ",%" PRIu32 "\n",
                   10 + day, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, us % 1000000,
                   row->input_tokens, row->output_tokens);
    return put(writer, text);
}

static dyno_status refuse_azure(const struct dyno_row *row, struct dyno_error *error)
{
    if (!row->has_at) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the azure format has no sessions; expected session_turns 1, or mooncake");
    }
    return dyno_fail(
        error, DYNO_BAD_INPUT,
        "the azure writer holds three weeks; expected a shorter --duration, or mooncake");
}

static dyno_status write_row(struct writer *writer, const struct dyno_row *row,
                             struct dyno_error *error)
{
    bool is_azure = writer->format == &dyno_format_azure;

    if (is_azure && (!row->has_at || row->at >= 21 * 86400 * DYNO_S)) {
        return refuse_azure(row, error);
    }
    errno = 0;
    return (is_azure ? put_azure(writer, row) : put_mooncake(writer, row))
               ? DYNO_OK
               : refuse_write(writer, error);
}

static dyno_status write_rows(struct writer *writer, struct dyno_rows *rows, uint64_t *requests,
                              struct dyno_error *error)
{
    struct dyno_row row = {0};
    dyno_status status = DYNO_OK;
    bool got = true;

    if (writer->format == &dyno_format_azure &&
        !put(writer, "TIMESTAMP,ContextTokens,GeneratedTokens\n")) {
        return refuse_write(writer, error);
    }
    for (*requests = 0; status == DYNO_OK; *requests += got) {
        status = rows->ops->read(rows, &row, &got, error);
        if (status != DYNO_OK || !got) {
            break;
        }
        status = write_row(writer, &row, error);
    }
    dyno_row_release(&row);
    return status;
}

static bool is_named_gz(const char *path)
{
    size_t length = strlen(path);

    return length >= 3 && strcmp(path + length - 3, ".gz") == 0;
}

/* Something that is there and is no file: it must not be replaced by one. */
static bool is_device(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && !S_ISREG(about.st_mode);
}

static dyno_status begin(struct writer *writer, struct dyno_error *error)
{
    const char *mode = is_named_gz(writer->path) ? "wb9" : "wbT";

    errno = 0;
    if (strcmp(writer->path, "-") == 0) {
        int copy = dup(STDOUT_FILENO);

        writer->file = copy < 0 ? NULL : gzdopen(copy, mode);
    } else if (is_device(writer->path)) {
        writer->file = gzopen(writer->path, mode);
    } else if (asprintf(&writer->partial, "%s.partial", writer->path) < 0) {
        writer->partial = NULL;
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to write it", writer->path);
    } else {
        writer->file = gzopen(writer->partial, mode);
    }
    return writer->file ? DYNO_OK : refuse_write(writer, error);
}

/* Close the file and give it its name, or leave nothing behind. */
static dyno_status finish(struct writer *writer, dyno_status status, struct dyno_error *error)
{
    errno = 0;
    if (writer->file && gzclose(writer->file) != Z_OK && status == DYNO_OK) {
        status = refuse_write(writer, error);
    }
    if (writer->partial && status == DYNO_OK && rename(writer->partial, writer->path) != 0) {
        status = refuse_write(writer, error);
    }
    if (writer->partial && status != DYNO_OK) {
        (void)unlink(writer->partial);
    }
    free(writer->partial);
    dyno_map_release(&writer->ids);
    return status;
}

static dyno_status choose_format(struct writer *writer, const char *format,
                                 struct dyno_error *error)
{
    writer->format = dyno_format_find(format);
    if (writer->format != &dyno_format_mooncake && writer->format != &dyno_format_azure) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "traces are not written as \"%.40s\"; expected mooncake or azure", format);
    }
    if (writer->block_tokens == 0) {
        writer->block_tokens = dyno_format_mooncake.block_tokens;
    }
    return DYNO_OK;
}

dyno_status dyno_trace_write(const char *path, const char *format, uint32_t block_tokens,
                             const struct dyno_generator_config *config, uint64_t *requests,
                             struct dyno_error *error)
{
    struct writer writer = {.path = path, .block_tokens = block_tokens};
    struct dyno_rows *rows;
    uint32_t concurrency;
    uint64_t count;
    dyno_status status;

    DYNO_TRY(choose_format(&writer, format, error));
    DYNO_TRY(dyno_generator_rows_open(&rows, config, writer.block_tokens, &concurrency, error));
    if (concurrency > 0) {
        dyno_rows_close(rows);
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a closed loop has no timestamps to write; expected another arrival than "
                         "concurrency:N");
    }
    status = begin(&writer, error);
    if (status == DYNO_OK) {
        status = write_rows(&writer, rows, requests ? requests : &count, error);
    }
    dyno_rows_close(rows);
    return finish(&writer, status, error);
}
