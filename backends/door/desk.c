#include "backends/door/desk.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backends/door/answer_line.h"
#include "backends/door/answer_parts.h"
#include "core/base/array.h"
#include "core/base/map.h"

struct dyno_desk {
    struct dyno_source source;
    struct dyno_sink sink;
    struct dyno_desk_config config;
    pthread_mutex_t lock; /* over all below, and the desk's part of every answer */
    struct dyno_answer_line posted;
    struct dyno_answer_line news;  /* of the next round of the door ... */
    struct dyno_answer_line round; /* ... and of the one that it hears now */
    bool is_hearing;
    uint64_t ids;       /* given out, in the order of posting ... */
    uint64_t taken;     /* ... of which the loop has taken so many, in the same order */
    uint32_t count;     /* posted and not ended */
    bool finished;      /* nothing will be posted */
    uint64_t *given_up; /* [given_up_count] requests, from given_up_first on */
    uint32_t given_up_first, given_up_count, given_up_capacity;
    atomic_uint waiting;     /* posted or given up, so that the loop need not lock to see nothing */
    struct dyno_looks looks; /* behind a lock of its own */
    /* The loop's alone. */
    struct dyno_map place_of;   /* request -> place in fleet */
    struct dyno_answer **fleet; /* [fleet_capacity] */
    uint32_t *unused;           /* [unused_count] places */
    uint32_t fleet_capacity, unused_count;
};

static struct dyno_desk *desk_of_source(const struct dyno_source *source)
{
    return (struct dyno_desk *)(uintptr_t)source; /* its first member */
}

static struct dyno_desk *desk_of_sink(struct dyno_sink *sink)
{
    return (struct dyno_desk *)(void *)((char *)sink - offsetof(struct dyno_desk, sink));
}

/* ---- news ------------------------------------------------------------------------------------ */

void dyno_desk_lock(struct dyno_desk *desk)
{
    (void)pthread_mutex_lock(&desk->lock);
}

void dyno_desk_unlock(struct dyno_desk *desk)
{
    (void)pthread_mutex_unlock(&desk->lock);
}

void dyno_desk_unlock_with_news(struct dyno_desk *desk, struct dyno_answer *answer)
{
    bool is_first = false;

    if (answer->stamps.told_ns == 0) {
        answer->stamps.told_ns = desk->config.now(desk->config.clock);
    }
    if (!answer->has_news && !answer->is_released) {
        is_first = desk->news.first == NULL;
        answer->has_news = true;
        dyno_answer_line_add(&desk->news, answer);
    }
    dyno_desk_unlock(desk);
    if (is_first) {
        desk->config.news(desk->config.context);
    }
}

static enum dyno_answer_end end_of(const struct dyno_answer *answer)
{
    if (answer->place != ANSWER_ENDED) {
        return DYNO_ANSWER_GOES_ON;
    }
    if (answer->record.outcome != DYNO_COMPLETED || answer->out_of_memory ||
        (answer->config.dimensions > 0 && !answer->vector) || !dyno_answer_is_scored(answer)) {
        return DYNO_ANSWER_FAILED;
    }
    return answer->stopped ? DYNO_ANSWER_STOPPED : DYNO_ANSWER_FULL;
}

struct dyno_answer *dyno_desk_news(struct dyno_desk *desk, struct dyno_answer_news *out)
{
    struct dyno_answer *answer;
    struct dyno_answer_page *page;

    dyno_desk_lock(desk);
    if (!desk->is_hearing) {
        desk->round = desk->news;
        desk->news = (struct dyno_answer_line){.first = NULL};
    }
    answer = dyno_answer_line_next(&desk->round);
    desk->is_hearing = answer != NULL;
    if (answer) {
        answer->has_news = false;
        page = &answer->pages[answer->written];
        answer->written ^= 1;
        answer->pages[answer->written].text_size = 0;
        answer->pages[answer->written].token_count = 0;
        answer->pages[answer->written].top_count = 0;
        *out = (struct dyno_answer_news){.text = page->text ? page->text : "",
                                         .text_size = page->text_size,
                                         .tokens = page->tokens,
                                         .token_count = page->token_count,
                                         .tops = page->tops,
                                         .end = end_of(answer)};
        if (answer->config.scores && out->end != DYNO_ANSWER_FAILED) {
            out->prompt = &answer->scores;
        }
        if (out->end != DYNO_ANSWER_GOES_ON) {
            out->record = &answer->record;
            out->vector = answer->vector;
            out->refused = answer->refused;
        }
    }
    dyno_desk_unlock(desk);
    return answer;
}

