/*
 * arrays.c - a pipe in three parts: base64 text -> packed bytes -> (inflate) -> numbers -> sum,
 * max.
 *
 * Every part works on pieces of any size. Text is decoded into `packed`; when that is full, or the
 * array ends, its bytes go on, through zlib if the array is compressed. The number of bytes that
 * come out is compared with what the file declared before any of them is looked at.
 */
#include "msqc/arrays.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

#define PACKED_SIZE   ((size_t)48 << 10)
#define UNPACKED_SIZE ((size_t)64 << 10)

/* What a character of base64 text means beyond its six bits. */
enum { BASE64_PAD = 64, BASE64_SPACE = 65, BASE64_BAD = 66 };

struct arrays_decoder {
    struct arrays_spec spec;
    uint64_t expected_bytes;
    uint64_t seen_bytes;
    struct arrays_summary summary;
    uint32_t bits; /* sextets that do not make whole bytes yet */
    unsigned sextets;
    unsigned pads;
    size_t packed_used;
    uint64_t packed_total;
    bool stream_ended;
    z_stream zlib;
    unsigned carry_used; /* bytes of a number that a piece boundary cut */
    unsigned char carry[8];
    unsigned char meaning[256];
    unsigned char packed[PACKED_SIZE];
    unsigned char unpacked[UNPACKED_SIZE];
};

static void fill_meanings(unsigned char meaning[256])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    memset(meaning, BASE64_BAD, 256);
    for (unsigned i = 0; i < 64; i++) {
        meaning[(unsigned char)alphabet[i]] = (unsigned char)i;
    }
    meaning['='] = BASE64_PAD;
    for (const char *space = " \t\r\n"; *space != '\0'; space++) {
        meaning[(unsigned char)*space] = BASE64_SPACE;
    }
}

struct arrays_decoder *arrays_new(struct err *err)
{
    struct arrays_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL || inflateInit(&decoder->zlib) != Z_OK) {
        free(decoder);
        ERR(err, ERR_FATAL, ENOMEM, "out of memory for an array decoder");
        return NULL;
    }
    fill_meanings(decoder->meaning);
    return decoder;
}

void arrays_free(struct arrays_decoder *decoder)
{
    if (decoder != NULL) {
        inflateEnd(&decoder->zlib);
        free(decoder);
    }
}

int arrays_begin(struct arrays_decoder *decoder, const struct arrays_spec *spec, struct err *err)
{
    if (spec->count > ARRAYS_MAX_BYTES / spec->width) {
        return ERR(err, ERR_INVALID, EFBIG,
                   "declares an array of %" PRIu64 " numbers of %u bytes; the limit is %" PRIu64
                   " MiB",
                   spec->count, spec->width, ARRAYS_MAX_BYTES >> 20);
    }
    decoder->spec = *spec;
    decoder->expected_bytes = spec->count * spec->width;
    decoder->seen_bytes = 0;
    decoder->summary = (struct arrays_summary){.sum = 0, .max = (double)NAN};
    decoder->bits = 0;
    decoder->sextets = 0;
    decoder->pads = 0;
    decoder->packed_used = 0;
    decoder->packed_total = 0;
    decoder->stream_ended = false;
    decoder->carry_used = 0;
    if (spec->zlib && inflateReset(&decoder->zlib) != Z_OK) {
        return ERR(err, ERR_FATAL, 0, "zlib cannot start again");
    }
    return 0;
}

