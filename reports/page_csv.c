#include <string.h>

#include "reports/csv.h"
#include "reports/page.h"

static const char metrics_sql[] =
    "SELECT c.run AS run, c.label AS label, c.status AS status, m.metric AS metric,"
    " m.value AS value,"
    " (SELECT value FROM run_metric WHERE run = c.run"
    "  AND metric = 'intervals.' || m.metric || '.low') AS low,"
    " (SELECT value FROM run_metric WHERE run = c.run"
    "  AND metric = 'intervals.' || m.metric || '.high') AS high"
    " FROM chosen AS c LEFT JOIN run_metric AS m ON m.run = c.run"
    " AND m.metric NOT LIKE 'intervals.%' ORDER BY c.place, m.metric";

dyno_status dyno_page_csv(FILE *out, const struct dyno_page *page, struct dyno_error *error)
{
    sqlite3_stmt *rows;
    int step;

    DYNO_TRY(dyno_database_prepare(page->set->database, &rows, metrics_sql, error));
    step = dyno_csv_put(out, rows);
    (void)sqlite3_finalize(rows);
    return step == SQLITE_DONE ? DYNO_OK : dyno_database_failed(page->set->database, error);
}
