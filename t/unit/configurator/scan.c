/* Lines, words and sections, as httpd reads them. */
#include "configurator/text_internal.h"
#include "unit.h"

/** The text of some bytes. */
static text_t *scan(const char *data)
{
    text_t *text;

    unit_ok(text_make(&text, "site.conf", data, strlen(data), &err, pool));
    return text;
}

static const scan_line_t *line(const text_t *text, int i)
{
    ck_assert_int_lt(i, text->lines->nelts);
    return &APR_ARRAY_IDX(text->lines, i, scan_line_t);
}

/** Bytes that cannot be a text, and what is said of them. */
static void refused(const char *data, const char *says)
{
    text_t *text;

    unit_fails(text_make(&text, "site.conf", data, strlen(data), &err, pool),
               APR_EINVAL, says);
    base_err_clear(&err);
}

/** What a line is from its first byte to its last, blanks not counted. */
static const char *shown(const text_t *text, int i)
{
    const scan_line_t *l = line(text, i);

    return apr_pstrmemdup(pool, text->data + l->text, l->text_end - l->text);
}

/** The words of a one-line text, joined by "|". */
static const char *words(const char *data)
{
    text_t *text = scan(data);
    apr_array_header_t *found = text_words(text, line(text, 0), pool);

    return apr_array_pstrcat(pool, found, '|');
}

/* ------------------------------------------------------------------ lines */

/* Every kind of line is known, and where it is. */
START_TEST(kinds)
{
    text_t *text = scan("# c\n\nListen 80\n<IfModule x>\n\tFoo\n"
                        "</IfModule>\n");

    ck_assert_int_eq(text->lines->nelts, 6);
    ck_assert_int_eq(line(text, 0)->kind, SCAN_COMMENT);
    ck_assert_int_eq(line(text, 1)->kind, SCAN_BLANK);
    ck_assert_int_eq(line(text, 2)->kind, SCAN_DIRECTIVE);
    ck_assert_int_eq(line(text, 3)->kind, SCAN_OPEN);
    ck_assert_int_eq(line(text, 5)->kind, SCAN_CLOSE);
    ck_assert_str_eq(line(text, 2)->name, "Listen");
    ck_assert_str_eq(line(text, 3)->name, "IfModule");
    ck_assert_str_eq(line(text, 5)->name, "IfModule");
    ck_assert_int_eq(line(text, 3)->mate, 5);
    ck_assert_int_eq(line(text, 5)->mate, 3);
    ck_assert_int_eq(line(text, 4)->parent, 3);
    ck_assert_int_eq(line(text, 4)->depth, 1);
    ck_assert_int_eq(line(text, 5)->depth, 0);
    ck_assert_int_eq(line(text, 4)->line, 5);
    ck_assert_uint_eq(line(text, 4)->text, line(text, 4)->start + 1);
}
END_TEST

/* A line goes on behind a backslash; httpd counts the last one. */
START_TEST(continued)
{
    text_t *text = scan("A \\\n b \\\r\n  c\nB\n");

    ck_assert_int_eq(text->lines->nelts, 2);
    ck_assert_int_eq(line(text, 0)->line, 1);
    ck_assert_int_eq(line(text, 0)->last, 3);
    ck_assert_int_eq(line(text, 1)->line, 4);
    ck_assert_str_eq(words("A \\\n b \\\r\n  c\n"), "b|c");
}
END_TEST

/* Comments go on as well, and so does what two backslashes end. */
START_TEST(continued_anything)
{
    text_t *text = scan("# a \\\nListen 1\nB c\\\\\nD\nE\n");

    ck_assert_int_eq(text->lines->nelts, 3);
    ck_assert_int_eq(line(text, 0)->kind, SCAN_COMMENT);
    ck_assert_int_eq(line(text, 0)->last, 2);
    ck_assert_str_eq(line(text, 1)->name, "B");
    ck_assert_int_eq(line(text, 1)->last, 4);
    ck_assert_str_eq(line(text, 2)->name, "E");
    ck_assert_str_eq(words("B c\\\\\nD\n"), "c\\D");
}
END_TEST

