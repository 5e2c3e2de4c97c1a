// SPDX-License-Identifier: Apache-2.0

/// Memory in huge pages, where the system grants them (`madvise` in transparent_hugepage/enabled):
/// a page of 4 KiB that is touched first costs an interrupt, 0.2 us on the metal and up to 20 on a
/// virtual machine, and SystemC alone clears 3 MiB before main(). Linked into the programs, not the
/// libraries; the sanitizers keep memory their own way.

#ifndef __SANITIZE_ADDRESS__

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <malloc.h>
#include <new>
#include <sys/mman.h>

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20; ///< x86-64, and arm64 in pages of 4 KiB
constexpr std::size_t kHeap = std::size_t{64} << 20; ///< room asked for at once; touched as needed

constexpr std::size_t whole_pages(std::size_t size) {
    return (size + kHugePage - 1) / kHugePage * kHugePage;
}

void prefer_huge_pages(void* begin, std::size_t size) {
    madvise(begin, size, MADV_HUGEPAGE); // advice: small pages do as well
}

} // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc, misc-new-delete-overloads)

namespace npusim {

/// Before the heap of huge pages: addresses that are never touched. Known outside this file, or the
/// compiler would leave its allocation out.
extern void* const before_heap;

/// Smaller blocks come from the heap that malloc grows: its first 64 MiB.
void* const before_heap = [] {
    mallopt(M_MMAP_THRESHOLD, int{kHugePage});
    mallopt(M_TRIM_THRESHOLD, int{kHeap});
    mallopt(M_TOP_PAD, int{kHeap});
    void* probe = std::malloc(kHugePage / 2);
    const auto here = reinterpret_cast<std::uintptr_t>(probe);
    const std::size_t gap = whole_pages(here + kHugePage) - here; // malloc writes behind `probe`
    prefer_huge_pages(static_cast<char*>(probe) + gap, kHeap - 2 * kHugePage);
    std::free(probe);
    return std::malloc(gap);
}();

} // namespace npusim

/// Blocks of a huge page and more are whole ones; the library's operator delete frees them.
void* operator new(std::size_t size) {
    void* block = nullptr;
    if (size > std::numeric_limits<std::ptrdiff_t>::max()) {
        throw std::bad_alloc(); // rounded up, it might be small
    }
    if (size < kHugePage) {
        block = std::malloc(size == 0 ? 1 : size);
    } else {
        block = std::aligned_alloc(kHugePage, whole_pages(size));
        if (block != nullptr) {
            prefer_huge_pages(block, whole_pages(size));
        }
    }
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

// NOLINTEND(cppcoreguidelines-no-malloc, misc-new-delete-overloads)

#endif
