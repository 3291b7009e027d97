/*
 * words.c: see words.h.
 */
#include "words.h"

#include <apr_lib.h>
#include <apr_strings.h>

apr_array_header_t *acme_words_of(cmd_parms *cmd, const char *args)
{
    apr_array_header_t *words = apr_array_make(cmd->pool, 1, sizeof(char *));

    while (apr_isspace(*args)) {
        args++;
    }
    while (*args) {
        APR_ARRAY_PUSH(words, char *) = ap_getword_conf(cmd->pool, &args);
    }
    return words;
}

const char *acme_word_refuse(cmd_parms *cmd, const char *word,
                             const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s: \"%.200s\" is not allowed: write %s",
                        cmd->cmd->name, word, allowed);
}

const char *acme_word_refuse_twice(cmd_parms *cmd, const char *word)
{
    return apr_psprintf(cmd->pool, "%s: \"%.200s\" is there twice: write "
                        "each value once", cmd->cmd->name, word);
}

const char *acme_words_take(apr_array_header_t **pwords, cmd_parms *cmd,
                            const char *args, int max, const char *allowed)
{
    *pwords = acme_words_of(cmd, args);
    if ((*pwords)->nelts == 0) {
        return apr_psprintf(cmd->pool, "%s: a value is missing: write %s",
                            cmd->cmd->name, allowed);
    }
    if (max && (*pwords)->nelts > max) {
        return apr_psprintf(cmd->pool, "%s: \"%.200s\" is too much: write %s",
                            cmd->cmd->name, acme_word_at(*pwords, max),
                            allowed);
    }
    return NULL;
}

int acme_words_have(const apr_array_header_t *array, const char *text)
{
    int i;

    for (i = 0; i < array->nelts; i++) {
        if (strcmp(acme_word_at(array, i), text) == 0) {
            return 1;
        }
    }
    return 0;
}

int acme_word_number(const char *digits, apr_size_t len, int max)
{
    int n = 0;
    apr_size_t i;

    if (len > 8) {
        return 0;
    }
    for (i = 0; i < len; i++) {
        if (!apr_isdigit(digits[i])) {
            return 0;
        }
        n = n * 10 + (digits[i] - '0');
    }
    return n <= max ? n : 0;
}

const char *acme_word_choose(int *pplace, cmd_parms *cmd, const char *args,
                             const char *const *choices,
                             const char *allowed)
{
    apr_array_header_t *words;
    const char *fault = acme_words_take(&words, cmd, args, 1, allowed);
    int i;

    for (i = 0; !fault && choices[i]; i++) {
        if (strcasecmp(acme_word_at(words, 0), choices[i]) == 0) {
            *pplace = i;
            return NULL;
        }
    }
    return fault ? fault
                 : acme_word_refuse(cmd, acme_word_at(words, 0), allowed);
}

const char *acme_word_known(const char *const *known, const char *word)
{
    while (*known && strcasecmp(*known, word) != 0) {
        known++;
    }
    return *known;
}

const char *acme_words_known(apr_array_header_t **plist, cmd_parms *cmd,
                             const char *args, const char *const *known,
                             const char *allowed)
{
    apr_array_header_t *words, *list;
    const char *fault = acme_words_take(&words, cmd, args, 0, allowed);
    int i;

    if (fault) {
        return fault;
    }
    list = apr_array_make(cmd->pool, words->nelts, sizeof(const char *));
    for (i = 0; i < words->nelts; i++) {
        const char *word = acme_word_known(known, acme_word_at(words, i));

        if (!word) {
            return acme_word_refuse(cmd, acme_word_at(words, i), allowed);
        }
        if (acme_words_have(list, word)) {
            return acme_word_refuse_twice(cmd, word);
        }
        APR_ARRAY_PUSH(list, const char *) = word;
    }
    *plist = list;
    return NULL;
}

const char *acme_word_path(const char **ppath, cmd_parms *cmd,
                           const char *args, const char *allowed)
{
    apr_array_header_t *words;
    const char *fault = acme_words_take(&words, cmd, args, 1, allowed);
    const char *word;

    if (fault) {
        return fault;
    }
    word = acme_word_at(words, 0);
    *ppath = *word ? ap_server_root_relative(cmd->pool, word) : NULL;
    return *ppath ? NULL : acme_word_refuse(cmd, word, allowed);
}

const char *acme_path_refuse(cmd_parms *cmd, const char *path,
                             const char *reason, const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s: \"%.400s\" cannot be used: %s: write "
                        "%s", cmd->cmd->name, path, reason, allowed);
}

const char *acme_place_global(cmd_parms *cmd)
{
    const char *fault = ap_check_cmd_context(cmd,
                                             GLOBAL_ONLY | NOT_IN_HTACCESS);

    if (!fault && acme_state_get()->section) {
        fault = apr_pstrcat(cmd->pool, cmd->cmd->name, " is a setting of the "
                            "whole server: it cannot stand in <ACMEDomain>",
                            NULL);
    }
    return fault;
}

const char *acme_place_setting(acme_settings_t **psettings, cmd_parms *cmd)
{
    acme_claim_t *section = acme_state_get()->section;
    acme_server_conf_t *conf = acme_server_conf(cmd->server);
    const char *fault = ap_check_cmd_context(cmd,
                                             GLOBAL_ONLY | NOT_IN_HTACCESS);

    if (fault) {
        return fault;
    }
    if (section) {
        *psettings = section->settings;
        return NULL;
    }
    if (!conf->settings) {
        conf->settings = acme_settings_create(cmd->pool);
    }
    *psettings = conf->settings;
    return NULL;
}
