/* cmd: what the verbs share. */
#ifndef ACME_CMD_INTERNAL_H
#define ACME_CMD_INTERNAL_H

#include "cmd/cmd.h"
#include "configurator/configurator.h"
#include "validator/validator.h"

/* The verbs; each in the file of its name. */
cmd_fn cmd_secure;
cmd_fn cmd_install;
cmd_fn cmd_enhance;
cmd_fn cmd_validate;
cmd_fn cmd_issue;
cmd_fn cmd_renew;
cmd_fn cmd_revoke;
cmd_fn cmd_certificates;
cmd_fn cmd_status;
cmd_fn cmd_account;
cmd_fn cmd_config;
cmd_fn cmd_serve;
cmd_fn cmd_checkpoints;
cmd_fn cmd_rollback;
cmd_fn cmd_recover;

/* ------------------------------------------------------------ options.c */

/** Parse argv into *cmd. @param pverb NULL where --help or --version was
 *  answered @return APR_EINVAL with cmd->err, BASE_EXIT_USAGE */
apr_status_t cmd_parse(cmd_t *cmd, const cmd_verb_t **pverb, int argc,
                       const char *const *argv);

/* ------------------------------------------------------------ context.c */

/** How long a graceful restart may take. */
#define CMD_GRACEFUL_DEADLINE apr_time_from_sec(120)

/** Read httpd's configuration into cmd->config (once). "acme" of its modules
 *  is false where mod_acme was brought along (cmd->brings_module). */
apr_status_t cmd_read_config(cmd_t *cmd);

/** Take a document of DUMP_ACME that passes its schema. */
apr_status_t cmd_config_parse(cmd_t *cmd, json_t **pconfig, const char *text,
                              apr_size_t len);

/** The same by lines, those of documents before taken as they were.
 *  @return borrowed; NULL: it is not one host or domain a line, or not what
 *  the schema wants: parse the whole */
json_t *cmd_document_read(cmd_t *cmd, const char *text, apr_size_t len);

/** Open the store, --store's or the configuration's; with create made where
 *  it is missing, and locked. */
apr_status_t cmd_open_store(cmd_t *cmd, int create);

/** cmd_open_store for reading; cmd->store is NULL where there is none. */
apr_status_t cmd_look_into_store(cmd_t *cmd);

/** Let others write the store. */
void cmd_unlock_store(cmd_t *cmd);

/** The store's ledger, checked. */
apr_status_t cmd_read_ledger(cmd_t *cmd, json_t **pledger);

/** 1 if httpd runs. @param ppid nullable */
int cmd_httpd_running(cmd_t *cmd, pid_t *ppid);

/** Restart httpd gracefully so that it serves what is new in the store. */
apr_status_t cmd_activate(cmd_t *cmd);