/* A backslash with something behind it continues nothing. */
START_TEST(not_continued)
{
    text_t *text = scan("A \\ \nB \\\tx\nC\\");

    ck_assert_int_eq(text->lines->nelts, 3);
    ck_assert_str_eq(shown(text, 0), "A \\");
    ck_assert_str_eq(shown(text, 2), "C\\");
    ck_assert_int_eq(text->final_eol, 0);
}
END_TEST

/* A name may be cut in two; an empty line may begin one. */
START_TEST(joined_names)
{
    text_t *text = scan("Server\\\nName a\n\\\n  Foo\n");

    ck_assert_int_eq(text->lines->nelts, 2);
    ck_assert_str_eq(line(text, 0)->name, "ServerName");
    ck_assert_str_eq(line(text, 1)->name, "Foo");
    ck_assert_int_eq(line(text, 1)->line, 3);
    ck_assert_int_eq(line(text, 1)->last, 4);
    ck_assert_str_eq(shown(text, 1), "Foo");
}
END_TEST

/* What httpd has joined may end in the backslash of an earlier line. */
START_TEST(joined_backslash)
{
    text_t *text = scan("A x\\\\\n\nB\nC\n");

    ck_assert_int_eq(text->lines->nelts, 2);
    ck_assert_int_eq(line(text, 0)->last, 3);
    ck_assert_str_eq(words("A x\\\\\n\nB\nC\n"), "xB");
    ck_assert_str_eq(line(text, 1)->name, "C");
}
END_TEST

/* A file may end in a continuation: httpd then counts one line more, and
 * nothing can be put behind it without an end of line. */
START_TEST(dangling)
{
    text_t *text = scan("A\nB c \\\n");

    ck_assert_int_eq(text->lines->nelts, 2);
    ck_assert_int_eq(line(text, 1)->line, 2);
    ck_assert_int_eq(line(text, 1)->last, 3);
    ck_assert_int_eq(text->final_eol, 0);
    ck_assert_str_eq(shown(text, 1), "B c");
    ck_assert_uint_eq(line(text, 1)->end, text->len);
}
END_TEST

/* Form feed, vertical tab and carriage return are blanks. */
START_TEST(odd_blanks)
{
    text_t *text = scan("\v\f A\fb\r\v\n\r\n \f\n");

    ck_assert_int_eq(text->lines->nelts, 3);
    ck_assert_str_eq(line(text, 0)->name, "A");
    ck_assert_str_eq(shown(text, 0), "A\fb");
    ck_assert_int_eq(line(text, 1)->kind, SCAN_BLANK);
    ck_assert_int_eq(line(text, 2)->kind, SCAN_BLANK);
    ck_assert_uint_eq(line(text, 1)->text, line(text, 1)->start);
}
END_TEST

/* The file's end of line is what most of its lines have. */
START_TEST(ends_of_line)
{
    ck_assert_str_eq(scan("a\r\nb\r\nc\n")->eol, "\r\n");
    ck_assert_str_eq(scan("a\nb\r\n")->eol, "\n");
    ck_assert_str_eq(scan("")->eol, "\n");
    ck_assert_int_eq(scan("a\r\nb")->final_eol, 0);
    ck_assert_int_eq(scan("a\r\nb\n")->final_eol, 1);
    ck_assert_int_eq(scan("")->final_eol, 1);
    ck_assert_int_eq(scan("")->lines->nelts, 0);
}
END_TEST

/* The lines cover the file, without a gap; bytes over 127 are text. */
START_TEST(covered)
{
    text_t *text = scan("# caf\xe9 \xc3\xa9\n\n\xff x\n<A>\r\n\\\n\n</a>");
    apr_size_t at = 0;
    int i;

    for (i = 0; i < text->lines->nelts; i++) {
        ck_assert_uint_eq(line(text, i)->start, at);
        at = line(text, i)->end;
    }
    ck_assert_uint_eq(at, text->len);
    ck_assert_str_eq(line(text, 2)->name, "\xff");
}
END_TEST

