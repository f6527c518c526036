/* What workers take at once where nobody says: as its engine decides it, each kind by its own GPU.
 */
#include "cli/scenario/engine_defaults.h"

#include <stdio.h>

#include "cli/assembly/models.h"
#include "tests/check_main.h"
#include "tests/system/rig.h"

static struct rig rig;

/* Put a fleet together. */
static void open_fleet(const char *more)
{
    struct dyno_error error = {0};
    char line[512];

    (void)snprintf(line, sizeof line, "replay --arrival poisson:1 --requests 1 --db none %s", more);
    rig_load(&rig, line);
    ck_assert_msg(dyno_assembly_open(&rig.assembly, &rig.scenario, NULL, NULL, 0, &error) ==
                      DYNO_OK,
                  "%s: %s", more, error.text);
}

static void expect_limits(const struct dyno_assembly *assembly, uint32_t tokens, uint32_t seqs)
{
    ck_assert_uint_eq(assembly->worker.batch_tokens_max, tokens);
    ck_assert_uint_eq(assembly->worker.seqs_max, seqs);
    /* memory is set aside for as many */
    ck_assert_uint_eq(assembly->timing_config.batch_tokens_max, tokens);
    ck_assert_uint_eq(assembly->timing_config.seqs_max, seqs);
}

static void expect_fleet(const char *words, uint32_t tokens, uint32_t seqs)
{
    open_fleet(words);
    expect_limits(&rig.assembly, tokens, seqs);
    rig_close(&rig);
}

START_TEST(limits_follow_memory_but_on_the_a100)
{
    static const struct {
        const char *name;
        uint32_t tokens, seqs;
    } known[] = {{"a100", 2048, 256},    {"h100", 8192, 1024},   {"h100-pcie", 8192, 1024},
                 {"h200", 8192, 1024},   {"b200", 8192, 1024},   {"l40s", 2048, 256},
                 {"rtx4090", 2048, 256}, {"mi300x", 8192, 1024}, {"rtx-pro-6000", 8192, 1024}};
    struct dyno_gpu gpu = {.name = "mine", .title = "a card", .memory_bytes = (uint64_t)70 << 30};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct dyno_limits limits = dyno_limits_of_gpu("vllm", dyno_gpu_find(known[i].name));

        ck_assert_msg(limits.tokens == known[i].tokens && limits.seqs == known[i].seqs,
                      "%s: %u tokens, %u sequences", known[i].name, limits.tokens, limits.seqs);
    }
    ck_assert_uint_eq(dyno_limits_of_gpu("vllm", &gpu).seqs, 1024);
    gpu.memory_bytes--;
    ck_assert_uint_eq(dyno_limits_of_gpu("vllm", &gpu).seqs, 256);
    gpu.memory_bytes = (uint64_t)80 << 30;
    (void)snprintf(gpu.title, sizeof gpu.title, "NVIDIA a100-SXM4-80GB");
    ck_assert_uint_eq(dyno_limits_of_gpu("vllm", &gpu).tokens, 2048);
}
END_TEST

START_TEST(what_is_said_is_what_is_taken)
{
    expect_fleet("--gpu h100", 8192, 1024);
    expect_fleet("--gpu l40s", 2048, 256);
    expect_fleet("--gpu l40s --max-num-seqs 512", 2048, 512);
    expect_fleet("--gpu l40s --max-num-batched-tokens 4096", 4096, 256);
    expect_fleet("--gpu h100 --max-num-batched-tokens 512", 512, 512); /* each takes one token */
    expect_fleet("--gpu l40s --set batch.chunked_prefill=false", 8192, 256); /* whole prompts fit */
}
END_TEST

START_TEST(chunks_of_sglang_follow_memory)
{
    static const struct {
        const char *name;
        uint32_t tokens;
    } known[] = {{"a100", 8192},    {"h100", 8192},    {"h100-pcie", 8192},
                 {"h200", 8192},    {"b200", 16384},   {"l40s", 4096},
                 {"mi300x", 16384}, {"rtx4090", 2048}, {"rtx-pro-6000", 8192}};
    struct dyno_gpu gpu = {.name = "mine", .memory_bytes = (uint64_t)35 << 30};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct dyno_limits limits = dyno_limits_of_gpu("sglang", dyno_gpu_find(known[i].name));

        ck_assert_msg(limits.tokens == known[i].tokens && limits.seqs == 1024,
                      "%s: %u tokens, %u sequences", known[i].name, limits.tokens, limits.seqs);
    }
    ck_assert_uint_eq(dyno_limits_of_gpu("sglang", &gpu).tokens, 4096);
    gpu.memory_bytes--;
    ck_assert_uint_eq(dyno_limits_of_gpu("sglang", &gpu).tokens, 2048);
    gpu.memory_bytes = (uint64_t)160 << 30;
    ck_assert_uint_eq(dyno_limits_of_gpu("sglang", &gpu).tokens, 16384);
    expect_fleet("--gpu l40s --engine sglang", 4096, 1024);
    expect_fleet("--gpu l40s --engine sglang --max-num-batched-tokens 1024", 1024, 1024);
    expect_fleet("--gpu l40s --engine sglang --set batch.chunked_prefill=false", 8192, 1024);
}
END_TEST

