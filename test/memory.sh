#!/bin/bash
# No work is lost to a failed allocation: programs in C, C++, Fortran and Python
# meet a limit of memory under cragon, and their output is what it is without
# one. TAP on stdout.
#
#   test/memory.sh [NAME...]
#   CRAGON    the executable  (build/cragon)
#   RUN_AS    account to run the programs under
set -u
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
. "$root/test/runner.sh"
make_work memory
clean_environment "$work/home"
mkdir "$HOME"
give_to_account "$HOME"

src=$root/test/memory
for name in threads processes calls resident; do
	cc -O1 -pthread -D_GNU_SOURCE -o "$work/$name" "$src/$name.c" || {
		echo "Bail out! $name.c cannot be built"
		exit 1
	}
done
command -v c++ >/dev/null && c++ -std=c++17 -O1 -o "$work/vectors" "$src/vectors.cc"
command -v gfortran >/dev/null && gfortran -O1 -o "$work/arrays" "$src/arrays.f90"
cp "$src/arrays.py" "$work/"
chmod -R a+rX "$work"

# What each runs, and the limit of address space in KiB that it meets half-way.
programs="threads processes calls vectors fortran numpy threads_jemalloc threads_tcmalloc"
command_of() {
	case $1 in
	fortran) echo "$work/arrays" ;;
	resident) echo "$work/resident 900" ;;
	numpy) echo "/usr/bin/python3 $work/arrays.py" ;;
	threads_*) echo "$work/threads" ;;
	*) echo "$work/$1" ;;
	esac
}
# An allocator that the program brings along.
preload_of() {
	case $1 in
	*_jemalloc) library libjemalloc.so.2 ;;
	*_tcmalloc) library libtcmalloc_minimal.so.4 ;;
	esac
}
library() { ldconfig -p 2>/dev/null | awk -v n="$1" '$1 == n { print $NF; exit }'; }
limit_of() {
	case $1 in
	threads) echo 900000 ;;
	threads_*) echo 650000 ;;
	processes) echo 80000 ;;
	calls) echo 200000 ;;
	vectors) echo 150000 ;;
	fortran) echo 120000 ;;
	numpy) echo 150000 ;;
	esac
}
present() {
	case $1 in
	vectors) [ -x "$work/vectors" ] ;;
	fortran) [ -x "$work/arrays" ] ;;
	threads_jemalloc) [ -n "$(library libjemalloc.so.2)" ] ;;
	threads_tcmalloc) [ -n "$(library libtcmalloc_minimal.so.4)" ] ;;
	esac
}

# The limit is soft: it is raised while the program waits.
raised() { # NAME
	local command limit
	command=$(command_of "$1") limit=$(limit_of "$1")
	# shellcheck disable=SC2086,SC2016 # words of a command; for the inner shell
	"${as[@]}" bash -c 'ulimit -S -v "$1"; shift; LD_PRELOAD=$PRELOAD exec "$@"' - "$limit" \
		"$CRAGON" run -w job -i off $command >out 2>err || return 1
	cmp -s out expected && grep -q 'raised: ' job/cragon.log && grep -q ',held$' job/intercepted.log
}

# The limit is hard: the run stops, and goes on where there is more memory. It is
# stopped as often as it takes: each time the limit is half as high again.
stopped() { # NAME
	local command limit status resumes=0
	command=$(command_of "$1") limit=$(limit_of "$1")
	# shellcheck disable=SC2086,SC2016
	"${as[@]}" bash -c 'ulimit -v "$1"; shift; LD_PRELOAD=$PRELOAD exec "$@"' - "$limit" \
		"$CRAGON" run -w job -i off $command >out 2>err
	status=$?
	[ "$status" -eq 75 ] || return 1
	while [ "$status" -eq 75 ] && [ "$resumes" -lt 12 ]; do
		limit=$((limit + limit / 2)) resumes=$((resumes + 1))
		# shellcheck disable=SC2016
		"${as[@]}" bash -c 'ulimit -v "$1"; exec "$2" restart -w job' - "$limit" "$CRAGON" \
			>>restart.out 2>>err
		status=$?
	done
	[ "$status" -eq 0 ] && cmp -s out expected && [ ! -s restart.out ]
}

