/*
 * The directives. Each checks its place and its words and keeps what they
 * say; what can only be known when all of the configuration is read waits
 * for domains.c.
 *
 * All of them take raw arguments: httpd's own splitter drops what follows
 * the 64th word without a sign. Every message names the directive, the
 * wrong word and what is allowed; httpd puts file and line in front.
 */
#include "mod_acme.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#define URL_MAX   2048
#define DAYS_MAX  3650

/* ------------------------------------------------------- words and places */

/* args as words, quotes removed, of char *; perhaps empty. */
static apr_array_header_t *words_of(cmd_parms *cmd, const char *args)
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

static const char *word_at(const apr_array_header_t *words, int i)
{
    return APR_ARRAY_IDX(words, i, const char *);
}

static const char *refuse(cmd_parms *cmd, const char *word,
                          const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s: \"%.200s\" is not allowed: write %s",
                        cmd->cmd->name, word, allowed);
}

static const char *refuse_twice(cmd_parms *cmd, const char *word)
{
    return apr_psprintf(cmd->pool, "%s: \"%.200s\" is there twice: write "
                        "each value once", cmd->cmd->name, word);
}

/* The words of args, at least one and at most max (0: any number). */
static const char *take_words(apr_array_header_t **pwords, cmd_parms *cmd,
                              const char *args, int max, const char *allowed)
{
    *pwords = words_of(cmd, args);
    if ((*pwords)->nelts == 0) {
        return apr_psprintf(cmd->pool, "%s: a value is missing: write %s",
                            cmd->cmd->name, allowed);
    }
    if (max && (*pwords)->nelts > max) {
        return apr_psprintf(cmd->pool, "%s: \"%.200s\" is too much: write %s",
                            cmd->cmd->name, word_at(*pwords, max), allowed);
    }
    return NULL;
}

