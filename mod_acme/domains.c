/*
 * Which names make a certificate, and which virtual host uses which.
 *
 * A claim is an ACMEDomain as written. In the order of definition each
 * becomes a domain, or joins the domain that has exactly its names (hosts
 * on port 80 and 443 may both say ACMEDomain), or is refused because one of
 * its names belongs to another. One hash, name -> domain, answers all of it
 * in linear time:
 *
 *   claim --names--> all owned by one domain of as many names: join
 *                    one owned by another domain:              refuse
 *                    else:                                     new domain
 *
 * Everything is reported before httpd -t or the start ends, not only the
 * first fault.
 */
#include "mod_acme.h"

#include <http_log.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

APLOG_USE_MODULE(acme);

#define NAME_MAX_LEN   253
#define LABEL_MAX_LEN  63
#define LOCAL_MAX_LEN  64

/* What one run of acme_domains_resolve passes around. */
typedef struct resolver_t {
    acme_state_t *state;
    server_rec *s;               /* the main server */
    const acme_settings_t *settings;  /* of the main server */
    apr_hash_t *owners;          /* name -> acme_domain_t * */
    apr_hash_t *seen;            /* scratch: names of one claim */
    apr_hash_t *suffixes;        /* "org", "example.org" -> array of the
                                    names under it; NULL: not made yet */
    apr_hash_t *cas;             /* URL -> ca_use_t * */
    apr_pool_t *pconf;
    apr_pool_t *ptemp;
    int faults;
} resolver_t;

/* A CA that a domain names. */
typedef struct ca_use_t {
    const acme_domain_t *first;
    int said;                    /* 1: another one does not agree with it */
} ca_use_t;

/* ----------------------------------------------------------------- names */

static const char *name_fault(const char *name, const char *what,
                              apr_pool_t *p)
{
    return apr_psprintf(p, "\"%.260s\" %s", name, what);
}

/* Why the label of len bytes at c cannot stand; NULL if it can. */
static const char *label_fault(const char *c, apr_size_t len)
{
    apr_size_t i;

    if (len == 0) {
        return "has an empty label: write names such as www.example.org";
    }
    if (len > LABEL_MAX_LEN) {
        return "has a label of more than 63 characters";
    }
    if (c[0] == '-' || c[len - 1] == '-') {
        return "has a label that begins or ends with a hyphen";
    }
    for (i = 0; i < len; i++) {
        if ((unsigned char)c[i] > 127) {
            return "is not ASCII: write it in its form of A-labels (xn--...)";
        }
        if (!apr_isalnum(c[i]) && c[i] != '-') {
            return "is not a domain name: letters, digits, hyphens and dots "
                   "are allowed";
        }
    }
    return NULL;
}

/* Why name (no wildcard) cannot stand in a certificate; NULL if it can. */
static const char *labels_fault(const char *name)
{
    const char *label = name, *c, *fault;
    int digits = 0, labels = 0;

    if (strlen(name) > NAME_MAX_LEN) {
        return "is longer than 253 characters";
    }
    if (strchr(name, ':')) {
        return "is an address or has a port: this version obtains "
               "certificates for names alone";
    }
    do {
        apr_size_t len = strcspn(label, ".");

        if (label[len] == '.' && !label[len + 1] && len) {
            return "ends with a dot: write it without";
        }
        fault = label_fault(label, len);
        if (fault) {
            return fault;
        }
        digits = 1;
        for (c = label; c < label + len; c++) {
            digits = digits && apr_isdigit(*c);
        }
        labels++;
        label += len;
    } while (*label++);
    if (digits) {
        return "is an IP address or ends with a number: this version obtains "
               "certificates for names alone";
    }
    return labels > 1 ? NULL : "has one label: a certificate needs a full "
                               "name such as www.example.org";
}

