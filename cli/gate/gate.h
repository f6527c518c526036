/* A gate: the same scenarios under a base and a head, and what came of it. */
#ifndef DYNO_CLI_GATE_GATE_H
#define DYNO_CLI_GATE_GATE_H

#include <stdio.h>

#include "cli/gate/budget.h"
#include "reports/baseline.h"
#include "reports/drift.h"
#include "reports/stored_run.h"
#include "reports/summary.h"

enum {
    DYNO_GATE_SCENARIOS_MAX = 64,
    DYNO_GATE_FINDINGS_MAX = DYNO_SUMMARY_ROWS_MAX, /* as many numbers as a run may have */
    DYNO_GATE_PATH_MAX = 4096,
};

struct dyno_gate_options {
    const char *base, *head, *suite, *budgets, *head_set; /* NULL: not given */
    const char *json, *junit, *markdown, *save;
    bool host_time;
    uint32_t jobs;
    uint32_t rounds; /* of servers */
};

/* In order of weight: a gate has the heaviest of its scenarios'. */
enum dyno_gate_verdict {
    DYNO_GATE_PASS,
    DYNO_GATE_IMPROVEMENT,
    DYNO_GATE_BEHAVIOR_CHANGED,
    DYNO_GATE_INVALID,
    DYNO_GATE_REGRESSION,
};

/* What one side of the comparison is. */
enum dyno_gate_kind {
    DYNO_GATE_BUILD,    /* a dyno: it replays the suite's scenarios */
    DYNO_GATE_SCENARIO, /* a scenario file: this dyno replays it in place of the suite */
    DYNO_GATE_DATABASE, /* runs that were stored before */
    DYNO_GATE_BASELINE, /* what such runs came to (reports/baseline.h) */
    DYNO_GATE_SERVER,   /* an http URL: this dyno asks it what the suite asks */
};

struct dyno_gate_side {
    const char *text; /* as given */
    enum dyno_gate_kind kind;
    char program[4096]; /* what replays; of a database: unused */
};

/* A metric that is not the same. */
struct dyno_gate_finding {
    char metric[64];
    double base, head;                     /* NAN: undefined */
    const struct dyno_gate_budget *budget; /* NULL: none */
    enum dyno_gate_verdict verdict;        /* BEHAVIOR_CHANGED: a drift within its budget */
};

/* Host time of the two sides. */
struct dyno_gate_host {
    uint32_t rounds;         /* 0: not timed */
    double base_ms, head_ms; /* medians of CPU time */
    bool decided;
    enum dyno_gate_verdict verdict; /* PASS, REGRESSION, IMPROVEMENT */
};

struct dyno_gate_case {
    char name[256]; /* "chat.yaml" */
    char files[2][4096];
    struct dyno_stored_run runs[2]; /* base, head */
    struct dyno_run_digest digest;  /* of base, where it is a baseline */
    struct dyno_gate_finding findings[DYNO_GATE_FINDINGS_MAX];
    uint32_t finding_count;
    uint32_t metrics_compared;
    struct dyno_drift drift;
    struct dyno_gate_host host;
    double cpu_ms;     /* of all that ran for it, both sides */
    char invalid[512]; /* why; empty: it is not */
    enum dyno_gate_verdict verdict;
};

struct dyno_gate {
    struct dyno_gate_options options;
    struct dyno_gate_budgets budgets;
    struct dyno_gate_side sides[2]; /* base, head */
    struct dyno_gate_case *cases;   /* [case_count] */
    uint32_t case_count;
    enum dyno_gate_verdict verdict;
};

const char *dyno_gate_verdict_name(enum dyno_gate_verdict verdict);
int dyno_gate_exit_status(enum dyno_gate_verdict verdict);

/* Whether a side was run before: it cannot be run again. */
bool dyno_gate_is_past(const struct dyno_gate_side *side);
bool dyno_gate_is_baseline(const char *path); /* by its name: "kept.json" */

/* Say what a side is.  Errors are of wrong use. */
dyno_status dyno_gate_side_find(struct dyno_gate_side *side, const char *flag, const char *text,
                                struct dyno_error *error);

/* Fill cases from the suite: a folder of .yaml files, or files with commas between them.  Errors
 * are of wrong use. */
dyno_status dyno_gate_suite_find(struct dyno_gate *gate, struct dyno_error *error);

/* Run every case on both sides and read what they left.  A run that fails makes its case invalid.
 * Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_gate_run(struct dyno_gate *gate, struct dyno_error *error);

/* Ask both servers, and judge what their metrics with budgets come to. */
dyno_status dyno_gate_ask(struct dyno_gate *gate, struct dyno_error *error);

/* A new folder for runs. */
dyno_status dyno_gate_folder(char folder[DYNO_GATE_PATH_MAX], struct dyno_error *error);

/* Whether a difference passes every bound of a budget; what it is then. */
bool dyno_gate_passes(const struct dyno_gate_budget *budget, double base, double head);
enum dyno_gate_verdict dyno_gate_judge_metric(const struct dyno_gate_budget *budget, double base,
                                              double head);

/* Time both sides in turn, on one processor.  Fills the cases' host. */
dyno_status dyno_gate_time(struct dyno_gate *gate, struct dyno_error *error);

/* Compare what was read. */
dyno_status dyno_gate_judge(struct dyno_gate *gate, struct dyno_error *error);

/* The n-th of the heaviest findings: regressions, then improvements, then drift, within a kind as
 * they come; NULL: there are fewer. */
const struct dyno_gate_finding *dyno_gate_finding_at(const struct dyno_gate_case *one, uint32_t n);

/* One line on what a case is about. */
void dyno_gate_summary(char *out, size_t size, const struct dyno_gate_case *one);

void dyno_gate_print(const struct dyno_gate *gate, FILE *out);
dyno_status dyno_gate_markdown(const struct dyno_gate *gate, const char *path,
                               struct dyno_error *error);
dyno_status dyno_gate_junit(const struct dyno_gate *gate, const char *path,
                            struct dyno_error *error);
dyno_status dyno_gate_json(const struct dyno_gate *gate, const char *path,
                           struct dyno_error *error);

#endif
