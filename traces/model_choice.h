/* Which of several models a request asks for.
 *
 *   a trace that has a model on its line   that one, by its name
 *   else a tenant that one model is for    that one
 *   else                                   drawn by shares: a conversation's requests all have one
 *
 * What is drawn is a function of the seed and of the session, or of the request's number where it
 * has none, so that it moves no other draw and does not depend on the order of things.  Shares may
 * change as time goes on: those count that hold when the request is due, or, of a generated
 * conversation, when that begins; a recorded one may then ask for one model first and for another
 * later. */
#ifndef DYNO_TRACES_MODEL_CHOICE_H
#define DYNO_TRACES_MODEL_CHOICE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"
#include "core/model/request.h"

enum { DYNO_MODEL_TENANTS_MAX = 16, DYNO_MODEL_SHARES_MAX = 32 };

/* Its share of what is drawn, against those of the others, from a time on. */
struct dyno_model_share {
    dyno_ns from_ns; /* of the first: 0 */
    double share;    /* >= 0 */
};

struct dyno_model_shares {
    uint32_t count;
    struct dyno_model_share of[DYNO_MODEL_SHARES_MAX]; /* [count], ascending */
};

struct dyno_model_choice {
    uint64_t seed;
    uint32_t count; /* models, at most DYNO_MODELS_MAX */
    struct dyno_model_asked {
        const char *name; /* not owned */
        struct dyno_model_shares shares;
        uint32_t tenants[DYNO_MODEL_TENANTS_MAX];
        uint32_t tenant_count;
    } of[DYNO_MODELS_MAX];
};

/* The model of that name; count: there is none. */
uint32_t dyno_model_choice_find(const struct dyno_model_choice *choice, const char *name,
                                size_t length);

/* Of a request, due at `at`, of which nothing else is known; count: no model is for its tenant, and
 * none has a share then. */
uint32_t dyno_model_choice_pick(const struct dyno_model_choice *choice, dyno_ns at, uint64_t id,
                                uint64_t session, uint32_t tenant);

/* "chat, code", for refusals; cut to `size`. */
void dyno_model_choice_list(const struct dyno_model_choice *choice, char *out, size_t size);

#endif
