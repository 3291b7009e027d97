/*
 * internal.h: what the files of configurator/ share.
 *
 *     configurator.c  probe, place; end a plan
 *     host.c          the document's hosts as C sees them
 *     match.c         httpd's own matching: address, port, name -> host
 *     names.c         configurator_names
 *     choose.c        configurator_choose
 *     rewrite.c       what a redirect does with one request
 *     redirect.c      which directives send a host's requests to https
 *     plan.c          what a plan holds: files, hosts, wishes, words
 *     address.c       where a TLS host answers, and where it may stand
 *     domain.c        the ACMEDomain of a certificate's names
 *     twin.c          the TLS twin of an http host
 *     twin_rules.c    what may not be in it as it is in the original
 *     twin_main.c     the same for what the main server serves
 *     paste.c         its text for people, where it is refused
 *     tls.c           the certificate in a TLS host that is there
 *     deploy.c        configurator_deploy: which of these, or a new host
 *     enhance.c       configurator_enhance
 *     manage.c, modules.c, listen.c, settings.c
 *                     what the whole server needs (server.h)
 *     walk.c, layout.c, ports.c, generated.c
 *                     what they know of files, system and ports
 *     expect.c        configurator_expect
 *     scan.c, block.c, edits.c
 *                     text.h: a file, of whose meaning they know nothing
 *
 * What a plan is made of, and who fills in what:
 *
 *     plan ── files    text + edits, one a real file, opened by plan_file
 *       ├──── hosts    blocks of virtual hosts: original, its twin
 *       ├──── wishes   modules, listeners, the stapling cache: noted by
 *       │              deploy and enhance, granted by configurator_manage
 *       ├──── changes  whole new files, links, directories
 *       └──── words    steps, warnings, the text to paste
 *
 * A host's block is edited while the plan grows and joins the edits of its
 * file when the plan is finished, so that calls see each other's edits.
 */
#ifndef ACME_CONFIGURATOR_INTERNAL_H
#define ACME_CONFIGURATOR_INTERNAL_H

#include <apr_hash.h>

#include "configurator/configurator.h"
#include "configurator/text.h"

/* ---------------------------------------------------------------- hosts */

/* A directive that the dump tells of. */
typedef struct directive_t {
    const char *name;           /* as its module spells it */
    const char *args;           /* as httpd has them: variables expanded,
                                   quotes kept */
    const char *file;           /* "" where it is not known */
    int line;                   /* last physical line; 0: not known */
    const char *within;         /* "" directly in the host, else the
                                   innermost section: "Location /x" */
    int conditional;            /* 1: in an <If> */
} directive_t;

/* One of <VirtualHost ADDRESS...>. */
typedef struct address_t {
    const char *text;           /* as in the header, without port */
    const char *address;        /* IP address, NULL: all of them */
    int port;                   /* 0: every port */
} address_t;

/* A virtual host of the document, or the main server. */
typedef struct host_t {
    configurator_host_t index;  /* in "virtual_hosts"; CONFIGURATOR_MAIN */
    const char *server_name;    /* nullable, lower case; no scheme or port */
    const char *hostname;       /* nullable; what httpd compares with: a
                                   nameless host has the main server's */
    apr_array_header_t *aliases;    /* const char *, lower case, patterns
                                       among them */
    apr_array_header_t *addresses;  /* address_t; empty for the main server
                                     */
    apr_array_header_t *directives; /* directive_t, in order */
    const char *file;           /* NULL: a macro's, or the command line's */
    int line;                   /* header's last physical line */
    const char *defined;        /* httpd's own text for the place */
    int macro;
    int ssl;
    int certificate_file;       /* its own or inherited */
    int stapling;               /* its own or inherited */
} host_t;

/* What is known of the configuration. */
struct configurator_t {
    const json_t *config;       /* the document; borrowed */
    const configurator_options_t *options;
    augeas_base_t *lens;
    apr_array_header_t *hosts;  /* host_t, as "virtual_hosts" */
    host_t *main;
    apr_hash_t *by_name;        /* lower case name -> array of int: indices
                                   of the hosts with exactly this name */
    apr_array_header_t *wild;   /* of int: hosts with patterns */
    apr_hash_t *domains;        /* lower case name -> json_t *: its member of
                                   "domains" */
    apr_hash_t *spots;          /* "ADDRESS PORT" -> spot_t *: match.c */
    int http;                   /* port of plain http; 0: none arrives */
    int https;                  /* port of TLS; 0: none arrives */
    apr_pool_t *pool;
};

