# What shell scripts do with files: logs appended to, a state file replaced by
# mv, one rewritten by >, locks that must not exist yet, directories and links per step.
set -eu
set -o noclobber
seq 1 2000 >|input
for ((i = 1; i <= 90; i++)); do
	echo "$i begins" >>log
	mkdir lock
	: >"work.$i"
	head -n "$i" input >>"work.$i"
	sort -rn "work.$i" >"sorted.$i"
	mv "sorted.$i" sorted
	rm "work.$i"
	{ [ ! -e state ] || cat state; sed -n "${i}p" input; } >state.new
	mv state.new state
	wc -l <state >|count
	[ "$(cat count)" = "$i" ] || { echo "state has $(cat count) lines at step $i"; exit 1; }
	if ((i % 10 == 0)); then
		mkdir "part.$i"
		cp state "part.$i/"
		ln -sfn "part.$i" latest
		: >|log.$((i / 10))
		cat log >>"log.$((i / 10))"
		rm log
	fi
	rmdir lock
	sleep 0.015
	echo "$i ends" >>log
done
cat state log.* latest/state sorted | md5sum
