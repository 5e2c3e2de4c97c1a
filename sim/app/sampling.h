// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "sim/app/operator_run.h"
#include "sim/config/hardware.h"

namespace npusim::app {

/// What an operator costs, timing only, worked out from its beginning and from one or three
/// stretches of its rounds, each taken to stand for the rounds around it (systematic sampling, as
/// in Wunderlich et al., SMARTS, ISCA 2003). So that a stretch finds L2 as it would be, L2 sees the
/// transfers of rounds before it until it has seen twice what it holds, in no time; then some
/// rounds run whose time does not count.
///
/// The beginning is as it is: what is loaded once, what L2 does not hold yet, and the end of the
/// last round. An operator that cannot be cut, or is little longer than what would be run of it, is
/// run whole. What is missed: cores that drift apart over many rounds, and how full of other things
/// L2 is before an operator that goes through the same data many times (attention).
OperatorRun sample(const config::HardwareConfig& hardware, kernels::Operator& op);

} // namespace npusim::app