START_TEST(other_engines_and_devices_are_as_their_profile_is)
{
    expect_fleet("--gpu l40s --engine trtllm", 8192, 2048);
    expect_fleet("--gpu l40s --device null", 8192, 256);
    expect_fleet("--gpu l40s --device null --engine sglang", 8192, 1024);
}
END_TEST

START_TEST(workers_of_prompts_have_their_own)
{
    open_fleet("--gpu h100 --disagg always --set prefill.gpu=l40s");
    expect_limits(&rig.assembly, 8192, 1024);
    ck_assert_uint_eq(rig.assembly.halves.worker.batch_tokens_max, 2048);
    ck_assert_uint_eq(rig.assembly.halves.worker.seqs_max, 256);
    ck_assert_uint_eq(rig.assembly.halves.timing_config.seqs_max, 256);
    rig_close(&rig);
    open_fleet("--gpu h100 --disagg always --set prefill.gpu=l40s --max-num-seqs 64");
    ck_assert_uint_eq(rig.assembly.halves.worker.seqs_max, 64);
    ck_assert_uint_eq(rig.assembly.halves.worker.batch_tokens_max, 2048);
    rig_close(&rig);
}
END_TEST

START_TEST(each_model_has_those_of_its_gpu)
{
    open_fleet("--gpu l40s --models name=a:model=qwen3-0.6b:gpu=h200,name=b:model=qwen3-0.6b");
    expect_limits(dyno_fleets_of(&rig.assembly, 0), 8192, 1024);
    expect_limits(dyno_fleets_of(&rig.assembly, 1), 2048, 256);
    rig_close(&rig);
}
END_TEST

/* The share of memory that is said; negative: of each kind of worker its own. */
static double share_said(const char *more)
{
    double share;

    open_fleet(more);
    share = rig.scenario.kv.memory_utilization;
    rig_close(&rig);
    return share;
}

START_TEST(a_share_of_memory_is_the_engines)
{
    ck_assert_double_eq(share_said("--gpu h100"), 0.9);
    ck_assert_double_eq(share_said("--gpu h100 --engine trtllm"), 0.9);
    ck_assert_double_eq(share_said("--gpu h100 --engine sglang"), 0.835);
    ck_assert_double_eq(share_said("--gpu h100 --engine sglang --tp 4"), 0.824);
    ck_assert_double_eq(share_said("--gpu l40s --engine sglang"), 0.851);
    ck_assert_double_eq(share_said("--gpu h100 --engine sglang --gpu-memory-utilization 0.7"), 0.7);
    ck_assert_double_eq(share_said("--gpu h100 --engine sglang --disagg always"), 0.835);
}
END_TEST

START_TEST(workers_that_differ_have_shares_of_their_own)
{
    const char *words = "--gpu h100 --engine sglang --disagg always --set prefill.tp=4";
    uint32_t blocks;

    ck_assert_double_lt(share_said(words), 0);
    open_fleet("--gpu h100 --engine sglang --tp 4");
    blocks = rig.assembly.worker.blocks;
    rig_close(&rig);
    open_fleet(words);
    ck_assert_uint_eq(rig.assembly.halves.worker.blocks, blocks);
    ck_assert_uint_eq(rig.assembly.worker.blocks, 413673); /* tests/sim/test_timing_memory.c */
    rig_close(&rig);
    ck_assert_double_lt(share_said("--engine sglang --gpu l40s --models "
                                   "name=a:model=qwen3-0.6b:gpu=h200,name=b:model=qwen3-0.6b"),
                        0);
    ck_assert_double_eq(share_said("--gpu h100 --disagg always --set prefill.gpu=l40s"), 0.9);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("engine_defaults");

    tcase_add_test(cases, limits_follow_memory_but_on_the_a100);
    tcase_add_test(cases, what_is_said_is_what_is_taken);
    tcase_add_test(cases, chunks_of_sglang_follow_memory);
    tcase_add_test(cases, other_engines_and_devices_are_as_their_profile_is);
    tcase_add_test(cases, workers_of_prompts_have_their_own);
    tcase_add_test(cases, each_model_has_those_of_its_gpu);
    tcase_add_test(cases, a_share_of_memory_is_the_engines);
    tcase_add_test(cases, workers_that_differ_have_shares_of_their_own);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/engine_defaults", add_cases)
