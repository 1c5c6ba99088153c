#!/bin/sh
# Checks and measures engram on this machine: ./run.sh [--quick]
# Results go to the folder $OUT, or to ./results. Needs nothing but a shell, and for the CUDA half a driver.
folder=${0%/*}
OUT=${OUT:-$folder/results}
export OUT
exec "$folder/bin/node" "$folder/scripts/device/run.mjs" "$@"