const char *acme_name_check(const char **pname, const char *name,
                            apr_pool_t *p)
{
    int wildcard = strncmp(name, "*.", 2) == 0;
    const char *fault = labels_fault(wildcard ? name + 2 : name);
    char *lower;

    if (fault) {
        return name_fault(name, fault, p);
    }
    if (wildcard) {
        return name_fault(name, "is a wildcard: that needs dns-01, which "
                          "this version does not offer", p);
    }
    lower = apr_pstrdup(p, name);
    ap_str_tolower(lower);
    *pname = lower;
    return NULL;
}

const char *acme_mail_uri(const char *text, apr_pool_t *p)
{
    const char *at, *c, *domain;

    if (strncasecmp(text, "mailto:", 7) == 0) {
        text += 7;
    }
    at = strchr(text, '@');
    if (!at || at == text || at - text > LOCAL_MAX_LEN
        || *text == '.' || at[-1] == '.'
        || acme_name_check(&domain, at + 1, p) != NULL) {
        return NULL;
    }
    /* What RFC 6068 lets stand in a local part without percent signs. */
    for (c = text; c < at; c++) {
        if ((!apr_isalnum(*c) && !strchr("!$'*+-._~", *c))
            || (unsigned char)*c > 127 || (c[0] == '.' && c[1] == '.')) {
            return NULL;
        }
    }
    return apr_pstrcat(p, "mailto:", apr_pstrmemdup(p, text, at - text), "@",
                       domain, NULL);
}

/* --------------------------------------------------------- names of a claim */

/* Put an alias of an ACMEDomain without arguments into names, or say why
 * it is left out. */
static void alias_take(resolver_t *r, const acme_claim_t *claim,
                       apr_array_header_t *names, const char *alias)
{
    const char *name;
    const char *reason = acme_name_check(&name, alias, r->pconf);

    if (!reason) {
        APR_ARRAY_PUSH(names, const char *) = name;
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->s,
                 "ACME0003: ACMEDomain at %s:%d leaves out a ServerAlias of "
                 "its virtual host: %s", claim->file, claim->line, reason);
}

/* ServerName and ServerAliases of the host a claim stands in; NULL, after
 * saying why, if they do not make a certificate. */
static apr_array_header_t *host_names(resolver_t *r, acme_claim_t *claim)
{
    server_rec *s = claim->server;
    apr_array_header_t *names = apr_array_make(r->pconf, 1 + s->names->nelts,
                                               sizeof(const char *));
    const char *name, *reason;
    int i;

    if (!acme_server_named(s)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, r->s,
                     "ACME0001: ACMEDomain at %s:%d: its virtual host has no "
                     "ServerName: add one, or write ACMEDomain NAME...",
                     claim->file, claim->line);
        return NULL;
    }
    reason = acme_name_check(&name, s->server_hostname, r->pconf);
    if (reason) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, r->s,
                     "ACME0002: ACMEDomain at %s:%d: the ServerName of its "
                     "virtual host cannot be in a certificate: %s",
                     claim->file, claim->line, reason);
        return NULL;
    }
    APR_ARRAY_PUSH(names, const char *) = name;
    for (i = 0; i < s->names->nelts; i++) {
        alias_take(r, claim, names, APR_ARRAY_IDX(s->names, i, const char *));
    }
    for (i = 0; i < s->wild_names->nelts; i++) {
        alias_take(r, claim, names,
                   APR_ARRAY_IDX(s->wild_names, i, const char *));
    }
    return names;
}

/* Drop what stands in names a second time. */
static void names_unique(resolver_t *r, apr_array_header_t *names)
{
    int i, kept = 0;

    if (names->nelts < 2) {
        return;
    }
    apr_hash_clear(r->seen);
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (!apr_hash_get(r->seen, name, APR_HASH_KEY_STRING)) {
            apr_hash_set(r->seen, name, APR_HASH_KEY_STRING, name);
            APR_ARRAY_IDX(names, kept++, const char *) = name;
        }
    }
    names->nelts = kept;
}

