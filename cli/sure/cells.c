#include "cli/sure/cells.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/energy.h"
#include "cli/scenario/models.h"
#include "cli/sure/energy.h"

enum { CELL_REQUESTS = 8 };

/* ---- cells ------------------------------------------------------------------------------------
 */

static double *sum_of(const struct dyno_tune_cells *work, uint32_t part, unsigned sum)
{
    return work->parts[part].sums + (size_t)sum * work->places;
}

/* The part of a side in which a metric is made. */
static uint32_t part_of(const struct dyno_tune_cells *work, uint32_t side, uint32_t metric)
{
    return side * work->groups + work->groups_of[metric];
}

static const struct dyno_arm_run *run_of(const struct dyno_tune_cells *work, uint32_t side,
                                         uint32_t seed)
{
    return &work->runs->items[side * work->runs->seeds + seed];
}

/* When the last request of a run came. */
static dyno_ns span_of(const struct dyno_arm_run *run)
{
    dyno_ns last = 0;

    for (uint32_t i = 0; i < run->record_count; i++) {
        last = run->records[i].arrival_ns > last ? run->records[i].arrival_ns : last;
    }
    return last + 1;
}

/* The place of an instant; in a closed loop, of a request by its order. */
static uint32_t place_of(const struct dyno_tune_cells *work, uint32_t seed, double along,
                         double whole)
{
    uint32_t cell = (uint32_t)(along / whole * work->cells);

    return seed * work->cells + (cell < work->cells ? cell : work->cells - 1);
}

static void add_request(struct dyno_tune_cells *work, uint32_t part,
                        const struct dyno_request_record *record, uint32_t place,
                        const struct dyno_slo *slo)
{
    struct dyno_tune_group *to = &work->parts[part];
    bool is_completed = record->outcome == DYNO_COMPLETED;

    sum_of(work, part, DYNO_TUNE_REQUESTS)[place] += 1.0;
    sum_of(work, part, DYNO_TUNE_PREEMPTIONS)[place] += record->preemptions;
    sum_of(work, part, DYNO_TUNE_REJECTED)[place] += dyno_outcome_is_rejected(record->outcome);
    if (record->admitted_ns != DYNO_NEVER) {
        sum_of(work, part, DYNO_TUNE_LOOKED_UP_TOKENS)[place] += record->prompt_tokens;
        sum_of(work, part, DYNO_TUNE_CACHED_TOKENS)[place] += record->cached_tokens;
    }
    if (!is_completed) {
        return;
    }
    sum_of(work, part, DYNO_TUNE_COMPLETED)[place] += 1.0;
    sum_of(work, part, DYNO_TUNE_GOOD)[place] += dyno_paired_met(record, slo);
    sum_of(work, part, DYNO_TUNE_PROMPT_TOKENS)[place] += record->prompt_tokens;
    sum_of(work, part, DYNO_TUNE_OUTPUT_TOKENS)[place] += record->output_tokens;
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        double value = dyno_paired_latency(record, (enum dyno_paired_kind)i);

        if (value >= 0.0) {
            sum_of(work, part, DYNO_TUNE_LATENCIES + 2 * i)[place] += value;
            sum_of(work, part, DYNO_TUNE_LATENCIES + 2 * i + 1)[place] += 1.0;
            to->sorted[i][to->sorted_count[i]++] =
                (struct dyno_paired_placed){.value = value, .place = place};
        }
    }
}

/* What is known of the GPUs of a model's workers. */
struct fleet {
    uint32_t worker_gpus[DYNO_MODELS_MAX]; /* of each worker ... */
    double gpus[DYNO_MODELS_MAX];          /* ... and of all places of the model's workers */
    uint32_t models;                       /* 1, or more: their workers stand one after another */
};

