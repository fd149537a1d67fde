#!/bin/bash
# Runs real programs (apps/app.sh), kills each twice with SIGKILL, resumes it,
# and compares what it printed, the files it wrote and its exit code with those
# of an undisturbed run. TAP on stdout.
#
#   test/apps.sh [NAME...]     all of them without names
#
#   CRAGON    the binary                            (build/cragon)
#   RUN_AS    account to run them as, when root     (as is)
#   JOBS      how many at a time                    (1: they want the cores)
#   KILLS     how often each is killed              (2)
#   OPTIONS   options for `cragon run`              (none)
set -u

root=$(dirname "$(dirname "$(readlink -f "$0")")")
. "$root/test/runner.sh"
JOBS=${JOBS:-1}
KILLS=${KILLS:-2}
read -ra OPTIONS <<<"${OPTIONS:-}"
LIMIT=240 # seconds for any one step

make_work apps
# Where the account can read it, wherever this tree is.
cp -r "$root/test/apps" "$work/apps"
chmod -R a+rX "$work/apps"
app=$work/apps/app.sh

note() { echo "# $*" >>notes; }
fail() { # WHY
	note "$*"
	return 1
}

newest_image() { find ../job/checkpoint_images -maxdepth 1 -name '[0-9]*' 2>/dev/null | sort -V | tail -n 1; }
now_ms() { date +%s%3N; }

# Lets it run for MS at least, and until there is an image newer than the last
# one it was resumed from; then kills it.
run_then_kill() { # MS NTH
	local until last deadline=$((SECONDS + LIMIT))
	until=$(($(now_ms) + $1))
	last=$newest
	while [ "$(now_ms)" -lt "$until" ] || newest=$(newest_image) && [ "$newest" = "$last" ]; do
		ended "$cragon" && { fail "ended before kill number $2"; return; }
		[ "$SECONDS" -lt "$deadline" ] || { fail "no image in $LIMIT s"; return; }
		sleep 0.05
	done
	note "kill $2: newest image ${newest##*/}, $(wc -l <out) lines"
	kill_all "$cragon"
}

# In a directory with `expected`, its code and its duration: the program again, disturbed.
disturbed() { # MS
	local step=$(($1 / (KILLS + 1))) nth newest='' code interval
	# There is an image between one kill and the next, however fast the machine.
	printf -v interval '%d.%03d' $((step * 6 / 10 / 1000)) $((step * 6 / 10 % 1000))
	: >out
	: >err
	give_to_account out err
	"${as[@]+"${as[@]}"}" "$CRAGON" run -i "$interval" -w ../job "${OPTIONS[@]+"${OPTIONS[@]}"}" -- \
		"$app" run "$name" >out 2>err </dev/null &
	cragon=$!
	for ((nth = 1; nth <= KILLS; nth++)); do
		run_then_kill "$step" "$nth" || return
		# From another directory, with another standard output.
		(cd / && exec "${as[@]+"${as[@]}"}" "$CRAGON" restart -w "$dir/job" \
			>"$dir/restart.$nth" 2>>"$dir/restart.err" </dev/null) &
		cragon=$!
	done
	within "$LIMIT" ended "$cragon" || { fail "did not end in $LIMIT s"; return; }
	wait "$cragon"
	code=$?
	[ "$code" -eq "$expected_code" ] || { fail "exit code $code, undisturbed $expected_code"; return; }
	diff -rq ../expected . >differences || { fail "not as undisturbed: $(head -n 5 differences)"; return; }
}

# Undisturbed first: what it prints, its files and its exit code, and how long it takes.
compare() {
	local started duration expected_code
	"${as[@]+"${as[@]}"}" env -C "$dir/data" "$app" prepare "$name" >making 2>&1 ||
		{ fail "prepare: $(tail -n 5 making)"; return; }
	started=$(now_ms)
	(cd expected && exec timeout "$LIMIT" "${as[@]+"${as[@]}"}" "$app" run "$name" >out 2>err </dev/null)
	expected_code=$?
	duration=$(($(now_ms) - started))
	note "undisturbed: $((duration / 100)) tenths of a second, exit code $expected_code"
	[ -s expected/out ] || { fail "prints nothing: $(tail -n 5 expected/err)"; return; }
	cd actual || return
	ln -s ../notes notes && ln -s ../differences differences
	ln -s ../notes ../expected/notes && ln -s ../differences ../expected/differences
	disturbed "$duration"
}

run_one() { # NAME
	local name=$1 dir=$work/$1.$BASHPID cragon='' verdict test=app/$1/$user
	mkdir -p "$dir"/{data,expected,actual} && cd "$dir" || return
	exec 2>shell # what bash says about processes that were killed
	: >notes
	: >differences
	give_to_account . data expected actual
	export DATA=$dir/data
	clean_environment "$dir"
	if compare; then
		verdict="ok - $test"
	else
		verdict="not ok - $test"
		{
			tail -n 5 "$dir/actual/err" "$dir/restart.err"
			tail -n 12 "$dir/job/cragon.log"
		} 2>/dev/null | sed 's/^/# /' >>"$dir/notes"
		[ -z "$cragon" ] || kill -KILL "$cragon"
		echo "$test" >>"$work/failed"
	fi
	tell "$verdict" "$dir/notes"
	cd / && rm -rf "$dir"
}

missing_of() { # NAME: the first thing it needs and cannot find
	local need
	for need in $("$app" needs "$1"); do
		# shellcheck disable=SC2016 # expanded by the inner shell
		"${as[@]+"${as[@]}"}" sh -c 'command -v "$0" >/dev/null || test -e "$0"' "$need" || {
			echo "$need"
			return
		}
	done
}

names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <("$app" names)
for name in "${names[@]}"; do
	missing=$(missing_of "$name")
	if [ -n "$missing" ]; then
		echo "ok - app/$name/$user # SKIP there is no $missing here"
		continue
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n
	done
	run_one "$name" </dev/null &
done
wait
[ ! -e "$work/failed" ]
