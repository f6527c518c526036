/* The desk between the door and the fleet: requests go over it one way, news of answers the other.
 *
 * The door posts answers (answer.h) and gives them up; the loop sees the desk as its source, and as
 * one of its sinks.  Devices tell answers of tokens from their own threads.  Whoever has something
 * for the loop wakes its clock, or says so with `left`; whoever has news for the door calls `news`.
 * Nobody waits for anybody: a desk that is full is refused at once.
 */
#ifndef DYNO_BACKENDS_DOOR_DESK_H
#define DYNO_BACKENDS_DOOR_DESK_H

#include "backends/door/answer.h"
#include "backends/door/looks.h"
#include "backends/engine/transcript.h"
#include "core/run/clock.h"
#include "core/run/sink.h"
#include "core/run/source.h"

struct dyno_desk;

struct dyno_desk_config {
    uint32_t answers_max;  /* posted, and not ended */
    uint32_t worker_count; /* of the fleet */
    /* How long answers of a device that computes nothing are; NULL: of one that does. */
    struct dyno_answers *lengths;
    struct dyno_transcripts *transcripts; /* where prompts are left; not owned */
    /* What time it is for the loop, and how to wake it: both from any thread. */
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
    /* Instead of waking the loop for what is posted and cancelled, by the door's thread, which has
     * it taken in later; NULL: it is woken. */
    void (*left)(void *context);
    /* There is news, and there was none; from any thread, nothing of the desk's is locked. */
    void (*news)(void *context);
    void *context;
};

/* On success *out is closed with dyno_desk_close, when neither the loop nor a device runs any more,
 * and every answer was released.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_desk_open(struct dyno_desk **out, const struct dyno_desk_config *config);
void dyno_desk_close(struct dyno_desk *desk); /* NULL: no effect */

/* The loop's: a source whose close does nothing, and a sink. */
struct dyno_source *dyno_desk_source(struct dyno_desk *desk);
struct dyno_sink *dyno_desk_sink(struct dyno_desk *desk);

/* ---- the door's, from one thread ---- */

/* The request arrives now.  Errors: DYNO_FULL; then the answer is as it was. */
dyno_status dyno_desk_post(struct dyno_desk *desk, struct dyno_answer *answer);

/* Its client has gone: the fleet need not go on.  News still comes, its end at last. */
void dyno_desk_cancel(struct dyno_desk *desk, const struct dyno_answer *answer);

/* The next answer that has news, with it; NULL: the round is over.  What is new while a round goes
 * on, of answers that it has been to, is for the next one, and `news` is called for it: who hears
 * can write what he has heard before there is more, however fast that comes. */
struct dyno_answer *dyno_desk_news(struct dyno_desk *desk, struct dyno_answer_news *out);

/* What the loop has seen and decided. */
struct dyno_looks *dyno_desk_looks(struct dyno_desk *desk);

/* Nothing will be posted any more: the source is finished when all answers have ended. */
void dyno_desk_finish(struct dyno_desk *desk);

/* Answers posted and not ended, and how many more may be. */
uint32_t dyno_desk_count(struct dyno_desk *desk);
uint32_t dyno_desk_room(struct dyno_desk *desk);

/* ---- whoever ran the loop, when it has ended ---- */

/* Answers that have not ended fail: nobody computes them any more, nothing more can be posted. */
void dyno_desk_abandon(struct dyno_desk *desk);

#endif
