/*
 * The live segment's code: see acme_live.h for the layout.
 *
 * Who does what, and under which protection:
 *
 *   parent    makes, grows, sweeps     OFD lock on the file
 *   writer    put, remove              OFD lock on the file, taken for each
 *                                      operation, then a look whether path
 *                                      still leads to that file
 *   child     reads                    bits, then the entry's counter
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_errno.h>
#include <apr_strings.h>

#include "live_table.h"

#define LIVE_REOPENS   100       /* of a writer, while restarts replace it */
#define LIVE_LOCK_WAIT apr_time_from_sec(2)
#define LIVE_LOCK_STEP 1000      /* µs between two tries */

/* ----------------------------------------------------------------- files */

static void segment_unlock(const live_segment_t *seg)
{
    struct flock lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_UNLCK;
    lock.l_whence = SEEK_SET;
    /* Unlocking fails for a bad descriptor alone, and that has no lock. */
    (void)fcntl(seg->fd, F_OFD_SETLK, &lock);
}

/*
 * Unlock first: a process forked meanwhile shares the description, and as
 * long as that lives, closing our descriptor alone would not release it.
 */
static void segment_close(live_segment_t *seg)
{
    if (seg->map) {
        munmap(seg->map, seg->size);
        seg->map = NULL;
    }
    if (seg->fd != -1) {
        segment_unlock(seg);
        close(seg->fd);
        seg->fd = -1;
    }
}

static apr_status_t segment_cleanup(void *data)
{
    segment_close(data);
    return APR_SUCCESS;
}

/* Why a file that is there must not be used, or NULL. */
static const char *file_fault(const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) {
        return "it is not a regular file";
    }
    if (st->st_uid != geteuid()) {
        return "it belongs to another user";
    }
    if ((st->st_mode & 07777) != 0600) {
        return "its mode is not 0600";
    }
    /* 0: a restart replaced it since it was opened; live_writer_begin sees
     * that. */
    if (st->st_nlink > 1) {
        return "it has a second name (hard link)";
    }
    return NULL;
}

/* @return APR_EINVAL if the file's content is no segment of our format */
static apr_status_t header_check(live_segment_t *seg, off_t file_size)
{
    live_header_t header;
    ssize_t n = pread(seg->fd, &header, sizeof(header), 0);

    if (n == -1) {
        return errno;
    }
    if (n != (ssize_t)sizeof(header)
        || memcmp(header.magic, LIVE_MAGIC, sizeof(header.magic))
        || header.format != LIVE_FORMAT
        || header.capacity < LIVE_CAPACITY_MIN
        || header.capacity > LIVE_CAPACITY_MAX
        || (header.capacity & (header.capacity - 1))
        || header.slots > LIVE_SLOTS_MAX
        || header.size != live_size(header.capacity, header.slots)
        || file_size != (off_t)header.size) {
        return APR_EINVAL;
    }
    seg->capacity = header.capacity;
    seg->slots = header.slots;
    seg->size = header.size;
    return APR_SUCCESS;
}

static apr_status_t segment_map(live_segment_t *seg, int prot)
{
    void *map = mmap(NULL, seg->size, prot, MAP_SHARED, seg->fd, 0);

    if (map == MAP_FAILED) {
        return errno;
    }
    seg->map = map;
    return APR_SUCCESS;
}

/* The same for parent, child and writer: only a private file of ours. */
static apr_status_t segment_check(live_segment_t *seg, int prot,
                                  const char **pfault)
{
    struct stat st;
    apr_status_t rv;

    if (fstat(seg->fd, &st) == -1) {
        return errno;
    }
    *pfault = file_fault(&st);
    if (*pfault) {
        return APR_EACCES;
    }
    seg->dev = st.st_dev;
    seg->ino = st.st_ino;
    rv = header_check(seg, st.st_size);
    if (rv != APR_SUCCESS) {
        *pfault = "it is cut short or of another format";
        return rv;
    }
    return segment_map(seg, prot);
}

