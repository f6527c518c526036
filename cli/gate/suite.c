/* What a gate compares: its sides, and the scenarios of its suite. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/gate/gate.h"
#include "core/base/words.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_scenario(const char *path)
{
    return ends_with(path, ".yaml");
}

bool dyno_gate_is_baseline(const char *path)
{
    return ends_with(path, ".json");
}

bool dyno_gate_is_past(const struct dyno_gate_side *side)
{
    return side->kind == DYNO_GATE_DATABASE || side->kind == DYNO_GATE_BASELINE;
}

static bool is_database(const char *path)
{
    static const char magic[] = "SQLite format 3";
    FILE *file = fopen(path, "rb");
    char head[sizeof magic] = "";
    size_t got = file ? fread(head, 1, sizeof head, file) : 0;

    if (file) {
        (void)fclose(file);
    }
    return got == sizeof head && memcmp(head, magic, sizeof magic) == 0;
}

static dyno_status find_self(struct dyno_gate_side *side, struct dyno_error *error)
{
    ssize_t length = readlink("/proc/self/exe", side->program, sizeof side->program - 1);

    if (length <= 0) {
        return dyno_fail(error, DYNO_IO, "this program's own file cannot be found: %s",
                         strerror(errno));
    }
    side->program[length] = '\0';
    return DYNO_OK;
}

dyno_status dyno_gate_side_find(struct dyno_gate_side *side, const char *flag, const char *text,
                                struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    struct stat there;

    side->text = text ? text : "this build";
    side->kind = DYNO_GATE_BUILD;
    if (!text) {
        return find_self(side, error);
    }
    if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0) {
        side->kind = DYNO_GATE_SERVER;
        return find_self(side, error);
    }
    if (stat(text, &there) != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND, "--%s: %s: %s", flag, dyno_quote(quoted, text),
                         strerror(errno));
    }
    if (S_ISREG(there.st_mode) && is_scenario(text)) {
        side->kind = DYNO_GATE_SCENARIO;
        return find_self(side, error);
    }
    if (S_ISREG(there.st_mode) && is_database(text)) {
        side->kind = DYNO_GATE_DATABASE;
        return DYNO_OK;
    }
    if (S_ISREG(there.st_mode) && dyno_gate_is_baseline(text)) {
        side->kind = DYNO_GATE_BASELINE;
        return DYNO_OK;
    }
    if (!S_ISREG(there.st_mode) || access(text, X_OK) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--%s: %s is no program, no scenario (.yaml), no database of runs and no "
                         "baseline (.json)",
                         flag, dyno_quote(quoted, text));
    }
    if (!realpath(text, side->program)) {
        return dyno_fail(error, DYNO_IO, "--%s: %s: %s", flag, dyno_quote(quoted, text),
                         strerror(errno));
    }
    return DYNO_OK;
}

static dyno_status add_case(struct dyno_gate *gate, const char *path, struct dyno_error *error)
{
    const char *slash = strrchr(path, '/');
    struct dyno_gate_case *one = &gate->cases[gate->case_count];

    if (gate->case_count == DYNO_GATE_SCENARIOS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--suite: more than %d scenarios",
                         DYNO_GATE_SCENARIOS_MAX);
    }
    if (access(path, R_OK) != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND, "--suite: %.300s: %s", path, strerror(errno));
    }
    (void)snprintf(one->name, sizeof one->name, "%s", slash ? slash + 1 : path);
    dyno_text_clean(one->name);
    for (int side = 0; side < 2; side++) {
        (void)snprintf(one->files[side], sizeof one->files[side], "%s", path);
    }
    for (uint32_t i = 0; i < gate->case_count; i++) {
        if (strcmp(gate->cases[i].name, one->name) == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "--suite: two scenarios are called %s; runs are told apart by it",
                             one->name);
        }
    }
    gate->case_count++;
    return DYNO_OK;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && is_scenario(entry->d_name);
}

static dyno_status add_folder(struct dyno_gate *gate, const char *folder, struct dyno_error *error)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_shown, alphasort);
    dyno_status status = DYNO_OK;

    if (count < 0) {
        return dyno_fail(error, DYNO_IO, "--suite: %.300s: %s", folder, strerror(errno));
    }
    if (count == 0) {
        status =
            dyno_fail(error, DYNO_NOT_FOUND, "--suite: no scenario (.yaml) is in %.300s", folder);
    }
    for (int i = 0; i < count; i++) {
        char path[4096];

        (void)snprintf(path, sizeof path, "%.3800s/%s", folder, entries[i]->d_name);
        if (status == DYNO_OK) {
            status = add_case(gate, path, error);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* Files with commas between them. */
static dyno_status add_list(struct dyno_gate *gate, const char *list, struct dyno_error *error)
{
    char *copy = strdup(list), *rest = copy;
    dyno_status status = copy ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");

    while (status == DYNO_OK && rest) {
        status = add_case(gate, strsep(&rest, ","), error);
    }
    free(copy);
    return status;
}

/* Two scenario files are one case. */
static dyno_status add_pair(struct dyno_gate *gate, struct dyno_error *error)
{
    if (gate->options.suite) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--suite: two scenario files are compared with each other, without one");
    }
    DYNO_TRY(add_case(gate, gate->sides[1].text, error));
    (void)snprintf(gate->cases[0].files[0], sizeof gate->cases[0].files[0], "%s",
                   gate->sides[0].text);
    return DYNO_OK;
}

dyno_status dyno_gate_suite_find(struct dyno_gate *gate, struct dyno_error *error)
{
    bool base_is_one = gate->sides[0].kind == DYNO_GATE_SCENARIO;
    struct stat there;

    gate->cases = calloc(DYNO_GATE_SCENARIOS_MAX, sizeof *gate->cases);
    if (!gate->cases) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    if (dyno_gate_is_past(&gate->sides[1])) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--head: a %s is what was; head is a build or a scenario",
                         gate->sides[1].kind == DYNO_GATE_BASELINE ? "baseline" : "database");
    }
    if (base_is_one != (gate->sides[1].kind == DYNO_GATE_SCENARIO) &&
        !dyno_gate_is_past(&gate->sides[0])) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--%s is a scenario file and --%s is not: a scenario is compared with a "
                         "scenario",
                         base_is_one ? "base" : "head", base_is_one ? "head" : "base");
    }
    if ((gate->sides[0].kind == DYNO_GATE_SERVER) != (gate->sides[1].kind == DYNO_GATE_SERVER)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a server is compared with a server: %s is none",
                         gate->sides[gate->sides[0].kind == DYNO_GATE_SERVER].text);
    }
    if (gate->sides[1].kind == DYNO_GATE_SCENARIO) {
        return add_pair(gate, error);
    }
    if (!gate->options.suite) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "gate needs --suite: a folder of scenarios, or files with commas between "
                         "them");
    }
    return stat(gate->options.suite, &there) == 0 && S_ISDIR(there.st_mode)
               ? add_folder(gate, gate->options.suite, error)
               : add_list(gate, gate->options.suite, error);
}