/* The names a claim is about, each once; NULL after saying why not. */
static apr_array_header_t *claim_names(resolver_t *r, acme_claim_t *claim)
{
    apr_array_header_t *names = claim->names->nelts ? claim->names
                                                    : host_names(r, claim);

    if (!names) {
        return NULL;
    }
    names_unique(r, names);
    if (names->nelts > ACME_NAMES_MAX) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, r->s,
                     "ACME0004: ACMEDomain at %s:%d has %d names: %d are "
                     "allowed: write several ACMEDomains", claim->file,
                     claim->line, names->nelts, ACME_NAMES_MAX);
        return NULL;
    }
    return names;
}

/* --------------------------------------------------------- claim to domain */

static acme_domain_t *owner_of(const resolver_t *r, const char *name)
{
    return apr_hash_get(r->owners, name, APR_HASH_KEY_STRING);
}

/* The domain with exactly these names; NULL if there is none. */
static acme_domain_t *domain_same(const resolver_t *r,
                                  const apr_array_header_t *names)
{
    acme_domain_t *domain = owner_of(r, APR_ARRAY_IDX(names, 0, const char *));
    int i;

    if (!domain || domain->names->nelts != names->nelts) {
        return NULL;
    }
    for (i = 1; i < names->nelts; i++) {
        if (owner_of(r, APR_ARRAY_IDX(names, i, const char *)) != domain) {
            return NULL;
        }
    }
    return domain;
}

/* 1, after saying so, if a name belongs to another domain. */
static int names_conflict(resolver_t *r, const acme_claim_t *claim,
                          const apr_array_header_t *names)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const acme_domain_t *other = owner_of(r, name);

        if (other) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, r->s,
                         "ACME0005: ACMEDomain: %s is in two domains: at "
                         "%s:%d and at %s:%d: leave it in one of them, or "
                         "give both the same names", name, other->file,
                         other->line, claim->file, claim->line);
            return 1;
        }
    }
    return 0;
}

/* A claim of the same names. @return domain, or NULL after saying why */
static acme_domain_t *domain_join(resolver_t *r, acme_domain_t *domain,
                                  const acme_claim_t *claim)
{
    if (!claim->settings) {
        return domain;
    }
    if (domain->settings != r->settings) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, r->s,
                     "ACME0006: <ACMEDomain> at %s:%d has the names of "
                     "<ACMEDomain> at %s:%d: keep one of them",
                     claim->file, claim->line, domain->file, domain->line);
        return NULL;
    }
    domain->settings = acme_settings_merge(r->pconf, r->settings,
                                           claim->settings);
    domain->file = claim->file;
    domain->line = claim->line;
    return domain;
}

static acme_domain_t *domain_create(resolver_t *r, const acme_claim_t *claim,
                                    apr_array_header_t *names)
{
    acme_domain_t *domain = apr_pcalloc(r->pconf, sizeof(*domain));
    int i;

    domain->names = names;
    domain->name = APR_ARRAY_IDX(names, 0, const char *);
    domain->file = claim->file;
    domain->line = claim->line;
    domain->servers = apr_array_make(r->pconf, 1, sizeof(server_rec *));
    domain->settings = claim->settings
                       ? acme_settings_merge(r->pconf, r->settings,
                                             claim->settings)
                       : r->settings;
    for (i = 0; i < names->nelts; i++) {
        apr_hash_set(r->owners, APR_ARRAY_IDX(names, i, const char *),
                     APR_HASH_KEY_STRING, domain);
    }
    APR_ARRAY_PUSH(r->state->domains, acme_domain_t *) = domain;
    return domain;
}

/* Remember in its virtual host that a claim became domain. */
static void claim_keep(resolver_t *r, const acme_claim_t *claim,
                       acme_domain_t *domain)
{
    acme_server_conf_t *conf = acme_server_conf(claim->server);

    if (!claim->server->is_virtual) {
        return;
    }
    if (!conf->claimed) {
        conf->claimed = apr_array_make(r->pconf, 1, sizeof(acme_domain_t *));
    }
    APR_ARRAY_PUSH(conf->claimed, acme_domain_t *) = domain;
}

