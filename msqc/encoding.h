/*
 * encoding.h - the character sets that expat does not know itself (it knows UTF-8, UTF-16, Latin-1
 * and ASCII), by iconv. Threads: none.
 */
#ifndef MSQC_ENCODING_H
#define MSQC_ENCODING_H
#include <expat.h>

/*
 * For XML_SetUnknownEncodingHandler(): fill in info for a character set whose ASCII part is ASCII.
 * XML_STATUS_ERROR for one that iconv does not know; expat then refuses the file and names why.
 */
int XMLCALL encoding_find(void *unused, const XML_Char *name, XML_Encoding *info)
    __attribute__((nonnull(2, 3)));
#endif
