/* Edits of a whole text, and their proof. */
#include "configurator/text_rig.h"

/** A text, its lens and its edits. */
typedef struct site_t {
    augeas_base_t *base;
    text_t *text;
    edits_t *edits;
} site_t;

static site_t site(const char *data)
{
    site_t s;

    s.base = rig_base();
    s.text = rig_text(data);
    s.edits = edits_make(s.text, s.base, pool);
    return s;
}

/** Put lines (up to a NULL) before a line. */
#define put(s, before, ...) \
    unit_ok(edits_insert((s)->edits, before, rig_words(__VA_ARGS__, NULL), \
                         &err))

/** A copy of section n on port 443, in a section or not. */
static void twin(const site_t *s, int n, const char *wrap)
{
    const block_t *block = rig_block(s->base, s->text, n);
    block_t *copy;

    unit_ok(block_copy(&copy, block, &err, pool));
    unit_ok(block_set(copy, -1, 0, "*:443", &err));
    unit_ok(block_insert(copy, -1, "SSLEngine", rig_words("on", NULL),
                         &err));
    unit_ok(edits_copy(s->edits, copy, wrap, "ssl_module", &err));
}

/** Assert what the text is after the edits. */
static void becomes(const site_t *s, const char *want)
{
    ck_assert_int_eq(edits_any(s->edits), 1);
    ck_assert_str_eq(rig_finish(s->edits), want);
}

/** Assert that the edits cannot be finished. */
static void fails(const site_t *s, apr_status_t status, const char *says)
{
    const char *data;
    apr_size_t len;

    unit_fails(edits_finish(&data, &len, s->edits, &err, pool), status,
               says);
    base_err_clear(&err);
}

/* ------------------------------------------------------------------ lines */

/* Without edits nothing changes, down to the last byte. */
START_TEST(nothing)
{
    site_t s = site("A b\r\n\n<If x>\n  </If>");

    ck_assert_int_eq(edits_any(s.edits), 0);
    ck_assert_str_eq(rig_finish(s.edits), s.text->data);
    unit_ok(edits_block(s.edits, rig_block(s.base, s.text, 0), &err));
    ck_assert_int_eq(edits_any(s.edits), 0);
    ck_assert_str_eq(rig_finish(s.edits), s.text->data);
}
END_TEST

/* Lines are put first, between, last, and into a new file. */
START_TEST(lines)
{
    site_t s = site("A b\nC d\n");

    put(&s, 0, "Listen 1");
    put(&s, 1, "Listen 2", "", "# three");
    put(&s, 2, "Listen 4");
    put(&s, -1, "Listen 5");
    becomes(&s, "Listen 1\nA b\nListen 2\n\n# three\nC d\nListen 4\n"
            "Listen 5\n");
    s = site("");
    put(&s, -1, "<IfModule acme_module>", "ACMEAgreement accepted",
        "</IfModule>");
    becomes(&s, "<IfModule acme_module>\n    ACMEAgreement accepted\n"
            "</IfModule>\n");
}
END_TEST

/* They look like the lines there: indentation, CRLF, the step of the
 * file. */
START_TEST(lines_look)
{
    site_t s = site("<IfModule x>\r\n\tListen 1\r\n\r\n</IfModule>\r\n");

    put(&s, 1, "A", "<If y>", "B", "</If>");
    put(&s, 2, "C");
    put(&s, 3, "D");
    becomes(&s, "<IfModule x>\r\n\tA\r\n\t<If y>\r\n\t\tB\r\n\t</If>\r\n"
            "\tListen 1\r\n\tC\r\n\r\n\tD\r\n</IfModule>\r\n");
}
END_TEST

