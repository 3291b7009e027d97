/*
 * domain: the ACMEDomain that the names of a certificate are in.
 *
 *     names of the certificate
 *        in no ACMEDomain           a new one, in the TLS host
 *        all in one                 nothing to do
 *        some in one, others not    that one is extended wherever it stands
 *        in two                     refused: a name has one certificate
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

/* What the plan and the document say of some names. */
typedef struct owners_t {
    const json_t *domain;        /* of the document; NULL */
    const apr_array_header_t *planned;  /* of this plan; NULL */
    const char *name;            /* the first that is in one of them */
    const char *other;           /* one that is in another one; NULL */
    int missing;                 /* names that are in none */
} owners_t;

static apr_array_header_t *planned_of(const configurator_plan_t *plan,
                                      const char *name)
{
    int i;

    for (i = 0; i < plan->domains->nelts; i++) {
        apr_array_header_t *names = APR_ARRAY_IDX(plan->domains, i,
                                                  apr_array_header_t *);

        if (base_list_has_name(names, name)) {
            return names;
        }
    }
    return NULL;
}

static owners_t owners_of(const configurator_plan_t *plan,
                          const apr_array_header_t *names)
{
    owners_t found = { NULL, NULL, NULL, NULL, 0 };
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const apr_array_header_t *planned = planned_of(plan, name);
        const json_t *domain = planned ? NULL : domain_of(plan->c, name);

        if (!planned && !domain) {
            found.missing++;
        }
        else if (!found.name) {
            found.name = name;
            found.domain = domain;
            found.planned = planned;
        }
        else if (domain != found.domain || planned != found.planned) {
            found.other = name;
        }
    }
    return found;
}

/* ----------------------------------------------------------- extending */

/* Its names and the new ones behind them. */
static apr_array_header_t *names_extended(const json_t *domain,
                                          const apr_array_header_t *names,
                                          apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 4, sizeof(char *));
    const json_t *name;
    size_t i;
    int j;

    json_array_foreach(json_object_get(domain, "names"), i, name) {
        APR_ARRAY_PUSH(all, const char *) = json_string_value(name);
    }
    for (j = 0; j < names->nelts; j++) {
        if (!base_list_has_name(all, APR_ARRAY_IDX(names, j, const char *))) {
            APR_ARRAY_PUSH(all, const char *) = APR_ARRAY_IDX(names, j,
                                                              const char *);
        }
    }
    return all;
}

/* 1 if an ACMEDomain of a host makes the domain: by its first name, or
 * without arguments by the host's. */
static int makes(const configurator_t *c, const host_t *host,
                 const directive_t *directive, const json_t *domain,
                 apr_pool_t *pool)
{
    const apr_array_header_t *words = directive_words(directive, pool);
    const char *name = words->nelts ? APR_ARRAY_IDX(words, 0, const char *)
                                    : host->server_name;

    if (strcasecmp(directive->name, "ACMEDomain") != 0 || !name) {
        return 0;
    }
    return domain_of(c, name_lower(name, pool)) == domain;
}

