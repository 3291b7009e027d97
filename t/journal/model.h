/*
 * model: what a disk may hold after a loss of power.
 *
 * A run is recorded as operations on inodes and on the names in directories.
 * What is on the disk after the first n of them:
 *
 *   - a name (made, renamed, exchanged, removed; each operation is atomic)
 *     for certain once every directory it touched was synced later; before
 *     that it may be there or not, whatever became of other operations;
 *   - bytes and attributes of a file for certain once it was synced later;
 *     before that all, none, half of the bytes, or zeros in their place.
 *
 * All subsets are tried while there are no more than a limit; otherwise
 * none, all, each alone, all but each, each prefix, and random ones.
 */
#ifndef ACME_JOURNAL_MODEL_H
#define ACME_JOURNAL_MODEL_H

/** Forget everything; what is below root now is on the disk. */
void model_begin(const char *root);

/** Operations recorded so far. */
int model_count(void);

/**
 * Build what the disk may hold after the first n operations, once for each
 * possibility that was not built before, and call check.
 * @param limit  most possibilities
 * @param class  possibilities are remembered for each class apart
 * @return how many were checked
 */
int model_states(int n, int limit, int class, void (*check)(int n));

#endif
