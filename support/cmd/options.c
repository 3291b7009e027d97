/*
 * options.c: acmectl [GLOBAL…] VERB [OPTION…] [ARG…]. The tables below and
 * the verb table make parsing and --help.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "cmd/internal.h"

enum {
    OPT_HTTPD = 256, OPT_STORE, OPT_JSON, OPT_DISPLAY, OPT_QUIET, OPT_LOG,
    OPT_LOG_LEVEL, OPT_NON_INTERACTIVE, OPT_YES, OPT_COLOR, OPT_VERSION,
    OPT_HELP, OPT_EXIT_CHANGED,
    OPT_FORCE, OPT_DRY_RUN, OPT_CSR, OPT_CERT, OPT_KEY, OPT_REASON,
    OPT_PARENT, OPT_TO, OPT_PLAN, OPT_MERGE, OPT_KEEP, OPT_VHOST,
    OPT_REDIRECT, OPT_NO_REDIRECT, OPT_AGREE_TOS, OPT_CA,
    OPT_CA_CERTIFICATE, OPT_CONTACT, OPT_STATIC_FILES, OPT_ALLOW_PARTIAL,
    OPT_WAIT
};

/* A description begins with what the option takes, if it does, and a tab.
 * What stands before its second line: */
#define OWN_LINE "                          "

static const apr_getopt_option_t global_options[] = {
    { "httpd", OPT_HTTPD, 1, "FILE\tthe httpd binary, or apachectl" },
    { NULL, 'd', 1, "DIR\tServerRoot, as httpd's -d" },
    { NULL, 'f', 1, "FILE\tconfiguration file, as httpd's -f" },
    { NULL, 'D', 1, "NAME\tdefine NAME, as httpd's -D" },
    { "store", OPT_STORE, 1, "DIR\tthe store, instead of ACMEStoreDir" },
    { "json", OPT_JSON, 0, "one JSON object on stdout" },
    { "display", OPT_DISPLAY, 1, "KIND\ttext, dialog (boxes), dialog:PROGRAM "
                                 "or json" },
    { "quiet", OPT_QUIET, 0, "no progress" },
    { NULL, 'v', 0, "log more; again for still more" },
    { "log", OPT_LOG, 1, "WHERE\tstderr, syslog or file:PATH" },
    { "log-level", OPT_LOG_LEVEL, 1, "LEVEL\tas httpd's LogLevel" },
    { "wait", OPT_WAIT, 1, "SECONDS\tto wait for another acmectl" },
    { "non-interactive", OPT_NON_INTERACTIVE, 0, "never ask" },
    { "yes", OPT_YES, 0, "answer yes to every question" },
    { "color", OPT_COLOR, 1, "WHEN\tauto, always or never" },
    { "exit-changed", OPT_EXIT_CHANGED, 0, "exit 10 if something changed" },
    { "version", OPT_VERSION, 0, "print the version" },
    { "help", OPT_HELP, 0, "print this, or the verb's own help" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t no_options[] = { { NULL, 0, 0, NULL } };

/* Options of more than one verb. */
#define PLAN { "plan", OPT_PLAN, 0, "show what would change, and change " \
               "nothing" }
#define VHOST { "vhost", OPT_VHOST, 1, "NAME=FILE:LINE\tthe virtual host " \
                "that is meant" }
#define REDIRECT \
    { "redirect", OPT_REDIRECT, 0, "redirect http to https" }, \
    { "no-redirect", OPT_NO_REDIRECT, 0, "do not" }
#define STATIC_FILES { "static-files", OPT_STATIC_FILES, 0, \
                       "name the certificate's files to httpd, too" }

/* What a server says that says nothing yet. */
#define SETTINGS \
    { "agree-tos", OPT_AGREE_TOS, 0, "you agree to the CA's terms of " \
                                     "service" }, \
    { "ca", OPT_CA, 1, \
      "URL|NAME\tthe CA, as for ACMECertificateAuthority" }, \
    { "ca-certificate", OPT_CA_CERTIFICATE, 1, \
      "FILE\ttrust roots for the CA's own TLS" }, \
    { "contact", OPT_CONTACT, 1, \
      "CONTACT\tmailto:ADDRESS for the CA, or none" }

