/* A database of runs: opening it safely, and its failures in words. */
#include "reports/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/words.h"
#include "schema_sql.h"

/* The name of the file behind a connection, quoted. */
static const char *name_of(sqlite3 *database, char out[DYNO_QUOTE_MAX])
{
    const char *name = database ? sqlite3_db_filename(database, "main") : NULL;
    const char *base = name ? strrchr(name, '/') : NULL;

    return dyno_quote(out, base ? base + 1 : name ? name : "?");
}

static dyno_status refused_by_system(sqlite3 *database, const char *name, struct dyno_error *error)
{
    int cause = sqlite3_system_errno(database);

    return dyno_fail(error, DYNO_IO, "the database %s cannot be used: %s%s%s", name,
                     sqlite3_errmsg(database), cause ? ": " : "", cause ? strerror(cause) : "");
}

dyno_status dyno_database_failed(sqlite3 *database, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    const char *name = name_of(database, quoted);

    switch (sqlite3_errcode(database) & 0xff) { /* the rest of an extended code is detail */
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return dyno_fail(error, DYNO_IO,
                         "the database %s is locked by another program: wait for it to end, or "
                         "choose another file",
                         name);
    case SQLITE_READONLY:
        return dyno_fail(error, DYNO_IO, "the database %s is read-only: choose another file", name);
    case SQLITE_FULL:
        return dyno_fail(error, DYNO_IO, "the database %s cannot grow: the disk is full", name);
    case SQLITE_NOTADB:
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is not a SQLite database: choose another file",
                         name);
    case SQLITE_CORRUPT:
        return dyno_fail(error, DYNO_IO, "the database %s is damaged: %s", name,
                         sqlite3_errmsg(database));
    case SQLITE_NOMEM:
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the database %s", name);
    default:
        return refused_by_system(database, name, error);
    }
}

dyno_status dyno_database_run(sqlite3 *database, const char *sql, struct dyno_error *error)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return dyno_database_failed(database, error);
    }
    return DYNO_OK;
}

dyno_status dyno_database_prepare(sqlite3 *database, sqlite3_stmt **out, const char *sql,
                                  struct dyno_error *error)
{
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK) {
        return dyno_database_failed(database, error);
    }
    return DYNO_OK;
}

/* The integer that `sql` yields. */
static dyno_status ask(sqlite3 *database, const char *sql, int64_t *out, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *statement;

    DYNO_TRY(dyno_database_prepare(database, &statement, sql, error));
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    } else {
        status = dyno_database_failed(database, error);
    }
    sqlite3_finalize(statement);
    return status;
}

struct identity {
    int64_t application;
    int64_t version;
    int64_t objects; /* tables, views, indices */
};

static dyno_status identify(sqlite3 *database, struct identity *out, struct dyno_error *error)
{
    DYNO_TRY(ask(database, "PRAGMA application_id", &out->application, error));
    DYNO_TRY(ask(database, "PRAGMA user_version", &out->version, error));
    return ask(database, "SELECT count(*) FROM sqlite_master", &out->objects, error);
}

static bool is_blank(const struct identity *identity)
{
    return identity->application == 0 && identity->version == 0 && identity->objects == 0;
}

static dyno_status judge(sqlite3 *database, const struct identity *identity,
                         struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (identity->application != DYNO_SCHEMA_APPLICATION_ID) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is a SQLite database, but not one of dyno runs: choose another file",
                         name_of(database, quoted));
    }
    if (identity->version > DYNO_SCHEMA_VERSION || identity->version < 1) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the database %s has version %lld of the schema and this dyno knows "
                         "version %d: use %s dyno, or choose another file",
                         name_of(database, quoted), (long long)identity->version,
                         DYNO_SCHEMA_VERSION,
                         identity->version > DYNO_SCHEMA_VERSION ? "a newer" : "an older");
    }
    return DYNO_OK;
}

/* What the schema has since `version`, to its end. */
static const char *since(int64_t version)
{
    static const char *const heads[] = {
        "-- Since version 2", "-- Since version 3", "-- Since version 4",
        "-- Since version 5", "-- Since version 6", "-- Since version 7",
        "-- Since version 8", "-- Since version 9", "-- Since version 10"};

    return strstr(dyno_schema_sql, heads[version - 2]);
}

/* Inside a write transaction, so that of two programs that start at once one makes the schema. */
static dyno_status settle_schema(sqlite3 *database, struct dyno_error *error)
{
    struct identity identity = {0};

    DYNO_TRY(identify(database, &identity, error));
    if (is_blank(&identity)) {
        DYNO_TRY(dyno_database_run(database, dyno_schema_sql, error));
        DYNO_TRY(identify(database, &identity, error));
    }
    if (identity.application == DYNO_SCHEMA_APPLICATION_ID && identity.version >= 1 &&
        identity.version < DYNO_SCHEMA_VERSION) {
        DYNO_TRY(dyno_database_run(database, since(identity.version + 1), error));
        DYNO_TRY(dyno_database_run(database, "PRAGMA user_version = 10", error));
    }
    return judge(database, &identity, error);
}

/* A write transaction changes only what it must, so that others can read meanwhile: changed pages
 * stay in memory until it ends (cache_spill). */
