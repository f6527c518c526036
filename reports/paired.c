#include "reports/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { TTFT, TPOT, E2E, QUEUE, HIT_RATE, GOODPUT, COMPLETED, KINDS };
#define LATENCIES (QUEUE + 1)

const struct dyno_paired_metric dyno_paired_metrics[DYNO_PAIRED_METRICS] = {
    {"ttft_ms.mean", false, true},        {"ttft_ms.p50", false, true},
    {"ttft_ms.p99", false, true},         {"tpot_ms.mean", false, true},
    {"tpot_ms.p50", false, true},         {"tpot_ms.p99", false, true},
    {"e2e_ms.mean", false, true},         {"e2e_ms.p50", false, true},
    {"e2e_ms.p99", false, true},          {"phases_ms.queue.mean", false, true},
    {"phases_ms.queue.p99", false, true}, {"kv.token_hit_rate", true, false},
    {"goodput.fraction", true, false},    {"completed.fraction", true, false},
};

/* How each is computed. */
static const struct {
    enum kind kind;
    double quantile; /* negative: a ratio of sums */
} recipes[DYNO_PAIRED_METRICS] = {
    {TTFT, -1},    {TTFT, 0.5},    {TTFT, 0.99},  {TPOT, -1},      {TPOT, 0.5},
    {TPOT, 0.99},  {E2E, -1},      {E2E, 0.5},    {E2E, 0.99},     {QUEUE, -1},
    {QUEUE, 0.99}, {HIT_RATE, -1}, {GOODPUT, -1}, {COMPLETED, -1},
};

