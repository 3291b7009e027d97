/*
 * The live segment as httpd's parent, its children and acmectl use it, and
 * what happens when the file is not what it was.
 */
#include <errno.h>
#include <signal.h>

#include "live_rig.h"

static void refuses_start(apr_status_t status, const char *text)
{
    apr_status_t rv = live_parent_open(&live, path, 1, ids, &error, pool);

    ck_assert_msg(rv == status, "%d: %s", (int)rv, error ? error : "");
    ck_assert_msg(strstr(error, text) != NULL, "says: %s", error);
    ck_assert_ptr_nonnull(strstr(error, path));
}

static void refuses_writer(apr_status_t status, const char *text)
{
    apr_status_t rv = live_writer_open(&writer, path, &error, pool);

    ck_assert_msg(rv == status, "%d: %s", (int)rv, error ? error : "");
    ck_assert_msg(strstr(error, text) != NULL, "says: %s", error);
    ck_assert_ptr_nonnull(strstr(error, path));
}

static void file_write(const char *name, const void *data, size_t len,
                       int mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    ck_assert_int_ne(fd, -1);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, (mode_t)mode), 0);
    close(fd);
}

/* ---------------------------------------------------------------- tokens */

/* What acmectl puts is served until it is removed, at once both times. */
START_TEST(serves_what_is_put)
{
    start(10);
    ck_assert_uint_eq(get(TOKEN), 0);
    put(TOKEN);
    ck_assert_uint_eq(get(TOKEN), strlen(KEYAUTH));
    ck_assert_int_eq(live_writer_token_remove(writer, TOKEN), APR_SUCCESS);
    ck_assert_uint_eq(get(TOKEN), 0);
}
END_TEST

/* Removing what is not there is success: the wish is fulfilled. */
START_TEST(removes_the_absent)
{
    start(10);
    ck_assert_int_eq(live_writer_token_remove(writer, TOKEN), APR_SUCCESS);
    put(TOKEN);
    ck_assert_int_eq(live_writer_token_remove(writer, nth(1)), APR_SUCCESS);
    ck_assert_uint_ne(get(TOKEN), 0);
}
END_TEST

/* A second put of a token replaces the first; one removal removes it. */
START_TEST(put_replaces)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];

    start(10);
    put(TOKEN);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, TOKEN ".other",
                                           later()), APR_SUCCESS);
    ck_assert_uint_eq(live_child_token(live, TOKEN, strlen(TOKEN), keyauth,
                                       apr_time_now()),
                      strlen(TOKEN ".other"));
    ck_assert_str_eq(keyauth, TOKEN ".other");
    live_writer_token_remove(writer, TOKEN);
    ck_assert_uint_eq(get(TOKEN), 0);
}
END_TEST

/* Only the whole token matches: no prefix, no longer one, no other case. */
START_TEST(matches_exactly)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];

    start(10);
    put(TOKEN);
    ck_assert_uint_eq(live_child_token(live, TOKEN, strlen(TOKEN) - 1,
                                       keyauth, apr_time_now()), 0);
    ck_assert_uint_eq(get(TOKEN "x"), 0);
    ck_assert_uint_eq(get("loqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"), 0);
    ck_assert_uint_eq(get("-oqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"), 0);
}
END_TEST

/* An entry ends by itself at its expiry, whether its acmectl lives or not. */
START_TEST(expires)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    apr_time_t end = later();

    start(10);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, KEYAUTH, end),
                     APR_SUCCESS);
    ck_assert_uint_ne(live_child_token(live, TOKEN, strlen(TOKEN), keyauth,
                                       end - 1), 0);
    ck_assert_uint_eq(live_child_token(live, TOKEN, strlen(TOKEN), keyauth,
                                       end), 0);
    ck_assert_uint_eq(live_child_token(live, TOKEN, strlen(TOKEN), keyauth,
                                       end + 1), 0);
}
END_TEST

