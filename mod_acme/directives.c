/*
 * The directives: ACMEDomain, what is said of the whole server, what is
 * heard of mod_ssl's, and the table. Settings of a domain are in
 * directives_domain.c. Each checks its place and its words and keeps what
 * they say; what can only be known when all of the configuration is read
 * waits for domains.c.
 */
#include "mod_acme.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#include "directives.h"
#include "program.h"
#include "words.h"

/* ------------------------------------------------------------- ACMEDomain */

/* Keep a claim of the names in args. */
static const char *claim_add(acme_claim_t **pclaim, cmd_parms *cmd,
                             const char *args)
{
    apr_array_header_t *words = acme_words_of(cmd, args);
    acme_claim_t *claim = apr_pcalloc(cmd->pool, sizeof(*claim));
    const char *reason;
    int i;

    for (i = 0; i < words->nelts; i++) {
        const char *name;

        reason = acme_name_check(&name, acme_word_at(words, i), cmd->pool);
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

/* --------------------------------------------------------- the whole server */

static const char *set_store_dir(cmd_parms *cmd, void *dir_conf,
                                 const char *args)
{
    static const char allowed[] = "the path of a directory";
    apr_finfo_t finfo;
    const char *path;
    const char *fault = acme_place_global(cmd);

    if (!fault) {
        fault = acme_word_path(&path, cmd, args, allowed);
    }
    if (fault) {
        return fault;
    }
    /* It need not exist: acmectl makes it. */
    if (apr_stat(&finfo, path, APR_FINFO_TYPE, cmd->temp_pool) == APR_SUCCESS
        && finfo.filetype != APR_DIR) {
        return acme_path_refuse(cmd, path, "it is not a directory", allowed);
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
        port = acme_word_number(colon + 1, strlen(colon + 1), 65535);
        if (!port) {
            pport = NULL;
        }
    }
    if (!pport) {
        return acme_word_refuse(cmd, word, "http:PORT and https:PORT, PORT "
                                "from 1 to 65535 or - where the public port "
                                "does not arrive");
    }
    if (*pport != -1) {
        return acme_word_refuse_twice(cmd, word);
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
    const char *fault = acme_place_global(cmd);

    if (!fault) {
        fault = acme_words_take(&words, cmd, args, 2,
                                "http:PORT and https:PORT");
    }
    for (i = 0; !fault && i < words->nelts; i++) {
        fault = port_word(cmd, acme_word_at(words, i), &http, &https);
    }
    if (!fault) {
        conf->port_http = http;
        conf->port_https = https;
    }
    return fault;
}

/* A global directive that is on or off. */
static const char *set_flag(cmd_parms *cmd, const char *args, int *pflag)
{
    static const char *const states[] = { "off", "on", NULL };
    const char *fault = acme_place_global(cmd);

    return fault ? fault : acme_word_choose(pflag, cmd, args, states,
                                            "on or off");
}

static const char *set_manager(cmd_parms *cmd, void *dir_conf,
                               const char *args)
{
    return set_flag(cmd, args, &acme_server_conf(cmd->server)->manager);
}

static const char *set_server_status(cmd_parms *cmd, void *dir_conf,
                                     const char *args)
{
    return set_flag(cmd, args,
                    &acme_server_conf(cmd->server)->server_status);
}

/* What a program's command line may have, bytes: more is no name and no
 * option but a mistake. */
#define NOTIFY_MAX 8192

static const char *set_notify(cmd_parms *cmd, void *dir_conf,
                              const char *args)
{
    static const char allowed[] = "the path of a program and its first "
                                  "arguments";
    acme_server_conf_t *conf = acme_server_conf(cmd->server);
    apr_array_header_t *words;
    const char *path, *reason;
    const char *fault = acme_place_global(cmd);

    if (!fault && conf->notify) {
        fault = apr_pstrcat(cmd->pool, cmd->cmd->name, " is there twice: "
                            "write it once, with a program that runs the "
                            "others", NULL);
    }
    if (!fault) {
        fault = acme_words_take(&words, cmd, args, 0, allowed);
    }
    if (fault) {
        return fault;
    }
    path = *acme_word_at(words, 0) && strlen(args) <= NOTIFY_MAX
           ? ap_server_root_relative(cmd->pool, acme_word_at(words, 0))
           : NULL;
    if (!path) {
        return acme_word_refuse(cmd, acme_word_at(words, 0), allowed);
    }
    reason = acme_program_fault(path, cmd->temp_pool);
    if (reason) {
        return acme_path_refuse(cmd, path, reason, allowed);
    }
    APR_ARRAY_IDX(words, 0, const char *) = path;
    conf->notify = words;
    return NULL;
}

/* --------------------------------------------------- shadows of mod_ssl's */

/*
 * httpd runs the handlers of all modules that know a directive. These
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

static const char *shadow_stapling(cmd_parms *cmd, void *dir_conf,
                                   const char *args)
{
    const char *fault = shadow_unknown(cmd);

    if (!fault) {
        acme_server_conf(cmd->server)->stapling =
            strcasecmp(ap_getword_conf(cmd->temp_pool, &args), "on") == 0;
    }
    return fault;
}

/* -------------------------------------------------------------- the table */

#define DIRECTIVE(name, function, help) \
    AP_INIT_RAW_ARGS(name, function, NULL, RSRC_CONF, help)
#define CHOICE(name, member, help) \
    AP_INIT_RAW_ARGS(name, acme_set_choice, \
                     (void *)&acme_choice_##member, RSRC_CONF, help)

const command_rec acme_directives[] = {
    DIRECTIVE("ACMEDomain", set_domain,
              "one managed certificate for these names; in a virtual host "
              "without arguments for its ServerName and ServerAliases"),
    DIRECTIVE("<ACMEDomain", domain_section,
              "one managed certificate with its own settings inside"),
    DIRECTIVE("ACMECertificateAuthority", acme_set_authority,
              "ACME directories in order of fail-over: " ACME_AUTHORITIES),
    DIRECTIVE("ACMECACertificateFile", acme_set_ca_file,
              "trust roots for the ACME server's own TLS (default: the "
              "system's)"),
    CHOICE("ACMEAgreement", agreement,
              "'accepted' agrees to the CA's terms of service"),
    DIRECTIVE("ACMEContact", acme_set_contact,
              "mail addresses for the account, or none (default: "
              "ServerAdmin if it is a mail address)"),
    DIRECTIVE("ACMEChallenges", acme_set_challenges,
              "allowed challenge types in order: http-01, tls-alpn-01"),
    DIRECTIVE("ACMEPrivateKeys", acme_set_private_keys,
              "one certificate per key type: P-256 (default), P-384, "
              "RSA-2048, RSA-3072, RSA-4096"),
    CHOICE("ACMERenewMode", renew_mode,
              "auto (default: what a virtual host uses), always or manual"),
    DIRECTIVE("ACMERenewWindow", acme_set_renew_window,
              "renew when less is left: N% or Nd (default: 33%, 50% under "
              "10 days of lifetime)"),
    AP_INIT_RAW_ARGS("ACMERequireHTTPS", acme_set_require_https,
                     (void *)&acme_choice_require_https, RSRC_CONF,
              "redirect http to https: off (default), temporary (307) or "
              "permanent (308); in a virtual host for its requests alone"),
    CHOICE("ACMEMustStaple", must_staple,
              "on: certificates that clients accept with an OCSP response "
              "alone; off (default)"),
    DIRECTIVE("ACMEStoreDir", set_store_dir,
              "directory of accounts, keys and certificates"),
    DIRECTIVE("ACMEPortMap", set_port_map,
              "local ports on which the public 80 and 443 arrive: "
              "http:PORT https:PORT, - for none"),
    DIRECTIVE("ACMEManager", set_manager,
              "on (default): httpd keeps \"acmectl serve\" running, which "
              "renews; off"),
    DIRECTIVE("ACMENotify", set_notify,
              "a program and its first arguments, run on events of "
              "certificates by an unprivileged user"),
    DIRECTIVE("ACMEServerStatus", set_server_status,
              "on (default): a section in mod_status's server-status; off"),
    DIRECTIVE("SSLEngine", shadow_engine, NULL),
    DIRECTIVE("SSLCertificateFile", shadow_certificate, NULL),
    DIRECTIVE("SSLUseStapling", shadow_stapling, NULL),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};
