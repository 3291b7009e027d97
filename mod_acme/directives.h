/*
 * directives: the settings of a domain (directives_domain.c) for the table
 * in directives.c. Each checks its place and its words and keeps what they
 * say; what can only be known when all of the configuration is read waits
 * for domains.c.
 */
#ifndef ACME_DIRECTIVES_H
#define ACME_DIRECTIVES_H

#include "mod_acme.h"

#define ACME_AUTHORITIES \
    "letsencrypt, letsencrypt-staging, google, zerossl, sslcom, actalis or " \
    "the https URL of an ACME directory"

/** A setting that is one word of a few. */
typedef struct acme_choice_t {
    const char *const *words;    /**< NULL behind the last */
    const char *allowed;         /**< for the message: "write ..." */
    apr_size_t member;           /**< offset in acme_settings_t, of an int or
                                      an enum with a negative value */
    int first;                   /**< what the first word means; the next
                                      ones count on */
} acme_choice_t;

extern const acme_choice_t acme_choice_agreement;
extern const acme_choice_t acme_choice_renew_mode;
extern const acme_choice_t acme_choice_require_https;
extern const acme_choice_t acme_choice_must_staple;

/** The directive of a choice, which is its cmd->info. */
const char *acme_set_choice(cmd_parms *cmd, void *dir_conf, const char *args);

/** ACMERequireHTTPS, a choice that may also stand in a virtual host. */
const char *acme_set_require_https(cmd_parms *cmd, void *dir_conf,
                                   const char *args);

/** ACMECertificateAuthority */
const char *acme_set_authority(cmd_parms *cmd, void *dir_conf,
                               const char *args);

/** ACMECACertificateFile */
const char *acme_set_ca_file(cmd_parms *cmd, void *dir_conf,
                             const char *args);

/** ACMEContact */
const char *acme_set_contact(cmd_parms *cmd, void *dir_conf,
                             const char *args);

/** ACMEChallenges */
const char *acme_set_challenges(cmd_parms *cmd, void *dir_conf,
                                const char *args);

/** ACMEPrivateKeys */
const char *acme_set_private_keys(cmd_parms *cmd, void *dir_conf,
                                  const char *args);

/** ACMERenewWindow */
const char *acme_set_renew_window(cmd_parms *cmd, void *dir_conf,
                                  const char *args);

#endif
