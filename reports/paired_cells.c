#include "reports/paired_cells.h"

#include <stdlib.h>
#include <string.h>

/* ---- requests -------------------------------------------------------------------------------- */

static double to_ms(dyno_ns later, dyno_ns earlier)
{
    return (double)(later - earlier) * 1e-6;
}

double dyno_paired_latency(const struct dyno_request_record *record, enum dyno_paired_kind kind)
{
    switch (kind) {
    case DYNO_PAIRED_TTFT:
        return to_ms(record->first_token_ns, record->arrival_ns);
    case DYNO_PAIRED_TPOT:
        return record->output_tokens > 1
                   ? to_ms(record->first_token_ns +
                               (record->last_token_ns - record->first_token_ns) /
                                   (record->output_tokens - 1),
                           record->first_token_ns)
                   : -1.0;
    case DYNO_PAIRED_E2E:
        return to_ms(record->last_token_ns, record->arrival_ns);
    default:
        return to_ms(record->admitted_ns + record->held_ns, record->ready_ns);
    }
}

bool dyno_paired_met(const struct dyno_request_record *record, const struct dyno_slo *slo)
{
    double tpot = dyno_paired_latency(record, DYNO_PAIRED_TPOT) * 1e6;

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

uint32_t dyno_paired_cells_for(const struct dyno_paired_input *input)
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
static uint32_t place_of(const struct dyno_paired_cells *work, uint32_t stream, uint32_t request,
                         dyno_ns first, dyno_ns span)
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

static bool allocate_side(struct dyno_paired_side *side, const struct dyno_paired_cells *work,
                          size_t requests)
{
    for (int i = 0; i < DYNO_PAIRED_KINDS; i++) {
        side->sums[i] = calloc(work->places, sizeof(double));
        side->counts[i] = calloc(work->places, sizeof(double));
        if (!side->sums[i] || !side->counts[i]) {
            return false;
        }
    }
    for (int i = 0; i < DYNO_PAIRED_LATENCIES && !work->input->means_only; i++) {
        side->sorted[i] = malloc((requests + 1) * sizeof *side->sorted[i]);
        if (!side->sorted[i]) {
            return false;
        }
    }
    return true;
}

void dyno_paired_cells_release(struct dyno_paired_cells *work)
{
    for (uint32_t i = 0; work->sides && i < work->input->arms; i++) {
        for (int j = 0; j < DYNO_PAIRED_KINDS; j++) {
            free(work->sides[i].sums[j]);
            free(work->sides[i].counts[j]);
        }
        for (int j = 0; j < DYNO_PAIRED_LATENCIES; j++) {
            free(work->sides[i].sorted[j]);
        }
    }
    free(work->sides);
}

static void add(struct dyno_paired_side *side, enum dyno_paired_kind kind, uint32_t place,
                double value, double weight)
{
    side->sums[kind][place] += value;
    side->counts[kind][place] += weight;
}

static void add_latencies(struct dyno_paired_side *side, const struct dyno_request_record *record,
                          uint32_t place)
{
    for (enum dyno_paired_kind kind = DYNO_PAIRED_TTFT; kind < DYNO_PAIRED_LATENCIES; kind++) {
        double value = dyno_paired_latency(record, kind);

        if (value < 0.0) {
            continue;
        }
        add(side, kind, place, value, 1.0);
        if (side->sorted[kind]) {
            side->sorted[kind][side->sorted_count[kind]++] =
                (struct dyno_paired_placed){.value = value, .place = place};
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double left = ((const struct dyno_paired_placed *)a)->value,
           right = ((const struct dyno_paired_placed *)b)->value;

    return (left > right) - (left < right);
}

static bool slo_is_set(const struct dyno_slo *slo)
{
    return slo->ttft_ns || slo->tpot_ns || slo->itl_ns || slo->e2e_ns;
}

static void fill_stream(struct dyno_paired_cells *work, uint32_t arm, uint32_t stream)
{
    const struct dyno_paired_input *input = work->input;
    struct dyno_paired_side *side = &work->sides[arm];
    dyno_ns first, span = span_of(input, stream, &first);

    for (uint32_t i = 0; i < input->counts[stream]; i++) {
        const struct dyno_request_record *record = record_of(input, arm, stream, i);
        uint32_t place;

        if (!is_looked_at(input, stream, i)) {
            continue;
        }
        place = place_of(work, stream, i, first, span);
        add(side, DYNO_PAIRED_COMPLETED, place, record->outcome == DYNO_COMPLETED, 1.0);
        if (slo_is_set(&input->slo)) {
            add(side, DYNO_PAIRED_GOODPUT, place, dyno_paired_met(record, &input->slo), 1.0);
        }
        if (record->admitted_ns != DYNO_NEVER) {
            add(side, DYNO_PAIRED_HIT_RATE, place, record->cached_tokens, record->prompt_tokens);
        }
        if (completed_in_all(input, stream, i)) {
            add_latencies(side, record, place);
        }
    }
}

static dyno_status fill_side(struct dyno_paired_cells *work, uint32_t arm)
{
    struct dyno_paired_side *side = &work->sides[arm];
    size_t requests = 0;

    for (uint32_t i = 0; i < work->input->streams; i++) {
        requests += work->input->counts[i];
    }
    if (!allocate_side(side, work, requests)) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < work->input->streams; i++) {
        fill_stream(work, arm, i);
    }
    for (int i = 0; i < DYNO_PAIRED_LATENCIES && side->sorted[i]; i++) {
        qsort(side->sorted[i], side->sorted_count[i], sizeof *side->sorted[i], by_value);
    }
    return DYNO_OK;
}

/* How many are looked at, and how the pairs of arms did request by request. */
static void count_requests(struct dyno_paired_cells *work)
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
                    double before =
                        dyno_paired_latency(record_of(input, a, stream, i), DYNO_PAIRED_E2E);
                    double after =
                        dyno_paired_latency(record_of(input, b, stream, i), DYNO_PAIRED_E2E);

                    work->out->wins[a][b] += after < before;
                    work->out->losses[a][b] += after > before;
                }
            }
        }
    }
}

dyno_status dyno_paired_cells_fill(struct dyno_paired_cells *work)
{
    work->sides = calloc(work->input->arms, sizeof *work->sides);
    if (!work->sides) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t arm = 0; arm < work->input->arms; arm++) {
        DYNO_TRY(fill_side(work, arm));
    }
    count_requests(work);
    return DYNO_OK;
}
