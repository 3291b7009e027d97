/*
 * words: what directives are made of: raw arguments as words, the places
 * where a directive may stand, and what is said of a wrong one.
 *
 * httpd's own splitter drops what follows the 64th word without a sign, so
 * all directives take raw arguments. Every message names the directive, the
 * wrong word and what is allowed; httpd puts file and line in front.
 *
 * Functions that return const char * return NULL, or such a message.
 */
#ifndef ACME_WORDS_H
#define ACME_WORDS_H

#include "mod_acme.h"

/** A word of an array that acme_words_of made. */
static inline const char *acme_word_at(const apr_array_header_t *words, int i)
{
    return APR_ARRAY_IDX(words, i, const char *);
}

/** args as words, quotes removed, of char *, in cmd->pool; perhaps empty.
 *  Source: ours (httpd's rules of quoting). */
apr_array_header_t *acme_words_of(cmd_parms *cmd, const char *args);

/** The words of args: at least one, at most max (0: any number).
 *  @param allowed  what stands behind "write" in the message */
const char *acme_words_take(apr_array_header_t **pwords, cmd_parms *cmd,
                            const char *args, int max, const char *allowed);

/** 1 if words (of const char *) has text, case heeded. */
int acme_words_have(const apr_array_header_t *words, const char *text);

/** A list of words out of known (NULL behind the last), each once. */
const char *acme_words_known(apr_array_header_t **plist, cmd_parms *cmd,
                             const char *args, const char *const *known,
                             const char *allowed);

/** The entry of known (NULL behind the last) that word is; else NULL. */
const char *acme_word_known(const char *const *known, const char *word);

/** One word of a list. @param pplace set to its place in choices */
const char *acme_word_choose(int *pplace, cmd_parms *cmd, const char *args,
                             const char *const *choices,
                             const char *allowed);

/** The number len digits write, 1..max; 0 if they do not. */
int acme_word_number(const char *digits, apr_size_t len, int max);

/** One path, made absolute. @param allowed  as acme_words_take's */
const char *acme_word_path(const char **ppath, cmd_parms *cmd,
                           const char *args, const char *allowed);

/** "DIRECTIVE: "word" is not allowed: write ..." */
const char *acme_word_refuse(cmd_parms *cmd, const char *word,
                             const char *allowed);

/** "DIRECTIVE: "word" is there twice: write each value once" */
const char *acme_word_refuse_twice(cmd_parms *cmd, const char *word);

/** "DIRECTIVE: "path" cannot be used: reason: write ..." */
const char *acme_path_refuse(cmd_parms *cmd, const char *path,
                             const char *reason, const char *allowed);

/** For settings of the whole server: may it stand here? */
const char *acme_place_global(cmd_parms *cmd);

/** For settings of the whole server or of one <ACMEDomain>: which? */
const char *acme_place_setting(acme_settings_t **psettings, cmd_parms *cmd);

#endif
