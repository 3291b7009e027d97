/*
 * acmectl's arguments: every option where it may stand, and what is said
 * about the others.
 */
#include <sys/types.h>

#include "desk.h"

static const cmd_verb_t *verb;

/* Parse words that single blanks separate; "''" is the empty word. */
static apr_status_t parse(const char *line)
{
    apr_array_header_t *words = apr_array_make(pool, 16, sizeof(char *));
    char *copy = apr_pstrcat(pool, "/usr/sbin/acmectl ", line, NULL);
    char *state;
    char *word = apr_strtok(copy, " ", &state);

    desk_make();
    for (; word; word = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(words, const char *) = strcmp(word, "''") ? word : "";
    }
    return cmd_parse(cmd, &verb, words->nelts,
                     (const char *const *)words->elts);
}

static const char *joined(const apr_array_header_t *words)
{
    return words->nelts ? apr_array_pstrcat(pool, words, ',') : "";
}

static const char *or_none(const char *text)
{
    return text ? text : "-";
}

/* Everything that options can set, one line. */
static const char *all(void)
{
    const cmd_options_t *o = &cmd->options;

    return apr_psprintf(pool, " httpd=%s d=%s f=%s D=%s store=%s kind=%d "
                        "program=%s "
                        "color=%d quiet=%d silent=%d yes=%d changed=%d "
                        "log=%s level=%d wait=%d force=%d dry=%d "
                        "csr=%s cert=%s key=%s "
                        "reason=%s to=%s plan=%d merge=%d keep=%d args=%s ",
                        or_none(cmd->httpd.binary),
                        or_none(cmd->httpd.root),
                        or_none(cmd->httpd.config), joined(cmd->defines),
                        or_none(cmd->store_dir),
                        (int)cmd->display_options.kind,
                        or_none(cmd->display_options.program),
                        (int)cmd->display_options.color,
                        cmd->display_options.quiet,
                        cmd->display_options.silent,
                        cmd->display_options.yes, cmd->exit_changed,
                        cmd->log_target, (int)cmd->log_level,
                        (int)apr_time_sec(o->wait), o->force, o->dry_run,
                        or_none(o->csr), or_none(o->cert), or_none(o->key),
                        or_none(o->reason),
                        or_none(o->to), o->plan, o->merge, o->keep,
                        joined(cmd->args));
}

static void sets(const char *line, const char *name, const char *expected)
{
    apr_status_t rv = parse(line);

    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", line, cmd->err.message);
    ck_assert_msg(verb != NULL, "%s", line);
    ck_assert_str_eq(verb->name, name);
    ck_assert_str_eq(cmd->verb, name);
    ck_assert_msg(strstr(all(), apr_pstrcat(pool, " ", expected, " ", NULL))
                  != NULL, "%s: no \"%s\" in%s", line, expected, all());
}

/** What the options of the verbs that edit set. */
static const char *edits(void)
{
    const cmd_options_t *o = &cmd->options;

    return apr_psprintf(pool, "plan=%d redirect=%d no-redirect=%d vhosts=%s "
                        "agree=%d ca=%s roots=%s contact=%s static=%d "
                        "partial=%d", o->plan, o->redirect, o->no_redirect,
                        joined(o->vhosts), o->agree_tos, or_none(o->ca),
                        or_none(o->ca_certificate), or_none(o->contact),
                        o->static_files, o->allow_partial);
}

/* The line is a usage error that says text. */
static void fails(const char *line, const char *text)
{
    ck_assert_msg(parse(line) == APR_EINVAL, "%s", line);
    ck_assert_msg(verb == NULL, "%s", line);
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
    ck_assert_msg(strstr(cmd->err.message, text) != NULL, "%s: \"%s\"", line,
                  cmd->err.message);
}

/* ---------------------------------------------------------------- globals */

