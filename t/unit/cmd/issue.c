/*
 * acmectl issue: names and CSRs, and what is refused before a CA is asked.
 * Orders end at a CA that cannot be reached.
 */
#include "desk.h"
#include "worker/stall.h"

static const char *csr_path;

static void setup(void)
{
    const char *ca;

    store_setup();
    ca = apr_psprintf(pool, "\"ca\":[\"%s\"]", stall_nobody(pool));
    configure(apr_pstrcat(pool,
        domain_text("\"a.example\",\"www.a.example\"", ca), ",",
        domain_text("\"b.example\"", apr_pstrcat(pool, ca,
            ",\"private_keys\":[\"P-256\",\"RSA-2048\"]", NULL)), ",",
        domain_text("\"always.example\"", apr_pstrcat(pool, ca,
            ",\"renew_mode\":\"always\"", NULL)), NULL), "");
    csr_path = apr_pstrcat(pool, dir, "/csr", NULL);
}

static void run(const char *first, const char *second)
{
    if (first) {
        APR_ARRAY_PUSH(cmd->args, const char *) = first;
    }
    if (second) {
        APR_ARRAY_PUSH(cmd->args, const char *) = second;
    }
    cmd_issue(cmd);
}

/* Make a CSR for names, NULL behind the last, and give it to --csr. */
static void use_csr(const char *const *names)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(const char *));
    crypto_key_t *key;
    unsigned char *der;
    apr_size_t len;

    while (*names) {
        APR_ARRAY_PUSH(list, const char *) = *names++;
    }
    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_ok(crypto_csr_make(&der, &len, key, list, &err, pool));
    unit_ok(base_file_write(csr_path, (const char *)der, len, 0600, &err,
                            pool));
    cmd->options.csr = csr_path;
}

/* The verb as a whole was refused, and nobody was asked. */
static void refused(base_exit_t exit_status, const char *text)
{
    ck_assert_int_ne(cmd->err.status, APR_SUCCESS);
    ck_assert_int_eq(cmd->err.exit, exit_status);
    ck_assert_msg(strstr(cmd->err.message, text) != NULL, "%s",
                  cmd->err.message);
    ck_assert_ptr_null(json_object_get(cmd->result, "results"));
}

/* NAME:KEY TYPE of all results, which failed for want of a CA. */
static const char *failed(void)
{
    const char *text = "";
    json_t *result;
    size_t i;

    unit_ok(cmd->err.status);
    json_array_foreach(json_object_get(cmd->result, "results"), i, result) {
        ck_assert_str_eq(member(result, "result"), "failed");
        text = apr_pstrcat(pool, text, *text ? " " : "",
                           member(result, "name"), ":",
                           member(result, "key_type"), NULL);
    }
    return text;
}

static int notes(const char *text)
{
    json_t *note;
    size_t i;
    int count = 0;

    json_array_foreach(json_object_get(cmd->result, "notes"), i, note) {
        count += strstr(json_string_value(note), text) != NULL;
    }
    return count;
}

/* ------------------------------------------------------------------- names */

/* Any name of a domain stands for its certificate; there is one a key
 * type. */
START_TEST(names)
{
    run("www.a.example", "b.example");
    ck_assert_str_eq(failed(),
                     "a.example:P-256 b.example:P-256 b.example:RSA-2048");
    ck_assert_int_eq(cmd->exit, BASE_EXIT_BUSY);
}
END_TEST

/* Two names of one domain are one certificate. */
START_TEST(once)
{
    run("a.example", "WWW.A.example");
    ck_assert_str_eq(failed(), "a.example:P-256");
}
END_TEST

/* Whoever asks for a certificate that no host serves is told what becomes of
 * it, unless it is renewed all the same. */
START_TEST(unserved)
{
    run("a.example", "always.example");
    ck_assert_int_eq(notes("no virtual host serves a.example"), 1);
    ck_assert_int_eq(notes("always.example"), 0);
}
END_TEST

/* It takes names or a CSR, one of them. */
START_TEST(usage)
{
    run(NULL, NULL);
    refused(BASE_EXIT_USAGE, "issue needs a name");
    base_err_clear(&cmd->err);
    cmd->options.csr = csr_path;
    run("a.example", NULL);
    refused(BASE_EXIT_USAGE, "the names come from the CSR");
}
END_TEST

/* A stranger, and what is no name at all. */
START_TEST(strangers)
{
    run("a.example", _i ? "../etc" : "c.example");
    refused(BASE_EXIT_USAGE, _i ? "../etc" : "add \"ACMEDomain c.example\"");
}
END_TEST

/* -------------------------------------------------------------------- CSRs */

/* The certificate for a CSR has an id of its own: it never replaces what
 * httpd serves. */
START_TEST(csr)
{
    static const char *const wanted[] = { "www.a.example", "a.example",
                                          NULL };
    json_t *ledger;

    use_csr(wanted);
    run(NULL, NULL);
    ck_assert_str_eq(failed(), "a.example:csr");
    unit_ok(store_ledger_read(&ledger, cmd->store, &err, pool));
    ck_assert_ptr_nonnull(json_object_get(json_object_get(
        ledger, "certificates"), "a.example~csr"));
    ck_assert_int_eq(notes("the certificate is"), 0);
}
END_TEST

/* All of its names belong to one domain. */
START_TEST(csr_of_strangers)
{
    static const char *const wanted[][3] = {
        { "c.example", NULL }, { "a.example", "c.example", NULL },
        { "a.example", "b.example", NULL }
    };
    static const char *const says[] = {
        "add \"ACMEDomain c.example\"", "asks for c.example, which is not "
        "one of the names of ACMEDomain a.example", "asks for b.example"
    };

    use_csr(wanted[_i]);
    run(NULL, NULL);
    refused(BASE_EXIT_USAGE, says[_i]);
}
END_TEST

/* What is no CSR is said to be none. */
START_TEST(no_csr)
{
    const char *const paths[] = {
        apr_pstrcat(pool, dir, "/absent", NULL), csr_path, dir
    };

    write_file(csr_path, "-----BEGIN NONSENSE-----\n");
    cmd->options.csr = paths[_i];
    run(NULL, NULL);
    refused(BASE_EXIT_USAGE, paths[_i]);
}
END_TEST

/* A link to one is followed. */
START_TEST(csr_behind_a_link)
{
    static const char *const wanted[] = { "b.example", NULL };
    const char *link = apr_pstrcat(pool, dir, "/link", NULL);

    use_csr(wanted);
    ck_assert_int_eq(symlink(csr_path, link), 0);
    cmd->options.csr = link;
    run(NULL, NULL);
    ck_assert_str_eq(failed(), "b.example:csr");
}
END_TEST

Suite *issue_suite(void);
Suite *issue_suite(void)
{
    Suite *suite = suite_create("issue");
    TCase *tc = desk_case(suite, "names", setup);

    tcase_add_test(tc, names);
    tcase_add_test(tc, once);
    tcase_add_test(tc, unserved);
    tcase_add_test(tc, usage);
    tcase_add_loop_test(tc, strangers, 0, 2);
    tc = desk_case(suite, "csr", setup);
    tcase_add_test(tc, csr);
    tcase_add_loop_test(tc, csr_of_strangers, 0, 3);
    tcase_add_loop_test(tc, no_csr, 0, 3);
    tcase_add_test(tc, csr_behind_a_link);
    return suite;
}
