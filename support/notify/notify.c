/*
 * notify.c: the keeper's side: start the notifier, send it events, hear
 * what became of those that an order waits for.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "notify/internal.h"

/* What a notifier that is busy with its own messages may need. */
#define SEND_WAIT 1000   /* ms */

/* How long a notifier that is told to end may take; it only kills. */
#define STOP_WAIT apr_time_from_sec(3)

/** An event that an order waits for. */
typedef struct ticket_t {
    unsigned int id;
    apr_time_t until;      /**< mono */
    int over;
} ticket_t;

struct notify_t {
    notify_options_t options;
    pid_t pid;                    /**< 0: it does not run */
    int fd;                       /**< -1: it does not run */
    unsigned int serial;
    int is_slow;                  /**< in this run nothing is waited for */
    apr_array_header_t *tickets;  /**< of ticket_t, of this run */
    apr_pool_t *run_pool;
    apr_pool_t *pool;
};

static apr_time_t now(void)
{
    base_clock_t *clock = base_clock_system();

    return clock->mono(clock);
}

/* ---------------------------------------------------------------- process */

/** Wait for the notifier. @param wait  µs @return 1 if it is gone */
static int reap(notify_t *notify, apr_interval_time_t wait)
{
    apr_time_t until = now() + wait;
    pid_t pid;

    while (notify->pid) {
        pid = waitpid(notify->pid, NULL, WNOHANG);
        if (pid == notify->pid || (pid < 0 && errno != EINTR)) {
            notify->pid = 0;
        }
        else if (now() >= until) {
            return 0;
        }
        else {
            apr_sleep(1000);
        }
    }
    return 1;
}

static void hang_up(notify_t *notify)
{
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    notify->fd = -1;
}

void notify_stop(notify_t *notify)
{
    hang_up(notify);
    if (!reap(notify, STOP_WAIT)) {
        kill(notify->pid, SIGKILL);
        reap(notify, STOP_WAIT);
    }
}

static apr_status_t clean_up(void *data)
{
    notify_stop(data);
    return APR_SUCCESS;
}

notify_t *notify_make(apr_pool_t *result_pool)
{
    notify_t *notify = apr_pcalloc(result_pool, sizeof(*notify));

    notify->fd = -1;
    notify->pool = result_pool;
    apr_pool_create(&notify->run_pool, result_pool);
    notify->tickets = apr_array_make(notify->run_pool, 8, sizeof(ticket_t));
    apr_pool_cleanup_register(result_pool, notify, clean_up,
                              apr_pool_cleanup_null);
    return notify;
}

static apr_status_t start(notify_t *notify, acme_err_t *err)
{
    pid_t keeper = getpid();
    char buf[200];
    int fds[2];
    int error;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        error = errno;
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot make a socket pair: %s",
                            base_strerror(error, buf, sizeof(buf)));
    }
    signal(SIGCHLD, SIG_DFL);
    notify->pid = fork();
    if (notify->pid == 0) {
        close(fds[0]);
        notify_main(fds[1], keeper, &notify->options, notify->pool);
    }
    error = errno;
    close(fds[1]);
    if (notify->pid < 0) {
        notify->pid = 0;
        close(fds[0]);
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot start a process: %s",
                            base_strerror(error, buf, sizeof(buf)));
    }
    notify->fd = fds[0];
    return APR_SUCCESS;
}

/** 1 if the notifier that runs was started with these options. */
static int fits(const notify_options_t *a, const notify_options_t *b)
{
    return strcmp(a->log_target, b->log_target) == 0
           && a->log_level == b->log_level && a->follow == b->follow
           && a->limit == b->limit;
}

apr_status_t notify_begin(notify_t *notify, const notify_options_t *options,
                          acme_err_t *err)
{
    notify->is_slow = 0;
    apr_pool_clear(notify->run_pool);
    notify->tickets = apr_array_make(notify->run_pool, 8, sizeof(ticket_t));
    if (notify->pid && (reap(notify, 0)
                        || !fits(&notify->options, options))) {
        notify_stop(notify);
    }
    notify->options = *options;
    return notify->pid ? APR_SUCCESS : start(notify, err);
}

