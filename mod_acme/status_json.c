/*
 * SetHandler acme-status: everything that pages know, as one JSON document
 * of schemas/state/status.json. It is written piece by piece, so that ten
 * thousand domains cost no more memory than one.
 */
#include "view.h"

#include <jansson.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include <apr_strings.h>

#include "counters.h"

APLOG_USE_MODULE(acme);

#define HANDLER "acme-status"
#define SCHEMA  "acme-status/1"

/* ----------------------------------------------------------------- members */

/* Text of the configuration or the segment; both are bounded, but a name
 * may have been written in any encoding. */
static json_t *text_json(const char *text)
{
    json_t *string = json_string(text);
    char clean[512];

    if (!string) {
        live_text(clean, sizeof(clean), text);
        string = json_string(clean);
    }
    return string;
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? text_json(text) : json_null();
}

static json_t *time_json(apr_time_t t, apr_pool_t *p)
{
    return text_or_null(acme_view_time(t, p));
}

static json_t *seconds_json(apr_interval_time_t time)
{
    return json_real((double)time / APR_USEC_PER_SEC);
}

static json_t *number_json(uint64_t n)
{
    return json_integer((json_int_t)(n & INT64_MAX));
}

static json_t *orders_json(uint64_t issued, uint64_t failed)
{
    return json_pack("{s:o, s:o}", "issued", number_json(issued),
                     "failed", number_json(failed));
}

static json_t *names_json(const acme_domain_t *domain)
{
    json_t *array = json_array();
    int i;

    for (i = 0; i < domain->names->nelts; i++) {
        json_array_append_new(array, text_json(
            APR_ARRAY_IDX(domain->names, i, const char *)));
    }
    return array;
}

static json_t *error_json(const live_status_t *status)
{
    return status->error_type[0]
        ? json_pack("{s:o, s:o}", "type", text_json(status->error_type),
                    "detail", text_json(status->error_detail))
        : json_null();
}

/* ------------------------------------------------------------- its objects */

static json_t *certificate_json(const acme_view_t *view, apr_pool_t *p)
{
    const live_status_t *status = &view->status;

    return json_pack(
        "{s:o, s:o, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o,"
        " s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:i}",
        "name", text_json(view->domain->name),
        "names", names_json(view->domain),
        "key_type", view->certificate->key_type,
        "state", acme_view_state((live_state_t)status->state),
        "renewing", status->ordering != 0,
        "served", view->served,
        "automatic", view->automatic,
        "not_before", time_json(status->not_before, p),
        "not_after", time_json(status->not_after, p),
        "serial", text_or_null(status->serial),
        "issuer", text_or_null(status->issuer),
        "ca", text_or_null(status->ca),
        "renew_at", time_json(status->renew_at, p),
        "next_try", time_json(status->next_try, p),
        "why", text_or_null(status->why),
        "last_success", time_json(status->last_success, p),
        "failures", (int)(status->failures & INT32_MAX),
        "last_error", error_json(status),
        "orders", orders_json(status->issued, status->failed),
        "seconds", seconds_json(status->seconds),
        "generation", number_json(view->generation),
        "swaps", (int)(view->swaps & INT32_MAX));
}

static json_t *manager_json(const acme_manager_view_t *view, apr_pool_t *p)
{
    const live_manager_t *live = &view->live;

    return json_pack("{s:b, s:b, s:o, s:i, s:o, s:o, s:o, s:o}",
                     "enabled", view->enabled, "running", view->running,
                     "pid", view->running ? json_integer(live->pid)
                                          : json_null(),
                     "ordering", view->running
                                 ? (int)(live->ordering & INT32_MAX) : 0,
                     "started", time_json(live->started, p),
                     "last_pass", time_json(live->last_pass, p),
                     "next_wake", time_json(view->running ? live->next_wake
                                                          : 0, p),
                     "trouble", text_or_null(live->trouble));
}

static json_t *cas_json(const live_manager_t *live)
{
    json_t *array = json_array();
    int i;

    for (i = 0; i < LIVE_CAS_MAX && live->cas[i].url[0]; i++) {
        const live_ca_t *ca = &live->cas[i];

        json_array_append_new(array, json_pack(
            "{s:o, s:o, s:o, s:o, s:o}", "url", text_json(ca->url),
            "requests", number_json(ca->requests),
            "replies", number_json(ca->replies),
            "seconds", seconds_json(ca->latency),
            "slowest", seconds_json(ca->slowest)));
    }
    return array;
}

