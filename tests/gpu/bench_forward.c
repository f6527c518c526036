/* How long passes take on a GPU, a model of Llama's shape with random weights.  Runs the commands
 * among its arguments in turn, and prints a JSON object a line:
 *
 *   check                  a small model's logits and tokens against the CPU's; ends with 1 if they
 *                          are not the same
 *   layers N               of the model that follows; at first all 32 of Llama-3.1-8B
 *   kv bf16|fp8            likewise
 *   decode BATCH CONTEXT   passes of one token for each of BATCH sequences of CONTEXT tokens
 *   launches BATCH CONTEXT the same without graphs
 *   prefill TOKENS         passes of one new sequence of TOKENS tokens
 *
 * `bytes` are those that a pass must read (matrices, keys and values), `operations` those of its
 * products and of attention below the diagonal.  Times are of the wall, of whole passes: what the
 * host does between them counts.  Medians of 15 after 3 to warm up.  All matrices are parts of one
 * piece of random numbers on the host, but lie apart on the GPU.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/cpu/forward.h"
#include "backends/cuda/forward_parts.h"
#include "core/model/model.h"
#include "tests/gpu/pool_model.h"

enum { RUNS = 15, WARM_UPS = 3, BLOCK_TOKENS = 16 };

#define SHAPE "llama-3.1-8b"

/* ---- on the GPU ------------------------------------------------------------------------------ */

struct gpu {
    struct dyno_weights *weights;
    struct dyno_cuda_model *model;
    struct dyno_cuda_forward *forward;
    uint32_t *tables; /* [blocks]: a sequence has some that follow each other here */
    uint32_t *tokens; /* [positions] */
};

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static struct gpu gpu_open(struct dyno_weights *weights, struct dyno_team *team, uint32_t positions,
                           const struct dyno_cuda_forward_config *of)
{
    struct gpu gpu = {.weights = weights};
    struct dyno_cuda_forward_config config = *of;
    struct dyno_error error = {0};
    double begin = now_ms();

    if (dyno_cuda_model_open(&gpu.model,
                             &(struct dyno_cuda_model_config){.weights = weights,
                                                              .element = DYNO_ELEMENT_BF16,
                                                              .positions = positions},
                             team, &error) != DYNO_OK) {
        fail("weights", &error);
    }
    if (weights->model.layers == dyno_model_find(SHAPE)->layers) {
        printf("{\"load\": \"weights\", \"bytes\": %.4g, \"s\": %.3f}\n", (double)gpu.model->bytes,
               (now_ms() - begin) * 1e-3);
    }
    config.model = gpu.model;
    if (dyno_cuda_forward_open(&gpu.forward, &config, &error) != DYNO_OK) {
        fail("forward pass", &error);
    }
    gpu.tables = need(malloc(config.blocks * sizeof *gpu.tables));
    gpu.tokens = need(malloc(positions * sizeof *gpu.tokens));
    for (uint32_t i = 0; i < config.blocks; i++) { /* 7 goes into no power of two */
        gpu.tables[i] = config.blocks % 7 != 0 ? (uint32_t)((uint64_t)i * 7 % config.blocks) : i;
    }
    for (uint32_t i = 0; i < positions; i++) {
        gpu.tokens[i] = (uint32_t)(hashed(i) % weights->model.vocab);
    }
    return gpu;
}

static void gpu_close(struct gpu *gpu)
{
    dyno_cuda_forward_close(gpu->forward);
    dyno_cuda_model_close(gpu->model);
    free(gpu->tables);
    free(gpu->tokens);
}

static void run(const struct gpu *gpu, const struct dyno_cuda_slice *slices, uint32_t count,
                struct dyno_cuda_yield *yields)
{
    struct dyno_error error = {0};

    if (dyno_cuda_forward_run(gpu->forward, slices, count, yields, &error) != DYNO_OK) {
        fail("a pass", &error);
    }
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double times[RUNS])
{
    qsort(times, RUNS, sizeof *times, by_size);
    return times[RUNS / 2];
}

