/*
 * dump_out: JSON text as it is told, without a tree of it in memory: a
 * document of a thousand hosts costs what copying its text costs.
 */
#ifndef ACME_DUMP_OUT_H
#define ACME_DUMP_OUT_H

#include <stdio.h>

#include <apr.h>

#define ACME_OUT_SIZE 16384

/** A document that is being written. Set file and odd, the rest zero. */
typedef struct acme_out_t {
    FILE *file;              /**< borrowed */
    void (*odd)(const char *text);  /**< nullable; called for a text that is
                                  not UTF-8, which JSON must be */
    int depth;               /**< open objects and arrays */
    int filled;              /**< 1: the innermost of them has a member */
    int failed;              /**< errno of the first write that failed */
    apr_size_t len;
    char buffer[ACME_OUT_SIZE];
} acme_out_t;

/*
 * Each of these adds one value: a member called key, or an element where
 * key is NULL. Source: RFC 8259.
 */

/** Begin an object ('{') or an array ('['). */
void acme_out_begin(acme_out_t *out, const char *key, char bracket);

/** End the innermost one ('}' or ']'). */
void acme_out_end(acme_out_t *out, char bracket);

/** A string; null for NULL. Bytes that are no UTF-8 are replaced. */
void acme_out_text(acme_out_t *out, const char *key, const char *text);

void acme_out_number(acme_out_t *out, const char *key, long number);

void acme_out_flag(acme_out_t *out, const char *key, int flag);

void acme_out_null(acme_out_t *out, const char *key);

/** End the document. @return 0, or errno of the write that failed */
int acme_out_finish(acme_out_t *out);

#endif
