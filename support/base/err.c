/*
 * err: the one record of a failure, and the filter that makes strangers'
 * bytes fit for a line of text.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

/*
 * Longer than any message: whatever is cut off while it is formatted is cut
 * off once more, at a character's end, when it is cleaned.
 */
#define RAW_MAX (2 * sizeof(((acme_err_t *)0)->message))

/* What stands at the end of a text that did not fit. */
#define ELLIPSIS "..."

/* What to do about the system's errors that an operator can mend. */
static const struct {
    int status;
    const char *advice;
} advices[] = {
    { ENOSPC, "make room on that file system" },
    { EDQUOT, "raise this user's disk quota or make room" },
    { EACCES, "run this as root or give this user access" },
    { EPERM, "run this as root or make this user its owner" },
    { EROFS, "mount that file system for writing or use another" },
    { ENOENT, "check the path and make the directory it lies in" },
    { ENOTDIR, "check the path: a part of it is not a directory" },
    { EISDIR, "check the path: a file is needed, not a directory" },
    { ENOTEMPTY, "check the path: something else was put there" },
    { ELOOP, "check the symbolic links on the path" },
    { ENAMETOOLONG, "use a shorter path" },
    { EXDEV, "keep both on one file system" },
    { EMFILE, "raise the limit of open files (ulimit -n)" },
    { ENFILE, "raise the system's limit of open files" },
    { EIO, "check the disk and the system's log" },
    { EFBIG, "raise the limit of a file's size (ulimit -f)" },
    { ENOMEM, "give the system more memory" },
};

/* RFC 3629 4: bytes of the character at s, 0 if it is not UTF-8. */
static apr_size_t utf8_length(const unsigned char *s)
{
    apr_size_t len, i;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* overlong forms, surrogates and what is behind U+10FFFF */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
        || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return len;
}

/* The code point of len bytes of UTF-8 that utf8_length has passed. */
static unsigned long utf8_decode(const unsigned char *s, apr_size_t len)
{
    static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned long c = s[0] & lead[len];
    apr_size_t i;

    for (i = 1; i < len; i++) {
        c = c << 6 | (s[i] & 0x3f);
    }
    return c;
}

/* Controls, line breaks, and what reorders or hides the text around it. */
static int is_printable(unsigned long c)
{
    return !(c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad
             || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)
             || (c >= 0x2060 && c <= 0x206f) || c == 0x61c || c == 0xfeff
             || (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe
             || (c >= 0xfdd0 && c <= 0xfdef) || c >= 0xe0000);
}

/* One character or one escaped byte of src to out; sets what was read. */
static apr_size_t clean_one(char out[8], const unsigned char *src,
                            apr_size_t *pread)
{
    apr_size_t len = utf8_length(src);

    if (len == 0 || !is_printable(utf8_decode(src, len))) {
        *pread = 1;
        return (apr_size_t)snprintf(out, 8, "\\x%02X", src[0]);
    }
    memcpy(out, src, len);
    *pread = len;
    return len;
}

char *base_clean(char *dst, apr_size_t size, const char *src)
{
    const unsigned char *s = (const unsigned char *)src;
    apr_size_t used = 0, fits = 0, len, took;
    char one[8];

    for (; *s; s += took) {
        len = clean_one(one, s, &took);
        if (used + len >= size) {
            /* fits is the last end of a character with room behind it */
            memcpy(dst + fits, ELLIPSIS, sizeof(ELLIPSIS));
            return dst;
        }
        memcpy(dst + used, one, len);
        used += len;
        if (used + sizeof(ELLIPSIS) <= size) {
            fits = used;
        }
    }
    dst[used] = '\0';
    return dst;
}

apr_status_t base_err_set(acme_err_t *err, apr_status_t status,
                          base_exit_t exit, const char *fmt, ...)
{
    char raw[RAW_MAX];
    va_list ap;

    if (err->status != APR_SUCCESS) {
        return err->status;
    }
    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    err->status = status;
    err->exit = exit;
    base_clean(err->message, sizeof(err->message), raw);
    return status;
}

apr_status_t base_err_path(acme_err_t *err, apr_status_t status,
                           const char *what, const char *path)
{
    char text[128];
    const char *advice = NULL;
    apr_size_t i;

    for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (advices[i].status == status) {
            advice = advices[i].advice;
        }
    }
    base_strerror(status, text, sizeof(text));
    return base_err_set(err, status, BASE_EXIT_FAILED, "cannot %s %s: %s%s%s",
                        what, path, text, advice ? ": " : "",
                        advice ? advice : "");
}

apr_status_t base_err_wrap(acme_err_t *err, const char *fmt, ...)
{
    char raw[RAW_MAX];
    va_list ap;
    int len;

    if (err->status == APR_SUCCESS) {
        return APR_SUCCESS;
    }
    va_start(ap, fmt);
    len = vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    if (len >= 0 && (apr_size_t)len < sizeof(raw)) {
        snprintf(raw + len, sizeof(raw) - (apr_size_t)len, ": %s",
                 err->message);
    }
    base_clean(err->message, sizeof(err->message), raw);
    return err->status;
}

apr_status_t base_err_append(acme_err_t *err, const char *fmt, ...)
{
    char raw[RAW_MAX];
    va_list ap;
    int len;

    if (err->status == APR_SUCCESS) {
        return APR_SUCCESS;
    }
    len = snprintf(raw, sizeof(raw), "%s; ", err->message);
    va_start(ap, fmt);
    vsnprintf(raw + len, sizeof(raw) - (apr_size_t)len, fmt, ap);
    va_end(ap);
    base_clean(err->message, sizeof(err->message), raw);
    return err->status;
}

void base_err_clear(acme_err_t *err)
{
    memset(err, 0, sizeof(*err));
}

const char *base_strerror(apr_status_t rv, char *buf, apr_size_t size)
{
    if (size > 0) {
        buf[0] = '\0';
        apr_strerror(rv, buf, size);
        buf[size - 1] = '\0';
    }
    return buf;
}
