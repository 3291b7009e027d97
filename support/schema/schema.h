/*
 * schema: JSON Schema validation, and the only door through which a
 * stranger's bytes become a value.
 *
 * The validator is a declared strict subset of draft-07 over jansson and
 * PCRE2 (README.md says which). An unknown keyword is an error when the
 * schema is loaded, so no keyword is ever silently ignored. All schemas of
 * schemas/ are compiled into the program (embed makes embedded.c); a
 * schema's name is its path below schemas/ without ".json", as "acme/order".
 */
#ifndef ACME_SCHEMA_H
#define ACME_SCHEMA_H

#include "base/base.h"

/** A compiled schema. Immutable. */
typedef struct schema_t schema_t;

/** A set of named schemas that may $ref each other. Immutable once made. */
typedef struct schema_set_t schema_set_t;

/** Largest ACME message accepted or sent, bytes (PROTOCOL: 64 KiB). */
#define SCHEMA_MESSAGE_MAX (64 * 1024)

/**
 * Compile the schemas that are built into the program.
 *
 * @param pset  set on success; lives in result_pool
 * @return APR_SUCCESS; APR_EINVAL or APR_ENOTIMPL, as schema_compile, naming
 *         schema, place and keyword at fault
 */
apr_status_t schema_set_builtin(schema_set_t **pset, acme_err_t *err,
                                apr_pool_t *result_pool);

/**
 * Compile one schema from JSON text.
 * Source: draft-handrews-json-schema-01 and -validation-01.
 *
 * @param uri  base URI for "$ref" (may be ""); references reach into this
 *             document only
 * @return APR_SUCCESS; APR_EINVAL for JSON that is no schema; APR_ENOTIMPL
 *         for a keyword outside the subset
 */
apr_status_t schema_compile(schema_t **pschema, const char *text,
                            apr_size_t len, const char *uri, acme_err_t *err,
                            apr_pool_t *result_pool);

/** A schema of the set. @return NULL if there is none of that name */
const schema_t *schema_find(const schema_set_t *set, const char *name);

/**
 * Check a value. Any number of threads may use one schema at once.
 * Source: draft-handrews-json-schema-validation-01.
 *
 * @param what  what it is, for the message ("the CA's order")
 * @return APR_SUCCESS; APR_EINVAL, err says where (JSON pointer), what was
 *         found and what was expected; or that a bound of README.md was
 *         reached, so that there is no verdict
 */
apr_status_t schema_check(const schema_t *schema, const json_t *value,
                          const char *what, acme_err_t *err);

/**
 * Turn bytes from outside into a value: size limit, JSON limits, schema.
 * The only way the CA's bytes become a value.
 *
 * @param pmessage  set on success; released with result_pool
 * @param name      schema name ("acme/order")
 * @param len       at most SCHEMA_MESSAGE_MAX
 * @return APR_SUCCESS; APR_EINVAL
 */
apr_status_t schema_message_read(json_t **pmessage, const schema_set_t *set,
                                 const char *name, const char *bytes,
                                 apr_size_t len, acme_err_t *err,
                                 apr_pool_t *result_pool);

/**
 * Turn a value into the bytes to send, after the same check.
 *
 * @param pbytes  compact JSON in result_pool, NUL-terminated
 */
apr_status_t schema_message_write(char **pbytes, const schema_set_t *set,
                                  const char *name, const json_t *message,
                                  acme_err_t *err, apr_pool_t *result_pool);

#endif