/* A file without a final end of line has none afterwards. */
START_TEST(lines_no_end)
{
    site_t s = site("A b\r\nC d");

    put(&s, -1, "Listen 1", "Listen 2");
    put(&s, 2, "Listen 3");
    becomes(&s, "A b\r\nC d\r\nListen 1\r\nListen 2\r\nListen 3");
    s = site("A b\nC d \\\n");
    put(&s, -1, "Listen 1");
    becomes(&s, "A b\nC d \\\n\nListen 1");
    s = site("A b\nC d");
    unit_ok(edits_remove(s.edits, 1, &err));
    put(&s, -1, "Listen 1");
    becomes(&s, "A b\nListen 1\n");
    s = site("A b");
    unit_ok(edits_remove(s.edits, 0, &err));
    put(&s, 0, "Listen 1");
    becomes(&s, "Listen 1\n");
}
END_TEST

/* A logical line goes whole, a section with all in it. */
START_TEST(cut)
{
    site_t s = site("A \\\n b\nC d\n<If x>\nE\n</If>\nF\n");

    unit_ok(edits_remove(s.edits, 0, &err));
    unit_ok(edits_remove(s.edits, 2, &err));
    unit_ok(edits_remove(s.edits, 2, &err));
    put(&s, 2, "G");
    becomes(&s, "C d\nG\nF\n");
    unit_ok(edits_remove(s.edits, 1, &err));
    unit_ok(edits_remove(s.edits, 5, &err));
    becomes(&s, "G\n");
}
END_TEST

/* Beside lines that the lens cannot read, lines can still be put. */
START_TEST(lines_beside_odd_ones)
{
    site_t s = site("Foo {\"a\": 1\n\fBar\n<$x y>>\n</$x>\n");

    put(&s, 1, "Listen 1");
    put(&s, 2, "Listen 2");
    put(&s, -1, "Listen 3");
    becomes(&s, "Foo {\"a\": 1\nListen 1\n\fBar\nListen 2\n<$x y>>\n</$x>\n"
            "Listen 3\n");
}
END_TEST

/* Bytes that are no UTF-8 stay what they are. */
START_TEST(lines_latin1)
{
    site_t s = site("# caf\xe9\nA \xff\n# \xc3\xa9");

    put(&s, 1, "Listen 1");
    becomes(&s, "# caf\xe9\nListen 1\nA \xff\n# \xc3\xa9");
}
END_TEST

/* Lines that would not be lines, sections that are not whole. */
START_TEST(refused_lines)
{
    site_t s = site("A b\n<If x>\n</If>\n");

    unit_fails(edits_insert(s.edits, 0, rig_words("Listen 1\\", NULL), &err),
               APR_EINVAL, "goes on");
    base_err_clear(&err);
    unit_fails(edits_insert(s.edits, 0, rig_words("Listen\nFoo", NULL),
                            &err), APR_EINVAL, "goes on");
    base_err_clear(&err);
    unit_fails(edits_insert(s.edits, 9, rig_words("A", NULL), &err),
               APR_EINVAL, "no such line");
    base_err_clear(&err);
    unit_fails(edits_remove(s.edits, 2, &err), APR_EINVAL, "no such line");
    base_err_clear(&err);
    unit_fails(edits_remove(s.edits, -1, &err), APR_EINVAL, "no such line");
    base_err_clear(&err);
    ck_assert_int_eq(edits_any(s.edits), 0);
    put(&s, 0, "<If x>");
    fails(&s, APR_EGENERAL, "<If> is not closed");
    s = site("A b\n<If x>\n</If>\n");
    put(&s, -1, "</If>");
    fails(&s, APR_EGENERAL, "closes no section");
    s = site("A b\\");
    put(&s, -1, "Listen 1");
    fails(&s, APR_EGENERAL, "site.conf:1: this line would not stay");
    s = site("A b\n");
    put(&s, 0, "Foo {x");
    fails(&s, APR_EINVAL, "Augeas cannot read");
    s = site("A b\n");
    put(&s, 0, "</If>", "<If x>");
    fails(&s, APR_EGENERAL, "closes no section");
}
END_TEST

/* ------------------------------------------------------------------ blocks */

#define HOST(name) "<VirtualHost *:80>\n    ServerName " name "\n" \
    "</VirtualHost>\n"

