/*
 * dump.h: what the files of DUMP_ACME know of each other.
 */
#ifndef ACME_DUMP_H
#define ACME_DUMP_H

#include "mod_acme.h"

#include <jansson.h>

/** A new JSON string; null for NULL. What is not UTF-8 is replaced and
 *  reported. Source: RFC 8259 8.1. */
json_t *acme_dump_string(const char *text, apr_pool_t *p);

/** What the tree of directives says; each json_t is a new reference. */
typedef struct acme_dump_tree_t {
    json_t *directives;      /**< of the main server */
    json_t *listen;          /**< every Listen */
    int named;               /**< 1: the main server has a ServerName */
    int stapling_cache;      /**< 1: there is an SSLStaplingCache */
    json_t **hosts;          /**< directives of each host, in order */
} acme_dump_tree_t;

/**
 * Read the tree of directives that httpd has made of its configuration.
 * Source: ours.
 *
 * @param hosts  of server_rec *: as acme_server_hosts returns them
 */
void acme_dump_tree_read(acme_dump_tree_t *tree,
                         const apr_array_header_t *hosts, apr_pool_t *p);

#endif
