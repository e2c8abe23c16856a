# make demo   set up, build, then calibrate the shipped model, compile 10 % profiles, generate, print the table
# make test   set up, build, run every test (what CI runs)
# More:       setup build profiles peer-profiles frontier format lint fuzz bench tangram clean

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One set of flags for everything, so that demo and tests share one build.
FLAGS    := -c release -Xswiftc -enable-testing
VERNIER  := .build/release/vernier
MODEL    := Calibration/Models/tangram
CORPORA  := Calibration/Corpora
OUT      := out/demo
PACKAGES := pkg-config libopenblas-dev libhdf5-dev libpng-dev libsentencepiece-dev libssl-dev

.PHONY: help setup build demo test profiles peer-profiles frontier format lint fuzz bench tangram clean

help:
	@sed -n 's/^# \?//; 1,3p' Makefile

# Installs what is missing. Says what to do where it cannot: without root, or without apt.
setup:
	@command -v swift >/dev/null || { echo "setup: no Swift toolchain found. Install Swift 6.2 or newer from https://swift.org/install"; exit 1; }
	@if command -v apt-get >/dev/null; then \
	  missing=""; for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; done; \
	  if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" -eq 0 ]; then \
	      echo "setup: installing$$missing"; \
	      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	    else echo "setup: these system packages are missing. Run: sudo apt-get install -y$$missing"; exit 1; fi; \
	  fi; \
	elif command -v brew >/dev/null; then \
	  for package in pkgconf hdf5 libpng sentencepiece; do \
	    brew list $$package >/dev/null 2>&1 || { echo "setup: run: brew install pkgconf hdf5 libpng sentencepiece"; exit 1; }; done; \
	else echo "setup: install pkg-config and the development files of HDF5, OpenBLAS, OpenSSL, libpng and sentencepiece, then run make again."; fi

build: setup
	swift build $(FLAGS) --product vernier

demo: build
	@mkdir -p $(OUT)
	@echo; echo "== 1. calibrate: 64 prompts through $(MODEL), measuring attention"
	$(VERNIER) calibrate --model $(MODEL) --prompts $(CORPORA)/tangram-calibration.jsonl --limit 64 --batch 8 --out $(OUT)/tangram.h5
	@echo; echo "== 2. compile: ScaleKV's 10 %, ours, ours fitted to the calibration prompts, and ours in int8 with 3 %"
	$(VERNIER) compile $(OUT)/tangram.h5 --keep 10% --policy scalekv-linear --selection observation-window \
	  --select-set keepsWindow=false --out $(OUT)/scalekv-10.json
	$(VERNIER) compile $(OUT)/tangram.h5 --keep 10% --out $(OUT)/pooled-10.json
	$(VERNIER) compile $(OUT)/tangram.h5 --keep 10% --refine 64 --model $(MODEL) --prompts $(CORPORA)/tangram-calibration.jsonl --out $(OUT)/refined-10.json
	$(VERNIER) compile $(OUT)/tangram.h5 --keep 3% --storage int8 --refine 64 --model $(MODEL) --prompts $(CORPORA)/tangram-calibration.jsonl --out $(OUT)/refined-3-int8.json
	$(VERNIER) show $(OUT)/refined-10.json
	@echo; echo "== 3. generate with the profile"
	$(VERNIER) generate --model $(MODEL) --profile $(OUT)/refined-10.json --prompts $(CORPORA)/tangram-heldout.jsonl --limit 8 --batch 8 --out $(OUT)/pictures --report $(OUT)/generation.json
	@echo; echo "== 4. prove: held-out prompts, the same noise, against the full cache"
	$(VERNIER) eval --model $(MODEL) --prompts $(CORPORA)/tangram-heldout.jsonl --limit 32 --batch 8 --amplify 4 \
	  --profile $(OUT)/scalekv-10.json --profile $(OUT)/pooled-10.json --profile $(OUT)/refined-10.json --profile $(OUT)/refined-3-int8.json --out $(OUT)/result
	@echo "Pictures side by side: $(OUT)/result/contact-sheet.png   table: $(OUT)/result/report.md"

test: setup
	swift build $(FLAGS) --build-tests
	swift test $(FLAGS) --skip-build

