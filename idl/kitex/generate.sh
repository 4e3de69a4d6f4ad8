#!/usr/bin/env bash
# Generates Go code from ../*.thrift into .run/kitex, with Kitex's generator and its validator in the versions of go.mod.
# `generate.sh module` only makes the module that the code will be in: Go commands in this directory need it, as go.mod names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
OUT=$(cd ../.. && pwd)/.run/kitex
mkdir -p "$OUT/bin" "$OUT/idl"
# The generated code is a module of its own, which go.mod replaces by this directory.
printf 'module dousheng.example/idl\n\ngo 1.24.0\n' >"$OUT/go.mod"
[ "${1:-}" != module ] || exit 0
rm -rf "$OUT/kitex_gen"

# What a release's own go.mod asks for isn't asked here: both tools are built with the versions that this module has.
go build -buildvcs=false -o "$OUT/bin/" tool

# All files as they are, but for the two rules that are ours alone: the validator stops at a `vt.` that it doesn't know.
for file in ../*.thrift; do
    sed -E 's/, *vt\.(elem\.)*(trimmed|no_control) *= *"true"//g' "$file" >"$OUT/idl/${file##*/}"
done

cd "$OUT"
for file in idl/*.thrift; do
    bin/kitex -no-dependency-check -module dousheng.example/idl -thrift-plugin "validator=$OUT/bin/thrift-gen-validator" "$file"
done
