#!/bin/bash
# One job, ended by each recoverable cause in turn: a limit of address space, a
# limit of its control group, a time limit, SIGKILL, a full disk. Its output is
# that of an undisturbed run, nothing is lost to limits, and the report tells of
# all of it. TAP on stdout.
#
#   CRAGON    the executable  (build/cragon)
#   RUN_AS    account to run it under
set -u
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
. "$root/test/runner.sh"

if [ "${1:-}" != inside ]; then
	make_work story
	clean_environment "$work/home"
	mkdir "$HOME" "$work/small"
	cp "$root/test/story/work.py" "$work/"
	give_to_account "$work" "$HOME" "$work/small"
	group=""
	if [ "$(id -u)" -eq 0 ]; then
		for parent in /sys/fs/cgroup/memory /sys/fs/cgroup; do
			group=$parent/cragon-story.$$
			mkdir "$group" 2>/dev/null && { echo 130M >"$group/memory.limit_in_bytes" ||
				echo 130M >"$group/memory.max"; } 2>/dev/null && break
			rmdir "$group" 2>/dev/null
			group=""
		done
	fi
	mode=-Urm
	[ "$(id -u)" -ne 0 ] || mode=-m
	if unshare "$mode" true 2>/dev/null; then
		STORY_DIR=$work GROUP=$group unshare "$mode" bash "$0" inside
	else
		echo "ok - story/$user # SKIP no mount namespaces"
	fi
	[ -z "$group" ] || rmdir "$group"
	exit
fi

cd "$STORY_DIR" || exit 1
mount -t tmpfs -o size=40m none small || exit 1
give_to_account small
say() { echo "# $*"; }
failed=0
check() { # TEXT COMMAND...
	local text=$1
	shift
	"$@" && return
	say "$text"
	failed=1
}
cause() { # NUMBER of attempt
	"${as[@]}" "$CRAGON" diagnose --all --json j 2>/dev/null | jq -r ".[$(($1 - 1))].cause"
}
lines() { wc -l <out; }

: >out
touch err
give_to_account out err
"${as[@]}" /usr/bin/python3 work.py >expected || exit 1
rm small/data

say "a limit of address space"
# shellcheck disable=SC2016
"${as[@]}" bash -c 'ulimit -v 90000; exec "$1" run -w j -i off /usr/bin/python3 work.py' - "$CRAGON" >out 2>err
check "stop code, not $?" [ $? -eq 75 ]
held=$(lines)
check "it got $held lines far" [ "$held" -gt 10 ]
check "a failed allocation, not $(cause 1)" [ "$(cause 1)" = allocation-failed ]
n=1

if [ -n "$GROUP" ]; then
	say "a limit of the control group"
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$GROUP" \
		"${as[@]}" "$CRAGON" restart -w j >>out 2>>err
	check "stop code, not $?" [ $? -eq 75 ]
	n=$((n + 1))
	check "a memory limit, not $(cause $n)" [ "$(cause $n)" = memory-limit ]
	check "it went on" [ "$(lines)" -gt "$held" ]
fi

say "a time limit"
before=$(lines)
"${as[@]}" "$CRAGON" restart -w j -m 1.5 -i off >>out 2>>err
check "stop code, not $?" [ $? -eq 75 ]
n=$((n + 1))
check "a time limit, not $(cause $n)" [ "$(cause $n)" = time-limit ]
check "it went on" [ "$(lines)" -gt "$before" ]

say "SIGKILL"
"${as[@]}" "$CRAGON" restart -w j -m 1h -i 0.3 >>out 2>>err &
sleep 1.3
kill_all $!
n=$((n + 1))

say "a full disk"
dd if=/dev/zero of=small/fill bs=64k >/dev/null 2>&1
"${as[@]}" "$CRAGON" restart -w j -i 0.2 --retry 0 >>out 2>>err
check "stop code, not $?" [ $? -eq 75 ]
check "killed, not $(cause $n)" [ "$(cause $n)" = preempted ]
n=$((n + 1))
check "a full disk, not $(cause $n)" [ "$(cause $n)" = disk-full ]

say "and to the end"
rm small/fill
"${as[@]}" "$CRAGON" restart -w j >>out 2>>err
check "exit code 0, not $?" [ $? -eq 0 ]
n=$((n + 1))
check "done, not $(cause $n)" [ "$(cause $n)" = "done" ]
check "the output differs" cmp out expected
lost=$(jq '[.attempts[] | select(.diagnosis.cause | IN("allocation-failed", "memory-limit", "time-limit")) | .lost_ns] | add' j/job.json)
check "nothing lost to limits, not $lost ns" [ "$lost" = 0 ]
for word in allocation-failed time-limit preempted disk-full ${GROUP:+memory-limit}; do
	check "the report tells of $word" grep -q "$word" j/report.html
done
if [ $failed -eq 0 ]; then
	echo "ok - story/$user"
else
	echo "not ok - story/$user"
	tail -n 5 err | cut -c1-200 | sed 's/^/# /'
	tail -n 20 j/cragon.log | cut -c1-200 | sed 's/^/# /'
fi