/* Tokens have 22 to 255 characters of base64url's alphabet. */
START_TEST(knows_valid_tokens)
{
    char longest[LIVE_TOKEN_MAX + 2];

    memset(longest, 'a', sizeof(longest));
    ck_assert(live_token_valid(TOKEN, strlen(TOKEN)));
    ck_assert(live_token_valid("azAZ09-_azAZ09-_azAZ09", 22));
    ck_assert(live_token_valid(longest, LIVE_TOKEN_MAX));
    ck_assert(!live_token_valid(longest, LIVE_TOKEN_MAX + 1));
    ck_assert(!live_token_valid(longest, LIVE_TOKEN_MIN - 1));
    ck_assert(!live_token_valid("", 0));
}
END_TEST

/* Any other byte in a token is refused, wherever it stands. */
START_TEST(refuses_other_bytes)
{
    char token[] = TOKEN;
    int byte, at;

    for (byte = 0; byte < 256; byte++) {
        int good = (byte >= 'a' && byte <= 'z')
            || (byte >= 'A' && byte <= 'Z')
            || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';

        for (at = 0; at < (int)strlen(TOKEN); at += 21) {
            char kept = token[at];

            token[at] = (char)byte;
            ck_assert_int_eq(live_token_valid(token, strlen(TOKEN)), good);
            token[at] = kept;
        }
    }
}
END_TEST

/* A key authorization is the token, a dot and base64url: nothing else can
 * ever be served. */
START_TEST(refuses_other_key_authorizations)
{
    static const char *const bad[] = {
        "", TOKEN, TOKEN ".", TOKEN "." THUMB "\n", TOKEN ".a.b",
        TOKEN "-" THUMB, TOKEN ".<script>", "x" KEYAUTH, "." THUMB,
        THUMB "." THUMB
    };
    char *longest = apr_pcalloc(pool, LIVE_KEYAUTH_MAX + 2);
    apr_size_t i;

    start(10);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(live_writer_token_put(writer, TOKEN, bad[i],
                                               later()), APR_EINVAL);
    }
    memset(longest, 'a', LIVE_KEYAUTH_MAX + 1);
    memcpy(longest, TOKEN ".", strlen(TOKEN) + 1);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, longest, later()),
                     APR_EINVAL);
    longest[LIVE_KEYAUTH_MAX] = '\0';
    ck_assert_uint_eq(get(TOKEN), 0);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, longest, later()),
                     APR_SUCCESS);
}
END_TEST

/* A token that is none is refused by both operations of acmectl. */
START_TEST(refuses_other_tokens)
{
    start(10);
    ck_assert_int_eq(live_writer_token_put(writer, "short", "short.x",
                                           later()), APR_EINVAL);
    ck_assert_int_eq(live_writer_token_put(writer, "", ".x", later()),
                     APR_EINVAL);
    ck_assert_int_eq(live_writer_token_remove(writer, "../../etc/passwd-etc"),
                     APR_EINVAL);
}
END_TEST

/* The longest token that RFC 8555 lets a CA send has room. */
START_TEST(serves_the_longest_token)
{
    char *token = apr_pcalloc(pool, LIVE_TOKEN_MAX + 1);

    memset(token, 'z', LIVE_TOKEN_MAX);
    start(10);
    put(token);
    ck_assert_uint_eq(get(token), LIVE_TOKEN_MAX + 1 + strlen(THUMB));
}
END_TEST

/* --------------------------------------------------------------- restart */

/* Each (re)start makes a new file and raises the generation; that is how
 * acmectl sees that the restart it asked for has happened. */
START_TEST(restart_raises_the_generation)
{
    uint64_t before;
    struct stat st, now;

    start(10);
    ck_assert_int_eq(stat(path, &st), 0);
    before = live_writer_generation(writer);
    ck_assert_uint_gt(before, 0);
    ck_assert_uint_eq(live_writer_generation(writer), before);
    live_parent_open(&live, path, 10, ids, &error, pool);
    ck_assert_uint_eq(live_writer_generation(writer), before + 1);
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_uint_ne(st.st_ino, now.st_ino);
}
END_TEST

/* A file that was lost does not repeat a generation. */
START_TEST(lost_file_repeats_no_generation)
{
    uint64_t before;

    start(10);
    before = live_writer_generation(writer);
    unlink(path);
    ck_assert_uint_eq(live_writer_generation(writer), 0);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, KEYAUTH, later()),
                     APR_ENOENT);
    live_parent_open(&live, path, 10, ids, &error, pool);
    ck_assert_uint_gt(live_writer_generation(writer), before);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
}
END_TEST

