/* The parts of a journal that its files share; private to this folder. */
#ifndef DYNO_BACKENDS_JOURNAL_JOURNAL_PARTS_H
#define DYNO_BACKENDS_JOURNAL_JOURNAL_PARTS_H

#include <stdio.h>

#include "backends/journal/journal.h"
#include "core/base/map.h"

/* What an event is about; its byte in the file. */
enum dyno_event {
    EVENT_END,
    EVENT_WAIT,
    EVENT_SOURCE_NEXT,
    EVENT_SOURCE_TAKE,
    EVENT_SOURCE_ENDED,
    EVENT_SOURCE_FINISHED,
    EVENT_OPEN,
    EVENT_SHUT,
    EVENT_SUBMIT,
    EVENT_STOP,
    EVENT_PROGRESS,
    EVENT_STEP_START,
    EVENT_REAP,
    EVENT_DEVICE_NEXT,
    EVENT_QUIESCE,
    EVENT_SOURCE_CANCELLED,
    EVENT_FAULT_NEXT,
    EVENT_FAULT_TAKE,
    EVENT_START,
    EVENT_START_LOOK,
    EVENT_START_STOP,
    EVENT_DROP,
    EVENT_BEHIND, /* what follows is of the workers behind */
    EVENT_JOIN,
    EVENT_PREDICT,
    EVENT_LINK_SUBMIT,
    EVENT_LINK_REAP,
    EVENT_LINK_DROP,
    EVENT_LINK_PREDICT,
    EVENT_LINK_NEXT,
    EVENT_KINDS,
};

enum { HEAD_TEXT_MAX = 4096 };

/* A device that a journal stands before. */
struct dyno_journal_device {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_journal *journal;
    bool is_behind;           /* the second of two */
    struct dyno_device *real; /* NULL: the journal answers */
    dyno_ns *boundaries;      /* [boundary_capacity] of the completion fed last */
    uint32_t boundary_capacity;
    uint32_t *ended; /* [ended_capacity] likewise */
    uint32_t ended_capacity;
    /* What core told it, so that nothing impossible is fed to it. */
    struct dyno_map in_flight; /* worker -> steps_max of its pass */
    struct dyno_map open;      /* worker << 32 | slot, of sequences that are open */
};

/* Starts of all workers, or of those behind. */
struct dyno_journal_starter {
    struct dyno_journal *journal;
    bool is_behind;
    struct dyno_starter real; /* all NULL: there is none */
};

struct dyno_journal {
    FILE *file;
    char *path;
    bool writes;
    bool has_no_priorities; /* version 1: all are 0 */
    struct dyno_journal_counts counts;
    struct dyno_error failure; /* status not 0: writing failed, or core went another way */
    char name[HEAD_TEXT_MAX], value[HEAD_TEXT_MAX];
    /* The seams. */
    struct dyno_clock clock;
    struct dyno_clock *real_clock;
    const volatile sig_atomic_t *real_interrupted;
    volatile sig_atomic_t interrupted;
    dyno_ns now; /* of the last wait: times are written as distances from it */
    struct dyno_source source;
    struct dyno_source_ops source_ops;
    struct dyno_source *real_source;
    struct dyno_span *spans; /* [span_capacity] of the request fed last */
    uint32_t span_capacity;
    struct dyno_journal_device devices[2];
    struct dyno_links links;
    struct dyno_links *real_links;
    struct dyno_map on_way; /* fed: transfer -> blocks */
    struct dyno_faults faults;
    struct dyno_faults *real_faults;
    uint32_t worker_count; /* that may die */
    struct dyno_journal_starter starters[2];
};

/* An event begins: written, or expected to be the next one.  False: the run went another way, or
 * the file is at its end; the caller answers something harmless. */
bool dyno_journal_event(struct dyno_journal *journal, enum dyno_event event);

/* A whole number, seven bits a byte: written, or read into *value.  After a failure reads give 0.
 */
void dyno_journal_number(struct dyno_journal *journal, uint64_t *value);

/* A time, as its distance from the last wait's. */
void dyno_journal_time(struct dyno_journal *journal, dyno_ns *value);

/* What core did: written, or compared with what was. */
void dyno_journal_told(struct dyno_journal *journal, enum dyno_event event, uint64_t value);

/* The run goes another way from here: `what` says which. */
void dyno_journal_differs(struct dyno_journal *journal, enum dyno_event event, const char *what);

#endif
