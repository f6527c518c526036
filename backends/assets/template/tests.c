/* What can stand after `is`. */
#include "backends/assets/template/run.h"
#include "core/base/utf8.h"

#define TEST(name)                                                                                 \
    static dyno_status name(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,    \
                            const struct dyno_jinja_bindings *arguments,                           \
                            struct dyno_jinja_value *out)

static dyno_status answer(struct dyno_jinja_value *out, bool truth)
{
    *out = dyno_jinja_boolean(truth);
    return DYNO_OK;
}

/* A test of the type alone. */
#define TYPE_TEST(name, condition)                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        enum dyno_jinja_type type = subject->type;                                                 \
                                                                                                   \
        (void)run;                                                                                 \
        (void)arguments;                                                                           \
        return answer(out, condition);                                                             \
    }

TYPE_TEST(is_defined, type != DYNO_JINJA_UNDEFINED)
TYPE_TEST(is_undefined, type == DYNO_JINJA_UNDEFINED)
TYPE_TEST(is_none, type == DYNO_JINJA_NONE)
TYPE_TEST(is_boolean, type == DYNO_JINJA_BOOLEAN)
TYPE_TEST(is_true, type == DYNO_JINJA_BOOLEAN && subject->as.truth)
TYPE_TEST(is_false, type == DYNO_JINJA_BOOLEAN && !subject->as.truth)
TYPE_TEST(is_integer, type == DYNO_JINJA_INTEGER)
TYPE_TEST(is_float, type == DYNO_JINJA_DECIMAL)
TYPE_TEST(is_number,
          type == DYNO_JINJA_INTEGER || type == DYNO_JINJA_DECIMAL || type == DYNO_JINJA_BOOLEAN)
TYPE_TEST(is_string, type == DYNO_JINJA_STRING)
TYPE_TEST(is_mapping, type == DYNO_JINJA_DICT)
TYPE_TEST(is_sequence, type == DYNO_JINJA_STRING || type == DYNO_JINJA_LIST ||
                           type == DYNO_JINJA_DICT || type == DYNO_JINJA_UNDEFINED)
TYPE_TEST(is_iterable, type == DYNO_JINJA_STRING || type == DYNO_JINJA_LIST ||
                           type == DYNO_JINJA_DICT || type == DYNO_JINJA_UNDEFINED)
TYPE_TEST(is_callable, type == DYNO_JINJA_MACRO || type == DYNO_JINJA_FUNCTION)

static dyno_status needs_argument(struct dyno_jinja_run *run,
                                  const struct dyno_jinja_bindings *arguments)
{
    return arguments->of[0] ? DYNO_OK : dyno_jinja_fail(run, "the test needs an argument");
}

static dyno_status operate(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                           const struct dyno_jinja_value *subject,
                           const struct dyno_jinja_bindings *arguments,
                           struct dyno_jinja_value *out)
{
    DYNO_TRY(needs_argument(run, arguments));
    return dyno_jinja_operate(run, operation, subject, arguments->of[0], out);
}

#define OPERATOR_TEST(name, operation)                                                             \
    TEST(name)                                                                                     \
    {                                                                                              \
        return operate(run, operation, subject, arguments, out);                                   \
    }

OPERATOR_TEST(is_equal, DYNO_JINJA_EQUAL)
OPERATOR_TEST(is_unequal, DYNO_JINJA_UNEQUAL)
OPERATOR_TEST(is_less, DYNO_JINJA_LESS)
OPERATOR_TEST(is_less_equal, DYNO_JINJA_LESS_EQUAL)
OPERATOR_TEST(is_greater, DYNO_JINJA_GREATER)
OPERATOR_TEST(is_greater_equal, DYNO_JINJA_GREATER_EQUAL)
OPERATOR_TEST(is_in, DYNO_JINJA_IN)

/* Of the same type and value, which for what is not changed is as good as the same object. */
TEST(is_same)
{
    DYNO_TRY(needs_argument(run, arguments));
    if (subject->type != arguments->of[0]->type) {
        return answer(out, false);
    }
    return operate(run, DYNO_JINJA_EQUAL, subject, arguments, out);
}

