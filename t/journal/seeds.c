/*
 * seeds.c: bugs that are switched on one by one, to see that the harness
 * notices them. The program under test has no switch for any: a bug is a
 * call that does not take place, or takes place elsewhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

typedef enum bug_t {
    BUG_NONE,
    BUG_IMAGE_SYNC,
    BUG_RECORD_SYNC,
    BUG_ACTIVE_SYNC,
    BUG_JOURNAL_SYNC,
    BUG_CONTENT_SYNC,
    BUG_TARGET_DIR_SYNC,
    BUG_TITLE_SYNC,
    BUG_COMMIT_SYNC,
    BUG_RESTORED_SYNC,
    BUG_TRASH_SYNC,
    BUG_RECORD_LATE,
    BUG_NO_CLEANUP,
    BUG_TRASH_IN_PLACE,
    BUG_EXCHANGE_BACK,
    BUG_DRIFT_OFF,
    BUG_MODE,
    BUG_OWNER,
    BUG_XATTR,
    BUG_SYNC_ANYWAY,
    BUG_NOTE_SYNC,
    BUGS
} bug_t;

static const struct {
    const char *name;
    const char *by;             /* the disturbance that is to notice it */
    const char *equivalent;
} bugs[BUGS] = {
    { NULL, NULL, NULL },
    { "before-images are not synced", "power", NULL },
    { "the record is not synced", "power", NULL },
    { "active/ is not synced after the record's rename", "power", NULL },
    { "the journal's folder is not synced after active/ is made", "power",
      NULL },
    { "new contents are not synced", "power", NULL },
    { "folders of targets are not synced", "power", NULL },
    { "the title is not synced", "power", NULL },
    { "folders are not synced after the commit's rename", "power", NULL },
    { "restored contents are not synced", "repower", NULL },
    { "trash/ is not synced before what is in it is deleted", "power", NULL },
    { "the record appears after the files have changed", "kill", NULL },
    { "temporaries are not removed", "kill", NULL },
    { "active/ is deleted in place, not in trash/", "kill", NULL },
    { "what an exchange took out is not exchanged back", "editor", NULL },
    { "files are not compared before they are undone", "editor", NULL },
    { "modes are not set", "kill", NULL },
    { "owners are not set", "kill", NULL },
    { "extended attributes are not set", "kill", NULL },
    { "what is as before already is not synced by recovery", "repower",
      "the name's folder is synced all the same, and its bytes were before "
      "they got that name; it is for an editor that wrote the old content "
      "back and did not sync, whom these runs do not have" },
    { "notes are not synced", "power", NULL },
};

const char *seed_name(int bug)
{
    return bug > 0 && bug < BUGS ? bugs[bug].name : NULL;
}

const char *seed_noticed_by(int bug)
{
    return bugs[bug].by;
}

const char *seed_equivalent(int bug)
{
    return bugs[bug].equivalent;
}

/* What is held back until the files have changed. */
static char late_from[4096];
static char late_to[4096];

void seed_reset(void)
{
    late_from[0] = late_to[0] = '\0';
}

static int ends(const char *path, const char *end)
{
    size_t a = strlen(path), b = strlen(end);

    return a >= b && strcmp(path + a - b, end) == 0;
}

static int has(const char *path, const char *part)
{
    return path && strstr(path, part) != NULL;
}

/* Is path the configuration's? */
static int is_conf(const char *path)
{
    return has(path, "/conf/") || ends(path, "/conf");
}

static int is_temporary(const char *path)
{
    return is_conf(path) && has(path, ".acmectl-");
}

