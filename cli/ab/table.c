/* What `dyno ab` prints: arms, figures with intervals, effects by class, where the arms part, and
 * the verdict. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/ab/ab.h"
#include "cli/help.h"
#include "cli/scenario/energy.h"
#include "reports/format.h"

enum { INTERVAL_MAX = 2 * DYNO_VERDICT_VALUE_MAX + 8 };
enum { WIDTH = 90, LABEL = 22, CELL = 10, SCORES_SHOWN = 5 };

static char letter(const struct dyno_ab *ab, uint32_t arm)
{
    return ab->arms.items[arm].letter;
}

static void print_cell(FILE *out, int width, const char *text)
{
    int used = (int)dyno_format_width(text);

    (void)fprintf(out, "%*s%s", used < width ? width - used : 1, "", text);
}

/* A value of a metric: milliseconds or per cent, without the unit. */
static const char *number(char out[DYNO_VERDICT_VALUE_MAX], uint32_t metric, double value,
                          bool is_difference)
{
    if (!isfinite(value)) {
        return "n/a";
    }
    dyno_verdict_value(out, metric, value, is_difference);
    out[strcspn(out, " ")] = '\0';
    return out;
}

static const char *interval(char out[INTERVAL_MAX], uint32_t metric,
                            const struct dyno_estimate *estimate)
{
    char low[DYNO_VERDICT_VALUE_MAX], high[DYNO_VERDICT_VALUE_MAX];

    if (!isfinite(estimate->low)) {
        return "n/a";
    }
    (void)snprintf(out, INTERVAL_MAX, "%s to %s", number(low, metric, estimate->low, true),
                   number(high, metric, estimate->high, true));
    return out;
}

/* "-41.2 %"; from ten times on "× 34.5". */
static void print_change(FILE *out, double difference, double base)
{
    double times = 1.0 + difference / base;
    char text[INTERVAL_MAX];

    if (times >= 10.0) {
        (void)snprintf(text, sizeof text, times >= 100.0 ? "× %.0f" : "× %.1f", times);
    } else {
        (void)snprintf(text, sizeof text, "%+.1f %%", 100.0 * difference / base);
    }
    print_cell(out, CELL, text);
}

/* Base, other, difference, interval, change; with `pad`, blanks where there is no change. */
static void print_estimates(FILE *out, uint32_t metric, const struct dyno_paired_figures *figures,
                            uint32_t a, uint32_t b, bool pad)
{
    const struct dyno_estimate *difference = &figures->difference[a][b][metric];
    double base = figures->arm[a][metric].value;
    char text[INTERVAL_MAX];

    print_cell(out, CELL, number(text, metric, base, false));
    print_cell(out, CELL, number(text, metric, figures->arm[b][metric].value, false));
    print_cell(out, CELL + 1, number(text, metric, difference->value, true));
    print_cell(out, 22, interval(text, metric, difference));
    if (dyno_paired_metrics[metric].is_latency && base > 0.0 && isfinite(difference->value)) {
        print_change(out, difference->value, base);
    } else if (pad) {
        print_cell(out, CELL, "");
    }
}

static const char *signed_fixed(char *out, double value, int decimals)
{
    char plain[DYNO_FORMAT_MAX];

    (void)snprintf(out, DYNO_FORMAT_MAX, "%s%.40s", value > 0.0 ? "+" : "",
                   dyno_format_fixed(plain, value, decimals));
    return out;
}

static void print_head(const struct dyno_ab *ab, FILE *out, const char *label, int width,
                       uint32_t a, uint32_t b)
{
    char first[2] = {letter(ab, a), '\0'}, second[2] = {letter(ab, b), '\0'}, less[8];

    (void)snprintf(less, sizeof less, "%c - %c", letter(ab, b), letter(ab, a));
    (void)fprintf(out, "\n%-*s", width, label);
    print_cell(out, CELL, first);
    print_cell(out, CELL, second);
    print_cell(out, CELL + 1, less);
    print_cell(out, 22, "95 % interval");
    print_cell(out, CELL, "change");
    (void)fputc('\n', out);
}

