/*
 * The live segment's code: see acme_live.h for the layout.
 *
 * Who does what, and under which protection:
 *
 *   parent    makes, sweeps            OFD lock on the file
 *   writer    put, remove              OFD lock on the file, taken for each
 *                                      operation, then a look whether its
 *                                      path still leads to that file
 *   child     reads                    bits, then the entry's counter
 *
 * The two files differ in their headers alone (header_layout_ok) and in what
 * a restart does to them: file_prepare.
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

static void file_init(live_file_t *file, const char *path, const char *magic)
{
    memset(file, 0, sizeof(*file));
    file->seg.fd = -1;
    file->path = path;
    file->magic = magic;
}

static const char *challenges_path(const char *path, apr_pool_t *pool)
{
    return apr_pstrcat(pool, path, LIVE_CHALLENGES, NULL);
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

static int is_challenges(const live_file_t *file)
{
    return !strcmp(file->magic, LIVE_MAGIC_CHALLENGES);
}

/* 1 if sizes in the header are those that such a file can have. */
static int header_layout_ok(const live_header_t *header,
                            const live_file_t *file)
{
    if (is_challenges(file)) {
        return header->slots == 0 && header->statuses == 0
            && header->tokens == LIVE_TOKENS
            && header->names == LIVE_NAMES
            && header->size == LIVE_CHALLENGES_SIZE;
    }
    return header->slots <= LIVE_SLOTS_MAX
        && header->statuses <= LIVE_STATUSES_MAX && header->tokens == 0
        && header->names == 0
        && header->size == live_size(header->slots, header->statuses);
}