/* The fsync that a bug leaves out. */
static int skips_sync(const char *path)
{
    switch (hook.bug) {
    case BUG_IMAGE_SYNC:
        return has(path, "/active/b.");
    case BUG_RECORD_SYNC:
        return has(path, "/active/.rec.");
    case BUG_ACTIVE_SYNC:
        return ends(path, "/journal/active");
    case BUG_JOURNAL_SYNC:
        return ends(path, "/journal");
    case BUG_CONTENT_SYNC:
        return is_temporary(path) && !ends(path, "~");
    case BUG_TARGET_DIR_SYNC:
        return is_conf(path) && !is_temporary(path)
               && !ends(path, ".conf");
    case BUG_TITLE_SYNC:
        return ends(path, "/title");
    case BUG_COMMIT_SYNC:
        return ends(path, "/cp");
    case BUG_RESTORED_SYNC:
        return is_temporary(path) && ends(path, "~");
    case BUG_TRASH_SYNC:
        return ends(path, "/trash");
    case BUG_SYNC_ANYWAY:
        return is_conf(path) && ends(path, ".conf");
    case BUG_NOTE_SYNC:
        return has(path, "/note.");
    default:
        return 0;
    }
}

static int skips_attribute(const char *path, int which)
{
    return is_temporary(path)
           && ((hook.bug == BUG_MODE && which == 1)
               || (hook.bug == BUG_OWNER && which == 2)
               || (hook.bug == BUG_XATTR && which == 3));
}

/* RENAME_EXCHANGE is 2. */
static int skips_rename(const char *path, const char *to, int flags)
{
    static int exchanges;

    if (hook.bug == BUG_RECORD_LATE && has(path, "/active/.rec.")
        && !late_from[0]) {
        snprintf(late_from, sizeof(late_from), "%s", path);
        snprintf(late_to, sizeof(late_to), "%s", to);
        return 1;
    }
    if (hook.bug == BUG_EXCHANGE_BACK && flags == 2
        && ends(to, "/ports.conf")) {
        if (hook.calls < exchanges) {
            exchanges = 0;          /* a new run */
        }
        /* the second exchange of the same name is the one back */
        if (exchanges) {
            exchanges = 0;
            return 1;
        }
        exchanges = hook.calls;
    }
    return hook.bug == BUG_TRASH_IN_PLACE && ends(path, "/active")
           && has(to, "/trash/");
}

seed_t seed_before(hook_call_t call, const char *path, const char *to,
                   int flags)
{
    int skip = 0;

    switch (call) {
    case HOOK_FSYNCS:
        skip = skips_sync(path);
        break;
    case HOOK_ATTRIBUTES:
        skip = skips_attribute(path, flags);
        break;
    case HOOK_RENAMES:
        skip = skips_rename(path, to, flags);
        break;
    case HOOK_REMOVES:
        skip = hook.bug == BUG_NO_CLEANUP && is_temporary(path);
        break;
    default:
        break;
    }
    return skip ? SEED_SKIP : SEED_PASS;
}

/* The record appears once a folder of the configuration was synced. */
void seed_after(hook_call_t call, const char *path, const char *to)
{
    char from[4096], target[4096];

    if (hook.bug == BUG_RECORD_LATE && call == HOOK_FSYNCS && late_from[0]
        && is_conf(path) && !is_temporary(path)) {
        snprintf(from, sizeof(from), "%s", late_from);
        snprintf(target, sizeof(target), "%s", late_to);
        late_from[0] = '\0';
        hook.bug = 0;
        rename(from, target);
        hook.bug = BUG_RECORD_LATE;
    }
}

/* 1 if an editor of the harness wrote the file. */
static int is_edited(const char *path)
{
    char text[8] = "";
    int fd, seen = hook.on;

    hook.on = 0;
    fd = open(path, O_RDONLY);
    if (fd != -1) {
        if (read(fd, text, 7) < 0) {
            text[0] = '\0';
        }
        close(fd);
    }
    hook.on = seen;
    return strcmp(text, "# writt") == 0;
}

/* Drift off: who asks what an edited file holds is told what we wrote. */
const char *seed_open(const char *path, char *buf)
{
    if (hook.bug == BUG_DRIFT_OFF && is_conf(path)
        && has(path, "ports.conf") && is_edited(path)) {
        hook.on = 0;
        put_text("../believed", scene_new_ports());
        hook.on = 1;
        snprintf(buf, 4096, "%s", conf_path("../believed"));
        return buf;
    }
    return path;
}
