/* What choosing costs a step of the device that computes: processor time of a step of SEQUENCES
 * sequences, of all threads together and of the busiest one, which is how long the step takes where
 * every thread has a core.  Best with a model that has a large vocabulary and little else:
 *
 *   dyno model random --layers 1 --hidden 64 --heads 1 --kv-heads 1 --head-dim 64
 *       --intermediate 64 --vocab 131072 --context 256 --dtype f32 -o wide.gguf
 *   bench_choose wide.gguf 2 64 100 top_p
 *
 * usage: bench_choose MODEL THREADS SEQUENCES STEPS [none|greedy|temperature|top_p]
 *
 * CASE none is a request that nobody hears (the largest logit); the others are sampled.
 */
#include <dirent.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/device.h"
#include "kernels/sample.h"

enum { BLOCK_TOKENS = 16, SEQUENCES_MAX = 256, STEPS_MAX = 200, THREADS_SEEN = 64 };

static sem_t done; /* told by the device's clock, which has no context of its own */

struct sequence {
    struct dyno_generation generation; /* its first member */
    struct dyno_sampling sampling;
    uint32_t table[(STEPS_MAX + 2 + BLOCK_TOKENS - 1) / BLOCK_TOKENS];
};

struct bench {
    struct dyno_weights *weights;
    struct dyno_transcripts *transcripts;
    struct dyno_device *device;
    struct sequence sequences[SEQUENCES_MAX];
    const uint32_t *tables[SEQUENCES_MAX];
    struct dyno_slice slices[SEQUENCES_MAX];
    uint32_t count;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_choose: %s\n", what);
    exit(1);
}

static uint32_t choose(struct dyno_generation *generation, const float *logits, uint32_t vocab,
                       const struct dyno_transcript *transcript, void *scratch)
{
    struct dyno_sample_history nothing = {0};

    return dyno_sample(&((struct sequence *)generation)->sampling, logits, vocab, transcript->count,
                       &nothing, scratch);
}

static bool took(struct dyno_generation *generation, uint32_t token)
{
    (void)generation;
    (void)token;
    return false;
}

static const struct dyno_generation_ops sequence_ops = {.choose = choose, .took = took};

static dyno_ns now(const struct dyno_clock *clock)
{
    (void)clock;
    return 0;
}

static void wake(struct dyno_clock *clock)
{
    (void)clock;
    (void)sem_post(&done);
}

/* Nanoseconds that each thread has been on a core, by the order of their numbers. */
static void processor_times(double times[THREADS_SEEN])
{
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    uint32_t count = 0;

    while (folder && count < THREADS_SEEN && (entry = readdir(folder)) != NULL) {
        char path[300], text[64] = "";
        FILE *file;

        (void)snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (file) {
            times[count++] = fgets(text, sizeof text, file) ? strtod(text, NULL) : 0.0;
            (void)fclose(file);
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
}

static struct dyno_sampling sampling_named(const char *name)
{
    return (struct dyno_sampling){.temperature = strcmp(name, "greedy") == 0 ? 0.0 : 1.0,
                                  .top_p = strcmp(name, "top_p") == 0 ? 0.9 : 0.0};
}

static void open_sequences(struct bench *bench, const char *what)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        struct sequence *sequence = &bench->sequences[i];
        struct dyno_transcript *transcript;
        uint32_t blocks = sizeof sequence->table / sizeof *sequence->table;

        if (dyno_transcripts_add(bench->transcripts, i, 1, STEPS_MAX + 1, &transcript) != DYNO_OK) {
            fail("no memory");
        }
        sequence->generation.ops = &sequence_ops;
        sequence->sampling = sampling_named(what);
        sequence->sampling.seed = i;
        transcript->tokens[0] = i;
        transcript->generation = strcmp(what, "none") == 0 ? NULL : &sequence->generation;
        for (uint32_t block = 0; block < blocks; block++) {
            sequence->table[block] = i * blocks + block;
        }
        bench->tables[i] = sequence->table;
        bench->slices[i] = (struct dyno_slice){.slot = i, .tokens = 1, .yields = true};
        bench->device->ops->open(bench->device, 0, i, i, 0, STEPS_MAX + 1);
    }
}

/* Returns how many steps it had: it ends where a sequence does. */
static uint32_t pass(struct bench *bench, uint32_t slices, uint32_t steps)
{
    struct dyno_completion completion;

    bench->device->ops->submit(bench->device, 0,
                               &(struct dyno_pass){.steps_max = steps,
                                                   .slice_count = slices,
                                                   .slices = bench->slices,
                                                   .decode = slices == 0,
                                                   .tables = bench->tables});
    while (sem_wait(&done) != 0) {
    }
    (void)bench->device->ops->reap(bench->device, 0, &completion);
    return completion.steps;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct dyno_error error = {0};
    struct dyno_cpu_config config = {.block_tokens = BLOCK_TOKENS};
    uint32_t steps = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
    double before[THREADS_SEEN] = {0}, after[THREADS_SEEN] = {0}, all = 0.0, busiest = 0.0;

    bench.count = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    if (bench.count < 1 || bench.count > SEQUENCES_MAX || steps < 1 || steps > STEPS_MAX) {
        fail("usage: bench_choose MODEL THREADS SEQUENCES STEPS [none|greedy|temperature|top_p]");
    }
    if (sem_init(&done, 0, 0) != 0 || dyno_transcripts_open(&bench.transcripts) != DYNO_OK ||
        dyno_weights_open(&bench.weights, argv[1], &error) != DYNO_OK) {
        fail(error.text);
    }
    config.weights = bench.weights;
    config.threads = (uint32_t)strtoul(argv[2], NULL, 10);
    config.batch_tokens_max = bench.count;
    config.blocks =
        bench.count * (uint32_t)(sizeof bench.sequences->table / sizeof *bench.sequences->table);
    config.threaded = (struct dyno_threaded_config){.worker_count = 1,
                                                    .seqs_max = bench.count,
                                                    .steps_max = STEPS_MAX,
                                                    .transcripts = bench.transcripts,
                                                    .now = now,
                                                    .wake = wake};
    if (dyno_cpu_device_open(&bench.device, &config, &error) != DYNO_OK) {
        fail(error.text);
    }
    open_sequences(&bench, argc > 5 ? argv[5] : "none");
    (void)pass(&bench, bench.count, 1);
    processor_times(before);
    steps = pass(&bench, 0, steps);
    processor_times(after);
    for (uint32_t i = 0; i < THREADS_SEEN; i++) {
        all += after[i] - before[i];
        busiest = after[i] - before[i] > busiest ? after[i] - before[i] : busiest;
    }
    printf("%.2f ms a step of all threads, %.2f ms of the busiest, mean of %u steps\n",
           all * 1e-6 / steps, busiest * 1e-6 / steps, steps);
    bench.device->ops->close(bench.device);
    dyno_transcripts_close(bench.transcripts);
    dyno_weights_close(bench.weights);
    return 0;
}
