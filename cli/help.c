/* Help for options, made from the rows: flags for `dyno replay --help`, names for `dyno help
 * scenario`. */
#include "cli/help.h"

#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/scenario/arguments.h"
#include "core/base/option_value.h"
#include "core/route/admit.h"
#include "core/route/route.h"
#include "core/worker/config.h"

enum {
    HEAD_MAX = 128,
    TEXT_MAX = 1024,
    FLAG_COLUMN = 30,
    NAME_COLUMN = 36,
    WORD_COLUMN = 21,
    WIDTH_MIN = 60
};

/* Words of `text` from column `at`, a new line at `column` wherever one would pass `width`. */
static void wrap(FILE *out, uint32_t width, uint32_t column, uint32_t at, const char *text)
{
    bool first = true;

    while (*text) {
        uint32_t length = (uint32_t)strcspn(text, " ");

        if (!first && at + 1 + length > width) {
            fprintf(out, "\n%*s", (int)column, "");
            at = column;
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)length, text);
        at += length + !first;
        first = false;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void paragraph(FILE *out, uint32_t width, const char *text)
{
    wrap(out, width, 0, 0, text);
}

/* Add to a text under construction. */
static void add(char text[TEXT_MAX], const char *more)
{
    size_t length = strlen(text);

    snprintf(text + length, TEXT_MAX - length, "%s", more);
}

/* ": vllm, sglang, trtllm", unless the help says them all already. */
static void add_choices(char text[TEXT_MAX], const struct dyno_option *row)
{
    uint32_t unsaid = 0;

    if (row->type != DYNO_OPTION_CHOICE) {
        return;
    }
    for (uint32_t i = 0; dyno_option_choice(row, i); i++) {
        unsaid += !strstr(row->help, dyno_option_choice(row, i));
    }
    for (uint32_t i = 0; unsaid > 0 && dyno_option_choice(row, i); i++) {
        add(text, i ? ", " : ": ");
        add(text, dyno_option_choice(row, i));
    }
}

/* " [h100]"; nothing where that is no value. */
static void add_default(char text[TEXT_MAX], const char *initial)
{
    if (strcmp(initial, "none") != 0 && *initial) {
        add(text, " [");
        add(text, initial);
        add(text, "]");
    }
}

static void flag_entry(FILE *out, uint32_t width, const struct dyno_option *row,
                       enum dyno_scenario_use use)
{
    char head[HEAD_MAX], text[TEXT_MAX] = "";

    snprintf(head, sizeof(head), "--%s%s%s%s", row->type == DYNO_OPTION_BOOL ? "[no-]" : "",
             row->flag, row->value ? " " : "", row->value ? row->value : "");
    add(text, row->help);
    add_choices(text, row);
    add_default(text, dyno_scenario_row_default(row, use));
    dyno_help_entry(out, width, FLAG_COLUMN, head, text);
}

static void extra_entries(FILE *out, uint32_t width, const char *section)
{
    char head[HEAD_MAX];

    for (const struct dyno_argument_extra *extra = dyno_argument_extras; extra->flag; extra++) {
        if (section ? extra->section && strcmp(extra->section, section) == 0 : !extra->section) {
            snprintf(head, sizeof(head), "--%s%s%s", extra->flag, extra->value ? " " : "",
                     extra->value ? extra->value : "");
            dyno_help_entry(out, width, FLAG_COLUMN, head, extra->help);
        }
    }
}

static bool in_section(const char *name, const char *section)
{
    size_t length = strlen(section);

    return strncmp(name, section, length) == 0 && name[length] == '.';
}

static bool section_has_flags(const char *section, enum dyno_scenario_use use)
{
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const struct dyno_option *row = &dyno_scenario_rows[i];

        if (row->flag && in_section(row->name, section) && dyno_scenario_row_is_for(row, use)) {
            return true;
        }
    }
    return strcmp(section, "slo") == 0 && use == DYNO_USE_REPLAY;
}

static void name_entry(FILE *out, uint32_t width, const struct dyno_option *row)
{
    char head[HEAD_MAX], text[TEXT_MAX] = "";

    snprintf(head, sizeof(head), "%s: %s", strchr(row->name, '.') + 1,
             row->value ? row->value : "true|false");
    add(text, row->help);
    add_choices(text, row);
    add_default(text, row->initial);
    if (row->flag) {
        add(text, " (--");
        add(text, row->flag);
        add(text, ")");
    }
    if (row->also) {
        add(text, " (also ");
        add(text, row->also);
        add(text, ")");
    }
    dyno_help_entry(out, width, NAME_COLUMN, head, text);
}

/* One word of a table of another room, under the option that takes it. */
static void word_entry(FILE *out, uint32_t width, const char *word, const char *help)
{
    char head[HEAD_MAX];

    snprintf(head, sizeof(head), "    %s", word);
    dyno_help_entry(out, width, WORD_COLUMN, head, help);
}

