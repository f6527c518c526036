#include "cli/assembly/run_frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "traces/traces.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

const volatile sig_atomic_t *dyno_frame_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}

double dyno_frame_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct dyno_host_facts dyno_frame_host_facts(double started, uint64_t requests)
{
    struct dyno_host_facts facts = {.wall_s = dyno_frame_seconds() - started};
    struct rusage usage;

    if (facts.wall_s > 0.0) {
        facts.requests_per_wall_s = (double)requests / facts.wall_s;
    }
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        facts.peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    }
    return facts;
}

void dyno_frame_print_facts(const struct dyno_host_facts *facts)
{
    (void)fprintf(stderr, "%.2f s on this machine: %.0f requests/s, %.0f MiB at most\n",
                  facts->wall_s, facts->requests_per_wall_s,
                  (double)facts->peak_rss_bytes / 1048576.0);
}

dyno_status dyno_frame_recorder(struct dyno_recorder **out, const struct dyno_scenario *scenario,
                                const char *command, const char *title,
                                const struct dyno_run_option_row *rows, uint32_t row_count,
                                struct dyno_error *error)
{
    if (!rows || !command) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the options' texts");
    }
    return dyno_recorder_open(out, scenario->output.db ? scenario->output.db : ":memory:", command,
                              title, rows, row_count, error);
}

/* Lines of a plain trace file: about its requests, good enough for a progress bar.  0: not known
 * without reading it twice (standard input, compressed). */
static uint64_t count_lines(const char *path)
{
    static const char gzip_magic[] = {'\x1f', '\x8b'};
    char buffer[1 << 16];
    uint64_t lines = 0;
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    size_t got;

    while (file && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        if (lines == 0 && got >= 2 && memcmp(buffer, gzip_magic, 2) == 0) {
            break;
        }
        for (const char *at = buffer; (at = memchr(at, '\n', got - (size_t)(at - buffer))); at++) {
            lines++;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return lines;
}

/* Requests that the run will see; 0: unknown. */
static uint64_t expected_requests(const struct dyno_scenario *scenario)
{
    uint64_t asked = scenario->trace.requests;
    uint64_t lines = scenario->trace.path ? count_lines(scenario->trace.path) : 0;

    lines -= scenario->trace.skip < lines ? scenario->trace.skip : lines;
    return lines > 0 && (asked == 0 || lines < asked) ? lines : asked;
}

dyno_status dyno_frame_progress(struct dyno_progress **out, const struct dyno_scenario *scenario)
{
    if (!scenario->output.progress || !isatty(STDERR_FILENO)) {
        return DYNO_OK;
    }
    return dyno_progress_open(out, stderr, expected_requests(scenario),
                              scenario->generate.duration_ns);
}

dyno_status dyno_frame_check_writable(const char *option, const char *path,
                                      struct dyno_error *error)
{
    char folder[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;

    if (!path || strcmp(path, "-") == 0) {
        return DYNO_OK;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
                   slash ? path : ".");
    if (access(folder, W_OK | X_OK) != 0) {
        return dyno_fail(error, DYNO_IO, "%s: nothing can be written into the folder of %s: %s",
                         option, path, strerror(errno));
    }
    return DYNO_OK;
}

dyno_status dyno_frame_open_source(struct dyno_source **out, const struct dyno_scenario *scenario,
                                   const struct dyno_frame_source *from,
                                   struct dyno_answers *answers, struct dyno_error *error)
{
    struct dyno_pacing_config pacing = {
        .pacing = scenario->trace.concurrency > 0 ? DYNO_CLOSED_LOOP : DYNO_OPEN_LOOP,
        .speedup = scenario->trace.speedup,
        .concurrency = scenario->trace.concurrency,
        .inflight_max = scenario->trace.inflight_max,
        .block_tokens = from->block_tokens,
        .models = from->models,
    };

    if (scenario->trace.path) {
        return dyno_trace_open(out,
                               &(struct dyno_trace_config){
                                   .path = scenario->trace.path,
                                   .data = from->trace_data,
                                   .data_size = from->trace_size,
                                   .copy = from->trace_copy,
                                   .format = scenario->trace.format,
                                   .trace_block_tokens = scenario->trace.block_tokens,
                                   .skip_bad_max = scenario->trace.skip_bad,
                                   .sort_window = scenario->trace.sort_window,
                                   .requests_skip = scenario->trace.skip,
                                   .requests_max = scenario->trace.requests,
                                   .max_tokens = scenario->trace.max_tokens,
                                   .models = from->models,
                                   .ignore_unknown = scenario->trace.ignore_unknown,
                               },
                               &pacing, answers, error);
    }
    return dyno_generator_open(out,
                               &(struct dyno_generator_config){
                                   .seed = scenario->run.seed,
                                   .requests = scenario->trace.requests,
                                   .duration_ns = scenario->generate.duration_ns,
                                   .arrival = scenario->generate.arrival,
                                   .input_tokens = scenario->generate.input_tokens,
                                   .output_tokens = scenario->generate.output_tokens,
                                   .prefix_groups = scenario->generate.prefix_groups,
                                   .prefix_tokens = scenario->generate.prefix_tokens,
                                   .prefix_zipf = scenario->generate.prefix_zipf,
                                   .prefix_depth = scenario->generate.prefix_depth,
                                   .prefix_branches = scenario->generate.prefix_branches,
                                   .session_turns = scenario->generate.session_turns,
                                   .turn_tokens = scenario->generate.turn_tokens,
                                   .think_time = scenario->generate.think_time,
                                   .turn_gap = scenario->generate.turn_gap,
                                   .tick_ns = scenario->generate.tick_ns,
                                   .tenants = scenario->generate.tenants,
                                   .priorities = scenario->generate.priorities,
                               },
                               &pacing, answers, error);
}
