#include "cli/swarm/promises.h"
#include "cli/assembly/models.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/swarm/storm.h"
#include "core/worker/handoff.h"

/* Tokens of steps that have begun, or are scheduled ahead, when a client gives up. */
enum { TOKENS_UNDERWAY = 2 };

__attribute__((format(printf, 2, 3))) static void
break_promise(struct dyno_swarm_promises *promises, const char *format, ...)
{
    va_list arguments;

    if (promises->broken[0] == '\0') {
        va_start(arguments, format);
        (void)vsnprintf(promises->broken, sizeof promises->broken, format, arguments);
        va_end(arguments);
    }
}

/* FNV-1a over 64-bit words. */
static void mix(struct dyno_swarm_promises *promises, uint64_t word)
{
    promises->digest = (promises->digest ^ word) * 0x100000001b3ULL;
    promises->digest ^= promises->digest >> 29;
}

static void mix_double(struct dyno_swarm_promises *promises, double value)
{
    uint64_t word;

    memcpy(&word, &value, sizeof word);
    mix(promises, word);
}

/* ---- after every turn ------------------------------------------------------------------------ */

/* Blocks are conserved, and nobody is forgotten between two workers. */
static dyno_ns look(struct dyno_clock *clock, dyno_ns deadline)
{
    struct dyno_swarm_promises *promises =
        (struct dyno_swarm_promises *)((uintptr_t)clock -
                                       offsetof(struct dyno_swarm_promises, clock));
    struct dyno_assembly *assembly = promises->assembly;
    dyno_ns now;

    promises->turns++;
    if (assembly->scenario->disagg.policy) {
        dyno_handoff_check(assembly->workers);
    } else if (assembly->fleets) {
        for (uint32_t i = 0; i < dyno_fleets_count(assembly); i++) {
            dyno_local_check(dyno_several_member(assembly->fleets->several, i));
        }
    } else {
        dyno_local_check(assembly->workers);
    }
    now = promises->inner->ops->wait_until(promises->inner, deadline);
    if (now < promises->now || now < deadline) {
        break_promise(promises, "time went back from %" PRIu64 " to %" PRIu64 " ns", promises->now,
                      now);
    }
    promises->now = now;
    return now;
}

static const struct dyno_clock_ops clock_ops = {
    .name = "looked at", .help = "a clock that looks at the fleet", .wait_until = look};

dyno_status dyno_swarm_put_before(void *context, struct dyno_assembly *assembly,
                                  struct dyno_error *error)
{
    struct dyno_swarm_promises *promises = context;

    (void)error;
    promises->assembly = assembly;
    promises->inner = assembly->loop_clock;
    promises->clock.ops = &clock_ops;
    assembly->loop_clock = &promises->clock;
    return dyno_swarm_storm_open(&assembly->source, assembly->source, assembly->answers,
                                 promises->seed, promises->storm);
}

/* ---- records --------------------------------------------------------------------------------- */

static bool note_end(struct dyno_swarm_promises *promises, uint64_t id)
{
    uint64_t capacity = promises->capacity ? promises->capacity : 128;
    unsigned char *larger;

    while (capacity <= id) {
        capacity *= 2;
    }
    if (capacity > promises->capacity) {
        larger = realloc(promises->ended, capacity);
        if (!larger) {
            return false;
        }
        memset(larger + promises->capacity, 0, capacity - promises->capacity);
        promises->ended = larger;
        promises->capacity = capacity;
    }
    if (promises->ended[id] < UINT8_MAX) {
        promises->ended[id]++;
    }
    return true;
}

