# The preloaded object as a user meets it: it does not show, and it tells.

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

@test "it needs nothing newer than glibc 2.17 and exports what it wraps" {
	"$cragon" run -w j true
	object=$(echo state/cragon/lib/cragon-intercept-*.so)
	[ -f "$object" ]
	newest=$(readelf -W --version-info "$object" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
	[ "$newest" = GLIBC_2.17 ] || [ "$newest" = GLIBC_2.14 ]
	[ "$(nm -D --defined-only "$object" | awk '{ print $NF }' | grep -c '^free$')" -eq 0 ]
	nm -D --defined-only "$object" | grep -q ' pthread_create$'
}

@test "an image's job finds the object again, and the directory may move" {
	status=0
	(ulimit -v 250000; exec "$cragon" run -i off -w j /usr/bin/python3 -c '
keep = [bytearray(b"x" * 30000000) for i in range(12)]
print(len(keep))' >out 2>err) || status=$?
	[ "$status" -eq 75 ]
	mv j elsewhere
	rm -r state
	run "$cragon" restart -w elsewhere
	[ "$status" -eq 0 ]
	[ "$(cat out)" = 12 ]
}

@test "environment: the program's children have it, cragon's plugins do not, LD_PRELOAD stays" {
	printf '#!/bin/sh\necho "[$LD_PRELOAD$CRAGON_INTERCEPT]" >>plugin.out\n' >plugin
	chmod +x plugin
	"$cragon" run -l plugin -w j env sh -c 'echo "$LD_PRELOAD"' >out
	grep -q 'cragon-intercept-' out
	[ "$(sort -u plugin.out)" = "[]" ]
	LD_PRELOAD=libm.so.6 "$cragon" run -w k sh -c 'echo "$LD_PRELOAD"' >out
	grep -q 'cragon-intercept-.*:libm.so.6$' out
}

@test "--no-intercept leaves it out; static programs run without and are told of" {
	"$cragon" run --no-intercept -w j sh -c 'echo "[$LD_PRELOAD]"; grep -c cragon-intercept /proc/self/maps' >out || true
	[ "$(cat out)" = $'[]\n0' ]
	[ ! -e j/.intercept ]
	command -v busybox >/dev/null || skip "no static program here"
	"$cragon" run -w k busybox echo fine >out
	grep -q 'is a static program: failed allocations are not seen' k/cragon.log
	[ "$(cat out)" = fine ]
	"$cragon" check busybox sleep 5 >check || true
	grep -q 'static program' check
}

@test "--on-memory fail: the program meets the failure, the log has it" {
	status=0
	(ulimit -v 200000; exec "$cragon" run --on-memory fail -i off -w j /usr/bin/python3 -c '
try:
    x = bytearray(400 << 20)
except MemoryError:
    print("seen")' >out) || status=$?
	[ "$status" -eq 0 ]
	[ "$(cat out)" = seen ]
	grep -Eq '^[^,]*,[0-9]+,[0-9]+,(malloc|calloc|mmap),ENOMEM,.*,--on-memory fail$' j/intercepted.log
}

@test "a program with a sanitizer is left alone" {
	printf 'int main(void) { return 0; }\n' >a.c
	gcc -fsanitize=address -o a a.c 2>/dev/null || skip "no sanitizer here"
	"$cragon" run -w j ./a
	grep -q 'built with a sanitizer' j/cragon.log
}

@test "signal actions look untouched, and faults end the program as they would" {
	run "$cragon" run -w j /usr/bin/python3 -c '
import signal, ctypes
assert signal.getsignal(signal.SIGSEGV) == signal.SIG_DFL
assert signal.signal(signal.SIGFPE, lambda *a: None) == signal.SIG_DFL
assert signal.signal(signal.SIGFPE, signal.SIG_DFL) != signal.SIG_DFL
assert signal.getsignal(signal.SIGFPE) == signal.SIG_DFL
ctypes.string_at(16)'
	[ "$status" -eq 139 ]
	grep -q '^signal 11$' j/.intercept/last-crash
	grep -q '^address 0x0000000000000010$' j/.intercept/last-crash
	grep -q '/libc' j/.intercept/last-crash
	run "$cragon" diagnose j --json
	[ "$(jq -r .cause <<<"$output")" = crash ]
}