/* Everything of a configurator but the lens. @param config  borrowed */
configurator_t *configurator_read(const json_t *config,
                                  const configurator_options_t *options,
                                  apr_pool_t *pool);

/* Read all hosts of c->config into c. */
void host_read_all(configurator_t *c);

/* The host of an index, CONFIGURATOR_MAIN too. */
const host_t *host_at(const configurator_t *c, configurator_host_t index);

/* "FILE:LINE", "the main server", or httpd's own words. */
const char *host_place(const host_t *host, apr_pool_t *pool);

/* 1 if it has this name: exact, by pattern if patterns; name in lower
 * case. */
int host_has_name(const host_t *host, const char *name, int patterns);

/* 1 if one of its addresses has this port (or all ports). */
int host_has_port(const host_t *host, int port);

/* Index of its next directive of that name (any case) from from on; -1. */
int host_directive(const host_t *host, const char *name, int from);

/* A name in lower case, as certificates have it. */
const char *name_lower(const char *name, apr_pool_t *pool);

/* An IP address as the dump has it: NULL for those that stand for all. */
const char *address_plain(const char *address);

/* The document's "server". */
const json_t *server_of(const configurator_t *c);

/* 1 if the module of that short name is loaded ("ssl"). */
int server_has_module(const configurator_t *c, const char *name);

/* The ACMEDomain that has a name; NULL. Of "domains". */
const json_t *domain_of(const configurator_t *c, const char *name);

/* 1 if host serves a name with the certificate of an ACMEDomain, provided
 * that it has the name. */
int domain_serves(const configurator_t *c, const host_t *host,
                  const char *name);

/* ---------------------------------------------------------------- match */

/* Hosts that httpd chooses from by name, once it knows where a connection
 * arrived. Source: server/vhost.c, ap_fini_vhost_config. */
typedef struct spot_t {
    const char *address;        /* NULL: every address that has no own spot */
    int port;                   /* 0: every port that has no own spot */
    apr_array_header_t *hosts;  /* of int, in order of definition: the first
                                   is the default host */
} spot_t;

/* Sort the hosts of c into spots. */
void match_read(configurator_t *c);

/* The spot of exactly that address (NULL: all others) and port (0: all
 * others); NULL. */
const spot_t *match_exact(const configurator_t *c, const char *address,
                          int port);

/* Put an address into a list of address_t unless it is there. */
void address_add(apr_array_header_t *list, const address_t *address);

/* 1 if both are the same IP address, or both NULL. */
int address_is_same(const char *a, const char *b);

/* The spot in which a connection to that port finds a host because of one
 * of its addresses; NULL if another spot comes first or the address has
 * another port. */
const spot_t *match_spot(const configurator_t *c, const address_t *address,
                         int port);

/* 1 if a listener of that port leads to the address's spot. */
int match_arrives(const configurator_t *c, const char *address, int port);

/* The spot that takes a connection to address (NULL: one that no host
 * names) and port; NULL: the main server answers. */
const spot_t *match_connection(const configurator_t *c, const char *address,
                               int port);

/* Who answers for name (lower case) there. @param pnamed  set: 1 if it has
 * the name, 0 if it answers as the default host only */
configurator_host_t match_host(const configurator_t *c, const spot_t *spot,
                               const char *name, int *pnamed);

/* Of int: all hosts that have the name (lower case), by pattern too, in
 * order of definition. */
apr_array_header_t *match_candidates(const configurator_t *c,
                                     const char *name, apr_pool_t *pool);

/* The host that answers for name (lower case) on that port, because it has
 * the name, where host has its addresses: one that speaks TLS or has this
 * very port. Whether anything listens there does not matter.
 * @return CONFIGURATOR_NONE */
configurator_host_t match_tls(const configurator_t *c, const host_t *host,
                              const char *name, int port);

/* ------------------------------------------------------------- redirect */

