/*
 * ports.c: can httpd have this port? httpd finds out when it starts, which
 * is too late; a bind in the same manner tells before.
 */
#include "configurator/server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

/* Hexadecimal digits of an IPv6 address in /proc/net. */
#define HEX_MAX 32
#define HEX_V4 8
/* Where an IPv4 address stands in one of IPv6, in /proc/net's spelling. */
#define HEX_MAPPED "0000000000000000FFFF0000"

/* The state LISTEN in /proc/net/tcp. */
#define STATE_LISTEN 0x0a

/** A socket's address. */
typedef union endpoint_t {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} endpoint_t;

/** @return 0 if text is no IP address */
static int read_address(endpoint_t *address, const char *text, int port)
{
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((unsigned short)port);
        return 1;
    }
    if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((unsigned short)port);
        return 1;
    }
    return 0;
}

static int is_any(const char *text)
{
    return strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0;
}

static int is_v6(const char *text)
{
    return strchr(text, ':') != NULL;
}

int port_covers(const char *listener, const char *address, int mapped)
{
    endpoint_t one, other;

    if (strcmp(listener, "::") == 0) {
        return mapped || is_v6(address);
    }
    if (strcmp(listener, "0.0.0.0") == 0) {
        return !is_v6(address);
    }
    return read_address(&one, listener, 0) && read_address(&other, address, 0)
           && memcmp(&one, &other, sizeof(one)) == 0;
}

/* --------------------------------------------------------------- holder */

/** An address as /proc/net spells it: words of 32 bits, as the machine
 *  reads them. */
static void spell(char hex[HEX_MAX + 1], const endpoint_t *address)
{
    const apr_uint32_t *word = address->any.sa_family == AF_INET
        ? &address->v4.sin_addr.s_addr
        : (const apr_uint32_t *)address->v6.sin6_addr.s6_addr;
    int words = address->any.sa_family == AF_INET ? 1 : 4;
    int i;

    for (i = 0; i < words; i++) {
        apr_snprintf(hex + 8 * i, 9, "%08X", word[i]);
    }
}

static int is_zero(const char *hex)
{
    return hex[strspn(hex, "0")] == '\0';
}

/** 1 if two addresses in that spelling get in each other's way. */
static int overlap(const char *a, const char *b)
{
    if (strncmp(a, HEX_MAPPED, strlen(HEX_MAPPED)) == 0) {
        a += strlen(HEX_MAPPED);
    }
    if (strncmp(b, HEX_MAPPED, strlen(HEX_MAPPED)) == 0) {
        b += strlen(HEX_MAPPED);
    }
    return is_zero(a) || is_zero(b) || strcmp(a, b) == 0;
}

/** The socket that listens on the port in a table of the kernel; 0. */
static unsigned long find_socket(const char *table, const char *hex,
                                 int port)
{
    FILE *file = fopen(table, "re");
    unsigned long inode, found = 0;
    char local[HEX_MAX + 1], line[512];
    unsigned int its_port, state;

    if (!file) {
        return 0;
    }
    while (!found && fgets(line, sizeof(line), file)) {
        if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s "
                         "%*s %*u %*u %lu", local, &its_port, &state, &inode)
            == 4 && its_port == (unsigned int)port && state == STATE_LISTEN
            && overlap(local, hex)) {
            found = inode;
        }
    }
    fclose(file);
    return found;
}

/** 1 if a process has this socket open. */
static int has_socket(const char *pid, unsigned long inode,
                      apr_pool_t *scratch_pool)
{
    const char *path = apr_pstrcat(scratch_pool, "/proc/", pid, "/fd", NULL);
    const char *socket = apr_psprintf(scratch_pool, "socket:[%lu]", inode);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char target[64];
    int found = 0;

    while (dir && !found && (entry = readdir(dir)) != NULL) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target,
                                 sizeof(target) - 1);

        target[len > 0 ? len : 0] = '\0';
        found = strcmp(target, socket) == 0;
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

/** The oldest process that has it, by its number; 0: it cannot be seen. */
static long find_process(unsigned long inode, apr_pool_t *scratch_pool)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    apr_pool_t *iterpool;
    long pid, found = 0;

    apr_pool_create(&iterpool, scratch_pool);
    while (dir && (entry = readdir(dir)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        apr_pool_clear(iterpool);
        pid = strtol(entry->d_name, NULL, 10);
        if ((!found || pid < found)
            && has_socket(entry->d_name, inode, iterpool)) {
            found = pid;
        }
    }
    if (dir) {
        closedir(dir);
    }
    apr_pool_destroy(iterpool);
    return found;
}

