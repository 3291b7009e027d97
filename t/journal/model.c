/*
 * model.c: see model.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hook.h"
#include "model.h"
#include "scene.h"

#define INODES_MAX 4000
#define OPS_MAX 8000
#define ENTRIES_MAX 4000
#define PENDING_MAX 62
#define XATTRS_MAX 512

/* Attributes, xattrs as NAME \0 LENGTH VALUE ... */
typedef struct attr_t {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int xattrs_len;
    char xattrs[XATTRS_MAX];
} attr_t;

typedef struct inode_t {
    ino_t ino;              /* 0: its number may belong to another by now */
    char *data;             /* at the beginning; of a link: its target */
    size_t len;
    attr_t attr;
    /* while a state is built */
    char *now;
    size_t now_len;
    size_t durable_len;
    attr_t durable_attr;
    attr_t last_attr;
    int pending;            /* data or attributes */
} inode_t;

typedef struct entry_t {
    int dir;
    int id;                 /* 0: no such name */
    char name[NAME_MAX + 1];
} entry_t;

typedef enum op_kind_t { OP_WRITE, OP_ATTR, OP_SYNC, OP_NAMES } op_kind_t;

typedef struct op_t {
    op_kind_t kind;
    int id;
    char *data;
    size_t len;
    attr_t attr;
    entry_t set[2];
    int sets;
    int durable_at;         /* the operation that makes it so */
} op_t;

static inode_t inodes[INODES_MAX];
static int inode_count;
static op_t ops[OPS_MAX];
static int op_count;
static entry_t base[ENTRIES_MAX];
static int base_count;
static char top[PATH_MAX];

static uint64_t seen[1 << 18];

static void die(const char *what)
{
    fprintf(stderr, "the model of power loss: %s\n", what);
    exit(2);
}

static void *copy(const void *data, size_t len)
{
    char *p = malloc(len + 1);

    if (!p) {
        die("no memory");
    }
    if (len > 0) {
        memcpy(p, data, len);
    }
    p[len] = '\0';
    return p;
}

/* ---------------------------------------------------------------- inodes */

static void read_attr(attr_t *attr, int fd, const struct stat *st)
{
    char names[1024], *name;
    ssize_t len = S_ISLNK(st->st_mode) ? 0
                  : flistxattr(fd, names, sizeof(names)), n;

    memset(attr, 0, sizeof(*attr));
    attr->mode = st->st_mode;
    attr->uid = st->st_uid;
    attr->gid = st->st_gid;
    for (name = names; len > 0 && name < names + len;
         name += strlen(name) + 1) {
        char *out = attr->xattrs + attr->xattrs_len;

        memcpy(out, name, strlen(name) + 1);
        out += strlen(name) + 1;
        n = fgetxattr(fd, name, out + 1, 200);
        if (n < 0 || attr->xattrs_len > 200) {
            die("attributes that are too long");
        }
        *out = (char)n;
        attr->xattrs_len += (int)(strlen(name) + 2) + (int)n;
    }
}

static int find_ino(ino_t ino)
{
    int i;

    for (i = inode_count - 1; i > 0; i--) {
        if (inodes[i].ino == ino) {
            return i;
        }
    }
    return 0;
}

static int add_inode(const struct stat *st)
{
    int old = find_ino(st->st_ino);

    if (old) {
        inodes[old].ino = 0;    /* the system has given it away again */
    }
    if (inode_count >= INODES_MAX) {
        die("too many files");
    }
    memset(&inodes[inode_count], 0, sizeof(inode_t));
    inodes[inode_count].ino = st->st_ino;
    return inode_count++;
}

static int id_of_fd(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? find_ino(st.st_ino) : 0;
}

/* The directory that name lies in and its last component. */
static int id_of_dir(int dirfd, const char *name, char *last)
{
    char path[4096];
    struct stat st;
    char *slash;

    hook_path(path, dirfd, name);
    slash = strrchr(path, '/');
    snprintf(last, NAME_MAX + 1, "%s", slash + 1);
    *slash = '\0';
    return stat(path, &st) == 0 ? find_ino(st.st_ino) : 0;
}

static op_t *add_op(op_kind_t kind, int id)
{
    if (op_count >= OPS_MAX) {
        die("too many operations");
    }
    memset(&ops[op_count], 0, sizeof(op_t));
    ops[op_count].kind = kind;
    ops[op_count].id = id;
    return &ops[op_count++];
}

static void set_name(op_t *op, int dir, const char *name, int id)
{
    entry_t *entry = &op->set[op->sets++];

    entry->dir = dir;
    entry->id = id;
    snprintf(entry->name, sizeof(entry->name), "%s", name);
}

/* ------------------------------------------------------------- what happens */

