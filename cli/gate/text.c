/* A gate's outcome for people: on the terminal, and as Markdown for a pull request. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gate/gate.h"
#include "reports/format.h"
#include "reports/text_file.h"

enum { FINDINGS_SHOWN = 8, VALUE_MAX = 48 };

static const char *value(char out[VALUE_MAX], double number)
{
    if (isnan(number)) {
        return "undefined";
    }
    (void)snprintf(out, VALUE_MAX, "%.6g", number);
    return out;
}

static const char *change(char out[VALUE_MAX], double base, double head)
{
    if (isnan(base) || isnan(head) || base == 0.0) {
        return "n/a";
    }
    if (head / base >= 10.0) {
        (void)snprintf(out, VALUE_MAX, "× %.3g", head / base);
    } else {
        (void)snprintf(out, VALUE_MAX, "%+.3g %%", 100.0 * (head - base) / fabs(base));
    }
    return out;
}

/* "2.5 % and 20 ms"; empty: no budget. */
static const char *budget_words(char out[VALUE_MAX], const struct dyno_gate_budget *budget)
{
    static const char *const units[] = {"ms", "points", "/s", "", "s", "h", "W", "kWh"};
    char absolute[VALUE_MAX] = "";
    double scale = budget && budget->metric.unit == DYNO_GATE_SHARE ? 100.0 : 1.0;

    out[0] = '\0';
    if (!budget) {
        return out;
    }
    if (budget->absolute >= 0.0) {
        (void)snprintf(absolute, sizeof absolute, "%.4g%s%s", budget->absolute * scale,
                       *units[budget->metric.unit] ? " " : "", units[budget->metric.unit]);
    }
    if (budget->relative >= 0.0) {
        (void)snprintf(out, VALUE_MAX, "%.3g %%%s%.30s", budget->relative * 100.0,
                       *absolute ? " and " : "", absolute);
    } else {
        (void)snprintf(out, VALUE_MAX, "%s", absolute);
    }
    return out;
}

const struct dyno_gate_finding *dyno_gate_finding_at(const struct dyno_gate_case *one, uint32_t n)
{
    static const enum dyno_gate_verdict order[] = {DYNO_GATE_REGRESSION, DYNO_GATE_IMPROVEMENT,
                                                   DYNO_GATE_BEHAVIOR_CHANGED};

    for (size_t kind = 0; kind < sizeof order / sizeof order[0]; kind++) {
        for (uint32_t i = 0; i < one->finding_count; i++) {
            if (one->findings[i].verdict == order[kind] && n-- == 0) {
                return &one->findings[i];
            }
        }
    }
    return NULL;
}

void dyno_gate_summary(char *out, size_t size, const struct dyno_gate_case *one)
{
    char host[96] = "";

    if (one->host.rounds > 0) {
        (void)snprintf(host, sizeof host, "; host time %+.1f %% in %u rounds",
                       100.0 * (one->host.head_ms / one->host.base_ms - 1.0), one->host.rounds);
    }
    if (*one->invalid) {
        (void)snprintf(out, size, "%s", one->invalid);
    } else if (one->drift.requests == 0) {
        (void)snprintf(out, size, "%u of %u metrics with budgets differ by more than noise",
                       one->finding_count, one->metrics_compared);
    } else if (one->finding_count == 0 && !one->drift.any) {
        (void)snprintf(out, size, "%u metrics and %u requests the same%s", one->metrics_compared,
                       one->drift.requests, host);
    } else if (one->drift.changed == 0 && one->drift.any) {
        (void)snprintf(out, size,
                       "%u of %u metrics changed, and stamps of requests (a baseline cannot say of "
                       "which)",
                       one->finding_count, one->metrics_compared);
    } else {
        (void)snprintf(out, size, "%u of %u metrics and %u of %u requests changed%s",
                       one->finding_count, one->metrics_compared, one->drift.changed,
                       one->drift.requests, host);
    }
}

/* ---- the terminal -----------------------------------------------------------------------------
 */

/* Behind a blank, in a column of ten. */
static void put_change(FILE *out, const char *text)
{
    int width = (int)dyno_format_width(text);

    (void)fprintf(out, " %*s%s", width < 10 ? 10 - width : 0, "", text);
}

static void print_findings(const struct dyno_gate_case *one, FILE *out)
{
    const struct dyno_gate_finding *finding;
    char base[VALUE_MAX], head[VALUE_MAX], moved[VALUE_MAX], budget[VALUE_MAX];
    uint32_t n = 0;

    for (; n < FINDINGS_SHOWN && (finding = dyno_gate_finding_at(one, n)) != NULL; n++) {
        (void)fprintf(out, "      %-32s %12s %12s", finding->metric, value(base, finding->base),
                      value(head, finding->head));
        put_change(out, change(moved, finding->base, finding->head));
        if (finding->budget) {
            (void)fprintf(out, "  %s %s",
                          finding->verdict == DYNO_GATE_BEHAVIOR_CHANGED ? "within" : "past",
                          budget_words(budget, finding->budget));
        }
        (void)fputc('\n', out);
    }
    if (one->finding_count > n) {
        (void)fprintf(out, "      and %u more\n", one->finding_count - n);
    }
}

