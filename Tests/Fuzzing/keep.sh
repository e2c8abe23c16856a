#!/bin/bash
# Keeps a few of the fuzzer's inputs as a test (FuzzedInputTests): of the small ones a small set that reaches all
# the code that they reach together. After run.sh, from whatever lies in .build/fuzzing/corpus.
set -eu
cd "$(dirname "$0")/../.."
build=.build/fuzzing
rm -rf $build/small $build/kept
for corpus in $build/corpus/*; do
  reader=$(basename "$corpus")
  mkdir -p "$build/small/$reader" "$build/kept/$reader"
  limit=1500
  case $reader in torch) limit=2400 ;; profile) limit=4400 ;; esac
  find "$corpus" -type f -size "-${limit}c" -exec cp -t "$build/small/$reader" {} +
  FUZZ=$reader FUZZ_SHARDS=$build/shards ASAN_OPTIONS=detect_leaks=0 $build/fuzz -set_cover_merge=1 -use_counters=0 \
    "$build/kept/$reader" "$build/small/$reader"
done
python3 Tests/Fuzzing/corpus.py pack Tests/CheckpointsTests/Fixtures/fuzzed.safetensors $build/kept
