/* Trees of configuration files in a directory that goes with the test. */
#ifndef ACME_UNIT_CONFIGURATOR_TREE_H
#define ACME_UNIT_CONFIGURATOR_TREE_H

#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/** The tree of a test, and its files. */
static const char *tree;

static inline void tree_make(void)
{
    tree = unit_dir();
}

static inline const char *tree_path(const char *name)
{
    return apr_pstrcat(pool, tree, "/", name, NULL);
}

/** Make the directories that lead to a file. */
static inline void tree_dirs(const char *name)
{
    char *path = apr_pstrdup(pool, name);
    char *slash;

    for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(tree_path(path), 0700);
        *slash = '/';
    }
}

/** Write a file; "@" in its text is the tree's path. */
static inline void tree_put(const char *name, const char *text)
{
    const char *at;

    tree_dirs(name);
    while ((at = strchr(text, '@')) != NULL) {
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text, at - text), tree,
                           at + 1, NULL);
    }
    unlink(tree_path(name));
    unit_ok(base_file_put(tree_path(name), text, strlen(text), 0600, &err));
}

static inline void tree_link(const char *name, const char *target)
{
    tree_dirs(name);
    ck_assert_int_eq(symlink(target, tree_path(name)), 0);
}

#endif
