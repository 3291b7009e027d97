/*
 * internal.h: what the files of support/httpd share. Nothing outside
 * includes it.
 */
#ifndef ACME_HTTPD_INTERNAL_H
#define ACME_HTTPD_INTERNAL_H

#include "httpd/httpd.h"

/**
 * httpd's reason for a refusal, from what it wrote on stderr: the line that
 * names the error, without the time and the like before it, with the next
 * one where it ends in a colon or where that is OpenSSL's; notices and
 * warnings left out.
 *
 * @return one line in pool, never empty
 */
const char *httpd_complaint(const httpd_output_t *output, apr_pool_t *pool);

#endif
