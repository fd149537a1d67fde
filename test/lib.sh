# Shared by ./check and ./demo: packages, and the account for unprivileged runs.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by demo
BUILD_PACKAGES="build-essential meson ninja-build pkg-config protobuf-c-compiler
libprotobuf-c-dev libxxhash-dev libzstd-dev libjansson-dev libdw-dev libelf-dev
libbz2-dev liblzma-dev zlib1g-dev libjs-chart.js"

# Those of the packages that are not installed, on one line.
missing_packages() {
	local name
	for name in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
			printf '%s ' "$name"
	done
}

# Installs what is missing when we may; else says what to install. 0: all there.
need_packages() {
	local missing
	missing=$(missing_packages "$@")
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing Debian packages, which only root can install: apt-get install $missing" >&2
		return 1
	fi
	echo "== installing: $missing"
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of words
	{ apt-get -qq update && apt-get -qq -y --no-install-recommends install $missing; } \
		>"${TMPDIR:-/tmp}/cragon-apt.$$" 2>&1 || {
		tail -n 20 "${TMPDIR:-/tmp}/cragon-apt.$$" >&2
		rm -f "${TMPDIR:-/tmp}/cragon-apt.$$"
		return 1
	}
	rm -f "${TMPDIR:-/tmp}/cragon-apt.$$"
}