static dyno_status find_fleet(struct fleet *out, const struct dyno_arm_run *run)
{
    const struct dyno_scenario *scenario = &run->with.scenario;
    struct dyno_fleet_models *models;
    struct dyno_error ignored; /* they were read before, when the scenario was loaded */
    dyno_status status;

    out->models = 1;
    out->worker_gpus[0] = scenario->fleet.tp;
    out->gpus[0] = dyno_tune_summary_value(&run->summary, "fleet.gpus");
    if (!dyno_models_are(scenario)) {
        return DYNO_OK;
    }
    models = calloc(1, sizeof *models);
    status = models ? dyno_models_read(models, scenario, &ignored) : DYNO_NO_MEMORY;
    out->models = status == DYNO_OK ? models->count : 1;
    for (uint32_t i = 0; status == DYNO_OK && i < models->count; i++) {
        out->worker_gpus[i] = models->scenarios[i].fleet.tp;
        out->gpus[i] = models->scenarios[i].fleet.tp * models->scenarios[i].fleet.workers;
    }
    free(models);
    return status;
}

/* GPUs of each model that are up from one look of the planner to the next: those of the later look,
 * for what was started at the earlier one is there.  A look has a record of each role and model. */
static void find_gpus_up(double gpus[DYNO_MODELS_MAX], const struct dyno_arm_run *run,
                         const struct fleet *fleet, dyno_ns at, uint32_t *look)
{
    if (run->plan_count == 0) {
        memcpy(gpus, fleet->gpus, sizeof fleet->gpus);
        return;
    }
    while (*look < run->plan_count && run->plans[*look].at < at) {
        ++*look;
    }
    if (*look == run->plan_count) {
        at = run->plans[--*look].at;
        while (*look > 0 && run->plans[*look - 1].at == at) {
            --*look;
        }
    }
    at = run->plans[*look].at;
    memset(gpus, 0, sizeof fleet->gpus);
    for (uint32_t i = *look; i < run->plan_count && run->plans[i].at == at; i++) {
        const struct dyno_plan_record *plan = &run->plans[i];

        gpus[plan->model] += (double)(plan->ready + plan->starting + plan->draining) *
                             fleet->worker_gpus[plan->model];
    }
}

/* Of one cell, for every group. */
static void add_cell(struct dyno_tune_cells *work, uint32_t side, uint32_t place, double seconds,
                     const double gpus[DYNO_MODELS_MAX])
{
    double all = 0.0;

    for (uint32_t i = 0; i < DYNO_MODELS_MAX; i++) {
        all += gpus[i];
    }
    for (uint32_t group = 0; group < work->groups; group++) {
        uint32_t part = side * work->groups + group, model = work->models[group];

        sum_of(work, part, DYNO_TUNE_ONE)[place] = 1.0;
        sum_of(work, part, DYNO_TUNE_SECONDS)[place] = seconds;
        sum_of(work, part, DYNO_TUNE_GPU_SECONDS)[place] =
            seconds * (model == DYNO_TUNE_ALL_MODELS ? all : gpus[model]);
    }
}

static double gpus_of_worker(const void *context, uint32_t worker)
{
    const struct fleet *fleet = context;
    double workers = worker;

    for (uint32_t i = 0; i + 1 < fleet->models; i++) {
        workers -= fleet->gpus[i] / fleet->worker_gpus[i];
        if (workers < 0.0) {
            return fleet->worker_gpus[i];
        }
    }
    return fleet->worker_gpus[fleet->models - 1];
}

/* What GPUs draw and cost in each cell; of all requests, for no model is told apart. */
static dyno_status add_costs(struct dyno_tune_cells *work, uint32_t side, uint32_t seed,
                             const struct fleet *fleet, const double *edges)
{
    const struct dyno_arm_run *run = run_of(work, side, seed);
    uint32_t part = side * work->groups, first = seed * work->cells;
    const double *gpu_seconds = sum_of(work, part, DYNO_TUNE_GPU_SECONDS) + first;
    double *kwh = sum_of(work, part, DYNO_TUNE_KWH) + first;
    double *cost = sum_of(work, part, DYNO_TUNE_COST) + first;

    if (dyno_tune_energy_is_known(run)) {
        DYNO_TRY(
            dyno_tune_energy(kwh, run, work->cells, edges, gpu_seconds, gpus_of_worker, fleet));
    }
    for (uint32_t i = 0; i < work->cells; i++) {
        cost[i] = gpu_seconds[i] / 3600.0 * run->with.scenario.cost.gpu_hour_price +
                  kwh[i] * run->with.scenario.cost.kwh_price;
    }
    return DYNO_OK;
}

