# Time limits and warnings: no work is lost to them.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	printf '#!/bin/sh\nexec %s "$@" 3>&- 4>&-\n' \
		"$(realpath "${CRAGON:-$root/build/cragon}")" >"$BATS_TEST_TMPDIR/cragon"
	chmod +x "$BATS_TEST_TMPDIR/cragon"
	cragon=$BATS_TEST_TMPDIR/cragon
	unset "${!CRAGON_@}" "${!SLURM_@}" JOB_ID SGE_ROOT
	cd "$BATS_TEST_TMPDIR"
	export XDG_STATE_HOME=$PWD/state
}

await() {
	for _ in $(seq 100); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

counter='i=0; while [ $i -lt $0 ]; do echo $i; i=$((i+1)); sleep 0.1; done'

@test "Slurm's time limit: the last checkpoint comes before it" {
	mkdir bin
	printf '#!/bin/sh\necho 0:03\n' >bin/squeue
	chmod +x bin/squeue
	began=$(date +%s%N)
	status=0
	PATH=$PWD/bin:$PATH SLURM_JOB_ID=7 "$cragon" run -i off -w j sh -c "$counter" 45 >out || status=$?
	took=$((($(date +%s%N) - began) / 1000000))
	[ "$status" -eq 75 ]
	[ "$took" -lt 3000 ]
	[ "$took" -gt 1500 ]
	grep -q 'slurm gives this run' j/cragon.log
	"$cragon" restart -w j >/dev/null
	diff <(seq 0 44) out
	[ "$("$cragon" diagnose j --all --json | jq -r '.[0].cause')" = time-limit ]
}

@test "a warning of the batch system stops with an image, a second one is the job's" {
	PATH=$PATH SLURM_JOB_ID=7 SLURM_JOB_END_TIME=$(($(date +%s) + 3600)) \
		"$cragon" run -i off -w j sh -c "$counter" 25 >out 3>&- &
	await out 5
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 75 ]
	"$cragon" restart -w j >/dev/null
	diff <(seq 0 24) out
}

@test "under Grid Engine the stop code is 99, unless another is asked for" {
	mkdir bin
	printf '#!/bin/sh\necho "job_number: 3"\n' >bin/qstat
	chmod +x bin/qstat
	for code in 99 42; do
		args=()
		[ $code = 99 ] || args=(--stop-code $code)
		PATH=$PWD/bin:$PATH JOB_ID=3 SGE_ROOT=/x "$cragon" run -i off "${args[@]}" -w j$code sleep 30 3>&- &
		await j$code/job.json boot_id
		sleep 0.3
		kill -USR2 $!
		status=0
		wait $! || status=$?
		[ "$status" -eq $code ]
	done
}

@test "a limit of CPU time: stopped before it, and the resume begins with a new one" {
	status=0
	(ulimit -t 3; exec "$cragon" run -i off -w j /usr/bin/python3 -c '
s = 0
for i in range(60):
    for k in range(700000): s = (s * 31 + k) % 1000003
    print(i, s, flush=True)' >out 2>err) || status=$?
	[ "$status" -eq 75 ]
	while [ "$status" -eq 75 ]; do
		status=0
		(ulimit -t 4; exec "$cragon" restart -w j >/dev/null 2>>err) || status=$?
	done
	[ "$status" -eq 0 ]
	[ "$(wc -l <out)" -eq 60 ]
	[ "$(cut -d' ' -f1 out)" = "$(seq 0 59)" ]
}

@test "--hang: a job without progress is ended, and resumed from the image before, once" {
	status=0
	"$cragon" run -i 0.4 --hang 1.5 -w j sh -c 'echo up; sleep 1; mkfifo never; read x <never' >out || status=$?
	[ "$status" -eq 75 ]
	run "$cragon" diagnose j --json
	[ "$(jq -r .cause <<<"$output")" = hung ]
	[ "$(jq '.attempts | length' j/job.json)" -eq 2 ]
}

@test "killed by somebody: resumed at most --retry times, and not at all with 0" {
	"$cragon" run -i 0.3 --retry 1 -w j bash -c 'for i in {1..40}; do echo $i; sleep 0.1; done' >out 2>err 3>&- &
	for n in 1 2; do
		for _ in $(seq 100); do
			[ "$(jq ".attempts[$((n - 1))].checkpoints | length" j/job.json 2>/dev/null)" -ge 1 ] 2>/dev/null && break
			sleep 0.1
		done
		kill -9 "$(jq -r '[.processes[] | select(.comm == "bash")][0] | .host_pid // .pid' <<<"$(tail -1 j/process_metrics.json)")"
		sleep 0.3
	done
	status=0
	wait $! || status=$?
	[ "$status" -eq 75 ]
	[ "$(jq '.attempts | length' j/job.json)" -eq 2 ]
	"$cragon" restart -w j >/dev/null
	diff <(seq 1 40) out
	"$cragon" run -i off --retry 0 -w k sh -c 'sleep 0.3; kill -9 $$' || status=$?
	[ "$status" -eq 137 ]
}

@test "what cragon and the job write to one file does not overlap after resumes" {
	"$cragon" run -v -i 0.3 -w j bash -c 'for i in {1..25}; do echo "line $i" >&2; sleep 0.1; done' 2>err 3>&- &
	for _ in $(seq 100); do
		[ "$(jq ".attempts[0].checkpoints | length" j/job.json 2>/dev/null)" -ge 2 ] 2>/dev/null && break
		sleep 0.1
	done
	kill -9 "$(jq -r '[.processes[] | select(.comm == "bash")][0] | .host_pid // .pid' <<<"$(tail -1 j/process_metrics.json)")"
	wait $!
	[ "$(tr -d '\0' <err | wc -c)" -eq "$(wc -c <err)" ]
	diff <(seq 1 25) <(sed -n 's/^line //p' err)
	grep -q 'resumed from image' err
}
