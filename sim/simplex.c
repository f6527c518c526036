/* The textbook rules: reflect, expand, contract, shrink. */
#include "sim/simplex.h"

#include <assert.h>
#include <string.h>

struct vertex {
    double at[DYNO_SIMPLEX_MAX];
    double value;
};

struct simplex {
    const struct dyno_simplex_problem *problem;
    struct vertex vertices[DYNO_SIMPLEX_MAX + 1]; /* ascending in value */
};

/* The few vertices by insertion; equal values keep their order. */
static void sort(struct simplex *simplex)
{
    for (uint32_t i = 1; i <= simplex->problem->count; i++) {
        struct vertex vertex = simplex->vertices[i];
        uint32_t place = i;

        for (; place > 0 && simplex->vertices[place - 1].value > vertex.value; place--) {
            simplex->vertices[place] = simplex->vertices[place - 1];
        }
        simplex->vertices[place] = vertex;
    }
}

/* The worst vertex, moved through the centre of the others: 1 reflects, -0.5 contracts. */
static struct vertex moved(const struct simplex *simplex, double by)
{
    uint32_t count = simplex->problem->count;
    struct vertex out;

    for (uint32_t i = 0; i < count; i++) {
        double centre = 0;

        for (uint32_t j = 0; j < count; j++) {
            centre += simplex->vertices[j].at[i] / count;
        }
        out.at[i] = centre + by * (centre - simplex->vertices[count].at[i]);
    }
    out.value = simplex->problem->value(simplex->problem->context, out.at);
    return out;
}

static void shrink(struct simplex *simplex)
{
    for (uint32_t j = 1; j <= simplex->problem->count; j++) {
        struct vertex *vertex = &simplex->vertices[j];

        for (uint32_t i = 0; i < simplex->problem->count; i++) {
            vertex->at[i] = 0.5 * (vertex->at[i] + simplex->vertices[0].at[i]);
        }
        vertex->value = simplex->problem->value(simplex->problem->context, vertex->at);
    }
}

static void step(struct simplex *simplex)
{
    struct vertex *vertices = simplex->vertices;
    uint32_t worst = simplex->problem->count;
    struct vertex reflected = moved(simplex, 1), other;

    if (reflected.value < vertices[0].value) {
        other = moved(simplex, 2);
        vertices[worst] = other.value < reflected.value ? other : reflected;
    } else if (worst > 0 && reflected.value < vertices[worst - 1].value) {
        vertices[worst] = reflected;
    } else {
        other = moved(simplex, -0.5);
        if (other.value < vertices[worst].value) {
            vertices[worst] = other;
        } else {
            shrink(simplex);
        }
    }
}

double dyno_simplex(const struct dyno_simplex_problem *problem, double *at)
{
    struct simplex simplex = {.problem = problem};

    assert(problem->count >= 1 && problem->count <= DYNO_SIMPLEX_MAX);
    for (uint32_t j = 0; j <= problem->count; j++) {
        struct vertex *vertex = &simplex.vertices[j];

        memcpy(vertex->at, at, problem->count * sizeof *at);
        if (j > 0) {
            vertex->at[j - 1] += problem->step;
        }
        vertex->value = problem->value(problem->context, vertex->at);
    }
    sort(&simplex);
    for (uint32_t round = 0; round < problem->rounds; round++) {
        step(&simplex);
        sort(&simplex);
    }
    memcpy(at, simplex.vertices[0].at, problem->count * sizeof *at);
    return simplex.vertices[0].value;
}
