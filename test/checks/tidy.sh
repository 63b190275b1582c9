#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy and the analyzer of clang over the library, as .clang-tidy says.
#
# usage: sh test/checks/tidy.sh
set -u
count=$(ls lib/*.c lib/*/*.c | wc -l)
if ! ls lib/*.c lib/*/*.c | xargs -P 2 -I '{}' clang-tidy-19 -quiet '{}' -- -std=c99 -Iinclude -Ilib; then
    echo "tidy: findings in these $count files" >&2
    exit 1
fi
echo "OK tidy: $count files"
