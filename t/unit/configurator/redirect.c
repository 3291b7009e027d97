/* Which directives send a host's requests to https. */
#include "configurator/site.h"

static const redirect_t *found;
static int count;

/* Look at a host of a.test and b.test with these lines; @ is its tree. */
static void look(const char *lines)
{
    const apr_array_header_t *list;

    tree = NULL;
    site_main(SITE_LISTEN);
    tree_put("sites/a.conf", apr_pstrcat(pool, "<VirtualHost *:80>\n"
             "ServerName a.test\nServerAlias b.test *.c.test\n", lines,
             "</VirtualHost>\n", NULL));
    site_read();
    list = redirects_find(site, host_at(site, 0), 443, pool);
    found = (const redirect_t *)list->elts;
    count = list->nelts;
}

/* The one that there is. */
static void is(const char *lines, int whole, int loops, int dead)
{
    look(lines);
    ck_assert_msg(count == 1, "%d of %s", count, lines);
    ck_assert_msg(found->whole == whole && found->loops == loops
                  && found->dead == dead, "whole %d, loops %d, dead %d: %s",
                  found->whole, found->loops, found->dead, lines);
}

static void none(const char *lines)
{
    look(lines);
    ck_assert_msg(count == 0, "%d of %s", count, lines);
}

/* All requests, and back to itself over TLS. */
START_TEST(whole)
{
    is("Redirect / https://a.test/\n", 1, 1, 0);
    is("Redirect seeother / HTTPS://B.test\n", 1, 1, 0);
    is("RedirectPermanent / https://x.c.test:443/\n", 1, 1, 0);
    is("RedirectTemp \"/\" \"https://a.test/\"\n", 1, 1, 0);
    is("RedirectMatch (.*) https://a.test$1\n", 1, 1, 0);
    is("<Location />\nRedirect https://a.test/\n</Location>\n", 1, 1, 0);
    is("<Location />\nRedirect permanent https://a.test/\n</Location>\n",
       1, 1, 0);
    is("<LocationMatch ^/>\nRedirect https://a.test/\n</LocationMatch>\n",
       1, 1, 0);
    is("RewriteEngine on\nRewriteRule .* https://%{HTTP_HOST}%{REQUEST_URI}"
       "\n", 1, 1, 0);
    is("<Directory />\nRewriteEngine on\n"
       "RewriteRule ^(.*)$ https://a.test/$1\n</Directory>\n", 1, 1, 0);
}
END_TEST

/* A part of them. */
START_TEST(part)
{
    is("Redirect /x https://a.test/x\n", 0, 1, 0);
    is("Redirect /old https://a.test/new\n", 0, 0, 0);
    is("Redirect / https://a.test/new/\n", 1, 1, 0);
    is("RedirectMatch ^/old/(.*) https://a.test/new/$1\n", 0, 0, 0);
    is("RewriteEngine on\nRewriteRule ^/(adm.*) https://a.test/$1\n",
       0, 0, 0);
    is("RewriteEngine on\n"
       "RewriteRule ^/adm https://a.test%{REQUEST_URI}\n", 0, 1, 0);
}
END_TEST

/* Conditions that TLS does not fulfil. */
START_TEST(dead)
{
    is("RewriteEngine on\nRewriteCond %{HTTPS} !on\n"
       "RewriteRule ^ https://a.test%{REQUEST_URI}\n", 1, 0, 1);
    ck_assert_int_eq(found->last - found->first, 1);
    is("RewriteEngine on\nRewriteCond %{SERVER_PORT} =80\n"
       "RewriteRule ^ https://a.test%{REQUEST_URI}\n", 1, 0, 1);
    is("RewriteEngine on\nRewriteCond %{REQUEST_SCHEME} =http\n"
       "RewriteRule ^ https://a.test%{REQUEST_URI}\n", 1, 0, 1);
}
END_TEST

/* From one name to the other: no circle, unless for the last one. */
START_TEST(canonical)
{
    is("RewriteEngine on\nRewriteCond %{HTTP_HOST} !=a.test\n"
       "RewriteRule ^ https://a.test%{REQUEST_URI}\n", 0, 0, 0);
    is("RewriteEngine on\nRewriteCond %{HTTPS} off [OR]\n"
       "RewriteCond %{HTTP_HOST} =b.test\n"
       "RewriteRule ^ https://a.test%{REQUEST_URI}\n", 1, 0, 0);
    is("RewriteEngine on\nRewriteCond %{HTTP_HOST} =a.test\n"
       "RewriteRule ^ https://a.test%{REQUEST_URI}\n", 0, 1, 0);
}
END_TEST

/* What leads elsewhere, or is off, or no redirect. */
START_TEST(nothing)
{
    none("Redirect / https://other.test/\n");
    none("Redirect / https://a.test:8443/\n");
    none("Redirect / http://a.test/\n");
    none("Redirect gone /x\nRedirect 404 /https://\n");
    none("RewriteRule ^ https://a.test%{REQUEST_URI}\n");
    none("RewriteEngine off\nRewriteRule ^ https://a.test/\n");
    none("RewriteEngine on\n<Directory />\n"
         "RewriteRule ^ https://a.test/\n</Directory>\n");
    none("RewriteEngine on\nRewriteRule ^ https://other.test/$0\n");
    none("<If \"%{HTTPS} == 'off'\">\nRedirect / https://a.test/\n"
         "</If>\n");
    none("Header set X https://a.test/\n");
}
END_TEST

/* Conditions belong to the rule behind them, in their section. */
START_TEST(conditions)
{
    look("RewriteEngine on\nRewriteCond %{HTTPS} off\n"
         "RewriteRule ^/x /y\nRewriteRule ^ https://a.test%{REQUEST_URI}\n"
         "RewriteCond %{HTTPS} off\nRewriteCond %{REQUEST_URI} !^/z\n"
         "RewriteRule ^ https://a.test%{REQUEST_URI}\n");
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(found[0].first, found[0].last);
    ck_assert_int_eq(found[0].loops, 1);
    ck_assert_int_eq(found[1].last - found[1].first, 2);
    ck_assert_int_eq(found[1].dead, 1);
}
END_TEST

/* Very many of them take no time that grows with their square. */
START_TEST(many)
{
    apr_array_header_t *lines = apr_array_make(pool, 6001, sizeof(char *));
    apr_time_t begun;
    int i;

    APR_ARRAY_PUSH(lines, const char *) = "RewriteEngine on\n";
    for (i = 0; i < 3000; i++) {
        APR_ARRAY_PUSH(lines, const char *) = apr_psprintf(pool,
            "RewriteRule ^/old%d$ https://a.test/new%d\n", i, i);
        APR_ARRAY_PUSH(lines, const char *) = apr_psprintf(pool,
            "RewriteRule ^/old%d$ https://b.example/new%d\n", i, i);
    }
    look(apr_array_pstrcat(pool, lines, 0));
    ck_assert_int_eq(count, 3000);
    begun = apr_time_now();
    redirects_find(site, host_at(site, 0), 443, pool);
    ck_assert_int_lt(apr_time_now() - begun, 5 * APR_USEC_PER_SEC);
}
END_TEST

Suite *redirect_suite(void)
{
    Suite *suite = suite_create("configurator/redirect");
    TCase *tc = unit_case(suite, "redirect");

    tcase_add_test(tc, whole);
    tcase_add_test(tc, part);
    tcase_add_test(tc, dead);
    tcase_add_test(tc, canonical);
    tcase_add_test(tc, nothing);
    tcase_add_test(tc, conditions);
    tcase_add_test(tc, many);
    return suite;
}
