/* What goes wrong with workers that compute, and how they start again: before a journal, or fed. */
#include <stddef.h>

#include "backends/journal/journal_parts.h"

static struct dyno_journal *journal_of(const struct dyno_faults *faults)
{
    return (struct dyno_journal *)((uintptr_t)faults - offsetof(struct dyno_journal, faults));
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* Nearly always there is nothing: that is one byte. */
static dyno_ns faults_next(const struct dyno_faults *faults)
{
    struct dyno_journal *journal = journal_of(faults);
    const struct dyno_faults *real = journal->real_faults;
    dyno_ns next = real ? real->ops->next(real) : DYNO_NEVER;
    uint64_t any = next != DYNO_NEVER;

    if (!dyno_journal_event(journal, EVENT_FAULT_NEXT)) {
        return real ? next : DYNO_NEVER;
    }
    dyno_journal_number(journal, &any);
    if (!any) {
        return DYNO_NEVER;
    }
    dyno_journal_time(journal, &next);
    return next;
}

/* Of workers that compute nothing else goes wrong. */
static void death_numbers(struct dyno_journal *journal, struct dyno_fault_record *fault)
{
    uint64_t target = fault->target;

    dyno_journal_number(journal, &target);
    dyno_journal_time(journal, &fault->at);
    dyno_journal_time(journal, &fault->until);
    if (!journal->writes) {
        fault->kind = DYNO_FAULT_DEATH;
        fault->what = "worker";
        fault->target = (uint32_t)target;
    }
    if (!journal->writes && (target >= journal->worker_count || fault->at > journal->now)) {
        dyno_journal_differs(journal, EVENT_FAULT_TAKE, "no worker can have died like that");
    }
}

static bool faults_take(struct dyno_faults *faults, dyno_ns now, struct dyno_fault_record *out)
{
    struct dyno_journal *journal = journal_of(faults);
    struct dyno_faults *real = journal->real_faults;
    uint64_t began = 0;

    *out = (struct dyno_fault_record){.until = 0};
    if (real) {
        began = real->ops->take(real, now, out);
    }
    if (!dyno_journal_event(journal, EVENT_FAULT_TAKE)) {
        return real && began;
    }
    dyno_journal_number(journal, &began);
    if (began) {
        death_numbers(journal, out);
    }
    return began && (real || journal->failure.status == DYNO_OK);
}

static void faults_close(struct dyno_faults *faults)
{
    struct dyno_faults *real = journal_of(faults)->real_faults;

    if (real) {
        real->ops->close(real);
    }
}

static const struct dyno_faults_ops faults_ops = {
    .name = "journal", .next = faults_next, .take = faults_take, .close = faults_close};

struct dyno_faults *dyno_journal_faults(struct dyno_journal *journal, struct dyno_faults *real,
                                        uint32_t worker_count)
{
    journal->faults.ops = &faults_ops;
    journal->real_faults = real;
    journal->worker_count = worker_count;
    return &journal->faults;
}

/* ---- starts ---------------------------------------------------------------------------------- */

/* Of the second ones there is a word before each. */
static bool begin(const struct dyno_journal_starter *seam, enum dyno_event event, uint32_t worker)
{
    if ((seam->is_behind && !dyno_journal_event(seam->journal, EVENT_BEHIND)) ||
        !dyno_journal_event(seam->journal, event)) {
        return false;
    }
    dyno_journal_told(seam->journal, event, worker);
    return true;
}

static void start(void *context, uint32_t worker)
{
    const struct dyno_journal_starter *seam = context;

    (void)begin(seam, EVENT_START, worker);
    if (seam->real.start) {
        seam->real.start(seam->real.context, worker);
    }
}

static enum dyno_start look(void *context, uint32_t worker)
{
    const struct dyno_journal_starter *seam = context;
    uint64_t start = DYNO_START_GOES_ON;

    if (seam->real.look) {
        start = (uint64_t)seam->real.look(seam->real.context, worker);
    }
    if (begin(seam, EVENT_START_LOOK, worker)) {
        dyno_journal_number(seam->journal, &start);
    }
    if (start > DYNO_START_FAILED) {
        dyno_journal_differs(seam->journal, EVENT_START_LOOK, "no start goes like that");
        start = DYNO_START_GOES_ON;
    }
    return (enum dyno_start)start;
}

static void stop(void *context, uint32_t worker)
{
    const struct dyno_journal_starter *seam = context;

    (void)begin(seam, EVENT_START_STOP, worker);
    if (seam->real.stop) {
        seam->real.stop(seam->real.context, worker);
    }
}

struct dyno_starter dyno_journal_starter(struct dyno_journal *journal, bool is_behind,
                                         const struct dyno_starter *real)
{
    struct dyno_journal_starter *seam = &journal->starters[is_behind];

    seam->journal = journal;
    seam->is_behind = is_behind;
    if (real) {
        seam->real = *real;
    }
    return (struct dyno_starter){.start = start, .look = look, .stop = stop, .context = seam};
}