static const struct {
    const char *option;
    const char *expected;
} globals[] = {
    { "--httpd /sbin/h", "httpd=/sbin/h" }, { "--httpd=/h", "httpd=/h" },
    { "-d /root", "d=/root" }, { "-d/root", "d=/root" },
    { "-f /conf", "f=/conf" }, { "-f/conf", "f=/conf" },
    { "-D NAME", "D=NAME" }, { "-DNAME", "D=NAME" },
    { "-D A -D B", "D=A,B" },
    { "--store /s", "store=/s" }, { "--store=/s", "store=/s" },
    { "--store /s --store /t", "store=/t" }, { "--store=", "store=" },
    { "--json", "kind=1" }, { "--display json", "kind=1" },
    { "--display text", "kind=0" },
    { "--display dialog", "kind=2 program=-" },
    { "--display dialog:whiptail", "kind=2 program=whiptail" },
    { "--display dialog: --json", "kind=1 program=" },
    { "--json --display text", "kind=0" },
    { "--quiet", "quiet=1" },
    { "-v", "level=5" }, { "-v -v", "level=6" }, { "-vv", "level=6" },
    { "-vvvvvvvvvv", "level=14" }, { "-vvvvvvvvvvvvvvv", "level=15" },
    { "--log syslog", "log=syslog" }, { "--log file:/l", "log=file:/l" },
    { "--log-level emerg", "level=0" }, { "--log-level Debug", "level=7" },
    { "--log-level trace1", "level=8" }, { "--log-level trace8", "level=15" },
    { "--log-level info -v", "level=7" },
    { "--wait 0", "wait=0" }, { "--wait 86400", "wait=86400" },
    { "--wait=30", "wait=30" },
    { "--non-interactive", "silent=1" }, { "--yes", "yes=1" },
    { "--color auto", "color=0" }, { "--color always", "color=1" },
    { "--color=never", "color=2" }, { "--exit-changed", "changed=1" }
};

#define GLOBALS ((int)(sizeof(globals) / sizeof(globals[0])))

/* A global option may stand before the verb, behind it, and behind its
 * arguments. */
START_TEST(globals_stand_anywhere)
{
    const char *option = globals[_i].option;
    const char *expected = globals[_i].expected;

    sets(apr_pstrcat(pool, option, " renew", NULL), "renew", expected);
    sets(apr_pstrcat(pool, "renew ", option, NULL), "renew", expected);
    sets(apr_pstrcat(pool, "renew a ", option, " b", NULL), "renew",
         expected);
    ck_assert_str_eq(joined(cmd->args), "a,b");
}
END_TEST

/* What is not given keeps its default. */
START_TEST(defaults_stay)
{
    sets("status", "status", "args=");
    ck_assert_str_eq(all(), " httpd=- d=- f=- D= store=- kind=0 program=- "
                     "color=0 "
                     "quiet=1 silent=0 yes=0 changed=0 log=stderr "
                     "level=4 wait=0 force=0 "
                     "dry=0 csr=- cert=- key=- reason=- to=- plan=0 "
                     "merge=0 keep=0 args= ");
}
END_TEST

/* A value that an option does not know is refused with those it knows. */
START_TEST(bad_values_are_refused)
{
    static const char *const values[][2] = {
        { "--display dialogue", "use text, dialog, dialog:PROGRAM or json" },
        { "--display TEXT", "use text" }, { "--display=", "\"\"" },
        { "--color blue", "use auto, always or never" },
        { "--color ''", "use auto, always or never" },
        { "--log-level loud", "emerg to trace8" },
        { "--log-level trace9", "emerg to trace8" },
        { "--log-level ''", "emerg to trace8" },
        { "--wait x", "seconds, 0 to 86400" },
        { "--wait ''", "seconds, 0 to 86400" },
        { "--wait -1", "seconds, 0 to 86400" },
        { "--wait +1", "seconds, 0 to 86400" },
        { "--wait 1s", "seconds, 0 to 86400" },
        { "--wait 1.5", "seconds, 0 to 86400" },
        { "--wait 0x10", "seconds, 0 to 86400" },
        { "--wait 86401", "seconds, 0 to 86400" },
        { "--wait 99999999999999999999", "seconds, 0 to 86400" }
    };
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        fails(apr_pstrcat(pool, values[i][0], " renew", NULL),
              values[i][1]);
        fails(apr_pstrcat(pool, "renew ", values[i][0], NULL),
              values[i][1]);
    }
}
END_TEST

