/* The section on the planner: what it did, why, and what it came to. */
#include "reports/table_lines.h"

/* Why there were as many as there were: "decode: 60 held, 2 up, 3 cooling". */
static void put_looks(const struct dyno_table_page *page, const char *role, const uint64_t *looks)
{
    const char *before = "";

    if (!looks) {
        return;
    }
    dyno_table_more(page);
    fprintf(page->out, "%s", role);
    for (int i = 0; i < DYNO_PLAN_REASONS; i++) {
        if (looks[i] > 0) {
            dyno_table_count(page, before, looks[i], " ");
            fprintf(page->out, "%s", dyno_plan_reason_name((enum dyno_plan_reason)i));
            before = ", ";
        }
    }
    fputc('\n', page->out);
}

/* Workers are up from the start of the run to its end, not only while requests are there. */
static double run_s(const struct dyno_table_page *page)
{
    dyno_ns end_ns = page->report->totals->end_ns;

    return end_ns > 0 ? (double)end_ns / 1e9 : page->figures.duration_s;
}

void dyno_table_plan(const struct dyno_table_page *page)
{
    const struct dyno_plan_report *plan = page->report->plan;
    const struct dyno_plan_regret *regret = plan->regret;

    dyno_table_section(page, "Planner");
    fprintf(page->out, "%s: ", plan->policy);
    dyno_table_count(page, "", plan->decisions,
                     plan->decisions == 1 ? " decision, " : " decisions, ");
    dyno_table_count(page, "", plan->starts, plan->starts == 1 ? " start (" : " starts (");
    dyno_table_count(page, "", plan->start_failures, " failed), ");
    dyno_table_count(page, "", plan->drains, " drained");
    if (plan->has_roles) {
        dyno_table_count(page, ", ", plan->changes,
                         plan->changes == 1 ? " change of role" : " changes of role");
    }
    fputc('\n', page->out);
    dyno_table_more(page);
    dyno_table_fixed(page, "on average ", plan->worker_s / run_s(page), 2, " workers up, ");
    if (page->report->model_count > 0) {
        dyno_table_count(page, "at most ", plan->gpus_max, " GPUs\n");
    } else {
        dyno_table_count(page, "at most ", plan->workers_max, "\n");
    }
    for (uint32_t i = 0; i < page->report->model_count; i++) {
        char role[64];

        (void)snprintf(role, sizeof role, "looks at %.48s: ", page->report->models[i].name);
        put_looks(page, role, page->report->models[i].plan->looks[DYNO_ROLE_SERVE]);
    }
    put_looks(page,
              plan->has_roles ? "looks at decode: " : "looks: ", plan->looks[DYNO_ROLE_SERVE]);
    if (plan->has_roles) {
        put_looks(page, "looks at prefill: ", plan->looks[DYNO_ROLE_PREFILL]);
    }
    if (regret) {
        dyno_table_more(page);
        dyno_table_fixed(page, "regret ", regret->gpu_hours, dyno_table_decimals(regret->gpu_hours),
                         " GPU-hours, ");
        dyno_table_percent(page, "", regret->good_share, " of requests, TTFT p99 ");
        dyno_table_fixed(page, "", regret->ttft_p99_s, dyno_table_decimals(regret->ttft_p99_s),
                         " s, against clairvoyant\n");
    }
}
