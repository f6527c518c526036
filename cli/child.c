#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int spawn(struct dyno_child *child, char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);

    if (failed) {
        return failed;
    }
    failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failed) {
        failed =
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (!failed) {
        failed = posix_spawn_file_actions_adddup2(&actions, child->errors, STDERR_FILENO);
    }
    if (!failed) {
        failed = posix_spawnp(&child->pid, argv[0], &actions, NULL, argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

dyno_status dyno_child_start(struct dyno_child *child, char *const *argv, struct dyno_error *error)
{
    int failed;

    child->pid = 0;
    child->errors = memfd_create("errors", MFD_CLOEXEC);
    if (child->errors < 0) {
        return dyno_fail(error, DYNO_IO, "no place for what %s says: %s", argv[0], strerror(errno));
    }
    failed = spawn(child, argv);
    if (failed) {
        (void)close(child->errors);
        return dyno_fail(error, failed == ENOENT ? DYNO_NOT_FOUND : DYNO_IO, "%s cannot be run: %s",
                         argv[0], strerror(failed));
    }
    return DYNO_OK;
}

/* The last line of a file, without its end. */
static void last_line(int descriptor, char *out, size_t size)
{
    off_t length = lseek(descriptor, 0, SEEK_END);
    off_t from = length > (off_t)size - 1 ? length - ((off_t)size - 1) : 0;
    ssize_t got = pread(descriptor, out, size - 1, from);
    char *newline;

    out[got > 0 ? got : 0] = '\0';
    while ((newline = strrchr(out, '\n')) != NULL) {
        if (newline[1] != '\0') {
            memmove(out, newline + 1, strlen(newline + 1) + 1);
            return;
        }
        *newline = '\0';
    }
}

dyno_status dyno_child_wait(struct dyno_child *child, struct dyno_child_end *end,
                            struct dyno_error *error)
{
    struct rusage usage;
    int status;
    pid_t got;

    do {
        got = wait4(child->pid, &status, 0, &usage);
    } while (got < 0 && errno == EINTR);
    last_line(child->errors, end->said, sizeof end->said);
    (void)close(child->errors);
    child->pid = 0;
    if (got < 0) {
        return dyno_fail(error, DYNO_IO, "a program cannot be waited for: %s", strerror(errno));
    }
    end->exited = WIFEXITED(status);
    end->status = end->exited ? WEXITSTATUS(status) : WTERMSIG(status);
    end->cpu_ms = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
    return DYNO_OK;
}
