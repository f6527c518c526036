/* Writing traces, summing them up, and reading them ahead. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_main.h"
#include "tests/traces/support.h"

static struct dyno_generator_config chat_config(void)
{
    return (struct dyno_generator_config){.seed = 5,
                                          .requests = 300,
                                          .arrival = "poisson:10",
                                          .input_tokens = "lognormal:400,0.8",
                                          .output_tokens = "exponential:150",
                                          .prefix_groups = 5,
                                          .prefix_tokens = "uniform:600,1500",
                                          .prefix_zipf = 1,
                                          .prefix_depth = 1,
                                          .prefix_branches = 2,
                                          .session_turns = "3",
                                          .think_time = "exponential:2",
                                          .tenants = "3,1",
                                          .priorities = "-1:1,0:1,4:2"};
}

/* A path in a fresh folder. */
static void make_path(char *path, size_t size, const char *name)
{
    char folder[] = "dyno-test-XXXXXX";
    const char *parent = getenv("TMPDIR");

    ck_assert_int_eq(chdir(parent ? parent : P_tmpdir), 0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, size, "%s/%s", folder, name);
}

static void remove_path(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(rmdir(path), 0); /* nothing else was left */
}

/* Every request of two sources alike, but for the identities' values: who shares what. */
static void ck_same_requests(const struct haul *one, const struct haul *two)
{
    ck_assert_uint_eq(one->count, two->count);
    for (size_t i = 0; i < one->count; i++) {
        const struct taken *a = &one->items[i], *b = &two->items[i];

        ck_assert_uint_eq(a->request.arrival_ns, b->request.arrival_ns);
        ck_assert_uint_eq(a->request.scheduled_ns, b->request.scheduled_ns);
        ck_assert_uint_eq(a->request.prompt_tokens, b->request.prompt_tokens);
        ck_assert_uint_eq(a->request.session, b->request.session);
        ck_assert_uint_eq(a->request.tenant, b->request.tenant);
        ck_assert_int_eq(a->request.priority, b->request.priority);
        ck_assert_uint_eq(a->output_tokens, b->output_tokens);
        ck_assert_uint_eq(a->request.span_count, b->request.span_count);
        for (uint32_t j = 0; j < a->request.span_count; j++) {
            ck_assert_uint_eq(a->spans[j].id, b->spans[j].id);
            ck_assert_uint_eq(a->spans[j].blocks, b->spans[j].blocks);
        }
    }
}

START_TEST(a_written_trace_reads_back_as_it_was_made)
{
    struct dyno_generator_config config = chat_config();
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct haul made, read;
    char path[256];
    struct dyno_trace_config trace = {.path = path};
    uint64_t requests;

    make_path(path, sizeof path, _i ? "t.jsonl.gz" : "t.jsonl");
    haul_init(&made);
    ck_assert_int_eq(dyno_trace_write(path, "mooncake", 16, &config, &requests, &made.error),
                     DYNO_OK);
    ck_assert_uint_eq(requests, 300);
    ck_assert_int_eq(dyno_generator_open(&source, &config, &pacing, &made.answers, NULL), DYNO_OK);
    haul_all(&made, source, DYNO_S);
    source->ops->close(source);

    trace.trace_block_tokens = 16;
    haul_init(&read);
    ck_assert_int_eq(dyno_trace_open(&source, &trace, &pacing, &read.answers, &read.error),
                     DYNO_OK);
    haul_all(&read, source, DYNO_S);
    source->ops->close(source);

    ck_assert_uint_eq(read.count, 300);
    ck_assert_uint_eq(read.counts.sessions, made.counts.sessions);
    ck_assert_uint_eq(read.counts.input_tokens, made.counts.input_tokens);
    ck_assert_uint_eq(read.counts.output_tokens, made.counts.output_tokens);
    /* a file also names partial blocks, which are never shared; what is shared is the same */
    ck_assert_uint_eq(read.counts.block_refs_seen, made.counts.block_refs_seen);
    haul_release(&made);
    haul_release(&read);
    remove_path(path);
}
END_TEST

START_TEST(one_seed_writes_one_file)
{
    struct dyno_generator_config config = chat_config();
    char path[256], again[300];
    char *texts[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};

    make_path(path, sizeof path, "t.jsonl.gz");
    (void)snprintf(again, sizeof again, "%s.again.gz", path);
    for (int i = 0; i < 2; i++) {
        FILE *file;

        ck_assert_int_eq(dyno_trace_write(i ? again : path, "mooncake", 0, &config, NULL, NULL),
                         DYNO_OK);
        file = fopen(i ? again : path, "rb");
        ck_assert_ptr_nonnull(file);
        texts[i] = calloc(1, 1 << 20);
        ck_assert_ptr_nonnull(texts[i]);
        sizes[i] = fread(texts[i], 1, 1 << 20, file);
        (void)fclose(file);
    }
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_int_eq(memcmp(texts[0], texts[1], sizes[0]), 0);
    free(texts[0]);
    free(texts[1]);
    (void)unlink(again);
    remove_path(path);
}
END_TEST