/* Calls of the model itself are not seen. */
#define UNSEEN int hook_was_on = hook.on; hook.on = 0
#define SEEN hook.on = hook_was_on

void model_created(int fd, int dirfd, const char *name)
{
    UNSEEN;
    char last[NAME_MAX + 1];
    int dir = id_of_dir(dirfd, name, last), id;
    struct stat st;

    if (dir && fstat(fd, &st) == 0) {
        id = add_inode(&st);
        read_attr(&inodes[id].attr, fd, &st);
        inodes[id].data = copy("", 0);
        set_name(add_op(OP_NAMES, 0), dir, last, id);
    }
    SEEN;
}

void model_wrote(int fd, const void *data, size_t len)
{
    UNSEEN;
    int id = id_of_fd(fd);
    op_t *op;

    if (id) {
        op = add_op(OP_WRITE, id);
        op->data = copy(data, len);
        op->len = len;
    }
    SEEN;
}

void model_attributes(int fd)
{
    UNSEEN;
    int id = id_of_fd(fd);
    struct stat st;

    if (id && fstat(fd, &st) == 0) {
        read_attr(&add_op(OP_ATTR, id)->attr, fd, &st);
    }
    SEEN;
}

void model_synced(int fd)
{
    UNSEEN;
    int id = id_of_fd(fd);

    if (id) {
        add_op(OP_SYNC, id);
    }
    SEEN;
}

/* What a name is for, before this operation. */
static int current(int dir, const char *name)
{
    int i, j, id = 0;

    for (i = 0; i < base_count; i++) {
        if (base[i].dir == dir && strcmp(base[i].name, name) == 0) {
            id = base[i].id;
        }
    }
    for (i = 0; i < op_count; i++) {
        for (j = 0; ops[i].kind == OP_NAMES && j < ops[i].sets; j++) {
            if (ops[i].set[j].dir == dir
                && strcmp(ops[i].set[j].name, name) == 0) {
                id = ops[i].set[j].id;
            }
        }
    }
    return id;
}

void model_renamed(int from, const char *name, int to, const char *target,
                   int exchange)
{
    UNSEEN;
    char a[NAME_MAX + 1], b[NAME_MAX + 1];
    int dir = id_of_dir(from, name, a), second = 0, was, replaced = 0;
    op_t *op;

    was = dir ? current(dir, a) : 0;
    if (was) {
        if (target) {
            second = id_of_dir(to, target, b);
            replaced = current(second, b);
        }
        op = add_op(OP_NAMES, 0);
        set_name(op, dir, a, exchange ? replaced : 0);
        if (target) {
            set_name(op, second, b, was);
        }
    }
    SEEN;
}

void model_made(int dirfd, const char *name, int is_new)
{
    UNSEEN;
    char last[NAME_MAX + 1], target[PATH_MAX];
    int dir = id_of_dir(dirfd, name, last), id;
    struct stat st;
    ssize_t n;

    if (dir && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        id = is_new ? add_inode(&st) : find_ino(st.st_ino);
        if (is_new) {
            read_attr(&inodes[id].attr, -1, &st);
            n = S_ISLNK(st.st_mode) ? readlinkat(dirfd, name, target,
                                                 sizeof(target)) : 0;
            inodes[id].data = copy(target, (size_t)n);
            inodes[id].len = (size_t)n;
        }
        set_name(add_op(OP_NAMES, 0), dir, last, id);
    }
    SEEN;
}

/* ------------------------------------------------------------- beginning */

static void scan(const char *path, int dir, const char *name)
{
    char below[PATH_MAX], target[PATH_MAX];
    struct dirent *entry;
    struct stat st;
    int id, fd;
    DIR *d;

    if (lstat(path, &st) == -1) {
        die("cannot look at a file");
    }
    id = add_inode(&st);
    if (dir) {
        base[base_count].dir = dir;
        base[base_count].id = id;
        snprintf(base[base_count++].name, NAME_MAX + 1, "%s", name);
    }
    if (S_ISLNK(st.st_mode)) {
        inodes[id].len = (size_t)readlink(path, target, sizeof(target));
        inodes[id].data = copy(target, inodes[id].len);
        inodes[id].attr.mode = st.st_mode;
        return;
    }
    fd = open(path, O_RDONLY);
    read_attr(&inodes[id].attr, fd, &st);
    if (S_ISREG(st.st_mode)) {
        inodes[id].len = (size_t)st.st_size;
        inodes[id].data = malloc((size_t)st.st_size + 1);
        if (read(fd, inodes[id].data, (size_t)st.st_size) != st.st_size) {
            die("cannot read a file");
        }
    }
    close(fd);
    d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    while (d && (entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
            scan(below, id, entry->d_name);
        }
    }
    if (d) {
        closedir(d);
    }
}