/** A program's name, as ps shows it. */
static const char *program_name(long pid, apr_pool_t *pool)
{
    FILE *file = fopen(apr_psprintf(pool, "/proc/%ld/comm", pid), "re");
    char name[64] = "";

    if (file) {
        if (fgets(name, sizeof(name), file)) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(file);
    }
    return *name ? apr_pstrdup(pool, name) : "a program";
}

/** Who is in the way? @return APR_SUCCESS if it is httpd itself */
static apr_status_t in_use(const endpoint_t *wanted, const char *address,
                           int port, pid_t own, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    char hex[HEX_MAX + 1];
    unsigned long inode;
    long pid;

    spell(hex, wanted);
    inode = find_socket("/proc/net/tcp", hex, port);
    if (!inode) {
        inode = find_socket("/proc/net/tcp6", hex, port);
    }
    if (inode && own > 0
        && has_socket(apr_psprintf(scratch_pool, "%ld", (long)own), inode,
                      scratch_pool)) {
        return APR_SUCCESS;
    }
    pid = inode ? find_process(inode, scratch_pool) : 0;
    if (pid) {
        return base_err_set(err, EADDRINUSE, BASE_EXIT_FAILED,
                            "port %d is held by %s, process %ld: httpd "
                            "cannot listen on it: stop that program or let "
                            "it use another port", port,
                            program_name(pid, scratch_pool), pid);
    }
    return base_err_set(err, EADDRINUSE, BASE_EXIT_FAILED,
                        "port %d on %s is held by another program: httpd "
                        "cannot listen on it: find it by `ss -ltnp`", port,
                        is_any(address) ? "this machine" : address);
}

/* ----------------------------------------------------------------- bind */

/** bind(2) as httpd's make_sock does it. @return errno, or 0 */
static int try_bind(const endpoint_t *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = address->any.sa_family == AF_INET
                    ? sizeof(address->v4) : sizeof(address->v6);
    int one = 1, rv = 0;

    if (fd < 0) {
        return errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0
        || bind(fd, &address->any, len) != 0) {
        rv = errno;
    }
    close(fd);
    return rv;
}

apr_status_t port_try(const char *address, int port, pid_t own,
                      acme_err_t *err, apr_pool_t *scratch_pool)
{
    endpoint_t wanted;
    char text[128];
    int rv;

    if (!read_address(&wanted, address, port)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "\"%s\" is no IP address to listen on", address);
    }
    rv = try_bind(&wanted);
    if (rv == EAFNOSUPPORT && strcmp(address, "::") == 0) {
        /* No IPv6 here: httpd then takes 0.0.0.0. */
        read_address(&wanted, "0.0.0.0", port);
        rv = try_bind(&wanted);
    }
    switch (rv) {
    case 0:
        return APR_SUCCESS;
    case EADDRINUSE:
        return in_use(&wanted, address, port, own, err, scratch_pool);
    case EACCES:
    case EPERM:
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "this user may not listen on port %d: run this "
                            "as root", port);
    case EADDRNOTAVAIL:
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s is no address of this machine: httpd could "
                            "not listen on its port %d: correct the Listen "
                            "and VirtualHost lines that name it", address,
                            port);
    default:
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot listen on port %d of %s: %s", port,
                            address, base_strerror(rv, text, sizeof(text)));
    }
}

/* ------------------------------------------------------ new in a document */

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static json_t *listeners_of(const json_t *config)
{
    return json_object_get(json_object_get(config, "server"), "listeners");
}

/* 1 if httpd listens there by the document. */
static int has_listener(const json_t *config, const json_t *wanted)
{
    json_t *listener;
    size_t i;

    json_array_foreach(listeners_of(config), i, listener) {
        if (json_equal(json_object_get(listener, "port"),
                       json_object_get(wanted, "port"))
            && json_equal(json_object_get(listener, "address"),
                          json_object_get(wanted, "address"))) {
            return 1;
        }
    }
    return 0;
}

apr_status_t configurator_ports(const json_t *before, const json_t *after,
                                acme_err_t *err, apr_pool_t *scratch_pool)
{
    const json_t *server = json_object_get(after, "server");
    acme_err_t ignored = { 0 };
    apr_status_t rv = APR_SUCCESS;
    json_t *listener;
    pid_t own = 0;
    size_t i;

    httpd_running(&own, text_of(server, "pid_file"),
                  text_of(server, "binary"), &ignored, scratch_pool);
    json_array_foreach(listeners_of(after), i, listener) {
        if (rv == APR_SUCCESS && !has_listener(before, listener)) {
            rv = port_try(text_of(listener, "address"),
                          (int)json_integer_value(json_object_get(listener,
                                                                  "port")),
                          own, err, scratch_pool);
        }
    }
    return rv;
}
