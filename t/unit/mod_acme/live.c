/*
 * The live segment as httpd's parent, its children and acmectl use it, and
 * what happens when the file is not what it was.
 */
#include <errno.h>
#include <signal.h>

#include "live_rig.h"

/* Each test of safety is run for each of the two files. */
static const char *subject(int i)
{
    return i == 0 ? path : challenges;
}

/* What acmectl does with that file. */
static apr_status_t act(int i)
{
    return i == 0
        ? live_writer_certificate_put(writer, "a.test", 1, "c", "k", later())
        : live_writer_token_put(writer, TOKEN, KEYAUTH, later());
}

static void refuses_start(apr_status_t status, const char *text)
{
    apr_status_t rv = live_parent_open(&live, path, ids, ids, &error, pool);

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
    start();
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
    start();
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

    start();
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

    start();
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

    start();
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

    start();
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
    start();
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
    start();
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

    start();
    ck_assert_int_eq(stat(path, &st), 0);
    before = live_writer_generation(writer);
    ck_assert_uint_gt(before, 0);
    ck_assert_uint_eq(live_writer_generation(writer), before);
    live_parent_open(&live, path, ids, ids, &error, pool);
    ck_assert_uint_eq(live_writer_generation(writer), before + 1);
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_uint_ne(st.st_ino, now.st_ino);
}
END_TEST

/* A file that was lost does not repeat a generation. */
START_TEST(lost_file_repeats_no_generation)
{
    uint64_t before;

    start();
    before = live_writer_generation(writer);
    unlink(path);
    ck_assert_uint_eq(live_writer_generation(writer), 0);
    ck_assert_int_eq(act(0), APR_ENOENT);
    unlink(challenges);
    ck_assert_int_eq(act(1), APR_ENOENT);
    live_parent_open(&live, path, ids, ids, &error, pool);
    ck_assert_uint_gt(live_writer_generation(writer), before);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
}
END_TEST

/* A restart is of no consequence for challenges: what is pending stays, and
 * children of the configuration before know what is put or removed after
 * it, as long as they live. So do those of all configurations before. */
START_TEST(all_generations_know_challenges)
{
    live_t *old[3];
    int i;

    start();
    put(TOKEN);
    for (i = 0; i < 3; i++) {
        old[i] = live;
        ck_assert_int_eq(live_parent_open(&live, path, ids, ids, &error,
                                          pool), APR_SUCCESS);
        ck_assert_uint_ne(get(TOKEN), 0);
    }
    put(nth(1));
    for (i = 0; i < 3; i++) {
        ck_assert_uint_ne(get_from(old[i], TOKEN), 0);
        ck_assert_uint_ne(get_from(old[i], nth(1)), 0);
    }
    live_writer_token_remove(writer, TOKEN);
    ck_assert_uint_eq(get(TOKEN), 0);
    for (i = 0; i < 3; i++) {
        ck_assert_uint_eq(get_from(old[i], TOKEN), 0);
    }
}
END_TEST

/* What has expired does not come along. */
START_TEST(restart_forgets_the_expired)
{
    live_segment_t seg;

    start();
    put(TOKEN);
    seg = raw_of(challenges);
    entry_for(&seg, TOKEN)->expires = apr_time_now() - SECOND;
    start();
    ck_assert_uint_eq(entry_for(&seg, TOKEN)->key_len, 0);
    raw_end(&seg);
}
END_TEST

/* Whatever ends the parent of a restart, nothing piles up: two files, also
 * after what it left half made. */
