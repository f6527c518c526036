#include "reports/gnuplot.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/words.h"

/* The child's three streams are files without a name: nobody waits for a pipe to be emptied. */
struct streams {
    FILE *in, *out, *err;
};

static void close_streams(struct streams *streams)
{
    FILE *files[] = {streams->in, streams->out, streams->err};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i]) {
            (void)fclose(files[i]);
        }
    }
}

static dyno_status open_streams(struct streams *streams, const char *script,
                                struct dyno_error *error)
{
    *streams = (struct streams){.in = tmpfile(), .out = tmpfile(), .err = tmpfile()};
    if (!streams->in || !streams->out || !streams->err || fputs(script, streams->in) < 0 ||
        fflush(streams->in) != 0 || lseek(fileno(streams->in), 0, SEEK_SET) != 0) {
        dyno_fail(error, DYNO_IO, "no temporary file for gnuplot: %s", strerror(errno));
        close_streams(streams);
        return DYNO_IO;
    }
    return DYNO_OK;
}

/* Start it and wait for its end; its exit status, or -1 with errno set. */
static int run_child(const struct streams *streams)
{
    char name[] = "gnuplot", defaults[] = "-d";
    char *const argv[] = {name, defaults, NULL};
    posix_spawn_file_actions_t actions;
    int failed, status = 0;
    pid_t child;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        errno = ENOMEM;
        return -1;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, fileno(streams->in), STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, fileno(streams->out), STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, fileno(streams->err), STDERR_FILENO);
    failed = posix_spawnp(&child, name, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        errno = failed;
        return -1;
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* All of a stream that a child wrote to. */
static dyno_status read_back(FILE *stream, char **out, size_t *size, struct dyno_error *error)
{
    long end = fseek(stream, 0, SEEK_END) == 0 ? ftell(stream) : -1;
    char *text = end >= 0 ? malloc((size_t)end + 1) : NULL;

    if (!text) {
        return dyno_fail(error, end < 0 ? DYNO_IO : DYNO_NO_MEMORY,
                         "what gnuplot wrote cannot be read");
    }
    rewind(stream);
    *size = fread(text, 1, (size_t)end, stream);
    text[*size] = '\0';
    *out = text;
    return DYNO_OK;
}

/* The last of its words that says something: where it is in the script is told before. */
static void take_complaint(char text[DYNO_QUOTE_MAX], FILE *stream)
{
    char line[1024];

    (void)snprintf(text, DYNO_QUOTE_MAX, "it gives no reason");
    rewind(stream);
    while (fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = '\0';
        if (strspn(line, " \t^") != strlen(line)) {
            (void)dyno_quote(text, line + strspn(line, " \t"));
        }
    }
}

dyno_status dyno_gnuplot_run(char **out, size_t *size, const char *script, struct dyno_error *error)
{
    struct streams streams;
    char complaint[DYNO_QUOTE_MAX];
    dyno_status status;
    int ended;

    DYNO_TRY(open_streams(&streams, script, error));
    ended = run_child(&streams);
    if (ended < 0 && (errno == ENOENT || errno == EACCES)) {
        status = dyno_fail(error, DYNO_NOT_FOUND,
                           "gnuplot is not installed (Debian's package is gnuplot-nox)");
    } else if (ended < 0) {
        status = dyno_fail(error, DYNO_IO, "gnuplot cannot be run: %s", strerror(errno));
    } else if (ended > 0) {
        take_complaint(complaint, streams.err);
        status = dyno_fail(error, DYNO_BAD_INPUT, "gnuplot refuses the figure: %s", complaint);
    } else {
        status = read_back(streams.out, out, size, error);
    }
    close_streams(&streams);
    return status;
}