/* An option that wants a value and has none, and a value for one that
 * takes none, are named. */
START_TEST(values_are_neither_lost_nor_made_up)
{
    static const char *const options[] = {
        "--httpd", "-d", "-f", "-D", "--store", "--display", "--log",
        "--log-level", "--wait", "--color"
    };
    size_t i;

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        fails(options[i], options[i] + (options[i][1] != '-'));
        fails(apr_pstrcat(pool, "renew ", options[i], NULL),
              "see acmectl --help");
    }
    fails("--json=1 renew", "--json=1");
    fails("--quiet= renew", "--quiet=");
    fails("renew --force=yes", "--force=yes");
}
END_TEST

/* An unknown option is named, wherever it stands; options are not
 * abbreviated and have one case. */
START_TEST(unknown_options_are_named)
{
    fails("--bogus renew", "--bogus");
    fails("renew --bogus", "--bogus");
    fails("renew a --bogus b", "--bogus");
    fails("--sto /s renew", "--sto");
    fails("--storage /s renew", "--storage");
    fails("--JSON renew", "--JSON");
    fails("-x renew", "x");
    fails("renew -vx", "x");
    fails("-json renew", "see acmectl --help");
}
END_TEST

/* ------------------------------------------------------------------ verbs */

/* Each verb has its own options, behind it. */
START_TEST(verbs_have_their_own_options)
{
    sets("issue --force a", "issue", "force=1");
    sets("issue --csr /c", "issue", "csr=/c");
    sets("issue --csr=/c", "issue", "csr=/c");
    sets("renew --force", "renew", "force=1");
    sets("renew --dry-run", "renew", "dry=1");
    sets("revoke --cert /c --key /k --reason superseded", "revoke",
         "cert=/c key=/k reason=superseded");
    sets("revoke a --reason=x", "revoke", "reason=x");
    sets("rollback --to 3 --plan --merge", "rollback",
         "to=3 plan=1 merge=1 keep=0 args=");
    sets("rollback 2 --force", "rollback", "args=2");
    sets("recover --keep", "recover", "plan=0 merge=0 keep=1");
    sets("checkpoints 7", "checkpoints", "args=7");
}
END_TEST

/* Those of the verbs that edit; --vhost may be there more than once. */
START_TEST(verbs_that_edit_have_theirs)
{
    unit_ok(parse("secure a"));
    ck_assert_str_eq(edits(), "plan=0 redirect=0 no-redirect=0 vhosts= "
                     "agree=0 ca=- roots=- contact=- static=0 partial=0");
    unit_ok(parse("secure --plan --redirect --no-redirect --vhost a=/f:1 a "
                  "--vhost b=/f:2 b --agree-tos --ca https://ca/dir "
                  "--ca-certificate /r --contact none --static-files "
                  "--allow-partial"));
    ck_assert_str_eq(edits(), "plan=1 redirect=1 no-redirect=1 "
                     "vhosts=a=/f:1,b=/f:2 agree=1 ca=https://ca/dir "
                     "roots=/r contact=none static=1 partial=1");
    ck_assert_str_eq(joined(cmd->args), "a,b");
    unit_ok(parse("install --plan --static-files --no-redirect "
                  "--agree-tos --ca letsencrypt a"));
    unit_ok(parse("enhance a hsts on --plan --vhost a=/f:1"));
    ck_assert_str_eq(joined(cmd->args), "a,hsts,on");
}
END_TEST

/* Nowhere else are they known. */
START_TEST(verbs_have_no_other_options)
{
    static const char *const lines[] = {
        "--force renew", "--dry-run renew", "--csr /c issue",
        "--cert /c revoke", "issue --dry-run a", "issue --key /k a",
        "renew --csr /c", "renew --reason x", "revoke --force a",
        "revoke --dry-run a", "certificates --force", "status --dry-run",
        "account --force show", "config --csr /c", "--plan secure a",
        "secure --force a",
        "enhance --redirect a", "enhance --static-files a hsts on",
        "validate --plan a", "issue --plan a", "renew --allow-partial",
        "install --allow-partial a"
    };
    size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        fails(lines[i], "invalid option");
    }
}
END_TEST

