/*
 * notifier.c: the process that runs the program, for one event after the
 * other.
 *
 *   a message comes ──> queue ──> the next ──> run ──ended──> log, answer ─┐
 *                         ^                     └──too slow──> log, answer ┤
 *                         └────────────────────────────────────────────────┘
 *   NOTIFY_STRIKES too slow in a row: the queue is dropped, answered
 *   {"end"} came and the queue is empty: exit
 *   the keeper is gone (end of the socket): kill what runs, exit
 *
 * The next is the first in the queue; but one that is waited for comes
 * before all others, together with what stands before it of its own
 * certificate, so that the events of one certificate keep their order.
 *
 * It stays root, to be able to end what the program started by sudo. It
 * reads messages of its own keeper and bytes of the program's output, and
 * holds no key, no lock and no file but the log.
 */
#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/internal.h"

/* How long to sleep between looks at a program, ms: while its output is
 * open (its end wakes us) and after it closed it. */
#define STEP_OPEN 50
#define STEP_CLOSED 5

/* Events that wait; more are dropped. Those of a hundred orders of a
 * hundred names are fewer. */
#define QUEUE_MAX 30000

typedef struct item_t {
    TAILQ_ENTRY(item_t) link;
    json_t *message;
} item_t;

typedef struct notifier_t {
    int fd;
    pid_t keeper;
    const notify_options_t *options;
    TAILQ_HEAD(items_t, item_t) queue;
    int count;                /* in the queue */
    item_t *current;          /* NULL: nothing runs */
    notify_run_t run;
    int strikes;
    int ending;
} notifier_t;

/* --------------------------------------------------------------- helpers */

static const char *member(const item_t *item, const char *name)
{
    return json_string_value(json_object_get(item->message, name));
}

static int is_awaited(const item_t *item)
{
    return json_is_true(json_object_get(item->message, "awaited"));
}

static void item_free(item_t *item)
{
    json_decref(item->message);
    free(item);
}

/** The keeper reads answers now and then; it does without those that do not
 *  fit, as its waits have an end. */
