/* Elimination, and Jacobi's rotations. */
#include "sim/symmetric.h"

#include <string.h>

#include "core/base/math.h"

enum { MAX = DYNO_SYMMETRIC_MAX, SWEEPS = 30 };

bool dyno_symmetric_invert(double matrix[MAX][MAX], uint32_t count)
{
    double scale[MAX];

    for (uint32_t i = 0; i < count; i++) {
        scale[i] = matrix[i][i];
    }
    for (uint32_t pivot = 0; pivot < count; pivot++) {
        double divisor = matrix[pivot][pivot];

        if (!(divisor > 1e-7 * scale[pivot])) {
            return false;
        }
        matrix[pivot][pivot] = 1;
        for (uint32_t j = 0; j < count; j++) {
            matrix[pivot][j] /= divisor;
        }
        for (uint32_t i = 0; i < count; i++) {
            double factor = matrix[i][pivot];

            if (i == pivot) {
                continue;
            }
            matrix[i][pivot] = 0;
            for (uint32_t j = 0; j < count; j++) {
                matrix[i][j] -= factor * matrix[pivot][j];
            }
        }
    }
    return true;
}

void dyno_symmetric_sandwich(double left[MAX][MAX], double middle[MAX][MAX], uint32_t count,
                             double out[MAX][MAX])
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            out[i][j] = 0;
            for (uint32_t k = 0; k < count; k++) {
                for (uint32_t l = 0; l < count; l++) {
                    out[i][j] += left[i][k] * middle[k][l] * left[j][l];
                }
            }
        }
    }
}

/* Turn the plane of axes i and j so that matrix[i][j] becomes 0; `axes` turn along. */
static void rotate(double matrix[MAX][MAX], double axes[MAX][MAX], uint32_t count, uint32_t i,
                   uint32_t j)
{
    double half = (matrix[j][j] - matrix[i][i]) / (2 * matrix[i][j]);
    double size = dyno_sqrt(half * half + 1), tangent = half < 0 ? half - size : half + size;
    double cosine, sine;

    tangent = 1 / tangent;
    cosine = 1 / dyno_sqrt(tangent * tangent + 1);
    sine = tangent * cosine;
    for (uint32_t k = 0; k < count; k++) {
        double one = matrix[k][i], other = matrix[k][j];

        matrix[k][i] = cosine * one - sine * other;
        matrix[k][j] = sine * one + cosine * other;
    }
    for (uint32_t k = 0; k < count; k++) {
        double one = matrix[i][k], other = matrix[j][k];

        matrix[i][k] = cosine * one - sine * other;
        matrix[j][k] = sine * one + cosine * other;
        one = axes[k][i];
        other = axes[k][j];
        axes[k][i] = cosine * one - sine * other;
        axes[k][j] = sine * one + cosine * other;
    }
}

void dyno_symmetric_invert_positive(double matrix[MAX][MAX], uint32_t count, double ridge)
{
    double axes[MAX][MAX] = {{0}}, values[MAX];

    for (uint32_t i = 0; i < count; i++) {
        axes[i][i] = 1;
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t j = i + 1; j < count; j++) {
                double product = matrix[i][i] * matrix[j][j];

                if (matrix[i][j] * matrix[i][j] > 1e-24 * (product > 0 ? product : -product)) {
                    rotate(matrix, axes, count, i, j);
                }
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] = 1 / ((matrix[i][i] > 0 ? matrix[i][i] : 0) + ridge);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            matrix[i][j] = 0;
            for (uint32_t k = 0; k < count; k++) {
                matrix[i][j] += axes[i][k] * values[k] * axes[j][k];
            }
        }
    }
}
