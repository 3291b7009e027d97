/*
 * Certificate files: what mod_ssl is given for a virtual host that speaks
 * TLS, has a domain and no SSLCertificateFile.
 *
 *   STORE/domains/ID/current -> GENERATION/{fullchain.pem,key.pem}
 *
 * for each key type of the domain whose pair is there and sound, ID being
 * the domain's name for the first type and NAME~TYPE for the others. The
 * link is read once and mod_ssl gets the generation's own path: a renewal
 * in between could otherwise pair the old certificate with the new key.
 * Where that pair is not sound, an older generation that is still there and
 * sound is given instead: the last good certificate. Where none is, mod_ssl
 * gets the stand-in, and requests to that host are answered with 503 until
 * the live segment has one (cert_swap.c).
 *
 * mod_ssl ends httpd's start when it cannot load a file, so each pair is
 * tried first, once a domain. Sound ones are remembered over restarts by
 * what stat says of them: at 10,000 domains checking them takes seconds.
 */
#include "mod_acme.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>

#include <apr_lib.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "pair.h"
#include "staple.h"

APLOG_USE_MODULE(acme);

#define STANDIN_NAME "acme-standin.pem"  /* in httpd's runtime directory */
#define SOUND_KEY    "acme-sound-pairs"
#define GENERATION_DIGITS 8
#define OLDER_MAX    4       /* generations tried behind a damaged one */
#define RETRY_AFTER  "60"                /* seconds; an order takes fewer */

/* What mod_ssl gets for one domain; nothing: the stand-in. */
typedef struct files_t {
    apr_array_header_t *certs;   /* of const char * */
    apr_array_header_t *keys;    /* of const char *, one for each of certs */
} files_t;

/* A file that was sound. */
typedef struct mark_t {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
    struct timespec ctime;
} mark_t;

typedef struct sound_t {
    mark_t cert;
    mark_t key;
} sound_t;

/* Of one configuration; lives in pconf. */
typedef struct cert_files_t {
    apr_pool_t *pconf;
    server_rec *main_server;
    acme_pair_t *pair;           /* NULL: OpenSSL is out of memory */
    apr_hash_t *domains;         /* acme_domain_t * -> files_t * */
    const char *standin;         /* its path once it is there, or NULL */
    int standin_failed;
    int store_usable;
    int quiet;                   /* first pass: the second one says it all */
} cert_files_t;

static cert_files_t *present;
/* Virtual hosts with the stand-in in this configuration. */
static int standins;

static apr_status_t present_forget(void *data)
{
    present = NULL;
    standins = 0;
    acme_answers = 0;
    return APR_SUCCESS;
}

/* -------------------------------------------------- what is known as sound */

/* Lives as long as the parent: path of a certificate -> sound_t *. */
static apr_hash_t *sound_table(void)
{
    apr_hash_t **table = ap_retained_data_get(SOUND_KEY);

    if (!table) {
        table = ap_retained_data_create(SOUND_KEY, sizeof(*table));
        *table = apr_hash_make(present->main_server->process->pool);
    }
    return *table;
}

static int mark_make(mark_t *mark, const char *path)
{
    struct stat st;

    memset(mark, 0, sizeof(*mark));
    if (stat(path, &st) == -1) {
        return 0;
    }
    mark->dev = st.st_dev;
    mark->ino = st.st_ino;
    mark->size = st.st_size;
    mark->mtime = st.st_mtim;
    mark->ctime = st.st_ctim;
    return 1;
}

static int sound_make(sound_t *sound, const char *cert, const char *key)
{
    memset(sound, 0, sizeof(*sound));
    return mark_make(&sound->cert, cert) && mark_make(&sound->key, key);
}

/* One record a domain and key type, overwritten when the pair changes. */
static void sound_remember(const char *id, const sound_t *sound)
{
    apr_hash_t *table = sound_table();
    sound_t *kept = apr_hash_get(table, id, APR_HASH_KEY_STRING);

    if (!kept) {
        apr_pool_t *pool = present->main_server->process->pool;

        kept = apr_palloc(pool, sizeof(*kept));
        apr_hash_set(table, apr_pstrdup(pool, id), APR_HASH_KEY_STRING, kept);
    }
    *kept = *sound;
}

