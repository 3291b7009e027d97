/*
 * Unit tests of support/crypto.
 */
#include "unit.h"

Suite *alpn_cert_suite(void);
Suite *key_suite(void);
Suite *jwk_suite(void);
Suite *sign_suite(void);
Suite *csr_suite(void);
Suite *cert_suite(void);
Suite *chain_read_suite(void);
Suite *chain_check_suite(void);
Suite *ocsp_suite(void);
Suite *trust_suite(void);
Suite *tls_suite(void);

int main(void)
{
    Suite *suites[] = {
        alpn_cert_suite(), key_suite(), jwk_suite(), sign_suite(),
        csr_suite(), cert_suite(),
        chain_read_suite(), chain_check_suite(), ocsp_suite(),
        trust_suite(), tls_suite(), NULL
    };

    return unit_run(suites);
}
