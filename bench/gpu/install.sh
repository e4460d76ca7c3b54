#!/bin/sh
# Collects the pieces of a bundle, which may arrive in several transfers, and unpacks them when they are complete. Needs sh,
# sha256sum, gzip and tar. Usage: sh install.sh FOLDER
# Exit codes: 0 installed, 1 an error such as a damaged piece, 2 wrong usage, 3 pieces are missing.
set -u
[ $# -eq 1 ] || { echo "usage: sh install.sh FOLDER" >&2; exit 2; }
from=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" || exit 1
target=$(cd "$1" && pwd)
parts=$target/parts
sums=$from/SHA256SUMS

[ -f "$sums" ] || { echo "install: $sums is missing" >&2; exit 1; }
if [ -f "$target/SHA256SUMS" ] && ! cmp -s "$sums" "$target/SHA256SUMS"; then
  echo "install: $target has pieces of another bundle; remove this folder first" >&2
  exit 1
fi
cp "$sums" "$target/SHA256SUMS" || exit 1
# An installation removes the pieces at its end, so an interrupted installation still has them.
[ -f "$target/run.sh" ] && [ ! -d "$parts" ] && { echo "installed: sh $target/run.sh"; exit 0; }
mkdir -p "$parts" || exit 1

total=0
missing=
while read -r sum name; do
  total=$((total + 1))
  if [ ! -f "$parts/$name" ] && [ -f "$from/$name" ]; then
    found=$(sha256sum <"$from/$name")
    if [ "${found%% *}" != "$sum" ]; then
      echo "install: $name is damaged: its SHA-256 is ${found%% *}, expected $sum" >&2
      exit 1
    fi
    cp "$from/$name" "$parts/.$name" && mv "$parts/.$name" "$parts/$name" || exit 1
  fi
  [ -f "$parts/$name" ] || missing="$missing $name"
done <"$sums"
if [ -n "$missing" ]; then
  count=$(echo $missing | wc -w)
  echo "install: $((total - count)) of $total pieces are here; missing:$missing"
  exit 3
fi
# The names have a fixed number of digits, so the order of the shell is the order of the pieces.
if ! cat "$parts"/part-* | gzip -dc | tar -x -C "$target" -f -; then
  echo "install: unpacking failed" >&2
  exit 1
fi
rm -r "$parts"
echo "installed: sh $target/run.sh"