/* 1 if array (of const char *) has text. */
static int has_word(const apr_array_header_t *array, const char *text)
{
    int i;

    for (i = 0; i < array->nelts; i++) {
        if (strcmp(word_at(array, i), text) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The number len digits write, 1..max; 0 if they do not. */
static int number_of(const char *digits, apr_size_t len, int max)
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

/* For settings of the whole server. */
static const char *check_global(cmd_parms *cmd)
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

/* For settings of the whole server or of one <ACMEDomain>: which? */
static const char *check_setting(acme_settings_t **psettings, cmd_parms *cmd)
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

/* ------------------------------------------------------------- ACMEDomain */

/* Keep a claim of the names in args. */
static const char *claim_add(acme_claim_t **pclaim, cmd_parms *cmd,
                             const char *args)
{
    apr_array_header_t *words = words_of(cmd, args);
    acme_claim_t *claim = apr_pcalloc(cmd->pool, sizeof(*claim));
    const char *reason;
    int i;

    for (i = 0; i < words->nelts; i++) {
        const char *name;

        reason = acme_name_check(&name, word_at(words, i), cmd->pool);
        if (reason) {
            return apr_pstrcat(cmd->pool, cmd->cmd->name,
                               cmd->cmd->name[0] == '<' ? ">: " : ": ",
                               reason, NULL);
        }
        APR_ARRAY_IDX(words, i, const char *) = name;
    }
    claim->names = words;
    claim->file = cmd->directive->filename;
    claim->line = cmd->directive->line_num;
    claim->server = cmd->server;
    APR_ARRAY_PUSH(acme_state_get()->claims, acme_claim_t *) = claim;
    *pclaim = claim;
    return NULL;
}

static const char *set_domain(cmd_parms *cmd, void *dir_conf,
                              const char *args)
{
    acme_claim_t *claim;
    const char *fault = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT
                                                  | NOT_IN_HTACCESS);

    if (!fault && acme_state_get()->section) {
        fault = "ACMEDomain cannot stand in <ACMEDomain>: write it outside";
    }
    if (!fault) {
        fault = claim_add(&claim, cmd, args);
    }
    if (!fault && claim->names->nelts == 0 && !cmd->server->is_virtual) {
        fault = "ACMEDomain: the names are missing: write ACMEDomain "
                "NAME...; it can stand alone only in <VirtualHost>, where "
                "it means the host's own names";
    }
    return fault;
}

/* Nothing of other modules may stand in the section. */
static const char *check_children(cmd_parms *cmd)
{
    const ap_directive_t *child;

    for (child = cmd->directive->first_child; child; child = child->next) {
        const char *name = child->directive;

        if (strncasecmp(name + (*name == '<'), "ACME", 4) != 0) {
            cmd->err_directive = child;
            return apr_psprintf(cmd->pool, "%s%s cannot stand in "
                                "<ACMEDomain>: only settings of the domain "
                                "can, such as ACMECertificateAuthority",
                                name, *name == '<' ? ">" : "");
        }
    }
    return NULL;
}

static const char *domain_section(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    acme_state_t *state = acme_state_get();
    const char *end = ap_strrchr_c(args, '>');
    acme_claim_t *claim = NULL;
    const char *fault = ap_check_cmd_context(cmd,
                                             GLOBAL_ONLY | NOT_IN_HTACCESS);

    if (!fault && state->section) {
        fault = "<ACMEDomain> cannot stand in <ACMEDomain>: write it outside";
    }
    if (!fault && !end) {
        fault = "<ACMEDomain> directive missing closing '>'";
    }
    if (!fault) {
        fault = claim_add(&claim, cmd, apr_pstrmemdup(cmd->temp_pool, args,
                                                      end - args));
    }
    if (!fault && claim->names->nelts == 0) {
        fault = "<ACMEDomain>: the names are missing: write "
                "<ACMEDomain NAME...>";
    }
    if (!fault) {
        fault = check_children(cmd);
    }
    if (fault) {
        return fault;
    }
    claim->settings = acme_settings_create(cmd->pool);
    state->section = claim;
    fault = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    state->section = NULL;
    return fault;
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

#define AUTHORITIES "letsencrypt, letsencrypt-staging, google, zerossl, " \
                    "sslcom, actalis or the https URL of an ACME directory"

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
               || number_of(uri.port_str, strlen(uri.port_str), 65535));
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

static const char *set_authority(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    acme_settings_t *settings;
    apr_array_header_t *words, *urls;
    const char *fault = check_setting(&settings, cmd);
    int i;

    if (!fault) {
        fault = take_words(&words, cmd, args, 0, AUTHORITIES);
    }
    if (fault) {
        return fault;
    }
    urls = apr_array_make(cmd->pool, words->nelts, sizeof(const char *));
    for (i = 0; i < words->nelts; i++) {
        const char *url = authority_url(word_at(words, i), cmd->pool);

        if (!url) {
            return refuse(cmd, word_at(words, i), AUTHORITIES);
        }
        if (has_word(urls, url)) {
            return refuse_twice(cmd, word_at(words, i));
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

static const char *set_ca_file(cmd_parms *cmd, void *dir_conf,
                               const char *args)
{
    static const char allowed[] = "the path of a readable file of PEM "
                                  "certificates";
    acme_settings_t *settings;
    apr_array_header_t *words;
    const char *path, *reason;
    const char *fault = check_setting(&settings, cmd);

    if (!fault) {
        fault = take_words(&words, cmd, args, 1, allowed);
    }
    if (fault) {
        return fault;
    }
    path = *word_at(words, 0)
           ? ap_server_root_relative(cmd->pool, word_at(words, 0)) : NULL;
    if (!path) {
        return refuse(cmd, word_at(words, 0), allowed);
    }
    reason = pem_fault(path, cmd->temp_pool);
    if (reason) {
        return apr_psprintf(cmd->pool, "%s: \"%.400s\" cannot be used: %s: "
                            "write %s", cmd->cmd->name, path, reason, allowed);
    }
    settings->ca_certificate_file = path;
    return NULL;
}

/* One word of a list. @param pplace set to its place in words */
static const char *take_choice(int *pplace, cmd_parms *cmd, const char *args,
                               const char *const *choices,
                               const char *allowed)
{
    apr_array_header_t *words;
    const char *fault = take_words(&words, cmd, args, 1, allowed);
    int i;

    for (i = 0; !fault && choices[i]; i++) {
        if (strcasecmp(word_at(words, 0), choices[i]) == 0) {
            *pplace = i;
            return NULL;
        }
    }
    return fault ? fault : refuse(cmd, word_at(words, 0), allowed);
}

/* ------------------------------------------------------------ the account */

static const char *set_agreement(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    static const char *const words[] = { "accepted", NULL };
    acme_settings_t *settings;
    const char *fault = check_setting(&settings, cmd);
    int only = 0;

    if (!fault) {
        fault = take_choice(&only, cmd, args, words, "accepted, after "
                            "reading the CA's terms of service");
    }
    if (!fault) {
        settings->agreement = 1;
    }
    return fault;
}

static const char *set_contact(cmd_parms *cmd, void *dir_conf,
                               const char *args)
{
    static const char allowed[] = "mail addresses, such as "
                                  "mailto:admin@example.org, or none";
    acme_settings_t *settings;
    apr_array_header_t *words, *contact;
    const char *fault = check_setting(&settings, cmd);
    int i;

    if (!fault) {
        fault = take_words(&words, cmd, args, 0, allowed);
    }
    if (fault) {
        return fault;
    }
    contact = apr_array_make(cmd->pool, words->nelts, sizeof(const char *));
    if (words->nelts == 1 && strcasecmp(word_at(words, 0), "none") == 0) {
        settings->contact = contact;
        return NULL;
    }
    for (i = 0; i < words->nelts; i++) {
        const char *uri = acme_mail_uri(word_at(words, i), cmd->pool);

        if (!uri) {
            return refuse(cmd, word_at(words, i), allowed);
        }
        if (has_word(contact, uri)) {
            return refuse_twice(cmd, word_at(words, i));
        }
        APR_ARRAY_PUSH(contact, const char *) = uri;
    }
    settings->contact = contact;
    return NULL;
}

/* -------------------------------------------------- challenges, keys, time */

/* The entry of known (a NULL behind the last) that word is; else NULL. */
static const char *known_word(const char *const *known, const char *word)
{
    while (*known && strcasecmp(*known, word) != 0) {
        known++;
    }
    return *known;
}

/* A list of words out of known, each once. */
static const char *take_known(apr_array_header_t **plist, cmd_parms *cmd,
                              const char *args, const char *const *known,
                              const char *allowed)
{
    apr_array_header_t *words, *list;
    const char *fault = take_words(&words, cmd, args, 0, allowed);
    int i;

    if (fault) {
        return fault;
    }
    list = apr_array_make(cmd->pool, words->nelts, sizeof(const char *));
    for (i = 0; i < words->nelts; i++) {
        const char *word = known_word(known, word_at(words, i));

        if (!word) {
            return refuse(cmd, word_at(words, i), allowed);
        }
        if (has_word(list, word)) {
            return refuse_twice(cmd, word);
        }
        APR_ARRAY_PUSH(list, const char *) = word;
    }
    *plist = list;
    return NULL;
}

static const char *set_challenges(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    static const char *const known[] = { "http-01", NULL };
    static const char *const later[] = { "tls-alpn-01", "dns-01", NULL };
    acme_settings_t *settings;
    const apr_array_header_t *words;
    const char *fault = check_setting(&settings, cmd);
    int i;

    if (fault) {
        return fault;
    }
    words = words_of(cmd, args);
    for (i = 0; i < words->nelts; i++) {
        if (known_word(later, word_at(words, i))) {
            return apr_psprintf(cmd->pool, "%s: this version does not offer "
                                "\"%s\" yet: write http-01", cmd->cmd->name,
                                word_at(words, i));
        }
    }
    return take_known(&settings->challenges, cmd, args, known, "http-01");
}

static const char *set_private_keys(cmd_parms *cmd, void *dir_conf,
                                    const char *args)
{
    static const char *const known[] = {
        "P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096", NULL
    };
    acme_settings_t *settings;
    const char *fault = check_setting(&settings, cmd);

    return fault ? fault
                 : take_known(&settings->keys, cmd, args, known, "one or "
                              "more of P-256, P-384, RSA-2048, RSA-3072, "
                              "RSA-4096");
}

static const char *set_renew_mode(cmd_parms *cmd, void *dir_conf,
                                  const char *args)
{
    static const char *const modes[] = { "auto", "always", "manual", NULL };
    acme_settings_t *settings;
    const char *fault = check_setting(&settings, cmd);
    int mode = 0;

    if (!fault) {
        fault = take_choice(&mode, cmd, args, modes,
                            "auto, always or manual");
    }
    if (!fault) {
        settings->renew_mode = (acme_renew_t)mode;
    }
    return fault;
}

static const char *set_require_https(cmd_parms *cmd, void *dir_conf,
                                     const char *args)
{
    static const char *const kinds[] = { "off", "temporary", "permanent",
                                         NULL };
    acme_settings_t *settings;
    const char *fault = check_setting(&settings, cmd);
    int kind = 0;

    if (!fault) {
        fault = take_choice(&kind, cmd, args, kinds,
                            "off, temporary or permanent");
    }
    if (!fault) {
        settings->require_https = (acme_require_t)kind;
    }
    return fault;
}

static const char *set_renew_window(cmd_parms *cmd, void *dir_conf,
                                    const char *args)
{
    static const char allowed[] = "1% to 99% of the lifetime, or 1d to "
                                  "3650d";
    acme_settings_t *settings;
    apr_array_header_t *words;
    acme_window_t window;
    const char *fault = check_setting(&settings, cmd);
    const char *word;
    apr_size_t len;

    if (!fault) {
        fault = take_words(&words, cmd, args, 1, allowed);
    }
    if (fault) {
        return fault;
    }
    word = word_at(words, 0);
    len = strlen(word);
    if (len < 2) {
        return refuse(cmd, word, allowed);
    }
    window.unit = word[len - 1] == '%' ? ACME_WINDOW_PERCENT
                                       : ACME_WINDOW_DAYS;
    window.n = number_of(word, len - 1,
                         window.unit == ACME_WINDOW_PERCENT ? 99 : DAYS_MAX);
    if (!window.n || !strchr("%dD", word[len - 1])) {
        return refuse(cmd, word, allowed);
    }
    settings->window = window;
    return NULL;
}

/* --------------------------------------------------------- the whole server */

static const char *set_store_dir(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    static const char allowed[] = "the path of a directory";
    apr_array_header_t *words;
    apr_finfo_t finfo;
    const char *path;
    const char *fault = check_global(cmd);

    if (!fault) {
        fault = take_words(&words, cmd, args, 1, allowed);
    }
    if (fault) {
        return fault;
    }
    path = *word_at(words, 0)
           ? ap_server_root_relative(cmd->pool, word_at(words, 0)) : NULL;
    if (!path) {
        return refuse(cmd, word_at(words, 0), allowed);
    }
    /* It need not exist: acmectl makes it. */
    if (apr_stat(&finfo, path, APR_FINFO_TYPE, cmd->temp_pool) == APR_SUCCESS
        && finfo.filetype != APR_DIR) {
        return apr_psprintf(cmd->pool, "%s: \"%.400s\" cannot be used: it is "
                            "not a directory: write %s", cmd->cmd->name, path,
                            allowed);
    }
    acme_server_conf(cmd->server)->store_dir = path;
    return NULL;
}

/* One word of ACMEPortMap into the port it names, -1: not said yet. */
static const char *port_word(cmd_parms *cmd, const char *word, int *phttp,
                             int *phttps)
{
    const char *colon = ap_strchr_c(word, ':');
    int *pport = NULL;
    int port = 0;

    if (colon && ap_cstr_casecmpn(word, "http:", 5) == 0) {
        pport = phttp;
    }
    else if (colon && ap_cstr_casecmpn(word, "https:", 6) == 0) {
        pport = phttps;
    }
    if (pport && strcmp(colon, ":-") != 0) {
        port = number_of(colon + 1, strlen(colon + 1), 65535);
        if (!port) {
            pport = NULL;
        }
    }
    if (!pport) {
        return refuse(cmd, word, "http:PORT and https:PORT, PORT from 1 to "
                      "65535 or - where the public port does not arrive");
    }
    if (*pport != -1) {
        return refuse_twice(cmd, word);
    }
    *pport = port;
    return NULL;
}

static const char *set_port_map(cmd_parms *cmd, void *dir_conf,
                                const char *args)
{
    acme_server_conf_t *conf = acme_server_conf(cmd->server);
    apr_array_header_t *words;
    int http = -1, https = -1, i;
    const char *fault = check_global(cmd);

    if (!fault) {
        fault = take_words(&words, cmd, args, 2, "http:PORT and https:PORT");
    }
    for (i = 0; !fault && i < words->nelts; i++) {
        fault = port_word(cmd, word_at(words, i), &http, &https);
    }
    if (!fault) {
        conf->port_http = http;
        conf->port_https = https;
    }
    return fault;
}

static const char *set_manager(cmd_parms *cmd, void *dir_conf,
                               const char *args)
{
    static const char *const states[] = { "off", "on", NULL };
    const char *fault = check_global(cmd);

    return fault ? fault
                 : take_choice(&acme_server_conf(cmd->server)->manager, cmd,
                               args, states, "on or off");
}

/* --------------------------------------------------- shadows of mod_ssl's */

/*
 * httpd runs the handlers of all modules that know a directive. These two
 * listen to mod_ssl's and decide nothing: where mod_ssl is loaded it checks
 * the words, where it is not the directive is as unknown as without
 * mod_acme. They stand where mod_ssl's stand and nowhere else: httpd asks
 * any one of the handlers whether AllowOverrideList may allow a directive.
 */
static const char *shadow_unknown(cmd_parms *cmd)
{
    if (ap_find_linked_module("mod_ssl.c")) {
        return NULL;
    }
    return apr_pstrcat(cmd->pool, "Invalid command '",
                       cmd->directive->directive, "', perhaps misspelled or "
                       "defined by a module not included in the server "
                       "configuration", NULL);
}

static const char *shadow_engine(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    const char *fault = shadow_unknown(cmd);

    if (!fault) {
        acme_server_conf(cmd->server)->ssl_engine =
            strcasecmp(ap_getword_conf(cmd->temp_pool, &args), "off") != 0;
    }
    return fault;
}

static const char *shadow_certificate(cmd_parms *cmd, void *dir_conf,
                                      const char *args)
{
    const char *fault = shadow_unknown(cmd);

    if (!fault) {
        acme_server_conf(cmd->server)->certificate_file = 1;
    }
    return fault;
}

/* -------------------------------------------------------------- the table */

#define DIRECTIVE(name, function, help) \
    AP_INIT_RAW_ARGS(name, function, NULL, RSRC_CONF, help)

const command_rec acme_directives[] = {
    DIRECTIVE("ACMEDomain", set_domain,
              "one managed certificate for these names; in a virtual host "
              "without arguments for its ServerName and ServerAliases"),
    DIRECTIVE("<ACMEDomain", domain_section,
              "one managed certificate with its own settings inside"),
    DIRECTIVE("ACMECertificateAuthority", set_authority,
              "ACME directories in order of fail-over: " AUTHORITIES),
    DIRECTIVE("ACMECACertificateFile", set_ca_file,
              "trust roots for the ACME server's own TLS (default: the "
              "system's)"),
    DIRECTIVE("ACMEAgreement", set_agreement,
              "'accepted' agrees to the CA's terms of service"),
    DIRECTIVE("ACMEContact", set_contact,
              "mail addresses for the account, or none (default: "
              "ServerAdmin if it is a mail address)"),
    DIRECTIVE("ACMEChallenges", set_challenges,
              "allowed challenge types in order: http-01"),
    DIRECTIVE("ACMEPrivateKeys", set_private_keys,
              "one certificate per key type: P-256 (default), P-384, "
              "RSA-2048, RSA-3072, RSA-4096"),
    DIRECTIVE("ACMERenewMode", set_renew_mode,
              "auto (default: what a virtual host uses), always or manual"),
    DIRECTIVE("ACMERenewWindow", set_renew_window,
              "renew when less is left: N% or Nd (default: 33%, 50% under "
              "10 days of lifetime)"),
    DIRECTIVE("ACMERequireHTTPS", set_require_https,
              "redirect http to https: off (default), temporary (307) or "
              "permanent (308)"),
    DIRECTIVE("ACMEStoreDir", set_store_dir,
              "directory of accounts, keys and certificates"),
    DIRECTIVE("ACMEPortMap", set_port_map,
              "local ports on which the public 80 and 443 arrive: "
              "http:PORT https:PORT, - for none"),
    DIRECTIVE("ACMEManager", set_manager,
              "on (default): httpd keeps \"acmectl serve\" running, which "
              "renews; off"),
    DIRECTIVE("SSLEngine", shadow_engine, NULL),
    DIRECTIVE("SSLCertificateFile", shadow_certificate, NULL),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};
