#!/bin/bash
# Measures Cragon and prints the tables of bench/README.md.
#
#   bench/run.sh [stall|write|restore|idle|overhead|calls|metrics...]    all without names
#
#   CRAGON    the binary                  (build/cragon)
#   STALL     bench/stall, built          (build/bench/stall)
#   SMALL     bench/small, built          (build/bench/small)
#   DIR       where images are written    ($TMPDIR or /var/tmp)
#   REPEAT    how often each is measured  (3); medians are printed
#   SIZES     GiB for `stall`             (1 2 4)
#
# A short run: REPEAT=1 SIZES=1 bench/run.sh. It fails when anything could not be
# measured, and when Cragon is not idle between checkpoints.
set -u

root=$(dirname "$(dirname "$(readlink -f "$0")")")
CRAGON=$(readlink -f "${CRAGON:-$root/build/cragon}")
STALL=$(readlink -f "${STALL:-$root/build/bench/stall}")
SMALL=$(readlink -f "${SMALL:-$root/build/bench/small}")
REPEAT=${REPEAT:-3}
read -ra SIZES <<<"${SIZES:-1 2 4}"
for tool in jq bc; do
	command -v "$tool" >/dev/null || { echo "bench: $tool is not installed (apt-get install $tool)" >&2; exit 1; }
done
for file in "$CRAGON" "$STALL"; do
	[ -x "$file" ] || { echo "bench: no $file (meson setup build -Dtests=true; meson compile -C build)" >&2; exit 1; }