static void table_entries(FILE *out, uint32_t width, const char *name)
{
    if (strcmp(name, "engine.profile") == 0) {
        for (const struct dyno_engine_profile *row = dyno_engine_table; row->name; row++) {
            word_entry(out, width, row->name, row->help);
        }
    } else if (strcmp(name, "router.policy") == 0) {
        for (uint32_t i = 0; dyno_route_table[i]; i++) {
            word_entry(out, width, dyno_route_table[i]->name, dyno_route_table[i]->help);
        }
    } else if (strcmp(name, "queue.policy") == 0) {
        for (const struct dyno_admit_policy *row = dyno_admit_table; row->name; row++) {
            word_entry(out, width, row->name, row->help);
        }
    }
}

uint32_t dyno_help_width(FILE *out)
{
    struct winsize size = {0};

    if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
        size.ws_col > DYNO_HELP_WIDTH_MAX) {
        return DYNO_HELP_WIDTH_MAX;
    }
    return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

void dyno_help_entry(FILE *out, uint32_t width, uint32_t column, const char *head, const char *text)
{
    uint32_t used = (uint32_t)fprintf(out, "  %s", head);

    if (used + 2 > column) {
        fputc('\n', out);
        used = 0;
    }
    fprintf(out, "%*s", (int)(column - used), "");
    wrap(out, width, column, column, text);
}

/* The flags of the sections that mean something to `use`. */
static void flag_entries(FILE *out, uint32_t width, enum dyno_scenario_use use)
{
    extra_entries(out, width, NULL);
    for (const struct dyno_scenario_section *section = dyno_scenario_sections; section->name;
         section++) {
        if (!section_has_flags(section->name, use)) {
            continue;
        }
        fprintf(out, "\n%s: %s\n", section->name, section->help);
        for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
            const struct dyno_option *row = &dyno_scenario_rows[i];

            if (row->flag && in_section(row->name, section->name) &&
                dyno_scenario_row_is_for(row, use)) {
                flag_entry(out, width, row, use);
            }
        }
        if (section->uses & use) {
            extra_entries(out, width, section->name);
        }
    }
    fputc('\n', out);
    paragraph(out, width,
              "A value in brackets is the default. Values are laid over each other: defaults, the "
              "engine profile's, the scenario "
              "file's, then --set and flags, of which the later wins. `dyno help scenario` lists "
              "every option, also those without a flag.");
}

void dyno_help_replay(FILE *out, uint32_t width)
{
    fputs("Usage: dyno replay [SCENARIO.yaml] [--OPTION VALUE]... [--set NAME=VALUE]...\n\n", out);
    paragraph(out, width,
              "Replay a recorded trace, or generated requests, through a fleet of workers under a "
              "routing policy. Prints a table, and adds the run to a SQLite database.");
    fputs("\nExamples:\n"
          "  dyno replay --trace trace.jsonl --gpu h100 --workers 8 --router kv\n"
          "  dyno replay --arrival poisson:20 --requests 1000 --slo ttft=2s,tpot=50ms\n"
          "  dyno replay fleet.yaml --set model.weights=fp8 --json out.json\n\n",
          out);
    flag_entries(out, width, DYNO_USE_REPLAY);
}

void dyno_help_serve(FILE *out, uint32_t width)
{
    fputs("Usage: dyno serve [SCENARIO.yaml] [--OPTION VALUE]... [--set NAME=VALUE]...\n\n", out);
    paragraph(out, width,
              "Serve a fleet of workers to clients of the OpenAI API: the same scenario that `dyno "
              "replay` simulates, in real time. Without arguments the model that comes with dyno "
              "runs on this machine's processor; a GPU, or a model without weights, is simulated, "
              "with filler for text.");
    fputs("\nExamples:\n"
          "  dyno serve\n"
          "  dyno serve --model ./my-model --workers 2 --router kv --port 9000\n"
          "  dyno serve --model llama-3.1-8b --gpu h100 --workers 8\n\n",
          out);
    flag_entries(out, width, DYNO_USE_SERVE);
}

void dyno_help_scenario(FILE *out, uint32_t width)
{
    paragraph(out, width,
              "A scenario is every option of a run. Write them to a YAML file as sections of "
              "keys, or set one with --set section.key=value; those that have a flag name it. "
              "What is not given has the default in brackets. `dyno replay --print-scenario` "
              "prints the whole "
              "scenario, and where each value came from, as a file to start with.");
    fputs("\n"
          "  fleet: {gpu: h100, workers: 8}\n"
          "  router:\n"
          "    policy: kv\n"
          "    kv: {overlap_credit: 1}\n\n",
          out);
    paragraph(out, width,
              "A duration carries its unit: ns, us, ms, s, min or h, as in 250ms or 1.5h. Paths "
              "are relative to where dyno is run.");
    for (const struct dyno_scenario_section *section = dyno_scenario_sections; section->name;
         section++) {
        fprintf(out, "\n%s: %s\n", section->name, section->help);
        for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
            if (in_section(dyno_scenario_rows[i].name, section->name)) {
                name_entry(out, width, &dyno_scenario_rows[i]);
                table_entries(out, width, dyno_scenario_rows[i].name);
            }
        }
    }
}
