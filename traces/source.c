/* The paced source: rows in, requests out at their time.
 *
 * A row that was read is BLOCKED while it waits for a request that has not ended, else READY at a
 * known time.  Rows are read only until one is ready no later than the row read last: no row after
 * it can come earlier, because `at` never goes back.
 *
 *   (read) -> BLOCKED [admit]    it waits for something unfinished
 *   (read) -> READY   [admit]    at max(its timestamp, end of what it waited for + its delay)
 *   BLOCKED -> READY  [release]  the last request it waits for ended
 *   READY -> (sent)   [take]     when a client is free
 *
 * Memory: shelf.h says how many rows are held at most.  When so many are blocked that the shelf is
 * full, reading pauses: what stands behind is sent late, and says so by its arrival being later
 * than its schedule. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/array.h"
#include "core/base/usual.h"
#include "traces/clients.h"
#include "traces/order.h"
#include "traces/rows.h"
#include "traces/shelf.h"
#include "traces/source.h"
#include "traces/waiting.h"

enum { CLIENTS_MAX = 1 << 24 };

struct paced {
    struct dyno_source source; /* first: a struct dyno_source * is one of these */
    struct dyno_rows *rows;
    struct dyno_answers *answers;
    struct dyno_pacing_config pacing;
    uint32_t max_tokens;

    struct dyno_shelf shelf;
    struct dyno_order ready; /* by time and sequence */
    struct dyno_waiting waiting;
    struct dyno_map nodes; /* request in flight -> its node, where it has one */
    struct dyno_clients clients;
    struct dyno_span *spans; /* [span_capacity]: of the request taken last */
    uint32_t span_capacity;

    uint64_t sequence; /* of the next row */
    uint64_t next_id;  /* of the next request */
    uint64_t in_flight;
    dyno_ns read_at;  /* the run's time of the row read last */
    dyno_ns sent_ns;  /* when the last request was sent */
    dyno_ns known_ns; /* the latest time anybody told us */
    bool was_full;    /* reading is paused */
    dyno_ns floor_ns; /* when it last went on after a pause: nothing is sent before */
    bool rows_ended;
    dyno_ns next_ns;           /* right while source.known_next is not 0 */
    struct dyno_error failure; /* status not 0: the next take fails so */
};

static struct paced *paced_of(const struct dyno_source *source)
{
    return (struct paced *)(uintptr_t)source;
}

static dyno_ns scaled(const struct paced *paced, dyno_ns time)
{
    double slower;

    if (!DYNO_RARELY(paced->pacing.speedup != 1.0)) {
        return time;
    }
    slower = (double)time / paced->pacing.speedup;
    return slower < 9e18 ? (dyno_ns)slower : (dyno_ns)9e18;
}

static dyno_status no_memory(const struct paced *paced, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory for a request", paced->rows->name);
}

/* All that the slot waited for has ended: it may be sent from now on. */
static bool make_ready(struct paced *paced, uint32_t slot, bool has_waited)
{
    const struct dyno_slot *about = &paced->shelf.slots[slot];
    dyno_ns at = about->at;

    if (has_waited) {
        dyno_ns after = about->ended_ns + scaled(paced, about->row.delay);

        at = at > after ? at : after;
    }
    return dyno_order_push(&paced->ready, (struct dyno_order_item){
                                              .at = at, .sequence = about->sequence, .slot = slot});
}

/* The caller of dyno_waiting_end has no way to fail: what goes wrong is told by the next take. */
static void release(void *context, uint32_t slot, dyno_ns at)
{
    struct paced *paced = context;
    struct dyno_slot *about = &paced->shelf.slots[slot];

    about->ended_ns = about->ended_ns > at ? about->ended_ns : at;
    if (--about->waits_left == 0 && !make_ready(paced, slot, true)) {
        (void)no_memory(paced, &paced->failure);
    }
}

static dyno_status refuse_untimed(const struct paced *paced, const struct dyno_row *row,
                                  struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s:%" PRIu64
                     ":1: the request has no timestamp and waits for nothing; expected "
                     "a timestamp, or a closed loop (--concurrency N)",
                     paced->rows->name, row->line);
}

