/*
 * Documents by lines: the same as a plain parse of the whole, or none.
 */
#include "desk.h"

#define HOSTS 9
#define PAIRS 300

static char *server;            /* the server's members of a good document */
static unsigned seed;

static void document_setup(void)
{
    store_setup();
    configure("", "");
    server = base_json_text(json_object_get(cmd->config, "server"), pool);
    seed = 5;
}

static int any(int n)
{
    return (int)((unsigned)rand_r(&seed) >> 3) % n;
}

static const char *host_line(int n)
{
    return apr_psprintf(pool, "    {\"server_name\":\"h%d.test\",\"aliases\":"
        "[\"\\u00e4}],\"],\"addresses\":[],\"file\":\"/f\",\"line\":%d,"
        "\"document_root\":null}", n, n + 1);
}

/** A document with these lines. */
static const char *document(const char *hosts, const char *domains)
{
    return apr_psprintf(pool, "{\n  \"schema\":\"acme-config-dump/1\",\n"
        "  \"server\":%s,\n  \"modules\":{},\n  \"virtual_hosts\":[%s],\n"
        "  \"domains\":[%s]\n}\n", server, hosts, domains);
}

static const char *lines_of_hosts(int count)
{
    const char *text = "\n";
    int i;

    for (i = 0; i < count; i++) {
        text = apr_pstrcat(pool, text, host_line(any(HOSTS)),
                           i + 1 < count ? ",\n" : "\n", NULL);
    }
    return apr_pstrcat(pool, count ? text : "", count ? "  " : "", NULL);
}

static json_t *by_lines(const char *text)
{
    return cmd_document_read(cmd, text, strlen(text));
}

/** The first host is there, whatever has been read before. */
static const char *good(void)
{
    return document(apr_pstrcat(pool, "\n", host_line(0), ",\n",
                                host_line(1), "\n  ", NULL), "");
}

/* ------------------------------------------------------------------- good */

START_TEST(random_documents)
{
    int i;

    for (i = 0; i < PAIRS; i++) {
        const char *text = document(lines_of_hosts(any(8)), "");
        json_t *json = by_lines(text);

        ck_assert_ptr_nonnull(json);
        ck_assert(json_equal(json, parse_json(text)));
    }
}
END_TEST

/* What was parsed is taken again, and what another document has of it does
 * not change. */
START_TEST(taken_again)
{
    json_t *first = by_lines(good());
    json_t *second = by_lines(document(apr_pstrcat(pool, "\n", host_line(2),
        ",\n", host_line(1), "\n  ", NULL), ""));
    json_t *a = json_object_get(first, "virtual_hosts");
    json_t *b = json_object_get(second, "virtual_hosts");

    ck_assert_uint_eq(json_array_size(a), 2);
    ck_assert_uint_eq(json_array_size(b), 2);
    ck_assert_ptr_eq(json_array_get(a, 1), json_array_get(b, 1));
    ck_assert_ptr_ne(json_array_get(a, 0), json_array_get(b, 0));
    ck_assert_ptr_ne(a, b);
}
END_TEST

/* -------------------------------------------------------------------- bad */

/* A line is known in its own list alone. */
START_TEST(other_list)
{
    ck_assert_ptr_nonnull(by_lines(good()));
    ck_assert_ptr_null(by_lines(document("", apr_pstrcat(pool, "\n",
        host_line(0), "\n  ", NULL))));
}
END_TEST

/* Each of these is refused, also when it comes again. */
START_TEST(refused)
{
    const char *h0 = host_line(0), *h1 = host_line(1);
    const char *const hosts[] = {
        apr_pstrcat(pool, "\n", h0, ",\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, "\n", h1, "\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, ",", h1, "\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, ",,\n", h1, "\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, ",\n", h1, NULL),
        apr_pstrcat(pool, "\n", h0, ",\n    {}\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, ",\n    {\"a\":1,\"a\":1}\n  ", NULL),
        apr_pstrcat(pool, "\n    {\"x\":[{},\n    {}]},\n", h0, ",", h1,
                    ",\n", h0, "\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, "\n  ],\n  \"virtual_hosts\":[\n", h1,
                    "\n  ", NULL),
        apr_pstrcat(pool, "\n", h0, "\n  ],\n  \"virtual\\u005fhosts\":[",
                    NULL),
        apr_pstrcat(pool, "\n", h0, "\n  ],\"x\":{\n  \"domains\":[\n  ]},"
                    "\"y\":[", NULL)
    };
    size_t i;

    ck_assert_ptr_nonnull(by_lines(good()));
    for (i = 0; i < 2 * sizeof(hosts) / sizeof(hosts[0]); i++) {
        ck_assert_ptr_null(by_lines(document(hosts[i / 2], "")));
    }
    ck_assert_ptr_null(by_lines(""));
    ck_assert_ptr_null(by_lines("\n  \"virtual_hosts\":[\n    {"));
    ck_assert_ptr_null(cmd_document_read(cmd, good(), strlen(good()) + 1));
    ck_assert_ptr_null(cmd_document_read(cmd, good(), strlen(good()) - 3));
}
END_TEST

Suite *document_suite(void);
Suite *document_suite(void)
{
    Suite *suite = suite_create("document");
    TCase *tc = desk_case(suite, "lines", document_setup);

    tcase_add_test(tc, random_documents);
    tcase_add_test(tc, taken_again);
    tcase_add_test(tc, other_list);
    tcase_add_test(tc, refused);
    return suite;
}
