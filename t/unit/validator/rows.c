/* The table, and how the answers of several addresses become one. */
#include "unit.h"

#include "validator/rig.h"

/* The rows are complete, in order, and each is named once. */
START_TEST(table)
{
    const validator_row_t *rows = validator_rows();
    int i, j;

    for (i = 0; rows[i].check; i++) {
        ck_assert_ptr_nonnull(rows[i].ask);
        ck_assert_str_eq(strrchr(rows[i].question, '?'), "?");
        for (j = 0; j < i; j++) {
            ck_assert_str_ne(rows[i].check, rows[j].check);
        }
    }
    ck_assert_int_eq(i, VALIDATOR_ROWS);
    ck_assert_str_eq(rows[0].check, "tcp");
}
END_TEST

/* The first failure that counts is found; others count for nothing. */
START_TEST(failed)
{
    apr_array_header_t *checks = apr_array_make(pool, 4,
                                                sizeof(validator_check_t));
    validator_check_t check = { "a.example", "tcp", 1, 1, "" };

    ck_assert_ptr_null(validator_failed(checks));
    APR_ARRAY_PUSH(checks, validator_check_t) = check;
    check.ok = 0;
    check.required = 0;
    APR_ARRAY_PUSH(checks, validator_check_t) = check;
    check.ok = -1;
    check.required = 1;
    APR_ARRAY_PUSH(checks, validator_check_t) = check;
    ck_assert_ptr_null(validator_failed(checks));
    check.ok = 0;
    check.check = "http";
    APR_ARRAY_PUSH(checks, validator_check_t) = check;
    check.check = "hsts";
    APR_ARRAY_PUSH(checks, validator_check_t) = check;
    ck_assert_str_eq(validator_failed(checks)->check, "http");
}
END_TEST

static int asked;

/* A site answers what its port is: 0, 1, or 2 for -1. */
static int by_port(validator_ask_t *ask, site_t *site, const char **pdetail)
{
    (void)ask;
    asked++;
    *pdetail = site->fault;
    return site->port == 2 ? -1 : site->port;
}

static validator_answer_t all_of(int a, int b, int c)
{
    site_t sites[] = { { .port = a, .where = "A", .fault = "first" },
                       { .port = b, .where = "B", .fault = "second" },
                       { .port = c, .where = "C", .fault = "third" } };
    validator_ask_t ask = { .pool = pool };
    validator_answer_t answer = { 1, 1, NULL };

    asked = 0;
    ask_each(&ask, sites, 3, "none", by_port, &answer);
    return answer;
}

/* The first failure decides, then the first that cannot tell. */
START_TEST(each)
{
    validator_ask_t ask = { .pool = pool };
    validator_answer_t answer = all_of(1, 1, 1);

    ck_assert_int_eq(answer.ok, 1);
    ck_assert_str_eq(answer.detail, "A: first (and 2 more)");
    answer = all_of(1, 2, 0);
    ck_assert_int_eq(answer.ok, 0);
    ck_assert_str_eq(answer.detail, "C: third");
    answer = all_of(1, 0, 0);
    ck_assert_str_eq(answer.detail, "B: second");
    ck_assert_int_eq(asked, 2);
    answer = all_of(1, 2, 2);
    ck_assert_int_eq(answer.ok, -1);
    ck_assert_str_eq(answer.detail, "B: second");
    ask_each(&ask, NULL, 0, "none", by_port, &answer);
    ck_assert_int_eq(answer.ok, -1);
    ck_assert_str_eq(answer.detail, "none");
}
END_TEST

Suite *rows_suite(void);
Suite *rows_suite(void)
{
    Suite *suite = suite_create("rows");
    TCase *tc = unit_case(suite, "rows");

    tcase_add_test(tc, table);
    tcase_add_test(tc, failed);
    tcase_add_test(tc, each);
    return suite;
}