void model_begin(const char *root)
{
    int i;

    for (i = 0; i < inode_count; i++) {
        free(inodes[i].data);
        inodes[i].data = NULL;
    }
    for (i = 0; i < op_count; i++) {
        free(ops[i].data);
    }
    memset(seen, 0, sizeof(seen));
    inode_count = 1;            /* 0 is nothing */
    op_count = 0;
    base_count = 0;
    snprintf(top, sizeof(top), "%s", root);
    scan(root, 0, "");
}

int model_count(void)
{
    return op_count;
}

/* ----------------------------------------------------------------- states */

static entry_t names[ENTRIES_MAX];
static int name_count;

static void put_name(const entry_t *set)
{
    int i;

    for (i = 0; i < name_count; i++) {
        if (names[i].dir == set->dir
            && strcmp(names[i].name, set->name) == 0) {
            names[i].id = set->id;
            return;
        }
    }
    names[name_count++] = *set;
}

/* When each operation becomes certain. */
static void find_durable(int n)
{
    int i, j, k, at;

    for (i = 0; i < n; i++) {
        ops[i].durable_at = 0;
        for (j = 0; j < (ops[i].kind == OP_NAMES ? ops[i].sets : 1); j++) {
            at = ops[i].kind == OP_NAMES ? ops[i].set[j].dir : ops[i].id;
            for (k = i + 1; k < n && !(ops[k].kind == OP_SYNC
                                       && ops[k].id == at); k++) {
                continue;
            }
            ops[i].durable_at = k > ops[i].durable_at ? k
                                                      : ops[i].durable_at;
        }
    }
}

/* Contents and attributes after n operations, certain and not. */
static void find_contents(int n)
{
    inode_t *inode;
    int i;

    for (i = 1; i < inode_count; i++) {
        inode = &inodes[i];
        free(inode->now);
        inode->now = copy(inode->data ? inode->data : "", inode->len);
        inode->now_len = inode->durable_len = inode->len;
        inode->durable_attr = inode->last_attr = inode->attr;
        inode->pending = 0;
    }
    for (i = 0; i < n; i++) {
        inode = &inodes[ops[i].id];
        if (ops[i].kind == OP_WRITE) {
            inode->now = realloc(inode->now, inode->now_len + ops[i].len
                                             + 1);
            memcpy(inode->now + inode->now_len, ops[i].data, ops[i].len);
            inode->now_len += ops[i].len;
        }
        else if (ops[i].kind == OP_ATTR) {
            inode->last_attr = ops[i].attr;
        }
        else if (ops[i].kind == OP_SYNC) {
            inode->durable_len = inode->now_len;
            inode->durable_attr = inode->last_attr;
        }
    }
    for (i = 1; i < inode_count; i++) {
        inode = &inodes[i];
        inode->pending = inode->now_len != inode->durable_len
            || memcmp(&inode->last_attr, &inode->durable_attr,
                      sizeof(attr_t)) != 0;
    }
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (len-- > 0) {
        h = (h ^ *p++) * 0x100000001b3ull;
    }
    return h;
}

/* Variant of one inode's content: 0 none of what is pending, 1 all, 2 half
 * of the bytes, 3 zeros. */
static size_t content(const inode_t *inode, int variant, char *out,
                      const attr_t **pattr)
{
    size_t pending = inode->now_len - inode->durable_len;
    size_t len = variant == 0 ? inode->durable_len
                 : variant == 2 ? inode->durable_len + pending / 2
                 : inode->now_len;

    if (out) {
        memcpy(out, inode->now, len);
        if (variant == 3) {
            memset(out + inode->durable_len, 0, len - inode->durable_len);
        }
    }
    *pattr = variant == 1 || variant == 2 ? &inode->last_attr
                                          : &inode->durable_attr;
    return len;
}

static int variant_of(int id, int variants)
{
    return inodes[id].pending ? (variants >> (2 * (id % 8))) & 3 : 1;
}

static uint64_t hash_below(int dir, int variants, uint64_t h)
{
    const attr_t *attr;
    char *data;
    size_t len;
    int i;

    for (i = 0; i < name_count; i++) {
        if (names[i].dir != dir || !names[i].id) {
            continue;
        }
        data = malloc(inodes[names[i].id].now_len + 1);
        len = content(&inodes[names[i].id],
                      variant_of(names[i].id, variants), data, &attr);
        h = mix(h, names[i].name, strlen(names[i].name) + 1);
        h = mix(h, attr, sizeof(*attr));
        h = mix(h, data, len);
        free(data);
        h = hash_below(names[i].id, variants, h ^ 0x55);
    }
    return h;
}

