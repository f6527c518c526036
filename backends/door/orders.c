/* Requests on their way to become calls: by the door itself, or by its clerk where that takes long.
 */
#include <string.h>

#include "backends/door/clerk.h"
#include "backends/door/door_parts.h"

static void refuse(struct dyno_door *door, struct dyno_http_exchange *exchange,
                   const struct dyno_openai_error *error, bool generates)
{
    if (generates) {
        dyno_door_refuse_generation(door, exchange, error);
    } else {
        dyno_door_refuse(door, exchange, &door->asker, error, DYNO_S);
    }
}

void dyno_door_fill_order(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          dyno_status status, struct dyno_call *call, const struct dyno_bytes *out,
                          struct dyno_openai_error *error, bool generates)
{
    if (status == DYNO_OK && call) {
        status = dyno_call_start(call, exchange, error);
    } else if (status == DYNO_OK) {
        dyno_door_reply_json(door, exchange, &door->asker, out);
    }
    if (status != DYNO_OK) {
        refuse(door, exchange, error, generates);
    }
}

/* What goes with the client's own trace, if it is valid. */
static const char *trace_state_of(const struct dyno_http_exchange *exchange)
{
    const char *state = dyno_http_exchange_header(exchange, "tracestate");
    bool has_parent = dyno_http_exchange_header(exchange, "traceparent") != NULL;

    return state && has_parent && dyno_trace_state_is_valid(state, strlen(state)) ? state : NULL;
}

static void leave_to_clerk(struct dyno_door *door, struct dyno_http_exchange *exchange,
                           const struct dyno_order *order, dyno_door_maker *make, bool generates)
{
    struct dyno_openai_error error;
    dyno_status status = dyno_clerk_give(door->clerk, exchange, order, make, generates);

    if (status == DYNO_OK) {
        return;
    }
    if (status == DYNO_FULL) {
        (void)dyno_openai_fail(&error, 429, DYNO_OPENAI_CODE_RATE, NULL,
                               "the server has as many long prompts to read as it takes; try "
                               "again later");
    } else {
        (void)dyno_openai_fail_memory(&error);
    }
    refuse(door, exchange, &error, generates);
}

void dyno_door_take_order(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          dyno_door_maker *make, bool generates)
{
    struct dyno_order order = {.asker = door->asker, .trace_state = trace_state_of(exchange)};
    struct dyno_scribe *scribe = &door->scribe;
    struct dyno_call *call = NULL;
    struct dyno_openai_error error;
    dyno_status status = DYNO_OK;

    order.body = dyno_http_exchange_body(exchange, &order.size);
    scribe->hurries = true;
    scribe->gave_up = order.size > DYNO_CLERK_BODY_BYTES;
    if (!scribe->gave_up) {
        status = make(scribe, &order, &call, &error);
    }
    if (scribe->gave_up) {
        leave_to_clerk(door, exchange, &order, make, generates);
        return;
    }
    dyno_door_fill_order(door, exchange, status, call, &scribe->out, &error, generates);
}
