/* What a program is told: arguments and environment. */
#include "notify/internal.h"
#include "unit.h"

#define URN "urn:ietf:params:acme:error:dns"

static notify_event_t event;
static notify_options_t options;
static apr_array_header_t *program;
static apr_array_header_t *names;

static void setup(void)
{
    unit_setup();
    program = apr_array_make(pool, 3, sizeof(const char *));
    APR_ARRAY_PUSH(program, const char *) = "/hook";
    APR_ARRAY_PUSH(program, const char *) = "two words";
    memset(&options, 0, sizeof(options));
    options.program = program;
    options.user = "nobody";
    memset(&event, 0, sizeof(event));
    event.name = "a.example";
    names = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) = "a.example";
    APR_ARRAY_PUSH(names, const char *) = "www.a.example";
    event.names = names;
    event.key_type = "P-256";
    event.ca = "https://ca.example/dir";
}

/* The message for event. */
static const json_t *message(void)
{
    json_t *made = notify_message(&event, &options, 7, 1, pool);

    ck_assert_ptr_nonnull(made);
    return base_json_own(made, pool);
}

/* The arguments, "|" between. */
static const char *arguments(void)
{
    const char *text = "";
    json_t *word;
    size_t i;

    json_array_foreach(json_object_get(message(), "argv"), i, word) {
        text = apr_pstrcat(pool, text, i ? "|" : "",
                           json_string_value(word), NULL);
    }
    return text;
}

/* A variable of the environment; NULL if it is not there. */
static const char *variable(const char *name)
{
    size_t len = strlen(name);
    json_t *word;
    size_t i;

    json_array_foreach(json_object_get(message(), "env"), i, word) {
        const char *text = json_string_value(word);

        if (strncmp(text, name, len) == 0 && text[len] == '=') {
            return text + len + 1;
        }
    }
    return NULL;
}

/* ARG... EVENT NAME [IDENTIFIER|-] [ERROR] */
START_TEST(words)
{
    event.kind = NOTIFY_RENEWED;
    ck_assert_str_eq(arguments(), "/hook|two words|renewed|a.example");
    event.kind = NOTIFY_CHALLENGE_SETUP;
    event.identifier = "www.a.example";
    ck_assert_str_eq(arguments(), "/hook|two words|challenge-setup|a.example"
                     "|www.a.example");
    event.kind = NOTIFY_ERRORED;
    event.error = "no such host";
    ck_assert_str_eq(arguments(), "/hook|two words|errored|a.example"
                     "|www.a.example|no such host");
    event.identifier = NULL;
    ck_assert_str_eq(arguments(), "/hook|two words|errored|a.example|-"
                     "|no such host");
    event.error = "";
    ck_assert_str_eq(arguments(), "/hook|two words|errored|a.example");
}
END_TEST

/* Every event has the word that README gives it. */
START_TEST(names_of_events)
{
    static const char *const words_of[] = {
        "renewing", "renewed", "installed", "expiring", "errored",
        "challenge-setup", "challenge-teardown"
    };

    event.kind = (notify_kind_t)_i;
    ck_assert_str_eq(variable("ACME_EVENT"), words_of[_i]);
}
END_TEST

/* All variables are always there, empty where nothing is to be said. */
START_TEST(environment)
{
    static const char *const empty[] = {
        "ACME_IDENTIFIER", "ACME_CHALLENGE_TYPE", "ACME_ERROR_TYPE",
        "ACME_ERROR", "ACME_CERTIFICATE", "ACME_NOT_AFTER"
    };
    size_t i;

    for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        ck_assert_str_eq(variable(empty[i]), "");
    }
    ck_assert_uint_eq(json_array_size(json_object_get(message(), "env")),
                      13);
    ck_assert_str_eq(variable("ACME_NAME"), "a.example");
    ck_assert_str_eq(variable("ACME_NAMES"), "a.example www.a.example");
    ck_assert_str_eq(variable("ACME_KEY_TYPE"), "P-256");
    ck_assert_str_eq(variable("ACME_CA"), "https://ca.example/dir");
    ck_assert_str_eq(variable("HOME"), "/");
    ck_assert_ptr_nonnull(strstr(variable("PATH"), "/usr/bin"));
    event.challenge = "http-01";
    event.identifier = "a.example";
    event.error_type = URN;
    event.error = "no such host";
    event.certificate = "/store/fullchain.pem";
    event.not_after = apr_time_from_sec(APR_INT64_C(1800000000));
    ck_assert_str_eq(variable("ACME_CHALLENGE_TYPE"), "http-01");
    ck_assert_str_eq(variable("ACME_IDENTIFIER"), "a.example");
    ck_assert_str_eq(variable("ACME_ERROR_TYPE"), URN);
    ck_assert_str_eq(variable("ACME_ERROR"), "no such host");
    ck_assert_str_eq(variable("ACME_CERTIFICATE"), "/store/fullchain.pem");
    ck_assert_str_eq(variable("ACME_NOT_AFTER"), "2027-01-15T08:00:00Z");
}
END_TEST

