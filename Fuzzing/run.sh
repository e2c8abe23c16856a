#!/bin/bash
# Fuzzes one checkpoint reader with libFuzzer:  Fuzzing/run.sh torch|pickle|safetensors|index [SECONDS]
# Inputs that crash are left in Fuzzing/.build/findings; make them small tests in Tests/CheckpointsTests.
set -eu
cd "$(dirname "$0")"
target=$1
seconds=${2:-300}
swift build -c release --sanitize fuzzer -Xswiftc -enable-testing --product Fuzz

corpus=.build/corpus/$target
fixtures=../Tests/CheckpointsTests/Fixtures
mkdir -p "$corpus" .build/findings
case $target in
torch) cp "$fixtures"/*.pth "$corpus" ;;
pickle) for file in "$fixtures"/*.pth; do unzip -qop "$file" '*/data.pkl' >"$corpus/$(basename "$file" .pth).pkl"; done ;;
safetensors) cp "$fixtures"/*.safetensors "$corpus" ;;
index) printf '{"metadata":{"total_size":12},"weight_map":{"a":"m-1.safetensors","b.c":"m-2.safetensors"}}' >"$corpus/seed" ;;
*) echo "one of torch, pickle, safetensors, index" >&2; exit 2 ;;
esac
# A trap would start the backtracer, which outlives the fuzzer.
FUZZ=$target SWIFT_BACKTRACE=enable=no .build/release/Fuzz "$corpus" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
  -rss_limit_mb=2048 -artifact_prefix=.build/findings/"$target"- -print_final_stats=1
