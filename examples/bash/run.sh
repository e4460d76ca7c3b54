#!/usr/bin/env bash
# Solves cos(x) = x with Newton's method, damped by $1, in $2 steps. Writes the steps to the folder $3.
# Also runs without trawl: ./run.sh 0.5 10
set -euo pipefail

damping=${1:?usage: run.sh DAMPING STEPS [FOLDER]}
steps=${2:?usage: run.sh DAMPING STEPS [FOLDER]}
folder=${3:-.}
[[ $damping =~ ^[0-9.]+$ ]] || { echo "error: damping is not a number: $damping" >&2; exit 2; }

x=0
for step in $(seq 1 "$steps"); do
  read -r x residual < <(awk -v x="$x" -v damping="$damping" 'BEGIN {
    x = x - damping * (cos(x) - x) / (-sin(x) - 1)
    residual = cos(x) - x
    printf "%.10g %.10g\n", x, residual < 0 ? -residual : residual
  }')
  echo "step $step: x = $x" | tee -a "$folder/steps.txt"
  echo "{\"step\": $step, \"residual\": $residual}" # the line added for trawl: a JSON line is a report
  sleep 0.1
done
