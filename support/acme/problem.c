/*
 * problem.c: error replies and problem documents (RFC 8555 6.7, RFC 7807).
 *
 * Two tables decide: one by the problem's type; the other by the HTTP
 * status, for replies without a problem (proxies answer in HTML) and for
 * types that are not known here.
 */
#include "acme/engine.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define URN "urn:ietf:params:acme:error:"

/* How a problem ends a job: as the reply to a request, and as the "error"
 * of a challenge or an order. */
typedef struct kind_t {
    const char *type;       /* behind URN */
    base_exit_t in_reply;
    base_exit_t in_object;
    const char *plain;      /* in plain words */
} kind_t;

#define BUSY    BASE_EXIT_BUSY
#define REFUSED BASE_EXIT_REFUSED
#define FAILED  BASE_EXIT_FAILED

/* RFC 8555 6.7 unless another RFC is named. */
static const kind_t kinds[] = {
    { "accountDoesNotExist", REFUSED, REFUSED,
      "the CA does not know this account" },
    { "alreadyReplaced", REFUSED, REFUSED,                /* RFC 9773 7.4 */
      "the certificate to be replaced was replaced already" },
    { "alreadyRevoked", REFUSED, REFUSED,
      "the certificate is revoked already" },
    { "badCSR", REFUSED, REFUSED,
      "the CA does not accept the certificate request" },
    { "badNonce", BUSY, BUSY,
      "the CA refused nonce after nonce" },
    { "badPublicKey", REFUSED, REFUSED,
      "the CA does not accept this public key" },
    { "badRevocationReason", REFUSED, REFUSED,
      "the CA does not accept this reason for a revocation; try another "
      "or none" },
    { "badSignatureAlgorithm", REFUSED, REFUSED,
      "the CA does not accept the account key's signature algorithm" },
    { "caa", REFUSED, REFUSED,
      "a CAA record in DNS forbids this CA to issue" },
    { "compound", FAILED, FAILED,
      "the CA found several problems" },
    { "connection", FAILED, FAILED,
      "the CA could not connect to the server that should answer the "
      "challenge" },
    { "dns", FAILED, FAILED,
      "the CA could not look up the name in DNS" },
    { "externalAccountRequired", REFUSED, REFUSED,
      "the CA wants the account bound to one of its customers" },
    { "incorrectResponse", FAILED, FAILED,
      "the CA got a wrong answer to its challenge" },
    { "invalidContact", REFUSED, REFUSED,
      "the CA does not accept the contact; check ACMEContact" },
    { "invalidProfile", REFUSED, REFUSED,
      "the CA does not have this certificate profile" },
    { "malformed", REFUSED, FAILED,
      "the CA does not understand the request" },
    { "orderNotReady", FAILED, FAILED,
      "the order is not ready" },
    { "rateLimited", BUSY, BUSY,
      "the CA limits how often it may be asked" },
    { "rejectedIdentifier", REFUSED, REFUSED,
      "the CA does not issue for this name" },
    { "serverInternal", BUSY, BUSY,
      "the CA has trouble" },
    { "tls", FAILED, FAILED,
      "the CA met a TLS error while it validated" },
    { "unauthorized", REFUSED, FAILED,
      "the CA says that this is not authorized" },
    { "unsupportedContact", REFUSED, REFUSED,
      "the CA does not support this kind of contact; check ACMEContact" },
    { "unsupportedIdentifier", REFUSED, REFUSED,
      "the CA does not issue for this kind of name" },
    { "userActionRequired", REFUSED, REFUSED,
      "the CA wants somebody to act first" },
    { NULL, FAILED, FAILED, NULL }
};

/* RFC 9110 15: what is left when the type says nothing. */
static const struct {
    int from, to;
    base_exit_t exit;
    const char *plain;
} classes[] = {
    { 100, 399, FAILED, "that is no answer to an ACME request" },
    { 400, 407, REFUSED, "the CA refuses the request" },
    { 408, 408, BUSY, "the CA did not get the request in time" },
    { 409, 428, REFUSED, "the CA refuses the request" },
    { 429, 429, BUSY, "the CA limits how often it may be asked" },
    { 430, 499, REFUSED, "the CA refuses the request" },
    { 500, 599, BUSY, "the CA or a proxy before it has trouble" },
    { 0, 999, FAILED, "that is no answer to an ACME request" }
};

