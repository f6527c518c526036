/* The recorder's inside, for tests that make its disk fail. */
#ifndef DYNO_REPORTS_RECORDER_H
#define DYNO_REPORTS_RECORDER_H

#include <sqlite3.h>

#include "reports/reports.h"

/* The connection; NULL when nothing is kept.  To be used before the first record only: from then on
 * it belongs to the recorder's thread. */
sqlite3 *dyno_recorder_database(const struct dyno_recorder *recorder);

#endif
