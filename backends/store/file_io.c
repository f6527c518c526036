/* What is read or written in part is gone on with: the kernel may stop anywhere. */
#include "backends/store/file_io.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#ifndef DYNO_URING
#define DYNO_URING 0
#endif
#if DYNO_URING
#include <liburing.h>
#endif

#include "kernels/team.h"

enum { THREADS = 4 };

struct dyno_file_io {
    int descriptor;
    struct dyno_team *team; /* NULL: the ring is used */
#if DYNO_URING
    struct io_uring ring;
#endif
};

/* ---- by threads ------------------------------------------------------------------------------ */

static int do_some(int descriptor, const struct dyno_file_op *op)
{
    uint32_t done = 0;

    while (done < op->size) {
        char *bytes = (char *)op->bytes + done;
        off_t offset = (off_t)(op->offset + done);
        ssize_t count = op->is_write ? pwrite(descriptor, bytes, op->size - done, offset)
                                     : pread(descriptor, bytes, op->size - done, offset);

        if (count < 0 && errno != EINTR) {
            return errno;
        }
        if (count == 0) {
            return EIO; /* the file ends before */
        }
        done += count > 0 ? (uint32_t)count : 0;
    }
    return 0;
}

struct batch {
    int descriptor;
    struct dyno_file_op *ops;
};

static void work(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct batch *batch = argument;

    (void)worker;
    for (uint32_t i = first; i < last; i++) {
        batch->ops[i].result = do_some(batch->descriptor, &batch->ops[i]);
    }
}

/* ---- by a ring ------------------------------------------------------------------------------- */

#if DYNO_URING
static void queue(struct dyno_file_io *io, struct dyno_file_op *op)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&io->ring);

    assert(entry); /* there are as many as operations at most */
    if (op->is_write) {
        io_uring_prep_write(entry, io->descriptor, op->bytes, op->size, op->offset);
    } else {
        io_uring_prep_read(entry, io->descriptor, op->bytes, op->size, op->offset);
    }
    io_uring_sqe_set_data(entry, op);
}

/* What the kernel did in part, or was interrupted in, is done by hand. */
static void finish(const struct dyno_file_io *io, struct dyno_file_op *op, int result)
{
    op->result = 0;
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
        op->result = -result;
    } else if (result < 0 || (uint32_t)result < op->size) {
        uint32_t done = result > 0 ? (uint32_t)result : 0;
        struct dyno_file_op rest = {.is_write = op->is_write,
                                    .bytes = (char *)op->bytes + done,
                                    .size = op->size - done,
                                    .offset = op->offset + done};

        op->result = do_some(io->descriptor, &rest);
    }
}

static void run_ring(struct dyno_file_io *io, struct dyno_file_op *ops, uint32_t count)
{
    uint32_t sent = 0;

    for (uint32_t i = 0; i < count; i++) {
        queue(io, &ops[i]);
    }
    while (sent < count) {
        int taken = io_uring_submit(&io->ring);

        assert(taken >= 0 || taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
        sent += taken > 0 ? (uint32_t)taken : 0;
    }
    for (uint32_t i = 0; i < count;) {
        struct io_uring_cqe *entry;

        if (io_uring_wait_cqe(&io->ring, &entry) == 0) {
            finish(io, io_uring_cqe_get_data(entry), entry->res);
            io_uring_cqe_seen(&io->ring, entry);
            i++;
        }
    }
}
#endif

/* ---- public ---------------------------------------------------------------------------------- */

static bool open_ring(struct dyno_file_io *io, enum dyno_file_way way)
{
#if DYNO_URING
    return way == DYNO_FILE_BEST && io_uring_queue_init(DYNO_FILE_OPS_MAX, &io->ring, 0) == 0;
#else
    (void)io;
    (void)way;
    return false;
#endif
}

dyno_status dyno_file_io_open(struct dyno_file_io **out, int descriptor, enum dyno_file_way way)
{
    struct dyno_file_io *io = calloc(1, sizeof *io);

    if (!io) {
        return DYNO_NO_MEMORY;
    }
    io->descriptor = descriptor;
    if (!open_ring(io, way)) {
        io->team = dyno_team_open(THREADS);
        if (!io->team) {
            free(io);
            return DYNO_NO_MEMORY;
        }
    }
    *out = io;
    return DYNO_OK;
}

void dyno_file_io_close(struct dyno_file_io *io)
{
    if (!io) {
        return;
    }
    dyno_team_close(io->team);
#if DYNO_URING
    if (!io->team) {
        io_uring_queue_exit(&io->ring);
    }
#endif
    free(io);
}

const char *dyno_file_io_name(const struct dyno_file_io *io)
{
    return io->team ? "threads" : "io_uring";
}

void dyno_file_io_run(struct dyno_file_io *io, struct dyno_file_op *ops, uint32_t count)
{
    struct batch batch = {.descriptor = io->descriptor, .ops = ops};

    assert(count <= DYNO_FILE_OPS_MAX);
    if (io->team) {
        dyno_team_run(io->team, count, 1, work, &batch);
        return;
    }
#if DYNO_URING
    run_ring(io, ops, count);
#endif
}
