/* Requests that no worker of their model may take now (lobby.h): who comes in, who is let in, and
 * who leaves otherwise. */
#include "core/base/usual.h"
#include "core/run/loop_parts.h"

bool dyno_loop_has_place(const struct dyno_loop *loop, const struct dyno_lane *lane)
{
    return (!lane->roster ||
            dyno_roster_count(lane->roster, DYNO_ROLE_SERVE, DYNO_WORKER_READY) > 0) &&
           !(loop->has_thresholds && dyno_dispatch_all_busy(lane->dispatch));
}

dyno_status dyno_loop_enter_lobby(struct dyno_loop *loop, struct dyno_lane *lane,
                                  const struct dyno_request *request)
{
    DYNO_TRY(dyno_lobby_enter(&lane->lobby, loop->now, request));
    loop->waiting++;
    return DYNO_OK;
}

/* Nobody has its seat any more. */
static void leave_seat(struct dyno_loop *loop, struct dyno_lobby_seat *seat)
{
    loop->waiting--;
    dyno_lobby_give(&loop->lanes[seat->request.model].lobby, seat);
}

/* Somebody who waited: the trie, the sinks and the source hear of it as of anybody else. */
static dyno_status let_in(struct dyno_loop *loop, struct dyno_lane *lane, struct dyno_error *error)
{
    struct dyno_lobby_seat *seat = dyno_lobby_take(&lane->lobby);
    struct dyno_request request;
    dyno_status status;

    if (!seat->request.before || seat->request.before->record.ready_ns == DYNO_NEVER) {
        seat->request.held_ns = loop->now - seat->request.arrival_ns;
    }
    request = seat->request;
    status = dyno_loop_route(loop, &request, error);
    leave_seat(loop, seat);
    return status;
}

/* Somebody who waits does so no longer. */
static dyno_status turn_away(struct dyno_loop *loop, struct dyno_lobby_seat *seat,
                             enum dyno_outcome outcome)
{
    dyno_status status = dyno_loop_end_unrouted(loop, &seat->request, outcome);

    leave_seat(loop, seat);
    return status;
}

/* Who has been given a part of an answer is not refused any more. */
static dyno_status time_out(struct dyno_loop *loop, struct dyno_lobby_seat *seat)
{
    const struct dyno_resume *before = seat->request.before;

    return turn_away(loop, seat,
                     before && before->record.output_tokens > 0 ? DYNO_FAILED
                                                                : DYNO_REJECTED_QUEUE_TIMEOUT);
}

/* Who waited for a worker that may take somebody now, and who has waited too long. */
static dyno_status settle_lobby(struct dyno_loop *loop, struct dyno_lane *lane,
                                struct dyno_error *error)
{
    while (lane->lobby.count > 0 && dyno_loop_can_route(loop, lane)) {
        DYNO_TRY(let_in(loop, lane, error));
    }
    while (dyno_lobby_next(&lane->lobby) <= loop->now) {
        DYNO_TRY(time_out(loop, dyno_lobby_first(&lane->lobby)));
    }
    return DYNO_OK;
}

dyno_status dyno_loop_give_up_lobby(struct dyno_loop *loop, struct dyno_lane *lane,
                                    enum dyno_outcome outcome)
{
    while (lane->lobby.count > 0) {
        DYNO_TRY(turn_away(loop, dyno_lobby_first(&lane->lobby), outcome));
    }
    return DYNO_OK;
}

dyno_status dyno_loop_settle_fleet(struct dyno_loop *loop, struct dyno_lane *lane,
                                   struct dyno_error *error)
{
    if (lane->roster) {
        (void)dyno_roster_settle(lane->roster, loop->now);
    }
    if (DYNO_RARELY(loop->config.roster_behind)) {
        (void)dyno_roster_settle(loop->config.roster_behind, loop->now);
    }
    if (lane->lobby.count == 0) {
        return DYNO_OK;
    }
    return lane->roster && dyno_roster_is_gone(lane->roster)
               ? dyno_loop_give_up_lobby(loop, lane, DYNO_FAILED)
               : settle_lobby(loop, lane, error);
}

dyno_status dyno_loop_cancel_in_lobby(struct dyno_loop *loop, uint64_t id)
{
    struct dyno_lobby_seat *seat = NULL;

    for (uint32_t i = 0; i < loop->lane_count && !seat; i++) {
        seat = dyno_lobby_find(&loop->lanes[i].lobby, id);
    }
    return seat ? turn_away(loop, seat, DYNO_CANCELLED_BY_CLIENT) : DYNO_OK;
}

bool dyno_loop_could_let_in(const struct dyno_loop *loop)
{
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        const struct dyno_lane *lane = &loop->lanes[i];

        if (lane->lobby.count > 0 && dyno_loop_can_route(loop, lane)) {
            return true;
        }
    }
    return false;
}
