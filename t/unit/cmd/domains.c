/*
 * Domains, their CAs and their users, as the configuration has them; and
 * the plan made of them.
 */
#include "desk.h"

static json_t *domain(size_t i)
{
    return json_array_get(json_object_get(cmd->config, "domains"), i);
}

/* A virtual host of a file at a line. */
static const char *host(const char *file, int line, const char *ssl,
                        const char *certificate_file)
{
    return apr_psprintf(pool, "{\"server_name\":null,\"aliases\":[],"
                        "\"addresses\":[],\"file\":%s,\"line\":%s,"
                        "\"macro\":false,\"defined\":\"d\",\"ssl\":%s,"
                        "\"certificate_file\":%s,\"stapling\":false,"
                        "\"require_https\":null,\"document_root\":null,"
                        "\"directives\":[]}",
                        file, line ? apr_itoa(pool, line) : "null", ssl,
                        certificate_file);
}

/* ----------------------------------------------------------------- domains */

/* A name belongs to the domain that lists it, whatever its case; a wildcard
 * stands for itself alone. */
START_TEST(names_find_their_domain)
{
    configure(apr_pstrcat(pool, domain_text("\"a.example\",\"b.example\"",
                                            ""), ",",
                          domain_text("\"*.c.example\"", ""), NULL), "");
    ck_assert_ptr_eq(cmd_domain_find(cmd, "a.example"), domain(0));
    ck_assert_ptr_eq(cmd_domain_find(cmd, "B.EXAMPLE"), domain(0));
    ck_assert_ptr_eq(cmd_domain_find(cmd, "*.c.example"), domain(1));
    ck_assert_ptr_null(cmd_domain_find(cmd, "x.c.example"));
    ck_assert_ptr_null(cmd_domain_find(cmd, "c.example"));
    ck_assert_ptr_null(cmd_domain_find(cmd, "xa.example"));
    ck_assert_ptr_null(cmd_domain_find(cmd, ""));
    ck_assert_str_eq(cmd_domain_name(domain(0)), "a.example");
}
END_TEST

/* Names among the arguments lead to their domains, each once, as they are
 * written; a stranger is told what to add, one that is no name why. */
START_TEST(arguments_name_their_domains)
{
    static const char *const names[] = {
        "*.c.example", "B.example", "a.example"
    };
    apr_array_header_t *domains;
    int i;

    configure(apr_pstrcat(pool, domain_text("\"a.example\",\"b.example\"",
                                            ""), ",",
                          domain_text("\"*.c.example\"", ""), NULL), "");
    for (i = 0; i < 3; i++) {
        APR_ARRAY_PUSH(cmd->args, const char *) = names[i];
    }
    unit_ok(cmd_domains_named(cmd, &domains));
    ck_assert_int_eq(domains->nelts, 2);
    ck_assert_ptr_eq(APR_ARRAY_IDX(domains, 0, json_t *), domain(1));
    ck_assert_ptr_eq(APR_ARRAY_IDX(domains, 1, json_t *), domain(0));
    APR_ARRAY_PUSH(cmd->args, const char *) = "x.example";
    ck_assert_int_eq(cmd_domains_named(cmd, &domains), APR_ENOENT);
    ck_assert_ptr_nonnull(strstr(cmd->err.message,
                                 "add \"ACMEDomain x.example\" to"));
    base_err_clear(&cmd->err);
    ck_assert_ptr_null(cmd_domain_named(cmd, "no name"));
    ck_assert_int_ne(cmd->err.status, APR_SUCCESS);
}
END_TEST

/* Without a domain no name is found. */
START_TEST(no_domain_has_no_name)
{
    configure("", "");
    ck_assert_ptr_null(cmd_domain_find(cmd, "a.example"));
    ck_assert_ptr_null(cmd_ca_settings(cmd, CA0));
}
END_TEST

/* The strings of an array come in its order. */
START_TEST(strings_keep_their_order)
{
    apr_array_header_t *strings = cmd_strings(parse_json(
        "[\"c\",\"a\",\"b\"]"), pool);

    ck_assert_str_eq(apr_array_pstrcat(pool, strings, ','), "c,a,b");
    ck_assert_int_eq(cmd_strings(NULL, pool)->nelts, 0);
}
END_TEST

/* --------------------------------------------------------------------- CAs */

/* After every ten failures in a row the next CA of the list is asked, and
 * behind the last the first again. */
START_TEST(failures_lead_to_the_next_ca)
{
    static const struct {
        int failures;
        const char *ca;
    } rows[] = {
        { 0, CA0 }, { 1, CA0 }, { 9, CA0 }, { 10, CA1 }, { 19, CA1 },
        { 20, CA0 }, { 29, CA0 }, { 30, CA1 }, { 1000000, CA0 }
    };
    json_t *two = parse_json(domain_text("\"a.example\"", "\"ca\":[\"" CA0
                                         "\",\"" CA1 "\"]"));
    json_t *one = parse_json(domain_text("\"a.example\"", ""));
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_str_eq(cmd_domain_ca(two, rows[i].failures), rows[i].ca);
        ck_assert_str_eq(cmd_domain_ca(one, rows[i].failures), CA0);
    }
}
END_TEST

