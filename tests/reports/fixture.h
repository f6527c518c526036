/* What the tests of reports/ share: a report made by hand, and a folder that is gone afterwards. */
#ifndef DYNO_TESTS_REPORTS_FIXTURE_H
#define DYNO_TESTS_REPORTS_FIXTURE_H

#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports/reports.h"

/* A run of four requests, all numbers chosen, none simulated. */
struct fixture {
    struct dyno_metrics metrics;
    struct dyno_fleet_totals totals;
    struct dyno_report report;
};

enum { FIXTURE_HISTOGRAMS = 10 };

static inline void fixture_list(struct dyno_metrics *metrics,
                                struct dyno_histogram *list[FIXTURE_HISTOGRAMS])
{
    list[0] = &metrics->ttft;
    list[1] = &metrics->itl;
    list[2] = &metrics->tpot;
    list[3] = &metrics->e2e;
    list[4] = &metrics->client_wait;
    list[5] = &metrics->ingest;
    list[6] = &metrics->queue;
    list[7] = &metrics->prefill;
    list[8] = &metrics->transfer;
    list[9] = &metrics->decode;
}

static inline void fixture_histograms(struct dyno_metrics *metrics)
{
    struct dyno_histogram *list[FIXTURE_HISTOGRAMS];

    fixture_list(metrics, list);
    for (size_t i = 0; i < FIXTURE_HISTOGRAMS; i++) {
        ck_assert_int_eq(dyno_histogram_init(list[i]), DYNO_OK);
    }
}

/* Three completed requests of a 10 s run; ms: ttft 100 200 600, decode 1000 each over 11 tokens. */
static inline void fixture_requests(struct dyno_metrics *metrics)
{
    static const dyno_ns ttft[] = {100 * DYNO_MS, 200 * DYNO_MS, 600 * DYNO_MS};

    for (size_t i = 0; i < 3; i++) {
        dyno_histogram_add(&metrics->ttft, ttft[i], 1);
        dyno_histogram_add(&metrics->itl, 100 * DYNO_MS, 10);
        dyno_histogram_add(&metrics->tpot, 100 * DYNO_MS, 1);
        dyno_histogram_add(&metrics->e2e, ttft[i] + 1000 * DYNO_MS, 1);
        dyno_histogram_add(&metrics->client_wait, 0, 1);
        dyno_histogram_add(&metrics->ingest, 2 * DYNO_MS, 1);
        dyno_histogram_add(&metrics->queue, ttft[i] - 52 * DYNO_MS, 1);
        dyno_histogram_add(&metrics->prefill, 50 * DYNO_MS, 1);
        dyno_histogram_add(&metrics->transfer, 0, 1);
        dyno_histogram_add(&metrics->decode, 1000 * DYNO_MS, 1);
    }
    metrics->requests = 4;
    metrics->completed = 3;
    metrics->rejected = 1;
    metrics->input_tokens = 8000;
    metrics->admitted_input_tokens = 6000;
    metrics->output_tokens = 33;
    metrics->cached_tokens = 1500;
    metrics->completed_input_tokens = 6000;
    metrics->completed_output_tokens = 33;
    metrics->first_arrival_ns = 5 * DYNO_S;
    metrics->last_event_ns = 15 * DYNO_S;
}

static inline void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture_histograms(&fixture->metrics);
    fixture_requests(&fixture->metrics);
    fixture->totals = (struct dyno_fleet_totals){
        .workers = 2,
        .gpus = 4,
        .blocks_total = 2000,
        .preemptions = 1,
        .evicted_blocks = 1234,
        .prompt_blocks = 375,
        .prompt_blocks_hit = 93,
        .busy_ns = 15 * (unsigned __int128)DYNO_S,
        .block_ns_used = 5000 * (unsigned __int128)DYNO_S,
        .end_ns = 15 * DYNO_S,
    };
    fixture->report = (struct dyno_report){
        .metrics = &fixture->metrics,
        .totals = &fixture->totals,
        .title = "llama-3.1-8b on 2 x h100, tp 2, vllm, kv router",
        .trace_requests = 4,
        .trace_input_tokens = 8000,
        .trace_output_tokens = 44,
        .unbounded_hit_rate = 0.3125,
        .unbounded_token_hit_rate = -1,
        .belady_hit_rate = -1,
        .model_flops = 2e15,
        .model_bytes = 6e13,
        .flops_peak = 4e15,
        .bytes_peak = 1.2e13,
    };
}

static inline void fixture_release(struct fixture *fixture)
{
    struct dyno_histogram *list[FIXTURE_HISTOGRAMS];

    fixture_list(&fixture->metrics, list);
    for (size_t i = 0; i < FIXTURE_HISTOGRAMS; i++) {
        dyno_histogram_release(list[i]);
    }
}

/* A new folder; its name stays valid until the next call. */
static inline const char *folder_make(void)
{
    static char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s/dyno-reports-XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

static inline char *path_in(char out[PATH_MAX], const char *folder, const char *name)
{
    ck_assert_int_lt(snprintf(out, PATH_MAX, "%s/%s", folder, name), PATH_MAX);
    return out;
}

/* The number of files in a folder. */
static inline int folder_count(const char *folder)
{
    DIR *entries = opendir(folder);
    int count = -2; /* itself and its parent */

    ck_assert_ptr_nonnull(entries);
    while (readdir(entries)) {
        count++;
    }
    closedir(entries);
    return count;
}

/* Remove a folder of files. */
static inline void folder_remove(const char *folder)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    char path[PATH_MAX];

    ck_assert_ptr_nonnull(entries);
    while ((entry = readdir(entries)) != NULL) {
        unlink(path_in(path, folder, entry->d_name));
    }
    closedir(entries);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* All of a file; freed by the caller. */
static inline char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert(getdelim(&text, &size, '\0', file) >= 0);
    fclose(file);
    return text;
}

/* All that a terminal was shown, once its other side is closed; `text` holds `size` bytes. */
static inline void terminal_text(int inside, char *text, size_t size)
{
    size_t length = 0;
    ssize_t more;

    while (length < size - 1 && (more = read(inside, text + length, size - 1 - length)) > 0) {
        length += (size_t)more;
    }
    text[length] = '\0';
    close(inside);
}

#endif
