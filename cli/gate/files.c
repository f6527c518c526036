/* A gate's outcome for machines: JUnit XML, which CI systems show, and JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gate/gate.h"
#include "reports/json_file.h"
#include "reports/text_file.h"

/* ---- JUnit ------------------------------------------------------------------------------------
 */

static void escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '"':
            (void)fputs("&quot;", out);
            break;
        default:
            (void)fputc((unsigned char)*text < ' ' ? '?' : *text, out);
        }
    }
}

/* What JUnit calls it: a failure, an error, or nothing. */
static const char *element_of(enum dyno_gate_verdict verdict)
{
    return verdict == DYNO_GATE_INVALID                                               ? "error"
           : verdict == DYNO_GATE_REGRESSION || verdict == DYNO_GATE_BEHAVIOR_CHANGED ? "failure"
                                                                                      : NULL;
}

static void list_findings(const struct dyno_gate_case *one, FILE *out)
{
    const struct dyno_gate_finding *finding;

    for (uint32_t n = 0; (finding = dyno_gate_finding_at(one, n)) != NULL; n++) {
        (void)fprintf(out, "%s: %.9g, was %.9g: %s\n", finding->metric, finding->head,
                      finding->base, dyno_gate_verdict_name(finding->verdict));
    }
    if (one->host.rounds > 0) {
        (void)fprintf(out, "host time: %.1f ms, was %.1f ms: %s\n", one->host.head_ms,
                      one->host.base_ms, dyno_gate_verdict_name(one->host.verdict));
    }
}

static void write_case(const struct dyno_gate_case *one, FILE *out)
{
    const struct dyno_gate_finding *worst = dyno_gate_finding_at(one, 0);
    const char *element = element_of(one->verdict);
    char what[640];

    (void)fputs("  <testcase classname=\"dyno.gate\" name=\"", out);
    escaped(out, one->name);
    (void)fprintf(out, "\" time=\"%.3f\"%s\n", one->cpu_ms / 1e3, element ? ">" : "/>");
    if (!element) {
        return;
    }
    (void)fprintf(out, "    <%s type=\"%s\" message=\"", element,
                  dyno_gate_verdict_name(one->verdict));
    dyno_gate_summary(what, sizeof what, one);
    escaped(out, what);
    if (worst) {
        (void)fprintf(out, "; %s: %.6g, was %.6g", worst->metric, worst->head, worst->base);
    }
    (void)fputs("\">", out);
    list_findings(one, out); /* names and numbers: nothing to escape */
    (void)fprintf(out, "</%s>\n  </testcase>\n", element);
}

dyno_status dyno_gate_junit(const struct dyno_gate *gate, const char *path,
                            struct dyno_error *error)
{
    uint32_t failures = 0, errors = 0;
    double cpu_ms = 0.0;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    dyno_status status;

    if (!out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < gate->case_count; i++) {
        const char *element = element_of(gate->cases[i].verdict);

        failures += element && strcmp(element, "failure") == 0;
        errors += element && strcmp(element, "error") == 0;
        cpu_ms += gate->cases[i].cpu_ms;
    }
    (void)fprintf(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"dyno gate\" "
                  "tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"0\" time=\"%.3f\">\n",
                  gate->case_count, failures, errors, cpu_ms / 1e3);
    for (uint32_t i = 0; i < gate->case_count; i++) {
        write_case(&gate->cases[i], out);
    }
    (void)fputs("</testsuite>", out);
    status = fclose(out) == 0 ? dyno_text_write(path, text, error)
                              : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    free(text);
    return status;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static json_t *finding_json(const struct dyno_gate_finding *finding)
{
    return json_pack("{s:s, s:o, s:o, s:b, s:s}", "metric", finding->metric, "base",
                     dyno_json_number(finding->base), "head", dyno_json_number(finding->head),
                     "has_budget", finding->budget != NULL, "verdict",
                     dyno_gate_verdict_name(finding->verdict));
}

static json_t *class_json(const struct dyno_drift_class *class)
{
    return json_pack("{s:s, s:I, s:I, s:[o, o], s:[o, o]}", "class", class->label, "requests",
                     (json_int_t) class->requests, "changed", (json_int_t) class->changed,
                     "ttft_ms", dyno_json_number(class->ttft_ms[0]),
                     dyno_json_number(class->ttft_ms[1]), "e2e_ms",
                     dyno_json_number(class->e2e_ms[0]), dyno_json_number(class->e2e_ms[1]));
}

static json_t *host_json(const struct dyno_gate_host *host)
{
    return host->rounds == 0
               ? json_null()
               : json_pack("{s:I, s:f, s:f, s:b, s:s}", "rounds", (json_int_t)host->rounds,
                           "base_ms", host->base_ms, "head_ms", host->head_ms, "decided",
                           host->decided, "verdict", dyno_gate_verdict_name(host->verdict));
}

/* NULL: no memory. */
static json_t *case_json(const struct dyno_gate_case *one)
{
    json_t *findings = json_array(), *classes = json_array();
    int failed = 0;

    for (uint32_t i = 0; i < one->finding_count; i++) {
        failed |= json_array_append_new(findings, finding_json(&one->findings[i]));
    }
    for (uint32_t i = 0; i < DYNO_DRIFT_CLASSES; i++) {
        if (one->drift.classes[i].changed > 0) {
            failed |= json_array_append_new(classes, class_json(&one->drift.classes[i]));
        }
    }
    if (failed) {
        json_decref(findings);
        json_decref(classes);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:I, s:I, s:I, s:o, s:o}", "scenario", one->name,
                     "verdict", dyno_gate_verdict_name(one->verdict), "invalid",
                     *one->invalid ? json_string(one->invalid) : json_null(), "metrics_compared",
                     (json_int_t)one->metrics_compared, "findings", findings, "requests",
                     (json_int_t)one->drift.requests, "requests_changed",
                     (json_int_t)one->drift.changed, "requests_rerouted",
                     (json_int_t)one->drift.rerouted, "classes", classes, "host_time",
                     host_json(&one->host));
}

dyno_status dyno_gate_json(const struct dyno_gate *gate, const char *path, struct dyno_error *error)
{
    json_t *cases = json_array(), *root;
    int failed = 0;

    for (uint32_t i = 0; i < gate->case_count; i++) {
        failed |= json_array_append_new(cases, case_json(&gate->cases[i]));
    }
    if (failed) {
        json_decref(cases);
        cases = NULL;
    }
    root = cases ? json_pack("{s:s, s:s, s:s, s:o}", "verdict",
                             dyno_gate_verdict_name(gate->verdict), "base", gate->sides[0].text,
                             "head", gate->sides[1].text, "scenarios", cases)
                 : NULL;
    return dyno_json_file_write(root, path, error);
}
