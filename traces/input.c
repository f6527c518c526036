/* Reads raw bytes and, where they are gzip, inflates them on the way. */
#include "traces/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { RAW_BYTES = 1 << 16 };

struct dyno_input {
    int fd; /* -1: memory */
    const unsigned char *data;
    size_t data_left;
    unsigned char *raw; /* [RAW_BYTES] */
    size_t raw_start, raw_end;
    bool raw_ended;
    bool is_gzip;
    struct dyno_input_copy *copy; /* not owned; NULL: nobody wants one */
    bool in_member;               /* between a gzip member's first byte and its last */
    z_stream stream;
};

static dyno_status fill_from_memory(struct dyno_input *input)
{
    size_t count = input->data_left < RAW_BYTES ? input->data_left : RAW_BYTES;

    if (count > 0) {
        memcpy(input->raw, input->data, count);
        input->data += count;
        input->data_left -= count;
    }
    input->raw_start = 0;
    input->raw_end = count;
    input->raw_ended = count == 0;
    return DYNO_OK;
}

static void lose(struct dyno_input_copy *copy)
{
    free(copy->data);
    *copy = (struct dyno_input_copy){.size_max = copy->size_max, .is_lost = true};
}

static void keep(struct dyno_input_copy *copy, const unsigned char *data, size_t size)
{
    size_t capacity = copy->capacity ? copy->capacity : RAW_BYTES;

    if (copy->is_lost || size == 0) {
        return;
    }
    while (capacity - copy->size < size) {
        capacity *= 2;
    }
    if (size > copy->size_max - copy->size) {
        lose(copy);
        return;
    }
    if (capacity > copy->capacity) {
        char *grown = realloc(copy->data, capacity);

        if (!grown) {
            lose(copy);
            return;
        }
        copy->data = grown;
        copy->capacity = capacity;
    }
    memcpy(copy->data + copy->size, data, size);
    copy->size += size;
}

void dyno_input_keep(struct dyno_input *input, struct dyno_input_copy *copy)
{
    input->copy = copy;
    keep(copy, input->raw + input->raw_start, input->raw_end - input->raw_start);
}

/* Refill the raw buffer, which is used up. */
static dyno_status fill(struct dyno_input *input, struct dyno_error *error)
{
    ssize_t count;

    if (input->fd < 0) {
        return fill_from_memory(input);
    }
    do {
        count = read(input->fd, input->raw, RAW_BYTES);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return dyno_fail(error, DYNO_IO, "reading failed: %s", strerror(errno));
    }
    input->raw_start = 0;
    input->raw_end = (size_t)count;
    input->raw_ended = count == 0;
    if (input->copy) {
        keep(input->copy, input->raw, input->raw_end);
    }
    return DYNO_OK;
}

static dyno_status open_file(struct dyno_input *input, const char *path, struct dyno_error *error)
{
    struct stat about;

    if (strcmp(path, "-") == 0) {
        input->fd = STDIN_FILENO;
        return DYNO_OK;
    }
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO, "%s: %s", path,
                         errno == ENOENT ? "no such file; expected a trace" : strerror(errno));
    }
    if (fstat(input->fd, &about) == 0 && S_ISDIR(about.st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: is a directory; expected a trace file", path);
    }
    return DYNO_OK;
}

static bool is_named_gz(const char *path)
{
    size_t length = strlen(path);

    return length >= 3 && strcmp(path + length - 3, ".gz") == 0;
}

/* Look at the first bytes (a pipe may give one at a time). */
static dyno_status recognise(struct dyno_input *input, const char *path, struct dyno_error *error)
{
    size_t have;

    DYNO_TRY(fill(input, error));
    have = input->raw_end;
    if (have == 1 && input->fd >= 0) {
        ssize_t more = read(input->fd, input->raw + 1, RAW_BYTES - 1);

        have += more > 0 ? (size_t)more : 0;
        input->raw_end = have;
    }
    input->is_gzip = have >= 2 && input->raw[0] == 0x1f && input->raw[1] == 0x8b;
    if (!input->is_gzip && is_named_gz(path)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: is named .gz but does not begin as gzip does (1f 8b)", path);
    }
    if (input->is_gzip && inflateInit2(&input->stream, 15 + 16) != Z_OK) {
        input->is_gzip = false;
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to decompress it", path);
    }
    return DYNO_OK;
}