/* Nothing of this process's own environment is handed on. */
START_TEST(nothing_inherited)
{
    setenv("LD_PRELOAD", "/evil.so", 1);
    ck_assert_ptr_null(variable("LD_PRELOAD"));
    unsetenv("LD_PRELOAD");
}
END_TEST

/* An error's text is one line of printable UTF-8, and not long. */
START_TEST(hostile_errors)
{
    char *text = apr_palloc(pool, 5001);

    event.error = "a\nb\x1b[2J\x80`reboot`";
    ck_assert_str_eq(variable("ACME_ERROR"),
                     "a\\x0Ab\\x1B[2J\\x80`reboot`");
    memset(text, 'x', 5000);
    text[5000] = '\0';
    event.error = text;
    ck_assert_uint_eq(strlen(variable("ACME_ERROR")), NOTIFY_ERROR_MAX);
    ck_assert_ptr_nonnull(strstr(arguments(), "xxx..."));
}
END_TEST

/* A problem's type is a URI, or it is none. */
START_TEST(hostile_types)
{
    static const char *const types[] = {
        "urn:x y", "urn:\n", "`reboot`", "$(reboot)", "urn:\xc3\xa4", "a;b"
    };

    event.error_type = types[_i];
    ck_assert_str_eq(variable("ACME_ERROR_TYPE"), "");
}
END_TEST

/* Of very many names those are told that fit, and that it were more. */
START_TEST(many_names)
{
    const char *text;
    int i;

    for (i = 0; i < 5000; i++) {
        APR_ARRAY_PUSH(names, const char *) =
            apr_psprintf(pool, "host-%d.a.example", i);
    }
    text = variable("ACME_NAMES");
    ck_assert_uint_le(strlen(text), 32 * 1024 + 8);
    ck_assert_str_eq(text + strlen(text) - 14, ".a.example ...");
    ck_assert_uint_le(strlen(base_json_text(message(), pool)),
                      NOTIFY_MESSAGE_MAX);
}
END_TEST

/* The notifier's own part: who waits, for whom it is run, whose it is. */
START_TEST(the_rest)
{
    const json_t *made = message();

    ck_assert_int_eq((int)json_integer_value(json_object_get(made, "id")),
                     7);
    ck_assert(json_is_true(json_object_get(made, "awaited")));
    ck_assert_str_eq(json_string_value(json_object_get(made, "user")),
                     "nobody");
    ck_assert_str_eq(json_string_value(json_object_get(made, "certificate")),
                     "a.example P-256");
    ck_assert_str_eq(json_string_value(json_object_get(made, "what")),
                     "renewing a.example");
    event.kind = NOTIFY_CHALLENGE_TEARDOWN;
    event.challenge = "http-01";
    event.identifier = "www.a.example";
    ck_assert_str_eq(json_string_value(json_object_get(message(), "what")),
                     "challenge-teardown www.a.example");
}
END_TEST

Suite *event_suite(void)
{
    Suite *suite = suite_create("event");
    TCase *tc = tcase_create("event");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, words);
    tcase_add_loop_test(tc, names_of_events, 0, 7);
    tcase_add_test(tc, environment);
    tcase_add_test(tc, nothing_inherited);
    tcase_add_test(tc, hostile_errors);
    tcase_add_loop_test(tc, hostile_types, 0, 6);
    tcase_add_test(tc, many_names);
    tcase_add_test(tc, the_rest);
    return suite;
}
