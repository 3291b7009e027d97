/*
 * url.c: tests of support/base/url.c.
 */
#include "unit.h"

static const char *const good[] = {
    "https://ca.example/directory", "https://ca.example",
    "https://ca.example/", "https://ca.example:14000/dir",
    "https://CA.example/x?y=z&a=%20", "https://127.0.0.1/",
    "https://[::1]/", "https://[2001:db8::1]:443/x",
    "HTTPS://ca.example/", "https://ca.example?x", "https://localhost/",
    "https://a_b.example/", "https://ca.example:65535/",
    "https://ca.example/a@b", "https://ca.example/a:b//c",
    "https://ca.example/~a!$&'()*+,;=%C3%A4"
};

/* An https URL with a host is usable, with or without port and path. */
START_TEST(accepts)
{
    unit_ok(base_url_check(good[_i], &err));
}
END_TEST

static const struct {
    const char *url;
    const char *says;
} bad[] = {
    { "", "https://" },
    { "ca.example/dir", "does not begin with https://" },
    { "http://ca.example/", "does not begin with https://" },
    { "httpsx://ca.example/", "does not begin with https://" },
    { "https:ca.example", "does not begin with https://" },
    { "https:/ca.example", "does not begin with https://" },
    { "//ca.example/", "does not begin with https://" },
    { "file:///etc/passwd", "does not begin with https://" },
    { " https://ca.example/", "character" },
    { "https://ca.example/ ", "character" },
    { "https://ca.example/a b", "character" },
    { "https://ca.example/\n", "character" },
    { "https://ca.example/\x7f", "character" },
    { "https://b\xc3\xbc" "cher.example/", "character" },
    { "https://ca.example\\@x/", "character" },
    { "https://ca.example/<x>", "character" },
    { "https://ca.example/\"", "character" },
    { "https://ca.example/{x}", "character" },
    { "https://ca.example/`", "character" },
    { "https://ca.example/%", "character" },
    { "https://ca.example/%2", "character" },
    { "https://ca.example/%zz", "character" },
    { "https:///dir", "no valid host" },
    { "https://", "no valid host" },
    { "https://?x", "no valid host" },
    { "https://:443/", "no valid host" },
    { "https://ca%2eexample/", "no valid host" },
    { "https://ca!example/", "no valid host" },
    { "https://a[b/", "no valid host" },
    { "https://[::1/", "no valid host" },
    { "https://[::1", "no valid host" },
    { "https://[]/", "no valid host" },
    { "https://[/]", "no valid host" },
    { "https://[g::1]/", "no valid host" },
    { "https://[::1]x/", "no valid port" },
    { "https://ca.example:/", "no valid port" },
    { "https://ca.example:0/", "no valid port" },
    { "https://ca.example:65536/", "no valid port" },
    { "https://ca.example:99999999999999999999/", "no valid port" },
    { "https://ca.example:x/", "no valid port" },
    { "https://ca.example:-1/", "no valid port" },
    { "https://ca.example:443:443/", "no valid port" },
    { "https://u@ca.example/", "user or password" },
    { "https://u:p@ca.example/", "user or password" },
    { "https://@ca.example/", "user or password" },
    { "https://ca.example@evil.example/", "user or password" },
    { "https://ca.example/#f", "fragment" },
    { "https://ca.example#@evil.example", "fragment" },
    { "https://ca.example/#", "fragment" },
};

#define BADS ((int)(sizeof(bad) / sizeof(bad[0])))

/* Everything else is refused with its reason, and has no origin. */
START_TEST(refuses)
{
    unit_fails(base_url_check(bad[_i].url, &err), APR_EINVAL, bad[_i].says);
    ck_assert(!base_url_same_origin(bad[_i].url, bad[_i].url));
}
END_TEST

static const struct {
    const char *url;
    const char *says;    /* NULL: it is usable */
} plain_urls[] = {
    { "http://ocsp.example/x", NULL },
    { "HTTP://ocsp.example:8080", NULL },
    { "https://ocsp.example/", NULL },
    { "ftp://ocsp.example/", "does not begin with http:// or https://" },
    { "httpx://ocsp.example/", "does not begin with http:// or https://" },
    { "http:ocsp.example", "does not begin with http:// or https://" },
    { "http://u@ocsp.example/", "user" },
    { "http://ocsp.example:0/", "no valid port" },
    { "http:///x", "no valid host" },
    { "http://ocsp.example/\r\n", "character" }
};