/* More domains: the segment grows, outstanding tokens and the generation
 * come along, an acmectl that had the old file open writes into the new
 * one, and children that still run keep what they had. */
START_TEST(grows_with_its_tokens)
{
    live_t *old;
    uint64_t before;
    unsigned int i;

    start(100);
    for (i = 0; i < 100; i++) {
        put(nth(i));
    }
    old = live;
    before = live_writer_generation(writer);
    ck_assert_int_eq(live_parent_open(&live, path, 10000, ids, &error, pool),
                     APR_SUCCESS);
    for (i = 0; i < 100; i++) {
        ck_assert_uint_ne(get(nth(i)), 0);
    }
    ck_assert_uint_eq(live_writer_generation(writer), before + 1);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
    ck_assert_uint_eq(get_from(old, TOKEN), 0);
    ck_assert_uint_ne(get_from(old, nth(99)), 0);
    live_writer_token_remove(writer, nth(99));
    ck_assert_uint_eq(get(nth(99)), 0);
}
END_TEST

/* Growing never loses a token, however full its window was. */
START_TEST(grows_with_full_windows)
{
    const char *token[LIVE_WINDOW];
    unsigned int i;

    start(1);
    for (i = 0; i < LIVE_WINDOW; i++) {
        token[i] = colliding(i);
        put(token[i]);
    }
    start(1000);
    for (i = 0; i < LIVE_WINDOW; i++) {
        ck_assert_uint_ne(get(token[i]), 0);
    }
}
END_TEST

/* What has expired does not come along. */
START_TEST(grows_without_the_expired)
{
    live_segment_t seg;

    start(1);
    put(TOKEN);
    seg = raw();
    entry_for(&seg, TOKEN)->expires = apr_time_now() - SECOND;
    raw_end(&seg);
    start(1000);
    seg = raw();
    ck_assert_uint_eq(entry_for(&seg, TOKEN)->token_len, 0);
    raw_end(&seg);
}
END_TEST

/* Fewer domains: the table of tokens stays as large as it is, so that all
 * of them find their places in the new file. */
START_TEST(never_shrinks)
{
    struct stat st, now;

    start(10000);
    ck_assert_int_eq(stat(path, &st), 0);
    start(1);
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_int_eq(st.st_size, now.st_size);
}
END_TEST

/* 1 if this process has the segment mapped. */
static int is_mapped(void)
{
    char maps[1 << 16];
    int fd = open("/proc/self/maps", O_RDONLY);
    ssize_t n, len = 0;

    while ((n = read(fd, maps + len, sizeof(maps) - 1 - (size_t)len)) > 0) {
        len += n;
    }
    close(fd);
    maps[len] = '\0';
    return strstr(maps, path) != NULL;
}

/* The parent's mapping goes with its pool. A child's stays until the child
 * ends: its threads may still answer while its pools go. */
