#include "traces/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "traces/conversations.h"
#include "traces/growth.h"
#include "traces/tick.h"
#include "traces/turns.h"

enum { SAMPLES = 9 };
enum { PIECES = 16 };                    /* of a trace, in which its rate is taken for constant */
enum { TURN_PAIRS = 32 };                /* TURNS:SHARE, at most */
static const uint32_t many = UINT32_MAX; /* conversations have a block */

static const double zipf_max = 10;

/* Values of one kind, one after the other; [capacity] is the number of rows. */
struct sample {
    double *values;
    size_t count;
};

struct fitter {
    const struct dyno_pile *pile;
    struct dyno_conversations conversations;
    uint32_t *last; /* [rows]: of a conversation, by its first row: its latest row + 1, ... */
    uint32_t *turn_counts;                   /* ... and how many it has */
    struct sample starts;                    /* s: when conversations begin */
    struct sample input, turn_input, output; /* tokens; of first turns and of later ones */
    struct sample think, gap;                /* s: of turns without a time of their own, with one */
    struct sample turns;                     /* by conversation */
    struct sample prefix;
    struct dyno_map owner;     /* block -> the first row of the conversation that has it, or many */
    struct dyno_map group_of;  /* the last block of a common prefix -> its group */
    struct sample group_sizes; /* conversations by group */
    uint64_t with_prefix;      /* conversations */
};

static void add(struct sample *sample, double value)
{
    sample->values[sample->count++] = value;
}

static double seconds(dyno_ns time)
{
    return (double)time / (double)DYNO_S;
}

/* Sessions that the trace itself tells are the conversations; a row without one is its own. */
static bool go_by_sessions(struct fitter *fitter)
{
    struct dyno_map sessions = {0};
    bool fits = true;

    fitter->conversations.count = 0;
    for (uint32_t i = 0; i < fitter->pile->count && fits; i++) {
        uint64_t session = fitter->pile->rows[i].session;
        uint32_t *first = session ? dyno_map_put(&sessions, session, i, NULL) : &i;

        fits = first != NULL;
        if (fits) {
            fitter->conversations.first[i] = *first;
            fitter->conversations.count += *first == i;
        }
    }
    dyno_map_release(&sessions);
    return fits;
}

/* Conversations as the trace itself tells them; where it tells nothing, by how prompts grow. */
static bool find_conversations(struct fitter *fitter)
{
    const struct dyno_pile *pile = fitter->pile;
    bool has_sessions = false, has_waits = false;

    for (size_t i = 0; i < pile->count; i++) {
        has_sessions = has_sessions || pile->rows[i].session;
        has_waits = has_waits || pile->rows[i].parent || pile->rows[i].wait_count > 0;
    }
    if (has_sessions) {
        return go_by_sessions(fitter);
    }
    return has_waits || dyno_growth_find(&fitter->conversations, pile);
}

/* Which blocks more than one conversation has. */
static bool find_owners(struct fitter *fitter)
{
    for (size_t i = 0; i < fitter->pile->count; i++) {
        const struct dyno_row *row = &fitter->pile->rows[i];
        uint32_t first = fitter->conversations.first[i];

        for (uint32_t k = 0; k < row->segment_count; k++) {
            uint32_t *owner = dyno_map_put(&fitter->owner, row->segments[k].id, first, NULL);

            if (!owner) {
                return false;
            }
            *owner = *owner == first ? first : many;
        }
    }
    return true;
}

/* Tokens of the common prefix, and its last block. */
static uint32_t common_tokens(const struct fitter *fitter, const struct dyno_row *row,
                              uint64_t *block)
{
    uint32_t tokens = 0;

    for (uint32_t k = 0; k < row->segment_count; k++) {
        if (*dyno_map_find(&fitter->owner, row->segments[k].id) != many) {
            break;
        }
        tokens = row->segments[k].end;
        *block = row->segments[k].id;
    }
    return tokens < row->input_tokens ? tokens : row->input_tokens - 1;
}

static bool begin_conversation(struct fitter *fitter, const struct dyno_row *row)
{
    uint64_t block = 0;
    uint32_t tokens = common_tokens(fitter, row, &block), *group;
    int is_new;

    add(&fitter->starts, seconds(row->at));
    add(&fitter->input, row->input_tokens - tokens);
    if (tokens == 0) {
        return true;
    }
    group = dyno_map_put(&fitter->group_of, block, (uint32_t)fitter->group_sizes.count, &is_new);
    if (!group) {
        return false;
    }
    if (is_new) {
        add(&fitter->group_sizes, 0);
    }
    add(&fitter->prefix, tokens);
    fitter->group_sizes.values[*group]++;
    fitter->with_prefix++;
    return true;
}