static void claim_resolve(resolver_t *r, acme_claim_t *claim)
{
    apr_array_header_t *names = claim_names(r, claim);
    acme_domain_t *domain = NULL;

    if (names) {
        domain = domain_same(r, names);
        if (domain) {
            domain = domain_join(r, domain, claim);
        }
        else if (!names_conflict(r, claim, names)) {
            domain = domain_create(r, claim, names);
        }
    }
    if (domain) {
        claim_keep(r, claim, domain);
    }
    else {
        r->faults++;
    }
}

/* ------------------------------------------------- virtual hosts to domains */

/* s answers to a name of domain. All calls for one s stand together. */
static void domain_serve(acme_domain_t *domain, server_rec *s)
{
    int n = domain->servers->nelts;

    if (n == 0 || APR_ARRAY_IDX(domain->servers, n - 1, server_rec *) != s) {
        APR_ARRAY_PUSH(domain->servers, server_rec *) = s;
    }
}

/* The owner of a name as a virtual host spells it; it serves that domain. */
static acme_domain_t *host_owner(resolver_t *r, server_rec *s,
                                 const char *spelled)
{
    char name[NAME_MAX_LEN + 1];
    acme_domain_t *domain;

    if (!spelled || strlen(spelled) > NAME_MAX_LEN) {
        return NULL;
    }
    apr_cpystrn(name, spelled, sizeof(name));
    ap_str_tolower(name);
    domain = owner_of(r, name);
    if (domain) {
        domain_serve(domain, s);
    }
    return domain;
}

/* name counts under suffix, a key that lives as long as name. */
static void suffix_add(resolver_t *r, const char *suffix, const char *name)
{
    apr_array_header_t *under = apr_hash_get(r->suffixes, suffix,
                                             APR_HASH_KEY_STRING);

    if (!under) {
        under = apr_array_make(r->ptemp, 1, sizeof(const char *));
        apr_hash_set(r->suffixes, suffix, APR_HASH_KEY_STRING, under);
    }
    APR_ARRAY_PUSH(under, const char *) = name;
}

/* Index all names by what follows each of their dots, and by "". */
static void suffixes_make(resolver_t *r)
{
    int i, k;

    r->suffixes = apr_hash_make(r->ptemp);
    for (i = 0; i < r->state->domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(r->state->domains, i,
                                                    acme_domain_t *);

        for (k = 0; k < domain->names->nelts; k++) {
            const char *name = APR_ARRAY_IDX(domain->names, k, const char *);
            const char *dot = name;

            suffix_add(r, "", name);
            while ((dot = strchr(dot, '.')) != NULL) {
                suffix_add(r, ++dot, name);
            }
        }
    }
}

/* The names that an alias with wildcards can match, of const char *, or
 * NULL: those under the labels behind its last wildcard. */
static const apr_array_header_t *pattern_names(resolver_t *r,
                                               const char *pattern)
{
    const char *tail = pattern, *c;
    char *suffix;

    for (c = pattern; *c; c++) {
        if (*c == '*' || *c == '?') {
            tail = c;
        }
    }
    tail = strchr(tail, '.');
    suffix = apr_pstrdup(r->ptemp, tail ? tail + 1 : "");
    ap_str_tolower(suffix);
    if (!r->suffixes) {
        suffixes_make(r);
    }
    return apr_hash_get(r->suffixes, suffix, APR_HASH_KEY_STRING);
}

/* The first domain with a name that pattern matches; s serves them all. */
static acme_domain_t *pattern_owner(resolver_t *r, server_rec *s,
                                    const char *pattern)
{
    const apr_array_header_t *names = pattern_names(r, pattern);
    acme_domain_t *first = NULL;
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (ap_strcasecmp_match(name, pattern) == 0) {
            acme_domain_t *domain = owner_of(r, name);

            domain_serve(domain, s);
            first = first ? first : domain;
        }
    }
    return first;
}

