# bash completion for cragon
# Made by 'cragon help --completion bash'; change src/cli/ instead.

_cragon()
{
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-}
	local options='' with_value='' program='' i word

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W 'run restart checkpoint list status diagnose check inspect verify report prune memory help version' -- "$cur")
		return
	fi
	case $command in
	run)
		options='--working-directory -w --interval -i --max-time -m --keep -k --keep-hourly --keep-daily --quota --compress --resume --retry --on-memory --memory-max --no-intercept --files --metrics --mtbf --hang --plugin -l --stop-code --signal-checkpoint --no-namespace --wait-all --json --quiet -q --verbose -v --help -h'
		with_value='--working-directory -w --interval -i --max-time -m --keep -k --keep-hourly --keep-daily --quota --compress --retry --on-memory --memory-max --files --metrics --mtbf --hang --plugin -l --stop-code --signal-checkpoint'
		program=yes ;;
	restart)
		options='--working-directory -w --interval -i --max-time -m --keep -k --keep-hourly --keep-daily --quota --compress --retry --on-memory --memory-max --files --force-files --metrics --mtbf --hang --plugin -l --stop-code --signal-checkpoint --no-namespace --wait-all --json --quiet -q --verbose -v --help -h'
		with_value='--working-directory -w --interval -i --max-time -m --keep -k --keep-hourly --keep-daily --quota --compress --retry --on-memory --memory-max --files --metrics --mtbf --hang --plugin -l --stop-code --signal-checkpoint' ;;
	checkpoint)
		options='--stop --quiet -q --verbose -v --help -h'
		with_value='' ;;
	list)
		options='--json --help -h'
		with_value='' ;;
	status)
		options='--json --help -h'
		with_value='' ;;
	diagnose)
		options='--all --json --help -h'
		with_value='' ;;
	check)
		options='--no-namespace --json --verbose -v --help -h'
		with_value=''
		program=yes ;;
	inspect)
		options='--json --verbose -v --help -h'
		with_value='' ;;
	verify)
		options='--json --quiet -q --help -h'
		with_value='' ;;
	report)
		options='--output -o --help -h'
		with_value='--output -o' ;;
	prune)
		options='--keep -k --keep-hourly --keep-daily --quota --dry-run -n --json --help -h'
		with_value='--keep -k --keep-hourly --keep-daily --quota' ;;
	memory)
		options='--help -h'
		with_value='' ;;
	help)
		options='--help -h'
		with_value='' ;;
	version)
		options='--json --help -h'
		with_value='' ;;
	*) return ;;
	esac

	# Skip the options: i becomes the index of the first operand.
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == -* ]] || break
		[[ $word == -- ]] && { ((i++)); break; }
		if [[ " $with_value " == *" $word "* ]]; then
			((i++))
			[[ ${COMP_WORDS[i]-} == '=' ]] && ((i < COMP_CWORD)) && ((i++))
		fi
	done
	if [[ $program ]] && ((i < COMP_CWORD)); then
		# The words of the program.
		if declare -F _command_offset >/dev/null; then
			_command_offset "$i"
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	fi
	# i went past the cursor: it is in an option's value.
	if ((i > COMP_CWORD)) || [[ $cur == '=' ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#=}")
		return
	fi
	if [[ $cur == -* && ${COMP_WORDS[i - 1]} != -- ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [[ $program ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur"; compgen -f -- "$cur")
	elif [[ $command == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'run restart checkpoint list status diagnose check inspect verify report prune memory help version' -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _cragon cragon
