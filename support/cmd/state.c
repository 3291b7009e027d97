/*
 * state.c: how a certificate stands: what is kept, what the configuration
 * wants, what failed last.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define DAY apr_time_from_sec(24 * 3600)

/* INTERFACE, ACMERenewWindow: a third of the lifetime, a half where that is
 * under ten days. */
#define WINDOW_PERCENT 33
#define WINDOW_PERCENT_SHORT 50
#define SHORT_LIFETIME (10 * DAY)

static const char *meta_string(const json_t *meta, const char *member)
{
    return json_string_value(json_object_get(meta, member));
}

static apr_time_t meta_time(const json_t *meta, const char *member)
{
    const char *text = meta_string(meta, member);
    apr_time_t t;

    return text && base_time_parse(&t, text) == APR_SUCCESS ? t : 0;
}

/** When the window of ACMERenewWindow opens. */
static apr_time_t window_opens(const json_t *meta, const json_t *settings)
{
    const json_t *window = json_object_get(settings, "renew_window");
    apr_time_t not_after = meta_time(meta, "not_after");
    apr_time_t lifetime = not_after - meta_time(meta, "not_before");
    json_int_t days = json_integer_value(json_object_get(window, "days"));
    json_int_t percent = json_integer_value(json_object_get(window,
                                                            "percent"));

    if (days > 0) {
        /* A window of more days than the certificate has would renew it at
         * each run. */
        return days <= (lifetime - 1) / DAY ? not_after - days * DAY
                                            : not_after - lifetime / 2;
    }
    if (percent <= 0) {
        percent = lifetime < SHORT_LIFETIME ? WINDOW_PERCENT_SHORT
                                            : WINDOW_PERCENT;
    }
    return not_after - lifetime / 100 * percent;
}

/**
 * Some time behind the opening of its window, so that certificates issued
 * together are not renewed together; the same time whoever asks. At least
 * half of the window is left, however short it is.
 */
static apr_interval_time_t spread(const json_t *meta, const char *id,
                                  apr_time_t opens)
{
    apr_time_t not_after = meta_time(meta, "not_after");
    apr_interval_time_t lifetime = not_after - meta_time(meta, "not_before");
    apr_interval_time_t half = (not_after - opens) / 2;
    apr_interval_time_t most = lifetime / 50 < DAY ? lifetime / 50 : DAY;
    apr_uint64_t hash = APR_UINT64_C(14695981039346656037);
    const char *parts[2];
    int i;

    most = most < half ? most : half;
    parts[0] = id;
    parts[1] = meta_string(meta, "serial");
    for (i = 0; i < 2; i++) {
        const char *c;

        /* FNV-1a, 64 bit */
        for (c = parts[i]; *c; c++) {
            hash = (hash ^ (unsigned char)*c) * APR_UINT64_C(1099511628211);
        }
    }
    return most > 0 ? (apr_interval_time_t)(hash % (apr_uint64_t)most) : 0;
}

/** 1 if every string of a is in b, case ignored. */
static int is_subset(const json_t *a, const json_t *b)
{
    json_t *x;
    json_t *y;
    size_t i;
    size_t k;

    json_array_foreach(a, i, x) {
        int found = 0;

        json_array_foreach(b, k, y) {
            found |= strcasecmp(json_string_value(x),
                                json_string_value(y)) == 0;
        }
        if (!found) {
            return 0;
        }
    }
    return 1;
}

static int same_set(const json_t *a, const json_t *b)
{
    return is_subset(a, b) && is_subset(b, a);
}

static int holds_string(const json_t *array, const char *text)
{
    json_t *item;
    size_t i;

    json_array_foreach(array, i, item) {
        if (strcmp(json_string_value(item), text) == 0) {
            return 1;
        }
    }
    return 0;
}

/** How the kept certificate differs from what is configured; or NULL. */
static const char *difference(const cmd_certificate_t *c)
{
    const json_t *settings = json_object_get(c->domain, "settings");

    if (!same_set(json_object_get(c->meta, "names"),
                  json_object_get(c->domain, "names"))) {
        return "its names are not the configured ones";
    }
    if (strcasecmp(meta_string(c->meta, "key_type"), c->key_type) != 0) {
        return "its key type is not the configured one";
    }
    if (!holds_string(json_object_get(settings, "ca"),
                      meta_string(c->meta, "ca"))) {
        return "another CA issued it";
    }
    if (json_is_true(json_object_get(c->meta, "must_staple"))
        != json_is_true(json_object_get(settings, "must_staple"))) {
        return "ACMEMustStaple was changed since";
    }
    if (meta_string(c->meta, "revoked")) {
        return "it is revoked";
    }
    return NULL;
}

static void judge(cmd_t *cmd, cmd_certificate_t *c)
{
    const json_t *settings = json_object_get(c->domain, "settings");
    apr_time_t now = cmd->clock->wall(cmd->clock);
    apr_time_t opens = window_opens(c->meta, settings);

    c->opens = opens;
    c->renew_at = opens + spread(c->meta, c->id, opens);
    c->why = difference(c);
    if (meta_time(c->meta, "not_after") <= now) {
        c->state = "expired";
    }
    else if (c->why || c->renew_at <= now) {
        c->state = "due";
    }
    else {
        c->state = "valid";
    }
}

