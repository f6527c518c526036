/* Arithmetic and comparison, as Python does them; integers have 64 bits and do not overflow. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/template/run.h"

static dyno_status refuse(struct dyno_jinja_run *run, const char *what,
                          const struct dyno_jinja_value *left, const struct dyno_jinja_value *right)
{
    const struct dyno_jinja_value *missing = left->type == DYNO_JINJA_UNDEFINED    ? left
                                             : right->type == DYNO_JINJA_UNDEFINED ? right
                                                                                   : NULL;

    if (missing) {
        return dyno_jinja_fail(run, "'%.*s' is undefined",
                               (int)(missing->as.text.size < 80 ? missing->as.text.size : 80),
                               missing->as.text.bytes);
    }
    return dyno_jinja_fail(run, "%s and %s cannot be %s", dyno_jinja_type_name(left),
                           dyno_jinja_type_name(right), what);
}

static dyno_status concatenate(struct dyno_jinja_run *run, const struct dyno_jinja_value *left,
                               const struct dyno_jinja_value *right, struct dyno_jinja_value *out)
{
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_text a, b;

    DYNO_TRY(dyno_jinja_to_string(run, left, &a));
    DYNO_TRY(dyno_jinja_to_string(run, right, &b));
    DYNO_TRY(dyno_jinja_take(run, a.size + b.size, &builder.bytes));
    builder.capacity = a.size + b.size;
    DYNO_TRY(dyno_jinja_write(run, &builder, a.bytes, a.size));
    DYNO_TRY(dyno_jinja_write(run, &builder, b.bytes, b.size));
    *out = dyno_jinja_built(&builder);
    return dyno_jinja_spend(run, builder.size / 64);
}

static dyno_status add_lists(struct dyno_jinja_run *run, const struct dyno_jinja_list *left,
                             const struct dyno_jinja_list *right, struct dyno_jinja_value *out)
{
    DYNO_TRY(dyno_jinja_spend(run, left->count + right->count));
    DYNO_TRY(dyno_jinja_new_list(run, left->count + right->count, out));
    out->as.list->is_tuple = left->is_tuple;
    memcpy(out->as.list->items, left->items, left->count * sizeof *left->items);
    memcpy(out->as.list->items + left->count, right->items, right->count * sizeof *right->items);
    out->as.list->count = left->count + right->count;
    return DYNO_OK;
}

static dyno_status add(struct dyno_jinja_run *run, const struct dyno_jinja_value *left,
                       const struct dyno_jinja_value *right, struct dyno_jinja_value *out)
{
    if (left->type == DYNO_JINJA_STRING && right->type == DYNO_JINJA_STRING) {
        return concatenate(run, left, right, out);
    }
    if (left->type == DYNO_JINJA_LIST && right->type == DYNO_JINJA_LIST &&
        left->as.list->is_tuple == right->as.list->is_tuple) {
        return add_lists(run, left->as.list, right->as.list, out);
    }
    return refuse(run, "added", left, right);
}

/* A string or a list, `times` times. */
static dyno_status repeat(struct dyno_jinja_run *run, const struct dyno_jinja_value *what,
                          int64_t times, struct dyno_jinja_value *out)
{
    struct dyno_jinja_builder builder = {0};

    if (what->type == DYNO_JINJA_STRING) {
        for (int64_t i = 0; i < times; i++) {
            DYNO_TRY(dyno_jinja_spend(run, 1));
            DYNO_TRY(dyno_jinja_print(run, &builder, what));
        }
        *out = dyno_jinja_built(&builder);
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_new_list(run, 8, out));
    out->as.list->is_tuple = what->as.list->is_tuple;
    for (int64_t i = 0; i < times; i++) {
        DYNO_TRY(dyno_jinja_spend(run, 1));
        for (size_t j = 0; j < what->as.list->count; j++) {
            DYNO_TRY(dyno_jinja_append(run, out->as.list, what->as.list->items[j]));
        }
    }
    return DYNO_OK;
}

static bool repeats(const struct dyno_jinja_value *value)
{
    return value->type == DYNO_JINJA_STRING || value->type == DYNO_JINJA_LIST;
}

static dyno_status overflow(struct dyno_jinja_run *run)
{
    return dyno_jinja_fail(run, "an integer does not fit 64 bits");
}

