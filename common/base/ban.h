/*
 * ban.h - functions that nobody may call: each has a bounded or checked sibling. cmake/flags.cmake
 * includes it before every file that gcc compiles. The headers come first: their own text may name
 * what is poisoned from here on.
 */
#ifndef COMMON_BASE_BAN_H
#define COMMON_BASE_BAN_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets
#endif
