/* UCX, which moves messages and memory between processes: found when it is needed, as loading it
 * costs every program that has it and changes how it takes memory and hears signals.
 *
 * Before it is loaded it is told not to (UCX_MEM_EVENTS, UCX_HANDLE_ERRORS, ...), unless the
 * environment says otherwise, so it is to be opened while no other thread looks at that.
 */
#ifndef DYNO_BACKENDS_UCX_LIBRARY_H
#define DYNO_BACKENDS_UCX_LIBRARY_H

#include <ucp/api/ucp.h>

#include "core/base/status.h"

struct dyno_ucx_library {
    void *handle;
    __typeof__(ucp_config_read) *config_read;
    __typeof__(ucp_config_modify) *config_modify;
    __typeof__(ucp_config_release) *config_release;
    __typeof__(ucp_init_version) *init_version;
    __typeof__(ucp_cleanup) *cleanup;
    __typeof__(ucp_worker_create) *worker_create;
    __typeof__(ucp_worker_destroy) *worker_destroy;
    __typeof__(ucp_worker_get_address) *worker_get_address;
    __typeof__(ucp_worker_release_address) *worker_release_address;
    __typeof__(ucp_worker_progress) *worker_progress;
    __typeof__(ucp_worker_get_efd) *worker_get_efd;
    __typeof__(ucp_worker_arm) *worker_arm;
    __typeof__(ucp_worker_flush_nbx) *worker_flush;
    __typeof__(ucp_worker_set_am_recv_handler) *worker_set_am_recv_handler;
    __typeof__(ucp_ep_create) *ep_create;
    __typeof__(ucp_ep_close_nbx) *ep_close;
    __typeof__(ucp_am_send_nbx) *am_send;
    __typeof__(ucp_get_nbx) *get;
    __typeof__(ucp_put_nbx) *put;
    __typeof__(ucp_request_check_status) *request_check_status;
    __typeof__(ucp_request_free) *request_free;
    __typeof__(ucp_mem_map) *mem_map;
    __typeof__(ucp_mem_unmap) *mem_unmap;
    __typeof__(ucp_mem_query) *mem_query;
    __typeof__(ucp_rkey_pack) *rkey_pack;
    __typeof__(ucp_rkey_buffer_release) *rkey_buffer_release;
    __typeof__(ucp_ep_rkey_unpack) *ep_rkey_unpack;
    __typeof__(ucp_rkey_destroy) *rkey_destroy;
    __typeof__(ucs_status_string) *status_string;
};

/* On success dyno_ucx_library_close; it stays loaded nevertheless.
 * Errors: DYNO_NOT_FOUND (it is not on this machine), DYNO_UNSUPPORTED (another one). */
dyno_status dyno_ucx_library_open(struct dyno_ucx_library *out, struct dyno_error *error);
void dyno_ucx_library_close(struct dyno_ucx_library *ucx); /* all zero: nothing */

#endif
