/* The TLS twin of an http host. */
#include "configurator/site.h"

/* A twin stands directly behind its original, on the TLS port, with the
 * certificate's names and SSLEngine on; everything else is as it was. */
START_TEST(simplest)
{
    site_becomes(
        "<VirtualHost *:80>\n"
        "    ServerName a.test\n"
        "    DocumentRoot /srv/a\n"
        "</VirtualHost>\n",
        "<VirtualHost *:80>\n"
        "    ServerName a.test\n"
        "    DocumentRoot /srv/a\n"
        "</VirtualHost>\n"
        "\n"
        "<IfModule ssl_module>\n"
        "<VirtualHost *:443>\n"
        "    ServerName a.test\n"
        "    DocumentRoot /srv/a\n"
        "    ACMEDomain a.test\n"
        "    SSLEngine on\n"
        "</VirtualHost>\n"
        "</IfModule>\n");
}
END_TEST

Suite *twin_suite(void)
{
    Suite *suite = suite_create("configurator/twin");
    TCase *tc = unit_case(suite, "twin");

    tcase_add_test(tc, simplest);
    return suite;
}