static double number_at(const unsigned char *at, unsigned width)
{
    if (width == 4) {
        uint32_t bits;
        float number;
        memcpy(&bits, at, sizeof bits);
        bits = le32toh(bits);
        memcpy(&number, &bits, sizeof number);
        return (double)number;
    }
    uint64_t bits;
    double number;
    memcpy(&bits, at, sizeof bits);
    bits = le64toh(bits);
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void count_in(struct arrays_summary *summary, double number)
{
    summary->sum += number;
    summary->max = fmax(summary->max, number);
}

static int take_bytes(struct arrays_decoder *decoder, const unsigned char *at, size_t size,
                      struct err *err)
{
    const unsigned width = decoder->spec.width;
    decoder->seen_bytes += size;
    if (decoder->seen_bytes > decoder->expected_bytes) {
        return ERR(err, ERR_INVALID, 0, "an array holds more than the declared %" PRIu64 " numbers",
                   decoder->spec.count);
    }
    while (decoder->carry_used > 0 && size > 0) {
        decoder->carry[decoder->carry_used++] = *at++;
        size--;
        if (decoder->carry_used == width) {
            count_in(&decoder->summary, number_at(decoder->carry, width));
            decoder->carry_used = 0;
        }
    }
    for (; size >= width; at += width, size -= width) {
        count_in(&decoder->summary, number_at(at, width));
    }
    if (size > 0) {
        memcpy(decoder->carry, at, size);
        decoder->carry_used = (unsigned)size;
    }
    return 0;
}

static int inflate_packed(struct arrays_decoder *decoder, struct err *err)
{
    z_stream *zlib = &decoder->zlib;
    zlib->next_in = decoder->packed;
    zlib->avail_in = (uInt)decoder->packed_used;
    while (!decoder->stream_ended) {
        zlib->next_out = decoder->unpacked;
        zlib->avail_out = UNPACKED_SIZE;
        int status = inflate(zlib, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
            return ERR(err, ERR_INVALID, status, "an array cannot be inflated: %s",
                       zlib->msg != NULL ? zlib->msg : "damaged data");
        }
        if (take_bytes(decoder, decoder->unpacked, UNPACKED_SIZE - zlib->avail_out, err) != 0) {
            return -1;
        }
        decoder->stream_ended = status == Z_STREAM_END;
        if (zlib->avail_out > 0) {
            break; /* all that came in has come out */
        }
    }
    if (decoder->stream_ended && zlib->avail_in > 0) {
        return ERR(err, ERR_INVALID, 0, "an array has bytes after the end of its zlib data");
    }
    return 0;
}

static int flush_packed(struct arrays_decoder *decoder, struct err *err)
{
    if (decoder->packed_used == 0) {
        return 0;
    }
    decoder->packed_total += decoder->packed_used;
    int status = decoder->spec.zlib
                     ? inflate_packed(decoder, err)
                     : take_bytes(decoder, decoder->packed, decoder->packed_used, err);
    decoder->packed_used = 0;
    return status;
}

/* One character, where the fast path of arrays_feed() cannot go: spaces, padding, cut groups. */
static int take_character(struct arrays_decoder *decoder, unsigned char c, struct err *err)
{
    unsigned meaning = decoder->meaning[c];
    if (meaning == BASE64_SPACE) {
        return 0;
    }
    if (meaning == BASE64_PAD) {
        decoder->pads++;
        return 0;
    }
    if (meaning == BASE64_BAD || decoder->pads > 0) {
        return ERR(err, ERR_INVALID, 0, "an array is not base64 (byte 0x%02x)", (unsigned)c);
    }
    decoder->bits = decoder->bits << 6 | meaning;
    if (++decoder->sextets < 4) {
        return 0;
    }
    decoder->packed[decoder->packed_used++] = (unsigned char)(decoder->bits >> 16);
    decoder->packed[decoder->packed_used++] = (unsigned char)(decoder->bits >> 8);
    decoder->packed[decoder->packed_used++] = (unsigned char)decoder->bits;
    decoder->bits = 0;
    decoder->sextets = 0;
    return decoder->packed_used > PACKED_SIZE - 3 ? flush_packed(decoder, err) : 0;
}

/* Decode whole groups of four while they are plain; the number of characters used. */
static size_t take_groups(struct arrays_decoder *decoder, const unsigned char *text, size_t size)
{
    const unsigned char *meaning = decoder->meaning;
    unsigned char *out = decoder->packed + decoder->packed_used;
    size_t room = (PACKED_SIZE - decoder->packed_used) / 3;
    size_t groups = size / 4 < room ? size / 4 : room;
    size_t done = 0;
    for (; done < groups; done++, text += 4, out += 3) {
        unsigned a = meaning[text[0]];
        unsigned b = meaning[text[1]];
        unsigned c = meaning[text[2]];
        unsigned d = meaning[text[3]];
        if ((a | b | c | d) >= 64) {
            break;
        }
        out[0] = (unsigned char)(a << 2 | b >> 4);
        out[1] = (unsigned char)(b << 4 | c >> 2);
        out[2] = (unsigned char)(c << 6 | d);
    }
    decoder->packed_used += done * 3;
    return done * 4;
}

int arrays_feed(struct arrays_decoder *decoder, const char *text, size_t size, struct err *err)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + size;
    while (at < end) {
        if (decoder->sextets == 0 && decoder->pads == 0) {
            at += take_groups(decoder, at, (size_t)(end - at));
        }
        if (decoder->packed_used > PACKED_SIZE - 3 && flush_packed(decoder, err) != 0) {
            return -1;
        }
        if (at < end && take_character(decoder, *at++, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The last group of base64 text: nothing, or what stands for one byte (ends in ==) or for two (ends
 * in =). */
static int finish_base64(struct arrays_decoder *decoder, struct err *err)
{
    unsigned wanted = decoder->sextets == 0 ? 0 : 4 - decoder->sextets;
    if (decoder->sextets == 1 || decoder->pads != wanted) {
        return ERR(err, ERR_INVALID, 0, "the base64 text of an array is cut");
    }
    if (decoder->sextets == 2) {
        decoder->packed[decoder->packed_used++] = (unsigned char)(decoder->bits >> 4);
    } else if (decoder->sextets == 3) {
        decoder->packed[decoder->packed_used++] = (unsigned char)(decoder->bits >> 10);
        decoder->packed[decoder->packed_used++] = (unsigned char)(decoder->bits >> 2);
    }
    return flush_packed(decoder, err);
}

int arrays_end(struct arrays_decoder *decoder, struct arrays_summary *summary, struct err *err)
{
    if (finish_base64(decoder, err) != 0) {
        return -1;
    }
    /* An empty array may be written as no text at all, without even an empty zlib stream. */
    if (decoder->spec.zlib && !decoder->stream_ended && decoder->packed_total > 0) {
        return ERR(err, ERR_INVALID, 0, "the zlib data of an array is cut");
    }
    if (decoder->seen_bytes != decoder->expected_bytes) {
        return ERR(err, ERR_INVALID, 0,
                   "an array holds %" PRIu64 " bytes; %" PRIu64 " numbers of %u bytes are declared",
                   decoder->seen_bytes, decoder->spec.count, decoder->spec.width);
    }
    if (!isfinite(decoder->summary.sum)) {
        decoder->summary.sum = (double)NAN;
    }
    *summary = decoder->summary;
    return 0;
}
