# Full disks, quotas, retention: the job and its older images come to no harm.

bats_require_minimum_version 1.5.0

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	printf '#!/bin/sh\nexec %s "$@" 3>&- 4>&-\n' \
		"$(realpath "${CRAGON:-$root/build/cragon}")" >"$BATS_TEST_TMPDIR/cragon"
	chmod +x "$BATS_TEST_TMPDIR/cragon"
	export cragon=$BATS_TEST_TMPDIR/cragon
	unset "${!CRAGON_@}"
	cd "$BATS_TEST_TMPDIR"
	export XDG_STATE_HOME=$PWD/state
}

# Runs the script $2 with a file system of size $1 at ./small, of its own.
with_small_disk() {
	mkdir -p small
	unshare -Urm true 2>/dev/null || skip "no user namespaces"
	unshare -Urm bash -euc "mount -t tmpfs -o size=$1 none small; $2"
}

# Holds 6 MiB that do not compress, counts to $1, ten per second.
holder='import os,sys,time
block = os.urandom(6 << 20)
for i in range(int(sys.argv[1])):
    print(i, flush=True)
    time.sleep(0.1)
print(len(block))'

@test "a full disk costs no image and no work, and checkpoints go on when there is room again" {
	export holder
	with_small_disk 40m '
		"$cragon" run -i 0.4 -w small/j /usr/bin/python3 -c "$holder" 45 >out 3>&- 4>&- &
		for i in $(seq 50); do [ -d small/j/checkpoint_images/1_* ] && break; sleep 0.1; done
		dd if=/dev/zero of=small/fill bs=64k 2>/dev/null || true
		for i in $(seq 50); do grep -q "No space left" small/j/cragon.log && break; sleep 0.1; done
		grep -q "no checkpoint, the job runs on.*No space left" small/j/cragon.log
		[ "$(ls -A small/j/checkpoint_images | grep -c writing)" -eq 0 ]
		"$cragon" verify small/j >verify
		grep -q ": valid" verify
		before=$(ls small/j/checkpoint_images | tail -1)
		rm small/fill
		for i in $(seq 50); do
			[ "$(ls small/j/checkpoint_images | tail -1)" != "$before" ] && break; sleep 0.1
		done
		[ "$(ls small/j/checkpoint_images | tail -1)" != "$before" ]
		wait $!
		"$cragon" verify small/j >/dev/null'
	diff <(seq 0 44; echo 6291456) out
}

@test "--quota: images stay below it, and one that cannot fit is refused by name" {
	"$cragon" run -i 0.3 -k 5 --quota 24M -w j /usr/bin/python3 -c "$holder" 20 >out
	[ "$(du -sm j/checkpoint_images | cut -f1)" -le 25 ]
	[ "$(ls j/checkpoint_images | wc -l)" -ge 2 ]
	"$cragon" run -i 0.3 --quota 9M -w k /usr/bin/python3 -c "$holder" 12 >out2
	grep -q 'no checkpoint, the job runs on: --quota .* is too small for two images' k/cragon.log
	[ "$(ls k/checkpoint_images | wc -l)" -eq 1 ]
	"$cragon" verify k >/dev/null
}

@test "prune tells, deletes, and never takes the newest" {
	"$cragon" run -i 0.15 -k 6 -w j sleep 1.5
	before=$(ls j/checkpoint_images)
	run "$cragon" prune j -k 2 --dry-run
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "would delete "* ]]
	[ "$(ls j/checkpoint_images)" = "$before" ]
	newest=$(ls j/checkpoint_images | sort -n | tail -1)
	run "$cragon" prune j -k 2 --json
	[ "$(jq .kept <<<"$output")" -eq 2 ]
	"$cragon" prune j --quota 1
	[ "$(ls j/checkpoint_images)" = "$newest" ]
	"$cragon" verify j >/dev/null
}
