/*
 * certificate.c: domains/ID/ - generations of a certificate, one current.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "store/internal.h"

#define DOMAINS "domains"
#define CURRENT "current"
#define GENERATION_WIDTH 8
#define GENERATIONS_KEPT 3

const char *store_certificate_id(const char *name, const char *key_type,
                                 int first, apr_pool_t *pool)
{
    char *type;
    char *c;

    if (first) {
        return apr_pstrdup(pool, name);
    }
    type = apr_pstrdup(pool, key_type);
    for (c = type; *c; c++) {
        *c = apr_tolower(*c);
    }
    return apr_pstrcat(pool, name, "~", type, NULL);
}

const char *store_certificate_path(const store_t *store, const char *id,
                                   const char *file, apr_pool_t *pool)
{
    return apr_pstrcat(pool, store_folder(store, DOMAINS, id, pool),
                       "/" CURRENT "/", file, NULL);
}

/** 1 if name is a generation's: GENERATION_WIDTH digits. */
static int is_generation(const char *name)
{
    return strlen(name) == GENERATION_WIDTH
           && strspn(name, "0123456789") == GENERATION_WIDTH;
}

/** The folder that "current" points at now: all reads of one certificate
 *  go through it, so that a switch between them cannot mix generations. */
static apr_status_t current_folder(const char **pfolder,
                                   const store_t *store, const char *id,
                                   acme_err_t *err, apr_pool_t *pool)
{
    const char *folder = store_folder(store, DOMAINS, id, pool);
    const char *target;
    apr_status_t rv;

    rv = base_link_read(&target, store_path(folder, CURRENT, pool), err,
                        pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!is_generation(target)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s/" CURRENT " points at \"%s\", which is no "
                            "generation; remove the link and issue again",
                            folder, target);
    }
    *pfolder = store_path(folder, target, pool);
    return APR_SUCCESS;
}

apr_status_t store_certificate_generation(unsigned long *pnumber,
                                          const store_t *store,
                                          const char *id, acme_err_t *err,
                                          apr_pool_t *scratch_pool)
{
    const char *folder;
    apr_status_t rv = current_folder(&folder, store, id, err, scratch_pool);

    if (rv == APR_SUCCESS) {
        *pnumber = strtoul(strrchr(folder, '/') + 1, NULL, 10);
    }
    return rv;
}

static apr_status_t read_meta(json_t **pmeta, const char *folder,
                              acme_err_t *err, apr_pool_t *pool)
{
    return base_json_read(pmeta, store_path(folder, "meta.json", pool),
                          STORE_JSON_MAX, err, pool, pool);
}

apr_status_t store_certificate_meta(json_t **pmeta, const store_t *store,
                                    const char *id, acme_err_t *err,
                                    apr_pool_t *result_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = current_folder(&folder, store, id, err, result_pool);
    if (rv == APR_SUCCESS) {
        rv = read_meta(pmeta, folder, err, result_pool);
    }
    return rv;
}

apr_status_t store_certificate_file(char **ptext, apr_size_t *plen,
                                    const store_t *store, const char *id,
                                    const char *file, acme_err_t *err,
                                    apr_pool_t *result_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = current_folder(&folder, store, id, err, result_pool);
    if (rv == APR_SUCCESS) {
        rv = base_file_read(ptext, plen, store_path(folder, file,
                                                    result_pool),
                            STORE_PEM_MAX, err, result_pool);
    }
    return rv;
}

/** The number of the newest generation and its folder's siblings. */
static apr_status_t generations(apr_array_header_t **pnames,
                                unsigned long *pnewest, const char *folder,
                                acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *all;
    apr_status_t rv;
    int i;

    *pnewest = 0;
    *pnames = apr_array_make(pool, 8, sizeof(const char *));
    rv = base_dir_list(&all, folder, err, pool);
    for (i = 0; rv == APR_SUCCESS && i < all->nelts; i++) {
        const char *name = APR_ARRAY_IDX(all, i, const char *);

        if (is_generation(name)) {
            APR_ARRAY_PUSH(*pnames, const char *) = name;
            *pnewest = strtoul(name, NULL, 10);
        }
    }
    return rv;
}

typedef struct file_t {
    const char *name;
    const char *text;   /**< NULL: not written */
} file_t;

