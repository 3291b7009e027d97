/*
 * b64url.c: base64url without padding (RFC 4648 5, RFC 7515 2).
 */
#include <string.h>

#include "base/base.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base_b64url_encode(const void *data, apr_size_t len, apr_pool_t *pool)
{
    const unsigned char *in = data;
    char *text = apr_palloc(pool, (len * 4 + 2) / 3 + 1);
    char *out = text;
    unsigned long bits = 0;
    int have = 0;

    while (len-- > 0) {
        bits = bits << 8 | *in++;
        have += 8;
        while (have >= 6) {
            have -= 6;
            *out++ = alphabet[bits >> have & 63];
        }
        bits &= (1ul << have) - 1;
    }
    if (have > 0) {
        *out++ = alphabet[bits << (6 - have) & 63];
    }
    *out = '\0';
    return text;
}

apr_status_t base_b64url_decode(unsigned char **pdata, apr_size_t *plen,
                                const char *text, apr_pool_t *pool)
{
    apr_size_t len = strlen(text);
    unsigned char *out = apr_palloc(pool, len * 3 / 4 + 1);
    unsigned long bits = 0;
    int have = 0;

    *pdata = out;
    if (len % 4 == 1) {
        return APR_EINVAL;
    }
    for (; *text; text++) {
        const char *at = strchr(alphabet, *text);

        if (!at) {
            return APR_EINVAL;
        }
        bits = bits << 6 | (unsigned long)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            *out++ = (unsigned char)(bits >> have);
            bits &= (1ul << have) - 1;
        }
    }
    /* Spare bits that are not zero would give one value two texts. */
    if (bits != 0) {
        return APR_EINVAL;
    }
    *out = '\0';
    *plen = (apr_size_t)(out - *pdata);
    return APR_SUCCESS;
}
