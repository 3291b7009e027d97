/*
 * validator_ask.c: ask the validator, for t/validate.t.
 *
 *     validator_ask FILE
 *
 * FILE: {"timeout": s, "deadline": s, "settle": s, "live": PATH, "targets":
 * [{"name", "http": ["ADDRESS PORT"], "https": [...], "chain", "key_type",
 * "roots", "redirect", "hsts", "stapling", "managed"}]}; all but names may be
 * absent. Prints {"checks": [{"name", "check", "ok", "required", "detail"}],
 * "failed": check or null, "error": sentence or null, "progress": calls,
 * "seconds"}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "validator/validator.h"

static int calls;

static void count(void *baton, const char *name, const char *check)
{
    (void)baton;
    (void)name;
    (void)check;
    calls++;
}

static const char *text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static int number(const json_t *json, const char *key, int otherwise)
{
    const json_t *value = json_object_get(json, key);

    return value ? (int)json_integer_value(value) : otherwise;
}

static apr_array_header_t *addresses(const json_t *list, apr_pool_t *pool)
{
    apr_array_header_t *array = apr_array_make(pool, 2,
                                               sizeof(validator_address_t));
    size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        char *word = apr_pstrdup(pool, json_string_value(
                                           json_array_get(list, i)));
        char *blank = strchr(word, ' ');
        validator_address_t *address = apr_array_push(array);

        *blank = '\0';
        address->address = word;
        address->port = (int)strtol(blank + 1, NULL, 10);
    }
    return array;
}

static void target_add(apr_array_header_t *targets, const json_t *json,
                       apr_pool_t *pool)
{
    validator_target_t *target = apr_array_push(targets);

    target->name = text(json, "name");
    target->http = addresses(json_object_get(json, "http"), pool);
    target->https = addresses(json_object_get(json, "https"), pool);
    target->chain = text(json, "chain");
    target->key_type = text(json, "key_type");
    target->roots = text(json, "roots");
    target->redirect = number(json, "redirect", -1);
    target->hsts = number(json, "hsts", -1);
    target->stapling = number(json, "stapling", -1);
    target->managed = number(json, "managed", 0);
}

static json_t *checks_json(const apr_array_header_t *checks)
{
    json_t *list = json_array();
    int i;

    for (i = 0; checks && i < checks->nelts; i++) {
        const validator_check_t *check = &APR_ARRAY_IDX(checks, i,
                                                        validator_check_t);

        json_array_append_new(list, json_pack(
            "{s:s, s:s, s:i, s:i, s:s}", "name", check->name, "check",
            check->check, "ok", check->ok, "required", check->required,
            "detail", check->detail));
    }
    return list;
}

int main(int argc, char **argv)
{
    base_clock_t *clock = base_clock_system();
    validator_options_t options = { 0 };
    apr_array_header_t *checks = NULL;
    apr_array_header_t *targets;
    const validator_check_t *failed = NULL;
    acme_err_t err = { 0 };
    apr_time_t began = clock->mono(clock);
    json_t *json, *list;
    apr_pool_t *pool;
    size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    json = argc == 2 ? json_load_file(argv[1], 0, NULL) : NULL;
    if (!json) {
        return BASE_EXIT_USAGE;
    }
    list = json_object_get(json, "targets");
    targets = apr_array_make(pool, 8, sizeof(validator_target_t));
    for (i = 0; i < json_array_size(list); i++) {
        target_add(targets, json_array_get(list, i), pool);
    }
    options.timeout = apr_time_from_sec(number(json, "timeout", 5));
    options.deadline = apr_time_from_sec(number(json, "deadline", 30));
    options.settle = apr_time_from_sec(number(json, "settle", 0));
    options.progress = count;
    options.live = text(json, "live");
    if (validator_run(&checks, targets, &options, &err, pool)
        == APR_SUCCESS) {
        failed = validator_failed(checks);
    }
    json_object_clear(json);
    json_object_set_new(json, "checks", checks_json(checks));
    json_object_set_new(json, "failed", failed ? json_string(failed->check)
                                               : json_null());
    json_object_set_new(json, "error", err.status ? json_string(err.message)
                                                  : json_null());
    json_object_set_new(json, "progress", json_integer(calls));
    json_object_set_new(json, "seconds", json_real(
        (double)(clock->mono(clock) - began) / APR_USEC_PER_SEC));
    json_dumpf(json, stdout, JSON_INDENT(1));
    json_decref(json);
    apr_pool_destroy(pool);
    apr_terminate();
    return (int)err.exit;
}