static dyno_status remainder_is(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                                int64_t divisor, int64_t remainder, struct dyno_jinja_value *out)
{
    struct dyno_jinja_value by = dyno_jinja_integer(divisor);

    DYNO_TRY(dyno_jinja_operate(run, DYNO_JINJA_MODULO, subject, &by, out));
    return answer(out, dyno_jinja_is_number(out) && dyno_jinja_number(out) == (double)remainder);
}

TEST(is_even)
{
    (void)arguments;
    return remainder_is(run, subject, 2, 0, out);
}

TEST(is_odd)
{
    (void)arguments;
    return remainder_is(run, subject, 2, 1, out);
}

TEST(is_divisible)
{
    DYNO_TRY(needs_argument(run, arguments));
    if (!dyno_jinja_is_whole(arguments->of[0])) {
        return dyno_jinja_fail(run, "divisibleby needs an integer");
    }
    return remainder_is(run, subject, dyno_jinja_whole(arguments->of[0]), 0, out);
}

/* Python's str.islower and isupper: as it is, and not without letters. */
static dyno_status has_case(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                            enum dyno_jinja_case is, enum dyno_jinja_case other,
                            struct dyno_jinja_value *out)
{
    struct dyno_jinja_value same, changed;
    struct dyno_jinja_text text;

    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    DYNO_TRY(dyno_jinja_change_case(run, text, is, &same));
    DYNO_TRY(dyno_jinja_change_case(run, text, other, &changed));
    return answer(out, dyno_jinja_same_text(same.as.text, text) &&
                           !dyno_jinja_same_text(changed.as.text, text));
}

TEST(is_lower)
{
    (void)arguments;
    return has_case(run, subject, DYNO_JINJA_LOWER, DYNO_JINJA_UPPER, out);
}

TEST(is_upper)
{
    (void)arguments;
    return has_case(run, subject, DYNO_JINJA_UPPER, DYNO_JINJA_LOWER, out);
}

static dyno_status is_known(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                            const struct dyno_jinja_function *(*find)(struct dyno_jinja_text),
                            struct dyno_jinja_value *out)
{
    if (subject->type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "the name of a filter or a test must be a string");
    }
    return answer(out, find(subject->as.text) != NULL);
}

TEST(is_filter)
{
    (void)arguments;
    return is_known(run, subject, dyno_jinja_filter, out);
}

TEST(is_test)
{
    (void)arguments;
    return is_known(run, subject, dyno_jinja_test, out);
}

const struct dyno_jinja_function *dyno_jinja_test(struct dyno_jinja_text name)
{
    static const struct dyno_jinja_function table[] = {{"defined", "", is_defined},
                                                       {"undefined", "", is_undefined},
                                                       {"none", "", is_none},
                                                       {"boolean", "", is_boolean},
                                                       {"true", "", is_true},
                                                       {"false", "", is_false},
                                                       {"integer", "", is_integer},
                                                       {"float", "", is_float},
                                                       {"number", "", is_number},
                                                       {"string", "", is_string},
                                                       {"mapping", "", is_mapping},
                                                       {"sequence", "", is_sequence},
                                                       {"iterable", "", is_iterable},
                                                       {"callable", "", is_callable},
                                                       {"sameas", "other", is_same},
                                                       {"eq", "other", is_equal},
                                                       {"equalto", "other", is_equal},
                                                       {"==", "other", is_equal},
                                                       {"ne", "other", is_unequal},
                                                       {"!=", "other", is_unequal},
                                                       {"lt", "other", is_less},
                                                       {"lessthan", "other", is_less},
                                                       {"<", "other", is_less},
                                                       {"le", "other", is_less_equal},
                                                       {"<=", "other", is_less_equal},
                                                       {"gt", "other", is_greater},
                                                       {"greaterthan", "other", is_greater},
                                                       {">", "other", is_greater},
                                                       {"ge", "other", is_greater_equal},
                                                       {">=", "other", is_greater_equal},
                                                       {"in", "seq", is_in},
                                                       {"even", "", is_even},
                                                       {"odd", "", is_odd},
                                                       {"divisibleby", "num", is_divisible},
                                                       {"lower", "", is_lower},
                                                       {"upper", "", is_upper},
                                                       {"filter", "", is_filter},
                                                       {"test", "", is_test},
                                                       {0}};

    return dyno_jinja_lookup(table, name);
}