/** Fill a new generation folder; durable when it returns. */
static apr_status_t write_files(const char *folder,
                                const store_certificate_t *certificate,
                                acme_err_t *err, apr_pool_t *pool)
{
    const file_t files[] = {
        { "cert.pem", certificate->cert },
        { "chain.pem", certificate->chain },
        { "fullchain.pem", apr_pstrcat(pool, certificate->cert,
                                       certificate->chain, NULL) },
        { "key.pem", certificate->key },
        { "meta.json", base_json_text(certificate->meta, pool) }
    };
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < sizeof(files) / sizeof(*files);
         i++) {
        if (files[i].text) {
            rv = base_file_create(store_path(folder, files[i].name, pool),
                                  files[i].text, strlen(files[i].text),
                                  STORE_FILE_MODE, err);
        }
    }
    return rv == APR_SUCCESS ? base_dir_sync(folder, err) : rv;
}

/** Remove all but the newest GENERATIONS_KEPT; names are sorted. */
static apr_status_t prune(const char *folder,
                          const apr_array_header_t *names, acme_err_t *err,
                          apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    /* The generation that was just written is not among names. */
    for (i = 0; rv == APR_SUCCESS
         && i < names->nelts - (GENERATIONS_KEPT - 1); i++) {
        rv = base_dir_remove(store_path(folder,
                                        APR_ARRAY_IDX(names, i,
                                                      const char *), pool),
                             err, pool);
    }
    return rv;
}

/** Remove the newest folder if "current" never reached it: a killed write
 *  left it, and nothing refers to it. */
static apr_status_t drop_unfinished(const char *folder,
                                    apr_array_header_t *names,
                                    acme_err_t *err, apr_pool_t *pool)
{
    acme_err_t no_link = { 0 };
    const char *current = "";
    apr_status_t rv;

    rv = base_link_read(&current, store_path(folder, CURRENT, pool),
                        &no_link, pool);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_ENOENT(rv)) {
        *err = no_link;
        return rv;
    }
    rv = APR_SUCCESS;
    while (rv == APR_SUCCESS && names->nelts > 0) {
        const char **last = apr_array_pop(names);

        if (strcmp(*last, current) <= 0) {
            apr_array_push(names);
            break;
        }
        rv = base_dir_remove(store_path(folder, *last, pool), err, pool);
    }
    return rv;
}

apr_status_t store_certificate_sweep(const char *folder, acme_err_t *err,
                                     apr_pool_t *scratch_pool)
{
    apr_array_header_t *names;
    unsigned long newest;
    apr_status_t rv = generations(&names, &newest, folder, err,
                                  scratch_pool);

    return rv == APR_SUCCESS
           ? drop_unfinished(folder, names, err, scratch_pool) : rv;
}

apr_status_t store_certificate_write(store_t *store, const char *id,
                                     const store_certificate_t *certificate,
                                     acme_err_t *err,
                                     apr_pool_t *scratch_pool)
{
    apr_array_header_t *names;
    const char *folder;
    const char *generation;
    const char *made = NULL;
    unsigned long newest;
    apr_status_t rv;

    rv = store_folder_make(&folder, store, DOMAINS, id, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = generations(&names, &newest, folder, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = drop_unfinished(folder, names, err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    generation = apr_psprintf(scratch_pool, "%0*lu", GENERATION_WIDTH,
                              newest + 1);
    made = store_path(folder, generation, scratch_pool);
    rv = base_dir_make(made, STORE_DIR_MODE, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = write_files(made, certificate, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = base_link_switch(store_path(folder, CURRENT, scratch_pool),
                              generation, err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        acme_err_t second = { 0 };

        if (base_dir_remove(made, &second, scratch_pool) != APR_SUCCESS) {
            base_err_append(err, "%s", second.message);
        }
        return rv;
    }
    return prune(folder, names, err, scratch_pool);
}

apr_status_t store_certificate_meta_write(store_t *store, const char *id,
                                          const json_t *meta,
                                          acme_err_t *err,
                                          apr_pool_t *scratch_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = current_folder(&folder, store, id, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = base_json_write(store_path(folder, "meta.json", scratch_pool),
                             meta, STORE_FILE_MODE, err, scratch_pool);
    }
    return rv;
}

apr_status_t store_certificate_staple_write(store_t *store, const char *id,
                                            const char *der, apr_size_t len,
                                            acme_err_t *err,
                                            apr_pool_t *scratch_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = current_folder(&folder, store, id, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = base_file_write(store_path(folder, "ocsp.der", scratch_pool),
                             der, len, STORE_FILE_MODE, err, scratch_pool);
    }
    return rv;
}
