/*
 * http_rows.c: what is asked of the answers to "GET /", and the challenge
 * path. The redirect has a file of its own.
 */
#include "validator/internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define NO_HTTP "there is no address of http"
#define NO_HTTPS "there is no address of https"
#define NO_TLS "not asked: no TLS"
#define NO_REPLY "not asked: no reply"

/* ----------------------------------------------------------------- http */

/** The http address to compare with: one that replies; NULL: none does. */
static const site_t *http_model(const validator_ask_t *ask)
{
    int i;

    for (i = 0; i < ask->http_n; i++) {
        if (ask->http[i].stage == STAGE_HTTP) {
            return &ask->http[i];
        }
    }
    return NULL;
}

/** https has no answer or 5xx: whose fault is that? */
static int check_broken(const validator_ask_t *ask, const site_t *site,
                        const site_t *http, const char **pdetail)
{
    const char *what = site->stage < STAGE_HTTP ? site->fault
        : apr_psprintf(ask->pool, "https answers GET / with status %d",
                       site->home.status);
    int both = ask->http_n > 0 && (!http || http->home.status >= 500);

    if (ask->target->broken) {
        *pdetail = apr_pstrcat(ask->pool, what, "; it was so before", NULL);
        return -1;
    }
    if (site->slow && http
        && redirects_to_https(ask, http, "/", &http->home)) {
        *pdetail = apr_pstrcat(ask->pool, what, "; perhaps the site is only "
                               "slow", NULL);
        return -1;
    }
    *pdetail = both
        ? apr_psprintf(ask->pool, "%s; http is broken, too", what)
        : http ? apr_psprintf(ask->pool, "%s; http answers with %d", what,
                              http->home.status)
        : what;
    return both ? -1 : 0;
}

/** https answers: like http? */
static int check_like(const validator_ask_t *ask, const site_t *site,
                      const site_t *http, const char **pdetail)
{
    int status = site->home.status;
    int model = http ? http->home.status : 0;

    if (!http) {
        *pdetail = apr_psprintf(ask->pool, "https answers GET / with status "
                                "%d; there is no http to compare with",
                                status);
        return 1;
    }
    *pdetail = apr_psprintf(ask->pool, "GET / is answered by https with "
                            "status %d, by http with %d", status, model);
    /* The redirect of http to https is a better answer than none. */
    if (redirects_to_https(ask, http, "/", &http->home)) {
        return 1;
    }
    return status / 100 <= model / 100 || status < 300;
}

static int check_http(validator_ask_t *ask, site_t *site,
                      const char **pdetail)
{
    const site_t *http = http_model(ask);
    int ends;

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    if (site->asks && (site->stage < STAGE_HTTP
                       || site->home.status >= 400)) {
        *pdetail = WANTS_CLIENT;
        return -1;
    }
    if (site->stage < STAGE_HTTP || site->home.status >= 500) {
        return check_broken(ask, site, http, pdetail);
    }
    ends = follow(ask, site, "/", &site->home, pdetail);
    if (ends != 1) {
        return ends;
    }
    return check_like(ask, site, http, pdetail);
}

/** http alone: is it as it should be? */
static int check_plain(validator_ask_t *ask, site_t *site,
                       const char **pdetail)
{
    if (site->stage < STAGE_HTTP) {
        *pdetail = site->fault;
        return -1;
    }
    *pdetail = apr_psprintf(ask->pool, "http answers GET / with status %d",
                            site->home.status);
    return site->home.status < 500;
}

void row_http(validator_ask_t *ask, validator_answer_t *answer)
{
    if (ask->https_n == 0) {
        ask_each(ask, ask->http, ask->http_n, NO_HTTPS, check_plain, answer);
        return;
    }
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_http, answer);
}

/* ----------------------------------------------------------------- hsts */

/** The value of max-age: digits, perhaps in quotes. @return -1 */
static apr_int64_t age_parse(const char *text, apr_size_t len)
{
    apr_int64_t age = 0;
    apr_size_t i;

    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    if (len == 0 || len > 15) {
        return -1;
    }
    for (i = 0; i < len; i++) {
        if (!apr_isdigit(text[i])) {
            return -1;
        }
        age = age * 10 + (text[i] - '0');
    }
    return age;
}

/** The length of a text without the blanks at its end. */
static apr_size_t trimmed(const char *text, apr_size_t len)
{
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    return len;
}

apr_int64_t hsts_max_age(const char *value)
{
    apr_int64_t age = -1;

    /* RFC 6797 6.1: max-age stands once; what is unknown is passed over. */
    while (*value) {
        apr_size_t len = strcspn(value, ";");
        apr_size_t blank = strspn(value, " \t");
        const char *name = value + (blank < len ? blank : len);
        const char *equals = memchr(name, '=', len - (name - value));
        apr_size_t name_len = equals
            ? trimmed(name, (apr_size_t)(equals - name)) : 0;

        if (name_len == 7 && strncasecmp(name, "max-age", 7) == 0) {
            const char *digits = equals + 1 + strspn(equals + 1, " \t");

            if (age >= 0 || digits > value + len) {
                return -1;
            }
            age = age_parse(digits, trimmed(digits, (apr_size_t)(
                                                value + len - digits)));
            if (age < 0) {
                return -1;
            }
        }
        value += len + (value[len] == ';');
    }
    return age;
}

