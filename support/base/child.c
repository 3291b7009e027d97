/*
 * child: what a child gives up that was forked.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"

/* What "nobody" is where it has no name: the kernel's overflow id. */
#define NOBODY 65534

void base_user_find(const char *user, uid_t *puid, gid_t *pgid)
{
    const struct passwd *pw = getpwnam(user);

    *puid = NOBODY;
    *pgid = NOBODY;
    if (pw && pw->pw_uid != 0) {
        *puid = pw->pw_uid;
        *pgid = pw->pw_gid;
    }
}

int base_user_become(uid_t uid, gid_t gid)
{
    if (geteuid() != 0) {
        return 0;
    }
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0
        || setresuid(uid, uid, uid) != 0) {
        return errno;
    }
    /* Believe it when it is seen. */
    return setuid(0) == 0 ? EPERM : 0;
}

void base_close_from(int first, int keep)
{
    long end = sysconf(_SC_OPEN_MAX);
    int fd;

#ifdef SYS_close_range
    if ((keep <= first
         || syscall(SYS_close_range, first, keep - 1, 0) == 0)
        && syscall(SYS_close_range, keep >= first ? keep + 1 : first, ~0U, 0)
           == 0) {
        return;
    }
#endif
    for (fd = first; fd < (end > 0 ? end : 65536); fd++) {
        if (fd != keep) {
            close(fd);
        }
    }
}
