/*
 * SetHandler acme-metrics: Prometheus's text format 0.0.4.
 *
 * Each metric is one row: name, type, help, and a function that writes its
 * samples. Those of certificates are written in one pass a metric, as the
 * format wants the samples of a metric together.
 *
 * Source: Prometheus, "Exposition formats"; "Metric and label naming".
 */
#include "view.h"

#include <http_config.h>
#include <http_protocol.h>

#include <apr_strings.h>

#include "counters.h"

#define HANDLER "acme-metrics"
#define TYPE    "text/plain; version=0.0.4; charset=utf-8"

/* One answer in the making. */
typedef struct answer_t {
    request_rec *r;
    apr_time_t now;
    apr_pool_t *pool;            /* of one sample */
    acme_manager_view_t manager;
    acme_summary_t summary;
} answer_t;

typedef struct metric_t {
    const char *name;
    const char *type;
    const char *help;
    void (*samples)(const answer_t *answer, const struct metric_t *metric);
    int member;                  /* which of several that samples can write */
} metric_t;

/* ------------------------------------------------------------------- values */

/* A label's value: "\", quotes and newlines escaped. */
static const char *label(const char *text, apr_pool_t *p)
{
    char *to = apr_palloc(p, 2 * strlen(text) + 1);
    char *at = to;

    for (; *text; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n') {
            *at++ = '\\';
        }
        *at++ = *text == '\n' ? 'n' : *text;
    }
    *at = '\0';
    return to;
}

static const char *seconds(apr_time_t t, apr_pool_t *p)
{
    return apr_psprintf(p, "%" APR_TIME_T_FMT ".%06d", apr_time_sec(t),
                        (int)apr_time_usec(t));
}

static const char *number(uint64_t n, apr_pool_t *p)
{
    return apr_psprintf(p, "%" APR_UINT64_T_FMT, n);
}

/* ------------------------------------------------------------ certificates */

typedef enum member_t {
    NOT_BEFORE, NOT_AFTER, RENEW_AT, LAST_SUCCESS, FAILURES, GENERATION,
    SWAPS
} member_t;

/* NULL: there is nothing to tell. */
static const char *member_value(const acme_view_t *view, member_t member,
                                apr_pool_t *p)
{
    const live_status_t *status = &view->status;
    apr_time_t t = 0;

    switch (member) {
    case NOT_BEFORE:
        t = status->not_before;
        break;
    case NOT_AFTER:
        t = status->not_after;
        break;
    case RENEW_AT:
        t = status->renew_at;
        break;
    case LAST_SUCCESS:
        t = status->last_success;
        break;
    case FAILURES:
        return number(status->failures, p);
    case GENERATION:
        return number(view->generation, p);
    case SWAPS:
        return number(view->swaps, p);
    }
    return t ? seconds(t, p) : NULL;
}

static void certificate_samples(const answer_t *answer,
                                const metric_t *metric)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    acme_view_t view;
    int i, k;

    for (i = 0; i < domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    acme_domain_t *);

        for (k = 0; k < domain->certificates->nelts; k++) {
            const char *value;

            apr_pool_clear(answer->pool);
            acme_view_make(&view, domain, k, answer->now);
            value = member_value(&view, (member_t)metric->member,
                                 answer->pool);
            if (value) {
                ap_rvputs(answer->r, metric->name, "{name=\"",
                          label(domain->name, answer->pool),
                          "\",key_type=\"", view.certificate->key_type,
                          "\"} ", value, "\n", NULL);
            }
        }
    }
}

static void states_samples(const answer_t *answer, const metric_t *metric)
{
    int i;

    for (i = 0; i < ACME_STATES; i++) {
        ap_rprintf(answer->r, "%s{state=\"%s\"} %d\n", metric->name,
                   acme_view_state((live_state_t)i),
                   answer->summary.states[i]);
    }
}

/* ---------------------------------------------------------------- counters */