/* Neither the file nor a part of it. */
static void assert_nothing_at(const char *path)
{
    char partial[300];

    (void)snprintf(partial, sizeof partial, "%s.partial", path);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_ne(access(partial, F_OK), 0);
}

START_TEST(what_is_interrupted_leaves_nothing)
{
    struct dyno_generator_config config = chat_config();
    struct dyno_shape_config shape = {.until_ns = DYNO_NEVER, .scale = 1, .speedup = 1};
    struct dyno_shape_output output = {.format = "mooncake"};
    struct dyno_shape_counts counts;
    struct dyno_error error;
    char path[256], other[300];
    struct dyno_trace_config trace = {.path = path};
    sig_atomic_t stopped = 1, going = 0;

    make_path(path, sizeof path, "t.jsonl.gz");
    config.interrupted = &stopped;
    ck_assert_int_eq(dyno_trace_write(path, "mooncake", 0, &config, NULL, &error),
                     DYNO_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(error.text, "interrupted"));
    assert_nothing_at(path);
    config.interrupted = &going;
    ck_assert_int_eq(dyno_trace_write(path, "mooncake", 0, &config, NULL, &error), DYNO_OK);

    (void)snprintf(other, sizeof other, "%s.shaped", path);
    output.path = other;
    output.interrupted = &stopped;
    ck_assert_int_eq(dyno_trace_shape(&trace, 1, true, &shape, &output, &counts, &error),
                     DYNO_INTERRUPTED);
    assert_nothing_at(other);
    output.interrupted = &going;
    ck_assert_int_eq(dyno_trace_shape(&trace, 1, true, &shape, &output, &counts, &error), DYNO_OK);
    ck_assert_uint_eq(counts.requests_written, 300);
    (void)unlink(other);
    remove_path(path);
}
END_TEST

START_TEST(azure_is_written_as_it_is_read)
{
    struct dyno_generator_config config = chat_config();
    struct dyno_trace_summary summary;
    struct dyno_error error;
    char path[256];
    struct dyno_trace_config trace = {.path = path};

    make_path(path, sizeof path, "t.csv");
    ck_assert_int_eq(dyno_trace_write(path, "azure", 0, &config, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "no sessions"));
    ck_assert_int_ne(access(path, F_OK), 0); /* nothing half-written */
    config.session_turns = "1";
    ck_assert_int_eq(dyno_trace_write(path, "azure", 0, &config, NULL, &error), DYNO_OK);
    ck_assert_int_eq(dyno_trace_summarise(&summary, &trace, &error), DYNO_OK);
    ck_assert_str_eq(summary.format, "azure");
    ck_assert_uint_eq(summary.counts.requests, 300);
    dyno_trace_summary_release(&summary);
    remove_path(path);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    struct dyno_generator_config config = chat_config();
    struct dyno_error error;

    ck_assert_int_eq(dyno_trace_write("x", "vidur", 0, &config, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "expected mooncake, bailian, azure or burstgpt"));
    ck_assert_int_eq(dyno_trace_write("x", "bailian", 0, &config, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "only the mooncake format can say"));
    ck_assert_int_eq(dyno_trace_write("x", "bailian", 32, &config, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "identities stand for 16 tokens"));
    ck_assert_int_eq(dyno_trace_write("/nonexistent/x", "mooncake", 0, &config, NULL, &error),
                     DYNO_IO);
    ck_assert_str_eq(error.text, "/nonexistent/x: writing failed: No such file or directory");
    config.requests = 100000;
    ck_assert_int_eq(dyno_trace_write("/dev/full", "mooncake", 0, &config, NULL, &error), DYNO_IO);
    ck_assert_str_eq(error.text, "/dev/full: writing failed: No space left on device");
    config.arrival = "concurrency:4";
    ck_assert_int_eq(dyno_trace_write("x", "mooncake", 0, &config, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "a closed loop has no timestamps"));
}
END_TEST

START_TEST(a_summary_has_exact_quantiles)
{
    struct dyno_trace_summary summary;
    struct dyno_trace_config config;
    struct dyno_error error;
    char text[16384] = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

    for (int i = 0; i < 200; i++) { /* inputs 1..200 in another order, outputs 1 but for one */
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "2024-01-01 00:00:%02d,%d,%d\n", i / 10, i * 77 % 200 + 1,
                       i == 9 ? 9000 : 1);
    }
    config = config_of(text);
    ck_assert_msg(dyno_trace_summarise(&summary, &config, &error) == DYNO_OK, "%s", error.text);
    ck_assert(summary.input.mean == 100.5);
    ck_assert_uint_eq(summary.input.min, 1);
    ck_assert_uint_eq(summary.input.p50, 100);
    ck_assert_uint_eq(summary.input.p90, 180);
    ck_assert_uint_eq(summary.input.p99, 198);
    ck_assert_uint_eq(summary.input.max, 200);
    ck_assert_uint_eq(summary.output.p99, 1);
    ck_assert_uint_eq(summary.output.max, 9000);
    ck_assert_uint_eq(summary.span_ns, 19 * DYNO_S);
    dyno_trace_summary_release(&summary);
}
END_TEST