/* Options and arguments may alternate; the arguments keep their order. */
START_TEST(arguments_keep_their_order)
{
    sets("renew a --force b --json c", "renew", "force=1");
    ck_assert_str_eq(joined(cmd->args), "a,b,c");
    sets("issue a b c", "issue", "args=a,b,c");
    sets("account show", "account", "args=show");
    parse("renew '' a");
    ck_assert_int_eq(cmd->args->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(cmd->args, 0, const char *), "");
}
END_TEST

/* "--" ends the options, before and behind the verb: what follows is the
 * verb, or its arguments, whatever it looks like. */
START_TEST(two_hyphens_end_the_options)
{
    sets("-- renew", "renew", "args=");
    sets("--json -- renew --force", "renew", "force=1");
    sets("renew -- --force -v", "renew", "args=--force,-v");
    ck_assert_int_eq(cmd->options.force, 0);
    sets("renew a -- b --force", "renew", "args=a,b,--force");
    sets("renew --", "renew", "args=");
    fails("-- --json", "the verb \"--json\" is not known");
}
END_TEST

/* Verbs without arguments take none. */
START_TEST(superfluous_arguments_are_refused)
{
    fails("certificates a", "certificates takes no argument such as \"a\"");
    fails("status -- --json", "such as \"--json\"");
    fails("config x y", "such as \"x\"");
}
END_TEST

/* What apachectl passes on as acme-VERB is the verb. */
START_TEST(apachectl_verbs_are_known)
{
    const cmd_verb_t *v;

    for (v = cmd_verbs; v->name; v++) {
        sets(apr_pstrcat(pool, "acme-", v->name, NULL), v->name, "args=");
        sets(v->name, v->name, "args=");
    }
    fails("acme-acme-renew", "acme-acme-renew");
    fails("acme-", "the verb \"acme-\" is not known");
    fails("acme-nosuch", "acme-nosuch");
}
END_TEST

/* A verb that there is not is named; nothing behind it is looked at. */
START_TEST(unknown_verbs_are_named)
{
    fails("nosuch", "the verb \"nosuch\" is not known; acmectl --help");
    fails("nosuch --bogus", "the verb \"nosuch\" is not known");
    fails("Renew", "\"Renew\"");
    fails("ren", "\"ren\"");
    fails("''", "the verb \"\" is not known");
    fails("a\nb", "a\\x0Ab");
    ck_assert_ptr_eq(strchr(cmd->err.message, '\n'), NULL);
}
END_TEST

/* Without a verb there is nothing to do; without even a name as well. */
START_TEST(a_verb_is_needed)
{
    const char *const none[] = { NULL };

    fails("", "acmectl needs a verb");
    fails("--json", "acmectl needs a verb");
    ck_assert_int_eq(cmd->display_options.kind, DISPLAY_JSON);
    fails("-- ", "acmectl needs a verb");
    desk_make();
    ck_assert_int_eq(cmd_parse(cmd, &verb, 0, none), APR_EINVAL);
    ck_assert_ptr_null(verb);
}
END_TEST

/* ------------------------------------------------------------------- help */

/* What a line prints on stdout; it asks for no verb to be run. */
static const char *printed(const char *line)
{
    FILE *file = tmpfile();
    char *text = apr_pcalloc(pool, 16384);
    int saved = dup(1);
    apr_status_t rv;

    fflush(stdout);
    ck_assert_int_ge(dup2(fileno(file), 1), 0);
    rv = parse(line);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    rewind(file);
    ck_assert_uint_lt(fread(text, 1, 16384, file), 16384);
    fclose(file);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", line, cmd->err.message);
    ck_assert_ptr_null(verb);
    return text;
}

static void has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in\n%s", part,
                  text);
}

/* --version prints one line, wherever it stands. */
START_TEST(version_is_printed)
{
    ck_assert_str_eq(printed("--version"), "acmectl " ACMECTL_VERSION "\n");
    ck_assert_str_eq(printed("renew --version"),
                     "acmectl " ACMECTL_VERSION "\n");
    ck_assert_str_eq(printed("--version renew a"),
                     "acmectl " ACMECTL_VERSION "\n");
}
END_TEST

