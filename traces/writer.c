#include "traces/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/writer_parts.h"

static dyno_status refuse_write(const struct dyno_trace_writer *writer, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_IO, "%s: writing failed: %s", writer->path,
                     errno ? strerror(errno) : "no space, no memory or a broken pipe");
}

dyno_status dyno_trace_writer_put(struct dyno_trace_writer *writer, const struct dyno_row *row,
                                  struct dyno_error *error)
{
    const char *why = dyno_trace_cannot_say(writer, row);

    if (why) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s", why);
    }
    errno = 0;
    return dyno_trace_put_row(writer, row) ? DYNO_OK : refuse_write(writer, error);
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

static dyno_status begin(struct dyno_trace_writer *writer, struct dyno_error *error)
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
    if (!writer->file || !dyno_trace_put_header(writer)) {
        return refuse_write(writer, error);
    }
    return DYNO_OK;
}

static dyno_status choose_format(struct dyno_trace_writer *writer, const char *format,
                                 struct dyno_error *error)
{
    writer->format = dyno_format_find(format);
    if (!writer->format) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "traces are not written as \"%.40s\"; expected mooncake, bailian, azure "
                         "or burstgpt",
                         format);
    }
    if (writer->block_tokens == 0) {
        writer->block_tokens = writer->format->block_tokens;
    }
    if (writer->block_tokens == 0) { /* of a format without identities: rows are made of some */
        writer->block_tokens = dyno_format_mooncake.block_tokens;
    }
    if (writer->format == &dyno_format_bailian && writer->block_tokens != 16) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "bailian's identities stand for 16 tokens; expected block tokens of 16, "
                         "or mooncake");
    }
    return DYNO_OK;
}

dyno_status dyno_trace_writer_open(struct dyno_trace_writer **out, const char *path,
                                   const char *format, uint32_t block_tokens,
                                   uint32_t row_block_tokens, const struct dyno_salt *salt,
                                   struct dyno_error *error)
{
    struct dyno_trace_writer *writer = calloc(1, sizeof *writer);
    dyno_status status;

    if (!writer) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to write it", path);
    }
    writer->path = path;
    writer->block_tokens = block_tokens;
    writer->sessions = (struct dyno_trace_keys){.used = 1, .kind = 1};
    writer->names = (struct dyno_trace_keys){.used = 1, .kind = 2};
    if (salt) {
        writer->salt = *salt;
        writer->is_salted = true;
    }
    status = choose_format(writer, format, error);
    writer->names_last = writer->block_tokens == row_block_tokens;
    if (status == DYNO_OK) {
        status = begin(writer, error);
    }
    if (status != DYNO_OK) {
        return dyno_trace_writer_close(writer, status, error);
    }
    *out = writer;
    return DYNO_OK;
}

uint32_t dyno_trace_writer_block_tokens(const struct dyno_trace_writer *writer)
{
    return writer->block_tokens;
}

dyno_status dyno_trace_writer_close(struct dyno_trace_writer *writer, dyno_status status,
                                    struct dyno_error *error)
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
    dyno_map_release(&writer->blocks.numbers);
    dyno_map_release(&writer->sessions.numbers);
    dyno_map_release(&writer->names.numbers);
    dyno_map_release(&writer->last_of);
    free(writer);
    return status;
}
