/*
 * How a certificate stands: valid, due, expired, missing or in error; why,
 * and when it will be renewed.
 */
#include "desk.h"

#define ID "a.example"
#define NAMES "\"a.example\",\"b.example\""

/* ---------------------------------------------------------------- fixtures */

static const char *time_text(apr_time_t t)
{
    return base_time_text(t, pool);
}

/* What the store keeps of a certificate; more is put over it. */
static json_t *meta(apr_time_t from, apr_time_t to, const char *more)
{
    json_t *object = parse_json(apr_psprintf(pool,
        "{\"schema\":\"acme-certificate/1\",\"name\":\"" ID "\","
        "\"names\":[" NAMES "],\"key_type\":\"P-256\",\"ca\":\"" CA0 "\","
        "\"issuer\":\"I\",\"serial\":\"00\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000"
        "\",\"not_before\":\"%s\",\"not_after\":\"%s\",\"issued\":\"%s\"}",
        time_text(from), time_text(to), time_text(from)));

    json_object_update(object, parse_json(apr_psprintf(pool, "{%s}",
                                                       more)));
    return object;
}

static void keep(const char *id, const json_t *object)
{
    store_certificate_t certificate = { object, "C", "", "K" };

    unit_ok(store_certificate_write(cmd->store, id, &certificate, &err,
                                    pool));
}

static json_t *domain_of(const char *more)
{
    return parse_json(domain_text(NAMES, more));
}

/* The n-th certificate of domain. */
static const cmd_certificate_t *nth(const json_t *domain,
                                    const json_t *ledger, int n)
{
    apr_array_header_t *all = apr_array_make(pool, 2, sizeof(void *));

    cmd_certificates_of(cmd, domain, ledger, all);
    ck_assert_int_lt(n, all->nelts);
    return APR_ARRAY_IDX(all, n, cmd_certificate_t *);
}

/* How the only certificate stands with these settings. */
static const cmd_certificate_t *with(const char *settings)
{
    return nth(domain_of(settings), NULL, 0);
}

static void stands(const cmd_certificate_t *c, const char *state,
                   const char *why)
{
    ck_assert_str_eq(c->state, state);
    ck_assert_int_eq(cmd_certificate_due(c), strcmp(state, "valid") != 0);
    if (why) {
        ck_assert_ptr_nonnull(c->why);
        ck_assert_msg(strstr(c->why, why) != NULL, "%s", c->why);
    }
    else {
        ck_assert_msg(c->why == NULL, "%s", c->why);
    }
}

static void set_clock(apr_time_t wall)
{
    cmd->clock = base_clock_manual(wall, pool);
}

/* ----------------------------------------------------------------- windows */

/* With these settings the window of a certificate opens when so much of
 * its lifetime is left. It is valid until some time behind that, of a
 * fiftieth of its lifetime, a day and half of the window at most, and due
 * from then on. */
static void due_when_left(const char *settings, apr_interval_time_t lifetime,
                          apr_interval_time_t left)
{
    apr_interval_time_t most = lifetime / 50 < DAY ? lifetime / 50 : DAY;
    apr_time_t opens = NOW + lifetime - left;
    apr_time_t at;

    keep(ID, meta(NOW, NOW + lifetime, ""));
    at = with(settings)->renew_at;
    ck_assert_int_ge(at, opens);
    ck_assert_int_le(at, opens + (most < left / 2 ? most : left / 2));
    set_clock(at - 1);
    stands(with(settings), "valid", NULL);
    ck_assert_int_eq(with(settings)->renew_at, at);
    set_clock(at);
    stands(with(settings), "due", NULL);
}

/* Without ACMERenewWindow a certificate is due when a third of its
 * lifetime is left, and when half of it is where it has less than ten
 * days. */
START_TEST(default_windows)
{
    due_when_left("", 100 * DAY, 33 * DAY);
    due_when_left("", 10 * DAY, 10 * DAY / 100 * 33);
    due_when_left("", 10 * DAY - apr_time_from_sec(2),
                  5 * DAY - apr_time_from_sec(1));
    due_when_left("", 6 * DAY, 3 * DAY);
    due_when_left("", DAY, DAY / 2);
}
END_TEST

/* A percentage is of the certificate's own lifetime, also a short one. */
START_TEST(percentages)
{
    due_when_left("\"renew_window\":{\"percent\":1}", 100 * DAY, DAY);
    due_when_left("\"renew_window\":{\"percent\":50}", 90 * DAY, 45 * DAY);
    due_when_left("\"renew_window\":{\"percent\":99}", 100 * DAY, 99 * DAY);
    due_when_left("\"renew_window\":{\"percent\":10}", 5 * DAY, DAY / 2);
}
END_TEST