#define PLAINS (sizeof(plain_urls) / sizeof(plain_urls[0]))

/* Where plain http will do, https does, too, and nothing else; what is
 * wrong with a URL is wrong with either. */
START_TEST(plain)
{
    apr_status_t rv = base_url_check_plain(plain_urls[_i].url, &err);

    if (plain_urls[_i].says) {
        unit_fails(rv, APR_EINVAL, plain_urls[_i].says);
    }
    else {
        unit_ok(rv);
    }
}
END_TEST

/* 2048 bytes are enough for any URL. */
START_TEST(length)
{
    char *url = apr_pcalloc(pool, 2050);

    memset(url, 'a', 2049);
    memcpy(url, "https://ca.example/", 19);
    unit_fails(base_url_check(url, &err), APR_EINVAL, "2048 bytes");
    base_err_clear(&err);
    url[2048] = '\0';
    unit_ok(base_url_check(url, &err));
}
END_TEST

static const struct {
    const char *a;
    const char *b;
    int same;
} origins[] = {
    { "https://ca.example/a", "https://ca.example/b?c", 1 },
    { "https://ca.example/a", "https://CA.Example", 1 },
    { "https://ca.example/", "https://ca.example:443/", 1 },
    { "https://ca.example:0443/", "https://ca.example/", 1 },
    { "https://ca.example:14000/", "https://ca.example:14000/x", 1 },
    { "https://[::1]:1/", "https://[::1]:1/x", 1 },
    { "https://ca.example/", "https://ca.example:444/", 0 },
    { "https://ca.example:1/", "https://ca.example:11/", 0 },
    { "https://ca.example/", "https://ca.example.org/", 0 },
    { "https://ca.example/", "https://xca.example/", 0 },
    { "https://ca.example/", "https://ca.example./", 0 },
    { "https://ca.example/", "http://ca.example/", 0 },
    { "http://ca.example/", "http://ca.example/", 0 },
    { "https://ca.example/", "https://ca.example@evil.example/", 0 },
    { "https://ca.example/", "https://evil.example/ca.example/", 0 },
    { "https://ca.example/", "https://evil.example?ca.example", 0 },
    { "https://ca.example/", "https://ca.example\\.evil.example/", 0 },
    { "https://ca.example/", "/relative", 0 },
    { "https://ca.example/", "", 0 },
    { "https://[::1]/", "https://[::2]/", 0 },
};

#define ORIGINS ((int)(sizeof(origins) / sizeof(origins[0])))

/* Two URLs are of one CA if host and port are the same, whatever follows. */
START_TEST(same_origin)
{
    ck_assert_int_eq(base_url_same_origin(origins[_i].a, origins[_i].b),
                     origins[_i].same);
    ck_assert_int_eq(base_url_same_origin(origins[_i].b, origins[_i].a),
                     origins[_i].same);
}
END_TEST