static json_t *challenges_json(void)
{
    static const acme_counter_t first[] = {
        ACME_COUNT_HTTP01_ANSWERED, ACME_COUNT_TLSALPN01_ANSWERED
    };
    json_t *array = json_array();
    int i;

    for (i = 0; i < 2; i++) {
        json_array_append_new(array, json_pack(
            "{s:s, s:o, s:o, s:o}",
            "type", i == 0 ? "http-01" : "tls-alpn-01",
            "answered", number_json(acme_counter(first[i])),
            "refused", number_json(acme_counter(first[i] + 1)),
            "unknown", number_json(acme_counter(first[i] + 2))));
    }
    return array;
}

static json_t *summary_json(const acme_summary_t *summary)
{
    json_t *object = json_pack("{s:i, s:i, s:i, s:i}",
                               "domains", summary->domains,
                               "certificates", summary->certificates,
                               "renewing", summary->ordering,
                               "failing", summary->failing);
    int i;

    for (i = 0; i < ACME_STATES; i++) {
        json_object_set_new(object, acme_view_state((live_state_t)i),
                            json_integer(summary->states[i]));
    }
    return object;
}

/* ----------------------------------------------------------------- writing */

static int write_some(const char *buffer, size_t size, void *baton)
{
    return ap_rwrite(buffer, (int)size, baton) < 0 ? -1 : 0;
}

/* Takes the value. @return 0; -1 if the client has gone or memory has */
static int value_put(request_rec *r, json_t *value)
{
    int rc = value ? json_dump_callback(value, write_some, r, JSON_COMPACT
                                        | JSON_ENCODE_ANY
                                        | JSON_REAL_PRECISION(9)) : -1;

    json_decref(value);
    return rc;
}

static int member_put(request_rec *r, const char *name, json_t *value)
{
    ap_rvputs(r, ",\n\"", name, "\":", NULL);
    return value_put(r, value);
}

static int head_put(request_rec *r, apr_time_t now)
{
    acme_manager_view_t manager;
    acme_summary_t summary;
    const live_t *live = acme_state_get()->live;
    apr_time_t started = live ? live_child_started(live) : 0;

    acme_manager_view_make(&manager);
    acme_summary_make(&summary, now);
    ap_rputs("{\"schema\":\"" SCHEMA "\"", r);
    return member_put(r, "time", time_json(now, r->pool))
        || member_put(r, "restarted", time_json(started, r->pool))
        || member_put(r, "manager", manager_json(&manager, r->pool))
        || member_put(r, "summary", summary_json(&summary))
        || member_put(r, "orders", orders_json(manager.live.issued,
                                               manager.live.failed))
        || member_put(r, "challenges", challenges_json())
        || member_put(r, "handshakes_swapped", number_json(
                          acme_counter(ACME_COUNT_HANDSHAKES_SWAPPED)))
        || member_put(r, "cas", cas_json(&manager.live));
}

static int certificates_put(request_rec *r, apr_time_t now)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    const char *comma = "\n";
    apr_pool_t *iterpool;
    acme_view_t view;
    int i, k, rc = 0;

    apr_pool_create(&iterpool, r->pool);
    ap_rputs(",\n\"certificates\":[", r);
    for (i = 0; i < domains->nelts && rc == 0; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    acme_domain_t *);

        for (k = 0; k < domain->certificates->nelts && rc == 0; k++) {
            apr_pool_clear(iterpool);
            acme_view_make(&view, domain, k, now);
            ap_rputs(comma, r);
            rc = value_put(r, certificate_json(&view, iterpool));
            comma = ",\n";
        }
    }
    apr_pool_destroy(iterpool);
    ap_rputs("]}\n", r);
    return rc;
}

static int handler(request_rec *r)
{
    apr_time_t now = apr_time_now();
    int status;

    if (!r->handler || strcmp(r->handler, HANDLER)) {
        return DECLINED;
    }
    status = acme_view_method(r);
    if (status != OK) {
        return status;
    }
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (!r->header_only
        && (head_put(r, now) != 0 || certificates_put(r, now) != 0)
        && !r->connection->aborted) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "ACME0702: the status is "
                      "cut short: out of memory");
        /* A document that ends too early must not look whole. */
        r->connection->keepalive = AP_CONN_CLOSE;
        return DONE;
    }
    return OK;
}

void acme_status_json_register(apr_pool_t *p)
{
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
