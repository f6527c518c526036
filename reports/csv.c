#include "reports/csv.h"

#include <inttypes.h>
#include <string.h>

static void put_text(FILE *out, const char *text)
{
    text = text ? text : ""; /* a blob of no bytes */
    if (*text && !strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        fputs(*text == '"' ? "\"" : "", out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void put_field(FILE *out, sqlite3_stmt *rows, int column)
{
    switch (sqlite3_column_type(rows, column)) {
    case SQLITE_NULL:
        break;
    case SQLITE_INTEGER:
        (void)fprintf(out, "%" PRId64, (int64_t)sqlite3_column_int64(rows, column));
        break;
    case SQLITE_FLOAT:
        (void)fprintf(out, "%.12g", sqlite3_column_double(rows, column));
        break;
    default:
        put_text(out, (const char *)sqlite3_column_text(rows, column));
    }
}

int dyno_csv_put(FILE *out, sqlite3_stmt *rows)
{
    int columns = sqlite3_column_count(rows), step;

    for (int i = 0; i < columns; i++) {
        fputs(i > 0 ? "," : "", out);
        put_text(out, sqlite3_column_name(rows, i));
    }
    fputc('\n', out);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            fputs(i > 0 ? "," : "", out);
            put_field(out, rows, i);
        }
        fputc('\n', out);
    }
    return step;
}
