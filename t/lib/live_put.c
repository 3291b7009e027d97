/*
 * live_put: put challenge tokens and certificates into a live segment by
 * hand, for the tests.
 *
 *   live_put SEGMENT put TOKEN KEYAUTH SECONDS
 *   live_put SEGMENT remove TOKEN
 *   live_put SEGMENT generation
 *   live_put SEGMENT many COUNT SECONDS     token-0000000000000000 ...
 *   live_put SEGMENT fill SECONDS           as many as there is room for
 *   live_put SEGMENT cert ID GENERATION CHAIN KEY
 *   live_put SEGMENT staple ID GENERATION DER SECONDS
 *   live_put SEGMENT name NAME SECONDS CHAIN KEY CHAIN KEY    EC, then RSA
 *   live_put SEGMENT no-name NAME
 *   live_put SEGMENT manager PID SECONDS    it wakes then
 *   live_put SEGMENT make [ID...]           a new one, as httpd's parent does
 *                                           that has loaded each, generation 1
 *   live_put SEGMENT flip ID USEC CHAIN KEY...     in turn, for ever
 *
 * CHAIN, KEY and DER: files. SECONDS until it expires; negative: it has expired
 * already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "acme_live.h"

#define TEXT_MAX (64 * 1024)
#define FILL_TRIES "80000"     /* of 32768 places all are found with fewer */

static apr_time_t until(const char *seconds)
{
    return apr_time_now() + apr_time_from_sec(strtol(seconds, NULL, 10));
}

/* @param full  1: go on when there is no place for one */
static apr_status_t put_many(live_writer_t *writer, const char *count,
                             const char *seconds, int full)
{
    long i, n = strtol(count, NULL, 10);
    apr_status_t rv = APR_SUCCESS;

    for (i = 0; i < n && rv == APR_SUCCESS; i++) {
        char token[32], keyauth[64];

        apr_snprintf(token, sizeof(token), "token-%016ld", i);
        apr_snprintf(keyauth, sizeof(keyauth), "%s.thumb", token);
        rv = live_writer_token_put(writer, token, keyauth, until(seconds));
        rv = full && APR_STATUS_IS_ENOSPC(rv) ? APR_SUCCESS : rv;
    }
    return rv;
}

/* The text of a file, whatever is in it. */
static const char *text_of(const char *file, apr_pool_t *pool)
{
    char *text = apr_pcalloc(pool, TEXT_MAX + 1);
    FILE *in = fopen(file, "r");

    if (!in) {
        return "";
    }
    text[fread(text, 1, TEXT_MAX, in)] = '\0';
    fclose(in);
    return text;
}

static apr_status_t put_certificate(live_writer_t *writer,
                                    const char *const *argv,
                                    apr_pool_t *pool)
{
    return live_writer_certificate_put(writer, argv[3],
                                       strtoull(argv[4], NULL, 10),
                                       text_of(argv[5], pool),
                                       text_of(argv[6], pool),
                                       until("3600"));
}

static apr_status_t put_staple(live_writer_t *writer,
                               const char *const *argv)
{
    live_staple_t staple = { 0 };
    FILE *in = fopen(argv[5], "r");

    if (in) {
        staple.len = fread(staple.der, 1, sizeof(staple.der), in);
        fclose(in);
    }
    staple.generation = strtoull(argv[4], NULL, 10);
    staple.expires = until(argv[6]);
    return live_writer_staple_put(writer, argv[3], &staple);
}

/* Certificates in turn, until this process is ended. */
static apr_status_t flip(live_writer_t *writer, const char *const *argv,
                         int argc, apr_pool_t *pool)
{
    const char **text = apr_palloc(pool, (apr_size_t)argc * sizeof(*text));
    long wait = strtol(argv[4], NULL, 10);
    apr_time_t next = apr_time_now();
    apr_status_t rv = APR_SUCCESS;
    int i, pairs = (argc - 5) / 2;
    uint64_t n;

    for (i = 0; i < 2 * pairs; i++) {
        text[i] = text_of(argv[5 + i], pool);
    }
    for (n = 0; rv == APR_SUCCESS; n++) {
        i = (int)(n % (uint64_t)pairs);
        rv = live_writer_certificate_put(writer, argv[3], n + 1, text[2 * i],
                                         text[2 * i + 1], until("3600"));
        next += wait;
        if (next > apr_time_now()) {
            apr_sleep(next - apr_time_now());
        }
    }
    return rv;
}

