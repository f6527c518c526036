/* `dyno doctor`, the software: nothing here is needed to answer.  What dyno is not linked with is
 * asked through the loader, so that dyno does not fail without it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml.h>
#include <zlib.h>

#include "cli/doctor/doctor.h"
#include "cli/tune/optimiser.h"

/* The first line that a program prints, without its end; false if there is no such program. */
static bool first_line(const char *program, char *const argv[], char *out, int size)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status = -1;
    bool found = false;
    FILE *stream;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    status = posix_spawnp(&child, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    stream = fdopen(ends[0], "r");
    if (stream) {
        found = fgets(out, size, stream) != NULL;
        fclose(stream);
    }
    if (status == 0) {
        waitpid(child, NULL, 0);
    }
    if (found) {
        out[strcspn(out, "\n")] = '\0';
    }
    return status == 0 && found;
}

static void check_gnuplot(struct dyno_doctor *doctor)
{
    char *const argv[] = {"gnuplot", "--version", NULL};
    char line[128];

    if (first_line("gnuplot", argv, line, sizeof(line))) {
        dyno_doctor_say(doctor, "gnuplot", true, "%s", line);
    } else {
        dyno_doctor_say(doctor, "gnuplot", false,
                        "no figures can be drawn; tables and databases need none (apt install "
                        "gnuplot-nox)");
    }
}

/* Libraries that dyno is linked with, asked for their own version. */
static void check_linked(struct dyno_doctor *doctor)
{
    const struct {
        const char *name, *version;
    } rows[] = {
        {"sqlite", sqlite3_libversion()},
        {"jansson", jansson_version_str()},
        {"zlib", zlibVersion()},
        {"libyaml", yaml_get_version_string()},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dyno_doctor_say(doctor, rows[i].name, true, "%s", rows[i].version);
    }
}

/* The version call of a library that may be there, as one number; false: no such library. */
static bool optional_version(const char *library, const char *symbol, int *version)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void *address = handle ? dlsym(handle, symbol) : NULL;
    int (*ask)(int *) = NULL;
    bool found = false;

    memcpy(&ask, &address, sizeof(ask));
    if (address) {
        found = ask(version) == 0;
    }
    if (handle) {
        dlclose(handle);
    }
    return found;
}

static void check_nlopt(struct dyno_doctor *doctor)
{
    struct dyno_optimiser *optimiser;
    struct dyno_error why;
    int version[3];

    if (dyno_optimiser_open(&optimiser, &why) == DYNO_OK) {
        dyno_optimiser_version(optimiser, version);
        dyno_doctor_say(doctor, "nlopt", true, "%d.%d.%d", version[0], version[1], version[2]);
        dyno_optimiser_close(optimiser);
    } else {
        dyno_doctor_say(doctor, "nlopt", false,
                        "dyno tune --search model needs it (apt install libnlopt0)");
    }
}

static void check_nccl(struct dyno_doctor *doctor)
{
    enum { MAJOR = 10000, MINOR = 100 }; /* 2.28.9 is 22809 */
    int nccl = 0;

    if (optional_version("libnccl.so.2", "ncclGetVersion", &nccl)) {
        dyno_doctor_say(doctor, "nccl", true, "%d.%d.%d", nccl / MAJOR, nccl % MAJOR / MINOR,
                        nccl % MINOR);
    } else {
        dyno_doctor_say(doctor, "nccl", false,
                        "costs simulation nothing; GPUs cannot share one model (apt install "
                        "libnccl2)");
    }
}

static void check_ucx(struct dyno_doctor *doctor)
{
    static const char without[] = "costs nothing; workers are in one process (apt install libucx0)";
    void *ucp = dlopen("libucp.so.0", RTLD_NOW | RTLD_LOCAL);
    void *address = ucp ? dlsym(ucp, "ucp_get_version_string") : NULL;
    const char *(*ask)(void) = NULL;

    memcpy(&ask, &address, sizeof(ask));
    dyno_doctor_say(doctor, "ucx", address != NULL, "%s", address ? ask() : without);
    if (ucp) {
        dlclose(ucp);
    }
}

void dyno_doctor_check_software(struct dyno_doctor *doctor)
{
    check_linked(doctor);
    check_gnuplot(doctor);
    check_nlopt(doctor);
    check_nccl(doctor);
    check_ucx(doctor);
}
