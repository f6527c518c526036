/* `dyno doctor`: what this machine has, line by line: ok or missing, and what that costs.  Here are
 * the machine's own parts; cli/doctor/software.c looks for libraries and tools, cli/doctor/cuda.c
 * and cli/doctor/gpus.c for GPUs. */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "backends/host/allowance.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "core/base/words.h"
#include "kernels/isa.h"
#include "reports/json_file.h"

enum { LINE_BYTES_MAX = 8192, NAME_WIDTH = 13, VERDICT_WIDTH = 8 };

/* The value of the first "key : value" line of `path` whose key begins with `key`; false: none. */
static bool read_field(const char *path, const char *key, char *out, size_t size)
{
    static const char space[] = " \t\n";
    FILE *file = fopen(path, "r");
    char line[LINE_BYTES_MAX];
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');

        if (colon && strncmp(line, key, strlen(key)) == 0) {
            colon++;
            colon += strspn(colon, space);
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(out, size, "%s", colon);
            found = true;
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static void check_cpu(struct dyno_doctor *doctor)
{
    char model[128];
    struct utsname system = {0};

    if (!read_field("/proc/cpuinfo", "model name", model, sizeof(model))) {
        uname(&system);
        snprintf(model, sizeof(model), "%s", system.machine);
    }
    dyno_doctor_say(doctor, "cpu", true, "%s, %u of %ld cores usable", model, dyno_allowed_cores(),
                    sysconf(_SC_NPROCESSORS_CONF));
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = strstr(words, word); at; at = strstr(at + 1, word)) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static void check_vectors(struct dyno_doctor *doctor)
{
    static const struct {
        const char *flag, *name, *cost;
    } rows[] = {
        {"avx2", "avx2", "costs simulation nothing; the CPU device is several times slower"},
        {"avx512f", "avx-512", "costs simulation nothing; the CPU device uses narrower vectors"},
        {"avx512_bf16", "bf16", "costs simulation nothing; the CPU device widens bf16 itself"},
    };
    char flags[LINE_BYTES_MAX] = "";

    if (!read_field("/proc/cpuinfo", "flags", flags, sizeof(flags))) {
        read_field("/proc/cpuinfo", "Features", flags, sizeof(flags));
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_there = has_word(flags, rows[i].flag);

        dyno_doctor_say(doctor, rows[i].name, is_there, "%s",
                        is_there ? "instructions there" : rows[i].cost);
    }
}

static void check_memory(struct dyno_doctor *doctor)
{
    char text[64], limit[64] = "";
    struct sysinfo info = {0};
    double available = 0, whole, allowed = (double)dyno_allowed_memory_bytes();

    sysinfo(&info);
    whole = (double)info.totalram * info.mem_unit;
    if (read_field("/proc/meminfo", "MemAvailable", text, sizeof(text))) {
        available = strtod(text, NULL) * 1024;
    }
    if (allowed < whole) {
        snprintf(limit, sizeof(limit), "; %.1f GiB for this control group",
                 allowed / DYNO_DOCTOR_GIB);
    }
    dyno_doctor_say(doctor, "memory", true, "%.1f GiB, %.1f GiB available%s",
                    whole / DYNO_DOCTOR_GIB, available / DYNO_DOCTOR_GIB, limit);
}

static void check_disk(struct dyno_doctor *doctor)
{
    struct statvfs disk;

    if (statvfs(".", &disk) != 0) {
        dyno_doctor_say(doctor, "disk", false, "free space here is unknown (%s)", strerror(errno));
        return;
    }
    dyno_doctor_say(doctor, "disk", true, "%.1f GiB free in this folder, where runs.db goes",
                    (double)disk.f_bavail * (double)disk.f_frsize / DYNO_DOCTOR_GIB);
}

/* What this build of dyno is. */
static void check_build(struct dyno_doctor *doctor)
{
    const char *cuda = DYNO_BUILD_CUDA;

    dyno_doctor_say(doctor, "dyno", true, "%s%s, built by %s", DYNO_VERSION,
                    DYNO_BUILD_PORTABLE ? ", portable" : "", DYNO_BUILD_COMPILER);
    dyno_doctor_say(doctor, "kernels", true, "%s on the CPU; %s%s", dyno_isa_best()->name,
                    *cuda ? "for GPUs of compute capability " : "none for GPUs", cuda);
}

void dyno_doctor_say(struct dyno_doctor *doctor, const char *name, bool is_there,
                     const char *format, ...)
{
    struct dyno_doctor_line *line = &doctor->lines[doctor->count];
    va_list arguments;

    if (doctor->count == DYNO_DOCTOR_LINES_MAX) {
        return;
    }
    doctor->count++;
    line->name = name;
    line->is_there = is_there;
    va_start(arguments, format);
    (void)vsnprintf(line->text, sizeof(line->text), format, arguments);
    va_end(arguments);
}

static void write_table(const struct dyno_doctor *doctor)
{
    for (uint32_t i = 0; i < doctor->count; i++) {
        const struct dyno_doctor_line *line = &doctor->lines[i];

        printf("%-*s%-*s%s\n", NAME_WIDTH, line->name, VERDICT_WIDTH,
               line->is_there ? "ok" : "missing", line->text);
    }
}

static dyno_status write_json(const struct dyno_doctor *doctor, struct dyno_error *error)
{
    json_t *lines = json_array();

    for (uint32_t i = 0; i < doctor->count; i++) {
        const struct dyno_doctor_line *line = &doctor->lines[i];

        (void)json_array_append_new(lines,
                                    json_pack("{s:s, s:b, s:s}", "name", line->name, "is_there",
                                              line->is_there, "text", line->text));
    }
    return dyno_json_file_write(
        json_pack("{s:s, s:o, s:O}", "version", DYNO_VERSION, "lines", lines, "gpus", doctor->gpus),
        "-", error);
}

/* Are all lines of that name there?  Error: DYNO_BAD_INPUT, no line is called so. */
static dyno_status find_line(const struct dyno_doctor *doctor, const char *name, bool *is_there,
                             struct dyno_error *error)
{
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;
    bool found = false;

    *is_there = true;
    dyno_nearest_start(&nearest, name);
    for (uint32_t i = 0; i < doctor->count; i++) {
        dyno_nearest_offer(&nearest, doctor->lines[i].name);
        if (strcmp(doctor->lines[i].name, name) == 0) {
            found = true;
            *is_there = *is_there && doctor->lines[i].is_there;
        }
    }
    near = dyno_nearest_word(&nearest);
    if (!found) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--require: doctor has no line %s%s%s%s",
                         dyno_quote(quoted, name), near ? "; did you mean '" : "", near ? near : "",
                         near ? "'?" : "");
    }
    return DYNO_OK;
}