/* Days are counted from the end. */
START_TEST(days)
{
    due_when_left("\"renew_window\":{\"days\":30}", 90 * DAY, 30 * DAY);
    due_when_left("\"renew_window\":{\"days\":1}", 6 * DAY, DAY);
    due_when_left("\"renew_window\":{\"days\":89}", 90 * DAY, 89 * DAY);
}
END_TEST

/* A window as long as the certificate's life, or longer, would renew it at
 * each run: half of the life is taken instead, whatever the number. */
START_TEST(days_beyond_the_lifetime)
{
    due_when_left("\"renew_window\":{\"days\":90}", 90 * DAY, 45 * DAY);
    due_when_left("\"renew_window\":{\"days\":91}", 90 * DAY, 45 * DAY);
    due_when_left("\"renew_window\":{\"days\":30}", 6 * DAY, 3 * DAY);
    due_when_left("\"renew_window\":{\"days\":106751992}", 90 * DAY,
                  45 * DAY);
    due_when_left("\"renew_window\":{\"days\":9223372036854775807}",
                  90 * DAY, 45 * DAY);
}
END_TEST

/* Certificates issued together are renewed apart, each always at the same
 * time; with the shortest window no time is behind its middle. */
START_TEST(spreading)
{
    static const char *const windows[] = { "\"percent\":1", "\"days\":1" };
    apr_time_t last = NOW + 90 * DAY;
    apr_time_t first = 0;
    int same = 0;
    int i;

    for (i = 0; i < 200; i++) {
        const char *settings = apr_psprintf(pool, "\"renew_window\":{%s}",
                                            windows[i % 2]);
        apr_interval_time_t left = i % 2 ? DAY : 90 * DAY / 100;

        keep(ID, meta(NOW, last, apr_psprintf(pool, "\"serial\":\"%04x\"",
                                              i)));
        ck_assert_int_ge(with(settings)->renew_at, last - left);
        ck_assert_int_le(with(settings)->renew_at, last - left / 2);
        same += with(settings)->renew_at == first;
        first = i == 0 ? with(settings)->renew_at : first;
    }
    ck_assert_int_lt(same, 3);
}
END_TEST

/* From the second at which its life ends it is expired. */
START_TEST(expired)
{
    keep(ID, meta(NOW - 90 * DAY, NOW + apr_time_from_sec(1), ""));
    stands(with(""), "due", NULL);
    keep(ID, meta(NOW - 90 * DAY, NOW, ""));
    stands(with(""), "expired", NULL);
    keep(ID, meta(NOW - 90 * DAY, NOW - 1000 * DAY, ""));
    stands(with(""), "expired", NULL);
}
END_TEST

/* A clock that is behind makes nothing due; one that is ahead makes things
 * due or expired, and set right again it takes that back. */
START_TEST(clocks_that_jump)
{
    keep(ID, meta(NOW, NOW + 90 * DAY, ""));
    set_clock(NOW - 3650 * DAY);
    stands(with(""), "valid", NULL);
    set_clock(0);
    stands(with(""), "valid", NULL);
    set_clock(NOW + 3650 * DAY);
    stands(with(""), "expired", NULL);
    set_clock(NOW + DAY);
    stands(with(""), "valid", NULL);
}
END_TEST

/* ------------------------------------------------------------- differences */

static void keep_90_days(const char *more)
{
    keep(ID, meta(NOW - DAY, NOW + 89 * DAY, more));
}

/* Names are a set: neither order nor case makes a certificate due, but one
 * that is missing or too many does. */
START_TEST(changed_names)
{
    static const char changed[] = "its names are not the configured ones";

    keep_90_days("\"names\":[\"b.example\",\"A.Example\"]");
    stands(with(""), "valid", NULL);
    keep_90_days("\"names\":[\"a.example\"]");
    stands(with(""), "due", changed);
    keep_90_days("\"names\":[\"a.example\",\"c.example\"]");
    stands(with(""), "due", changed);
    keep_90_days("\"names\":[\"a.example\",\"b.example\",\"c.example\"]");
    stands(with(""), "due", changed);
    keep_90_days("\"names\":[\"a.example\",\"a.example\"]");
    stands(with(""), "due", changed);
}
END_TEST

/* So does another key type; its name has no case. */
START_TEST(changed_key_types)
{
    keep_90_days("\"key_type\":\"p-256\"");
    stands(with(""), "valid", NULL);
    keep_90_days("\"key_type\":\"RSA-2048\"");
    stands(with(""), "due", "its key type is not the configured one");
    keep_90_days("");
    stands(with("\"private_keys\":[\"P-384\"]"), "due", "key type");
}
END_TEST

