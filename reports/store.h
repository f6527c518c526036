/* One run's rows in a database: what the recorder's thread calls.  No thread of its own. */
#ifndef DYNO_REPORTS_STORE_H
#define DYNO_REPORTS_STORE_H

#include "reports/database.h"
#include "reports/reports.h"

enum dyno_item_kind {
    DYNO_ITEM_REQUEST,
    DYNO_ITEM_SAMPLE,
    DYNO_ITEM_DECISION,
    DYNO_ITEM_PLAN,
    DYNO_ITEM_FAULT,
    DYNO_ITEM_LINK,
    DYNO_ITEM_GPU,
    DYNO_ITEM_CANDIDATES, /* of the decision before it; as many items as they need */
};

enum { DYNO_ITEM_CANDIDATES_MAX = 6 }; /* keeps an item as small as a request */

/* A record as it crosses from the loop to the recorder's thread: no pointers. */
struct dyno_item {
    enum dyno_item_kind kind;
    union {
        struct dyno_request_record request;
        struct dyno_sample_record sample;
        struct dyno_plan_record plan;   /* its reason and role are static */
        struct dyno_fault_record fault; /* what it hit is kept until the run is recorded */
        struct dyno_link_record link;
        struct dyno_gpu_record gpu;
        struct dyno_decision_record decision; /* its arrays are in the items that follow */
        struct {
            uint32_t count;
            bool scored;
            uint32_t workers[DYNO_ITEM_CANDIDATES_MAX];
            double scores[DYNO_ITEM_CANDIDATES_MAX];
        } candidates;
    };
};

/* Make `item` one of the candidates of a decision from the `first` on. */
void dyno_item_candidates(struct dyno_item *item, const struct dyno_decision_record *record,
                          uint32_t first);

struct dyno_store;

/* Open the database and add the row of this run, its options and its host, in a transaction of
 * their own, with status 'running'.  Errors: as dyno_database_open. */
dyno_status dyno_run_store_open(struct dyno_store **out, const char *path, const char *command,
                                const char *title, const struct dyno_run_option_row *options,
                                uint32_t option_count, struct dyno_error *error);
void dyno_store_close(struct dyno_store *store);

int64_t dyno_store_run_id(const struct dyno_store *store);
sqlite3 *dyno_store_database(const struct dyno_store *store);

/* Between begin and commit: add rows.  After a failure of any of them, undo. */
dyno_status dyno_store_begin(struct dyno_store *store, struct dyno_error *error);
dyno_status dyno_store_put(struct dyno_store *store, const struct dyno_item *item,
                           struct dyno_error *error);
dyno_status dyno_store_commit(struct dyno_store *store, struct dyno_error *error);
void dyno_store_undo(struct dyno_store *store);

/* Say how the run ended, in a transaction of its own: the summary's rows, the host's facts (either
 * may be NULL) and `end`, a status of schema.sql. */
dyno_status dyno_store_finish(struct dyno_store *store, const char *end,
                              const struct dyno_report *report, const struct dyno_host_facts *facts,
                              struct dyno_error *error);

#endif
