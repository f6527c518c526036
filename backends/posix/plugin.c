#include "backends/posix/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef const struct dyno_route_policy *(*plugin_function)(void);

static const char symbol[] = "dyno_route_plugin";

static dyno_status check_file(const char *path, struct dyno_error *error)
{
    struct stat file;

    if (stat(path, &file) != 0) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "routing policy %s cannot be read: %s", path, strerror(errno));
    }
    if (!S_ISREG(file.st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "routing policy %s is not a file; a shared object (.so) is expected",
                         path);
    }
    return DYNO_OK;
}

/* dlopen searches the system's libraries for a name without a slash.  NULL: refused. */
static void *open_object(const char *path, struct dyno_error *error)
{
    char local[PATH_MAX];
    int length = snprintf(local, sizeof local, "%s%s", strchr(path, '/') ? "" : "./", path);
    void *object;

    if (length < 0 || (size_t)length >= sizeof local) {
        dyno_fail(error, DYNO_BAD_INPUT, "the path of the routing policy is too long: %s", path);
        return NULL;
    }
    object = dlopen(local, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        dyno_fail(error, DYNO_BAD_INPUT,
                  "routing policy %s is not a shared object that can be loaded: %s", path,
                  dlerror());
    }
    return object;
}

static dyno_status check_policy(const struct dyno_route_policy *policy, const char *path,
                                struct dyno_error *error)
{
    const uint32_t known =
        DYNO_ROUTE_NEEDS_OVERLAP | DYNO_ROUTE_NEEDS_ACTIVE | DYNO_ROUTE_NEEDS_GUESSED;

    if (!policy) {
        return dyno_fail(error, DYNO_BAD_INPUT, "routing policy %s: %s() returned no policy", path,
                         symbol);
    }
    if (policy->abi != DYNO_ROUTE_ABI) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "routing policy %s was built for ABI %u of core/route/policy.h, this "
                         "program has %u: build it again with this program's header",
                         path, policy->abi, DYNO_ROUTE_ABI);
    }
    if (!policy->name || !policy->name[0] || !policy->help || !policy->pick) {
        return dyno_fail(error, DYNO_BAD_INPUT, "routing policy %s lacks a %s", path,
                         !policy->name || !policy->name[0] ? "name"
                         : !policy->help                   ? "help line"
                                                           : "pick function");
    }
    if (policy->needs & ~known) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "routing policy %s needs 0x%x, of which this program knows only 0x%x",
                         path, policy->needs, known);
    }
    return DYNO_OK;
}

static dyno_status find_policy(const struct dyno_route_policy **out, void *handle, const char *path,
                               struct dyno_error *error)
{
    void *found = dlsym(handle, symbol);
    const struct dyno_route_policy *policy;
    plugin_function function;

    if (!found) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "routing policy %s has no function %s (see core/route/policy.h)", path,
                         symbol);
    }
    memcpy(&function, &found, sizeof function); /* POSIX: a symbol's address may be a function's */
    policy = function();
    DYNO_TRY(check_policy(policy, path, error));
    *out = policy;
    return DYNO_OK;
}

dyno_status dyno_plugin_open(const struct dyno_route_policy **out, void **handle, const char *path,
                             struct dyno_error *error)
{
    void *object;
    dyno_status status;

    DYNO_TRY(check_file(path, error));
    object = open_object(path, error);
    if (!object) {
        return DYNO_BAD_INPUT;
    }
    status = find_policy(out, object, path, error);
    if (status != DYNO_OK) {
        (void)dlclose(object);
        return status;
    }
    *handle = object;
    return DYNO_OK;
}

void dyno_plugin_close(void *handle)
{
    if (handle) {
        (void)dlclose(handle);
    }
}