static int check_hsts(validator_ask_t *ask, site_t *site,
                      const char **pdetail)
{
    const char *header = site->home.hsts;
    apr_int64_t age = header ? hsts_max_age(header) : -1;
    int wanted = ask->target->hsts;

    if (site->stage < STAGE_HTTP) {
        *pdetail = site->tls ? NO_REPLY : NO_TLS;
        return -1;
    }
    *pdetail = !header ? "Strict-Transport-Security is not sent"
        : age < 0 ? apr_psprintf(ask->pool, "Strict-Transport-Security is "
                                 "malformed: %.100s", header)
        : apr_psprintf(ask->pool, "Strict-Transport-Security is sent, with "
                       "max-age=%" APR_INT64_T_FMT, age);
    if (wanted < 0) {
        return -1;
    }
    return wanted ? age > 0 : age <= 0;
}

/** RFC 6797 7.2: no such header without TLS. */
static int check_hsts_plain(validator_ask_t *ask, site_t *site,
                            const char **pdetail)
{
    (void)ask;
    if (site->stage < STAGE_HTTP) {
        *pdetail = NO_REPLY;
        return -1;
    }
    *pdetail = site->home.hsts ? "Strict-Transport-Security is sent without "
                                 "TLS" : "";
    return !site->home.hsts;
}

void row_hsts(validator_ask_t *ask, validator_answer_t *answer)
{
    validator_answer_t plain;

    answer->required = ask->target->hsts == 1;
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_hsts, answer);
    if (answer->ok == 1 && ask->target->hsts == 1) {
        ask_each(ask, ask->http, ask->http_n, "", check_hsts_plain, &plain);
        /* Clients pass it over there (RFC 6797 8.1). */
        if (plain.ok == 0) {
            answer->ok = 0;
            answer->required = 0;
            answer->detail = plain.detail;
        }
    }
}

/* ------------------------------------------------------------ challenge */

#define CHALLENGE_PATH "/.well-known/acme-challenge/"

/** A token that nobody knows, of the right form. */
#define UNKNOWN_TOKEN "acmectl-validate-0123456789abcdef"

/** Without a token that is published: what the site would answer itself
 *  tells little, as mod_acme answers before it. */
static int check_unknown(validator_ask_t *ask, int status,
                         const char **pdetail)
{
    if (status < 300 || status == 404 || status == 410) {
        *pdetail = apr_psprintf(ask->pool, "an unknown token is answered "
                                "with status %d", status);
        return 1;
    }
    *pdetail = apr_psprintf(ask->pool, "an unknown token is answered with "
                            "status %d; whether a known one is answered "
                            "cannot be told", status);
    return -1;
}

static int check_known(validator_ask_t *ask, const reply_t *reply,
                       const char **pdetail)
{
    apr_size_t len = strlen(ask->keyauth);

    if (reply->status == 200 && reply->body_len == len
        && memcmp(reply->body, ask->keyauth, len) == 0) {
        *pdetail = "a challenge is answered";
        return 1;
    }
    *pdetail = reply->status == 200
        ? "a challenge is answered by somebody else than mod_acme"
        : apr_psprintf(ask->pool, "a challenge is answered with status "
                       "%d%s%s", reply->status, reply->location ? " to " : "",
                       reply->location ? reply->location : "");
    return 0;
}

static int check_challenge(validator_ask_t *ask, site_t *site,
                           const char **pdetail)
{
    const char *path = apr_pstrcat(ask->pool, CHALLENGE_PATH, ask->token
                                   ? ask->token : UNKNOWN_TOKEN, NULL);
    acme_err_t err = { 0 };
    reply_t reply;

    if (site->stage == STAGE_NONE) {
        *pdetail = "not asked: no connection";
        return -1;
    }
    if (site_ask(&reply, ask, site, path, 1, &err) != APR_SUCCESS) {
        *pdetail = apr_psprintf(ask->pool, "GET %s: %s", path, err.message);
        return 0;
    }
    return ask->token ? check_known(ask, &reply, pdetail)
                      : check_unknown(ask, reply.status, pdetail);
}

void row_challenge(validator_ask_t *ask, validator_answer_t *answer)
{
    answer->ok = -1;
    if (!ask->target->managed) {
        answer->detail = "not asked: mod_acme does not manage the host";
        return;
    }
    if (ask->token_fault && ask->http_n > 0) {
        answer->ok = ask->token_denied ? -1 : 0;
        answer->detail = ask->token_fault;
        return;
    }
    ask_each(ask, ask->http, ask->http_n, NO_HTTP, check_challenge, answer);
}
