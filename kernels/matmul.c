/* The product's definition, and how a team shares it out. */
#include "kernels/matmul.h"

#include <assert.h>

#include "kernels/element.h"

static double dot_ref(const struct dyno_matmul_job *job, uint32_t i, uint32_t row)
{
    double sum = 0.0;

    for (uint32_t k = 0; k < dyno_matmul_columns(job); k++) {
        float weight;

        dyno_matrix_read(job->weights, row, job->first_column + k, 1, &weight);
        sum += (double)weight * (double)job->x[i * job->x_stride + k];
    }
    return sum;
}

void dyno_matmul_ref(const struct dyno_matmul_job *job)
{
    for (uint32_t i = 0; i < job->n; i++) {
        for (uint32_t row = 0; row < job->weights->rows; row++) {
            double sum = dot_ref(job, i, row);

            sum += job->bias ? (double)job->bias[row] : 0.0;
            sum += job->residual ? (double)job->residual[i * job->y_stride + row] : 0.0;
            job->y[i * job->y_stride + row] = (float)sum;
        }
    }
}

struct shared {
    const struct dyno_isa *isa;
    const struct dyno_matmul_job *jobs;
};

static uint32_t units_of(const struct dyno_matmul_job *job)
{
    return job->n == 0 ? 0 : (job->weights->rows + DYNO_MATMUL_UNIT - 1) / DYNO_MATMUL_UNIT;
}

/* Units are counted through the jobs, one job after another. */
static void multiply_units(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct shared *shared = argument;
    uint32_t begin = 0;

    (void)worker;
    for (const struct dyno_matmul_job *job = shared->jobs; begin < last; job++) {
        uint32_t units = units_of(job), rows = job->weights->rows;
        uint32_t from = first > begin ? first - begin : 0;
        uint32_t to = last - begin < units ? last - begin : units;

        if (from < to) {
            shared->isa->matmul(job, from * DYNO_MATMUL_UNIT,
                                to == units ? rows : to * DYNO_MATMUL_UNIT);
        }
        begin += units;
    }
}

/* Chunks that are small enough to even out, and large enough to use what was packed. */
static uint32_t grain_of(uint32_t units, uint32_t workers)
{
    uint32_t grain = units / (workers * 8);

    return grain < 1 ? 1 : grain > 16 ? 16 : grain;
}

void dyno_matmul(const struct dyno_isa *isa, struct dyno_team *team,
                 const struct dyno_matmul_job *jobs, uint32_t count)
{
    struct shared shared = {isa, jobs};
    uint32_t units = 0;

    for (uint32_t i = 0; i < count; i++) {
        assert(jobs[i].y != jobs[i].residual);
        assert(dyno_matmul_columns(&jobs[i]) <= jobs[i].weights->columns - jobs[i].first_column);
        units += units_of(&jobs[i]);
    }
    dyno_team_run(team, units, grain_of(units, dyno_team_workers(team)), multiply_units, &shared);
}