static void put_attr(const char *path, const attr_t *attr)
{
    const char *p = attr->xattrs;
    size_t n;

    if (chown(path, attr->uid, attr->gid) == -1) {
        die("cannot set an owner");
    }
    for (; p < attr->xattrs + attr->xattrs_len; p += n + 2 + (size_t)p[n + 1]) {
        n = strlen(p);
        if (setxattr(path, p, p + n + 2, (size_t)p[n + 1], 0) == -1) {
            die("cannot set an attribute");
        }
    }
    if (chmod(path, attr->mode & 07777) == -1) {
        die("cannot set a mode");
    }
}

static void build_below(int dir, const char *path, int variants)
{
    char below[PATH_MAX];
    const attr_t *attr;
    const inode_t *inode;
    char *data;
    size_t len;
    int i, fd;

    for (i = 0; i < name_count; i++) {
        if (names[i].dir != dir || !names[i].id) {
            continue;
        }
        inode = &inodes[names[i].id];
        snprintf(below, sizeof(below), "%s/%s", path, names[i].name);
        data = malloc(inode->now_len + 1);
        len = content(inode, variant_of(names[i].id, variants), data, &attr);
        data[len] = '\0';
        if (S_ISLNK(attr->mode)) {
            if (symlink(data, below) == -1) {
                die("cannot make a link");
            }
        }
        else if (S_ISDIR(attr->mode)) {
            mkdir(below, 0700);
            put_attr(below, attr);
            build_below(names[i].id, below, variants);
        }
        else {
            fd = open(below, O_WRONLY | O_CREAT | O_EXCL, 0600);
            if (fd == -1 || write(fd, data, len) != (ssize_t)len) {
                die("cannot write a file");
            }
            close(fd);
            put_attr(below, attr);
        }
        free(data);
    }
}

/* 1 if this state was met before in its class. */
static int met(uint64_t h, int class)
{
    uint64_t key = mix(h, &class, sizeof(class)) | 1;
    size_t at = key % (sizeof(seen) / sizeof(seen[0]));

    while (seen[at] && seen[at] != key) {
        at = (at + 1) % (sizeof(seen) / sizeof(seen[0]));
    }
    if (seen[at]) {
        return 1;
    }
    seen[at] = key;
    return 0;
}

static int try_state(int n, const int *pending, int count, uint64_t chosen,
                     int variants, int class, void (*check)(int n))
{
    int i, j, next = 0, certain;

    memcpy(names, base, sizeof(entry_t) * (size_t)base_count);
    name_count = base_count;
    for (i = 0; i < n; i++) {
        if (ops[i].kind != OP_NAMES) {
            continue;
        }
        certain = ops[i].durable_at < n;
        if (!certain && next < count && pending[next] == i) {
            certain = (int)(chosen >> next++ & 1);
        }
        for (j = 0; certain && j < ops[i].sets; j++) {
            put_name(&ops[i].set[j]);
        }
    }
    if (met(hash_below(1, variants, 0xcbf29ce484222325ull), class)) {
        return 0;
    }
    scene_empty();
    build_below(1, top, variants);
    check(n);
    return 1;
}

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static const int uniform[4] = { 0x5555, 0x0000, 0xaaaa, 0xffff };

/* Possibilities that are tried when there are too many. */
static uint64_t sample(int round, int count)
{
    uint64_t all = count ? ~0ull >> (64 - count) : 0;

    if (round < 2) {
        return round ? 0 : all;
    }
    round -= 2;
    if (round < 3 * count) {
        return round < count ? 1ull << round
               : round < 2 * count ? all & ~(1ull << (round - count))
               : all >> (round - 2 * count);
    }
    return next_random() & all;
}

int model_states(int n, int limit, int class, void (*check)(int n))
{
    int pending[PENDING_MAX], count = 0, i, tried = 0, torn = 0, every;
    uint64_t chosen;

    find_durable(n);
    find_contents(n);
    for (i = 0; i < n && count < PENDING_MAX; i++) {
        if (ops[i].kind == OP_NAMES && ops[i].durable_at >= n) {
            pending[count++] = i;
        }
    }
    for (i = 1; i < inode_count; i++) {
        torn |= inodes[i].pending;
    }
    every = count < 12 && (1 << count) * (torn ? 4 : 1) <= limit;
    for (i = 0; i < (every ? (1 << count) * (torn ? 4 : 1) : limit); i++) {
        chosen = every ? (uint64_t)(i / (torn ? 4 : 1))
                       : sample(torn ? i / 2 : i, count);
        tried += try_state(n, pending, count, chosen,
                           every || i % 2 == 0 ? uniform[i % 4]
                           : (int)(next_random() & 0xffff), class, check);
    }
    return tried;
}