static const char settings[] = "PRAGMA synchronous = NORMAL;"
                               "PRAGMA cache_size = -16384;"
                               "PRAGMA cache_spill = OFF;";

static dyno_status prepare_for_writing(sqlite3 *database, struct dyno_error *error)
{
    dyno_status status;
    char quoted[DYNO_QUOTE_MAX];

    if (sqlite3_db_readonly(database, "main") == 1) {
        return dyno_fail(error, DYNO_IO, "the database %s is read-only: choose another file",
                         name_of(database, quoted));
    }
    DYNO_TRY(dyno_database_run(database, settings, error));
    DYNO_TRY(dyno_database_run(database, "BEGIN IMMEDIATE", error));
    status = settle_schema(database, error);
    if (status == DYNO_OK) {
        status = dyno_database_run(database, "COMMIT", error);
    }
    if (status != DYNO_OK) {
        sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL); /* of no effect if it rolled back */
    }
    return status;
}

static dyno_status prepare_for_reading(sqlite3 *database, struct dyno_error *error)
{
    struct identity identity = {0};

    DYNO_TRY(identify(database, &identity, error));
    return judge(database, &identity, error);
}

/* One thread at a time uses the connection, so that it needs no locks of its own (NOMUTEX). */
static dyno_status connect_to(sqlite3 **out, const char *path, int flags, struct dyno_error *error)
{
    int result = sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX, NULL);
    char quoted[DYNO_QUOTE_MAX];
    int cause;

    if (!*out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the database");
    }
    if (result != SQLITE_OK) {
        cause = sqlite3_system_errno(*out);
        return dyno_fail(error, DYNO_IO, "the database %s cannot be opened: %s",
                         dyno_quote(quoted, path), cause ? strerror(cause) : sqlite3_errmsg(*out));
    }
    sqlite3_busy_timeout(*out, DYNO_DATABASE_BUSY_MS);
    return DYNO_OK;
}

static dyno_status check_path(const char *path, bool *exists, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    struct stat there;

    *exists = stat(path, &there) == 0;
    if (*path == '\0') {
        return dyno_fail(error, DYNO_BAD_INPUT, "a database needs the name of a file");
    }
    if (*exists && !S_ISREG(there.st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is not a file: a database needs one",
                         dyno_quote(quoted, path));
    }
    return DYNO_OK;
}

/* SQLite would say only that it could not: the system says why.  (Not for a file that exists: to
 * close it would drop the locks that other connections of this process hold on it.) */
static dyno_status make_file(const char *path, struct dyno_error *error)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int cause = errno;
    char quoted[DYNO_QUOTE_MAX];

    if (descriptor < 0 && cause != EEXIST) { /* somebody was quicker: just as well */
        return dyno_fail(error, DYNO_IO, "the database %s cannot be made: %s",
                         dyno_quote(quoted, path), strerror(cause));
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return DYNO_OK;
}

dyno_status dyno_database_open(sqlite3 **out, const char *path, struct dyno_error *error)
{
    sqlite3 *database = NULL;
    dyno_status status;
    bool exists;

    DYNO_TRY(check_path(path, &exists, error));
    if (!exists) {
        DYNO_TRY(make_file(path, error));
    }
    status = connect_to(&database, path, SQLITE_OPEN_READWRITE, error);
    if (status == DYNO_OK) {
        status = prepare_for_writing(database, error);
    }
    if (status != DYNO_OK) {
        sqlite3_close(database);
        if (!exists) {
            unlink(path);
        }
        return status;
    }
    *out = database;
    return DYNO_OK;
}

/* Not read-only: a run that was killed may have left a transaction, which SQLite undoes first. */
dyno_status dyno_database_read(sqlite3 **out, const char *path, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    sqlite3 *database = NULL;
    dyno_status status;
    bool exists;

    DYNO_TRY(check_path(path, &exists, error));
    if (!exists) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "there is no database %s: `dyno replay --db FILE` makes one",
                         dyno_quote(quoted, path));
    }
    status = connect_to(&database, path, SQLITE_OPEN_READWRITE, error);
    if (status == DYNO_OK) {
        status = prepare_for_reading(database, error);
    }
    if (status != DYNO_OK) {
        sqlite3_close(database);
        return status;
    }
    *out = database;
    return DYNO_OK;
}

dyno_status dyno_database_read_now(sqlite3 **out, const char *path, struct dyno_error *error)
{
    struct dyno_error why;
    char quoted[DYNO_QUOTE_MAX];
    sqlite3 *database = NULL;
    int64_t version = 0;
    dyno_status status;

    DYNO_TRY(dyno_database_read(&database, path, error));
    status = ask(database, "PRAGMA user_version", &version, error);
    if (status == DYNO_OK && version == DYNO_SCHEMA_VERSION) {
        *out = database;
        return DYNO_OK;
    }
    (void)sqlite3_close(database);
    if (status != DYNO_OK) {
        return status;
    }
    status = dyno_database_open(out, path, &why);
    return status == DYNO_OK
               ? DYNO_OK
               : dyno_fail(error, status,
                           "%s has version %lld of the schema and could not be brought to version "
                           "%d: %s",
                           dyno_quote(quoted, path), (long long)version, DYNO_SCHEMA_VERSION,
                           why.text);
}
