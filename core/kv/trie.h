/* The trie: rewrites a prompt's chain of short spans as few long ones.
 *
 * A trace names every 512 (or 16) tokens of a prompt, so a prompt of 12,000 tokens comes as 24
 * spans (or 750), each of which a cache, an index and the router's books would look up, hold and
 * forget one by one.  But spans that came together mostly stay together.  The trie keeps every row
 * of spans that was first seen in one request, or was appended by a longer one, as one node; a
 * request's chain becomes a walk over nodes, of each its leading blocks.  Everything behind the
 * trie sees nodes as spans: "the first 288 blocks of node A, then 64 blocks of node B".
 *
 *      request 1:  a b c d e          node a = [a b c d e]      chain: a(5)
 *      request 2:  a b x y            node x = [x y]            chain: a(2) x(2)
 *      request 3:  a b c d e f        node a = [a b c d e f]    chain: a(6)
 *
 * What is shared does not change: two rewritten chains share exactly the blocks that the original
 * ones share, as long as a node lives while anybody may still name it: a request in flight, a
 * worker's cache, a router that has not heard yet.  A node is named by its first span's identity;
 * forgotten, it is made anew when its spans come again, and nothing is lost, because nobody held
 * them.
 *
 * Memory: 16 bytes a span of a living node, 48 a node.  Cost: one map look-up a node and one
 * comparison a span.  Spans of one identity that differ in length (a trace that contradicts itself)
 * are shared up to the shorter, and nothing behind them is.
 */
#ifndef DYNO_CORE_KV_TRIE_H
#define DYNO_CORE_KV_TRIE_H

#include <stddef.h>

#include "core/base/status.h"
#include "core/model/request.h"

struct dyno_kv_trie;

/* A cache that forgets a node at t may be believed to hold it until t + `linger_ns`. */
dyno_status dyno_kv_trie_open(struct dyno_kv_trie **out, dyno_ns linger_ns);
void dyno_kv_trie_close(struct dyno_kv_trie *trie);

/* Rewrite the chain of `request` in place; its spans are then the trie's until the next enter.  Its
 * nodes live until leave.  DYNO_NO_MEMORY. */
dyno_status dyno_kv_trie_enter(struct dyno_kv_trie *trie, dyno_ns now,
                               struct dyno_request *request);
void dyno_kv_trie_leave(struct dyno_kv_trie *trie, uint64_t request);

/* A cache began to hold blocks of `span`, or holds none any more, from `at` on.  Spans that are no
 * node are passed over. */
void dyno_kv_trie_held(struct dyno_kv_trie *trie, uint64_t span);
dyno_status dyno_kv_trie_gone(struct dyno_kv_trie *trie, uint64_t span, dyno_ns at);

size_t dyno_kv_trie_nodes(const struct dyno_kv_trie *trie);

#endif