/* Several blocks of one text are edited at once. */
START_TEST(blocks)
{
    site_t s = site(HOST("a") "\n" HOST("b") HOST("c"));
    block_t *a = rig_block(s.base, s.text, 0);
    block_t *c = rig_block(s.base, s.text, 2);

    unit_ok(edits_block(s.edits, c, &err));
    unit_ok(edits_block(s.edits, a, &err));
    unit_ok(edits_block(s.edits, a, &err));
    unit_ok(block_insert(a, -1, "X", rig_words("1", NULL), &err));
    unit_ok(block_set(c, 0, 0, "d", &err));
    put(&s, 0, "Listen 1");
    becomes(&s, "Listen 1\n<VirtualHost *:80>\n    ServerName a\n    X 1\n"
            "</VirtualHost>\n\n" HOST("b") HOST("d"));
}
END_TEST

/* Blocks that meet are not edited together; those of other texts never. */
START_TEST(blocks_meet)
{
    site_t s = site("<If a>\n<If b>\nA\n</If>\n</If>\n" HOST("x"));
    text_t *other = rig_text(HOST("a"));

    unit_ok(edits_block(s.edits, rig_block(s.base, s.text, 1), &err));
    unit_fails(edits_block(s.edits, rig_block(s.base, s.text, 0), &err),
               APR_EINVAL, "site.conf:1: this section is edited already");
    base_err_clear(&err);
    unit_fails(edits_block(s.edits, rig_block(s.base, s.text, 1), &err),
               APR_EINVAL, "edited already");
    base_err_clear(&err);
    unit_ok(edits_block(s.edits, rig_block(s.base, s.text, 2), &err));
    unit_fails(edits_block(s.edits, rig_block(s.base, other, 0), &err),
               APR_EINVAL, "another file's");
    base_err_clear(&err);
    unit_fails(edits_copy(s.edits, rig_block(s.base, other, 0), NULL, NULL,
                          &err), APR_EINVAL, "another file's");
}
END_TEST

/* Edits that contradict each other are refused. */
START_TEST(contradiction)
{
    site_t s = site(HOST("a"));
    block_t *block = rig_block(s.base, s.text, 0);

    unit_ok(block_insert(block, 0, "A", rig_words(NULL), &err));
    unit_ok(edits_block(s.edits, block, &err));
    unit_ok(edits_remove(s.edits, 0, &err));
    fails(&s, APR_EINVAL, "contradict");
    s = site(HOST("a"));
    block = rig_block(s.base, s.text, 0);
    unit_ok(block_set(block, 0, 0, "b", &err));
    unit_ok(edits_block(s.edits, block, &err));
    put(&s, 1, "Listen 1");
    fails(&s, APR_EGENERAL, "would not read as planned");
}
END_TEST

/* ------------------------------------------------------------------ copies */

/* A copy stands behind its original, alone in the file or between others,
 * blank lines where the file has them. */
START_TEST(copied)
{
    site_t s = site(HOST("a"));

    twin(&s, 0, NULL);
    becomes(&s, HOST("a") "\n<VirtualHost *:443>\n    ServerName a\n"
            "    SSLEngine on\n</VirtualHost>\n");
    s = site(HOST("a") HOST("b") HOST("c"));
    twin(&s, 1, NULL);
    becomes(&s, HOST("a") HOST("b") "<VirtualHost *:443>\n    ServerName b\n"
            "    SSLEngine on\n</VirtualHost>\n" HOST("c"));
    s = site("A\n\n# the first\n" HOST("a") HOST("b"));
    twin(&s, 0, NULL);
    becomes(&s, "A\n\n# the first\n" HOST("a") "\n<VirtualHost *:443>\n"
            "    ServerName a\n    SSLEngine on\n</VirtualHost>\n"
            HOST("b"));
    s = site(HOST("a") "\n" HOST("b"));
    twin(&s, 0, "IfModule");
    becomes(&s, HOST("a") "\n<IfModule ssl_module>\n<VirtualHost *:443>\n"
            "    ServerName a\n    SSLEngine on\n</VirtualHost>\n"
            "</IfModule>\n\n" HOST("b"));
}
END_TEST

