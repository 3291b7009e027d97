/*
 * Names as sites: which hosts serve them, what --vhost may say, and what
 * is told where a question is open.
 */
#include "desk.h"

static cmd_edit_t edit;

static const char *host_text(const char *name, const char *aliases,
                             const char *address, int port, int line)
{
    return apr_psprintf(pool,
        "{\"server_name\":\"%s\",\"aliases\":[%s],\"addresses\":[{"
        "\"text\":\"%s\",\"address\":\"%s\",\"port\":%d}],"
        "\"file\":\"/f\",\"line\":%d,\"macro\":false,\"defined\":\"/f:%d\","
        "\"ssl\":false,\"certificate_file\":false,\"stapling\":false,"
        "\"require_https\":null,\"document_root\":null,\"directives\":[]}",
        name, aliases, address, address, port, line, line);
}

/** A configuration of these hosts, looked at. */
static void look(const char *hosts)
{
    configurator_options_t *options = apr_pcalloc(pool, sizeof(*options));

    configure("", hosts);
    json_object_set_new(json_object_get(cmd->config, "modules"), "acme",
                        json_true());
    cmd->options.vhosts = apr_array_make(pool, 2, sizeof(char *));
    cmd->display_options.silent = 1;
    cmd->display = display_open(&cmd->display_options, pool);
    options->module = "/m.so";
    edit.cmd = cmd;
    unit_ok(configurator_probe(&edit.configurator, cmd->config, options,
                               &err, pool));
}

/** The sites of names (separated by blanks) as "a b|c"; NULL: refused. */
static const char *sites_of(const char *names)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(char *));
    char *rest = apr_pstrdup(pool, names);
    apr_array_header_t *sites;
    const char *text = "";
    char *name;
    int i;

    while ((name = apr_strtok(rest, " ", &rest)) != NULL) {
        APR_ARRAY_PUSH(list, const char *) = name;
    }
    if (cmd_sites_find(&edit, list, &sites) != APR_SUCCESS) {
        return NULL;
    }
    for (i = 0; i < sites->nelts; i++) {
        text = apr_pstrcat(pool, text, i ? "|" : "", apr_array_pstrcat(
            pool, APR_ARRAY_IDX(sites, i, cmd_site_t *)->names, ' '), NULL);
    }
    return text;
}

static void vhost(const char *text)
{
    APR_ARRAY_PUSH(cmd->options.vhosts, const char *) = text;
}

/* ------------------------------------------------------------------- sites */

/** A host of its own; one on IPv4 and IPv6; one on IPv6 alone. */
static void three_hosts(void)
{
    look(apr_pstrcat(pool,
        host_text("own.test", "\"www.own.test\"", "0.0.0.0", 80, 1), ",",
        host_text("four.test", "\"both.test\"", "192.0.2.1", 80, 5), ",",
        host_text("six.test", "\"both.test\"", "2001:db8::1", 80, 9), NULL));
}

/* Names of one host are one site, names of others are others. */
START_TEST(one_host_is_one_site)
{
    three_hosts();
    ck_assert_str_eq(sites_of("own.test four.test www.own.test"),
                     "own.test www.own.test|four.test");
}
END_TEST

/* A name of two hosts makes one site of them, in whatever order. */
START_TEST(a_name_joins_sites)
{
    three_hosts();
    ck_assert_str_eq(sites_of("four.test six.test own.test"),
                     "four.test|six.test|own.test");
    ck_assert_str_eq(sites_of("both.test six.test"), "both.test six.test");
    ck_assert_str_eq(sites_of("four.test own.test six.test both.test"),
                     "four.test six.test both.test|own.test");
}
END_TEST

/* ----------------------------------------------------------------- refused */

/* A name that nobody has is told with what was weighed; the others are
 * looked at all the same. */
START_TEST(strangers_are_told)
{
    three_hosts();
    ck_assert_ptr_null(sites_of("own.test none.test other.test"));
    ck_assert_msg(strstr(cmd->err.message, "none.test") != NULL, "%s",
                  cmd->err.message);
    ck_assert_ptr_nonnull(json_object_get(cmd->result, "candidates"));
}
END_TEST

/** A name on two other ports. */
static void two_ports(void)
{
    look(apr_pstrcat(pool,
        host_text("a.test", "", "0.0.0.0", 8080, 1), ",",
        host_text("a.test", "", "0.0.0.0", 8081, 5), NULL));
    json_object_set(json_object_get(cmd->config, "server"), "listeners",
        parse_json("[{\"address\":\"0.0.0.0\",\"port\":8080,"
                   "\"protocol\":null},{\"address\":\"0.0.0.0\","
                   "\"port\":8081,\"protocol\":null}]"));
    unit_ok(configurator_probe(&edit.configurator, cmd->config,
                               apr_pcalloc(pool,
                                           sizeof(configurator_options_t)),
                               &err, pool));
}

/* Where a question is open and nobody can be asked it is a usage error,
 * with all candidates; --vhost answers it. */
START_TEST(open_questions)
{
    two_ports();
    ck_assert_ptr_null(sites_of("a.test"));
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
    ck_assert_uint_eq(json_array_size(json_object_get(cmd->result,
                                                      "candidates")), 2);
    base_err_clear(&cmd->err);
    vhost("a.test=/f:5");
    ck_assert_str_eq(sites_of("a.test"), "a.test");
}
END_TEST

/* An answer that names no candidate answers nothing. */
START_TEST(wrong_answers)
{
    two_ports();
    vhost("A.test=/f:6");
    ck_assert_ptr_null(sites_of("a.test"));
}
END_TEST

/* What is no answer to any name is a mistake. */
START_TEST(bad_answers)
{
    static const char *const texts[] = {
        "a.test", "a.test=", "=/f:1", "b.test=/f:1", "a.testx=/f:1", ""
    };

    two_ports();
    vhost(texts[_i]);
    ck_assert_ptr_null(sites_of("a.test"));
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
    ck_assert_msg(strstr(cmd->err.message, "--vhost takes") != NULL, "%s",
                  cmd->err.message);
}
END_TEST

Suite *sites_suite(void);
Suite *sites_suite(void)
{
    Suite *suite = suite_create("sites");
    TCase *tc = desk_case(suite, "sites", store_setup);

    tcase_add_test(tc, one_host_is_one_site);
    tcase_add_test(tc, a_name_joins_sites);
    tc = desk_case(suite, "refused", store_setup);
    tcase_add_test(tc, strangers_are_told);
    tcase_add_test(tc, open_questions);
    tcase_add_test(tc, wrong_answers);
    tcase_add_loop_test(tc, bad_answers, 0, 6);
    return suite;
}
