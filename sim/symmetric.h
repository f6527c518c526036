/* Small symmetric matrices. */
#ifndef DYNO_SIM_SYMMETRIC_H
#define DYNO_SIM_SYMMETRIC_H

#include <stdbool.h>
#include <stdint.h>

enum { DYNO_SYMMETRIC_MAX = 12 };

/* In place, by Gauss and Jordan; false: singular, as far as can be told. */
bool dyno_symmetric_invert(double matrix[DYNO_SYMMETRIC_MAX][DYNO_SYMMETRIC_MAX], uint32_t count);

/* (the matrix with its negative eigenvalues taken for 0, + ridge on the diagonal)^-1, in place;
 * ridge > 0. */
void dyno_symmetric_invert_positive(double matrix[DYNO_SYMMETRIC_MAX][DYNO_SYMMETRIC_MAX],
                                    uint32_t count, double ridge);

/* out = left x middle x left'. */
void dyno_symmetric_sandwich(double left[DYNO_SYMMETRIC_MAX][DYNO_SYMMETRIC_MAX],
                             double middle[DYNO_SYMMETRIC_MAX][DYNO_SYMMETRIC_MAX], uint32_t count,
                             double out[DYNO_SYMMETRIC_MAX][DYNO_SYMMETRIC_MAX]);

#endif