static void print_figures(const struct dyno_ab *ab, FILE *out, uint32_t a, uint32_t b)
{
    const struct dyno_paired_figures *figures = &ab->figures;

    print_head(ab, out, "ms, or %", LABEL, a, b);
    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        if (!isfinite(figures->arm[a][i].value) && !isfinite(figures->arm[b][i].value)) {
            continue;
        }
        (void)fprintf(out, "%-*s", LABEL, dyno_paired_metrics[i].name);
        print_estimates(out, i, figures, a, b, ab->verdict.told[a][b][i] != 0);
        (void)fprintf(out, "%s\n", ab->verdict.told[a][b][i] ? " *" : "");
    }
}

/* What a run has one of. */
static void print_run_figures(const struct dyno_ab *ab, FILE *out, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < DYNO_AB_RUN_FIGURES; i++) {
        const struct dyno_ab_run_figure *figure = &ab->run_figures[i];
        const struct dyno_estimate *difference = &figure->difference[a][b];
        char text[INTERVAL_MAX], low[DYNO_FORMAT_MAX], high[DYNO_FORMAT_MAX];
        double base = figure->arm[a].value;

        if (!isfinite(difference->value)) {
            continue;
        }
        (void)fprintf(out, "%-*s", LABEL, figure->label);
        print_cell(out, CELL, dyno_format_fixed(text, base, figure->decimals));
        print_cell(out, CELL, dyno_format_fixed(text, figure->arm[b].value, figure->decimals));
        print_cell(out, CELL + 1, signed_fixed(text, difference->value, figure->decimals));
        (void)snprintf(text, sizeof text, "%s to %s",
                       signed_fixed(low, difference->low, figure->decimals),
                       signed_fixed(high, difference->high, figure->decimals));
        print_cell(out, 22, isfinite(difference->low) ? text : "n/a");
        if (base > 0.0) {
            print_change(out, difference->value, base);
        }
        (void)fputc('\n', out);
    }
}

/* The mean that stands for the goal, as classes have no percentiles. */
static uint32_t class_metric(const struct dyno_ab *ab)
{
    const char *goal = dyno_paired_metrics[ab->goal].name;
    char name[64];
    uint32_t found;

    (void)snprintf(name, sizeof name, "%.*s.mean", (int)(strrchr(goal, '.') - goal), goal);
    found = dyno_paired_metric_find(name);
    return found < DYNO_PAIRED_METRICS ? found : ab->goal;
}

static void print_classes(const struct dyno_ab *ab, FILE *out, uint32_t a, uint32_t b)
{
    uint32_t metric = class_metric(ab);
    const char *kind = "";

    print_head(ab, out, dyno_paired_metrics[metric].name, LABEL + 9, a, b);
    for (uint32_t i = 0; i < ab->class_count; i++) {
        const struct dyno_ab_class *one = &ab->classes[i];
        char count[DYNO_FORMAT_MAX];

        (void)fprintf(out, "%-7s %-*.*s%8s", strcmp(kind, one->kind) == 0 ? "" : one->kind,
                      LABEL - 7, LABEL - 7, one->label,
                      dyno_format_count(count, one->figures.requests));
        kind = one->kind;
        print_estimates(out, metric, &one->figures, a, b, false);
        (void)fputc('\n', out);
    }
}

/* ---- where arms part --------------------------------------------------------------------------
 */

/* The candidates with the lowest scores, and the one chosen. */
static void print_scores(const struct dyno_parting_side *side, FILE *out)
{
    bool shown[DYNO_PARTING_CANDIDATES_MAX] = {false};

    (void)fprintf(out, "scores (lowest wins):");
    for (uint32_t n = 0; n < SCORES_SHOWN && n < side->candidate_count; n++) {
        uint32_t best = side->candidate_count;

        for (uint32_t i = 0; i < side->candidate_count; i++) {
            if (!shown[i] &&
                (best == side->candidate_count || side->scores[i] < side->scores[best])) {
                best = i;
            }
        }
        shown[best] = true;
        (void)fprintf(out, "%s %u: %.4g", n > 0 ? "," : "", side->candidates[best],
                      side->scores[best]);
    }
    if (side->candidate_count > SCORES_SHOWN) {
        (void)fprintf(out, ", and %u more", side->candidate_count - SCORES_SHOWN);
    }
}

static const char *ms_of(char *out, dyno_ns span)
{
    return dyno_format_fixed(out, (double)span * 1e-6, 3);
}

