#!/bin/bash
# Measures Cragon and prints the tables of bench/README.md.
#
#   bench/run.sh [stall|write|restore|idle|overhead...]    all without names
#
#   CRAGON    the binary                  (build/cragon)
#   STALL     bench/stall, built          (build/bench/stall)
#   DIR       where images are written    (a directory made in /var/tmp)
#   REPEAT    how often each is measured  (3); medians are printed
#   SIZES     GiB for `stall`             (1 2 4)
set -u

root=$(dirname "$(dirname "$(readlink -f "$0")")")
CRAGON=$(readlink -f "${CRAGON:-$root/build/cragon}")
STALL=$(readlink -f "${STALL:-$root/build/bench/stall}")
REPEAT=${REPEAT:-3}
read -ra SIZES <<<"${SIZES:-1 2 4}"
for tool in jq bc; do
	command -v "$tool" >/dev/null || { echo "bench: $tool is not installed (apt-get install $tool)" >&2; exit 1; }
done
for file in "$CRAGON" "$STALL"; do
	[ -x "$file" ] || { echo "bench: no $file (meson setup build -Dtests=true; meson compile -C build)" >&2; exit 1; }
done
mkdir -p "${DIR:=/var/tmp}"
work=$(mktemp -d "$DIR/cragon-bench.XXXXXX") || exit 1
cragon=
cleanup() {
	[ -z "$cragon" ] || kill -KILL "$cragon" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 1
export XDG_STATE_HOME=$work/state

die() {
	echo "bench: $*" >&2
	exit 1
}
calc() { bc -l <<<"scale=6; $*"; }
fixed() { LC_ALL=C printf "%.$2f" "$(calc "$1")"; } # EXPRESSION DIGITS
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
await() { # SECONDS COMMAND...
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || die "waited in vain: $*"
		sleep 0.05
	done
}

hold() { # GIB CONTENT CRAGON-OPTIONS...: starts it, ready to be checkpointed
	local gib=$1 content=$2
	shift 2
	rm -rf job out err
	"$CRAGON" run -q -i off -w job "$@" "$STALL" hold "$gib" "$content" >out 2>err &
	cragon=$!
	await 120 grep -q ready out
	sync
	sleep 1
}
victim() { pgrep -P "$(pgrep -P "$cragon" | head -n 1)" | head -n 1; }
release() { # how the program ended: its three longest gaps
	kill -TERM "$cragon"
	wait "$cragon"
	cragon=
	sed -n 's/^longest \([0-9.]*\) \([0-9.]*\) .*/\1 \2/p' out
}
checkpoint() { "$CRAGON" checkpoint -q job >/dev/null || die "no checkpoint: $(tail -n 1 job/cragon.log)"; }
info() { jq ".$1" "$(find job/checkpoint_images -path '*/[0-9]*/checkpoint_info' | sort -V | tail -n 1)"; }

bench_stall() {
	local gib pause took longest second i
	echo "## stall: \`stall hold N heap\`, its own longest gap around one checkpoint"
	echo
	echo "| memory | longest gap | second longest | held, by Cragon | ms per GiB | checkpoint took |"
	echo "|---|---|---|---|---|---|"
	for gib in "${SIZES[@]}"; do
		: >longest; : >second; : >pause; : >took
		for ((i = 0; i < REPEAT; i++)); do
			hold "$gib" heap
			kill -USR2 "$(victim)"
			sleep 0.5
			checkpoint
			info pause_ns >>pause
			info duration_ns >>took
			read -r longest second < <(release)
			echo "$longest" >>longest
			echo "$second" >>second
		done
		longest=$(median <longest)
		second=$(median <second)
		pause=$(median <pause)
		took=$(median <took)
		echo "| $gib GiB | $longest ms | $second ms | $(fixed "$pause/10^6" 0) ms |" \
			"$(fixed "$longest/$gib" 0) | $(fixed "$took/10^9" 2) s |"
	done
	echo
}

dd_seconds() { # copies `source` to a fresh file
	local began ended
	rm -f copy
	sync
	began=$(date +%s%N)
	dd if=source of=copy bs=1M conv=fsync status=none
	ended=$(date +%s%N)
	rm -f copy
	calc "($ended-$began)/10^9"
}

bench_write() {
	local compress content i dd rate
	echo "## write: 1 GiB of memory, the whole checkpoint (synced, verified) against \`dd conv=fsync\` of 1 GiB"
	echo
	echo "| content | --compress | image | checkpoint | rate | dd | ratio |"
	echo "|---|---|---|---|---|---|---|"
	head -c 1G /dev/urandom >source
	for content in random heap zero; do
		for compress in none zstd; do
			: >dd.s; : >took
			hold 1 "$content" --compress "$compress" -k 1
			for ((i = 0; i < REPEAT; i++)); do
				dd_seconds >>dd.s
				sync
				checkpoint
				calc "$(info duration_ns)/10^9" >>took
			done
			dd=$(median <dd.s)
			rate=$(calc "$(info memory_bytes)/2^20/$(median <took)")
			echo "| $content | $compress | $(fixed "$(info stored_bytes)/2^20" 0) MiB |" \
				"$(fixed "$(median <took)" 2) s | $(fixed "$rate" 0) MiB/s |" \
				"$(fixed "1024/$dd" 0) MiB/s | $(fixed "$rate*$dd/1024" 2) |"
			release >/dev/null
		done
	done
	rm -f source
	echo
}

goes_on() { # SINCE: has the program said that a gap ended after that?
	local until
	until=$(sed -n 's/^gap .* until //p' out | tail -n 1)
	[ "${until:-0}" -gt "$1" ]
}

bench_restore() {
	local compress began until i
	echo "## restore: 1 GiB, from \`cragon restart\` to the program's next step, against reading the image with cat"
	echo
	echo "| content | --compress | image | restart | cat | ratio |"
	echo "|---|---|---|---|---|---|"
	for content in random heap; do
		for compress in none zstd; do
			: >took; : >cat.s
			for ((i = 0; i < REPEAT; i++)); do
				hold 1 "$content" --compress "$compress"
				checkpoint
				kill -KILL "$cragon"
				wait "$cragon" 2>/dev/null
				sleep 1
				began=$(date +%s%N)
				cat job/checkpoint_images/*/pages.dat >/dev/null
				calc "($(date +%s%N)-$began)/10^9" >>cat.s
				began=$(date +%s%N)
				"$CRAGON" restart -q -w job 2>>err &
				cragon=$!
				await 60 goes_on "$began"
				until=$(sed -n 's/.*until //p' out | tail -n 1)
				calc "($until-$began)/10^9" >>took
				stored=$(info stored_bytes)
				release >/dev/null
			done
			echo "| $content | $compress | $(fixed "$stored/2^20" 0) MiB | $(fixed "$(median <took)" 2) s |" \
				"$(fixed "$(median <cat.s)" 2) s | $(fixed "$(median <took)/$(median <cat.s)" 1) |"
		done
	done
	echo
}

switches() { # PID...: context switches so far
	local pid
	for pid in "$@"; do
		cat "/proc/$pid/status"
	done | awk '/ctxt_switches/ { n += $2 } END { print n }'
}

bench_idle() {
	local job reaper before after
	echo "## idle: context switches of cragon and its reaper between checkpoints, in 20 s"
	echo
	echo "| job | cragon | reaper | per second |"
	echo "|---|---|---|---|"
	for job in "sleep 60" "$STALL count 100000"; do
		rm -rf job
		# shellcheck disable=SC2086 # a command and its words
		"$CRAGON" run -q -i off -w job $job >out 2>err &
		cragon=$!
		sleep 2
		reaper=$(pgrep -P "$cragon" | head -n 1)
		before="$(switches "$cragon") $(switches "$reaper")"
		sleep 20
		after="$(switches "$cragon") $(switches "$reaper")"
		read -r b1 b2 <<<"$before"
		read -r a1 a2 <<<"$after"
		echo "| ${job##*/} | $((a1 - b1)) | $((a2 - b2)) | $(fixed "($a1-$b1+$a2-$b2)/20" 2) |"
		kill -KILL "$cragon"
		wait "$cragon" 2>/dev/null
		cragon=
	done
	echo
}

