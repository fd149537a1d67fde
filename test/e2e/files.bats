# Consistent files as a user meets them: inputs that change, what is moved
# aside, whose files are left alone, and what the image keeps.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# bats' own pipes would be descriptors of the job, which nothing could restore.
	printf '#!/bin/sh\nexec %s "$@" 3>&- 4>&-\n' \
		"$(realpath "${CRAGON:-$root/build/cragon}")" >"$BATS_TEST_TMPDIR/cragon"
	chmod +x "$BATS_TEST_TMPDIR/cragon"
	cragon=$BATS_TEST_TMPDIR/cragon
	unset "${!CRAGON_@}"
	mkdir "$BATS_TEST_TMPDIR"/{state,work,control}
	go=$BATS_TEST_TMPDIR/control/go
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	cd "$BATS_TEST_TMPDIR/work"
	job=$BATS_TEST_TMPDIR/job
}

# Waits until the file holds the text.
await() {
	for _ in $(seq 200); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.05
	done
	return 1
}

await_socket() {
	for _ in $(seq 200); do
		[ -S "$job/control" ] && return
		sleep 0.05
	done
	return 1
}

await_no() { # PID
	for _ in $(seq 200); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	return 1
}

# Runs the shell text under cragon until it says `ready`; it goes on when there is
# a file `go`. pid is cragon's.
begin() { # TEXT [OPTIONS...]
	local text=$1
	shift
	"$cragon" run -i off -w "$job" "$@" bash -c \
		"pause() { echo ready; until [ -e $go ]; do read -rt 0.02 <> <(:) || :; done; }; $text" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
	pid=$!
	await "$BATS_TEST_TMPDIR/out" ready
	await_socket
}

stop() {
	"$cragon" checkpoint --stop "$job" >/dev/null
	wait "$pid" || [ $? -eq 75 ]
}

# Takes a checkpoint; what is changed before go_on may be the job's doing.
lose() {
	"$cragon" checkpoint "$job" >/dev/null
	kill -9 "$pid"
	wait "$pid" || :
}

go_on() { # OPTIONS...
	touch "$go"
	run timeout 20 "$cragon" restart -w "$job" "$@"
}

@test "an input that was edited stops the resume, --force-files takes it" {
	echo one >input
	begin 'exec 5<input; pause; read -r line <&5; echo "got $line" >result'
	stop
	echo two >input
	go_on
	[ "$status" -eq 65 ]
	[[ "$output" == */input* ]]
	[[ "$output" == *--force-files* ]]
	[ ! -e result ]
	go_on --force-files
	[ "$status" -eq 0 ]
	[ "$(cat result)" = "got two" ]
}

@test "an input that was replaced by an equal one is noticed by its inode" {
	echo one >input
	begin 'exec 5<input; pause; read -r line <&5; echo "got $line" >result'
	stop
	cp -p input copy && mv copy input
	go_on
	[ "$status" -eq 65 ]
	[[ "$output" == *inode* ]]
}

@test "an input whose ownership or mode changed is the same" {
	echo one >input
	begin 'exec 5<input; pause; read -r line <&5; echo "got $line" >result'
	stop
	chmod 600 input
	go_on
	[ "$status" -eq 0 ]
	[ "$(cat result)" = "got one" ]
}

@test "a log that the job follows may have grown" {
	echo one >log
	begin 'exec 5<log; read -r line <&5; pause; read -r line <&5; echo "got $line" >result'
	stop
	echo two >>log
	go_on
	[ "$status" -eq 0 ]
	[ "$(cat result)" = "got two" ]
	grep -q 'log has grown' "$job/cragon.log"
}

@test "a missing input is named" {
	echo one >input
	begin 'exec 5<input; pause'
	stop
	rm input
	go_on
	[ "$status" -eq 65 ]
	[[ "$output" == *input*vanished* ]]
}

@test "what the user makes or changes after the job's end is not touched" {
	begin 'echo mine >state; pause; cat state >result'
	stop
	# Later than the end that job.json tells, and its margin.
	sed -i -E 's/("ended": ")[0-9]{4}/\12020/' "$job/job.json"
	echo new >notes
	echo theirs >state
	go_on
	[ "$status" -eq 0 ]
	[ "$(cat notes)" = new ]
	[ "$(cat state result)" = $'theirs\ntheirs' ]
	grep -q 'state was changed by somebody else' "$job/cragon.log"
}

