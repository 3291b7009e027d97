/* rig.c: memory, terminals and results. */
#include "display/rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <apr_strings.h>

#include "schema/schema.h"
#include "unit.h"

static apr_status_t rig_close(void *data)
{
    rig_t *rig = data;
    int i;

    fclose(rig->out);
    fclose(rig->err);
    if (rig->in) {
        fclose(rig->in);
    }
    for (i = 0; i < 2; i++) {
        free(rig->text[i]);
        if (rig->master[i] >= 0) {
            close(rig->master[i]);
        }
    }
    return APR_SUCCESS;
}

static rig_t *rig_open(rig_t *rig, display_kind_t kind, display_color_t color,
                       apr_pool_t *p)
{
    display_options_t options;

    memset(&options, 0, sizeof(options));
    options.kind = kind;
    options.color = color;
    options.out = rig->out;
    options.err = rig->err;
    options.in = rig->in;
    rig->display = display_open(&options, p);
    apr_pool_cleanup_register(p, rig, rig_close, apr_pool_cleanup_null);
    return rig;
}

rig_t *rig_memory(display_kind_t kind, display_color_t color, apr_pool_t *p)
{
    rig_t *rig = apr_pcalloc(p, sizeof(*rig));

    rig->master[0] = rig->master[1] = -1;
    rig->out = open_memstream(&rig->text[0], &rig->len[0]);
    rig->err = open_memstream(&rig->text[1], &rig->len[1]);
    ck_assert(rig->out != NULL && rig->err != NULL);
    return rig_open(rig, kind, color, p);
}

static FILE *terminal(int *master, int columns)
{
    struct winsize size;
    int slave;

    *master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(*master, 0);
    ck_assert_int_eq(grantpt(*master), 0);
    ck_assert_int_eq(unlockpt(*master), 0);
    slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    memset(&size, 0, sizeof(size));
    size.ws_row = 24;
    size.ws_col = (unsigned short)columns;
    ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
    return fdopen(slave, "w");
}

rig_t *rig_terminal(display_color_t color, int columns, apr_pool_t *p)
{
    rig_t *rig = apr_pcalloc(p, sizeof(*rig));

    rig->out = terminal(&rig->master[0], columns);
    rig->err = terminal(&rig->master[1], columns);
    return rig_open(rig, DISPLAY_TEXT, color, p);
}

rig_t *rig_asking(int columns, apr_pool_t *p)
{
    rig_t *rig = apr_pcalloc(p, sizeof(*rig));
    struct termios mode;
    int fd;

    rig->out = terminal(&rig->master[0], columns);
    rig->err = terminal(&rig->master[1], columns);
    fd = dup(fileno(rig->err));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(tcgetattr(fd, &mode), 0);
    mode.c_lflag &= ~(tcflag_t)ECHO;
    ck_assert_int_eq(tcsetattr(fd, TCSANOW, &mode), 0);
    rig->in = fdopen(fd, "r");
    return rig_open(rig, DISPLAY_TEXT, DISPLAY_COLOR_NEVER, p);
}

void rig_type(rig_t *rig, const char *keys)
{
    ck_assert_int_eq(write(rig->master[1], keys, strlen(keys)),
                     (ssize_t)strlen(keys));
}

void rig_hang_up(rig_t *rig)
{
    int i;

    for (i = 0; i < 2; i++) {
        close(rig->master[i]);
        rig->master[i] = -1;
    }
}

apr_array_header_t *rig_items(int count, apr_pool_t *p)
{
    apr_array_header_t *items = apr_array_make(p, count + 1,
                                               sizeof(display_item_t));
    int i;

    for (i = 1; i <= count; i++) {
        display_item_t *item = apr_array_push(items);

        item->tag = apr_psprintf(p, "item%d", i);
        item->text = "";
        item->on = 0;
    }
    return items;
}

/** Add what the terminal shows to the text kept of it. */
static void terminal_read(rig_t *rig, int i)
{
    struct pollfd fd = { .fd = rig->master[i], .events = POLLIN };
    char buf[4096];

    rig->text[i] = rig->text[i] ? rig->text[i] : calloc(1, 1);
    while (poll(&fd, 1, 0) > 0) {
        ssize_t n = read(rig->master[i], buf, sizeof(buf));
        ssize_t k;

        if (n <= 0) {
            return;
        }
        rig->text[i] = realloc(rig->text[i], rig->len[i] + (size_t)n + 1);
        for (k = 0; k < n; k++) {
            if (buf[k] != '\r' || k + 1 == n || buf[k + 1] != '\n') {
                rig->text[i][rig->len[i]++] = buf[k];
            }
        }
        rig->text[i][rig->len[i]] = '\0';
    }
}

static const char *written(rig_t *rig, FILE *file, int i)
{
    fflush(file);
    if (rig->master[i] >= 0) {
        terminal_read(rig, i);
    }
    return rig->text[i];
}

const char *rig_out(rig_t *rig)
{
    return written(rig, rig->out, 0);
}

const char *rig_err(rig_t *rig)
{
    return written(rig, rig->err, 1);
}

json_t *rig_part(const char *json, apr_pool_t *p)
{
    char *text = apr_pstrdup(p, json);
    json_t *part;
    char *quote;

    for (quote = text; (quote = strchr(quote, '\'')) != NULL; quote++) {
        *quote = '"';
    }
    unit_ok(base_json_parse(&part, text, strlen(text), 1 << 20, "result",
                            &err, p));
    return part;
}

json_t *rig_result(const char *json, apr_pool_t *p)
{
    json_t *result = rig_part(json, p);
    schema_set_t *set;

    unit_ok(schema_set_builtin(&set, &err, p));
    unit_ok(schema_check(schema_find(set, "state/result"), result, "result",
                         &err));
    return result;
}

void rig_show(rig_t *rig, const char *json, apr_pool_t *p)
{
    display_result(rig->display, rig_result(json, p));
}
