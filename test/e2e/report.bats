# cragon report: the page is there, whole and the user's own. What it looks like
# is looked at in a browser (test/report/look.py).

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cragon=$(realpath "${CRAGON:-$root/build/cragon}")
	unset "${!CRAGON_@}"
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	cd "$BATS_TEST_TMPDIR"
}

is_page() { # FILE
	[ "$(head -n 1 "$1")" = '<!DOCTYPE html>' ] && [ "$(tail -n 1 "$1")" = '</html>' ]
}

@test "report: a page of a job that is over, mode 0600" {
	"$cragon" run -q -i off -w job sh -c 'exit 3' '<script>alert(1)</script>' || [ $? -eq 3 ]
	run "$cragon" report job
	[ "$status" -eq 0 ]
	[ "$output" = job/report.html ]
	is_page job/report.html
	[ "$(stat -c %a job/report.html)" = 600 ]
	grep -q 'with exit code 3' job/report.html
	[ "$(grep -c '<script>alert' job/report.html)" -eq 0 ]
	[ -z "$(find job -name '.*.tmp')" ]
}

@test "report: a page of a job that runs, by its id, to a file and to standard output" {
	"$cragon" run -q -i off -w job sleep 30 3>&- &
	pid=$!
	for _ in $(seq 100); do
		grep -q '"started"' job/job.json 2>/dev/null && break
		sleep 0.1
	done
	id=$(sed -n 's/^ *"id": "\(.*\)",$/\1/p' job/job.json)
	"$cragon" report -o page.html "$id"
	"$cragon" report -o - >page2.html
	[ ! -e job/report.html ]
	kill "$pid"
	wait "$pid" || true
	is_page page.html
	is_page page2.html
	grep -q 'Running</strong>' page.html
}

@test "report: a directory that holds no job, a job that is not there: one line" {
	mkdir empty
	for words in "report empty" "report nonsense" "report -o . empty"; do
		run "$cragon" $words
		[ "$status" -ne 0 ]
		[ "${#lines[@]}" -eq 1 ]
	done
	[ -z "$(ls -A empty)" ]
	run "$cragon" report -o "" empty
	[ "$status" -eq 2 ]
}

@test "report: damaged job.json still gives a page, which says so" {
	"$cragon" run -q -i off -w job true
	head -c 50 job/job.json >cut && cp cut job/job.json
	run "$cragon" report job
	[ "$status" -eq 0 ]
	grep -q 'job.json is damaged' job/report.html
}
