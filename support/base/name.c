/*
 * name.c: domain names as certificates carry them (RFC 1123 2.1).
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

#define NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63

/** What is wrong with one label; NULL if nothing. */
static const char *label_fault(const char *label, apr_size_t len)
{
    apr_size_t i;

    if (len == 0) {
        return "two dots follow each other, or one stands at an end";
    }
    if (len > LABEL_MAX_LEN) {
        return "a part between dots is longer than 63 characters";
    }
    if (label[0] == '-' || label[len - 1] == '-') {
        return "a part between dots begins or ends with \"-\"";
    }
    for (i = 0; i < len; i++) {
        if ((unsigned char)label[i] >= 0x80) {
            return "write an international name in its ASCII form (xn--…)";
        }
        if (!apr_isalnum(label[i]) && label[i] != '-') {
            return "only letters, digits, \"-\" and dots are allowed";
        }
    }
    return NULL;
}

static const char *name_fault(const char *name)
{
    int labels = 0;

    if (strlen(name) > NAME_MAX_LEN) {
        return "it is longer than 253 characters";
    }
    if (strchr(name, ':') || strspn(name, "0123456789.") == strlen(name)) {
        return "it is an IP address or no name at all";
    }
    for (;;) {
        apr_size_t len = strcspn(name, ".");
        const char *fault = label_fault(name, len);

        if (fault) {
            return fault;
        }
        labels++;
        if (!name[len]) {
            return labels < 2 ? "it has no dot" : NULL;
        }
        name += len + 1;
    }
}

apr_status_t base_name_check(const char **pname, const char *name,
                             int wildcard, acme_err_t *err, apr_pool_t *pool)
{
    const char *bare = name;
    const char *fault;
    char *lower;
    char *c;

    if (wildcard && strncmp(name, "*.", 2) == 0) {
        bare += 2;
    }
    fault = name_fault(bare);
    if (fault) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "\"%.300s\" is not a domain name: %s", name,
                            fault);
    }
    lower = apr_pstrdup(pool, name);
    for (c = lower; *c; c++) {
        *c = apr_tolower(*c);
    }
    *pname = lower;
    return APR_SUCCESS;
}
