/*
 * scene.c: see scene.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "hook.h"
#include "scene.h"

char scene_root[256];
char scene_conf[300];
char scene_journal[300];
state_t scene_states[STATES_MAX];
int scene_state_count;
apr_pool_t *scene_pool;

static char kept[300];          /* a copy of what setup made */

static void die(const char *what, const char *path)
{
    fprintf(stderr, "the scene: %s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

/* ------------------------------------------------------------------ trees */

/* Call each for the entries of path, sorted, without "." and "..". */
static void walk(const char *path, void (*each)(const char *below, void *),
                 void *data)
{
    struct dirent **entries;
    char below[PATH_MAX];
    int n = scandir(path, &entries, NULL, alphasort), i;

    for (i = 0; i < n; i++) {
        if (strcmp(entries[i]->d_name, ".")
            && strcmp(entries[i]->d_name, "..")) {
            snprintf(below, sizeof(below), "%s/%s", path,
                     entries[i]->d_name);
            each(below, data);
        }
        free(entries[i]);
    }
    if (n >= 0) {
        free(entries);
    }
}

static void remove_each(const char *path, void *data)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        walk(path, remove_each, data);
        rmdir(path);
    }
    else {
        unlink(path);
    }
}

void scene_empty(void)
{
    walk(scene_root, remove_each, NULL);
}

static void copy_xattrs(const char *from, const char *to)
{
    char names[1024], value[256], *name;
    ssize_t len = listxattr(from, names, sizeof(names)), n;

    for (name = names; len > 0 && name < names + len;
         name += strlen(name) + 1) {
        n = getxattr(from, name, value, sizeof(value));
        if (n >= 0) {
            setxattr(to, name, value, (size_t)n, 0);
        }
    }
}

/* Copy from to the place that data, two prefixes, says. */
static void copy_each(const char *from, void *data)
{
    const char *const *prefix = data;
    char to[PATH_MAX], bytes[65536];
    struct stat st;
    ssize_t n;
    int in, out;

    snprintf(to, sizeof(to), "%s%s", prefix[1], from + strlen(prefix[0]));
    if (lstat(from, &st) == -1) {
        die("cannot look at", from);
    }
    if (S_ISLNK(st.st_mode)) {
        n = readlink(from, bytes, sizeof(bytes) - 1);
        bytes[n] = '\0';
        if (symlink(bytes, to) == -1) {
            die("cannot make", to);
        }
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        mkdir(to, 0700);
    }
    else {
        in = open(from, O_RDONLY);
        out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
        n = read(in, bytes, sizeof(bytes));
        if (n < 0 || write(out, bytes, (size_t)n) != n) {
            die("cannot copy", from);
        }
        close(in);
        close(out);
    }
    if (chown(to, st.st_uid, st.st_gid) == -1) {
        die("cannot own", to);
    }
    copy_xattrs(from, to);
    chmod(to, st.st_mode & 07777);
    if (S_ISDIR(st.st_mode)) {
        walk(from, copy_each, data);
    }
}

typedef struct tree_text_t {
    char *text;
    size_t len;
    size_t size;
} tree_text_t;

static void add(tree_text_t *tree, const char *data, size_t len)
{
    if (tree->len + len + 1 > tree->size) {
        tree->size = 2 * (tree->len + len + 1);
        tree->text = realloc(tree->text, tree->size);
    }
    memcpy(tree->text + tree->len, data, len);
    tree->len += len;
    tree->text[tree->len] = '\0';
}

static void describe_xattrs(tree_text_t *tree, const char *path)
{
    char names[1024], value[256], *name;
    ssize_t len = listxattr(path, names, sizeof(names)), n;

    for (name = names; len > 0 && name < names + len;
         name += strlen(name) + 1) {
        n = getxattr(path, name, value, sizeof(value));
        add(tree, " ", 1);
        add(tree, name, strlen(name));
        add(tree, "=", 1);
        if (n > 0) {
            add(tree, value, (size_t)n);
        }
    }
}

static void describe_each(const char *path, void *data)
{
    tree_text_t *tree = data;
    char line[PATH_MAX + 100], bytes[65536];
    struct stat st;
    ssize_t n = 0;
    int fd;

    if (lstat(path, &st) == -1) {
        die("cannot look at", path);
    }
    n = snprintf(line, sizeof(line), "%s %o %lu:%lu",
                 path + strlen(scene_conf), (unsigned)st.st_mode,
                 (unsigned long)st.st_uid, (unsigned long)st.st_gid);
    add(tree, line, (size_t)n);
    if (S_ISLNK(st.st_mode)) {
        n = readlink(path, bytes, sizeof(bytes));
    }
    else {
        describe_xattrs(tree, path);
        n = 0;
    }
    if (S_ISREG(st.st_mode)) {
        fd = open(path, O_RDONLY);
        n = read(fd, bytes, sizeof(bytes));
        close(fd);
    }
    add(tree, "\n", 1);
    add(tree, bytes, n > 0 ? (size_t)n : 0);
    add(tree, "\n", 1);
    if (S_ISDIR(st.st_mode)) {
        walk(path, describe_each, data);
    }
}

/* What people wrote is part of a checkpoint: titles and notes. */
static void describe_words(const char *path, void *data)
{
    const char *name = strrchr(path, '/') + 1;
    char bytes[4096];
    struct stat st;
    ssize_t n;
    int fd;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        add(data, name, strlen(name));
        walk(path, describe_words, data);
    }
    else if (strcmp(name, "title") == 0 || strncmp(name, "note.", 5) == 0) {
        fd = open(path, O_RDONLY);
        n = read(fd, bytes, sizeof(bytes));
        close(fd);
        add(data, name, strlen(name));
        add(data, bytes, n > 0 ? (size_t)n : 0);
    }
}

