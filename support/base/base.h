/*
 * base: what every room of acmectl stands on. It knows nothing of ACME.
 *
 * Errors, log, JSON with limits, files, locks, clock, base64url, Link
 * headers, URLs and names. Nothing here logs by itself except log.c.
 */
#ifndef ACME_BASE_H
#define ACME_BASE_H

#include <poll.h>
#include <sys/types.h>

#include <jansson.h>

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include <sys/stat.h>

/* ------------------------------------------------------------------ err */

/** Exit statuses of acmectl. Source: ours (README, "Exit status"). */
typedef enum base_exit_t {
    BASE_EXIT_OK = 0,
    BASE_EXIT_FAILED = 1,
    BASE_EXIT_USAGE = 2,
    BASE_EXIT_PARTIAL = 3,    /**< some names failed */
    BASE_EXIT_HTTPD = 4,      /**< httpd refuses the configuration */
    BASE_EXIT_JOURNAL = 5,
    BASE_EXIT_VALIDATION = 6,
    BASE_EXIT_REFUSED = 7,    /**< the CA refused, permanently */
    BASE_EXIT_CHANGED = 10,   /**< --exit-changed and something changed */
    BASE_EXIT_BUSY = 75       /**< lock held, rate limit, CA down */
} base_exit_t;

/**
 * One failure, recorded once by the code that found it. Holds no pool and
 * no pointer: copy it by assignment. All zero means "no error".
 */
typedef struct acme_err_t {
    apr_status_t status;    /**< APR_SUCCESS while empty */
    base_exit_t exit;       /**< how the process should end because of it */
    apr_time_t retry_at;    /**< wall clock, µs UTC; 0 = not said */
    char type[128];         /**< problem type URN (RFC 8555 6.7) or "" */
    char identifier[256];   /**< the identifier it concerns or "" */
    char message[2048];     /**< one line of printable UTF-8 */
} acme_err_t;

/**
 * Record a failure unless one is recorded already (the first error wins).
 * Bytes that are not printable UTF-8 are written as \xNN, so that nothing
 * a stranger sent can break a log line.
 * Source: ours.
 *
 * @param err     not NULL
 * @param status  not APR_SUCCESS
 * @param exit    exit status this failure leads to
 * @return err->status, of the first error therefore
 */
