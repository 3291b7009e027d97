/*
 * engine.h: what the files of acme/ know of each other.
 *
 *   engine ── servers (one a CA) ── requests (in flight, asleep, waiting)
 *          └─ jobs (order, account, revocation) ── order ── authorizations
 *
 * Everything happens in acme_engine_run: it starts jobs, fires timers that
 * are due and lets the transport carry requests until the next timer. A
 * reply does not act by itself, it makes its request's timer due. So no
 * function below is ever entered a second time from within a host call, a
 * transport call or another job.
 *
 * Pools: engine->pool > server->pool > request->pool > request->try_pool,
 * and engine->pool > job->pool > order->pool. Each is destroyed or cleared
 * when its object ends; nothing grows with the number of polls or retries.
 */
#ifndef ACME_ENGINE_H
#define ACME_ENGINE_H

#include <sys/queue.h>

#include "acme/acme.h"

typedef struct acme_server_t acme_server_t;
typedef struct acme_job_t acme_job_t;
typedef struct acme_request_t acme_request_t;
typedef struct acme_order_t acme_order_t;

/* ----------------------------------------------------------------- limits */

#define ACME_MAX_PARALLEL     20
#define ACME_ORDER_DEADLINE   apr_time_from_sec(600)
#define ACME_RETRY_AFTER_MAX  apr_time_from_sec(60)
/** Nonces kept per server; each request in flight brings one back. */
#define ACME_NONCES_MAX       64
#define ACME_NONCE_LEN_MAX    256
/** badNonce in a row: a CA that refuses half of all nonces must do. */
#define ACME_BAD_NONCES_MAX   30
/** Back-off after trouble: 1, 2, 4 s. */
#define ACME_RETRIES_MAX      3
/** Tries again of a request whose time ran out, on another connection. */
#define ACME_TIMEOUTS_MAX     1
/** Waits for Retry-After of one request. */
#define ACME_WAITS_MAX        10
/** What the CA gets for its own work before the first look. */
#define ACME_FIRST_LOOK       apr_time_from_msec(50)
#define ACME_POLL_MIN         apr_time_from_msec(100)
/** Between two questions to a host that needs time to present. */
#define ACME_PUT_AGAIN        apr_time_from_msec(50)
#define ACME_POLL_MAX         apr_time_from_sec(8)
/** How often finalize is sent while the CA says orderNotReady. */
#define ACME_FINALIZES_MAX    3
/** What a failed job spends on giving authorizations back. */
#define ACME_DEACTIVATE_MAX   apr_time_from_sec(2)
/** Largest chain, bytes. */
#define ACME_CHAIN_MAX        (256 * 1024)

/* ----------------------------------------------------------------- timers */

/** A moment of the mono clock at which fire(baton) is called, once. */
typedef struct acme_timer_t acme_timer_t;
struct acme_timer_t {
    TAILQ_ENTRY(acme_timer_t) link;
    acme_engine_t *engine;
    apr_time_t due;               /**< µs, mono */
    int armed;
    void (*fire)(void *baton);
    void *baton;
};

/** Fire at due (mono); one in the past fires at once. Restarts a timer. */
void acme_timer_start(acme_engine_t *engine, acme_timer_t *timer,
                      apr_time_t due);
/** Forget it; stopping a stopped timer is fine. */
void acme_timer_stop(acme_timer_t *timer);

/* ----------------------------------------------------------------- engine */

struct acme_engine_t {
    apr_pool_t *pool;
    http_transport_t *transport;
    acme_host_t *host;
    base_clock_t *clock;
    const schema_set_t *schemas;
    acme_options_t options;       /**< no zero in it */
    apr_array_header_t *servers;  /**< of acme_server_t * */
    apr_array_header_t *jobs;     /**< of acme_job_t * */
    int unfinished;               /**< jobs whose done() is still owed */
    TAILQ_HEAD(acme_timers_t, acme_timer_t) timers;  /**< armed ones */
};

/** Now, mono. */
apr_time_t acme_now(const acme_engine_t *engine);

/* ----------------------------------------------------------------- server */

