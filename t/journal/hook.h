/*
 * hook: the file-system calls of the program under test, seen one by one.
 *
 * The functions of hook.c take the place of the C library's within the test
 * program. Before each call they may end the process, fail, call an editor,
 * or leave the call out (a seeded bug); after each that changed something
 * they tell the model of power loss.
 */
#ifndef ACME_JOURNAL_HOOK_H
#define ACME_JOURNAL_HOOK_H

#include <setjmp.h>
#include <sys/stat.h>
#include <sys/types.h>

/** What a call is, for those who choose among them. */
typedef enum hook_call_t {
    HOOK_READS,         /**< changes nothing: open, read, stat, ... */
    HOOK_CREATES,       /**< open with O_CREAT */
    HOOK_WRITES,
    HOOK_FSYNCS,
    HOOK_RENAMES,
    HOOK_REMOVES,
    HOOK_MAKES,         /**< mkdir, symlink, link */
    HOOK_ATTRIBUTES     /**< chmod, chown, xattr */
} hook_call_t;

/** What the hook does; all zero: only count. */
typedef struct hook_t {
    int on;             /**< 0: calls pass unseen */
    int calls;          /**< seen so far */
    int fsyncs;         /**< of these */
    int kill_at;        /**< end the process before this call; 0: never */
    jmp_buf *jump;      /**< go there instead of ending it, or NULL; */
    pid_t jumps;        /**< only in this process, its children end */
    int fail_at;        /**< this call fails */
    int fail_errno;
    int fail_always;    /**< 1: and every later one that it may */
    int edit_at;        /**< call edit before this call */
    void (*edit)(void);
    int no_flags;       /**< 1: renameat2 does not know its flags */
    int log;            /**< 1: tell the model */
    int real_sync;      /**< 1: fsync syncs */
    int bug;            /**< a seeded bug of seeds.c; 0: none */
} hook_t;

extern hook_t hook;

/** Count from 0 and see calls from now on, with all else off. */
void hook_start(void);
/** See no calls. */
void hook_stop(void);

/** Path behind a descriptor and a name; buf is 4096 bytes. @return buf */
const char *hook_path(char *buf, int fd, const char *name);

/*
 * Seeded bugs (seeds.c): what happens in place of a call.
 */
typedef enum seed_t {
    SEED_PASS,          /**< the call takes place */
    SEED_SKIP           /**< it is left out and says that it succeeded */
} seed_t;

/** Asked before each call that changes something, or syncs. to: the second
 *  path of a rename, else NULL. */
seed_t seed_before(hook_call_t call, const char *path, const char *to,
                   int flags);
/** Told after it. */
void seed_after(hook_call_t call, const char *path, const char *to);
/** The path that is opened in place of path. */
const char *seed_open(const char *path, char *buf);

/*
 * The model of power loss (model.c) hears what has happened.
 */
void model_created(int fd, int dirfd, const char *name);
void model_wrote(int fd, const void *data, size_t len);
void model_attributes(int fd);
void model_synced(int fd);
void model_renamed(int from, const char *name, int to, const char *target,
                   int exchange);
void model_made(int dirfd, const char *name, int is_new);

#endif
