/* `dyno worker`: compute for a dyno in another process, over UCX. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "backends/assets/default_model.h"
#include "backends/host/allowance.h"
#include "backends/ucx/worker.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "core/base/words.h"

enum { THREADS_MAX = 256 };

struct worker_options {
    const char *listen, *model;
    uint32_t threads; /* 0: one a core */
    uint64_t kv_bytes;
};

#define AT(field) offsetof(struct worker_options, field)

static const struct dyno_option rows[] = {
    {.name = "worker.listen",
     .flag = "listen",
     .value = "HOST:PORT",
     .help = "where it waits for who needs it; port 0 takes a free one and says which",
     .initial = "127.0.0.1:7000",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(listen),
     .min = 1},
    {.name = "model.name",
     .flag = "model",
     .value = "MODEL",
     .help = "a model's folder or file, or one that comes with dyno; the same as theirs",
     .initial = DYNO_DEFAULT_MODEL,
     .type = DYNO_OPTION_TEXT,
     .offset = AT(model),
     .min = 1},
    {.name = "fleet.threads",
     .flag = "threads",
     .value = "N",
     .help = "threads of a worker where they do not say; auto is one a core",
     .initial = "auto",
     .special = "auto",
     .type = DYNO_OPTION_U32,
     .offset = AT(threads),
     .min = 1,
     .max = THREADS_MAX},
    {.name = "worker.kv_memory",
     .flag = "kv-memory",
     .value = "SIZE",
     .help = "for keys and values of all workers, at most",
     .initial = "4GiB",
     .type = DYNO_OPTION_BYTES,
     .offset = AT(kv_bytes),
     .min = 1 << 20,
     .max = UINT64_MAX / 2},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno worker [OPTION]...\n\n"
         "Wait for a dyno in another process that gives --prefill-at HOST:PORT, and compute its\n"
         "prompts, or --workers-at HOST:PORT, and decode or serve whole requests, for one after\n"
         "the other, until a signal ends it.  Whoever reaches the address is served: nothing is\n"
         "asked but the same model, so it is this machine's alone unless --listen says otherwise.\n"
         "docs/ucx.md tells more.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static void say(void *context, const char *text)
{
    (void)context;
    (void)fprintf(stderr, "dyno worker: %s\n", text);
    (void)fflush(stderr);
}

/* A descriptor that is readable when the process is to end.  Before any thread is there. */
static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static dyno_status work(const struct worker_options *options, int signals, struct dyno_error *error)
{
    char path[DYNO_MODEL_PATH_MAX];
    struct dyno_weights *weights;
    dyno_status status;

    if (signals < 0) {
        return dyno_fail(error, DYNO_IO, "no file descriptor is left");
    }
    DYNO_TRY(dyno_default_model_find(path, options->model, error));
    DYNO_TRY(dyno_weights_open(&weights, path, error));
    status = dyno_ucx_worker_run(
        &(struct dyno_ucx_worker_config){.listen = options->listen,
                                         .weights = weights,
                                         .threads = options->threads > 0 ? options->threads
                                                                         : dyno_allowed_team(),
                                         .kv_bytes_max = options->kv_bytes,
                                         .stop = signals,
                                         .say = say},
        error);
    dyno_weights_close(weights);
    return status;
}

static int run(const char *path, const void *values)
{
    struct dyno_error error = {0};
    char quoted[DYNO_QUOTE_MAX];
    dyno_status status;
    int signals;

    if (path) {
        dyno_fail(&error, DYNO_BAD_INPUT, "unexpected word %s: dyno worker takes options only",
                  dyno_quote(quoted, path));
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    signals = open_signals();
    status = work(values, signals, &error);
    if (signals >= 0) {
        (void)close(signals);
    }
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

int dyno_command_worker(int argc, char **argv)
{
    struct worker_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "worker",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