/* NULL if the pair can be served, else why not. */
static const char *pair_fault(const char *id, const char *cert,
                              const char *key, apr_pool_t *p)
{
    sound_t now, *kept = apr_hash_get(sound_table(), id, APR_HASH_KEY_STRING);
    const char *fault;

    if (sound_make(&now, cert, key) && kept
        && !memcmp(kept, &now, sizeof(now))) {
        return NULL;
    }
    if (!present->pair) {
        return "OpenSSL is out of memory";
    }
    fault = acme_pair_fault(present->pair, cert, key, p);
    if (!fault) {
        sound_remember(id, &now);
    }
    return fault;
}

/* ------------------------------------------------------------- the store */

/* One look at the store instead of one complaint for each domain. */
static int store_look(server_rec *s)
{
    const char *dir = acme_store_dir();
    struct stat st;
    int rc = stat(dir, &st);

    if (rc == -1 && errno == ENOENT) {
        return 0;
    }
    if (rc == -1) {
        if (!present->quiet) {
            ap_log_error(APLOG_MARK, APLOG_ERR, errno, s,
                         "ACME0210: no certificate can be read from "
                         "ACMEStoreDir %s: make it a directory that the user "
                         "who starts httpd can enter", dir);
        }
        return 0;
    }
    if ((st.st_uid != geteuid() || (st.st_mode & 077)) && !present->quiet) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "ACME0211: ACMEStoreDir %s holds private keys, but "
                     "others can enter it: chown it to the user that starts "
                     "httpd and chmod it to 0700", dir);
    }
    return 1;
}

/* The number that a generation's folder has for its name; 0: it is none. */
static uint64_t generation_number(const char *name)
{
    char *end = NULL;
    uint64_t number = strlen(name) == GENERATION_DIGITS && apr_isdigit(*name)
        ? (uint64_t)apr_strtoi64(name, &end, 10) : 0;

    return end && !*end ? number : 0;
}

/* The number of the present generation; 0: none yet, or a fault. */
static uint64_t generation_read(const char **pfault, const char *dir,
                                apr_pool_t *p)
{
    const char *link = apr_pstrcat(p, dir, "/current", NULL);
    char name[64];
    ssize_t n = readlink(link, name, sizeof(name) - 1);
    uint64_t number;

    *pfault = NULL;
    if (n == -1) {
        if (errno != ENOENT && errno != ENOTDIR) {
            *pfault = apr_psprintf(p, "cannot read %s: %s", link,
                                   strerror(errno));
        }
        return 0;
    }
    name[n] = '\0';
    number = generation_number(name);
    if (!number) {
        *pfault = apr_psprintf(p, "%s does not name a generation", link);
    }
    return number;
}

/* The newest generation below a number; 0: there is none. */
static uint64_t generation_older(uint64_t number, const char *dir,
                                 apr_pool_t *p)
{
    uint64_t newest = 0;
    apr_finfo_t entry;
    apr_dir_t *list;

    if (apr_dir_open(&list, dir, p) != APR_SUCCESS) {
        return 0;
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME, list) == APR_SUCCESS) {
        uint64_t found = generation_number(entry.name);

        if (found < number && found > newest) {
            newest = found;
        }
    }
    apr_dir_close(list);
    return newest;
}

/* Add the pair of one generation. @return NULL, or why it is not sound */
static const char *generation_add(files_t *files,
                                  acme_certificate_t *certificate,
                                  uint64_t number, const char *dir,
                                  apr_pool_t *p)
{
    const char *folder = apr_psprintf(p, "%s/%0*" APR_UINT64_T_FMT, dir,
                                      GENERATION_DIGITS, number);
    const char *cert = apr_pstrcat(p, folder, "/fullchain.pem", NULL);
    const char *key = apr_pstrcat(p, folder, "/key.pem", NULL);
    const char *fault = pair_fault(certificate->id, cert, key, p);

    if (!fault) {
        APR_ARRAY_PUSH(files->certs, const char *) = cert;
        APR_ARRAY_PUSH(files->keys, const char *) = key;
        certificate->loaded = number;
        certificate->staple = present->quiet ? NULL
            : acme_staple_load(folder, present->main_server, p);
    }
    return fault;
}

/* Add the pair of the newest sound generation below a number.
 * @return its number; 0: there is none */
static uint64_t generation_rescue(files_t *files,
                                  acme_certificate_t *certificate,
                                  uint64_t number, const char *dir,
                                  apr_pool_t *p)
{
    int i;

    for (i = 0; i < OLDER_MAX; i++) {
        number = generation_older(number, dir, p);
        if (!number || !generation_add(files, certificate, number, dir, p)) {
            return number;
        }
    }
    return 0;
}