static void print_side(const struct dyno_ab *ab, FILE *out, uint32_t side_index)
{
    const struct dyno_parting_side *side = &ab->parting.sides[side_index];
    uint32_t arm = ab->parting_arms[side_index];
    const struct dyno_arm_run *run = &ab->runs.items[arm * ab->runs.seeds + ab->parting_seed];
    char at[DYNO_FORMAT_MAX], last[DYNO_FORMAT_MAX];

    (void)fprintf(out, "  %c  ", letter(ab, arm));
    if (side->record.worker == DYNO_NO_WORKER) {
        (void)fprintf(out, "no worker");
    } else {
        (void)fprintf(out, "worker %u", side->record.worker);
    }
    if (side->record.outcome == DYNO_COMPLETED) {
        (void)fprintf(out, ", first token after %s ms, last after %s ms",
                      ms_of(at, side->record.first_token_ns - side->record.arrival_ns),
                      ms_of(last, side->record.last_token_ns - side->record.arrival_ns));
    } else {
        (void)fprintf(out, ", %s", dyno_outcome_name(side->record.outcome));
    }
    if (!side->is_known) {
        (void)fputc('\n', out);
        return;
    }
    (void)fprintf(out, "\n     %u blocks of its prompt believed to be there\n     ",
                  side->overlap_blocks);
    if (side->scored) {
        print_scores(side, out);
    } else {
        (void)fprintf(out, "%s gives no scores; %u candidates", run->with.scenario.router.policy,
                      side->candidate_count);
    }
    (void)fputc('\n', out);
}

static void print_parting(const struct dyno_ab *ab, FILE *out)
{
    const struct dyno_request_record *one = &ab->parting.sides[0].record;
    const struct dyno_request_record *other = &ab->parting.sides[1].record;
    char at[DYNO_FORMAT_MAX], tokens[DYNO_FORMAT_MAX];

    (void)fprintf(out,
                  "\nArms part at request %" PRIu64 ", which came at %s s with %s prompt tokens: "
                  "%s\n",
                  one->id, dyno_format_fixed(at, (double)one->arrival_ns * 1e-9, 3),
                  dyno_format_count(tokens, one->prompt_tokens),
                  one->worker != other->worker ? "routed otherwise" : "served otherwise");
    print_side(ab, out, 0);
    print_side(ab, out, 1);
}

/* ---- notes ------------------------------------------------------------------------------------
 */

static void note(FILE *out, const char *text)
{
    dyno_help_entry(out, WIDTH, 5, "-", text);
}

static void print_intervals_note(const struct dyno_ab *ab, FILE *out)
{
    const struct dyno_paired_figures *figures = &ab->figures;
    char text[320];

    if (figures->by_replicates) {
        (void)snprintf(text, sizeof text, "intervals: Student's t over %u seeds (jackknife)",
                       ab->runs.seeds);
    } else {
        double blocks = (double)figures->cells / figures->block_cells *
                        (ab->runs.same_traffic ? 1 : ab->runs.seeds);

        (void)snprintf(text, sizeof text,
                       "intervals: moving blocks of %s (%.0f of them), %u draws; they are about "
                       "other traffic of this kind: for these very requests a simulated difference "
                       "is exact",
                       ab->runs.by_order ? "consecutive requests" : "time", blocks,
                       ab->options.draws);
    }
    note(out, text);
    note(out, "*: told apart at 5 % for all rows together (Holm)");
    if (!isfinite(figures->difference[0][1][dyno_paired_metric_find("e2e_ms.p99")].low) &&
        isfinite(figures->difference[0][1][dyno_paired_metric_find("e2e_ms.mean")].low)) {
        note(out, "n/a: a p99 is made by few bad moments, and too few were seen for an interval; "
                  "a longer run, or 20 seeds, would have one");
    }
}

/* Whether `word` is one of the list's, which have commas between them. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += length) {
        if ((at == list || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* In what respects any of the runs went beyond what its timing was measured on. */
static void print_extrapolated(const struct dyno_ab *ab, FILE *out)
{
    static const char head[] = "extrapolated.", what[] = "extrapolated beyond what was measured: ";
    char text[320];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", what);

    for (uint32_t i = 0; i < ab->runs.arms * ab->runs.seeds; i++) {
        const struct dyno_summary *summary = &ab->runs.items[i].summary;

        for (uint32_t j = 0; j < summary->row_count; j++) {
            const char *name = summary->rows[j].name, *word = name + sizeof head - 1;

            if (strncmp(name, head, sizeof head - 1) == 0 && strcmp(word, "count") != 0 &&
                !lists(text, word) && used < sizeof text) {
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                         used >= sizeof what ? ", " : "", word);
            }
        }
    }
    if (used >= sizeof what) {
        note(out, text);
    }
}

