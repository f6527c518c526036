/* How coarse the clock of a trace is (inside this room).
 *
 * Some recorders look at the clock once in a while, and everything that came since has one time.
 * Then requests come in crowds, whatever they did before they were written down, and a fleet that
 * is given them so waits for crowds. */
#ifndef DYNO_TRACES_TICK_H
#define DYNO_TRACES_TICK_H

#include "traces/pile.h"

/* The time between two ticks, in whole ms: nearly all times of the pile, which is in order of time,
 * lie whole ticks behind the first, give or take a hundredth.  0: there is none, or fewer than two
 * requests come in one, so that it does not matter.  False: no memory. */
bool dyno_tick_find(dyno_ns *tick, const struct dyno_pile *pile);

#endif
