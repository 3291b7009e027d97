/*
 * The validator against the official JSON Schema test suite, draft-07.
 *
 * A test point a file. A group of tests passes if every answer is the
 * suite's; or if its schema is refused with APR_ENOTIMPL and the group
 * stands in the list "outside" below with the same reason. So nothing can
 * drop out of the subset unnoticed.
 *
 * The suite is found in SCHEMA_SUITE or where Debian's package
 * json-schema-test-suite puts it; without it all is skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "schema/schema.h"

#define SUITE_DIR "/usr/share/json-schema-test-suite/tests/draft7"

/* Fewer right answers than this: the suite was not really run. */
#define RIGHT_MIN 440

/* What is outside the subset: a refusal must say one of its file's texts.
 * group NULL stands for any group. The rows fit version 2.0.0 of the suite
 * (Debian 12) and that of August 2026. */
static const struct {
    const char *file;
    const char *group;
    const char *reason;
} outside[] = {
    { "definitions.json", NULL, "leaves the schemas that are known" },
    { "format.json", NULL, "the format \"email\"" },
    { "format.json", NULL, "the format \"hostname\"" },
    { "format.json", NULL, "the format \"idn-email\"" },
    { "format.json", NULL, "the format \"idn-hostname\"" },
    { "format.json", NULL, "the format \"iri\"" },
    { "format.json", NULL, "the format \"iri-reference\"" },
    { "format.json", NULL, "the format \"regex\"" },
    { "format.json", NULL, "the format \"relative-json-pointer\"" },
    { "format.json", NULL, "the format \"uri\"" },
    { "format.json", NULL, "the format \"uri-reference\"" },
    { "format.json", NULL, "the format \"uri-template\"" },
    { "ref.json", NULL, "\"$id\" below the root" },
    { "ref.json", "URN base URI with URN and JSON pointer ref",
      "leaves the schemas that are known" },
    { "ref.json", "escaped pointer ref", "the keyword \"tilda~field\"" },
    { "ref.json", "ref overrides any sibling keywords",
      "beside \"$ref\"" },
    { "ref.json", "remote ref, containing refs itself",
      "leaves the schemas that are known" },
    { "ref.json", "simple URN base URI with $ref via the URN",
      "leaves the schemas that are known" },
    { "refRemote.json", NULL, "leaves the schemas that are known" },
    { "refRemote.json", NULL, "\"$id\" below the root" },
    { "optional/bignum.json", NULL, "too big" },
    { "optional/content.json", NULL, "the keyword \"content" },
    { "optional/cross-draft.json", NULL,
      "leaves the schemas that are known" },
    { "optional/ecmascript-regex.json", NULL, "the format \"regex\"" },
    { "optional/ecmascript-regex.json", NULL, "Unicode properties" },
    { "optional/float-overflow.json", NULL, "real number overflow" },
    { "optional/id.json", "id inside an enum is not a real identifier",
      "\"$id\" below the root" },
    { "optional/unknownKeyword.json", NULL,
      "the keyword \"array_of_schemas\"" },
    { "optional/format/ecmascript-regex.json", NULL,
      "the format \"regex\"" },
    { "optional/format/email.json", NULL, "the format \"email\"" },
    { "optional/format/hostname.json", NULL, "the format \"hostname\"" },
    { "optional/format/idn-email.json", NULL, "the format \"idn-email\"" },
    { "optional/format/idn-hostname.json", NULL,
      "the format \"idn-hostname\"" },
    { "optional/format/iri-reference.json", NULL,
      "the format \"iri-reference\"" },
    { "optional/format/iri.json", NULL, "the format \"iri\"" },
    { "optional/format/regex.json", NULL, "the format \"regex\"" },
    { "optional/format/relative-json-pointer.json", NULL,
      "the format \"relative-json-pointer\"" },
    { "optional/format/unknown.json", NULL, "the format \"unknown\"" },
    { "optional/format/uri-reference.json", NULL,
      "the format \"uri-reference\"" },
    { "optional/format/uri-template.json", NULL,
      "the format \"uri-template\"" },
    { "optional/format/uri.json", NULL, "the format \"uri\"" },
    { NULL, NULL, NULL }
};

/* One run over the suite. */
typedef struct run_t {
    const char *dir;
    int files;
    int failed;     /* files with a fault */
    int right, wrong, outside;    /* tests */
    apr_pool_t *pool;
} run_t;

/* What is being looked at, for messages. */
typedef struct place_t {
    const char *file;
    const char *group;
    int faults;
} place_t;

static void complain(place_t *at, const char *test, const char *text)
{
    printf("# %s: %s%s%s: %s\n", at->file, at->group, test ? ": " : "",
           test ? test : "", text);
    at->faults++;
}

/* 1 if the list knows this refusal. */
static int is_listed(const place_t *at, const char *message)
{
    int i;

    for (i = 0; outside[i].file; i++) {
        if (strcmp(outside[i].file, at->file) == 0
            && (!outside[i].group
                || strcmp(outside[i].group, at->group) == 0)
            && strstr(message, outside[i].reason)) {
            return 1;
        }
    }
    return 0;
}

