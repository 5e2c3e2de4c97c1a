// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Causal convolution on the vector cores, and convolution of images on the cube.
extern const Family kConvolutionFamily;
/// Kernels limited by memory: Walsh-Hadamard transform, quantisation, streams of weights.
extern const Family kTileStreamFamily;

} // namespace npusim::app
