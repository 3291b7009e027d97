/*
 * failure.c: libcurl's failures as sentences that say what was attempted,
 * why it failed and what the administrator can do.
 */
#include "http/curl.h"

#include <string.h>

#include <apr_strings.h>

static const char *whom(const transfer_t *t)
{
    return t->owner->options.responder ? "OCSP responder" : "CA";
}

/** What the admin can check: of a responder, whose URL is the CA's word,
 *  only the network. */
static const char *check(const transfer_t *t, const char *directive)
{
    return t->owner->options.responder ? "it is asked again later"
                                       : directive;
}

static void err_unreachable(acme_err_t *err, const transfer_t *t,
                            apr_status_t status, const char *reason)
{
    base_err_set(err, status, BASE_EXIT_BUSY,
                 "cannot reach the %s at %s: %s; %s", whom(t), t->url,
                 reason, check(t, "check ACMECertificateAuthority and the "
                                  "network"));
}

static void err_connect(acme_err_t *err, const transfer_t *t)
{
    char buf[128];
    long os = 0;

    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
    if (os) {
        err_unreachable(err, t, APR_FROM_OS_ERROR(os),
                        base_strerror(APR_FROM_OS_ERROR(os), buf,
                                      sizeof(buf)));
    }
    else {
        err_unreachable(err, t, APR_EGENERAL, t->reason);
    }
}

static void err_timeout(acme_err_t *err, const transfer_t *t)
{
    curl_off_t connected = 0;
    const char *text;

    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (!connected) {
        err_unreachable(err, t, APR_TIMEUP, "no connection in time");
        return;
    }
    text = apr_psprintf(t->pool, "%.1f",
                        http_curl_ms(t->owner->options.total_timeout) / 1000.0);
    base_err_set(err, APR_TIMEUP, BASE_EXIT_BUSY,
                 "the %s at %s did not finish its reply within %s s or "
                 "stalled; try again later", whom(t), t->url, text);
}

/** What to do about a certificate that is not trusted, by reason. */
static const struct {
    const char *reason;
    const char *cure;
} cures[] = {
    { "subject name", "check the host in ACMECertificateAuthority" },
    { "expired", "check this machine's clock and tell the CA's operator" },
    { "not yet valid", "check this machine's clock" },
    { "", "set ACMECACertificateFile to its root" }   /* all others */
};

static void err_untrusted(acme_err_t *err, const transfer_t *t)
{
    static const char *const prefixes[] = {
        "SSL certificate problem: ", "SSL: ", NULL
    };
    const char *reason = t->reason;
    apr_size_t i;

    for (i = 0; prefixes[i]; i++) {
        if (strncmp(reason, prefixes[i], strlen(prefixes[i])) == 0) {
            reason += strlen(prefixes[i]);
            break;
        }
    }
    for (i = 0; !strstr(reason, cures[i].reason); i++) {
        continue;
    }
    base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                 "the TLS certificate of %s is not trusted (%s); %s",
                 t->url, reason, check(t, cures[i].cure));
}

/** TLS never came up. OpenSSL's own complaint means that it never will. */
static void err_tls(acme_err_t *err, const transfer_t *t)
{
    if (!strstr(t->reason, "error:")) {
        err_unreachable(err, t, APR_EGENERAL, t->reason);
        return;
    }
    base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                 "cannot speak TLS with the %s at %s: %s; %s", whom(t),
                 t->url, t->reason,
                 check(t, "check that ACMECertificateAuthority names an "
                          "https port that offers TLS 1.2 or later"));
}

static void err_refused(acme_err_t *err, const transfer_t *t)
{
    base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                 "the %s at %s sent %s (at most %" APR_SIZE_T_FMT " bytes of "
                 "body and %d of headers are read); %s", whom(t), t->url,
                 t->refused, t->max, HEADER_BYTES_MAX,
                 check(t, "this is no ACME server, check "
                          "ACMECertificateAuthority"));
}

static void err_broken(acme_err_t *err, const transfer_t *t)
{
    base_err_set(err, APR_EGENERAL, BASE_EXIT_BUSY,
                 "the %s at %s broke off: %s; try again later", whom(t),
                 t->url, t->reason);
}

static void err_roots(acme_err_t *err, const transfer_t *t)
{
    base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                 "cannot use the trust roots for %s: %s; check "
                 "ACMECACertificateFile", t->url, t->reason);
}

static void err_resolve(acme_err_t *err, const transfer_t *t)
{
    err_unreachable(err, t, APR_NOTFOUND, "its name does not resolve");
}

/** How each of libcurl's failures is told; the last row is all others. */
static const struct {
    CURLcode code;
    void (*tell)(acme_err_t *err, const transfer_t *t);
} failures[] = {
    { CURLE_COULDNT_CONNECT, err_connect },
    { CURLE_COULDNT_RESOLVE_HOST, err_resolve },
    { CURLE_COULDNT_RESOLVE_PROXY, err_connect },
    { CURLE_PROXY, err_connect },
    { CURLE_OPERATION_TIMEDOUT, err_timeout },
    { CURLE_PEER_FAILED_VERIFICATION, err_untrusted },
    { CURLE_SSL_CACERT_BADFILE, err_roots },
    { CURLE_SSL_CONNECT_ERROR, err_tls },
    { CURLE_OK, err_broken }
};

/* CURLE_TOO_LARGE of libcurl 8.6. Before, it called a header that outgrew its
 * own limit out of memory, which nothing else here ever is. */
#define TOO_LARGE 100

void http_failure(acme_err_t *err, transfer_t *t, CURLcode code)
{
    int i = 0;

    if (!t->reason[0]) {
        apr_cpystrn(t->reason, curl_easy_strerror(code), sizeof(t->reason));
    }
    if (code == CURLE_FILESIZE_EXCEEDED) {
        t->refused = "a body that is too large";
    }
    else if (code == CURLE_OUT_OF_MEMORY || (int)code == TOO_LARGE) {
        t->refused = "a header that is too large";
    }
    if (t->refused) {
        err_refused(err, t);
        return;
    }
    while (failures[i].code != CURLE_OK && failures[i].code != code) {
        i++;
    }
    failures[i].tell(err, t);
}
