/* A database of runs (schema.sql): opening it safely, and its failures in words. */
#ifndef DYNO_REPORTS_DATABASE_H
#define DYNO_REPORTS_DATABASE_H

#include <sqlite3.h>

#include "core/base/status.h"

enum {
    DYNO_SCHEMA_VERSION = 10,                /* as schema.sql sets it */
    DYNO_SCHEMA_APPLICATION_ID = 1685679727, /* likewise */
    DYNO_DATABASE_BUSY_MS = 2000,            /* how long a lock is waited for */
};

/* Open `path` for writing; a new or empty file gets the schema.  On success *out is closed with
 * sqlite3_close.  A file that was made here does not outlive a failure.
 * Errors: DYNO_BAD_INPUT (not a database, or not one of runs), DYNO_UNSUPPORTED (another version of
 * the schema), DYNO_IO (locked, read-only, full, ...), DYNO_NO_MEMORY. */
dyno_status dyno_database_open(sqlite3 **out, const char *path, struct dyno_error *error);

/* Open an existing database to read it.  Errors: as above, and DYNO_NOT_FOUND. */
dyno_status dyno_database_read(sqlite3 **out, const char *path, struct dyno_error *error);

/* The same, and a database of an older version is brought to this one, as writing into it would.
 * Errors: as above; the sentence names the version of one that cannot be written. */
dyno_status dyno_database_read_now(sqlite3 **out, const char *path, struct dyno_error *error);

/* Run `sql`, statements without results. */
dyno_status dyno_database_run(sqlite3 *database, const char *sql, struct dyno_error *error);

/* A statement of one line of SQL, or a failure. */
dyno_status dyno_database_prepare(sqlite3 *database, sqlite3_stmt **out, const char *sql,
                                  struct dyno_error *error);

/* What the database's last failure means to its user: fills `error` and returns the status. */
dyno_status dyno_database_failed(sqlite3 *database, struct dyno_error *error);

#endif
