/*
 * complaint.c: what httpd had to say, in one line.
 */
#include "httpd/internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/** Lines that are no reason for a refusal contain one of these. */
static const char *const noise[] = {
    "Syntax OK", "Could not reliably determine the server's", "Warning:",
    "arning: ", ":warn]", ":notice]", ":info]", ":debug]",
    "is not defined", "already loaded, skipping",
    "has no effect and will be removed", "Action '", "The Apache error log",
    NULL
};

/** A line with one of these is the reason, whatever stands before it; those
 *  of the first list before those of the next. */
static const char *const refusals[] = {
    "yntax error", "onfiguration error", "Could not open configuration",
    NULL
};
static const char *const fatal[] = { ":emerg]", NULL };
static const char *const grave[] = { ":alert]", ":crit]", NULL };
static const char *const errors[] = { ":error]", NULL };
static const char *const *const reasons[] = {
    refusals, fatal, grave, errors
};

/** These only close what was said before. */
static const char *const closing[] = {
    "AH02312:", "ACME0022:", "SSL Library Error:", NULL
};

static int contains_any(const char *line, const char *const *texts)
{
    while (*texts) {
        if (strstr(line, *texts++)) {
            return 1;
        }
    }
    return 0;
}

static char *trimmed(char *line)
{
    char *end = line + strlen(line);

    while (apr_isspace(*line)) {
        line++;
    }
    while (end > line && apr_isspace(end[-1])) {
        *--end = '\0';
    }
    return line;
}

/** Lines of text, blanks around them removed, empty ones left out. */
static apr_array_header_t *split_lines(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 8, sizeof(char *));
    char *copy = apr_pstrdup(pool, text);
    char *last;
    char *line;

    for (line = apr_strtok(copy, "\r\n", &last); line;
         line = apr_strtok(NULL, "\r\n", &last)) {
        line = trimmed(line);
        if (*line) {
            APR_ARRAY_PUSH(lines, char *) = line;
        }
    }
    return lines;
}

/** The first line that contains one of wanted and none of unwanted. */
static int find_line(const apr_array_header_t *lines,
                     const char *const *wanted, const char *const *unwanted)
{
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const char *line = APR_ARRAY_IDX(lines, i, const char *);

        if ((!wanted || contains_any(line, wanted))
            && (!unwanted || !contains_any(line, unwanted))) {
            return i;
        }
    }
    return -1;
}

/** A variable that envvars would have set; or NULL. */
static const char *undefined_variable(const char *text, apr_pool_t *pool)
{
    const char *start = strstr(text, "Config variable ${");
    const char *end = start ? strchr(start, '}') : NULL;

    if (!end || strncmp(end, "} is not defined", 16) != 0) {
        return NULL;
    }
    start += strlen("Config variable ");
    return apr_pstrmemdup(pool, start, (apr_size_t)(end + 1 - start));
}

static int find_reason(const apr_array_header_t *lines)
{
    apr_size_t i;
    int found = -1;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]) && found < 0; i++) {
        found = find_line(lines, reasons[i], closing);
    }
    return found < 0 ? find_line(lines, NULL, noise) : found;
}

/** line without the fields that httpd's error log puts before a message:
 *  "[time] [ssl:emerg] [pid 1] ". */
static const char *message_of(const char *line)
{
    const char *message = line, *end;

    while (*message == '[' && (end = strstr(message, "] ")) != NULL) {
        message = end + 2;
    }
    return message;
}

/** The message of line i; "" behind the last. */
static const char *message_at(const apr_array_header_t *lines, int i)
{
    return i < lines->nelts
        ? message_of(APR_ARRAY_IDX(lines, i, const char *)) : "";
}

/** The message of line i with what follows it: the sentence that it only
 *  begins, or OpenSSL's reason. Of those the last counts: they come in the
 *  order of time, and the first ones may be of what went before. */
static const char *joined(const apr_array_header_t *lines, int i,
                          apr_pool_t *pool)
{
    static const char library[] = "SSL Library Error: ";
    const apr_size_t len = sizeof(library) - 1;
    const char *text = message_at(lines, i++);
    const char *next = message_at(lines, i);

    if (*next && *text && text[strlen(text) - 1] == ':') {
        return apr_pstrcat(pool, text, " ", next, NULL);
    }
    while (strncmp(message_at(lines, i), library, len) == 0) {
        next = message_at(lines, i++);
    }
    return strncmp(next, library, len) == 0
        ? apr_pstrcat(pool, text, " (", next + len, ")", NULL) : text;
}

/** What to do about a reason that does not say so; or NULL. */
static const char *advice(const char *text, apr_pool_t *pool)
{
    const char *variable = undefined_variable(text, pool);

    if (variable) {
        return apr_psprintf(pool, "%s is not defined: name apachectl with "
                            "--httpd, or export what httpd's envvars "
                            "exports", variable);
    }
    return strstr(text, "AH02578:")
        ? "the key is encrypted, and nobody is there to give its pass "
          "phrase: decrypt the key, or name a program with "
          "SSLPassPhraseDialog exec:" : NULL;
}

const char *httpd_complaint(const httpd_output_t *output, apr_pool_t *pool)
{
    apr_array_header_t *lines = split_lines(output->err, pool);
    const char *hint = advice(output->err, pool);
    const char *text;
    int i = find_reason(lines);

    if (i >= 0) {
        text = joined(lines, i, pool);
    }
    else if (output->status > 128) {
        text = apr_psprintf(pool, "it was killed by signal %d",
                            output->status - 128);
    }
    else {
        text = apr_psprintf(pool, "it ended with status %d and gave no "
                            "reason", output->status);
    }
    return hint ? apr_psprintf(pool, "%s (%s)", text, hint) : text;
}
