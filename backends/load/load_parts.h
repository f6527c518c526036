/* What load is made of.  Private to backends/load/load*.c. */
#ifndef DYNO_BACKENDS_LOAD_LOAD_PARTS_H
#define DYNO_BACKENDS_LOAD_LOAD_PARTS_H

#include <event2/event.h>

#include "backends/client/client.h"
#include "backends/client/event_stream.h"
#include "backends/load/load.h"

/* A request in flight, or one whose end was not told yet. */
struct dyno_load_request {
    struct dyno_load *load;
    struct dyno_load_request *next, *previous; /* of all */
    struct dyno_load_request *next_news;
    struct dyno_client_exchange *exchange; /* NULL: it has ended */
    struct dyno_request_record record;
    struct dyno_event_stream stream;
    struct dyno_load_text refusal; /* the body of an answer that is no stream */
    struct dyno_client_head head;
    dyno_ns *chunk_ns; /* [chunk_capacity] kept if asked for */
    uint32_t chunk_count, chunk_capacity;
    dyno_ns choices_first_ns, choices_last_ns; /* of chunks with choices, with or without text */
    uint32_t usage_tokens;                     /* of the answer, as the server said */
    bool is_stream;                            /* the answer is one */
    bool has_usage;
    bool is_finished; /* a reason to finish came */
    bool is_done;     /* [DONE] came */
    bool is_news;     /* in the list of news */
    bool is_started;  /* its first token is to be told of, or was */
    bool told_started;
    bool has_ended;
    bool is_cancelled;              /* its client has gone */
    char why[DYNO_LOAD_REASON_MAX]; /* it failed; "": it did not */
};

struct dyno_load {
    struct dyno_workers workers;
    struct dyno_clock clock;
    struct dyno_load_config config;
    struct dyno_load_task task;
    struct event_base *base;
    struct dyno_client *client;
    struct event *timer; /* of a timerfd: to the nanosecond */
    int timer_descriptor;
    dyno_ns timer_ns;      /* when it will wake us, or did */
    dyno_ns origin_ns;     /* of the run */
    dyno_ns cpu_origin_ns; /* of this thread, then */
    dyno_ns last_ns;       /* what the clock said last */
    struct dyno_load_request *requests;
    struct dyno_load_request *news, *news_last; /* in the order in which they came */
    uint32_t in_flight;
    struct dyno_histogram lag, ttft_sent;
    struct dyno_load_text body; /* of the request being sent */
    uint64_t bytes_read;
    uint64_t tokens_out;
    struct dyno_load_reason reasons[DYNO_LOAD_REASONS_MAX];
    uint32_t reason_count;
    uint64_t reasons_left_out;
};

/* Write the body of a request to load->body.  DYNO_NO_MEMORY. */
dyno_status dyno_load_write_body(struct dyno_load *load, const struct dyno_request *request);

/* Post what is in load->body for `asked`; that it cannot be is news.  DYNO_NO_MEMORY. */
dyno_status dyno_load_request_send(struct dyno_load *load, const struct dyno_request *asked);

/* Its client has gone: nothing more is heard of it, and its end is news. */
void dyno_load_request_cancel(struct dyno_load_request *request);

/* Give back; it is in no list of news. */
void dyno_load_request_free(struct dyno_load_request *request);

/* Complete the record of a request that has ended: what became of it, and how many tokens. */
void dyno_load_request_judge(struct dyno_load_request *request);

/* The path below the server's address. */
const char *dyno_load_path(const struct dyno_load *load, const char *path);

#endif
