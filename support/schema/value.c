/*
 * What JSON Schema asks of a value: its type, its order, its length, and
 * arithmetic that does not lie (1 and 1.0 are one number, 0.0075 is a
 * multiple of 0.0001, 9007199254740993 is not 9007199254740992.0).
 */
#include "schema/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

/* ---------------------------------------------------------------- types */

static const struct {
    const char *name;
    unsigned bit;
} types[] = {
    { "null", SCHEMA_NULL },
    { "boolean", SCHEMA_BOOLEAN },
    { "integer", SCHEMA_INTEGER },
    { "number", SCHEMA_NUMBER },
    { "string", SCHEMA_STRING },
    { "array", SCHEMA_ARRAY },
    { "object", SCHEMA_OBJECT },
    { NULL, 0 }
};

unsigned schema_type_named(const char *name)
{
    int i;

    for (i = 0; types[i].name; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return types[i].bit;
        }
    }
    return 0;
}

unsigned schema_type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return SCHEMA_OBJECT;
    case JSON_ARRAY:
        return SCHEMA_ARRAY;
    case JSON_STRING:
        return SCHEMA_STRING;
    case JSON_INTEGER:
        return SCHEMA_INTEGER | SCHEMA_NUMBER;
    case JSON_REAL:
        if (floor(json_real_value(value)) == json_real_value(value)) {
            return SCHEMA_INTEGER | SCHEMA_NUMBER;
        }
        return SCHEMA_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return SCHEMA_BOOLEAN;
    case JSON_NULL:
        return SCHEMA_NULL;
    }
    return 0;
}

/* -------------------------------------------------------------- numbers */

static int compare_integers(json_int_t a, json_int_t b)
{
    return (a > b) - (a < b);
}

static int compare_reals(double a, double b)
{
    return (a > b) - (a < b);
}

/* An integer of 64 bits need not fit a double: compare whole parts as
 * integers, and fractions decide what is equal then. */
static int compare_integer_real(json_int_t a, double b)
{
    double whole = floor(b);
    int order;

    if (whole >= 9223372036854775808.0) {
        return -1;
    }
    if (whole < -9223372036854775808.0) {
        return 1;
    }
    order = compare_integers(a, (json_int_t)whole);
    if (order == 0 && b > whole) {
        return -1;
    }
    return order;
}

int schema_number_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        return compare_integers(json_integer_value(a),
                                json_integer_value(b));
    }
    if (json_is_integer(a)) {
        return compare_integer_real(json_integer_value(a),
                                    json_real_value(b));
    }
    if (json_is_integer(b)) {
        return -compare_integer_real(json_integer_value(b),
                                     json_real_value(a));
    }
    return compare_reals(json_real_value(a), json_real_value(b));
}

/* A number without its sign: digits * 10^exponent. */
typedef struct decimal_t {
    apr_uint64_t digits;    /* below 10^17 for reals */
    int exponent;
} decimal_t;

/* The shortest decimal text that reads back as d. */
static void shortest_text(double d, char *buf, apr_size_t size)
{
    int precision;

    for (precision = 15; precision <= 17; precision++) {
        snprintf(buf, size, "%.*e", precision - 1, d);
        if (strtod(buf, NULL) == d) {
            return;
        }
    }
}

static decimal_t decimal_of_real(double d)
{
    decimal_t result = { 0, 0 };
    char text[40];
    const char *at;

    shortest_text(fabs(d), text, sizeof(text));
    for (at = text; *at && *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9') {
            result.digits = result.digits * 10 + (apr_uint64_t)(*at - '0');
            result.exponent -= at > text;
        }
    }
    if (*at == 'e') {
        result.exponent += (int)strtol(at + 1, NULL, 10);
    }
    return result;
}

static decimal_t decimal_of(const json_t *number)
{
    decimal_t result = { 0, 0 };
    json_int_t i;

    if (json_is_real(number)) {
        return decimal_of_real(json_real_value(number));
    }
    i = json_integer_value(number);
    result.digits = i < 0 ? 0 - (apr_uint64_t)i : (apr_uint64_t)i;
    return result;
}

/* r * 10 % m without overflow, r < m. */
static apr_uint64_t times_ten_modulo(apr_uint64_t r, apr_uint64_t m)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < 10; i++) {
        sum = sum >= m - r ? sum - (m - r) : sum + r;
    }
    return sum;
}

