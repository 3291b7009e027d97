/*
 * JSON text: a line for each value of the first two levels, so that people
 * can read it, too, and no blanks within: they are half of the text where
 * each has its own line, and a parser reads them all. Strings are copied in
 * runs; what has to be escaped ends one.
 */
#include "dump_out.h"

#include <errno.h>
#include <string.h>

#include <apr_lib.h>

#define LINES_DEPTH 2

static const char replacement[] = "\xef\xbf\xbd";   /* U+FFFD */

/* ----------------------------------------------------------------- bytes */

static void flush(acme_out_t *out)
{
    if (out->len && !out->failed
        && fwrite(out->buffer, 1, out->len, out->file) != out->len) {
        out->failed = errno ? errno : EIO;
    }
    out->len = 0;
}

static void bytes(acme_out_t *out, const char *data, apr_size_t len)
{
    while (len > 0) {
        apr_size_t room = sizeof(out->buffer) - out->len;
        apr_size_t n = len < room ? len : room;

        memcpy(out->buffer + out->len, data, n);
        out->len += n;
        data += n;
        len -= n;
        if (out->len == sizeof(out->buffer)) {
            flush(out);
        }
    }
}

static void line(acme_out_t *out)
{
    static const char lines[] = "\n    ";

    bytes(out, lines, 1 + 2 * (apr_size_t)out->depth);
}

/* --------------------------------------------------------------- strings */

/* Bytes of the UTF-8 sequence at c; 0 if it is not one. RFC 3629 4. */
static apr_size_t utf8_len(const unsigned char *c)
{
    unsigned int code;
    int len, i;

    if (c[0] < 0x80) {
        return 1;
    }
    len = c[0] >= 0xf0 && c[0] < 0xf5 ? 4
          : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
          : c[0] >= 0xc2 && c[0] < 0xe0 ? 2 : 0;
    code = c[0] & (0xff >> (len + 1));
    for (i = 1; i < len; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (c[i] & 0x3f);
    }
    if ((len == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000)))
        || (len == 4 && (code < 0x10000 || code > 0x10ffff))) {
        return 0;
    }
    return (apr_size_t)len;
}

/* RFC 8259 7. */
static void escape(acme_out_t *out, char c)
{
    static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *letter = strchr(letters, c);
    char text[8];

    if (letter) {
        text[0] = '\\';
        text[1] = names[letter - letters];
        bytes(out, text, 2);
    }
    else {
        snprintf(text, sizeof(text), "\\u%04X", (unsigned int)c);
        bytes(out, text, 6);
    }
}

/* Bytes from text on that stand in a string as they are. */
static apr_size_t plain_len(const char *text)
{
    const char *c = text;

    while ((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x80
           && *c != '"' && *c != '\\') {
        c++;
    }
    return (apr_size_t)(c - text);
}

/* @return 1 if all of it is UTF-8 */
static int string(acme_out_t *out, const char *text)
{
    int whole = 1;

    bytes(out, "\"", 1);
    for (;;) {
        apr_size_t len = plain_len(text);

        bytes(out, text, len);
        text += len;
        if (!*text) {
            break;
        }
        len = utf8_len((const unsigned char *)text);
        if (len == 1) {
            escape(out, *text);
        }
        else if (len > 1) {
            bytes(out, text, len);
        }
        else {
            bytes(out, replacement, sizeof(replacement) - 1);
            whole = 0;
        }
        text += len ? len : 1;
    }
    bytes(out, "\"", 1);
    return whole;
}

/* ---------------------------------------------------------------- values */

/* What stands before a value. */
static void item(acme_out_t *out, const char *key)
{
    if (out->filled) {
        bytes(out, ",", 1);
    }
    if (out->depth && out->depth <= LINES_DEPTH) {
        line(out);
    }
    if (key) {
        string(out, key);
        bytes(out, ":", 1);
    }
    out->filled = 1;
}

void acme_out_begin(acme_out_t *out, const char *key, char bracket)
{
    item(out, key);
    bytes(out, &bracket, 1);
    out->depth++;
    out->filled = 0;
}

void acme_out_end(acme_out_t *out, char bracket)
{
    out->depth--;
    if (out->filled && out->depth < LINES_DEPTH) {
        line(out);
    }
    bytes(out, &bracket, 1);
    out->filled = 1;
}

void acme_out_text(acme_out_t *out, const char *key, const char *text)
{
    if (!text) {
        acme_out_null(out, key);
        return;
    }
    item(out, key);
    if (!string(out, text) && out->odd) {
        out->odd(text);
    }
}

void acme_out_number(acme_out_t *out, const char *key, long number)
{
    char text[32];

    item(out, key);
    snprintf(text, sizeof(text), "%ld", number);
    bytes(out, text, strlen(text));
}

void acme_out_flag(acme_out_t *out, const char *key, int flag)
{
    item(out, key);
    bytes(out, flag ? "true" : "false", flag ? 4 : 5);
}

void acme_out_null(acme_out_t *out, const char *key)
{
    item(out, key);
    bytes(out, "null", 4);
}

int acme_out_finish(acme_out_t *out)
{
    bytes(out, "\n", 1);
    flush(out);
    if (!out->failed && fflush(out->file) != 0) {
        out->failed = errno ? errno : EIO;
    }
    return out->failed;
}
