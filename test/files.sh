#!/bin/bash
# Consistent files: programs that write them in many ways are killed with SIGKILL
# at random moments, also while a checkpoint is taken or a resume is under way,
# and resumed; at the end output and files are what they are without a kill. TAP on stdout.
#
#   test/files.sh [NAME...]      all of them without names
#
#   CRAGON    the executable                          (build/cragon)
#   RUN_AS    account to run the programs under, when root
#   JOBS      how many at a time                      (2)
#   KILLS     how often each is killed                (10)
#   OPTIONS   options for `cragon run`                (none)
#   KEEP      a directory that gets the work of those that fail
#   SEED      of the random moments, to repeat a run  (printed when it fails)
set -u

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
. "$root/test/runner.sh"
JOBS=${JOBS:-2}
KILLS=${KILLS:-10}
SEED=${SEED:-$((SRANDOM % 32768))}
read -ra OPTIONS <<<"${OPTIONS:-}"
LIMIT=60 # seconds for any one step

make_work files
cp -r "$root/test/files" "$work/programs"
cc -O1 -D_GNU_SOURCE -o "$work/programs/writer" "$root/test/files/writer.c" || {
	echo "Bail out! writer.c cannot be built"
	exit 1
}
chmod -R a+rX "$work/programs"

programs="writer shell sorting sqlite_delete sqlite_wal sqlite_truncate hdf5"
command_of() {
	case $1 in
	writer) echo "$work/programs/writer" ;;
	shell | sorting) echo "bash $work/programs/$1.bash" ;;
	sqlite_*) echo "/usr/bin/python3 $work/programs/ledger.py ${1#sqlite_}" ;;
	hdf5) echo "/usr/bin/python3 $work/programs/grid.py" ;;
	esac
}
missing_for() {
	case $1 in
	sqlite_*) /usr/bin/python3 -c 'import sqlite3' 2>/dev/null || echo "no /usr/bin/python3" ;;
	hdf5) /usr/bin/python3 -c 'import h5py' 2>/dev/null || echo "no h5py for /usr/bin/python3" ;;
	esac
}
# Files whose bytes may differ although what they say does not; the program prints it.
varies() {
	case $1 in
	result.db* | result.h5) return 0 ;;
	*) return 1 ;;
	esac
}

note() { echo "# $*" >>"$dir/notes"; }
fail() { # WHY
	note "$*"
	return 1
}
has_image() { ended "$cragon" || compgen -G '../job/checkpoint_images/[0-9]*' >/dev/null; }

start() { # FILE CRAGON-ARGUMENTS...
	local out=$1
	shift
	"${as[@]+"${as[@]}"}" "$CRAGON" "$@" >>"$out" 2>>../err </dev/null &
	cragon=$!
}

# Ended by itself: well, or not.
ended_well() {
	wait "$cragon"
	local code=$?
	[ "$code" -eq 0 ] || fail "exit code $code"
}

nap_ms() { # MS
	local text
	printf -v text '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	sleep "$text"
}

# One moment in three is soon after the beginning, when a resume is under way.
moment_ms() { # NTH
	if (($1 % 3 == 0)); then echo $((RANDOM % 150)); else echo $((RANDOM % 900)); fi
}

killed() {
	local nth
	# shellcheck disable=SC2046 # words
	start out run -i 0.3 -w ../job "${OPTIONS[@]+"${OPTIONS[@]}"}" -- $(command_of "$name")
	within "$LIMIT" has_image || { fail "no image in $LIMIT s"; return; }
	for ((nth = 1; nth <= KILLS; nth++)); do
		nap_ms "$(moment_ms "$nth")"
		ended "$cragon" && break
		kill_all "$cragon" || return
		kills=$nth
		start ../resumed restart -w ../job
	done
	within "$LIMIT" ended "$cragon" || { fail "did not end in $LIMIT s"; return; }
	ended_well
}

same_files() {
	local file
	diff <(cd ../expected && find . | sort) <(find . | sort) >../differences ||
		{ fail "other files than without a kill: $(grep '^[<>]' ../differences | head -n 5 | tr '\n' ' ')"; return; }
	while IFS= read -r file; do
		varies "${file##*/}" || cmp -s "$file" "../expected/$file" ||
			{ fail "$file differs from that without a kill"; return; }
	done < <(find . -type f)
}

compare() {
	# shellcheck disable=SC2046 # words
	(cd expected && exec timeout "$LIMIT" "${as[@]+"${as[@]}"}" $(command_of "$name") >out 2>../err.expected </dev/null) ||
		{ fail "fails without cragon: $(tail -n 3 err.expected)"; return; }
	[ -s expected/out ] || { fail "prints nothing"; return; }
	cd actual || return
	killed && same_files
}

run_one() { # NAME TEST
	local name=$1 test=$2 dir=$work/$1.$BASHPID cragon='' kills=0 verdict
	mkdir -p "$dir"/{expected,actual,home,tmp} && cd "$dir" || return
	chmod 1777 tmp # as /tmp is, without leaving anything there
	exec 2>shell # what bash says about processes that were killed
	: >notes
	for file in err resumed expected/out actual/out; do : >"$file"; done
	give_to_account . expected actual home err resumed expected/out actual/out
	clean_environment "$dir/home"
	export TMPDIR=$dir/tmp
	RANDOM=$((SEED + ${#name} * 31 + $(id -u "$user")))
	if compare; then
		verdict="ok - $test ($kills kills)"
	else
		verdict="not ok - $test ($kills kills)"
		note "SEED=$SEED"
		{
			tail -n 5 "$dir/err" "$dir/resumed" "$dir/actual/out"
			tail -n 25 "$dir/job/cragon.log"
		} 2>/dev/null | cut -c 1-300 | sed 's/^/# /' >>"$dir/notes"
		[ -z "$cragon" ] || kill -KILL "$cragon" 2>/dev/null
		echo "$test" >>"$work/failed"
	fi
	echo "$kills" >>"$work/kills"
	if [ -n "${REVERSED:-}" ]; then
		: >"$work/failed.$name"
		[ "${verdict%% *}" = not ] && verdict="ok - $test" || verdict="not ok - $test: no difference"
		: >"$dir/notes"
	fi
	tell "$verdict" "$dir/notes"
	if [ -n "${KEEP:-}" ] && [ "${verdict%% *}" = not ]; then cp -r "$dir" "$KEEP/"; fi
	cd / && rm -rf "$dir"
}

names=("$@")
[ ${#names[@]} -gt 0 ] || read -ra names <<<"$programs"
for name in "${names[@]}"; do
	missing=$(missing_for "$name")
	if [ -n "$missing" ]; then
		echo "ok - files/$name/$user # SKIP $missing"
		continue
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n
	done
	run_one "$name" "files/$name/$user" </dev/null &
done
wait
[ ! -e "$work/failed" ]