dyno_status dyno_input_open(struct dyno_input **out, const char *path, const void *data,
                            size_t size, struct dyno_error *error)
{
    struct dyno_input *input = calloc(1, sizeof *input);
    dyno_status status = DYNO_OK;

    if (!input || !(input->raw = malloc(RAW_BYTES))) {
        free(input);
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to read it", path);
    }
    input->fd = -1;
    if (data) {
        input->data = data;
        input->data_left = size;
    } else {
        status = open_file(input, path, error);
    }
    if (status == DYNO_OK) {
        status = recognise(input, path, error);
    }
    if (status != DYNO_OK) {
        dyno_input_close(input);
        return status;
    }
    *out = input;
    return DYNO_OK;
}

void dyno_input_close(struct dyno_input *input)
{
    if (!input) {
        return;
    }
    if (input->fd > STDIN_FILENO) {
        (void)close(input->fd);
    }
    if (input->is_gzip) {
        (void)inflateEnd(&input->stream);
    }
    free(input->raw);
    free(input);
}

static dyno_status read_plain(struct dyno_input *input, void *buffer, size_t size, size_t *got,
                              struct dyno_error *error)
{
    size_t count;

    if (input->raw_start == input->raw_end && !input->raw_ended) {
        DYNO_TRY(fill(input, error));
    }
    count = input->raw_end - input->raw_start;
    count = count < size ? count : size;
    memcpy(buffer, input->raw + input->raw_start, count);
    input->raw_start += count;
    *got = count;
    return DYNO_OK;
}

/* Inflate what the raw buffer holds into the stream's output; *is_stuck when zlib asks for more. */
static dyno_status inflate_some(struct dyno_input *input, struct dyno_error *error)
{
    z_stream *stream = &input->stream;
    int code;

    stream->next_in = input->raw + input->raw_start;
    stream->avail_in = (uInt)(input->raw_end - input->raw_start);
    input->in_member = true;
    code = inflate(stream, Z_NO_FLUSH);
    input->raw_start = input->raw_end - stream->avail_in;
    if (code == Z_STREAM_END) {
        input->in_member = false;
        (void)inflateReset(stream);
        return DYNO_OK;
    }
    if (code == Z_MEM_ERROR) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to decompress it");
    }
    if (code != Z_OK && code != Z_BUF_ERROR) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the gzip stream is damaged (%s)",
                         stream->msg ? stream->msg : "not gzip after the end of a member");
    }
    return DYNO_OK;
}

static dyno_status read_gzip(struct dyno_input *input, void *buffer, size_t size, size_t *got,
                             struct dyno_error *error)
{
    uInt room = size < 1U << 30 ? (uInt)size : 1U << 30;

    input->stream.next_out = buffer;
    input->stream.avail_out = room;
    while (input->stream.avail_out == room) {
        if (input->raw_start == input->raw_end && !input->raw_ended) {
            DYNO_TRY(fill(input, error));
        }
        if (input->raw_start == input->raw_end && input->raw_ended) {
            if (input->in_member) {
                return dyno_fail(
                    error, DYNO_BAD_INPUT,
                    "the gzip stream ends here, before its end: the file is truncated");
            }
            break;
        }
        DYNO_TRY(inflate_some(input, error));
    }
    *got = room - input->stream.avail_out;
    return DYNO_OK;
}

dyno_status dyno_input_read(struct dyno_input *input, void *buffer, size_t size, size_t *got,
                            struct dyno_error *error)
{
    return input->is_gzip ? read_gzip(input, buffer, size, got, error)
                          : read_plain(input, buffer, size, got, error);
}
