/* The executable: everything is in the library (cli.c). */
#include "cli/command.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
