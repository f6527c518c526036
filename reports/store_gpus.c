#include "reports/store_gpus.h"

#include <math.h>

/* A whole number that is known, or NULL. */
static void bind_whole(sqlite3_stmt *statement, int place, double value)
{
    if (isfinite(value)) {
        sqlite3_bind_int64(statement, place, (sqlite3_int64)value);
    } else {
        sqlite3_bind_null(statement, place);
    }
}

/* SQLite makes NULL of NaN. */
sqlite3_stmt *dyno_store_bind_gpu(sqlite3_stmt *insert, const struct dyno_gpu_record *record)
{
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)record->at);
    sqlite3_bind_int64(insert, 3, record->gpu);
    sqlite3_bind_double(insert, 4, record->busy);
    sqlite3_bind_double(insert, 5, record->memory_busy);
    bind_whole(insert, 6, record->memory_used_bytes);
    sqlite3_bind_double(insert, 7, record->power_watts);
    sqlite3_bind_double(insert, 8, record->energy_joules);
    sqlite3_bind_double(insert, 9, record->sm_clock_mhz);
    sqlite3_bind_double(insert, 10, record->memory_clock_mhz);
    sqlite3_bind_double(insert, 11, record->temperature_celsius);
    sqlite3_bind_text(insert, 12, record->tells_throttles ? record->throttles : NULL, -1,
                      SQLITE_TRANSIENT);
    bind_whole(insert, 13, record->ecc_corrected);
    bind_whole(insert, 14, record->ecc_uncorrected);
    return insert;
}