static apr_status_t segment_open(live_segment_t *seg, const char *path,
                                 int prot, const char **pfault)
{
    int mode = (prot & PROT_WRITE) ? O_RDWR : O_RDONLY;
    apr_status_t rv;

    *pfault = NULL;
    seg->map = NULL;
    /* O_NONBLOCK: a FIFO put in its place must not stop us. */
    seg->fd = open(path, mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (seg->fd == -1) {
        if (errno == ELOOP || errno == EISDIR || errno == ENXIO) {
            *pfault = "it is not a regular file";
            return APR_EACCES;
        }
        return errno;
    }
    rv = segment_check(seg, prot, pfault);
    if (rv != APR_SUCCESS) {
        segment_close(seg);
    }
    return rv;
}

/*
 * Take the file's lock; segment_close releases it, too. Holders keep it for
 * microseconds, but one that is stopped must not stop httpd's start.
 */
static apr_status_t segment_lock(const live_segment_t *seg)
{
    apr_time_t end = apr_time_now() + LIVE_LOCK_WAIT;
    struct flock lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    while (fcntl(seg->fd, F_OFD_SETLK, &lock) == -1) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return errno;
        }
        if (apr_time_now() > end) {
            return APR_TIMEUP;
        }
        apr_sleep(LIVE_LOCK_STEP);
    }
    return APR_SUCCESS;
}

/* 1 if path leads to the file that seg has mapped, and it is whole: behind
 * the end of a file that was cut short a mapping is SIGBUS. */
static int segment_present(const live_segment_t *seg, const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && st.st_dev == seg->dev
        && st.st_ino == seg->ino && st.st_size == (off_t)seg->size;
}

/* One sentence for the log: what, where, why and what to do. */
static const char *sentence(apr_status_t rv, const char *path,
                            const char *fault, apr_pool_t *pool)
{
    char buf[128];

    if (rv == APR_ENOENT) {
        return apr_psprintf(pool, "the live segment %s is not there: start "
                            "httpd with mod_acme loaded", path);
    }
    if (rv == APR_TIMEUP) {
        return apr_psprintf(pool, "the live segment %s is locked by a process"
                            " that does not go on: end that acmectl", path);
    }
    if (fault) {
        return apr_psprintf(pool, "the live segment %s cannot be used, %s: "
                            "remove it and restart httpd", path, fault);
    }
    return apr_psprintf(pool, "cannot open the live segment %s: %s", path,
                        apr_strerror(rv, buf, sizeof(buf)));
}

/* -------------------------------------------------------- httpd's parent */

/* Header, bits and slots are written, not left as holes: children read
 * them. */
static apr_status_t file_fill(int fd, uint32_t capacity,
                              const apr_array_header_t *ids)
{
    static const unsigned char zeros[4096];
    live_header_t header;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t at;

    memset(&header, 0, sizeof(header));
    memcpy(header.magic, LIVE_MAGIC, sizeof(header.magic));
    header.format = LIVE_FORMAT;
    header.capacity = capacity;
    header.slots = (uint32_t)ids->nelts;
    header.size = live_size(capacity, header.slots);
    header.generation = (uint64_t)apr_time_now();

    if (fchmod(fd, 0600) == -1 || ftruncate(fd, (off_t)header.size) == -1) {
        return errno;
    }
    for (at = 0; at < live_tokens_at(capacity) && rv == APR_SUCCESS;
         at += sizeof(zeros)) {
        rv = live_write(fd, zeros, sizeof(zeros), (off_t)at);
    }
    if (rv == APR_SUCCESS) {
        rv = live_slots_write(fd, ids, capacity);
    }
    if (rv == APR_SUCCESS) {
        rv = live_write(fd, &header, sizeof(header), 0);
    }
    return rv;
}

/* A new file at the temporary name, open and mapped for writing. */
static apr_status_t segment_make(live_segment_t *seg, const char *temp,
                                 uint32_t capacity,
                                 const apr_array_header_t *ids)
{
    const char *fault;
    apr_status_t rv;

    seg->map = NULL;
    seg->fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                   0600);
    if (seg->fd == -1) {
        return errno;
    }
    rv = file_fill(seg->fd, capacity, ids);
    if (rv == APR_SUCCESS) {
        rv = segment_check(seg, PROT_READ | PROT_WRITE, &fault);
    }
    if (rv != APR_SUCCESS) {
        unlink(temp);
        segment_close(seg);
    }
    return rv;
}

/*
 * Copy every unexpired token of old into seg, which is no smaller, each with
 * its distance from its hash: two that stand in different places of the old
 * table cannot meet in the new one, so this never runs out of places.
 */