/* The first domain that has an alias of s; s serves them all. */
static acme_domain_t *alias_owner(resolver_t *r, server_rec *s)
{
    acme_domain_t *first = NULL, *domain;
    int i;

    for (i = 0; s->names && i < s->names->nelts; i++) {
        domain = host_owner(r, s, APR_ARRAY_IDX(s->names, i, const char *));
        first = first ? first : domain;
    }
    for (i = 0; s->wild_names && i < s->wild_names->nelts; i++) {
        domain = pattern_owner(r, s, APR_ARRAY_IDX(s->wild_names, i,
                                                   const char *));
        first = first ? first : domain;
    }
    return first;
}

/* Find the domains of s and the one whose certificate it uses. */
static void server_resolve(resolver_t *r, server_rec *s)
{
    acme_server_conf_t *conf = acme_server_conf(s);
    acme_domain_t *by_name = host_owner(r, s, s->server_hostname);
    acme_domain_t *by_alias, *claimed = NULL;
    int i;

    for (i = 0; conf->claimed && i < conf->claimed->nelts; i++) {
        acme_domain_t *domain = APR_ARRAY_IDX(conf->claimed, i,
                                              acme_domain_t *);

        domain_serve(domain, s);
        claimed = claimed ? claimed : domain;
    }
    by_alias = alias_owner(r, s);
    if (s->is_virtual && !conf->named) {
        conf->domain = claimed ? claimed : by_alias ? by_alias : by_name;
    }
    else {
        conf->domain = by_name ? by_name : claimed ? claimed : by_alias;
    }
}

/* ---------------------------------------------------------------- warnings */

/* Names that s answers to and the certificate of domain has not. */
static int names_missing(const resolver_t *r, server_rec *s,
                         const acme_domain_t *domain, const char **pfirst)
{
    int i, missing = 0;

    for (i = -1; i < s->names->nelts; i++) {
        const char *spelled = i < 0 ? s->server_hostname
                              : APR_ARRAY_IDX(s->names, i, const char *);
        char *name = apr_pstrdup(r->ptemp, spelled);

        ap_str_tolower(name);
        if ((i >= 0 || acme_server_named(s)) && owner_of(r, name) != domain) {
            *pfirst = missing ? *pfirst : spelled;
            missing++;
        }
    }
    return missing;
}

/* Say so when visitors will get a certificate without the name they want. */
static void server_warn(const resolver_t *r, server_rec *s)
{
    const acme_domain_t *domain = acme_server_domain(s);
    const char *first = NULL;
    int missing;

    if (!domain || !acme_server_ssl(s) || acme_server_has_certificate(s)) {
        return;
    }
    missing = names_missing(r, s, domain, &first);
    if (missing) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->s,
                     "ACME0009: the virtual host at %s:%u answers to %s%s, "
                     "which the certificate of ACMEDomain %s (%s:%d) does "
                     "not cover: add it there", s->defn_name,
                     s->defn_line_number, first,
                     missing > 1 ? " and other names" : "", domain->name,
                     domain->file, domain->line);
    }
}

static void domain_warn(const resolver_t *r, const acme_domain_t *domain)
{
    if (domain->names->nelts > ACME_NAMES_WARN) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->s,
                     "ACME0007: ACMEDomain %s at %s:%d has %d names: public "
                     "CAs refuse more than %d in a certificate",
                     domain->name, domain->file, domain->line,
                     domain->names->nelts, ACME_NAMES_WARN);
    }
    if (domain->servers->nelts == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->s,
                     "ACME0008: ACMEDomain %s at %s:%d: no virtual host "
                     "serves any of its names: add a ServerName or "
                     "ServerAlias", domain->name, domain->file,
                     domain->line);
    }
}

/* ----------------------------------------------------------- check_config */

static int contact_same(const acme_domain_t *a, const acme_domain_t *b,
                        apr_pool_t *p)
{
    return a->settings->contact == b->settings->contact
        || !strcmp(apr_array_pstrcat(p, acme_domain_contact(a, p), ','),
                   apr_array_pstrcat(p, acme_domain_contact(b, p), ','));
}

