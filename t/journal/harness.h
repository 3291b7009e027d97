/*
 * harness: disturbances of the scenes and what must hold after them.
 */
#ifndef ACME_JOURNAL_HARNESS_H
#define ACME_JOURNAL_HARNESS_H

#include "hook.h"
#include "scene.h"

/** How much of everything is tried. */
typedef struct effort_t {
    int step;           /**< every so manieth call */
    int states;         /**< most power-loss states per operation */
    int sequences;      /**< of the property test */
    int first_only;     /**< 1: stop at the first violation (seeded bugs) */
} effort_t;

extern effort_t effort;

/** What a disturbance found. */
typedef struct count_t {
    long points;
    long violations;
} count_t;

/** The seeded bug that runs have; 0 none. */
extern int harness_bug;
/** 1: violations are counted and not explained. */
extern int harness_quiet;

count_t kill_calls(const scene_t *scene);
count_t kill_recovery(const scene_t *scene);
count_t fail_calls(const scene_t *scene);
count_t lose_power(const scene_t *scene);
count_t lose_power_recovering(const scene_t *scene);
count_t edit_calls(const scene_t *scene);
count_t edit_and_kill(const scene_t *scene);
count_t lack_flags(const scene_t *scene);

/** A disturbance of scenes. */
typedef struct disturbance_t {
    const char *name;
    const char *what;
    count_t (*run)(const scene_t *scene);
} disturbance_t;

extern const disturbance_t disturbances[];

/** Random sequences against a model. @return violations */
count_t property_run(void);

/** Prints what changes cost. @return exit status */
int bench_run(void);

/** Seeded bugs: name of number, 1 on; NULL behind the last. */
const char *seed_name(int bug);
/** The disturbance that is to notice it. */
const char *seed_noticed_by(int bug);
/** Why nothing can notice it; NULL: the harness has to. */
const char *seed_equivalent(int bug);
/** Forget what the last run has left in the seeds' state. */
void seed_reset(void);

#endif
