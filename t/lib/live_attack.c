/*
 * live_attack: what a child of httpd that has turned hostile can do to the
 * two files of the live segment. Makes one as httpd's parent does, forks,
 * becomes USER as httpd's children do, and tries to write what it inherited.
 *
 *   live_attack SEGMENT USER     prints "refused: WHAT" for each attempt;
 *                                ends with 1 if one of them succeeds
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "acme_live.h"

static sigjmp_buf after;

static void on_fault(int sig)
{
    siglongjmp(after, sig);
}

static int report(const char *what, int refused)
{
    printf("%s: %s\n", refused ? "refused" : "SUCCEEDED", what);
    return !refused;
}

/* Where a file is mapped; its bounds as /proc writes them. */
static unsigned char *mapping_find(const char *path, char *range,
                                   apr_size_t size)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from = 0;
    char line[512];

    while (maps && fgets(line, sizeof(line), maps)) {
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line) > strlen(path)
            && !strcmp(line + strlen(line) - strlen(path), path)) {
            apr_cpystrn(range, line, strcspn(line, " ") + 1 < size
                                     ? strcspn(line, " ") + 1 : size);
            from = strtoul(line, NULL, 16);
        }
    }
    if (maps) {
        fclose(maps);
    }
    return (unsigned char *)from;
}

static int try_store(volatile unsigned char *at)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    if (sigsetjmp(after, 1)) {
        return report("store", 1);
    }
    at[0] = 'x';
    return report("store", 0);
}

static int attack(const char *path)
{
    char range[64] = "", link[128];
    unsigned char *at = mapping_find(path, range, sizeof(range));
    int failed = 0, fd;

    if (!at) {
        fprintf(stderr, "live_attack: the segment is not mapped\n");
        return 1;
    }
    failed += report("mprotect", mprotect(at, 4096, PROT_READ | PROT_WRITE)
                                 == -1);
    failed += report("remap", mremap(at, 0, 4096, MREMAP_MAYMOVE)
                              == MAP_FAILED
                     || mprotect(at, 4096, PROT_WRITE) == -1);
    fd = open(path, O_RDONLY);
    failed += report("open", fd == -1);
    apr_snprintf(link, sizeof(link), "/proc/self/map_files/%s", range);
    fd = open(link, O_RDWR);
    failed += report("map_files", fd == -1);
    failed += try_store(at);
    return failed > 0;
}

static int become(const char *user)
{
    struct passwd *pw = getpwnam(user);

    return pw && !setgid(pw->pw_gid) && !setuid(pw->pw_uid);
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    live_t *live;
    const char *error;
    int status = 1;
    pid_t pid;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc != 3) {
        fprintf(stderr, "usage: live_attack SEGMENT USER\n");
    }
    else if (live_parent_open(&live, argv[1], NULL, NULL, &error, pool)) {
        fprintf(stderr, "live_attack: %s\n", error);
    }
    else if ((pid = fork()) == 0) {
        status = become(argv[2])
            ? attack(argv[1])
              + attack(apr_pstrcat(pool, argv[1], LIVE_CHALLENGES, NULL)) : 1;
        fflush(stdout);
        _exit(status);
    }
    else if (pid != -1 && waitpid(pid, &status, 0) == pid) {
        status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
