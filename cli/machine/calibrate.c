/* `dyno calibrate`: measure this machine, and write it down for `dyno replay --machine FILE`. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/default_model.h"
#include "backends/host/allowance.h"
#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/machine/calibrate_measure.h"
#include "cli/scenario/machine_file.h"

enum { THREADS_MAX = 256 };

struct calibrate_options {
    const char *model, *device;
    uint32_t threads, rounds; /* threads 0: one a core */
    uint32_t ranks;
    dyno_ns pause_ns;
    const char *far, *transport; /* far NULL: none */
    const char *file;            /* NULL: without a name */
};

#define AT(field) offsetof(struct calibrate_options, field)

static const char *const devices[] = {"cpu", "cuda", NULL};
static const char *const transports[] = {"auto", "shm", "tcp", NULL};

static const struct dyno_option rows[] = {
    {.name = "run.device",
     .flag = "device",
     .value = "DEVICE",
     .help = "what is measured",
     .initial = "cpu",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(device),
     .choices = devices},
    {.name = "model.name",
     .flag = "model",
     .value = "MODEL",
     .help = "a model's folder or file, or one that comes with dyno",
     .initial = DYNO_DEFAULT_MODEL,
     .type = DYNO_OPTION_TEXT,
     .offset = AT(model),
     .min = 1},
    {.name = "fleet.threads",
     .flag = "threads",
     .value = "N",
     .help = "threads that compute; auto is one a core",
     .initial = "auto",
     .special = "auto",
     .type = DYNO_OPTION_U32,
     .offset = AT(threads),
     .min = 1,
     .max = THREADS_MAX},
    {.name = "fleet.tp",
     .flag = "tp",
     .value = "N",
     .help = "ranks that share a worker's passes: GPUs, or threads of the CPU",
     .initial = "1",
     .type = DYNO_OPTION_U32,
     .offset = AT(ranks),
     .min = 1,
     .max = 1024},
    {.name = "prefill.at",
     .flag = "prefill-at",
     .value = "ADDRESS",
     .help = "measure too what a `dyno worker` at HOST:PORT costs more (docs/ucx.md)",
     .initial = "here",
     .special = "here",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(far),
     .min = 1},
    {.name = "prefill.transport",
     .flag = "transport",
     .value = "HOW",
     .help = "to it: shm, tcp; auto: shared memory on this machine, else tcp",
     .initial = "auto",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(transport),
     .choices = transports},
    {.name = "tiers.file",
     .flag = "tier-file",
     .value = "FILE",
     .help = "a file of KV is measured there (--tier g3), and removed; auto: without a name, in "
             "$TMPDIR",
     .initial = "auto",
     .special = "auto",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(file),
     .min = 1},
    {.name = "calibrate.pause",
     .flag = "pause",
     .value = "TIME",
     .help = "how long nothing runs before a prompt that is measured after a pause",
     .initial = "50ms",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(pause_ns),
     .min = 10 * DYNO_MS,
     .max = 10 * DYNO_S},
    {.name = "run.rounds",
     .flag = "rounds",
     .value = "N",
     .help = "rounds at most, 5 or more",
     .initial = "25",
     .type = DYNO_OPTION_U32,
     .offset = AT(rounds),
     .min = DYNO_MEASURE_ROUNDS_MIN,
     .max = 1000},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno calibrate [OPTION]... -o FILE\n\n"
         "Measure how long passes of a model take on this machine, and write it to FILE:\n"
         "prompts of 1 to 512 tokens, right after another pass and after a pause, 1 to 64\n"
         "sequences that decode, short contexts and long ones, in bursts as a server works,\n"
         "round after round; up to two minutes, and longer where five rounds take longer.\n"
         "On a GPU: 1 to 8192 tokens, 1 to 256 sequences, up to four minutes.  The machine\n"
         "should have nothing else to do.  `dyno replay --machine FILE` then simulates it,\n"
         "and `dyno validate --machine FILE` says how well.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static void show_progress(void *context, uint32_t done, uint32_t rounds)
{
    (void)context;
    (void)fprintf(stderr, "\rmeasuring: round %u of at most %u", done, rounds);
    (void)fflush(stderr);
}

static void print_machine(const struct dyno_machine *machine)
{
    (void)printf("%s on %s, %u threads", machine->model, machine->device, machine->threads);
    if (machine->ranks > 1) {
        (void)printf(" in %u ranks", machine->ranks);
    }
    (void)puts("\n");
    (void)printf("%10s %14s %14s %22s %26s\n", "rows", "computed, us", "a token, us",
                 "more after a pause, us", "more of decode behind, us");
    for (uint32_t i = 0; i < machine->rows.count; i++) {
        (void)printf("%10u %14.1f %14.2f %22.1f %26.1f\n", machine->rows.at[i],
                     machine->rows.ns[i] / 1e3, machine->rows.ns[i] / 1e3 / machine->rows.at[i],
                     machine->idle.ns[i] / 1e3,
                     dyno_machine_curve_ns(&machine->behind, machine->rows.at[i]) / 1e3);
    }
    (void)printf("\n%10s %14s\n", "sequences", "yielding, us");
    for (uint32_t i = 0; i < machine->yields.count; i++) {
        (void)printf("%10u %14.1f\n", machine->yields.at[i], machine->yields.ns[i] / 1e3);
    }
    (void)printf(
        "\n%.3f ns a pair of prompt tokens, %.3f ns a token read by a decode step, %.1f us "
        "beside a pass\n",
        machine->pair_ns, machine->context_ns, machine->pass_ns / 1e3);
    if (machine->context_near > 0) {
        (void)printf("%.3f ns for each beyond the first %u of these tokens\n",
                     machine->context_far_ns, machine->context_near);
    }
    if (machine->copy_byte_ns > 0.0) {
        (void)printf(
            "%.2f GB/s from one worker's memory to another's, and %.1f us for a transfer\n",
            1.0 / machine->copy_byte_ns, machine->copy_ns / 1e3);
    }
    if (machine->sent_ns > 0.0) {
        (void)printf("%.1f us from a pass's end to what follows is sent, %.1f us after a pause\n",
                     machine->sent_ns / 1e3, machine->sent_after_pause_ns / 1e3);
    }
    if (machine->disk_write_byte_ns > 0.0) {
        (void)printf("%.2f GB/s to a file and %.1f us for a transfer, %.2f GB/s and %.1f us back\n",
                     1.0 / machine->disk_write_byte_ns, machine->disk_write_ns / 1e3,
                     1.0 / machine->disk_read_byte_ns, machine->disk_read_ns / 1e3);
    }
    if (machine->start_ns > 0.0) {
        (void)printf("a worker starts in %.2f ms, and %.2f ms for a GB of KV\n",
                     machine->start_ns / 1e6, machine->start_byte_ns * 1e3);
    }
}

static void print_far(const struct dyno_machine *machine)
{
    if (machine->far_byte_ns > 0.0) {
        (void)printf("%.2f GB/s from another process's memory, %.1f us for a transfer, and %.1f us "
                     "for a step there beside what it computes\n",
                     1.0 / machine->far_byte_ns, machine->far_ns / 1e3, machine->far_pass_ns / 1e3);
    }
}

static dyno_status measure(const struct calibrate_options *options, const char *path,
                           struct dyno_error *error)
{
    struct dyno_measure_config config =
        strcmp(options->device, "cuda") == 0 ? dyno_measure_cuda : dyno_measure_cpu;
    struct dyno_machine machine;
    dyno_status status;

    config.model = options->model;
    config.ranks = options->ranks;
    if (config.is_cuda && options->far) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "--prefill-at: a worker in another process has CPUs; leave out --device "
                         "cuda");
    }
    config.far = options->far;
    config.file = options->file;
    config.transport = options->transport;
    config.pause_ns = options->pause_ns;
    config.threads = options->threads > 0 ? options->threads : dyno_allowed_team();
    config.rounds = options->rounds;
    config.progress = isatty(STDERR_FILENO) ? show_progress : NULL;
    status = dyno_machine_measure(&machine, &config, error);
    if (config.progress) {
        (void)fputs("\r\033[K", stderr);
    }
    DYNO_TRY(status);
    DYNO_TRY(dyno_machine_write(&machine, path, error));
    print_machine(&machine);
    print_far(&machine);
    return DYNO_OK;
}

static int run(const char *path, const void *values)
{
    struct dyno_error error = {0};

    if (dyno_frame_check_writable("-o", path, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    return measure(values, path, &error) == DYNO_OK
               ? DYNO_EXIT_OK
               : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

int dyno_command_calibrate(int argc, char **argv)
{
    struct calibrate_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "calibrate",
                                                             .file_flag = "-o",
                                                             .needs = "a file to write: -o FILE",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