/* Stamps in their order, with those that are not there at the end of the row. */
static void check_stamps(struct dyno_swarm_promises *promises,
                         const struct dyno_request_record *record)
{
    const dyno_ns stamps[] = {record->scheduled_ns, record->arrival_ns,     record->ready_ns,
                              record->admitted_ns,  record->first_token_ns, record->last_token_ns};
    static const char *const names[] = {"scheduled", "arrival",     "ready",
                                        "admitted",  "first token", "last token"};

    for (int i = 1; i < 6; i++) {
        if (stamps[i] < stamps[i - 1]) {
            break_promise(promises, "request %" PRIu64 ": %s at %" PRIu64 " ns, %s at %" PRIu64,
                          record->id, names[i - 1], stamps[i - 1], names[i], stamps[i]);
        }
    }
    if (record->last_token_ns != DYNO_NEVER &&
        record->first_token_ns + record->transfer_ns > record->last_token_ns) {
        break_promise(promises, "request %" PRIu64 ": its phases are longer than its time",
                      record->id);
    }
}

/* As long as the answer, if the model's context and the worker's blocks have room for it. */
static uint32_t promised_tokens(const struct dyno_swarm_promises *promises,
                                const struct dyno_request_record *record)
{
    const struct dyno_worker_config *worker = &promises->assembly->worker;
    uint64_t room = (uint64_t)worker->blocks * worker->block_tokens - worker->lookahead;
    uint64_t limit =
        worker->context_max > 0 && worker->context_max < room ? worker->context_max : room;
    uint32_t tokens = dyno_swarm_storm_client(promises->assembly->source, record->id).tokens;

    limit = limit > record->prompt_tokens ? limit - record->prompt_tokens : 0;
    return tokens < limit ? tokens : (uint32_t)limit;
}

static void check_tokens(struct dyno_swarm_promises *promises,
                         const struct dyno_request_record *record)
{
    bool is_complete = record->outcome == DYNO_COMPLETED;
    uint32_t promised = promised_tokens(promises, record);

    if (record->output_tokens > promised || (is_complete && record->output_tokens < promised)) {
        break_promise(promises, "request %" PRIu64 " has %" PRIu32 " tokens of %" PRIu32,
                      record->id, record->output_tokens, promised);
    }
    if (record->cached_tokens > record->prompt_tokens) {
        break_promise(promises, "request %" PRIu64 " found %" PRIu32 " tokens of %" PRIu32,
                      record->id, record->cached_tokens, record->prompt_tokens);
    }
    if (is_complete && (record->output_tokens == 0 || record->last_token_ns == DYNO_NEVER)) {
        break_promise(promises, "request %" PRIu64 " is complete without a token", record->id);
    }
    if (is_complete && record->worker == DYNO_NO_WORKER) {
        break_promise(promises, "request %" PRIu64 " is complete, and nobody served it",
                      record->id);
    }
}

/* Only who went on elsewhere as often as he may has failed, or who has nowhere to go, or waited for
 * that too long. */
static void check_migrations(struct dyno_swarm_promises *promises,
                             const struct dyno_request_record *record)
{
    const struct dyno_assembly *assembly = promises->assembly;
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t limit = scenario->faults.migrations_max;
    bool may_time_out = record->migrations > 0 && scenario->queue.timeout_ns > 0;

    if (record->outcome == DYNO_FAILED &&
        !(assembly->faulting.faults &&
          (record->migrations == limit || may_time_out || dyno_roster_is_gone(assembly->roster)))) {
        break_promise(promises, "request %" PRIu64 " failed", record->id);
    }
    if (record->migrations > limit || (record->migrations > 0 && !assembly->faulting.faults)) {
        break_promise(promises, "request %" PRIu64 " went on elsewhere %" PRIu32 " times",
                      record->id, record->migrations);
    }
}

