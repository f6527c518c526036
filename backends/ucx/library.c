#include "backends/ucx/library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char library_name[] = "libucp.so.0";

/* It would look at every allocation and answer signals for the whole program, and speak on standard
 * output; what goes wrong is told by those who use it. */
static void quieten(void)
{
    static const char *const words[][2] = {
        {"UCX_MEM_EVENTS", "n"},    {"UCX_HANDLE_ERRORS", "none"},
        {"UCX_ERROR_SIGNALS", ""},  {"UCX_LOG_LEVEL", "fatal"},
        {"UCX_LOG_FILE", "stderr"}, {"UCX_WARN_UNUSED_ENV_VARS", "n"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        (void)setenv(words[i][0], words[i][1], 0);
    }
}

/* ISO C has no cast from a pointer to data to one to a function; POSIX promises the copy. */
static bool find(const struct dyno_ucx_library *ucx, const char *name, void *out)
{
    void *symbol = dlsym(ucx->handle, name);

    memcpy(out, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool find_workers(struct dyno_ucx_library *ucx)
{
    return find(ucx, "ucp_config_read", &ucx->config_read) &&
           find(ucx, "ucp_config_modify", &ucx->config_modify) &&
           find(ucx, "ucp_config_release", &ucx->config_release) &&
           find(ucx, "ucp_init_version", &ucx->init_version) &&
           find(ucx, "ucp_cleanup", &ucx->cleanup) &&
           find(ucx, "ucp_worker_create", &ucx->worker_create) &&
           find(ucx, "ucp_worker_destroy", &ucx->worker_destroy) &&
           find(ucx, "ucp_worker_get_address", &ucx->worker_get_address) &&
           find(ucx, "ucp_worker_release_address", &ucx->worker_release_address) &&
           find(ucx, "ucp_worker_progress", &ucx->worker_progress) &&
           find(ucx, "ucp_worker_get_efd", &ucx->worker_get_efd) &&
           find(ucx, "ucp_worker_arm", &ucx->worker_arm) &&
           find(ucx, "ucp_worker_flush_nbx", &ucx->worker_flush) &&
           find(ucx, "ucp_worker_set_am_recv_handler", &ucx->worker_set_am_recv_handler);
}

static bool find_transfers(struct dyno_ucx_library *ucx)
{
    return find(ucx, "ucp_ep_create", &ucx->ep_create) &&
           find(ucx, "ucp_ep_close_nbx", &ucx->ep_close) &&
           find(ucx, "ucp_am_send_nbx", &ucx->am_send) && find(ucx, "ucp_get_nbx", &ucx->get) &&
           find(ucx, "ucp_put_nbx", &ucx->put) &&
           find(ucx, "ucp_request_check_status", &ucx->request_check_status) &&
           find(ucx, "ucp_request_free", &ucx->request_free) &&
           find(ucx, "ucp_mem_map", &ucx->mem_map) && find(ucx, "ucp_mem_unmap", &ucx->mem_unmap) &&
           find(ucx, "ucp_mem_query", &ucx->mem_query) &&
           find(ucx, "ucp_rkey_pack", &ucx->rkey_pack) &&
           find(ucx, "ucp_rkey_buffer_release", &ucx->rkey_buffer_release) &&
           find(ucx, "ucp_ep_rkey_unpack", &ucx->ep_rkey_unpack) &&
           find(ucx, "ucp_rkey_destroy", &ucx->rkey_destroy) &&
           find(ucx, "ucs_status_string", &ucx->status_string);
}

dyno_status dyno_ucx_library_open(struct dyno_ucx_library *out, struct dyno_error *error)
{
    struct dyno_ucx_library ucx = {0};

    quieten();
    ucx.handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!ucx.handle) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "UCX (%s) is not on this machine, and workers in other processes need it: "
                         "install it (Debian's package is libucx0)",
                         library_name);
    }
    if (!find_workers(&ucx) || !find_transfers(&ucx)) {
        dyno_ucx_library_close(&ucx);
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "%s is not the UCX that this dyno knows (1.13 or later)", library_name);
    }
    *out = ucx;
    return DYNO_OK;
}

void dyno_ucx_library_close(struct dyno_ucx_library *ucx)
{
    if (ucx->handle) {
        (void)dlclose(ucx->handle);
    }
    memset(ucx, 0, sizeof *ucx);
}