/* So does a CA that is not in the list any more; each of the list is as
 * good as the others. */
START_TEST(changed_cas)
{
    keep_90_days("");
    stands(with("\"ca\":[\"" CA1 "\",\"" CA0 "\"]"), "valid", NULL);
    stands(with("\"ca\":[\"" CA1 "\"]"), "due", "another CA issued it");
}
END_TEST

/* So does ACMEMustStaple, switched on or off since. */
START_TEST(changed_must_staple)
{
    static const char changed[] = "ACMEMustStaple was changed since";

    keep_90_days("\"must_staple\":false");
    stands(with(""), "valid", NULL);
    stands(with("\"must_staple\":true"), "due", changed);
    keep_90_days("\"must_staple\":true");
    stands(with("\"must_staple\":true"), "valid", NULL);
    stands(with(""), "due", changed);
    keep_90_days("");
    stands(with(""), "valid", NULL);
    stands(with("\"must_staple\":true"), "due", changed);
}
END_TEST

/* A revoked one is due at once. */
START_TEST(revoked)
{
    keep_90_days("\"revoked\":\"" NOW_TEXT "\"");
    stands(with(""), "due", "it is revoked");
}
END_TEST

/* An expired one is expired, whatever else is wrong with it. */
START_TEST(expired_and_different)
{
    keep(ID, meta(NOW - 90 * DAY, NOW, "\"key_type\":\"RSA-2048\""));
    stands(with(""), "expired", "its key type");
}
END_TEST

/* ------------------------------------------------------- missing and error */

/* What is not in the store is missing, with or without a store. */
START_TEST(missing)
{
    stands(with(""), "missing", NULL);
    ck_assert_ptr_null(with("")->meta);
    ck_assert_int_eq(with("")->renew_at, 0);
    cmd->store = NULL;
    stands(with(""), "missing", NULL);
}
END_TEST

static void damage(const char *text)
{
    keep_90_days("");
    write_file(store_certificate_path(cmd->store, ID, "meta.json", pool),
               text);
}

/* A damaged meta.json is an error that says where, and the certificate is
 * got again. */
START_TEST(damaged)
{
    damage("{");
    stands(with(""), "error", "meta.json");
    damage("{}");
    stands(with(""), "error", "meta.json");
    damage("");
    stands(with(""), "error", "meta.json");
    ck_assert_ptr_null(with("")->meta);
    unlink(store_certificate_path(cmd->store, ID, "meta.json", pool));
    stands(with(""), "missing", NULL);
}
END_TEST

/* Every member has to be there and of its shape before it is read. */
START_TEST(misshaped)
{
    static const char *const members[] = {
        "schema", "name", "names", "key_type", "ca", "issuer", "serial",
        "sha256", "not_before", "not_after", "issued"
    };
    size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *object = meta(NOW, NOW + DAY, "");

        json_object_del(object, members[i]);
        damage(base_json_text(object, pool));
        stands(with(""), "error", members[i]);
        json_object_set_new(object, members[i], json_integer(1));
        damage(base_json_text(object, pool));
        stands(with(""), "error", members[i]);
    }
}
END_TEST

/* Times of the right shape that are none count as long ago. */
START_TEST(impossible_times)
{
    keep(ID, meta(NOW, NOW + DAY, "\"not_after\":\"2027-99-99T99:99:99Z\""));
    stands(with(""), "expired", NULL);
    keep(ID, meta(NOW, NOW + 90 * DAY,
                  "\"not_before\":\"2027-99-99T99:99:99Z\""));
    stands(with(""), "due", NULL);
}
END_TEST

/* ---------------------------------------------------------- several at once */

/* A domain has a certificate for each key type: the first under its name,
 * the others with the type behind it; each stands by itself. */
START_TEST(several_key_types)
{
    json_t *domain = domain_of("\"private_keys\":[\"P-256\",\"RSA-2048\","
                               "\"P-384\"]");

    keep_90_days("");
    keep(ID "~rsa-2048", meta(NOW - 90 * DAY, NOW + DAY,
                              "\"key_type\":\"RSA-2048\""));
    stands(nth(domain, NULL, 0), "valid", NULL);
    ck_assert_str_eq(nth(domain, NULL, 0)->id, ID);
    stands(nth(domain, NULL, 1), "due", NULL);
    ck_assert_str_eq(nth(domain, NULL, 1)->id, ID "~rsa-2048");
    ck_assert_str_eq(nth(domain, NULL, 1)->key_type, "RSA-2048");
    stands(nth(domain, NULL, 2), "missing", NULL);
    ck_assert_str_eq(nth(domain, NULL, 2)->id, ID "~p-384");
}
END_TEST

