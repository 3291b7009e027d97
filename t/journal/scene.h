/*
 * scene: what is run again and again: a configuration, a journal, an action
 * on them, and the states that may follow.
 */
#ifndef ACME_JOURNAL_SCENE_H
#define ACME_JOURNAL_SCENE_H

#include "journal/journal.h"

#define STATES_MAX 4

/** A whole tree with the number of checkpoints that belongs to it. */
typedef struct state_t {
    char *tree;
    size_t len;
    int checkpoints;
} state_t;

typedef struct scene_t {
    const char *name;
    /** Make the configuration and the checkpoints; calls scene_expect. */
    void (*setup)(void);
    /** Nullable: what comes before the action in its process, unwatched. */
    apr_status_t (*prepare)(acme_err_t *err);
    /** The action, with lock and recovery before it. */
    apr_status_t (*run)(acme_err_t *err);
    /** Nullable: calls the editor makes; then that file must be his. */
    int first;              /**< state before */
    int last;               /**< state after success */
    int changes;            /**< 1: run may end with any state in between */
} scene_t;

extern const scene_t scenes[];

/** The folder of everything, of the files, of the journal. */
extern char scene_root[256];
extern char scene_conf[300];
extern char scene_journal[300];
extern state_t scene_states[STATES_MAX];
extern int scene_state_count;
/** The pool of one run. */
extern apr_pool_t *scene_pool;

/** Make the folder below tmp, NULL: in memory; and a pool. Once. */
void scene_init(const char *tmp);
/** The same in a folder that is there. */
void scene_at(const char *dir);
/** Remove everything below the root. */
void scene_empty(void);
/** Remove the root too. */
void scene_end(void);
/** Begin a run: a fresh pool; the old one goes with its lock. */
void scene_fresh(void);

/** Run setup and keep what it made, so that scene_reset is quick. */
void scene_make(const scene_t *scene);
/** As scene_make left it. */
void scene_reset(void);
/** The tree as it is now is state number. */
void scene_expect(int number, int checkpoints);

/** The state that the tree is in now; -1 for none of them. */
int scene_state(void);
/** Everything of the configuration as text; to be freed. */
char *scene_tree(size_t *plen);
/** What differs from a state, for a person. */
void scene_explain(int number);

/** Open, lock, recover. */
apr_status_t scene_recover(journal_t **pjournal, journal_drift_t drift,
                           acme_err_t *err);
/** Open and lock. */
apr_status_t scene_open(journal_t **pjournal, acme_err_t *err);

/** Helpers of scenes and properties. */
void put_text(const char *name, const char *text);
char *get_text(const char *name);
const char *conf_path(const char *name);
apr_status_t stage(journal_txn_t *txn, journal_op_t op, const char *name,
                   const char *data, acme_err_t *err);
/** What the scenes write into ports.conf. */
const char *scene_new_ports(void);
apr_status_t accept_all(void *baton, acme_err_t *err, apr_pool_t *pool);

#endif