/** Its meta.json, checked: files may have been edited or damaged. */
static void read_meta(cmd_t *cmd, cmd_certificate_t *c)
{
    acme_err_t err = { 0 };
    json_t *meta;
    apr_status_t rv;

    rv = cmd->store ? store_certificate_meta(&meta, cmd->store, c->id, &err,
                                             cmd->pool) : APR_ENOENT;
    if (rv == APR_SUCCESS) {
        rv = schema_check(schema_find(cmd->schemas, "state/certificate"),
                          meta, "meta.json", &err);
    }
    if (rv == APR_SUCCESS) {
        c->meta = meta;
        judge(cmd, c);
    }
    else if (APR_STATUS_IS_ENOENT(rv)) {
        c->state = "missing";
    }
    else {
        c->state = "error";
        c->why = apr_pstrdup(cmd->pool, err.message);
    }
}

void cmd_certificate_refresh(cmd_t *cmd, cmd_certificate_t *c,
                             const json_t *ledger)
{
    c->meta = NULL;
    c->why = NULL;
    c->opens = 0;
    c->renew_at = 0;
    c->entry = json_object_get(json_object_get(ledger, "certificates"),
                               c->id);
    read_meta(cmd, c);
}

cmd_certificate_t *cmd_certificate_again(cmd_t *cmd,
                                         const cmd_certificate_t *c,
                                         const json_t *ledger)
{
    cmd_certificate_t *again = apr_pmemdup(cmd->pool, c, sizeof(*c));

    cmd_certificate_refresh(cmd, again, ledger);
    return again;
}

void cmd_certificates_of(cmd_t *cmd, const json_t *domain,
                         const json_t *ledger,
                         apr_array_header_t *certificates)
{
    const json_t *types = json_object_get(
        json_object_get(domain, "settings"), "private_keys");
    json_t *type;
    size_t i;

    json_array_foreach(types, i, type) {
        cmd_certificate_t *c = apr_pcalloc(cmd->pool, sizeof(*c));

        c->domain = domain;
        c->key_type = json_string_value(type);
        c->ledger = ledger;
        c->id = store_certificate_id(cmd_domain_name(domain), c->key_type,
                                     i == 0, cmd->pool);
        cmd_certificate_refresh(cmd, c, ledger);
        APR_ARRAY_PUSH(certificates, cmd_certificate_t *) = c;
    }
}

int cmd_certificate_due(const cmd_certificate_t *certificate)
{
    return strcmp(certificate->state, "valid") != 0;
}

static json_t *or_null(const json_t *value)
{
    return value ? json_incref((json_t *)value) : json_null();
}

static json_t *files_json(cmd_t *cmd, const char *id)
{
    return json_pack("{s:s, s:s, s:s}", "cert",
                     store_certificate_path(cmd->store, id, "fullchain.pem",
                                            cmd->pool),
                     "key", store_certificate_path(cmd->store, id, "key.pem",
                                                   cmd->pool),
                     "chain", store_certificate_path(cmd->store, id,
                                                     "chain.pem",
                                                     cmd->pool));
}

/** When the manager asks again, where a failure holds it back. */
static json_t *next_try(cmd_t *cmd, const cmd_certificate_t *c)
{
    apr_time_t now = cmd->clock->wall(cmd->clock);
    apr_time_t ours = cmd_held_until(c->entry, "next_try", now);
    apr_time_t theirs = cmd_held_until(c->entry, "retry_at", now);
    apr_time_t at = theirs > ours ? theirs : ours;

    return at ? json_string(base_time_text(at, cmd->pool)) : json_null();
}

json_t *cmd_certificate_json(cmd_t *cmd, const cmd_certificate_t *c)
{
    static const char *const copied[] = {
        "not_before", "not_after", "serial", "sha256", "issuer", "ca"
    };
    json_t *object;
    size_t i;

    object = json_pack("{s:s, s:O, s:s, s:s}",
                       "name", cmd_domain_name(c->domain),
                       "names", json_object_get(c->domain, "names"),
                       "key_type", c->key_type, "state", c->state);
    for (i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
        json_object_set_new(object, copied[i],
                            or_null(json_object_get(c->meta, copied[i])));
    }
    json_object_set_new(object, "renew_at", c->renew_at
                        ? json_string(base_time_text(c->renew_at, cmd->pool))
                        : json_null());
    json_object_set_new(object, "next_try", next_try(cmd, c));
    json_object_set_new(object, "why", c->why ? json_string(c->why)
                                              : json_null());
    json_object_set_new(object, "last_error",
                        or_null(json_object_get(c->entry, "last_error")));
    json_object_set_new(object, "staple", cmd_staple_json(c->ledger, c));
    json_object_set_new(object, "files", c->meta ? files_json(cmd, c->id)
                                                 : json_null());
    json_object_set_new(object, "used_by", cmd_domain_users(cmd, c->domain));
    return object;
}
