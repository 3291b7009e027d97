/*
 * enhance: redirect, HSTS and stapling, on or off.
 *
 *     what           where          directive
 *     redirect       http host      ACMERequireHTTPS permanent; of the
 *                                       main server in <ACMEDomain>
 *     HSTS           TLS host       Header always set
 *                                       Strict-Transport-Security ...
 *     stapling       TLS host       SSLUseStapling on
 *
 * On: whatever says the same already, in whatever file, is enough. Off:
 * what the host's own text says is taken away; what a snippet says is not
 * ours to change, and is named.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

#define HSTS_NAME "Strict-Transport-Security"
/* 180 days. Source: RFC 6797 6.1.1; ours. */
#define HSTS_VALUE "max-age=15552000"

/* What is done to one host. */
typedef struct edit_t {
    configurator_plan_t *plan;
    int *pchanged;
    const host_t *host;          /* as the dump has it; of a new host the
                                    original */
    plan_new_t *new;             /* NULL: it is there already */
    const char *place;           /* for people */
} edit_t;

static const directive_t *directive_at(const host_t *host, int i)
{
    return &APR_ARRAY_IDX(host->directives, i, directive_t);
}

/* The block of the host that is edited; NULL for what the main server's
 * new host is made of. */
static apr_status_t block_of(block_t **pblock, const edit_t *edit,
                             acme_err_t *err)
{
    plan_host_t *host;
    apr_status_t rv = APR_SUCCESS;

    if (edit->new) {
        *pblock = edit->new->block;
        return APR_SUCCESS;
    }
    rv = plan_host(&host, edit->plan, edit->host->index, err);
    *pblock = rv == APR_SUCCESS ? host->block : NULL;
    return rv;
}

/* Put a directive in; words are its arguments, separated by blanks. */
static apr_status_t put(const edit_t *edit, const char *name,
                        const char *args, acme_err_t *err)
{
    apr_pool_t *pool = edit->plan->pool;
    directive_t d = { name, args, "", 0, "", 0 };
    block_t *block;
    apr_status_t rv = block_of(&block, edit, err);

    if (rv == APR_SUCCESS && block) {
        rv = block_insert(block, -1, name, directive_words(&d, pool), err);
    }
    else if (rv == APR_SUCCESS) {
        APR_ARRAY_PUSH(edit->new->lines, const char *) =
            apr_pstrcat(pool, name, " ", args, NULL);
    }
    if (rv == APR_SUCCESS) {
        *edit->pchanged = 1;
        plan_step(edit->plan, "set %s %s in %s", name, args, edit->place);
    }
    return rv;
}

