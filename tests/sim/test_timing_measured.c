/* How far the default parameters are from measured kernels, and from two recorded vLLM servers.
 *
 * The measurements are not part of the tree; they are looked for in ../shared/measured beside it,
 * and without them this program says "skipped".  What it prints are the figures of docs/timing.md,
 * and it fails if one of them gets worse than it was when they were written. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/timing_layers.h"
#include "tests/check_main.h"

#define H200 "../shared/measured/h200/"
#define CARD "../shared/measured/profile/%s/meta-llama/Llama-3.1-8B/bf16/tp1/%s"

enum { LINE_MAX_BYTES = 256, FIELDS_MAX = 14 };

/* Relative errors, predicted / measured - 1. */
struct errors {
    double sum, sum_of_sizes;
    uint32_t count;
};

static void add_error(struct errors *errors, double predicted, double measured)
{
    double error = predicted / measured - 1;

    errors->sum += error;
    errors->sum_of_sizes += error < 0 ? -error : error;
    errors->count++;
}

static void judge(const struct errors *errors, const char *what, double percent_max)
{
    double mape = 100 * errors->sum_of_sizes / errors->count;

    printf("%-40s %6u points, mean |error| %5.1f %%, mean error %+6.1f %%\n", what, errors->count,
           mape, 100 * errors->sum / errors->count);
    ck_assert_msg(errors->count >= 5, "%s: too few points", what);
    ck_assert_msg(mape <= percent_max, "%s: %.1f %% is above %.1f %%", what, mape, percent_max);
}

/* Lines of a CSV file (gzipped if its name says so), cut at their commas. */
struct table {
    FILE *file;
    char line[LINE_MAX_BYTES];
    const char *fields[FIELDS_MAX];
};

static void open_table(struct table *table, const char *path)
{
    char command[512];

    (void)snprintf(command, sizeof command, "gzip -dcf < '%s'", path);
    table->file = popen(command, "r");
    ck_assert_ptr_nonnull(table->file);
    ck_assert_ptr_nonnull(fgets(table->line, sizeof table->line, table->file)); /* the header */
}

static bool next_row(struct table *table)
{
    char *rest = table->line;

    if (!fgets(table->line, sizeof table->line, table->file)) {
        (void)pclose(table->file);
        return false;
    }
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        table->fields[i] = rest ? strsep(&rest, ",\n") : "";
    }
    return true;
}

static double number(const struct table *table, size_t field)
{
    return strtod(table->fields[field], NULL);
}

static struct dyno_timing_config config_of(const char *gpu)
{
    struct dyno_timing_config config = {
        .model = *dyno_model_find("llama-3.1-8b"),
        .gpu = *dyno_gpu_find(gpu),
        .tp = 1,
        .seqs_max = 256,
        .batch_tokens_max = 2048,
    };

    dyno_timing_defaults(&config.parameters, &config.gpu);
    return config;
}

/* One layer with the heads of a row: `heads`, `kv_heads` fields follow each other. */
static struct dyno_layers one_layer(const struct table *table, size_t heads_field, bool fp8_kv)
{
    struct dyno_timing_config config = config_of("h200");
    struct dyno_layers layers;

    config.model.layers = 1;
    config.model.dense_layers = 1;
    config.model.heads = (uint32_t)number(table, heads_field);
    config.model.kv_heads = (uint32_t)number(table, heads_field + 1);
    config.model.head_dim = (uint32_t)number(table, heads_field + 2);
    config.kv = fp8_kv ? DYNO_FP8 : DYNO_BF16;
    dyno_layers_init(&layers, &config);
    return layers;
}

/* kernel_source,gemm_dtype,m,n,k,latency (ms) */
START_TEST(h200_gemms)
{
    struct dyno_timing_config config = config_of("h200");
    struct errors bf16 = {0}, fp8 = {0};
    struct dyno_layers layers;
    struct table table;

    dyno_layers_init(&layers, &config);
    open_table(&table, H200 "gemm_vllm_0.24.0__gemm_perf.csv.gz");
    while (next_row(&table)) {
        double m = number(&table, 2), n = number(&table, 3), k = number(&table, 4);
        bool eight = strcmp(table.fields[1], "fp8") == 0;

        if (n < 1024 || k < 1024 || strcmp(table.fields[1], "fp8_block") == 0) {
            continue;
        }
        add_error(eight ? &fp8 : &bf16,
                  dyno_layers_projection_us(&layers, m, (uint64_t)(n * k), k,
                                            eight ? DYNO_FP8 : DYNO_BF16),
                  1000 * number(&table, 5));
    }
    judge(&bf16, "H200 GEMM bf16, n and k >= 1024", 6.5);
    judge(&fp8, "H200 GEMM fp8, n and k >= 1024", 7);
}
END_TEST