static void orders_samples(const answer_t *answer, const metric_t *metric)
{
    const live_manager_t *live = &answer->manager.live;

    ap_rprintf(answer->r, "%s{result=\"issued\"} %" APR_UINT64_T_FMT "\n"
               "%s{result=\"failed\"} %" APR_UINT64_T_FMT "\n", metric->name,
               live->issued, metric->name, live->failed);
}

static void challenges_samples(const answer_t *answer,
                               const metric_t *metric)
{
    static const struct {
        acme_counter_t counter;
        const char *type;
        const char *result;
    } rows[] = {
        { ACME_COUNT_HTTP01_ANSWERED, "http-01", "answered" },
        { ACME_COUNT_HTTP01_REFUSED, "http-01", "refused" },
        { ACME_COUNT_HTTP01_UNKNOWN, "http-01", "unknown" },
        { ACME_COUNT_TLSALPN01_ANSWERED, "tls-alpn-01", "answered" },
        { ACME_COUNT_TLSALPN01_REFUSED, "tls-alpn-01", "refused" },
        { ACME_COUNT_TLSALPN01_UNKNOWN, "tls-alpn-01", "unknown" }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ap_rprintf(answer->r, "%s{type=\"%s\",result=\"%s\"} %"
                   APR_UINT64_T_FMT "\n", metric->name, rows[i].type,
                   rows[i].result, acme_counter(rows[i].counter));
    }
}

static void counter_sample(const answer_t *answer, const metric_t *metric)
{
    ap_rprintf(answer->r, "%s %" APR_UINT64_T_FMT "\n", metric->name,
               acme_counter((acme_counter_t)metric->member));
}

/* ----------------------------------------------------------------- the CAs */

typedef enum ca_member_t { CA_REQUESTS, CA_RESPONSES, CA_SLOWEST } ca_member_t;

static void ca_sample(const answer_t *answer, const metric_t *metric,
                      const live_ca_t *ca)
{
    apr_pool_t *p = answer->pool;
    const char *url = label(ca->url, p), *name = metric->name;

    switch ((ca_member_t)metric->member) {
    case CA_REQUESTS:
        ap_rvputs(answer->r, name, "{ca=\"", url, "\"} ",
                  number(ca->requests, p), "\n", NULL);
        return;
    case CA_RESPONSES:
        ap_rvputs(answer->r, name, "_sum{ca=\"", url, "\"} ",
                  seconds(ca->latency, p), "\n", name, "_count{ca=\"", url,
                  "\"} ", number(ca->replies, p), "\n", NULL);
        return;
    case CA_SLOWEST:
        ap_rvputs(answer->r, name, "{ca=\"", url, "\"} ",
                  seconds(ca->slowest, p), "\n", NULL);
        return;
    }
}

static void cas_samples(const answer_t *answer, const metric_t *metric)
{
    const live_manager_t *live = &answer->manager.live;
    int i;

    for (i = 0; i < LIVE_CAS_MAX && live->cas[i].url[0]; i++) {
        apr_pool_clear(answer->pool);
        ca_sample(answer, metric, &live->cas[i]);
    }
}

/* ------------------------------------------------------------- the manager */

typedef enum manager_member_t {
    MANAGER_UP, MANAGER_ORDERING, MANAGER_PASS, MANAGER_WAKE
} manager_member_t;

static const char *manager_value(const answer_t *answer,
                                 manager_member_t member)
{
    const acme_manager_view_t *view = &answer->manager;
    apr_time_t t = 0;

    switch (member) {
    case MANAGER_UP:
        return view->running ? "1" : "0";
    case MANAGER_ORDERING:
        return number(view->running ? view->live.ordering : 0,
                      answer->pool);
    case MANAGER_PASS:
        t = view->live.last_pass;
        break;
    case MANAGER_WAKE:
        t = view->running ? view->live.next_wake : 0;
        break;
    }
    return t ? seconds(t, answer->pool) : NULL;
}