/* The time grows with the file, whatever is in it. */
START_TEST(linear)
{
    static const char *const units[] = {
        "A b\n", "\n", "\\\n", "x\\\n\n", "\r\n", "#\\\n", "<A>\n</A>\n",
        "x\\\n\r\n"
    };
    size_t i;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = 400000 / strlen(units[i]);
        size_t k;
        char *data = apr_palloc(pool, 400001);
        text_t *text;

        for (k = 0; k < n; k++) {
            memcpy(data + k * strlen(units[i]), units[i], strlen(units[i]));
        }
        data[n * strlen(units[i])] = '\0';
        text = scan(data);
        ck_assert_uint_eq(line(text, text->lines->nelts - 1)->end,
                          text->len);
    }
}
END_TEST

/* --------------------------------------------------------------- sections */

/* Names of sections match in any case; the close tag keeps its own. */
START_TEST(odd_case)
{
    text_t *text = scan("<virtualHOST *:80>\n</VirtualHost>\n");

    ck_assert_str_eq(line(text, 0)->name, "virtualHOST");
    ck_assert_str_eq(line(text, 1)->name, "VirtualHost");
    ck_assert_int_eq(line(text, 0)->mate, 1);
}
END_TEST

/* The section of httpd's line number: the last line of its header. */
START_TEST(section_at)
{
    text_t *text = scan("A\n<VirtualHost \\\n *:80>\n<If a>\n</If>\n"
                        "</VirtualHost>\n");

    ck_assert_int_eq(text_section_at(text, "virtualhost", 3), 1);
    ck_assert_int_eq(text_section_at(text, NULL, 3), 1);
    ck_assert_int_eq(text_section_at(text, NULL, 4), 2);
    ck_assert_int_eq(text_section_at(text, "VirtualHost", 2), -1);
    ck_assert_int_eq(text_section_at(text, "VirtualHost", 4), -1);
    ck_assert_int_eq(text_section_at(text, NULL, 1), -1);
    ck_assert_int_eq(text_section_at(text, NULL, 6), -1);
    ck_assert_int_eq(text_section_at(text, NULL, 7), -1);
    ck_assert_int_eq(text_section_at(text, NULL, 0), -1);
    ck_assert_int_eq(text_section_at(scan(""), NULL, 1), -1);
}
END_TEST

/* The line that starts at an offset, or the next one. */
START_TEST(line_from)
{
    text_t *text = scan("A\nBB\nC\n");

    ck_assert_int_eq(text_line_from(text, 0), 0);
    ck_assert_int_eq(text_line_from(text, 1), 1);
    ck_assert_int_eq(text_line_from(text, 2), 1);
    ck_assert_int_eq(text_line_from(text, 5), 2);
    ck_assert_int_eq(text_line_from(text, 7), 3);
}
END_TEST

/* What is in a macro or in Perl need not be balanced. */
START_TEST(raw)
{
    text_t *text = scan("<Macro m $a>\n<$a>\n<If b>\n</$a>\n</Macro>\n"
                        "<Perl>\n</x>\n</perl>\n<If x>\n</If>\n");

    ck_assert_int_eq(line(text, 1)->kind, SCAN_DIRECTIVE);
    ck_assert_str_eq(line(text, 1)->name, "<$a");
    ck_assert_str_eq(line(text, 3)->name, "</$a");
    ck_assert_int_eq(line(text, 0)->mate, 4);
    ck_assert_int_eq(line(text, 5)->mate, 7);
    ck_assert_int_eq(line(text, 8)->mate, 9);
    ck_assert_int_eq(text_section_at(text, NULL, 3), -1);
    text = scan("<Macro a>\n<Macro b>\n</Macro>\n</Macro>\n");
    ck_assert_int_eq(line(text, 0)->mate, 3);
}
END_TEST

/* Sections that do not match are refused, with the line to look at. */
START_TEST(unbalanced)
{
    refused("<A>\n", "site.conf:1: <A> is not closed");
    refused("A\n</A>\n", "site.conf:2: </A> closes no section");
    refused("<A>\n<B>\n</A>\n", "site.conf:3: </A> cannot close <B>");
    refused("<A>\n</A>\n</A>\n", "site.conf:3: </A> closes no section");
    refused("<A x></A>\n", "<A> is not closed");
    refused("<A>\nB \\\n</A>\n", "<A> is not closed");
    refused("<Macro m>\n<A>\n</A>\n", "<Macro> is not closed");
}
END_TEST