/* The ledger's entry is found by the certificate's id. */
START_TEST(entries_of_the_ledger)
{
    json_t *domain = domain_of("\"private_keys\":[\"P-256\",\"P-384\"]");
    json_t *ledger = parse_json("{\"schema\":\"acme-ledger/1\","
                                "\"certificates\":{\"" ID "~p-384\":"
                                "{\"failures\":3}}}");

    ck_assert_ptr_null(nth(domain, ledger, 0)->entry);
    ck_assert_int_eq(json_integer_value(json_object_get(
        nth(domain, ledger, 1)->entry, "failures")), 3);
}
END_TEST

/* ------------------------------------------------------------------ result */

static const json_t *shown(const cmd_certificate_t *c)
{
    json_t *object = cmd_certificate_json(cmd, c);
    json_t *result = base_json_own(json_pack(
        "{s:s, s:s, s:b, s:i, s:b, s:[o]}", "schema", "acmectl/1", "verb",
        "certificates", "ok", 1, "exit", 0, "changed", 0, "certificates",
        object), pool);

    unit_ok(schema_check(schema_find(cmd->schemas, "state/result"), result,
                         "the result", &err));
    return object;
}

static int is_null(const json_t *object, const char *name)
{
    return json_is_null(json_object_get(object, name));
}

/* A kept certificate is shown with what is known of it, its files, and who
 * uses it. */
START_TEST(kept_ones_are_shown)
{
    const json_t *object;
    const json_t *files;

    configure(domain_text(NAMES, ""), "");
    keep_90_days("");
    object = shown(nth(json_array_get(json_object_get(cmd->config,
                                                      "domains"), 0),
                       NULL, 0));
    files = json_object_get(object, "files");
    ck_assert_str_eq(member(object, "state"), "valid");
    ck_assert_str_eq(member(object, "not_after"), time_text(NOW + 89 * DAY));
    ck_assert_ptr_nonnull(member(object, "renew_at"));
    ck_assert_str_eq(member(object, "ca"), CA0);
    ck_assert(is_null(object, "why") && is_null(object, "last_error"));
    ck_assert_int_eq(access(member(files, "cert"), R_OK), 0);
    ck_assert_int_eq(access(member(files, "chain"), R_OK), 0);
    ck_assert_int_eq(access(member(files, "key"), R_OK), 0);
}
END_TEST

/* What is not known is null, not absent. */
START_TEST(missing_ones_are_shown)
{
    json_t *ledger = parse_json("{\"certificates\":{\"" ID "\":{"
                                "\"last_error\":{\"type\":\"t\","
                                "\"detail\":\"d\",\"at\":\"x\"}}}}");
    const json_t *object;

    configure(domain_text(NAMES, ""), "");
    object = shown(nth(json_array_get(json_object_get(cmd->config,
                                                      "domains"), 0),
                       ledger, 0));
    ck_assert_str_eq(member(object, "state"), "missing");
    ck_assert(is_null(object, "not_after") && is_null(object, "files"));
    ck_assert(is_null(object, "renew_at") && is_null(object, "serial"));
    ck_assert_str_eq(member(json_object_get(object, "last_error"),
                            "detail"), "d");
}
END_TEST

Suite *state_suite(void);
Suite *state_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tc = desk_case(suite, "windows", store_setup);

    tcase_add_test(tc, default_windows);
    tcase_add_test(tc, percentages);
    tcase_add_test(tc, days);
    tcase_add_test(tc, days_beyond_the_lifetime);
    tcase_add_test(tc, spreading);
    tcase_add_test(tc, expired);
    tcase_add_test(tc, clocks_that_jump);
    tc = desk_case(suite, "states", store_setup);
    tcase_add_test(tc, changed_names);
    tcase_add_test(tc, changed_key_types);
    tcase_add_test(tc, changed_cas);
    tcase_add_test(tc, changed_must_staple);
    tcase_add_test(tc, revoked);
    tcase_add_test(tc, expired_and_different);
    tcase_add_test(tc, missing);
    tcase_add_test(tc, damaged);
    tcase_add_test(tc, misshaped);
    tcase_add_test(tc, impossible_times);
    tcase_add_test(tc, several_key_types);
    tcase_add_test(tc, entries_of_the_ledger);
    tcase_add_test(tc, kept_ones_are_shown);
    tcase_add_test(tc, missing_ones_are_shown);
    return suite;
}
