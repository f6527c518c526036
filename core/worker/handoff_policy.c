/* Which requests are served in halves. */
#include <stdio.h>
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"
#include "core/worker/handoff.h"

static bool never(uint32_t tokens, const struct dyno_handoff_view *view)
{
    (void)tokens;
    (void)view;
    return false;
}

static bool always(uint32_t tokens, const struct dyno_handoff_view *view)
{
    (void)tokens;
    (void)view;
    return true;
}

static bool threshold(uint32_t tokens, const struct dyno_handoff_view *view)
{
    return view->prompt_tokens > tokens;
}

static bool cached_threshold(uint32_t tokens, const struct dyno_handoff_view *view)
{
    return view->prompt_tokens - view->cached_tokens > tokens;
}

/* While prefill workers have less than a pass ahead of them. */
static bool load(uint32_t tokens, const struct dyno_handoff_view *view)
{
    return cached_threshold(tokens, view) && view->tokens_ahead < view->pass_tokens;
}

/* Seconds of requests: its own until it decodes, and what those who decode beside its prompt stand
 * still for.  Others that wait before it are taken to be as long, and caches where prompts are
 * computed to have nothing of it.  A worker that has computed no prompts yet is taken to be as fast
 * as those that have. */
static bool predicted(uint32_t tokens, const struct dyno_handoff_view *view)
{
    const struct dyno_capacity_costs *decode = &view->decode, *prefill = &view->prefill;
    double left = view->prompt_tokens - view->cached_tokens, whole, halves, prompt;

    (void)tokens;
    if (!view->costs_known) {
        return true;
    }
    prompt = left * (decode->prefill_s > 0.0 ? decode->prefill_s : prefill->prefill_s);
    whole = (1.0 + view->waiting) * (decode->base_s + decode->decode_s * view->decoding + prompt) +
            view->decoding * prompt;
    halves = prefill->base_s +
             prefill->prefill_s * ((double)view->tokens_ahead + view->prompt_tokens) + view->move_s;
    return halves < whole;
}

const struct dyno_handoff_policy dyno_handoff_table[] = {
    {.name = "always", .help = "every prompt", .in_halves_ever = true, .in_halves = always},
    {.name = "never", .help = "none: prefill workers idle", .in_halves = never},
    {.name = "threshold",
     .help = "prompts of more than TOKENS",
     .takes_tokens = true,
     .in_halves_ever = true,
     .in_halves = threshold},
    {.name = "cached_threshold",
     .help = "prompts of more than TOKENS that the decoding worker has not cached",
     .takes_tokens = true,
     .in_halves_ever = true,
     .in_halves = cached_threshold},
    {.name = "load",
     .help = "the same, while prefill workers have less than a pass of prompts each ahead of them",
     .takes_tokens = true,
     .in_halves_ever = true,
     .in_halves = load},
    {.name = "predicted",
     .help = "prompts that, by what workers were seen to take, cost fewer request-seconds so",
     .in_halves_ever = true,
     .predicts = true,
     .in_halves = predicted},
    {.name = NULL},
};

static dyno_status refuse(const char *text, const char *why, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX], known[256] = "";
    size_t used = 0;

    for (const struct dyno_handoff_policy *row = dyno_handoff_table; row->name; row++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s%s", used > 0 ? ", " : "",
                                 row->name, row->takes_tokens ? ":TOKENS" : "");
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s %s; known are %s", dyno_quote(quoted, text), why,
                     known);
}

dyno_status dyno_handoff_parse(const struct dyno_handoff_policy **policy, uint32_t *tokens,
                               const char *text, struct dyno_error *error)
{
    size_t length = strcspn(text, ":");
    uint64_t value = 0;

    for (const struct dyno_handoff_policy *row = dyno_handoff_table; row->name; row++) {
        if (strlen(row->name) != length || strncmp(row->name, text, length) != 0) {
            continue;
        }
        if (row->takes_tokens != (text[length] == ':')) {
            return refuse(text,
                          row->takes_tokens ? "does not say how many tokens"
                                            : "is given a number that it does not take",
                          error);
        }
        if (row->takes_tokens &&
            (dyno_parse_u64(text + length + 1, &value) != DYNO_UNITS_OK || value > UINT32_MAX)) {
            return refuse(text, "does not end in a number of tokens", error);
        }
        *policy = row;
        *tokens = (uint32_t)value;
        return DYNO_OK;
    }
    return refuse(text, "is no policy of serving requests in halves", error);
}
