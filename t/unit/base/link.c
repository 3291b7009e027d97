/*
 * link.c: tests of support/base/link.c.
 */
#include "unit.h"

#define BASE "https://ca.example/acme/cert/1"
#define A "https://ca.example/a"
#define B "https://ca.example/b"

static const struct {
    const char *header;
    const char *found;      /* targets of "alternate", each with a blank */
} headers[] = {
    { "<" A ">;rel=\"alternate\"", A " " },
    { "<" A ">;rel=alternate", A " " },
    { "<" A "> ; rel = \"alternate\" ", A " " },
    { "  <" A ">\t;\trel\t=\talternate\t", A " " },
    { "<" A ">;REL=\"AlterNate\"", A " " },
    { "<" A ">;rel=\"index\"", "" },
    { "<" A ">", "" },
    { "<" A ">;", "" },
    { "<" A ">;rel", "" },
    { "<" A ">;rel=\"\"", "" },
    /* several links in one header */
    { "<" A ">;rel=\"alternate\",<" B ">;rel=\"alternate\"", A " " B " " },
    { "<" A ">;rel=\"index\" , <" B ">;rel=\"alternate\"", B " " },
    { ", ,<" A ">;rel=alternate,,<" B ">;rel=alternate,", A " " B " " },
    /* several words in one rel */
    { "<" A ">;rel=\"index alternate up\"", A " " },
    { "<" A ">;rel=\"  alternate  \"", A " " },
    { "<" A ">;rel=\"alternates\"", "" },
    { "<" A ">;rel=\"alternat\"", "" },
    { "<" A ">;rel=\"not-alternate\"", "" },
    /* quoted strings hold what ends a parameter elsewhere */
    { "<" A ">;title=\"x, <" B ">;rel=alternate\";rel=index", "" },
    { "<" A ">;title=\"a\\\"b,;\";rel=alternate", A " " },
    { "<" A ">;title=\"a\\\\\";rel=alternate", A " " },
    { "<" A ">;rel=\"alt\\ernate\"", A " " },
    { "<" A ">;title*=UTF-8''%e2;rel=alternate;hreflang=de", A " " },
    /* only the first rel counts */
    { "<" A ">;rel=index;rel=alternate", "" },
    { "<" A ">;rel=alternate;rel=index", A " " },
    { "<" A ">;rev=alternate", "" },
    { "<" A ">;relx=alternate", "" },
    { "<" A ">;;rel=alternate", A " " },
    /* a link about something else */
    { "<" A ">;anchor=\"#x\";rel=alternate", "" },
    { "<" A ">;rel=alternate;anchor=\"https://x.example/\"", "" },
    /* relative targets */
    { "</a>;rel=alternate", A " " },
    { "<2>;rel=alternate", "https://ca.example/acme/cert/2 " },
    { "<1/2>;rel=alternate", "https://ca.example/acme/cert/1/2 " },
    { "<../x>;rel=alternate", "https://ca.example/acme/x " },
    { "<>;rel=alternate", BASE " " },
    { "<//o.example/x>;rel=alternate", "https://o.example/x " },
    /* in a target a comma or semicolon is nothing special */
    { "</a,b;c>;rel=alternate", "https://ca.example/a,b;c " },
    /* targets that are no URLs */
    { "<a b>;rel=alternate", "" },
    { "<\xc3\xa4>;rel=alternate", "" },
    { "<a\\b>;rel=alternate, <" B ">;rel=alternate", B " " },
    /* faults: what stood before them counts */
    { "", "" },
    { "nonsense", "" },
    { "<" A, "" },
    { "<", "" },
    { "<" A ";rel=alternate", "" },
    { "<<" A ">;rel=alternate", "" },
    { "<" A ">;rel=\"alternate", "" },
    { "<" A ">;rel=\"alternate\\", "" },
    { "<" A ">;rel=", "" },
    { "<" A ">;rel=,<" B ">;rel=alternate", "" },
    { "<" A ">rel=alternate", "" },
    { "<" A "> x;rel=alternate", "" },
    { "<" A ">;rel=alternate x", "" },
    { "<" A ">;rel=\"alternate\"x", "" },
    { "<" A ">;rel=alternate,x", A " " },
    { "<" A ">;rel=alternate,<" B ">;rel=\"alternate", A " " },
    { A ";rel=alternate", "" },
};

#define HEADERS ((int)(sizeof(headers) / sizeof(headers[0])))

static const char *find(const char *const *values, const char *rel)
{
    apr_array_header_t *array = apr_array_make(pool, 4, sizeof(char *));
    apr_array_header_t *found;
    const char *text = "";
    int i;

    for (; *values; values++) {
        APR_ARRAY_PUSH(array, const char *) = *values;
    }
    found = base_link_find(array, rel, BASE, pool);
    for (i = 0; i < found->nelts; i++) {
        text = apr_pstrcat(pool, text, APR_ARRAY_IDX(found, i, char *), " ",
                           NULL);
    }
    return text;
}

/* Of a Link header those targets are found that have the relation. */
START_TEST(finds)
{
    const char *values[] = { headers[_i].header, NULL };

    ck_assert_str_eq(find(values, "alternate"), headers[_i].found);
}
END_TEST

/* Several headers are read in their order; a broken one ends alone. */
START_TEST(several)
{
    static const char *const values[] = {
        "<" BASE "/0>;rel=\"index\"", "<" B ">;rel=\"alternate\"",
        "<broken", "<" A ">;rel=\"alternate\",<" B ">;rel=\"up\"", NULL
    };

    ck_assert_str_eq(find(values, "alternate"), B " " A " ");
    ck_assert_str_eq(find(values, "INDEX"), BASE "/0 ");
    ck_assert_str_eq(find(values, "next"), "");
    ck_assert_str_eq(find(values, ""), "");
}
END_TEST

/* A reply without Link headers has no links. */
START_TEST(none)
{
    static const char *const values[] = { NULL };

    ck_assert_str_eq(find(values, "alternate"), "");
    ck_assert_int_eq(base_link_find(NULL, "alternate", BASE, pool)->nelts,
                     0);
}
END_TEST

/* The header is not changed and may be read again. */
START_TEST(untouched)
{
    char *header = apr_pstrdup(pool, headers[10].header);
    const char *values[] = { header, NULL };

    find(values, "alternate");
    ck_assert_str_eq(header, headers[10].header);
    ck_assert_str_eq(find(values, "alternate"), headers[10].found);
}
END_TEST

Suite *link_suite(void)
{
    Suite *suite = suite_create("link");
    TCase *tc = unit_case(suite, "link");

    tcase_add_loop_test(tc, finds, 0, HEADERS);
    tcase_add_test(tc, several);
    tcase_add_test(tc, none);
    tcase_add_test(tc, untouched);
    return suite;
}
