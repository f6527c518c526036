/* The rows of a run that say which models its fleet served. */
#ifndef DYNO_REPORTS_STORE_MODELS_H
#define DYNO_REPORTS_STORE_MODELS_H

#include "reports/database.h"
#include "reports/reports.h"

/* Inside a transaction.  None where there is one model.  Errors: as dyno_database_failed. */
dyno_status dyno_store_models(sqlite3 *database, int64_t run, const struct dyno_report *report,
                              struct dyno_error *error);

#endif
