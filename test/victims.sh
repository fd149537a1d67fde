#!/bin/bash
# Runs the victims: programs that build one kind of state each, are checkpointed
# and then check themselves (victims/victim.h has the protocol). TAP on stdout.
#
#   test/victims.sh [NAME...]      all of them without names
#
#   CRAGON    the binary                    (build/cragon)
#   VICTIMS   where the victims were built  (build/test/victims)
#   RUN_AS    account to run them as, when root (as is)
#   MODES     instead of each victim's own modes
#   JOBS      how many at a time (2)
#
# goon       checkpoint; the job goes on, and /proc shows it unchanged
# restore    checkpoint, SIGKILL to cragon, restart
# twice      the same with --stop, then once more from the second image
# pids       without a PID namespace; its old numbers taken where that can be arranged
# elsewhere  restart later, from another directory, with another umask
# refused    the checkpoint is refused by name; the job goes on
# again      two checkpoints, then SIGKILL and restart: the first must have left nothing odd
# bare       restore on what an older kernel has: no time namespace, pidfd_getfd, …
# rapid      ten checkpoints in a row, then restore
set -u

root=$(dirname "$(dirname "$(readlink -f "$0")")")
. "$root/test/runner.sh"
VICTIMS=$(readlink -f "${VICTIMS:-$root/build/test/victims}")
MODES=${MODES:-}
JOBS=${JOBS:-2}
LIMIT=20 # seconds for any one step

make_work victims

# Programs that keep ids of processes cannot have new ones, and an ordinary
# user's undumpable ones cannot be traced without a namespace.
pids_of() { # VICTIM
	case $1 in
	daemon | fork_storm | orphan | robust | sessions | stopped | vfork_loop | zombie | not_dumpable) ;;
	*) echo pids ;;
	esac
}

modes_of() { # VICTIM
	case $1 in
	refused_*) echo refused ;;
	*_storm | *_loop) echo goon restore twice bare elsewhere rapid ;;
	files_*) echo restore twice elsewhere again rapid ;;
	*nanosleep* | *_timeout | *poll | select | sigtimedwait | sem_wait)
		echo goon restore twice bare elsewhere again
		;;
	*) echo goon restore twice bare elsewhere ;;
	esac
	case $1 in
	refused_*) ;;
	*) pids_of "$1" ;;
	esac
}

# What the message of a refused checkpoint has to contain.
refusal_of() { # VICTIM
	case $1 in
	refused_tcp) echo 'Internet socket' ;;
	refused_unix) echo 'Unix socket' ;;
	refused_inotify) echo 'inotify' ;;
	refused_packet_pipe) echo 'packet mode' ;;
	refused_*) echo "${1#refused_}" ;;
	esac
}

# Victims whose maps or descriptors are in motion: not compared.
moving() { # VICTIM
	case $1 in
	append | files_* | go_victim | java_victim | *_storm | *_loop) return 0 ;;
	*) return 1 ;;
	esac
}

# ---- one run: a subshell in its own directory, $dir ----------------------------

comment() { sed 's/^/# /' >>"$dir/notes"; }
fail() { # WHY
	echo "$*" | comment
	return 1
}

# Starts cragon in the background; its process id is left in $cragon.
cragon_start() { # ARGUMENTS...
	"${as[@]+"${as[@]}"}" "$CRAGON" "$@" >>out 2>>err </dev/null &
	cragon=$!
}
cragon_ask() { timeout "$LIMIT" "${as[@]+"${as[@]}"}" "$CRAGON" "$@" >>answers 2>&1; }

said() { grep -qx "$1" out; }
# The log says so a little before the job can be asked for another checkpoint.
resumed() { # NTH
	ended "$cragon" || {
		[ "$(grep -c 'resumed from image' job/cragon.log)" -ge "$1" ] &&
			[ "$(grep -c '"started"' job/job.json)" -gt "$1" ] && [ -S job/control ]
	}
}
said_ready() { { said ready && [ -S job/control ]; } || grep -q '^skip ' out || ended "$cragon"; }

