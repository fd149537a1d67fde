# shellcheck shell=sh
# busybox, statically linked: its shell and its own tools, each a fork of it.
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	busybox seq $i 5 90000 | busybox awk '{ s = (s * 31 + $1) % 1000003; print s }' |
		busybox sort -n | busybox gzip -c | busybox gunzip -c | busybox sha256sum
	busybox printf '%d %s\n' $i "$(busybox seq $i | busybox tac | busybox md5sum)"
done
