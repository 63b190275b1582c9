#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy and the analyzer of clang over the library, as .clang-tidy says.
#
# usage: sh test/checks/tidy.sh
set -u
count=0
failed=0
for source in lib/*.c lib/*/*.c; do
    count=$((count + 1))
    clang-tidy-19 -quiet "$source" -- -std=c99 -Iinclude -Ilib || failed=$((failed + 1))
done
if [ $failed -gt 0 ]; then
    echo "tidy: $failed of $count files with findings" >&2
    exit 1
fi
echo "OK tidy: $count files"
