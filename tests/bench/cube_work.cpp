// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/cube_work.h"

#include "sim/config/hardware.h"
#include "sim/functional/execute.h"
#include "sim/functional/matrix_product.h"
#include "tests/bench/eigen_product.h"
#include "tests/support/machine.h"

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <functional>
#include <limits>
#include <type_traits>

namespace npusim::bench {

namespace {

using Work = std::function<void()>;

/// CPU seconds each of `works` takes at the least. They take turns, so that a busy host slows all
/// of them alike.
std::vector<double> least_seconds(const std::vector<Work>& works, int calls) {
    constexpr int kTurns = 30;
    std::vector<double> least(works.size(), std::numeric_limits<double>::infinity());
    for (int turn = 0; turn < kTurns; ++turn) {
        for (std::size_t i = 0; i < works.size(); ++i) {
            const std::clock_t start = std::clock();
            for (int call = 0; call < calls; ++call) {
                works[i]();
            }
            const auto ticks = static_cast<double>(std::clock() - start);
            least[i] = std::min(least[i], ticks / CLOCKS_PER_SEC / calls);
        }
    }
    return least;
}

void product_of(
    DType dtype, const functional::ProductShape& shape, const float* a, const float* b, float* c) {
    if (dtype == DType::Fp16) {
        functional::add_exact_product(shape, a, b, c);
    } else {
        functional::add_product(shape, a, b, c);
    }
}
void product_of(DType /*dtype*/,
                const functional::ProductShape& shape,
                const std::int32_t* a,
                const std::int32_t* b,
                std::int32_t* c) {
    functional::add_product(shape, a, b, c);
}

/// Of operands that are zero: others take as long.
template <class Value> ProductSpeed product_speed(DType dtype, std::int64_t side) {
    const config::HardwareConfig chip = test::hardware("ascend-910b");
    functional::GlobalMemory gm;
    functional::CoreMemory memory(chip, gm);
    const auto tile = [&](Memory where, DType format) {
        const isa::Tile all = isa::dense(where, format, 0, side, side);
        std::fill_n(memory.at(all), all.bytes(), std::byte{0});
        return all;
    };
    isa::Mmad mmad;
    mmad.a = tile(Memory::L0a, dtype);
    mmad.b = tile(Memory::L0b, dtype);
    mmad.c = tile(Memory::L0c, std::is_same_v<Value, float> ? DType::Fp32 : DType::Int32);
    const isa::Instruction instruction = mmad;

    const auto count = static_cast<std::size_t>(side * side);
    const std::vector<Value> a(count);
    const std::vector<Value> b(count);
    std::vector<Value> c(count);
    std::vector<Work> works{
        [&] { functional::execute(instruction, memory); },
        [&] {
            product_of(dtype, {side, side, side}, a.data(), b.data(), c.data());
        },
#ifdef NPUSIM_BENCH_EIGEN
        [&] { eigen_product(side, a.data(), b.data(), c.data()); },
#endif
    };
    const double flops = 2.0 * static_cast<double>(side * side * side);
    constexpr double kFlopsOfATurn = 1e8;
    std::vector<double> speeds;
    for (const double seconds : least_seconds(works, static_cast<int>(kFlopsOfATurn / flops) + 1)) {
        speeds.push_back(flops / seconds / 1e9);
    }
    ProductSpeed result{dtype, side, speeds[0], speeds[1], {}};
    if (speeds.size() > 2) {
        result.eigen = speeds[2];
    }
    return result;
}

} // namespace

std::vector<ProductSpeed> product_speeds() {
    std::vector<ProductSpeed> speeds;
    for (const std::int64_t side : {64, 128}) {
        speeds.push_back(product_speed<float>(DType::Fp16, side));
        speeds.push_back(product_speed<float>(DType::Bf16, side));
        speeds.push_back(product_speed<std::int32_t>(DType::Int8, side));
    }
    return speeds;
}

std::vector<ConversionSpeed> conversion_speeds() {
    constexpr std::int64_t kElements = 16'384;
    std::vector<ConversionSpeed> speeds;
    for (const DType dtype : {DType::Fp16, DType::Bf16, DType::Int8}) {
        const isa::Tile row = isa::dense(Memory::Gm, dtype, 0, 1, kElements);
        functional::GlobalMemory gm = functional::make_global_memory(row.bytes(), std::byte{0});
        std::vector<float> values(kElements);
        constexpr int kCalls = 100;
        const std::vector<double> seconds =
            least_seconds({[&] { functional::load_row(row, gm.data(), 0, values.data()); },
                           [&] { functional::store_row(row, gm.data(), 0, values.data()); }},
                          kCalls);
        speeds.push_back({dtype, kElements / seconds[0] / 1e9, kElements / seconds[1] / 1e9});
    }
    return speeds;
}

} // namespace npusim::bench