/* Only who gave up is cancelled, and who is refused has no tokens. */
static void check_outcome(struct dyno_swarm_promises *promises,
                          const struct dyno_request_record *record)
{
    dyno_ns gives_up = dyno_swarm_storm_client(promises->assembly->source, record->id).gives_up;
    bool gave_up = gives_up <= promises->now;

    if (gives_up < record->first_token_ns - promises->assembly->worker.response_ns &&
        record->output_tokens > TOKENS_UNDERWAY) {
        break_promise(promises,
                      "request %" PRIu64 " got %" PRIu32 " tokens after its client gave up",
                      record->id, record->output_tokens);
    }
    if (record->outcome == DYNO_CANCELLED_BY_CLIENT && !gave_up) {
        break_promise(promises, "request %" PRIu64 " was cancelled by nobody", record->id);
    }
    check_migrations(promises, record);
    if ((record->outcome == DYNO_REJECTED_PROMPT_TOO_LONG ||
         record->outcome == DYNO_REJECTED_QUEUE_FULL) &&
        record->output_tokens > 0) {
        break_promise(promises, "request %" PRIu64 " was refused with %" PRIu32 " tokens",
                      record->id, record->output_tokens);
    }
}

/* Whose worker it is. */
static uint32_t model_of(const struct dyno_assembly *assembly, uint32_t worker)
{
    uint32_t model = dyno_fleets_count(assembly) - 1;

    while (worker < dyno_fleets_first(assembly, model)) {
        model--;
    }
    return model;
}

/* A request is never served by another model's worker. */
static void check_model(struct dyno_swarm_promises *promises,
                        const struct dyno_request_record *record)
{
    if (record->worker != DYNO_NO_WORKER && promises->assembly->fleets &&
        model_of(promises->assembly, record->worker) != record->model) {
        break_promise(promises,
                      "request %" PRIu64 " of model %" PRIu32 " was served by worker %" PRIu32
                      ", which is another model's",
                      record->id, record->model, record->worker);
    }
}

static void mix_request(struct dyno_swarm_promises *promises,
                        const struct dyno_request_record *record)
{
    const uint64_t words[] = {record->id,          record->worker,         record->prefill_worker,
                              record->outcome,     record->output_tokens,  record->cached_tokens,
                              record->preemptions, record->arrival_ns,     record->ready_ns,
                              record->admitted_ns, record->first_token_ns, record->last_token_ns,
                              record->transfer_ns, record->migrations,     record->onboard_ns};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        mix(promises, words[i]);
    }
}

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_swarm_promises *promises = (struct dyno_swarm_promises *)sink;

    if (!note_end(promises, record->id)) {
        return DYNO_NO_MEMORY;
    }
    if (promises->ended[record->id] > 1) {
        break_promise(promises, "request %" PRIu64 " ended twice", record->id);
    }
    check_stamps(promises, record);
    check_tokens(promises, record);
    check_outcome(promises, record);
    check_model(promises, record);
    promises->records++;
    promises->completed += record->outcome == DYNO_COMPLETED;
    promises->cancelled += record->outcome == DYNO_CANCELLED_BY_CLIENT;
    promises->refused += record->outcome == DYNO_REJECTED_PROMPT_TOO_LONG ||
                         record->outcome == DYNO_REJECTED_QUEUE_FULL;
    promises->cached += record->cached_tokens > 0;
    promises->preemptions += record->preemptions;
    promises->migrated += record->migrations > 0;
    promises->failed += record->outcome == DYNO_FAILED;
    promises->tokens_out += record->output_tokens;
    promises->gaps += record->output_tokens > 0 ? record->output_tokens - 1 : 0;
    mix_request(promises, record);
    return DYNO_OK;
}

static dyno_status on_decision(struct dyno_sink *sink, const struct dyno_decision_record *record)
{
    struct dyno_swarm_promises *promises = (struct dyno_swarm_promises *)sink;
    struct dyno_assembly *assembly = promises->assembly;
    uint32_t model = assembly->fleets ? model_of(assembly, record->worker) : 0;
    const struct dyno_roster *roster =
        model > 0 ? dyno_fleets_of(assembly, model)->planning.roster : assembly->roster;
    uint32_t place = record->worker - dyno_fleets_first(assembly, model);

    if (roster && dyno_roster_state(roster, place) != DYNO_WORKER_READY) {
        break_promise(promises,
                      "request %" PRIu64 " was sent to worker %" PRIu32 ", which does not serve",
                      record->request, record->worker);
    }
    mix(promises, record->request);
    mix(promises, record->at);
    mix(promises, record->worker);
    mix(promises, record->overlap_blocks);
    mix(promises, record->view_age);
    for (uint32_t i = 0; record->scores && i < record->candidate_count; i++) {
        mix_double(promises, record->scores[i]);
    }
    return DYNO_OK;
}