# What must be the same before and after a checkpoint, for each of the job's own.
portrait() { # PID...
	local pid fd
	for pid in "$@"; do
		grep -qx cragon-reaper "/proc/$pid/comm" && continue
		echo "process $pid"
		grep -E '^(Name|Umask|Tgid|PPid|TracerPid|Threads|Sig[PBIC]|Shd|NoNewPrivs|Seccomp:)' "/proc/$pid/status"
		cat "/proc/$pid/task/"*/children
		for fd in "/proc/$pid/fd/"*; do
			echo "${fd##*/} $(readlink "$fd")"
			cat "/proc/$pid/fdinfo/${fd##*/}"
		done
		cat "/proc/$pid/maps"
	done 2>/dev/null
}

# Nobody is left stopped or traced; a victim that stops a process itself is in state T before.
unheld() { # PID...
	local pid
	for pid in "$@"; do
		grep -qE '^State:\s+t|^TracerPid:\s+[1-9]' "/proc/$pid/status" 2>/dev/null && return 1
	done
	return 0
}

begin() { # RUN-OPTIONS...
	cragon_start run -i off -w job "$@" -- "$VICTIMS/$victim"
	within "$LIMIT" said_ready || { fail "not ready in $LIMIT s"; return; }
	skipped=$(sed -n 's/^skip //p' out)
	[ -z "$skipped" ] || return 0
	said ready || fail "ended before it was ready"
}

finish() {
	: >go
	chmod 644 go
	within "$LIMIT" ended "$cragon" || { fail "did not end in $LIMIT s"; return; }
	wait "$cragon"
	local code=$?
	[ "$code" -eq 0 ] || { fail "exit code $code"; return; }
	said ok || fail "exit code 0, but no ok"
}

checkpoint() { # OPTIONS...
	cragon_ask checkpoint "$@" job || fail "checkpoint failed"
}

resume() { # NTH OPTIONS...
	local nth=$1
	shift
	cragon_start restart -w "$dir/job" "$@"
	within "$LIMIT" resumed "$nth" || { fail "not resumed in $LIMIT s"; return; }
	! ended "$cragon" || [ -n "$(sed -n '/^ok$/p' out)" ] || fail "restart ended early"
}

mode_goon() {
	local pids
	begin || return
	[ -z "$skipped" ] || return 0
	pids=$(descendants "$cragon")
	# shellcheck disable=SC2086
	portrait $pids >before
	checkpoint || return
	# shellcheck disable=SC2086
	within "$LIMIT" unheld $pids || { fail "left traced"; return; }
	# shellcheck disable=SC2086
	portrait $pids >after
	if ! moving "$victim" && ! cmp -s before after; then
		diff before after | head -n 20 | comment
		fail "/proc differs after the checkpoint"
		return
	fi
	finish
}

mode_restore() {
	begin && { [ -n "$skipped" ] || { checkpoint && sleep 0.1 && kill_all "$cragon" && resume 1 && finish; }; }
}

stopped() {
	within "$LIMIT" ended "$cragon" || { fail "not stopped in $LIMIT s"; return; }
	wait "$cragon"
	local code=$?
	[ "$code" -eq 75 ] || fail "checkpoint --stop: exit code $code"
}

mode_twice() {
	begin && { [ -n "$skipped" ] || { checkpoint --stop && stopped && resume 1 &&
		checkpoint --stop && stopped && resume 2 && finish; }; }
}

mode_elsewhere() {
	begin || return
	[ -z "$skipped" ] || return 0
	checkpoint && kill_all "$cragon" || return
	sleep 1.5 # a clock that jumps shows
	(
		umask 027
		cd / || exit
		exec "${as[@]+"${as[@]}"}" "$CRAGON" restart -w "$dir/job" >>"$dir/out" 2>>"$dir/err" </dev/null
	) &
	cragon=$!
	within "$LIMIT" resumed 1 || { fail "not resumed in $LIMIT s"; return; }
	finish
}