/** Add a sentence to the result's "notes". */
void cmd_note(cmd_t *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** {"type", "detail", "identifier"?} of an error. */
json_t *cmd_error_json(const acme_err_t *err);

/** The exit status for failed of all, where first is one failure's. */
base_exit_t cmd_exit_for(int failed, int all, const acme_err_t *first);

/* -------------------------------------------------------------- where.c */

/** Where the store is: --store, else as httpd tells, else as can be known
 *  without it, with a note that says so.
 *  @return what httpd's refusal was, and err asks for --store */
apr_status_t cmd_find_store(cmd_t *cmd, const char **pdir);

/** "server" of the last good configuration that a store keeps; NULL. */
json_t *cmd_kept_server(cmd_t *cmd, const store_t *store);

/** 1 if both paths, or what they lead to, are the same. */
int cmd_same_path(const char *a, const char *b);

/* ------------------------------------------------------------ journal.c */

/** "acmectl VERB, pid N", for those whom a lock keeps waiting. */
const char *cmd_holder(const cmd_t *cmd);

/** Open the journal for reading, whatever httpd says of its configuration.
 *  @param pjournal  NULL: there is none yet */
apr_status_t cmd_journal_open(cmd_t *cmd, journal_t **pjournal);

/** Become its one writer, after --wait at most. */
apr_status_t cmd_journal_take(cmd_t *cmd, journal_t *journal);

/** Undo what a killed run left and tell it in "recovered"; call
 *  cmd_undone_reload next. Needs cmd_journal_take.
 *  @param pcount  how many changes were undone */
apr_status_t cmd_journal_recover(cmd_t *cmd, journal_t *journal,
                                 journal_drift_t drift, int *pcount,
                                 acme_err_t *err);

/** Before files are put back: if this run is killed another one will know
 *  that httpd has to be told. */
void cmd_undone_mark(cmd_t *cmd);

/** Files were put back; httpd has loaded what they were if it started since
 *  the time since (µs UTC). Says "changed". */
void cmd_undone_add(cmd_t *cmd, const journal_undo_t *undo,
                    apr_time_t since);

/** One graceful restart for all that was put back, if httpd runs and has
 *  loaded what it was.
 *  @return why httpd runs on with it; a stopped or absent one is a note */
apr_status_t cmd_undone_reload(cmd_t *cmd, acme_err_t *err);

/** 1 if a killed run left something, or did not tell httpd. Takes no lock,
 *  makes nothing, and keeps its errors to itself. */
int cmd_journal_interrupted(cmd_t *cmd, journal_t **pjournal);

/** Recover, unless another acmectl does so now; what cannot be put back is
 *  a note. The configuration has to be read (again) afterwards.
 *  @return 1 if something was undone */
int cmd_journal_settle(cmd_t *cmd, journal_t *journal);

/** What this run has changed is what httpd has loaded: the mark goes. */
void cmd_undone_none(cmd_t *cmd);

/** cmd_read_config, but a refusal met while the store was looked for is
 *  httpd's answer. */
apr_status_t cmd_read_config_once(cmd_t *cmd);

/** How verbs that write begin: what a killed run left is undone, then
 *  httpd's configuration is read (cmd_read_config). */
apr_status_t cmd_begin(cmd_t *cmd);

/** [{"path", "op", ...}] of journal_file_t, each path once, with the op of
 *  its last. @param files  nullable */
json_t *cmd_files_json(const apr_array_header_t *files, apr_pool_t *pool);

/** The object of a checkpoint. */
json_t *cmd_checkpoint_json(const journal_checkpoint_t *checkpoint,
                            apr_pool_t *pool);

/** Add "journal" to the result: what status tells of it. */
apr_status_t cmd_journal_json(cmd_t *cmd);

/* ------------------------------------------------------------ options.c */

/** The number that text is, 1 to 99999999; 0 if it is none. */
unsigned long cmd_number(const char *text);

/* ------------------------------------------------------------ domains.c */

/** The domain of cmd->config that holds name; NULL if none does. */
json_t *cmd_domain_find(const cmd_t *cmd, const char *name);

/** The domain that holds a name as somebody wrote it; NULL with cmd->err,
 *  which says what to add to the configuration. */
json_t *cmd_domain_named(cmd_t *cmd, const char *given);

/** The domains of the names among the verb's arguments, of const json_t *,
 *  each once: two names of one domain are one certificate. */
apr_status_t cmd_domains_named(cmd_t *cmd, apr_array_header_t **pdomains);

/** Member "name" of a domain. */
const char *cmd_domain_name(const json_t *domain);

/** The strings of a JSON array, of const char *. */
apr_array_header_t *cmd_strings(const json_t *array, apr_pool_t *pool);

/** Virtual hosts served with the domain's managed certificate, as
 *  [{"file", "line"}]; a new reference. */
json_t *cmd_domain_users(const cmd_t *cmd, const json_t *domain);

/** Which of the domain's CAs is to be asked, after that many failures. */
const char *cmd_domain_ca(const json_t *domain, int failures);

/** Settings of the first domain that names the CA url; NULL if none. */
json_t *cmd_ca_settings(const cmd_t *cmd, const char *url);

/** An empty plan. */
worker_plan_t *cmd_plan_make(cmd_t *cmd);

/** Add the CA url with these settings to plan, unless it is there.
 *  @param settings  nullable: nothing is known of it
 *  @param pindex    its place in plan->cas */
apr_status_t cmd_plan_ca(cmd_t *cmd, worker_plan_t *plan, const char *url,
                         const json_t *settings, int *pindex,
                         acme_err_t *err);

/**
 * Run a plan to its end with a keeper of its own.
 * @param pkeeper  set before the run begins, for options->ended; then asked
 *                 for the outcomes
 * @param options  jobs, live and callbacks; the rest is filled in
 */
void cmd_plan_run(cmd_t *cmd, keeper_t **pkeeper, const worker_plan_t *plan,
                  keeper_options_t *options);

/* -------------------------------------------------------------- state.c */

/** A certificate of the configuration. */
typedef struct cmd_certificate_t {
    const json_t *domain;
    const char *id;            /**< in the store */
    const char *key_type;      /**< wanted */
    const json_t *meta;        /**< nullable: there is none yet */
    const char *state;         /**< valid, due, expired, missing, error */
    const char *why;           /**< nullable: why it is due */
    apr_time_t opens;          /**< its window of renewal; 0: not known */
    apr_time_t renew_at;       /**< 0: not known */
    const json_t *entry;       /**< nullable: of the ledger */
    const json_t *ledger;      /**< nullable */
} cmd_certificate_t;

/** Every certificate of domain (one a key type) added to certificates, of
 *  cmd_certificate_t *. @param ledger store_ledger_read's; nullable */
void cmd_certificates_of(cmd_t *cmd, const json_t *domain,
                         const json_t *ledger,
                         apr_array_header_t *certificates);

/** Look at it again, after an order. */
void cmd_certificate_refresh(cmd_t *cmd, cmd_certificate_t *c,
                             const json_t *ledger);

/** 1 if it should be renewed. */
int cmd_certificate_due(const cmd_certificate_t *certificate);

/** Its object of the result (INTERFACE: certificates). */
json_t *cmd_certificate_json(cmd_t *cmd, const cmd_certificate_t *c);

/** What "renew" without names takes care of, added to certificates, and
 *  what it does not, added to others. @param others nullable */
void cmd_certificates_automatic(cmd_t *cmd, const json_t *ledger,
                                apr_array_header_t *certificates,
                                apr_array_header_t *others);

/** c as the store and ledger have it now, in cmd's pool. */
cmd_certificate_t *cmd_certificate_again(cmd_t *cmd,
                                         const cmd_certificate_t *c,
                                         const json_t *ledger);

/* --------------------------------------------------------- challenges.c */

#define CMD_CHALLENGES 2

/** What keeps each type of challenge from working for anyone, as httpd is
 *  configured: http-01, tls-alpn-01; NULL: nothing. */
typedef struct cmd_challenges_t {
    const char *obstacles[CMD_CHALLENGES];
} cmd_challenges_t;

/** Look at what answers them: cmd->running, else cmd->config. */
void cmd_challenges_look(cmd_challenges_t *challenges, const cmd_t *cmd);

/**
 * The types that the domain allows and that can work, in its order.
 * @param pobstacle  set where there is none: why; else NULL
 */
apr_array_header_t *cmd_challenge_types(const cmd_challenges_t *challenges,
                                        const json_t *domain,
                                        const char **pobstacle,
                                        apr_pool_t *pool);

/** Put certificates (of cmd_certificate_t *) that no type can work for behind
 *  all others: they must not take the others' places in a batch for ever. */
void cmd_challenges_sort(cmd_t *cmd, apr_array_header_t *certificates);

/** Why no challenge can be answered for anyone now: httpd does not run, or
 *  no type can work; NULL if one can. */
const char *cmd_challenge_obstacle(cmd_t *cmd);

/* ------------------------------------------------------------- ladder.c */

/** Where the ledger's counter of failures stays. */
#define CMD_FAILURES_MAX 1000000

/**
 * How long to wait after so many failures in a row: 1, 10, 100 minutes,
 * then a day, each 25 % less or more.
 * Source: Let's Encrypt's integration guide; ours.
 *
 * @param random  any bits
 * @return µs
 */
apr_interval_time_t cmd_ladder_wait(json_int_t failures,
                                    apr_uint32_t random);

/** Failures in a row of a ledger's entry, 0 to CMD_FAILURES_MAX.
 *  @param entry nullable */
json_int_t cmd_failures(const json_t *entry);

/** The time in member ("retry_at", "next_try") of a ledger's entry; 0 if
 *  it is over, or from a clock that has gone back. @param entry nullable */
apr_time_t cmd_held_until(const json_t *entry, const char *member,
                          apr_time_t now);

/** When the manager is to order c; not later than now: at once. */
apr_time_t cmd_certificate_next(const cmd_certificate_t *c, apr_time_t now);

/** Record in ledger how an order of id ended. */
void cmd_ledger_record(json_t *ledger, const char *id,
                       const acme_err_t *err, apr_time_t now,
                       apr_pool_t *pool);

/** 1 if an event ("errored", "expiring") was not told for so long, µs.
 *  @param entry nullable */
int cmd_told_due(const json_t *entry, const char *event,
                 apr_interval_time_t interval, apr_time_t now);

/** Record in ledger that an event of id is told now. */
void cmd_ledger_tell(json_t *ledger, const char *id, const char *event,
                     apr_time_t now, apr_pool_t *pool);

/* ------------------------------------------------------------- notify.c */

/** What an event is about. */
typedef struct cmd_subject_t {
    const cmd_certificate_t *certificate;
    const char *ca;            /**< directory URL of the CA that is asked */
} cmd_subject_t;

/** A run begins that may tell ACMENotify's program of events; before any
 *  key is read. */
void cmd_notify_begin(cmd_t *cmd);

/** Tell an event that nobody waits for.
 *  @param error nullable: cmd_error_json's */
void cmd_notify(cmd_t *cmd, notify_kind_t kind, const cmd_subject_t *of,
                const json_t *error);

/** The challenges that were set up in a run: none yet. */
apr_array_header_t *cmd_setups_make(apr_pool_t *pool);

/** Tell once that the answer to a challenge is served.
 *  @return APR_EAGAIN while that is to be waited for */
apr_status_t cmd_notify_setup(cmd_t *cmd, apr_array_header_t *setups,
                              const cmd_subject_t *of, int job,
                              const char *type, const char *identifier);

/** Tell that the challenges of a job are over. */
void cmd_notify_teardown(cmd_t *cmd, apr_array_header_t *setups,
                         const cmd_subject_t *of, int job);

/** 1 if it is to be told that c is expiring. */
int cmd_notify_wants_expiring(cmd_t *cmd, const cmd_certificate_t *c);

/** Tell of those of certificates (of cmd_certificate_t *, refreshed here)
 *  that are expiring. The store is locked. */
void cmd_notify_expiring(cmd_t *cmd, apr_array_header_t *certificates,
                         json_t *ledger);

/* ------------------------------------------------------------- report.c */

/** Let httpd show how certificates (of cmd_certificate_t *) stand. What does
 *  not change is not written. */
void cmd_report(cmd_t *cmd, apr_array_header_t *certificates);

/** The live segment for writing; NULL where there is none. */
live_writer_t *cmd_live_writer(cmd_t *cmd);

/** An order of c begins. */
void cmd_report_begin(cmd_t *cmd, const cmd_certificate_t *c);

/**
 * Some job ended.
 * @param c   read anew since it ended; NULL: it was no order
 * @param ca  directory URL of the CA that was asked
 */
void cmd_report_end(cmd_t *cmd, const cmd_certificate_t *c, const char *ca,
                    const acme_result_t *result);

/** What the manager does, as of this process. All times µs UTC. */
typedef struct cmd_manager_t {
    apr_time_t started;
    apr_time_t last_pass;      /**< 0: as it was */
    apr_time_t next_wake;
    int ordering;              /**< orders under way */
    const char *trouble;       /**< nullable: why the pass failed */
} cmd_manager_t;

/** Let httpd show it. */
void cmd_report_manager(cmd_t *cmd, const cmd_manager_t *manager);

/* ------------------------------------------------------------- staple.c */

/**
 * How long after a good OCSP response the next one is fetched: when half of
 * what it holds for is over, up to an eighth earlier. Not within 10 minutes
 * unless it is over before 20; never within 10 s, and at least once in 30
 * days.
 * Source: ours.
 *
 * @param random  any bits
 * @return µs
 */
apr_interval_time_t cmd_staple_wait(apr_time_t this_update,
                                    apr_time_t next_update, apr_time_t now,
                                    apr_uint32_t random);

/** When an OCSP response for c is to be fetched; now: at once; 0: it needs
 *  none. */
apr_time_t cmd_staple_next(const cmd_t *cmd, const json_t *ledger,
                           const cmd_certificate_t *c, apr_time_t now);

/** A certificate whose OCSP response is to be fetched. */
typedef struct cmd_stapled_t {
    const cmd_certificate_t *certificate;
    keeper_t *keeper;          /**< nullable: who has issued it, and did not
                                    publish it yet if it must be stapled … */
    int job;                   /**< … as this job */
} cmd_stapled_t;

/** Fetch OCSP responses for those of certificates (of cmd_stapled_t) that
 *  need one, as the store has them now, publish what waited for one that
 *  came, and record in ledger what came of it. The store is locked. */
void cmd_staples_fetch(cmd_t *cmd, const apr_array_header_t *certificates,
                       json_t *ledger);

/** The same for those of certificates (of const cmd_certificate_t *) whose
 *  turn it is, and write the ledger. */
void cmd_staples_due(cmd_t *cmd, const apr_array_header_t *certificates,
                     json_t *ledger);

/** {"expires", "next_try", "last_error"}, or null: c has never had an OCSP
 *  response; a new reference. @param ledger nullable */
json_t *cmd_staple_json(const json_t *ledger, const cmd_certificate_t *c);

/* -------------------------------------------------------------- serve.c */

/** The file whose lock the manager of a store holds. */
const char *cmd_manager_lock(const store_t *store, apr_pool_t *pool);

/* ------------------------------------------------------------ publish.c */

/** Those of certificates (of cmd_certificate_t *) of which the store has
 *  another generation than httpd serves; none where it cannot be told. */
apr_array_header_t *cmd_behind(cmd_t *cmd,
                               const apr_array_header_t *certificates);

/** Let httpd serve what the store has of these; it is locked. */
void cmd_publish(cmd_t *cmd, const apr_array_header_t *behind);

/* ------------------------------------------------------------- orders.c */

/** What is to be ordered. */
typedef struct cmd_order_t {
    const cmd_certificate_t *certificate;
    apr_array_header_t *names;   /**< identifiers */
    const char *csr;             /**< nullable: DER or PEM from outside */
    apr_size_t csr_len;
} cmd_order_t;

/** Order certificates (of cmd_order_t), add their "results", activate what
 *  was issued, set cmd->exit. */
void cmd_orders_run(cmd_t *cmd, apr_array_header_t *orders, json_t *ledger);

/** httpd was restarted, and serves what cmd->held waited for: tell it. */
void cmd_orders_activated(cmd_t *cmd);

/** Order what of certificates (of cmd_certificate_t *) is due, or all of
 *  them with --force; the rest is added as "skipped". */
void cmd_certificates_run(cmd_t *cmd, apr_array_header_t *certificates,
                          json_t *ledger);

/** Add a result without an order. @param result "skipped" or "failed" */
void cmd_result_add(cmd_t *cmd, const cmd_certificate_t *certificate,
                    const char *result, const acme_err_t *err,
                    const acme_result_t *outcome);

/* --------------------------------------------------------------- edit.c */

/** A change of the configuration (edit.c draws its course). */
typedef struct cmd_edit_t {
    cmd_t *cmd;
    journal_t *journal;
    journal_txn_t *txn;              /**< nullable: what is staged or saved */
    configurator_t *configurator;
    configurator_plan_t *plan;
    configurator_result_t planned;
    json_t *before;                  /**< the document at the begin */
    const char *after_text;          /**< after, as httpd told it … */
    apr_size_t after_len;            /**< … bytes */
    json_t *after;                   /**< with the changes; NULL: nobody has
                                          asked httpd */
    int running;                     /**< 1: httpd ran at the begin */
    int untestable;                  /**< 1: of a plan, for files will be
                                          there only later */
    int ordered;                     /**< 1: certificates were ordered since
                                          the test */
    int temporary;                   /**< 1: the early changes are live */
    int saved;                       /**< 1: all changes are live */
    apr_time_t touched;              /**< since then files were changed, µs
                                          UTC; 0: none */
    int told;                        /**< 1: httpd has loaded changes */
    int over;
} cmd_edit_t;

/** Begin (edit_begin.c). @return why not; then nothing is to be ended */
apr_status_t cmd_edit_begin(cmd_edit_t **pedit, cmd_t *cmd);

/** An empty edit->plan; an earlier one is forgotten. */
apr_status_t cmd_edit_plan(cmd_edit_t *edit);

/** The configurator has refused something: tell what can be pasted. */
void cmd_edit_refused(cmd_edit_t *edit);

/** End edit->plan, tell it in the result, and have httpd read and start it:
 *  edit->after. */
apr_status_t cmd_edit_test(cmd_edit_t *edit);

/** Show the tested changes to who can be asked, and ask. @return ECANCELED */
apr_status_t cmd_edit_confirm(cmd_edit_t *edit);

/** Let the httpd that runs answer challenges. */
apr_status_t cmd_edit_early(cmd_edit_t *edit);

/** Make the tested changes live for good, and see that httpd serves targets
 *  (of validator_target_t) so. */
apr_status_t cmd_edit_apply(cmd_edit_t *edit, const char *title,
                            const apr_array_header_t *targets);

/** The end of each that was begun: what has no checkpoint is undone, and
 *  cmd->err says so. */
void cmd_edit_end(cmd_edit_t *edit);

/* ---------------------------------------------------------------- summary */

/** Names as "a, b and 7 more", each behind before. */
const char *cmd_and(const apr_array_header_t *names, const char *before,
                    apr_pool_t *pool);

/** Say first what was reached and how it is undone ("summary"), if something
 *  was changed. */
void cmd_reached(cmd_t *cmd, const char *sentence);

/** Say last that a plan was one ("next"). @param unless  what it takes
 *  besides ("; add --agree-tos"); perhaps "" */
void cmd_planned(cmd_t *cmd, const char *unless);

/* -------------------------------------------------------------- sites.c */

/** Hosts with the names that one certificate is for. */
typedef struct cmd_site_t {
    apr_array_header_t *hosts;       /**< of configurator_host_t */
    apr_array_header_t *names;       /**< of const char * */
    const char *id;                  /**< of the certificate; NULL: as the
                                          first of names */
    int has_files;                   /**< secure.c's */
} cmd_site_t;

/** The sites of names, of cmd_site_t *, asking where a choice is open.
 *  @return the first name's reason; "candidates" has those of all */
apr_status_t cmd_sites_find(const cmd_edit_t *edit,
                            const apr_array_header_t *names,
                            apr_array_header_t **psites);

/* ---------------------------------------------------------------- ask.c */

/** Which of the names that are not secured are to be; added to names. */
apr_status_t cmd_ask_names(const cmd_edit_t *edit,
                           apr_array_header_t *names);

/** Which candidate is meant. @param panswer its place */
apr_status_t cmd_ask_host(cmd_t *cmd, const configurator_choice_t *choice,
                          const char **panswer);

/** Redirect or not: the flags, else who can be asked, else not. */
apr_status_t cmd_ask_redirect(cmd_t *cmd, int *predirect);

/** @return APR_SUCCESS only if the CA's terms are agreed to */
apr_status_t cmd_ask_agreement(cmd_t *cmd, const char *ca);

/* ------------------------------------------------------------ targets.c */

/** 1 if a virtual host of the document has the name itself, 2 if one of its
 *  patterns fits. */
int cmd_host_has_name(const json_t *host, const char *name);

/** What is to be asked about names (of const char *), by cmd->config; of
 *  validator_target_t. */
apr_array_header_t *cmd_targets(cmd_t *cmd, const apr_array_header_t *names);

/* ----------------------------------------------------------- validate.c */

/** The first count arguments as names, checked, each once. */
apr_status_t cmd_names_given(cmd_t *cmd, apr_array_header_t **pnames,
                             int count);

/** Ask about targets and tell the "checks".
 *  @param pfailed  the first required one that failed; NULL: none */
apr_status_t cmd_checks_run(cmd_t *cmd, const apr_array_header_t *targets,
                            const validator_check_t **pfailed);

/** Ask by http, before anything is changed, what is broken already: targets'
 *  "broken" are set. */
void cmd_checks_before(cmd_t *cmd, const apr_array_header_t *targets);

/** It is the verb's error. */
void cmd_check_failed(cmd_t *cmd, const validator_check_t *failed);

#endif