static dyno_status on_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    struct dyno_swarm_promises *promises = (struct dyno_swarm_promises *)sink;

    if (record->blocks_used + (uint64_t)record->blocks_idle > record->blocks_total) {
        break_promise(
            promises, "worker %" PRIu32 " has %" PRIu32 " + %" PRIu32 " of %" PRIu32 " blocks",
            record->worker, record->blocks_used, record->blocks_idle, record->blocks_total);
    }
    mix(promises, record->at);
    mix(promises, record->worker);
    mix(promises, record->running);
    mix(promises, record->waiting);
    mix(promises, record->blocks_used);
    mix(promises, record->blocks_idle);
    mix(promises, record->tokens_out);
    mix(promises, record->busy_ns);
    return DYNO_OK;
}

static dyno_status on_plan(struct dyno_sink *sink, const struct dyno_plan_record *record)
{
    struct dyno_swarm_promises *promises = (struct dyno_swarm_promises *)sink;
    struct dyno_assembly *assembly = promises->assembly;
    const struct dyno_scenario *scenario = dyno_fleets_of(assembly, record->model)->scenario;
    uint32_t weight = assembly->fleets ? scenario->fleet.tp : 1; /* models share GPUs */
    uint32_t most = assembly->fleets ? assembly->fleets->models.budget_gpus
                                     : dyno_planning_workers_max(scenario);
    uint32_t up = record->ready + record->starting + record->draining;

    /* The other role, or the other models, if any, come next. */
    if (strcmp(record->role, "prefill") != 0 && record->model == 0) {
        promises->desired = 0;
        promises->up = 0;
    }
    promises->desired += record->desired * weight;
    promises->up += up * weight;
    if (promises->desired > most || record->desired < scenario->planner.workers_min ||
        promises->up > most) {
        break_promise(promises,
                      "the planner wants %" PRIu32 " workers, of %" PRIu32 " to %" PRIu32
                      "; %" PRIu32 " + %" PRIu32 " + %" PRIu32 " (%s) are there, %" PRIu32
                      " in all",
                      promises->desired, scenario->planner.workers_min, most, record->ready,
                      record->starting, record->draining, record->role, promises->up);
    }
    if (strcmp(record->role, "serve") != 0 && record->ready == 0 &&
        !promises->assembly->faulting.faults) {
        break_promise(promises, "nobody is ready whose role is %s", record->role);
    }
    mix(promises, record->at);
    mix(promises, record->desired);
    mix(promises, record->ready);
    mix(promises, record->starting);
    mix(promises, record->coming);
    mix(promises, record->draining);
    mix(promises, record->lobby);
    return DYNO_OK;
}

static dyno_status on_fault(struct dyno_sink *sink, const struct dyno_fault_record *record)
{
    struct dyno_swarm_promises *promises = (struct dyno_swarm_promises *)sink;

    promises->faults++;
    mix(promises, record->kind);
    mix(promises, record->target);
    mix(promises, record->at);
    mix(promises, record->until);
    mix(promises, record->requests);
    return DYNO_OK;
}

enum { ROUNDED_BYTES = 1000 }; /* transfers are looked at to whole bytes, each of them */