/* The settings of a CA are those of the first domain that names it, also
 * as a fall-back. */
START_TEST(settings_are_of_the_first_domain)
{
    configure(apr_pstrcat(pool, domain_text("\"a.example\"", ""), ",",
                          domain_text("\"b.example\"", "\"ca\":[\"https://"
                                      "x.example/\",\"" CA1 "\"]"), ",",
                          domain_text("\"c.example\"", "\"ca\":[\"" CA1
                                      "\"]"), NULL), "");
    ck_assert_ptr_eq(cmd_ca_settings(cmd, CA1),
                     json_object_get(domain(1), "settings"));
    ck_assert_ptr_null(cmd_ca_settings(cmd, "https://ca1.example/DIR"));
    ck_assert_ptr_null(cmd_ca_settings(cmd, ""));
}
END_TEST

/* ------------------------------------------------------------------- users */

/* The users of a certificate are the hosts of its domain that speak TLS
 * and have no certificate file of their own; a host that a macro made has
 * no place. */
START_TEST(users_speak_tls_with_our_certificate)
{
    json_t *users;
    char *text;

    configure(domain_text("\"a.example\"", ""),
              apr_pstrcat(pool, host("\"/f0\"", 1, "true", "false"), ",",
                          host("\"/f1\"", 2, "false", "false"), ",",
                          host("\"/f2\"", 3, "true", "true"), ",",
                          host("null", 0, "true", "false"), ",",
                          host("\"/f4\"", 5, "true", "false"), NULL));
    json_object_set(domain(0), "virtual_hosts", parse_json("[0,1,2,3]"));
    users = cmd_domain_users(cmd, domain(0));
    text = base_json_text(users, pool);
    ck_assert_str_eq(text, "[{\"file\":\"/f0\",\"line\":1},"
                     "{\"file\":null,\"line\":null}]");
    json_decref(users);
}
END_TEST

/* A domain without hosts has none; a number that is no host is none. */
START_TEST(nobody_uses_it)
{
    json_t *users;

    configure(domain_text("\"a.example\"", ""), "");
    users = cmd_domain_users(cmd, domain(0));
    ck_assert_uint_eq(json_array_size(users), 0);
    json_decref(users);
    json_object_set(domain(0), "virtual_hosts", parse_json("[0,17]"));
    users = cmd_domain_users(cmd, domain(0));
    ck_assert_uint_eq(json_array_size(users), 0);
    json_decref(users);
}
END_TEST

/* -------------------------------------------------------------------- plan */

static int plan_ca(worker_plan_t *plan, const char *url, const char *more)
{
    json_t *settings = json_object_get(parse_json(
        domain_text("\"a.example\"", more)), "settings");
    int i = -1;

    unit_ok(cmd_plan_ca(cmd, plan, url, settings, &i, &err));
    return i;
}

static acme_ca_t *planned(worker_plan_t *plan, int i)
{
    return &APR_ARRAY_IDX(plan->cas, i, acme_ca_t);
}

/* A plan begins empty; the net worker is nobody. */
START_TEST(plans_begin_empty)
{
    worker_plan_t *plan = cmd_plan_make(cmd);

    ck_assert_int_eq(plan->cas->nelts + plan->jobs->nelts, 0);
    ck_assert_str_eq(plan->user, "nobody");
    ck_assert_ptr_nonnull(strstr(plan->user_agent, ACMECTL_VERSION));
}
END_TEST

/* A CA is in the plan once, with the settings it came with first. */
START_TEST(cas_are_planned_once)
{
    worker_plan_t *plan = cmd_plan_make(cmd);

    ck_assert_int_eq(plan_ca(plan, CA0,
                             "\"contact\":[\"mailto:a@b.example\"]"), 0);
    ck_assert_int_eq(plan_ca(plan, CA1, "\"agreement\":false"), 1);
    ck_assert_int_eq(plan_ca(plan, CA0, ""), 0);
    ck_assert_int_eq(plan->cas->nelts, 2);
    ck_assert_str_eq(planned(plan, 0)->url, CA0);
    ck_assert_int_eq(planned(plan, 0)->agreement, 1);
    ck_assert_str_eq(apr_array_pstrcat(pool, planned(plan, 0)->contact, ','),
                     "mailto:a@b.example");
    ck_assert_int_eq(planned(plan, 1)->agreement, 0);
    ck_assert_ptr_null(planned(plan, 1)->account);
    ck_assert_ptr_null(planned(plan, 1)->directory);
    ck_assert_ptr_null(planned(plan, 1)->roots);
}
END_TEST

/* A CA that no domain knows has agreed to nothing and has no contact. */
START_TEST(unknown_cas_are_planned_bare)
{
    worker_plan_t *plan = cmd_plan_make(cmd);
    int i;

    unit_ok(cmd_plan_ca(cmd, plan, CA0, NULL, &i, &err));
    ck_assert_int_eq(planned(plan, i)->agreement, 0);
    ck_assert_int_eq(planned(plan, i)->contact->nelts, 0);
}
END_TEST

