/* Transcendental functions whose result is the same on every machine and compiler.
 *
 * libm may differ in the last bit from one version to the next; a decision or a time must not.
 * These use only IEEE-754 add, subtract, multiply, divide and integer bit operations, and the tree
 * is compiled with -ffp-contract=off.  Relative error is below 1e-14 over the whole range.
 */
#ifndef DYNO_CORE_BASE_MATH_H
#define DYNO_CORE_BASE_MATH_H

double dyno_log(double x);           /* natural logarithm; x > 0 and finite */
double dyno_exp(double x);           /* 0 below -745, +infinity above 709.78 */
double dyno_sin(double x);           /* |x| <= 1e6 */
double dyno_pow(double x, double y); /* exp(y log x); x > 0 and finite */
double dyno_sqrt(double x);          /* x >= 0 and finite; exact where the root is a double */

#endif
