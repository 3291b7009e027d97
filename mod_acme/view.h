/*
 * view: how certificates and the manager stand at this moment, for pages
 * and metrics. All of it is read from memory: the configuration, the live
 * segment, counters; no file.
 */
#ifndef ACME_VIEW_H
#define ACME_VIEW_H

#include "mod_acme.h"

#define ACME_STATES (LIVE_STATE_ERROR + 1)

/** A certificate as it stands. */
typedef struct acme_view_t {
    const acme_domain_t *domain;
    const acme_certificate_t *certificate;
    live_status_t status;        /**< its state is that of now, and
                                      "ordering" 0 where the order died */
    uint64_t generation;         /**< the store's number of what is served;
                                      0: nothing, or the stand-in */
    uint32_t swaps;              /**< certificates that came since httpd's
                                      (re)start */
    int served;                  /**< 1: a virtual host depends on it */
    int automatic;               /**< 1: it is renewed without being named */
} acme_view_t;

/** acmectl as it stands. */
typedef struct acme_manager_view_t {
    int enabled;                 /**< ACMEManager */
    int running;                 /**< 1: "acmectl serve" is there */
    live_manager_t live;
} acme_manager_view_t;

/** How many certificates stand how. */
typedef struct acme_summary_t {
    int domains;
    int certificates;
    int states[ACME_STATES];
    int ordering;                /**< of them, with an order under way */
    int failing;                 /**< of them, whose last order failed */
} acme_summary_t;

/** Look at the k-th certificate of a domain. @param now  µs UTC */
void acme_view_make(acme_view_t *view, const acme_domain_t *domain, int k,
                    apr_time_t now);

/** "valid", "due", ... */
const char *acme_view_state(live_state_t state);

/** How much a person should look at it: 0 is not at all, more is more. */
int acme_view_urgency(const acme_view_t *view);

/**
 * What happens next, without its time: "renewal", "next try", "order".
 * @param pwhen  set: when, µs UTC; 0: as soon as can be, or never
 */
const char *acme_view_next(const acme_view_t *view,
                           const acme_manager_view_t *manager,
                           apr_time_t *pwhen, apr_time_t now);

/** Look at the manager. */
void acme_manager_view_make(acme_manager_view_t *view);

/** Look at all certificates. */
void acme_summary_make(acme_summary_t *summary, apr_time_t now);

/** RFC 3339, in p; NULL for 0. */
const char *acme_view_time(apr_time_t t, apr_pool_t *p);

/** Refuse other methods than GET and HEAD; throw a body away.
 *  @return OK or the status to return from a handler */
int acme_view_method(request_rec *r);

#endif
