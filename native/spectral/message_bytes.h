// Messages as bytes, for any transport: safetensors with the tensors "eigenvalues" F64 [rank] and "factor"
// F32 [rank, N], metadata engram.kind = "hebbian-operator", engram.version = "1", engram.sample_count,
// engram.trace, engram.noise_variance, engram.quality, engram.client and engram.checksum.*.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/status.h"
#include "spectral/hebbian_operator.h"

namespace engram::spectral {

Result<std::vector<std::byte>> to_bytes(const HebbianOperator& message);

// Trusts no byte: checks the format, the checksums, and all that check() does. kFormat, kOutOfMemory.
Result<HebbianOperator> from_bytes(std::span<const std::byte> bytes);

}  // namespace engram::spectral