/* Elements of the matrices that every token of a pass is multiplied with; the logits' apart. */
static double matrix_elements(const struct dyno_model *shape)
{
    double joint = (double)(shape->heads + 2 * shape->kv_heads) * shape->head_dim;
    double output = (double)shape->heads * shape->head_dim, mlp = 3.0 * shape->intermediate;

    return shape->layers * (joint + output + mlp) * shape->hidden;
}

static double logits_elements(const struct dyno_model *shape)
{
    return (double)shape->vocab * shape->hidden;
}

/* Random numbers in all blocks: those of the pool, again and again. */
static void fill_blocks(const struct gpu *gpu, const struct pool *pool)
{
    const struct dyno_cuda_forward_config *config = &gpu->forward->config;
    uint64_t bytes = config->blocks * dyno_cuda_block_bytes(gpu->forward->shape, config);
    uint64_t filled = pool->count * sizeof *pool->elements;
    char *blocks = gpu->forward->kv;
    cudaError_t code;

    filled = filled < bytes ? filled : bytes;
    code = cudaMemcpy(blocks, pool->elements, filled, cudaMemcpyHostToDevice);
    while (code == cudaSuccess && filled < bytes) {
        uint64_t more = bytes - filled < filled ? bytes - filled : filled;

        code = cudaMemcpy(blocks + filled, blocks, more, cudaMemcpyDeviceToDevice);
        filled += more;
    }
    if (code != cudaSuccess || cudaDeviceSynchronize() != cudaSuccess) {
        fail("a copy of blocks", NULL);
    }
}

static void bench_decode(const struct gpu *gpu, uint32_t batch, uint32_t context, bool no_graphs)
{
    struct dyno_cuda_slice *slices = need(calloc(batch, sizeof *slices));
    struct dyno_cuda_yield *yields = need(calloc(batch, sizeof *yields));
    uint32_t *tokens = need(calloc(batch, sizeof *tokens));
    const struct dyno_model *shape = gpu->forward->shape;
    uint32_t each = gpu->forward->config.blocks / batch;
    double times[RUNS], pass, bytes;

    if (each * BLOCK_TOKENS < context + WARM_UPS + RUNS) {
        fail("so many sequences of this context do not fit", NULL);
    }
    gpu->forward->config.no_graphs = no_graphs;
    for (uint32_t i = 0; i < WARM_UPS + RUNS; i++) {
        double begin = now_ms();

        for (uint32_t s = 0; s < batch; s++) {
            tokens[s] = i == 0 ? gpu->tokens[s] : yields[s].token;
            slices[s] = (struct dyno_cuda_slice){.tokens = &tokens[s],
                                                 .first = context + i,
                                                 .count = 1,
                                                 .table = gpu->tables + (size_t)s * each,
                                                 .want = DYNO_CUDA_WANT_TOKEN};
        }
        run(gpu, slices, batch, yields);
        if (i >= WARM_UPS) {
            times[i - WARM_UPS] = now_ms() - begin;
        }
    }
    pass = median(times);
    bytes = (matrix_elements(shape) + logits_elements(shape)) * 2.0 +
            (double)batch * context * (double)dyno_cuda_block_bytes(shape, &gpu->forward->config) /
                BLOCK_TOKENS;
    printf("{\"pass\": \"decode\", \"graph\": %s, \"batch\": %u, \"context\": %u, \"ms\": %.3f, "
           "\"tokens_per_s\": %.0f, \"bytes\": %.4g, \"tb_per_s\": %.3f, \"layers\": %u}\n",
           no_graphs ? "false" : "true", batch, context, pass, batch / pass * 1e3, bytes,
           bytes / pass * 1e-9, shape->layers);
    fflush(stdout);
    gpu->forward->config.no_graphs = false;
    free(slices);
    free(yields);
    free(tokens);
}