@test "what the job made after the checkpoint is moved aside and named" {
	begin 'pause; set -C; mkdir dir; echo x >dir/file; echo y >file; echo done'
	"$cragon" checkpoint "$job"
	touch "$go"
	await "$BATS_TEST_TMPDIR/out" 'done'
	await_no "$pid"
	go_on
	[ "$status" -eq 0 ]
	[ "$(cat dir/file file)" = $'x\ny' ]
	grep -q 'created after the checkpoint, moved to files_aside: .*/file' "$job/cragon.log"
	[ -e "$job/files_aside/1$PWD/file" ]
	[ -e "$job/files_aside/1$PWD/dir/file" ]
}

@test "the version of a doubtful file that is put back over is kept aside" {
	begin 'echo before >state; pause; echo after >state; cat state >result'
	"$cragon" checkpoint "$job"
	touch "$go"
	await_no "$pid"
	rm "$go" result
	"$cragon" restart -w "$job" >/dev/null 3>&- &
	await "$job/cragon.log" 'resumed from image'
	[ "$(cat state)" = before ]
	[ "$(cat "$job/files_aside/1$PWD/state")" = after ]
	touch "$go"
	wait $!
	[ "$(cat result)" = after ]
}

@test "a file that somebody outside the job is writing is left alone" {
	exec 7>theirs
	echo first >&7
	begin 'echo mine >mine; pause'
	echo second >&7
	lose
	echo third >&7
	echo changed >mine
	go_on
	exec 7>&-
	[ "$status" -eq 0 ]
	[ "$(wc -l <theirs)" -eq 3 ]
	[ "$(cat mine)" = mine ]
}

@test "verify and inspect know the content that the image keeps" {
	begin 'exec 5<>data; for i in {1..20000}; do echo "$i"; done >&5; pause'
	stop
	image=$(echo "$job"/checkpoint_images/1_*)
	run "$cragon" verify "$image"
	[ "$status" -eq 0 ]
	run "$cragon" inspect "$image"
	[[ "$output" == *"$PWD/data"* ]]
	run "$cragon" inspect --json "$image"
	[ "$(jq -r '.output[] | select(.path | endswith("/data")) | .kept' <<<"$output")" = copy ]
	printf X | dd of="$image/files/1" bs=1 seek=500 conv=notrunc 2>/dev/null
	run "$cragon" verify "$image"
	[ "$status" -eq 65 ]
	[[ "$output" == *files/1*data* ]]
	# Changed, so that it would have to be put back: nothing is touched.
	echo other >data
	go_on
	[ "$status" -eq 65 ]
	[ "$(cat data)" = other ]
}

@test "content that did not change is shared by the images" {
	begin 'seq 20000 >data; sleep 2.2; pause'
	"$cragon" checkpoint "$job"
	"$cragon" checkpoint "$job"
	[ "$(stat -c %h "$job"/checkpoint_images/1_*/files/1)" -eq 2 ]
	lose
	cp data ../control/copy
	: >data
	go_on
	[ "$status" -eq 0 ]
	cmp data ../control/copy
}

@test "--files none cuts back and no more, --files copy saves a log as a whole" {
	fill='exec 5>>log; for ((i = 0; i < 90; i++)); do printf "%65536d" "$i"; done >&5; echo a >state; pause'
	begin "$fill" --files copy
	stop
	image=$(echo "$job"/checkpoint_images/1_*)
	[ "$(stat -c %s "$image/files/1")" -eq "$(stat -c %s log)" ]
	[ "$(stat -c %h log)" -eq 1 ]
	rm -r "$job" log
	begin "$fill" --files none
	stop
	[ ! -e "$job"/checkpoint_images/1_*/files ]
	echo more >>log
	echo b >state
	go_on
	[ "$status" -eq 0 ]
	[ "$(stat -c %s log)" -eq $((90 * 65536)) ]
	[ "$(cat state)" = b ]
}

@test "a long log that was deleted or cut comes back, or stops the resume" {
	fill='exec 5>>log; for ((i = 0; i < 90; i++)); do printf "%65536d" "$i"; done >&5; pause; echo end >&5'
	begin "$fill"
	stop
	cp log copy
	rm log
	go_on
	[ "$status" -eq 0 ]
	cmp <(cat copy; echo end) log
	: >log
	go_on
	[ "$status" -eq 65 ]
	[[ "$output" == *log*shrunk* ]]
}

@test "a job directory on another file system: copies instead of links" {
	[ -d /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ] || skip "one file system"
	job=$(mktemp -d /dev/shm/cragon-test.XXXXXX)/job
	begin 'echo a >state; pause; set -C; echo b >made; cat state >result; echo c >|state'
	"$cragon" checkpoint "$job"
	touch "$go"
	await_no "$pid"
	[ "$(cat state)" = c ]
	go_on
	[ "$status" -eq 0 ]
	[ "$(cat result)" = a ]
	[ "$(cat .cragon_aside/made.1)" = b ]
	rm -r "${job%/job}"
}
