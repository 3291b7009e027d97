/*
 * stall.c: a silent CA and an observer, in one process.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include <apr_strings.h>

#include "crypto/crypto.h"
#include "stall.h"
#include "store/store.h"

/* A socket on a free port of loopback. */
static int bound_socket(const char **purl, apr_pool_t *p)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *purl = apr_psprintf(p, "https://127.0.0.1:%d/dir",
                         (int)ntohs(address.sin_port));
    return fd;
}

static apr_status_t socket_close(void *baton)
{
    close((int)(intptr_t)baton);
    return APR_SUCCESS;
}

const char *stall_nobody(apr_pool_t *p)
{
    const char *url;
    /* bound, so that nobody else gets it, and not listening */
    int fd = bound_socket(&url, p);

    apr_pool_cleanup_register(p, (void *)(intptr_t)fd, socket_close,
                              apr_pool_cleanup_null);
    return url;
}

/* The PPid of process name; 0 if it has gone. */
static pid_t parent_of(const char *name)
{
    char path[300];
    char line[256];
    long parent = 0;
    FILE *status;

    snprintf(path, sizeof(path), "/proc/%s/status", name);
    status = fopen(path, "r");
    while (status && fgets(line, sizeof(line), status)) {
        if (strncmp(line, "PPid:", 5) == 0) {
            parent = strtol(line + 5, NULL, 10);
        }
    }
    if (status) {
        fclose(status);
    }
    return (pid_t)parent;
}

pid_t stall_child_of(pid_t parent, pid_t except)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (proc && (entry = readdir(proc)) != NULL) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0])
                    ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

        if (pid && pid != except && parent_of(entry->d_name) == parent) {
            found = pid;
        }
    }
    if (proc) {
        closedir(proc);
    }
    return found;
}

static void observe(int listener, pid_t parent, stall_look_fn *look,
                    FILE *out)
{
    int connection = accept(listener, NULL, NULL);
    pid_t worker = stall_child_of(parent, getpid());

    if (connection < 0 || !worker) {
        fprintf(out, "nobody came\n");
    }
    else {
        if (look) {
            look(worker, out);
        }
        kill(worker, SIGKILL);
    }
    fclose(out);
}

stall_t *stall_start(stall_look_fn *look, apr_pool_t *p)
{
    stall_t *stall = apr_pcalloc(p, sizeof(*stall));
    int listener = bound_socket(&stall->url, p);
    pid_t parent = getpid();
    int ends[2];

    ck_assert_int_eq(listen(listener, 5), 0);
    ck_assert_int_eq(pipe(ends), 0);
    stall->pid = fork();
    ck_assert_int_ge(stall->pid, 0);
    if (stall->pid == 0) {
        close(ends[0]);
        alarm(50);
        observe(listener, parent, look, fdopen(ends[1], "w"));
        _exit(0);
    }
    close(listener);
    close(ends[1]);
    stall->out = ends[0];
    return stall;
}

char *stall_seen(stall_t *stall, apr_pool_t *p)
{
    char *text = apr_pstrdup(p, "");
    char buf[4096];
    ssize_t n;

    while ((n = read(stall->out, buf, sizeof(buf))) > 0) {
        text = apr_pstrcat(p, text, apr_pstrmemdup(p, buf, (size_t)n), NULL);
    }
    close(stall->out);
    ck_assert_int_eq(waitpid(stall->pid, NULL, 0), stall->pid);
    return text;
}

/* ------------------------------------------------------------- no secrets */

const char *stall_store;

/* The distinctive part of the store's only account key: its second line. */
static int read_secret(char *line, size_t size)
{
    char pattern[512];
    glob_t found;
    FILE *file;
    int got;

    snprintf(pattern, sizeof(pattern), "%s/accounts/*/key.pem", stall_store);
    if (glob(pattern, 0, NULL, &found) != 0) {
        return 0;
    }
    file = fopen(found.gl_pathv[0], "r");
    got = file && fgets(line, (int)size, file)
          && fgets(line, (int)size, file);
    if (file) {
        fclose(file);
    }
    globfree(&found);
    line[got ? strcspn(line, "\n") : 0] = '\0';
    return got && strlen(line) > 40;
}

/* How often secret stands in a mapping of worker's. */
static int count_in(int mem, unsigned long from, unsigned long to,
                    const char *secret)
{
    size_t len = to - from;
    char *data = malloc(len);
    const char *at = data;
    int found = 0;
    ssize_t n = data ? pread(mem, data, len, (off_t)from) : -1;

    while (n > 0 && (at = memmem(at, (size_t)(data + n - at), secret,
                                 strlen(secret))) != NULL) {
        found++;
        at++;
    }
    free(data);
    return found;
}

/* Count in all readable memory; the sanitizer's shadow is left out. */
void stall_look_for_key(pid_t worker, FILE *out)
{
    unsigned long from, to;
    char path[64];
    char line[512];
    char secret[128];
    FILE *maps;
    int places = 0;
    int found = 0;
    int mem;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)worker);
    maps = fopen(path, "r");
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)worker);
    mem = open(path, O_RDONLY);
    if (!maps || mem < 0 || !read_secret(secret, sizeof(secret))) {
        fprintf(out, "cannot look");
        return;
    }
    while (fgets(line, sizeof(line), maps)) {
        char mode[8] = "";

        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3
            && mode[0] == 'r' && to - from < (256ul << 20)) {
            found += count_in(mem, from, to, secret);
            places++;
        }
    }
    fprintf(out, "%d of %s", found, places > 10 ? "many" : "few");
    fclose(maps);
    close(mem);
}

void stall_make_store(const char *dir, const char *ca)
{
    acme_err_t err = { 0 };
    store_t *store;
    crypto_key_t *key;
    apr_pool_t *pool;
    apr_size_t len;
    char *pem;
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        apr_pool_create(&pool, NULL);
        _exit(store_open(&store, dir, 1, &err, pool) == APR_SUCCESS
              && crypto_key_generate(&key, CRYPTO_P256, &err, pool)
                 == APR_SUCCESS
              && crypto_key_write(&pem, &len, key, &err, pool)
                 == APR_SUCCESS
              && store_account_key_write(store, ca, pem, len, &err, pool)
                 == APR_SUCCESS ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
