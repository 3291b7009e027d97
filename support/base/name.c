/*
 * name: DNS names as they stand in certificates, and lists of them.
 */
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

/* RFC 1035 2.3.4, as text without the final dot. */
#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

static int is_number(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (!apr_isdigit(s[i])) {
            return 0;
        }
    }
    return len > 0;
}

/* @return NULL or what is wrong with a label in lower case */
static const char *label_fault(const char *s, apr_size_t len)
{
    apr_size_t i;

    if (len == 0) {
        return "it has an empty label (two dots, or one in front)";
    }
    if (len > LABEL_MAX_BYTES) {
        return "it has a label of more than 63 bytes";
    }
    for (i = 0; i < len; i++) {
        if ((unsigned char)s[i] >= 0x80) {
            return "write it in ASCII (xn--...)";
        }
        if (!apr_isalnum(s[i]) && s[i] != '-') {
            return s[i] == '*' ? "the only wildcard is \"*.\" in front"
                               : "it has a character other than a letter, "
                                 "digit, hyphen or dot";
        }
    }
    if (s[0] == '-' || s[len - 1] == '-') {
        return "it has a label that begins or ends with a hyphen";
    }
    /* RFC 5890 2.3.1: reserved, and CAs refuse them */
    if (len > 3 && s[2] == '-' && s[3] == '-' && strncmp(s, "xn", 2) != 0) {
        return "it has a label with \"--\" in its third place that is not "
               "xn--";
    }
    return NULL;
}

/* @return NULL or what is wrong with a name in lower case */
static const char *name_fault(const char *name)
{
    const char *s = name, *fault;
    apr_size_t len;
    int labels = 1;

    if (*name == '\0') {
        return "it is empty";
    }
    if (strlen(name) > NAME_MAX_BYTES) {
        return "it has more than 253 bytes";
    }
    for (;; s += len + 1, labels++) {
        len = strcspn(s, ".");
        fault = label_fault(s, len);
        if (fault) {
            return fault;
        }
        if (s[len] == '\0') {
            break;
        }
    }
    /* RFC 1123 2.1: this keeps names and addresses apart */
    if (is_number(s, len)) {
        return "it is an address or ends in a number; a domain name is "
               "needed";
    }
    return labels < 2 ? "it has one label only; give the full name" : NULL;
}

static char *to_lower(const char *name, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, name), *s;

    for (s = lower; *s; s++) {
        *s = (char)apr_tolower(*s);
    }
    return lower;
}

apr_status_t base_name_check(const char **pname, const char *name,
                             int wildcard, acme_err_t *err, apr_pool_t *pool)
{
    char *lower = to_lower(name, pool);
    apr_size_t len = strlen(lower);
    const char *fault;

    if (len > 1 && lower[len - 1] == '.') {
        lower[len - 1] = '\0';
    }
    if (strncmp(lower, "*.", 2) == 0) {
        fault = wildcard ? name_fault(lower + 2)
                         : "a wildcard is not allowed here";
        if (!fault && strlen(lower) > NAME_MAX_BYTES) {
            fault = "it has more than 253 bytes";
        }
    }
    else {
        fault = name_fault(lower);
    }
    if (fault) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "\"%.300s\" is not a domain name: %s", name,
                            fault);
    }
    *pname = lower;
    return APR_SUCCESS;
}

static int list_has(const apr_array_header_t *list, const char *text,
                    int (*compare)(const char *, const char *))
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        if (compare(APR_ARRAY_IDX(list, i, const char *), text) == 0) {
            return 1;
        }
    }
    return 0;
}

int base_list_has(const apr_array_header_t *list, const char *text)
{
    return list_has(list, text, strcmp);
}

int base_list_has_name(const apr_array_header_t *list, const char *name)
{
    return list_has(list, name, strcasecmp);
}