/* A NUL is refused: what is behind it would be lost. */
START_TEST(nul)
{
    text_t *text;

    unit_fails(text_make(&text, "x.conf", "A\n\0B\n", 5, &err, pool),
               APR_EINVAL, "x.conf has a NUL byte");
}
END_TEST

/* ------------------------------------------------------------------ words */

/* Words are bare or quoted; escapes are undone as httpd does it. */
START_TEST(plain_words)
{
    ck_assert_str_eq(words("A b c\n"), "b|c");
    ck_assert_str_eq(words("A\n"), "");
    ck_assert_str_eq(words("A \"b c\" 'd \"e'\n"), "b c|d \"e");
    ck_assert_str_eq(words("A \"b \\\" \\\\ \\n\"\n"), "b \" \\ \\n");
    ck_assert_str_eq(words("A b\\\\c d\\e f\\\"\n"), "b\\c|d\\e|f\\\"");
    ck_assert_str_eq(words("A \"\" b\n"), "|b");
    ck_assert_str_eq(words("A \"a\"b\n"), "a|b");
    ck_assert_str_eq(words("A \"open b\n"), "open b");
    ck_assert_str_eq(words("A \"end\\\n"), "end");
    ck_assert_str_eq(words("A \"end\\"), "end\\");
    ck_assert_str_eq(words("A \""), "");
    ck_assert_str_eq(words("A \"\\\""), "\"");
    ck_assert_str_eq(words("A 'it\\'s'\n"), "it's");
    ck_assert_str_eq(words("A a#b #c\n"), "a#b|#c");
}
END_TEST

/* The words of a header end at its last ">". */
START_TEST(header_words)
{
    text_t *text = scan("<VirtualHost *:80 \\\n [::1]:80 > x\n"
                        "</VirtualHost>\n<A>\n</A>\n<F \"^(?<n>x)\">\n</F>\n"
                        "<If \"%{A} > 1\">\n</If>\n");

    ck_assert_str_eq(apr_array_pstrcat(pool, text_words(text, line(text, 0),
                                                        pool), '|'),
                     "*:80|[::1]:80");
    ck_assert_int_eq(text_words(text, line(text, 2), pool)->nelts, 0);
    ck_assert_str_eq(apr_array_pstrcat(pool, text_words(text, line(text, 4),
                                                        pool), '|'),
                     "^(?<n>x)");
    ck_assert_str_eq(apr_array_pstrcat(pool, text_words(text, line(text, 6),
                                                        pool), '|'),
                     "%{A} > 1");
}
END_TEST

/* Words know the bytes they stand in, over continuations. */
START_TEST(spans)
{
    text_t *text = scan("A x\n  B \"c d\" \\\n e\\\nf\n");
    apr_size_t name_end;
    apr_array_header_t *found = text_spans(text, line(text, 1), &name_end,
                                           pool);
    const text_word_t *word = &APR_ARRAY_IDX(found, 0, text_word_t);

    ck_assert_uint_eq(name_end, 7);
    ck_assert_int_eq(found->nelts, 2);
    ck_assert_mem_eq(text->data + word->start, "\"c d\"", 5);
    ck_assert_uint_eq(word->end - word->start, 5);
    word = &APR_ARRAY_IDX(found, 1, text_word_t);
    ck_assert_str_eq(word->value, "ef");
    ck_assert_mem_eq(text->data + word->start, "e\\\nf", 4);
    ck_assert_uint_eq(word->end, word->start + 4);
}
END_TEST

/* A word is quoted only where it has to be. */
START_TEST(quoting)
{
    ck_assert_str_eq(text_quote("a.example", pool), "a.example");
    ck_assert_str_eq(text_quote("", pool), "\"\"");
    ck_assert_str_eq(text_quote("a b", pool), "\"a b\"");
    ck_assert_str_eq(text_quote("a\fb", pool), "\"a\fb\"");
    ck_assert_str_eq(text_quote("a\"b\\", pool), "\"a\\\"b\\\\\"");
    ck_assert_str_eq(text_quote("{a}", pool), "\"{a}\"");
    ck_assert_str_eq(text_quote("it's", pool), "\"it's\"");
    ck_assert_str_eq(text_quote("a>b", pool), "\"a>b\"");
}
END_TEST

