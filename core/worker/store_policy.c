/* Which blocks of a computed prompt a tier wants. */
#include <string.h>

#include "core/worker/tiers_parts.h"

static uint32_t all(const struct dyno_store_view *view)
{
    return view->blocks;
}

/* Found in some cache, so it is the second use at least. */
static uint32_t second_use(const struct dyno_store_view *view)
{
    return view->hit_blocks < view->blocks ? view->hit_blocks : view->blocks;
}

/* By span, from the first on: what is stored has to be closed under prefix. */
static uint32_t tinylfu(const struct dyno_store_view *view)
{
    uint32_t blocks = 0;

    for (uint32_t i = 0; i < view->link_count && blocks < view->blocks; i++) {
        if (dyno_kv_sketch_estimate(view->sketch, view->links[i].span) < 2) {
            break;
        }
        blocks += view->links[i].blocks;
    }
    return blocks < view->blocks ? blocks : view->blocks;
}

const struct dyno_store_policy dyno_store_policies[] = {
    {"all", "whatever was computed", false, all},
    {"second_use", "blocks that were found in a cache, so are used again", false, second_use},
    {"tinylfu", "spans that were seen twice lately, by an approximate count", true, tinylfu},
    {NULL, NULL, false, NULL},
};

const struct dyno_store_policy *dyno_store_policy_find(const char *name)
{
    for (const struct dyno_store_policy *row = dyno_store_policies; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}
