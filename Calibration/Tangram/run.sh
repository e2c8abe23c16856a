#!/bin/sh
# Trains Tangram from scratch on a CPU and exports it; `make tangram` runs this. Stages resume from `checkpoints` and are skipped when done.
# VERNIER_PYTHON: a Python with requirements.txt installed; without it a virtual environment is set up here.
# TANGRAM_MINUTES_TOKENIZER, _DECODER, _TEXT, _TRANSFORMER: computing time of each stage. TANGRAM_THREADS: threads, default 2.
set -eu
cd "$(dirname "$0")"
if [ -z "${VERNIER_PYTHON:-}" ]; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/python -m pip install --quiet -r requirements.txt
    VERNIER_PYTHON=.venv/bin/python
fi
export VERNIER_PYTHON
threads=${TANGRAM_THREADS:-2}
"$VERNIER_PYTHON" make_vocabulary.py
"$VERNIER_PYTHON" scenes.py
[ -f ../Models/tangram/text_encoder/spiece.model ] || "$VERNIER_PYTHON" captions.py
"$VERNIER_PYTHON" train.py tokenizer --threads "$threads" --minutes "${TANGRAM_MINUTES_TOKENIZER:-15}"
"$VERNIER_PYTHON" train.py decoder --threads "$threads" --minutes "${TANGRAM_MINUTES_DECODER:-15}"
"$VERNIER_PYTHON" train.py text --threads "$threads" --minutes "${TANGRAM_MINUTES_TEXT:-2}"
"$VERNIER_PYTHON" train.py transformer --threads "$threads" --minutes "${TANGRAM_MINUTES_TRANSFORMER:-62.5}"
./update.sh 256