/* Towards minus infinity; the remainder has the divisor's sign. */
static dyno_status divide_whole(struct dyno_jinja_run *run, int64_t left, int64_t right,
                                int64_t *quotient, int64_t *remainder)
{
    if (right == 0) {
        return dyno_jinja_fail(run, "a division by zero");
    }
    if (left == INT64_MIN && right == -1) {
        return overflow(run);
    }
    *quotient = left / right;
    *remainder = left % right;
    if (*remainder != 0 && (*remainder < 0) != (right < 0)) {
        *quotient -= 1;
        *remainder += right;
    }
    return DYNO_OK;
}

static dyno_status power_whole(struct dyno_jinja_run *run, int64_t base, int64_t exponent,
                               struct dyno_jinja_value *out)
{
    int64_t result = 1;

    if (exponent < 0) {
        if (base == 0) {
            return dyno_jinja_fail(run, "a division by zero");
        }
        *out = dyno_jinja_decimal(pow((double)base, (double)exponent));
        return DYNO_OK;
    }
    if (base == 0 || base == 1 || base == -1) {
        *out = dyno_jinja_integer(exponent == 0 ? 1 : base < 0 && exponent % 2 == 0 ? 1 : base);
        return DYNO_OK;
    }
    for (int64_t i = 0; i < exponent; i++) {
        if (__builtin_mul_overflow(result, base, &result)) {
            return overflow(run);
        }
    }
    *out = dyno_jinja_integer(result);
    return DYNO_OK;
}

static dyno_status operate_whole(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                                 int64_t left, int64_t right, struct dyno_jinja_value *out)
{
    int64_t result = 0, other;
    bool too_large = false;

    switch (operation) {
    case DYNO_JINJA_ADD:
        too_large = __builtin_add_overflow(left, right, &result);
        break;
    case DYNO_JINJA_SUBTRACT:
        too_large = __builtin_sub_overflow(left, right, &result);
        break;
    case DYNO_JINJA_MULTIPLY:
        too_large = __builtin_mul_overflow(left, right, &result);
        break;
    case DYNO_JINJA_FLOOR_DIVIDE:
        DYNO_TRY(divide_whole(run, left, right, &result, &other));
        break;
    case DYNO_JINJA_MODULO:
        DYNO_TRY(divide_whole(run, left, right, &other, &result));
        break;
    case DYNO_JINJA_DIVIDE:
        if (right == 0) {
            return dyno_jinja_fail(run, "a division by zero");
        }
        *out = dyno_jinja_decimal((double)left / (double)right);
        return DYNO_OK;
    default:
        return power_whole(run, left, right, out);
    }
    *out = dyno_jinja_integer(result);
    return too_large ? overflow(run) : DYNO_OK;
}

static double modulo(double left, double right)
{
    double remainder = fmod(left, right);

    return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
}

static dyno_status operate_decimal(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                                   double left, double right, struct dyno_jinja_value *out)
{
    bool divides = operation == DYNO_JINJA_DIVIDE || operation == DYNO_JINJA_FLOOR_DIVIDE ||
                   operation == DYNO_JINJA_MODULO;
    double result = 0;

    if (divides && right == 0) {
        return dyno_jinja_fail(run, "a division by zero");
    }
    switch (operation) {
    case DYNO_JINJA_ADD:
        result = left + right;
        break;
    case DYNO_JINJA_SUBTRACT:
        result = left - right;
        break;
    case DYNO_JINJA_MULTIPLY:
        result = left * right;
        break;
    case DYNO_JINJA_DIVIDE:
        result = left / right;
        break;
    case DYNO_JINJA_FLOOR_DIVIDE:
        result = floor((left - modulo(left, right)) / right + 0.5);
        break;
    case DYNO_JINJA_MODULO:
        result = modulo(left, right);
        break;
    default:
        result = pow(left, right);
        break;
    }
    *out = dyno_jinja_decimal(result);
    return DYNO_OK;
}

