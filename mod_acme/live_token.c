/*
 * The live segment's http-01 tokens. See acme_live.h for the layout.
 */
#include <string.h>

#include "live_table.h"

_Static_assert(LIVE_TOKEN_MAX < sizeof(((live_entry_t *)0)->key),
               "tokens fit");

static int base64url_only(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return 0;
        }
    }
    return 1;
}

int live_token_valid(const char *s, apr_size_t len)
{
    return len >= LIVE_TOKEN_MIN && len <= LIVE_TOKEN_MAX
        && base64url_only(s, len);
}

apr_size_t live_child_token(const live_t *live, const char *token,
                            apr_size_t len, char *keyauth, apr_time_t now)
{
    live_token_t copy;
    apr_size_t all;

    if (!live_token_valid(token, len)
        || !live_entry_find(&copy.entry, &live->challenges.seg, &live_tokens,
                            token, len)
        || copy.entry.expires <= now) {
        return 0;
    }
    all = copy.entry.value_len;
    if (all <= len) {
        return 0;
    }
    memcpy(keyauth, copy.keyauth, all);
    keyauth[all] = '\0';
    return all;
}

/* Fill value, or say that something is outside its limits. */
static apr_status_t value_make(live_token_t *value, const char *token,
                               const char *keyauth, apr_time_t expires)
{
    apr_size_t len = strlen(token), all = strlen(keyauth);

    /* RFC 8555 8.1: token || '.' || base64url(thumbprint) */
    if (!live_token_valid(token, len) || all > LIVE_KEYAUTH_MAX
        || all < len + 2 || memcmp(keyauth, token, len)
        || keyauth[len] != '.'
        || !base64url_only(keyauth + len + 1, all - len - 1)) {
        return APR_EINVAL;
    }
    memset(value, 0, sizeof(*value));
    value->entry.key_len = (uint16_t)len;
    value->entry.value_len = (uint16_t)all;
    value->entry.expires = expires;
    memcpy(value->entry.key, token, len);
    memcpy(value->keyauth, keyauth, all);
    return APR_SUCCESS;
}

apr_status_t live_writer_token_put(live_writer_t *writer, const char *token,
                                   const char *keyauth, apr_time_t expires)
{
    live_file_t *file = &writer->challenges;
    live_token_t value;
    const char *fault;
    apr_status_t rv = value_make(&value, token, keyauth, expires);

    if (rv == APR_SUCCESS) {
        rv = live_writer_begin(file, &fault);
    }
    if (rv == APR_SUCCESS) {
        rv = live_entry_put(&file->seg, &live_tokens, &value.entry);
        live_writer_end(file);
    }
    return rv;
}

apr_status_t live_writer_token_remove(live_writer_t *writer,
                                      const char *token)
{
    live_file_t *file = &writer->challenges;
    apr_size_t len = strlen(token);
    const char *fault;
    apr_status_t rv = live_token_valid(token, len) ? APR_SUCCESS
                                                   : APR_EINVAL;

    if (rv == APR_SUCCESS) {
        rv = live_writer_begin(file, &fault);
    }
    if (rv == APR_SUCCESS) {
        live_entry_remove(&file->seg, &live_tokens, token, len);
        live_writer_end(file);
    }
    return rv;
}