START_TEST(leaves_two_files)
{
    const char *temp = apr_psprintf(pool, "%s.%ld", path, (long)getpid());
    int i;

    start();
    file_write(temp, "half", 4, 0600);
    for (i = 0; i < 3; i++) {
        start();
    }
    ck_assert_int_eq(access(temp, F_OK), -1);
    live_parent_remove(path, pool);
    ck_assert_int_eq(rmdir(dir), 0);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
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
    ck_assert_int_eq(live_parent_open(&live, path, ids, ids, &error, pconf),
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
    start();
    ck_assert_int_eq(stat(subject(_i), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    umask(0777);
    unlink(subject(_i));
    start();
    ck_assert_int_eq(stat(subject(_i), &st), 0);
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

    ck_assert_int_eq(live_parent_open(&live, path, ids, ids, &error, pool),
                     APR_SUCCESS);
    maps = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps)) {
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line) > strlen(subject(_i))
            && !strcmp(line + strlen(line) - strlen(subject(_i)),
                       subject(_i))) {
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
        ck_assert_str_ne(line, subject(_i));
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

    start();
    ck_assert_int_eq(rename(subject(_i), other), 0);
    ck_assert_int_eq(symlink(other, subject(_i)), 0);
    refuses_start(APR_EACCES, "not a regular file");
    refuses_writer(APR_EACCES, "not a regular file");
}
END_TEST

/* An open writer does not follow a link that replaces the file either. */
START_TEST(open_writer_refuses_a_link)
{
    const char *other = apr_pstrcat(pool, dir, "/other", NULL);

    start();
    ck_assert_int_eq(rename(subject(_i), other), 0);
    ck_assert_int_eq(symlink(other, subject(_i)), 0);
    ck_assert_int_eq(act(_i), APR_EACCES);
    ck_assert_uint_eq(get(TOKEN), 0);
}
END_TEST

/* A second name could be one that others can reach. */
START_TEST(refuses_a_hard_link)
{
    start();
    ck_assert_int_eq(link(subject(_i), apr_pstrcat(pool, dir, "/other",
                                                   NULL)), 0);
    refuses_start(APR_EACCES, "second name");
    refuses_writer(APR_EACCES, "second name");
}
END_TEST

/* A directory, a FIFO, a file that others may read: each is refused with
 * the file's name and the cure, and nobody waits for a FIFO's other end. */
START_TEST(refuses_other_files)
{
    ck_assert_int_eq(mkdir(subject(_i), 0700), 0);
    refuses_start(APR_EACCES, "not a regular file");
    refuses_writer(_i == 0 ? APR_EACCES : APR_ENOENT,
                   _i == 0 ? "remove it" : "start httpd");
    rmdir(subject(_i));
    ck_assert_int_eq(mkfifo(subject(_i), 0600), 0);
    refuses_start(APR_EACCES, "not a regular file");
    unlink(subject(_i));
    start();
    ck_assert_int_eq(chmod(subject(_i), 0640), 0);
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
    start();
    ck_assert_int_eq(chown(subject(_i), 65534, (gid_t)-1), 0);
    refuses_start(APR_EACCES, "another user");
    refuses_writer(APR_EACCES, "another user");
}
END_TEST

/* acmectl refuses a file that is no segment of this format; httpd's next
 * start replaces it. */
START_TEST(foreign_files_are_replaced)
{
    static const struct {
        int i;
        off_t at;
        char byte;
    } change[] = {
        { 0, 0, 'B' }, { 0, 7, 'L' }, { 0, 8, LIVE_FORMAT + 1 }, { 0, 8, 0 },
        { 0, 12, 1 }, { 0, 15, 127 }, { 0, 16, 1 }, { 0, 20, 1 },
        { 0, 24, 1 }, { 0, 27, 1 }, { 0, 32, 1 }, { 0, 39, 1 },
        { 1, 0, 'B' }, { 1, 7, 'E' }, { 1, 8, LIVE_FORMAT + 1 }, { 1, 8, 0 },
        { 1, 12, 1 }, { 1, 16, 1 }, { 1, 17, 1 }, { 1, 20, 1 },
        { 1, 24, 1 }, { 1, 32, 1 }, { 1, 39, 1 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
        int fd;

        start();
        fd = open(subject(change[i].i), O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(pwrite(fd, &change[i].byte, 1, change[i].at), 1);
        close(fd);
        refuses_writer(APR_EINVAL, "another format");
        start();
        put(TOKEN);
        ck_assert_uint_ne(get(TOKEN), 0);
    }
}
END_TEST

/* One of the two is never taken for the other. */
START_TEST(files_are_not_interchangeable)
{
    const char *other = apr_pstrcat(pool, dir, "/other", NULL);

    start();
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert_int_eq(rename(challenges, path), 0);
    ck_assert_int_eq(rename(other, challenges), 0);
    refuses_writer(APR_EINVAL, "another format");
    start();
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
}
END_TEST

/* The same for files that are too short for a header, or for themselves. */
START_TEST(short_files_are_replaced)
{
    static const off_t size[] = { 0, 1, 55, 56, 4095 };
    apr_size_t i;

    for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
        start();
        ck_assert_int_eq(truncate(subject(_i), size[i]), 0);
        refuses_writer(APR_EINVAL, "cut short");
        ck_assert_int_eq(live_writer_open(&writer, path, &error, pool),
                         APR_EINVAL);
        start();
        put(TOKEN);
        ck_assert_uint_ne(get(TOKEN), 0);
    }
    file_write(subject(_i), "<html>", 6, 0600);
    start();
}
END_TEST

/* A file cut short while acmectl has it open is an error, not SIGBUS. */
START_TEST(open_writer_notices_a_short_file)
{
    start();
    ck_assert_int_eq(truncate(subject(_i), 16), 0);
    ck_assert_int_eq(act(_i), APR_EINVAL);
    if (_i == 1) {
        ck_assert_int_eq(live_writer_token_remove(writer, TOKEN),
                         APR_EINVAL);
    }
    else {
        ck_assert_uint_eq(live_writer_generation(writer), 0);
    }
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

    start();
    fd = open(subject(_i), O_RDWR | O_CLOEXEC);
    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    began = apr_time_now();
    ck_assert_int_eq(act(_i), APR_TIMEUP);
    refuses_writer(APR_TIMEUP, "locked by a process");
    start();
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

    start();
    fd = open(subject(_i), O_RDWR | O_CLOEXEC);
    pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    ck_assert_int_eq(live_parent_open(&live, path, ids, ids, &error, pool),
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
    tcase_add_test(tc, all_generations_know_challenges);
    tcase_add_test(tc, restart_forgets_the_expired);
    tcase_add_test(tc, leaves_two_files);
    tcase_add_test(tc, unmaps_with_the_pool);
}

static void add_safety(Suite *suite)
{
    TCase *tc = live_case(suite, "safety");

    tcase_add_loop_test(tc, is_private, 0, 2);
    tcase_add_loop_test(tc, mapping_stays_read_only, 0, 2);
    tcase_add_test(tc, writer_needs_a_segment);
    tcase_add_loop_test(tc, refuses_a_link, 0, 2);
    tcase_add_loop_test(tc, open_writer_refuses_a_link, 0, 2);
    tcase_add_loop_test(tc, refuses_a_hard_link, 0, 2);
    tcase_add_loop_test(tc, refuses_other_files, 0, 2);
    tcase_add_loop_test(tc, refuses_another_owner, 0, 2);
    tcase_add_test(tc, foreign_files_are_replaced);
    tcase_add_test(tc, files_are_not_interchangeable);
    tcase_add_loop_test(tc, short_files_are_replaced, 0, 2);
    tcase_add_loop_test(tc, open_writer_notices_a_short_file, 0, 2);
    tcase_add_test(tc, names_the_file_it_cannot_make);
    tcase_add_loop_test(tc, stopped_holder_is_not_waited_for, 0, 2);
    tcase_add_loop_test(tc, forked_process_keeps_no_lock, 0, 2);
}

Suite *live_suite(void)
{
    Suite *suite = suite_create("live");

    add_tokens(suite);
    add_restart(suite);
    add_safety(suite);
    return suite;
}
