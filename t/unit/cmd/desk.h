/*
 * desk.h: a run of acmectl for the tests of cmd/, with a clock that stands
 * still, a store of its own and a configuration as httpd would print it.
 */
#ifndef ACME_UNIT_CMD_DESK_H
#define ACME_UNIT_CMD_DESK_H

#include <stdio.h>
#include <unistd.h>

#include "cmd/internal.h"
#include "unit.h"

#define NOW apr_time_from_sec(APR_INT64_C(1800000000))
#define NOW_TEXT "2027-01-15T08:00:00Z"
#define DAY apr_time_from_sec(24 * 3600)
#define CA0 "https://ca0.example/dir"
#define CA1 "https://ca1.example/dir"

static cmd_t *cmd;
static const char *dir;

/** A run that has read neither arguments nor configuration. */
static inline void desk_make(void)
{
    cmd = apr_pcalloc(pool, sizeof(*cmd));
    cmd->pool = pool;
    cmd->verb = "unit";
    cmd->args = apr_array_make(pool, 8, sizeof(const char *));
    cmd->defines = apr_array_make(pool, 4, sizeof(const char *));
    cmd->options.vhosts = apr_array_make(pool, 4, sizeof(const char *));
    cmd->httpd.defines = cmd->defines;
    cmd->log_target = "stderr";
    cmd->log_level = BASE_LOG_WARN;
    cmd->display_options.out = stdout;
    cmd->display_options.err = stderr;
    cmd->display_options.quiet = 1;
    cmd->clock = base_clock_manual(NOW, pool);
    cmd->result = base_json_own(json_object(), pool);
}

static inline void desk_setup(void)
{
    unit_setup();
    desk_make();
}

static apr_status_t domains_cleanup(void *path)
{
    acme_err_t ignored = { 0 };

    return base_dir_remove(path, &ignored, pool);
}

/** Certificates lie deeper than unit_dir's clean-up goes. */
static inline void clean_domains(void)
{
    apr_pool_cleanup_register(pool, apr_pstrcat(pool, dir, "/store/domains",
                                                NULL), domains_cleanup,
                              apr_pool_cleanup_null);
}

/** The same with schemas, an empty store and a directory for files. */
static inline void store_setup(void)
{
    desk_setup();
    dir = unit_dir();
    clean_domains();
    cmd->store_dir = apr_pstrcat(pool, dir, "/store", NULL);
    unit_ok(schema_set_builtin(&cmd->schemas, &err, pool));
    unit_ok(store_open(&cmd->store, cmd->store_dir, 1, &err, pool));
    cmd->display = display_open(&cmd->display_options, pool);
}

static inline TCase *desk_case(Suite *suite, const char *name,
                               void (*fn)(void))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, fn, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

static inline json_t *parse_json(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(json != NULL, "%s", text);
    return base_json_own(json, pool);
}

static inline const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static inline void write_file(const char *path, const char *text)
{
    unit_ok(base_file_write(path, text, strlen(text), 0600, &err, pool));
}

/** A configuration of these domains and hosts (inner JSON texts) that
 *  passes its schema. Its pid file names this process, its binary is this
 *  program: httpd runs. */
static inline void configure(const char *domains, const char *hosts)
{
    const char *pid_file = apr_pstrcat(pool, dir, "/pid", NULL);
    char exe[1024] = "";

    ck_assert_int_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
    write_file(pid_file, apr_psprintf(pool, "%d\n", (int)getpid()));
    cmd->config = parse_json(apr_psprintf(pool,
        "{\"schema\":\"acme-config-dump/1\",\"modules\":{},\"server\":{"
        "\"binary\":\"%s\",\"version\":\"2.4\",\"root\":\"/\","
        "\"config\":\"/c\",\"modules_dir\":null,\"pid_file\":\"%s\","
        "\"user\":\"u\","
        "\"group\":\"g\",\"store\":\"%s\",\"live\":\"%s/live\","
        "\"admin\":null,\"manager\":false,\"notify\":[],"
        "\"port_map\":{\"http\":80,\"https\":443},"
        "\"listeners\":[{\"address\":\"::\",\"port\":80,"
        "\"protocol\":null}],\"listen\":[],\"stapling_cache\":false,"
        "\"main\":{\"server_name\":null,\"aliases\":[],"
        "\"document_root\":null,\"directives\":[]}},"
        "\"virtual_hosts\":[%s],\"domains\":[%s]}",
        exe, pid_file, cmd->store_dir, dir, hosts, domains));
    unit_ok(schema_check(schema_find(cmd->schemas, "state/config-dump"),
                         cmd->config, "the test's configuration", &err));
}

/** A domain; more is put over its settings (inner JSON text). */
static inline const char *domain_text(const char *names, const char *more)
{
    json_t *domain = parse_json(apr_psprintf(pool,
        "{\"names\":[%s],\"file\":\"/f\",\"line\":1,"
        "\"virtual_hosts\":[],\"settings\":{\"ca\":[\"" CA0 "\"],"
        "\"ca_certificate_file\":null,\"agreement\":true,\"contact\":[],"
        "\"challenges\":[\"http-01\"],\"private_keys\":[\"P-256\"],"
        "\"renew_mode\":\"auto\",\"renew_window\":null,"
        "\"require_https\":\"off\",\"must_staple\":false}}", names));

    json_object_set(domain, "name",
                    json_array_get(json_object_get(domain, "names"), 0));
    json_object_update(json_object_get(domain, "settings"),
                       parse_json(apr_psprintf(pool, "{%s}", more)));
    return base_json_text(domain, pool);
}

#endif
