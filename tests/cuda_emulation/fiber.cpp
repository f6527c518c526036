/* Fibers, and what AddressSanitizer wants to know of them. */
#include "tests/cuda_emulation/fiber.h"

#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
extern "C" {
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size);
}
#endif

namespace emulation
{

static fiber *came_from; /* whose stack is told of by the fiber that runs next */

static void leave(fiber *from, fiber *to, bool last)
{
    came_from = from;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(last ? nullptr : &from->fake_stack, to->bottom, to->bytes);
#else
    (void)to;
    (void)last;
#endif
}

/* The stack of the program's own thread is learnt here, when its first fiber starts. */
static void arrive(void *fake_stack)
{
#if defined(__SANITIZE_ADDRESS__)
    const void *bottom;
    size_t bytes;

    __sanitizer_finish_switch_fiber(fake_stack, &bottom, &bytes);
    came_from->bottom = bottom;
    came_from->bytes = bytes;
#else
    (void)fake_stack;
#endif
}

void fiber_begun()
{
    arrive(nullptr);
}

#if defined(__x86_64__)

extern "C" void dyno_emulation_switch(void **from, void *to);

/* The registers that a function must keep, and the place to go on. */
asm(R"(
    .text
    .globl dyno_emulation_switch
    .type dyno_emulation_switch, @function
dyno_emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size dyno_emulation_switch, .-dyno_emulation_switch
)");

void fiber_make(fiber *fiber, void *stack, void (*entry)())
{
    constexpr size_t kept = 6;
    auto top = reinterpret_cast<uintptr_t>(stack) + stack_bytes;
    auto *words = reinterpret_cast<uintptr_t *>(top - 64); /* the ABI's alignment at a call */

    words[-1] = 0; /* where entry would return to */
    words[-2] = reinterpret_cast<uintptr_t>(entry);
    for (size_t i = 0; i < kept; i++) {
        words[-3 - static_cast<long>(i)] = 0;
    }
    *fiber = {words - 2 - kept, nullptr, stack, stack_bytes};
}

void fiber_switch(fiber *from, fiber *to, bool last)
{
    leave(from, to, last);
    dyno_emulation_switch(&from->stack_pointer, to->stack_pointer);
    arrive(from->fake_stack);
}

#else

void fiber_make(fiber *fiber, void *stack, void (*entry)())
{
    if (getcontext(&fiber->context) != 0) {
        abort();
    }
    fiber->context.uc_stack.ss_sp = stack;
    fiber->context.uc_stack.ss_size = stack_bytes;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, entry, 0);
    fiber->fake_stack = nullptr;
    fiber->bottom = stack;
    fiber->bytes = stack_bytes;
}

void fiber_switch(fiber *from, fiber *to, bool last)
{
    leave(from, to, last);
    if (swapcontext(&from->context, &to->context) != 0) {
        abort();
    }
    arrive(from->fake_stack);
}

#endif

} /* namespace emulation */
