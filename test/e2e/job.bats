# The job layer as a user meets it: exit codes, signals, locks, stop and resume.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# bats' own pipes would be descriptors of the job, which nothing could restore.
	printf '#!/bin/sh\nexec %s "$@" 3>&- 4>&-\n' \
		"$(realpath "${CRAGON:-$root/build/cragon}")" >"$BATS_TEST_TMPDIR/cragon"
	chmod +x "$BATS_TEST_TMPDIR/cragon"
	cragon=$BATS_TEST_TMPDIR/cragon
	unset "${!CRAGON_@}"
	cd "$BATS_TEST_TMPDIR"
	export XDG_STATE_HOME=$PWD/state
}

# Waits until the file holds the text.
await() {
	for _ in $(seq 100); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

# Exit code of a background process, in $status. (`run` has no children to wait for.)
ended() {
	status=0
	wait "$1" || status=$?
}

# Counts to $1, a line each, ten per second.
counter='i=0; while [ $i -lt $0 ]; do echo $i; i=$((i+1)); sleep 0.1; done'

@test "the exit code is the command's, or 128 and the signal" {
	run "$cragon" run -w a sh -c 'exit 7'
	[ "$status" -eq 7 ]
	run "$cragon" run -w b sh -c 'kill -SEGV $$'
	[ "$status" -eq 139 ]
	run -127 "$cragon" run -w c ./nothing-here
	[ "$status" -eq 127 ]
	[ ! -e c ]
	touch plain
	run -126 "$cragon" run -w d ./plain
	[ "$status" -eq 126 ]
	[ ! -e d ]
}

@test "killed with SIGKILL twice, the output is as if undisturbed" {
	"$cragon" run -i 0.3 -w j sh -c "$counter" 30 >out 3>&- &
	sleep 1
	kill -9 $!
	"$cragon" restart -w j >/dev/null 3>&- &
	sleep 0.8
	kill -9 $!
	"$cragon" restart -w j >/dev/null
	diff <(seq 0 29) out
	[ "$(jq '.attempts | length' j/job.json)" -eq 3 ]
	[ "$(jq -r '[.attempts[].how] | join(" ")' j/job.json)" = "lost lost exit" ]
}

@test "signals sent to cragon reach the command, the checkpoint signal does not" {
	"$cragon" run -i off -w j bash -c \
		'trap "echo HUP" HUP; trap "echo TERM; exit 3" TERM; trap "echo USR1" USR1
		echo ready; while :; do sleep 0.05; done' >out 3>&- &
	await out ready
	kill -USR1 $!
	await j/cragon.log 'checkpoint 1 (signal)'
	kill -HUP $!
	await out HUP
	kill -TERM $!
	ended $!
	[ "$status" -eq 3 ]
	[ "$(cat out)" = $'ready\nHUP\nTERM' ]
}

@test "checkpoint prints the image; --stop ends the job with the stop code" {
	"$cragon" run -i off --stop-code 99 -w j sh -c "$counter" 20 >out 3>&- &
	await out 3
	run "$cragon" checkpoint j
	[ "$status" -eq 0 ]
	[ -f "$output/checkpoint_info" ]
	run "$cragon" checkpoint --stop j
	[ "$status" -eq 0 ]
	ended $!
	[ "$status" -eq 99 ]
	[ ! -e j/control ]
	"$cragon" restart -w j >/dev/null
	diff <(seq 0 19) out
}

@test "one job is not run twice at a time" {
	"$cragon" run -i off -w j sleep 5 3>&- &
	pid=$!
	await j/job.json attempts
	run "$cragon" restart -w j
	[ "$status" -eq 125 ]
	[[ "$output" == *"$pid"* ]]
	run "$cragon" run -w j true
	[ "$status" -eq 125 ]
	kill $pid
	ended $pid
	[ "$status" -eq 143 ]
}

@test "run -m stops in time, run --resume continues, a finished job starts anew" {
	for expected in 75 75 0; do
		run "$cragon" run --resume -m 1.2 -i off -w j sh -c "$counter" 20
		[ "$status" -eq "$expected" ]
	done
	[ "$(jq '.attempts | length' j/job.json)" -eq 3 ]
	run "$cragon" run --resume -i off -w j sh -c "$counter" 20
	[ "$status" -eq 0 ]
	[ "$(jq '.attempts | length' j/job.json)" -eq 1 ]
}

@test "a directory with a resumable job is not given to another" {
	run "$cragon" run -m 0.6 -i off -w j sleep 5
	[ "$status" -eq 75 ]
	run "$cragon" run -w j true
	[ "$status" -eq 2 ]
	run "$cragon" run --resume -w j true
	[ "$status" -eq 2 ]
}

@test "what the command leaves running is ended and named" {
	run "$cragon" run -w j sh -c 'sleep 1000 & sleep 0.3; exit 3'
	[ "$status" -eq 3 ]
	grep -q 'ending process .*(sleep)' j/cragon.log
	run ! grep -q 'killing' j/cragon.log
}

@test "--wait-all waits, and a resume remembers the command's exit code" {
	"$cragon" run --wait-all -i 0.3 -w j sh -c "(sh -c '$counter' 20) & exit 4" >out 3>&- &
	await j/job.json command_ended
	await j/cragon.log 'checkpoint 2'
	kill -9 $!
	run "$cragon" restart -w j
	[ "$status" -eq 4 ]
	diff <(seq 0 19) out
}

@test "a damaged newest image gives way to the one before; given by name it is refused" {
	"$cragon" run -i 0.3 -k 3 -w j sh -c "$counter" 12 >out
	newest=$(ls -d j/checkpoint_images/[0-9]* | sort -V | tail -n 1)
	printf XXXX | dd of="$newest/pages.dat" bs=1 seek=2000 conv=notrunc status=none
	run "$cragon" restart "$newest"
	[ "$status" -eq 65 ]
	run "$cragon" restart -w j
	[ "$status" -eq 0 ]
	grep -q 'is damaged, trying the one before' j/cragon.log
	diff <(seq 0 11) out
}

@test "a job that cannot be checkpointed runs on, and is told once" {
	run "$cragon" run -i 0.8 -w j /usr/bin/python3 -S -c \
		'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); time.sleep(3)'
	[ "$status" -eq 0 ]
	[ "$(grep -c 'no checkpoint' <<<"$output")" -eq 1 ]
	[ -z "$(ls j/checkpoint_images)" ]
}

@test "no home directory, no registry, no harm" {
	HOME=/proc/nowhere XDG_STATE_HOME= run "$cragon" run -w j true
	[ "$status" -eq 0 ]
	HOME=/proc/nowhere XDG_STATE_HOME= run "$cragon" list
	[ "$status" -eq 0 ]
}

@test "check tries a program for real" {
	run "$cragon" check --json sleep 100
	[ "$status" -eq 0 ]
	[ "$(jq -r '.[] | select(.name == "run on").state' <<<"$output")" = ok ]
	run "$cragon" check true
	[ "$status" -eq 1 ]
	[[ "$output" == *"before the first checkpoint"* ]]
}

# In a user namespace of its own a mount is everybody's, and a uid without a name
# is what users of LDAP or SSSD are to a static executable.
@test "from a read-only file system, by a user whom /etc/passwd does not know" {
	mkdir ro
	cp "$(realpath "${CRAGON:-$root/build/cragon}")" exe
	unshare --map-root-user --mount sh -c '
		mount -t tmpfs none ro && cp exe ro/cragon && mount -o remount,bind,ro ro || exit 9
		exec unshare --user --map-user=54321 --map-group=54321 sh -c "$0"
	' '
		unset USER LOGNAME HOME XDG_STATE_HOME
		ro/cragon run -i 0.3 -w j sh -c "sleep 1.5; id -u" >out 3>&- 4>&- &
		sleep 0.9
		kill -9 $!
		ro/cragon restart -q -w j 3>&- 4>&-
	'
	[ "$(cat out)" = 54321 ]
	ls j/checkpoint_images | grep -q 54321@
}
