/*
 * err.c: one failure, recorded once, safe to print.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_errno.h>

#include "base/base.h"

/** Length of the printable UTF-8 character at s; 0 if there is none. */
static int utf8_printable(const unsigned char *s)
{
    unsigned long point;
    int len;
    int i;

    if (s[0] >= 0x20 && s[0] < 0x7f) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    point = s[0] & (0xff >> (len + 1));
    for (i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (s[i] & 0x3f);
    }
    /* Overlong forms, surrogates, C1 controls, bidirectional overrides and
     * line separators would let a stranger rearrange what is printed. */
    if ((len == 3 && point < 0x800) || (len == 4 && point < 0x10000)
        || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)
        || (point >= 0x80 && point < 0xa0)
        || (point >= 0x200b && point <= 0x200f)
        || (point >= 0x2028 && point <= 0x202e)
        || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff) {
        return 0;
    }
    return len;
}

/** Copy src to dst, at most size - 1 bytes, unprintable bytes as \xNN. */
static void copy_printable(char *dst, apr_size_t size, const char *src)
{
    const unsigned char *s = (const unsigned char *)src;
    char *end = dst + size - 1;

    while (*s) {
        int len = utf8_printable(s);

        if (len == 0) {
            if (end - dst < 4) {
                break;
            }
            snprintf(dst, 5, "\\x%02x", *s);
            dst += 4;
            s++;
            continue;
        }
        if (end - dst < len) {
            break;
        }
        memcpy(dst, s, (size_t)len);
        dst += len;
        s += len;
    }
    *dst = '\0';
}

apr_status_t base_err_set(acme_err_t *err, apr_status_t status,
                          base_exit_t exit, const char *fmt, ...)
{
    char text[sizeof(err->message)];
    va_list ap;

    if (err->status != APR_SUCCESS) {
        return err->status;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    copy_printable(err->message, sizeof(err->message), text);
    err->status = status;
    err->exit = exit;
    return status;
}

apr_status_t base_err_wrap(acme_err_t *err, const char *fmt, ...)
{
    char context[sizeof(err->message) / 2];
    char text[sizeof(err->message) * 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    snprintf(text, sizeof(text), "%s: %s", context, err->message);
    copy_printable(err->message, sizeof(err->message), text);
    return err->status;
}

apr_status_t base_err_append(acme_err_t *err, const char *fmt, ...)
{
    char more[sizeof(err->message) / 2];
    char text[sizeof(err->message) * 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(more, sizeof(more), fmt, ap);
    va_end(ap);
    snprintf(text, sizeof(text), "%s; %s", err->message, more);
    copy_printable(err->message, sizeof(err->message), text);
    return err->status;
}

void base_err_clear(acme_err_t *err)
{
    memset(err, 0, sizeof(*err));
}

const char *base_strerror(apr_status_t rv, char *buf, apr_size_t size)
{
    return apr_strerror(rv, buf, size);
}
