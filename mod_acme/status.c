/*
 * The section in server-status: the manager, and a table of domains, those
 * that need a look first. ACMEServerStatus switches it off.
 *
 *   HTML             a table; style stands in the elements, as the page is
 *                    mod_status's and has none to add to
 *   HTML, ?notable   the same as a list
 *   ?auto            "Key: value" lines
 *
 * However many domains there are, SHOWN_MAX are shown and the number of the
 * others is told; the handler acme-status has all.
 */
#include "view.h"

#include <stdlib.h>

#include <http_config.h>
#include <http_protocol.h>

#include <apr_optional_hooks.h>
#include <apr_strings.h>

#include <mod_status.h>

#define SHOWN_MAX 100   /* domains */
#define NAMES_MAX 5     /* of a domain, written out */

/* One page in the making. */
typedef struct page_t {
    request_rec *r;
    apr_time_t now;
    acme_manager_view_t manager;
    acme_summary_t summary;
    const acme_domain_t **shown;   /* in order */
    int shown_count;
} page_t;

/* ------------------------------------------------------------ what is shown */

typedef struct rank_t {
    const acme_domain_t *domain;
    int urgency;                   /* of the worst of its certificates */
    apr_time_t first;              /* the first that ends */
    int number;                    /* in order of definition */
} rank_t;

static void rank_make(rank_t *rank, const acme_domain_t *domain, int number,
                      apr_time_t now)
{
    acme_view_t view;
    int k;

    rank->domain = domain;
    rank->urgency = 0;
    rank->first = 0;
    rank->number = number;
    for (k = 0; k < domain->certificates->nelts; k++) {
        int urgency;

        acme_view_make(&view, domain, k, now);
        urgency = acme_view_urgency(&view);
        rank->urgency = urgency > rank->urgency ? urgency : rank->urgency;
        if (!rank->first || (view.status.not_after
                             && view.status.not_after < rank->first)) {
            rank->first = view.status.not_after;
        }
    }
}

static int rank_compare(const void *a, const void *b)
{
    const rank_t *x = a, *y = b;

    if (x->urgency != y->urgency) {
        return x->urgency > y->urgency ? -1 : 1;
    }
    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    return x->number < y->number ? -1 : 1;
}

static void page_make(page_t *page, request_rec *r)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    rank_t *ranks = apr_palloc(r->pool, sizeof(*ranks)
                                        * ((apr_size_t)domains->nelts + 1));
    int i;

    page->r = r;
    page->now = apr_time_now();
    acme_manager_view_make(&page->manager);
    acme_summary_make(&page->summary, page->now);
    for (i = 0; i < domains->nelts; i++) {
        rank_make(&ranks[i], APR_ARRAY_IDX(domains, i, acme_domain_t *), i,
                  page->now);
    }
    qsort(ranks, (size_t)domains->nelts, sizeof(*ranks), rank_compare);
    page->shown_count = domains->nelts < SHOWN_MAX ? domains->nelts
                                                   : SHOWN_MAX;
    page->shown = apr_palloc(r->pool, sizeof(*page->shown) * SHOWN_MAX);
    for (i = 0; i < page->shown_count; i++) {
        page->shown[i] = ranks[i].domain;
    }
}

/* ------------------------------------------------------------------- words */

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