/* The directive in which two domains of one CA differ though they share
 * what it is for, the account and the way to the CA; NULL: none. */
static const char *ca_difference(const acme_domain_t *a,
                                 const acme_domain_t *b, apr_pool_t *p)
{
    const char *roots_a = acme_domain_ca_certificate_file(a);
    const char *roots_b = acme_domain_ca_certificate_file(b);

    if (acme_domain_agreement(a) != acme_domain_agreement(b)) {
        return "ACMEAgreement";
    }
    if (strcmp(roots_a ? roots_a : "", roots_b ? roots_b : "")) {
        return "ACMECACertificateFile";
    }
    return contact_same(a, b, p) ? NULL : "ACMEContact";
}

/* Said once for each CA. */
static void ca_warn(const resolver_t *r, const acme_domain_t *domain,
                    const char *url)
{
    ca_use_t *use = apr_hash_get(r->cas, url, APR_HASH_KEY_STRING);
    const char *directive;

    if (!use) {
        use = apr_pcalloc(r->ptemp, sizeof(*use));
        use->first = domain;
        apr_hash_set(r->cas, url, APR_HASH_KEY_STRING, use);
        return;
    }
    directive = use->said ? NULL : ca_difference(use->first, domain,
                                                 r->ptemp);
    if (directive) {
        use->said = 1;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->s,
                     "ACME0011: ACMEDomain %s at %s:%d and %s at %s:%d name "
                     "the CA %s, but not with the same %s: there is one "
                     "account at a CA, so what the one has that is ordered "
                     "first holds for both", use->first->name,
                     use->first->file, use->first->line, domain->name,
                     domain->file, domain->line, url, directive);
    }
}

static void cas_warn(const resolver_t *r, const acme_domain_t *domain)
{
    const apr_array_header_t *cas = acme_domain_ca(domain);
    int i;

    for (i = 0; i < cas->nelts; i++) {
        ca_warn(r, domain, APR_ARRAY_IDX(cas, i, const char *));
    }
}

static void servers_resolve(resolver_t *r)
{
    const apr_array_header_t *hosts = acme_server_hosts(r->s, r->ptemp);
    int i;

    server_resolve(r, r->s);
    for (i = 0; i < hosts->nelts; i++) {
        server_resolve(r, APR_ARRAY_IDX(hosts, i, server_rec *));
    }
    for (i = 0; i < hosts->nelts; i++) {
        server_warn(r, APR_ARRAY_IDX(hosts, i, server_rec *));
    }
    for (i = 0; i < r->state->domains->nelts; i++) {
        acme_domain_t *domain = APR_ARRAY_IDX(r->state->domains, i,
                                              acme_domain_t *);

        domain->certificates = acme_certificates_make(domain, r->pconf);
        domain_warn(r, domain);
        cas_warn(r, domain);
    }
}

int acme_domains_resolve(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    acme_state_t *state = acme_state_get();
    const acme_settings_t *settings = acme_server_conf(s)->settings;
    resolver_t r = { state, s, settings, NULL, NULL, NULL, NULL, pconf, ptemp,
                     0 };
    int i;

    state->main_server = s;
    state->live_path = ap_runtime_dir_relative(pconf, ACME_LIVE_NAME);
    if (!state->live_path) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "ACME0010: the runtime directory makes no path: correct "
                     "DefaultRuntimeDir");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!r.settings) {
        r.settings = acme_settings_create(pconf);
    }
    r.owners = apr_hash_make(ptemp);
    r.seen = apr_hash_make(ptemp);
    r.cas = apr_hash_make(ptemp);
    for (i = 0; i < state->claims->nelts; i++) {
        claim_resolve(&r, APR_ARRAY_IDX(state->claims, i, acme_claim_t *));
    }
    if (r.faults) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (state->domains->nelts) {
        servers_resolve(&r);
    }
    return OK;
}