static dyno_status on_link(struct dyno_sink *sink, const struct dyno_link_record *record)
{
    struct dyno_swarm_promises *promises = (struct dyno_swarm_promises *)sink;
    const struct dyno_assembly *assembly = promises->assembly;
    double speed = (double)dyno_topology_link_speed(assembly->linking.places, record->link) / 1e9;
    bool is_shared = strcmp(assembly->scenario->links.sharing, "alone") != 0;

    if (record->busy_ns > record->at - record->since ||
        (is_shared && (double)record->bytes > speed * (double)record->busy_ns + ROUNDED_BYTES)) {
        char name[DYNO_LINK_NAME_MAX];

        dyno_topology_link_name(assembly->linking.places, record->link, name);
        break_promise(promises,
                      "%s, of %.3f bytes a ns, carried %" PRIu64 " in %" PRIu64 " ns of %" PRIu64,
                      name, speed, record->bytes, record->busy_ns, record->at - record->since);
    }
    mix(promises, record->at);
    mix(promises, record->link);
    mix(promises, record->bytes);
    mix(promises, record->busy_ns);
    return DYNO_OK;
}

const struct dyno_sink_ops dyno_swarm_sink_ops = {.name = "promises",
                                                  .request = on_request,
                                                  .decision = on_decision,
                                                  .plan = on_plan,
                                                  .fault = on_fault,
                                                  .sample = on_sample,
                                                  .link = on_link};

/* ---- the end --------------------------------------------------------------------------------- */

void dyno_swarm_conclude(struct dyno_swarm_promises *promises)
{
    const struct dyno_assembly *assembly = promises->assembly;
    const struct dyno_loop_result *result = &assembly->result;
    const struct dyno_metrics *metrics = &assembly->metrics;

    for (uint64_t id = 0; id < result->requests; id++) {
        if (id >= promises->capacity || promises->ended[id] != 1) {
            break_promise(promises, "request %" PRIu64 " never ended", id);
        }
    }
    if (promises->records != result->requests) {
        break_promise(promises, "%" PRIu64 " requests came, and %" PRIu64 " ended",
                      result->requests, promises->records);
    }
    if (!result->cut && !assembly->source->ops->finished(assembly->source)) {
        break_promise(promises, "the run ended before the requests did");
    }
    if (metrics->output_tokens != promises->tokens_out ||
        metrics->completed != promises->completed) {
        break_promise(promises,
                      "the report has %" PRIu64 " requests and %" PRIu64
                      " tokens, its rows %" PRIu64 " and %" PRIu64,
                      metrics->completed, metrics->output_tokens, promises->completed,
                      promises->tokens_out);
    }
    if (metrics->itl.count != promises->gaps) {
        break_promise(promises, "the report has %" PRIu64 " gaps between tokens, its rows %" PRIu64,
                      metrics->itl.count, promises->gaps);
    }
    if (assembly->faulting.faults) {
        const struct dyno_fault_totals *totals = dyno_loop_fault_totals(assembly->loop);

        if (totals->migrated != promises->migrated || totals->lost != promises->failed) {
            break_promise(promises, "the report has other requests that went on elsewhere, or "
                                    "failed, than its rows");
        }
        mix(promises, totals->deaths);
        mix(promises, assembly->totals.tokens_recomputed);
    }
    mix(promises, assembly->totals.peers.hit_blocks);
    mix(promises, assembly->totals.peers.loaded_blocks);
    mix(promises, assembly->totals.peers.lost_blocks);
    for (uint32_t i = 0; i < assembly->totals.tier_count; i++) {
        mix(promises, assembly->totals.tiers[i].hit_blocks);
        mix(promises, assembly->totals.tiers[i].stored_blocks);
        mix(promises, assembly->totals.tiers[i].evicted_blocks);
    }
    mix(promises, result->end_ns);
    mix(promises, result->unfinished);
    mix(promises, assembly->totals.prefill_tokens);
    mix(promises, assembly->totals.decode_tokens);
    mix(promises, assembly->totals.evicted_blocks);
    mix(promises, assembly->totals.preemptions);
    mix(promises, assembly->totals.steps);
}

void dyno_swarm_promises_release(struct dyno_swarm_promises *promises)
{
    free(promises->ended);
    promises->ended = NULL;
}