/* Its bytes are the original's: comments, tabs, CRLF, Latin-1, odd case,
 * continued header, several arguments, no final end of line. */
START_TEST(copied_bytes)
{
    site_t s = site("A\r\n\t<virtualHOST *:80 \\\r\n\t [::1]:80>\r\n"
                    "\t\t# caf\xe9 \\\\ x\r\n\r\n\t\tFoo   \"b\"\t'c' \\\r\n"
                    " d \r\n#\r\n\t</VIRTUALhost>");

    twin(&s, 0, "IfModule");
    becomes(&s, "A\r\n\t<virtualHOST *:80 \\\r\n\t [::1]:80>\r\n"
            "\t\t# caf\xe9 \\\\ x\r\n\r\n\t\tFoo   \"b\"\t'c' \\\r\n"
            " d \r\n#\r\n\t</VIRTUALhost>\r\n"
            "\t<IfModule ssl_module>\r\n"
            "\t<virtualHOST *:443 \\\r\n\t [::1]:80>\r\n"
            "\t\t# caf\xe9 \\\\ x\r\n\r\n\t\tFoo   \"b\"\t'c' \\\r\n"
            " d \r\n#\r\n\t\tSSLEngine on\r\n\t</VIRTUALhost>\r\n"
            "\t</IfModule>");
}
END_TEST

/* The copy of what is in a section is in it as well. */
START_TEST(copied_inside)
{
    site_t s = site("<IfModule x>\n  <VirtualHost *:80>\n    A b\n"
                    "  </VirtualHost>\n</IfModule>\n");

    twin(&s, 1, "IfModule");
    becomes(&s, "<IfModule x>\n  <VirtualHost *:80>\n    A b\n"
            "  </VirtualHost>\n\n  <IfModule ssl_module>\n"
            "  <VirtualHost *:443>\n    A b\n    SSLEngine on\n"
            "  </VirtualHost>\n  </IfModule>\n</IfModule>\n");
}
END_TEST

/* A block is edited and copied; its copy has none of its edits. */
START_TEST(edited_and_copied)
{
    site_t s = site(HOST("a") "Listen 1");
    block_t *block = rig_block(s.base, s.text, 0);

    unit_ok(edits_block(s.edits, block, &err));
    unit_ok(block_set(block, 0, 0, "b", &err));
    twin(&s, 0, "IfModule");
    unit_ok(block_insert(block, -1, "X", rig_words(NULL), &err));
    put(&s, 3, "Listen 2");
    put(&s, -1, "Listen 3");
    becomes(&s, "<VirtualHost *:80>\n    ServerName b\n    X\n"
            "</VirtualHost>\n<IfModule ssl_module>\n<VirtualHost *:443>\n"
            "    ServerName a\n    SSLEngine on\n</VirtualHost>\n"
            "</IfModule>\nListen 2\nListen 1\nListen 3");
}
END_TEST

/* A comment behind a tag is nothing to httpd, and goes along. */
START_TEST(copied_comment)
{
    site_t s = site("<VirtualHost *:80> # a\nA\n<If b> #c\n</If> # d\n"
                    "</VirtualHost> # e\nB\n");
    block_t *block = rig_block(s.base, s.text, 0);

    twin(&s, 0, "IfModule");
    unit_ok(block_set(block, -1, 0, "*:81", &err));
    unit_ok(block_insert(block, 0, "X", rig_words(NULL), &err));
    unit_ok(edits_block(s.edits, block, &err));
    becomes(&s, "<VirtualHost *:81> # a\nX\nA\n<If b> #c\n</If> # d\n"
            "</VirtualHost> # e\n<IfModule ssl_module>\n"
            "<VirtualHost *:443> # a\nA\n<If b> #c\n</If> # d\n"
            "SSLEngine on\n</VirtualHost> # e\n</IfModule>\nB\n");
}
END_TEST

