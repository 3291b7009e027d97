/*
 * What the tests of the live segment share: a private directory, httpd's
 * parent and acmectl at work on a segment in it, and a look at its memory.
 */
#ifndef ACME_LIVE_RIG_H
#define ACME_LIVE_RIG_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "unit.h"
#include "live_table.h"

#define TOKEN "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
#define THUMB "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
#define KEYAUTH TOKEN "." THUMB
#define SECOND apr_time_from_sec(1)

static char dir[64];
static const char *path;
static const char *challenges;          /* the other file */
static const char *error;
static live_t *live;
static live_writer_t *writer;
static const apr_array_header_t *ids;   /* what the next start serves */

static inline void live_setup(void)
{
    unit_setup();
    apr_snprintf(dir, sizeof(dir), "/tmp/acme-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    path = apr_pstrcat(pool, dir, "/acme-live", NULL);
    challenges = apr_pstrcat(pool, path, ".challenges", NULL);
    error = NULL;
    ids = NULL;
}

static inline void live_teardown(void)
{
    unlink(path);
    unlink(challenges);
    rmdir(challenges);
    unlink(apr_pstrcat(pool, dir, "/other", NULL));
    rmdir(path);
    /* Fails, and so does the test, if an operation left a file behind. */
    ck_assert_int_eq(rmdir(dir), 0);
    unit_teardown();
}

static inline apr_time_t later(void)
{
    return apr_time_now() + 60 * SECOND;
}

/* httpd starts; acmectl opens the segment. */
static inline void start(void)
{
    apr_status_t rv = live_parent_open(&live, path, ids, ids, &error, pool);

    ck_assert_msg(rv == APR_SUCCESS, "%d: %s", (int)rv, error);
    rv = live_writer_open(&writer, path, &error, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%d: %s", (int)rv, error);
}

/* httpd starts with these certificates; the list ends with NULL. */
static inline void start_with(const char *const *list)
{
    apr_array_header_t *array = apr_array_make(pool, 8, sizeof(char *));

    for (; *list; list++) {
        APR_ARRAY_PUSH(array, const char *) = *list;
    }
    ids = array;
    start();
}

static inline void put(const char *token)
{
    const char *keyauth = apr_pstrcat(pool, token, "." THUMB, NULL);

    ck_assert_int_eq(live_writer_token_put(writer, token, keyauth, later()),
                     APR_SUCCESS);
}

static inline apr_size_t get_from(const live_t *from, const char *token)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    apr_size_t len = live_child_token(from, token, strlen(token), keyauth,
                                      apr_time_now());

    if (len > 0) {
        ck_assert_str_eq(keyauth, apr_pstrcat(pool, token, "." THUMB, NULL));
        ck_assert_uint_eq(len, strlen(keyauth));
    }
    return len;
}

static inline apr_size_t get(const char *token)
{
    return get_from(live, token);
}

/* The n-th token of a family; 22 characters, the shortest there is. */
static inline const char *nth(unsigned int n)
{
    return apr_psprintf(pool, "token-%016u", n);
}

/* A file's memory as a second acmectl has it. */
static inline live_segment_t raw_of(const char *file)
{
    live_segment_t seg;
    struct stat st;

    seg.fd = open(file, O_RDWR | O_CLOEXEC);
    ck_assert_int_ne(seg.fd, -1);
    ck_assert_int_eq(fstat(seg.fd, &st), 0);
    seg.size = (apr_size_t)st.st_size;
    seg.map = mmap(NULL, seg.size, PROT_READ | PROT_WRITE, MAP_SHARED,
                   seg.fd, 0);
    ck_assert_ptr_ne(seg.map, MAP_FAILED);
    seg.slots = live_header(&seg)->slots;
    seg.statuses = live_header(&seg)->statuses;
    return seg;
}

static inline void raw_end(live_segment_t *seg)
{
    munmap(seg->map, seg->size);
    close(seg->fd);
}

/* Tokens whose hash leads to one place near the end of the table. */
static inline const char *colliding(unsigned int n)
{
    static unsigned int next;
    const char *token;

    if (n == 0) {
        next = 0;
    }
    do {
        token = nth(next++);
    } while ((live_hash(token, strlen(token)) & (LIVE_TOKENS - 1))
             != LIVE_TOKENS - 4);
    return token;
}

static inline live_entry_t *entry_for(live_segment_t *seg,
                                      const char *token)
{
    uint32_t place = live_place(&live_tokens,
                                live_hash(token, strlen(token)), 0);

    return live_entry(seg, &live_tokens, place);
}

static inline TCase *live_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, live_setup, live_teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    return tc;
}

#endif
