#include "reports/store_models.h"

static void bind_model(sqlite3_stmt *insert, uint32_t number, const struct dyno_model_report *model)
{
    sqlite3_bind_int64(insert, 2, number);
    sqlite3_bind_text(insert, 3, model->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 4, model->model, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 5, model->gpu, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, model->totals->workers);
    sqlite3_bind_int64(insert, 7, model->totals->gpus);
}

dyno_status dyno_store_models(sqlite3 *database, int64_t run, const struct dyno_report *report,
                              struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *insert;

    if (report->model_count == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_database_prepare(database, &insert,
                                   "INSERT INTO model (run, number, name, model, gpu, workers,"
                                   " gpus) VALUES (?1,?2,?3,?4,?5,?6,?7)",
                                   error));
    sqlite3_bind_int64(insert, 1, run);
    for (uint32_t i = 0; status == DYNO_OK && i < report->model_count; i++) {
        bind_model(insert, i, &report->models[i]);
        if (sqlite3_step(insert) != SQLITE_DONE) {
            status = dyno_database_failed(database, error);
        }
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    return status;
}