/* Take in the row in `slot`.  DYNO_BAD_INPUT: the row is bad, nothing was changed. */
static dyno_status admit(struct paced *paced, uint32_t slot, struct dyno_error *error)
{
    struct dyno_slot *about = &paced->shelf.slots[slot];
    bool is_closed = paced->pacing.pacing == DYNO_CLOSED_LOOP;
    struct dyno_admission admission;

    DYNO_TRY(dyno_waiting_admit(&paced->waiting, slot, &about->row, paced->rows->name, &admission,
                                error));
    if (!is_closed && !paced->pacing.untimed_ok && !about->row.has_at && !admission.has_waited) {
        error->status = DYNO_UNSUPPORTED; /* not a bad row: the whole trace is of another kind */
        (void)refuse_untimed(paced, &about->row, error);
        return DYNO_UNSUPPORTED;
    }
    paced->rows->counts.sessions += admission.begins_session;
    about->sequence = paced->sequence++;
    about->at = is_closed ? 0 : scaled(paced, about->row.at);
    about->ended_ns = admission.ended_ns;
    about->waits_left = admission.waits_left;
    about->node = admission.node;
    paced->read_at = about->at;
    dyno_shelf_put(&paced->shelf, slot);
    if (about->waits_left == 0 && !make_ready(paced, slot, admission.has_waited)) {
        return no_memory(paced, error);
    }
    return DYNO_OK;
}

static dyno_status read_one(struct paced *paced, struct dyno_error *error)
{
    uint32_t slot = dyno_shelf_slot(&paced->shelf);
    dyno_status status;
    bool got;

    if (DYNO_RARELY(slot == DYNO_SLOT_NONE)) {
        return no_memory(paced, error);
    }
    DYNO_TRY(paced->rows->ops->read(paced->rows, &paced->shelf.slots[slot].row, &got, error));
    if (DYNO_RARELY(!got)) {
        paced->rows_ended = true;
        dyno_shelf_drop(&paced->shelf, slot);
        return dyno_waiting_check(&paced->waiting, paced->rows->name, true, error);
    }
    status = admit(paced, slot, error);
    if (DYNO_RARELY(status == DYNO_BAD_INPUT)) {
        dyno_shelf_drop(&paced->shelf, slot);
        status = dyno_rows_reject(paced->rows, error);
    }
    DYNO_TRY(status);
    return dyno_waiting_check(&paced->waiting, paced->rows->name, false, error);
}

/* Nothing is ready, nothing in flight, and rows are left: they wait in a circle. */
static dyno_status refuse_circle(const struct paced *paced, struct dyno_error *error)
{
    const struct dyno_row *row = &dyno_shelf_first_waiting(&paced->shelf)->row;

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s:%" PRIu64 ":%" PRIu32
                     ": requests wait for each other in a circle; this is "
                     "the first of them",
                     paced->rows->name, row->line, row->waits_column);
}

/* Read until the request that comes next is known. */
static dyno_status read_ahead(struct paced *paced, struct dyno_error *error)
{
    while (!paced->rows_ended &&
           (paced->ready.count == 0 || paced->ready.items[0].at > paced->read_at)) {
        if (DYNO_RARELY(dyno_shelf_is_full(&paced->shelf))) {
            paced->was_full = true;
            break;
        }
        if (DYNO_RARELY(paced->was_full)) {
            paced->was_full = false;
            paced->floor_ns = paced->known_ns;
        }
        DYNO_TRY(read_one(paced, error));
    }
    if (paced->ready.count > 0 || paced->in_flight > 0 || paced->shelf.rows == 0) {
        return DYNO_OK;
    }
    return refuse_circle(paced, error);
}

static dyno_ns settle(struct paced *paced)
{
    dyno_ns free_at = dyno_clients_free_at(&paced->clients), at;
    dyno_status status = paced->failure.status;

    if (status == DYNO_OK && free_at != DYNO_NEVER) {
        status = read_ahead(paced, &paced->failure);
        paced->failure.status = status;
    }
    if (status != DYNO_OK) {
        return paced->sent_ns; /* take is to come at once and tell */
    }
    if (free_at == DYNO_NEVER || paced->ready.count == 0) {
        return DYNO_NEVER;
    }
    at = paced->ready.items[0].at;
    at = at > free_at ? at : free_at;
    at = at > paced->floor_ns ? at : paced->floor_ns;
    return at > paced->sent_ns ? at : paced->sent_ns;
}