# The machine promises no more than it has (vm.overcommit_memory=2), for a moment.
overcommit_back() {
	echo 0 >/proc/sys/vm/overcommit_memory
	echo 50 >/proc/sys/vm/overcommit_ratio
}
overcommit() { # NAME
	local status used
	used=$(awk '/^Committed_AS/ { print $2 }' /proc/meminfo)
	echo $((used + 250000)) >/proc/sys/vm/overcommit_kbytes &&
		echo 2 >/proc/sys/vm/overcommit_memory || return 1
	# shellcheck disable=SC2046
	timeout 60 "${as[@]}" "$CRAGON" run -w job -i off $(command_of "$1") >out 2>err
	status=$?
	overcommit_back
	[ "$status" -eq 75 ] && "${as[@]}" "$CRAGON" restart -w job >>out 2>>err && cmp -s out expected
}
# A control group with a limit, where root can make one.
group=""
make_group() { # BYTES
	local parent
	for parent in /sys/fs/cgroup/memory /sys/fs/cgroup; do
		group=$parent/cragon-test.$$
		if mkdir "$group" 2>/dev/null; then
			echo "$1" >"$group/memory.limit_in_bytes" 2>/dev/null && return
			echo "$1" >"$group/memory.max" 2>/dev/null && return
			rmdir "$group"
		fi
	done
	group=""
	return 1
}
cgroup() { # NAME
	local status
	# shellcheck disable=SC2046,SC2016
	bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$group" \
		"${as[@]}" "$CRAGON" run -w job -i off $(command_of "$1") >out 2>err
	status=$?
	grep -q 'oom_kill 0' "$group/memory.oom_control" "$group/memory.events" 2>/dev/null || return 1
	[ "$status" -eq 75 ] && "${as[@]}" "$CRAGON" restart -w job >>restart.out 2>>err &&
		cmp -s out expected
}
may_overcommit() {
	[ "$(cat /proc/sys/vm/overcommit_memory 2>/dev/null)" = 0 ] &&
		[ -w /proc/sys/vm/overcommit_memory ] && [ "$(id -u)" -eq 0 ]
}

one() { # NAME WAY
	local dir=$work/$1.$2 preload
	mkdir "$dir" && cd "$dir" && touch out err restart.out || return 1
	give_to_account "$dir" out err restart.out
	preload=$(preload_of "$1")
	# shellcheck disable=SC2046 # words of a command
	LD_PRELOAD=$preload "${as[@]}" $(command_of "$1") >expected 2>&1
	export PRELOAD=$preload
	if "$2" "$1"; then
		echo "ok - memory/$1/$2/$user"
	else
		echo "not ok - memory/$1/$2/$user"
		tail -n 5 out err job/cragon.log job/intercepted.log 2>/dev/null | cut -c1-200 | sed 's/^/# /'
	fi
	cd "$work" || return 1
}

names=${*:-$programs}
for name in $names; do
	for way in raised stopped; do
		if present "$name" || [[ $name != *_* && $name != vectors && $name != fortran ]]; then
			one "$name" "$way"
		else
			echo "ok - memory/$name/$way # SKIP not installed here"
		fi
	done
done

[ $# -gt 0 ] && exit
if [ "$(id -u)" -eq 0 ] && make_group 500000000; then
	one resident cgroup
	rmdir "$group"
else
	echo "ok - memory/resident/cgroup/$user # SKIP needs root and a memory controller"
fi
if may_overcommit; then
	trap 'overcommit_back; rm -rf "$work"' EXIT
	one processes overcommit
else
	echo "ok - memory/processes/overcommit/$user # SKIP needs root and vm.overcommit_memory"
fi