/* A schema was refused: as outside the subset, and the list says so too. */
static void check_refusal(place_t *at, apr_status_t rv, const char *message)
{
    if (rv != APR_ENOTIMPL) {
        complain(at, NULL, message);
    }
    else if (!is_listed(at, message)) {
        complain(at, "not in the list of what is outside", message);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "?";
}

static void run_tests(run_t *run, place_t *at, const schema_t *schema,
                      const json_t *tests)
{
    size_t i;

    for (i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        int valid = json_is_true(json_object_get(test, "valid"));
        acme_err_t err;
        apr_status_t rv;

        base_err_clear(&err);
        rv = schema_check(schema, json_object_get(test, "data"), "value",
                          &err);
        if ((rv == APR_SUCCESS) == valid) {
            run->right++;
        }
        else {
            run->wrong++;
            complain(at, text_of(test, "description"),
                     valid ? err.message : "passes and should not");
        }
    }
}

static void run_group(run_t *run, place_t *at, const json_t *group)
{
    const json_t *tests = json_object_get(group, "tests");
    char *text = json_dumps(json_object_get(group, "schema"),
                            JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    acme_err_t err;
    schema_t *schema;
    apr_status_t rv;

    base_err_clear(&err);
    at->group = text_of(group, "description");
    rv = schema_compile(&schema, text ? text : "",
                        text ? strlen(text) : 0, at->file, &err, run->pool);
    free(text);
    if (rv != APR_SUCCESS) {
        check_refusal(at, rv, err.message);
        run->outside += (int)json_array_size(tests);
        return;
    }
    run_tests(run, at, schema, tests);
}

static void run_file(run_t *run, const char *name)
{
    const char *path = apr_pstrcat(run->pool, run->dir, "/", name, NULL);
    place_t at = { name, "the file", 0 };
    int right = run->right, wrong = run->wrong, out = run->outside;
    json_error_t fault;
    json_t *groups;
    size_t i;

    groups = json_load_file(path, JSON_ALLOW_NUL, &fault);
    if (!groups) {
        /* jansson's integers have 64 bits */
        check_refusal(&at, APR_ENOTIMPL, fault.text);
    }
    for (i = 0; i < json_array_size(groups); i++) {
        run_group(run, &at, json_array_get(groups, i));
    }
    json_decref(groups);
    run->failed += at.faults > 0;
    printf("%s %d - %s: %d right, %d wrong, %d outside\n",
           at.faults ? "not ok" : "ok", ++run->files, name,
           run->right - right, run->wrong - wrong, run->outside - out);
}

/* Names that end in ".json" in a directory of the suite, sorted. */
static apr_array_header_t *list(run_t *run, const char *folder)
{
    apr_array_header_t *names, *result;
    acme_err_t err;
    int i;

    base_err_clear(&err);
    result = apr_array_make(run->pool, 64, sizeof(const char *));
    if (base_dir_list(&names, apr_pstrcat(run->pool, run->dir, "/", folder,
                                          NULL), &err, run->pool)) {
        printf("Bail out! %s\n", err.message);
        exit(EXIT_FAILURE);
    }
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, char *);
        size_t len = strlen(name);

        if (len > 5 && strcmp(name + len - 5, ".json") == 0) {
            APR_ARRAY_PUSH(result, const char *) =
                apr_pstrcat(run->pool, folder, name, NULL);
        }
    }
    return result;
}

static void run_folder(run_t *run, const char *folder)
{
    apr_array_header_t *names = list(run, folder);
    int i;

    for (i = 0; i < names->nelts; i++) {
        run_file(run, APR_ARRAY_IDX(names, i, const char *));
    }
}

static int run_suite(run_t *run)
{
    int good;

    run_folder(run, "");
    run_folder(run, "optional/");
    run_folder(run, "optional/format/");
    good = run->wrong == 0 && run->right >= RIGHT_MIN;
    printf("%s %d - draft-07 suite: %d tests right, %d wrong, %d outside "
           "the subset\n", good ? "ok" : "not ok", ++run->files, run->right,
           run->wrong, run->outside);
    printf("1..%d\n", run->files);
    return good && run->failed == 0;
}

int main(void)
{
    const char *dir = getenv("SCHEMA_SUITE");
    run_t run = { dir ? dir : SUITE_DIR, 0, 0, 0, 0, 0, NULL };
    apr_finfo_t info;
    int good = 1;

    apr_initialize();
    apr_pool_create(&run.pool, NULL);
    if (apr_stat(&info, run.dir, APR_FINFO_TYPE, run.pool) != APR_SUCCESS) {
        printf("1..0 # SKIP %s is absent: install the suite (Debian: "
               "apt-get install json-schema-test-suite)\n", run.dir);
    }
    else {
        good = run_suite(&run);
    }
    apr_pool_destroy(run.pool);
    apr_terminate();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
