/* How long passes take.  Reads what to measure from the standard input, a line each, and answers
 * each with a line of milliseconds:
 *
 *   prefill COUNT                   one pass of COUNT tokens of one new sequence, its last logits
 *   decode BATCH CONTEXT STEPS      STEPS passes of one token for each of BATCH sequences that have
 *                                   CONTEXT tokens: the mean pass
 *   matmul INDEX N                  one product of layer 0, 0: query, 1: output, 2: up, 3: down,
 *                                   4: the logits, with N activations: the best of 20
 *   copy                            a gibibyte read, summed: the best of 5, for the floor
 *
 *   cpu, wall                       which clock the lines that follow are measured by
 *
 * usage: bench_forward MODEL THREADS [f32|f16|bf16: keys and values]
 *
 * A program for a person or tests/bench/rival.mjs; no test runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/cpu/forward.h"
#include "kernels/matmul.h"

enum { ROWS_MAX = 512, BLOCK_TOKENS = 16, POSITIONS_MAX = 2048, BATCH_MAX = 32 };

struct bench {
    struct dyno_weights *weights;
    struct dyno_team *team;
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
    uint32_t *tokens, *tables; /* [POSITIONS_MAX]; [BATCH_MAX][POSITIONS_MAX / BLOCK_TOKENS] */
    float *logits;
};

/* Of the wall, or what all threads of the process have used: on a machine that others use too, the
 * second is the one that means something, for one thread. */
static clockid_t clock_used = CLOCK_MONOTONIC;

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(clock_used, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_forward: %s\n", what);
    exit(1);
}

static enum dyno_element element_named(const char *name)
{
    return strcmp(name, "f16") == 0    ? DYNO_ELEMENT_F16
           : strcmp(name, "bf16") == 0 ? DYNO_ELEMENT_BF16
                                       : DYNO_ELEMENT_F32;
}

static struct bench bench_open(const char *path, uint32_t threads, enum dyno_element kv)
{
    struct bench bench = {.team = dyno_team_open(threads)};
    struct dyno_error error = {0};
    uint32_t blocks = BATCH_MAX * POSITIONS_MAX / BLOCK_TOKENS;
    struct dyno_forward_config config = {.team = bench.team, .rows_max = ROWS_MAX};

    if (dyno_weights_open(&bench.weights, path, &error) != DYNO_OK ||
        dyno_kv_storage_open(&bench.storage, &bench.weights->model, blocks, BLOCK_TOKENS, kv,
                             &error) != DYNO_OK) {
        fail(error.text);
    }
    config.weights = bench.weights;
    config.storage = bench.storage;
    if (dyno_forward_open(&bench.forward, &config, &error) != DYNO_OK) {
        fail(error.text);
    }
    bench.tokens = malloc(POSITIONS_MAX * sizeof(uint32_t));
    bench.tables = malloc(blocks * sizeof(uint32_t));
    bench.logits = malloc((size_t)BATCH_MAX * bench.weights->model.vocab * sizeof(float));
    if (!bench.tokens || !bench.tables || !bench.logits) {
        fail("no memory");
    }
    for (uint32_t i = 0; i < POSITIONS_MAX; i++) {
        bench.tokens[i] = (i * 2654435761U >> 8) % bench.weights->model.vocab;
    }
    for (uint32_t i = 0; i < blocks; i++) {
        bench.tables[i] = i;
    }
    return bench;
}

static struct dyno_forward_slice slice_of(const struct bench *bench, uint32_t sequence,
                                          uint32_t first, uint32_t count)
{
    return (struct dyno_forward_slice){.tokens = bench->tokens + first,
                                       .first = first,
                                       .count = count,
                                       .table = bench->tables +
                                                sequence * (POSITIONS_MAX / BLOCK_TOKENS),
                                       .yields = true};
}

static void prefill(const struct bench *bench, uint32_t sequence, uint32_t count)
{
    for (uint32_t first = 0; first < count; first += ROWS_MAX) {
        uint32_t left = count - first;
        struct dyno_forward_slice slice =
            slice_of(bench, sequence, first, left < ROWS_MAX ? left : ROWS_MAX);

        slice.yields = first + slice.count == count;
        dyno_forward_run(bench->forward, &slice, 1, bench->logits);
    }
}

