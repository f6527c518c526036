/* What carries messages and memory between two processes. */
#ifndef DYNO_BACKENDS_UCX_TRANSPORT_H
#define DYNO_BACKENDS_UCX_TRANSPORT_H

enum dyno_ucx_transport {
    DYNO_UCX_AUTO, /* shared memory on one machine, else TCP */
    DYNO_UCX_SHARED_MEMORY,
    DYNO_UCX_TCP,
};

#endif
