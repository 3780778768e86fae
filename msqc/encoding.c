/*
 * encoding.c - expat asks for a table: what each byte means, or how many bytes the character has
 * that begins with it. The table is found by asking iconv; characters of several bytes are asked
 * for when they come.
 */
#include "msqc/encoding.h"

#include <endian.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 4 /* bytes of a character: as many as expat can take */

/* The character of these bytes, -1: none. */
static int character(iconv_t as, const char *bytes, size_t size)
{
    char copy[LONGEST];
    char *from = memcpy(copy, bytes, size);
    uint32_t code[2] = {0};
    char *to = (char *)code;
    size_t left = size, room = sizeof code;
    iconv(as, NULL, NULL, NULL, NULL);
    if (iconv(as, &from, &left, &to, &room) != 0 || room != sizeof *code) {
        return -1;
    }
    uint32_t value = le32toh(code[0]);
    return value <= 0xffff ? (int)value : -1;
}

/* How many bytes a character has that begins with `lead` and does not end there; 0: none does. */
static int length_from(iconv_t as, unsigned char lead)
{
    char bytes[LONGEST] = {(char)lead};
    for (int length = 2; length <= 3; length++) {
        for (int second = 0x21; second < 0x100; second++) {
            memset(bytes + 1, second, (size_t)length - 1);
            if (character(as, bytes, (size_t)length) >= 0) {
                return length;
            }
        }
    }
    return 0;
}

static int XMLCALL convert(void *data, const char *bytes)
{
    iconv_t *as = data;
    for (size_t size = 2; size <= 3; size++) {
        int code = character(*as, bytes, size);
        if (code >= 0) {
            return code;
        }
    }
    return -1;
}

static void XMLCALL release(void *data)
{
    iconv_t *as = data;
    iconv_close(*as);
    free(as);
}

int XMLCALL encoding_find(void *unused, const XML_Char *name, XML_Encoding *info)
{
    (void)unused;
    iconv_t *as = malloc(sizeof *as);
    if (as == NULL) {
        return XML_STATUS_ERROR;
    }
    *as = iconv_open("UTF-32LE", name);
    if (*as == (iconv_t)-1) {
        free(as);
        return XML_STATUS_ERROR;
    }
    for (int lead = 0; lead < 256; lead++) {
        const char byte = (char)lead;
        info->map[lead] = character(*as, &byte, 1);
        int length = info->map[lead] < 0 ? length_from(*as, (unsigned char)lead) : 0;
        info->map[lead] = length > 0 ? -length : info->map[lead];
    }
    info->data = as;
    info->convert = convert;
    info->release = release;
    return XML_STATUS_OK;
}
