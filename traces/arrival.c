/* Arrival processes; time is kept in seconds as a double (exact to a nanosecond for 100 days) and
 * told in whole nanoseconds. */
#include "traces/arrival.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "core/base/units.h"
#include "traces/spec.h"

static const double rate_max = 1e9, variation_max = 100, seconds_max = 9e9;
static const double rate_min = 1e-9;
static const double two_pi = 6.283185307179586;

enum { CONCURRENCY_MAX = 1 << 24 };

static const char usage[] =
    "constant:RATE, poisson:RATE, gamma:RATE,CV, sine:MEAN,AMPLITUDE,PERIOD, "
    "rates:RATE@0s,RATE@60s,... (requests per second) or concurrency:N";

/* "5@60s": a rate (0: nothing comes) and when it begins, later than `after`. */
static bool parse_piece(const char *word, double after, struct dyno_arrival_piece *piece)
{
    const char *at = strchr(word, '@');
    char rate[64];
    dyno_ns begin;

    if (!at || (size_t)(at - word) >= sizeof rate) {
        return false;
    }
    memcpy(rate, word, (size_t)(at - word));
    rate[at - word] = '\0';
    if (dyno_parse_double(rate, &piece->rate) != DYNO_UNITS_OK ||
        dyno_parse_duration(at + 1, &begin) != DYNO_UNITS_OK) {
        return false;
    }
    piece->begin = (double)begin / 1e9;
    return piece->rate >= 0 && piece->rate <= rate_max && piece->begin > after;
}

static dyno_status parse_rates(struct dyno_arrival *arrival, const struct dyno_spec *spec,
                               struct dyno_error *error)
{
    double after = -1, largest = 0;

    arrival->pieces = calloc(spec->count, sizeof *arrival->pieces);
    if (!arrival->pieces) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the arrival rates");
    }
    arrival->kind = DYNO_ARRIVAL_RATES;
    arrival->piece_count = spec->count;
    for (uint32_t i = 0; i < spec->count; i++) {
        struct dyno_arrival_piece *piece = &arrival->pieces[i];

        if (!parse_piece(spec->words[i], after, piece) || (i == 0 && piece->begin != 0)) {
            return dyno_spec_refuse(spec, "RATE@TIME pieces, the first at 0s, times rising", error);
        }
        after = piece->begin;
        largest = largest > piece->rate ? largest : piece->rate;
    }
    return largest > 0 ? DYNO_OK : dyno_spec_refuse(spec, "a rate above 0 in some piece", error);
}

static dyno_status parse_sine(struct dyno_arrival *arrival, const struct dyno_spec *spec,
                              struct dyno_error *error)
{
    dyno_ns period;

    arrival->kind = DYNO_ARRIVAL_SINE;
    if (!dyno_spec_number(spec, 0, rate_min, rate_max, &arrival->rate) ||
        !dyno_spec_number(spec, 1, 0, arrival->rate, &arrival->amplitude) ||
        dyno_parse_duration(spec->words[2], &period) != DYNO_UNITS_OK || period == 0) {
        return dyno_spec_refuse(
            spec, "sine:MEAN,AMPLITUDE,PERIOD with AMPLITUDE at most MEAN and a PERIOD such as 24h",
            error);
    }
    arrival->period = (double)period / 1e9;
    return DYNO_OK;
}

static dyno_status parse_poisson(struct dyno_arrival *arrival, const struct dyno_spec *spec,
                                 struct dyno_error *error)
{
    arrival->kind = DYNO_ARRIVAL_RATES;
    arrival->pieces = calloc(1, sizeof *arrival->pieces);
    if (!arrival->pieces) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the arrival rate");
    }
    arrival->piece_count = 1;
    return dyno_spec_number(spec, 0, rate_min, rate_max, &arrival->pieces[0].rate)
               ? DYNO_OK
               : dyno_spec_refuse(spec, "poisson:RATE with a rate above 0, at most 1e9", error);
}

static dyno_status parse_closed(struct dyno_arrival *arrival, const struct dyno_spec *spec,
                                struct dyno_error *error)
{
    uint64_t value;

    arrival->kind = DYNO_ARRIVAL_CLOSED;
    if (dyno_parse_u64(spec->words[0], &value) != DYNO_UNITS_OK || value == 0 ||
        value > CONCURRENCY_MAX) {
        return dyno_spec_refuse(spec, "concurrency:N with N from 1 to 16777216", error);
    }
    arrival->concurrency = (uint32_t)value;
    return DYNO_OK;
}

