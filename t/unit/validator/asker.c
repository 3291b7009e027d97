/* A target is asked everything, once or until httpd has settled. */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include <apr_strings.h>

#include "validator/rig.h"

static validator_answer_t told[VALIDATOR_ROWS];
static int n_told;

static void tell(void *baton, int target, int row,
                 const validator_answer_t *answer)
{
    ck_assert_ptr_eq(baton, told);
    ck_assert_int_eq(target, 0);
    ck_assert_int_eq(row, n_told);
    told[row] = *answer;
    told[row].detail = apr_pstrdup(pool, answer->detail);
    n_told++;
}

static plan_t *plan_of(const validator_ask_t *ask, const char *name)
{
    apr_array_header_t *targets = apr_array_make(pool, 1,
                                                 sizeof(validator_target_t));
    plan_t *plan = apr_pcalloc(pool, sizeof(*plan));

    APR_ARRAY_PUSH(targets, validator_target_t) = *ask->target;
    APR_ARRAY_IDX(targets, 0, validator_target_t).name = name;
    plan->targets = targets;
    plan->trust = apr_pmemdup(pool, &ask->trust, sizeof(ask->trust));
    plan->timeout = ask->timeout;
    plan->until = ask->until;
    return plan;
}

static void ask_plan(const plan_t *plan)
{
    asker_t asker = { plan, tell, told, STAPLE_WAIT };

    n_told = 0;
    asker_target(&asker, 0, pool);
    ck_assert_int_eq(n_told, VALIDATOR_ROWS);
}

static const char *path;

/* Which names were asked for is noted in a file. */
static void note(int fd, const char *request)
{
    const char *host = strstr(request, "Host: ");
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (host && write(file, host, strcspn(host, "\r")) < 0) {
        _exit(1);
    }
    close(file);
    rig_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
}

/* Every row is told, in order; a wildcard is asked for as a name below it. */
START_TEST(all_rows)
{
    plan_t *plan;
    char *data;
    apr_size_t len;
    int i;

    path = apr_pstrcat(pool, unit_dir(), "/names", NULL);
    plan = plan_of(rig_ask(rig_serve(note, pool),
                           rig_serve_tls(note, "P-256", pool), pool),
                   "*.a.example");
    ask_plan(plan);
    for (i = 0; i < VALIDATOR_ROWS; i++) {
        ck_assert_int_ne(told[i].detail[0], '\0');
    }
    ck_assert_int_eq(told[0].ok, 1);
    ck_assert_int_eq(told[3].ok, 0);
    unit_ok(base_file_read(&data, &len, path, 10000, &err, pool));
    ck_assert(strncmp(data, "Host: acmectl-validate.a.exampleHost: ", 38)
              == 0);
}
END_TEST

/* A target without any address has failed, and is told completely. */
START_TEST(no_address)
{
    plan_t *plan = plan_of(rig_ask(0, 0, pool), "a.example");

    APR_ARRAY_IDX(plan->targets, 0, validator_target_t).http = NULL;
    APR_ARRAY_IDX(plan->targets, 0, validator_target_t).https = NULL;
    ask_plan(plan);
    ck_assert_int_eq(told[1].ok, 0);
}
END_TEST

/* What fails and counts is asked again until the time to settle is over. */
START_TEST(settles)
{
    plan_t *plan = plan_of(rig_ask(0, rig_dead_port(), pool), "a.example");
    apr_time_t began = rig_mono();

    ask_plan(plan);
    ck_assert_int_lt(rig_mono() - began, 100000);
    plan->settle = rig_mono() + 350000;
    began = rig_mono();
    ask_plan(plan);
    ck_assert_int_ge(rig_mono() - began, 200000);
    ck_assert_int_lt(rig_mono() - began, 2000000);
}
END_TEST

Suite *asker_suite(void);
Suite *asker_suite(void)
{
    Suite *suite = suite_create("asker");
    TCase *tc = unit_case(suite, "asker");

    tcase_add_test(tc, all_rows);
    tcase_add_test(tc, no_address);
    tcase_add_test(tc, settles);
    return suite;
}