/* @return APR_EINVAL if the file's content is no segment of our format */
static apr_status_t header_check(live_file_t *file, off_t file_size)
{
    live_header_t header;
    ssize_t n = pread(file->seg.fd, &header, sizeof(header), 0);

    if (n == -1) {
        return errno;
    }
    if (n != (ssize_t)sizeof(header)
        || memcmp(header.magic, file->magic, sizeof(header.magic))
        || header.format != LIVE_FORMAT || !header_layout_ok(&header, file)
        || file_size != (off_t)header.size) {
        return APR_EINVAL;
    }
    file->seg.slots = header.slots;
    file->seg.statuses = header.statuses;
    file->seg.size = header.size;
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
static apr_status_t file_check(live_file_t *file, int prot,
                               const char **pfault)
{
    live_segment_t *seg = &file->seg;
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
    rv = header_check(file, st.st_size);
    if (rv != APR_SUCCESS) {
        *pfault = "it is cut short or of another format";
        return rv;
    }
    return segment_map(seg, prot);
}

static apr_status_t file_open(live_file_t *file, int prot,
                              const char **pfault)
{
    int mode = (prot & PROT_WRITE) ? O_RDWR : O_RDONLY;
    live_segment_t *seg = &file->seg;
    apr_status_t rv;

    *pfault = NULL;
    seg->map = NULL;
    /* O_NONBLOCK: a FIFO put in its place must not stop us. */
    seg->fd = open(file->path, mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (seg->fd == -1) {
        if (errno == ELOOP || errno == EISDIR || errno == ENXIO) {
            *pfault = "it is not a regular file";
            return APR_EACCES;
        }
        return errno;
    }
    rv = file_check(file, prot, pfault);
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

/* 1 if the path leads to the file that is mapped, and it is whole: behind
 * the end of a file that was cut short a mapping is SIGBUS. */
static int file_present(const live_file_t *file)
{
    const live_segment_t *seg = &file->seg;
    struct stat st;

    return lstat(file->path, &st) == 0 && st.st_dev == seg->dev
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

/* What PATH is made of; both sorted. */
typedef struct live_plan_t {
    const apr_array_header_t *ids;       /* of slots */
    const apr_array_header_t *statuses;  /* of statuses */
} live_plan_t;

static void header_make(live_header_t *header, const live_file_t *file,
                        const live_plan_t *plan)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->magic, file->magic, sizeof(header->magic));
    header->format = LIVE_FORMAT;
    header->generation = (uint64_t)apr_time_now();
    if (is_challenges(file)) {
        header->tokens = LIVE_TOKENS;
        header->names = LIVE_NAMES;
        header->size = LIVE_CHALLENGES_SIZE;
    }
    else {
        header->slots = (uint32_t)plan->ids->nelts;
        header->statuses = (uint32_t)plan->statuses->nelts;
        header->size = live_size(header->slots, header->statuses);
    }
}

/* Pages that children read without a look at a bit, from the start on. */
static apr_status_t zeros_write(int fd, apr_size_t size)
{
    static const unsigned char zeros[4096];
    apr_status_t rv = APR_SUCCESS;
    apr_size_t at;

    for (at = 0; at < size && rv == APR_SUCCESS; at += sizeof(zeros)) {
        rv = live_write(fd, zeros, sizeof(zeros), (off_t)at);
    }
    return rv;
}

/* Header, bits, slots and statuses are written, not left as holes: children
 * read them. */
static apr_status_t file_fill(const live_file_t *file,
                              const live_plan_t *plan)
{
    int fd = file->seg.fd;
    live_header_t header;
    apr_status_t rv;

    header_make(&header, file, plan);
    if (fchmod(fd, 0600) == -1 || ftruncate(fd, (off_t)header.size) == -1) {
        return errno;
    }
    rv = zeros_write(fd, is_challenges(file) ? LIVE_TOKENS_AT
                                             : LIVE_SLOTS_AT);
    if (rv == APR_SUCCESS && !is_challenges(file)) {
        rv = live_slots_write(fd, plan->ids);
    }
    if (rv == APR_SUCCESS && !is_challenges(file)) {
        rv = live_statuses_write(fd, header.slots, plan->statuses);
    }
    if (rv == APR_SUCCESS) {
        rv = live_write(fd, &header, sizeof(header), 0);
    }
    return rv;
}

/* Make it, open and mapped for writing. */
static apr_status_t file_make(live_file_t *file,
                              const live_plan_t *plan)
{
    const char *fault;
    apr_status_t rv;

    /* Left by a parent of this process id that was killed in here. */
    (void)unlink(file->path);
    file->seg.fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
                                    | O_CLOEXEC, 0600);
    if (file->seg.fd == -1) {
        return errno;
    }
    rv = file_fill(file, plan);
    if (rv == APR_SUCCESS) {
        rv = file_check(file, PROT_READ | PROT_WRITE, &fault);
    }
    if (rv != APR_SUCCESS) {
        unlink(file->path);
        segment_close(&file->seg);
    }
    return rv;
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

/* Put a new file at the old one's path. last: its mapping, or NULL. */
static apr_status_t file_rename(const live_file_t *old,
                                 const live_segment_t *last,
                                 const live_plan_t *plan,
                                 apr_pool_t *pool)
{
    const char *temp = apr_psprintf(pool, "%s.%ld", old->path,
                                    (long)getpid());
    live_file_t file;
    apr_status_t rv;

    file_init(&file, temp, old->magic);
    rv = file_make(&file, plan);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (last && !is_challenges(old)) {
        live_statuses_carry(&file.seg, last);
    }
    generation_raise(&file.seg, last);
    if (rename(temp, old->path) == -1) {
        rv = errno;
        unlink(temp);
    }
    segment_close(&file.seg);
    return rv;
}

static void file_remove(const live_file_t *file)
{
    /* Fails where there is none, and that is what is wanted. */
    (void)unlink(file->path);
}

static apr_status_t file_replace(const live_file_t *old,
                                 const live_segment_t *last,
                                 const live_plan_t *plan,
                                 apr_pool_t *pool)
{
    apr_status_t rv = file_rename(old, last, plan, pool);

    if (rv != APR_SUCCESS) {
        file_remove(old);
    }
    return rv;
}

static void challenges_sweep(const live_segment_t *seg)
{
    apr_time_t now = apr_time_now();

    live_table_sweep(seg, &live_tokens, now);
    live_table_sweep(seg, &live_names, now);
}

/*
 * What a (re)start does to a file. Certificates are replaced, also under a
 * writer that does not go on: it loses what it writes, not httpd its start.
 * Challenges are replaced only if such a writer blocks them.
 */
static apr_status_t file_prepare(live_file_t *file,
                                 const live_plan_t *plan,
                                 const char **pfault, apr_pool_t *pool)
{
    apr_status_t rv = file_open(file, PROT_READ | PROT_WRITE, pfault);
    int locked;

    if (rv == APR_ENOENT || rv == APR_EINVAL) {
        return file_replace(file, NULL, plan, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    locked = segment_lock(&file->seg) == APR_SUCCESS;
    if (is_challenges(file) && locked) {
        challenges_sweep(&file->seg);
    }
    else {
        rv = file_replace(file, locked ? &file->seg : NULL, plan, pool);
    }
    segment_close(&file->seg);
    return rv;
}

/* Prepare a file and map it as children have it: the mapping alone remains,
 * they inherit no descriptor. */
static apr_status_t file_share(live_file_t *file,
                               const live_plan_t *plan,
                               const char **perror, apr_pool_t *pool)
{
    const char *fault = NULL;
    apr_status_t rv = file_prepare(file, plan, &fault, pool);

    if (rv == APR_SUCCESS) {
        rv = file_open(file, PROT_READ, &fault);
    }
    if (rv == APR_ENOENT) {
        *perror = apr_psprintf(pool, "cannot make the live segment %s: its "
                               "directory is not there", file->path);
    }
    else if (rv != APR_SUCCESS) {
        *perror = sentence(rv, file->path, fault, pool);
    }
    else {
        close(file->seg.fd);
        file->seg.fd = -1;
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
        segment_close(&live->main.seg);
        segment_close(&live->challenges.seg);
    }
    return APR_SUCCESS;
}

void live_parent_remove(const char *path, apr_pool_t *pool)
{
    live_file_t file;

    file_init(&file, path, LIVE_MAGIC);
    file_remove(&file);
    file_init(&file, challenges_path(path, pool), LIVE_MAGIC_CHALLENGES);
    file_remove(&file);
}

apr_status_t live_parent_open(live_t **plive, const char *path,
                              const apr_array_header_t *ids,
                              const apr_array_header_t *statuses,
                              const char **perror, apr_pool_t *pool)
{
    live_t *live = apr_pcalloc(pool, sizeof(*live));
    live_plan_t plan;
    apr_status_t rv;

    plan.ids = live_ids_sort(ids, pool);
    plan.statuses = live_ids_sort(statuses, pool);
    file_init(&live->main, apr_pstrdup(pool, path), LIVE_MAGIC);
    file_init(&live->challenges, challenges_path(path, pool),
              LIVE_MAGIC_CHALLENGES);
    live->parent = getpid();
    /* In this order: who finds certificates finds challenges, too. */
    rv = file_share(&live->challenges, NULL, perror, pool);
    if (rv == APR_SUCCESS) {
        rv = file_share(&live->main, &plan, perror, pool);
    }
    if (rv != APR_SUCCESS) {
        (void)live_cleanup(live);
        return rv;
    }
    apr_pool_cleanup_register(pool, live, live_cleanup,
                              apr_pool_cleanup_null);
    *plive = live;
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- acmectl */

/* Open if need be, and lock. */
static apr_status_t file_lock(live_file_t *file, const char **pfault)
{
    apr_status_t rv = APR_SUCCESS;

    if (file->seg.fd == -1) {
        rv = file_open(file, PROT_READ | PROT_WRITE, pfault);
    }
    return rv == APR_SUCCESS ? segment_lock(&file->seg) : rv;
}

/*
 * Lock the file that its path leads to now. A restart may replace it between
 * the open and the lock, so look again once the lock is held: the parent
 * replaces a file only while it holds the old one's lock.
 */
apr_status_t live_writer_begin(live_file_t *file, const char **pfault)
{
    int i;

    for (i = 0; i < LIVE_REOPENS; i++) {
        apr_status_t rv = file_lock(file, pfault);

        if (rv != APR_SUCCESS || file_present(file)) {
            return rv;
        }
        segment_close(&file->seg);
    }
    return APR_TIMEUP;
}

void live_writer_end(live_file_t *file)
{
    segment_unlock(&file->seg);
}

/* Find out now what would fail later. */
static apr_status_t file_try(live_file_t *file, const char **perror,
                             apr_pool_t *pool)
{
    const char *fault = NULL;
    apr_status_t rv = live_writer_begin(file, &fault);

    if (rv != APR_SUCCESS) {
        *perror = sentence(rv, file->path, fault, pool);
        return rv;
    }
    live_writer_end(file);
    return APR_SUCCESS;
}

static apr_status_t writer_cleanup(void *data)
{
    live_writer_t *writer = data;

    segment_close(&writer->main.seg);
    segment_close(&writer->challenges.seg);
    return APR_SUCCESS;
}

apr_status_t live_writer_open(live_writer_t **pwriter, const char *path,
                              const char **perror, apr_pool_t *pool)
{
    live_writer_t *writer = apr_pcalloc(pool, sizeof(*writer));
    apr_status_t rv;

    file_init(&writer->main, apr_pstrdup(pool, path), LIVE_MAGIC);
    file_init(&writer->challenges, challenges_path(path, pool),
              LIVE_MAGIC_CHALLENGES);
    apr_pool_cleanup_register(pool, writer, writer_cleanup,
                              apr_pool_cleanup_null);
    rv = file_try(&writer->main, perror, pool);
    if (rv == APR_SUCCESS) {
        rv = file_try(&writer->challenges, perror, pool);
    }
    if (rv == APR_SUCCESS) {
        *pwriter = writer;
    }
    return rv;
}

uint64_t live_writer_generation(live_writer_t *writer)
{
    const char *fault;
    uint64_t generation;

    if (live_writer_begin(&writer->main, &fault) != APR_SUCCESS) {
        return 0;
    }
    generation = __atomic_load_n(
        &live_header(&writer->main.seg)->generation, __ATOMIC_ACQUIRE);
    live_writer_end(&writer->main);
    return generation;
}
