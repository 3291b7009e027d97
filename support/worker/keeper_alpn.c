/*
 * keeper_alpn.c: answers to tls-alpn-01 challenges (RFC 8737).
 *
 * httpd can show one certificate for a name, and a CA that looks for another
 * order's finds this one: orders for the same name (certificates of several
 * key types) take turns. Who holds a name is known in this process alone:
 * what a killed one left in the segment is overwritten.
 */
#include <string.h>

#include <apr_strings.h>

#include "worker/keeper.h"

#define NOBODY (-1)

/** A name of the plan, and whose challenge is answered for it now. */
typedef struct holder_t {
    int job;                         /* NOBODY */
    char token[LIVE_TOKEN_MAX + 1];
} holder_t;

/* One key for each type serves all challenges of a run: it proves nothing,
 * and making an RSA key takes longer than all the rest. */
static apr_status_t keys_make(keeper_t *keeper, acme_err_t *err)
{
    static const crypto_key_type_t types[LIVE_ANSWER_TYPES] = {
        [LIVE_ANSWER_EC] = CRYPTO_P256, [LIVE_ANSWER_RSA] = CRYPTO_RSA2048
    };
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < LIVE_ANSWER_TYPES && rv == APR_SUCCESS; i++) {
        if (!keeper->alpn_keys[i]) {
            rv = crypto_key_generate(&keeper->alpn_keys[i], types[i], err,
                                     keeper->pool);
        }
    }
    return rv;
}

static void holders_make(keeper_t *keeper)
{
    const apr_array_header_t *jobs = keeper->options.plan->jobs;
    int i, k;

    keeper->holders = apr_hash_make(keeper->pool);
    for (i = 0; i < jobs->nelts; i++) {
        const worker_job_t *wj = keeper_job(keeper, i);

        for (k = 0; wj->kind == WORKER_ORDER && k < wj->order.names->nelts;
             k++) {
            const char *name = APR_ARRAY_IDX(wj->order.names, k,
                                             const char *);

            if (!apr_hash_get(keeper->holders, name, APR_HASH_KEY_STRING)) {
                holder_t *holder = apr_pcalloc(keeper->pool,
                                               sizeof(*holder));

                holder->job = NOBODY;
                apr_hash_set(keeper->holders, name, APR_HASH_KEY_STRING,
                             holder);
            }
        }
    }
}

static holder_t *holder_of(keeper_t *keeper, const char *name)
{
    if (!keeper->holders) {
        holders_make(keeper);
    }
    return apr_hash_get(keeper->holders, name, APR_HASH_KEY_STRING);
}

static apr_status_t answer_make(live_answer_t *answer, keeper_t *keeper,
                                const char *name, const char *keyauth,
                                acme_err_t *err, apr_pool_t *pool)
{
    base_clock_t *clock = keeper->options.clock;
    apr_status_t rv = keys_make(keeper, err);
    int i;

    for (i = 0; i < LIVE_ANSWER_TYPES && rv == APR_SUCCESS; i++) {
        char *cert = NULL;
        char *key = NULL;
        apr_size_t len;

        rv = crypto_alpn_cert(&cert, keeper->alpn_keys[i], name, keyauth,
                              clock->wall(clock), err, pool);
        if (rv == APR_SUCCESS) {
            rv = crypto_key_write(&key, &len, keeper->alpn_keys[i], err,
                                  pool);
        }
        answer->cert[i] = cert;
        answer->key[i] = key;
    }
    return rv;
}

apr_status_t keeper_alpn_put(keeper_t *keeper, int job, const char *name,
                             const char *token, const char *keyauth,
                             apr_time_t expires, acme_err_t *err)
{
    holder_t *holder = holder_of(keeper, name);
    live_answer_t answer;
    apr_pool_t *pool;
    apr_status_t rv;

    if (holder->job != NOBODY && holder->job != job) {
        return base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                            "another order proves control of %s now", name);
    }
    apr_pool_create(&pool, keeper->pool);
    rv = answer_make(&answer, keeper, name, keyauth, err, pool);
    if (rv == APR_SUCCESS) {
        rv = live_writer_name_put(keeper->live, name, &answer, expires);
    }
    if (rv == APR_SUCCESS) {
        holder->job = job;
        apr_cpystrn(holder->token, token, sizeof(holder->token));
    }
    apr_pool_destroy(pool);
    return rv;
}

apr_status_t keeper_alpn_remove(keeper_t *keeper, int job, const char *token)
{
    const worker_job_t *wj = keeper_job(keeper, job);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; wj->kind == WORKER_ORDER && i < wj->order.names->nelts;
         i++) {
        const char *name = APR_ARRAY_IDX(wj->order.names, i, const char *);
        holder_t *holder = holder_of(keeper, name);

        if (holder->job == job && strcmp(holder->token, token) == 0) {
            holder->job = NOBODY;
            rv = live_writer_name_remove(keeper->live, name);
        }
    }
    return rv;
}
