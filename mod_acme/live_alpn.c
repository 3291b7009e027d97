/*
 * The live segment's names with a pending tls-alpn-01 challenge. See
 * acme_live.h for the layout.
 *
 * PEM, because that is what mod_ssl takes for a challenge's answer: a child
 * copies and hands over. Both key types, because only the handshake tells
 * which one its client can verify.
 */
#include <string.h>

#include "live_table.h"

_Static_assert(LIVE_NAME_MAX < sizeof(((live_entry_t *)0)->key),
               "names fit");

/* The name in lower case. @return its length; 0 if it is none: letters,
 * digits, "-", "_" and "." */
static apr_size_t name_fold(char *to, const char *name)
{
    apr_size_t i;

    for (i = 0; name[i]; i++) {
        char c = name[i];

        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        if (i == LIVE_NAME_MAX
            || !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
                 || c == '_' || c == '.')) {
            return 0;
        }
        to[i] = c;
    }
    return i;
}

/* The next text in memory that ends before end, or NULL. */
static const char *text_next(const char **pat, const char *end)
{
    const char *text = *pat;
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text))
                                 : NULL;

    if (!nul || nul == text) {
        return NULL;
    }
    *pat = nul + 1;
    return text;
}

static int answer_read(live_answer_t *panswer, const live_name_t *copy)
{
    const char *at = copy->pems, *end = at + copy->entry.value_len;
    int i;

    for (i = 0; i < LIVE_ANSWER_TYPES; i++) {
        panswer->cert[i] = text_next(&at, end);
        panswer->key[i] = panswer->cert[i] ? text_next(&at, end) : NULL;
        if (!panswer->key[i]) {
            return 0;
        }
    }
    return at == end;
}

int live_child_name(live_answer_t *panswer, live_name_t *memory,
                    const live_t *live, const char *name, apr_time_t now)
{
    char folded[LIVE_NAME_MAX + 1];
    apr_size_t len = name_fold(folded, name);

    return len > 0
        && live_entry_find(&memory->entry, &live->challenges.seg,
                           &live_names, folded, len)
        && memory->entry.expires > now && answer_read(panswer, memory);
}

/* Append a text with its NUL. @return 0 if it is empty or has no room */
static int text_add(live_name_t *value, const char *text)
{
    apr_size_t len = strlen(text) + 1, at = value->entry.value_len;

    if (len == 1 || len > LIVE_PEMS_MAX - at) {
        return 0;
    }
    memcpy(value->pems + at, text, len);
    value->entry.value_len = (uint16_t)(at + len);
    return 1;
}

/* Fill value, or say that something is outside its limits. */
static apr_status_t value_make(live_name_t *value, const char *name,
                               const live_answer_t *answer,
                               apr_time_t expires)
{
    apr_size_t len;
    int i;

    memset(value, 0, sizeof(*value));
    len = name_fold(value->entry.key, name);
    if (len == 0) {
        return APR_EINVAL;
    }
    value->entry.key_len = (uint16_t)len;
    value->entry.expires = expires;
    for (i = 0; i < LIVE_ANSWER_TYPES; i++) {
        if (!text_add(value, answer->cert[i])
            || !text_add(value, answer->key[i])) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}

apr_status_t live_writer_name_put(live_writer_t *writer, const char *name,
                                  const live_answer_t *answer,
                                  apr_time_t expires)
{
    live_file_t *file = &writer->challenges;
    live_name_t value;
    const char *fault;
    apr_status_t rv = value_make(&value, name, answer, expires);

    if (rv == APR_SUCCESS) {
        rv = live_writer_begin(file, &fault);
    }
    if (rv == APR_SUCCESS) {
        rv = live_entry_put(&file->seg, &live_names, &value.entry);
        live_writer_end(file);
    }
    explicit_bzero(&value, sizeof(value));
    return rv;
}

apr_status_t live_writer_name_remove(live_writer_t *writer, const char *name)
{
    live_file_t *file = &writer->challenges;
    char folded[LIVE_NAME_MAX + 1];
    apr_size_t len = name_fold(folded, name);
    const char *fault;
    apr_status_t rv = len > 0 ? APR_SUCCESS : APR_EINVAL;

    if (rv == APR_SUCCESS) {
        rv = live_writer_begin(file, &fault);
    }
    if (rv == APR_SUCCESS) {
        live_entry_remove(&file->seg, &live_names, folded, len);
        live_writer_end(file);
    }
    return rv;
}
