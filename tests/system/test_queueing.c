/* Promise 7: where queueing theory has a closed form, the simulator must find it.
 *
 * The null device takes 10 us a step whatever is in it, so a worker with c sequences is c servers,
 * and a request's service time is its output tokens times 10 us.  Waiting times of successive
 * requests are correlated, so the error of their mean is taken from the means of long batches (Law
 * and Kelton): the mean of BATCHES batch means must lie within 4 of their standard errors of the
 * formula, and within 6 %.
 */
#include <math.h>

#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { BATCHES = 20, REQUESTS = 200000, BATCH = REQUESTS / BATCHES };

struct batches {
    struct dyno_sink base;
    uint64_t count;
    double sum[BATCHES];
};

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct batches *batches = (struct batches *)sink;

    batches->sum[record->id / BATCH] += (double)(record->admitted_ns - record->ready_ns);
    batches->count++;
    return DYNO_OK;
}

static const struct dyno_sink_ops batches_ops = {.name = "batches", .request = on_request};

static void check_wait(const char *arrival, const char *output, uint32_t servers, double wait_s)
{
    struct batches batches = {.base.ops = &batches_ops};
    struct rig rig;
    char line[512];
    double mean = 0.0, squares = 0.0, error;

    (void)snprintf(line, sizeof line,
                   "replay --arrival %s --input-tokens 1 --output-tokens %s --requests %d --device "
                   "null --max-num-seqs %u --set kv.prefix_cache=false --set "
                   "kv.bound_belady=false --db :memory: --set run.sample_every=1h",
                   arrival, output, REQUESTS, servers);
    rig_run(&rig, line, &batches.base);
    ck_assert_uint_eq(batches.count, REQUESTS);
    rig_close(&rig);
    for (int i = 0; i < BATCHES; i++) {
        double batch = batches.sum[i] / BATCH * 1e-9;

        mean += batch / BATCHES;
        squares += batch * batch / BATCHES;
    }
    error = sqrt((squares - mean * mean) / (BATCHES - 1));
    ck_assert_msg(fabs(mean - wait_s) < 4.0 * error && fabs(mean - wait_s) < 0.06 * wait_s,
                  "%s, %s: mean wait %.6f s, expected %.6f s, standard error %.6f s", arrival,
                  output, mean, wait_s, error);
}

/* M/M/1: service 10 ms on average (1,000 tokens), 70 a second: rho = 0.7.
 * Wq = rho / (mu - lambda) = 0.7 / (100 - 70) = 23.333 ms. */
START_TEST(one_server_with_exponential_service_waits_as_m_m_1)
{
    check_wait("poisson:70", "exponential:1000", 1, 0.7 / 30.0);
}
END_TEST

/* M/D/1: Wq = rho / (2 mu (1 - rho)) = 0.7 / (200 x 0.3) = 11.667 ms. */
START_TEST(one_server_with_constant_service_waits_as_m_d_1)
{
    check_wait("poisson:70", "1000", 1, 0.7 / 60.0);
}
END_TEST

/* M/M/4, 300 a second: a = 3 Erlang, rho = 0.75.  Erlang C:
 * (a^4/4!)/(1-rho) = (81/24)/0.25 = 13.5; sum a^k/k!, k < 4, = 1 + 3 + 4.5 + 4.5 = 13;
 * C = 13.5 / 26.5 = 0.509434; Wq = C / (4 mu - lambda) = 0.509434 / 100 = 5.0943 ms. */
START_TEST(four_slots_wait_as_m_m_4)
{
    check_wait("poisson:300", "exponential:1000", 4, 13.5 / 26.5 / 100.0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("queueing");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, one_server_with_exponential_service_waits_as_m_m_1);
    tcase_add_test(cases, one_server_with_constant_service_waits_as_m_d_1);
    tcase_add_test(cases, four_slots_wait_as_m_m_4);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/queueing", add_cases)