/* Take a directive of the host's own text away. */
static apr_status_t take(const edit_t *edit, const directive_t *d,
                         acme_err_t *err)
{
    block_t *block = NULL;
    apr_status_t rv;
    int node;

    if (!edit->host->file || strcmp(d->file, edit->host->file) != 0) {
        return plan_refuse(edit->plan, NULL, err, "%s %s of the virtual host "
                           "at %s stands in %s:%d, which others may include: "
                           "take it away there", d->name, d->args,
                           edit->place, *d->file ? d->file : "a macro",
                           d->line);
    }
    rv = block_of(&block, edit, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    node = block ? block_node_of(block, d) : -1;
    if (node < 0) {
        return plan_refuse(edit->plan, NULL, err, "%s:%d is not the %s that "
                           "httpd has read there", d->file, d->line,
                           d->name);
    }
    *edit->pchanged = 1;
    plan_step(edit->plan, "remove %s %s from %s", d->name, d->args,
              edit->place);
    return block_remove(block, node, err);
}

/* The last word of a directive counts. @return index; -1 */
static int last_of(const host_t *host, const char *name)
{
    int i, last = -1;

    for (i = host_directive(host, name, 0); i >= 0;
         i = host_directive(host, name, i + 1)) {
        if (!*directive_at(host, i)->within) {
            last = i;
        }
    }
    return last;
}

/* -------------------------------------------------------------- redirect */

/* The directive by which the host sends all to https itself; NULL. */
static const directive_t *redirect_of(const edit_t *edit)
{
    const apr_array_header_t *list = redirects_find(edit->plan->c,
        edit->host, edit->plan->c->https, edit->plan->pool);
    int i;

    for (i = 0; i < list->nelts; i++) {
        const redirect_t *one = &APR_ARRAY_IDX(list, i, redirect_t);

        if (one->whole) {
            return directive_at(edit->host, one->last);
        }
    }
    return NULL;
}

/* What ACMERequireHTTPS of the name's domain says; it holds where the host
 * says nothing. */
static const char *domain_says(const configurator_t *c, const char *name)
{
    const json_t *settings = json_object_get(domain_of(c, name), "settings");
    const char *says = json_string_value(json_object_get(settings,
                                                         "require_https"));

    return says ? says : "off";
}

/* ---------------------------------------- redirect of the main server */

/* The names of the domain that name's TLS host is, or will be, served
 * with, as words; NULL: it is served with files. */
static const char *domain_words(const configurator_plan_t *plan,
                                const char *name)
{
    const plan_new_t *new = plan_new_find(plan, CONFIGURATOR_MAIN);
    const json_t *list = json_object_get(domain_of(plan->c, name), "names");
    const json_t *one;
    const char *words = NULL;
    size_t i;

    if (new) {
        return new->certificate_file ? NULL
            : apr_array_pstrcat(plan->pool, new->names, ' ');
    }
    json_array_foreach(list, i, one) {
        words = apr_pstrcat(plan->pool, words ? words : "", words ? " " : "",
                            json_string_value(one), NULL);
    }
    return words;
}

static apr_status_t main_file(plan_file_t **pfile, const edit_t *edit,
                              acme_err_t *err)
{
    return plan_file(pfile, edit->plan, json_string_value(
        json_object_get(server_of(edit->plan->c), "config")),
        JOURNAL_STEP_HOSTS, err);
}

/* A section of its own: what stands outside one is of all domains. */
static apr_status_t main_redirect(const edit_t *edit, const char *name,
                                  acme_err_t *err)
{
    configurator_plan_t *plan = edit->plan;
    const char *words = domain_words(plan, name);
    apr_array_header_t *lines = apr_array_make(plan->pool, 3, sizeof(char *));
    plan_file_t *file;
    apr_status_t rv;

    if (!words) {
        return plan_refuse(plan, apr_psprintf(plan->pool, "<ACMEDomain %s>\n"
                           "    ACMERequireHTTPS permanent\n</ACMEDomain>\n",
                           name), err, "the main server serves %s, and its "
                           "settings are those of all domains: write the "
                           "redirect into a section <ACMEDomain>", name);
    }
    APR_ARRAY_PUSH(lines, const char *) = apr_psprintf(plan->pool,
                                                       "<ACMEDomain %s>",
                                                       words);
    APR_ARRAY_PUSH(lines, const char *) = "ACMERequireHTTPS permanent";
    APR_ARRAY_PUSH(lines, const char *) = "</ACMEDomain>";
    rv = main_file(&file, edit, err);
    if (rv == APR_SUCCESS) {
        rv = edits_insert(file->edits, -1, lines, err);
    }
    if (rv == APR_SUCCESS) {
        *edit->pchanged = 1;
        plan_step(plan, "add a section <ACMEDomain> with ACMERequireHTTPS "
                  "permanent at the end of %s", file->text->path);
    }
    return rv;
}

/* The index of <ACMEDomain ...name...> that says ACMERequireHTTPS and
 * nothing else; -1. */
static int section_find(const text_t *text, const char *name,
                        apr_pool_t *pool)
{
    int i;

    for (i = 0; i + 2 < text->lines->nelts; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i, scan_line_t);

        if (line->kind == SCAN_OPEN && line->mate == i + 2
            && strcasecmp(line->name, "ACMEDomain") == 0
            && strcasecmp(line[1].name, "ACMERequireHTTPS") == 0
            && base_list_has_name(text_words(text, line, pool), name)) {
            return i;
        }
    }
    return -1;
}

