/*
 * rig_host.c: the host of rig.h. It keeps books and fails when told to.
 */
#include "rig.h"

#include <apr_strings.h>

static rig_t *rig_of(acme_host_t *host)
{
    return (rig_t *)((char *)host - offsetof(rig_t, host));
}

/* Shall this host call fail? */
static apr_status_t failing(rig_t *rig, const char *call, acme_err_t *e)
{
    if (rig->killed || !rig->fail || strcmp(rig->fail, call)
        || --rig->fail_from > 0) {
        return APR_SUCCESS;
    }
    return base_err_set(e, rig->fail_status ? rig->fail_status : APR_ENOSPC,
                        BASE_EXIT_FAILED, "%s says no", call);
}

/* "Signed" is what the CA of the rig can check without a key. */
static apr_status_t host_sign(acme_host_t *host, const acme_sign_t *sign,
                              const char **pjws, acme_err_t *e,
                              apr_pool_t *p)
{
    rig_t *rig = rig_of(host);
    json_t *jws = json_pack("{s:s, s:s, s:s, s:s*}", "url", sign->url,
                            "nonce", sign->nonce, "payload", sign->payload,
                            "kid", sign->signer == ACME_SIGN_ACCOUNT
                            ? rig->account : NULL);

    *pjws = base_json_text(jws, p);
    json_decref(jws);
    return failing(rig, "sign", e);
}

static apr_status_t host_csr(acme_host_t *host, int job, const char **pcsr,
                             acme_err_t *e, apr_pool_t *p)
{
    char *csr = apr_palloc(p, 201);

    memset(csr, 'M', 200);
    csr[200] = '\0';
    *pcsr = csr;
    return failing(rig_of(host), "csr", e);
}

static apr_status_t host_put(acme_host_t *host, int job, const char *type,
                             const char *identifier, const char *token,
                             apr_time_t expires, acme_err_t *e)
{
    rig_t *rig = rig_of(host);

    ck_assert_int_gt(expires, rig->clock->wall(rig->clock));
    rig->late = rig->late ? rig->late : apr_table_make(rig->pool, 4);
    rig->challenges_up += !apr_table_get(rig->late, identifier);
    if (rig->puts_again > 0) {
        rig->puts_again--;
        apr_table_set(rig->late, identifier, "");
        return APR_EAGAIN;
    }
    apr_table_unset(rig->late, identifier);
    rig->puts++;
    rig->types = apr_pstrcat(rig->pool, rig->types,
                             *rig->types ? " " : "", type, NULL);
    return failing(rig, "put", e);
}

static apr_status_t host_remove(acme_host_t *host, int job, const char *type,
                                const char *token, acme_err_t *e)
{
    rig_t *rig = rig_of(host);

    if (!rig->killed) {
        rig->removes++;
        rig->challenges_up--;
    }
    return failing(rig, "remove", e);
}

static apr_status_t host_directory(acme_host_t *host, int ca,
                                   const json_t *directory, acme_err_t *e)
{
    rig_of(host)->directories++;
    return failing(rig_of(host), "directory", e);
}

static apr_status_t host_account(acme_host_t *host, int ca, const char *url,
                                 const json_t *account, acme_err_t *e)
{
    rig_t *rig = rig_of(host);

    rig->account = apr_pstrdup(rig->pool, url);
    return failing(rig, "account", e);
}

static apr_status_t host_order(acme_host_t *host, int job,
                               const json_t *state, acme_err_t *e)
{
    rig_t *rig = rig_of(host);

    if (rig->killed) {
        return APR_SUCCESS;
    }
    if (failing(rig, state ? "save" : "forget", e) != APR_SUCCESS) {
        return e->status;
    }
    json_decref(rig->saved[job]);
    rig->saved[job] = state ? json_deep_copy(state) : NULL;
    if (state) {
        rig->killed = ++rig->saves == rig->kill_at;
    }
    else {
        rig->forgets++;
    }
    return APR_SUCCESS;
}

static apr_status_t host_certificate(acme_host_t *host, int job,
                                     const char *pem, apr_size_t len,
                                     acme_err_t *e)
{
    rig_t *rig = rig_of(host);

    ck_assert_uint_eq(len, strlen(pem));
    rig->certificates++;
    return failing(rig, "certificate", e);
}

static void host_progress(acme_host_t *host, int job, const char *step)
{
    rig_t *rig = rig_of(host);

    rig->steps = apr_pstrcat(rig->pool, rig->steps, step, "\n", NULL);
}

static void host_done(acme_host_t *host, int job,
                      const acme_result_t *result)
{
    rig_t *rig = rig_of(host);

    rig->done_count[job]++;
    rig->results[job] = *result;
}

const acme_host_t rig_host = {
    host_sign, host_csr, host_put, host_remove, host_directory,
    host_account, host_order, host_certificate, NULL, host_progress, host_done
};