/* The store knows our account there. */
START_TEST(accounts_are_planned)
{
    worker_plan_t *plan = cmd_plan_make(cmd);

    unit_ok(store_account_write(cmd->store, CA0, parse_json(
        "{\"directory\":\"" CA0 "\",\"url\":\"https://ca0.example/a/1\"}"),
        &err, pool));
    ck_assert_str_eq(planned(plan, plan_ca(plan, CA0, ""))->account,
                     "https://ca0.example/a/1");
    ck_assert_ptr_null(planned(plan, plan_ca(plan, CA1, ""))->account);
}
END_TEST

/* A cached directory is used for a day; one from the future is not. */
START_TEST(directories_are_fresh_for_a_day)
{
    static const struct {
        apr_interval_time_t age;
        int used;
    } rows[] = {
        { 0, 1 }, { DAY - apr_time_from_sec(1), 1 }, { DAY, 0 },
        { 1000 * DAY, 0 }, { -apr_time_from_sec(1), 0 }, { -DAY, 0 }
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        worker_plan_t *plan = cmd_plan_make(cmd);

        unit_ok(store_directory_write(cmd->store, CA0, parse_json("{}"),
                                      NOW - rows[i].age, &err, pool));
        plan_ca(plan, CA0, "");
        ck_assert_msg(!planned(plan, 0)->directory == !rows[i].used, "%d",
                      (int)i);
    }
}
END_TEST

/* Damaged caches are as good as none. */
START_TEST(damaged_caches_are_none)
{
    worker_plan_t *plan = cmd_plan_make(cmd);

    unit_ok(store_directory_write(cmd->store, CA0, parse_json("{}"), NOW,
                                  &err, pool));
    write_file(apr_pstrcat(pool, cmd->store_dir, "/accounts/"
                           "ca0.example_dir/directory.json", NULL), "{");
    plan_ca(plan, CA0, "");
    ck_assert_ptr_null(planned(plan, 0)->directory);
}
END_TEST

static const char *roots_setting(const char *path)
{
    return apr_psprintf(pool, "\"ca_certificate_file\":\"%s\"", path);
}

/* ACMECACertificateFile is read here, whatever links lead to it: the net
 * worker could not. */
START_TEST(roots_are_read)
{
    worker_plan_t *plan = cmd_plan_make(cmd);
    const char *path = apr_pstrcat(pool, dir, "/roots.pem", NULL);
    const char *path_of_link = apr_pstrcat(pool, dir, "/link.pem", NULL);

    write_file(path, "PEM");
    ck_assert_int_eq(symlink("roots.pem", path_of_link), 0);
    plan_ca(plan, CA0, roots_setting(path_of_link));
    ck_assert_str_eq(planned(plan, 0)->roots, "PEM");
}
END_TEST

/* Where it cannot be read, no certificate of that CA is ordered: neither
 * for the domain that came first nor for the next ones, for which it would
 * be trusted by the system's roots. */
START_TEST(unread_roots_keep_a_ca_out)
{
    worker_plan_t *plan = cmd_plan_make(cmd);
    const char *path = apr_pstrcat(pool, dir, "/absent.pem", NULL);
    json_t *settings = json_object_get(parse_json(
        domain_text("\"a.example\"", roots_setting(path))), "settings");
    int i;
    int k;

    for (k = 0; k < 2; k++) {
        unit_fails(cmd_plan_ca(cmd, plan, CA0, settings, &i, &err),
                   APR_ENOENT, path);
        ck_assert_ptr_nonnull(strstr(err.message, "ACMECACertificateFile"));
        ck_assert_int_eq(plan->cas->nelts, 0);
        base_err_clear(&err);
    }
}
END_TEST

Suite *domains_suite(void);
Suite *domains_suite(void)
{
    Suite *suite = suite_create("domains");
    TCase *tc = desk_case(suite, "configuration", store_setup);

    tcase_add_test(tc, names_find_their_domain);
    tcase_add_test(tc, arguments_name_their_domains);
    tcase_add_test(tc, no_domain_has_no_name);
    tcase_add_test(tc, strings_keep_their_order);
    tcase_add_test(tc, failures_lead_to_the_next_ca);
    tcase_add_test(tc, settings_are_of_the_first_domain);
    tcase_add_test(tc, users_speak_tls_with_our_certificate);
    tcase_add_test(tc, nobody_uses_it);
    tc = desk_case(suite, "plan", store_setup);
    tcase_add_test(tc, plans_begin_empty);
    tcase_add_test(tc, cas_are_planned_once);
    tcase_add_test(tc, unknown_cas_are_planned_bare);
    tcase_add_test(tc, accounts_are_planned);
    tcase_add_test(tc, directories_are_fresh_for_a_day);
    tcase_add_test(tc, damaged_caches_are_none);
    tcase_add_test(tc, roots_are_read);
    tcase_add_test(tc, unread_roots_keep_a_ca_out);
    return suite;
}
