/*
 * tick: whoever waits lets somebody tell the user so.
 *
 * It is static, as the log is, because waits are everywhere; and it is the
 * process's that set it, not that of its children.
 */
#include <unistd.h>

#include "base/base.h"

/** As long as a wait takes nothing else into account, milliseconds. */
#define SLICE 250

static struct {
    base_tick_fn *tick;
    void *baton;
    pid_t pid;
} the_tick;

void base_tick_set(base_tick_fn *tick, void *baton)
{
    the_tick.tick = tick;
    the_tick.baton = baton;
    the_tick.pid = getpid();
}

/** 1 if somebody wants to tell. */
static int is_set(void)
{
    return the_tick.tick && the_tick.pid == getpid();
}

void base_tick(void)
{
    if (is_set()) {
        the_tick.tick(the_tick.baton);
    }
}

int base_tick_poll(struct pollfd *fds, int count, int timeout)
{
    int slice = timeout;
    int n;

    do {
        if (is_set()) {
            slice = timeout < 0 || timeout > SLICE ? SLICE : timeout;
        }
        n = poll(fds, (nfds_t)count, slice);
        if (n != 0) {
            return n;
        }
        base_tick();
        timeout -= timeout > 0 ? slice : 0;
    } while (timeout != 0);
    return 0;
}
