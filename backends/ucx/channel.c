#include "backends/ucx/channel.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE = 1 }; /* the only kind of active message */

/* A message that came, until it is asked for. */
struct inbox {
    char *bytes; /* [capacity] */
    size_t size, capacity;
    bool full;
    struct dyno_ucx_head head;
    ucp_ep_h reply_to;
};

struct dyno_ucx_channel {
    struct dyno_ucx_channel_config config;
    ucp_context_h context;
    ucp_worker_h worker;
    ucp_address_t *address;
    size_t address_size;
    ucp_ep_h other; /* NULL: not connected */
    int events;
    bool broken; /* the other end failed, or said what nobody says */
    uint64_t key, asked;
    struct inbox inbox;
    void *request; /* that is waited for */
};

static const struct dyno_ucx_library *library_of(const struct dyno_ucx_channel *channel)
{
    return channel->config.ucx;
}

static dyno_status fail(const struct dyno_ucx_channel *channel, ucs_status_t status,
                        const char *what, struct dyno_error *error)
{
    return dyno_fail(error, status == UCS_ERR_NO_MEMORY ? DYNO_NO_MEMORY : DYNO_IO, "UCX %s: %s",
                     what, library_of(channel)->status_string(status));
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Whether the connection that the channel lasts for has ended, or its stop was asked for. */
static bool is_over(const struct dyno_ucx_channel *channel)
{
    struct pollfd polled[2] = {{.fd = channel->config.connection, .events = POLLRDHUP},
                               {.fd = channel->config.stop, .events = POLLIN}};

    return poll(polled, 2, 0) > 0;
}

/* Sleep until something happens; false: waiting has ended for good. */
static bool sleep_on(struct dyno_ucx_channel *channel)
{
    struct pollfd polled[3] = {{.fd = channel->events, .events = POLLIN},
                               {.fd = channel->config.connection, .events = POLLRDHUP},
                               {.fd = channel->config.stop, .events = POLLIN}};

    if (library_of(channel)->worker_arm(channel->worker) != UCS_OK) {
        return true; /* there is more to do */
    }
    (void)poll(polled, 3, -1);
    return polled[1].revents == 0 && polled[2].revents == 0;
}

/* Until `is_done`, if there is one, and no further: who asked may have gone since, and what UCX
 * gave to answer by would go with its connection.  false: it never will be. */
static bool await(struct dyno_ucx_channel *channel,
                  bool (*is_done)(const struct dyno_ucx_channel *channel))
{
    for (;;) {
        while (!(is_done && is_done(channel)) &&
               library_of(channel)->worker_progress(channel->worker) > 0) {
        }
        if (is_done && is_done(channel)) {
            return true;
        }
        if (channel->broken || !sleep_on(channel)) {
            channel->broken = true;
            return false;
        }
    }
}

static bool is_heard(const struct dyno_ucx_channel *channel)
{
    return channel->inbox.full;
}

static bool is_complete(const struct dyno_ucx_channel *channel)
{
    return library_of(channel)->request_check_status(channel->request) != UCS_INPROGRESS;
}

/* Until what UCX was asked for is done. */
static dyno_status complete(struct dyno_ucx_channel *channel, void *request)
{
    ucs_status_t status;

    if (!UCS_PTR_IS_PTR(request)) {
        channel->broken = channel->broken || UCS_PTR_IS_ERR(request);
        return UCS_PTR_IS_ERR(request) ? DYNO_WORKER_GONE : DYNO_OK;
    }
    channel->request = request;
    if (!await(channel, is_complete)) {
        library_of(channel)->request_free(request);
        return DYNO_WORKER_GONE;
    }
    status = library_of(channel)->request_check_status(request);
    library_of(channel)->request_free(request);
    channel->broken = channel->broken || status != UCS_OK;
    return status == UCS_OK ? DYNO_OK : DYNO_WORKER_GONE;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool keep(struct inbox *inbox, const void *body, size_t size)
{
    if (size > inbox->capacity) {
        char *grown = realloc(inbox->bytes, size);

        if (!grown) {
            return false;
        }
        inbox->bytes = grown;
        inbox->capacity = size;
    }
    if (size > 0) {
        memcpy(inbox->bytes, body, size);
    }
    inbox->size = size;
    return true;
}

/* What is told late, which nothing forbids, is of no use any more. */
static void hear_layers(struct dyno_ucx_channel *channel, const struct dyno_ucx_head *head,
                        size_t size)
{
    const struct dyno_ucx_channel_config *config = &channel->config;

    if (!config->layers_done || size > 0) {
        channel->broken = true;
    } else if (head->number == channel->asked && !channel->inbox.full) {
        channel->broken = !config->layers_done(config->context, head->layers) || channel->broken;
    }
}

/* One question is answered before the next is asked: a second one breaks the channel, as does one
 * that is too long, or would have to be fetched. */
static ucs_status_t on_message(void *context, const void *header, size_t header_size, void *body,
                               size_t size, const ucp_am_recv_param_t *how)
{
    struct dyno_ucx_channel *channel = context;
    struct inbox *inbox = &channel->inbox;
    struct dyno_ucx_head head;

    if (header_size != sizeof head) {
        return UCS_OK; /* not of ours */
    }
    memcpy(&head, header, sizeof head);
    if (head.key != channel->key) {
        return UCS_OK; /* a stranger, or a session of before */
    }
    if (head.layers > 0) {
        hear_layers(channel, &head, size);
        return UCS_OK;
    }
    if (inbox->full || size > channel->config.body_max ||
        (how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0 || !keep(inbox, body, size)) {
        channel->broken = true;
        return UCS_OK;
    }
    inbox->head = head;
    inbox->reply_to =
        (how->recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) != 0 ? how->reply_ep : NULL;
    inbox->full = true;
    return UCS_OK;
}

static dyno_status send_message(struct dyno_ucx_channel *channel, ucp_ep_h to,
                                const struct dyno_ucx_head *head, const void *body, size_t size,
                                uint32_t flags)
{
    ucp_request_param_t how = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS,
                               .flags = UCP_AM_SEND_FLAG_EAGER | flags};

    return complete(
        channel, library_of(channel)->am_send(to, MESSAGE, head, sizeof *head, body, size, &how));
}

dyno_status dyno_ucx_channel_ask(struct dyno_ucx_channel *channel, struct dyno_ucx_head *head,
                                 const void *question, size_t question_size, const void **body,
                                 size_t *size)
{
    *head = (struct dyno_ucx_head){.key = channel->key, .number = ++channel->asked};
    channel->inbox.full = false;
    if (channel->broken || !channel->other) {
        return DYNO_WORKER_GONE;
    }
    DYNO_TRY(send_message(channel, channel->other, head, question, question_size,
                          UCP_AM_SEND_FLAG_REPLY));
    if (!await(channel, is_heard) || channel->inbox.head.number != channel->asked) {
        channel->broken = true;
        return DYNO_WORKER_GONE;
    }
    *head = channel->inbox.head;
    *body = channel->inbox.bytes;
    *size = channel->inbox.size;
    return DYNO_OK;
}

dyno_status dyno_ucx_channel_hear(struct dyno_ucx_channel *channel, struct dyno_ucx_head *head,
                                  const void **body, size_t *size)
{
    if (!await(channel, is_heard)) {
        return DYNO_WORKER_GONE;
    }
    *head = channel->inbox.head;
    *body = channel->inbox.bytes;
    *size = channel->inbox.size;
    return DYNO_OK;
}

dyno_status dyno_ucx_channel_answer(struct dyno_ucx_channel *channel,
                                    const struct dyno_ucx_head *head, const void *body, size_t size)
{
    ucp_ep_h to = channel->inbox.reply_to;

    channel->inbox.full = false; /* another may come once the answer is there */
    if (!to || channel->broken || is_over(channel)) {
        return DYNO_WORKER_GONE;
    }
    return send_message(channel, to, head, body, size, 0);
}

dyno_status dyno_ucx_channel_tell_layers(struct dyno_ucx_channel *channel, uint32_t layers)
{
    const struct inbox *inbox = &channel->inbox;
    const struct dyno_ucx_head head = {
        .key = channel->key, .number = inbox->head.number, .layers = layers};

    if (!inbox->full || !inbox->reply_to || channel->broken || is_over(channel)) {
        return DYNO_WORKER_GONE;
    }
    return send_message(channel, inbox->reply_to, &head, NULL, 0, 0);
}

void dyno_ucx_channel_serve(struct dyno_ucx_channel *channel)
{
    (void)await(channel, NULL);
}

/* ---- memory ---------------------------------------------------------------------------------- */

dyno_status dyno_ucx_memory_open(struct dyno_ucx_memory *out, struct dyno_ucx_channel *channel,
                                 size_t bytes, struct dyno_error *error)
{
    const struct dyno_ucx_library *ucx = library_of(channel);
    ucp_mem_map_params_t wanted = {.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS |
                                                 UCP_MEM_MAP_PARAM_FIELD_LENGTH |
                                                 UCP_MEM_MAP_PARAM_FIELD_FLAGS,
                                   .length = bytes,
                                   .flags = UCP_MEM_MAP_ALLOCATE};
    ucp_mem_attr_t got = {.field_mask = UCP_MEM_ATTR_FIELD_ADDRESS};
    struct dyno_ucx_memory memory = {0};
    ucs_status_t status = ucx->mem_map(channel->context, &wanted, &memory.handle);

    if (status != UCS_OK) {
        return fail(channel, status, "has no memory that other processes could reach", error);
    }
    status = ucx->mem_query(memory.handle, &got);
    if (status == UCS_OK) {
        memory.at = got.address;
        status = ucx->rkey_pack(channel->context, memory.handle, &memory.key, &memory.key_size);
    }
    if (status != UCS_OK) {
        (void)ucx->mem_unmap(channel->context, memory.handle);
        return fail(channel, status, "has no key to memory", error);
    }
    *out = memory;
    return DYNO_OK;
}

void dyno_ucx_memory_close(struct dyno_ucx_memory *memory, struct dyno_ucx_channel *channel)
{
    if (memory->handle) {
        library_of(channel)->rkey_buffer_release(memory->key);
        (void)library_of(channel)->mem_unmap(channel->context, memory->handle);
    }
    memset(memory, 0, sizeof *memory);
}

dyno_status dyno_ucx_channel_unlock(struct dyno_ucx_channel *channel, ucp_rkey_h *out,
                                    const void *key, struct dyno_error *error)
{
    ucs_status_t status = library_of(channel)->ep_rkey_unpack(channel->other, key, out);

    return status == UCS_OK ? DYNO_OK
                            : fail(channel, status, "cannot reach the worker's memory", error);
}

void dyno_ucx_channel_lock(struct dyno_ucx_channel *channel, ucp_rkey_h key)
{
    library_of(channel)->rkey_destroy(key);
}

/* What is under way is counted by UCX, until the flush. */
static dyno_status begun(struct dyno_ucx_channel *channel, void *request)
{
    if (UCS_PTR_IS_ERR(request)) {
        channel->broken = true;
        return DYNO_WORKER_GONE;
    }
    if (request) {
        library_of(channel)->request_free(request);
    }
    return DYNO_OK;
}

dyno_status dyno_ucx_channel_get(struct dyno_ucx_channel *channel, void *here, size_t size,
                                 uint64_t there, ucp_rkey_h key)
{
    const ucp_request_param_t plain = {0};

    if (channel->broken) {
        return DYNO_WORKER_GONE;
    }
    return begun(channel, library_of(channel)->get(channel->other, here, size, there, key, &plain));
}

dyno_status dyno_ucx_channel_put(struct dyno_ucx_channel *channel, const void *here, size_t size,
                                 uint64_t there, ucp_rkey_h key)
{
    const ucp_request_param_t plain = {0};

    if (channel->broken) {
        return DYNO_WORKER_GONE;
    }
    return begun(channel, library_of(channel)->put(channel->other, here, size, there, key, &plain));
}

dyno_status dyno_ucx_channel_flush(struct dyno_ucx_channel *channel)
{
    const ucp_request_param_t plain = {0};

    if (channel->broken) {
        return DYNO_WORKER_GONE;
    }
    return complete(channel, library_of(channel)->worker_flush(channel->worker, &plain));
}

/* ---- open and close -------------------------------------------------------------------------- */

static void on_failure(void *context, ucp_ep_h other, ucs_status_t status)
{
    struct dyno_ucx_channel *channel = context;

    (void)other;
    (void)status;
    channel->broken = true;
}

static dyno_status open_context(struct dyno_ucx_channel *channel, struct dyno_error *error)
{
    const struct dyno_ucx_library *ucx = library_of(channel);
    bool tcp = channel->config.transport == DYNO_UCX_TCP;
    ucp_params_t wanted = {.field_mask = UCP_PARAM_FIELD_FEATURES,
                           .features = UCP_FEATURE_AM | UCP_FEATURE_RMA | UCP_FEATURE_WAKEUP};
    ucp_config_t *config;
    ucs_status_t status = ucx->config_read(NULL, NULL, &config);

    if (status != UCS_OK) {
        return fail(channel, status, "cannot be configured", error);
    }
    status = ucx->config_modify(config, "TLS", tcp ? "tcp" : "posix,sysv,self");
    if (status == UCS_OK && tcp && channel->config.loopback) {
        status = ucx->config_modify(config, "NET_DEVICES", "lo");
    }
    if (status == UCS_OK) {
        status =
            ucx->init_version(UCP_API_MAJOR, UCP_API_MINOR, &wanted, config, &channel->context);
    }
    ucx->config_release(config);
    return status == UCS_OK ? DYNO_OK : fail(channel, status, "cannot be started", error);
}

static dyno_status open_worker(struct dyno_ucx_channel *channel, struct dyno_error *error)
{
    const struct dyno_ucx_library *ucx = library_of(channel);
    ucp_worker_params_t wanted = {.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE,
                                  .thread_mode = UCS_THREAD_MODE_SERIALIZED};
    ucp_am_handler_param_t hears = {.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID |
                                                  UCP_AM_HANDLER_PARAM_FIELD_CB |
                                                  UCP_AM_HANDLER_PARAM_FIELD_ARG,
                                    .id = MESSAGE,
                                    .cb = on_message,
                                    .arg = channel};
    ucs_status_t status = ucx->worker_create(channel->context, &wanted, &channel->worker);

    if (status != UCS_OK) {
        return fail(channel, status, "has no worker", error);
    }
    status = ucx->worker_set_am_recv_handler(channel->worker, &hears);
    if (status == UCS_OK) {
        status = ucx->worker_get_efd(channel->worker, &channel->events);
    }
    if (status == UCS_OK) {
        status =
            ucx->worker_get_address(channel->worker, &channel->address, &channel->address_size);
    }
    return status == UCS_OK ? DYNO_OK : fail(channel, status, "has no address", error);
}

dyno_status dyno_ucx_channel_open(struct dyno_ucx_channel **out,
                                  const struct dyno_ucx_channel_config *config,
                                  struct dyno_error *error)
{
    struct dyno_ucx_channel *channel = calloc(1, sizeof *channel);
    dyno_status status;

    if (!channel) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a way to another process");
    }
    channel->config = *config;
    status = open_context(channel, error);
    if (status == DYNO_OK) {
        status = open_worker(channel, error);
    }
    if (status != DYNO_OK) {
        dyno_ucx_channel_close(channel);
        return status;
    }
    *out = channel;
    return DYNO_OK;
}

/* What is still under way has to be given up first: UCX does not destroy a worker with requests
 * that an end which is gone did not answer.  Nothing moves any more, so nothing is written either.
 * Over shared memory none wait for an answer, and no end can be given up. */
static void give_up_requests(const struct dyno_ucx_channel *channel)
{
    const ucp_request_param_t how = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS,
                                     .flags = UCP_EP_CLOSE_FLAG_FORCE};
    void *request;

    if (!channel->other || channel->config.transport != DYNO_UCX_TCP) {
        return;
    }
    request = library_of(channel)->ep_close(channel->other, &how);
    if (UCS_PTR_IS_PTR(request)) {
        library_of(channel)->request_free(request);
    }
}

