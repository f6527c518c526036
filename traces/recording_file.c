/* Files of a recording: opening what is there safely, whole lines only, setting aside. */
#include "traces/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, CHUNK_BYTES = 65536 };

static dyno_status refused(const struct dyno_recording_file *file, const char *what,
                           struct dyno_error *error)
{
    return dyno_fail(error, DYNO_IO, "%s: the recording cannot be %s: %s", file->path, what,
                     strerror(errno));
}

static void close_file(struct dyno_recording_file *file)
{
    if (file->fd >= 0) {
        (void)fdatasync(file->fd);
        (void)close(file->fd); /* and the lock is gone */
        file->fd = -1;
    }
}

static dyno_status judge_file(struct dyno_recording_file *file, struct dyno_error *error)
{
    struct stat about;

    if (fstat(file->fd, &about) != 0) {
        return refused(file, "opened", error);
    }
    if (!S_ISREG(about.st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is not a file: a recording needs one",
                         file->path);
    }
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? dyno_fail(error, DYNO_IO,
                               "%s: another program records into it; choose another file",
                               file->path)
                   : refused(file, "locked", error);
    }
    file->size = (uint64_t)about.st_size;
    return DYNO_OK;
}

/* Only the owner reads it: lengths and times of what people ask are nobody else's.  (Without
 * O_NONBLOCK a pipe that nobody reads would hold us here.) */
static dyno_status open_file(struct dyno_recording_file *file, int flags, struct dyno_error *error)
{
    dyno_status status;

    file->fd = open(file->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | flags, 0600);
    if (file->fd < 0) {
        return refused(file, "opened", error);
    }
    status = judge_file(file, error);
    if (status != DYNO_OK) {
        (void)close(file->fd);
        file->fd = -1;
    }
    return status;
}

/* Setting aside -------------------------------------------------------------------------- */

/* FILE.number, and FILE for number 0; NULL: no memory.  Freed by the caller. */
static char *name_aside(const struct dyno_recording_file *file, uint32_t number)
{
    char *name;

    if (number == 0) {
        return strdup(file->path);
    }
    return asprintf(&name, "%s.%" PRIu32, file->path, number) < 0 ? NULL : name;
}

/* FILE.number becomes FILE.number+1. */
static dyno_status move_up(const struct dyno_recording_file *file, uint32_t number,
                           struct dyno_error *error)
{
    char *from = name_aside(file, number), *to = name_aside(file, number + 1);
    dyno_status status = DYNO_OK;

    if (!from || !to) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to set it aside", file->path);
    } else if (rename(from, to) != 0) {
        status = refused(file, "set aside", error);
    }
    free(from);
    free(to);
    return status;
}

static bool is_there(const struct dyno_recording_file *file, uint32_t number)
{
    char *path = name_aside(file, number);
    bool there = path && access(path, F_OK) == 0;

    free(path);
    return there;
}

/* The first free number takes the one before it, and so on; if all are taken the oldest goes. */
static dyno_status set_aside(struct dyno_recording_file *file, struct dyno_error *error)
{
    uint32_t number = 1;

    while (number < file->files_max && is_there(file, number)) {
        number++;
    }
    while (number-- > 0) {
        DYNO_TRY(move_up(file, number, error));
    }
    return DYNO_OK;
}

/* The file stays open until it has its other name: if that fails, it is gone on with. */
static dyno_status begin_next(struct dyno_recording_file *file, struct dyno_error *error)
{
    DYNO_TRY(set_aside(file, error));
    close_file(file);
    return open_file(file, O_EXCL, error);
}

/* What is there already ------------------------------------------------------------------- */

enum kinship { OURS, OTHER_SALT, STRANGE };

/* By its first line, of which what matters stands before the identities. */
static dyno_status look(const struct dyno_recording_file *file, const char *label,
                        enum kinship *out, struct dyno_error *error)
{
    static const char begin[] = "{\"timestamp\": ", key[] = "\"recording\": \"";
    char head[HEAD_BYTES + 1];
    ssize_t got = pread(file->fd, head, HEAD_BYTES, 0);
    char *end, *at;