START_TEST(unmaps_with_the_pool)
{
    apr_pool_t *pconf;
    pid_t pid;
    int status;

    apr_pool_create(&pconf, pool);
    ck_assert_int_eq(live_parent_open(&live, path, 1, ids, &error, pconf),
                     APR_SUCCESS);
    ck_assert(is_mapped());
    pid = fork();
    if (pid == 0) {
        apr_pool_destroy(pconf);
        _exit(is_mapped() ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    apr_pool_destroy(pconf);
    ck_assert(!is_mapped());
}
END_TEST

/* ---------------------------------------------------------------- safety */

/* The file is 0600 whatever the umask is. */
START_TEST(is_private)
{
    struct stat st;

    umask(0);
    start(1);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    umask(0777);
    unlink(path);
    start(1);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* What children inherit cannot be made writable, not even by root, and no
 * descriptor of the file is left in the parent. */
START_TEST(mapping_stays_read_only)
{
    char line[512];
    void *from = NULL;
    FILE *maps;
    int fd;

    ck_assert_int_eq(live_parent_open(&live, path, 1, ids, &error, pool),
                     APR_SUCCESS);
    maps = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (strstr(line, path)) {
            ck_assert_ptr_nonnull(strstr(line, " r--s "));
            ck_assert_int_eq(sscanf(line, "%p", &from), 1);
        }
    }
    fclose(maps);
    ck_assert_ptr_nonnull(from);
    ck_assert_int_eq(mprotect(from, 4096, PROT_READ | PROT_WRITE), -1);
    ck_assert_int_eq(errno, EACCES);
    for (fd = 3; fd < 100; fd++) {
        const char *link = apr_psprintf(pool, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, line, sizeof(line) - 1);

        line[n > 0 ? n : 0] = '\0';
        ck_assert_str_ne(line, path);
    }
}
END_TEST

/* acmectl without a running httpd is told to start it. */
START_TEST(writer_needs_a_segment)
{
    refuses_writer(APR_ENOENT, "start httpd");
}
END_TEST

/* Nobody follows a symbolic link, even to a good file. */
START_TEST(refuses_a_link)
{
    const char *other = apr_pstrcat(pool, dir, "/other", NULL);

    start(1);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    refuses_start(APR_EACCES, "not a regular file");
    refuses_writer(APR_EACCES, "not a regular file");
}
END_TEST

/* An open writer does not follow a link that replaces the file either. */
START_TEST(open_writer_refuses_a_link)
{
    const char *other = apr_pstrcat(pool, dir, "/other", NULL);

    start(1);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, KEYAUTH, later()),
                     APR_EACCES);
    ck_assert_uint_eq(get(TOKEN), 0);
}
END_TEST

/* A second name could be one that others can reach. */
START_TEST(refuses_a_hard_link)
{
    start(1);
    ck_assert_int_eq(link(path, apr_pstrcat(pool, dir, "/other", NULL)), 0);
    refuses_start(APR_EACCES, "second name");
    refuses_writer(APR_EACCES, "second name");
}
END_TEST

/* A directory, a FIFO, a file that others may read: each is refused with
 * the file's name and the cure, and nobody waits for a FIFO's other end. */
START_TEST(refuses_other_files)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    refuses_start(APR_EACCES, "not a regular file");
    refuses_writer(APR_EACCES, "remove it");
    rmdir(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refuses_start(APR_EACCES, "not a regular file");
    refuses_writer(APR_EACCES, "not a regular file");
    unlink(path);
    start(1);
    ck_assert_int_eq(chmod(path, 0640), 0);
    refuses_start(APR_EACCES, "mode is not 0600");
    refuses_writer(APR_EACCES, "mode is not 0600");
}
END_TEST

/* Another user's file could change under us. */
START_TEST(refuses_another_owner)
{
    if (geteuid() != 0) {
        return;
    }
    start(1);
    ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
    refuses_start(APR_EACCES, "another user");
    refuses_writer(APR_EACCES, "another user");
}
END_TEST

/* acmectl refuses a file that is no segment of this format; httpd's next
 * start replaces it. */
START_TEST(foreign_files_are_replaced)
{
    static const struct {
        off_t at;
        char byte;
    } change[] = {
        { 0, 'B' }, { 7, 'e' }, { 8, LIVE_FORMAT + 1 }, { 8, 0 },
        { 12, 1 }, { 13, 1 }, { 15, 127 }, { 16, 1 }, { 19, 1 }, { 24, 1 },
        { 31, 1 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
        int fd;

        start(1);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(pwrite(fd, &change[i].byte, 1, change[i].at), 1);
        close(fd);
        refuses_writer(APR_EINVAL, "another format");
        start(1);
        put(TOKEN);
        ck_assert_uint_ne(get(TOKEN), 0);
    }
}
END_TEST

/* The same for files that are too short for a header, or for themselves. */
START_TEST(short_files_are_replaced)
{
    static const off_t size[] = { 0, 1, 47, 48, 4096, 8192, 49151 };
    apr_size_t i;

    for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
        start(1);
        ck_assert_int_eq(truncate(path, size[i]), 0);
        refuses_writer(APR_EINVAL, "cut short");
        ck_assert_int_eq(live_writer_open(&writer, path, &error, pool),
                         APR_EINVAL);
        start(1);
        put(TOKEN);
        ck_assert_uint_ne(get(TOKEN), 0);
    }
    file_write(path, "<html>", 6, 0600);
    start(1);
}
END_TEST

