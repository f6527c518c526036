/* Fibers: threads of a block take turns on one thread of the host, each with a stack of its own.
 *
 * A switch is a dozen instructions on x86-64, and swapcontext elsewhere.  AddressSanitizer is told
 * of every switch.
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_FIBER_H
#define DYNO_TESTS_CUDA_EMULATION_FIBER_H

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulation
{

constexpr size_t stack_bytes = 128 * 1024; /* the lowest page is nobody's */

struct fiber {
#if defined(__x86_64__)
    void *stack_pointer;
#else
    ucontext_t context;
#endif
    void *fake_stack; /* AddressSanitizer's */
    const void *bottom;
    size_t bytes;
};

/* `fiber` will run entry() on the stack [stack, stack + stack_bytes) when first switched to; entry
 * ends by a switch with `last`. */
void fiber_make(fiber *fiber, void *stack, void (*entry)());

/* From the running fiber, whose state is kept in `from`, to `to`.  `last`: `from` will never run
 * again. */
void fiber_switch(fiber *from, fiber *to, bool last);

/* The first thing that entry() calls. */
void fiber_begun();

} /* namespace emulation */

#endif