void dyno_answer_release(struct dyno_answer *answer)
{
    struct dyno_desk *desk = answer ? answer->desk : NULL;
    bool is_alone = true;

    if (desk) {
        dyno_desk_lock(desk);
        answer->is_released = true;
        if (answer->has_news) {
            dyno_answer_line_remove(&desk->news, answer);
            dyno_answer_line_remove(&desk->round, answer);
            answer->has_news = false;
        }
        is_alone = answer->place == ANSWER_ENDED;
        dyno_desk_unlock(desk);
    }
    if (answer && is_alone) {
        dyno_answer_free(answer);
    }
}

/* ---- the door's side ------------------------------------------------------------------------- */

/* One more thing waits for the loop, which never sleeps while anything does. */
static void tell_loop(struct dyno_desk *desk)
{
    bool is_first = atomic_fetch_add_explicit(&desk->waiting, 1, memory_order_acq_rel) == 0;

    if (desk->config.left) {
        desk->config.left(desk->config.context);
    } else if (is_first) {
        desk->config.wake(desk->config.clock);
    }
}

dyno_status dyno_desk_post(struct dyno_desk *desk, struct dyno_answer *answer)
{
    dyno_ns now = desk->config.now(desk->config.clock);

    assert(answer->place == ANSWER_OPEN);
    dyno_desk_lock(desk);
    if (desk->count >= desk->config.answers_max || desk->finished) {
        dyno_desk_unlock(desk);
        return DYNO_FULL;
    }
    answer->desk = desk;
    answer->place = ANSWER_POSTED;
    answer->id = desk->ids++;
    answer->stamps.arrival_ns = now;
    desk->count++;
    dyno_answer_line_add(&desk->posted, answer);
    dyno_desk_unlock(desk);
    tell_loop(desk);
    return DYNO_OK;
}

/* Without memory for it the request goes on to its end, unheard. */
static bool note_given_up(struct dyno_desk *desk, uint64_t id)
{
    if (desk->given_up_count == desk->given_up_capacity &&
        desk->given_up_first > desk->given_up_count / 2) { /* most were taken: no need to grow */
        desk->given_up_count -= desk->given_up_first;
        memmove(desk->given_up, desk->given_up + desk->given_up_first,
                desk->given_up_count * sizeof *desk->given_up);
        desk->given_up_first = 0;
    }
    if (!dyno_array_reserve(&desk->given_up, &desk->given_up_capacity, desk->given_up_count + 1U,
                            sizeof *desk->given_up)) {
        return false;
    }
    desk->given_up[desk->given_up_count++] = id;
    return true;
}

void dyno_desk_cancel(struct dyno_desk *desk, const struct dyno_answer *answer)
{
    bool noted = false;

    dyno_desk_lock(desk);
    if (answer->place == ANSWER_POSTED || answer->place == ANSWER_IN_FLEET) {
        noted = note_given_up(desk, answer->id);
    }
    dyno_desk_unlock(desk);
    if (noted) {
        tell_loop(desk);
    }
}

void dyno_desk_finish(struct dyno_desk *desk)
{
    dyno_desk_lock(desk);
    desk->finished = true;
    dyno_desk_unlock(desk);
    desk->config.wake(desk->config.clock);
}

uint32_t dyno_desk_count(struct dyno_desk *desk)
{
    uint32_t count;

    dyno_desk_lock(desk);
    count = desk->count;
    dyno_desk_unlock(desk);
    return count;
}

uint32_t dyno_desk_room(struct dyno_desk *desk)
{
    uint32_t room;

    dyno_desk_lock(desk);
    room = desk->finished ? 0 : desk->config.answers_max - desk->count;
    dyno_desk_unlock(desk);
    return room;
}

struct dyno_looks *dyno_desk_looks(struct dyno_desk *desk)
{
    return &desk->looks;
}

/* ---- the loop's side: a source --------------------------------------------------------------- */

static bool is_quiet(struct dyno_desk *desk)
{
    return atomic_load_explicit(&desk->waiting, memory_order_acquire) == 0;
}

static dyno_ns desk_next(struct dyno_source *source)
{
    struct dyno_desk *desk = desk_of_source(source);
    dyno_ns next;

    if (is_quiet(desk)) {
        return DYNO_NEVER;
    }
    dyno_desk_lock(desk);
    next = desk->posted.first ? desk->posted.first->stamps.arrival_ns : DYNO_NEVER;
    dyno_desk_unlock(desk);
    return next;
}

static dyno_status grow_fleet(struct dyno_desk *desk)
{
    uint32_t capacity = desk->fleet_capacity ? 2 * desk->fleet_capacity : 64;
    struct dyno_answer **fleet = realloc(desk->fleet, capacity * sizeof(struct dyno_answer *));
    uint32_t *unused;

    if (!fleet) {
        return DYNO_NO_MEMORY;
    }
    desk->fleet = fleet;
    unused = realloc(desk->unused, capacity * sizeof *unused);
    if (!unused) {
        return DYNO_NO_MEMORY;
    }
    desk->unused = unused;
    for (uint32_t i = capacity; i-- > desk->fleet_capacity;) {
        fleet[i] = NULL;
        unused[desk->unused_count++] = i;
    }
    desk->fleet_capacity = capacity;
    return DYNO_OK;
}