/* + and * are also of texts and lists. */
static dyno_status calculate(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                             const struct dyno_jinja_value *left,
                             const struct dyno_jinja_value *right, struct dyno_jinja_value *out)
{
    if (dyno_jinja_is_whole(left) && dyno_jinja_is_whole(right)) {
        return operate_whole(run, operation, dyno_jinja_whole(left), dyno_jinja_whole(right), out);
    }
    if (dyno_jinja_is_number(left) && dyno_jinja_is_number(right)) {
        return operate_decimal(run, operation, dyno_jinja_number(left), dyno_jinja_number(right),
                               out);
    }
    if (operation == DYNO_JINJA_ADD) {
        return add(run, left, right, out);
    }
    if (operation == DYNO_JINJA_MULTIPLY && repeats(left) && dyno_jinja_is_whole(right)) {
        return repeat(run, left, dyno_jinja_whole(right), out);
    }
    if (operation == DYNO_JINJA_MULTIPLY && repeats(right) && dyno_jinja_is_whole(left)) {
        return repeat(run, right, dyno_jinja_whole(left), out);
    }
    return refuse(run, "calculated with", left, right);
}

dyno_status dyno_jinja_contains(struct dyno_jinja_run *run, const struct dyno_jinja_value *whole,
                                const struct dyno_jinja_value *part, bool *out)
{
    struct dyno_jinja_value *found;

    *out = false;
    if (whole->type == DYNO_JINJA_STRING && part->type == DYNO_JINJA_STRING) {
        struct dyno_jinja_text in = whole->as.text, what = part->as.text;

        *out = what.size == 0 || (in.size > 0 && memmem(in.bytes, in.size, what.bytes, what.size));
        return dyno_jinja_spend(run, in.size / 16);
    }
    if (whole->type == DYNO_JINJA_DICT || whole->type == DYNO_JINJA_NAMESPACE) {
        DYNO_TRY(dyno_jinja_find(run, whole->as.dict, part, &found));
        *out = found != NULL;
        return DYNO_OK;
    }
    if (whole->type == DYNO_JINJA_UNDEFINED) {
        return DYNO_OK;
    }
    if (whole->type != DYNO_JINJA_LIST) {
        return refuse(run, "compared by `in`", part, whole);
    }
    for (size_t i = 0; !*out && i < whole->as.list->count; i++) {
        DYNO_TRY(dyno_jinja_equal(run, &whole->as.list->items[i], part, out));
    }
    return DYNO_OK;
}

static dyno_status compare(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                           const struct dyno_jinja_value *left,
                           const struct dyno_jinja_value *right, bool *out)
{
    bool ordered = !(left->type == DYNO_JINJA_DECIMAL && isnan(left->as.decimal)) &&
                   !(right->type == DYNO_JINJA_DECIMAL && isnan(right->as.decimal));
    int order;

    if (left->type == DYNO_JINJA_UNDEFINED || right->type == DYNO_JINJA_UNDEFINED) {
        return refuse(run, "ordered", left, right);
    }
    DYNO_TRY(dyno_jinja_compare(run, left, right, &order));
    *out = ordered && (operation == DYNO_JINJA_LESS         ? order < 0
                       : operation == DYNO_JINJA_LESS_EQUAL ? order <= 0
                       : operation == DYNO_JINJA_GREATER    ? order > 0
                                                            : order >= 0);
    return DYNO_OK;
}

dyno_status dyno_jinja_operate(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                               const struct dyno_jinja_value *left,
                               const struct dyno_jinja_value *right, struct dyno_jinja_value *out)
{
    bool truth = false;

    switch (operation) {
    case DYNO_JINJA_CONCATENATE:
        return concatenate(run, left, right, out);
    case DYNO_JINJA_EQUAL:
    case DYNO_JINJA_UNEQUAL:
        DYNO_TRY(dyno_jinja_equal(run, left, right, &truth));
        truth = truth == (operation == DYNO_JINJA_EQUAL);
        break;
    case DYNO_JINJA_IN:
    case DYNO_JINJA_NOT_IN:
        DYNO_TRY(dyno_jinja_contains(run, right, left, &truth));
        truth = truth == (operation == DYNO_JINJA_IN);
        break;
    case DYNO_JINJA_LESS:
    case DYNO_JINJA_LESS_EQUAL:
    case DYNO_JINJA_GREATER:
    case DYNO_JINJA_GREATER_EQUAL:
        DYNO_TRY(compare(run, operation, left, right, &truth));
        break;
    default:
        return calculate(run, operation, left, right, out);
    }
    *out = dyno_jinja_boolean(truth);
    return DYNO_OK;
}
