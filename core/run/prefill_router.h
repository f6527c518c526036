/* Routing among the workers that compute prompts only: a dispatch of their own, as the hand-off
 * (core/worker/handoff.h) asks it. */
#ifndef DYNO_CORE_RUN_PREFILL_ROUTER_H
#define DYNO_CORE_RUN_PREFILL_ROUTER_H

#include "core/run/dispatch.h"
#include "core/worker/handoff.h"

/* `dispatch` has as many workers as compute prompts; it is not owned. */
struct dyno_handoff_router dyno_prefill_router(struct dyno_dispatch *dispatch);

#endif
