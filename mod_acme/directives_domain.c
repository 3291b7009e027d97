/*
 * The settings of a domain: directives that stand in the main server or in
 * one <ACMEDomain>. directives.c has the table and what a setting is not.
 */
#include "mod_acme.h"

#include <stddef.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "directives.h"
#include "words.h"

#define URL_MAX   2048
#define DAYS_MAX  3650

static const char *setting_words(acme_settings_t **psettings,
                                 apr_array_header_t **pwords, cmd_parms *cmd,
                                 const char *args, int max,
                                 const char *allowed)
{
    const char *fault = acme_place_setting(psettings, cmd);

    return fault ? fault : acme_words_take(pwords, cmd, args, max, allowed);
}

/* ----------------------------------------------- the certificate authority */

static const struct {
    const char *name;
    const char *url;
} authorities[] = {
    { "letsencrypt", "https://acme-v02.api.letsencrypt.org/directory" },
    { "letsencrypt-staging",
      "https://acme-staging-v02.api.letsencrypt.org/directory" },
    { "google", "https://dv.acme-v02.api.pki.goog/directory" },
    { "zerossl", "https://acme.zerossl.com/v2/DV90" },
    /* SSL.com has one directory per key type; this is that of P-256. */
    { "sslcom", "https://acme.ssl.com/sslcom-dv-ecc" },
    { "actalis", "https://acme-api.actalis.com/acme/directory" }
};

/* RFC 8555 6.1: https only; no part of it may be hidden or ambiguous. */
static int url_valid(const char *text, apr_pool_t *p)
{
    apr_uri_t uri;
    const char *c;

    for (c = text; *c; c++) {
        if (*c <= ' ' || *c > '~' || strchr("\"<>\\^`{|}", *c)) {
            return 0;
        }
    }
    if (c - text > URL_MAX || apr_uri_parse(p, text, &uri) != APR_SUCCESS) {
        return 0;
    }
    return uri.scheme && strcasecmp(uri.scheme, "https") == 0
           && uri.hostname && *uri.hostname
           && !uri.user && !uri.password && !uri.fragment
           && (!uri.port_str
               || acme_word_number(uri.port_str, strlen(uri.port_str), 65535));
}

/* The URL of a word; NULL if it is neither a known name nor a URL. */
static const char *authority_url(const char *word, apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < sizeof(authorities) / sizeof(authorities[0]); i++) {
        if (strcasecmp(word, authorities[i].name) == 0) {
            return authorities[i].url;
        }
    }
    return url_valid(word, p) ? word : NULL;
}

const char *acme_set_authority(cmd_parms *cmd, void *dir_conf,
                               const char *args)
{
    acme_settings_t *settings;
    apr_array_header_t *words, *urls;
    const char *fault = setting_words(&settings, &words, cmd, args, 0,
                                      ACME_AUTHORITIES);
    int i;

    if (fault) {
        return fault;
    }
    urls = apr_array_make(cmd->pool, words->nelts, sizeof(const char *));
    for (i = 0; i < words->nelts; i++) {
        const char *word = acme_word_at(words, i);
        const char *url = authority_url(word, cmd->pool);

        if (!url) {
            return acme_word_refuse(cmd, word, ACME_AUTHORITIES);
        }
        if (acme_words_have(urls, url)) {
            return acme_word_refuse_twice(cmd, word);
        }
        APR_ARRAY_PUSH(urls, const char *) = url;
    }
    settings->ca = urls;
    return NULL;
}

/* The text of rv, for the end of a message. */
static const char *status_text(apr_status_t rv, apr_pool_t *p)
{
    char buf[256];

    return apr_pstrdup(p, apr_strerror(rv, buf, sizeof(buf)));
}

/* NULL if path is a regular file with a PEM certificate, else why not. */
static const char *pem_fault(const char *path, apr_pool_t *p)
{
    apr_finfo_t finfo;
    apr_file_t *file;
    char line[256];
    apr_status_t rv = apr_stat(&finfo, path, APR_FINFO_TYPE, p);
    int found = 0;

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return status_text(rv, p);
    }
    if (finfo.filetype != APR_REG) {
        return "it is not a regular file";
    }
    rv = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0, p);
    if (rv != APR_SUCCESS) {
        return status_text(rv, p);
    }
    while (!found && apr_file_gets(line, sizeof(line), file) == APR_SUCCESS) {
        found = strncmp(line, "-----BEGIN ", 11) == 0
                && strstr(line, "CERTIFICATE-----") != NULL;
    }
    apr_file_close(file);
    return found ? NULL : "it holds no PEM certificate";
}

const char *acme_set_ca_file(cmd_parms *cmd, void *dir_conf,
                             const char *args)
{
    static const char allowed[] = "the path of a readable file of PEM "
                                  "certificates";
    acme_settings_t *settings;
    const char *path, *reason;
    const char *fault = acme_place_setting(&settings, cmd);

    if (!fault) {
        fault = acme_word_path(&path, cmd, args, allowed);
    }
    if (fault) {
        return fault;
    }
    reason = pem_fault(path, cmd->temp_pool);
    if (reason) {
        return acme_path_refuse(cmd, path, reason, allowed);
    }
    settings->ca_certificate_file = path;
    return NULL;
}

/* ------------------------------------------------------------ the account */

