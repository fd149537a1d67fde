#!/bin/bash
# Runs every fuzzer of a fuzz build for a while: fuzz.sh BUILD_DIR SECONDS.
# TAP lines; two at a time.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 seconds=$2
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

one() {
	local fuzzer=$1 name=${1##*/fuzz_}
	mkdir -p "$out/$name.corpus"
	if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$out/$name." "$out/$name.corpus" "test/fuzz/corpus/$name" \
		>"$out/$name.log" 2>&1; then
		echo "ok - fuzz/$name"
	else
		echo "not ok - fuzz/$name"
		tail -n 40 "$out/$name.log" | sed 's/^/# /'
	fi
}

for fuzzer in "$build"/test/fuzz/fuzz_*; do
	if [ ! -f "$fuzzer" ] || [ ! -x "$fuzzer" ]; then continue; fi
	one "$fuzzer" &
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
done
wait
