/* SPDX-License-Identifier: MIT */
#include "cpu.h"

#ifdef TENON_X86

#include <cpuid.h>

static int has_ssse3(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSSE3) != 0;
}

/* The processor must have AVX2, and the system must keep its registers: bits 1 and 2
 * of register 0 of the extended controls. */
static int has_avx2(void)
{
    unsigned a, b, c, d, low, high;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0)
        return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX2) != 0;
}

static int has_sha(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

#endif

#if defined(TENON_X86) || defined(TENON_ARM)

const tenon_kernels *tenon_cpu_list(size_t i)
{
#ifdef TENON_X86
    const tenon_kernels *list[3];
    size_t count = 0;
    if (has_avx2() && has_sha())
        list[count++] = &tenon_kernels_avx2_sha;
    if (has_avx2())
        list[count++] = &tenon_kernels_avx2;
    if (has_ssse3())
        list[count++] = &tenon_kernels_ssse3;
    return i < count ? list[i] : NULL;
#else
    return i == 0 ? &tenon_kernels_neon : NULL; /* every aarch64 has it */
#endif
}

/* What was found out, so that it is found out once: the only writable datum of the
 * library. Threads that find it out at the same time find the same. */
static const tenon_kernels unknown = {NULL, NULL, NULL, NULL, 0}, none = {NULL, NULL, NULL, NULL, 0};
static const tenon_kernels *chosen = &unknown;

void tenon_cpu_use(const tenon_kernels *kernels)
{
    __atomic_store_n(&chosen, kernels == NULL ? &none : kernels, __ATOMIC_RELAXED);
}

const tenon_kernels *tenon_cpu_kernels(void)
{
    const tenon_kernels *found = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (found == &unknown) {
        found = tenon_cpu_list(0);
        tenon_cpu_use(found);
    }
    return found == &none ? NULL : found;
}

#else

const tenon_kernels *tenon_cpu_list(size_t i)
{
    (void)i;
    return NULL;
}

void tenon_cpu_use(const tenon_kernels *kernels)
{
    (void)kernels;
}

#endif
