/*
 * diff.c: tests of differences by lines and of merges.
 */
#include "rig.h"

static const char *diff(const char *a, const char *b)
{
    return journal_diff("f", a, a ? strlen(a) : 0, b, b ? strlen(b) : 0,
                        pool);
}

/* The text is what diff -u prints. */
START_TEST(diffs_are_unified)
{
    ck_assert_str_eq(diff("a\n", "a\n"), "");
    ck_assert_str_eq(diff("", "a\n"), "--- f\n+++ f\n@@ -0,0 +1 @@\n+a\n");
    ck_assert_str_eq(diff(NULL, "a\nb\n"),
                     "--- /dev/null\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    ck_assert_str_eq(diff("a\n", NULL),
                     "--- f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
    ck_assert_str_eq(diff("a\nb", "a\nc\n"),
                     "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n"
                     "\\ No newline at end of file\n+c\n");
    ck_assert_str_eq(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                          "1\n2\n3\n4\nX\n6\n7\n8\n9\n"),
                     "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n"
                     " 7\n 8\n");
}
END_TEST

/* Changes that are far from each other are hunks of their own. */
START_TEST(far_changes_are_hunks)
{
    const char *text = diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n",
                            "A\n1\n2\n3\n4\n5\n6\n7\nB\n");

    ck_assert_ptr_nonnull(strstr(text, "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n"));
}
END_TEST

/* Bytes that are no text are said to differ; a path cannot forge lines. */
START_TEST(binary_content_is_not_shown)
{
    ck_assert_str_eq(journal_diff("f\n", "a\0b", 3, "c", 1, pool),
                     "Binary file f\\x0A differs\n");
    ck_assert_ptr_nonnull(strstr(diff("a\n", "\xff\xfe\n"), "+\xff\xfe\n"));
}
END_TEST

/* Replay the hunks of a diff on a. */
static char *patched(const char *a, const char *text)
{
    char *out = apr_pcalloc(pool, strlen(a) + strlen(text) + 1);
    const char *p = strstr(text, "@@"), *rest = a;
    int from, skip, i;
    apr_size_t len;

    while (p && sscanf(p, "@@ -%d", &from) == 1) {
        skip = from - 1 + (strstr(p, ",0 +") && strstr(p, ",0 +")
                           < strchr(p + 2, '@'));
        for (rest = a, i = 0; i < skip; i++) {
            rest = strchr(rest, '\n') + 1;
        }
        if (!*out || strlen(out) == 0) {
            memcpy(out, a, (size_t)(rest - a));
        }
        p = strchr(p, '\n') + 1;
        while (*p == ' ' || *p == '-' || *p == '+') {
            len = strcspn(p, "\n") + 1;
            if (*p != '-') {
                strncat(out, p + 1, len - 1);
            }
            if (*p != '+') {
                rest = strchr(rest, '\n') + 1;
            }
            p += len;
        }
        if (*p != '@') {
            break;
        }
        /* what is between two hunks */
        sscanf(p, "@@ -%d", &from);
        skip = from - 1 + (strstr(p, ",0 +") && strstr(p, ",0 +")
                           < strchr(p + 2, '@'));
        {
            const char *next = a;

            for (i = 0; i < skip; i++) {
                next = strchr(next, '\n') + 1;
            }
            strncat(out, rest, (size_t)(next - rest));
        }
    }
    strcat(out, rest);
    return out;
}

static char *random_text(unsigned *seed, int lines)
{
    char *text = apr_pcalloc(pool, 4 * (apr_size_t)lines + 1);
    int i;

    for (i = 0; i < lines; i++) {
        *seed = *seed * 1103515245u + 12345u;
        text[2 * i] = (char)('a' + (*seed >> 16) % 4);
        text[2 * i + 1] = '\n';
    }
    return text;
}

/* A diff turns the one text into the other, whatever they are; and a merge
 * of a change with no change is the change. */
START_TEST(diffs_of_random_texts_apply)
{
    unsigned seed = 7;
    apr_size_t len;
    int i, from, to;
    char *a, *b, *merged;

    for (i = 0; i < 3000; i++) {
        from = (int)(seed >> 8) % 30;
        a = random_text(&seed, from);
        to = (int)(seed >> 8) % 30;
        b = random_text(&seed, to);
        ck_assert_str_eq(patched(a, diff(a, b)), b);
        ck_assert_int_eq(journal_merge(&merged, &len, a, strlen(a), b,
                                       strlen(b), a, strlen(a), pool), 1);
        ck_assert_str_eq(merged, b);
        ck_assert_int_eq(journal_merge(&merged, &len, a, strlen(a), a,
                                       strlen(a), b, strlen(b), pool), 1);
        ck_assert_str_eq(merged, b);
        ck_assert_int_eq(journal_merge(&merged, &len, a, strlen(a), b,
                                       strlen(b), b, strlen(b), pool), 1);
        ck_assert_str_eq(merged, b);
    }
}
END_TEST

static int merge(const char *base, const char *a, const char *b,
                 const char *wanted)
{
    apr_size_t len;
    char *merged;
    int done = journal_merge(&merged, &len, base, strlen(base), a, strlen(a),
                             b, strlen(b), pool);

    if (done && wanted) {
        ck_assert_str_eq(merged, wanted);
    }
    return done;
}

/* Changes that do not touch are merged; those that do are not. */
START_TEST(merges_do_not_guess)
{
    ck_assert(merge("1\n2\n3\n", "one\n2\n3\n", "1\n2\nthree\n",
                    "one\n2\nthree\n"));
    ck_assert(merge("1\n2\n3\n", "0\n1\n2\n3\n", "1\n2\n3\n4\n",
                    "0\n1\n2\n3\n4\n"));
    ck_assert(!merge("1\n2\n3\n", "1\ntwo\n3\n", "1\nzwei\n3\n", NULL));
    ck_assert(!merge("1\n2\n3\n", "1\ntwo\n3\n", "1\n2\nthree\n", NULL));
    ck_assert(!merge("1\n2\n", "1\na\n2\n", "1\nb\n2\n", NULL));
    ck_assert(merge("1\n2\n", "1\na\n2\n", "1\na\n2\n", "1\na\n2\n"));
    ck_assert(!merge("", "a\n", "b\n", NULL));
}
END_TEST

/* Two large texts without a common line take no time and no memory. */
START_TEST(large_differences_are_bounded)
{
    apr_size_t size = 400000, i;
    char *a = apr_palloc(pool, size + 1), *b = apr_palloc(pool, size + 1);
    const char *text;

    for (i = 0; i < size; i += 4) {
        memcpy(a + i, "aaa\n", 4);
        memcpy(b + i, "bbb\n", 4);
    }
    a[size] = b[size] = '\0';
    text = diff(a, b);
    ck_assert_ptr_eq(strstr(text, "--- f\n+++ f\n@@ -1,100000 +1,100000 @@\n"
                                  "-aaa\n"), text);
}
END_TEST

Suite *diff_suite(void)
{
    Suite *suite = suite_create("journal/diff");
    TCase *tc = rig_case(suite, "texts");

    tcase_add_test(tc, diffs_are_unified);
    tcase_add_test(tc, far_changes_are_hunks);
    tcase_add_test(tc, binary_content_is_not_shown);
    tcase_add_test(tc, diffs_of_random_texts_apply);
    tcase_add_test(tc, merges_do_not_guess);
    tcase_add_test(tc, large_differences_are_bounded);
    return suite;
}
