#include "cli/arms/arm_runs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/run_frame.h"
#include "cli/crew.h"
#include "cli/scenario/command_line.h"
#include "core/base/array.h"

/* ---- what is kept of a run --------------------------------------------------------------------
 */

/* Hears everything that a recorder would, to be written when it is this run's turn. */
struct keeper {
    struct dyno_sink sink;
    struct dyno_item *items; /* [count] */
    size_t count;
    uint32_t capacity;
    uint64_t (*prefixes)[DYNO_ARM_PREFIXES]; /* [prefix_count] by request */
    size_t prefix_count;
    uint32_t prefix_capacity;
};

static dyno_status keep(struct dyno_sink *sink, const struct dyno_item *item)
{
    struct keeper *keeper = (struct keeper *)sink;

    if (!dyno_array_reserve(&keeper->items, &keeper->capacity, keeper->count + 1,
                            sizeof *keeper->items)) {
        return DYNO_NO_MEMORY;
    }
    keeper->items[keeper->count++] = *item;
    return DYNO_OK;
}

static dyno_status keep_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    return keep(sink, &(struct dyno_item){.kind = DYNO_ITEM_REQUEST, .request = *record});
}

static dyno_status keep_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    return keep(sink, &(struct dyno_item){.kind = DYNO_ITEM_SAMPLE, .sample = *record});
}

static dyno_status keep_plan(struct dyno_sink *sink, const struct dyno_plan_record *record)
{
    return keep(sink, &(struct dyno_item){.kind = DYNO_ITEM_PLAN, .plan = *record});
}

static dyno_status keep_fault(struct dyno_sink *sink, const struct dyno_fault_record *record)
{
    return keep(sink, &(struct dyno_item){.kind = DYNO_ITEM_FAULT, .fault = *record});
}

static dyno_status keep_link(struct dyno_sink *sink, const struct dyno_link_record *record)
{
    return keep(sink, &(struct dyno_item){.kind = DYNO_ITEM_LINK, .link = *record});
}

static const struct dyno_sink_ops keeper_ops = {.name = "keeper",
                                                .request = keep_request,
                                                .sample = keep_sample,
                                                .plan = keep_plan,
                                                .fault = keep_fault,
                                                .link = keep_link};

static dyno_status keep_prefix(void *context, const struct dyno_request *request)
{
    struct keeper *keeper = context;

    if (!dyno_array_reserve(&keeper->prefixes, &keeper->prefix_capacity, keeper->prefix_count + 1,
                            sizeof *keeper->prefixes)) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < DYNO_ARM_PREFIXES; i++) { /* ids are given out in order */
        keeper->prefixes[keeper->prefix_count][i] =
            i < request->span_count ? request->spans[i].id : 0;
    }
    keeper->prefix_count++;
    return DYNO_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct dyno_request_record *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

static dyno_status take_records(struct dyno_arm_run *run, struct keeper *keeper)
{
    size_t counts[DYNO_ITEM_CANDIDATES + 1] = {0};

    for (size_t i = 0; i < keeper->count; i++) {
        counts[keeper->items[i].kind]++;
    }
    run->records = malloc((counts[DYNO_ITEM_REQUEST] + 1) * sizeof *run->records);
    run->plans = malloc((counts[DYNO_ITEM_PLAN] + 1) * sizeof *run->plans);
    run->busy = run->with.scenario.cost.energy
                    ? malloc((counts[DYNO_ITEM_SAMPLE] + 1) * sizeof *run->busy)
                    : NULL;
    if (!run->records || !run->plans || (run->with.scenario.cost.energy && !run->busy)) {
        return DYNO_NO_MEMORY;
    }
    for (size_t i = 0; i < keeper->count; i++) {
        if (keeper->items[i].kind == DYNO_ITEM_REQUEST) {
            run->records[run->record_count++] = keeper->items[i].request;
        } else if (keeper->items[i].kind == DYNO_ITEM_PLAN) {
            run->plans[run->plan_count++] = keeper->items[i].plan;
        } else if (keeper->items[i].kind == DYNO_ITEM_SAMPLE && run->busy) {
            const struct dyno_sample_record *sample = &keeper->items[i].sample;

            run->busy[run->busy_count++] = (struct dyno_arm_busy){
                .at = sample->at, .busy_ns = sample->busy_ns, .worker = sample->worker};
        }
    }
    if (run->record_count > 0) {
        qsort(run->records, run->record_count, sizeof *run->records, by_id);
    }
    run->prefixes = keeper->prefixes;
    run->prefix_count = (uint32_t)keeper->prefix_count;
    keeper->prefixes = NULL;
    return DYNO_OK;
}

