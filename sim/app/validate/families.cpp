// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/attention_family.h"
#include "sim/app/validate/compiled_family.h"
#include "sim/app/validate/family.h"
#include "sim/app/validate/gdn_family.h"
#include "sim/app/validate/gemm_family.h"
#include "sim/app/validate/hand_over_family.h"
#include "sim/app/validate/inverse_family.h"
#include "sim/app/validate/stream_family.h"
#include "sim/app/validate/vector_family.h"

#include <array>

namespace npusim::app {

std::span<const Family> families() {
    static const std::array all{kTriangularInverseFamily,
                                kCompiledInverseFamily,
                                kCompiledStagesFamily,
                                kGatedDeltaNetFamily,
                                kGemmFamily,
                                kBatchGemmFamily,
                                kFlashAttentionFamily,
                                kHandOverFamily,
                                kConvolutionFamily,
                                kTileStreamFamily,
                                kVectorFamily,
                                kCopyFamily,
                                kScanFamily,
                                kInstructionFamily};
    return all;
}

} // namespace npusim::app