static apr_status_t tokens_carry(const live_segment_t *seg,
                                 const live_segment_t *old)
{
    apr_time_t now = apr_time_now();
    uint32_t place;

    for (place = 0; place < old->capacity; place++) {
        live_token_t copy;
        uint32_t hash, step;
        apr_status_t rv;

        if (!live_place_sweep(&copy, old, place, now)) {
            continue;
        }
        hash = live_hash(copy.token, copy.token_len);
        step = (place - hash) & (old->capacity - 1);
        rv = live_place_fill(seg, live_place(seg, hash, step), &copy);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static void generation_raise(const live_segment_t *seg,
                             const live_segment_t *old)
{
    live_header_t *header = live_header(seg);

    if (old) {
        header->generation = live_header(old)->generation;
    }
    __atomic_store_n(&header->started, apr_time_now(), __ATOMIC_RELAXED);
    __atomic_fetch_add(&header->generation, 1, __ATOMIC_RELEASE);
}

/* Put a file of this capacity at path. old is locked, or NULL. */
static apr_status_t segment_replace(const char *path, uint32_t capacity,
                                    const apr_array_header_t *ids,
                                    const live_segment_t *old,
                                    apr_pool_t *pool)
{
    const char *temp = apr_psprintf(pool, "%s.%ld", path, (long)getpid());
    live_segment_t seg;
    apr_status_t rv = segment_make(&seg, temp, capacity, ids);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (old) {
        rv = tokens_carry(&seg, old);
    }
    generation_raise(&seg, old);
    if (rv == APR_SUCCESS && rename(temp, path) == -1) {
        rv = errno;
    }
    if (rv != APR_SUCCESS) {
        unlink(temp);
    }
    segment_close(&seg);
    return rv;
}

/* Put a new file at path, whatever is there now. */
static apr_status_t parent_prepare(const char *path, uint32_t capacity,
                                   const apr_array_header_t *ids,
                                   const char **pfault, apr_pool_t *pool)
{
    live_segment_t old;
    apr_status_t rv = segment_open(&old, path, PROT_READ | PROT_WRITE,
                                   pfault);

    if (rv == APR_ENOENT || rv == APR_EINVAL) {
        rv = segment_replace(path, capacity, ids, NULL, pool);
    }
    else if (rv == APR_SUCCESS) {
        /* Never fewer places: tokens_carry depends on it. A writer that
         * does not go on loses its tokens, not httpd its start. */
        int locked = segment_lock(&old) == APR_SUCCESS;

        rv = segment_replace(path, old.capacity > capacity ? old.capacity
                                                           : capacity,
                             ids, locked ? &old : NULL, pool);
        segment_close(&old);
    }
    else {
        return rv;
    }
    if (rv != APR_SUCCESS) {
        live_parent_remove(path);
    }
    return rv;
}

/*
 * In a child that is told to end, pools can go while threads still answer;
 * a mapping must not go under them. The end of the process removes it.
 */
static apr_status_t live_cleanup(void *data)
{
    live_t *live = data;

    if (live->parent == getpid()) {
        segment_close(&live->seg);
    }
    return APR_SUCCESS;
}

void live_parent_remove(const char *path)
{
    /* Fails where there is none, and that is what is wanted. */
    (void)unlink(path);
}

apr_status_t live_parent_open(live_t **plive, const char *path,
                              apr_size_t tokens,
                              const apr_array_header_t *ids,
                              const char **perror, apr_pool_t *pool)
{
    live_t *live = apr_pcalloc(pool, sizeof(*live));
    const char *fault = NULL;
    apr_status_t rv = parent_prepare(path, live_capacity(tokens),
                                     live_ids_sort(ids, pool), &fault, pool);

    if (rv == APR_SUCCESS) {
        rv = segment_open(&live->seg, path, PROT_READ, &fault);
    }
    if (rv == APR_ENOENT) {
        *perror = apr_psprintf(pool, "cannot make the live segment %s: its "
                               "directory is not there", path);
        return rv;
    }
    if (rv != APR_SUCCESS) {
        *perror = sentence(rv, path, fault, pool);
        return rv;
    }
    /* The mapping alone remains: children inherit no descriptor. */
    close(live->seg.fd);
    live->seg.fd = -1;
    live->parent = getpid();
    apr_pool_cleanup_register(pool, live, live_cleanup,
                              apr_pool_cleanup_null);
    *plive = live;
    return APR_SUCCESS;
}

/* ------------------------------------------------------ httpd's children */

static int base64url_only(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return 0;
        }
    }
    return 1;
}

int live_token_valid(const char *s, apr_size_t len)
{
    return len >= LIVE_TOKEN_MIN && len <= LIVE_TOKEN_MAX
        && base64url_only(s, len);
}

apr_size_t live_child_token(const live_t *live, const char *token,
                            apr_size_t len, char *keyauth, apr_time_t now)
{
    live_token_t copy;

    if (!live_token_valid(token, len)
        || !live_token_find(&copy, &live->seg, token, len)
        || copy.expires <= now) {
        return 0;
    }
    memcpy(keyauth, copy.keyauth, copy.keyauth_len);
    keyauth[copy.keyauth_len] = '\0';
    return copy.keyauth_len;
}