/* Write all names into an ACMEDomain of a virtual host. */
static apr_status_t host_extend(configurator_plan_t *plan,
                                const host_t *host,
                                const directive_t *directive,
                                const apr_array_header_t *all,
                                acme_err_t *err)
{
    plan_host_t *edited;
    apr_status_t rv;
    int node;

    if (!host->file || strcmp(directive->file, host->file) != 0) {
        return plan_refuse(plan, NULL, err, "the ACMEDomain of \"%s\" does "
                           "not stand in its virtual host's own text (%s:%d): "
                           "give it the names %s by hand",
                           directive->args, directive->file, directive->line,
                           apr_array_pstrcat(plan->pool, all, ' '));
    }
    rv = plan_host(&edited, plan, host->index, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    node = block_node_of(edited->block, directive);
    return node < 0
           ? plan_refuse(plan, NULL, err, "%s:%d is not the ACMEDomain that "
                         "httpd has read there", directive->file,
                         directive->line)
           : block_set_all(edited->block, node, all, err);
}

/* Write all names into an ACMEDomain of the main server. */
static apr_status_t main_extend(configurator_plan_t *plan,
                                const directive_t *directive,
                                const apr_array_header_t *all,
                                acme_err_t *err)
{
    apr_array_header_t *lines = apr_array_make(plan->pool, 1,
                                               sizeof(char *));
    plan_file_t *file;
    apr_status_t rv;
    int line;

    if (!*directive->file) {
        return plan_refuse(plan, NULL, err, "the ACMEDomain of \"%s\" is "
                           "made by a macro or on the command line: give it "
                           "the names %s by hand", directive->args,
                           apr_array_pstrcat(plan->pool, all, ' '));
    }
    rv = plan_host_file(&file, plan, directive->file, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    line = plan_line_of(file, directive);
    if (line < 0) {
        return plan_refuse(plan, NULL, err, "%s:%d is not the ACMEDomain "
                           "that httpd has read there", directive->file,
                           directive->line);
    }
    APR_ARRAY_PUSH(lines, const char *) =
        apr_pstrcat(plan->pool, "ACMEDomain ",
                    apr_array_pstrcat(plan->pool, all, ' '), NULL);
    rv = edits_insert(file->edits, line, lines, err);
    return rv == APR_SUCCESS ? edits_remove(file->edits, line, err) : rv;
}

/* Extend each ACMEDomain that makes the domain: they join only while they
 * have the same names. @return how many in *pcount */
static apr_status_t host_claims(configurator_plan_t *plan, int *pcount,
                                const host_t *host, const json_t *domain,
                                const apr_array_header_t *all,
                                acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < host->directives->nelts && rv == APR_SUCCESS; i++) {
        const directive_t *d = &APR_ARRAY_IDX(host->directives, i,
                                              directive_t);

        if (makes(plan->c, host, d, domain, plan->pool)) {
            (*pcount)++;
            rv = host->index == CONFIGURATOR_MAIN
                 ? main_extend(plan, d, all, err)
                 : host_extend(plan, host, d, all, err);
        }
    }
    return rv;
}

static apr_status_t domain_extend(configurator_plan_t *plan,
                                  const json_t *domain,
                                  const apr_array_header_t *names,
                                  acme_err_t *err)
{
    apr_array_header_t *all = names_extended(domain, names, plan->pool);
    const char *file = json_string_value(json_object_get(domain, "file"));
    apr_status_t rv = APR_SUCCESS;
    int i, count = 0;

    for (i = CONFIGURATOR_MAIN; i < plan->c->hosts->nelts
         && rv == APR_SUCCESS; i++) {
        rv = host_claims(plan, &count, host_at(plan->c, i), domain, all,
                         err);
    }
    if (rv == APR_SUCCESS && count == 0) {
        rv = plan_refuse(plan, NULL, err, "the certificate of %s is made by "
                         "a section <ACMEDomain> (%s:%d): give it the names "
                         "%s by hand",
                         json_string_value(json_object_get(domain, "name")),
                         file, (int)json_integer_value(
                             json_object_get(domain, "line")),
                         apr_array_pstrcat(plan->pool, all, ' '));
    }
    if (rv == APR_SUCCESS) {
        APR_ARRAY_PUSH(plan->domains, apr_array_header_t *) = all;
        plan_step(plan, "let the ACMEDomain of %s have the names %s",
                  json_string_value(json_object_get(domain, "name")),
                  apr_array_pstrcat(plan->pool, all, ' '));
    }
    return rv;
}

apr_status_t domain_plan(configurator_plan_t *plan, int *pinsert,
                         int *pchanged, const apr_array_header_t *names,
                         acme_err_t *err)
{
    owners_t owners = owners_of(plan, names);

    *pinsert = 0;
    plan->acme = 1;
    if (owners.other || (owners.planned && owners.missing)) {
        return base_err_set(err, APR_EEXIST, BASE_EXIT_FAILED,
                            "%s and %s are not in one certificate: each name "
                            "is in one ACMEDomain only: secure them one by "
                            "one", owners.name,
                            owners.other ? owners.other : "the other names");
    }
    if (owners.name && owners.missing == 0) {
        return APR_SUCCESS;
    }
    *pchanged = 1;
    if (owners.domain) {
        return domain_extend(plan, owners.domain, names, err);
    }
    *pinsert = 1;
    APR_ARRAY_PUSH(plan->domains, apr_array_header_t *) =
        apr_array_copy(plan->pool, names);
    return APR_SUCCESS;
}