done
mkdir -p "${DIR:=${TMPDIR:-/var/tmp}}"
work=$(mktemp -d "$DIR/cragon-bench.XXXXXX") || exit 1
cragon=
cleanup() {
	[ -z "$cragon" ] || lose
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

elapsed() { # COMMAND...: how many seconds it took
	local began
	began=$(date +%s%N)
	"$@" || exit 1
	calc "($(date +%s%N)-$began)/10^9"
}
lose() { # cragon is killed, and its job with it
	kill -KILL "$cragon"
	wait "$cragon"
	cragon=
} 2>/dev/null

hold() { # GIB CONTENT CRAGON-OPTIONS...: starts it, ready to be checkpointed
	local gib=$1 content=$2
	shift 2
	rm -rf job
	: >out
	"$CRAGON" run -q -i off -w job "$@" "$STALL" hold "$gib" "$content" >out 2>err &
	cragon=$!
	await 120 grep -q ready out
	sync
	sleep 1
}
victim() { pgrep -P "$(pgrep -P "$cragon" | head -n 1)" | head -n 1; }
release() { # waits for it, so not in a subshell; its longest gaps are then in `gaps`
	kill -TERM "$cragon"
	wait "$cragon" || die "the program did not end well: $(tail -n 1 err)"
	cragon=
	sed -n 's/^longest \([0-9.]*\) \([0-9.]*\) .*/\1 \2/p' out >gaps
	[ -s gaps ] || die "the program did not say its longest gap"
}
checkpoint() { "$CRAGON" checkpoint -q job >/dev/null || die "no checkpoint: $(tail -n 1 job/cragon.log)"; }
info() { jq ".$1" "$(find job/checkpoint_images -path '*/[0-9]*/checkpoint_info' | sort -V | tail -n 1)"; }

bench_stall() {
	local gib held longest second i
	echo "## stall: \`stall hold N heap\`, its own longest gap around one checkpoint"
	echo
	echo "| memory | longest gap | second longest | held, by Cragon | gap beyond held, worst | ms per GiB | \`cragon checkpoint\` |"
	echo "|---|---|---|---|---|---|---|"
	for gib in "${SIZES[@]}"; do
		: >longest; : >second; : >held; : >beyond; : >took
		for ((i = 0; i < REPEAT; i++)); do
			hold "$gib" heap
			kill -USR2 "$(victim)"
			sleep 0.5
			elapsed checkpoint >>took
			release
			read -r longest second <gaps
			held=$(calc "$(info pause_ns)/10^6")
			echo "$longest" >>longest
			echo "$second" >>second
			echo "$held" >>held
			calc "$longest-$held" >>beyond
		done
		longest=$(median <longest)
		echo "| $gib GiB | $(fixed "$longest" 0) ms | $(fixed "$(median <second)" 1) ms |" \
			"$(fixed "$(median <held)" 0) ms | $(fixed "$(sort -g beyond | tail -n 1)" 1) ms |" \
			"$(fixed "$longest/$gib" 0) | $(fixed "$(median <took)" 2) s |"
	done
	echo
}

copy() { dd if=source of=copy bs=1M conv=fsync status=none || die "dd failed"; }
dd_seconds() { # copies `source` to a fresh file, as still as when the job is held
	local job
	job=$(victim)
	kill -STOP "$job"
	rm -f copy
	sync
	elapsed copy
	rm -f copy
	kill -CONT "$job"
	sync
}

bench_write() {
	local compress content i dd rate
	echo "## write: 1 GiB of memory, the whole \`cragon checkpoint\` (synced, verified, published) against \`dd conv=fsync\` of 1 GiB"
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
				elapsed checkpoint >>took
			done
			dd=$(median <dd.s)
			rate=$(calc "$(info memory_bytes)/2^20/$(median <took)")
			echo "| $content | $compress | $(fixed "$(info stored_bytes)/2^20" 0) MiB |" \
				"$(fixed "$(median <took)" 2) s | $(fixed "$rate" 0) MiB/s |" \
				"$(fixed "1024/$dd" 0) MiB/s | $(fixed "$rate*$dd/1024" 2) |"
			release
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

read_image() { cat job/checkpoint_images/*/pages.dat >/dev/null; }

bench_restore() {
	local content compress began until stored i
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
				lose
				sleep 1
				elapsed read_image >>cat.s
				began=$(date +%s%N)
				"$CRAGON" restart -q -w job 2>>err &
				cragon=$!
				await 60 goes_on "$began"
				until=$(sed -n 's/.*until //p' out | tail -n 1)
				calc "($until-$began)/10^9" >>took
				stored=$(info stored_bytes)
				release
			done
			echo "| $content | $compress | $(fixed "$stored/2^20" 0) MiB | $(fixed "$(median <took)" 2) s |" \
				"$(fixed "$(median <cat.s)" 2) s | $(fixed "$(median <took)/$(median <cat.s)" 1) |"
		done
	done
	echo
}

switches() { # PID: context switches of all its threads so far
	kill -0 "$1" || die "process $1 has ended"
	cat "/proc/$1/task/"*/status | awk '/ctxt_switches/ { n += $2 } END { print n }'
}

bench_idle() {
	local job reaper c1 c2 r1 r2
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
		c1=$(switches "$cragon") r1=$(switches "$reaper")
		sleep 20
		c2=$(switches "$cragon") r2=$(switches "$reaper")
		[ -n "$(victim)" ] || die "the job has ended"
		echo "| ${job##*/} | $((c2 - c1)) | $((r2 - r1)) | $(fixed "($c2-$c1+$r2-$r1)/20" 2) |"
		# A sample a second, and a look a minute.
		[ $((c2 - c1 + r2 - r1)) -lt 26 ] || die "cragon is not idle: more than a sample a second"
		lose
	done
	echo
}

without() { "$STALL" count "$WORK" >>without; }
with() {
	rm -rf job
	"$CRAGON" run -q -i off -w job "$STALL" count "$WORK" >>with
}

bench_overhead() {
	local i pairs=$((REPEAT * 5)) column
	WORK=200
	echo "## overhead: a fixed amount of work (\`stall count $WORK\`), $pairs pairs, which goes first alternating, no checkpoints"
	echo
	echo "| | without cragon | under cragon | median of the ratios | their quartiles |"
	echo "|---|---|---|---|---|"
	: >with; : >without
	for ((i = 0; i < pairs; i++)); do
		if ((i % 2)); then
			without && with
		else
			with && without
		fi || die "the work could not be done"
	done
	for column in 2:elapsed 5:processor; do
		cut -d ' ' -f "${column%:*}" without >a
		cut -d ' ' -f "${column%:*}" with >b
		paste a b | awk '{ print $2 / $1 }' >ratio
		echo "| ${column#*:} | $(fixed "$(median <a)" 0) ms | $(fixed "$(median <b)" 0) ms | $(fixed "$(median <ratio)" 3) |" \
			"$(sort -g ratio | awk '{ v[NR] = $1 } END { printf "%.3f to %.3f", v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }') |"
	done
	echo
}

# malloc and free with the preloaded object and without it, in turn.
bench_calls() {
	local i
	echo "## calls: a pair of malloc and free, processor time, $((REPEAT * 3)) pairs of runs"
	echo
	echo "| without the object | with it | difference | median of the ratios |"
	echo "|---|---|---|---|"
	: >a; : >b
	for ((i = 0; i < REPEAT * 3; i++)); do
		rm -rf job
		"$CRAGON" run -q -i off --metrics off --no-intercept -w job "$SMALL" malloc 20 >>a || die "no run"
		rm -rf job
		"$CRAGON" run -q -i off --metrics off -w job "$SMALL" malloc 20 >>b || die "no run"
	done
	paste a b | awk '{ print $2 / $1 }' >ratio
	echo "| $(fixed "$(median <a)" 1) ns | $(fixed "$(median <b)" 1) ns |" \
		"$(fixed "$(median <b)-$(median <a)" 1) ns | $(fixed "$(median <ratio)" 2) |"
	echo
}

# Processor time of cragon while it samples 100 processes once a second.
bench_metrics() {
	local before after i
	echo "## metrics: processor time of cragon with 100 processes, share of one core over 15 s"
	echo
	echo "| | share |"
	echo "|---|---|"
	for option in "--metrics 1s" "--metrics off --files none"; do
		: >shares
		for ((i = 0; i < REPEAT; i++)); do
			rm -rf job
			# shellcheck disable=SC2086 # an option and its value
			"$CRAGON" run -q -i off $option -w job "$SMALL" processes 100 >/dev/null 2>err &
			cragon=$!
			sleep 4
			before=$(cut -d ' ' -f 1 "/proc/$cragon/schedstat")
			sleep 15
			after=$(cut -d ' ' -f 1 "/proc/$cragon/schedstat")
			calc "($after - $before) / 150000000" >>shares
			lose
		done
		echo "| $option | $(fixed "$(median <shares)" 3) % |"
	done
	echo
}

what=("$@")
[ ${#what[@]} -gt 0 ] || what=(stall write restore idle overhead calls metrics)
echo "$(date -u +%F), Linux $(uname -r), $(nproc) × $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)," \
	"$(df --output=fstype . | tail -n 1), median of $REPEAT"
echo
for name in "${what[@]}"; do
	declare -F "bench_$name" >/dev/null || die "there is no benchmark $name (stall write restore idle overhead calls metrics)"
	"bench_$name"
done