# The shipped statistics and profiles, from the shipped model. Same inputs, same bytes. Statistics hold 16 signs a
# position instead of 32 and no halves, to keep the repository small.
profiles: build
	@mkdir -p Calibration/Statistics Profiles
	$(VERNIER) calibrate --model $(MODEL) --prompts $(CORPORA)/tangram-calibration.jsonl --limit 32 --signs 16 --no-halves --batch 8 --out Calibration/Statistics/tangram.h5
	for share in 20 10 5; do $(VERNIER) compile Calibration/Statistics/tangram.h5 --keep $$share% --storage int8 --refine 32 \
	  --model $(MODEL) --prompts $(CORPORA)/tangram-calibration.jsonl --out Profiles/tangram-$$share.json; done
	$(VERNIER) eval --model $(MODEL) --prompts $(CORPORA)/tangram-heldout.jsonl --limit 64 --batch 8 --attach \
	  --profile Profiles/tangram-20.json --profile Profiles/tangram-10.json --profile Profiles/tangram-5.json --out out/profiles

# ScaleKV's released budgets as profiles, from their numbers.
peer-profiles: build
	for model in 2b 8b; do $(VERNIER) import Profiles/sources/scalekv-10.json --from scalekv-rows --like infinity-$$model \
	  --out Profiles/scalekv-infinity-$$model-10.json; done

# Every method at every budget and at ScaleKV's bytes, 128 held-out prompts x 2 seeds, and pictures at 20 % in int8 with
# their differences: Profiles/frontier. An hour and a half on two idle cores; goes on where it was interrupted.
frontier: build
	@mkdir -p out/frontier Profiles/frontier
	test -s out/frontier/statistics.h5 || $(VERNIER) calibrate --model $(MODEL) --prompts $(CORPORA)/tangram-calibration.jsonl --limit 64 --batch 8 --out out/frontier/statistics.h5
	$(VERNIER) frontier --model $(MODEL) --statistics out/frontier/statistics.h5 --prompts $(CORPORA)/tangram-heldout.jsonl \
	  --limit 128 --seeds 2 --budgets 1%,2%,3%,4%,5%,6%,10%,20%,30%,336384B --storage float32,int8,int4 \
	  --narrow full-cache,pooling-plan,pooling-plan-refined --divergence-prompts 32 --variant-prompts 8 \
	  --refine 64 --refine-prompts $(CORPORA)/tangram-calibration.jsonl --out out/frontier
	$(VERNIER) eval --model $(MODEL) --prompts $(CORPORA)/tangram-heldout.jsonl --limit 12 --batch 4 --amplify 8 \
	  --profile out/frontier/profiles/pooling-plan-refined-20pc-int8.json --out out/frontier/sheet
	cp out/frontier/frontier.json out/frontier/frontier.md out/frontier/frontier.svg out/frontier/frontier.png \
	  out/frontier/sheet/contact-sheet.png Profiles/frontier

format:
	swift format -i -p -r Package.swift Sources Tests

lint:
	swift format lint --strict -p -r Package.swift Sources Tests

# Fuzzes the readers of weights, configurations and profiles, SECONDS_EACH seconds each: half an hour on one core.
SECONDS_EACH ?= 300
fuzz: setup
	Tests/Fuzzing/run.sh $(SECONDS_EACH)

# Checks that PyTorch computes the same, then times kernels and the tool's stages against the roofline and PyTorch's
# operators (out/bench/kernels.md), then a picture against PyTorch on the same weights and threads (out/bench/bench.md); needs a
# Python with Calibration/Tangram/requirements.txt (VERNIER_PYTHON). BENCH_MODELS="dir dir" adds model directories, such as
# `vernier synth --like var-d16` makes; BENCH_OPTIONS goes to bench.py (--profile FILE, --compile, --rounds 3, --batch 1, ...).
BENCH_MODELS  ?=
BENCH_OPTIONS ?=
bench: build
	swift build $(FLAGS) --product VernierBench
	$${VERNIER_PYTHON:-python3} Calibration/PyTorch/peer.py --check
	$${VERNIER_PYTHON:-python3} Calibration/PyTorch/kernels.py --bench .build/release/VernierBench --out out/bench \
	  --model $(MODEL) --profile Profiles/tangram-10.json
	$${VERNIER_PYTHON:-python3} Calibration/PyTorch/bench.py $(MODEL) $(BENCH_MODELS) --vernier $(VERNIER) \
	  --roofline .build/release/VernierBench --out out/bench $(BENCH_OPTIONS)

# Trains the reference model from nothing (hours on two cores); resumes where it was interrupted.
tangram:
	Calibration/Tangram/run.sh

clean:
	rm -rf .build out
