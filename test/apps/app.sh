#!/bin/bash
# The real programs of the suite, each with an answer that can be compared.
#
#   app.sh names         prints their names
#   app.sh needs NAME    prints the commands it needs
#   app.sh prepare NAME  makes its inputs in the current directory
#   app.sh run NAME      becomes the program; its inputs are in $DATA; what it
#                        prints, and the files result* it writes, are the answer
#
# Each takes about five seconds of one core, prints as it goes, and holds
# something that another one does not.
set -eu

src=$(dirname "$(readlink -f "$0")")
export LC_ALL=C

# 2,000,000 lines of 100 bytes, none of them equal.
lines_200mb() {
	/usr/bin/python3 -c '
import random, sys
random.seed(11)
for i in range(2000000):
	sys.stdout.write(random.randbytes(40).hex() + "%19d\n" % i)'
}

# ---- interpreters -------------------------------------------------------------

needs_python() { echo /usr/bin/python3; }
run_python() { exec /usr/bin/python3 "$src/primes.py"; }

needs_numpy() { echo /usr/bin/python3 /usr/lib/python3/dist-packages/numpy; }
run_numpy() { exec /usr/bin/python3 "$src/eigen.py"; }

needs_r() { echo Rscript; }
run_r() { exec Rscript --vanilla "$src/regress.R"; }

needs_perl() { echo perl; }
run_perl() { exec perl "$src/words.pl"; }

needs_sqlite() { echo sqlite3; }
run_sqlite() { exec sqlite3 -batch :memory: ".read $src/ledger.sql"; }

# ---- compiled programs, with and without a runtime of their own ----------------

needs_java() { echo java javac; }
prepare_java() { javac -d . "$src/Matrix.java"; }
run_java() { exec java -Xmx200m -cp "$DATA" Matrix; }

needs_go_static() { echo go; }
prepare_go_static() {
	CGO_ENABLED=0 GOCACHE=$PWD/cache GOPATH=$PWD/path GOTOOLCHAIN=local \
		go build -trimpath -o sieve "$src/sieve.go"
	rm -rf cache
}
run_go_static() { exec "$DATA/sieve"; }

needs_rust() { echo /usr/bin/rustc; }
prepare_rust() { /usr/bin/rustc --edition 2021 -O -o life "$src/life.rs"; }
run_rust() { exec "$DATA/life"; }

needs_openmp() { echo cc; }
prepare_openmp() { cc -O1 -fopenmp -o sum "$src/sum.c"; }
run_openmp() { OMP_NUM_THREADS=4 exec "$DATA/sum"; }

needs_cxx() { echo c++; }
prepare_cxx() { c++ -std=c++17 -O1 -pthread -o throws "$src/throws.cc"; }
run_cxx() { exec "$DATA/throws"; }

# ---- several processes ----------------------------------------------------------

needs_bash_pipeline() { echo bash awk sort; }
run_bash_pipeline() { exec bash "$src/pipeline.bash"; }

needs_dash_pipeline() { echo dash awk sed md5sum; }
run_dash_pipeline() { exec dash "$src/pipeline.dash"; }

needs_busybox_static() { echo busybox; }
run_busybox_static() { exec busybox sh "$src/busybox.sh"; }

needs_bwa_samtools() { echo bwa samtools /usr/bin/python3; }
prepare_bwa_samtools() {
	/usr/bin/python3 "$src/reads.py"
	bwa index reference.fa 2>/dev/null
}
run_bwa_samtools() {
	# -K: the same batches, whatever the number of threads.
	bwa mem -t 2 -K 1000000 "$DATA/reference.fa" "$DATA/reads.fq" 2>/dev/null |
		samtools view -u - | samtools sort -o result.bam - 2>/dev/null
	echo aligned
}

needs_gzip_stream() { echo gzip gunzip /usr/bin/python3; }
prepare_gzip_stream() { lines_200mb >lines; }
run_gzip_stream() {
	# shellcheck disable=SC2002 # a process more
	cat "$DATA/lines" | gzip -1 -n | gunzip | gzip -2 -n | tail -c 60000000 | md5sum
}

needs_xz_stream() { echo xz /usr/bin/python3; }
prepare_xz_stream() { lines_200mb >lines; }
run_xz_stream() { xz -0 -T 2 -c <"$DATA/lines" | xz -d -c | md5sum; }

needs_sort_stream() { echo sort rev /usr/bin/python3; }
prepare_sort_stream() { lines_200mb >lines; }
run_sort_stream() {
	rev <"$DATA/lines" | sort -S 60M --parallel=2 | md5sum
}

# ---------------------------------------------------------------------------------

case $1 in
names) declare -F | sed -n 's/^declare -f run_//p' ;;
needs) "needs_$2" ;;
prepare) if declare -F "prepare_$2" >/dev/null; then "prepare_$2"; fi ;;
run) "run_$2" ;;
*) exit 2 ;;
esac
