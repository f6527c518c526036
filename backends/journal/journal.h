/* A journal: everything that entered core during a run, in order, so that the run can be fed back.
 *
 * Core asks nobody but its seams.  In front of a clock, a source, a device or two and, where
 * workers compute, of what goes wrong with them, of their starts and of what moves their blocks, a
 * journal writes down what each of them answered, and a digest of what core told them (which
 * sequences it opened, which passes it formed, which blocks it sent where).  Feeding the journal
 * back puts it in their place: core must then ask the same questions in the same order and form the
 * same passes, or the first difference is named.  There is no text and no token in it, only lengths
 * and identities.
 */
#ifndef DYNO_BACKENDS_JOURNAL_JOURNAL_H
#define DYNO_BACKENDS_JOURNAL_JOURNAL_H

#include <signal.h>
#include <stdbool.h>

#include "core/base/status.h"
#include "core/run/clock.h"
#include "core/run/faults.h"
#include "core/run/roster.h"
#include "core/run/source.h"
#include "core/worker/device.h"
#include "core/worker/link.h"

struct dyno_journal;

/* Begin to write `path`, or to read it.  On success *out is closed with dyno_journal_close.
 * Errors: DYNO_IO, DYNO_NOT_FOUND, DYNO_BAD_INPUT (not a journal), DYNO_NO_MEMORY. */
dyno_status dyno_journal_create(struct dyno_journal **out, const char *path,
                                struct dyno_error *error);
dyno_status dyno_journal_read(struct dyno_journal **out, const char *path,
                              struct dyno_error *error);

/* The head: pairs of texts, before everything else; "" and "" end it.  The texts read are the
 * journal's, valid until the next.  Errors: DYNO_BAD_INPUT (cut off, or damaged). */
void dyno_journal_put(struct dyno_journal *journal, const char *name, const char *value);
dyno_status dyno_journal_get(struct dyno_journal *journal, const char **name, const char **value,
                             struct dyno_error *error);

/* The seams.  `real` is what answers, and is closed with the seam; NULL: the journal answers.  A
 * clock is not closed.  `interrupted` (may be NULL) is what ends the run early: noted, or set. */
struct dyno_clock *dyno_journal_clock(struct dyno_journal *journal, struct dyno_clock *real,
                                      const volatile sig_atomic_t *interrupted);
const volatile sig_atomic_t *dyno_journal_interrupted(const struct dyno_journal *journal);
/* Whether clients of `real` may give up, as the head of the journal must tell. */
struct dyno_source *dyno_journal_source(struct dyno_journal *journal, struct dyno_source *real,
                                        bool cancels);

/* What the head of the journal must tell of a device. */
struct dyno_journal_device_kind {
    bool stores_kv, is_real;
    bool predicts; /* what passes take, and is asked */
};

/* There may be two: the other one is of workers behind, that compute prompts. */
struct dyno_device *dyno_journal_device(struct dyno_journal *journal, bool is_behind,
                                        struct dyno_device *real,
                                        const struct dyno_journal_device_kind *kind);

/* What moves blocks, in the same way. */
struct dyno_links *dyno_journal_links(struct dyno_journal *journal, struct dyno_links *real);

/* What goes wrong, in the same way, of workers that compute: they die, and there are
 * `worker_count`. */
struct dyno_faults *dyno_journal_faults(struct dyno_journal *journal, struct dyno_faults *real,
                                        uint32_t worker_count);
/* How workers start; there may be two, likewise.  `real` is copied, and what it points to not
 * owned.
 */
struct dyno_starter dyno_journal_starter(struct dyno_journal *journal, bool is_behind,
                                         const struct dyno_starter *real);

/* Fed back: whether core did the same to the very end, which is where the journal must be now. */
bool dyno_journal_is_whole(struct dyno_journal *journal);

/* What core did so far, by count. */
struct dyno_journal_counts {
    uint64_t events, requests, passes;
};
struct dyno_journal_counts dyno_journal_counted(const struct dyno_journal *journal);

/* Finish and close, whatever comes.  Errors: DYNO_IO (it could not be written), DYNO_BAD_INPUT (fed
 * back: core did something else, or the file is damaged; a sentence says where). */
dyno_status dyno_journal_close(struct dyno_journal *journal, struct dyno_error *error);

#endif