/* A directive that sends requests to https. */
typedef struct redirect_t {
    int first;                  /* in host->directives: its first condition */
    int last;                   /* itself */
    int whole;                  /* 1: every request for every name by http */
    int loops;                  /* 1: a request by TLS may be sent to itself */
    int dead;                   /* 1: it never concerns one by TLS */
    int strange;                /* 1: it leads one by TLS elsewhere, too */
} redirect_t;

/* Of redirect_t, in order: those of a host. @param port  of TLS */
apr_array_header_t *redirects_find(const configurator_t *c,
                                   const host_t *host, int port,
                                   apr_pool_t *pool);

/* Of redirect_t: RewriteRules that send requests to one of these names of
 * the host by plain http, as if they said https. */
apr_array_header_t *redirects_plain(const configurator_t *c,
                                    const host_t *host, int port,
                                    const apr_array_header_t *names,
                                    apr_pool_t *pool);

/* The arguments of a directive, quotes undone, of const char *. */
apr_array_header_t *directive_words(const directive_t *directive,
                                    apr_pool_t *pool);

/* ----------------------------------------------------------------- plan */

/* A file that is edited. */
typedef struct plan_file_t {
    text_t *text;
    edits_t *edits;
    const char *real;           /* its path without links */
    journal_step_t step;
    edits_t *early;             /* those that are needed before the
                                   certificate, once more; NULL: none */
} plan_file_t;

#define PLAN_REDIRECT 1
#define PLAN_HSTS 2
#define PLAN_STAPLING 4

/* A virtual host that is edited. */
typedef struct plan_host_t {
    const host_t *host;
    plan_file_t *file;
    int open;                   /* index of its header among text->lines */
    block_t *block;
    int ssl;                    /* 1: the plan has switched TLS on here */
    int stapling;               /* 1 on, 0 off by the plan; -1: as it was */
    int certificate;            /* the same for "certificate_file" */
    apr_array_header_t *aliases;    /* const char *: ServerAliases that the
                                       plan adds */
    int enhanced;               /* PLAN_REDIRECT, ... that the plan put in */
} plan_host_t;

/* A host that this plan makes, and what httpd must tell of it afterwards. */
typedef struct plan_new_t {
    configurator_host_t of;     /* the http host that it is for */
    configurator_host_t behind; /* the host that it stands behind; the main
                                   server: behind all others */
    plan_file_t *file;          /* where it stands */
    int open;                   /* there, behind the section at this line */
    const char *wrap;           /* nullable: module whose <IfModule> goes
                                   around it */
    block_t *block;             /* the edited copy; NULL: of the main server
                                   there is none, but */
    apr_array_header_t *lines;  /* const char *: its directives, and */
    const char *header;         /* the arguments of its <VirtualHost> */
    apr_array_header_t *names;  /* const char *: of the certificate */
    apr_array_header_t *addresses;  /* address_t */
    int stapling;               /* -1: as its original */
    int certificate_file;
    int enhanced;               /* PLAN_HSTS, ... */
} plan_new_t;

/* A listener that is needed. */
typedef struct plan_listen_t {
    const char *address;        /* IP address; NULL: all */
    int port;
} plan_listen_t;

struct configurator_plan_t {
    configurator_t *c;
    apr_pool_t *pool;
    apr_array_header_t *files;  /* plan_file_t *, in order of opening */
    apr_array_header_t *hosts;  /* plan_host_t * */
    apr_array_header_t *twins;  /* plan_new_t * */
    apr_array_header_t *domains;    /* array of const char *: names of each
                                       ACMEDomain that is planned */
    /* wishes, for configurator_manage */
    apr_hash_t *modules;        /* short name -> what for, one phrase */
    apr_array_header_t *listens;    /* plan_listen_t, each once */
    int stapling_cache;         /* 1: SSLStaplingCache has to be there */
    int acme;                   /* 1: mod_acme has to be loaded */
    struct walk_t *walk;        /* files as text, once they were read */
    apr_array_header_t *settings;   /* const char *: directives for the
                                       whole server */
    /* results */
    apr_array_header_t *changes;    /* journal_change_t: whole files, links */
    apr_array_header_t *early;      /* journal_change_t: those of changes
                                       that are needed before the
                                       certificate, with what is needed */
    apr_array_header_t *steps;      /* const char * */
    apr_array_header_t *warnings;   /* const char *, each once */
    const char *paste;
};

