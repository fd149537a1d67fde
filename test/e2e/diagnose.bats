# Why a run ended: each cause, provoked by a small program.

bats_require_minimum_version 1.5.0

setup_file() {
	cc -g -O0 -w -pthread -o "$BATS_FILE_TMPDIR/fault" "$BATS_TEST_DIRNAME/../diag/fault.c"
	cc -g -O0 -w -pthread -static -o "$BATS_FILE_TMPDIR/fault-static" "$BATS_TEST_DIRNAME/../diag/fault.c"
}

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# bats' own pipes would be descriptors of the job, which nothing could restore.
	printf '#!/bin/sh\nexec %s "$@" 3>&- 4>&-\n' \
		"$(realpath "${CRAGON:-$root/build/cragon}")" >"$BATS_TEST_TMPDIR/cragon"
	chmod +x "$BATS_TEST_TMPDIR/cragon"
	cragon=$BATS_TEST_TMPDIR/cragon
	unset "${!CRAGON_@}"
	fault=$BATS_FILE_TMPDIR/fault
	source=$BATS_TEST_DIRNAME/../diag/fault.c
	cd "$BATS_TEST_TMPDIR"
	export XDG_STATE_HOME=$PWD/state LC_ALL=C
	ulimit -c 0
}

# Runs a command under cragon with its standard error in a file.
run_job() {
	status=0
	"$cragon" run -q -i off -w job "$@" >out 2>err </dev/null || status=$?
}

diagnosed() { "$cragon" diagnose --json "${1:-job}" | tee diagnosis; }

# CAUSE [TEXT...]: the cause, and text that evidence or remedy must have.
expect() {
	diagnosed >/dev/null
	[ "$(jq -r .cause diagnosis)" = "$1" ] || { cat diagnosis job/cragon.log; return 1; }
	shift
	for text; do
		jq -r '.evidence[], .remedy' diagnosis | grep -qF -- "$text" || {
			echo "without: $text"
			cat diagnosis
			return 1
		}
	done
}

line_of() { grep -n "/\* $1 \*/" "$source" | cut -d: -f1; }