/** Something that all jobs of a server share and one of them fetches. */
typedef enum acme_shared_t {
    ACME_SHARED_NONE, ACME_SHARED_BUSY, ACME_SHARED_READY, ACME_SHARED_FAILED
} acme_shared_t;

/** A CA during a run. */
struct acme_server_t {
    acme_engine_t *engine;
    int number;
    const acme_ca_t *ca;           /**< borrowed */
    apr_pool_t *pool;
    int active;                    /**< jobs started and not ended */
    int contacted;                 /**< it replied at least once */
    int next;                      /**< first job that may be unstarted */
    TAILQ_HEAD(acme_requests_t, acme_request_t) requests;

    acme_shared_t directory_state;
    const json_t *directory;
    int directory_cached;          /**< given by the caller, not refreshed */
    acme_err_t directory_err;      /**< of ACME_SHARED_FAILED */

    acme_shared_t account_state;
    const char *account;           /**< URL; of ACME_SHARED_READY */
    int account_serial;            /**< counts accounts of this run */
    int account_lost;              /**< it was registered again already */
    acme_err_t account_err;        /**< of ACME_SHARED_FAILED */

    int nonce_count;
    int nonce_fetching;            /**< newNonce requests under way */
    char nonces[ACME_NONCES_MAX][ACME_NONCE_LEN_MAX + 1];
};

/** Is url https and of the server's own origin? what: "the order's URL" */
apr_status_t acme_server_url_check(const acme_server_t *server,
                                   const char *url, const char *what,
                                   acme_err_t *err);

/* ---------------------------------------------------------------- request */

/** Called when a request came to its end: request->err tells how. The
 *  request and what it holds are gone when this returns. */
typedef void acme_reply_fn(acme_request_t *request);

/** Where a request stands; drawn in request.c. */
typedef enum acme_phase_t {
    ACME_PHASE_NEW, ACME_PHASE_NONCE, ACME_PHASE_DIRECTORY, ACME_PHASE_FLIGHT,
    ACME_PHASE_ARRIVED, ACME_PHASE_ASLEEP, ACME_PHASE_ENDED
} acme_phase_t;

/** One request with all its retries. The caller fills the first part. */
struct acme_request_t {
    TAILQ_ENTRY(acme_request_t) link;
    const char *what;         /**< for people: "ordering the certificate" */
    const char *method;       /**< "POST" unless changed */
    const char *endpoint;     /**< nullable: member of the directory … */
    const char *url;          /**< … else the target */
    int is_signed;            /**< 1 unless changed */
    acme_signer_t signer;     /**< ACME_SIGN_ACCOUNT unless changed */
    const char *payload;      /**< "" unless changed: POST-as-GET; NULL:
                                   err says why there is none */
    const char *accept;       /**< nullable */
    apr_size_t max;           /**< of the reply; SCHEMA_MESSAGE_MAX */
    const char *schema;       /**< nullable: of a good reply's body */
    int redirects;            /**< followed at most; 0 unless changed */
    int once;                 /**< no back-off, no waits */
    acme_reply_fn *done;      /**< NULL: abandoned by its job */
    void *baton;

    apr_pool_t *pool;         /**< of the request with all its retries */
    apr_pool_t *try_pool;     /**< of one attempt and its reply */
    acme_server_t *server;
    acme_job_t *job;          /**< pays for it */
    acme_job_t *owner;        /**< nullable: abandons it when it ends */
    acme_phase_t phase;
    acme_timer_t timer;
    int bad_nonces;           /**< in a row */
    int retries;
    int timeouts;             /**< of those, after its time ran out */
    int waits;
    char nonce[ACME_NONCE_LEN_MAX + 1];  /**< for this attempt; or "" */

    const http_response_t *response;     /**< nullable */
    json_t *message;                     /**< of schema; in try_pool */
    acme_err_t err;
};

/**
 * A request, not sent yet.
 *
 * @param owner  nullable: the job that abandons it when it ends; NULL for
 *               what all jobs of the server share
 * @param job    the job that pays for it
 */
acme_request_t *acme_request_make(acme_server_t *server, acme_job_t *job,
                                  acme_job_t *owner, const char *what,
                                  acme_reply_fn *done, void *baton);