/* --------------------------------------------------------------- acmectl */

/* Open if need be, and lock. */
static apr_status_t writer_lock(live_writer_t *writer, const char **pfault)
{
    apr_status_t rv = APR_SUCCESS;

    if (writer->seg.fd == -1) {
        rv = segment_open(&writer->seg, writer->path, PROT_READ | PROT_WRITE,
                          pfault);
    }
    return rv == APR_SUCCESS ? segment_lock(&writer->seg) : rv;
}

/*
 * Lock the file that path leads to now. A restart may replace it between
 * the open and the lock, so look again once the lock is held: the parent
 * replaces a file only while it holds the old one's lock.
 */
apr_status_t live_writer_begin(live_writer_t *writer, const char **pfault)
{
    int i;

    for (i = 0; i < LIVE_REOPENS; i++) {
        apr_status_t rv = writer_lock(writer, pfault);

        if (rv != APR_SUCCESS || segment_present(&writer->seg, writer->path)) {
            return rv;
        }
        segment_close(&writer->seg);
    }
    return APR_TIMEUP;
}

void live_writer_end(live_writer_t *writer)
{
    segment_unlock(&writer->seg);
}

apr_status_t live_writer_open(live_writer_t **pwriter, const char *path,
                              const char **perror, apr_pool_t *pool)
{
    live_writer_t *writer = apr_pcalloc(pool, sizeof(*writer));
    const char *fault = NULL;
    apr_status_t rv;

    writer->seg.fd = -1;
    writer->path = apr_pstrdup(pool, path);
    apr_pool_cleanup_register(pool, &writer->seg, segment_cleanup,
                              apr_pool_cleanup_null);
    rv = live_writer_begin(writer, &fault);
    if (rv != APR_SUCCESS) {
        *perror = sentence(rv, path, fault, pool);
        return rv;
    }
    live_writer_end(writer);
    *pwriter = writer;
    return APR_SUCCESS;
}

/* Fill value, or say that something is outside its limits. */
static apr_status_t value_make(live_token_t *value, const char *token,
                               const char *keyauth, apr_time_t expires)
{
    apr_size_t len = strlen(token), all = strlen(keyauth);

    /* RFC 8555 8.1: token || '.' || base64url(thumbprint) */
    if (!live_token_valid(token, len) || all > LIVE_KEYAUTH_MAX
        || all < len + 2 || memcmp(keyauth, token, len)
        || keyauth[len] != '.'
        || !base64url_only(keyauth + len + 1, all - len - 1)) {
        return APR_EINVAL;
    }
    memset(value, 0, sizeof(*value));
    value->token_len = (uint16_t)len;
    value->keyauth_len = (uint16_t)all;
    value->expires = expires;
    memcpy(value->token, token, len);
    memcpy(value->keyauth, keyauth, all);
    return APR_SUCCESS;
}

apr_status_t live_writer_token_put(live_writer_t *writer, const char *token,
                                   const char *keyauth, apr_time_t expires)
{
    live_token_t value;
    const char *fault;
    uint32_t place, unused;
    apr_status_t rv = value_make(&value, token, keyauth, expires);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = live_writer_begin(writer, &fault);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    place = live_window_find(&unused, &writer->seg, token, value.token_len);
    if (place == LIVE_NO_PLACE) {
        place = unused;
    }
    rv = place == LIVE_NO_PLACE ? APR_ENOSPC
                                : live_place_fill(&writer->seg, place, &value);
    live_writer_end(writer);
    return rv;
}

apr_status_t live_writer_token_remove(live_writer_t *writer,
                                      const char *token)
{
    apr_size_t len = strlen(token);
    const char *fault;
    uint32_t place, unused;
    apr_status_t rv;

    if (!live_token_valid(token, len)) {
        return APR_EINVAL;
    }
    rv = live_writer_begin(writer, &fault);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    place = live_window_find(&unused, &writer->seg, token, len);
    if (place != LIVE_NO_PLACE) {
        live_place_clear(&writer->seg, place);
    }
    live_writer_end(writer);
    return APR_SUCCESS;
}

uint64_t live_writer_generation(live_writer_t *writer)
{
    const char *fault;
    uint64_t generation;

    if (live_writer_begin(writer, &fault) != APR_SUCCESS) {
        return 0;
    }
    generation = __atomic_load_n(&live_header(&writer->seg)->generation,
                                 __ATOMIC_ACQUIRE);
    live_writer_end(writer);
    return generation;
}
