/* Workers in other processes as a source of faults.
 *
 *   there -> dead [take]       their process is gone: somebody may be started in their place at
 * once dead  -> there             a start found a process dead  -> given up [take]   no start did,
 * for long enough: nobody will be in their place again
 */
#include <stdio.h>
#include <stdlib.h>

#include "backends/ucx/peers_parts.h"

struct deaths {
    struct dyno_faults base;
    struct dyno_ucx_mortals of[DYNO_UCX_MORTALS];
    struct dyno_faults *others; /* NULL: nothing else goes wrong */
};

static uint32_t workers_of(const struct dyno_ucx_mortals *mortals)
{
    return mortals->peers ? mortals->peers->config.workers : 0;
}

/* Under the lock: since when there is something to tell of the worker; DYNO_NEVER: there is
 * nothing. */
static dyno_ns due(const struct dyno_ucx_hand *hand)
{
    dyno_ns since;

    if (hand->stay && !hand->told && dyno_ucx_peer_is_gone(hand->stay->peer, &since)) {
        return since;
    }
    return hand->given_up && !hand->told_given_up ? hand->away_since : DYNO_NEVER;
}

/* Under the lock: it is told. */
static dyno_ns mended_at(struct dyno_ucx_hand *hand, dyno_ns now)
{
    struct dyno_ucx_peers *peers = hand->peers;

    if (hand->given_up) {
        hand->told_given_up = true;
        return DYNO_NEVER;
    }
    hand->told = true;
    (void)dyno_ucx_peer_is_gone(hand->stay->peer, &hand->away_since);
    peers->loss.workers++;
    peers->loss.in_vain[0] = '\0';
    (void)snprintf(peers->loss.why, sizeof peers->loss.why, "%s",
                   dyno_ucx_peer_why(hand->stay->peer));
    hand->given_up = hand->told_given_up = peers->config.look_for_ns == 0;
    return hand->given_up ? DYNO_NEVER : now;
}

static dyno_ns deaths_next(const struct dyno_faults *faults)
{
    const struct deaths *deaths = (const struct deaths *)faults;
    dyno_ns first = deaths->others ? deaths->others->ops->next(deaths->others) : DYNO_NEVER;

    for (uint32_t i = 0; i < DYNO_UCX_MORTALS; i++) {
        struct dyno_ucx_peers *peers = deaths->of[i].peers;

        for (uint32_t j = 0; j < workers_of(&deaths->of[i]); j++) {
            dyno_ns at;

            pthread_mutex_lock(&peers->lock);
            at = due(&peers->hands[j]);
            pthread_mutex_unlock(&peers->lock);
            first = at < first ? at : first;
        }
    }
    return first;
}

/* Whether there was something to tell of that worker; then it is, as a fault of `target`. */
static bool tell(struct dyno_ucx_hand *hand, uint32_t target, dyno_ns now,
                 struct dyno_fault_record *out)
{
    bool is_due;

    pthread_mutex_lock(&hand->peers->lock);
    is_due = due(hand) <= now;
    if (is_due) {
        *out = (struct dyno_fault_record){.kind = DYNO_FAULT_DEATH,
                                          .what = "worker",
                                          .target = target,
                                          .at = now,
                                          .until = mended_at(hand, now)};
    }
    pthread_mutex_unlock(&hand->peers->lock);
    return is_due;
}

static bool deaths_take(struct dyno_faults *faults, dyno_ns now, struct dyno_fault_record *out)
{
    const struct deaths *deaths = (const struct deaths *)faults;

    for (uint32_t i = 0; i < DYNO_UCX_MORTALS; i++) {
        const struct dyno_ucx_mortals *of = &deaths->of[i];

        for (uint32_t j = 0; j < workers_of(of); j++) {
            if (tell(&of->peers->hands[j], of->first_worker + j, now, out)) {
                return true;
            }
        }
    }
    return deaths->others && deaths->others->ops->next(deaths->others) <= now &&
           deaths->others->ops->take(deaths->others, now, out);
}

static void deaths_close(struct dyno_faults *faults)
{
    struct deaths *deaths = (struct deaths *)faults;

    if (deaths->others) {
        deaths->others->ops->close(deaths->others);
    }
    free(deaths);
}

static const struct dyno_faults_ops deaths_ops = {
    .name = "ucx", .next = deaths_next, .take = deaths_take, .close = deaths_close};

dyno_status dyno_ucx_faults_open(struct dyno_faults **out,
                                 const struct dyno_ucx_mortals mortals[DYNO_UCX_MORTALS],
                                 struct dyno_faults *others)
{
    struct deaths *deaths = calloc(1, sizeof *deaths);

    if (!deaths) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < DYNO_UCX_MORTALS; i++) {
        deaths->of[i] = mortals[i];
    }
    deaths->others = others;
    deaths->base.ops = &deaths_ops;
    *out = &deaths->base;
    return DYNO_OK;
}