    if (got < 0) {
        return refused(file, "read", error);
    }
    head[got] = '\0';
    end = strchr(head, '\n');
    if (end) {
        *end = '\0';
    }
    at = strstr(head, key);
    if (strncmp(head, begin, strlen(begin)) != 0 || !at) {
        *out = STRANGE;
        return DYNO_OK;
    }
    at += strlen(key);
    *out = strncmp(at, label, strlen(label)) == 0 && at[strlen(label)] == '"' ? OURS : OTHER_SALT;
    return DYNO_OK;
}

/* The place behind the last line end; 0: there is none. */
static dyno_status find_last_end(const struct dyno_recording_file *file, uint64_t *out,
                                 struct dyno_error *error)
{
    char chunk[CHUNK_BYTES];
    uint64_t end = file->size;

    while (end > 0) {
        uint64_t start = end > sizeof chunk ? end - sizeof chunk : 0;
        ssize_t got = pread(file->fd, chunk, end - start, (off_t)start);
        const char *last;

        if (got != (ssize_t)(end - start)) {
            return refused(file, "read", error);
        }
        last = memrchr(chunk, '\n', (size_t)got);
        if (last) {
            end = start + (uint64_t)(last - chunk) + 1;
            break;
        }
        end = start;
    }
    *out = end;
    return DYNO_OK;
}

static dyno_status cut_to(struct dyno_recording_file *file, uint64_t size, struct dyno_error *error)
{
    if (ftruncate(file->fd, (off_t)size) != 0) {
        return refused(file, "mended", error);
    }
    file->size = size;
    return DYNO_OK;
}

static dyno_status go_on_with(struct dyno_recording_file *file, const char *label,
                              struct dyno_error *error)
{
    enum kinship kinship = STRANGE;
    uint64_t end = 0;

    DYNO_TRY(look(file, label, &kinship, error));
    if (kinship == STRANGE) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is there and is no recording of dyno's; choose another file",
                         file->path);
    }
    if (kinship == OTHER_SALT) {
        return begin_next(file, error);
    }
    DYNO_TRY(find_last_end(file, &end, error));
    return end == file->size ? DYNO_OK : cut_to(file, end, error);
}

dyno_status dyno_recording_file_open(struct dyno_recording_file *file, const char *path,
                                     const char *label, uint64_t bytes_max, uint32_t files_max,
                                     struct dyno_error *error)
{
    *file = (struct dyno_recording_file){
        .path = strdup(path), .fd = -1, .bytes_max = bytes_max, .files_max = files_max};
    if (!file->path) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to record", path);
    }
    DYNO_TRY(open_file(file, 0, error));
    return file->size > 0 ? go_on_with(file, label, error) : DYNO_OK;
}

void dyno_recording_file_close(struct dyno_recording_file *file)
{
    close_file(file);
    free(file->path);
    file->path = NULL;
}

/* Writing --------------------------------------------------------------------------------- */

static dyno_status write_all(const struct dyno_recording_file *file, const char *bytes, size_t size,
                             struct dyno_error *error)
{
    while (size > 0) {
        ssize_t wrote = write(file->fd, bytes, size);

        if (wrote < 0 && errno != EINTR) {
            return refused(file, "written", error);
        }
        if (wrote > 0) {
            bytes += wrote;
            size -= (size_t)wrote;
        }
    }
    return DYNO_OK;
}

dyno_status dyno_recording_file_append(struct dyno_recording_file *file, const char *lines,
                                       size_t size, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;

    if (file->fd < 0) { /* it was set aside, and the next one could not be made */
        DYNO_TRY(open_file(file, O_EXCL, error));
    }
    if (file->bytes_max > 0 && file->size > 0 && file->size + size > file->bytes_max) {
        DYNO_TRY(begin_next(file, error));
    }
    status = write_all(file, lines, size, error);
    if (status != DYNO_OK) {
        (void)ftruncate(file->fd, (off_t)file->size); /* a torn line would spoil the next one */
        return status;
    }
    file->size += size;
    return DYNO_OK;
}
