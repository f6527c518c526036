/* Arrays on the device and comparisons, for the tests of kernels/cuda. */
#include "tests/cuda/device.h"

#include <cuda_runtime_api.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"

enum { ARRAYS_MAX = 256 };

/* On a GPU an array lies between zones of 0xff that nobody may write; the emulation watches every
 * access. */
#if defined(DYNO_CUDA_EMULATION)
enum { GUARD_BYTES = 0 };
#else
enum { GUARD_BYTES = 4096 };
#endif

static struct {
    void *host[ARRAYS_MAX];
    struct {
        unsigned char *begin; /* of the zone before it */
        size_t bytes;
    } device[ARRAYS_MAX];
    int host_count, device_count;
} arrays;

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static void check(cudaError_t error, const char *call)
{
    if (error != cudaSuccess) {
        fail("%s: %s: %s", call, cudaGetErrorName(error), cudaGetErrorString(error));
    }
}

#define CHECK(call) check(call, #call)

void *host_array(size_t count, size_t size)
{
    void **place = &arrays.host[arrays.host_count];

    if (arrays.host_count == ARRAYS_MAX) {
        fail("more than %d arrays", ARRAYS_MAX);
    }
    *place = calloc(count > 0 ? count : 1, size);
    if (!*place) {
        fail("no memory for an array of %zu x %zu bytes", count, size);
    }
    arrays.host_count++;
    return *place;
}

void *device_array(size_t bytes)
{
    void *memory;

    if (arrays.device_count == ARRAYS_MAX) {
        fail("more than %d arrays", ARRAYS_MAX);
    }
    CHECK(cudaMalloc(&memory, bytes + 2 * (size_t)GUARD_BYTES));
    if (GUARD_BYTES > 0) {
        CHECK(cudaMemset(memory, 0xff, bytes + 2 * (size_t)GUARD_BYTES));
    }
    arrays.device[arrays.device_count].begin = memory;
    arrays.device[arrays.device_count++].bytes = bytes;
    return (unsigned char *)memory + GUARD_BYTES;
}

void *device_copy(const void *host, size_t bytes)
{
    void *device = device_array(bytes);

    CHECK(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
    return device;
}

static void look_beside(const unsigned char *begin, size_t bytes)
{
    if (GUARD_BYTES > 0 && (!device_untouched(begin, GUARD_BYTES) ||
                            !device_untouched(begin + GUARD_BYTES + bytes, GUARD_BYTES))) {
        fail("a kernel wrote beside an array of %zu bytes", bytes);
    }
}

void arrays_free(void)
{
    CHECK(cudaDeviceSynchronize());
    for (int i = 0; i < arrays.device_count; i++) {
        look_beside(arrays.device[i].begin, arrays.device[i].bytes);
        CHECK(cudaFree(arrays.device[i].begin));
    }
    while (arrays.host_count > 0) {
        free(arrays.host[--arrays.host_count]);
    }
    arrays.device_count = 0;
}

void device_read(void *host, const void *device, size_t bytes)
{
    CHECK(cudaDeviceSynchronize());
    CHECK(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}

void *device_read_all(const void *device, size_t bytes)
{
    void *host = host_array(bytes, 1);

    device_read(host, device, bytes);
    return host;
}

bool device_untouched(const void *device, size_t bytes)
{
    unsigned char *host = malloc(bytes + 1);
    bool untouched = host != NULL;

    if (!host) {
        fail("no memory for %zu bytes", bytes);
    }
    device_read(host, device, bytes);
    for (size_t i = 0; i < bytes && untouched; i++) {
        untouched = host[i] == 0xff;
    }
    free(host);
    return untouched;
}

uint16_t element_of(enum dyno_element element, float value)
{
    return element == DYNO_ELEMENT_F16 ? dyno_half_of_float(value) : dyno_bf16_of_float(value);
}

float element_value(enum dyno_element element, uint16_t bits)
{
    return element == DYNO_ELEMENT_F16 ? dyno_half_to_float(bits) : dyno_bf16_to_float(bits);
}

struct elements random_elements(struct dyno_rng *rng, enum dyno_element element, size_t count,
                                float scale)
{
    struct elements elements = {host_array(count, sizeof(uint16_t)),
                                host_array(count, sizeof(float)), NULL};

    for (size_t i = 0; i < count; i++) {
        elements.bits[i] = element_of(element, scale * (float)(2.0 * dyno_rng_unit(rng) - 1.0));
        elements.values[i] = element_value(element, elements.bits[i]);
    }
    elements.device = device_copy(elements.bits, count * sizeof(uint16_t));
    return elements;
}

void expect_elements(const char *what, unsigned seed, enum dyno_element element, const void *device,
                     const float *due, size_t count, double slack)
{
    const double unit = element == DYNO_ELEMENT_F16 ? 0x1p-11 : 0x1p-8;
    const double smallest = element == DYNO_ELEMENT_F16 ? 0x1p-25 : 0x1p-134;
    uint16_t *bits = device_read_all(device, count * sizeof(*bits));

    for (size_t i = 0; i < count; i++) {
        double got = (double)element_value(element, bits[i]), want = (double)due[i];
        double allowed = fabs(want) * unit * 1.0001 + smallest + slack;

        if (!(fabs(got - want) <= allowed)) {
            fail("%s, seed %u: element %zu of %zu is %g, not %g +- %g", what, seed, i, count, got,
                 want, allowed);
        }
    }
}

uint32_t pick(struct dyno_rng *rng, const uint32_t *from, size_t count)
{
    return from[dyno_rng_below(rng, count)];
}
