/* What the files of the emulation's own test share. */
#ifndef DYNO_TESTS_CUDA_EMULATION_SELF_TEST_H
#define DYNO_TESTS_CUDA_EMULATION_SELF_TEST_H

#include <cstdlib>
#include <cuda_runtime.h>

namespace self_test
{

constexpr unsigned threads = 96;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool with_shadow = false;
#else
constexpr bool with_shadow = true;
#endif

/* Which build finds a mistake: that with the emulation's own shadow, or that with sanitizers. */
enum class found_by { both, shadow, sanitizers };

struct mistake {
    const char *name;
    void (*make)();
    const char *due; /* in what is said; null: the sanitizer's words will do */
    found_by who;
};

/* Each ends with one without a name. */
extern const mistake launch_mistakes[], hopper_mistakes[];

void expect(bool holds, const char *what);

template <class T> T *device_of(size_t count)
{
    void *memory;

    if (cudaMalloc(&memory, count * sizeof(T)) != cudaSuccess) {
        abort();
    }
    return static_cast<T *>(memory);
}

/* [threads] 0, 1, ... */
float *floats_of();

/* Limits of launches; what is queued, and when it is done. */
void launches_are_refused();
void work_is_done_when_waited_for();
void hopper_goes_right();

} /* namespace self_test */

#endif
