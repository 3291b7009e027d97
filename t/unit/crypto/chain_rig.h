/*
 * A root, an intermediate and a leaf for a.example and b.example; what a
 * test changes it makes anew.
 */
#ifndef ACME_UNIT_CRYPTO_CHAIN_RIG_H
#define ACME_UNIT_CRYPTO_CHAIN_RIG_H

#include "unit.h"
#include "fixture.h"

static fix_spec_t ca;
static fix_spec_t sub;
static fix_spec_t leaf;
static X509 *ca_cert;
static X509 *sub_cert;

static inline void chain_setup(void)
{
    memset(&ca, 0, sizeof(ca));
    memset(&sub, 0, sizeof(sub));
    memset(&leaf, 0, sizeof(leaf));
    ca.cn = "root";
    ca.ca = 1;
    ca.key = fix_evp("P-256", pool);
    ca_cert = fix_cert(&ca, pool);
    sub.cn = "middle";
    sub.ca = 1;
    sub.key = fix_evp("P-256", pool);
    sub.issuer = ca_cert;
    sub.issuer_key = ca.key;
    sub_cert = fix_cert(&sub, pool);
    leaf.san = "DNS:a.example,DNS:b.example";
    leaf.key = fix_evp("P-256", pool);
    leaf.issuer = sub_cert;
    leaf.issuer_key = sub.key;
}

static inline apr_array_header_t *read_chain(const char *pem)
{
    apr_array_header_t *certs;

    unit_ok(crypto_chain_read(&certs, pem, strlen(pem), &err, pool));
    return certs;
}

#endif
