/*
 * Completion for bash, from the command table: see help.h. It works without the
 * bash-completion package; where that is loaded, the words of the program that
 * `run` starts are completed as if they stood alone.
 */
#include "cli/help.h"

#include <string.h>

static const char head[] = "# bash completion for cragon\n"
			   "# Made by 'cragon help --completion bash'; change src/cli/ instead.\n"
			   "\n"
			   "_cragon()\n"
			   "{\n"
			   "	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-}\n"
			   "	local options='' with_value='' program='' i word\n"
			   "\n"
			   "	COMPREPLY=()\n"
			   "	if ((COMP_CWORD == 1)); then\n"
			   "		mapfile -t COMPREPLY < <(compgen -W '";

static const char body[] =
	"	*) return ;;\n"
	"	esac\n"
	"\n"
	"	# Skip the options: i becomes the index of the first operand.\n"
	"	for ((i = 2; i < COMP_CWORD; i++)); do\n"
	"		word=${COMP_WORDS[i]}\n"
	"		[[ $word == -* ]] || break\n"
	"		[[ $word == -- ]] && { ((i++)); break; }\n"
	"		if [[ \" $with_value \" == *\" $word \"* ]]; then\n"
	"			((i++))\n"
	"			[[ ${COMP_WORDS[i]-} == '=' ]] && ((i < COMP_CWORD)) && ((i++))\n"
	"		fi\n"
	"	done\n"
	"	if [[ $program ]] && ((i < COMP_CWORD)); then\n"
	"		# The words of the program.\n"
	"		if declare -F _command_offset >/dev/null; then\n"
	"			_command_offset \"$i\"\n"
	"		else\n"
	"			mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"		fi\n"
	"		return\n"
	"	fi\n"
	"	# i went past the cursor: it is in an option's value.\n"
	"	if ((i > COMP_CWORD)) || [[ $cur == '=' ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -f -- \"${cur#=}\")\n"
	"		return\n"
	"	fi\n"
	"	if [[ $cur == -* && ${COMP_WORDS[i - 1]} != -- ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
	"	elif [[ $program ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -c -- \"$cur\"; compgen -f -- \"$cur\")\n"
	"	elif [[ $command == help ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -W '";

static void command_names(struct buf *b)
{
	for (const struct command *const *c = commands; *c; c++)
		buf_printf(b, "%s%s", c == commands ? "" : " ", (*c)->name);
}

static void options_of(struct buf *b, const struct command *c, bool with_value_only)
{
	const char *gap = "";

	for (const struct option_row *const *row = c->options; *row; row++) {
		if (!(*row)->help || (with_value_only && !(*row)->value))
			continue;
		buf_printf(b, "%s--%s", gap, (*row)->name);
		gap = " ";
		if ((*row)->letter)
			buf_printf(b, " -%c", (*row)->letter);
	}
}

void help_bash(struct buf *b)
{
	buf_str(b, head);
	command_names(b);
	buf_str(b, "' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase $command in\n");
	for (const struct command *const *c = commands; *c; c++) {
		buf_printf(b, "\t%s)\n\t\toptions='", (*c)->name);
		options_of(b, *c, false);
		buf_str(b, "'\n\t\twith_value='");
		options_of(b, *c, true);
		buf_printf(b, "'%s ;;\n", (*c)->stop_at_operand ? "\n\t\tprogram=yes" : "");
	}
	buf_str(b, body);
	command_names(b);
	buf_str(b, "' -- \"$cur\")\n"
		   "\telse\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\tfi\n}\n"
		   "complete -o filenames -F _cragon cragon\n");
}