static int by_time(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Cells of requests by their order lie between the ends of as many requests as are in them: then
 * they are as long as it took to serve so many. */
static void find_edges_by_order(double *edges, uint32_t cells, double *ends, uint32_t count)
{
    qsort(ends, count, sizeof *ends, by_time);
    for (uint32_t i = 1; i < cells; i++) {
        edges[i] = ends[(uint64_t)i * count / cells - (i * (uint64_t)count >= cells)];
    }
}

/* When the cells of a run begin, and the last one ends: equal parts of the time in which requests
 * came, and what is left. */
static dyno_status find_edges(double *edges, const struct dyno_tune_cells *work,
                              const struct dyno_arm_run *run)
{
    double span = (double)span_of(run), *ends = malloc((run->record_count + 1) * sizeof *ends);
    uint32_t count = 0;

    if (!ends) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i <= work->cells; i++) {
        edges[i] = span / work->cells * i;
    }
    for (uint32_t i = 0; i < run->record_count; i++) {
        if (run->records[i].last_token_ns != DYNO_NEVER) {
            ends[count] = (double)run->records[i].last_token_ns;
            edges[work->cells] = fmax(edges[work->cells], ends[count++]);
        }
    }
    if (work->runs->by_order && count >= work->cells) {
        find_edges_by_order(edges, work->cells, ends, count);
    }
    free(ends);
    return DYNO_OK;
}

static dyno_status add_time(struct dyno_tune_cells *work, uint32_t side, uint32_t seed)
{
    const struct dyno_arm_run *run = run_of(work, side, seed);
    double edges[DYNO_TUNE_CELLS_MAX + 1] = {0.0};
    struct fleet fleet = {.gpus = {0}};
    uint32_t look = 0;

    DYNO_TRY(find_fleet(&fleet, run));
    DYNO_TRY(find_edges(edges, work, run));
    for (uint32_t cell = 0; cell < work->cells; cell++) {
        double from = edges[cell], until = edges[cell + 1];
        double gpus[DYNO_MODELS_MAX];

        find_gpus_up(gpus, run, &fleet, (dyno_ns)((from + until) / 2.0), &look);
        add_cell(work, side, seed * work->cells + cell, (until - from) * 1e-9, gpus);
    }
    return add_costs(work, side, seed, &fleet, edges);
}

static int by_value(const void *a, const void *b)
{
    double left = ((const struct dyno_paired_placed *)a)->value,
           right = ((const struct dyno_paired_placed *)b)->value;

    return (left > right) - (left < right);
}

static dyno_status open_part(struct dyno_tune_cells *work, struct dyno_tune_group *part,
                             size_t requests)
{
    assert(work->places > 0);
    part->sums = calloc((size_t)DYNO_TUNE_SUMS * work->places, sizeof *part->sums);
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        part->sorted[i] = malloc((requests + 1) * sizeof *part->sorted[i]);
        if (!part->sums || !part->sorted[i]) {
            return DYNO_NO_MEMORY;
        }
    }
    return DYNO_OK;
}

static void add_run(struct dyno_tune_cells *work, uint32_t side, uint32_t seed, dyno_ns span)
{
    const struct dyno_arm_run *run = run_of(work, side, seed);
    const struct dyno_scenario *scenario = &run->with.scenario;
    struct dyno_slo slo = {.ttft_ns = scenario->slo.ttft_ns,
                           .tpot_ns = scenario->slo.tpot_ns,
                           .itl_ns = scenario->slo.itl_ns,
                           .e2e_ns = scenario->slo.e2e_ns};

    for (uint32_t i = 0; i < run->record_count; i++) {
        const struct dyno_request_record *record = &run->records[i];
        uint32_t place = work->runs->by_order
                             ? place_of(work, seed, i, run->record_count)
                             : place_of(work, seed, (double)record->arrival_ns, (double)span);

        for (uint32_t group = 0; group < work->groups; group++) {
            if (group == 0 || work->models[group] == record->model) {
                add_request(work, side * work->groups + group, record, place, &slo);
            }
        }
    }
}