static dyno_status enter_fleet(struct dyno_desk *desk, struct dyno_answer *answer)
{
    uint32_t place;

    if (desk->unused_count == 0) {
        DYNO_TRY(grow_fleet(desk));
    }
    place = desk->unused[desk->unused_count - 1];
    if (!dyno_map_put(&desk->place_of, answer->id, place, NULL)) {
        return DYNO_NO_MEMORY;
    }
    desk->unused_count--;
    desk->fleet[place] = answer;
    return DYNO_OK;
}

static struct dyno_answer *leave_fleet(struct dyno_desk *desk, uint64_t id)
{
    const uint32_t *found = dyno_map_find(&desk->place_of, id);
    struct dyno_answer *answer;

    assert(found);
    answer = desk->fleet[*found];
    desk->fleet[*found] = NULL;
    desk->unused[desk->unused_count++] = *found;
    dyno_map_remove(&desk->place_of, id);
    return answer;
}

static dyno_status leave_prompt(struct dyno_desk *desk, struct dyno_answer *answer)
{
    const struct dyno_answer_config *config = &answer->config;
    struct dyno_transcript *transcript;

    if (config->errand) {
        DYNO_TRY(dyno_transcripts_add(desk->config.transcripts, answer->id, 0, 0, &transcript));
        transcript->errand = &answer->errand;
        return DYNO_OK;
    }
    DYNO_TRY(dyno_transcripts_add(desk->config.transcripts, answer->id, config->prompt_tokens,
                                  config->tokens_max, &transcript));
    memcpy(transcript->tokens, answer->prompt, config->prompt_tokens * sizeof *answer->prompt);
    transcript->generation = &answer->generation;
    free(answer->prompt);
    answer->prompt = NULL;
    return DYNO_OK;
}

static dyno_status take_in(struct dyno_desk *desk, struct dyno_answer *answer)
{
    struct dyno_answers *lengths = desk->config.lengths;

    DYNO_TRY(enter_fleet(desk, answer));
    DYNO_TRY(leave_prompt(desk, answer));
    return lengths ? lengths->ops->expect(lengths, answer->id, answer->config.pretended) : DYNO_OK;
}

static dyno_status desk_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                             struct dyno_error *error)
{
    struct dyno_desk *desk = desk_of_source(source);
    struct dyno_answer *answer;

    (void)now; /* when the turn began */
    dyno_desk_lock(desk);
    answer = dyno_answer_line_next(&desk->posted);
    answer->stamps.taken_ns = desk->config.now(desk->config.clock);
    atomic_fetch_sub_explicit(&desk->waiting, 1, memory_order_relaxed);
    answer->place = ANSWER_IN_FLEET;
    desk->taken++;
    dyno_desk_unlock(desk);
    if (take_in(desk, answer) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to take a request in");
    }
    *out = (struct dyno_request){.id = answer->id,
                                 .session = answer->config.session,
                                 .tenant = answer->config.tenant,
                                 .model = answer->config.model,
                                 .priority = answer->config.priority,
                                 .prompt_tokens = answer->config.prompt_tokens,
                                 .max_tokens = answer->config.tokens_max,
                                 .span_count = answer->config.span_count,
                                 .spans = answer->spans,
                                 .scheduled_ns = answer->stamps.arrival_ns,
                                 .arrival_ns = answer->stamps.arrival_ns};
    return DYNO_OK;
}

/* One that the loop has not taken yet is asked for again after that. */
static dyno_ns desk_cancelled(struct dyno_source *source, dyno_ns now, uint64_t *id)
{
    struct dyno_desk *desk = desk_of_source(source);
    dyno_ns at = DYNO_NEVER;

    if (is_quiet(desk)) {
        return DYNO_NEVER;
    }
    dyno_desk_lock(desk);
    if (desk->given_up_first < desk->given_up_count &&
        desk->given_up[desk->given_up_first] < desk->taken) {
        *id = desk->given_up[desk->given_up_first++];
        atomic_fetch_sub_explicit(&desk->waiting, 1, memory_order_relaxed);
        at = now;
    }
    dyno_desk_unlock(desk);
    return at;
}

static void desk_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    (void)at;
    dyno_transcripts_forget(desk_of_source(source)->config.transcripts, id);
}

static bool desk_finished(const struct dyno_source *source)
{
    struct dyno_desk *desk = desk_of_source(source);
    bool finished;

    dyno_desk_lock(desk);
    finished = desk->finished && !desk->posted.first;
    dyno_desk_unlock(desk);
    return finished;
}

static void desk_source_close(struct dyno_source *source)
{
    (void)source; /* closed with the desk */
}