/* Take that section away. */
static apr_status_t main_redirect_take(const edit_t *edit, const char *name,
                                       acme_err_t *err)
{
    plan_file_t *file;
    apr_status_t rv = main_file(&file, edit, err);
    int open = rv == APR_SUCCESS
               ? section_find(file->text, name, edit->plan->pool) : -1;

    if (rv == APR_SUCCESS && open < 0) {
        return plan_refuse(edit->plan, NULL, err, "the main server serves %s "
                           "by http, and its settings are those of all "
                           "domains: take ACMERequireHTTPS away by hand",
                           name);
    }
    if (rv == APR_SUCCESS) {
        rv = edits_remove(file->edits, open, err);
    }
    if (rv == APR_SUCCESS) {
        *edit->pchanged = 1;
        plan_step(edit->plan, "remove the section <ACMEDomain> with "
                  "ACMERequireHTTPS from %s", file->text->path);
    }
    return rv;
}

/* -------------------------------------------------- redirect of a host */

/* Let the host's own word be another. */
static apr_status_t require_set(const edit_t *edit, int own,
                                const char *value, acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (own >= 0) {
        rv = take(edit, directive_at(edit->host, own), err);
    }
    return rv == APR_SUCCESS ? put(edit, "ACMERequireHTTPS", value, err)
                             : rv;
}

/* 1 if this plan has put it in. */
static int is_planned(const edit_t *edit, int what)
{
    const plan_host_t *host = plan_host_find(edit->plan, edit->host->index);

    return ((edit->new ? edit->new->enhanced : host ? host->enhanced : 0)
            & what) != 0;
}

static void note_planned(const edit_t *edit, int what)
{
    plan_host_t *host = plan_host_find(edit->plan, edit->host->index);

    if (edit->new) {
        edit->new->enhanced |= what;
    }
    else if (host) {
        host->enhanced |= what;
    }
}

static apr_status_t redirect_on(const edit_t *edit, const char *name,
                                acme_err_t *err)
{
    int own = last_of(edit->host, "ACMERequireHTTPS");
    const char *says = own >= 0 && edit->host->index != CONFIGURATOR_MAIN
                       ? directive_at(edit->host, own)->args
                       : domain_says(edit->plan->c, name);
    const directive_t *there = redirect_of(edit);
    apr_status_t rv;

    if (strcasecmp(says, "off") != 0 || is_planned(edit, PLAN_REDIRECT)) {
        return APR_SUCCESS;
    }
    if (there) {
        plan_step(edit->plan, "leave %s as it is: %s in %s:%d redirects to "
                  "https already", edit->place, there->name, there->file,
                  there->line);
        return APR_SUCCESS;
    }
    edit->plan->acme = 1;
    rv = edit->host->index == CONFIGURATOR_MAIN
         ? main_redirect(edit, name, err)
         : require_set(edit, own, "permanent", err);
    note_planned(edit, PLAN_REDIRECT);
    return rv;
}

/* Take away each redirect to https with its conditions. */
static apr_status_t redirects_take(const edit_t *edit, acme_err_t *err)
{
    const apr_array_header_t *list = redirects_find(edit->plan->c,
        edit->host, edit->plan->c->https, edit->plan->pool);
    apr_status_t rv = APR_SUCCESS;
    int i, n;

    for (i = 0; i < list->nelts; i++) {
        const redirect_t *one = &APR_ARRAY_IDX(list, i, redirect_t);

        for (n = one->first; one->whole && n <= one->last
             && rv == APR_SUCCESS; n++) {
            rv = take(edit, directive_at(edit->host, n), err);
        }
    }
    return rv;
}

