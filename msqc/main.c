/* main.c - start-up of trawl-msqc; cli.c does the rest, so that tests can link it. */
#include "msqc/cli.h"

int main(int argc, char **argv)
{
    return (int)cli_run(argc, argv);
}