char *scene_tree(size_t *plen)
{
    char cp[400];

    tree_text_t tree = { NULL, 0, 0 };

    add(&tree, "", 0);
    walk(scene_conf, describe_each, &tree);
    snprintf(cp, sizeof(cp), "%s/cp", scene_journal);
    walk(cp, describe_words, &tree);
    *plen = tree.len;
    return tree.text;
}

static void count_each(const char *path, void *data)
{
    (*(int *)data)++;
}

static int count_checkpoints(void)
{
    char cp[400];
    int n = 0;

    snprintf(cp, sizeof(cp), "%s/cp", scene_journal);
    walk(cp, count_each, &n);
    return n;
}

void scene_expect(int number, int checkpoints)
{
    free(scene_states[number].tree);
    scene_states[number].tree = scene_tree(&scene_states[number].len);
    scene_states[number].checkpoints = checkpoints;
    if (number >= scene_state_count) {
        scene_state_count = number + 1;
    }
}

int scene_state(void)
{
    int i, found = -1, checkpoints = count_checkpoints();
    size_t len;
    char *tree = scene_tree(&len);

    for (i = 0; i < scene_state_count; i++) {
        if (len == scene_states[i].len
            && checkpoints == scene_states[i].checkpoints
            && memcmp(tree, scene_states[i].tree, len) == 0) {
            found = i;
        }
    }
    free(tree);
    return found;
}

void scene_explain(int number)
{
    size_t len, i;
    char *tree = scene_tree(&len);
    const state_t *state = &scene_states[number];

    for (i = 0; i < len && i < state->len && tree[i] == state->tree[i]; i++) {
        continue;
    }
    fprintf(stderr, "# %d checkpoints, %d expected; from here on other than "
            "state %d:\n# is: %.90s\n# wanted: %.90s\n",
            count_checkpoints(), state->checkpoints, number,
            tree + (i > 30 ? i - 30 : 0),
            state->tree + (i > 30 ? i - 30 : 0));
    free(tree);
}

/* ------------------------------------------------------------------- runs */

void scene_at(const char *dir)
{
    apr_initialize();
    snprintf(scene_root, sizeof(scene_root), "%s", dir);
    snprintf(kept, sizeof(kept), "%s.kept", scene_root);
    snprintf(scene_conf, sizeof(scene_conf), "%s/conf", scene_root);
    snprintf(scene_journal, sizeof(scene_journal), "%s/journal", scene_root);
    scene_fresh();
}

void scene_init(const char *tmp)
{
    char dir[256];

    if (!tmp) {
        tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    snprintf(dir, sizeof(dir), "%s/acme-journal-XXXXXX", tmp);
    if (!mkdtemp(dir)) {
        die("cannot make", dir);
    }
    scene_at(dir);
}

void scene_end(void)
{
    apr_pool_destroy(scene_pool);
    scene_empty();
    rmdir(scene_root);
    remove_each(kept, NULL);
}

void scene_fresh(void)
{
    if (scene_pool) {
        apr_pool_clear(scene_pool);
    }
    else {
        apr_pool_create(&scene_pool, NULL);
    }
}

void scene_make(const scene_t *scene)
{
    const char *prefix[2] = { scene_root, kept };

    hook_stop();
    scene_empty();
    scene_state_count = 0;
    scene_fresh();
    scene->setup();
    scene_fresh();
    remove_each(kept, NULL);
    mkdir(kept, 0700);
    walk(scene_root, copy_each, prefix);
}

void scene_reset(void)
{
    const char *prefix[2] = { kept, scene_root };

    scene_fresh();
    scene_empty();
    walk(kept, copy_each, prefix);
}

apr_status_t scene_open(journal_t **pjournal, acme_err_t *err)
{
    apr_status_t rv = journal_open(pjournal, scene_journal, 1, err,
                                   scene_pool);

    /* a killed run's preview follows it, a moment later */
    return rv == APR_SUCCESS ? journal_lock(*pjournal, "a test",
                                            apr_time_from_sec(5), err,
                                            scene_pool) : rv;
}

apr_status_t scene_recover(journal_t **pjournal, journal_drift_t drift,
                           acme_err_t *err)
{
    journal_undo_t undo;
    apr_status_t rv = scene_open(pjournal, err);

    return rv == APR_SUCCESS ? journal_recover(&undo, *pjournal, drift, err,
                                               scene_pool, scene_pool) : rv;
}

/* ---------------------------------------------------------------- helpers */

const char *conf_path(const char *name)
{
    return apr_psprintf(scene_pool, "%s/%s", scene_conf, name);
}

void put_text(const char *name, const char *text)
{
    const char *path = conf_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        die("cannot write", path);
    }
    close(fd);
}

char *get_text(const char *name)
{
    char *text = apr_pcalloc(scene_pool, 65536);
    int fd = open(conf_path(name), O_RDONLY);

    if (fd == -1) {
        return NULL;
    }
    if (read(fd, text, 65535) < 0) {
        die("cannot read", name);
    }
    close(fd);
    return text;
}

apr_status_t stage(journal_txn_t *txn, journal_op_t op, const char *name,
                   const char *data, acme_err_t *err)
{
    journal_change_t change = { op, JOURNAL_STEP_HOSTS, conf_path(name),
                                data, data ? strlen(data) : 0, NULL, 0, NULL,
                                op == JOURNAL_MKDIR ? 0755 : 0640, 0 };

    if (op == JOURNAL_SYMLINK) {
        change.step = JOURNAL_STEP_ENABLE;
    }
    return journal_stage(txn, &change, err);
}

apr_status_t accept_all(void *baton, acme_err_t *err, apr_pool_t *pool)
{
    return APR_SUCCESS;
}
