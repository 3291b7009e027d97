/*
 * Regular expressions of ECMA 262 on PCRE2.
 *
 * The two dialects look alike and differ in what matters for checking
 * input ("$" before a final newline, \s, \Z, [[:alpha:]]). So an expression
 * is read here once, token by token, and written again in PCRE2's words;
 * what has no exact counterpart is refused. The subset is in README.md.
 *
 *   ECMA 262           PCRE2
 *   .                  [^\n\r\x{2028}\x{2029}]
 *   \s \S              the 25 code points of WhiteSpace and LineTerminator
 *   \d \w \b           the same (ASCII, as PCRE2_UCP is not set)
 *   \uHHHH \xHH \cX    \x{H...}
 *   $                  the same with PCRE2_DOLLAR_ENDONLY
 *   [ in a class       \[
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "schema/internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* A simple pattern needs at most a few steps for each character of a message
 * of 64 KiB; a careless one is stopped within milliseconds. */
#define MATCH_STEPS_MAX 200000
#define MATCH_HEAP_MAX 512    /* KiB */
#define PATTERN_MAX 2048

struct schema_regex_t {
    pcre2_code *code;
    pcre2_match_context *limits;
};

/* Source: ECMA-262 12.2 and 12.3 (with Zs of Unicode). */
#define SPACES "\\t\\n\\x0b\\f\\r \\xa0\\x{1680}\\x{2000}-\\x{200a}" \
               "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"

/* ---------------------------------------------------------- translation */

/* The reader: at is the next byte, out what is written so far. */
typedef struct reader_t {
    const char *at;
    apr_array_header_t *out;    /* of char */
    int in_class;
    const char *reason;         /* set when something is wrong */
    apr_status_t status;        /* then: APR_EINVAL or APR_ENOTIMPL */
} reader_t;

static void put(reader_t *r, const char *text)
{
    while (*text) {
        APR_ARRAY_PUSH(r->out, char) = *text++;
    }
}

static void put_char(reader_t *r, char c)
{
    APR_ARRAY_PUSH(r->out, char) = c;
}

static void fail(reader_t *r, apr_status_t status, const char *reason)
{
    if (!r->reason) {
        r->reason = reason;
        r->status = status;
    }
}

/* The hexadecimal digits of \xHH and \uHHHH. */
static void read_hex(reader_t *r, int digits)
{
    char text[16];
    long code;
    int i;

    for (i = 0; i < digits; i++) {
        if (!apr_isxdigit(r->at[i])) {
            fail(r, APR_EINVAL, "\\x needs two and \\u four hexadecimal "
                 "digits");
            return;
        }
        text[i] = r->at[i];
    }
    text[digits] = '\0';
    code = strtol(text, NULL, 16);
    if (code >= 0xd800 && code <= 0xdfff) {
        fail(r, APR_ENOTIMPL, "\\u surrogates: write the character itself");
        return;
    }
    r->at += digits;
    apr_snprintf(text, sizeof(text), "\\x{%lx}", (unsigned long)code);
    put(r, text);
}

static void read_control(reader_t *r)
{
    char text[8];

    if (!apr_isalpha(*r->at)) {
        fail(r, APR_EINVAL, "\\c needs a letter");
        return;
    }
    apr_snprintf(text, sizeof(text), "\\x%02x", *r->at++ & 0x1f);
    put(r, text);
}

static void read_space(reader_t *r, char c)
{
    if (c == 's') {
        put(r, r->in_class ? SPACES : "[" SPACES "]");
    }
    else if (r->in_class) {
        fail(r, APR_ENOTIMPL, "\\S in a class");
    }
    else {
        put(r, "[^" SPACES "]");
    }
}

static void read_zero(reader_t *r)
{
    if (apr_isdigit(*r->at)) {
        fail(r, APR_ENOTIMPL, "octal escapes");
    }
    else {
        put(r, "\\x00");
    }
}

