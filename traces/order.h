/* A growable binary heap of (at, sequence number): the earliest first, ties in the order of the
 * sequence numbers, which are distinct. */
#ifndef DYNO_TRACES_ORDER_H
#define DYNO_TRACES_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct dyno_order_item {
    uint64_t at;
    uint64_t sequence;
    uint32_t slot; /* whatever the owner keeps there */
};

struct dyno_order {
    struct dyno_order_item *items; /* [count] */
    uint32_t count;
    uint32_t capacity;
};

void dyno_order_release(struct dyno_order *order);
bool dyno_order_push(struct dyno_order *order, struct dyno_order_item item); /* false: no memory */
struct dyno_order_item dyno_order_pop(struct dyno_order *order);             /* count > 0 */

#endif