static dyno_status parse(struct dyno_arrival *arrival, const struct dyno_spec *spec,
                         struct dyno_error *error)
{
    if (dyno_spec_is(spec, "constant", 1)) {
        arrival->kind = DYNO_ARRIVAL_CONSTANT;
        return dyno_spec_number(spec, 0, rate_min, rate_max, &arrival->rate)
                   ? DYNO_OK
                   : dyno_spec_refuse(spec, "constant:RATE with a rate above 0, at most 1e9",
                                      error);
    }
    if (dyno_spec_is(spec, "poisson", 1)) {
        return parse_poisson(arrival, spec, error);
    }
    if (dyno_spec_is(spec, "gamma", 2)) {
        arrival->kind = DYNO_ARRIVAL_GAMMA;
        if (!dyno_spec_number(spec, 0, rate_min, rate_max, &arrival->rate) ||
            !dyno_spec_number(spec, 1, 0.01, variation_max, &arrival->variation)) {
            return dyno_spec_refuse(
                spec, "gamma:RATE,CV with a rate above 0 and CV from 0.01 to 100", error);
        }
        arrival->variation *= arrival->variation;
        return DYNO_OK;
    }
    if (dyno_spec_is(spec, "sine", 3)) {
        return parse_sine(arrival, spec, error);
    }
    if (strcmp(spec->name, "rates") == 0) {
        return parse_rates(arrival, spec, error);
    }
    if (dyno_spec_is(spec, "concurrency", 1)) {
        return parse_closed(arrival, spec, error);
    }
    return dyno_spec_refuse(spec, NULL, error);
}

dyno_status dyno_arrival_init(struct dyno_arrival *arrival, const char *text, uint64_t seed,
                              struct dyno_error *error)
{
    struct dyno_spec spec;
    dyno_status status;

    *arrival = (struct dyno_arrival){0};
    DYNO_TRY(dyno_spec_split(&spec, "arrival", text, usage, error));
    status = parse(arrival, &spec, error);
    dyno_spec_release(&spec);
    if (status != DYNO_OK) {
        dyno_arrival_release(arrival);
        return status;
    }
    dyno_rng_init(&arrival->rng, seed, "arrivals");
    return DYNO_OK;
}

void dyno_arrival_release(struct dyno_arrival *arrival)
{
    free(arrival->pieces);
    arrival->pieces = NULL;
}

/* Thinning: candidates at the largest rate, each kept in proportion to the rate at its time. */
static void step_sine(struct dyno_arrival *arrival)
{
    double largest = arrival->rate + arrival->amplitude, phase, rate;

    do {
        arrival->now += dyno_rng_exponential(&arrival->rng) / largest;
        phase = arrival->now / arrival->period;
        phase -= (double)(uint64_t)phase;
        rate = arrival->rate + arrival->amplitude * dyno_sin(two_pi * phase);
    } while (dyno_rng_unit(&arrival->rng) * largest >= rate && arrival->now < seconds_max);
}

/* An exponential draw is used up at the rate of each piece that it passes through. */
static bool step_rates(struct dyno_arrival *arrival)
{
    double left = dyno_rng_exponential(&arrival->rng);

    for (;;) {
        const struct dyno_arrival_piece *piece = &arrival->pieces[arrival->piece];
        bool is_last = arrival->piece + 1 == arrival->piece_count;
        double room = is_last ? 0 : piece->rate * (piece[1].begin - arrival->now);

        if (is_last ? piece->rate > 0 : left < room) {
            arrival->now += left / piece->rate;
            return true;
        }
        if (is_last) {
            return false;
        }
        left -= room;
        arrival->now = piece[1].begin;
        arrival->piece++;
    }
}

dyno_ns dyno_arrival_next(struct dyno_arrival *arrival)
{
    double index = (double)arrival->count++;

    switch (arrival->kind) {
    case DYNO_ARRIVAL_CLOSED:
        return 0;
    case DYNO_ARRIVAL_CONSTANT:
        arrival->now = index / arrival->rate;
        break;
    case DYNO_ARRIVAL_GAMMA:
        arrival->now += dyno_rng_gamma(&arrival->rng, 1 / arrival->variation) * arrival->variation /
                        arrival->rate;
        break;
    case DYNO_ARRIVAL_SINE:
        step_sine(arrival);
        break;
    case DYNO_ARRIVAL_RATES:
        if (!step_rates(arrival)) {
            return DYNO_NEVER;
        }
        break;
    }
    return arrival->now < seconds_max ? (dyno_ns)(arrival->now * 1e9) : DYNO_NEVER;
}