static void answer(const notifier_t *n, const item_t *item, int timed_out)
{
    notify_reply_t reply;

    memset(&reply, 0, sizeof(reply));
    reply.id = (unsigned int)json_integer_value(
        json_object_get(item->message, "id"));
    reply.timed_out = timed_out;
    if (is_awaited(item) || timed_out) {
        send(n->fd, &reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* ----------------------------------------------------------------- queue */

static void queue_take(notifier_t *n, item_t *item)
{
    TAILQ_REMOVE(&n->queue, item, link);
    n->count--;
}

/** See above. @return NULL if the queue is empty */
static item_t *queue_next(notifier_t *n)
{
    item_t *awaited;
    item_t *item;

    TAILQ_FOREACH(awaited, &n->queue, link) {
        if (is_awaited(awaited)) {
            break;
        }
    }
    TAILQ_FOREACH(item, &n->queue, link) {
        if (!awaited || strcmp(member(item, "certificate"),
                               member(awaited, "certificate")) == 0) {
            break;
        }
    }
    if (item) {
        queue_take(n, item);
    }
    return item;
}

static void queue_drop(notifier_t *n)
{
    item_t *item;

    if (n->count > 0) {
        base_log(BASE_LOG_WARN, "ACMENotify: the program was too slow %d "
                 "times in a row: %d events that wait for it are dropped",
                 n->strikes, n->count);
    }
    while ((item = TAILQ_FIRST(&n->queue)) != NULL) {
        queue_take(n, item);
        answer(n, item, 1);
        item_free(item);
    }
}

/** Put a message (taken) into the queue. */
static void queue_add(notifier_t *n, json_t *message)
{
    item_t *item = calloc(1, sizeof(*item));

    if (!item || n->count >= QUEUE_MAX) {
        base_log(BASE_LOG_WARN, "ACMENotify: too many events wait for the "
                 "program; one is dropped");
        json_decref(message);
        free(item);
        return;
    }
    item->message = message;
    TAILQ_INSERT_TAIL(&n->queue, item, link);
    n->count++;
}

/* ------------------------------------------------------------------- run */

/** The strings of a JSON array, NULL behind the last; malloc, the strings
 *  stay the array's. */
static const char **strings(const json_t *array)
{
    size_t size = json_array_size(array);
    const char **list = calloc(size + 1, sizeof(*list));
    size_t i;

    for (i = 0; list && i < size; i++) {
        list[i] = json_string_value(json_array_get(array, i));
    }
    return list;
}

/** The keeper's log may be another file by now. */
static void follow_log(const notifier_t *n)
{
    acme_err_t ignored = { 0 };

    if (n->options->follow
        && strcmp(n->options->log_target, "stderr") == 0) {
        base_log_follow(n->keeper);
    }
    else if (n->options->follow) {
        /* The keeper tells of it, or will. */
        base_log_reopen(&ignored);
    }
}

static int run_item(notifier_t *n, const item_t *item)
{
    const char **argv = strings(json_object_get(item->message, "argv"));
    const char **env = strings(json_object_get(item->message, "env"));
    apr_interval_time_t limit = n->options->limit ? n->options->limit
                                                  : NOTIFY_LIMIT;
    int error = ENOMEM;

    if (argv && env) {
        error = notify_run_start(&n->run, member(item, "what"), argv, env,
                                 member(item, "user"), limit);
    }
    free(argv);
    free(env);
    return error;
}

/** Run what comes next, if there is something. */
static void run_next(notifier_t *n)
{
    item_t *item = queue_next(n);
    char buf[200];
    int error;

    if (!item) {
        return;
    }
    follow_log(n);
    error = run_item(n, item);
    if (!error) {
        n->current = item;
        return;
    }
    base_log(BASE_LOG_WARN, "ACMENotify: %s: no process for it: %s",
             member(item, "what"), base_strerror(error, buf, sizeof(buf)));
    answer(n, item, 0);
    item_free(item);
}

/** What ran is over. */
static void run_over(notifier_t *n, notify_state_t state)
{
    item_t *item = n->current;
    const char *program = json_string_value(json_array_get(
        json_object_get(item->message, "argv"), 0));
    char text[NOTIFY_LINE_SIZE + 100];

    follow_log(n);
    base_log(state == NOTIFY_ENDED && n->run.status == 0 ? BASE_LOG_DEBUG
                                                         : BASE_LOG_WARN,
             "ACMENotify: %s: %s %s", member(item, "what"), program,
             notify_run_end_text(&n->run, state, text, sizeof(text)));
    n->strikes = state == NOTIFY_OVERDUE ? n->strikes + 1 : 0;
    answer(n, item, state == NOTIFY_OVERDUE);
    item_free(item);
    n->current = NULL;
    if (n->strikes >= NOTIFY_STRIKES) {
        queue_drop(n);
        /* One more proves that it is no better. */
        n->strikes = NOTIFY_STRIKES - 1;
    }
}

static void look(notifier_t *n)
{
    notify_state_t state;

    if (n->current) {
        state = notify_run_look(&n->run);
        if (state != NOTIFY_RUNNING) {
            run_over(n, state);
        }
    }
}

/* ------------------------------------------------------------------ loop */

/** The keeper is gone, or wants no more. */
static void leave(notifier_t *n)
{
    if (n->current) {
        notify_run_stop(&n->run);
    }
    _exit(0);
}

/** Take up all messages that are there. */
static void receive(notifier_t *n)
{
    static char buf[NOTIFY_MESSAGE_MAX];
    json_t *message;
    ssize_t len;

    for (;;) {
        len = recv(n->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (len <= 0) {
            leave(n);
        }
        message = json_loadb(buf, (size_t)len, 0, NULL);
        if (json_object_get(message, "argv")) {
            queue_add(n, message);
        }
        else {
            n->ending |= json_is_true(json_object_get(message, "end"));
            json_decref(message);
        }
    }
}

/** Sleep until something happens. */
static void wait_some(const notifier_t *n)
{
    struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
    int timeout = -1;

    fds[0].fd = n->fd;
    fds[1].fd = n->current ? n->run.fd : -1;
    if (n->current) {
        timeout = n->run.fd < 0 ? STEP_CLOSED : STEP_OPEN;
    }
    else if (n->count > 0) {
        timeout = 0;
    }
    poll(fds, 2, timeout);
}

/** Only fd and the log stay open. Signals of the keeper's terminal are the
 *  keeper's: when it ends, so does this. */
static int settle(int *pfd, const notify_options_t *options,
                  apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    int fd = fcntl(*pfd, F_DUPFD, 3);
    int null = open("/dev/null", O_RDWR);

    if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0) {
        return errno;
    }
    /* The log's own descriptor is closed by the log. */
    base_log_open("stderr", options->log_level, &ignored, pool);
    base_close_from(3, fd);
    *pfd = fd;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    base_log_open(options->log_target, options->log_level, &ignored, pool);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    return 0;
}

void notify_main(int fd, pid_t keeper, const notify_options_t *options,
                 apr_pool_t *pool)
{
    notifier_t n;

    memset(&n, 0, sizeof(n));
    TAILQ_INIT(&n.queue);
    if (settle(&fd, options, pool) != 0) {
        _exit(1);
    }
    n.fd = fd;
    n.keeper = keeper;
    n.options = options;
    for (;;) {
        if (!n.current) {
            run_next(&n);
        }
        if (!n.current && n.ending && n.count == 0) {
            leave(&n);
        }
        wait_some(&n);
        receive(&n);
        look(&n);
    }
}
