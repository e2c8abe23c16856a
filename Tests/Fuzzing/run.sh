#!/bin/bash
# Fuzzes readers of files with libFuzzer and the address sanitizer, one after the other, each for so many seconds:
#   Tests/Fuzzing/run.sh 300 [READER...]      (torch pickle safetensors index config profile)
# Compiles the readers by itself, so that no build of the package knows of the fuzzer. Stops at the first input that
# crashes, hangs or takes 2 GB, and leaves it in .build/fuzzing/findings; make it a small test beside the reader's others.
# Inputs that reach new code stay in .build/fuzzing/corpus, from where the next run goes on. keep.sh takes a choice of them
# into the tests.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:?how many seconds a reader}
shift
[ $# -gt 0 ] || set -- torch pickle safetensors index config profile
build=.build/fuzzing
fixtures=Tests/CheckpointsTests/Fixtures
shards=$build/shards
mkdir -p $build/findings $shards
python3 Tests/Fuzzing/corpus.py unpack $fixtures/fuzzed.safetensors $build/seeds

module() { # name, files
  local name=$1
  shift
  swiftc -O -wmo -swift-version 6 -package-name vernier -enable-testing -sanitize=fuzzer,address -parse-as-library \
    -module-name "$name" -I $build -emit-module-path "$build/$name.swiftmodule" -emit-object -o "$build/$name.o" "$@"
}
module VernierCore $(find Sources/VernierCore -name '*.swift' ! -name Digest.swift) Tests/Fuzzing/Digest.swift
module ProfileFormat $(find Sources/ProfileFormat -name '*.swift')
module Checkpoints $(find Sources/Checkpoints -name '*.swift')
module Fuzz Tests/Fuzzing/Fuzz.swift Tests/CheckpointsTests/{FuzzedReader,OverwrittenFile,ZipText}.swift
swiftc -use-ld=lld -sanitize=fuzzer,address $build/{VernierCore,ProfileFormat,Checkpoints,Fuzz}.o -o $build/fuzz

for reader in "$@"; do
  seeds=$build/seeds/$reader
  corpus=$build/corpus/$reader
  dictionary=json.dict
  length=16384
  mkdir -p "$seeds" "$corpus"
  case $reader in
  torch)
    dictionary=torch.dict
    cp $fixtures/*.pth "$seeds"
    ;;
  pickle)
    dictionary=torch.dict
    for file in $fixtures/*.pth; do unzip -qop "$file" '*/data.pkl' >"$seeds/$(basename "$file" .pth).pkl"; done
    ;;
  safetensors) cp $fixtures/{module,nested,typed}.safetensors "$seeds" ;;
  index)
    cp $fixtures/typed.safetensors $shards/m-1.safetensors
    cp $fixtures/module.safetensors $shards/m-2.safetensors
    python3 - $shards >"$seeds/whole.json" <<'PYTHON'
import json, struct, sys
shards = ["m-1.safetensors", "m-2.safetensors"]
def names(path):
    with open(path, "rb") as file:
        return json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
weights = {name: shard for shard in shards for name in names(f"{sys.argv[1]}/{shard}") if name != "__metadata__"}
print(json.dumps({"metadata": {"total_size": 12}, "weight_map": weights}))
PYTHON
    ;;
  config) cp Calibration/Models/*/config.json "$seeds" ;;
  profile)
    cp Profiles/*.json "$seeds"
    length=98304
    ;;
  *)
    echo "no reader '$reader': torch, pickle, safetensors, index, config or profile" >&2
    exit 2
    ;;
  esac
  echo "== $reader"
  # A trap would start Swift's backtracer, which outlives the fuzzer.
  FUZZ=$reader FUZZ_SHARDS=$shards SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 $build/fuzz "$corpus" "$seeds" \
    -max_total_time="$seconds" -max_len=$length -timeout=10 -rss_limit_mb=2048 -dict="Tests/Fuzzing/$dictionary" \
    -artifact_prefix="$build/findings/$reader-" -print_final_stats=1
done
