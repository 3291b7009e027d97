/*
 * dump.h: what the files of DUMP_ACME know of each other.
 */
#ifndef ACME_DUMP_H
#define ACME_DUMP_H

#include "mod_acme.h"

#include <util_cfgtree.h>

#include "dump_out.h"

/** What the tree of directives says. */
typedef struct acme_dump_tree_t {
    int named;               /**< 1: the main server has a ServerName */
    int stapling_cache;      /**< 1: there is an SSLStaplingCache */
    const ap_directive_t **nodes;  /**< <VirtualHost of each host, in order;
                                  NULL: it is not in the tree */
} acme_dump_tree_t;

/**
 * Look through the tree of directives that httpd has made of its
 * configuration.
 * Source: ours.
 *
 * @param hosts  of server_rec *: as acme_server_hosts returns them
 */
void acme_dump_tree_read(acme_dump_tree_t *tree,
                         const apr_array_header_t *hosts, apr_pool_t *p);

/** "directives" of the host of a node.
 *  @param node  nullable: those of the main server */
void acme_dump_directives(acme_out_t *out, const ap_directive_t *node,
                          apr_pool_t *p);

/** "listen": every Listen. */
void acme_dump_listen(acme_out_t *out);

/** "file" and "line"; null where no file holds it, as in a macro.
 *  @param file  nullable: httpd's text for where it is */
void acme_dump_place(acme_out_t *out, const char *file, int line);

#endif
