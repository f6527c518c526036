/* What the tests of recordings share: a folder, a source that follows a script, and files read
 * back. */
#ifndef DYNO_TESTS_TRACES_RECORDING_RIG_H
#define DYNO_TESTS_TRACES_RECORDING_RIG_H

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#include "tests/traces/support.h"
#include "traces/recording.h"

#define SECRET "a secret of sixteen bytes"

static char folder[PATH_MAX], path[PATH_MAX + 16];

/* A source that gives what it was told to. */
struct script {
    struct dyno_source source;
    const struct dyno_request *requests; /* [count] */
    size_t count, taken;
    bool closed;
};

static inline dyno_ns script_next(struct dyno_source *source)
{
    const struct script *script = (const struct script *)source;

    return script->taken < script->count ? script->requests[script->taken].arrival_ns : DYNO_NEVER;
}

static inline dyno_status script_take(struct dyno_source *source, dyno_ns now,
                                      struct dyno_request *out, struct dyno_error *error)
{
    struct script *script = (struct script *)source;

    (void)now;
    (void)error;
    *out = script->requests[script->taken++];
    return DYNO_OK;
}

static inline bool script_finished(const struct dyno_source *source)
{
    return ((const struct script *)source)->taken == ((const struct script *)source)->count;
}

static inline void script_close(struct dyno_source *source)
{
    ((struct script *)source)->closed = true;
}

static const struct dyno_source_ops script_ops = {.name = "script",
                                                  .next = script_next,
                                                  .take = script_take,
                                                  .finished = script_finished,
                                                  .close = script_close};

static inline void setup(void)
{
    (void)snprintf(folder, sizeof folder, "%s/dyno-recording-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/trace.jsonl", folder);
}

static inline void teardown(void)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;

    while ((entry = readdir(entries)) != NULL) {
        (void)unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline struct dyno_recording_config config_with(const char *salt)
{
    return (struct dyno_recording_config){.path = path,
                                          .salt = salt,
                                          .started_at_ns = 1764254917 * DYNO_S + 123456789,
                                          .engine_block_tokens = 16};
}

static inline struct dyno_recording *open_with(const struct dyno_recording_config *config)
{
    struct dyno_recording *recording = NULL;
    struct dyno_error error = {0};
    dyno_status status = dyno_recording_open(&recording, config, &error);

    ck_assert_msg(status == DYNO_OK, "%s", error.text);
    return recording;
}

static inline void refuse_with(const struct dyno_recording_config *config, dyno_status due,
                               const char *words)
{
    struct dyno_recording *recording;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_recording_open(&recording, config, &error), due);
    ck_assert_msg(strstr(error.text, words) != NULL, "%s", error.text);
}

static inline void take_all(struct dyno_recording *recording, struct script *script)
{
    struct dyno_source *source = dyno_recording_source(recording, &script->source);
    struct dyno_request request;
    dyno_ns now;

    while ((now = source->ops->next(source)) != DYNO_NEVER) {
        ck_assert_int_eq(source->ops->take(source, now, &request, NULL), DYNO_OK);
    }
    ck_assert(source->ops->finished(source));
    source->ops->close(source);
    ck_assert(script->closed);
}

static inline void end(struct dyno_recording *recording, uint64_t id, uint32_t output_tokens,
                       enum dyno_outcome outcome)
{
    struct dyno_sink *sink = dyno_recording_sink(recording);
    struct dyno_request_record record = {
        .id = id, .output_tokens = output_tokens, .outcome = outcome};

    ck_assert_int_eq(sink->ops->request(sink, &record), DYNO_OK);
}

static inline struct dyno_recording_counts close_all(struct dyno_recording *recording)
{
    struct dyno_recording_counts counts;

    dyno_recording_close(recording, &counts);
    return counts;
}

/* Record `count` requests of 64 tokens, ids from 0, that end in turn. */
static inline struct dyno_recording_counts record_many(const struct dyno_recording_config *config,
                                                       size_t count)
{
    static const struct dyno_span span = {.id = 77, .blocks = 4};
    struct dyno_request *requests = calloc(count, sizeof *requests);
    struct script script = {.source = {.ops = &script_ops}, .requests = requests, .count = count};
    struct dyno_recording *recording = open_with(config);

    for (size_t i = 0; i < count; i++) {
        requests[i] = (struct dyno_request){.id = i,
                                            .prompt_tokens = 64,
                                            .max_tokens = 1,
                                            .span_count = 1,
                                            .spans = &span,
                                            .arrival_ns = i * DYNO_MS};
    }
    take_all(recording, &script);
    for (size_t i = 0; i < count; i++) {
        end(recording, i, 1, DYNO_COMPLETED);
    }
    free(requests);
    return close_all(recording);
}

static inline void read_file(struct haul *haul, const char *from, uint32_t block_tokens)
{
    struct dyno_trace_config config = {.path = from, .sort_window = 1024};
    struct dyno_pacing_config pacing = pacing_of(block_tokens);

    haul_trace(haul, &config, &pacing);
    ck_assert_msg(haul->status == DYNO_OK, "%s: %s", from, haul->error.text);
}

static inline char *slurp(const char *from)
{
    FILE *file = fopen(from, "r");
    char *text = NULL;
    size_t size = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(getdelim(&text, &size, '\0', file), 0);
    fclose(file);
    return text;
}

static inline bool is_there(const char *suffix)
{
    char name[PATH_MAX + 32];

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

static inline size_t lines_of(const char *suffix)
{
    char name[PATH_MAX + 32];
    char *text;
    size_t lines = 0;

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    text = slurp(name);
    for (const char *at = text; *at; at++) {
        lines += *at == '\n';
    }
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    free(text);
    return lines;
}

/* Three prompts: the second shares 3 blocks with the first, the third one; and each has a tail. */
static const struct dyno_span spans[3][3] = {
    {{.id = 1001, .blocks = 3}, {.id = 1002, .blocks = 2}},
    {{.id = 1001, .blocks = 3}, {.id = 1003, .blocks = 1}},
    {{.id = 1001, .blocks = 1}, {.id = 1004, .blocks = 4}},
};

static const struct dyno_request sharing[3] = {
    {.id = 0,
     .session = 5,
     .prompt_tokens = 87,
     .max_tokens = 1,
     .span_count = 2,
     .spans = spans[0],
     .arrival_ns = 10},
    {.id = 1,
     .session = 6,
     .prompt_tokens = 70,
     .max_tokens = 1,
     .span_count = 2,
     .spans = spans[1],
     .arrival_ns = 20},
    {.id = 2,
     .session = 5,
     .prompt_tokens = 80,
     .max_tokens = 1,
     .span_count = 2,
     .spans = spans[2],
     .arrival_ns = 30},
};

static inline void record_sharing(const struct dyno_recording_config *config)
{
    struct script script = {.source = {.ops = &script_ops}, .requests = sharing, .count = 3};
    struct dyno_recording *recording = open_with(config);

    take_all(recording, &script);
    end(recording, 2, 3, DYNO_COMPLETED); /* not in the order in which they came */
    end(recording, 0, 1, DYNO_COMPLETED);
    end(recording, 1, 2, DYNO_FAILED);
    ck_assert_uint_eq(close_all(recording).lost, 0);
}

#endif
