#include "reports/stats/sequential.h"

#include "core/base/math.h"

enum dyno_sequential_verdict dyno_sequential_add(struct dyno_sequential *test, double first,
                                                 double second)
{
    double likelihood;

    if (second > first * (1.0 + test->tolerance)) {
        test->successes++;
    } else {
        test->failures++;
    }
    likelihood = test->successes * dyno_log(0.9 / 0.5) + test->failures * dyno_log(0.1 / 0.5);
    if (likelihood >= -dyno_log(test->alpha)) {
        return DYNO_SEQUENTIAL_SLOWER;
    }
    return likelihood <= dyno_log(test->beta) ? DYNO_SEQUENTIAL_NOT_SLOWER
                                              : DYNO_SEQUENTIAL_GOES_ON;
}