/* kernel_source,kv_cache_dtype,batch_size,step,num_heads,num_key_value_heads,head_dim,window_size,
 * latency (ms); `step` tokens are in the cache before this one */
START_TEST(h200_decode_attention)
{
    struct errors bf16 = {0}, fp8 = {0};
    struct table table;

    open_table(&table, H200 "attention_vllm_0.24.0__generation_attention_perf.csv.gz");
    while (next_row(&table)) {
        bool eight = strcmp(table.fields[1], "fp8") == 0;
        double batch = number(&table, 2), context = number(&table, 3) + 1;
        struct dyno_layers layers;

        if (number(&table, 6) != 128 || number(&table, 7) != 0) {
            continue;
        }
        layers = one_layer(&table, 4, eight);
        add_error(eight ? &fp8 : &bf16,
                  dyno_layers_attention_launch_us(&layers) + dyno_layers_combine_us(&layers) +
                      batch * dyno_layers_decode_sequence_us(&layers) +
                      batch * context * dyno_layers_decode_context_us(&layers),
                  1000 * number(&table, 8));
    }
    judge(&bf16, "H200 decode attention, bf16 KV", 8.5);
    judge(&fp8, "H200 decode attention, fp8 KV", 8.5);
}
END_TEST

/* ... batch_size,isl,num_heads,num_key_value_heads,head_dim,window_size,latency (ms) */
START_TEST(h200_prefill_attention)
{
    struct errors errors = {0};
    struct table table;

    open_table(&table, H200 "attention_vllm_0.24.0__context_attention_perf.csv.gz");
    while (next_row(&table)) {
        double batch = number(&table, 2), tokens = number(&table, 3);
        struct dyno_layers layers;

        if (number(&table, 6) != 128 || number(&table, 7) != 0 ||
            strcmp(table.fields[1], "fp8") == 0) {
            continue;
        }
        layers = one_layer(&table, 4, false);
        add_error(&errors,
                  dyno_layers_attention_launch_us(&layers) +
                      dyno_layers_prefill_us(&layers, batch * tokens,
                                             batch * tokens * (tokens + 1) / 2, 0),
                  1000 * number(&table, 8));
    }
    judge(&errors, "H200 prefill attention, bf16", 9.5);
}
END_TEST

/* kernel_source,num_gpus,message_size,latency (ms): captured in a graph, up to 64 Mi elements of
 * two bytes (the size is in elements: int8 takes half as long in the sister table).  A model whose
 * hidden state is the message and which has no layers but the embedding's reduction. */
START_TEST(h200_all_reduce)
{
    struct errors errors = {0};
    struct table table;

    open_table(&table, H200 "comm_vllm_0.24.0__custom_allreduce_perf.csv.gz");
    while (next_row(&table)) {
        struct dyno_timing_config config = config_of("h200");
        struct dyno_layers layers;

        if (!strstr(table.fields[0], "graph") || number(&table, 2) > (64 << 20)) {
            continue;
        }
        config.tp = (uint32_t)number(&table, 1);
        config.model.layers = 0;
        config.model.dense_layers = 0;
        config.model.hidden = 64;
        dyno_layers_init(&layers, &config);
        add_error(&errors, dyno_layers_collective_us(&layers, number(&table, 2) / 64),
                  1000 * number(&table, 3));
    }
    judge(&errors, "H200 all-reduce, 2 to 8 GPUs", 7.5);
}
END_TEST

struct card {
    const char *gpu;                     /* ours */
    const char *folder;                  /* theirs */
    double gemm, decode, prefill, mixed; /* bounds, percent */
};

static const struct card cards[] = {
    {"rtx4090", "RTX4090", 3.5, 9, 6.5, 8.5},
    {"rtx-pro-6000", "RTXPRO6000", 5.8, 6, 6.5, 10},
};