START_TEST(a_summary_refuses_what_a_replay_would)
{
    struct dyno_trace_config config =
        config_of("{\"wait_for\":[5],\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n"
                  "x\n");
    struct dyno_trace_summary summary;
    struct dyno_error error;

    ck_assert_int_eq(dyno_trace_summarise(&summary, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "t:2:1: found 'x'"));
    config.skip_bad_max = 1;
    ck_assert_int_eq(dyno_trace_summarise(&summary, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "t:1:13: wait_for names an unknown request"));
}
END_TEST

/* Reading ahead changes nothing of what is sent. */
static void ck_preload(struct dyno_source *plain, struct dyno_source *ahead, struct haul *one,
                       struct haul *two)
{
    struct dyno_source *loaded;

    ck_assert_int_eq(dyno_source_preload(&loaded, ahead, &two->answers, &two->error), DYNO_OK);
    haul_all(one, plain, 300 * DYNO_MS);
    haul_all(two, loaded, 300 * DYNO_MS);
    ck_assert_int_eq(one->status, DYNO_OK);
    ck_assert_int_eq(two->status, DYNO_OK);
    ck_same_requests(one, two);
    /* block_refs_seen may differ: counted ahead in the order of the rows, else in that of sending.
     */
    ck_assert_uint_eq(one->counts.sessions, two->counts.sessions);
    ck_assert_uint_eq(one->counts.requests, two->counts.requests);
    plain->ops->close(plain);
    loaded->ops->close(loaded);
    haul_release(one);
    haul_release(two);
}

START_TEST(a_preloaded_generator_sends_the_same)
{
    struct dyno_generator_config config = chat_config();
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *plain, *ahead;
    struct haul one, two;

    haul_init(&one);
    haul_init(&two);
    ck_assert_int_eq(dyno_generator_open(&plain, &config, &pacing, &one.answers, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_generator_open(&ahead, &config, &pacing, NULL, NULL), DYNO_OK);
    ck_preload(plain, ahead, &one, &two);
}
END_TEST

START_TEST(a_preloaded_trace_sends_the_same)
{
    struct dyno_trace_config config =
        config_of("{\"request_id\":\"a\",\"timestamp\":0,\"input_length\":1025,\"output_length\":6,"
                  "\"hash_ids\":"
                  "[1,2,3]}\n"
                  "x\n"
                  "{\"request_id\":7,\"timestamp\":1,\"input_length\":512,\"output_length\":6,"
                  "\"hash_ids\":[1]}\n"
                  "{\"wait_for\":[\"a\",7],\"delay\":4,\"input_length\":3,\"output_length\":6,"
                  "\"tenant\":3,\"priority\":-7}\n"
                  "{\"session_id\":\"s\",\"timestamp\":2,\"input_length\":4,\"output_length\":6}\n"
                  "{\"session_id\":\"s\",\"timestamp\":3,\"delay\":1,\"input_length\":5,\"output_"
                  "length\":6}\n");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *plain, *ahead;
    struct haul one, two;

    config.skip_bad_max = 1;
    pacing.inflight_max = 2;
    haul_init(&one);
    haul_init(&two);
    ck_assert_int_eq(dyno_trace_open(&plain, &config, &pacing, &one.answers, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_trace_open(&ahead, &config, &pacing, NULL, NULL), DYNO_OK);
    ck_preload(plain, ahead, &one, &two);
}
END_TEST

START_TEST(a_bad_line_fails_the_preload_and_leaves_the_source)
{
    struct dyno_trace_config config = config_of("{\"timestamp\":0,\"input_length\":5,"
                                                "\"output_length\":6}\nx\n");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source, *loaded = NULL;
    struct dyno_error error;

    ck_assert_int_eq(dyno_trace_open(&source, &config, &pacing, NULL, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_source_preload(&loaded, source, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_null(loaded);
    ck_assert_ptr_nonnull(strstr(error.text, "t:2:1:"));
    source->ops->close(source);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("write");

    tcase_add_loop_test(tcase, a_written_trace_reads_back_as_it_was_made, 0, 2);
    tcase_add_test(tcase, one_seed_writes_one_file);
    tcase_add_test(tcase, azure_is_written_as_it_is_read);
    tcase_add_test(tcase, what_is_interrupted_leaves_nothing);
    tcase_add_test(tcase, what_cannot_be_written_is_refused);
    tcase_add_test(tcase, a_summary_has_exact_quantiles);
    tcase_add_test(tcase, a_summary_refuses_what_a_replay_would);
    tcase_add_test(tcase, a_preloaded_generator_sends_the_same);
    tcase_add_test(tcase, a_preloaded_trace_sends_the_same);
    tcase_add_test(tcase, a_bad_line_fails_the_preload_and_leaves_the_source);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/write", add_cases)
