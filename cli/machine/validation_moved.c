#include "cli/machine/validation_moved.h"

#include <inttypes.h>

#include "cli/json_maker.h"

/* How a figure is told: in the table, with so many decimals, and in JSON. */
struct told {
    const char *name, *key;
    int decimals;
};

static const struct told tier_figures[DYNO_TIER_FIGURES] = {
    {"hits, %", "hit_percent", 3},
    {"stored, blocks", "stored_blocks", 0},
    {"stored, MB", "stored_mb", 3},
    {"onboarded, blocks", "onboarded_blocks", 0},
    {"onboarded, MB", "onboarded_mb", 3},
    {"not stored, blocks", "declined_blocks", 0},
    {"not fetched, blocks", "slow_blocks", 0},
    {"lost, blocks", "lost_blocks", 0},
};

static const struct told handoff_figures[DYNO_HANDOFF_FIGURES] = {
    {"hand-offs", "count", 0},
    {"handed off, MB", "mb", 3},
    {"given up", "given_up", 0},
    {"sent again", "sent_again", 0},
};

/* ---- of one run ------------------------------------------------------------------------------ */

static double megabytes(const struct dyno_fleet_totals *totals, uint64_t blocks)
{
    return (double)blocks * (double)totals->tier_block_bytes / 1e6;
}

/* How many places blocks come from: lower tiers, and then other workers, if they do. */
static uint32_t sources_of(const struct dyno_fleet_totals *totals)
{
    return totals->tier_count + (totals->peers.level > 0);
}

static const struct dyno_tier_totals *source_of(const struct dyno_fleet_totals *totals,
                                                uint32_t index)
{
    return index < totals->tier_count ? &totals->tiers[index] : &totals->peers;
}

/* Of whole prompt blocks, those that were found here and did not come from elsewhere. */
static double own_hits(const struct dyno_fleet_totals *totals)
{
    double own = (double)totals->prompt_blocks_hit;

    for (uint32_t i = 0; i < sources_of(totals); i++) {
        own -= (double)source_of(totals, i)->hit_blocks;
    }
    return own;
}

static double tier_figure(const struct dyno_fleet_totals *totals, uint32_t tier,
                          enum dyno_tier_figure figure)
{
    static const struct dyno_tier_totals none = {.level = 1};
    const struct dyno_tier_totals *of = tier > 0 ? source_of(totals, tier - 1) : &none;
    double hits = tier > 0 ? (double)of->hit_blocks : own_hits(totals);

    switch (figure) {
    case DYNO_TIER_HIT_PERCENT:
        return totals->prompt_blocks > 0 ? 100.0 * hits / (double)totals->prompt_blocks : 0.0;
    case DYNO_TIER_STORED_BLOCKS:
        return (double)of->stored_blocks;
    case DYNO_TIER_STORED_MB:
        return megabytes(totals, of->stored_blocks);
    case DYNO_TIER_ONBOARDED_BLOCKS:
        return (double)of->loaded_blocks;
    case DYNO_TIER_ONBOARDED_MB:
        return megabytes(totals, of->loaded_blocks);
    case DYNO_TIER_DECLINED_BLOCKS:
        return (double)of->declined_blocks;
    case DYNO_TIER_SLOW_BLOCKS:
        return (double)of->slow_blocks;
    default:
        return (double)of->lost_blocks;
    }
}

/* Of all that was moved, what did not go to a tier or come from one. */
static double handoff_figure(const struct dyno_fleet_totals *totals,
                             enum dyno_handoff_figure figure)
{
    double count = (double)totals->transfers, bytes = (double)totals->transfer_bytes;

    for (uint32_t i = 0; i < sources_of(totals); i++) {
        const struct dyno_tier_totals *tier = source_of(totals, i);

        count -= (double)(tier->loads + tier->stores);
        bytes -=
            (double)(tier->loaded_blocks + tier->stored_blocks) * (double)totals->tier_block_bytes;
    }
    switch (figure) {
    case DYNO_HANDOFF_COUNT:
        return count;
    case DYNO_HANDOFF_MB:
        return bytes / 1e6;
    case DYNO_HANDOFF_GIVEN_UP:
        return (double)totals->transfers_given_up;
    default:
        return (double)totals->transfers_sent_again;
    }
}

/* ---- of all ---------------------------------------------------------------------------------- */

