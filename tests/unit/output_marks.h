/* output_marks.h - what may stand in an output folder, and whether a task may claim it then: what
 * folder.c and remote.sh must agree on. */
#ifndef TESTS_OUTPUT_MARKS_H
#define TESTS_OUTPUT_MARKS_H
#include <stdbool.h>

static const struct output_mark {
    const char *make; /* shell, in the folder */
    bool free;
} output_marks[] = {
    {"echo other >.trawl-task", false},
    {"echo other >.trawl-task; touch .trawl-job .trawl-00.tmp", false},
    {"mkdir .trawl-task", false}, /* cannot be read */
    {"printf half >.trawl-task; touch mine", false},
    {"printf half >.trawl-task; touch .trawl-00.tmp", true}, /* killed while claiming it */
    {"touch .trawl-00.tmp", true},
};
#define OUTPUT_MARKS (sizeof output_marks / sizeof *output_marks)
#endif
