/* `dyno doctor`, CUDA: what the driver lets a program use, and whether --device cuda would work
 * here.  The driver is asked through the loader, in a build without CUDA too. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor/doctor.h"

enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 }; /* the driver's numbers of attributes */
enum { TOLD_MAJOR = 1000, TOLD_MINOR = 10 };           /* of its version */

/* The few calls of the CUDA driver that say what is there. */
struct cuda {
    int told; /* for which CUDA the driver is: 13010 is 13.1 */
    int (*init)(unsigned flags);
    int (*version)(int *version);
    int (*count)(int *count);
    int (*name)(char *name, int size, int device);
    int (*memory)(size_t *bytes, int device);
    int (*attribute)(int *value, int which, int device);
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
        {"cuDeviceGetAttribute", &cuda->attribute},
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

/* Were kernels built for a GPU of this compute capability?  `built` is a list such as
 * "8.0 9.0a 10.0": code for 8.0 runs on every 8.x that is not older, code with an 'a' only there.
 */
static bool has_kernels(const char *built, int major, int minor)
{
    for (const char *at = built; *at;) {
        char *end;
        long code_major = strtol(at, &end, 10);
        long code_minor = *end == '.' ? strtol(end + 1, &end, 10) : 0;
        bool is_exact = *end == 'a';

        if (code_major == major && (is_exact ? code_minor == minor : code_minor <= minor)) {
            return true;
        }
        at = end + is_exact;
        at += strspn(at, " ");
    }
    return false;
}

/* The first GPU that the driver shows to this process and for which there are kernels, or -1. */
static int usable_gpu(const struct cuda *cuda, int count)
{
    for (int i = 0; i < count; i++) {
        int major = 0, minor = 0;

        if (cuda->attribute(&major, CAPABILITY_MAJOR, i) == 0 &&
            cuda->attribute(&minor, CAPABILITY_MINOR, i) == 0 &&
            has_kernels(DYNO_BUILD_CUDA, major, minor)) {
            return i;
        }
    }
    return -1;
}

/* One line a GPU, where the management library has said nothing; a device handle of the driver is
 * its index. */
static void list_gpus(struct dyno_doctor *doctor, const struct cuda *cuda, int count)
{
    for (int i = 0; i < count; i++) {
        char name[128] = "unnamed";
        size_t bytes = 0;

        (void)cuda->name(name, sizeof(name), i);
        (void)cuda->memory(&bytes, i);
        dyno_doctor_say(doctor, "gpu", true, "%d: %s, %.1f GiB", i, name,
                        (double)bytes / DYNO_DOCTOR_GIB);
    }
}

/* Says "cuda driver"; `count` GPUs are shown to this process. */
static bool check_driver(struct dyno_doctor *doctor, void *library, struct cuda *cuda, int *count)
{
    int refusal;

    if (!library || !load_cuda(library, cuda)) {
        dyno_doctor_say(doctor, "cuda driver", false,
                        "costs simulation nothing; to compute on a GPU install NVIDIA's driver "
                        "(libcuda.so.1)");
        return false;
    }
    (void)cuda->version(&cuda->told);
    refusal = cuda->init(0);
    if (refusal != 0) {
        dyno_doctor_say(doctor, "cuda driver", false,
                        "there for CUDA %d.%d, but it does not start (cuInit: %d): is the kernel "
                        "module loaded, and may this user open /dev/nvidia*?",
                        cuda->told / TOLD_MAJOR, cuda->told % TOLD_MAJOR / TOLD_MINOR, refusal);
        return false;
    }
    (void)cuda->count(count);
    dyno_doctor_say(doctor, "cuda driver", true, "CUDA %d.%d, %d GPU%s shown to this process",
                    cuda->told / TOLD_MAJOR, cuda->told % TOLD_MAJOR / TOLD_MINOR, *count,
                    *count == 1 ? "" : "s");
    return true;
}

/* The library that products are computed with. */
static bool check_cublas(struct dyno_doctor *doctor)
{
    enum { MAJOR = 10000, MINOR = 100 }; /* 13.0.2 is 130002 */
    void *library = dlopen(DYNO_BUILD_CUBLAS_LT, RTLD_NOW | RTLD_LOCAL);
    void *address = library ? dlsym(library, "cublasLtGetVersion") : NULL;
    size_t (*ask)(void) = NULL;
    size_t version = 0;

    memcpy(&ask, &address, sizeof(ask));
    if (ask) {
        version = ask();
        dyno_doctor_say(doctor, "cublaslt", true, "%zu.%zu.%zu", version / MAJOR,
                        version % MAJOR / MINOR, version % MINOR);
    } else {
        dyno_doctor_say(doctor, "cublaslt", false,
                        "costs simulation nothing; GPUs compute products with " DYNO_BUILD_CUBLAS_LT
                        ": install it, or name its folder in LD_LIBRARY_PATH");
    }
    if (library) {
        (void)dlclose(library);
    }
    return ask != NULL;
}

/* A program runs with drivers of its toolkit's major version, or of a later one. */
static bool is_too_old(const struct cuda *cuda)
{
    return cuda->told / TOLD_MAJOR < strtol(DYNO_BUILD_CUDA_TOOLKIT, NULL, 10);
}

static void say_verdict(struct dyno_doctor *doctor, bool has_driver, const struct cuda *cuda,
                        int count, int gpu, bool has_cublas)
{
    const char *why = NULL;

    if (!*DYNO_BUILD_CUDA) {
        why = "this build has no CUDA device: cmake --preset portable-cuda makes one that has";
    } else if (!has_driver) {
        why = "no driver";
    } else if (is_too_old(cuda)) {
        why = "the driver is older than this build's CUDA, which is " DYNO_BUILD_CUDA_TOOLKIT
              ": update it, or build with an older toolkit";
    } else if (count == 0) {
        why = "no GPU is shown to this process: is CUDA_VISIBLE_DEVICES set?";
    } else if (gpu < 0) {
        why = "no kernels for these GPUs: build with DYNO_CUDA_ARCHITECTURES for them";
    } else if (!has_cublas) {
        why = "no cuBLASLt";
    }
    if (why) {
        dyno_doctor_say(doctor, "cuda", false, "--device cuda does not work here: %s", why);
    } else {
        dyno_doctor_say(doctor, "cuda", true, "--device cuda computes here, on GPU %d", gpu);
    }
}

void dyno_doctor_check_gpus(struct dyno_doctor *doctor)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    struct cuda cuda = {0};
    bool is_listed = dyno_doctor_list_gpus(doctor), has_driver, has_cublas;
    int count = 0;

    has_driver = check_driver(doctor, library, &cuda, &count);
    if (has_driver && !is_listed) {
        list_gpus(doctor, &cuda, count);
    }
    if (!is_listed && count == 0) {
        dyno_doctor_say(doctor, "gpu", false, "none; only simulated GPUs, all that replay needs");
    }
    has_cublas = check_cublas(doctor);
    say_verdict(doctor, has_driver, &cuda, count, has_driver ? usable_gpu(&cuda, count) : -1,
                has_cublas);
    if (library) {
        (void)dlclose(library);
    }
}
