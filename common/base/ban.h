/*
 * ban.h - functions that nobody may call: each has a bounded or checked sibling.
 * Only for gcc: clang refuses to redeclare what glibc has fortified inline.
 */
#ifndef COMMON_BASE_BAN_H
#define COMMON_BASE_BAN_H
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets
#endif
#endif
