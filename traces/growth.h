/* Which requests are turns of one conversation, where nothing but their prompts tells (inside this
 * room): a turn's prompt begins with all whole blocks of the turn's before it, and is longer.
 *
 * Requests that merely share a beginning are told apart so, which conversations.h joins: there it
 * is enough that few have a block.  Some of those too begin with a whole prompt, a short one that
 * had hardly anything of its own behind the shared beginning.  What more than two go on from is
 * taken for such a one, and not for a turn that was answered so often. */
#ifndef DYNO_TRACES_GROWTH_H
#define DYNO_TRACES_GROWTH_H

#include "traces/conversations.h"

/* Replaces first[] and count of conversations that were found in this pile.  False: no memory. */
bool dyno_growth_find(struct dyno_conversations *conversations, const struct dyno_pile *pile);

#endif
