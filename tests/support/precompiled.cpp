// SPDX-License-Identifier: Apache-2.0
// Empty: a target that owns a precompiled header needs a source that uses it.
