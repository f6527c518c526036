#include "cli/tune/optimiser.h"

#include <dlfcn.h>
#include <nlopt.h>
#include <stdlib.h>
#include <string.h>

static const char library_name[] = "libnlopt.so.0";

/* What is used of the library; `create` first, the others as in functions[]. */
struct dyno_optimiser {
    void *library;
    __typeof__(nlopt_create) *create;
    __typeof__(nlopt_destroy) *destroy;
    __typeof__(nlopt_set_lower_bounds) *set_lower_bounds;
    __typeof__(nlopt_set_upper_bounds) *set_upper_bounds;
    __typeof__(nlopt_set_max_objective) *set_max_objective;
    __typeof__(nlopt_set_maxeval) *set_maxeval;
    __typeof__(nlopt_set_xtol_rel) *set_xtol_rel;
    __typeof__(nlopt_optimize) *optimize;
    __typeof__(nlopt_version) *version;
};

/* ISO C has no cast from a pointer to data to one to a function; POSIX promises the copy. */
static bool find(void *library, const char *name, void *out)
{
    void *symbol = dlsym(library, name);

    memcpy(out, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool find_all(struct dyno_optimiser *nlopt)
{
    void *library = nlopt->library;

    return find(library, "nlopt_create", &nlopt->create) &&
           find(library, "nlopt_destroy", &nlopt->destroy) &&
           find(library, "nlopt_set_lower_bounds", &nlopt->set_lower_bounds) &&
           find(library, "nlopt_set_upper_bounds", &nlopt->set_upper_bounds) &&
           find(library, "nlopt_set_max_objective", &nlopt->set_max_objective) &&
           find(library, "nlopt_set_maxeval", &nlopt->set_maxeval) &&
           find(library, "nlopt_set_xtol_rel", &nlopt->set_xtol_rel) &&
           find(library, "nlopt_optimize", &nlopt->optimize) &&
           find(library, "nlopt_version", &nlopt->version);
}

dyno_status dyno_optimiser_open(struct dyno_optimiser **out, struct dyno_error *error)
{
    struct dyno_optimiser *nlopt = calloc(1, sizeof *nlopt);

    if (!nlopt) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    nlopt->library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (!nlopt->library) {
        free(nlopt);
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "NLopt (%s) is not on this machine: install it (Debian's package is "
                         "libnlopt0)",
                         library_name);
    }
    if (!find_all(nlopt)) {
        dyno_optimiser_close(nlopt);
        return dyno_fail(error, DYNO_UNSUPPORTED, "%s is not the NLopt that this dyno knows (2.7)",
                         library_name);
    }
    *out = nlopt;
    return DYNO_OK;
}

void dyno_optimiser_close(struct dyno_optimiser *optimiser)
{
    if (optimiser) {
        (void)dlclose(optimiser->library);
        free(optimiser);
    }
}

void dyno_optimiser_version(const struct dyno_optimiser *optimiser, int version[3])
{
    optimiser->version(&version[0], &version[1], &version[2]);
}

static double call(unsigned count, const double *at, double *gradient, void *context)
{
    const struct dyno_optimiser_task *task = context;

    (void)count;
    (void)gradient; /* neither method asks for one */
    return task->function(task->context, at);
}

dyno_status dyno_optimiser_run(const struct dyno_optimiser *optimiser,
                               const struct dyno_optimiser_task *task, double *at,
                               struct dyno_error *error)
{
    nlopt_opt search =
        optimiser->create(task->is_global ? NLOPT_GN_DIRECT_L : NLOPT_LN_SBPLX, task->dimensions);
    nlopt_result result = NLOPT_OUT_OF_MEMORY;
    double greatest;

    if (search && optimiser->set_lower_bounds(search, task->low) > 0 &&
        optimiser->set_upper_bounds(search, task->high) > 0 &&
        optimiser->set_max_objective(search, call, (void *)(uintptr_t)task) > 0 &&
        optimiser->set_maxeval(search, (int)task->calls_max) > 0 &&
        optimiser->set_xtol_rel(search, 1e-4) > 0) {
        result = optimiser->optimize(search, at, &greatest);
    }
    if (search) {
        optimiser->destroy(search);
    }
    /* At the limits of what can be told apart it stops, with the best that it has. */
    if (result > 0 || result == NLOPT_ROUNDOFF_LIMITED) {
        return DYNO_OK;
    }
    return result == NLOPT_OUT_OF_MEMORY
               ? dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a search")
               : dyno_fail(error, DYNO_IO, "NLopt failed with %d", (int)result);
}