/* What a backslash and a letter or digit mean. */
static void read_letter(reader_t *r, char c)
{
    if (strchr("dDwWnrtf", c) || (c == 'b')
        || (c == 'B' && !r->in_class)) {
        put_char(r, '\\');
        put_char(r, c);
    }
    else if (c == 'v') {
        put(r, "\\x0b");
    }
    else if (c == 's' || c == 'S') {
        read_space(r, c);
    }
    else if (c == 'x' || c == 'u') {
        read_hex(r, c == 'x' ? 2 : 4);
    }
    else if (c == 'c') {
        read_control(r);
    }
    else if (c == '0') {
        read_zero(r);
    }
    else if (apr_isdigit(c) || c == 'k') {
        fail(r, APR_ENOTIMPL, "back references");
    }
    else if (c == 'p' || c == 'P') {
        fail(r, APR_ENOTIMPL, "Unicode properties");
    }
    else {
        fail(r, APR_EINVAL, "a backslash before a letter without meaning");
    }
}

/* Everything behind a backslash. */
static void read_escape(reader_t *r)
{
    char c = *r->at;

    if (c == '\0') {
        fail(r, APR_EINVAL, "a backslash at the end");
        return;
    }
    r->at++;
    if (apr_isalnum(c)) {
        read_letter(r, c);
    }
    else if (apr_ispunct(c)) {
        put_char(r, '\\');
        put_char(r, c);
    }
    else {
        fail(r, APR_EINVAL, "a backslash before a character that is no "
             "punctuation");
    }
}

/* From behind "[" to behind "]". */
static void read_class(reader_t *r)
{
    r->in_class = 1;
    put_char(r, '[');
    if (*r->at == '^') {
        put_char(r, *r->at++);
    }
    while (!r->reason && *r->at && *r->at != ']') {
        char c = *r->at++;

        if (c == '\\') {
            read_escape(r);
        }
        else if (c == '[') {
            put(r, "\\[");
        }
        else {
            put_char(r, c);
        }
    }
    if (*r->at != ']') {
        fail(r, APR_EINVAL, "a [ without its ]");
        return;
    }
    put_char(r, *r->at++);
    r->in_class = 0;
}

/* From behind "(": plain, (?: (?= and (?! are common ground. */
static void read_group(reader_t *r)
{
    put_char(r, '(');
    if (*r->at == '*') {
        fail(r, APR_EINVAL, "a ( before a quantifier");
    }
    if (*r->at != '?') {
        return;
    }
    if (r->at[1] == ':' || r->at[1] == '=' || r->at[1] == '!') {
        put_char(r, *r->at++);
        put_char(r, *r->at++);
    }
    else if (r->at[1] == '<') {
        fail(r, APR_ENOTIMPL, "look-behind and named groups");
    }
    else {
        fail(r, APR_EINVAL, "(? before something else than : = !");
    }
}

/* Copy digits. @return how many */
static int read_digits(reader_t *r)
{
    int count = 0;

    while (apr_isdigit(*r->at)) {
        put_char(r, *r->at++);
        count++;
    }
    return count;
}

/* From behind "{": {n} {n,} {n,m}. */
static void read_braces(reader_t *r)
{
    put_char(r, '{');
    if (!read_digits(r)) {
        fail(r, APR_EINVAL, "a { that is no {n}, {n,} or {n,m}: write \\{");
        return;
    }
    if (*r->at == ',') {
        put_char(r, *r->at++);
        read_digits(r);
    }
    if (*r->at != '}') {
        fail(r, APR_EINVAL, "a { that is no {n}, {n,} or {n,m}: write \\{");
        return;
    }
    put_char(r, *r->at++);
}

/* A quantifier, and "?" behind it. PCRE2 would take x++ as possessive. */
static void read_quantifier(reader_t *r, char c)
{
    if (c == '{') {
        read_braces(r);
    }
    else {
        put_char(r, c);
    }
    if (*r->at == '?') {
        put_char(r, *r->at++);
    }
    if (*r->at && strchr("*+?{", *r->at)) {
        fail(r, APR_EINVAL, "a quantifier behind a quantifier");
    }
}

