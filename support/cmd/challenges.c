/*
 * challenges.c: which types of challenge can work, as httpd is configured.
 */
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

typedef const char *look_fn(const json_t *config, apr_pool_t *pool);

/** 1 if httpd listens on port. */
static int listens_on(const json_t *server, json_int_t port)
{
    json_t *listener;
    size_t i;

    json_array_foreach(json_object_get(server, "listeners"), i, listener) {
        if (json_integer_value(json_object_get(listener, "port")) == port) {
            return 1;
        }
    }
    return 0;
}

/** Why connections to a public port do not arrive, or NULL.
 *  @param member  of the port map
 *  @param pport   set where they do: the local port */
static const char *port_obstacle(const json_t *config, const char *type,
                                 const char *member, int public_port,
                                 int *pport, apr_pool_t *pool)
{
    const json_t *server = json_object_get(config, "server");
    const json_t *port = json_object_get(json_object_get(server, "port_map"),
                                         member);

    if (json_is_null(port)) {
        return apr_psprintf(pool, "%s needs the public port %d, and "
                            "ACMEPortMap says that it does not arrive here "
                            "(%s:-)", type, public_port, member);
    }
    *pport = (int)json_integer_value(port);
    if (!listens_on(server, *pport)) {
        return apr_psprintf(pool, "%s needs port %d, and httpd does not "
                            "listen on it; add \"Listen %d\", or say with "
                            "ACMEPortMap where the public port %d arrives",
                            type, *pport, *pport, public_port);
    }
    return NULL;
}

static const char *look_http01(const json_t *config, apr_pool_t *pool)
{
    int port;

    return port_obstacle(config, "http-01", "http", 80, &port, pool);
}

static int host_reached(const json_t *host, int port)
{
    json_t *address;
    size_t i;

    json_array_foreach(json_object_get(host, "addresses"), i, address) {
        json_int_t at = json_integer_value(json_object_get(address, "port"));

        if (at == port || at == 0) {
            return 1;
        }
    }
    return 0;
}

/** The handshake of any host will do, whoever's name it is about. */
static const char *look_tlsalpn01(const json_t *config, apr_pool_t *pool)
{
    const char *obstacle;
    json_t *host;
    size_t i;
    int port;

    if (!json_is_true(json_object_get(json_object_get(config, "modules"),
                                      "ssl"))) {
        return "tls-alpn-01 needs mod_ssl, which is not loaded";
    }
    obstacle = port_obstacle(config, "tls-alpn-01", "https", 443, &port,
                             pool);
    if (obstacle) {
        return obstacle;
    }
    json_array_foreach(json_object_get(config, "virtual_hosts"), i, host) {
        if (json_is_true(json_object_get(host, "ssl"))
            && host_reached(host, port)) {
            return NULL;
        }
    }
    return apr_psprintf(pool, "tls-alpn-01 needs a virtual host with "
                        "\"SSLEngine on\" at port %d", port);
}

static const struct {
    const char *type;
    look_fn *look;
} kinds[CMD_CHALLENGES] = {
    { "http-01", look_http01 }, { "tls-alpn-01", look_tlsalpn01 }
};

void cmd_challenges_look(cmd_challenges_t *challenges, const cmd_t *cmd)
{
    int i;

    for (i = 0; i < CMD_CHALLENGES; i++) {
        challenges->obstacles[i] = kinds[i].look(
            cmd->running ? cmd->running : cmd->config, cmd->pool);
    }
}

static const char *join(const char *text, const char *more, apr_pool_t *pool)
{
    return text ? apr_pstrcat(pool, text, "; ", more, NULL) : more;
}

apr_array_header_t *cmd_challenge_types(const cmd_challenges_t *challenges,
                                        const json_t *domain,
                                        const char **pobstacle,
                                        apr_pool_t *pool)
{
    apr_array_header_t *allowed = cmd_strings(
        json_object_get(json_object_get(domain, "settings"), "challenges"),
        pool);
    apr_array_header_t *types = apr_array_make(pool, CMD_CHALLENGES,
                                               sizeof(char *));
    int i, k;

    *pobstacle = NULL;
    for (i = 0; i < allowed->nelts; i++) {
        const char *type = APR_ARRAY_IDX(allowed, i, const char *);

        for (k = 0; k < CMD_CHALLENGES; k++) {
            if (strcmp(type, kinds[k].type) != 0) {
                continue;
            }
            if (challenges->obstacles[k]) {
                *pobstacle = join(*pobstacle, challenges->obstacles[k],
                                  pool);
            }
            else {
                APR_ARRAY_PUSH(types, const char *) = type;
            }
        }
    }
    if (types->nelts > 0) {
        *pobstacle = NULL;
    }
    return types;
}

void cmd_challenges_sort(cmd_t *cmd, apr_array_header_t *certificates)
{
    apr_array_header_t *last = apr_array_make(cmd->pool, 4, sizeof(void *));
    cmd_challenges_t challenges;
    int i, n = 0;

    cmd_challenges_look(&challenges, cmd);
    if (!challenges.obstacles[0] && !challenges.obstacles[1]) {
        return;
    }
    for (i = 0; i < certificates->nelts; i++) {
        cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                             cmd_certificate_t *);
        const char *obstacle;

        cmd_challenge_types(&challenges, c->domain, &obstacle, cmd->pool);
        if (obstacle) {
            APR_ARRAY_PUSH(last, cmd_certificate_t *) = c;
        }
        else {
            APR_ARRAY_IDX(certificates, n++, cmd_certificate_t *) = c;
        }
    }
    certificates->nelts = n;
    apr_array_cat(certificates, last);
}

const char *cmd_challenge_obstacle(cmd_t *cmd)
{
    cmd_challenges_t challenges;
    const char *all = NULL;
    int i;

    if (!cmd_httpd_running(cmd, NULL)) {
        return "httpd is not running, so nobody would answer the CA's "
               "challenge; start it and try again";
    }
    cmd_challenges_look(&challenges, cmd);
    for (i = 0; i < CMD_CHALLENGES; i++) {
        if (!challenges.obstacles[i]) {
            return NULL;
        }
        all = join(all, challenges.obstacles[i], cmd->pool);
    }
    return all;
}