/* Open a file for edits, or find it among those open. Two paths to one real
 * file are one. A later step of two wins, early stays. */
apr_status_t plan_file(plan_file_t **pfile, configurator_plan_t *plan,
                       const char *path, journal_step_t step,
                       acme_err_t *err);

/* The same for hosts. @return APR_ENOTIMPL if somebody else would write it
 * anew */
apr_status_t plan_host_file(plan_file_t **pfile, configurator_plan_t *plan,
                            const char *path, acme_err_t *err);

/* Index in the file's lines of a directive of the dump; -1. */
int plan_line_of(const plan_file_t *file, const directive_t *directive);

/* The file of a virtual host and the index of its header's line there.
 * @return APR_ENOTIMPL if it is nothing to edit: a macro's, generated,
 * included twice */
apr_status_t plan_section(plan_file_t **pfile, int *popen,
                          configurator_plan_t *plan, const host_t *host,
                          acme_err_t *err);

/* A virtual host's block for edits. @return APR_ENOTIMPL if it may not be
 * edited, or the lens cannot read it */
apr_status_t plan_host(plan_host_t **phost, configurator_plan_t *plan,
                       configurator_host_t index, acme_err_t *err);

/* The same if it is open already; NULL. */
plan_host_t *plan_host_find(const configurator_plan_t *plan,
                            configurator_host_t index);

/* The host that this plan makes for an http host; NULL. */
plan_new_t *plan_new_find(const configurator_plan_t *plan,
                          configurator_host_t of);

/* Note that a module has to be loaded, by short name: "headers". */
void plan_want_module(configurator_plan_t *plan, const char *name,
                      const char *what_for);

/* Note that httpd has to listen. @param address  nullable: all */
void plan_want_listen(configurator_plan_t *plan, const char *address,
                      int port);

/* Add a whole new file, link or directory; copies nothing. */
void plan_add(configurator_plan_t *plan, const journal_change_t *change);

/* The same as far as it is needed before the certificate. */
void plan_add_early(configurator_plan_t *plan,
                    const journal_change_t *change);