static const kind_t *kind_find(const char *type)
{
    const kind_t *kind = kinds;

    if (strncmp(type, URN, strlen(URN)) != 0) {
        type = "";
    }
    else {
        type += strlen(URN);
    }
    while (kind->type && strcmp(kind->type, type) != 0) {
        kind++;
    }
    return kind;
}

static int class_find(int status)
{
    int i = 0;

    while (status < classes[i].from || status > classes[i].to) {
        i++;
    }
    return i;
}

int acme_err_is(const acme_err_t *err, const char *type)
{
    return strncmp(err->type, URN, strlen(URN)) == 0
           && strcmp(err->type + strlen(URN), type) == 0;
}

/* ----------------------------------------------------------------- words */

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static const char *identifier_of(const json_t *problem)
{
    return member(json_object_get(problem, "identifier"), "value");
}

/* "plain words: what the CA said", or what there is of it. */
static const char *one_text(const json_t *problem, apr_pool_t *pool)
{
    const kind_t *kind = kind_find(member(problem, "type"));
    const char *plain = kind->type ? kind->plain : member(problem, "type");
    const char *detail = member(problem, "detail");

    if (!*detail) {
        detail = member(problem, "title");
    }
    if (!*plain || !*detail) {
        return *plain ? plain : detail;
    }
    return apr_pstrcat(pool, plain, ": ", detail, NULL);
}

/* RFC 8555 6.7.1: each subproblem says whom it concerns. */
static const char *text_of(const json_t *problem, apr_pool_t *pool)
{
    const json_t *subproblems = json_object_get(problem, "subproblems");
    const char *text = one_text(problem, pool);
    const json_t *sub;
    size_t i;

    json_array_foreach(subproblems, i, sub) {
        const char *identifier = identifier_of(sub);

        text = apr_pstrcat(pool, text, "; ",
                           *identifier ? identifier : "another problem",
                           ": ", one_text(sub, pool), NULL);
    }
    return text;
}

/* Copy what is plain printable ASCII; other values count as not given. */
static void copy_plain(char *to, apr_size_t size, const char *from)
{
    const char *c;

    to[0] = '\0';
    for (c = from; *c; c++) {
        if (!apr_isprint(*c) || (apr_size_t)(c - from) >= size - 1) {
            return;
        }
    }
    apr_cpystrn(to, from, size);
}

static void name_culprit(acme_err_t *err, const json_t *problem,
                         const char *identifier)
{
    const json_t *subproblems = json_object_get(problem, "subproblems");
    const json_t *sub;
    size_t i;

    copy_plain(err->type, sizeof(err->type), member(problem, "type"));
    if (!identifier || !*identifier) {
        identifier = identifier_of(problem);
    }
    json_array_foreach(subproblems, i, sub) {
        if (!*identifier) {
            identifier = identifier_of(sub);
        }
    }
    copy_plain(err->identifier, sizeof(err->identifier), identifier);
}

/* ------------------------------------------------------------------ exit */

static apr_status_t status_of(base_exit_t status)
{
    return status == BUSY ? APR_EAGAIN
           : status == REFUSED ? APR_EACCES : APR_EGENERAL;
}

/* RFC 8555 6.7.1: a compound problem is as permanent as its worst part:
 * refused before failed before busy. */
static base_exit_t exit_compound(const json_t *problem, int in_object)
{
    const json_t *subproblems = json_object_get(problem, "subproblems");
    base_exit_t worst = json_array_size(subproblems) ? BUSY : FAILED;
    const json_t *sub;
    size_t i;

    json_array_foreach(subproblems, i, sub) {
        const kind_t *kind = kind_find(member(sub, "type"));
        base_exit_t one = in_object ? kind->in_object : kind->in_reply;

        if (one == REFUSED || (one == FAILED && worst == BUSY)) {
            worst = one;
        }
    }
    return worst;
}

static base_exit_t exit_of(const json_t *problem, int in_object,
                           base_exit_t otherwise)
{
    const kind_t *kind = kind_find(member(problem, "type"));

    if (!kind->type) {
        return otherwise;
    }
    if (strcmp(kind->type, "compound") == 0) {
        return exit_compound(problem, in_object);
    }
    return in_object ? kind->in_object : kind->in_reply;
}

/* ----------------------------------------------------------------- reply */

/* The problem document of a reply, or NULL. Content types vary more than
 * RFC 7807 allows, so the body decides. */
