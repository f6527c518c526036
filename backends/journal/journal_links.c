/* What moves blocks between workers that compute and lower tiers: before a journal, or fed. */
#include <stddef.h>

#include "backends/journal/journal_parts.h"
#include "core/base/map.h"

static struct dyno_journal *journal_of(const struct dyno_links *links)
{
    return (struct dyno_journal *)((uintptr_t)links - offsetof(struct dyno_journal, links));
}

/* All that core says of a transfer but its identity, and the blocks by number if it names some. */
static uint64_t digest_of(const struct dyno_transfer *transfer)
{
    uint64_t digest = dyno_mix(((uint64_t)transfer->from << 32) | transfer->to);

    digest = dyno_mix(digest ^ transfer->blocks);
    digest = dyno_mix(digest ^ transfer->block_bytes);
    digest = dyno_mix(digest ^ transfer->block_ns);
    if (transfer->end_layer > 0) {
        digest = dyno_mix(digest ^ (((uint64_t)transfer->first_layer << 32) | transfer->end_layer));
    }
    for (uint32_t i = 0; transfer->from_blocks && i < transfer->blocks; i++) {
        digest = dyno_mix(digest ^
                          (((uint64_t)transfer->from_blocks[i] << 32) | transfer->to_blocks[i]));
    }
    for (uint32_t i = 0; transfer->names && i < transfer->blocks; i++) {
        digest = dyno_mix(digest ^ transfer->names[i].span);
        digest = dyno_mix(digest ^
                          (((uint64_t)transfer->names[i].index << 32) | transfer->names[i].depth));
    }
    return digest;
}

static dyno_status links_submit(struct dyno_links *links, dyno_ns now,
                                const struct dyno_transfer *transfer)
{
    struct dyno_journal *journal = journal_of(links);
    struct dyno_links *real = journal->real_links;

    if (dyno_journal_event(journal, EVENT_LINK_SUBMIT)) {
        dyno_journal_told(journal, EVENT_LINK_SUBMIT, transfer->id);
        dyno_journal_told(journal, EVENT_LINK_SUBMIT, digest_of(transfer));
    }
    if (real) {
        return real->ops->submit(real, now, transfer);
    }
    return dyno_map_put(&journal->on_way, transfer->id, transfer->blocks, NULL) ? DYNO_OK
                                                                                : DYNO_NO_MEMORY;
}

/* Whether that transfer can have arrived like that, by the time of which it is asked: later than
 * the turn's where passes were waited for. */
static bool is_possible(const struct dyno_journal *journal, const struct dyno_arrival *arrival,
                        uint64_t lost, dyno_ns now)
{
    const uint32_t *blocks = dyno_map_find(&journal->on_way, arrival->id);

    return blocks && lost <= *blocks && arrival->at <= now;
}

static bool links_reap(struct dyno_links *links, dyno_ns now, struct dyno_arrival *out)
{
    struct dyno_journal *journal = journal_of(links);
    struct dyno_links *real = journal->real_links;
    uint64_t found = 0, lost;

    *out = (struct dyno_arrival){.id = 0};
    if (real) {
        found = real->ops->reap(real, now, out);
    }
    if (!dyno_journal_event(journal, EVENT_LINK_REAP)) {
        return real && found;
    }
    dyno_journal_number(journal, &found);
    if (!found) {
        return false;
    }
    lost = out->lost;
    dyno_journal_number(journal, &out->id);
    dyno_journal_time(journal, &out->at);
    dyno_journal_number(journal, &lost);
    if (!real && !is_possible(journal, out, lost, now)) {
        dyno_journal_differs(journal, EVENT_LINK_REAP, "no links could have done that");
    }
    out->lost = (uint32_t)lost;
    dyno_map_remove(&journal->on_way, out->id);
    return real || journal->failure.status == DYNO_OK;
}

static bool links_drop(struct dyno_links *links, dyno_ns now, uint64_t id)
{
    struct dyno_journal *journal = journal_of(links);
    struct dyno_links *real = journal->real_links;
    uint64_t was_there = real ? real->ops->drop(real, now, id) : 0;

    if (dyno_journal_event(journal, EVENT_LINK_DROP)) {
        dyno_journal_told(journal, EVENT_LINK_DROP, id);
        dyno_journal_number(journal, &was_there);
    }
    if (!real && was_there && !dyno_map_find(&journal->on_way, id)) {
        dyno_journal_differs(journal, EVENT_LINK_DROP, "nothing of that name is on its way");
        return false;
    }
    if (was_there) {
        dyno_map_remove(&journal->on_way, id);
    }
    return was_there;
}

static dyno_ns links_predict(const struct dyno_links *links, const struct dyno_transfer *transfer)
{
    struct dyno_journal *journal = journal_of(links);
    const struct dyno_links *real = journal->real_links;
    uint64_t takes = real ? real->ops->predict(real, transfer) : 0;

    if (dyno_journal_event(journal, EVENT_LINK_PREDICT)) {
        dyno_journal_told(journal, EVENT_LINK_PREDICT, digest_of(transfer));
        dyno_journal_number(journal, &takes);
    }
    return takes;
}

static dyno_ns links_next(const struct dyno_links *links)
{
    struct dyno_journal *journal = journal_of(links);
    const struct dyno_links *real = journal->real_links;
    dyno_ns next = real ? real->ops->next(real) : DYNO_NEVER;

    if (dyno_journal_event(journal, EVENT_LINK_NEXT)) {
        dyno_journal_time(journal, &next);
    }
    return next;
}

static void links_close(struct dyno_links *links)
{
    struct dyno_links *real = journal_of(links)->real_links;

    if (real) {
        real->ops->close(real);
    }
}

static const struct dyno_links_ops links_ops = {.name = "journal",
                                                .submit = links_submit,
                                                .reap = links_reap,
                                                .drop = links_drop,
                                                .predict = links_predict,
                                                .next = links_next,
                                                .close = links_close};

struct dyno_links *dyno_journal_links(struct dyno_journal *journal, struct dyno_links *real)
{
    journal->links.ops = &links_ops;
    journal->links.moves_layers = !real || real->moves_layers;
    journal->real_links = real;
    return &journal->links;
}