static void pair_complain(const acme_certificate_t *certificate,
                          const char *fault, uint64_t instead,
                          server_rec *s, apr_pool_t *p)
{
    const char *served = instead ? apr_psprintf(p, "; generation %"
                                                APR_UINT64_T_FMT " is served "
                                                "instead", instead) : "";

    if (!present->quiet) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "ACME0212: the stored "
                     "certificate %s is not used, %s%s: get a new one by "
                     "acmectl renew --force", certificate->id, fault,
                     served);
    }
}

/* Add the pair of a certificate to files: the present one if it is sound,
 * else the last one that is. */
static void pair_add(files_t *files, acme_certificate_t *certificate,
                     server_rec *s, apr_pool_t *p)
{
    const char *dir = apr_pstrcat(p, acme_store_dir(), "/domains/",
                                  certificate->id, NULL);
    const char *fault;
    uint64_t number = generation_read(&fault, dir, p);

    if (number) {
        fault = generation_add(files, certificate, number, dir, p);
    }
    if (fault) {
        number = generation_rescue(files, certificate,
                                   number ? number : UINT64_MAX, dir, p);
        pair_complain(certificate, fault, number, s, p);
    }
}

/* The domain's files, found once. */
static files_t *domain_files(const acme_domain_t *domain, server_rec *s)
{
    apr_pool_t *p = present->pconf;
    const apr_array_header_t *all = domain->certificates;
    files_t *files = apr_hash_get(present->domains, &domain, sizeof(domain));
    int i;

    if (files) {
        return files;
    }
    files = apr_palloc(p, sizeof(*files));
    files->certs = apr_array_make(p, all->nelts, sizeof(const char *));
    files->keys = apr_array_make(p, all->nelts, sizeof(const char *));
    apr_hash_set(present->domains,
                 apr_pmemdup(p, &domain, sizeof(domain)), sizeof(domain),
                 files);
    for (i = 0; i < all->nelts && present->store_usable; i++) {
        pair_add(files, APR_ARRAY_IDX(all, i, acme_certificate_t *), s, p);
    }
    return files;
}

/* ---------------------------------------------------------- the stand-in */

static apr_status_t file_remove(void *path)
{
    (void)unlink(path);
    return APR_SUCCESS;
}

static apr_status_t directory_remove(void *path)
{
    (void)rmdir(path);
    return APR_SUCCESS;
}

/* Where it is to lie, in p: in a start check in a directory of its own that
 * goes with p, so that no trace is left; NULL if that cannot be made. */
static const char *standin_place(apr_pool_t *p)
{
    const char *temp;
    char *dir, *path;

    if (!acme_start_check()) {
        return ap_runtime_dir_relative(p, STANDIN_NAME);
    }
    if (apr_temp_dir_get(&temp, p) != APR_SUCCESS) {
        return NULL;
    }
    dir = apr_pstrcat(p, temp, "/acme-start-check.XXXXXX", NULL);
    if (!mkdtemp(dir)) {
        return NULL;
    }
    path = apr_pstrcat(p, dir, "/" STANDIN_NAME, NULL);
    apr_pool_cleanup_register(p, dir, directory_remove,
                              apr_pool_cleanup_null);
    apr_pool_cleanup_register(p, path, file_remove, apr_pool_cleanup_null);
    return path;
}

/* Its path, or NULL if it cannot be made; said once. */
static const char *standin_path(void)
{
    const char *path, *fault = "there is no memory or temporary directory";
    apr_status_t rv = APR_EGENERAL;

    if (present->standin || present->standin_failed) {
        return present->standin;
    }
    path = standin_place(present->pconf);
    if (present->pair && path) {
        rv = acme_pair_standin(present->pair, path, &fault, present->pconf);
    }
    if (rv != APR_SUCCESS) {
        present->standin_failed = 1;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, present->main_server,
                     "ACME0213: virtual hosts without a certificate cannot "
                     "start: %s", fault);
        return NULL;
    }
    present->standin = path;
    return path;
}

/* ----------------------------------------------------------------- hooks */

/* Both passes of post_config come here: the first through mod_ssl's hook. */
static void present_make(server_rec *main_server, apr_pool_t *pconf)
{
    if (present) {
        return;
    }
    present = apr_pcalloc(pconf, sizeof(*present));
    present->pconf = pconf;
    present->main_server = main_server;
    present->quiet =
        ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
    present->domains = apr_hash_make(pconf);
    present->pair = acme_pair_create(pconf);
    present->store_usable = store_look(main_server);
    apr_pool_cleanup_register(pconf, NULL, present_forget,
                              apr_pool_cleanup_null);
}

