/* What it costs to record: CPU time a request of the thread that serves, and of the one that
 * writes.
 *
 * usage: bench_record trace|database FILE [REQUESTS [BLOCKS]]
 *
 * Each request has BLOCKS blocks of 16 tokens, each in a span of its own as a door makes them, and
 * a decision with eight candidates.  The trace is told of the request twice (it came, it ended),
 * the database of the decision and of the end.  Instructions are counted with valgrind
 * --tool=callgrind --separate-threads=yes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reports/live_recorder.h"
#include "traces/recording.h"

enum { BLOCK_TOKENS = 16, CANDIDATES = 8, IN_FLIGHT = 64 };

struct load {
    uint64_t requests;
    uint32_t blocks;
    struct dyno_span *spans; /* [blocks] */
    uint64_t taken;
};

struct script {
    struct dyno_source source;
    struct load *load;
};

static double seconds(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_record: %s\n", why);
    exit(EXIT_FAILURE);
}

static dyno_status script_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                               struct dyno_error *error)
{
    struct load *load = ((struct script *)source)->load;

    (void)error;
    *out = (struct dyno_request){.id = load->taken++,
                                 .prompt_tokens = load->blocks * BLOCK_TOKENS + 5,
                                 .max_tokens = 16,
                                 .span_count = load->blocks,
                                 .spans = load->spans,
                                 .arrival_ns = now};
    return DYNO_OK;
}

static void script_close(struct dyno_source *source)
{
    (void)source;
}

static const struct dyno_source_ops script_ops = {
    .name = "script", .take = script_take, .close = script_close};

static struct dyno_request_record record_of(uint64_t id)
{
    return (struct dyno_request_record){.id = id,
                                        .prompt_tokens = 1,
                                        .output_tokens = 16,
                                        .arrival_ns = id * DYNO_US,
                                        .last_token_ns = id * DYNO_US};
}

enum { AHEAD = 16384 }; /* records told of and not yet written: what is lost costs nothing */

static void end_request(struct dyno_sink *sink, uint64_t id)
{
    struct dyno_request_record record = record_of(id);

    (void)sink->ops->request(sink, &record);
}

static uint64_t bench_trace(const char *path, struct load *load, double *served)
{
    const struct dyno_recording_config config = {.path = path, .engine_block_tokens = BLOCK_TOKENS};
    struct script script = {.source = {.ops = &script_ops}, .load = load};
    struct dyno_recording *recording;
    struct dyno_recording_counts counts;
    struct dyno_request request;
    struct dyno_source *source;
    struct dyno_error error;
    double start;

    if (dyno_recording_open(&recording, &config, &error) != DYNO_OK) {
        die(error.text);
    }
    source = dyno_recording_source(recording, &script.source);
    start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint64_t id = 0; id < load->requests + IN_FLIGHT; id++) {
        if (id < load->requests) {
            (void)source->ops->take(source, id * DYNO_US, &request, NULL);
        }
        if (id >= IN_FLIGHT) {
            end_request(dyno_recording_sink(recording), id - IN_FLIGHT);
        }
        while (id % 1024 == 0 && id > dyno_recording_counts(recording).recorded + AHEAD) {
            (void)usleep(1000);
        }
    }
    *served = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
    dyno_recording_close(recording, &counts);
    return counts.recorded;
}

static void decide(struct dyno_sink *sink, uint64_t id)
{
    static const uint32_t workers[CANDIDATES] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const double scores[CANDIDATES] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct dyno_decision_record decision = {.request = id,
                                                  .at = id * DYNO_US,
                                                  .candidate_count = CANDIDATES,
                                                  .candidates = workers,
                                                  .scores = scores};

    (void)sink->ops->decision(sink, &decision);
}

static uint64_t bench_database(const char *path, struct load *load, double *served)
{
    const struct dyno_live_recorder_config config = {.path = path, .command = "", .title = ""};
    struct dyno_live_recorder *recorder;
    struct dyno_live_counts counts;
    struct dyno_sink *sink;
    struct dyno_error error;
    double start;

    if (dyno_live_recorder_open(&recorder, &config, &error) != DYNO_OK) {
        die(error.text);
    }
    sink = dyno_live_recorder_sink(recorder);
    start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint64_t id = 0; id < load->requests; id++) {
        decide(sink, id);
        end_request(sink, id);
        while (id % 1024 == 0 && 2 * id > dyno_live_recorder_counts(recorder).written + AHEAD) {
            (void)usleep(1000);
        }
    }
    *served = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
    if (dyno_live_recorder_close(recorder, NULL, NULL, &counts, &error) != DYNO_OK) {
        die(error.text);
    }
    return counts.written / 2;
}

int main(int argc, char **argv)
{
    struct load load = {.requests = argc > 3 ? strtoull(argv[3], NULL, 10) : 100000,
                        .blocks = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 32};
    double served, start = seconds(CLOCK_PROCESS_CPUTIME_ID), all;
    uint64_t recorded;

    if (argc < 3 || load.requests == 0 || load.blocks == 0) {
        die("usage: bench_record trace|database FILE [REQUESTS [BLOCKS]]");
    }
    load.spans = calloc(load.blocks, sizeof *load.spans);
    if (!load.spans) {
        die("no memory");
    }
    for (uint32_t i = 0; i < load.blocks; i++) {
        load.spans[i] = (struct dyno_span){.id = i + 1, .blocks = 1};
    }
    recorded = strcmp(argv[1], "trace") == 0 ? bench_trace(argv[2], &load, &served)
                                             : bench_database(argv[2], &load, &served);
    all = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    printf("%" PRIu64 " of %" PRIu64 " requests recorded; %.2f us each of the thread that serves, "
           "%.2f us of the one that writes\n",
           recorded, load.requests, 1e6 * served / (double)load.requests,
           1e6 * (all - served) / (double)load.requests);
    free(load.spans);
    return recorded == load.requests ? EXIT_SUCCESS : EXIT_FAILURE;
}