/* ---- one run ----------------------------------------------------------------------------------
 */

/* What every run has in common. */
struct work {
    struct dyno_arm_runs *runs;
    const struct dyno_arm_plan *plan;
};

static double thread_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static enum dyno_harness_limit limit_of(const struct dyno_arm_run *run)
{
    if (strcmp(run->with.scenario.run.device, "null") == 0) {
        return DYNO_HARNESS_NULL;
    }
    return run->cpu_fraction >= 0.9 ? DYNO_HARNESS_CPU : DYNO_HARNESS_FREE;
}

static dyno_status write_items(struct dyno_sink *sink, const struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++) {
        const struct dyno_item *item = &keeper->items[i];

        if (item->kind == DYNO_ITEM_REQUEST && sink->ops->request) {
            DYNO_TRY(sink->ops->request(sink, &item->request));
        } else if (item->kind == DYNO_ITEM_SAMPLE && sink->ops->sample) {
            DYNO_TRY(sink->ops->sample(sink, &item->sample));
        } else if (item->kind == DYNO_ITEM_PLAN && sink->ops->plan) {
            DYNO_TRY(sink->ops->plan(sink, &item->plan));
        } else if (item->kind == DYNO_ITEM_FAULT && sink->ops->fault) {
            DYNO_TRY(sink->ops->fault(sink, &item->fault));
        } else if (item->kind == DYNO_ITEM_LINK && sink->ops->link) {
            DYNO_TRY(sink->ops->link(sink, &item->link));
        }
    }
    return DYNO_OK;
}

/* As `dyno replay` would have recorded it. */
static dyno_status record(struct dyno_arm_run *run, const struct keeper *keeper,
                          const struct dyno_report *report, const struct dyno_host_facts *facts,
                          struct dyno_error *error)
{
    struct dyno_run_option_row *rows = dyno_scenario_option_rows(&run->with.options);
    char *command = dyno_command_line(run->with.argc, run->with.argv);
    struct dyno_recorder *recorder = NULL;
    struct dyno_error ignored;
    dyno_status status = dyno_frame_recorder(&recorder, &run->with.scenario, command, run->title,
                                             rows, run->with.options.count, error);

    if (status == DYNO_OK) {
        run->run_id = dyno_recorder_run_id(recorder);
        status = write_items(dyno_recorder_sink(recorder), keeper);
        if (status == DYNO_OK) {
            status = dyno_recorder_close(recorder, report, facts, error);
        } else {
            (void)dyno_recorder_close(recorder, NULL, NULL,
                                      status == DYNO_NO_MEMORY ? &ignored : error);
        }
    }
    dyno_scenario_option_rows_free(rows, run->with.options.count);
    free(command);
    return status;
}

/* What a run left, while it is still assembled. */
static dyno_status take_result(struct dyno_arm_run *run, struct dyno_assembly *assembly,
                               struct keeper *keeper, struct dyno_crew *crew, uint32_t index,
                               double started, struct dyno_error *error)
{
    struct dyno_host_facts facts = dyno_frame_host_facts(started, assembly->metrics.requests);
    struct dyno_report report;

    DYNO_TRY(dyno_assembly_report(assembly, &report, error));
    memcpy(run->title, assembly->title, sizeof run->title);
    run->cut = assembly->result.cut;
    dyno_summary_fill(&run->summary, &report);
    dyno_crew_await_turn(crew, index);
    DYNO_TRY(record(run, keeper, &report, &facts, error));
    if (take_records(run, keeper) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the requests of a run");
    }
    return DYNO_OK;
}

