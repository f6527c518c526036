/* `dyno doctor`: what this machine has, line by line: ok or missing, and what that costs.  Here are
 * the machine's own parts; cli/doctor_software.c looks for libraries, tools and GPUs. */
#include "cli/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/commands.h"

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

static void check_cpu(void)
{
    char model[128];
    struct utsname system = {0};

    if (!read_field("/proc/cpuinfo", "model name", model, sizeof(model))) {
        uname(&system);
        snprintf(model, sizeof(model), "%s", system.machine);
    }
    dyno_doctor_say("cpu", true, "%s, %ld of %ld cores usable", model,
                    sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_NPROCESSORS_CONF));
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

static void check_vectors(void)
{
    static const struct {
        const char *flag, *name, *cost;
    } rows[] = {
        {"avx2", "avx2", "costs simulation nothing; a CPU engine would be several times slower"},
        {"avx512f", "avx-512", "costs simulation nothing; a CPU engine would use narrower vectors"},
        {"avx512_bf16", "bf16", "costs simulation nothing; a CPU engine would widen bf16 itself"},
    };
    char flags[LINE_BYTES_MAX] = "";

    if (!read_field("/proc/cpuinfo", "flags", flags, sizeof(flags))) {
        read_field("/proc/cpuinfo", "Features", flags, sizeof(flags));
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_there = has_word(flags, rows[i].flag);

        dyno_doctor_say(rows[i].name, is_there, "%s",
                        is_there ? "instructions there" : rows[i].cost);
    }
}

static void check_memory(void)
{
    char text[64];
    struct sysinfo info = {0};
    double available = 0;

    sysinfo(&info);
    if (read_field("/proc/meminfo", "MemAvailable", text, sizeof(text))) {
        available = strtod(text, NULL) * 1024;
    }
    dyno_doctor_say("memory", true, "%.1f GiB, %.1f GiB available",
                    (double)info.totalram * info.mem_unit / DYNO_DOCTOR_GIB,
                    available / DYNO_DOCTOR_GIB);
}

static void check_disk(void)
{
    struct statvfs disk;

    if (statvfs(".", &disk) != 0) {
        dyno_doctor_say("disk", false, "free space here is unknown (%s)", strerror(errno));
        return;
    }
    dyno_doctor_say("disk", true, "%.1f GiB free in this folder, where runs.db goes",
                    (double)disk.f_bavail * (double)disk.f_frsize / DYNO_DOCTOR_GIB);
}

void dyno_doctor_say(const char *name, bool is_there, const char *format, ...)
{
    va_list arguments;

    printf("%-*s%-*s", NAME_WIDTH, name, VERDICT_WIDTH, is_there ? "ok" : "missing");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

int dyno_command_doctor(int argc, char **argv)
{
    struct dyno_error error;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: dyno doctor\n\nWhat this machine has, line by line; of what is missing, what "
             "that costs.");
        return DYNO_EXIT_OK;
    }
    if (argc > 1) {
        dyno_fail(&error, DYNO_BAD_INPUT, "doctor takes no arguments");
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    dyno_doctor_say("dyno", true, DYNO_VERSION);
    check_cpu();
    check_vectors();
    check_memory();
    check_disk();
    dyno_doctor_check_software();
    dyno_doctor_check_gpus();
    return DYNO_EXIT_OK;
}
