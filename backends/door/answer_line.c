#include "backends/door/answer_line.h"

#include "backends/door/answer_parts.h"

void dyno_answer_line_add(struct dyno_answer_line *line, struct dyno_answer *answer)
{
    answer->next = NULL;
    if (line->last) {
        line->last->next = answer;
    } else {
        line->first = answer;
    }
    line->last = answer;
}

struct dyno_answer *dyno_answer_line_next(struct dyno_answer_line *line)
{
    struct dyno_answer *first = line->first;

    if (first) {
        line->first = first->next;
        line->last = line->first ? line->last : NULL;
    }
    return first;
}

void dyno_answer_line_remove(struct dyno_answer_line *line, const struct dyno_answer *answer)
{
    struct dyno_answer_line rest = {.first = NULL};

    for (struct dyno_answer *each = dyno_answer_line_next(line); each;
         each = dyno_answer_line_next(line)) {
        if (each != answer) {
            dyno_answer_line_add(&rest, each);
        }
    }
    *line = rest;
}
