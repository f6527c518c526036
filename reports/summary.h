/* The numbers of a run, by name and in order: what the JSON summary nests and the database lists.
 *
 * A name is the path of a JSON key, "ttft_ms.p99".  Rows with one parent follow one another.  Their
 * meaning, units and formulas: docs/metrics.md. */
#ifndef DYNO_REPORTS_SUMMARY_H
#define DYNO_REPORTS_SUMMARY_H

#include <stdint.h>

#include "reports/reports.h"

enum { DYNO_SUMMARY_NAME_MAX = 64, DYNO_SUMMARY_ROWS_MAX = 768 };

enum { DYNO_SUMMARY_MODEL_MAX = 25 }; /* of a model in a row's name, its end included */

enum dyno_summary_kind {
    DYNO_SUMMARY_COUNT,
    DYNO_SUMMARY_REAL,
    DYNO_SUMMARY_UNKNOWN, /* undefined or not computed: null */
};

struct dyno_summary_row {
    char name[DYNO_SUMMARY_NAME_MAX];
    enum dyno_summary_kind kind;
    uint64_t count;
    double real; /* finite */
};

struct dyno_summary {
    uint32_t row_count;
    struct dyno_summary_row rows[DYNO_SUMMARY_ROWS_MAX];
};

void dyno_summary_fill(struct dyno_summary *summary, const struct dyno_report *report);

/* The figures that the table shows too, so that both say the same.  NAN where undefined. */
struct dyno_figures {
    double duration_s;
    double requests_per_s, input_tokens_per_s, output_tokens_per_s;
    double goodput_per_s, goodput_fraction, goodput_per_gpu; /* NAN without an objective */
    double token_hit_rate, block_hit_rate;
    double gpu_hours, busy_fraction, mfu, mbu, kv_use;
    double gpu_watts, energy_kwh;  /* NAN where nobody asked; watts are the mean of a GPU */
    double cost, cost_per_million; /* NAN without a price, too; of a million output tokens */
};

struct dyno_figures dyno_figures_of(const struct dyno_report *report);

/* Of one of several models, over the time of the whole run; MFU, MBU and costs are not known. */
struct dyno_figures dyno_model_figures_of(const struct dyno_report *report, uint32_t model);

/* What a model is called in rows' names: letters, digits, - and _, as many as there is room for.
 * Others become _, so that two may be called alike. */
void dyno_summary_model(char out[DYNO_SUMMARY_MODEL_MAX], const char *name);

/* What kept a client from asking as it was told to; then its figures are its own, not the server's.
 */
enum dyno_client_limit {
    DYNO_CLIENT_FREE,
    DYNO_CLIENT_CPU, /* its thread computed for 90 % of the time, or more */
    DYNO_CLIENT_LAG, /* 1 % of requests were sent more than 1 ms late, and more than a twentieth of
                        the mean TTFT */
};

enum dyno_client_limit dyno_client_limit_of(const struct dyno_report *report);

/* The link that carried the largest share of what it can; the first of several; NULL: none carried
 * anything. */
const struct dyno_link_report *dyno_fullest_link(const struct dyno_links_report *links);

/* Prompt blocks found in the GPUs' own memory: those of lower tiers are hits there too. */
uint64_t dyno_tier_own_hits(const struct dyno_fleet_totals *totals);

/* True if any objective is set. */
bool dyno_slo_is_set(const struct dyno_slo *slo);

#endif
