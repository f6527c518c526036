/* A channel: one process's end of a way to another one, over UCX, for one thread.
 *
 * Messages go one at a time: a question and its answer (active messages), before which the other
 * end may tell how far it has come.  Memory that the other end has registered is read and written
 * without asking it (remote memory access).  Everything here belongs to the one thread that uses
 * the channel, and only moves while that thread is in one of these functions; the thread may be
 * another one later.  Whoever waits sleeps, until something comes, or a connection ends or a
 * descriptor becomes readable, which ends all waiting for good.
 */
#ifndef DYNO_BACKENDS_UCX_CHANNEL_H
#define DYNO_BACKENDS_UCX_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/ucx/library.h"
#include "backends/ucx/transport.h"

struct dyno_ucx_channel;

struct dyno_ucx_channel_config {
    const struct dyno_ucx_library *ucx; /* not owned */
    enum dyno_ucx_transport transport;  /* not AUTO */
    bool loopback;                      /* TCP: this machine only */
    size_t body_max;                    /* of a message that comes: a longer one breaks it */
    int connection, stop;               /* the connection and the descriptor; -1: none; not owned */
    /* Told while a question is asked, by the thread that asks: so many layers of what it asks for
     * are computed, as the other end says; false: that cannot be, and breaks the channel.  NULL: so
     * does whatever is told. */
    bool (*layers_done)(void *context, uint32_t layers);
    void *context; /* not owned */
};

/* What goes before a message's body. */
struct dyno_ucx_head {
    uint64_t key;     /* of the session: what has another is not heard */
    uint64_t number;  /* of the question; its answer has the same */
    uint64_t took_ns; /* answers: what was computed took so long */
    uint32_t refused; /* answers: 1: the body is a sentence that says why */
    uint32_t layers;  /* > 0: this is no answer yet, but so many layers of it are computed */
};

/* On success *out is closed with dyno_ucx_channel_close.  Errors: DYNO_NO_MEMORY, DYNO_IO (UCX's
 * reason). */
dyno_status dyno_ucx_channel_open(struct dyno_ucx_channel **out,
                                  const struct dyno_ucx_channel_config *config,
                                  struct dyno_error *error);
void dyno_ucx_channel_close(struct dyno_ucx_channel *channel); /* NULL: nothing */

/* Where others reach it: bytes[*size], the channel's until it closes. */
const void *dyno_ucx_channel_address(const struct dyno_ucx_channel *channel, size_t *size);

/* Messages of this session only. */
void dyno_ucx_channel_listen(struct dyno_ucx_channel *channel, uint64_t key);

/* The end to which questions and memory access go, once.  DYNO_IO: not reachable so. */
dyno_status dyno_ucx_channel_connect(struct dyno_ucx_channel *channel, const void *address,
                                     struct dyno_error *error);

/* Send a question and wait for its answer, whose head is in *head then: body[*size], the channel's
 * until the next call.  DYNO_WORKER_GONE: there will be none. */
dyno_status dyno_ucx_channel_ask(struct dyno_ucx_channel *channel, struct dyno_ucx_head *head,
                                 const void *question, size_t question_size, const void **body,
                                 size_t *size);

/* Wait for a question, and answer the one that came last. */
dyno_status dyno_ucx_channel_hear(struct dyno_ucx_channel *channel, struct dyno_ucx_head *head,
                                  const void **body, size_t *size);
dyno_status dyno_ucx_channel_answer(struct dyno_ucx_channel *channel,
                                    const struct dyno_ucx_head *head, const void *body,
                                    size_t size);

/* Tell who asked the question that came last, before it is answered: so many layers of what it asks
 * for are computed.  Without an answer nobody counts on being told. */
dyno_status dyno_ucx_channel_tell_layers(struct dyno_ucx_channel *channel, uint32_t layers);

/* Serve what others do to this end's memory, until waiting ends. */
void dyno_ucx_channel_serve(struct dyno_ucx_channel *channel);

/* Memory that others may reach, all zero, and the key to it: bytes[*key_size], until it is given
 * back, before the channel closes. */
struct dyno_ucx_memory {
    ucp_mem_h handle; /* NULL: none */
    void *at;
    void *key;
    size_t key_size;
};

/* Errors: DYNO_NO_MEMORY, DYNO_IO (in words). */
dyno_status dyno_ucx_memory_open(struct dyno_ucx_memory *out, struct dyno_ucx_channel *channel,
                                 size_t bytes, struct dyno_error *error);
void dyno_ucx_memory_close(struct dyno_ucx_memory *memory, struct dyno_ucx_channel *channel);

/* Memory of the other end, by the key that it told. */
dyno_status dyno_ucx_channel_unlock(struct dyno_ucx_channel *channel, ucp_rkey_h *out,
                                    const void *key, struct dyno_error *error);
void dyno_ucx_channel_lock(struct dyno_ucx_channel *channel, ucp_rkey_h key);

/* Begin to read [there, + size) of the other end into `here`, or to write it; done when
 * dyno_ucx_channel_flush returns. All: DYNO_WORKER_GONE, after which nothing is known of `here`. */
dyno_status dyno_ucx_channel_get(struct dyno_ucx_channel *channel, void *here, size_t size,
                                 uint64_t there, ucp_rkey_h key);
dyno_status dyno_ucx_channel_put(struct dyno_ucx_channel *channel, const void *here, size_t size,
                                 uint64_t there, ucp_rkey_h key);
dyno_status dyno_ucx_channel_flush(struct dyno_ucx_channel *channel);

#endif