/* "5 days": the largest unit of which there are two, or the smallest. */
static const char *span(apr_interval_time_t time, apr_pool_t *p)
{
    static const struct { int seconds; const char *name; } units[] = {
        { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" }
    };
    apr_int64_t seconds = apr_time_sec(time < 0 ? -time : time);
    apr_size_t i = 0;

    while (i < sizeof(units) / sizeof(units[0]) - 1
           && seconds < 2 * units[i].seconds) {
        i++;
    }
    seconds /= units[i].seconds;
    return apr_psprintf(p, "%" APR_INT64_T_FMT " %s%s", seconds,
                        units[i].name, seconds == 1 ? "" : "s");
}

/* "2026-11-24 23:13" */
static const char *minute(apr_time_t t, apr_pool_t *p)
{
    const char *text = acme_view_time(t, p);

    return text ? apr_psprintf(p, "%.10s %.5s", text, text + 11) : "";
}

/* "in 5 days" */
static const char *distance(const page_t *page, apr_time_t t)
{
    const char *text = span(t - page->now, page->r->pool);

    return t > page->now ? apr_pstrcat(page->r->pool, "in ", text, NULL)
                         : apr_pstrcat(page->r->pool, text, " ago", NULL);
}

/* "2026-11-24 23:13 (in 5 days)" */
static const char *moment(const page_t *page, apr_time_t t)
{
    return apr_pstrcat(page->r->pool, minute(t, page->r->pool), " (",
                       distance(page, t), ")", NULL);
}

static const char *manager_words(const page_t *page)
{
    const live_manager_t *live = &page->manager.live;
    apr_pool_t *p = page->r->pool;

    if (!page->manager.running) {
        return !page->manager.enabled ? "off (ACMEManager)"
            : page->summary.domains ? "not running" : "not needed yet";
    }
    if (live->ordering) {
        return apr_psprintf(p, "ordering %u certificate%s (pid %u)",
                            live->ordering, plural((int)live->ordering),
                            live->pid);
    }
    return apr_psprintf(p, "idle (pid %u), last look %s, next %s", live->pid,
                        live->last_pass ? moment(page, live->last_pass)
                                        : "not yet",
                        live->next_wake ? moment(page, live->next_wake)
                                        : "soon");
}

/* "3 valid, 1 missing" */
static const char *states_words(const page_t *page)
{
    const char *text = "";
    int i;

    for (i = ACME_STATES - 1; i >= 0; i--) {
        if (page->summary.states[i]) {
            text = apr_psprintf(page->r->pool, "%s%s%d %s", text,
                                *text ? ", " : "", page->summary.states[i],
                                acme_view_state((live_state_t)i));
        }
    }
    return text;
}

/* What went wrong, as the CA or acmectl said it; "" if nothing did. */
static const char *error_words(const acme_view_t *view, apr_pool_t *p)
{
    static const char urn[] = "urn:ietf:params:acme:error:";
    const live_status_t *status = &view->status;
    const char *type = status->error_type;

    if (!strncmp(type, urn, sizeof(urn) - 1)) {
        type += sizeof(urn) - 1;
    }
    if (!*type) {
        return status->why[0] ? apr_pstrdup(p, status->why) : "";
    }
    return apr_psprintf(p, "%s: %s", type, status->error_detail);
}

/* All but the first one. */
static const char *names_words(const acme_domain_t *domain, apr_pool_t *p)
{
    const char *text = "";
    int i, n = domain->names->nelts;

    for (i = 1; i < n && i < NAMES_MAX; i++) {
        text = apr_pstrcat(p, text, " ",
                           APR_ARRAY_IDX(domain->names, i, const char *),
                           NULL);
    }
    return n > NAMES_MAX ? apr_psprintf(p, "%s and %d more", text,
                                        n - NAMES_MAX) : text;
}

/* -------------------------------------------------------------------- HTML */

#define CELL_STYLE "padding:.3em .8em;border-bottom:1px solid #ccc;" \
                   "text-align:left;vertical-align:top;"
/* Of a width that suits; and of text that may be long, from a stranger. */
#define CELL " style=\"" CELL_STYLE "white-space:nowrap\""
#define CELL_LONG " style=\"" CELL_STYLE "overflow-wrap:anywhere\""
#define SMALL "<br><small style=\"color:#666\">"

static const char *escaped(const page_t *page, const char *text)
{
    return ap_escape_html(page->r->pool, text);
}

static const char *state_colour(const acme_view_t *view)
{
    static const char *const colours[ACME_STATES] = {
        "#666", "#060", "#850", "#a00", "#a00", "#a00"
    };

    return view->status.failures ? "#a00" : colours[view->status.state];
}

/* The state, and how long it may still be. */
static const char *state_html(const page_t *page, const acme_view_t *view)
{
    return apr_psprintf(page->r->pool, "<b style=\"color:%s\">%s</b>%s",
                        state_colour(view),
                        acme_view_state((live_state_t)view->status.state),
                        view->status.ordering ? ", renewing" : "");
}

static const char *validity_html(const page_t *page, const acme_view_t *view)
{
    const live_status_t *status = &view->status;

    if (!status->not_after) {
        return "none";
    }
    return apr_psprintf(page->r->pool, "%s %s" SMALL "%s; %s</small>",
                        status->not_after > page->now ? "until" : "ended",
                        minute(status->not_after, page->r->pool),
                        distance(page, status->not_after),
                        escaped(page, status->issuer));
}

static const char *next_html(const page_t *page, const acme_view_t *view)
{
    apr_time_t when;
    const char *what = acme_view_next(view, &page->manager, &when,
                                      page->now);

    return when ? apr_psprintf(page->r->pool, "%s %s" SMALL "%s</small>",
                               what, minute(when, page->r->pool),
                               distance(page, when)) : what;
}

static const char *names_html(const page_t *page, const acme_domain_t *domain)
{
    const char *more = names_words(domain, page->r->pool);

    return apr_pstrcat(page->r->pool, "<b>", escaped(page, domain->name),
                       "</b>", escaped(page, more), NULL);
}

static const char *error_html(const page_t *page, const acme_view_t *view)
{
    const char *text = error_words(view, page->r->pool);

    if (view->status.failures) {
        text = apr_psprintf(page->r->pool, "%s (%u in a row)", text,
                            view->status.failures);
    }
    return escaped(page, text);
}

static void certificate_row(const page_t *page, const acme_domain_t *domain,
                            int k)
{
    acme_view_t view;

    acme_view_make(&view, domain, k, page->now);
    ap_rputs("<tr>", page->r);
    if (k == 0) {
        ap_rprintf(page->r, "<td rowspan=\"%d\"" CELL_LONG ">%s</td>",
                   domain->certificates->nelts, names_html(page, domain));
    }
    ap_rvputs(page->r, "<td" CELL ">", view.certificate->key_type,
              "</td><td" CELL ">", state_html(page, &view),
              "</td><td" CELL ">", validity_html(page, &view),
              "</td><td" CELL ">", next_html(page, &view),
              "</td><td" CELL_LONG ">", error_html(page, &view),
              "</td></tr>\n", NULL);
}

static void table_put(const page_t *page)
{
    static const char *const heads[] = {
        "Names", "Key", "State", "Validity", "Next action", "Last error"
    };
    apr_size_t h;
    int i, k;

    ap_rputs("<table border=\"0\" cellspacing=\"0\" style=\""
             "border-collapse:collapse\">\n<tr>", page->r);
    for (h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
        ap_rvputs(page->r, "<th" CELL ">", heads[h], "</th>", NULL);
    }
    ap_rputs("</tr>\n", page->r);
    for (i = 0; i < page->shown_count; i++) {
        for (k = 0; k < page->shown[i]->certificates->nelts; k++) {
            certificate_row(page, page->shown[i], k);
        }
    }
    ap_rputs("</table>\n", page->r);
}

static void certificate_item(const page_t *page, const acme_domain_t *domain,
                             int k)
{
    acme_view_t view;

    acme_view_make(&view, domain, k, page->now);
    ap_rvputs(page->r, "<dd>", view.certificate->key_type, ": ",
              state_html(page, &view), "; ", validity_html(page, &view),
              "; next: ", next_html(page, &view), NULL);
    if (*error_words(&view, page->r->pool)) {
        ap_rvputs(page->r, "; last error: ", error_html(page, &view), NULL);
    }
    ap_rputs("</dd>\n", page->r);
}

static void list_put(const page_t *page)
{
    int i, k;

    ap_rputs("<dl>\n", page->r);
    for (i = 0; i < page->shown_count; i++) {
        ap_rvputs(page->r, "<dt>", names_html(page, page->shown[i]),
                  "</dt>\n", NULL);
        for (k = 0; k < page->shown[i]->certificates->nelts; k++) {
            certificate_item(page, page->shown[i], k);
        }
    }
    ap_rputs("</dl>\n", page->r);
}

/* How each CA answers. */
static void cas_put(const page_t *page)
{
    int i;

    for (i = 0; i < LIVE_CAS_MAX && page->manager.live.cas[i].url[0]; i++) {
        const live_ca_t *ca = &page->manager.live.cas[i];

        ap_rprintf(page->r, "<dt>CA %s: %" APR_UINT64_T_FMT " requests",
                   escaped(page, ca->url), ca->requests);
        if (ca->replies) {
            ap_rprintf(page->r, ", answered in %.0f ms on average, %.0f ms "
                       "at most in the last run",
                       (double)ca->latency / (double)ca->replies / 1000,
                       (double)ca->slowest / 1000);
        }
        ap_rputs("</dt>\n", page->r);
    }
}

static void html_put(const page_t *page, int flags)
{
    const acme_summary_t *summary = &page->summary;
    int left = summary->domains - page->shown_count;

    ap_rputs("<hr />\n<h2>ACME certificates</h2>\n<dl>\n", page->r);
    ap_rprintf(page->r, "<dt>%d domain%s, %d certificate%s%s%s</dt>\n",
               summary->domains, plural(summary->domains),
               summary->certificates, plural(summary->certificates),
               summary->certificates ? ": " : "", states_words(page));
    ap_rprintf(page->r, "<dt>Manager: %s</dt>\n",
               escaped(page, manager_words(page)));
    if (page->manager.running && page->manager.live.trouble[0]) {
        ap_rvputs(page->r, "<dt style=\"color:#a00\">It cannot work now: ",
                  escaped(page, page->manager.live.trouble), "</dt>\n",
                  NULL);
    }
    ap_rprintf(page->r, "<dt>Orders: %" APR_UINT64_T_FMT " issued, %"
               APR_UINT64_T_FMT " failed</dt>\n",
               page->manager.live.issued, page->manager.live.failed);
    cas_put(page);
    ap_rputs("<dt>Times are UTC.</dt>\n</dl>\n", page->r);
    if (page->shown_count == 0) {
        return;
    }
    if (flags & AP_STATUS_NOTABLE) {
        list_put(page);
    }
    else {
        table_put(page);
    }
    if (left > 0) {
        ap_rprintf(page->r, "<p>%d more domain%s not shown, none of which "
                   "is more urgent.</p>\n", left, left == 1 ? " is"
                                                           : "s are");
    }
}

/* ------------------------------------------------------------------- ?auto */

static void line_put(const page_t *page, int n, const char *key,
                     const char *value)
{
    if (value && *value) {
        ap_rprintf(page->r, "ACMECertificate[%d]%s: %s\n", n, key, value);
    }
}

static void certificate_lines(const page_t *page, const acme_view_t *view,
                              int n)
{
    apr_pool_t *p = page->r->pool;
    apr_time_t when;
    const char *next = acme_view_next(view, &page->manager, &when,
                                      page->now);

    line_put(page, n, "Name", view->domain->name);
    line_put(page, n, "KeyType", view->certificate->key_type);
    line_put(page, n, "State",
             acme_view_state((live_state_t)view->status.state));
    line_put(page, n, "NotBefore", acme_view_time(view->status.not_before,
                                                  p));
    line_put(page, n, "NotAfter", acme_view_time(view->status.not_after, p));
    line_put(page, n, "NextAction", next);
    line_put(page, n, "NextActionTime", acme_view_time(when, p));
    line_put(page, n, "Failures", apr_psprintf(p, "%u",
                                               view->status.failures));
    line_put(page, n, "LastError", error_words(view, p));
}

static void auto_put(const page_t *page)
{
    const acme_summary_t *summary = &page->summary;
    const live_manager_t *live = &page->manager.live;
    acme_view_t view;
    int i, k, n = 0;

    ap_rprintf(page->r, "ACMEDomains: %d\nACMECertificates: %d\n",
               summary->domains, summary->certificates);
    for (i = 0; i < ACME_STATES; i++) {
        ap_rprintf(page->r, "ACMECertificates-%s: %d\n",
                   acme_view_state((live_state_t)i), summary->states[i]);
    }
    ap_rprintf(page->r, "ACMECertificates-renewing: %d\n"
               "ACMECertificates-failing: %d\n", summary->ordering,
               summary->failing);
    ap_rprintf(page->r, "ACMEManager: %s\n", page->manager.running
               ? live->ordering ? "ordering" : "idle"
               : page->manager.enabled ? "not running" : "off");
    if (page->manager.running && live->trouble[0]) {
        ap_rvputs(page->r, "ACMEManagerTrouble: ", live->trouble, "\n",
                  NULL);
    }
    ap_rprintf(page->r, "ACMEOrdersIssued: %" APR_UINT64_T_FMT
               "\nACMEOrdersFailed: %" APR_UINT64_T_FMT "\n", live->issued,
               live->failed);
    for (i = 0; i < page->shown_count; i++) {
        for (k = 0; k < page->shown[i]->certificates->nelts; k++) {
            acme_view_make(&view, page->shown[i], k, page->now);
            certificate_lines(page, &view, n++);
        }
    }
    ap_rprintf(page->r, "ACMEDomainsNotShown: %d\n",
               summary->domains - page->shown_count);
}

static int status_hook(request_rec *r, int flags)
{
    page_t page;

    if (!acme_server_status_enabled()) {
        return DECLINED;
    }
    page_make(&page, r);
    if (flags & AP_STATUS_SHORT) {
        auto_put(&page);
    }
    else {
        html_put(&page, flags);
    }
    return OK;
}

void acme_status_register(apr_pool_t *p)
{
    APR_OPTIONAL_HOOK(ap, status_hook, status_hook, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