/* The exit status: failed, and said, for the first name in `names` that is missing. */
static int require(const struct dyno_doctor *doctor, const char *names)
{
    char name[DYNO_OPTION_NAME_MAX];
    struct dyno_error error;

    for (const char *at = names; at && *at;) {
        size_t length = strcspn(at, ",");
        bool is_there;

        (void)snprintf(name, sizeof(name), "%.*s", (int)length, at);
        if (find_line(doctor, name, &is_there, &error) != DYNO_OK) {
            return dyno_command_complain(&error, DYNO_EXIT_USAGE);
        }
        if (!is_there) {
            (void)dyno_fail(&error, DYNO_NOT_FOUND, "%s is missing, and --require asks for it",
                            name);
            return dyno_command_complain(&error, DYNO_EXIT_FAILED);
        }
        at += length;
        at += *at == ',';
    }
    return DYNO_EXIT_OK;
}

struct doctor_options {
    const char *require; /* NULL: nothing */
    bool json;
};

static const struct dyno_option rows[] = {
    {.name = "doctor.json",
     .flag = "json",
     .help = "write JSON, with the figures of each GPU",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = offsetof(struct doctor_options, json)},
    {.name = "doctor.require",
     .flag = "require",
     .value = "NAME,...",
     .help = "end with 1 if a line of one of these names says missing",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = offsetof(struct doctor_options, require)},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno doctor [--json] [--require NAME,...]\n\nWhat this machine has, line by line; "
         "of what is missing, what that costs.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static int run(const char *file, const void *values)
{
    const struct doctor_options *options = values;
    struct dyno_doctor doctor = {.gpus = json_array()};
    struct dyno_error error;
    dyno_status status = DYNO_OK;
    int exit_status;

    if (file) {
        json_decref(doctor.gpus);
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "doctor takes no file");
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    check_build(&doctor);
    check_cpu(&doctor);
    check_vectors(&doctor);
    check_memory(&doctor);
    check_disk(&doctor);
    dyno_doctor_check_software(&doctor);
    dyno_doctor_check_gpus(&doctor);
    if (options->json) {
        status = write_json(&doctor, &error);
    } else {
        write_table(&doctor);
    }
    json_decref(doctor.gpus);
    exit_status =
        status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
    return exit_status == DYNO_EXIT_OK ? require(&doctor, options->require) : exit_status;
}

int dyno_command_doctor(int argc, char **argv)
{
    struct doctor_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "doctor",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
