/* Traffic as it happens, written down as a trace that can be replayed: when each request came, how
 * long it and its answer were, which blocks of its prompt it shares with others, and how it ended.
 * Never what it said: blocks and sessions are named by salted identities (salt.h).
 *
 * A recording listens in two places: its source stands before the source of requests and sees them
 * come, its sink hears how they end.  Lines are written by a thread of its own:
 *
 *   {"timestamp": 1764254917123.456789, "input_length": 70, "output_length": 5, "outcome":
 *    "completed", "number": 3, "recording": "9c0f1e...", "block_tokens": 16, "hash_ids": [...]}
 *
 * timestamp: Unix time in ms, exact to the ns; number: of the request in its run, for those that
 * came at one instant; model, which one it asked for, where there are several; session_id where
 * there is a session; lost: requests before this one that could not be recorded.  Every line says
 * all that is needed to read it, so that any excerpt of a recording is a trace.
 *
 * Order.  A line is written when its request has ended: nothing is held back, so that a process
 * that is killed loses what was in flight, the queue, and the end of one line.  The reader puts
 * lines in the order of their arrival (a recording is sorted within 65,536 lines).
 *
 * Files.  The file is appended to if it is a recording with this salt, after cutting off a torn
 * last line; one with another salt is set aside as FILE.1 first, for identities of two salts must
 * not be mixed; what is no recording is not touched, and refused.  A file that would grow beyond
 * bytes_max is set aside too: FILE.1 is the youngest, what was FILE.1 becomes FILE.2, and so on.
 *
 * Whoever serves never waits: a queue that is full loses the request, a disk that is full the line;
 * both are counted, and said when it begins and when it ends. */
#ifndef DYNO_TRACES_RECORDING_H
#define DYNO_TRACES_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/request.h"
#include "core/run/sink.h"
#include "core/run/source.h"

enum { DYNO_RECORDING_FILES_MAX = 1000 };

struct dyno_recording_config {
    const char *path;
    const char *salt;             /* a secret; NULL: a random one, so that a recording is continued
                                     by the process that began it only */
    const char *const *models;    /* [model_count] the names of several, clean UTF-8, copied; ... */
    uint32_t model_count;         /* ... 0: there is one, and lines name none */
    uint64_t started_at_ns;       /* Unix time of the run's time 0 */
    uint32_t engine_block_tokens; /* what the spans of requests count in */
    uint32_t block_tokens;        /* what an identity stands for: a multiple of the engine's; 0: the
                                     engine's, which keeps hits to the block */
    uint64_t bytes_max;           /* of a file; 0: without end */
    uint32_t files_max;           /* that are kept beside it, 1 to 1000; 0: ten */
    uint64_t queue_bytes_max;     /* 0: 64 MiB */
    /* Told what an operator should know, from the recording's thread; may be NULL. */
    void (*say)(void *context, const char *text);
    void *context;
};

struct dyno_recording_counts {
    uint64_t recorded; /* lines in files */
    uint64_t lost;     /* requests that are not */
};

struct dyno_recording;

/* On success *out is closed with dyno_recording_close.  Errors: DYNO_BAD_INPUT (not a file, no
 * recording, a size or a salt that is none), DYNO_IO (the system refused; another program records
 * into the file), DYNO_NO_MEMORY. */
dyno_status dyno_recording_open(struct dyno_recording **out,
                                const struct dyno_recording_config *config,
                                struct dyno_error *error);

/* The requests of `inner`, noted as they are taken.  Its close closes `inner` and leaves the
 * recording.  Called once. */
struct dyno_source *dyno_recording_source(struct dyno_recording *recording,
                                          struct dyno_source *inner);
struct dyno_sink *dyno_recording_sink(struct dyno_recording *recording);

/* So far; from any thread. */
struct dyno_recording_counts dyno_recording_counts(struct dyno_recording *recording);

/* Write what is left and close; after the loop has ended and the source was closed.  *counts (may
 * be NULL) are the last. */
void dyno_recording_close(struct dyno_recording *recording, struct dyno_recording_counts *counts);

#endif
