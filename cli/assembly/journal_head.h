/* The head of a journal: the options of the run, and what its workers were in the end. */
#ifndef DYNO_CLI_ASSEMBLY_JOURNAL_HEAD_H
#define DYNO_CLI_ASSEMBLY_JOURNAL_HEAD_H

#include <stdbool.h>

#include "backends/journal/journal.h"
#include "core/base/options.h"
#include "core/worker/config.h"

enum { DYNO_JOURNAL_TITLE_MAX = 256 };

/* What options do not say: the model and the device said the rest. */
struct dyno_journal_head {
    char title[DYNO_JOURNAL_TITLE_MAX];
    struct dyno_journal_device_kind device; /* predicts: not so in journals from before that was
                                               asked */
    uint64_t block_bytes;                   /* of a block of KV, where such are moved; else 0 */
    uint32_t layers;                        /* that it has, likewise */
    bool cancels;                           /* clients may give up */
    bool starts;                      /* workers fail, are started and stopped for real; not so in
                                         journals from before that was written down */
    dyno_ns start_ns;                 /* then, what a start was expected to take */
    struct dyno_worker_config worker; /* what follows from the model: blocks, context_max,
                                         steps_max, async_scheduling, ingest and response; the rest
                                         is not kept */
};

void dyno_journal_head_write(struct dyno_journal *journal, const struct dyno_options *options,
                             const struct dyno_journal_head *head);

/* Sets the options as they were.  Errors: DYNO_BAD_INPUT (damaged, or of another dyno). */
dyno_status dyno_journal_head_read(struct dyno_journal *journal, struct dyno_options *options,
                                   struct dyno_journal_head *head, struct dyno_error *error);

#endif