await() {
	for _ in $(seq 100); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

@test "done" {
	run_job true
	expect done
	[ "$(jq .recoverable diagnosis)" = false ]
	run -0 "$cragon" diagnose job
	[[ $output == *"cause:    done"* ]]
}

@test "exit-nonzero, with what the program said last" {
	run_job sh -c 'echo starting >&2; echo "row 7 is not a number" >&2; exit 3'
	[ "$status" -eq 3 ]
	expect exit-nonzero "exited with 3" "row 7 is not a number"
}

@test "crash: a null pointer, with function, line and instruction" {
	run_job "$fault" null-write
	[ "$status" -eq 139 ]
	expect crash "writing address 0x0 (a null pointer)" "null_write" \
		"fault.c:$(line_of null-write)" "$fault+0x"
	run_job "$fault" null-member
	expect crash "reading address 0x64 (close to 0"
}

@test "crash: wild, read-only and impossible addresses, data executed" {
	run_job "$fault" wild
	expect crash "0x123450000 (where nothing is mapped" wild
	run_job "$fault" read-only
	expect crash "in read-only memory of $fault"
	run_job "$fault" non-canonical
	expect crash "no memory can have"
	run_job "$fault" run-data
	expect crash "executing address" "in data, not code"
}

@test "crash: division by zero, a trap of the compiler" {
	run_job "$fault" divide
	expect crash "integer division by zero" "fault.c:$(line_of divide)"
	run_job "$fault" trap
	expect crash "a compiler puts where"
}

@test "crash: the stack overflowed" {
	run_job "$fault" overflow
	expect crash "right below the stack" "in deep"
}

@test "crash: a mapped file was cut back" {
	run_job "$fault" truncated
	expect crash "4901 bytes beyond the end of the mapped file $PWD/mapped"
}

@test "crash: of a child that a shell waited for" {
	run_job sh -c "$fault divide; exit \$?"
	[ "$status" -eq 136 ]
	expect crash "whose child was killed by SIGFPE" "integer division by zero"
}

@test "crash: sent, and passed on by a handler of the program" {
	run_job sh -c 'kill -SEGV $$'
	expect crash "the program sent the signal to itself"
	run_job python3 -X faulthandler -c 'import ctypes; ctypes.string_at(0)'
	expect crash "Fatal Python error: Segmentation fault"
}

@test "crash: a static program, and one without the preloaded object" {
	run_job "$BATS_FILE_TMPDIR/fault-static" null-write
	expect crash SIGSEGV
	run_job --no-intercept "$fault" null-write
	expect crash SIGSEGV
}

@test "cpu-feature: an instruction that the processor refuses" {
	run_job "$fault" new-instruction
	expect cpu-feature "c4 e2 78 49 c0" AMX
}

@test "abort, with the text of the assertion" {
	run_job "$fault" assert
	[ "$status" -eq 134 ]
	expect abort "Assertion \`zero == 1' failed"
}

@test "allocation-failed: said by the program" {
	run_job --on-memory fail sh -c "ulimit -v 500000; exec $fault no-memory"
	expect allocation-failed "malloc of 1.0 GiB failed"
	run_job sh -c 'echo "x: memory exhausted" >&2; exit 1'
	expect allocation-failed "memory exhausted"
	[ "$(jq .recoverable diagnosis)" = true ]
}

@test "allocation-failed: nobody looked at what malloc returned" {
	run_job --on-memory fail sh -c "ulimit -v 500000; exec $fault unchecked"
	expect allocation-failed "malloc of 1.0 GiB failed" "a null pointer"
}

@test "allocation-failed: held, stopped with an image" {
	status=0
	(ulimit -v 500000; exec "$cragon" run -q -i off -w job "$fault" no-memory) >out 2>err </dev/null || status=$?
	[ "$status" -eq 75 ]
	expect allocation-failed "1.0 GiB" "image 1" "ulimit -v"
	[ "$(jq .forecast.next_bytes job/job.json)" -ge 1073741824 ]
}

# A memory cgroup of 128 MiB, in $group; fails where none can be made.
make_group() {
	local mine
	mine=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
	if [ -n "$mine" ] && [ -w "/sys/fs/cgroup/memory$mine" ]; then
		group=/sys/fs/cgroup/memory${mine%/}/cragon-test-$$
		mkdir "$group" && echo 128M >"$group/memory.limit_in_bytes"
	else
		mine=$(sed -n 's/^0:://p' /proc/self/cgroup)
		[ -w "/sys/fs/cgroup$mine" ] || return 1
		group=/sys/fs/cgroup${mine%/}/cragon-test-$$
		mkdir "$group" && [ -e "$group/memory.max" ] && echo 128M >"$group/memory.max" &&
			{ echo 0 >"$group/memory.swap.max" || true; }
	fi 2>/dev/null
}

@test "oom-killed: by the kernel, in a cgroup" {
	make_group || skip "no memory cgroup can be made"
	status=0
	(echo "$BASHPID" >"$group/cgroup.procs"
	exec "$cragon" run -q -i off --on-memory fail -w job "$fault" hog) >out 2>err </dev/null || status=$?
	rmdir "$group"
	[ "$status" -eq 137 ]
	expect oom-killed "its cgroup may use 128.0 MiB" "--memory-max"
	[ "$(jq .recoverable diagnosis)" = true ]
	[ "$(jq '.forecast.next_bytes' job/job.json)" -gt 0 ]
}

@test "cpu-limit" {
	# A limit that the program sets itself is not watched.
	run_job sh -c "sleep 0.5; ulimit -St 1; exec $fault busy"
	expect cpu-limit "ulimit -t" "SIGXCPU"
	rm -r job
	status=0
	(ulimit -St 2; exec "$cragon" run -q -i off -w job "$fault" busy) >out 2>err </dev/null || status=$?
	[ "$status" -eq 75 ]
	expect cpu-limit "before its limit of CPU time" "image 1"
	rm -r job
	run_job sh -c 'kill -XCPU $$'
	expect cpu-limit "killed by SIGXCPU"
}

@test "file-size-limit" {
	run_job sh -c 'ulimit -f 8; exec head -c 100000 /dev/zero >big'
	expect file-size-limit "ulimit -f"
	run_job sh -c 'trap "" XFSZ; ulimit -f 8; exec head -c 100000 /dev/zero >big'
	expect file-size-limit "File too large"
}

@test "disk-full: a small file system" {
	unshare -Urm true 2>/dev/null || skip "no user namespaces"
	mkdir small
	unshare -Urm sh -c "mount -t tmpfs -o size=64k none small && exec \"$cragon\" run -q -i off \
		--no-namespace -w job sh -c 'cd small; cat /dev/zero >file'" >out 2>err </dev/null || true
	expect disk-full "No space left on device"
	[ "$(jq .recoverable diagnosis)" = true ]
}

@test "disk-full: seen, though the program did not say so" {
	unshare -Urm true 2>/dev/null || skip "no user namespaces"
	mkdir small
	unshare -Urm sh -c "mount -t tmpfs -o size=64k none small && cd small && exec \"$cragon\" run -q -i off \
		--no-namespace -w ../job sh -c 'cat /dev/zero >file 2>/dev/null; exit 1'" >out 2>err </dev/null || true
	expect disk-full "$PWD/small"
}

@test "missing-library-or-file" {
	echo 'int f(void) { return 0; }' >lib.c
	echo 'int f(void); int main(void) { return f(); }' >main.c
	cc -shared -fPIC -o libmissing.so lib.c
	cc -o main main.c -L. -lmissing
	rm libmissing.so
	run_job ./main
	[ "$status" -eq 127 ]
	expect missing-library-or-file "libmissing.so: cannot open shared object file" LD_LIBRARY_PATH
	run_job sh -c nothing-of-that-name
	expect missing-library-or-file "nothing-of-that-name"
	run_job cat input.dat
	expect missing-library-or-file "input.dat: No such file"
}

@test "missing-library-or-file: a module of Python" {
	run_job python3 -c 'import no_such_module'
	expect missing-library-or-file "No module named 'no_such_module'"
}

@test "preempted: SIGKILL that nobody explains" {
	run_job sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	expect preempted "killed from outside by SIGKILL"
	[ "$(jq .recoverable diagnosis)" = true ]
}

@test "cancelled-by-user: SIGTERM through cragon" {
	"$cragon" run -q -i off -w job sh -c 'echo up; exec sleep 60' >out 2>err </dev/null 3>&- &
	await out up
	await job/job.json boot_id
	kill -TERM $!
	wait $! || true
	expect cancelled-by-user "SIGTERM" "user $(id -u)"
	[ "$(jq .recoverable diagnosis)" = false ]
}

@test "cancelled-by-user: stopped on request, with an image" {
	"$cragon" run -q -i off -w job sh -c 'echo up; exec sleep 60' >out 2>err </dev/null 3>&- &
	await out up
	await job/job.json boot_id
	"$cragon" checkpoint --stop job
	wait $! || true
	expect cancelled-by-user "image 1"
}

@test "time-limit: stopped by cragon before it" {
	run_job -m 2 sleep 60
	[ "$status" -eq 75 ]
	expect time-limit "image 1" "more time"
	[ "$(jq .recoverable diagnosis)" = true ]
}

@test "hung: no progress" {
	run_job --hang 1 sleep 60
	expect hung "no progress"
	[ "$(jq .recoverable diagnosis)" = false ]
}

@test "memory-limit: stopped by cragon before it" {
	run_job --memory-max 100M python3 -c 'import time
l = []
while True:
    l.append(bytearray(2 << 20))
    time.sleep(0.05)'
	[ "$status" -eq 75 ]
	expect memory-limit "--memory-max" "image 1"
	[ "$(jq '.forecast.next_bytes' job/job.json)" -gt 104857600 ]
}

@test "cragon killed: preempted; another boot: node-lost; both stay so after a restart" {
	"$cragon" run -q -i off -w job sh -c 'echo up; exec sleep 60' >out 2>err </dev/null 3>&- &
	await out up
	await job/job.json boot_id
	"$cragon" checkpoint job
	kill -KILL $!
	wait $! || true
	expect preempted "the machine still runs" "image 1"
	jq '.attempts[0].boot_id = "of-yesterday"' job/job.json >changed
	cat changed >job/job.json
	expect node-lost "started anew"
	"$cragon" restart -q -w job >/dev/null 2>&1 </dev/null 3>&- &
	for _ in $(seq 100); do
		[ "$(jq '.attempts | length' job/job.json)" -eq 2 ] && break
		sleep 0.1
	done
	"$cragon" checkpoint --stop job
	wait $! || true
	"$cragon" diagnose --all --json job >diagnosis
	[ "$(jq -r '[.[].cause] | join(" ")' diagnosis)" = "node-lost cancelled-by-user" ]
}

@test "a running job, an old one without facts, and damaged ones" {
	"$cragon" run -q -i off -w job sh -c 'echo up; exec sleep 60' >out 2>err </dev/null 3>&- &
	await out up
	await job/job.json boot_id
	expect unknown "is running"
	kill -TERM $!
	wait $! || true
	jq '.attempts[0] |= (del(.facts, .diagnosis) | .how = "signal" | .signal = 25)' job/job.json >changed
	cat changed >job/job.json
	expect file-size-limit SIGXFSZ
	jq '.attempts[0] |= (.facts = {how: "exit", exit_code: "x", calls: 7} | .diagnosis = {cause: "nonsense"})' \
		job/job.json >changed
	cat changed >job/job.json
	run -0 "$cragon" diagnose job
	run "$cragon" diagnose ./nowhere
	[ "$status" -ne 0 ]
}

@test "doc/diagnosis.md has a row for each cause" {
	for cause in done exit-nonzero allocation-failed oom-killed memory-limit time-limit cpu-limit \
		file-size-limit disk-full crash abort preempted cancelled-by-user node-lost \
		missing-library-or-file cpu-feature hung unknown; do
		grep -q "^| \`$cause\` |" "$root/doc/diagnosis.md"
	done
}
