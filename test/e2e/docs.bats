# The man page and the completion are what `cragon help` prints, and both work.

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cragon=$(realpath "${CRAGON:-$root/build/cragon}")
	unset "${!CRAGON_@}"
}

# Completes the words given, the last of which is being typed.
complete_words() {
	. "$root/completions/cragon.bash"
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_cragon || true # nothing to complete is no failure here
	printf '%s\n' "${COMPREPLY[@]}"
}

@test "man/cragon.1 is up to date (else: cragon help --man >man/cragon.1)" {
	diff -u "$root/man/cragon.1" <("$cragon" help --man)
}

@test "completions/cragon.bash is up to date (else: cragon help --completion bash)" {
	diff -u "$root/completions/cragon.bash" <("$cragon" help --completion bash)
}

@test "doc/support.md has the table of kinds (else: cragon help --kinds)" {
	diff -u <(sed -n '/^| kind /,/^$/p' "$root/doc/support.md" | grep .) <("$cragon" help --kinds)
}

@test "the man page has no roff errors" {
	command -v groff >/dev/null || skip "groff is not installed"
	run groff -man -Tutf8 -ww -z "$root/man/cragon.1"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "every command is in the overview, the man page and the completion" {
	commands=$("$cragon" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 5 ]
	for c in $commands; do
		"$cragon" help "$c" | grep -q "^Usage: cragon $c "
		grep -q "^\.SS cragon $c " "$root/man/cragon.1"
		complete_words cragon "$c" | grep -qx "$c"
	done
}

@test "help fits 80 columns" {
	for c in "" $("$cragon" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		run awk 'length > 80' <("$cragon" help $c)
		[ -z "$output" ]
	done
}

@test "completion: options of the command, before the program's words" {
	complete_words cragon run --int | grep -qx -- --interval
	run complete_words cragon run --sto
	[ "$output" = --stop-code ]
	run complete_words cragon restart --resu
	[ -z "$output" ]
	complete_words cragon help res | grep -qx restart
}

@test "completion: COMMAND is a command, its words are files" {
	cd "$BATS_TEST_TMPDIR"
	touch stop-here
	complete_words cragon run -w dir --max-time 5 seq | grep -qx seq
	complete_words cragon run seq stop | grep -qx stop-here
	run complete_words cragon run seq --int
	[ -z "$output" ]
	complete_words cragon run -w stop | grep -qx stop-here
}

@test "completion: --option=value, split by readline" {
	cd "$BATS_TEST_TMPDIR"
	mkdir jobdir
	run complete_words cragon run --working-directory = job
	[ "$output" = jobdir ]
	complete_words cragon run --working-directory = | grep -qx jobdir
	complete_words cragon run --working-directory = jobdir seq | grep -qx seq
}

@test "mistakes: exit code 2, one line that says what was meant" {
	for words in "rum true" "run --intervall 5 true" "run" "run -i soon true" "-w x run" "" \
		"version extra" "inspect" "help nonsense"; do
		run "$cragon" $words
		[ "$status" -eq 2 ]
		[ "${#lines[@]}" -eq 1 ]
		[[ $output == "cragon: "* ]]
	done
	run "$cragon" rum true
	[[ $output == *"'run'"* ]]
	run "$cragon" run --intervall 5 true
	[[ $output == *"--interval?"* ]]
}

@test "a variable is named when its value is refused" {
	CRAGON_KEEP=none run "$cragon" run true
	[ "$status" -eq 2 ]
	[[ $output == *CRAGON_KEEP*none* ]]
}

@test "an answer that cannot be written is a failure" {
	for words in help "help run" version "version --json" "help --man" list "list --json"; do
		run sh -c '"$@" >/dev/full' sh "$cragon" $words
		[ "$status" -eq 125 ]
		[[ $output == *"standard output"* ]]
		run bash -c 'trap "" PIPE; "$@" | :; exit "${PIPESTATUS[0]}"' sh \
			sh -c 'sleep .1; "$@"' sh "$cragon" $words
		[ "$status" -eq 125 ]
	done
}

@test "verify and inspect of what is no image: 65, one line" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	for words in "verify $BATS_TEST_TMPDIR/empty" "inspect $BATS_TEST_TMPDIR/empty" \
		"verify /nowhere/at/all" "inspect /nowhere/at/all"; do
		run "$cragon" $words
		[ "$status" -eq 65 ]
		[ "${#lines[@]}" -eq 1 ]
	done
}