/** Make message, which must pass schema, the payload. A message that does
 *  not (a name or a contact that cannot be) ends the request when sent. */
void acme_request_json(acme_request_t *request, const char *schema,
                       const json_t *message);

/** Send it; done is called later, never from here. */
void acme_request_send(acme_request_t *request);

/** A nonce came: send the requests that wait for one. */
void acme_request_nonces(acme_server_t *server);

/** Requests that wait for a nonce. */
int acme_request_waiting(const acme_server_t *server);

/** No nonce can be had: end the oldest request that waits for one. */
void acme_request_starve(acme_server_t *server, const acme_err_t *err);

/** The directory was refreshed (or not): send or end who waits for it. */
void acme_request_refreshed(acme_server_t *server);

/** A job ended: drop what it owns. */
void acme_request_abandon(acme_server_t *server, const acme_job_t *job);

/* ---------------------------------------------------------------- problem */

/** What to do about a reply that is no success. */
typedef enum acme_react_t {
    ACME_REACT_FAIL,      /**< report it */
    ACME_REACT_NONCE,     /**< again with the nonce of the reply */
    ACME_REACT_WAIT,      /**< again at err->retry_at */
    ACME_REACT_RETRY      /**< again after a short back-off */
} acme_react_t;

/** Turn an error reply into err. Source: RFC 8555 6.7; RFC 7807 3. */
acme_react_t acme_problem_reply(acme_err_t *err,
                                const http_response_t *response,
                                const schema_set_t *schemas,
                                const char *what, apr_time_t wall,
                                apr_pool_t *scratch_pool);

/**
 * Record the problem object of a challenge or an order. There "unauthorized"
 * means a validation that failed, and no refusal of our account.
 *
 * @param problem     nullable: then the CA gave no reason
 * @param identifier  nullable: whom it concerns
 */
apr_status_t acme_problem_object(acme_err_t *err, const json_t *problem,
                                 const char *what, const char *identifier,
                                 apr_pool_t *scratch_pool);

/** Is err this ACME problem ("badNonce")? */
int acme_err_is(const acme_err_t *err, const char *type);

/* -------------------------------------------------------- shared by jobs */

/** Step of ACME_STATE_DIRECTORY: go on with the directory, or fetch it. */
void acme_directory_step(acme_job_t *job);
/** Fetch it again on behalf of job; acme_request_refreshed is called. */
void acme_directory_refresh(acme_server_t *server, acme_job_t *job);
/** URL of an endpoint ("newOrder"). @return NULL if it has none */
const char *acme_directory_url(const acme_server_t *server,
                               const char *endpoint);
/** Accept a directory: schema, and every endpoint of our own origin. */
apr_status_t acme_directory_check(const acme_server_t *server,
                                  const json_t *directory, acme_err_t *err);

/** Keep a nonce if it is one; full or invalid: drop it. */
void acme_nonce_keep(acme_server_t *server, const char *nonce);
/** Take the newest. @return 0 if there is none */
int acme_nonce_take(acme_server_t *server, char *nonce);
/** Source: RFC 8555 6.5.1 (base64url alphabet); the length is ours. */
int acme_nonce_valid(const char *nonce);
/** Fetch as many as requests are waiting for. */
void acme_nonce_fetch(acme_server_t *server, acme_job_t *job);

/** Step of ACME_STATE_ACCOUNT: go on with the account, or make it. */
void acme_account_step(acme_job_t *job);
/** Step of ACME_STATE_SHOW: ask for the account's present state. */
void acme_account_show_step(acme_job_t *job);
/** The CA does not know the account job used. @return 1 if job may go on
 *  with ACME_STATE_ACCOUNT */
int acme_account_lost(acme_job_t *job);

/* -------------------------------------------------------------------- job */

typedef enum acme_job_kind_t {
    ACME_JOB_ORDER, ACME_JOB_ACCOUNT, ACME_JOB_REVOKE
} acme_job_kind_t;