static void read_token(reader_t *r)
{
    char c = *r->at++;

    if (c == '\\') {
        read_escape(r);
    }
    else if (c == '[') {
        read_class(r);
    }
    else if (c == '(') {
        read_group(r);
    }
    else if (strchr("*+?{", c)) {
        read_quantifier(r, c);
    }
    else if (c == ']' || c == '}') {
        fail(r, APR_EINVAL, "a ] or } alone: write \\] or \\}");
    }
    else if (c == '.') {
        put(r, "[^\\n\\r\\x{2028}\\x{2029}]");
    }
    else {
        put_char(r, c);
    }
}

/* pattern in PCRE2's words, or the reason why not. */
static apr_status_t translate(const char **presult, const char *pattern,
                              const char **preason, apr_pool_t *pool)
{
    reader_t r = { pattern, NULL, 0, NULL, APR_SUCCESS };

    r.out = apr_array_make(pool, 64, sizeof(char));
    if (strlen(pattern) > PATTERN_MAX) {
        fail(&r, APR_ENOTIMPL, "more than 2048 bytes");
    }
    while (!r.reason && *r.at) {
        read_token(&r);
    }
    if (r.reason) {
        *preason = r.reason;
        return r.status;
    }
    put_char(&r, '\0');
    *presult = r.out->elts;
    return APR_SUCCESS;
}

/* ----------------------------------------------------------- PCRE2 side */

static apr_status_t regex_free(void *baton)
{
    schema_regex_t *regex = baton;

    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    return APR_SUCCESS;
}

static apr_status_t regex_limit(schema_regex_t *regex)
{
    regex->limits = pcre2_match_context_create(NULL);
    if (!regex->limits) {
        return APR_ENOMEM;
    }
    pcre2_set_match_limit(regex->limits, MATCH_STEPS_MAX);
    pcre2_set_depth_limit(regex->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(regex->limits, MATCH_HEAP_MAX);
    return APR_SUCCESS;
}

apr_status_t schema_regex_compile(schema_regex_t **pregex,
                                  const char *pattern, const char **preason,
                                  apr_pool_t *result_pool)
{
    schema_regex_t *regex = apr_pcalloc(result_pool, sizeof(*regex));
    const char *text;
    PCRE2_UCHAR message[128];
    PCRE2_SIZE at;
    apr_status_t rv;
    int code;

    rv = translate(&text, pattern, preason, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(result_pool, regex, regex_free,
                              apr_pool_cleanup_null);
    regex->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                PCRE2_UTF | PCRE2_DOLLAR_ENDONLY
                                | PCRE2_ALLOW_EMPTY_CLASS
                                | PCRE2_NO_AUTO_CAPTURE
                                | PCRE2_NEVER_BACKSLASH_C,
                                &code, &at, NULL);
    if (!regex->code) {
        pcre2_get_error_message(code, message, sizeof(message));
        *preason = apr_pstrdup(result_pool, (const char *)message);
        return APR_EINVAL;
    }
    if (regex_limit(regex) != APR_SUCCESS) {
        *preason = "out of memory";
        return APR_ENOMEM;
    }
    *pregex = regex;
    return APR_SUCCESS;
}

apr_status_t schema_regex_match(const schema_regex_t *regex,
                                const char *text, apr_size_t len)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int found;

    if (!data) {
        return APR_ENOMEM;
    }
    found = pcre2_match(regex->code, (PCRE2_SPTR)text, len, 0, 0, data,
                        regex->limits);
    pcre2_match_data_free(data);
    if (found >= 0) {
        return APR_SUCCESS;
    }
    return found == PCRE2_ERROR_NOMATCH ? APR_NOTFOUND : APR_EGENERAL;
}