/* What is missing where energy is told and costs are not. */
static void print_unpriced(const struct dyno_ab *ab, FILE *out)
{
    for (uint32_t i = 0; i < ab->runs.arms; i++) {
        const struct dyno_scenario *scenario = &ab->runs.items[i * ab->runs.seeds].with.scenario;

        if (scenario->cost.energy && !dyno_energy_is_priced(scenario)) {
            note(out, "no costs without a price in every arm: --set cost.gpu_hour=2.5, --set "
                      "cost.kwh=0.2, or both");
            return;
        }
    }
}

static void print_notes(const struct dyno_ab *ab, FILE *out)
{
    char text[320], count[DYNO_FORMAT_MAX], whole[DYNO_FORMAT_MAX];

    (void)fputc('\n', out);
    print_intervals_note(ab, out);
    dyno_format_count(whole, ab->requests);
    if (ab->runs.by_order) {
        note(out,
             "closed loop: arms are compared at equal concurrency; requests are the same, when "
             "they are sent depends on the arm");
    } else if (ab->arrivals_moved > 0) {
        (void)snprintf(text, sizeof text,
                       "%s of %s requests did not arrive at the same time in every arm: they wait "
                       "for an answer before them",
                       dyno_format_count(count, ab->arrivals_moved), whole);
        note(out, text);
    }
    if (ab->figures.incomplete > 0) {
        (void)snprintf(text, sizeof text,
                       "%s of %s requests were not completed in every arm; latencies are of the "
                       "others",
                       dyno_format_count(count, ab->figures.incomplete), whole);
        note(out, text);
    }
    print_unpriced(ab, out);
    print_extrapolated(ab, out);
}

/* What needs no distribution. */
static void print_blocks(const struct dyno_ab *ab, FILE *out, uint32_t a, uint32_t b)
{
    uint32_t metric = class_metric(ab);
    const struct dyno_paired_blocks *blocks = &ab->figures.blocks[a][b][metric];

    if (!isfinite(blocks->flip_p)) {
        return;
    }
    (void)fprintf(out,
                  "%s: less in %u, more in %u of %u %s (sign test p = %.2g, signs turned %.2g).\n",
                  dyno_paired_metrics[metric].name, blocks->less, blocks->more, blocks->count,
                  ab->figures.by_replicates ? "seeds"
                  : ab->runs.by_order       ? "blocks"
                                            : "blocks of time",
                  blocks->sign_p, blocks->flip_p);
}

static void print_wins(const struct dyno_ab *ab, FILE *out, uint32_t a, uint32_t b)
{
    char wins[DYNO_FORMAT_MAX], losses[DYNO_FORMAT_MAX];

    (void)fprintf(out, "\n%c ended %s requests earlier than %c, and %s later.\n", letter(ab, b),
                  dyno_format_count(wins, ab->figures.wins[a][b]), letter(ab, a),
                  dyno_format_count(losses, ab->figures.losses[a][b]));
    print_blocks(ab, out, a, b);
}

void dyno_ab_print(const struct dyno_ab *ab, FILE *out)
{
    char count[DYNO_FORMAT_MAX];

    (void)fprintf(out, "%s requests%s in every arm, %u seed%s\n\n",
                  dyno_format_count(count, ab->requests),
                  ab->runs.by_order || ab->arrivals_moved ? ", the same lengths"
                                                          : ", the same lengths and arrivals",
                  ab->runs.seeds, ab->runs.seeds == 1 ? "" : "s");
    for (uint32_t arm = 0; arm < ab->runs.arms; arm++) {
        (void)fprintf(out, "  %c  %-34s %s\n", letter(ab, arm), ab->arms.items[arm].label,
                      ab->runs.items[arm * ab->runs.seeds].title);
    }
    for (uint32_t arm = 1; arm < ab->runs.arms && ab->parts; arm++) {
        print_figures(ab, out, 0, arm);
        print_run_figures(ab, out, 0, arm);
        print_classes(ab, out, 0, arm);
        print_wins(ab, out, 0, arm);
    }
    if (ab->parts) {
        print_parting(ab, out);
        print_notes(ab, out);
    }
    (void)fputs("\nVerdict\n", out);
    dyno_help_entry(out, WIDTH, 4, "", ab->verdict.words);
}