static double decode(const struct bench *bench, uint32_t batch, uint32_t context, uint32_t steps)
{
    struct dyno_forward_slice slices[BATCH_MAX];
    double begin;

    for (uint32_t s = 0; s < batch && context > 0; s++) {
        prefill(bench, s, context);
    }
    begin = now_ms();
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t s = 0; s < batch; s++) {
            slices[s] = slice_of(bench, s, context + step, 1);
        }
        dyno_forward_run(bench->forward, slices, batch, bench->logits);
    }
    return (now_ms() - begin) / steps;
}

static double multiply_once(const struct bench *bench, uint32_t index, uint32_t n)
{
    const struct dyno_layer_weights *layer = &bench->weights->layers[0];
    const struct dyno_matrix *all[] = {&layer->query, &layer->output, &layer->up, &layer->down,
                                       &bench->weights->logits};
    const struct dyno_matrix *weights = all[index];
    float *x = calloc((size_t)n * weights->columns, sizeof(float));
    float *y = malloc((size_t)n * weights->rows * sizeof(float));
    struct dyno_matmul_job job = {.weights = weights,
                                  .x = x,
                                  .n = n,
                                  .x_stride = weights->columns,
                                  .y_stride = weights->rows,
                                  .y = y};
    double best = 1e9;

    if (!x || !y) {
        fail("no memory");
    }
    for (int round = 0; round < 20; round++) {
        double begin = now_ms(), took;

        dyno_matmul(dyno_isa_best(), bench->team, &job, 1);
        took = now_ms() - begin;
        best = took < best ? took : best;
    }
    free(x);
    free(y);
    return best;
}

struct gibibyte {
    const uint64_t *words;
    uint64_t sums[DYNO_TEAM_MAX];
};

static void sum_words(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    struct gibibyte *gibibyte = argument;
    uint64_t sum[8] = {0};

    for (size_t i = (size_t)first << 17; i < (size_t)last << 17; i += 8) {
        for (size_t lane = 0; lane < 8; lane++) {
            sum[lane] += gibibyte->words[i + lane];
        }
    }
    gibibyte->sums[worker] += sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

static double read_gibibyte(const struct bench *bench)
{
    static struct gibibyte gibibyte;
    uint64_t *words = malloc(1UL << 30);
    double best = 1e9;

    if (!words) {
        fail("no memory");
    }
    memset(words, 1, 1UL << 30);
    gibibyte.words = words;
    for (int round = 0; round < 5; round++) {
        double begin = now_ms(), took;

        dyno_team_run(bench->team, 1024, 8, sum_words, &gibibyte);
        took = now_ms() - begin;
        best = took < best ? took : best;
    }
    free(words);
    return best;
}

static double answer(const struct bench *bench, const char *line)
{
    unsigned a, b, c;

    if (sscanf(line, "prefill %u", &a) == 1 && a >= 1 && a <= POSITIONS_MAX) {
        double begin = now_ms();

        prefill(bench, 0, a);
        return now_ms() - begin;
    }
    if (sscanf(line, "decode %u %u %u", &a, &b, &c) == 3 && a >= 1 && a <= BATCH_MAX && c >= 1 &&
        b + c <= POSITIONS_MAX) {
        return decode(bench, a, b, c);
    }
    if (sscanf(line, "matmul %u %u", &a, &b) == 2 && a <= 4 && b >= 1) {
        return multiply_once(bench, a, b);
    }
    if (strncmp(line, "copy", 4) == 0) {
        return read_gibibyte(bench);
    }
    fail("a line is none of those above");
    return 0.0;
}

int main(int argc, char **argv)
{
    struct bench bench;
    char line[128];

    if (argc < 3) {
        fail("usage: bench_forward MODEL THREADS [f32|f16|bf16]");
    }
    bench = bench_open(argv[1], (uint32_t)strtoul(argv[2], NULL, 10),
                       element_named(argc > 3 ? argv[3] : "f32"));
    while (fgets(line, sizeof(line), stdin)) {
        if (strcmp(line, "cpu\n") == 0 || strcmp(line, "wall\n") == 0) {
            clock_used = line[0] == 'c' ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
            continue;
        }
        printf("%.4f\n", answer(&bench, line));
        fflush(stdout);
    }
    return 0;
}