/* RFC 3986 5.4, all of it, on its base. */
static const char *const references[][2] = {
    { "g:h", "g:h" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" },
    { "g/", "http://a/b/c/g/" }, { "/g", "http://a/g" },
    { "//g", "http://g" }, { "?y", "http://a/b/c/d;p?y" },
    { "g?y", "http://a/b/c/g?y" }, { "#s", "http://a/b/c/d;p?q#s" },
    { "g#s", "http://a/b/c/g#s" }, { "g?y#s", "http://a/b/c/g?y#s" },
    { ";x", "http://a/b/c/;x" }, { "g;x", "http://a/b/c/g;x" },
    { "g;x?y#s", "http://a/b/c/g;x?y#s" }, { "", "http://a/b/c/d;p?q" },
    { ".", "http://a/b/c/" }, { "./", "http://a/b/c/" },
    { "..", "http://a/b/" }, { "../", "http://a/b/" },
    { "../g", "http://a/b/g" }, { "../..", "http://a/" },
    { "../../", "http://a/" }, { "../../g", "http://a/g" },
    { "../../../g", "http://a/g" }, { "../../../../g", "http://a/g" },
    { "/./g", "http://a/g" }, { "/../g", "http://a/g" },
    { "g.", "http://a/b/c/g." }, { ".g", "http://a/b/c/.g" },
    { "g..", "http://a/b/c/g.." }, { "..g", "http://a/b/c/..g" },
    { "./../g", "http://a/b/g" }, { "./g/.", "http://a/b/c/g/" },
    { "g/./h", "http://a/b/c/g/h" }, { "g/../h", "http://a/b/c/h" },
    { "g;x=1/./y", "http://a/b/c/g;x=1/y" },
    { "g;x=1/../y", "http://a/b/c/y" },
    { "g?y/./x", "http://a/b/c/g?y/./x" },
    { "g?y/../x", "http://a/b/c/g?y/../x" },
    { "g#s/./x", "http://a/b/c/g#s/./x" },
    { "g#s/../x", "http://a/b/c/g#s/../x" }, { "http:g", "http:g" },
};

#define REFERENCES ((int)(sizeof(references) / sizeof(references[0])))

/* A reference is resolved as RFC 3986 says, its odd cases included. */
START_TEST(resolves)
{
    ck_assert_str_eq(base_url_resolve("http://a/b/c/d;p?q",
                                      references[_i][0], pool),
                     references[_i][1]);
}
END_TEST

/* A base without a path, with a port, with slashes side by side. */
START_TEST(resolves_elsewhere)
{
    static const char *const cases[][3] = {
        { "https://ca.example", "x", "https://ca.example/x" },
        { "https://ca.example", "?x", "https://ca.example?x" },
        { "https://ca.example:1/a?b#c", "", "https://ca.example:1/a?b" },
        { "https://ca.example:1/a", "/x", "https://ca.example:1/x" },
        { "https://ca.example/a//b", "../x", "https://ca.example/a/x" },
        { "https://ca.example/a/", "x:y", "x:y" },
        { "https://ca.example/a/", "./x:y", "https://ca.example/a/x:y" },
        { "https://ca.example/a/", "1:y", "https://ca.example/a/1:y" },
        { "https://ca.example/", "https://o.example/../x",
          "https://o.example/x" },
        { "https://ca.example/", "//o.example", "https://o.example" },
        { "https://ca.example/a?b", "?", "https://ca.example/a?" },
        { "https://ca.example/a", "/..", "https://ca.example/" },
        { "https://ca.example/a", "/.", "https://ca.example/" },
        { "https://ca.example/a", "/b/..", "https://ca.example/" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(base_url_resolve(cases[i][0], cases[i][1], pool),
                         cases[i][2]);
    }
}
END_TEST

/* Without a base, or with bytes that no URL has, there is no answer. */
START_TEST(resolves_nothing)
{
    static const char *const cases[][2] = {
        { "", "x" }, { "/a/b", "x" }, { "//ca.example/", "x" },
        { "ca.example", "x" }, { "1https://x/", "x" },
        { "https://ca.example/", "a b" }, { "https://ca.example/", "a\r\nb" },
        { "https://ca.example/", "\xc3\xa4" }, { "https://ca.example/", "<" },
        { "https://ca.example/", "%" }, { "https://ca.example/", "\\\\x" },
        { "https://ca .example/", "x" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_ptr_null(base_url_resolve(cases[i][0], cases[i][1], pool));
    }
}
END_TEST

Suite *url_suite(void)
{
    Suite *suite = suite_create("url");
    TCase *tc = unit_case(suite, "url");

    tcase_add_loop_test(tc, accepts, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(tc, refuses, 0, BADS);
    tcase_add_loop_test(tc, plain, 0, PLAINS);
    tcase_add_test(tc, length);
    tcase_add_loop_test(tc, same_origin, 0, ORIGINS);
    tcase_add_loop_test(tc, resolves, 0, REFERENCES);
    tcase_add_test(tc, resolves_elsewhere);
    tcase_add_test(tc, resolves_nothing);
    return suite;
}