static json_t *problem_read(const http_response_t *response,
                            const schema_set_t *schemas, apr_pool_t *pool)
{
    json_t *problem = NULL;
    acme_err_t ignored;

    base_err_clear(&ignored);
    if (response->body_len > 0 && response->body[0] == '{') {
        schema_message_read(&problem, schemas, "acme/problem",
                            response->body, response->body_len, &ignored,
                            pool);
    }
    return problem;
}

/* Some CAs tell the time in the text alone: "retry after 2026-11-23
 * 11:37:21 UTC: see …". */
static apr_time_t retry_at_in_text(const char *detail, apr_pool_t *pool)
{
    static const char before[] = "retry after ";
    const char *found = strstr(detail, before);
    char *text;
    apr_time_t at;

    if (!found || strlen(found) < sizeof(before) - 1 + 23) {
        return 0;
    }
    text = apr_pstrmemdup(pool, found + sizeof(before) - 1, 23);
    if (text[10] != ' ' || strcmp(text + 19, " UTC") != 0) {
        return 0;
    }
    text[10] = 'T';
    text[19] = 'Z';
    text[20] = '\0';
    return base_time_parse(&at, text) == APR_SUCCESS ? at : 0;
}

static apr_time_t retry_at(const http_response_t *response,
                           const json_t *problem, apr_time_t wall,
                           apr_pool_t *pool)
{
    apr_time_t at;

    if (response->retry_after
        && base_retry_after(&at, response->retry_after, wall)
           == APR_SUCCESS) {
        return at;
    }
    return retry_at_in_text(member(problem, "detail"), pool);
}

/* " (see URL)": where the CA explains itself. Source: RFC 8555 6.7
 * (instance), 7.3.3 (terms-of-service), 6.6 (help). */
static const char *see(const http_response_t *response,
                       const json_t *problem, apr_pool_t *pool)
{
    static const char *const relations[] = { "terms-of-service", "help" };
    const char *url = member(problem, "instance");
    apr_size_t i;

    for (i = 0; !*url && i < 2 && response->links; i++) {
        apr_array_header_t *found = base_link_find(response->links,
                                                   relations[i],
                                                   response->url, pool);

        if (found->nelts > 0) {
            url = APR_ARRAY_IDX(found, 0, const char *);
        }
    }
    return *url ? apr_psprintf(pool, " (see %s)", url) : "";
}

static acme_react_t react(const acme_err_t *err, int status)
{
    if (acme_err_is(err, "badNonce")) {
        return ACME_REACT_NONCE;
    }
    if (err->exit != BUSY) {
        return ACME_REACT_FAIL;
    }
    if (err->retry_at) {
        return ACME_REACT_WAIT;
    }
    if (status / 100 == 5 || status == 408
        || acme_err_is(err, "serverInternal")) {
        return ACME_REACT_RETRY;
    }
    return ACME_REACT_FAIL;
}

acme_react_t acme_problem_reply(acme_err_t *err,
                                const http_response_t *response,
                                const schema_set_t *schemas,
                                const char *what, apr_time_t wall,
                                apr_pool_t *scratch_pool)
{
    json_t *problem = problem_read(response, schemas, scratch_pool);
    int class = class_find(response->status);
    base_exit_t result = exit_of(problem, 0, classes[class].exit);
    const char *text = problem ? text_of(problem, scratch_pool) : "";

    if (!*text) {
        text = classes[class].plain;
    }
    base_err_set(err, status_of(result), result, "%s: %s (HTTP %d from %s%s)"
                 "%s", what, text, response->status, response->url,
                 problem ? "" : ", without an ACME problem document",
                 see(response, problem, scratch_pool));
    name_culprit(err, problem, NULL);
    if (result == BUSY) {
        err->retry_at = retry_at(response, problem, wall, scratch_pool);
    }
    return react(err, response->status);
}

apr_status_t acme_problem_object(acme_err_t *err, const json_t *problem,
                                 const char *what, const char *identifier,
                                 apr_pool_t *scratch_pool)
{
    base_exit_t result = exit_of(problem, 1, FAILED);
    const char *text = problem ? text_of(problem, scratch_pool) : "";

    base_err_set(err, status_of(result), result, "%s: %s", what,
                 *text ? text : "the CA gives no reason");
    name_culprit(err, problem, identifier);
    return err->status;
}