/* A turn asks all before it and something new. */
static void go_on(struct fitter *fitter, const struct dyno_row *row, const struct dyno_row *before)
{
    uint64_t known = (uint64_t)before->input_tokens + before->output_tokens;

    add(&fitter->turn_input, row->input_tokens > known ? (double)(row->input_tokens - known) : 1);
    if (row->has_at) {
        add(&fitter->gap, seconds(row->at - before->at));
    } else {
        add(&fitter->think, seconds(row->delay));
    }
}

static bool walk(struct fitter *fitter)
{
    for (uint32_t i = 0; i < fitter->pile->count; i++) {
        const struct dyno_row *row = &fitter->pile->rows[i];
        uint32_t first = fitter->conversations.first[i];

        if (fitter->last[first] > 0) {
            go_on(fitter, row, &fitter->pile->rows[fitter->last[first] - 1]);
        } else if (!begin_conversation(fitter, row)) {
            return false;
        }
        add(&fitter->output, row->output_tokens);
        fitter->last[first] = i + 1;
        fitter->turn_counts[first]++;
    }
    for (uint32_t i = 0; i < fitter->pile->count; i++) {
        if (fitter->turn_counts[i] > 0) {
            add(&fitter->turns, fitter->turn_counts[i]);
        }
    }
    return true;
}

/* The rate in each piece of the trace. */
static void write_rates(const double *counts, double width, struct dyno_trace_fit *out)
{
    size_t used = 0;

    for (int i = 0; i < PIECES; i++) {
        used += (size_t)snprintf(out->arrival + used, sizeof out->arrival - used, "%s%.4g@%.0fs",
                                 i ? "," : "rates:", counts[i] / width, i * width);
    }
}

/* How much gaps vary: their deviation over their mean. */
static double variation_of_gaps(const struct sample *starts, double mean)
{
    double squares = 0;

    for (size_t i = 1; i < starts->count; i++) {
        double gap = starts->values[i] - starts->values[i - 1];

        squares += (gap - mean) * (gap - mean);
    }
    return sqrt(squares / (double)(starts->count - 1)) / mean;
}

/* Where a clock tells how many came in each tick and not when: the counts of a renewal process vary
 * over their mean as the square of its gaps' variation. */
static double variation_by_ticks(const struct sample *starts, double tick)
{
    double ticks = floor(starts->values[starts->count - 1] / tick + 0.5) + 1;
    double mean = (double)starts->count / ticks, squares = 0, in_ticks = 0;

    for (size_t i = 0; i < starts->count;) {
        double at = floor(starts->values[i] / tick + 0.5);
        size_t begin = i;

        while (i < starts->count && floor(starts->values[i] / tick + 0.5) <= at) {
            i++;
        }
        squares += ((double)(i - begin) - mean) * ((double)(i - begin) - mean);
        in_ticks++;
    }
    squares += (ticks - in_ticks) * mean * mean; /* those in which nothing came */
    return sqrt(squares / ticks / mean);
}

static void fit_arrival(const struct fitter *fitter, struct dyno_trace_fit *out)
{
    const double *starts = fitter->starts.values;
    size_t count = fitter->starts.count;
    double span = starts[count - 1], mean, spread = 0, variation;
    double counts[PIECES] = {0}, width = ceil(span / PIECES);

    if (count < 2 || !(span > 0)) {
        (void)snprintf(out->arrival, sizeof out->arrival, "constant:1000000");
        return;
    }
    mean = span / (double)(count - 1);
    variation = out->tick_ns > 0 ? variation_by_ticks(&fitter->starts, seconds(out->tick_ns))
                                 : variation_of_gaps(&fitter->starts, mean);
    for (size_t i = 0; i < count; i++) {
        counts[(int)fmin(PIECES - 1, starts[i] / width)]++;
    }
    for (int i = 0; i < PIECES; i++) {
        double expected = (double)count / PIECES;

        spread += (counts[i] - expected) * (counts[i] - expected) / (expected * PIECES);
    }
    /* A renewal process with gaps of that variation has counts of its square as a dispersion. */
    if (spread > 3 * fmax(1, variation * variation) && width >= 1 && count >= 10 * PIECES) {
        write_rates(counts, width, out);
    } else {
        (void)snprintf(out->arrival, sizeof out->arrival, "gamma:%.6g,%.4g", 1 / mean,
                       fmax(variation, 0.01));
    }
}

/* Zipf's exponent of largest likelihood for groups of these sizes, largest first: the log of the
 * likelihood is concave in it. */
