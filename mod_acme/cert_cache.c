/*
 * The process's certificates: see cert_cache.h.
 *
 *   version of the slot   = good's   -> good, by reference
 *                         = bad      -> good, the last one, or none
 *                         else       -> copy, parse, check; then
 *                                       good := it, or bad := its version
 *
 * Each user holds a reference, so that good can be replaced while another
 * thread's handshake still uses it.
 */
#include "cert_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <apr_strings.h>

/*
 * Not of a pool: in a child that is told to end, pools can go while threads
 * still answer. The same holds for what the cache has; the end of the
 * process frees it. The parent never locks, so forking is harmless.
 */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void cache_lock(void)
{
    pthread_mutex_lock(&mutex);
}

static void cache_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* --------------------------------------------------------------- parsing */

static void parsed_free(acme_parsed_t *parsed)
{
    X509_free(parsed->leaf);
    sk_X509_pop_free(parsed->chain, X509_free);
    EVP_PKEY_free(parsed->key);
    free(parsed);
}

/* Nobody is there to be asked for a pass phrase. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *data)
{
    return 0;
}

static int chain_parse(acme_parsed_t *parsed, const char *pem,
                       apr_size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509 *cert;
    int ok;

    if (!bio) {
        return 0;
    }
    parsed->leaf = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
    ok = parsed->leaf != NULL;
    while (ok && (cert = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL))) {
        if (!sk_X509_push(parsed->chain, cert)) {
            X509_free(cert);
            ok = 0;
        }
    }
    /* The end of the text is "no start line"; all else is damage. */
    ok = ok && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    return ok;
}

static int key_parse(acme_parsed_t *parsed, const char *pem, apr_size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);

    if (!bio) {
        return 0;
    }
    parsed->key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    return parsed->key != NULL;
}

/* NULL, or what is wrong with copy. */
static const char *parsed_fill(acme_parsed_t *parsed,
                               const live_certificate_t *copy)
{
    const char *pem = (const char *)copy->pem;

    parsed->refs = 1;
    parsed->version = copy->version;
    parsed->generation = copy->generation;
    parsed->chain = sk_X509_new_null();
    if (!parsed->chain) {
        return "OpenSSL is out of memory";
    }
    if (!chain_parse(parsed, pem + copy->key_len, copy->chain_len)) {
        return "its chain is damaged";
    }
    if (!key_parse(parsed, pem, copy->key_len)) {
        return "its key is damaged";
    }
    if (X509_check_private_key(parsed->leaf, parsed->key) != 1) {
        return "its key belongs to another certificate";
    }
    return NULL;
}

/* Parse what the slot holds now. @param pbad  set if that cannot be served:
 * its version; 0: nothing is known, try again at the next handshake */
static acme_parsed_t *slot_parse(uint32_t *pbad, const char **pfault,
                                 const live_t *live, uint32_t slot)
{
    live_certificate_t *copy = malloc(sizeof(*copy));
    acme_parsed_t *parsed = calloc(1, sizeof(*parsed));
    apr_status_t rv = APR_ENOMEM;

    *pbad = 0;
    *pfault = NULL;
    if (copy && parsed) {
        rv = live_child_certificate(copy, live, slot);
    }
    if (rv == APR_SUCCESS) {
        ERR_clear_error();
        *pfault = parsed_fill(parsed, copy);
        ERR_clear_error();
    }
    else if (rv == APR_EINVAL) {
        *pfault = "its place in the live segment is damaged";
    }
    if (*pfault) {
        *pbad = copy->version;
    }
    if (parsed && (rv != APR_SUCCESS || *pfault)) {
        parsed_free(parsed);
        parsed = NULL;
    }
    if (copy) {
        OPENSSL_cleanse(copy, sizeof(*copy));
        free(copy);
    }
    return parsed;
}

/* ----------------------------------------------------------------- cache */

/* Under the lock: the last reference frees. */
static void reference_drop(acme_parsed_t *parsed)
{
    if (parsed && --parsed->refs == 0) {
        parsed_free(parsed);
    }
}

static acme_parsed_t *reference_add(acme_parsed_t *parsed)
{
    if (parsed) {
        parsed->refs++;
    }
    return parsed;
}

void acme_cache_release(acme_parsed_t *parsed)
{
    cache_lock();
    reference_drop(parsed);
    cache_unlock();
}

/* Under the lock: does the cache know version? */
static int version_known(const acme_cached_t *cached, uint32_t version)
{
    return version == cached->bad
        || (cached->good && cached->good->version == version);
}

/* Under the lock: keep parsed, or what another thread was first with. */
static void parsed_keep(acme_cached_t *cached, acme_parsed_t *parsed)
{
    if (version_known(cached, parsed->version)) {
        reference_drop(parsed);
        return;
    }
    reference_drop(cached->good);
    cached->good = parsed;
}

acme_parsed_t *acme_cache_take(acme_cached_t *cached, const live_t *live,
                               uint32_t slot, char *fault)
{
    uint32_t bad, version = live_child_version(live, slot);
    const char *reason;
    acme_parsed_t *parsed, *taken;

    *fault = '\0';
    if (version == 0) {
        return NULL;
    }
    cache_lock();
    if (version_known(cached, version)) {
        taken = reference_add(cached->good);
        cache_unlock();
        return taken;
    }
    cache_unlock();
    parsed = slot_parse(&bad, &reason, live, slot);
    cache_lock();
    if (parsed) {
        parsed_keep(cached, parsed);
    }
    else if (reason && bad != cached->bad) {
        cached->bad = bad;
        apr_cpystrn(fault, reason, ACME_FAULT_MAX);
    }
    taken = reference_add(cached->good);
    cache_unlock();
    return taken;
}

int acme_cache_refuse(acme_cached_t *cached, const acme_parsed_t *parsed)
{
    int first;

    cache_lock();
    first = cached->bad != parsed->version;
    cached->bad = parsed->version;
    if (cached->good == parsed) {
        reference_drop(cached->good);
        cached->good = NULL;
    }
    cache_unlock();
    return first;
}

int acme_cache_serves(const acme_cached_t *cached, const live_t *live,
                      uint32_t slot)
{
    uint32_t version = live_child_version(live, slot);

    if (version == 0) {
        return 0;
    }
    return __atomic_load_n(&cached->bad, __ATOMIC_RELAXED) != version
        || __atomic_load_n(&cached->good, __ATOMIC_RELAXED) != NULL;
}

void acme_cache_forget(acme_cached_t *cached)
{
    cache_lock();
    reference_drop(cached->good);
    cached->good = NULL;
    cached->bad = 0;
    cache_unlock();
}