/* Two copies of the last block, behind no final end of line. */
START_TEST(copied_twice)
{
    site_t s = site("<VirtualHost *:80>\nA\n</VirtualHost>");

    twin(&s, 0, NULL);
    twin(&s, 0, NULL);
    put(&s, -1, "Listen 1");
    becomes(&s, "<VirtualHost *:80>\nA\n</VirtualHost>\n\n"
            "<VirtualHost *:443>\nA\nSSLEngine on\n</VirtualHost>\n\n"
            "<VirtualHost *:443>\nA\nSSLEngine on\n</VirtualHost>\n"
            "Listen 1");
}
END_TEST

/* A copy may stand behind another section, of another file as well: with
 * the bytes that it has where it comes from. */
START_TEST(copied_behind)
{
    site_t s = site(HOST("a") "\n<IfModule ssl_module>\n" HOST("b")
                    "</IfModule>");
    text_t *other = rig_text("A\r\n<VirtualHost *:80>\r\n\tB \\\r\n c\r\n"
                             "</VirtualHost>");
    const block_t *block = rig_block(s.base, other, 0);
    block_t *copy;

    unit_ok(block_copy(&copy, block, &err, pool));
    unit_ok(block_set(copy, -1, 0, "*:443", &err));
    unit_ok(edits_copy_behind(s.edits, copy, 4, NULL, NULL, &err));
    becomes(&s, HOST("a") "\n<IfModule ssl_module>\n" HOST("b")
            "</IfModule>\n\n<VirtualHost *:443>\r\n\tB \\\r\n c\r\n"
            "</VirtualHost>");
    s = site(HOST("a") HOST("b"));
    unit_ok(edits_copy_behind(s.edits, rig_block(s.base, s.text, 0), 3,
                              "If", "x", &err));
    becomes(&s, HOST("a") HOST("b") "<If x>\n" HOST("a") "</If>\n");
    unit_fails(edits_copy_behind(s.edits, copy, 1, NULL, NULL, &err),
               APR_EINVAL, "no section to put a copy behind");
    base_err_clear(&err);
    unit_fails(edits_copy_behind(s.edits, copy, 6, NULL, NULL, &err),
               APR_EINVAL, "no section to put a copy behind");
    base_err_clear(&err);
    unit_fails(edits_copy_behind(s.edits, copy, -1, NULL, NULL, &err),
               APR_EINVAL, "no section to put a copy behind");
}
END_TEST

/* A copy whose wrapping word cannot be one. */
START_TEST(bad_wrap)
{
    site_t s = site(HOST("a"));
    block_t *copy;

    unit_ok(block_copy(&copy, rig_block(s.base, s.text, 0), &err, pool));
    unit_fails(edits_copy(s.edits, copy, "IfModule", "a\nb", &err),
               APR_EINVAL, "cannot be one");
}
END_TEST

/* ------------------------------------------------------------------- proof */

/** The only edit of a block, to be tampered with. */
static op_t *the_edit(const block_t *block)
{
    ck_assert_int_eq(block->ops->nelts, 1);
    return &APR_ARRAY_IDX(block->ops, 0, op_t);
}

/* An edit that would say something else than it should is not written. */
START_TEST(tampered_value)
{
    static const char *const values[] = {
        "A\nListen 1\n", "A b c", "A\\", "</VirtualHost>", "<If x>",
        "# A", "", "\"A", "A {b"
    };
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        site_t s = site("<VirtualHost *:80>\nX y\n</VirtualHost>\n");
        block_t *block = rig_block(s.base, s.text, 0);
        const char *data;
        apr_size_t len;

        unit_ok(block_insert(block, -1, "A", rig_words("b", NULL), &err));
        unit_ok(edits_block(s.edits, block, &err));
        the_edit(block)->value = values[i];
        ck_assert_int_eq(edits_finish(&data, &len, s.edits, &err, pool),
                         APR_EGENERAL);
        base_err_clear(&err);
    }
}
END_TEST

