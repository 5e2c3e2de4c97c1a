// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::functional {

/// Instruction sets of x86-64 hosts that inner loops are compiled for.
enum class Isa : std::uint8_t { Sse2, Avx2, Avx512 };

namespace detail {

template <class Body, class... Args>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl")]] void on_avx512(Args... args) {
    Body::template run<Isa::Avx512>(args...);
}
template <class Body, class... Args> [[gnu::target("avx2,fma")]] void on_avx2(Args... args) {
    Body::template run<Isa::Avx2>(args...);
}
template <class Body, class... Args> void on_sse2(Args... args) {
    Body::template run<Isa::Sse2>(args...);
}

inline Isa isa_here() {
    const bool avx512 =
        __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
        __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
    const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    return avx512 ? Isa::Avx512 : avx2 ? Isa::Avx2 : Isa::Sse2;
}

} // namespace detail

/// Calls the `run<Isa>(args...)` of `Body` that is compiled for the best this host has. It has to
/// be
/// [[gnu::always_inline]], and all it calls too: what is not inlined is of the baseline.
template <class Body, class... Args> void on_this_host(Args... args) {
    static const Isa here = detail::isa_here();
    switch (here) {
    case Isa::Avx512:
        return detail::on_avx512<Body>(args...);
    case Isa::Avx2:
        return detail::on_avx2<Body>(args...);
    case Isa::Sse2:
        return detail::on_sse2<Body>(args...);
    }
}

} // namespace npusim::functional