static dyno_status fill_side(struct dyno_tune_cells *work, uint32_t side)
{
    struct dyno_tune_group *parts = &work->parts[side * work->groups];
    size_t requests = 0;

    for (uint32_t seed = 0; seed < work->runs->seeds; seed++) {
        requests += run_of(work, side, seed)->record_count;
    }
    for (uint32_t group = 0; group < work->groups; group++) {
        DYNO_TRY(open_part(work, &parts[group], requests));
    }
    for (uint32_t seed = 0; seed < work->runs->seeds; seed++) {
        add_run(work, side, seed, span_of(run_of(work, side, seed)));
        DYNO_TRY(add_time(work, side, seed));
    }
    for (uint32_t group = 0; group < work->groups; group++) {
        for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
            qsort(parts[group].sorted[i], parts[group].sorted_count[i],
                  sizeof *parts[group].sorted[i], by_value);
        }
    }
    return DYNO_OK;
}

void dyno_tune_cells_release(struct dyno_tune_cells *work)
{
    for (uint32_t i = 0; i < DYNO_TUNE_SIDES_MAX * work->groups; i++) {
        free(work->parts[i].sums);
        for (unsigned j = 0; j <= DYNO_PAIRED_QUEUE; j++) {
            free(work->parts[i].sorted[j]);
        }
    }
}

/* ---- what is filled ---------------------------------------------------------------------------
 */

/* Whether every run tells what a sum is made of. */
static bool is_known(const struct dyno_arm_runs *runs, unsigned sum)
{
    for (uint32_t i = 0; i < runs->arms * runs->seeds; i++) {
        bool goes_by_energy =
            sum == DYNO_TUNE_KWH ||
            (sum == DYNO_TUNE_COST && runs->items[i].with.scenario.cost.kwh_price > 0.0);

        if ((goes_by_energy && !dyno_tune_energy_is_known(&runs->items[i])) ||
            (sum == DYNO_TUNE_COST && !dyno_energy_is_priced(&runs->items[i].with.scenario))) {
            return false;
        }
    }
    return true;
}

/* Where a metric is made: of all requests, or of those for the model that it names. */
static dyno_status find_group(struct dyno_tune_cells *work, uint32_t metric)
{
    const char *name = dyno_tune_aims_metric(work->aims, metric)->name;
    const struct dyno_scenario *scenario = &run_of(work, 0, 0)->with.scenario;
    struct dyno_fleet_models *models = calloc(1, sizeof *models);
    uint32_t model = DYNO_TUNE_ALL_MODELS, length = dyno_gate_metric_model_length(name);
    char key[DYNO_SUMMARY_MODEL_MAX];
    struct dyno_error ignored;

    if (!models || dyno_models_read(models, scenario, &ignored) != DYNO_OK) {
        free(models);
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; length > 0 && i < models->count; i++) {
        dyno_summary_model(key, models->of[i].name);
        model = strlen(key) == length && strncmp(key, name + 7, length) == 0 ? i : model;
    }
    free(models);
    while (work->groups_of[metric] < work->groups &&
           work->models[work->groups_of[metric]] != model) {
        work->groups_of[metric]++;
    }
    if (work->groups_of[metric] == work->groups) {
        work->models[work->groups++] = model;
    }
    return DYNO_OK;
}

static uint32_t cells_for(const struct dyno_arm_runs *runs)
{
    uint32_t least = UINT32_MAX, cells;

    for (uint32_t i = 0; i < runs->arms * runs->seeds; i++) {
        least = runs->items[i].record_count < least ? runs->items[i].record_count : least;
    }
    cells = least / CELL_REQUESTS;
    cells = cells < 2 * DYNO_BLOCKS_MIN ? 2 * DYNO_BLOCKS_MIN : cells;
    return cells < DYNO_TUNE_CELLS_MAX ? cells : DYNO_TUNE_CELLS_MAX;
}

/* What a ratio is to be multiplied by.  A total is the mean of a cell, or of a request, times as
 * many as a run has. */
static double scale_of(const struct dyno_tune_cells *work, struct dyno_tune_recipe *recipe)
{
    if (recipe->quantile >= 0.0 || recipe->below != DYNO_TUNE_ONE) {
        return recipe->times;
    }
    if (!work->aims->is_by_requests) {
        return recipe->times * work->cells;
    }
    recipe->below = DYNO_TUNE_REQUESTS;
    return recipe->times * run_of(work, 0, 0)->record_count;
}

