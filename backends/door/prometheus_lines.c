#include "backends/door/prometheus_parts.h"

void dyno_lines_family(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A backslash, a quote and a line's end are all that the format escapes. */
static void put_value(FILE *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            (void)fputs("\\n", out);
            continue;
        }
        if (*value == '\\' || *value == '"') {
            (void)fputc('\\', out);
        }
        (void)fputc(*value, out);
    }
}

/* "name{a="b",le="..."} "; `le` may be NULL. */
static void put_name(FILE *out, const char *name, const struct dyno_label *labels, const char *le)
{
    const char *before = "{";

    (void)fputs(name, out);
    for (; labels->name; labels++) {
        if (!labels->value) {
            continue;
        }
        (void)fprintf(out, "%s%s=\"", before, labels->name);
        put_value(out, labels->value);
        (void)fputc('"', out);
        before = ",";
    }
    if (le) {
        (void)fprintf(out, "%sle=\"%s\"", before, le);
        before = ",";
    }
    (void)fputs(*before == ',' ? "} " : " ", out);
}

void dyno_lines_count(FILE *out, const char *name, const struct dyno_label *labels, uint64_t value)
{
    put_name(out, name, labels, NULL);
    (void)fprintf(out, "%llu\n", (unsigned long long)value);
}

void dyno_lines_real(FILE *out, const char *name, const struct dyno_label *labels, double value)
{
    put_name(out, name, labels, NULL);
    (void)fprintf(out, "%.15g\n", value);
}

/* The sum in whole units and nanounits, exact however large. */
static void put_sum(FILE *out, const char *name, const struct dyno_label *labels,
                    const struct dyno_ladder *ladder, uint64_t per_unit)
{
    put_name(out, name, labels, NULL);
    (void)fprintf(out, "%llu", (unsigned long long)(ladder->sum / per_unit));
    if (per_unit > 1) {
        (void)fprintf(out, ".%09llu", (unsigned long long)(ladder->sum % per_unit));
    }
    (void)fputc('\n', out);
}

static void put_rungs(FILE *out, const char *name, const struct dyno_label *labels,
                      const struct dyno_ladder *ladder, uint64_t per_unit)
{
    uint64_t below = 0;
    char le[32];

    for (uint32_t i = 0; i < DYNO_LADDER_RUNGS; i++) {
        double height = (double)dyno_ladder_rung(i) * (double)ladder->unit / (double)per_unit;

        below += ladder->counts[i];
        (void)snprintf(le, sizeof le, "%.9g", height);
        put_name(out, name, labels, le);
        (void)fprintf(out, "%llu\n", (unsigned long long)below);
    }
    put_name(out, name, labels, "+Inf");
    (void)fprintf(out, "%llu\n", (unsigned long long)dyno_ladder_count(ladder));
}

void dyno_lines_ladder(FILE *out, const char *name, const struct dyno_label *labels,
                       const struct dyno_ladder *ladder, uint64_t per_unit)
{
    char part[96];

    (void)snprintf(part, sizeof part, "%s_bucket", name);
    put_rungs(out, part, labels, ladder, per_unit);
    (void)snprintf(part, sizeof part, "%s_sum", name);
    put_sum(out, part, labels, ladder, per_unit);
    (void)snprintf(part, sizeof part, "%s_count", name);
    dyno_lines_count(out, part, labels, dyno_ladder_count(ladder));
}
