/*
 * rows.c: the table of checks, and how one question is asked of several
 * addresses.
 */
#include "validator/internal.h"

#include <apr_strings.h>

static const validator_row_t rows[VALIDATOR_ROWS + 1] = {
    { "tcp", "does each address take connections?", 1, row_tcp },
    { "tls", "does a TLS handshake with the name succeed?", 1, row_tls },
    { "protocol", "is it TLS 1.2 or later?", 1, row_protocol },
    { "name", "is the certificate for the name?", 1, row_name },
    { "expiry", "is the certificate valid now?", 1, row_expiry },
    { "chain", "is the chain served the one issued?", 1, row_chain },
    { "verify", "does the chain verify?", 1, row_verify },
    { "key-type", "is the key of the wanted type?", 0, row_key_type },
    { "http", "does https answer like http?", 1, row_http },
    { "redirect", "does http redirect to https as wanted?", 1, row_redirect },
    { "hsts", "is Strict-Transport-Security sent as wanted?", 1, row_hsts },
    { "stapling", "is a good OCSP response stapled as wanted?", 0,
      row_stapling },
    { "challenge", "is the challenge path free?", 1, row_challenge },
    { NULL, NULL, 0, NULL }
};

const validator_row_t *validator_rows(void)
{
    return rows;
}

const validator_check_t *validator_failed(const apr_array_header_t *checks)
{
    int i;

    for (i = 0; i < checks->nelts; i++) {
        const validator_check_t *check = &APR_ARRAY_IDX(checks, i,
                                                        validator_check_t);

        if (check->ok == 0 && check->required) {
            return check;
        }
    }
    return NULL;
}

/** How much an answer weighs: a fault most, then what cannot be told. */
static int weight(int ok)
{
    return ok == 0 ? 2 : ok < 0 ? 1 : 0;
}

void ask_each(validator_ask_t *ask, site_t *sites, int n, const char *none,
              site_check_fn *check, validator_answer_t *answer)
{
    int i;

    answer->ok = -1;
    answer->detail = none;
    for (i = 0; i < n && answer->ok != 0; i++) {
        const char *detail = "";
        int ok = check(ask, &sites[i], &detail);

        if (i == 0 || weight(ok) > weight(answer->ok)) {
            answer->ok = ok;
            answer->detail = apr_pstrcat(ask->pool, sites[i].where, ": ",
                                         detail, NULL);
        }
    }
    if (n > 1 && answer->ok == 1) {
        answer->detail = apr_psprintf(ask->pool, "%s (and %d more)",
                                      answer->detail, n - 1);
    }
}