static void bench_prefill(const struct gpu *gpu, uint32_t tokens)
{
    struct dyno_cuda_slice prompt = {
        .tokens = gpu->tokens, .count = tokens, .table = gpu->tables, .want = DYNO_CUDA_WANT_TOKEN};
    const struct dyno_model *shape = gpu->forward->shape;
    struct dyno_cuda_yield yield;
    double times[RUNS] = {0}, pass, operations;

    for (uint32_t i = 0; i < WARM_UPS + RUNS; i++) {
        double begin = now_ms();

        run(gpu, &prompt, 1, &yield);
        if (i >= WARM_UPS) {
            times[i - WARM_UPS] = now_ms() - begin;
        }
    }
    pass = median(times);
    operations = 2.0 * (matrix_elements(shape) * tokens + logits_elements(shape)) +
                 2.0 * shape->layers * shape->heads * shape->head_dim * (double)tokens * tokens;
    printf("{\"pass\": \"prefill\", \"tokens\": %u, \"ms\": %.3f, \"tokens_per_s\": %.0f, "
           "\"operations\": %.4g, \"tflop_per_s\": %.1f, \"layers\": %u}\n",
           tokens, pass, tokens / pass * 1e3, operations, operations / pass * 1e-9, shape->layers);
    fflush(stdout);
}

/* ---- against the CPU ------------------------------------------------------------------------- */

enum {
    CHECK_SEQUENCES = 3,
    CHECK_TOKENS = 300, /* of the longest prompt */
    CHECK_STEPS = 15,
    CHECK_CHUNK = 128,
    CHECK_BLOCKS = 64,
};

/* The prompts, of which sequence s begins in pass s. */
static const uint32_t check_prompts[CHECK_SEQUENCES] = {CHECK_TOKENS, 45, 1};

static const struct dyno_model small = {.attention = DYNO_ATTENTION_GQA,
                                        .layers = 3,
                                        .hidden = 1024,
                                        .heads = 16,
                                        .kv_heads = 4,
                                        .head_dim = 64,
                                        .vocab = 32000,
                                        .context_max = 1024,
                                        .intermediate = 2816};

struct cpu {
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
};

static struct cpu cpu_open(struct dyno_weights *weights, struct dyno_team *team)
{
    struct cpu cpu;
    struct dyno_error error = {0};
    struct dyno_forward_config config = {
        .weights = weights, .team = team, .rows_max = CHECK_TOKENS};

    if (dyno_kv_storage_open(&cpu.storage, &weights->model, CHECK_BLOCKS, BLOCK_TOKENS,
                             DYNO_ELEMENT_F32, &error) != DYNO_OK) {
        fail("the CPU's storage", &error);
    }
    config.storage = cpu.storage;
    if (dyno_forward_open(&cpu.forward, &config, &error) != DYNO_OK) {
        fail("the CPU's forward pass", &error);
    }
    return cpu;
}

/* The largest difference between the logits, as a share of the largest due. */
static double apart(const float *got, const float *due, uint32_t vocab)
{
    double most = 0.0, size = 0.0;

    for (uint32_t i = 0; i < vocab; i++) {
        most = fmax(most, fabs((double)got[i] - (double)due[i]));
        size = fmax(size, fabs((double)due[i]));
    }
    return isfinite(most) ? most / size : INFINITY;
}

static uint32_t largest(const float *logits, uint32_t vocab)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < vocab; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

struct check {
    struct gpu gpu;
    struct cpu cpu;
    uint32_t tokens[CHECK_SEQUENCES][CHECK_TOKENS + CHECK_STEPS + 1], done[CHECK_SEQUENCES];
    float *logits; /* [CHECK_SEQUENCES][vocab] the CPU's */
    uint32_t tokens_same, tokens_all;
    double worst;
};

/* The next slices of all that have begun: of a prompt in chunks, then of a token. */
static uint32_t next_slices(struct check *check, uint32_t pass, uint32_t of[CHECK_SEQUENCES],
                            struct dyno_cuda_slice *gpu, struct dyno_forward_slice *cpu)
{
    uint32_t count = 0;

