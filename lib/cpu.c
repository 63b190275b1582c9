/* SPDX-License-Identifier: MIT */
#include "cpu.h"

#ifdef TENON_X86

#include <cpuid.h>

uint32_t tenon_cpu_ask(int what)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    switch (what) {
    case TENON_CPU_LEAF_1:
        __cpuid(1, a, b, c, d);
        return c;
    case TENON_CPU_LEAF_7:
        (void)__get_cpuid_count(7, 0, &a, &b, &c, &d); /* 0 where there is none */
        return b;
    default:
        __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
        return a;
    }
}

size_t tenon_cpu_find(uint32_t (*ask)(int what), const tenon_kernels *list[3])
{
    const uint32_t avx = bit_OSXSAVE | bit_AVX;
    uint32_t leaf = ask(TENON_CPU_LEAF_1);
    size_t count = 0;
    if ((leaf & avx) == avx && (ask(TENON_CPU_KEPT) & 6) == 6 && (ask(TENON_CPU_LEAF_7) & bit_AVX2) != 0) {
        if ((ask(TENON_CPU_LEAF_7) & bit_SHA) != 0)
            list[count++] = &tenon_kernels_avx2_sha;
        list[count++] = &tenon_kernels_avx2;
    }
    if (leaf & bit_SSSE3)
        list[count++] = &tenon_kernels_ssse3;
    return count;
}

#endif

#if defined(TENON_X86) || defined(TENON_ARM)

const tenon_kernels *tenon_cpu_list(size_t i)
{
#ifdef TENON_X86
    const tenon_kernels *list[3];
    size_t count = tenon_cpu_find(tenon_cpu_ask, list);
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