/* So is an argument that is more than one, or ends the header. */
START_TEST(tampered_argument)
{
    static const char *const values[] = {
        "a b", "a>", "a\nB", "\"a", "", "a\\", "{a}", "#a\n"
    };
    size_t i;

    for (i = 0; i < 2 * sizeof(values) / sizeof(values[0]); i++) {
        site_t s = site("<VirtualHost *:80>\nX y\n</VirtualHost>\n");
        block_t *block = rig_block(s.base, s.text, 0);
        int node = i % 2 ? 0 : -1;
        const char *data;
        apr_size_t len;

        /* Those are arguments, if odd ones. */
        if (strcmp(values[i / 2], node < 0 ? "{a}" : "a>") == 0
            || (node == 0 && strcmp(values[i / 2], "\"a") == 0)) {
            continue;
        }
        unit_ok(block_set(block, node, 0, "z", &err));
        unit_ok(edits_block(s.edits, block, &err));
        APR_ARRAY_IDX(the_edit(block)->args, 0, const char *) =
            values[i / 2];
        ck_assert_msg(edits_finish(&data, &len, s.edits, &err, pool)
                      == APR_EGENERAL, "%d: %s", node, values[i / 2]);
        base_err_clear(&err);
    }
}
END_TEST

/* Bytes that change under the edits are noticed. */
START_TEST(tampered_text)
{
    char data[] = "<VirtualHost *:80>\nX y\n</VirtualHost>\n";
    site_t s = site(data);
    block_t *block = rig_block(s.base, s.text, 0);

    unit_ok(block_set(block, 0, 0, "z", &err));
    unit_ok(edits_block(s.edits, block, &err));
    data[1] = 'W';
    fails(&s, APR_EGENERAL, "site.conf:3: </VirtualHost> cannot close");
    data[1] = 'V';
    data[19] = '#';
    fails(&s, APR_EGENERAL, "cannot be proven");
    data[19] = 'X';
    ck_assert_str_eq(rig_finish(s.edits),
                     "<VirtualHost *:80>\nX z\n</VirtualHost>\n");
}
END_TEST

/* Lines beside the edits that would not stay lines are noticed. */
START_TEST(tampered_rest)
{
    char data[] = "A b\nC d\nE f\n";
    site_t s = site(data);

    put(&s, -1, "Listen 1");
    data[3] = ' ';
    fails(&s, APR_EGENERAL, "site.conf:1: this line would not stay");
    data[3] = '\n';
    data[4] = '#';
    fails(&s, APR_EGENERAL, "site.conf:2: this line would not stay");
    data[4] = 'C';
    data[10] = '\\';
    fails(&s, APR_EGENERAL, "nothing is written");
}
END_TEST

Suite *edits_suite(void)
{
    Suite *suite = suite_create("edits");
    TCase *tc = unit_case(suite, "lines");

    tcase_add_test(tc, nothing);
    tcase_add_test(tc, lines);
    tcase_add_test(tc, lines_look);
    tcase_add_test(tc, lines_no_end);
    tcase_add_test(tc, cut);
    tcase_add_test(tc, lines_beside_odd_ones);
    tcase_add_test(tc, lines_latin1);
    tcase_add_test(tc, refused_lines);
    tc = unit_case(suite, "blocks");
    tcase_add_test(tc, blocks);
    tcase_add_test(tc, blocks_meet);
    tcase_add_test(tc, contradiction);
    tc = unit_case(suite, "copies");
    tcase_add_test(tc, copied);
    tcase_add_test(tc, copied_bytes);
    tcase_add_test(tc, copied_inside);
    tcase_add_test(tc, edited_and_copied);
    tcase_add_test(tc, copied_comment);
    tcase_add_test(tc, copied_twice);
    tcase_add_test(tc, copied_behind);
    tcase_add_test(tc, bad_wrap);
    tc = unit_case(suite, "proof");
    tcase_add_test(tc, tampered_value);
    tcase_add_test(tc, tampered_argument);
    tcase_add_test(tc, tampered_text);
    tcase_add_test(tc, tampered_rest);
    return suite;
}