static apr_status_t redirect_off(const edit_t *edit, const char *name,
                                 acme_err_t *err)
{
    int own = last_of(edit->host, "ACMERequireHTTPS");
    int inherited = strcasecmp(domain_says(edit->plan->c, name), "off") != 0;
    apr_status_t rv = APR_SUCCESS;

    if (edit->host->index == CONFIGURATOR_MAIN) {
        rv = inherited ? main_redirect_take(edit, name, err) : APR_SUCCESS;
        return rv == APR_SUCCESS ? redirects_take(edit, err) : rv;
    }
    if (own >= 0
        && strcasecmp(directive_at(edit->host, own)->args, "off") != 0) {
        rv = inherited ? require_set(edit, own, "off", err)
                       : take(edit, directive_at(edit->host, own), err);
    }
    else if (own < 0 && inherited) {
        rv = put(edit, "ACMERequireHTTPS", "off", err);
    }
    return rv == APR_SUCCESS ? redirects_take(edit, err) : rv;
}

/* ------------------------------------------------------------------ HSTS */

/* 1 if a Header directive sets it: "always" and a condition may stand
 * around. */
static int sets_hsts(const directive_t *d, apr_pool_t *pool)
{
    const apr_array_header_t *words = directive_words(d, pool);
    int i, adds = 0;

    for (i = 0; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        if (strcasecmp(word, "set") == 0 || strcasecmp(word, "add") == 0
            || strcasecmp(word, "append") == 0
            || strcasecmp(word, "merge") == 0
            || strcasecmp(word, "setifempty") == 0) {
            adds = 1;
        }
        else if (strcasecmp(word, HSTS_NAME) == 0) {
            return adds;
        }
    }
    return 0;
}

/* Index of the host's next Header that sets it; -1. */
static int hsts_of(const host_t *host, int from, apr_pool_t *pool)
{
    int i;

    for (i = host_directive(host, "Header", from); i >= 0;
         i = host_directive(host, "Header", i + 1)) {
        if (sets_hsts(directive_at(host, i), pool)) {
            return i;
        }
    }
    return -1;
}

static apr_status_t hsts_on(const edit_t *edit, const char *name,
                            acme_err_t *err)
{
    apr_pool_t *pool = edit->plan->pool;
    apr_status_t rv;

    (void)name;
    if (hsts_of(edit->host, 0, pool) >= 0
        || hsts_of(edit->plan->c->main, 0, pool) >= 0
        || is_planned(edit, PLAN_HSTS)) {
        return APR_SUCCESS;
    }
    plan_want_module(edit->plan, "headers", HSTS_NAME);
    rv = put(edit, "Header", "always set " HSTS_NAME " " HSTS_VALUE, err);
    note_planned(edit, PLAN_HSTS);
    return rv;
}

static apr_status_t hsts_off(const edit_t *edit, const char *name,
                             acme_err_t *err)
{
    apr_pool_t *pool = edit->plan->pool;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = hsts_of(edit->host, 0, pool); i >= 0 && rv == APR_SUCCESS;
         i = hsts_of(edit->host, i + 1, pool)) {
        rv = take(edit, directive_at(edit->host, i), err);
    }
    if (rv == APR_SUCCESS && hsts_of(edit->plan->c->main, 0, pool) >= 0) {
        const directive_t *d = directive_at(edit->plan->c->main,
            hsts_of(edit->plan->c->main, 0, pool));

        return plan_refuse(edit->plan, NULL, err, "%s is sent by all virtual "
                           "hosts: %s:%d", HSTS_NAME, d->file, d->line);
    }
    if (*edit->pchanged) {
        plan_warn(edit->plan, "Browsers that have seen %s of %s keep it in "
                  "mind until its time is over.", HSTS_NAME, name);
    }
    return rv;
}

/* -------------------------------------------------------------- stapling */

static void stapling_note(const edit_t *edit, int on)
{
    plan_host_t *host = plan_host_find(edit->plan, edit->host->index);

    if (edit->new) {
        edit->new->stapling = on;
    }
    else if (host) {
        host->stapling = on;
    }
    note_planned(edit, PLAN_STAPLING);
}