const char *acme_set_contact(cmd_parms *cmd, void *dir_conf,
                             const char *args)
{
    static const char allowed[] = "mail addresses, such as "
                                  "mailto:admin@example.org, or none";
    acme_settings_t *settings;
    apr_array_header_t *words, *contact;
    const char *fault = setting_words(&settings, &words, cmd, args, 0,
                                      allowed);
    int i;

    if (fault) {
        return fault;
    }
    contact = apr_array_make(cmd->pool, words->nelts, sizeof(const char *));
    if (words->nelts == 1 && strcasecmp(acme_word_at(words, 0), "none") == 0) {
        settings->contact = contact;
        return NULL;
    }
    for (i = 0; i < words->nelts; i++) {
        const char *word = acme_word_at(words, i);
        const char *uri = acme_mail_uri(word, cmd->pool);

        if (!uri) {
            return acme_word_refuse(cmd, word, allowed);
        }
        if (acme_words_have(contact, uri)) {
            return acme_word_refuse_twice(cmd, word);
        }
        APR_ARRAY_PUSH(contact, const char *) = uri;
    }
    settings->contact = contact;
    return NULL;
}

/* -------------------------------------------------- challenges, keys, time */

const char *acme_set_challenges(cmd_parms *cmd, void *dir_conf,
                                const char *args)
{
    static const char *const known[] = { "http-01", "tls-alpn-01", NULL };
    static const char *const later[] = { "dns-01", NULL };
    acme_settings_t *settings;
    const apr_array_header_t *words;
    const char *fault = acme_place_setting(&settings, cmd);
    int i;

    if (fault) {
        return fault;
    }
    words = acme_words_of(cmd, args);
    for (i = 0; i < words->nelts; i++) {
        if (acme_word_known(later, acme_word_at(words, i))) {
            return apr_psprintf(cmd->pool, "%s: this version does not offer "
                                "\"%s\" yet: write http-01 or tls-alpn-01",
                                cmd->cmd->name,
                                acme_word_at(words, i));
        }
    }
    return acme_words_known(&settings->challenges, cmd, args, known,
                            "http-01, tls-alpn-01");
}

const char *acme_set_private_keys(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    static const char *const known[] = {
        "P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096", NULL
    };
    acme_settings_t *settings;
    const char *fault = acme_place_setting(&settings, cmd);

    return fault ? fault
                 : acme_words_known(&settings->keys, cmd, args, known,
                                    "one or more of P-256, P-384, RSA-2048, "
                                    "RSA-3072, RSA-4096");
}

const char *acme_set_renew_window(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    static const char allowed[] = "1% to 99% of the lifetime, or 1d to "
                                  "3650d";
    acme_settings_t *settings;
    apr_array_header_t *words;
    acme_window_t window;
    const char *fault = setting_words(&settings, &words, cmd, args, 1,
                                      allowed);
    const char *word;
    apr_size_t len;

    if (fault) {
        return fault;
    }
    word = acme_word_at(words, 0);
    len = strlen(word);
    if (len < 2) {
        return acme_word_refuse(cmd, word, allowed);
    }
    window.unit = word[len - 1] == '%' ? ACME_WINDOW_PERCENT
                                       : ACME_WINDOW_DAYS;
    window.n = acme_word_number(word, len - 1,
                                window.unit == ACME_WINDOW_PERCENT
                                ? 99 : DAYS_MAX);
    if (!window.n || !strchr("%dD", word[len - 1])) {
        return acme_word_refuse(cmd, word, allowed);
    }
    settings->window = window;
    return NULL;
}

/* ------------------------------------------------------- one word of a few */

static const char *const accepted[] = { "accepted", NULL };
static const char *const modes[] = { "auto", "always", "manual", NULL };
static const char *const states[] = { "off", "on", NULL };
static const char *const kinds[] = { "off", "temporary", "permanent", NULL };

const acme_choice_t acme_choice_agreement = {
    accepted, "accepted, after reading the CA's terms of service",
    offsetof(acme_settings_t, agreement), 1
};

const acme_choice_t acme_choice_renew_mode = {
    modes, "auto, always or manual",
    offsetof(acme_settings_t, renew_mode), ACME_RENEW_AUTO
};

const acme_choice_t acme_choice_require_https = {
    kinds, "off, temporary or permanent",
    offsetof(acme_settings_t, require_https), ACME_REQUIRE_OFF
};

const acme_choice_t acme_choice_must_staple = {
    states, "on or off", offsetof(acme_settings_t, must_staple), 0
};

const char *acme_set_choice(cmd_parms *cmd, void *dir_conf, const char *args)
{
    const acme_choice_t *choice = cmd->info;
    acme_settings_t *settings;
    const char *fault = acme_place_setting(&settings, cmd);
    int place = 0;

    if (!fault) {
        fault = acme_word_choose(&place, cmd, args, choice->words,
                                 choice->allowed);
    }
    if (!fault) {
        *(int *)((char *)settings + choice->member) = choice->first + place;
    }
    return fault;
}

const char *acme_set_require_https(cmd_parms *cmd, void *dir_conf,
                                   const char *args)
{
    const acme_choice_t *choice = cmd->info;
    const char *fault;
    int place = 0;

    if (!cmd->server->is_virtual) {
        return acme_set_choice(cmd, dir_conf, args);
    }
    fault = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT | NOT_IN_HTACCESS);
    if (!fault) {
        fault = acme_word_choose(&place, cmd, args, choice->words,
                                 choice->allowed);
    }
    if (!fault) {
        acme_server_conf(cmd->server)->require_https =
            (acme_require_t)(choice->first + place);
    }
    return fault;
}
