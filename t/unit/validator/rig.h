/*
 * What the tests of support/validator share: a server of a few lines in a
 * child, and a target to ask.
 */
#ifndef ACME_UNIT_VALIDATOR_RIG_H
#define ACME_UNIT_VALIDATOR_RIG_H

#include "validator/internal.h"

/** Answer one connection: fd is open, request what was read of it. */
typedef void rig_answer_fn(int fd, const char *request);

/** Start a server on loopback that answers each connection by fn, one after
 *  the other. It is killed with pool. @return its port */
int rig_serve(rig_answer_fn *fn, apr_pool_t *pool);

/** The same behind TLS, with one certificate of key_type for a.example. */
int rig_serve_tls(rig_answer_fn *fn, const char *key_type, apr_pool_t *pool);

/** A port of loopback where nobody listens. */
int rig_dead_port(void);

/** Write a text to fd; behind TLS, too, from within a rig_answer_fn. */
void rig_say(int fd, const char *text);

/** An ask of a.example that may take a second a conversation, with sites of
 *  these ports (0: none), not met. */
validator_ask_t *rig_ask(int http_port, int https_port, apr_pool_t *pool);

/** The system's monotonic clock. */
apr_time_t rig_mono(void);

#endif