/* NAME SECONDS and two pairs: EC, RSA. */
static apr_status_t put_name(live_writer_t *writer, const char *const *argv,
                             apr_pool_t *pool)
{
    live_answer_t answer;
    int i;

    for (i = 0; i < LIVE_ANSWER_TYPES; i++) {
        answer.cert[i] = text_of(argv[5 + 2 * i], pool);
        answer.key[i] = text_of(argv[6 + 2 * i], pool);
    }
    return live_writer_name_put(writer, argv[3], &answer, until(argv[4]));
}

static void fill_manager(void *baton, live_manager_t *manager)
{
    const char *const *argv = baton;

    manager->pid = (uint32_t)strtoul(argv[3], NULL, 10);
    manager->last_pass = until(argv[4]);
    manager->next_wake = manager->last_pass;
}

static int act(live_writer_t *writer, int argc, const char *const *argv,
               apr_pool_t *pool)
{
    apr_status_t rv = APR_EINVAL;
    char buf[120];

    if (argc == 6 && !strcmp(argv[2], "put")) {
        rv = live_writer_token_put(writer, argv[3], argv[4], until(argv[5]));
    }
    else if (argc == 4 && !strcmp(argv[2], "remove")) {
        rv = live_writer_token_remove(writer, argv[3]);
    }
    else if (argc == 9 && !strcmp(argv[2], "name")) {
        rv = put_name(writer, argv, pool);
    }
    else if (argc == 4 && !strcmp(argv[2], "no-name")) {
        rv = live_writer_name_remove(writer, argv[3]);
    }
    else if (argc == 5 && !strcmp(argv[2], "many")) {
        rv = put_many(writer, argv[3], argv[4], 0);
    }
    else if (argc == 4 && !strcmp(argv[2], "fill")) {
        rv = put_many(writer, FILL_TRIES, argv[3], 1);
    }
    else if (argc == 7 && !strcmp(argv[2], "cert")) {
        rv = put_certificate(writer, argv, pool);
    }
    else if (argc == 7 && !strcmp(argv[2], "staple")) {
        rv = put_staple(writer, argv);
    }
    else if (argc >= 7 && argc % 2 && !strcmp(argv[2], "flip")) {
        rv = flip(writer, argv, argc, pool);
    }
    else if (argc == 5 && !strcmp(argv[2], "manager")) {
        rv = live_writer_manager_edit(writer, fill_manager, (void *)argv);
    }
    else if (argc == 3 && !strcmp(argv[2], "generation")) {
        printf("%" APR_UINT64_T_FMT "\n", live_writer_generation(writer));
        rv = APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        fprintf(stderr, "live_put: %s\n",
                apr_strerror(rv, buf, sizeof(buf)));
    }
    return rv == APR_SUCCESS ? 0 : 1;
}

static int make(int argc, const char *const *argv, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, argc, sizeof(char *));
    live_writer_t *writer = NULL;
    const char *error;
    live_t *live;
    apr_status_t rv;
    int i;

    for (i = 3; i < argc; i++) {
        APR_ARRAY_PUSH(ids, const char *) = argv[i];
    }
    rv = live_parent_open(&live, argv[1], ids, ids, &error, pool);
    if (rv == APR_SUCCESS) {
        rv = live_writer_open(&writer, argv[1], &error, pool);
    }
    if (rv != APR_SUCCESS) {
        fprintf(stderr, "live_put: %s\n", error);
        return 1;
    }
    for (i = 3; i < argc && rv == APR_SUCCESS; i++) {
        rv = live_writer_loaded_put(writer, argv[i], 1);
    }
    return rv != APR_SUCCESS;
}

int main(int argc, const char *const *argv)
{
    live_writer_t *writer;
    const char *error;
    apr_pool_t *pool;
    int status = 2;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc < 3) {
        fprintf(stderr, "usage: live_put SEGMENT put|remove|many|fill|cert|"
                "staple|flip|generation ...\n");
    }
    else if (!strcmp(argv[2], "make")) {
        status = make(argc, argv, pool);
    }
    else if (live_writer_open(&writer, argv[1], &error, pool)) {
        fprintf(stderr, "live_put: %s\n", error);
    }
    else {
        status = act(writer, argc, argv, pool);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
