/* acmectl config: the document as httpd printed it, or why there is none. */
#include "desk.h"

/* The document is the result's "config", as it is. */
START_TEST(document)
{
    configure(domain_text("\"a.example\"", ""), "");
    cmd_config(cmd);
    unit_ok(cmd->err.status);
    ck_assert(json_equal(json_object_get(cmd->result, "config"),
                         cmd->config));
}
END_TEST

/* Without an httpd there is none, and the result has no such member. */
START_TEST(no_httpd)
{
    cmd->httpd.binary = apr_pstrcat(pool, dir, "/absent", NULL);
    cmd_config(cmd);
    ck_assert_int_ne(cmd->err.status, APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(cmd->err.message, "/absent"));
    ck_assert_ptr_null(json_object_get(cmd->result, "config"));
}
END_TEST

Suite *config_suite(void);
Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = desk_case(suite, "config", store_setup);

    tcase_add_test(tc, document);
    tcase_add_test(tc, no_httpd);
    return suite;
}
