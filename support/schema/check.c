/*
 * The validator's engine: where we are in the value, what is recorded when
 * something does not fit, and the limits. The keywords are in scalar.c and
 * tree.c.
 */
#include "schema/check.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

/* Limits of one check. A message has at most 16 levels and 64 KiB. */
#define DEPTH_MAX 512
#define STEPS_MAX 1000000

#define POINTER_SIZE 512

/* --------------------------------------------------------------- faults */

/* Append text to buf, escaped as RFC 6901 3 asks; cut when buf is full. */
static void append_key(char *buf, apr_size_t *plen, const char *text)
{
    for (; *text && *plen + 4 < POINTER_SIZE; text++) {
        if (*text == '~' || *text == '/') {
            buf[(*plen)++] = '~';
            buf[(*plen)++] = *text == '~' ? '0' : '1';
        }
        else {
            buf[(*plen)++] = *text;
        }
    }
    buf[*plen] = '\0';
}

static void append_place(char *buf, apr_size_t *plen, const place_t *place)
{
    char number[24];

    if (!place) {
        return;
    }
    append_place(buf, plen, place->parent);
    if (*plen + 4 >= POINTER_SIZE) {
        return;
    }
    buf[(*plen)++] = '/';
    apr_snprintf(number, sizeof(number), "%lu", (unsigned long)place->index);
    append_key(buf, plen, place->key ? place->key : number);
}

/* "the CA's order: /status: ", the pointer left out at the root. */
static void fault_record(check_t *c, const char *text)
{
    char pointer[POINTER_SIZE] = "";
    apr_size_t len = 0;

    append_place(pointer, &len, c->place);
    base_err_set(c->err, APR_EINVAL, BASE_EXIT_FAILED, "%s: %s%s%s", c->what,
                 pointer, len ? ": " : "", text);
}

/* The value does not fit. The text says what was found and expected. */
apr_status_t schema_mismatch(check_t *c, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    if (c->level > c->deepest) {
        c->deepest = c->level;
    }
    if (!c->quiet) {
        va_start(args, fmt);
        apr_vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        fault_record(c, text);
    }
    return APR_EINVAL;
}

/* "found X, expected Y". */
apr_status_t schema_unexpected(check_t *c, const json_t *value,
                               const char *expected)
{
    char found[DESCRIPTION_SIZE];

    if (c->quiet) {
        return schema_mismatch(c, "%s", expected);
    }
    return schema_mismatch(c, "found %s, expected %s",
                           schema_value_describe(value, found, sizeof(found)),
                           expected);
}

/* No verdict: recorded even where an alternative is tried. */
apr_status_t schema_no_verdict(check_t *c, apr_status_t status,
                               const char *text)
{
    fault_record(c, text);
    return status;
}

/* ---------------------------------------------------------------- steps */

apr_status_t schema_apply_at(check_t *c, const schema_t *schema,
                             const json_t *value, const char *key,
                             apr_size_t index)
{
    place_t here = { c->place, key, index };
    apr_status_t rv;

    c->place = &here;
    c->level++;
    rv = schema_apply(c, schema, value);
    c->level--;
    c->place = here.parent;
    return rv;
}

/* Whether an alternative fits; records nothing if it does not. */
apr_status_t schema_apply_quietly(check_t *c, const schema_t *schema,
                                  const json_t *value)
{
    apr_status_t rv;

    c->quiet++;
    rv = schema_apply(c, schema, value);
    c->quiet--;
    return rv;
}

apr_status_t schema_apply_regex(check_t *c, const schema_regex_t *regex,
                                const char *text, apr_size_t len)
{
    apr_status_t rv = schema_regex_match(regex, text, len);

    if (rv == APR_SUCCESS || rv == APR_NOTFOUND) {
        return rv;
    }
    return schema_no_verdict(c, rv,
                             "is text that cannot be matched with its "
                             "pattern at a sane cost");
}

/* -------------------------------------------------------------- running */

static apr_status_t check_rules(check_t *c, const schema_t *schema,
                                const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < schema->nrules; i++) {
        rv = schema->rules[i].keyword->check(c, &schema->rules[i], value);
    }
    return rv;
}

apr_status_t schema_apply(check_t *c, const schema_t *schema,
                          const json_t *value)
{
    apr_status_t rv;

    if (schema->never) {
        return schema_unexpected(c, value, "nothing: it is not allowed here");
    }
    if (++c->steps > STEPS_MAX) {
        return schema_no_verdict(c, APR_EGENERAL,
                                 "takes too many steps to check");
    }
    if (c->depth >= DEPTH_MAX) {
        return schema_no_verdict(c, APR_EGENERAL,
                                 "is nested too deeply to check");
    }
    c->depth++;
    rv = check_rules(c, schema, value);
    c->depth--;
    return rv;
}

apr_status_t schema_check(const schema_t *schema, const json_t *value,
                          const char *what, acme_err_t *err)
{
    check_t c;

    memset(&c, 0, sizeof(c));
    c.what = what;
    c.deepest = -1;
    c.err = err;
    /* To the caller it is all one: no verdict is no. */
    return schema_apply(&c, schema, value) == APR_SUCCESS ? APR_SUCCESS
                                                         : APR_EINVAL;
}