/* A file cut short while acmectl has it open is an error, not SIGBUS. */
START_TEST(open_writer_notices_a_short_file)
{
    start(1);
    ck_assert_int_eq(truncate(path, 4096), 0);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, KEYAUTH, later()),
                     APR_EINVAL);
    ck_assert_int_eq(live_writer_token_remove(writer, TOKEN), APR_EINVAL);
    ck_assert_uint_eq(live_writer_generation(writer), 0);
}
END_TEST

/* A directory that cannot be written is one sentence with its path. */
START_TEST(names_the_file_it_cannot_make)
{
    path = "/proc/self/no-such/acme-live";
    refuses_start(APR_ENOENT, "cannot make");
    path = apr_pstrcat(pool, dir, "/acme-live", NULL);
}
END_TEST

/* A process that holds the lock and does not go on stops acmectl for two
 * seconds, and httpd's start no longer; that makes a segment of its own. */
START_TEST(stopped_holder_is_not_waited_for)
{
    apr_time_t began;
    struct flock lock;
    int fd;

    start(1);
    fd = open(path, O_RDWR | O_CLOEXEC);
    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    began = apr_time_now();
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, KEYAUTH, later()),
                     APR_TIMEUP);
    refuses_writer(APR_TIMEUP, "locked by a process");
    start(1);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
    ck_assert_int_lt(apr_time_now() - began, 12 * SECOND);
    close(fd);
}
END_TEST

/* A process that acmectl forked holds no lock after acmectl let go. */
START_TEST(forked_process_keeps_no_lock)
{
    struct flock lock;
    pid_t pid;
    int fd;

    start(1);
    fd = open(path, O_RDWR | O_CLOEXEC);
    pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    ck_assert_int_eq(live_parent_open(&live, path, 1000, ids, &error, pool),
                     APR_SUCCESS);
    put(TOKEN);
    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    close(fd);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

static void add_tokens(Suite *suite)
{
    TCase *tc = live_case(suite, "tokens");

    tcase_add_test(tc, serves_what_is_put);
    tcase_add_test(tc, removes_the_absent);
    tcase_add_test(tc, put_replaces);
    tcase_add_test(tc, matches_exactly);
    tcase_add_test(tc, expires);
    tcase_add_test(tc, knows_valid_tokens);
    tcase_add_test(tc, refuses_other_bytes);
    tcase_add_test(tc, refuses_other_key_authorizations);
    tcase_add_test(tc, refuses_other_tokens);
    tcase_add_test(tc, serves_the_longest_token);
}

static void add_restart(Suite *suite)
{
    TCase *tc = live_case(suite, "restart");

    tcase_add_test(tc, restart_raises_the_generation);
    tcase_add_test(tc, lost_file_repeats_no_generation);
    tcase_add_test(tc, grows_with_its_tokens);
    tcase_add_test(tc, grows_with_full_windows);
    tcase_add_test(tc, grows_without_the_expired);
    tcase_add_test(tc, never_shrinks);
    tcase_add_test(tc, unmaps_with_the_pool);
}

static void add_safety(Suite *suite)
{
    TCase *tc = live_case(suite, "safety");

    tcase_add_test(tc, is_private);
    tcase_add_test(tc, mapping_stays_read_only);
    tcase_add_test(tc, writer_needs_a_segment);
    tcase_add_test(tc, refuses_a_link);
    tcase_add_test(tc, open_writer_refuses_a_link);
    tcase_add_test(tc, refuses_a_hard_link);
    tcase_add_test(tc, refuses_other_files);
    tcase_add_test(tc, refuses_another_owner);
    tcase_add_test(tc, foreign_files_are_replaced);
    tcase_add_test(tc, short_files_are_replaced);
    tcase_add_test(tc, open_writer_notices_a_short_file);
    tcase_add_test(tc, names_the_file_it_cannot_make);
    tcase_add_test(tc, stopped_holder_is_not_waited_for);
    tcase_add_test(tc, forked_process_keeps_no_lock);
}

Suite *live_suite(void)
{
    Suite *suite = suite_create("live");

    add_tokens(suite);
    add_restart(suite);
    add_safety(suite);
    return suite;
}
