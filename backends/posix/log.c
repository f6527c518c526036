/* The log's ring and its thread.
 *
 *   always: lines in the ring are whole; [start, start + used) of the ring, which wraps, is theirs.
 *
 * The thread takes whole lines of at most PIPE_BUF bytes at a time and writes them once the
 * descriptor can take so much (poll), so that it never sleeps inside a write to a full pipe and
 * close can give up on it. */
#include "backends/posix/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "backends/posix/log_line.h"

_Static_assert((int)DYNO_LOG_LINE_BYTES_MAX <= PIPE_BUF, "a line must be writable in one piece");

enum { POLL_MS = 50 };

struct dyno_log {
    int fd;
    enum dyno_log_format format;
    enum dyno_log_level level;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    /* Under the mutex: */
    size_t start, used;
    uint64_t lost;
    bool closing;
    char ring[DYNO_LOG_RING_BYTES];
    /* The thread's own: */
    uint64_t lost_said;
    bool is_loss; /* the batch is a line of the thread's own */
    bool gave_up; /* closing, and the reader took nothing for too long */
    char batch[DYNO_LOG_LINE_BYTES_MAX];
};

/* The thread ------------------------------------------------------------------------------ */

/* Whole lines at the ring's start, at most a batch of them. */
static size_t take_lines(struct dyno_log *log)
{
    size_t size = log->used < sizeof log->batch ? log->used : sizeof log->batch;
    size_t first = DYNO_LOG_RING_BYTES - log->start;

    first = size < first ? size : first;
    memcpy(log->batch, log->ring + log->start, first);
    memcpy(log->batch + first, log->ring, size - first);
    while (size > 0 && log->batch[size - 1] != '\n') {
        size--;
    }
    log->start = (log->start + size) % DYNO_LOG_RING_BYTES;
    log->used -= size;
    return size;
}

/* What was lost since this was last said, as a line. */
static size_t take_loss(struct dyno_log *log)
{
    struct dyno_log_field fields[] = {dyno_log_count("lines", log->lost - log->lost_said),
                                      {.key = NULL}};
    struct timespec now;

    log->lost_said = log->lost;
    log->is_loss = true;
    clock_gettime(CLOCK_REALTIME, &now);
    return dyno_log_line(log->batch, log->format, &now, DYNO_LOG_WARNING, NULL, "log_lines_lost",
                         fields);
}

/* What is to be written next; 0: closing, and nothing is left. */
static size_t await_batch(struct dyno_log *log)
{
    size_t size = 0;

    pthread_mutex_lock(&log->mutex);
    while (log->used == 0 && log->lost == log->lost_said && !log->closing) {
        pthread_cond_wait(&log->filled, &log->mutex);
    }
    log->is_loss = false;
    if (log->used > 0) {
        size = take_lines(log);
    } else if (log->lost != log->lost_said) {
        size = take_loss(log);
    }
    pthread_mutex_unlock(&log->mutex);
    return size;
}

static bool is_closing(struct dyno_log *log)
{
    bool closing;

    pthread_mutex_lock(&log->mutex);
    closing = log->closing;
    pthread_mutex_unlock(&log->mutex);
    return closing;
}

/* Wait until the descriptor takes a batch; false: it is time to give up, once and for all. */
static bool await_room(struct dyno_log *log)
{
    struct pollfd waiting = {.fd = log->fd, .events = POLLOUT};
    int waited_ms = 0;

    while (poll(&waiting, 1, POLL_MS) <= 0) {
        waited_ms = is_closing(log) ? waited_ms + POLL_MS : 0;
        if (waited_ms >= DYNO_LOG_CLOSE_WAIT_MS) {
            log->gave_up = true;
            return false;
        }
    }
    return true;
}

/* A descriptor that fails loses the lines; the next ones are tried again. */
static bool write_batch(struct dyno_log *log, size_t size)
{
    size_t at = 0;

    while (at < size) {
        ssize_t wrote;

        if (!await_room(log)) {
            return false;
        }
        wrote = write(log->fd, log->batch + at, size - at);
        if (wrote >= 0) {
            at += (size_t)wrote;
        } else if (errno != EINTR && errno != EAGAIN) {
            return false;
        }
    }
    return true;
}

static uint64_t lines_in(const char *text, size_t size)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

/* Lines that nobody will read: there is no point in saying so here; close returns their number. */
static void lose_batch(struct dyno_log *log, size_t size)
{
    uint64_t lines = log->is_loss ? 0 : lines_in(log->batch, size);

    pthread_mutex_lock(&log->mutex);
    log->lost += lines;
    log->lost_said += lines;
    pthread_mutex_unlock(&log->mutex);
}

static void *write_thread(void *argument)
{
    struct dyno_log *log = argument;
    size_t size;

    while ((size = await_batch(log)) > 0) {
        if (log->gave_up || !write_batch(log, size)) {
            lose_batch(log, size);
        }
    }
    return NULL;
}

/* Callers --------------------------------------------------------------------------------- */

bool dyno_log_wants(const struct dyno_log *log, enum dyno_log_level level)
{
    return log && level >= log->level;
}

/* Under the mutex; false: there is no room. */
static bool put_line(struct dyno_log *log, const char *line, size_t size)
{
    size_t end = (log->start + log->used) % DYNO_LOG_RING_BYTES;
    size_t first = DYNO_LOG_RING_BYTES - end;

    if (size > DYNO_LOG_RING_BYTES - log->used) {
        return false;
    }
    first = size < first ? size : first;
    memcpy(log->ring + end, line, first);
    memcpy(log->ring, line + first, size - first);
    log->used += size;
    return true;
}

void dyno_log_write(struct dyno_log *log, enum dyno_log_level level, const char *request_id,
                    const char *event, const struct dyno_log_field *fields)
{
    char line[DYNO_LOG_LINE_BYTES_MAX];
    struct timespec now;
    size_t size;

    if (!dyno_log_wants(log, level)) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    size = dyno_log_line(line, log->format, &now, level, request_id, event, fields);
    pthread_mutex_lock(&log->mutex);
    log->lost += put_line(log, line, size) ? 0 : 1;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->mutex);
}

/* Life ------------------------------------------------------------------------------------ */

/* The thread takes no signals; SIGPIPE, so blocked, leaves write to say EPIPE. */
static bool start_thread(struct dyno_log *log)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&log->thread, NULL, write_thread, log) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void release(struct dyno_log *log)
{
    pthread_cond_destroy(&log->filled);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

dyno_status dyno_log_open(struct dyno_log **out, int fd, enum dyno_log_format format,
                          enum dyno_log_level level, struct dyno_error *error)
{
    struct dyno_log *log = calloc(1, sizeof *log);

    if (!log) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the log");
    }
    log->fd = fd;
    log->format = format;
    log->level = level;
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->filled, NULL);
    if (!start_thread(log)) {
        release(log);
        return dyno_fail(error, DYNO_NO_MEMORY, "no thread for the log");
    }
    *out = log;
    return DYNO_OK;
}

uint64_t dyno_log_close(struct dyno_log *log)
{
    uint64_t lost;

    if (!log) {
        return 0;
    }
    pthread_mutex_lock(&log->mutex);
    log->closing = true;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->mutex);
    pthread_join(log->thread, NULL);
    lost = log->lost;
    release(log);
    return lost;
}