static const struct dyno_source_ops source_ops = {.name = "desk",
                                                  .is_open = true,
                                                  .next = desk_next,
                                                  .take = desk_take,
                                                  .cancelled = desk_cancelled,
                                                  .ended = desk_ended,
                                                  .finished = desk_finished,
                                                  .close = desk_source_close};

/* ---- the loop's side: a sink ----------------------------------------------------------------- */

/* The answer's life is over: what its detokenizer held comes out, and nobody in the fleet knows it
 * any more. */
static void end_answer(struct dyno_desk *desk, struct dyno_answer *answer,
                       const struct dyno_request_record *record)
{
    struct dyno_text_piece rest = {.size = 0};
    bool is_alone;

    if (answer->detokenizer) {
        rest = dyno_detokenizer_finish(answer->detokenizer);
    }

    dyno_desk_lock(desk);
    (void)dyno_answer_write_text(answer, rest);
    answer->record = *record;
    answer->place = ANSWER_ENDED;
    desk->count--;
    is_alone = answer->is_released;
    dyno_desk_unlock_with_news(desk, answer);
    if (is_alone) {
        dyno_answer_free(answer);
    }
}

static dyno_status desk_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_desk *desk = desk_of_sink(sink);

    end_answer(desk, leave_fleet(desk, record->id), record);
    return DYNO_OK;
}

/* The door is not woken for these: it looks often enough. */
static dyno_status desk_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    dyno_looks_leave_sample(&desk_of_sink(sink)->looks, record);
    return DYNO_OK;
}

static dyno_status desk_plan(struct dyno_sink *sink, const struct dyno_plan_record *record)
{
    dyno_looks_leave_plan(&desk_of_sink(sink)->looks, record);
    return DYNO_OK;
}

static const struct dyno_sink_ops sink_ops = {
    .name = "desk", .request = desk_request, .sample = desk_sample, .plan = desk_plan};

static struct dyno_request_record record_of_failure(const struct dyno_answer *answer)
{
    return (struct dyno_request_record){.id = answer->id,
                                        .model = answer->config.model,
                                        .worker = DYNO_NO_WORKER,
                                        .outcome = DYNO_FAILED,
                                        .prompt_tokens = answer->config.prompt_tokens,
                                        .scheduled_ns = answer->stamps.arrival_ns,
                                        .arrival_ns = answer->stamps.arrival_ns,
                                        .ready_ns = DYNO_NEVER,
                                        .admitted_ns = DYNO_NEVER,
                                        .first_token_ns = DYNO_NEVER,
                                        .last_token_ns = DYNO_NEVER};
}

void dyno_desk_abandon(struct dyno_desk *desk)
{
    struct dyno_answer *answer;
    struct dyno_request_record record;

    dyno_desk_finish(desk);
    for (uint32_t i = 0; i < desk->fleet_capacity; i++) {
        if (desk->fleet[i]) {
            answer = leave_fleet(desk, desk->fleet[i]->id);
            record = record_of_failure(answer);
            end_answer(desk, answer, &record);
        }
    }
    dyno_desk_lock(desk);
    for (answer = dyno_answer_line_next(&desk->posted); answer;
         answer = dyno_answer_line_next(&desk->posted)) {
        dyno_desk_unlock(desk);
        record = record_of_failure(answer);
        end_answer(desk, answer, &record);
        dyno_desk_lock(desk);
    }
    dyno_desk_unlock(desk);
}

/* ---- open and close -------------------------------------------------------------------------- */

struct dyno_source *dyno_desk_source(struct dyno_desk *desk)
{
    return &desk->source;
}

struct dyno_sink *dyno_desk_sink(struct dyno_desk *desk)
{
    return &desk->sink;
}

dyno_status dyno_desk_open(struct dyno_desk **out, const struct dyno_desk_config *config)
{
    struct dyno_desk *desk = calloc(1, sizeof *desk);

    if (!desk) {
        return DYNO_NO_MEMORY;
    }
    desk->source.ops = &source_ops;
    desk->sink.ops = &sink_ops;
    desk->config = *config;
    if (dyno_looks_init(&desk->looks, config->worker_count) != DYNO_OK ||
        pthread_mutex_init(&desk->lock, NULL) != 0) {
        dyno_looks_release(&desk->looks);
        free(desk);
        return DYNO_NO_MEMORY;
    }
    *out = desk;
    return DYNO_OK;
}

void dyno_desk_close(struct dyno_desk *desk)
{
    if (!desk) {
        return;
    }
    assert(desk->count == 0 && !desk->news.first && !desk->round.first);
    dyno_map_release(&desk->place_of);
    free(desk->fleet);
    free(desk->unused);
    free(desk->given_up);
    dyno_looks_release(&desk->looks);
    (void)pthread_mutex_destroy(&desk->lock);
    free(desk);
}