apr_status_t base_err_set(acme_err_t *err, apr_status_t status,
                          base_exit_t exit, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/**
 * Record that the system refused something on a file: "cannot WHAT PATH:
 * REASON: what the operator can do", with exit BASE_EXIT_FAILED.
 * Source: ours.
 *
 * @param status  not APR_SUCCESS, often errno
 * @param what    what was tried, in the infinitive ("write")
 * @return err->status
 */
apr_status_t base_err_path(acme_err_t *err, apr_status_t status,
                           const char *what, const char *path);

/** Put "context: " before the recorded message; nothing if there is none.
 *  @return err->status */
apr_status_t base_err_wrap(acme_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Put "; text" behind the recorded message (a failing clean-up); nothing
 *  if there is none. @return err->status */
apr_status_t base_err_append(acme_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Make err empty again. */
void base_err_clear(acme_err_t *err);

/** The system's text for rv in buf (always NUL-terminated). @return buf */
const char *base_strerror(apr_status_t rv, char *buf, apr_size_t size);

/**
 * Copy src as one line of printable UTF-8: every other byte becomes \xNN,
 * what does not fit becomes "...".
 * Source: RFC 3629 4 (UTF-8); ours.
 *
 * @param dst   always NUL-terminated
 * @param size  of dst, 8 at least, bytes
 * @return dst
 */
char *base_clean(char *dst, apr_size_t size, const char *src);

/* ------------------------------------------------------------------ log */

/** httpd's LogLevel names, in its order. */
typedef enum base_log_level_t {
    BASE_LOG_EMERG, BASE_LOG_ALERT, BASE_LOG_CRIT, BASE_LOG_ERROR,
    BASE_LOG_WARN, BASE_LOG_NOTICE, BASE_LOG_INFO, BASE_LOG_DEBUG,
    BASE_LOG_TRACE1, BASE_LOG_TRACE2, BASE_LOG_TRACE3, BASE_LOG_TRACE4,
    BASE_LOG_TRACE5, BASE_LOG_TRACE6, BASE_LOG_TRACE7, BASE_LOG_TRACE8
} base_log_level_t;

/**
 * Send the process's log to target from now on.
 * Source: ours (global option --log).
 *
 * @param target  "stderr", "syslog" (facility daemon) or "file:PATH" (for
 *                append, no link, 0640 when it is made)
 * @param level   the least urgent level that is written
 * @param pool    when it is cleared the log goes to stderr again
 * @return APR_SUCCESS; APR_EINVAL for another target; the open's error
 */
apr_status_t base_log_open(const char *target, base_log_level_t level,
                           acme_err_t *err, apr_pool_t *pool);

/** Open a log that is a file again by its name: it may have been rotated.
 *  @return the open's error; then the log is as before */
apr_status_t base_log_reopen(acme_err_t *err);

/**
 * Let standard error go where that of another process of the same user
 * goes now: its log may have been rotated.
 * Source: proc(5), /proc/PID/fd.
 *
 * @return the system's error; then standard error is as before
 */
apr_status_t base_log_follow(pid_t pid);

/** Call clear before each line that this process writes to standard error:
 *  something may stand on that terminal. NULL: nothing does. */
void base_log_before(void (*clear)(void *baton), void *baton);

/** Write what this process would write to standard error to fd instead, as
 *  something else draws on that terminal. @param fd  -1: no more */
void base_log_hold(int fd);

/** Parse a level's name, case ignored. @return APR_EINVAL if unknown */
apr_status_t base_log_level_parse(base_log_level_t *plevel, const char *name);

/**
 * Write one line in httpd's error log format, cleaned by base_clean; never
 * fails and leaves errno alone. Goes to standard error, from warn on, until
 * base_log_open. Where the journal reads standard error the line begins with
 * "<PRIORITY>" instead of the time. Never pass it a key, a token or a
 * password.
 * Source: sd-daemon(3); ours.
 */
void base_log(base_log_level_t level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ----------------------------------------------------------------- json */

/** Deepest nesting accepted from anyone. */
#define BASE_JSON_DEPTH_MAX 16

/**
 * Parse one JSON document with limits: size, depth BASE_JSON_DEPTH_MAX,
 * at most 20 characters a number, no duplicate keys, no NUL, UTF-8 only.
 * Source: RFC 8259; limits ours.
 *
 * @param pjson  set on success; released when result_pool is cleared
 * @param max    largest len accepted, bytes
 * @param what   what the bytes are, for the message ("the CA's order")
 * @return APR_SUCCESS; APR_EINVAL (err says line and column)
 */
apr_status_t base_json_parse(json_t **pjson, const char *buf, apr_size_t len,
                             apr_size_t max, const char *what,
                             acme_err_t *err, apr_pool_t *result_pool);

/** Release json (one reference, taken) when pool is cleared. @return json */
json_t *base_json_own(json_t *json, apr_pool_t *pool);

/** base_json_parse of a whole file; APR_ENOENT if there is none. */
apr_status_t base_json_read(json_t **pjson, const char *path, apr_size_t max,
                            acme_err_t *err, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool);

/** base_file_write of json, indented by 2, sorted keys, final newline. */
apr_status_t base_json_write(const char *path, const json_t *json, int mode,
                             acme_err_t *err, apr_pool_t *scratch_pool);

/** json as compact text with sorted keys, in pool; NULL if json holds
 *  itself. */
char *base_json_text(const json_t *json, apr_pool_t *pool);

/* ----------------------------------------------------------------- file */

/*
 * Each of these records its failure in err, APR_ENOENT as well: who can do
 * without the file clears err. Names that begin with a dot are temporaries
 * (".NAME.tmp-RANDOM") that a process left behind when it was killed.
 */

/** The directory path lies in, "." if it has no slash; trailing slashes do
 *  not count. */
const char *base_path_dir(const char *path, apr_pool_t *pool);

/**
 * Read a regular file, following no link in its last component.
 * Source: ours.
 *
 * @param pdata  NUL behind the last byte, the NUL not counted in plen;
 *               wiped when result_pool is cleared
 * @param max    a larger file is an error, bytes
 * @return APR_SUCCESS; APR_ENOENT; APR_EINVAL (not regular, too large);
 *         the system's error
 */
apr_status_t base_file_read(char **pdata, apr_size_t *plen, const char *path,
                            apr_size_t max, acme_err_t *err,
                            apr_pool_t *result_pool);

/**
 * Write a file so that path holds the old content or the new one whatever
 * happens: temporary (O_EXCL, mode) in the same directory, write, fsync,
 * rename, fsync of the directory. Nothing is left behind on failure.
 */
apr_status_t base_file_write(const char *path, const char *data,
                             apr_size_t len, int mode, acme_err_t *err,
                             apr_pool_t *scratch_pool);

/** Write a new file that may get lost (O_EXCL, mode): it is not synced. */
apr_status_t base_file_put(const char *path, const char *data,
                           apr_size_t len, int mode, acme_err_t *err);

/** Write a new file (O_EXCL, mode) and fsync it; not its directory. */
apr_status_t base_file_create(const char *path, const char *data,
                              apr_size_t len, int mode, acme_err_t *err);

/** Remove a file and fsync its directory; absent is success. */
apr_status_t base_file_remove(const char *path, acme_err_t *err,
                              apr_pool_t *scratch_pool);

/** Rename within one file system and fsync the target's directory. */
apr_status_t base_file_rename(const char *from, const char *to,
                              acme_err_t *err, apr_pool_t *scratch_pool);

/** Point the symbolic link path at target by one rename; made if absent. */
apr_status_t base_link_switch(const char *path, const char *target,
                              acme_err_t *err, apr_pool_t *scratch_pool);

/** The target of a symbolic link. @return APR_ENOENT if path is absent */
apr_status_t base_link_read(const char **ptarget, const char *path,
                            acme_err_t *err, apr_pool_t *result_pool);

/**
 * Make sure path is a directory with exactly this mode that belongs to
 * this process's effective user; make it (parents not) and fsync its
 * parent if it is absent.
 * @return APR_SUCCESS; APR_EACCES when owner or mode let others in, with
 *         the command that mends it in err
 */
apr_status_t base_dir_make(const char *path, int mode, acme_err_t *err,
                           apr_pool_t *scratch_pool);

/** Names in a directory except "." and "..", sorted, of char *. */
apr_status_t base_dir_list(apr_array_header_t **pnames, const char *path,
                           acme_err_t *err, apr_pool_t *result_pool);

/** Remove a directory of files, links and directories, 4 deep at most;
 *  links are removed, not followed; absent is success. */
apr_status_t base_dir_remove(const char *path, acme_err_t *err,
                             apr_pool_t *scratch_pool);

/** fsync a directory. */
apr_status_t base_dir_sync(const char *path, acme_err_t *err);

/* ------------------------------------------------------------------- at */

/*
 * Names in an open directory: files that are somebody else's, so that owner,
 * mode and extended attributes matter and no link is ever followed. None of
 * these syncs a directory by itself, except base_at_sync.
 */

/** An open directory. */
typedef struct base_at_t {
    int fd;
    const char *path;       /**< as it was opened, for people */
} base_at_t;

/** An extended attribute; ACLs and SELinux labels are such. */
typedef struct base_xattr_t {
    const char *name;
    const char *value;      /**< any bytes */
    apr_size_t len;
} base_xattr_t;

/** What a file has besides its content. */
typedef struct base_attrs_t {
    int mode;                       /**< 07777 at most */
    uid_t uid;
    gid_t gid;
    apr_uint64_t inode;             /**< read only, for people */
    apr_array_header_t *xattrs;     /**< base_xattr_t; NULL when a file is
                                         made: whatever the system gives */
} base_attrs_t;

/**
 * Open a directory, following no symbolic link on the whole path.
 * @param path  absolute
 * @return APR_ENOTDIR if a component is a link or a file; APR_ENOENT
 */
apr_status_t base_at_open(base_at_t **pat, const char *path,
                          acme_err_t *err, apr_pool_t *result_pool);

/** path with every symbolic link resolved. @return APR_ENOENT */
apr_status_t base_path_real(const char **preal, const char *path,
                            acme_err_t *err, apr_pool_t *result_pool);

/** lstat(2) of a name. @return APR_ENOENT */
apr_status_t base_at_stat(struct stat *st, const base_at_t *at,
                          const char *name, acme_err_t *err);

/** base_file_read of a name. @param attrs  nullable; filled in */
apr_status_t base_at_read(char **pdata, apr_size_t *plen,
                          base_attrs_t *attrs, const base_at_t *at,
                          const char *name, apr_size_t max, acme_err_t *err,
                          apr_pool_t *result_pool);

/** Write a new file (O_EXCL) with these attributes and fsync it; it is
 *  removed on failure. */
apr_status_t base_at_create(const base_at_t *at, const char *name,
                            const char *data, apr_size_t len,
                            const base_attrs_t *attrs, acme_err_t *err,
                            apr_pool_t *scratch_pool);

/** Make a directory with these attributes and fsync it. */
apr_status_t base_at_mkdir(const base_at_t *at, const char *name,
                           const base_attrs_t *attrs, acme_err_t *err,
                           apr_pool_t *scratch_pool);

/** Make a symbolic link. @return APR_EEXIST */
apr_status_t base_at_symlink(const base_at_t *at, const char *name,
                             const char *target, acme_err_t *err);

/** The target of a symbolic link. */
apr_status_t base_at_readlink(const char **ptarget, const base_at_t *at,
                              const char *name, acme_err_t *err,
                              apr_pool_t *result_pool);

/**
 * Let two names change places by one step.
 * Source: renameat2(2), RENAME_EXCHANGE.
 * @return APR_ENOTIMPL, and nothing in err, where that cannot be done
 */
apr_status_t base_at_exchange(const base_at_t *from, const char *name,
                              const base_at_t *to, const char *target,
                              acme_err_t *err);

/** rename(2): target is replaced. */
apr_status_t base_at_replace(const base_at_t *from, const char *name,
                             const base_at_t *to, const char *target,
                             acme_err_t *err);

/**
 * Rename without replacing; where that cannot be done link and unlink, so
 * that both names may be seen for a moment.
 * Source: renameat2(2), RENAME_NOREPLACE; link(2).
 * @return APR_EEXIST; EPERM for a directory where it cannot be done
 */
apr_status_t base_at_move(const base_at_t *from, const char *name,
                          const base_at_t *to, const char *target,
                          acme_err_t *err);

/** Remove a file or a link; absent is success. */
apr_status_t base_at_remove(const base_at_t *at, const char *name,
                            acme_err_t *err);

/** Remove an empty directory; absent is success. @return ENOTEMPTY */
apr_status_t base_at_rmdir(const base_at_t *at, const char *name,
                           acme_err_t *err);

/** fsync the directory itself. */
apr_status_t base_at_sync(const base_at_t *at, acme_err_t *err);

/** fsync a file. */
apr_status_t base_at_sync_file(const base_at_t *at, const char *name,
                               acme_err_t *err);

/**
 * Why a name cannot be replaced: immutable, append-only, a mount point.
 * @param name  NULL: the directory itself
 * @return NULL if nothing of that holds
 */
const char *base_at_fixed(const base_at_t *at, const char *name);

/** Check that this process may write in the directory and that size more
 *  bytes fit. @return APR_EACCES; ENOSPC; EROFS */
apr_status_t base_at_room(const base_at_t *at, apr_uint64_t size,
                          acme_err_t *err);

/* --------------------------------------------------------------- digest */

/** 64 hexadecimal digits and a NUL. */
#define BASE_SHA256_SIZE 65

/** SHA-256 in lower-case hexadecimal; never fails. Source: FIPS 180-4.
 *  @return hex */
char *base_sha256(char hex[BASE_SHA256_SIZE], const void *data,
                  apr_size_t len);

/* ----------------------------------------------------------------- lock */

/**
 * A held lock; released when its pool is cleared or the process ends. A
 * child that is forked and does not exec must close the descriptor (all of
 * its parent's) or the lock lives as long as the child; the child's own
 * release frees nothing of the parent's.
 */
typedef struct base_lock_t base_lock_t;

/**
 * Take an exclusive lock on a file (OFD write lock, close-on-exec; the
 * file is made 0600 and never deleted) and write holder into it for people.
 * Source: fcntl(2), open file description locks.
 *
 * @param holder  this process, one line ("acmectl renew, pid 42")
 * @param wait    how long to try, µs; 0 = once
 * @return APR_SUCCESS; APR_EBUSY with exit BASE_EXIT_BUSY and the other
 *         holder's line in err
 */
apr_status_t base_lock_take(base_lock_t **plock, const char *path,
                            const char *holder, apr_interval_time_t wait,
                            acme_err_t *err, apr_pool_t *result_pool);

/**
 * Who holds a lock, without taking it.
 * Source: fcntl(2), F_OFD_GETLK.
 *
 * @param pholder  set on success: the holder's line; perhaps ""
 * @return APR_ENOENT if nobody holds it; the open's error
 */
apr_status_t base_lock_holder(const char **pholder, const char *path,
                              apr_pool_t *result_pool);

/** Release early. */
void base_lock_release(base_lock_t *lock);

/** 1 if whoever held it last ended without releasing it: was killed. */
int base_lock_was_left(const base_lock_t *lock);

/* ---------------------------------------------------------------- child */

/** User and group of a name, those of nobody (65534) where there is no such
 *  user or it is root. Source: getpwnam(3). */
void base_user_find(const char *user, uid_t *puid, gid_t *pgid);

/**
 * Become another user for good: all user and group ids, no further group.
 * Nothing happens where this process is not root. Safe between fork and
 * exec.
 * Source: setresuid(2).
 *
 * @return 0; else errno, and the process must end
 */
int base_user_become(uid_t uid, gid_t gid);

/**
 * Confine a forked child for good: no new privileges, not to be traced, no
 * core, no file that grows; it is killed when its parent ends. To be called
 * behind base_user_become, which makes the kernel forget the latter.
 * Source: prctl(2), setrlimit(2).
 *
 * @param parent  its parent's pid, taken before the fork
 * @return 0; else errno, ESRCH if the parent is gone, and it must end
 */
int base_child_confine(pid_t parent);

/** Close every descriptor from first (3 or more) up, but for keep (-1:
 *  none). Safe between fork and exec. Source: close_range(2). */
void base_close_from(int first, int keep);

/** All signals at their defaults and none blocked. Safe between fork and
 *  exec. */
void base_signals_reset(void);

/** See to it that children can be waited for: whoever started this process
 *  may have ignored SIGCHLD, and then the kernel reaps them. */
void base_children_keep(void);

/** Take up len bytes, one at least. */
typedef void base_take_fn(void *baton, const char *data, apr_size_t len);

/**
 * Read what a pipe from a child holds now, without waiting; at most 256 KiB
 * a call, so that no flood keeps the caller from its deadline.
 *
 * @param pfd  not blocking; closed and -1 at its end or when it fails; -1
 *             is no pipe and holds nothing
 */
void base_pipe_drain(int *pfd, base_take_fn *take, void *baton);

/**
 * Wait until a descriptor is ready, whatever signals come.
 * Source: poll(2).
 *
 * @param events  POLLIN, POLLOUT
 * @param until   by the system's monotonic clock, µs
 * @return APR_SUCCESS (ready, or broken); APR_TIMEUP; poll's error
 */
apr_status_t base_fd_wait(int fd, short events, apr_time_t until);

/* ----------------------------------------------------------------- tick */

/** Somebody waits. */
typedef void base_tick_fn(void *baton);

/** From now on call tick now and then while this process waits, until
 *  another one is set; NULL: nobody. Children that are forked do not. */
void base_tick_set(base_tick_fn *tick, void *baton);

/** A wait goes on: to be called a few times a second. */
void base_tick(void);

/** poll(2) for a wait that may be long. */
int base_tick_poll(struct pollfd *fds, int count, int timeout);

/* ---------------------------------------------------------------- clock */

/** Time, so that tests can move it. Both functions never fail. */
typedef struct base_clock_t base_clock_t;
struct base_clock_t {
    apr_time_t (*wall)(base_clock_t *clock);  /**< µs UTC since 1970 */
    apr_time_t (*mono)(base_clock_t *clock);  /**< µs, never goes back */
};

/** The system's clock; lives for ever. */
base_clock_t *base_clock_system(void);

/** A clock that stands still; mono starts at 0. */
base_clock_t *base_clock_manual(apr_time_t wall, apr_pool_t *pool);

/** Move a manual clock forward (both times), µs. */
void base_clock_advance(base_clock_t *manual, apr_interval_time_t by);

/** "2026-11-23T19:08:00Z" from any RFC 3339 text, fractions allowed.
 *  @return APR_EINVAL if it is not one */
apr_status_t base_time_parse(apr_time_t *ptime, const char *rfc3339);

/** RFC 3339 text in UTC, whole seconds. */
const char *base_time_text(apr_time_t t, apr_pool_t *pool);

/**
 * When a Retry-After header allows the next request.
 * Source: RFC 9110 10.2.3 (seconds or HTTP-date).
 *
 * @param pat    set on success: now .. now + 1 year
 * @return APR_EINVAL if value is neither
 */
apr_status_t base_retry_after(apr_time_t *pat, const char *value,
                              apr_time_t now);

/* --------------------------------------------------------------- b64url */

/** base64url without padding, in pool. Source: RFC 4648 5, RFC 7515 2. */
char *base_b64url_encode(const void *data, apr_size_t len, apr_pool_t *pool);

/** Strict: no padding, blanks or non-zero spare bits. @return APR_EINVAL */
apr_status_t base_b64url_decode(unsigned char **pdata, apr_size_t *plen,
                                const char *text, apr_pool_t *pool);

/* ------------------------------------------------------------ link, url */

/**
 * The targets of one relation in Link header values.
 * Source: RFC 8288 3; RFC 8555 7.1.
 *
 * @param headers  NULL or of const char *: each header value as received;
 *                 one may hold several links
 * @param rel      relation wanted, case ignored ("alternate")
 * @param base     URL of the request; relative targets are resolved on it
 * @return array of const char *, in order, perhaps empty; a malformed
 *         header contributes what stood before its fault
 */
apr_array_header_t *base_link_find(const apr_array_header_t *headers,
                                   const char *rel, const char *base,
                                   apr_pool_t *pool);

/** Check an https URL with a host and without user, password or fragment,
 *  2048 bytes at most, printable ASCII. @return APR_EINVAL */
apr_status_t base_url_check(const char *url, acme_err_t *err);

/** The same for an http or https URL: of an OCSP responder, never of a CA. */
apr_status_t base_url_check_plain(const char *url, acme_err_t *err);

/** 1 if both are https URLs with the same host (case ignored) and port. */
int base_url_same_origin(const char *a, const char *b);

/** ref resolved on the absolute URL base. Source: RFC 3986 5.2.
 *  @return NULL if it cannot be */
char *base_url_resolve(const char *base, const char *ref, apr_pool_t *pool);

/** 1 if the list (nullable, of const char *) has that text. */
int base_list_has(const apr_array_header_t *list, const char *text);

/** The same in any case of letters: host names. */
int base_list_has_name(const apr_array_header_t *list, const char *name);

/**
 * A domain name in the form certificates use: lower case, no final dot.
 * Source: RFC 1123 2.1, RFC 5890 2.3.1; ours (at least two labels).
 *
 * @param pname     set on success
 * @param wildcard  1 if "*." may stand in front
 * @return APR_EINVAL with the reason in err
 */
apr_status_t base_name_check(const char **pname, const char *name,
                             int wildcard, acme_err_t *err, apr_pool_t *pool);

#endif
