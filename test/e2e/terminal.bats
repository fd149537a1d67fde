# At a terminal: Ctrl-C, Ctrl-Z, fg, bg, reading, hanging up, as without Cragon.

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cragon=$(realpath "${CRAGON:-$root/build/cragon}")
	unset "${!CRAGON_@}"
	cd "$BATS_TEST_TMPDIR"
	export XDG_STATE_HOME=$PWD/state
}

at_terminal() { # TEST
	/usr/bin/python3 "$root/test/e2e/terminal.py" "$cragon" "$1" 3>&- 4>&-
}

@test "Ctrl-C ends the program, or not, as it decides" {
	at_terminal interrupt
}

@test "Ctrl-Z stops it, fg and bg let it go on" {
	at_terminal suspend
}

@test "it reads what is typed, checkpoints or not" {
	at_terminal reads_the_terminal
}

@test "killed, it goes on at another terminal" {
	at_terminal resumed_on_another_terminal
}

@test "closing the terminal hangs up" {
	at_terminal hangs_up
}
