/* Pairs of runs: one real, one simulated. */
#include <inttypes.h>

#include "reports/database.h"
#include "reports/reports.h"

dyno_status dyno_validation_record(const char *path, int64_t live, int64_t simulated,
                                   struct dyno_error *error)
{
    sqlite3 *database;
    char sql[128];
    dyno_status status;

    DYNO_TRY(dyno_database_open(&database, path, error));
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO validation (live, simulated) VALUES (%" PRId64 ", %" PRId64 ")",
                   live, simulated);
    status = dyno_database_run(database, sql, error);
    sqlite3_close(database);
    return status;
}
