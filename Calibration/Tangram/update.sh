#!/bin/sh
# Exports the latest moving averages, rewrites the tests' fixtures and prints the score on held-out prompts. Safe while training runs.
# Usage: update.sh [number of prompts, 128]      VERNIER_PYTHON: a Python with requirements.txt installed
set -eu
cd "$(dirname "$0")"
python=${VERNIER_PYTHON:-.venv/bin/python}
"$python" export.py
"$python" fixtures.py
"$python" evaluate.py final --count "${1:-128}"
