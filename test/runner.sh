# What the runners of victims and of real programs share: the account, and
# looking after processes. Needs $root; sets user and as (words before a command).
# shellcheck shell=bash

CRAGON=$(readlink -f "${CRAGON:-$root/build/cragon}")
RUN_AS=${RUN_AS:-}
user=${RUN_AS:-$(id -un)}
as=()
if [ -n "$RUN_AS" ] && [ "$(id -u)" -eq 0 ]; then
	as=(setpriv "--reuid=$RUN_AS" "--regid=$(id -g "$RUN_AS")" --clear-groups)
elif [ "$user" != "$(id -un)" ]; then
	echo "${0##*/}: only root can run programs as $RUN_AS" >&2
	exit 2
fi

# A directory that every account can look into, gone at the end.
make_work() { # NAME
	work=$(mktemp -d "${TMPDIR:-/tmp}/cragon-$1.XXXXXX") || exit 1
	chmod 755 "$work"
	trap 'rm -rf "$work"' EXIT
	: >"$work/lock"
}

# The program's world: its own directory as home, nothing of ours.
clean_environment() { # HOME
	export HOME=$1 USER=$user
	unset XDG_STATE_HOME XDG_RUNTIME_DIR XDG_CONFIG_HOME
	umask 022
}

give_to_account() { # FILE...
	[ ${#as[@]} -eq 0 ] || chown "$RUN_AS" "$@"
}

# A zombie of ours has ended too: `wait` fetches its code.
ended() { # PID
	local state
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ]
}

all_gone() { # PID...
	local pid
	for pid in "$@"; do
		ended "$pid" || return 1
	done
}

# Every process below PID, cragon's reaper included.
descendants() { # PID
	local child
	cat "/proc/$1/task/"*/children 2>/dev/null | tr -s ' ' '\n' | while read -r child; do
		echo "$child"
		descendants "$child"
	done
}

within() { # SECONDS CONDITION...: waits until it holds
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# SIGKILL to cragon: the whole job is to be gone soon after.
kill_all() { # PID of cragon
	local pids
	pids=$(descendants "$1")
	kill -KILL "$1"
	wait "$1" 2>/dev/null
	# shellcheck disable=SC2086 # a list of numbers
	within 20 all_gone $pids || fail "left behind after SIGKILL to cragon: $pids"
}

# One verdict at a time, with notes when it failed.
tell() { # VERDICT NOTES
	(
		flock 9
		echo "$1"
		if [ "${1%% *}" != ok ] || [ -n "${VERBOSE:-}" ]; then cat "$2"; fi
	) 9>"$work/lock"
}
