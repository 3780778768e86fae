/*
 * upcase.h - the case of letters, beyond ASCII too, as a share compares it that ignores case. No
 * locale. Pure; any thread.
 */
#ifndef COMMON_BASE_UPCASE_H
#define COMMON_BASE_UPCASE_H
#include <stddef.h>
#include <stdint.h>

/* The upper case of a character, or itself. */
uint32_t upcase(uint32_t c);

/* The next character of a NUL-terminated text in upper case, and go on behind it; a byte that is
 * no UTF-8 is UPCASE_NO_CHARACTER and the byte. Not to be called at the text's end. */
#define UPCASE_NO_CHARACTER 0x110000
uint32_t upcase_next(const char **s) __attribute__((nonnull));
#endif