static double zipf_of(const struct sample *sizes)
{
    double low = 0, high = zipf_max, total = 0, logs = 0;

    for (size_t i = 0; i < sizes->count; i++) {
        total += sizes->values[i];
        logs += sizes->values[i] * log1p((double)i);
    }
    while (high - low > 1e-4) {
        double x = (low + high) / 2, weight = 0, slope = 0;

        for (size_t i = 0; i < sizes->count; i++) {
            double share = pow((double)i + 1, -x);

            weight += share;
            slope += share * log1p((double)i);
        }
        if (slope / weight > logs / total) { /* groups behind are rarer still */
            low = x;
        } else {
            high = x;
        }
    }
    return (low + high) / 2;
}

static int descending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a < b) - (a > b);
}

static int ascending(const void *left, const void *right)
{
    return descending(right, left);
}

static void put_turns(struct dyno_trace_fit *out, double turns, size_t conversations)
{
    size_t used = strlen(out->turns);

    (void)snprintf(out->turns + used, sizeof out->turns - used, "%s%.0f:%zu", used ? "," : "",
                   fmin(round(turns), DYNO_TURNS_MAX), conversations);
}

/* "3", or "1:70,2:20,9:10".  Beyond the first half of the pairs, which are exact, conversations are
 * taken together that have as many turns in all as any other such group, and count with the mean of
 * theirs, rounded. */
static void fit_turns(struct sample *turns, struct dyno_trace_fit *out)
{
    const double *values = turns->values;
    double sum = 0, rest = 0;
    size_t begin = 0, pairs = 0, half = TURN_PAIRS / 2;

    qsort(turns->values, turns->count, sizeof *turns->values, ascending);
    if (turns->count == 0 || values[0] == values[turns->count - 1]) {
        (void)snprintf(out->turns, sizeof out->turns, "%.0f",
                       turns->count ? fmin(values[0], DYNO_TURNS_MAX) : 1);
        return;
    }
    for (size_t i = 0; i < turns->count; i++) {
        rest += values[i];
    }
    for (size_t i = 0; i < turns->count; i++) {
        bool is_exact = pairs < half, is_last = i + 1 == turns->count;

        sum += values[i];
        if (is_last || (is_exact ? values[i + 1] > values[i] : sum * (double)half >= rest)) {
            put_turns(out, sum / (double)(i + 1 - begin), i + 1 - begin);
            rest -= is_exact ? sum : 0;
            begin = i + 1;
            sum = 0;
            pairs++;
        }
    }
}

/* The largest difference between the shares of two sorted samples (Kolmogorov and Smirnov's), were
 * the first one's values less by `less`. */
static double apart(const struct sample *first, const struct sample *later, double less)
{
    double largest = 0;
    size_t a = 0, b = 0;

    while (a < first->count && b < later->count) {
        double value = fmin(first->values[a] - less, later->values[b]);

        while (a < first->count && first->values[a] - less <= value) {
            a++;
        }
        while (b < later->count && later->values[b] <= value) {
            b++;
        }
        largest = fmax(largest,
                       fabs((double)a / (double)first->count - (double)b / (double)later->count));
    }
    return largest;
}

static bool begins_alike(const struct fitter *fitter)
{
    return 2 * fitter->with_prefix > fitter->conversations.count;
}

/* Whether later turns add what first ones ask, as far as chance (once in twenty) and the laws,
 * which are off by 3 %, let us see.  A common prefix ends within a block, and half a block more of
 * it is taken for a first turn's own, on average. */
static bool adds_alike(struct fitter *fitter)
{
    struct sample *first = &fitter->input, *later = &fitter->turn_input;
    double n = (double)first->count, m = (double)later->count, distance;

    if (later->count == 0) {
        return true;
    }
    qsort(first->values, first->count, sizeof *first->values, ascending);
    qsort(later->values, later->count, sizeof *later->values, ascending);
    distance = apart(first, later, 0);
    if (begins_alike(fitter)) {
        distance = fmin(distance, apart(first, later, fitter->pile->block_tokens / 2.0));
    }
    return distance <= fmax(0.03, 1.36 * sqrt((n + m) / (n * m)));
}

/* One law for all turns, unless later ones add something else. */
static void fit_input(struct fitter *fitter, struct dyno_trace_fit *out)
{
    struct sample *first = &fitter->input, *later = &fitter->turn_input;

    if (adds_alike(fitter)) {
        for (size_t i = 0; i < later->count; i++) { /* they are rows, so there is room */
            add(first, later->values[i]);
        }
    } else {
        dyno_law_fit(&out->turn_input, later->values, later->count, true);
    }
    dyno_law_fit(&out->input, first->values, first->count, true);
}

