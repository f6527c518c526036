/* Admission: in which order requests that wait for a worker are let in.
 *
 * A policy is a row of a table.  Three order single requests; two share what is let in between
 * flows (classes of priority, or tenants) by deficit round robin (Shreedhar and Varghese, 1996):
 * each flow with somebody waiting is visited in turn, may let in so many tokens of prompts more
 * (quantum x weight), and keeps what it did not use while it has somebody waiting.  Within a flow
 * the first to come goes first.
 *
 * Of two flows a and b that both have somebody waiting all the time, the tokens let in, divided by
 * the flow's weight, differ by at most quantum + cost_max / weight_a + cost_max / weight_b.  What
 * is charged later is paid off before anything else, and not in that bound.
 *
 * Nothing is timed and nothing allocated here once the largest queue was seen.
 */
#ifndef DYNO_CORE_ROUTE_ADMIT_H
#define DYNO_CORE_ROUTE_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_ADMIT_CLASSES_MAX = 16, DYNO_ADMIT_WEIGHT_MAX = 1000 };

/* Classes of priority, ascending, each from `priority` up to the next one's; what is below the
 * first belongs to it.  A lower priority is earlier, as in vLLM. */
struct dyno_admit_classes {
    uint32_t count; /* >= 1 */
    struct {
        int32_t priority;
        uint32_t weight; /* 1 .. DYNO_ADMIT_WEIGHT_MAX */
    } of[DYNO_ADMIT_CLASSES_MAX];
};

/* "PRIORITY:WEIGHT,PRIORITY:WEIGHT,...", ascending ("-1:4,0:2,1:1"). */
dyno_status dyno_admit_classes_parse(struct dyno_admit_classes *out, const char *text,
                                     struct dyno_error *error);
uint32_t dyno_admit_class_of(const struct dyno_admit_classes *classes, int32_t priority);

/* What a policy may know of a request. */
struct dyno_admit_request {
    uint32_t tenant; /* 0: none; those without one are one */
    int32_t priority;
    uint32_t cost; /* tokens of its prompt, >= 1 */
};

struct dyno_admit;

struct dyno_admit_policy {
    const char *name, *help;
    /* What to order by, ascending; ties by who came first.  NULL: by flows ... */
    uint64_t (*key)(const struct dyno_admit *admit, const struct dyno_admit_request *request);
    /* ... of which a request belongs to this one, with the flow's weight. */
    uint32_t (*flow)(const struct dyno_admit *admit, const struct dyno_admit_request *request,
                     uint32_t *weight);
};

extern const struct dyno_admit_policy dyno_admit_table[]; /* ends with a row without a name */
const struct dyno_admit_policy *dyno_admit_find(const char *name); /* NULL: there is none */

struct dyno_admit_config {
    const struct dyno_admit_policy *policy; /* NULL: the first row */
    struct dyno_admit_classes classes;      /* count 0: one class */
    uint32_t quantum;                       /* tokens; 0: 1 */
};

/* DYNO_NO_MEMORY. */
dyno_status dyno_admit_open(struct dyno_admit **out, const struct dyno_admit_config *config);
void dyno_admit_close(struct dyno_admit *admit); /* NULL: no effect */

/* Request `place`, the caller's number for it among those that wait, joins.  Numbers are small and
 * used again.  DYNO_NO_MEMORY. */
dyno_status dyno_admit_enter(struct dyno_admit *admit, uint32_t place,
                             const struct dyno_admit_request *request);
/* It goes without having been let in (nothing is charged). */
void dyno_admit_leave(struct dyno_admit *admit, uint32_t place);
/* What a request that was let in before took beside its prompt, known only now: its class or tenant
 * owes so many tokens.  Without effect where nobody of it waits, or requests are ordered. */
void dyno_admit_charge(struct dyno_admit *admit, const struct dyno_admit_request *request,
                       uint32_t tokens);
/* Let one in, of those who wait; there must be one. */
uint32_t dyno_admit_take(struct dyno_admit *admit);

#endif