/** States of a job; drawn in flow.c. */
typedef enum acme_state_t {
    ACME_STATE_QUEUED,
    ACME_STATE_DIRECTORY, ACME_STATE_ACCOUNT, ACME_STATE_SHOW,
    ACME_STATE_RESUME, ACME_STATE_NEW_ORDER, ACME_STATE_AUTHZ,
    ACME_STATE_CHALLENGE, ACME_STATE_VALIDATE, ACME_STATE_FINALIZE,
    ACME_STATE_ISSUE, ACME_STATE_CERTIFICATE, ACME_STATE_BLAME,
    ACME_STATE_REVOKE, ACME_STATE_DEACTIVATE, ACME_STATE_DONE
} acme_state_t;

struct acme_job_t {
    acme_engine_t *engine;
    acme_server_t *server;
    int number;
    acme_job_kind_t kind;
    const acme_order_job_t *order_job;     /**< of ACME_JOB_ORDER */
    const acme_revoke_job_t *revoke_job;   /**< of ACME_JOB_REVOKE */
    acme_state_t state;
    apr_pool_t *pool;              /**< from start to end */
    apr_time_t started;            /**< mono */
    apr_time_t until;              /**< mono: its deadline */
    acme_timer_t deadline;
    acme_timer_t timer;            /**< of the state's own wait */
    int account_serial;            /**< account it works with */
    int pending;                   /**< requests of this state under way */
    int keep;                      /**< failed by our side: order lives on */
    int requests;
    int replies;
    apr_interval_time_t latency;   /**< of all replies together */
    apr_interval_time_t slowest;
    acme_order_t *order;           /**< nullable */
    int resumed;                   /**< order comes from order_job->resume */
    int renewed;                   /**< order_job->resume is out of play */
    apr_array_header_t *failed;    /**< challenge types that have failed, of
                                        const char *; NULL: none */
    int falls_back;                /**< 1: ACME_STATE_DEACTIVATE leads to a
                                        new order */
    acme_err_t before;             /**< why earlier orders of it failed */
    acme_err_t err;
};

/** Start a queued job. */
void acme_job_start(acme_job_t *job);
/** A request of job. */
acme_request_t *acme_job_request(acme_job_t *job, const char *what,
                                 acme_reply_fn *done, void *baton);
/** Go to a state and make its step. */
void acme_job_go(acme_job_t *job, acme_state_t state);
/** End it by err; its order dies unless err is of the kind that passes. */
void acme_job_fail(acme_job_t *job, const acme_err_t *err);
/** End it because our own side failed: the order can be resumed. */
void acme_job_fail_host(acme_job_t *job, apr_status_t rv, acme_err_t *err,
                        const char *what);
/** End it now, by job->err. */
void acme_job_end(acme_job_t *job);
/** Make the step of each job of server that stands in state. */
void acme_job_wake(acme_server_t *server, acme_state_t state);
/** Tell people what job does. */
void acme_job_progress(acme_job_t *job, const char *step);

/* ----------------------------------------------------------- order, authz */

/** Statuses of orders, authorizations, challenges and accounts.
 *  Source: RFC 8555 7.1.2-7.1.6. */
typedef enum acme_status_t {
    ACME_PENDING, ACME_READY, ACME_PROCESSING, ACME_VALID, ACME_INVALID,
    ACME_DEACTIVATED, ACME_EXPIRED, ACME_REVOKED, ACME_STATUS_UNKNOWN
} acme_status_t;

acme_status_t acme_status_parse(const char *text);
const char *acme_status_text(acme_status_t status);

/** One authorization of an order and the challenge chosen for it. */
typedef struct acme_authz_t {
    acme_job_t *job;
    const char *url;
    acme_status_t status;
    const char *identifier;  /**< as the order names it, with any "*." */
    apr_time_t expires;      /**< wall; 0 = not said */
    const char *type;        /**< nullable: challenge chosen */
    const char *token;
    const char *challenge;   /**< its URL */
    int put;                 /**< the host may be serving it */
    int ready;               /**< and does: the CA may be told */
} acme_authz_t;