/* Kept out of what asks for it: that is asked several times a turn, and mostly knows. */
static __attribute__((noinline)) dyno_ns settle_next(struct paced *paced)
{
    paced->next_ns = settle(paced);
    paced->source.known_next = paced->next_ns;
    return paced->next_ns;
}

static dyno_ns paced_next(struct dyno_source *source)
{
    struct paced *paced = paced_of(source);

    return paced->source.known_next ? paced->next_ns : settle_next(paced);
}

static bool make_spans(struct paced *paced, const struct dyno_row *row, uint32_t *count)
{
    if (DYNO_RARELY(row->segment_count > paced->span_capacity) &&
        !dyno_array_reserve(&paced->spans, &paced->span_capacity, row->segment_count,
                            sizeof *paced->spans)) {
        return false;
    }
    *count = dyno_row_spans(row, paced->pacing.block_tokens, paced->spans);
    return true;
}

/* Which model it asks for, where there are several. */
static dyno_status choose_model(const struct paced *paced, const struct dyno_row *row,
                                struct dyno_request *request, struct dyno_error *error)
{
    const struct dyno_model_choice *models = paced->pacing.models;

    request->model = row->model > 0 ? row->model - 1
                                    : dyno_model_choice_pick(models, row->at, request->id,
                                                             request->session, request->tenant);
    return request->model < models->count
               ? DYNO_OK
               : dyno_fail(error, DYNO_BAD_INPUT,
                           "%s: request %" PRIu64 " is of tenant %" PRIu32
                           ", for whom there is no model, and none has a share at that time",
                           paced->rows->name, request->id, request->tenant);
}

static dyno_status send(struct paced *paced, const struct dyno_slot *about, dyno_ns ready_at,
                        struct dyno_request *out, struct dyno_error *error)
{
    const struct dyno_row *row = &about->row;
    uint64_t id = paced->next_id;
    uint32_t *node = NULL, span_count;

    if (!make_spans(paced, row, &span_count)) {
        return no_memory(paced, error);
    }
    if (DYNO_RARELY(about->node != DYNO_NODE_NONE)) {
        node = dyno_map_put(&paced->nodes, id, about->node, NULL);
        if (!node) {
            return no_memory(paced, error);
        }
    }
    if (paced->answers) {
        dyno_status status = paced->answers->ops->expect(paced->answers, id, row->output_tokens);

        if (status != DYNO_OK) {
            return dyno_fail(error, status, "%s: no memory for an answer's length",
                             paced->rows->name);
        }
    }
    *out = (struct dyno_request){
        .id = id,
        .session = row->session,
        .tenant = row->tenant,
        .priority = row->priority,
        .prompt_tokens = row->input_tokens,
        .max_tokens = paced->max_tokens ? paced->max_tokens : row->output_tokens,
        .span_count = span_count,
        .spans = paced->spans,
        .scheduled_ns = paced->pacing.pacing == DYNO_CLOSED_LOOP ? paced->next_ns : ready_at,
        .arrival_ns = paced->next_ns};
    return DYNO_RARELY(paced->pacing.models != NULL) ? choose_model(paced, row, out, error)
                                                     : DYNO_OK;
}

static dyno_status paced_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                              struct dyno_error *error)
{
    struct paced *paced = paced_of(source);
    dyno_ns at = paced_next(source);
    struct dyno_order_item item;

    if (DYNO_RARELY(paced->failure.status != DYNO_OK)) {
        return dyno_fail(error, paced->failure.status, "%s", paced->failure.text);
    }
    assert(at != DYNO_NEVER && now >= at);
    item = dyno_order_pop(&paced->ready);
    DYNO_TRY(dyno_rows_count(paced->rows, &paced->shelf.slots[item.slot].row, error));
    DYNO_TRY(send(paced, &paced->shelf.slots[item.slot], item.at, out, error));
    dyno_clients_take(&paced->clients);
    dyno_shelf_remove(&paced->shelf, item.slot);
    paced->next_id++;
    paced->in_flight++;
    paced->sent_ns = at;
    paced->known_ns = paced->known_ns > now ? paced->known_ns : now;
    paced->source.known_next = 0;
    return DYNO_OK;
}

