# Plugins: called in order, with time limits, and never in the job's way.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	printf '#!/bin/sh\nexec %s "$@" 3>&- 4>&-\n' \
		"$(realpath "${CRAGON:-$root/build/cragon}")" >"$BATS_TEST_TMPDIR/cragon"
	chmod +x "$BATS_TEST_TMPDIR/cragon"
	cragon=$BATS_TEST_TMPDIR/cragon
	unset "${!CRAGON_@}"
	cd "$BATS_TEST_TMPDIR"
	export XDG_STATE_HOME=$PWD/state
}

plugin() { # NAME SCRIPT
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod +x "$1"
}

@test "every event, the rightmost plugin first, one JSON object each" {
	plugin a 'echo "a $1" >>calls; cat >>objects; echo >>objects'
	plugin b 'echo "b $1" >>calls; echo "said $1"'
	"$cragon" run -i 0.4 -l a -l b -w j sleep 0.7
	[ "$(head -4 calls | tr '\n' ' ')" = "b start a start b checkpoint a checkpoint " ]
	[ "$(tail -2 calls | tr '\n' ' ')" = "b done a done " ]
	[ "$(grep -c checkpoint_done calls)" -ge 2 ]
	jq -s -e 'all(.[]; .id and .event and .time and .directory and .hostname and .attempt)' objects
	jq -s -e 'map(select(.event == "checkpoint_done"))[0] | .number == 1 and .pause_ns > 0 and .image' objects
	grep -q 'plugin b: said start' j/cragon.log
	"$cragon" restart -w j
	grep -q 'a restart' calls
}

@test "a slow, a failing and a talkative plugin do no harm" {
	plugin slow 'sleep 1'
	plugin bad 'exit 3'
	plugin loud 'yes | head -c 300000'
	began=$(date +%s%N)
	"$cragon" run -i off -l slow -l bad -l loud -w j sh -c 'for i in 1 2 3; do date +%s%N; sleep 0.1; done' >out
	# The job did not wait; cragon did, for its plugins.
	[ $((($(tail -1 out) - $(head -1 out)) / 1000000)) -lt 700 ]
	grep -q 'plugin .*bad (start) failed with exit code 3' j/cragon.log
	[ "$(wc -c <j/cragon.log)" -lt 2000000 ]
}

@test "what is no plugin is refused before anything starts" {
	run -2 "$cragon" run -l ./nothing true
	[[ $output == *"cannot be executed"* ]]
}

@test "failures are told: fail with the diagnosis, rerunnable_fail with what comes next" {
	plugin a 'cat >>objects; echo >>objects'
	"$cragon" run -i off -l a -w j sh -c 'exit 3' || true
	[ "$(jq -s -r '.[-1] | "\(.event) \(.diagnosis.cause) \(.exit_code)"' objects)" = "fail exit-nonzero 3" ]
	rm objects
	"$cragon" run -i off -m 1 -l a -w k sleep 5 || true
	[ "$(jq -s -r '.[-1] | "\(.event) \(.diagnosis.cause)"' objects)" = "rerunnable_fail time-limit" ]
}

@test "the example for node_exporter keeps a file of metrics" {
	mkdir text
	CRAGON_TEXTFILE_DIR=$PWD/text "$cragon" run -i 0.3 -l "$root/examples/node_exporter_textfile" -w j sleep 1
	grep -q '^cragon_job_up{job_id=".*",command="sleep",user=".*"} 0$' text/cragon_*.prom
	grep -Eq '^cragon_job_checkpoint_pause_seconds\{.*\} [0-9.e-]+$' text/cragon_*.prom
	grep -Eq '^cragon_job_attempts_total\{.*\} 1$' text/cragon_*.prom
	[ "$(ls -A text | wc -l)" -eq 1 ]
}

@test "the example for messages hands them to sendmail" {
	mkdir bin
	plugin bin/mail 'echo "$@" >>sent; cat >>sent'
	PATH=$PWD/bin:$PATH CRAGON_MAILTO=me@example.org "$cragon" run -i off \
		-l "$root/examples/notify" -w j sh -c 'exit 3' || true
	grep -q 'me@example.org' sent
	grep -q 'cause:     exit-nonzero' sent
}