static const apr_getopt_option_t secure_options[] = {
    PLAN,
    REDIRECT,
    VHOST,
    { "allow-partial", OPT_ALLOW_PARTIAL, 0,
      "go on without names that the CA refuses" },
    SETTINGS,
    STATIC_FILES,
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t install_options[] = {
    PLAN,
    REDIRECT,
    VHOST,
    SETTINGS,
    STATIC_FILES,
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t enhance_options[] = {
    PLAN,
    VHOST,
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t issue_options[] = {
    { "force", OPT_FORCE, 0, "also where a valid certificate is at hand" },
    { "csr", OPT_CSR, 1, "FILE\torder for this request (PEM or DER)" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t renew_options[] = {
    { "force", OPT_FORCE, 0, "also what is not due" },
    { "dry-run", OPT_DRY_RUN, 0, "the whole exchange, keeping nothing" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t revoke_options[] = {
    { "cert", OPT_CERT, 1, "FILE\tthe certificate (PEM)" },
    { "key", OPT_KEY, 1, "FILE\tits private key: no account is needed" },
    { "reason", OPT_REASON, 1, "NAME\tunspecified, keyCompromise, "
                               "affiliationChanged,\n" OWN_LINE
                               "superseded or cessationOfOperation" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t serve_options[] = {
    { "parent", OPT_PARENT, 1, "PID\tend with this process, and log where its\n"
                               OWN_LINE "standard error goes (httpd does "
                               "this)" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t rollback_options[] = {
    { "to", OPT_TO, 1, "ID\tundo this checkpoint and all newer ones" },
    { "plan", OPT_PLAN, 0, "show what would change, and change nothing" },
    { "merge", OPT_MERGE, 0, "keep later edits of the same files, where "
                             "they do\n" OWN_LINE "not overlap and httpd "
                             "accepts the result" },
    { "force", OPT_FORCE, 0, "set versions with later edits aside, in\n"
                             OWN_LINE "journal/conflicts" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t recover_options[] = {
    { "merge", OPT_MERGE, 0, "keep edits made meanwhile, where they do not "
                             "overlap" },
    { "force", OPT_FORCE, 0, "set versions with such edits aside, in\n"
                             OWN_LINE "journal/conflicts" },
    { "keep", OPT_KEEP, 0, "leave such files as they are now" },
    { NULL, 0, 0, NULL }
};

const cmd_verb_t cmd_verbs[] = {
    { "secure", "[NAME...]", "make a site that speaks only http speak https",
      secure_options, cmd_secure },
    { "install", "NAME", "serve a site with a certificate that is there",
      install_options, cmd_install },
    { "enhance", "NAME WHAT on|off",
      "turn redirect, hsts or ocsp-stapling (WHAT) on or off", enhance_options,
      cmd_enhance },
    { "validate", "[NAME...]", "is what was asked for really served?",
      no_options, cmd_validate },
    { "issue", "NAME...", "get certificates; no configuration is edited",
      issue_options, cmd_issue },
    { "renew", "[NAME...]", "get all certificates that are due",
      renew_options, cmd_renew },
    { "revoke", "NAME | --cert FILE [--key FILE]",
      "revoke a certificate", revoke_options, cmd_revoke },
    { "certificates", "", "list certificates", no_options,
      cmd_certificates },
    { "status", "", "certificates, last errors, httpd, manager, journal",
      no_options, cmd_status },
    { "account", "show|register", "accounts at the CAs", no_options,
      cmd_account },
    { "checkpoints", "[ID]", "list changes of the configuration, or show "
      "one", no_options, cmd_checkpoints },
    { "rollback", "[N|--to ID]", "undo the newest N (1) changes of the "
      "configuration", rollback_options, cmd_rollback },
    { "recover", "", "undo what an interrupted run left", recover_options,
      cmd_recover },
    { "config", "", "the configuration as httpd reads it", no_options,
      cmd_config },
    { "serve", "", "stay and renew each certificate when it is due",
      serve_options, cmd_serve },
    { NULL, NULL, NULL, NULL, NULL }
};

/* ------------------------------------------------------------------- help */

static void print_option(const apr_getopt_option_t *option)
{
    const char *text = option->description;
    size_t len = option->has_arg ? strcspn(text, "\t") : 0;
    char left[40];

    if (option->name) {
        apr_snprintf(left, sizeof(left), "--%s", option->name);
    }
    else {
        apr_snprintf(left, sizeof(left), "-%c", option->optch);
    }
    if (len > 0) {
        apr_snprintf(left + strlen(left), sizeof(left) - strlen(left),
                     " %.*s", (int)len, text);
        text += len + 1;
    }
    printf("  %-23s %s\n", left, text);
}

static void print_options(const apr_getopt_option_t *options)
{
    for (; options->optch; options++) {
        print_option(options);
    }
}

static void print_help(const cmd_verb_t *verb)
{
    const cmd_verb_t *v;

    if (verb) {
        printf("usage: acmectl [GLOBAL...] %s [OPTION...] %s\n\n%s\n",
               verb->name, verb->args, verb->summary);
        if (verb->options->optch) {
            printf("\nOptions:\n");
            print_options(verb->options);
        }
    }
    else {
        printf("usage: acmectl [GLOBAL...] VERB [OPTION...] [ARG...]\n\n"
               "Verbs:\n");
        for (v = cmd_verbs; v->name; v++) {
            printf("  %-14s %s\n", v->name, v->summary);
        }
    }
    printf("\nGlobal options:\n");
    print_options(global_options);
    if (!verb) {
        printf("\nExit status: 0 done or nothing to do, 1 failed, 2 usage, "
               "3 some names failed,\n4 httpd refuses the configuration, "
               "5 the journal needs attention,\n6 validation failed and "
               "all was rolled back, 7 the CA refused, 75 busy or\ntry "
               "later.\n");
    }
}

/* ---------------------------------------------------------------- parsing */

static apr_status_t usage(cmd_t *cmd, const char *what, const char *value,
                          const char *allowed)
{
    return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                        "%s \"%s\" is not known; %s", what, value, allowed);
}

static apr_status_t parse_display(cmd_t *cmd, const char *value)
{
    if (strcmp(value, "text") == 0) {
        cmd->display_options.kind = DISPLAY_TEXT;
        return APR_SUCCESS;
    }
    if (strcmp(value, "json") == 0) {
        cmd->display_options.kind = DISPLAY_JSON;
        return APR_SUCCESS;
    }
    if (strncmp(value, "dialog", 6) == 0 && (!value[6] || value[6] == ':')) {
        cmd->display_options.kind = DISPLAY_DIALOG;
        cmd->display_options.program = value[6] ? value + 7 : NULL;
        return APR_SUCCESS;
    }
    return usage(cmd, "--display", value, "use text, dialog, "
                 "dialog:PROGRAM or json");
}

static apr_status_t parse_color(cmd_t *cmd, const char *value)
{
    static const char *const names[] = { "auto", "always", "never" };
    int i;

    for (i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            cmd->display_options.color = (display_color_t)i;
            return APR_SUCCESS;
        }
    }
    return usage(cmd, "--color", value, "use auto, always or never");
}

static apr_status_t parse_wait(cmd_t *cmd, const char *value)
{
    char *end;
    long seconds = strtol(value, &end, 10);

    if (!apr_isdigit(*value) || *end || seconds > 86400) {
        return usage(cmd, "--wait", value, "give seconds, 0 to 86400");
    }
    cmd->options.wait = apr_time_from_sec(seconds);
    return APR_SUCCESS;
}

static apr_status_t parse_log_level(cmd_t *cmd, const char *value)
{
    if (base_log_level_parse(&cmd->log_level, value) != APR_SUCCESS) {
        return usage(cmd, "--log-level", value,
                     "use one of httpd's, emerg to trace8");
    }
    return APR_SUCCESS;
}

/** Where the value of a global option goes as it is; NULL if it does not. */
static const char **text_of(cmd_t *cmd, int ch)
{
    switch (ch) {
    case OPT_HTTPD:
        return &cmd->httpd.binary;
    case 'd':
        return &cmd->httpd.root;
    case 'f':
        return &cmd->httpd.config;
    case 'D':
        return apr_array_push(cmd->defines);
    case OPT_STORE:
        return &cmd->store_dir;
    case OPT_LOG:
        return &cmd->log_target;
    default:
        return NULL;
    }
}

/** Global options without a value. */
static void take_flag(cmd_t *cmd, int ch)
{
    switch (ch) {
    case OPT_JSON:
        cmd->display_options.kind = DISPLAY_JSON;
        break;
    case OPT_QUIET:
        cmd->display_options.quiet = 1;
        break;
    case 'v':
        cmd->display_options.verbose = 1;
        if (cmd->log_level < BASE_LOG_TRACE8) {
            cmd->log_level++;
        }
        break;
    case OPT_EXIT_CHANGED:
        cmd->exit_changed = 1;
        break;
    case OPT_NON_INTERACTIVE:
        cmd->display_options.silent = 1;
        break;
    case OPT_YES:
        cmd->display_options.yes = 1;
        break;
    default:
        break;
    }
}

static apr_status_t take_global(cmd_t *cmd, int ch, const char *value)
{
    const char **text = text_of(cmd, ch);

    if (text) {
        *text = value;
        return APR_SUCCESS;
    }
    switch (ch) {
    case OPT_DISPLAY:
        return parse_display(cmd, value);
    case OPT_LOG_LEVEL:
        return parse_log_level(cmd, value);
    case OPT_COLOR:
        return parse_color(cmd, value);
    case OPT_WAIT:
        return parse_wait(cmd, value);
    default:
        take_flag(cmd, ch);
        return APR_SUCCESS;
    }
}

static apr_status_t parse_parent(cmd_t *cmd, const char *value)
{
    char *end;
    long pid = strtol(value, &end, 10);

    if (end == value || *end || pid <= 1 || pid != (pid_t)pid) {
        return usage(cmd, "--parent", value, "give a process id");
    }
    cmd->options.parent = (pid_t)pid;
    return APR_SUCCESS;
}

unsigned long cmd_number(const char *text)
{
    size_t len = strlen(text);

    return len <= 8 && strspn(text, "0123456789") == len
           ? strtoul(text, NULL, 10) : 0;
}

/** Where a verb's own option without a value is kept; NULL if it has one. */
static int *own_flag(cmd_t *cmd, int ch)
{
    switch (ch) {
    case OPT_FORCE:
        return &cmd->options.force;
    case OPT_DRY_RUN:
        return &cmd->options.dry_run;
    case OPT_PLAN:
        return &cmd->options.plan;
    case OPT_MERGE:
        return &cmd->options.merge;
    case OPT_KEEP:
        return &cmd->options.keep;
    case OPT_REDIRECT:
        return &cmd->options.redirect;
    case OPT_NO_REDIRECT:
        return &cmd->options.no_redirect;
    case OPT_AGREE_TOS:
        return &cmd->options.agree_tos;
    case OPT_STATIC_FILES:
        return &cmd->options.static_files;
    case OPT_ALLOW_PARTIAL:
        return &cmd->options.allow_partial;
    default:
        return NULL;
    }
}

/** Where the value of a verb's own option goes as it is; else NULL. */
static const char **own_text(cmd_t *cmd, int ch)
{
    switch (ch) {
    case OPT_CSR:
        return &cmd->options.csr;
    case OPT_CERT:
        return &cmd->options.cert;
    case OPT_KEY:
        return &cmd->options.key;
    case OPT_REASON:
        return &cmd->options.reason;
    case OPT_TO:
        return &cmd->options.to;
    case OPT_VHOST:
        return apr_array_push(cmd->options.vhosts);
    case OPT_CA:
        return &cmd->options.ca;
    case OPT_CA_CERTIFICATE:
        return &cmd->options.ca_certificate;
    case OPT_CONTACT:
        return &cmd->options.contact;
    default:
        return NULL;
    }
}

static apr_status_t take_own(cmd_t *cmd, int ch, const char *value)
{
    int *flag = own_flag(cmd, ch);
    const char **text = own_text(cmd, ch);

    if (flag) {
        *flag = 1;
    }
    else if (text) {
        *text = value;
    }
    else if (ch == OPT_PARENT) {
        return parse_parent(cmd, value);
    }
    return APR_SUCCESS;
}

/** apr_getopt_long complains itself; its complaint is kept for our own
 *  sentence. */
static void keep_complaint(void *arg, const char *fmt, ...)
{
    acme_err_t *err = arg;
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text[strcspn(text, "\n")] = '\0';
    base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE, "%s; see acmectl --help",
                 text);
}

/**
 * Read options up to the first argument (interleave 0) or all (1).
 * @param phelp  set to the option's number for --help and --version
 */
static apr_status_t read_options(cmd_t *cmd, apr_getopt_t *os,
                                 const apr_getopt_option_t *options,
                                 int *phelp)
{
    const char *value;
    apr_status_t rv;
    int ch;

    while ((rv = apr_getopt_long(os, options, &ch, &value)) == APR_SUCCESS) {
        if (ch == OPT_HELP || ch == OPT_VERSION) {
            *phelp = ch;
        }
        else if (ch >= OPT_FORCE && ch < OPT_WAIT) {
            if (take_own(cmd, ch, value) != APR_SUCCESS) {
                return cmd->err.status;
            }
        }
        else if (take_global(cmd, ch, value) != APR_SUCCESS) {
            return cmd->err.status;
        }
    }
    if (rv != APR_EOF) {
        return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                            "an option is not known; see acmectl --help");
    }
    return APR_SUCCESS;
}

/** The global options and the verb's own in one table. */
static const apr_getopt_option_t *join(const apr_getopt_option_t *own,
                                       apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 32,
                                             sizeof(apr_getopt_option_t));
    const apr_getopt_option_t *o;

    for (o = global_options; o->optch; o++) {
        APR_ARRAY_PUSH(all, apr_getopt_option_t) = *o;
    }
    for (o = own; o->optch; o++) {
        APR_ARRAY_PUSH(all, apr_getopt_option_t) = *o;
    }
    APR_ARRAY_PUSH(all, apr_getopt_option_t) = *o;
    return (const apr_getopt_option_t *)all->elts;
}

/** The verb of that name; "acme-VERB" is what apachectl passes on. */
static const cmd_verb_t *find_verb(const char *name)
{
    const cmd_verb_t *verb;

    if (strncmp(name, "acme-", 5) == 0) {
        name += 5;
    }
    for (verb = cmd_verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}

/** Answer --help or --version on stdout. */
static void answer_help(int help, const cmd_verb_t *verb)
{
    if (help == OPT_VERSION) {
        printf("acmectl %s\n", ACMECTL_VERSION);
    }
    else {
        print_help(verb);
    }
}

static apr_getopt_t *begin(cmd_t *cmd, int argc, const char *const *argv,
                           int interleave)
{
    apr_getopt_t *os;

    apr_getopt_init(&os, cmd->pool, argc, argv);
    os->errfn = keep_complaint;
    os->errarg = &cmd->err;
    os->interleave = interleave;
    return os;
}

/** Read what stands behind the verb, which is argv[0] here. */
static apr_status_t read_rest(cmd_t *cmd, const cmd_verb_t *verb, int argc,
                              const char *const *argv, int *phelp)
{
    apr_getopt_t *os = begin(cmd, argc, argv, 1);
    apr_status_t rv;

    rv = read_options(cmd, os, join(verb->options, cmd->pool), phelp);
    for (; rv == APR_SUCCESS && os->ind < os->argc; os->ind++) {
        APR_ARRAY_PUSH(cmd->args, const char *) = os->argv[os->ind];
    }
    if (rv == APR_SUCCESS && !*verb->args && cmd->args->nelts > 0) {
        rv = base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                          "%s takes no argument such as \"%s\"; see acmectl "
                          "--help", verb->name,
                          APR_ARRAY_IDX(cmd->args, 0, const char *));
    }
    return rv;
}

apr_status_t cmd_parse(cmd_t *cmd, const cmd_verb_t **pverb, int argc,
                       const char *const *argv)
{
    const cmd_verb_t *verb = NULL;
    apr_getopt_t *os = begin(cmd, argc, argv, 0);
    apr_status_t rv;
    int help = 0;

    *pverb = NULL;
    rv = read_options(cmd, os, global_options, &help);
    if (rv == APR_SUCCESS && os->ind < argc) {
        verb = find_verb(argv[os->ind]);
        if (!verb) {
            return usage(cmd, "the verb", argv[os->ind],
                         "acmectl --help lists the verbs");
        }
        cmd->verb = verb->name;
        rv = read_rest(cmd, verb, argc - os->ind, argv + os->ind, &help);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (help) {
        answer_help(help, verb);
        return APR_SUCCESS;
    }
    if (!verb) {
        return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                            "acmectl needs a verb; see acmectl --help");
    }
    *pverb = verb;
    return APR_SUCCESS;
}