static void paced_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct paced *paced = paced_of(source);
    const uint32_t *found = dyno_map_find(&paced->nodes, id);

    assert(paced->in_flight > 0);
    paced->in_flight--;
    if (found || paced->clients.limit > 0 || paced->was_full || paced->ready.count == 0) {
        paced->source.known_next = 0; /* else nothing that is ready comes any earlier */
    }
    paced->known_ns = paced->known_ns > at ? paced->known_ns : at;
    if (!dyno_clients_give(&paced->clients, at, id)) {
        (void)no_memory(paced, &paced->failure);
    }
    if (DYNO_RARELY(found)) {
        uint32_t node = *found;

        dyno_map_remove(&paced->nodes, id);
        dyno_waiting_end(&paced->waiting, node, at, release, paced);
    }
}

static bool paced_finished(const struct dyno_source *source)
{
    const struct paced *paced = paced_of(source);

    return paced->failure.status == DYNO_OK && paced->rows_ended && paced->shelf.rows == 0;
}

static void paced_close(struct dyno_source *source)
{
    struct paced *paced = paced_of(source);

    dyno_shelf_release(&paced->shelf);
    free(paced->spans);
    dyno_order_release(&paced->ready);
    dyno_order_release(&paced->clients.freed);
    dyno_map_release(&paced->nodes);
    dyno_waiting_release(&paced->waiting);
    dyno_rows_close(paced->rows);
    free(paced);
}

static const struct dyno_source_ops paced_ops = {
    .name = "paced",
    .next = paced_next,
    .take = paced_take,
    .ended = paced_ended,
    .finished = paced_finished,
    .close = paced_close,
};

static dyno_status check_pacing(const struct dyno_pacing_config *pacing, struct dyno_error *error)
{
    if (!(pacing->speedup > 0 && pacing->speedup <= 1e9)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "speedup is %g; expected a number above 0, at most 1e9", pacing->speedup);
    }
    if (pacing->block_tokens == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the engine's block size is 0; expected at least 1 token");
    }
    if (pacing->pacing == DYNO_CLOSED_LOOP &&
        (pacing->concurrency == 0 || pacing->concurrency > CLIENTS_MAX)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "concurrency is %" PRIu32 "; expected 1 to %d requests in flight",
                         pacing->concurrency, CLIENTS_MAX);
    }
    if (pacing->inflight_max > CLIENTS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "max_concurrency is %" PRIu32 "; expected at most %d requests in flight",
                         pacing->inflight_max, CLIENTS_MAX);
    }
    return DYNO_OK;
}

dyno_status dyno_paced_open(struct dyno_source **out, struct dyno_rows *rows,
                            const struct dyno_pacing_config *pacing, uint32_t max_tokens,
                            struct dyno_answers *answers, struct dyno_error *error)
{
    struct paced *paced;
    dyno_status status = check_pacing(pacing, error);

    if (status != DYNO_OK) {
        dyno_rows_close(rows);
        return status;
    }
    paced = calloc(1, sizeof *paced);
    if (!paced) {
        dyno_rows_close(rows);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a source");
    }
    paced->source.ops = &paced_ops;
    paced->rows = rows;
    paced->pacing = *pacing;
    paced->max_tokens = max_tokens;
    paced->answers = answers;
    paced->clients.limit =
        pacing->pacing == DYNO_CLOSED_LOOP ? pacing->concurrency : pacing->inflight_max;
    paced->clients.unused = paced->clients.limit;
    dyno_waiting_init(&paced->waiting);
    (void)paced_next(&paced->source); /* a bad beginning is told before anything starts */
    if (paced->failure.status != DYNO_OK) {
        status = dyno_fail(error, paced->failure.status, "%s", paced->failure.text);
        paced_close(&paced->source);
        return status;
    }
    *out = &paced->source;
    return DYNO_OK;
}

struct dyno_rows *dyno_paced_rows(const struct dyno_source *source)
{
    return source->ops == &paced_ops ? paced_of(source)->rows : NULL;
}

void dyno_paced_refit(struct dyno_source *source, struct dyno_rows *rows,
                      struct dyno_answers *answers)
{
    paced_of(source)->rows = rows;
    paced_of(source)->answers = answers;
}