bench_overhead() {
	local i pairs=$((REPEAT * 7)) with without
	echo "## overhead: a fixed amount of work (\`stall count 60\`), $pairs pairs alternated, no checkpoints"
	echo
	: >with; : >without; : >ratio
	for ((i = 0; i < pairs; i++)); do
		without=$("$STALL" count 60 | sed -n 's/took \([0-9.]*\) .*/\1/p')
		rm -rf job
		with=$("$CRAGON" run -q -i off -w job "$STALL" count 60 | sed -n 's/took \([0-9.]*\) .*/\1/p')
		echo "$without" >>without
		echo "$with" >>with
		calc "$with/$without" >>ratio
	done
	echo "| without cragon | under cragon | median of the ratios | their quartiles |"
	echo "|---|---|---|---|"
	echo "| $(fixed "$(median <without)" 1) ms | $(fixed "$(median <with)" 1) ms | $(fixed "$(median <ratio)" 3) |" \
		"$(sort -g ratio | awk '{ v[NR] = $1 } END { printf "%.3f to %.3f", v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }') |"
	echo
}

what=("$@")
[ ${#what[@]} -gt 0 ] || what=(stall write restore idle overhead)
echo "$(date -u +%F), Linux $(uname -r), $(nproc) × $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)," \
	"$(stat -f -c %T .), median of $REPEAT"
echo
for name in "${what[@]}"; do
	declare -F "bench_$name" >/dev/null || die "there is no benchmark $name (stall write restore idle overhead)"
	"bench_$name"
done