/* Add a sentence to the steps. */
void plan_step(configurator_plan_t *plan, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a sentence to the warnings. */
void plan_warn(configurator_plan_t *plan, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Refuse an edit. @param paste  nullable: the text to paste by hand; lives
 * in the plan's pool. @return APR_ENOTIMPL */
apr_status_t plan_refuse(configurator_plan_t *plan, const char *paste,
                         acme_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* --------------------------------------------------------------- deploy */

/* Where a twin stands among the hosts of its addresses. */
typedef struct address_stand_t {
    configurator_host_t behind;     /* its original, or a later one */
    configurator_host_t conflict;   /* one that it must stand both before and
                                       behind; CONFIGURATOR_NONE */
    const char *name;               /* because of this name */
} address_stand_t;

/* The place of host's twin for the names of its certificate, where nobody
 * else loses anything. */
address_stand_t address_stand(const configurator_t *c,
                              const apr_array_header_t *addresses,
                              const host_t *host,
                              const apr_array_header_t *names,
                              apr_pool_t *pool);

/* A TLS host that would lose its connections to one at these addresses;
 * CONFIGURATOR_NONE. */
configurator_host_t address_hides(const configurator_t *c,
                                  const apr_array_header_t *addresses);

/* The arguments of a header, of address_t. */
const char *address_header(const apr_array_header_t *addresses,
                           apr_pool_t *pool);

/* As an argument of <VirtualHost>. */
const char *address_text(const address_t *address, apr_pool_t *pool);

/* Where the TLS host of an http host is to answer, of address_t: on its
 * addresses, but joining the TLS hosts that are there already instead of
 * hiding them. */
apr_array_header_t *twin_addresses(const configurator_plan_t *plan,
                                   const host_t *host, int port);

/* Plan the twin of a virtual host; sets *pchanged. */
apr_status_t twin_plan(configurator_plan_t *plan, int *pchanged,
                       const configurator_deploy_t *deploy, acme_err_t *err);

/* Plan a virtual host for what the main server serves. */
apr_status_t twin_plan_main(configurator_plan_t *plan, int *pchanged,
                            const configurator_deploy_t *deploy,
                            acme_err_t *err);

/* All that can be wrong before a twin is made. */
apr_status_t twin_check(configurator_plan_t *plan, const host_t *host,
                        const configurator_deploy_t *deploy,
                        const apr_array_header_t *addresses,
                        acme_err_t *err);

/* Let a twin be one of the plan. @param stand  says where it is and what it
 * is made of */
plan_new_t *twin_note(configurator_plan_t *plan, const plan_new_t *stand,
                      const host_t *host,
                      const configurator_deploy_t *deploy,
                      apr_array_header_t *addresses);

/* The directives of a virtual host for the main server's names, into
 * twin->lines. @param insert  1: with ACMEDomain */
void twin_main_lines(plan_new_t *twin, const host_t *host,
                     const configurator_deploy_t *deploy, int insert,
                     apr_pool_t *pool);

/* What a host includes or inherits, but its twin must not have.
 * @param port  of TLS */
apr_status_t twin_rules_check(configurator_plan_t *plan, const host_t *host,
                              int port, int is_static, acme_err_t *err);

/* Take out of a copy what may not be in a twin, and make its name fit.
 * @param port  of TLS */
apr_status_t twin_rules_apply(configurator_plan_t *plan, block_t *twin,
                              const host_t *host,
                              const apr_array_header_t *names, int port,
                              acme_err_t *err);

/* What leads to names (of the certificate) by http says https in a twin. */
apr_status_t twin_plain_apply(configurator_plan_t *plan, block_t *twin,
                              const host_t *host,
                              const apr_array_header_t *names, int port,
                              acme_err_t *err);

/* 1 if rules beside it count each other: one cannot be taken away. */
int twin_is_counted(const host_t *host, int rule, apr_pool_t *pool);

/* 1 if a twin has no such directive of its original. */
int twin_rules_leave(const char *name);

/* "http://NAME:80", the argument of ServerName, is NAME. */
const char *twin_name_bare(const char *word, apr_pool_t *pool);

/* "FILE:LINE", as far as it is known. */
const char *directive_place(const directive_t *directive, apr_pool_t *pool);

/* The text of a twin for people to paste. */
const char *twin_paste(const configurator_plan_t *plan,
                       const configurator_deploy_t *deploy);

/* Plan the certificate in a TLS host that is there. @param aliases  const
 * char *: names that it has to get first */
apr_status_t tls_plan(configurator_plan_t *plan, int *pchanged,
                      const host_t *tls, const apr_array_header_t *aliases,
                      const configurator_deploy_t *deploy, acme_err_t *err);

/* See that the names are in one ACMEDomain.
 * @param pinsert   set: 1 if it has to be written into the TLS host
 * @param pchanged  set to 1 if one that is there is extended */
apr_status_t domain_plan(configurator_plan_t *plan, int *pinsert,
                         int *pchanged, const apr_array_header_t *names,
                         acme_err_t *err);

/* The TLS host that serves name where the http host does, or host itself if
 * it speaks TLS; CONFIGURATOR_NONE. */
configurator_host_t deploy_tls(const configurator_t *c, const host_t *host,
                               const char *name, int port);

/* Put a directive with one argument at the end of a block. */
apr_status_t block_put(block_t *block, const char *name, const char *word,
                       acme_err_t *err, apr_pool_t *pool);

/* The node of a block that holds a directive of the dump; -1. */
int block_node_of(const block_t *block, const directive_t *directive);

/* --------------------------------------------------------------- choose */

/* The http hosts that answer for name (lower case), and all that were
 * weighed. @return 1 if a question is open */
int choose_hosts(configurator_choice_t *choice, const configurator_t *c,
                 const char *name, apr_pool_t *pool);

/* --------------------------------------------------------------- server */

/* generated.c: is a file the output of a panel or a program that will write
 * it anew?
 * @param pwho  set to who it is: "cPanel", "another program"; else NULL */
int apache_is_generated(const text_t *text, const char **pwho);

#endif