static int add_cert_files(server_rec *s, apr_pool_t *p,
                          apr_array_header_t *cert_files,
                          apr_array_header_t *key_files)
{
    acme_domain_t *domain = acme_server_domain(s);
    files_t *files;
    const char *standin;

    if (!domain || cert_files->nelts > 0) {
        return DECLINED;
    }
    present_make(acme_state_get()->main_server, p);
    if (key_files->nelts > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "ACME0214: the "
                     "SSLCertificateKeyFile of %s is not used: there is no "
                     "SSLCertificateFile to go with it", domain->name);
        apr_array_clear(key_files);
    }
    files = domain_files(domain, s);
    if (files->certs->nelts > 0) {
        apr_array_cat(cert_files, files->certs);
        apr_array_cat(key_files, files->keys);
        acme_server_conf(s)->managed = 1;
        return OK;
    }
    standin = standin_path();
    if (!standin) {
        return DECLINED;
    }
    APR_ARRAY_PUSH(cert_files, const char *) = standin;
    APR_ARRAY_PUSH(key_files, const char *) = standin;
    acme_server_conf(s)->managed = 1;
    acme_server_conf(s)->standin = 1;
    standins++;
    acme_answers++;
    return OK;
}

server_rec *acme_domain_user(const acme_domain_t *domain)
{
    int i;

    for (i = 0; i < domain->servers->nelts; i++) {
        server_rec *s = APR_ARRAY_IDX(domain->servers, i, server_rec *);

        if (acme_server_ssl(s) && !acme_server_has_certificate(s)
            && acme_server_domain(s) == domain) {
            return s;
        }
    }
    return NULL;
}

apr_status_t acme_cert_files_start(server_rec *s, apr_pool_t *pconf)
{
    apr_array_header_t *domains = acme_state_get()->domains;
    const char *first = NULL;
    int i, missing = 0;

    present_make(s, pconf);
    for (i = 0; i < domains->nelts; i++) {
        acme_domain_t *domain = APR_ARRAY_IDX(domains, i, acme_domain_t *);
        server_rec *user = acme_domain_user(domain);

        if (user && domain_files(domain, user)->certs->nelts == 0) {
            first = first ? first : domain->name;
            missing++;
        }
    }
    if (missing == 0) {
        return APR_SUCCESS;
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "ACME0215: %d domain%s (%s%s)"
                 " without a usable certificate: https there is answered "
                 "with a stand-in and status 503 until acmectl renew has got "
                 "one", missing, missing == 1 ? "" : "s", first,
                 missing == 1 ? "" : ", ...");
    return standin_path() ? APR_SUCCESS : APR_EGENERAL;
}

/* 1 if the admin has an ErrorDocument for status. */
static int error_document_set(request_rec *r, int status)
{
    const core_dir_config *conf = ap_get_core_module_config(
        r->per_dir_config);
    int i = ap_index_of_response(status);

    return conf->response_code_exprs
        && apr_hash_get(conf->response_code_exprs, &i, sizeof(i));
}

/*
 * A host with the stand-in has nothing to say in earnest until its first
 * certificate comes. http01.c is asked first, so challenges are answered; an
 * ErrorDocument of the admin's is reached by an internal redirect, which
 * must pass.
 */
int acme_standin_handle(request_rec *r, int lookup)
{
    if (!acme_server_standin(r->server) || lookup || r->prev) {
        return DECLINED;
    }
    apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    if (!error_document_set(r, HTTP_SERVICE_UNAVAILABLE)) {
        ap_custom_response(r, HTTP_SERVICE_UNAVAILABLE,
                           "<!DOCTYPE html>\n<title>503 Service Unavailable"
                           "</title>\n<p>This site's certificate is still to "
                           "come. Please try again in a minute.\n");
    }
    return HTTP_SERVICE_UNAVAILABLE;
}

int acme_server_standin(server_rec *s)
{
    return standins && acme_server_conf(s)->standin
        && !acme_domain_swapped(acme_server_domain(s));
}

void acme_cert_files_register(apr_pool_t *p)
{
    /* Last: whoever else has a real certificate for the host may give it. */
    ap_hook_ssl_add_cert_files(add_cert_files, NULL, NULL, APR_HOOK_LAST);
}
