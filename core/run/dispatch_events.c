/* Cache events on their way from the workers to the router.
 *
 * A delay is the same for all events, but workers do not tell in step with each other (one may have
 * been brought further than another), so each has a queue of its own, and a heap says whose oldest
 * event is due first.
 */
#include <stdlib.h>
#include <string.h>

#include "core/run/dispatch_parts.h"

struct mail_item {
    dyno_ns due;
    uint64_t span;
    uint32_t blocks;
    uint32_t next; /* in its worker's queue */
};

static struct mail_item *item_at(const struct dyno_mail *mail, uint32_t place)
{
    return dyno_pool_at(&mail->items, place);
}

/* Take the oldest event off a worker's queue, which is not empty. */
static void shift(struct dyno_mail *mail, uint32_t worker)
{
    uint32_t place = mail->first[worker];

    mail->first[worker] = item_at(mail, place)->next;
    dyno_pool_give(&mail->items, place);
    if (mail->first[worker] == DYNO_POOL_NONE) {
        mail->last[worker] = DYNO_POOL_NONE;
        dyno_heap_remove(&mail->due, worker);
    } else {
        dyno_heap_set(&mail->due, worker, item_at(mail, mail->first[worker])->due);
    }
}

dyno_status dyno_mail_init(struct dyno_mail *mail, uint32_t worker_count, dyno_ns delay_ns)
{
    dyno_pool_init(&mail->items, sizeof(struct mail_item));
    mail->delay_ns = delay_ns;
    mail->first = malloc(worker_count * sizeof *mail->first);
    mail->last = malloc(worker_count * sizeof *mail->last);
    if (!mail->first || !mail->last) {
        return DYNO_NO_MEMORY;
    }
    memset(mail->first, 0xff, worker_count * sizeof *mail->first);
    memset(mail->last, 0xff, worker_count * sizeof *mail->last);
    return dyno_heap_reserve(&mail->due, worker_count);
}

void dyno_mail_release(struct dyno_mail *mail)
{
    dyno_pool_release(&mail->items);
    free(mail->first);
    free(mail->last);
    dyno_heap_release(&mail->due);
    memset(mail, 0, sizeof *mail);
}

dyno_status dyno_mail_post(struct dyno_mail *mail, const struct dyno_kv_event *event)
{
    uint32_t place = dyno_pool_take(&mail->items);
    uint32_t last = mail->last[event->worker];

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    *item_at(mail, place) = (struct mail_item){
        .due = event->at > DYNO_NEVER - mail->delay_ns ? DYNO_NEVER : event->at + mail->delay_ns,
        .span = event->span,
        .blocks = event->blocks,
        .next = DYNO_POOL_NONE,
    };
    mail->last[event->worker] = place;
    if (last == DYNO_POOL_NONE) {
        mail->first[event->worker] = place;
        dyno_heap_set(&mail->due, event->worker, item_at(mail, place)->due);
    } else {
        item_at(mail, last)->next = place;
    }
    return DYNO_OK;
}

dyno_status dyno_mail_deliver(struct dyno_mail *mail, struct dyno_kv_index *index, dyno_ns now)
{
    while (mail->due.count && dyno_heap_key(&mail->due) <= now) {
        uint32_t worker = dyno_heap_top(&mail->due).id;
        const struct mail_item *item = item_at(mail, mail->first[worker]);

        DYNO_TRY(dyno_kv_index_set(index, item->span, worker, item->blocks));
        shift(mail, worker);
    }
    return DYNO_OK;
}

dyno_ns dyno_mail_age(const struct dyno_mail *mail, dyno_ns now)
{
    dyno_ns at;

    if (!mail->due.count) {
        return 0;
    }
    at = dyno_heap_key(&mail->due) - mail->delay_ns;
    return at < now ? now - at : 0;
}

void dyno_mail_drop_worker(struct dyno_mail *mail, uint32_t worker)
{
    while (mail->first[worker] != DYNO_POOL_NONE) {
        shift(mail, worker);
    }
}