/* --help lists every verb with its sentence, every global option, and what
 * the exit statuses mean. */
START_TEST(help_lists_verbs_and_globals)
{
    static const char *const options[] = {
        "--httpd", "-d ", "-f ", "-D ", "--store", "--json", "--display",
        "--quiet", "-v ", "--log ", "--log-level", "--wait",
        "--non-interactive", "--yes", "--color", "--exit-changed",
        "--version", "--help"
    };
    const char *text = printed("--help");
    const cmd_verb_t *v;
    size_t i;

    has(text, "usage: acmectl [GLOBAL...] VERB");
    for (v = cmd_verbs; v->name; v++) {
        has(text, apr_psprintf(pool, "\n  %-14s %s\n", v->name,
                               v->summary));
    }
    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        has(text, apr_pstrcat(pool, "\n  ", options[i], NULL));
    }
    /* What an option takes stands beside it. */
    has(text, "\n  -D NAME                 define NAME");
    has(text, "\n  --wait SECONDS          to wait");
    has(printed("secure --help"), "\n  --vhost NAME=FILE:LINE  the virtual");
    has(printed("rollback --help"), "\n  --to ID                 undo");
    has(text, "Exit status: 0");
}
END_TEST

/* A verb's help has its own options and the global ones, by either way of
 * asking, also for apachectl. */
START_TEST(help_of_a_verb_has_its_options)
{
    const char *text = printed("renew --help");

    has(text, "usage: acmectl [GLOBAL...] renew [OPTION...] [NAME...]");
    has(text, "get all certificates that are due");
    has(text, "\nOptions:\n  --force");
    has(text, "--dry-run");
    has(text, "\nGlobal options:\n");
    ck_assert_ptr_null(strstr(text, "--csr"));
    ck_assert_str_eq(printed("--help renew"), text);
    ck_assert_str_eq(printed("acme-renew a --help --force"), text);
    ck_assert_ptr_null(strstr(printed("status --help"), "\nOptions:\n"));
}
END_TEST

/* No line is wider than a terminal. */
START_TEST(help_fits_a_terminal)
{
    const cmd_verb_t *v;

    for (v = cmd_verbs; v->name; v++) {
        const char *line = printed(apr_pstrcat(pool, v->name, " --help",
                                               NULL));

        while (*line) {
            size_t len = strcspn(line, "\n");

            ck_assert_msg(len <= 80, "%.*s", (int)len, line);
            line += len + (line[len] == '\n');
        }
    }
}
END_TEST

/* Asking for help does not make a wrong line right. */
START_TEST(help_forgives_nothing)
{
    fails("--help nosuch", "nosuch");
    fails("--help --bogus", "--bogus");
    fails("renew --help --bogus", "--bogus");
}
END_TEST

Suite *options_suite(void);
Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = desk_case(suite, "globals", desk_setup);

    tcase_add_loop_test(tc, globals_stand_anywhere, 0, GLOBALS);
    tcase_add_test(tc, defaults_stay);
    tcase_add_test(tc, bad_values_are_refused);
    tcase_add_test(tc, values_are_neither_lost_nor_made_up);
    tcase_add_test(tc, unknown_options_are_named);
    tc = desk_case(suite, "verbs", desk_setup);
    tcase_add_test(tc, verbs_have_their_own_options);
    tcase_add_test(tc, verbs_that_edit_have_theirs);
    tcase_add_test(tc, verbs_have_no_other_options);
    tcase_add_test(tc, arguments_keep_their_order);
    tcase_add_test(tc, two_hyphens_end_the_options);
    tcase_add_test(tc, superfluous_arguments_are_refused);
    tcase_add_test(tc, apachectl_verbs_are_known);
    tcase_add_test(tc, unknown_verbs_are_named);
    tcase_add_test(tc, a_verb_is_needed);
    tc = desk_case(suite, "help", desk_setup);
    tcase_add_test(tc, version_is_printed);
    tcase_add_test(tc, help_lists_verbs_and_globals);
    tcase_add_test(tc, help_of_a_verb_has_its_options);
    tcase_add_test(tc, help_fits_a_terminal);
    tcase_add_test(tc, help_forgives_nothing);
    return suite;
}