int schema_number_divides(const json_t *number, const json_t *divisor)
{
    decimal_t n = decimal_of(number);
    decimal_t d = decimal_of(divisor);
    int shift = n.exponent - d.exponent;
    apr_uint64_t rest;

    if (n.digits == 0) {
        return 1;
    }
    /* n has decimals that d lacks: they must be zeros. */
    for (; shift < 0; shift++) {
        if (n.digits % 10 != 0) {
            return 0;
        }
        n.digits /= 10;
    }
    for (rest = n.digits % d.digits; shift > 0 && rest; shift--) {
        rest = times_ten_modulo(rest, d.digits);
    }
    return rest == 0;
}

/* ---------------------------------------------------------------- order */

/* Types in an arbitrary but fixed order; all numbers are one type. */
static int rank(const json_t *value)
{
    return json_is_real(value) ? JSON_INTEGER : (int)json_typeof(value);
}

static int compare_strings(const json_t *a, const json_t *b)
{
    apr_size_t alen = json_string_length(a);
    apr_size_t blen = json_string_length(b);
    int order = memcmp(json_string_value(a), json_string_value(b),
                       alen < blen ? alen : blen);

    return order ? order : (alen > blen) - (alen < blen);
}

static int compare_arrays(const json_t *a, const json_t *b)
{
    apr_size_t alen = json_array_size(a);
    apr_size_t blen = json_array_size(b);
    apr_size_t i;
    int order = 0;

    for (i = 0; order == 0 && i < alen && i < blen; i++) {
        order = schema_value_compare(json_array_get(a, i),
                                     json_array_get(b, i));
    }
    return order ? order : (alen > blen) - (alen < blen);
}

/* Objects are functions from keys to values: the first key in byte order
 * at which they differ decides, an absent member before any other. No key
 * is sorted and every member is compared once at most. */
static int compare_objects(json_t *a, json_t *b)
{
    const char *first = NULL;
    const char *key;
    json_t *value;
    int order = 0;

    json_object_foreach(a, key, value) {
        if (!first || strcmp(key, first) < 0) {
            json_t *other = json_object_get(b, key);
            int here = other ? schema_value_compare(value, other) : 1;

            first = here ? key : first;
            order = here ? here : order;
        }
    }
    json_object_foreach(b, key, value) {
        if ((!first || strcmp(key, first) < 0) && !json_object_get(a, key)) {
            first = key;
            order = -1;
        }
    }
    return order;
}

int schema_value_compare(const json_t *a, const json_t *b)
{
    if (rank(a) != rank(b)) {
        return rank(a) - rank(b);
    }
    switch (json_typeof(a)) {
    case JSON_OBJECT:
        return compare_objects((json_t *)a, (json_t *)b);
    case JSON_ARRAY:
        return compare_arrays(a, b);
    case JSON_STRING:
        return compare_strings(a, b);
    case JSON_INTEGER:
    case JSON_REAL:
        return schema_number_compare(a, b);
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return 0;
}

/* ----------------------------------------------------------------- text */

apr_size_t schema_text_length(const char *text, apr_size_t len)
{
    apr_size_t count = 0;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        /* Every byte but 10xxxxxx begins a code point. */
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

/* Enough of a string to recognize it; cut between code points. */
static void describe_string(const json_t *value, char *buf, apr_size_t size)
{
    const char *text = json_string_value(value);
    int len = (int)strlen(text);
    const char *more = "";

    if (len > 60) {
        for (len = 60; ((unsigned char)text[len] & 0xc0) == 0x80; len--) {
        }
        more = "...";
    }
    apr_snprintf(buf, size, "\"%.*s%s\"", len, text, more);
}

static void describe_count(const char *what, apr_size_t count,
                           const char *noun, char *buf, apr_size_t size)
{
    apr_snprintf(buf, size, "%s of %lu %s%s", what, (unsigned long)count,
                 noun, count == 1 ? "" : "s");
}

const char *schema_value_describe(const json_t *value, char *buf,
                                  apr_size_t size)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        describe_count("an object", json_object_size(value), "member", buf,
                       size);
        break;
    case JSON_ARRAY:
        describe_count("an array", json_array_size(value), "item", buf,
                       size);
        break;
    case JSON_STRING:
        describe_string(value, buf, size);
        break;
    case JSON_INTEGER:
        apr_snprintf(buf, size, "%" APR_INT64_T_FMT,
                     (apr_int64_t)json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(buf, size, "%.17g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        apr_cpystrn(buf, json_is_true(value) ? "true" : "false", size);
        break;
    case JSON_NULL:
        apr_cpystrn(buf, "null", size);
        break;
    }
    return buf;
}
