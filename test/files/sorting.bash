# GNU sort with temporary files, in /tmp and elsewhere, while a result is written.
set -eu
export LC_ALL=C
trickle() { # FROM: lines that come slowly, so that sort has files that it has closed
	local k
	for ((k = 0; k < 30; k++)); do
		seq $(($1 + k * 5000)) $(($1 + k * 5000 + 4999)) | rev
		sleep 0.03
	done
}
for i in 1 2 3; do
	trickle "$i" | sort -S 1M --parallel=1 >"result.$i"
	trickle "$i" | sort -S 1M -T . --parallel=1 | md5sum >>result.sums
	seq 1 50000 | rev >order
	sort -n -o order order
	mv order result.order
done
cat result.sums
