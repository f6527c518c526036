/* The lane of servers: both are asked the same load by `dyno bench`, base before and after head in
 * every round, so that what base differs by from itself sets how far head must be off. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/gate/gate.h"
#include "reports/stats/noise.h"

enum { ROUNDS_MAX = 100, TURNS = 3 /* base, head, base */ };

struct measured {
    double values[TURNS][ROUNDS_MAX];
};

/* Why the figures are the client's: it had no time, or came late. */
static void note_limited(struct dyno_gate_case *one, int side)
{
    const struct dyno_stored_run *run = &one->runs[side];

    (void)snprintf(one->invalid, sizeof one->invalid,
                   "the client, not the server, was the limit while %s was asked: busy for %.0f %% "
                   "of the time, a hundredth of requests sent %.3g ms late or more, at a mean TTFT "
                   "of %.3g ms; ask from where less goes on, or for longer prompts",
                   side ? "head" : "base",
                   100.0 * dyno_stored_run_metric(run, "client.cpu_fraction"),
                   dyno_stored_run_metric(run, "client.lag_ms.p99"),
                   dyno_stored_run_metric(run, "ttft_ms.mean"));
}

static dyno_status ask(struct dyno_gate *gate, struct dyno_gate_case *one, int side,
                       const char *database, struct dyno_error *error)
{
    char bench[] = "bench", url[] = "--url", db[] = "--db";
    char *argv[] = {gate->sides[side].program,
                    bench,
                    one->files[side],
                    url,
                    (char *)(uintptr_t)gate->sides[side].text,
                    db,
                    (char *)(uintptr_t)database,
                    NULL};
    struct dyno_error why = {.status = DYNO_OK};
    struct dyno_child_end end;
    struct dyno_child child;

    dyno_stored_run_release(&one->runs[side]);
    DYNO_TRY(dyno_child_start(&child, argv, error));
    DYNO_TRY(dyno_child_wait(&child, &end, error));
    one->cpu_ms += end.cpu_ms;
    if (!end.exited || end.status != 0) {
        (void)snprintf(one->invalid, sizeof one->invalid, "asking %s ended with %d: %.400s",
                       side ? "head" : "base", end.status, end.said);
    } else if (dyno_stored_run_read(&one->runs[side], database, NULL, &why) != DYNO_OK) {
        (void)snprintf(one->invalid, sizeof one->invalid, "%.500s", why.text);
    } else if (dyno_stored_run_metric(&one->runs[side], "client.limited") > 0.0) {
        note_limited(one, side);
    }
    return DYNO_OK;
}

static void take(const struct dyno_gate *gate, const struct dyno_gate_case *one,
                 struct measured *measured, int side, uint32_t turn, uint32_t round)
{
    for (uint32_t i = 0; i < gate->budgets.count; i++) {
        measured[i].values[turn][round] =
            dyno_stored_run_metric(&one->runs[side], gate->budgets.items[i].metric.name);
    }
}

static void judge(const struct dyno_gate *gate, struct dyno_gate_case *one,
                  const struct measured *measured)
{
    double alpha = gate->budgets.false_alarms / (gate->case_count * gate->budgets.count);

    for (uint32_t i = 0; i < gate->budgets.count && !*one->invalid; i++) {
        const struct dyno_gate_budget *budget = &gate->budgets.items[i];
        const struct measured *of = &measured[i];
        struct dyno_noise_verdict found = dyno_noise_judge(
            of->values[0], of->values[1], of->values[2], gate->options.rounds, alpha);
        struct dyno_gate_finding *finding = &one->findings[one->finding_count];

        one->metrics_compared++;
        if (!isfinite(found.base) || !isfinite(found.head)) {
            (void)snprintf(one->invalid, sizeof one->invalid,
                           "%s has a budget, but is undefined in some round", budget->metric.name);
        } else if (found.differs && dyno_gate_passes(budget, found.base, found.head)) {
            *finding = (struct dyno_gate_finding){
                .base = found.base,
                .head = found.head,
                .budget = budget,
                .verdict = dyno_gate_judge_metric(budget, found.base, found.head)};
            (void)snprintf(finding->metric, sizeof finding->metric, "%s", budget->metric.name);
            one->finding_count++;
        }
    }
}

static dyno_status measure(struct dyno_gate *gate, struct dyno_gate_case *one,
                           struct measured *measured, const char *database,
                           struct dyno_error *error)
{
    for (uint32_t round = 0; round < gate->options.rounds; round++) {
        for (uint32_t turn = 0; turn < TURNS; turn++) {
            int side = turn == 1;

            DYNO_TRY(ask(gate, one, side, database, error));
            (void)unlink(database);
            if (*one->invalid) {
                return DYNO_OK;
            }
            take(gate, one, measured, side, turn, round);
        }
    }
    judge(gate, one, measured);
    return DYNO_OK;
}

dyno_status dyno_gate_ask(struct dyno_gate *gate, struct dyno_error *error)
{
    struct measured *measured = calloc(gate->budgets.count + (size_t)1, sizeof *measured);
    char folder[DYNO_GATE_PATH_MAX], database[DYNO_GATE_PATH_MAX + 16];
    dyno_status status;

    if (!measured) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_gate_folder(folder, error);
    (void)snprintf(database, sizeof database, "%s/asked.db", folder);
    for (uint32_t i = 0; i < gate->case_count && status == DYNO_OK; i++) {
        status = measure(gate, &gate->cases[i], measured, database, error);
    }
    (void)rmdir(folder);
    free(measured);
    return status;
}