static dyno_status run_kept(struct work *work, struct dyno_crew *crew, uint32_t index,
                            struct keeper *keeper, struct dyno_error *error)
{
    struct dyno_arm_run *run = &work->runs->items[index];
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    double started = dyno_frame_seconds(), computed = thread_seconds();
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    assembly->see = keep_prefix;
    assembly->see_context = keeper;
    status = dyno_assembly_open(assembly, &run->with.scenario, &keeper->sink,
                                work->plan->interrupted, 0, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_run(assembly, error);
        if (work->runs->is_live) {
            run->cpu_fraction =
                (thread_seconds() - computed) / (dyno_frame_seconds() - started + 1e-9);
        }
        run->limit = limit_of(run);
        if (status == DYNO_OK) {
            status = take_result(run, assembly, keeper, crew, index, started, error);
        }
        dyno_assembly_close(assembly);
    }
    free(assembly);
    return status;
}

static dyno_status run_one(void *context, struct dyno_crew *crew, uint32_t index,
                           struct dyno_error *error)
{
    struct keeper keeper = {.sink.ops = &keeper_ops};
    dyno_status status = run_kept(context, crew, index, &keeper, error);

    free(keeper.items);
    free(keeper.prefixes);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static bool is_by_wall_clock(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->run.clock, "wall") == 0;
}

static dyno_status check(const struct dyno_arm_runs *runs, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &runs->items[0].with.scenario;

    if (scenario->trace.path && strcmp(scenario->trace.path, "-") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "every arm reads the trace: standard input will not do, name a file");
    }
    if (scenario->output.decisions || scenario->output.journal || scenario->output.host_json ||
        (scenario->output.intervals && strcmp(scenario->output.intervals, "auto") != 0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--decisions, --journal, --host-json and --intervals are of one run: give "
                         "them to dyno replay with an arm's settings");
    }
    return DYNO_OK;
}

dyno_status dyno_arm_runs_open(struct dyno_arm_runs *out, const struct dyno_arm_plan *plan,
                               struct dyno_error *error)
{
    uint32_t count = plan->arms->count * plan->seeds;
    dyno_status status = DYNO_OK;
    const struct dyno_scenario *first;
    uint64_t seed = 0;

    *out = (struct dyno_arm_runs){.arms = plan->arms->count, .seeds = plan->seeds};
    out->items = calloc(count, sizeof *out->items);
    if (!out->items) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for %u runs", count);
    }
    for (uint32_t i = 0; i < count && status == DYNO_OK; i++) {
        uint64_t one = seed + i % plan->seeds;

        status = dyno_arm_scenario_open(&out->items[i].with, &plan->arms->items[i / plan->seeds],
                                        plan->argc, plan->argv, i > 0 ? &one : NULL, error);
        if (i == 0 && status == DYNO_OK) {
            seed = out->items[0].with.scenario.run.seed;
        }
    }
    first = &out->items[0].with.scenario;
    if (status == DYNO_OK) {
        out->same_traffic = first->trace.path != NULL;
        out->by_order =
            first->trace.concurrency > 0 ||
            (first->generate.arrival && strncmp(first->generate.arrival, "concurrency", 11) == 0);
        status = check(out, error);
    }
    for (uint32_t i = 0; i < count && status == DYNO_OK; i++) {
        out->items[i].with.scenario.kv.bound_belady = false;
        out->is_live = out->is_live || is_by_wall_clock(&out->items[i].with.scenario);
    }
    if (status != DYNO_OK) {
        dyno_arm_runs_close(out);
    }
    return status;
}

dyno_status dyno_arm_runs_run(struct dyno_arm_runs *runs, const struct dyno_arm_plan *plan,
                              struct dyno_error *error)
{
    struct work work = {.runs = runs, .plan = plan};
    uint32_t count = runs->arms * runs->seeds;
    uint32_t threads = runs->is_live ? 1 : dyno_crew_size(plan->jobs, count);

    return dyno_crew_run(threads, count, run_one, &work, error);
}

void dyno_arm_runs_close(struct dyno_arm_runs *runs)
{
    for (uint32_t i = 0; runs->items && i < runs->arms * runs->seeds; i++) {
        free(runs->items[i].records);
        free(runs->items[i].plans);
        free(runs->items[i].busy);
        free(runs->items[i].prefixes);
        dyno_arm_scenario_close(&runs->items[i].with);
    }
    free(runs->items);
    runs->items = NULL;
}
