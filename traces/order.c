/* The heap of order.h. */
#include "traces/order.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/array.h"

static bool is_before(const struct dyno_order_item *a, const struct dyno_order_item *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

void dyno_order_release(struct dyno_order *order)
{
    free(order->items);
    *order = (struct dyno_order){0};
}

bool dyno_order_push(struct dyno_order *order, struct dyno_order_item item)
{
    uint32_t place;

    if (!dyno_array_reserve(&order->items, &order->capacity, order->count + 1U,
                            sizeof *order->items)) {
        return false;
    }
    for (place = order->count++; place > 0; place = (place - 1) / 2) {
        if (!is_before(&item, &order->items[(place - 1) / 2])) {
            break;
        }
        order->items[place] = order->items[(place - 1) / 2];
    }
    order->items[place] = item;
    return true;
}

struct dyno_order_item dyno_order_pop(struct dyno_order *order)
{
    struct dyno_order_item top, last;
    uint32_t place = 0;

    assert(order->count > 0);
    top = order->items[0];
    last = order->items[--order->count];
    if (order->count == 0) { /* as mostly: a trace is in order */
        return top;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= order->count) {
            break;
        }
        child +=
            child + 1 < order->count && is_before(&order->items[child + 1], &order->items[child]);
        if (!is_before(&order->items[child], &last)) {
            break;
        }
        order->items[place] = order->items[child];
        place = child;
    }
    order->items[place] = last;
    return top;
}