/* layer,tokens,time_us, of one layer of Llama-3.1-8B */
START_TEST(cards_gemms)
{
    static const struct {
        const char *name;
        uint64_t in, out;
    } shapes[] = {{"qkv_proj", 4096, 6144},
                  {"o_proj", 4096, 4096},
                  {"gate_up_proj", 4096, 28672},
                  {"down_proj", 14336, 4096}};
    const struct card *card = &cards[_i];
    struct dyno_timing_config config = config_of(card->gpu);
    struct errors errors = {0};
    struct dyno_layers layers;
    struct table table;
    char path[256];

    (void)snprintf(path, sizeof path, CARD, card->folder, "dense.csv");
    dyno_layers_init(&layers, &config);
    open_table(&table, path);
    while (next_row(&table)) {
        for (size_t i = 0; i < 4; i++) {
            if (strcmp(table.fields[0], shapes[i].name) == 0) {
                add_error(&errors,
                          dyno_layers_projection_us(&layers, number(&table, 1),
                                                    shapes[i].in * shapes[i].out,
                                                    (double)shapes[i].in, DYNO_BF16),
                          number(&table, 2));
            }
        }
    }
    (void)snprintf(path, sizeof path, "%s GEMM bf16", card->folder);
    judge(&errors, path, card->gemm);
}
END_TEST

/* prefill_chunk,kv_prefill,n_decode,kv_decode,time_us, of one of 32 layers */
START_TEST(cards_attention)
{
    const struct card *card = &cards[_i];
    struct dyno_timing_config config = config_of(card->gpu);
    struct errors decode = {0}, prefill = {0}, mixed = {0};
    struct dyno_timing *timing;
    struct dyno_error error;
    struct table table;
    char text[256];

    (void)snprintf(text, sizeof text, CARD, card->folder, "attention.csv");
    ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_OK);
    open_table(&table, text);
    while (next_row(&table)) {
        struct dyno_slice slice = {.tokens = (uint32_t)number(&table, 0),
                                   .first = (uint32_t)number(&table, 1)};
        struct dyno_pass pass = {.slice_count = slice.tokens > 0,
                                 .slices = &slice,
                                 .decode = number(&table, 2) > 0,
                                 .decode_count = (uint32_t)number(&table, 2),
                                 .decode_context =
                                     (uint64_t)(number(&table, 2) * number(&table, 3))};
        struct dyno_timing_parts parts;

        dyno_timing_explain(timing, &pass, &parts);
        add_error(!pass.slice_count ? &decode
                  : pass.decode     ? &mixed
                                    : &prefill,
                  (parts.decode_attention_us + parts.prefill_attention_us) / 32, number(&table, 4));
    }
    (void)snprintf(text, sizeof text, "%s decode attention", card->folder);
    judge(&decode, text, card->decode);
    (void)snprintf(text, sizeof text, "%s prefill attention", card->folder);
    judge(&prefill, text, card->prefill);
    (void)snprintf(text, sizeof text, "%s mixed attention", card->folder);
    judge(&mixed, text, card->mixed);
    dyno_timing_close(timing);
}
END_TEST

/* t,prompt_throughput,gen_throughput,running,waiting,kv_cache_pct of a vLLM server, each second:
 * where there was no prompt, and one request fewer or more makes little difference, a step took
 * running / gen_throughput seconds, and the context was kv_cache_pct of 41,408 tokens. */
START_TEST(steps_of_a_recorded_server)
{
    struct dyno_timing_config config = config_of("rtx4090");
    struct errors errors = {0};
    struct dyno_timing *timing;
    struct dyno_error error;
    struct table table;

    ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_OK);
    open_table(&table, "../shared/measured/vllm_requests/RTX4090_Llama-3.1-8B/timeseries.csv");
    while (next_row(&table)) {
        uint32_t running = (uint32_t)number(&table, 3);
        struct dyno_pass pass = {.decode = true,
                                 .decode_count = running,
                                 .decode_context = (uint64_t)(number(&table, 5) / 100 * 41408)};
        struct dyno_pass_cost cost;
        double seconds = running / number(&table, 2);

        /* Above 27 ms, a prompt was computed in that second after all. */
        if (number(&table, 1) > 0 || running < 20 || seconds > 0.027) {
            continue;
        }
        dyno_timing_cost(timing, &pass, &cost);
        add_error(&errors, (double)cost.first / (double)DYNO_TICKS_PER_NS * 1e-9, seconds);
    }
    judge(&errors, "RTX4090 decode steps of vLLM 0.19", 3);
    dyno_timing_close(timing);
}
END_TEST

