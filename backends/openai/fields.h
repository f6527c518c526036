/* How bodies are read: tables of fields, and one reader that knows where it is.
 *
 * A table has a row for every field that is read, ignored or refused; what is in no table is
 * refused as unknown.  Only for the files of this folder and their tests. */
#ifndef DYNO_BACKENDS_OPENAI_FIELDS_H
#define DYNO_BACKENDS_OPENAI_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/error.h"
#include "backends/openai/request.h"

/* As the size of a text that only the body bounds. */
enum { DYNO_OPENAI_TEXT_MAX = INT32_MAX };

/* A value and the way to it. */
struct dyno_openai_value {
    const json_t *json;
    const struct dyno_openai_value *within; /* NULL: this is the body */
    const char *key;                        /* its name in `within`; NULL: it is item `index` */
    size_t index;
    const struct dyno_openai_rules *rules;
    struct dyno_openai_error *error;
};

/* One field of an object. */
struct dyno_openai_field {
    const char *name;
    /* Read `value`, which is not null, to `out`: the struct that the table is of, at .offset. */
    dyno_status (*read)(const struct dyno_openai_value *value,
                        const struct dyno_openai_field *field, void *out);
    size_t offset;
    double min, max;  /* of numbers; sizes of texts */
    const char *text; /* refused: what to do instead; fixed: the only text that is taken */
};

struct dyno_openai_table {
    const struct dyno_openai_field *fields; /* [count] */
    size_t count;
    size_t offset; /* of the struct that the fields are of, in the one that is read */
};

/* A table of all rows of an array. */
#define DYNO_OPENAI_TABLE(rows, at)                                                                \
    {                                                                                              \
        rows, sizeof(rows) / sizeof *(rows), at                                                    \
    }

/* Item and member of a value, with the way to them. */
struct dyno_openai_value dyno_openai_item(const struct dyno_openai_value *array, size_t index);
struct dyno_openai_value dyno_openai_member(const struct dyno_openai_value *object,
                                            const char *key); /* json NULL where absent or null */

/* Read all fields of an object through tables[count] to `out`. */
dyno_status dyno_openai_read_object(const struct dyno_openai_value *object,
                                    const struct dyno_openai_table *tables, size_t count,
                                    void *out);

/* The same for a whole body: bytes, within the limits of `rules`, that must hold an object.  On
 * success *body is the caller's. */
dyno_status dyno_openai_read_body(json_t **body, const char *bytes, size_t size,
                                  const struct dyno_openai_rules *rules,
                                  struct dyno_openai_error *error);

/* Note what is wrong with `value`, and the way to it: 400. */
void dyno_openai_report(const struct dyno_openai_value *value, const char *code, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));
void dyno_openai_report_type(const struct dyno_openai_value *value, const char *expected);
void dyno_openai_report_missing(const struct dyno_openai_value *object, const char *key,
                                const char *expected);

/* The same, and the status: here, so that compilers see that it is no success. */
#define dyno_openai_refuse(value, code, ...)                                                       \
    (dyno_openai_report(value, code, __VA_ARGS__), DYNO_BAD_INPUT)

static inline dyno_status dyno_openai_refuse_type(const struct dyno_openai_value *value,
                                                  const char *expected)
{
    dyno_openai_report_type(value, expected);
    return DYNO_BAD_INPUT;
}

static inline dyno_status dyno_openai_refuse_missing(const struct dyno_openai_value *object,
                                                     const char *key, const char *expected)
{
    dyno_openai_report_missing(object, key, expected);
    return DYNO_BAD_INPUT;
}

/* Rows. */
typedef dyno_status dyno_openai_read(const struct dyno_openai_value *value,
                                     const struct dyno_openai_field *field, void *out);
dyno_openai_read dyno_openai_read_bool;    /* bool */
dyno_openai_read dyno_openai_read_number;  /* double in [min, max] */
dyno_openai_read dyno_openai_read_u32;     /* uint32_t in [min, max] */
dyno_openai_read dyno_openai_read_text;    /* const char *, of [min, max] bytes */
dyno_openai_read dyno_openai_read_any;     /* const json_t *, of any kind */
dyno_openai_read dyno_openai_read_ignored; /* changes nothing about the answer */
dyno_openai_read dyno_openai_read_refused; /* .text says what to do instead */
dyno_openai_read dyno_openai_read_fixed;   /* a text, .text or nothing */
dyno_openai_read dyno_openai_read_false;   /* false or nothing; .text says why */

/* The fields of struct dyno_openai_sampling, but for max_tokens and logprobs, which endpoints write
 * in ways of their own, and of struct dyno_openai_head; `offset` is where it lies in the struct
 * that is read. */
struct dyno_openai_table dyno_openai_sampling_table(size_t offset);
struct dyno_openai_table dyno_openai_head_table(size_t offset);

/* The rules' defaults, without stops and biases. */
struct dyno_openai_sampling dyno_openai_sampling_start(const struct dyno_openai_rules *rules);

/* What depends on more than one field: min_tokens, top_logprobs; the model and stream_options. */
dyno_status dyno_openai_sampling_check(const struct dyno_openai_value *body,
                                       const struct dyno_openai_sampling *sampling);
dyno_status dyno_openai_head_check(const struct dyno_openai_value *body,
                                   const struct dyno_openai_head *head);

/* Rows of struct dyno_openai_sampling: the first name counts where a body has both. */
dyno_openai_read dyno_openai_read_max_tokens;

/* Row of a struct dyno_openai_prompts (prompts.h). */
dyno_openai_read dyno_openai_read_prompts;

/* A token: below rules->vocab, if that is known. */
dyno_status dyno_openai_read_token(const struct dyno_openai_value *value, uint32_t *out);

/* An object, for the operator's records; a const json_t *, or kept nowhere. */
#define DYNO_OPENAI_NOWHERE SIZE_MAX
dyno_openai_read dyno_openai_read_metadata;

/* ["text"] or nothing. */
dyno_openai_read dyno_openai_read_modalities;

#endif
