/*
 * rewrite: what mod_rewrite's and mod_alias's directives would do with one
 * request. Inside this room only.
 */
#ifndef ACME_CONFIGURATOR_REWRITE_H
#define ACME_CONFIGURATOR_REWRITE_H

#include "base/base.h"

/** A request, as far as redirects look at it. */
typedef struct rewrite_request_t {
    int tls;
    int port;               /**< where it arrived */
    const char *host;       /**< its Host, lower case, no port */
    const char *path;       /**< begins with "/" */
} rewrite_request_t;

#define REWRITE_PARTS 10

/** $0 to $9, or %0 to %9. */
typedef struct rewrite_parts_t {
    const char *text[REWRITE_PARTS];
} rewrite_parts_t;

/** In this order: the opposite of x is YES - x. */
typedef enum rewrite_answer_t {
    REWRITE_NO, REWRITE_PERHAPS, REWRITE_YES
} rewrite_answer_t;

/** 1 if word n is a list of flags with that one in it. */
int rewrite_has_flag(const apr_array_header_t *words, int n,
                     const char *brief, const char *full);

/** text with variables and parts replaced. @param pknown  set: 0 if
 *  one of them is known to a running server only; it is then empty */
const char *rewrite_expand(const char *text, const rewrite_request_t *r,
                           const rewrite_parts_t *rule,
                           const rewrite_parts_t *cond, int *pknown,
                           apr_pool_t *pool);

/** Do these conditions hold?
 *  @param conditions  arrays of const char *: the words of each RewriteCond
 *  @param parts       zeroed; set to those of the last that matched */
rewrite_answer_t rewrite_conditions(const apr_array_header_t *conditions,
                                    const rewrite_request_t *r,
                                    rewrite_parts_t *parts, apr_pool_t *pool);

/** Does a path match? A "!" in front is the opposite.
 *  @param parts  nullable */
rewrite_answer_t rewrite_pattern(const char *pattern, const char *path,
                                 int nocase, rewrite_parts_t *parts,
                                 apr_pool_t *pool);

#endif