/* Sets the model, or says that it is not one of ours. */
static bool set_model(struct dyno_timing_config *config, const char *path)
{
    static const char *const names[][2] = {{"Qwen/Qwen3-32B", "qwen3-32b"},
                                           {"meta-llama/Llama-3.1-70B", "llama-3.1-70b"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(path, names[i][0]) == 0) {
            config->model = *dyno_model_find(names[i][1]);
            return true;
        }
    }
    return false;
}

/* id,backend,backend_version,model_path,system,precision,mode,isl,osl,batch_size,tp_size,pp_size,
 * ttft_ms,tpot_ms.  A closed loop of batch_size requests: between two tokens there is a decode
 * step, and, spread evenly, the prompts of the others.  Rows where those are below 6 % of it tell
 * how good the decode step is.  Queueing and admission are for a simulation, not for this sum.
 * TensorRT-LLM is taken to hold KV in fp8, as the published fp8 checkpoints tell it to; the table
 * does not say. */
START_TEST(tokens_of_lightly_loaded_servers)
{
    struct errors vllm = {0}, trtllm = {0};
    struct table table;

    open_table(&table, "../shared/measured/e2e_dense.csv");
    while (next_row(&table)) {
        bool h200 = strcmp(table.fields[4], "h200_sxm") == 0;
        struct dyno_timing_config config = config_of(h200 ? "h200" : "h100");
        struct dyno_slice prompt = {.tokens = (uint32_t)number(&table, 7), .yields = true};
        struct dyno_pass prefill = {.slice_count = 1, .slices = &prompt};
        double outputs = number(&table, 8), batch = number(&table, 9);
        struct dyno_pass decode = {.decode = true,
                                   .decode_count = (uint32_t)batch,
                                   .decode_context =
                                       (uint64_t)(batch * (prompt.tokens + outputs / 2))};
        struct dyno_pass_cost step, prompts;
        struct dyno_timing *timing;
        struct dyno_error error;
        double step_ms, prompts_ms;

        if (!set_model(&config, table.fields[3])) {
            continue;
        }
        config.tp = (uint32_t)number(&table, 10);
        config.weights = strcmp(table.fields[5], "fp8") == 0 ? DYNO_FP8 : DYNO_BF16;
        config.kv = strcmp(table.fields[1], "trtllm") == 0 ? DYNO_FP8 : DYNO_BF16;
        config.static_scales = strstr(table.fields[3], "Llama") != NULL;
        dyno_timing_use_host(&config.parameters,
                             strcmp(table.fields[1], "vllm") == 0 ? "vllm-sync" : "trtllm");
        config.batch_tokens_max = 1;
        ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_OK);
        dyno_timing_cost(timing, &decode, &step);
        dyno_timing_cost(timing, &prefill, &prompts);
        step_ms = (double)step.first / (double)DYNO_TICKS_PER_NS / 1e6;
        prompts_ms =
            (double)prompts.first / (double)DYNO_TICKS_PER_NS / 1e6 * (batch - 1) / outputs;
        if (prompts_ms < 0.06 * step_ms && strcmp(table.fields[1], "sglang") != 0) {
            add_error(strcmp(table.fields[1], "vllm") == 0 ? &vllm : &trtllm, step_ms + prompts_ms,
                      number(&table, 13));
        }
        dyno_timing_close(timing);
    }
    judge(&vllm, "vLLM TPOT, light load, Qwen3-32B", 2);
    judge(&trtllm, "TensorRT-LLM TPOT, light load, fp8", 13);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("timing measured");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, h200_gemms);
    tcase_add_test(tc, h200_decode_attention);
    tcase_add_test(tc, h200_prefill_attention);
    tcase_add_test(tc, h200_all_reduce);
    tcase_add_loop_test(tc, cards_gemms, 0, 2);
    tcase_add_loop_test(tc, cards_attention, 0, 2);
    tcase_add_test(tc, steps_of_a_recorded_server);
    tcase_add_test(tc, tokens_of_lightly_loaded_servers);
    suite_add_tcase(suite, tc);
}

static const char *lacking(void)
{
    return access("../shared/measured/h200", R_OK) == 0
               ? NULL
               : "no ../shared/measured beside the project";
}

DYNO_CHECK_MAIN_UNLESS("sim/timing measured", add_cases, lacking)