/* Put it on or off, in place of what the host says itself. */
static apr_status_t stapling_set(const edit_t *edit, const char *value,
                                 acme_err_t *err)
{
    int own = last_of(edit->host, "SSLUseStapling");
    apr_status_t rv = APR_SUCCESS;

    if (own >= 0) {
        rv = take(edit, directive_at(edit->host, own), err);
    }
    return rv == APR_SUCCESS ? put(edit, "SSLUseStapling", value, err) : rv;
}

static apr_status_t stapling_on(const edit_t *edit, const char *name,
                                acme_err_t *err)
{
    apr_status_t rv;

    (void)name;
    if (!json_is_true(json_object_get(server_of(edit->plan->c),
                                      "stapling_cache"))) {
        *edit->pchanged = *edit->pchanged || !edit->plan->stapling_cache;
        edit->plan->stapling_cache = 1;
    }
    if (edit->host->stapling || is_planned(edit, PLAN_STAPLING)) {
        return APR_SUCCESS;
    }
    rv = stapling_set(edit, "on", err);
    if (rv == APR_SUCCESS) {
        stapling_note(edit, 1);
    }
    return rv;
}

static apr_status_t stapling_off(const edit_t *edit, const char *name,
                                 acme_err_t *err)
{
    const host_t *main = edit->plan->c->main;
    int own = last_of(edit->host, "SSLUseStapling");
    int all = last_of(main, "SSLUseStapling");
    apr_status_t rv;

    (void)name;
    if (!edit->host->stapling) {
        return APR_SUCCESS;
    }
    rv = own >= 0 && (all < 0
         || strcasecmp(directive_at(main, all)->args, "on") != 0)
         ? take(edit, directive_at(edit->host, own), err)
         : stapling_set(edit, "off", err);
    if (rv == APR_SUCCESS) {
        stapling_note(edit, 0);
    }
    return rv;
}

/* ---------------------------------------------------------------- which */

typedef apr_status_t enhance_fn(const edit_t *edit, const char *name,
                                acme_err_t *err);

static const struct {
    enhance_fn *on, *off;
    int tls;                     /* 1: in the TLS host */
    const char *paste;           /* what people may write themselves */
} table[] = {
    { redirect_on, redirect_off, 0, "ACMERequireHTTPS permanent\n" },
    { hsts_on, hsts_off, 1,
      "Header always set " HSTS_NAME " \"" HSTS_VALUE "\"\n" },
    { stapling_on, stapling_off, 1, "SSLUseStapling on\n" }
};

/* The TLS host of a name: one that this plan makes, or one that is there. */
static apr_status_t tls_find(edit_t *edit, const char *name,
                             acme_err_t *err)
{
    const configurator_t *c = edit->plan->c;
    configurator_host_t tls;

    edit->new = plan_new_find(edit->plan, edit->host->index);
    if (edit->new) {
        edit->place = apr_psprintf(edit->plan->pool, "the TLS twin of %s",
                                   edit->place);
        return APR_SUCCESS;
    }
    tls = deploy_tls(c, edit->host, name, c->https);
    if (tls == CONFIGURATOR_NONE) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "no virtual host serves %s by TLS: run secure "
                            "first", name);
    }
    edit->host = host_at(c, tls);
    edit->place = host_place(edit->host, edit->plan->pool);
    return APR_SUCCESS;
}

apr_status_t configurator_enhance(configurator_plan_t *plan, int *presult,
                                  configurator_host_t host, const char *name,
                                  configurator_enhancement_t what, int on,
                                  acme_err_t *err)
{
    edit_t edit = { plan, presult, host_at(plan->c, host), NULL, NULL };
    const char *lower = name_lower(name, plan->pool);
    apr_status_t rv = APR_SUCCESS;

    *presult = 0;
    plan->paste = NULL;
    edit.place = host_place(edit.host, plan->pool);
    if (table[what].tls) {
        rv = tls_find(&edit, lower, err);
    }
    if (rv == APR_SUCCESS) {
        rv = (on ? table[what].on : table[what].off)(&edit, lower, err);
    }
    if (rv == APR_ENOTIMPL && on && !plan->paste) {
        plan->paste = table[what].paste;
    }
    return rv;
}
