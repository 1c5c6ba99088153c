#!/usr/bin/env bash
# Compiles the core for 64-bit ARM and runs its tests in an emulator: the NEON kernels against float64.
# Needs g++-aarch64-linux-gnu and qemu-user-static. Headers of Highway, xxHash and doctest are the host's own.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset neon
cmake --build build/neon --target engram-tests
qemu-aarch64-static -L /usr/aarch64-linux-gnu build/neon/engram-tests \
  -sf='*test/kernels/*,*test/engine/*,*test/dense/*,*test/transport/*,*test/spectral/*,*test/storage/*' -tce='*killed*,*full disk*,*larger than the machine*' "$@"
