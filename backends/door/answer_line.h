/* A queue of answers, linked through themselves: an answer is in one line at most.  Whoever uses a
 * line holds the lock of its desk.  Private to this folder. */
#ifndef DYNO_BACKENDS_DOOR_ANSWER_LINE_H
#define DYNO_BACKENDS_DOOR_ANSWER_LINE_H

#include "backends/door/answer.h"

/* All zero: empty. */
struct dyno_answer_line {
    struct dyno_answer *first, *last;
};

void dyno_answer_line_add(struct dyno_answer_line *line, struct dyno_answer *answer);

/* The one who came first, who leaves; NULL: there is none. */
struct dyno_answer *dyno_answer_line_next(struct dyno_answer_line *line);

/* No effect where it is not in this line.  Takes as long as the line is. */
void dyno_answer_line_remove(struct dyno_answer_line *line, const struct dyno_answer *answer);

#endif