uint32_t dyno_paired_metric_find(const char *name)
{
    uint32_t i = 0;

    while (i < DYNO_PAIRED_METRICS && strcmp(dyno_paired_metrics[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* A latency and where it lies, to be sorted. */
struct placed {
    double value;
    uint32_t place;
};

/* One arm, as the bootstrap wants it: `places` are the cells of all streams, one after another. */
struct side {
    double *sums[KINDS];              /* [places] numerators ... */
    double *counts[KINDS];            /* [places] ... and denominators */
    struct placed *sorted[LATENCIES]; /* [sorted_count]; NULL: means only */
    uint32_t sorted_count[LATENCIES];
    uint32_t tails[LATENCIES]; /* stretches of cells in which the slowest hundredth came */
};

struct work {
    const struct dyno_paired_input *input;
    struct dyno_paired_figures *out;
    struct side *sides;     /* [arms] */
    uint32_t cells, places; /* places = streams * cells */
    uint32_t width;         /* figures: arms * METRICS */
};

/* ---- requests -------------------------------------------------------------------------------- */

static double to_ms(dyno_ns later, dyno_ns earlier)
{
    return (double)(later - earlier) * 1e-6;
}

/* A latency of a completed request in ms; negative: it has none. */
static double latency_of(const struct dyno_request_record *record, enum kind kind)
{
    switch (kind) {
    case TTFT:
        return to_ms(record->first_token_ns, record->arrival_ns);
    case TPOT:
        return record->output_tokens > 1
                   ? (double)((record->last_token_ns - record->first_token_ns) /
                              (record->output_tokens - 1)) *
                         1e-6
                   : -1.0;
    case E2E:
        return to_ms(record->last_token_ns, record->arrival_ns);
    default:
        return to_ms(record->admitted_ns + record->held_ns, record->ready_ns);
    }
}

static bool met(const struct dyno_request_record *record, const struct dyno_slo *slo)
{
    double tpot = latency_of(record, TPOT) * 1e6;

    return record->outcome == DYNO_COMPLETED &&
           (!slo->ttft_ns || record->first_token_ns - record->arrival_ns <= slo->ttft_ns) &&
           (!slo->e2e_ns || record->last_token_ns - record->arrival_ns <= slo->e2e_ns) &&
           (!slo->tpot_ns || tpot <= (double)slo->tpot_ns) &&
           (!slo->itl_ns || tpot <= (double)slo->itl_ns);
}

static const struct dyno_request_record *record_of(const struct dyno_paired_input *input,
                                                   uint32_t arm, uint32_t stream, uint32_t request)
{
    return &input->records[(size_t)arm * input->streams + stream][request];
}

static bool completed_in_all(const struct dyno_paired_input *input, uint32_t stream,
                             uint32_t request)
{
    for (uint32_t arm = 0; arm < input->arms; arm++) {
        if (record_of(input, arm, stream, request)->outcome != DYNO_COMPLETED) {
            return false;
        }
    }
    return true;
}

static bool is_looked_at(const struct dyno_paired_input *input, uint32_t stream, uint32_t request)
{
    return !input->classes || input->classes[stream][request] == input->only;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static uint32_t cells_for(const struct dyno_paired_input *input)
{
    uint32_t least = UINT32_MAX, cells;

    for (uint32_t i = 0; i < input->streams; i++) {
        least = input->counts[i] < least ? input->counts[i] : least;
    }
    cells = least / 8;
    cells = cells < 2 * DYNO_BLOCKS_MIN ? 2 * DYNO_BLOCKS_MIN : cells;
    return cells > DYNO_PAIRED_CELLS_MAX ? DYNO_PAIRED_CELLS_MAX : cells;
}

/* The cell of a request among those of all streams: by order, or by when it came in the first arm.
 */
static uint32_t place_of(const struct work *work, uint32_t stream, uint32_t request, dyno_ns first,
                         dyno_ns span)
{
    uint64_t along, whole = work->input->counts[stream];

    if (work->input->by_order || span == 0) {
        along = request;
    } else {
        along = record_of(work->input, 0, stream, request)->arrival_ns - first;
        whole = span;
    }
    return stream * work->cells +
           (uint32_t)((double)along / (double)whole * work->cells * (1.0 - 1e-12));
}

/* From the first arrival of a stream to just past the last. */
static dyno_ns span_of(const struct dyno_paired_input *input, uint32_t stream, dyno_ns *first)
{
    dyno_ns last = 0;

    *first = DYNO_NEVER;
    for (uint32_t i = 0; i < input->counts[stream]; i++) {
        dyno_ns at = record_of(input, 0, stream, i)->arrival_ns;

        *first = at < *first ? at : *first;
        last = at > last ? at : last;
    }
    return last > *first ? last - *first + 1 : 0;
}

/* ---- what is summed and sorted --------------------------------------------------------------- */

static bool allocate_side(struct side *side, const struct work *work, size_t requests)
{
    for (int i = 0; i < KINDS; i++) {
        side->sums[i] = calloc(work->places, sizeof(double));
        side->counts[i] = calloc(work->places, sizeof(double));
        if (!side->sums[i] || !side->counts[i]) {
            return false;
        }
    }
    for (int i = 0; i < LATENCIES && !work->input->means_only; i++) {
        side->sorted[i] = malloc((requests + 1) * sizeof *side->sorted[i]);
        if (!side->sorted[i]) {
            return false;
        }
    }
    return true;
}

static void release_sides(struct work *work)
{
    for (uint32_t i = 0; work->sides && i < work->input->arms; i++) {
        for (int j = 0; j < KINDS; j++) {
            free(work->sides[i].sums[j]);
            free(work->sides[i].counts[j]);
        }
        for (int j = 0; j < LATENCIES; j++) {
            free(work->sides[i].sorted[j]);
        }
    }
    free(work->sides);
}

static void add(struct side *side, enum kind kind, uint32_t place, double value, double weight)
{
    side->sums[kind][place] += value;
    side->counts[kind][place] += weight;
}

static void add_latencies(struct side *side, const struct dyno_request_record *record,
                          uint32_t place)
{
    for (enum kind kind = TTFT; kind < LATENCIES; kind++) {
        double value = latency_of(record, kind);

        if (value < 0.0) {
            continue;
        }
        add(side, kind, place, value, 1.0);
        if (side->sorted[kind]) {
            side->sorted[kind][side->sorted_count[kind]++] =
                (struct placed){.value = value, .place = place};
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double left = ((const struct placed *)a)->value, right = ((const struct placed *)b)->value;

    return (left > right) - (left < right);
}

static bool slo_is_set(const struct dyno_slo *slo)
{
    return slo->ttft_ns || slo->tpot_ns || slo->itl_ns || slo->e2e_ns;
}

static void fill_stream(struct work *work, uint32_t arm, uint32_t stream)
{
    const struct dyno_paired_input *input = work->input;
    struct side *side = &work->sides[arm];
    dyno_ns first, span = span_of(input, stream, &first);

    for (uint32_t i = 0; i < input->counts[stream]; i++) {
        const struct dyno_request_record *record = record_of(input, arm, stream, i);
        uint32_t place;

        if (!is_looked_at(input, stream, i)) {
            continue;
        }
        place = place_of(work, stream, i, first, span);
        add(side, COMPLETED, place, record->outcome == DYNO_COMPLETED, 1.0);
        if (slo_is_set(&input->slo)) {
            add(side, GOODPUT, place, met(record, &input->slo), 1.0);
        }
        if (record->admitted_ns != DYNO_NEVER) {
            add(side, HIT_RATE, place, record->cached_tokens, record->prompt_tokens);
        }
        if (completed_in_all(input, stream, i)) {
            add_latencies(side, record, place);
        }
    }
}

/* Stretches of cells that hold one of the slowest hundredth: what is known of a tail, it is known
 * from so many occasions. */
static uint32_t count_tails(const struct work *work, const struct side *side, enum kind kind,
                            bool *marks)
{
    uint32_t first = (uint32_t)(0.99 * side->sorted_count[kind]), count = 0;

    memset(marks, 0, work->places * sizeof *marks);
    for (uint32_t i = first; i < side->sorted_count[kind]; i++) {
        marks[side->sorted[kind][i].place] = true;
    }
    for (uint32_t i = 0; i < work->places; i++) {
        count += marks[i] && (i % work->cells == 0 || !marks[i - 1]);
    }
    return count;
}

static dyno_status fill_side(struct work *work, uint32_t arm)
{
    struct side *side = &work->sides[arm];
    bool *marks = malloc(work->places * sizeof *marks);
    size_t requests = 0;

    for (uint32_t i = 0; i < work->input->streams; i++) {
        requests += work->input->counts[i];
    }
    if (!marks || !allocate_side(side, work, requests)) {
        free(marks);
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < work->input->streams; i++) {
        fill_stream(work, arm, i);
    }
    for (int i = 0; i < LATENCIES && side->sorted[i]; i++) {
        qsort(side->sorted[i], side->sorted_count[i], sizeof *side->sorted[i], by_value);
        side->tails[i] = count_tails(work, side, (enum kind)i, marks);
    }
    free(marks);
    return DYNO_OK;
}

/* How many are looked at, and how the pairs of arms did request by request. */
static void count_requests(struct work *work)
{
    const struct dyno_paired_input *input = work->input;

    for (uint32_t stream = 0; stream < input->streams; stream++) {
        for (uint32_t i = 0; i < input->counts[stream]; i++) {
            if (!is_looked_at(input, stream, i)) {
                continue;
            }
            work->out->requests++;
            if (!completed_in_all(input, stream, i)) {
                work->out->incomplete++;
                continue;
            }
            for (uint32_t a = 0; a < input->arms; a++) {
                for (uint32_t b = a + 1; b < input->arms; b++) {
                    double before = latency_of(record_of(input, a, stream, i), E2E);
                    double after = latency_of(record_of(input, b, stream, i), E2E);

                    work->out->wins[a][b] += after < before;
                    work->out->losses[a][b] += after > before;
                }
            }
        }
    }
}

/* ---- figures --------------------------------------------------------------------------------- */

static double ratio_of(const struct side *side, enum kind kind, const uint32_t *weights,
                       uint32_t places)
{
    double sum = 0.0, count = 0.0;

    for (uint32_t i = 0; i < places; i++) {
        sum += weights[i] * side->sums[kind][i];
        count += weights[i] * side->counts[kind][i];
    }
    return count > 0.0 ? sum / count : NAN;
}

/* The value of rank ceil(p n) where a request counts as often as its place was drawn. */
static double quantile_of(const struct side *side, enum kind kind, double p,
                          const uint32_t *weights, uint32_t places)
{
    double total = 0.0, due, passed = 0.0;

    if (!side->sorted[kind]) {
        return NAN;
    }
    for (uint32_t i = 0; i < places; i++) {
        total += weights[i] * side->counts[kind][i];
    }
    due = p * total - 1e-9;
    for (uint32_t i = 0; i < side->sorted_count[kind]; i++) {
        passed += weights[side->sorted[kind][i].place];
        if (passed > 0.0 && passed >= due) {
            return side->sorted[kind][i].value;
        }
    }
    return NAN;
}

/* All figures of all arms, over all streams. */
static void compute(void *context, const uint32_t *weights, double *figures)
{
    const struct work *work = context;

    for (uint32_t i = 0; i < work->width; i++) {
        const struct side *side = &work->sides[i / DYNO_PAIRED_METRICS];
        enum kind kind = recipes[i % DYNO_PAIRED_METRICS].kind;
        double quantile = recipes[i % DYNO_PAIRED_METRICS].quantile;

        figures[i] = quantile < 0.0 ? ratio_of(side, kind, weights, work->places)
                                    : quantile_of(side, kind, quantile, weights, work->places);
    }
}

/* ---- how long blocks are --------------------------------------------------------------------- */

/* The longest memory of any series of cells: of the first arm's latencies, and of the other arms'
 * differences from them. */
static struct dyno_memory longest_memory(const struct work *work)
{
    struct dyno_memory longest = {.block = 1.0};
    double series[DYNO_PAIRED_CELLS_MAX];

    for (uint32_t at = 0; at < work->places * work->input->arms; at += work->cells) {
        const struct side *side = &work->sides[at / work->places];
        const struct side *base = at < work->places ? NULL : &work->sides[0];
        uint32_t place = at % work->places;

        for (enum kind kind = TTFT; kind <= E2E; kind++) {
            double sum = 0.0, count = 0.0;
            struct dyno_memory memory;

            for (uint32_t i = 0; i < work->cells; i++) {
                series[i] =
                    side->sums[kind][place + i] - (base ? base->sums[kind][place + i] : 0.0);
                sum += series[i];
                count += side->counts[kind][place + i];
            }
            for (uint32_t i = 0; i < work->cells; i++) {
                series[i] -= count > 0.0 ? sum / count * side->counts[kind][place + i] : 0.0;
            }
            memory = dyno_memory_of(series, work->cells);
            longest.block = memory.block > longest.block ? memory.block : longest.block;
            longest.missed = memory.missed > longest.missed ? memory.missed : longest.missed;
        }
    }
    return longest;
}

/* ---- estimates ------------------------------------------------------------------------------- */

/* Where figures come from: the run as it was, and drawn again or without one seed each time. */
struct sample {
    const struct dyno_bootstrap *bootstrap; /* NULL: without one seed each time */
    const double *point;                    /* [width] */
    const double *rows;                     /* [row_count][width] */
    uint32_t row_count;
    double *column; /* [row_count] scratch */
};

/* The jackknife: what a seed adds is n times the whole less n - 1 times the whole without it. */
static struct dyno_estimate over_seeds(const struct sample *sample, double value)
{
    double n = sample->row_count;

    for (uint32_t i = 0; i < sample->row_count; i++) {
        sample->column[i] = n * value - (n - 1.0) * sample->column[i];
    }
    return dyno_estimate_of_replicates(sample->column, sample->row_count);
}

static bool is_tail_known(const struct work *work, uint32_t metric, uint32_t arm)
{
    return recipes[metric].quantile < 0.9 ||
           work->sides[arm].tails[recipes[metric].kind] >= DYNO_PAIRED_TAILS_MIN;
}

/* Of arm b less arm a; of b itself where they are one. */
static struct dyno_estimate estimate(const struct work *work, const struct sample *sample,
                                     uint32_t metric, uint32_t a, uint32_t b)
{
    uint32_t at = b * DYNO_PAIRED_METRICS + metric, less = a * DYNO_PAIRED_METRICS + metric;
    double value = sample->point[at] - (a == b ? 0.0 : sample->point[less]);

    for (uint32_t i = 0; i < sample->row_count; i++) {
        const double *row = sample->rows + (size_t)i * work->width;

        sample->column[i] = row[at] - (a == b ? 0.0 : row[less]);
    }
    if (work->out->requests < DYNO_PAIRED_REQUESTS_MIN || !is_tail_known(work, metric, a) ||
        !is_tail_known(work, metric, b)) {
        return dyno_estimate_make(value, NAN, 0.0);
    }
    return sample->bootstrap ? dyno_bootstrap_estimate(sample->bootstrap, value, sample->column, 1)
                             : over_seeds(sample, value);
}

static void fill_estimates(struct work *work, const struct sample *sample)
{
    struct dyno_paired_figures *out = work->out;

    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        for (uint32_t b = 0; b < work->input->arms; b++) {
            out->arm[b][i] = estimate(work, sample, i, b, b);
            for (uint32_t a = 0; a < b; a++) {
                out->difference[a][b][i] = estimate(work, sample, i, a, b);
            }
        }
    }
}

/* Every seed left out once; and the point, with none left out. */
static void leave_out(struct work *work, uint32_t *weights, double *point, double *rows)
{
    for (uint32_t i = 0; i < work->places; i++) {
        weights[i] = 1;
    }
    compute(work, weights, point);
    for (uint32_t i = 0; work->out->by_replicates && i < work->input->streams; i++) {
        uint32_t *left_out = weights + (size_t)i * work->cells;

        memset(left_out, 0, work->cells * sizeof *left_out);
        compute(work, weights, rows + (size_t)i * work->width);
        for (uint32_t j = 0; j < work->cells; j++) {
            left_out[j] = 1;
        }
    }
}

static dyno_status compute_all(struct work *work, uint32_t *weights, double *rows)
{
    const struct dyno_paired_input *input = work->input;
    bool by_replicates = work->out->by_replicates;
    struct dyno_bootstrap bootstrap = {.streams = input->streams,
                                       .shared = input->same_traffic,
                                       .cells = work->cells,
                                       .block_cells = work->out->block_cells,
                                       .missed = work->out->missed,
                                       .draws = input->draws,
                                       .seed = input->seed};
    double point[DYNO_PAIRED_ARMS_MAX * DYNO_PAIRED_METRICS] = {0};
    struct sample sample = {.bootstrap = by_replicates ? NULL : &bootstrap,
                            .point = point,
                            .rows = rows,
                            .row_count = by_replicates ? input->streams : input->draws};

    sample.column = rows + (size_t)sample.row_count * work->width;
    leave_out(work, weights, point, rows);
    if (!by_replicates) {
        DYNO_TRY(dyno_bootstrap_draw(rows, work->width, &bootstrap, compute, work));
    }
    fill_estimates(work, &sample);
    return DYNO_OK;
}

/* As long as asked for, and so long that there are not too many. */
static uint32_t block_cells_for(const struct work *work, double longest)
{
    uint32_t asked = (uint32_t)(longest + 0.5);
    uint32_t cells = work->input->same_traffic ? work->cells : work->places;
    uint32_t least = cells / DYNO_BLOCKS_MAX;
    uint32_t most = work->cells / DYNO_BLOCKS_MIN;

    asked = asked > least ? asked : least;
    asked = asked < most ? asked : most;
    return asked > 0 ? asked : 1;
}

static dyno_status fill_all(struct work *work)
{
    const struct dyno_paired_input *input = work->input;
    struct dyno_memory memory;

    for (uint32_t arm = 0; arm < input->arms; arm++) {
        DYNO_TRY(fill_side(work, arm));
    }
    count_requests(work);
    work->out->block_cells = input->block_cells;
    work->out->missed = input->missed;
    if (!input->block_cells) {
        memory = longest_memory(work);
        work->out->block_cells = block_cells_for(work, memory.block);
        work->out->missed = memory.missed;
    }
    return DYNO_OK;
}

dyno_status dyno_paired_compute(struct dyno_paired_figures *out,
                                const struct dyno_paired_input *input)
{
    struct work work = {.input = input, .out = out, .width = input->arms * DYNO_PAIRED_METRICS};
    size_t row_count = input->draws > input->streams ? input->draws : input->streams;
    double *rows = malloc(row_count * (work.width + (size_t)1) * sizeof *rows);
    dyno_status status = DYNO_NO_MEMORY;
    uint32_t *weights;

    memset(out, 0, sizeof *out);
    work.cells = out->cells = input->cells ? input->cells : cells_for(input);
    work.places = work.cells * input->streams;
    out->by_replicates = !input->same_traffic && input->streams >= DYNO_PAIRED_REPLICATES;
    weights = malloc(work.places * sizeof *weights);
    work.sides = calloc(input->arms, sizeof *work.sides);
    if (rows && weights && work.sides) {
        status = fill_all(&work);
    }
    if (status == DYNO_OK) {
        status = compute_all(&work, weights, rows);
    }
    release_sides(&work);
    free(weights);
    free(rows);
    return status;
}
