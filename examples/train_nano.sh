#!/usr/bin/env bash
# Trains a nano model through every stage, in about a minute. Run: bash examples/train_nano.sh [FOLDER]
# It shows that the pipeline works. So small a model solves nothing; training/recipes/tiny.yaml does.
set -euo pipefail
recipe=$(cd "$(dirname "$0")/.." && pwd)/training/recipes/smoke.yaml
mkdir -p "${1:-.}" && cd "${1:-.}"

steiner train "$recipe"      # problems, DAGs, traces, pre-training, fine-tuning, reinforcement, export
ls runs/smoke                # what each stage wrote
tail -n 1 runs/smoke/sft/log.jsonl

echo "Serve it: steiner serve $PWD/runs/smoke/export"
