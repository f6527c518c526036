/* `dyno doctor`, the software: nothing here is needed to answer.  What dyno is not linked with is
 * asked through the loader, so that dyno does not fail without it, and a GPU is asked only if its
 * driver is there. */
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

#include "cli/doctor.h"

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

static void check_gnuplot(void)
{
    char *const argv[] = {"gnuplot", "--version", NULL};
    char line[128];

    if (first_line("gnuplot", argv, line, sizeof(line))) {
        dyno_doctor_say("gnuplot", true, "%s", line);
    } else {
        dyno_doctor_say("gnuplot", false,
                        "no figures can be drawn; tables and databases need none (apt install "
                        "gnuplot-nox)");
    }
}

/* Libraries that dyno is linked with, asked for their own version. */
static void check_linked(void)
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
        dyno_doctor_say(rows[i].name, true, "%s", rows[i].version);
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

static void check_transports(void)
{
    void *ucp = dlopen("libucp.so.0", RTLD_NOW | RTLD_LOCAL);
    const char *(*ask)(void) = NULL;
    void *address = ucp ? dlsym(ucp, "ucp_get_version_string") : NULL;
    int nccl = 0;

    if (optional_version("libnccl.so.2", "ncclGetVersion", &nccl)) {
        dyno_doctor_say("nccl", true, "%d.%d.%d", nccl / 10000, nccl / 100 % 100, nccl % 100);
    } else {
        dyno_doctor_say("nccl", false,
                        "costs simulation nothing; real GPUs could not share one model");
    }
    memcpy(&ask, &address, sizeof(ask));
    dyno_doctor_say("ucx", address != NULL, "%s",
                    address ? ask()
                            : "costs simulation nothing; real workers could not move KV by RDMA");
    if (ucp) {
        dlclose(ucp);
    }
}

/* The few calls of the CUDA driver that say what is there. */
struct cuda {
    int (*init)(unsigned flags);
    int (*version)(int *version);
    int (*count)(int *count);
    int (*name)(char *name, int size, int device);
    int (*memory)(size_t *bytes, int device);
};

static bool load_cuda(void *library, struct cuda *cuda)
{
    const struct {
        const char *symbol;
        void *place;
    } rows[] = {
        {"cuInit", &cuda->init},
        {"cuDriverGetVersion", &cuda->version},
        {"cuDeviceGetCount", &cuda->count},
        {"cuDeviceGetName", &cuda->name},
        {"cuDeviceTotalMem_v2", &cuda->memory},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *address = dlsym(library, rows[i].symbol);

        if (!address) {
            return false;
        }
        memcpy(rows[i].place, &address, sizeof(address));
    }
    return true;
}

/* One line a GPU; a device handle of the driver is its index. */
static void list_gpus(const struct cuda *cuda)
{
    int count = 0, refusal = cuda->init(0);

    if (refusal != 0 || cuda->count(&count) != 0 || count == 0) {
        dyno_doctor_say("gpu", false,
                        "the driver shows none (cuInit: %d); only simulated GPUs, all that "
                        "replay needs",
                        refusal);
    }
    for (int i = 0; i < count; i++) {
        char name[128] = "unnamed";
        size_t bytes = 0;

        cuda->name(name, sizeof(name), i);
        cuda->memory(&bytes, i);
        dyno_doctor_say("gpu", true, "%d: %s, %.1f GiB", i, name, (double)bytes / DYNO_DOCTOR_GIB);
    }
}

static void check_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    struct cuda cuda = {0};
    int version = 0;

    if (!library || !load_cuda(library, &cuda)) {
        dyno_doctor_say("cuda driver", false,
                        "costs simulation nothing; nothing can be measured on a real GPU");
        dyno_doctor_say("gpu", access("/dev/nvidia0", F_OK) == 0, "%s",
                        access("/dev/nvidia0", F_OK) == 0
                            ? "/dev/nvidia0, of no use without the driver"
                            : "none; only simulated GPUs, all that replay needs");
    } else {
        cuda.version(&version);
        dyno_doctor_say("cuda driver", true, "CUDA %d.%d", version / 1000, version % 1000 / 10);
        list_gpus(&cuda);
    }
    if (library) {
        dlclose(library);
    }
}

void dyno_doctor_check_software(void)
{
    check_linked();
    check_gnuplot();
}

void dyno_doctor_check_gpus(void)
{
    check_driver();
    check_transports();
}