static void manager_sample(const answer_t *answer, const metric_t *metric)
{
    const char *value = manager_value(answer,
                                      (manager_member_t)metric->member);

    if (value) {
        ap_rvputs(answer->r, metric->name, " ", value, "\n", NULL);
    }
}

/* --------------------------------------------------------------- the table */

static const metric_t metrics[] = {
    { "acme_certificates", "gauge", "Certificates by state.",
      states_samples, 0 },
    { "acme_certificate_not_before_timestamp_seconds", "gauge",
      "When the certificate began to be valid.", certificate_samples,
      NOT_BEFORE },
    { "acme_certificate_not_after_timestamp_seconds", "gauge",
      "When the certificate ends.", certificate_samples, NOT_AFTER },
    { "acme_certificate_renew_at_timestamp_seconds", "gauge",
      "When the certificate is to be renewed.", certificate_samples,
      RENEW_AT },
    { "acme_certificate_last_success_timestamp_seconds", "gauge",
      "When an order for the certificate ended well for the last time.",
      certificate_samples, LAST_SUCCESS },
    { "acme_certificate_failures", "gauge",
      "Orders that failed since the last success.", certificate_samples,
      FAILURES },
    { "acme_certificate_generation", "gauge",
      "Number in the store of the certificate that is served, 0 for none.",
      certificate_samples, GENERATION },
    { "acme_certificate_swaps", "gauge",
      "Certificates that came since httpd was started or restarted.",
      certificate_samples, SWAPS },
    { "acme_orders_total", "counter", "Orders that ended, by result.",
      orders_samples, 0 },
    { "acme_challenges_served_total", "counter",
      "Requests for challenges, by type and result.", challenges_samples,
      0 },
    { "acme_handshakes_swapped_total", "counter",
      "Full TLS handshakes by a certificate that came since httpd was "
      "started or restarted.", counter_sample,
      ACME_COUNT_HANDSHAKES_SWAPPED },
    { "acme_ca_requests_total", "counter", "Requests sent to the CA.",
      cas_samples, CA_REQUESTS },
    { "acme_ca_response_seconds", "summary",
      "How long the CA took for its responses.", cas_samples,
      CA_RESPONSES },
    { "acme_ca_slowest_response_seconds", "gauge",
      "The slowest response of the last run.", cas_samples, CA_SLOWEST },
    { "acme_manager_up", "gauge", "1 if acmectl serve runs.",
      manager_sample, MANAGER_UP },
    { "acme_manager_orders", "gauge", "Orders the manager has under way.",
      manager_sample, MANAGER_ORDERING },
    { "acme_manager_last_pass_timestamp_seconds", "gauge",
      "When the manager last looked at all certificates.", manager_sample,
      MANAGER_PASS },
    { "acme_manager_next_wake_timestamp_seconds", "gauge",
      "When the manager will look at them next.", manager_sample,
      MANAGER_WAKE }
};

static void metrics_put(answer_t *answer)
{
    apr_size_t i;

    for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        ap_rvputs(answer->r, "# HELP ", metrics[i].name, " ",
                  metrics[i].help, "\n# TYPE ", metrics[i].name, " ",
                  metrics[i].type, "\n", NULL);
        metrics[i].samples(answer, &metrics[i]);
    }
}

static int handler(request_rec *r)
{
    answer_t answer;
    int status;

    if (!r->handler || strcmp(r->handler, HANDLER)) {
        return DECLINED;
    }
    status = acme_view_method(r);
    if (status != OK) {
        return status;
    }
    ap_set_content_type(r, TYPE);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (r->header_only) {
        return OK;
    }
    answer.r = r;
    answer.now = apr_time_now();
    apr_pool_create(&answer.pool, r->pool);
    acme_manager_view_make(&answer.manager);
    acme_summary_make(&answer.summary, answer.now);
    metrics_put(&answer);
    return OK;
}

void acme_metrics_register(apr_pool_t *p)
{
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