/* What a line cannot hold, or httpd would expand, is no word. */
START_TEST(not_quoted)
{
    ck_assert_ptr_null(text_quote("a\nb", pool));
    ck_assert_ptr_null(text_quote("a\rb", pool));
    ck_assert_ptr_null(text_quote("${HOME}", pool));
    ck_assert_ptr_nonnull(text_quote("$1", pool));
}
END_TEST

/* Whatever is quoted is read again as it was: 4000 words of odd bytes. */
START_TEST(quoted_and_read)
{
    static const char bytes[] = "ab \t\v\f\"'\\{}<>#$%\xe9\xc3";
    unsigned seed = 5;
    int i;

    for (i = 0; i < 4000; i++) {
        char word[12];
        int n = (int)(rand_r(&seed) % (sizeof(word) - 1));
        const char *quoted;
        int k;

        for (k = 0; k < n; k++) {
            word[k] = bytes[rand_r(&seed) % (sizeof(bytes) - 1)];
        }
        word[n] = '\0';
        quoted = text_quote(word, pool);
        if (strstr(word, "${")) {
            ck_assert_ptr_null(quoted);
            continue;
        }
        ck_assert_str_eq(words(apr_pstrcat(pool, "A ", quoted, " z\n",
                                           NULL)),
                         apr_pstrcat(pool, word, "|z", NULL));
    }
}
END_TEST

/* ------------------------------------------------------------------ files */

/* A file is read through the link that httpd opened. */
START_TEST(read_link)
{
    const char *dir = unit_dir();
    const char *file = apr_pstrcat(pool, dir, "/a.conf", NULL);
    const char *link = apr_pstrcat(pool, dir, "/b.conf", NULL);
    text_t *text;

    unit_ok(base_file_put(file, "Foo\n", 4, 0600, &err));
    ck_assert_int_eq(symlink("a.conf", link), 0);
    unit_ok(text_read(&text, link, &err, pool));
    ck_assert_str_eq(text->path, link);
    ck_assert_str_eq(text->data, "Foo\n");
}
END_TEST

/* A file that is not there, or no file, is the system's error. */
START_TEST(read_nothing)
{
    const char *dir = unit_dir();
    text_t *text;

    unit_fails(text_read(&text, apr_pstrcat(pool, dir, "/x", NULL), &err,
                         pool), APR_ENOENT, "/x");
    base_err_clear(&err);
    ck_assert_int_ne(text_read(&text, dir, &err, pool), APR_SUCCESS);
}
END_TEST

Suite *scan_suite(void)
{
    Suite *suite = suite_create("scan");
    TCase *tc = unit_case(suite, "lines");

    tcase_add_test(tc, kinds);
    tcase_add_test(tc, continued);
    tcase_add_test(tc, continued_anything);
    tcase_add_test(tc, not_continued);
    tcase_add_test(tc, joined_names);
    tcase_add_test(tc, joined_backslash);
    tcase_add_test(tc, dangling);
    tcase_add_test(tc, odd_blanks);
    tcase_add_test(tc, ends_of_line);
    tcase_add_test(tc, covered);
    tcase_add_test(tc, linear);
    tc = unit_case(suite, "sections");
    tcase_add_test(tc, odd_case);
    tcase_add_test(tc, section_at);
    tcase_add_test(tc, line_from);
    tcase_add_test(tc, raw);
    tcase_add_test(tc, unbalanced);
    tcase_add_test(tc, nul);
    tc = unit_case(suite, "words");
    tcase_add_test(tc, plain_words);
    tcase_add_test(tc, header_words);
    tcase_add_test(tc, spans);
    tcase_add_test(tc, quoting);
    tcase_add_test(tc, not_quoted);
    tcase_add_test(tc, quoted_and_read);
    tc = unit_case(suite, "files");
    tcase_add_test(tc, read_link);
    tcase_add_test(tc, read_nothing);
    return suite;
}
