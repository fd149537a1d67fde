# shellcheck shell=bash
# bash: pipelines, process substitution, background jobs and wait, arrays,
# here-strings (deleted files); hundreds of short processes.
set -u
declare -A count
for round in {1..140}; do
	numbers=$(seq $((round * 3000)) $((round * 3000 + 20000)))
	(
		sleep 0.02
		exit $((round % 100))
	) &
	while read -r n digits; do
		count[$digits]=$((${count[$digits]:-0} + n))
	done < <(awk '{ print length($1) * $1 % 97 }' <<<"$numbers" | sort -n | uniq -c)
	common=$(comm -12 <(sort <<<"$numbers") <(seq 100000 7 200000 | sort) | wc -l)
	wait $!
	echo "$round $? $common ${count[13]} $(echo "${count[*]}" | tr ' ' '\n' | sort -n | md5sum)"
done
for digits in "${!count[@]}"; do
	echo "$digits ${count[$digits]}"
done | sort >result.txt
exit 5
