/*
 * encoding.h - the character sets that expat does not know itself (it knows UTF-8, UTF-16, Latin-1
 * and ASCII), by iconv. Threads: none.
 */
#ifndef MSQC_ENCODING_H
#define MSQC_ENCODING_H
#include <expat.h>

/*
 * For XML_SetUnknownEncodingHandler(): fill in info, which expat releases. XML_STATUS_ERROR for a
 * character set that iconv does not know; that one, and one in which markup is not ASCII, expat
 * refuses as "unknown encoding".
 */
int XMLCALL encoding_find(void *unused, const XML_Char *name, XML_Encoding *info)
    __attribute__((nonnull(2, 3)));
#endif