dyno_status dyno_tune_cells_fill(struct dyno_tune_cells *out, const struct dyno_arm_runs *runs,
                                 const struct dyno_tune_aims *aims)
{
    *out = (struct dyno_tune_cells){.runs = runs,
                                    .aims = aims,
                                    .metrics = dyno_tune_aims_metric_count(aims),
                                    .groups = 1,
                                    .models = {DYNO_TUNE_ALL_MODELS},
                                    .cells = cells_for(runs)};
    out->places = out->cells * runs->seeds;
    for (uint32_t i = 0; i < out->metrics; i++) {
        out->recipes[i] = dyno_tune_recipe_of(dyno_tune_aims_metric(aims, i)->name);
        if (!is_known(runs, out->recipes[i].above)) {
            out->recipes[i].above = DYNO_TUNE_NOTHING;
        }
        out->scales[i] = scale_of(out, &out->recipes[i]);
        DYNO_TRY(find_group(out, i));
    }
    for (uint32_t i = 0; i < runs->arms; i++) {
        DYNO_TRY(fill_side(out, i));
    }
    return DYNO_OK;
}

const struct dyno_arm_run *dyno_tune_cells_run(const struct dyno_tune_cells *cells, uint32_t side,
                                               uint32_t seed)
{
    return run_of(cells, side, seed);
}

const double *dyno_tune_cells_sums(const struct dyno_tune_cells *cells, uint32_t side,
                                   uint32_t metric, unsigned sum)
{
    return sum_of(cells, part_of(cells, side, metric), sum);
}

/* ---- figures ----------------------------------------------------------------------------------
 */

static double weighted(const double *sums, const uint32_t *weights, uint32_t places)
{
    double total = 0.0;

    for (uint32_t i = 0; i < places; i++) {
        total += weights[i] * sums[i];
    }
    return total;
}

double dyno_tune_cells_figure(const struct dyno_tune_cells *work, uint32_t side, uint32_t metric,
                              const uint32_t *weights)
{
    const struct dyno_tune_recipe *recipe = &work->recipes[metric];
    uint32_t part = part_of(work, side, metric);
    const struct dyno_tune_group *from = &work->parts[part];
    double below = weighted(sum_of(work, part, recipe->below), weights, work->places);
    double passed = 0.0;

    if (recipe->above == DYNO_TUNE_NOTHING || below <= 0.0 ||
        (work->without_medians && recipe->quantile >= 0.0 && recipe->quantile < 0.9)) {
        return NAN;
    }
    if (recipe->quantile < 0.0) {
        return work->scales[metric] *
               weighted(sum_of(work, part, recipe->above), weights, work->places) / below;
    }
    for (uint32_t i = 0; i < from->sorted_count[recipe->latency]; i++) {
        passed += weights[from->sorted[recipe->latency][i].place];
        if (passed > 0.0 && passed >= recipe->quantile * below - 1e-9) {
            return from->sorted[recipe->latency][i].value;
        }
    }
    return NAN;
}

struct dyno_paired_ranked dyno_tune_cells_ranked(const struct dyno_tune_cells *work, uint32_t side,
                                                 uint32_t metric)
{
    const struct dyno_tune_recipe *recipe = &work->recipes[metric];
    uint32_t part = part_of(work, side, metric);

    return (struct dyno_paired_ranked){.sorted = work->parts[part].sorted[recipe->latency],
                                       .count = work->parts[part].sorted_count[recipe->latency],
                                       .counts = sum_of(work, part, recipe->below)};
}

void dyno_tune_cells_influence(const struct dyno_tune_cells *work, double *out, double times,
                               uint32_t side, uint32_t metric)
{
    const struct dyno_tune_recipe *recipe = &work->recipes[metric];
    struct dyno_paired_ranked ranked;

    if (recipe->quantile < 0.0) {
        times *= work->scales[metric];
        dyno_paired_influence_ratio(
            out, times, dyno_tune_cells_sums(work, side, metric, recipe->above),
            dyno_tune_cells_sums(work, side, metric, recipe->below), work->places);
    } else {
        ranked = dyno_tune_cells_ranked(work, side, metric);
        dyno_paired_influence_quantile(out, times, recipe->quantile, &ranked, work->places);
    }
}