# Where we may choose the next process id, sleeps take the job's old ones.
take() { # PID...
	local pid
	for pid in "$@"; do
		echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid || return 0
		sleep $((LIMIT * 3)) &
		sleepers+=($!)
	done 2>/dev/null
}

mode_pids() {
	local pids sleepers=() verdict
	export VICTIM_NEW_PIDS=1 VICTIM_CLOCK_JUMPS=1
	begin --no-namespace || return
	[ -z "$skipped" ] || return 0
	pids=$(descendants "$cragon")
	checkpoint && kill_all "$cragon" || return
	# shellcheck disable=SC2086
	take $pids
	resume 1 && finish
	verdict=$?
	[ ${#sleepers[@]} -eq 0 ] || kill -KILL "${sleepers[@]}"
	return "$verdict"
}

mode_bare() {
	export VICTIM_CLOCK_JUMPS=1
	local -x CRAGON_WITHOUT=timens,set_tid,close_range,pagemap_scan,vdso,timer_ids,eventfd_semaphore
	mode_restore
}

mode_again() {
	begin && { [ -n "$skipped" ] || { checkpoint && checkpoint && kill_all "$cragon" && resume 1 && finish; }; }
}

mode_rapid() {
	local i
	begin || return
	[ -z "$skipped" ] || return 0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		checkpoint || { fail "number $i of ten"; return; }
	done
	kill_all "$cragon" && resume 1 && finish
}

mode_refused() {
	begin || return
	[ -z "$skipped" ] || return 0
	if cragon_ask checkpoint job; then
		fail "checkpoint was not refused"
		return
	fi
	grep -qi -- "$(refusal_of "$victim")" answers || { fail "the refusal does not name it"; return; }
	# shellcheck disable=SC2046
	within "$LIMIT" unheld $(descendants "$cragon") || { fail "left traced"; return; }
	finish
}

run_one() { # VICTIM MODE
	local victim=$1 mode=$2 dir=$work/$1.$2.$BASHPID skipped='' cragon='' verdict name
	mkdir "$dir" && cd "$dir" || return
	give_to_account "$dir"
	exec 2>shell # what bash says about processes that were killed
	: >notes
	: >answers
	export VICTIM_GO=$dir/go
	# Its own directory is not a home: those are looked after less closely.
	mkdir "$dir.home"
	give_to_account "$dir.home"
	clean_environment "$dir.home"
	: >out
	: >err
	give_to_account out err
	name=victim/$victim/$mode/$user
	if "mode_$mode"; then
		verdict="ok - $name${skipped:+ # SKIP $skipped}"
	else
		verdict="not ok - $name"
		{
			tail -n 12 out | sed 's/^/out: /'
			tail -n 5 err | sed 's/^/err: /'
			tail -n 5 answers | sed 's/^/checkpoint: /'
			tail -n 8 job/cragon.log | sed 's/^/log: /'
		} 2>/dev/null | comment
		[ -z "$cragon" ] || kill -KILL "$cragon" 2>/dev/null
		echo "$name" >>"$work/failed"
	fi
	tell "$verdict" notes
	cd / && rm -rf "$dir" "$dir.home"
}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for file in "$VICTIMS"/*; do
		[ -f "$file" ] && [ -x "$file" ] && names+=("${file##*/}")
	done
	for name in cxx go_victim rust_victim java_victim; do
		[ -x "$VICTIMS/$name" ] || echo "ok - victim/$name # SKIP no compiler for it when the victims were built"
	done
fi
if [ ${#names[@]} -eq 0 ]; then
	echo "Bail out! no victims in $VICTIMS"
	exit 1
fi
for name in "${names[@]}"; do
	if [ ! -x "$VICTIMS/$name" ]; then
		echo "not ok - victim/$name: not built"
		echo "$name" >>"$work/failed"
		continue
	fi
	for mode in ${MODES:-$(modes_of "$name")}; do
		while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
			wait -n
		done
		run_one "$name" "$mode" </dev/null &
	done
done
wait
[ ! -e "$work/failed" ]