/* The other end may be gone: nobody is asked to agree. */
void dyno_ucx_channel_close(struct dyno_ucx_channel *channel)
{
    const struct dyno_ucx_library *ucx;

    if (!channel) {
        return;
    }
    ucx = library_of(channel);
    if (channel->address) {
        ucx->worker_release_address(channel->worker, channel->address);
    }
    if (channel->worker) {
        give_up_requests(channel);
        ucx->worker_destroy(channel->worker);
    }
    if (channel->context) {
        ucx->cleanup(channel->context);
    }
    free(channel->inbox.bytes);
    free(channel);
}

const void *dyno_ucx_channel_address(const struct dyno_ucx_channel *channel, size_t *size)
{
    *size = channel->address_size;
    return channel->address;
}

void dyno_ucx_channel_listen(struct dyno_ucx_channel *channel, uint64_t key)
{
    channel->key = key;
}

/* Shared memory cannot tell of an end that died, which is why there are descriptors that do. */
dyno_status dyno_ucx_channel_connect(struct dyno_ucx_channel *channel, const void *address,
                                     struct dyno_error *error)
{
    bool tells = channel->config.transport == DYNO_UCX_TCP;
    ucp_ep_params_t to = {
        .field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER,
        .address = address,
        .err_mode = tells ? UCP_ERR_HANDLING_MODE_PEER : UCP_ERR_HANDLING_MODE_NONE,
        .err_handler = {on_failure, channel}};
    ucs_status_t status = library_of(channel)->ep_create(channel->worker, &to, &channel->other);

    if (status != UCS_OK) {
        channel->other = NULL;
        return fail(channel, status,
                    tells ? "does not reach the worker by TCP"
                          : "does not reach the worker by shared memory (TCP may)",
                    error);
    }
    return DYNO_OK;
}
