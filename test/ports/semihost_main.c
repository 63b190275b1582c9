/* SPDX-License-Identifier: MIT */
/* The main function on bare metal: asks the debugger for the arguments, and calls that
 * of the program, which was renamed to program_main. */
#include <semihost.h>
#include <string.h>

#define WORDS 64
#ifndef LINE
#define LINE 2048
#endif

int program_main(int argc, char **argv);

int main(void)
{
    static char line[LINE];
    static char *argv[WORDS + 1];
    int argc = 0;
    char *word;
    if (sys_semihost_get_cmdline(line, (int)sizeof line) != 0)
        return 100;
    for (word = strtok(line, " "); word != NULL && argc < WORDS; word = strtok(NULL, " "))
        argv[argc++] = word;
    return program_main(argc, argv);
}