/* When later turns come, as most of them say it. */
static void fit_pauses(struct fitter *fitter, struct dyno_trace_fit *out)
{
    out->is_timed = fitter->gap.count > fitter->think.count;
    if (out->is_timed) {
        dyno_law_fit(&out->pause, fitter->gap.values, fitter->gap.count, false);
    } else {
        dyno_law_fit(&out->pause, fitter->think.values, fitter->think.count, false);
    }
}

static void conclude(struct fitter *fitter, struct dyno_trace_fit *out)
{
    uint64_t conversations = fitter->conversations.count;

    out->requests = fitter->pile->count;
    out->conversations = conversations;
    fit_arrival(fitter, out);
    fit_input(fitter, out);
    dyno_law_fit(&out->output, fitter->output.values, fitter->output.count, true);
    fit_turns(&fitter->turns, out);
    fit_pauses(fitter, out);
    if (begins_alike(fitter)) {
        out->prefix_groups = (uint32_t)fitter->group_sizes.count;
        dyno_law_fit(&out->prefix, fitter->prefix.values, fitter->prefix.count, true);
        qsort(fitter->group_sizes.values, fitter->group_sizes.count,
              sizeof *fitter->group_sizes.values, descending);
        out->prefix_zipf = zipf_of(&fitter->group_sizes);
    }
}

static bool make_room(struct fitter *fitter)
{
    struct sample *samples[SAMPLES] = {&fitter->starts, &fitter->input,  &fitter->turn_input,
                                       &fitter->output, &fitter->think,  &fitter->gap,
                                       &fitter->turns,  &fitter->prefix, &fitter->group_sizes};
    bool fits = true;

    fitter->last = calloc(fitter->pile->count + 1, sizeof *fitter->last);
    fitter->turn_counts = calloc(fitter->pile->count + 1, sizeof *fitter->turn_counts);
    for (int i = 0; i < SAMPLES; i++) {
        samples[i]->values = malloc((fitter->pile->count + 1) * sizeof *samples[i]->values);
        fits = fits && samples[i]->values;
    }
    return fits && fitter->last && fitter->turn_counts;
}

dyno_status dyno_fit_rows(struct dyno_trace_fit *out, const struct dyno_pile *pile,
                          uint32_t common_min, struct dyno_error *error)
{
    struct fitter fitter = {.pile = pile};
    dyno_status status;

    *out = (struct dyno_trace_fit){0};
    DYNO_TRY(dyno_conversations_find(&fitter.conversations, pile, common_min, error));
    if (make_room(&fitter) && find_conversations(&fitter) && find_owners(&fitter) &&
        walk(&fitter) && dyno_tick_find(&out->tick_ns, pile)) {
        conclude(&fitter, out);
        status = DYNO_OK;
    } else {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory to fit a generator to a trace");
    }
    free(fitter.last);
    free(fitter.turn_counts);
    free(fitter.starts.values);
    free(fitter.input.values);
    free(fitter.turn_input.values);
    free(fitter.output.values);
    free(fitter.think.values);
    free(fitter.gap.values);
    free(fitter.turns.values);
    free(fitter.prefix.values);
    free(fitter.group_sizes.values);
    dyno_map_release(&fitter.owner);
    dyno_map_release(&fitter.group_of);
    dyno_conversations_release(&fitter.conversations);
    return status;
}

dyno_status dyno_trace_fit(struct dyno_trace_fit *out, const struct dyno_trace_config *config,
                           uint32_t common_min, struct dyno_error *error)
{
    struct dyno_pile pile = {0};
    dyno_status status = dyno_pile_read(&pile, config, 0, false, error);

    if (status == DYNO_OK) {
        status = dyno_fit_rows(out, &pile, common_min, error);
    }
    dyno_pile_release(&pile);
    return status;
}

struct dyno_generator_config dyno_trace_fit_config(const struct dyno_trace_fit *fit, uint64_t seed)
{
    return (struct dyno_generator_config){
        .seed = seed,
        .requests = fit->requests,
        .arrival = fit->arrival,
        .input_tokens = fit->input.text,
        .output_tokens = fit->output.text,
        .prefix_groups = fit->prefix_groups,
        .prefix_tokens = fit->prefix_groups ? fit->prefix.text : "512",
        .prefix_zipf = fit->prefix_zipf,
        .prefix_branches = 2,
        .session_turns = fit->turns,
        .turn_tokens = fit->turn_input.text[0] ? fit->turn_input.text : NULL,
        .think_time = fit->is_timed ? "0" : fit->pause.text,
        .turn_gap = fit->is_timed ? fit->pause.text : NULL,
        .tick_ns = fit->tick_ns,
    };
}