struct acme_order_t {
    apr_pool_t *pool;
    const char *url;
    const char *finalize;          /**< URL */
    const char *certificate;       /**< nullable: URL */
    acme_status_t status;          /**< latest */
    apr_time_t expires;            /**< wall; 0 = not said */
    apr_array_header_t *authzs;    /**< of acme_authz_t */
    int answered;                  /**< the challenges were answered */
    int finalizes;                 /**< finalize was sent so often */
    int finalized;                 /**< and accepted */
    apr_interval_time_t pause;     /**< before the next look */
    apr_interval_time_t backoff;   /**< next pause without Retry-After */
    acme_err_t why;                /**< why it is invalid; or empty */
    int blamed;                    /**< an authorization told why */
};

void acme_order_new_step(acme_job_t *job);
void acme_order_resume_step(acme_job_t *job);
/** Steps of ACME_STATE_VALIDATE and _ISSUE: look after order->pause. */
void acme_order_wait_step(acme_job_t *job);
/** The pause before the first look after a request whose reply took
 *  round_trip to come. */
void acme_order_pause_first(acme_order_t *order,
                            apr_interval_time_t round_trip);
/**
 * The pause before the next look: what the reply to the last one says,
 * else the back-off.
 *
 * @return APR_EAGAIN when the CA asks for more than the job may wait
 */
apr_status_t acme_order_pause_next(acme_job_t *job,
                                   const http_response_t *reply,
                                   acme_err_t *err);
/** Take over a later object of the job's order. */
apr_status_t acme_order_update(acme_job_t *job, const json_t *message,
                               acme_err_t *err, apr_pool_t *scratch_pool);
/** order_save; step is "ordered", "finalizing" or "finalized". */
apr_status_t acme_order_save(acme_job_t *job, const char *step,
                             acme_err_t *err);
/** A resumed order is of no use: order anew, once.
 *  @return 0 if the order is not resumed */
int acme_order_replace(acme_job_t *job);
/** Let go of the order: its challenges and its memory. */
void acme_order_drop(acme_job_t *job);

/** Go where the order's status leads; reply is the one that told it.
 *  Source: RFC 8555 7.1.6. */
void acme_flow_follow(acme_job_t *job, const http_response_t *reply);

void acme_authz_step(acme_job_t *job);
/** Step of ACME_STATE_BLAME: find out why the order is invalid. */
void acme_authz_blame_step(acme_job_t *job);
/** Step of ACME_STATE_DEACTIVATE: give pending authorizations back. */
void acme_authz_deactivate_step(acme_job_t *job);
/** How many authorizations are known to be pending. */
int acme_authz_pending(const acme_job_t *job);

/** The order tells that all of them are valid. */
void acme_authz_all_valid(acme_job_t *job);

/** Choose the challenge: the first of the job's types that is offered and
 *  has not failed. */
apr_status_t acme_challenge_choose(acme_authz_t *authz,
                                   const json_t *challenges,
                                   acme_err_t *err);
void acme_challenge_step(acme_job_t *job);
/** Have every challenge of the order taken down. */
void acme_challenge_remove(acme_job_t *job, acme_err_t *err);

/**
 * The order is invalid by err: order anew if that is a validation that
 * failed and another type of challenge is left.
 * Source: RFC 8555 7.1.6, 8 ("a client may retry by a new order").
 * @return 1 if job goes on
 */
int acme_fallback_try(acme_job_t *job, const acme_err_t *err);
/** Nothing of the old order is left to do: make the new one. */
void acme_fallback_go(acme_job_t *job);
/** job->err ends the job: put why it fell back before it. */
void acme_fallback_tell(acme_job_t *job);
/** 1 if the job tried this type of challenge in vain. */
int acme_fallback_failed(const acme_job_t *job, const char *type);
/** The types that have failed, to be kept; some have. */
json_t *acme_fallback_state(const acme_job_t *job);
/** Take over what was kept. @return 0 if no type would be left: then a new
 *  order begins from the first */
int acme_fallback_resume(acme_job_t *job, const json_t *state);

void acme_finalize_step(acme_job_t *job);
void acme_certificate_step(acme_job_t *job);
void acme_revoke_step(acme_job_t *job);

#endif