/* ---------------------------------------------------------------- answers */

/** From now on orders go on without waiting. */
static void be_slow(notify_t *notify)
{
    if (!notify->is_slow) {
        base_log(BASE_LOG_WARN, "ACMENotify: the program is too slow: in "
                 "this run no order waits for it any more");
    }
    notify->is_slow = 1;
}

static void take_reply(notify_t *notify, const notify_reply_t *reply)
{
    int i;

    if (reply->timed_out) {
        be_slow(notify);
    }
    for (i = 0; i < notify->tickets->nelts; i++) {
        ticket_t *ticket = &APR_ARRAY_IDX(notify->tickets, i, ticket_t);

        ticket->over |= ticket->id == reply->id;
    }
}

/** Read what the notifier has answered. @return 0 when it is gone */
static int listen_now(notify_t *notify)
{
    notify_reply_t reply;
    ssize_t n = 0;

    while (notify->fd >= 0) {
        n = recv(notify->fd, &reply, sizeof(reply), MSG_DONTWAIT);
        if (n == (ssize_t)sizeof(reply)) {
            take_reply(notify, &reply);
        }
        else if (n >= 0 || (errno != EINTR && errno != EAGAIN)) {
            hang_up(notify);
        }
        else if (errno == EAGAIN) {
            return 1;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------- events */

/** Send text, one message. @return errno or 0 */
static int send_text(const notify_t *notify, const char *text)
{
    struct pollfd fd = { .events = POLLOUT };
    apr_size_t len = strlen(text);

    if (len > NOTIFY_MESSAGE_MAX) {
        return EMSGSIZE;
    }
    if (send(notify->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        return 0;
    }
    if (errno == EAGAIN) {
        fd.fd = notify->fd;
        poll(&fd, 1, SEND_WAIT);
    }
    return send(notify->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0
           ? 0 : errno;
}

static unsigned int add_ticket(notify_t *notify)
{
    ticket_t *ticket = apr_array_push(notify->tickets);

    ticket->id = notify->serial;
    ticket->until = now() + NOTIFY_WAIT;
    ticket->over = 0;
    return ticket->id;
}

unsigned int notify_send(notify_t *notify, const notify_event_t *event,
                         int awaited)
{
    apr_pool_t *pool;
    json_t *message;
    char buf[200];
    int error;

    if (!listen_now(notify)) {
        return 0;
    }
    awaited = awaited && !notify->is_slow;
    apr_pool_create(&pool, notify->run_pool);
    notify->serial += notify->serial + 1 == 0 ? 2 : 1;
    message = notify_message(event, &notify->options, notify->serial,
                             awaited, pool);
    error = message ? send_text(notify, base_json_text(message, pool))
                    : ENOMEM;
    json_decref(message);
    if (error) {
        base_log(BASE_LOG_WARN, "ACMENotify: %s is not told of an event: %s",
                 APR_ARRAY_IDX(notify->options.program, 0, const char *),
                 base_strerror(error, buf, sizeof(buf)));
    }
    apr_pool_destroy(pool);
    return awaited && !error ? add_ticket(notify) : 0;
}

int notify_waits(notify_t *notify, unsigned int id)
{
    int i;

    if (!id || !listen_now(notify) || notify->is_slow) {
        return 0;
    }
    for (i = 0; i < notify->tickets->nelts; i++) {
        ticket_t *ticket = &APR_ARRAY_IDX(notify->tickets, i, ticket_t);

        if (ticket->id != id || ticket->over) {
            continue;
        }
        if (now() < ticket->until) {
            return 1;
        }
        be_slow(notify);
    }
    return 0;
}

void notify_end(notify_t *notify)
{
    struct pollfd fd = { .events = POLLIN };

    if (listen_now(notify) && send_text(notify, "{\"end\": true}") == 0) {
        while (listen_now(notify)) {
            fd.fd = notify->fd;
            poll(&fd, 1, -1);
        }
    }
    notify_stop(notify);
}
