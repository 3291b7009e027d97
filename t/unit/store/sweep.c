/*
 * sweep.c: tests of support/store/sweep.c. A killed writer is played by
 * files such as it leaves and by its name in the lock.
 */
#include "fixture.h"

static void put(const char *path, const char *text)
{
    unit_ok(base_file_write(in_store(path), text, strlen(text), 0600, &err,
                            pool));
}

static void put_folder(const char *path)
{
    unit_ok(base_dir_make(in_store(path), 0700, &err, pool));
}

static void keep(const char *id, const char *key)
{
    store_certificate_t c = { NULL, "CERT\n", "CHAIN\n", key };

    c.meta = base_json_own(json_pack("{s:s}", "name", id), pool);
    unit_ok(store_certificate_write(store, id, &c, &err, pool));
}

static void keep_order(const char *id, const char *key)
{
    json_t *state = base_json_own(json_pack("{s:s}", "url", "https://x/1"),
                                  pool);

    unit_ok(store_order_write(store, id, state, &err, pool));
    if (key) {
        unit_ok(store_order_key_write(store, id, key, strlen(key), &err,
                                      pool));
    }
}

static void lock_after(const char *holder)
{
    put("lock", holder);
    unit_ok(store_lock(store, "me", 0, &err, pool));
}

#define TEMP ".tmp-0123456789abcdef"

static const char *const temporaries[] = {
    ".ledger.json" TEMP, ".format" TEMP, "accounts/ca/.key.pem" TEMP,
    "domains/a.test/.current" TEMP, "orders/b.test/.order.json" TEMP,
    "domains/a.test/00000001/.meta.json" TEMP
};

#define TEMPORARIES (sizeof(temporaries) / sizeof(temporaries[0]))

static void litter(void)
{
    apr_size_t i;

    put_folder("accounts");
    put_folder("accounts/ca");
    keep("a.test", "KEY\n");
    keep_order("b.test", NULL);
    for (i = 0; i < TEMPORARIES; i++) {
        put(temporaries[i], "x");
    }
}

/* Behind a killed writer no temporary file stays, in whatever folder. */
START_TEST(temporaries_go)
{
    apr_size_t i;

    litter();
    lock_after("acmectl renew, pid 42\n");
    for (i = 0; i < TEMPORARIES; i++) {
        ck_assert_msg(!exists(in_store(temporaries[i])), "%s",
                      temporaries[i]);
    }
}
END_TEST

/* Behind a writer that ended well nobody looks for anything. */
START_TEST(clean_end_is_trusted)
{
    litter();
    lock_after("\n");
    ck_assert(exists(in_store(temporaries[0])));
}
END_TEST

/* Files that only look like temporary ones, and all others, stay. */
START_TEST(others_stay)
{
    static const char *const names[] = {
        ".ledger.json.tmp-0123", ".ledger.json.tmp-0123456789abcdeg",
        "ledger.json" TEMP, ".hidden", ".x.tmp-0123456789abcdef0",
        "ledger.json", "notes.txt"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(names[i], "x");
    }
    lock_after("killed\n");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_msg(exists(in_store(names[i])), "%s", names[i]);
    }
}
END_TEST

/* A generation that "current" never reached goes with its key; those in use
 * and before stay. */
START_TEST(unreached_generation_goes)
{
    keep("a.test", "KEY 1\n");
    keep("a.test", "KEY 2\n");
    put_folder("domains/a.test/00000003");
    put("domains/a.test/00000003/key.pem", "KEY 3\n");
    put_folder("domains/b.test");
    put_folder("domains/b.test/00000001");
    lock_after("killed\n");
    ck_assert(exists(in_store("domains/a.test/00000001/key.pem")));
    ck_assert(exists(in_store("domains/a.test/current/key.pem")));
    ck_assert(!exists(in_store("domains/a.test/00000003")));
    ck_assert(!exists(in_store("domains/b.test/00000001")));
}
END_TEST

/* An order whose certificate is kept is forgotten, lest a renewal take it
 * up again; so is a folder of nothing. */
START_TEST(kept_order_goes)
{
    keep("a.test", "KEY\n");
    keep_order("a.test", "KEY\n");
    put_folder("orders/empty.test");
    lock_after("killed\n");
    ck_assert(!exists(in_store("orders/a.test")));
    ck_assert(!exists(in_store("orders/empty.test")));
}
END_TEST

/* All other orders are gone on with: of a first certificate, of a renewal,
 * before their key was made. */
START_TEST(open_order_stays)
{
    keep("a.test", "KEY\n");
    keep_order("a.test", "KEY 2\n");
    keep_order("b.test", "KEY\n");
    keep_order("c.test", NULL);
    lock_after("killed\n");
    ck_assert(exists(in_store("orders/a.test/key.pem")));
    ck_assert(exists(in_store("orders/b.test/order.json")));
    ck_assert(exists(in_store("orders/c.test/order.json")));
}
END_TEST

/* Strange things in the store do not stop a writer, who says what they
 * are. */
START_TEST(strangers_do_not_matter)
{
    const char *log = apr_pstrcat(pool, temp_dir, "/log", NULL);
    apr_size_t len;
    char *text;

    unit_ok(base_log_open(apr_pstrcat(pool, "file:", log, NULL),
                          BASE_LOG_WARN, &err, pool));
    put_folder("orders");
    put("orders/file", "x");
    put("domains", "a file\n");
    lock_after("killed\n");
    ck_assert(exists(in_store("orders/file")));
    unit_ok(base_file_remove(in_store("domains"), &err, pool));
    unit_ok(base_file_read(&text, &len, log, 4096, &err, pool));
    ck_assert_ptr_nonnull(strstr(text, "while clearing up: cannot list the "
                                 "directory "));
    ck_assert_ptr_nonnull(strstr(text, "/domains: Not a directory"));
    ck_assert_ptr_nonnull(strstr(text, "/orders/file: Not a directory"));
}
END_TEST

Suite *sweep_suite(void)
{
    Suite *suite = suite_create("sweep");
    TCase *tc = fixture_case(suite, "sweep");

    tcase_add_test(tc, temporaries_go);
    tcase_add_test(tc, clean_end_is_trusted);
    tcase_add_test(tc, others_stay);
    tcase_add_test(tc, unreached_generation_goes);
    tcase_add_test(tc, kept_order_goes);
    tcase_add_test(tc, open_order_stays);
    tcase_add_test(tc, strangers_do_not_matter);
    return suite;
}
