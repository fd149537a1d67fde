#!/bin/bash
# The tree is the architecture: src/MODULE may include only what
# test/layers.txt allows it, only tracee/ calls ptrace, and only cli/ exits or
# prints to standard output. TAP lines.
set -u
cd "$(dirname "$0")/.." || exit 1

declare -A allowed
while IFS=: read -r module list; do
	[[ $module == \#* || -z $module ]] && continue
	allowed[$module]=" $list "
done <test/layers.txt

report() { # NAME OFFENCES
	if [ -z "$2" ]; then
		echo "ok - layers/$1"
	else
		echo "not ok - layers/$1"
		while IFS= read -r line; do echo "# $line"; done <<<"$2"
	fi
}

edges=""
while IFS=: read -r file _ line; do
	module=${file#src/}
	module=${module%%/*}
	target=$(sed -n 's/.*#include "\([a-z]*\)\/.*/\1/p' <<<"$line")
	[ -z "$target" ] || [ "$target" = "$module" ] && continue
	[[ ${allowed[$module]-} == *" $target "* ]] ||
		edges+="$file includes $target, which $module may not"$'\n'
done < <(grep -n '^#include "' -r src --include='*.c' --include='*.h')
report includes "${edges%$'\n'}"

# fork()ed children that never return use _exit, which is not exit.
report ptrace "$(grep -nE '(^|[^_a-zA-Z])ptrace\(' -r src --include='*.c' | grep -v '^src/tracee/')"
report exit "$(grep -nE '(^|[^_a-zA-Z.])(exit|abort)\(' -r src --include='*.c' |
	grep -v '^src/cli/' | grep -vE ':[[:space:]]*(/?\*|//)')"
report stdout "$(grep -nE '(^|[^_a-zA-Z])(printf|puts|putchar)\(|stdout' -r src --include='*.c' |
	grep -v '^src/cli/' | grep -vE ':[[:space:]]*(/?\*|//)')"