void dyno_validation_moved(struct dyno_validation_moved *out, const struct dyno_fleet_totals *live,
                           uint32_t repeats, const struct dyno_fleet_totals *simulated)
{
    double of_live[DYNO_VALIDATION_REPEATS_MAX];

    *out = (struct dyno_validation_moved){.tier_count = 1 + sources_of(simulated)};
    for (uint32_t tier = 0; tier < out->tier_count; tier++) {
        out->tiers[tier].level = tier > 0 ? source_of(simulated, tier - 1)->level : 1;
        out->tiers[tier].is_peers = tier > simulated->tier_count;
        for (uint32_t i = 0; i < DYNO_TIER_FIGURES; i++) {
            for (uint32_t run = 0; run < repeats; run++) {
                of_live[run] = tier_figure(&live[run], tier, i);
            }
            out->tiers[tier].figures[i] =
                dyno_validation_figure(of_live, repeats, tier_figure(simulated, tier, i));
        }
    }
    for (uint32_t i = 0; i < DYNO_HANDOFF_FIGURES; i++) {
        for (uint32_t run = 0; run < repeats; run++) {
            of_live[run] = handoff_figure(&live[run], i);
        }
        out->handoffs[i] = dyno_validation_figure(of_live, repeats, handoff_figure(simulated, i));
    }
}

/* ---- told ------------------------------------------------------------------------------------ */

static bool is_nothing(const struct dyno_validation_figure *figure)
{
    return figure->least == 0.0 && figure->most == 0.0 && figure->simulated == 0.0;
}

/* "g2", or "peers". */
static void name_tier(char name[8], const struct dyno_validation_tier *tier)
{
    if (tier->is_peers) {
        (void)snprintf(name, 8, "peers");
    } else {
        (void)snprintf(name, 8, "g%" PRIu32, tier->level);
    }
}

static void print_figure(const char *name, const struct told *told, uint32_t repeats,
                         const struct dyno_validation_figure *figure, FILE *out)
{
    char range[48] = "", what[40];

    (void)snprintf(what, sizeof what, "%s%s%s", name, name[0] ? " " : "", told->name);
    if (repeats > 1) {
        (void)snprintf(range, sizeof range, "%.*f to %.*f", told->decimals, figure->least,
                       told->decimals, figure->most);
    }
    (void)fprintf(out, "%-23s %12.*f %22s %12.*f %+11.*f\n", what, told->decimals, figure->real,
                  range, told->decimals, figure->simulated, told->decimals,
                  figure->simulated - figure->real);
}

void dyno_validation_moved_print(const struct dyno_validation_moved *moved, uint32_t repeats,
                                 FILE *out)
{
    (void)fprintf(out, "\n%-23s %12s %22s %12s %11s\n", "KV", "real",
                  repeats > 1 ? "of the live runs" : "", "simulated", "difference");
    for (uint32_t i = 0; i < moved->tier_count; i++) {
        const struct dyno_validation_tier *tier = &moved->tiers[i];
        char name[8];

        name_tier(name, tier);
        for (uint32_t j = 0; j < DYNO_TIER_FIGURES; j++) {
            if (j == DYNO_TIER_HIT_PERCENT || !is_nothing(&tier->figures[j])) {
                print_figure(name, &tier_figures[j], repeats, &tier->figures[j], out);
            }
        }
    }
    for (uint32_t i = 0; i < DYNO_HANDOFF_FIGURES; i++) {
        if (!is_nothing(&moved->handoffs[i])) {
            print_figure("", &handoff_figures[i], repeats, &moved->handoffs[i], out);
        }
    }
}

static json_t *figures_json(struct dyno_json_maker *maker, const struct told *told,
                            const struct dyno_validation_figure *figures, uint32_t count)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < count; i++) {
        dyno_json_put(maker, object, told[i].key, dyno_validation_figure_json(&figures[i]));
    }
    return object;
}

json_t *dyno_validation_moved_json(const struct dyno_validation_moved *moved)
{
    struct dyno_json_maker maker = {.failed = false};
    json_t *root = json_object();

    for (uint32_t i = 0; i < moved->tier_count; i++) {
        const struct dyno_validation_tier *tier = &moved->tiers[i];
        char name[8];

        name_tier(name, tier);
        dyno_json_put(&maker, root, name,
                      figures_json(&maker, tier_figures, tier->figures,
                                   i > 0 ? DYNO_TIER_FIGURES : DYNO_TIER_HIT_PERCENT + 1));
    }
    dyno_json_put(&maker, root, "handoffs",
                  figures_json(&maker, handoff_figures, moved->handoffs, DYNO_HANDOFF_FIGURES));
    if (maker.failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}
