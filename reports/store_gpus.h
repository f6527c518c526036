/* A row of what the driver told of a GPU. */
#ifndef DYNO_REPORTS_STORE_GPUS_H
#define DYNO_REPORTS_STORE_GPUS_H

#include <sqlite3.h>

#include "reports/reports.h"

/* Its first parameter is the run, which the caller binds. */
#define DYNO_STORE_GPU_SQL                                                                         \
    "INSERT OR REPLACE INTO gpu_sample (run, at_ns, gpu, busy, memory_busy, memory_used_bytes,"    \
    " power_watts, energy_joules, sm_clock_mhz, memory_clock_mhz, temperature_celsius, throttles," \
    " ecc_corrected, ecc_uncorrected) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)"

/* Binds the others, of which what is not told becomes NULL; texts are copied.  Returns `insert`. */
sqlite3_stmt *dyno_store_bind_gpu(sqlite3_stmt *insert, const struct dyno_gpu_record *record);

#endif