static void print_drift(const struct dyno_drift *drift, FILE *out)
{
    char at[DYNO_FORMAT_MAX], moved[VALUE_MAX], also[VALUE_MAX];

    if (drift->changed == 0) {
        return;
    }
    (void)fprintf(out,
                  "      %u requests on another worker; the first to change is request %" PRIu64
                  ", which came at %s s\n",
                  drift->rerouted, drift->first[0].id,
                  dyno_format_fixed(at, (double)drift->first[0].arrival_ns * 1e-9, 3));
    for (uint32_t i = 0; i < DYNO_DRIFT_CLASSES; i++) {
        const struct dyno_drift_class *class = &drift->classes[i];

        if (class->changed > 0) {
            (void)fprintf(out, "      %-20s %6u of %6u changed, TTFT", class->label, class->changed,
                          class->requests);
            put_change(out, change(moved, class->ttft_ms[0], class->ttft_ms[1]));
            (void)fputs(", E2E", out);
            put_change(out, change(also, class->e2e_ms[0], class->e2e_ms[1]));
            (void)fputc('\n', out);
        }
    }
}

void dyno_gate_print(const struct dyno_gate *gate, FILE *out)
{
    int width = 0;

    for (uint32_t i = 0; i < gate->case_count; i++) {
        int length = (int)strlen(gate->cases[i].name);

        width = length > width ? length : width;
    }
    (void)fprintf(out, "base  %s\nhead  %s%s%s\n\n", gate->sides[0].text, gate->sides[1].text,
                  gate->options.head_set ? " with " : "",
                  gate->options.head_set ? gate->options.head_set : "");
    for (uint32_t i = 0; i < gate->case_count; i++) {
        const struct dyno_gate_case *one = &gate->cases[i];
        char text[640];

        dyno_gate_summary(text, sizeof text, one);
        (void)fprintf(out, "%-16s  %-*s  %s\n", dyno_gate_verdict_name(one->verdict), width,
                      one->name, text);
        print_findings(one, out);
        print_drift(&one->drift, out);
    }
    (void)fprintf(out, "\n%s\n", dyno_gate_verdict_name(gate->verdict));
}

/* ---- Markdown ---------------------------------------------------------------------------------
 */

/* Others' words, which are neither a column nor a tag. */
static void put_words(FILE *out, const char *words)
{
    for (; *words; words++) {
        switch (*words) {
        case '|':
            (void)fputs("\\|", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '&':
            (void)fputs("&amp;", out);
            break;
        default:
            (void)fputc((unsigned char)*words < ' ' ? ' ' : *words, out);
        }
    }
}

static void mark_case(const struct dyno_gate_case *one, FILE *out)
{
    const struct dyno_gate_finding *finding;
    char base[VALUE_MAX], head[VALUE_MAX], moved[VALUE_MAX], budget[VALUE_MAX];

    if (one->finding_count == 0 && one->drift.changed == 0) {
        return;
    }
    (void)fputs("\n<details><summary>", out);
    put_words(out, one->name);
    (void)fprintf(out,
                  ": %s</summary>\n\n| metric | base | head | change | budget | |\n"
                  "|---|--:|--:|--:|--:|---|\n",
                  dyno_gate_verdict_name(one->verdict));
    for (uint32_t n = 0; (finding = dyno_gate_finding_at(one, n)) != NULL; n++) {
        (void)fprintf(
            out, "| `%s` | %s | %s | %s | %s | %s |\n", finding->metric, value(base, finding->base),
            value(head, finding->head), change(moved, finding->base, finding->head),
            budget_words(budget, finding->budget), dyno_gate_verdict_name(finding->verdict));
    }
    if (one->drift.changed > 0) {
        (void)fprintf(out, "\n| class of request | requests | changed | TTFT | E2E |\n"
                           "|---|--:|--:|--:|--:|\n");
    }
    for (uint32_t i = 0; i < DYNO_DRIFT_CLASSES; i++) {
        const struct dyno_drift_class *class = &one->drift.classes[i];

        if (class->changed > 0) {
            (void)fprintf(out, "| %s | %u | %u | %s | %s |\n", class->label, class->requests,
                          class->changed, change(moved, class->ttft_ms[0], class->ttft_ms[1]),
                          change(base, class->e2e_ms[0], class->e2e_ms[1]));
        }
    }
    (void)fprintf(out, "\n</details>\n");
}

dyno_status dyno_gate_markdown(const struct dyno_gate *gate, const char *path,
                               struct dyno_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    dyno_status status;

    if (!out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    (void)fprintf(out,
                  "### dyno gate: %s\n\nbase `%s`, head `%s`\n\n| verdict | scenario | |\n"
                  "|---|---|---|\n",
                  dyno_gate_verdict_name(gate->verdict), gate->sides[0].text, gate->sides[1].text);
    for (uint32_t i = 0; i < gate->case_count; i++) {
        char what[640];

        dyno_gate_summary(what, sizeof what, &gate->cases[i]);
        (void)fprintf(out, "| %s | ", dyno_gate_verdict_name(gate->cases[i].verdict));
        put_words(out, gate->cases[i].name);
        (void)fputs(" | ", out);
        put_words(out, what);
        (void)fputs(" |\n", out);
    }
    for (uint32_t i = 0; i < gate->case_count; i++) {
        mark_case(&gate->cases[i], out);
    }
    status = fclose(out) == 0 ? dyno_text_write(path, text, error)
                              : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    free(text);
    return status;
}