    for (uint32_t s = 0; s < CHECK_SEQUENCES && s <= pass; s++) {
        uint32_t first = check->done[s], prompt = check_prompts[s];
        uint32_t left = first < prompt ? prompt - first : 1;
        const uint32_t *table = check->gpu.tables + (size_t)s * (CHECK_BLOCKS / CHECK_SEQUENCES);

        left = left < CHECK_CHUNK ? left : CHECK_CHUNK;
        gpu[count] = (struct dyno_cuda_slice){.tokens = check->tokens[s] + first,
                                              .first = first,
                                              .count = left,
                                              .table = table,
                                              .want = DYNO_CUDA_WANT_LOGITS};
        cpu[count] = (struct dyno_forward_slice){.tokens = check->tokens[s] + first,
                                                 .first = first,
                                                 .count = left,
                                                 .table = table,
                                                 .yields = true};
        check->done[s] += left;
        of[count++] = s;
    }
    return count;
}

/* A pass on both; the CPU's tokens are taken. */
static void check_pass(struct check *check, uint32_t pass)
{
    struct dyno_cuda_slice gpu[CHECK_SEQUENCES];
    struct dyno_forward_slice cpu[CHECK_SEQUENCES];
    struct dyno_cuda_yield yields[CHECK_SEQUENCES];
    uint32_t of[CHECK_SEQUENCES], vocab = check->gpu.weights->model.vocab;
    uint32_t count = next_slices(check, pass, of, gpu, cpu);

    run(&check->gpu, gpu, count, yields);
    dyno_forward_run(check->cpu.forward, cpu, count, check->logits);
    for (uint32_t i = 0; i < count; i++) {
        const float *due = check->logits + (size_t)i * vocab;
        uint32_t s = of[i], token = largest(due, vocab);
        bool chosen = yields[i].token == largest(yields[i].logits, vocab);

        check->worst = fmax(check->worst, chosen ? apart(yields[i].logits, due, vocab) : INFINITY);
        check->tokens_same += yields[i].token == token;
        check->tokens_all++;
        if (check->done[s] >= check_prompts[s]) {
            check->tokens[s][check->done[s]] = token;
        }
    }
}

/* Three sequences: chunks of prompts beside each other and beside decoding, then decoding alone, of
 * a batch that is rounded up. */
static bool check_model(struct pool *pool, bool qk_norm, uint32_t head_dim, uint32_t experts)
{
    struct dyno_model shape = small;
    struct dyno_weights *weights;
    struct check check = {.worst = 0.0};

    shape.head_dim = head_dim;
    shape.experts = experts;
    shape.experts_per_token = experts / 4;
    shape.expert_intermediate = experts > 0 ? shape.intermediate : 0;
    weights = model_make(pool, &shape, qk_norm);
    check.gpu = gpu_open(weights, pool->team, shape.context_max,
                         &(struct dyno_cuda_forward_config){.kv = DYNO_CUDA_KV_BF16,
                                                            .blocks = CHECK_BLOCKS,
                                                            .block_tokens = BLOCK_TOKENS,
                                                            .rows_max = CHECK_TOKENS,
                                                            .sequences_max = 4});
    check.cpu = cpu_open(weights, pool->team);
    check.logits = need(malloc(CHECK_SEQUENCES * shape.vocab * sizeof *check.logits));
    for (uint32_t i = 0; i < CHECK_SEQUENCES * CHECK_TOKENS; i++) {
        check.tokens[i / CHECK_TOKENS][i % CHECK_TOKENS] = (uint32_t)(hashed(i) % shape.vocab);
    }
    for (uint32_t pass = 0; pass < CHECK_STEPS; pass++) {
        check_pass(&check, pass);
    }
    printf("{\"check\": \"logits\", \"head_dim\": %u, \"qk_norm\": %s, \"experts\": %u, \"apart\": "
           "%.4f, "
           "\"same_tokens\": %u, \"of\": %u}\n",
           head_dim, qk_norm ? "true" : "false", experts, check.worst, check.tokens_same,
           check.tokens_all);
    fflush(stdout);
    dyno_forward_close(check.cpu.forward);
    dyno_kv_storage_close(check.cpu.storage);
    gpu_close(&check.gpu);
    model_free(weights);
    free(check.logits);
    /* Of experts as good as each other, a rounding chooses. */
    return experts > 0 ? isfinite(check.worst) : check.worst < 0.05;
}

