/* JSON that is built without asking at every step: a failure leaves it incomplete, and is found at
 * the end. */
#ifndef DYNO_CLI_JSON_MAKER_H
#define DYNO_CLI_JSON_MAKER_H

#include <jansson.h>
#include <stdbool.h>

struct dyno_json_maker {
    bool failed;
};

/* `value`, which is taken over, into `object`. */
static inline void dyno_json_put(struct dyno_json_maker *maker, json_t *object, const char *key,
                                 json_t *value)
{
    if (!object || !value || json_object_set_new(object, key, value) != 0) {
        maker->failed = true;
    }
}

/* `value`, which is taken over, to the end of `array`. */
static inline void dyno_json_append(struct dyno_json_maker *maker, json_t *array, json_t *value)
{
    if (!array || !value || json_array_append_new(array, value) != 0) {
        maker->failed = true;
    }
}

#endif