/* ---- commands -------------------------------------------------------------------------------- */

struct bench {
    struct pool pool;
    struct dyno_model shape;
    enum dyno_cuda_kv_element kv;
    struct gpu gpu;
    bool is_open;
};

enum { SEQUENCES = 256, CONTEXT_MAX = 8192 + 64, BLOCKS = SEQUENCES * 68 };

static void warm(const struct gpu *gpu)
{
    struct dyno_error error = {0};
    size_t before, after, total;
    double begin = now_ms();

    if (cudaMemGetInfo(&before, &total) != cudaSuccess ||
        dyno_cuda_forward_warm(gpu->forward, &error) != DYNO_OK ||
        cudaMemGetInfo(&after, &total) != cudaSuccess) {
        fail("warming up", &error);
    }
    printf("{\"warm\": \"graphs\", \"count\": %u, \"s\": %.3f, \"bytes\": %.4g}\n",
           gpu->forward->graph_count, (now_ms() - begin) * 1e-3, (double)before - (double)after);
    fflush(stdout);
}

static void open_once(struct bench *bench)
{
    if (!bench->is_open) {
        bench->gpu =
            gpu_open(model_make(&bench->pool, &bench->shape, false), bench->pool.team, CONTEXT_MAX,
                     &(struct dyno_cuda_forward_config){.kv = bench->kv,
                                                        .blocks = BLOCKS,
                                                        .block_tokens = BLOCK_TOKENS,
                                                        .rows_max = CONTEXT_MAX,
                                                        .sequences_max = SEQUENCES});
        fill_blocks(&bench->gpu, &bench->pool);
        warm(&bench->gpu);
    }
    bench->is_open = true;
}

static uint32_t number(char **argv, int argc, int index)
{
    unsigned long value = index < argc ? strtoul(argv[index], NULL, 10) : 0;

    if (value == 0 || value > CONTEXT_MAX) {
        fail("a number from 1 is missing", NULL);
    }
    return (uint32_t)value;
}

static bool do_command(struct bench *bench, char **argv, int argc, int *at)
{
    const char *name = argv[(*at)++];

    if (strcmp(name, "check") == 0) {
        return check_model(&bench->pool, false, 64, 0) && check_model(&bench->pool, true, 128, 0) &&
               check_model(&bench->pool, false, 128, 8);
    }
    if (strcmp(name, "layers") == 0) {
        bench->shape.layers = bench->shape.dense_layers = number(argv, argc, (*at)++);
    } else if (strcmp(name, "kv") == 0) {
        bench->kv =
            *at < argc && strcmp(argv[(*at)++], "fp8") == 0 ? DYNO_CUDA_KV_E4M3 : DYNO_CUDA_KV_BF16;
    } else if (strcmp(name, "prefill") == 0) {
        uint32_t tokens = number(argv, argc, (*at)++);

        open_once(bench);
        bench_prefill(&bench->gpu, tokens);
    } else {
        uint32_t batch = number(argv, argc, (*at)++), context = number(argv, argc, (*at)++);

        open_once(bench);
        bench_decode(&bench->gpu, batch, context, strcmp(name, "launches") == 0);
    }
    return true;
}

int main(int argc, char **argv)
{
    const struct dyno_model *shape = dyno_model_find(SHAPE);
    struct bench bench = {.shape = *shape, .kv = DYNO_CUDA_KV_BF16};
    bool right = true;

    bench.pool = pool_open((uint64_t)shape->vocab * shape->hidden);
    for (int at = 1; right && at < argc;) {
        right = do_command(&bench, argv, argc, &at);
    }
    if (bench.is_open) {
        gpu_close(&bench.gpu);
        model_free(bench.gpu.weights);
    }
    dyno_team_close(bench.pool.team);
    free(bench.pool.elements);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
