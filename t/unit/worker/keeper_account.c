/*
 * The keys of our accounts: made once, kept, never replaced.
 */
#include "desk.h"

/* An account keeps its key from run to run, and each CA has its own. */
START_TEST(accounts_keep_their_keys)
{
    const char *first = signed_as(ACME_SIGN_NEW_ACCOUNT, 0, -1, NEW_ACCOUNT);
    EVP_PKEY *evp;

    signed_as(ACME_SIGN_NEW_ACCOUNT, 1, -1, "https://ca1.example/new");
    evp = account_evp(CA0);
    restart();
    header_of(first, evp, "{\"a\":1}");
    header_of(signed_as(ACME_SIGN_NEW_ACCOUNT, 0, -1, NEW_ACCOUNT), evp,
              "{\"a\":1}");
    ck_assert_int_ne(EVP_PKEY_eq(evp,
                                 account_evp("https://ca1.example/dir")), 1);
}
END_TEST

/* A key that is lost while the CA knows the account is not made again:
 * what it signed would never verify. */
START_TEST(lost_keys_are_not_made_again)
{
    ca(0)->account = ACCOUNT;
    sign_fails(ACME_SIGN_ACCOUNT, 0, 0, ORDER, APR_ENOENT,
               ACCOUNT " has no key in the store: restore it, or move");
    ck_assert(!has_account_key(CA0));
}
END_TEST

/* A key that cannot be read is an error, and is left as it is. */
START_TEST(damaged_keys_are_errors)
{
    unit_ok(store_account_key_write(store, CA0, "no key", 6, &err, pool));
    sign_fails(ACME_SIGN_NEW_ACCOUNT, 0, -1, NEW_ACCOUNT, APR_EINVAL,
               "the account's key for " CA0);
    ck_assert(has_account_key(CA0));
}
END_TEST

Suite *keeper_account_suite(void);
Suite *keeper_account_suite(void)
{
    Suite *suite = suite_create("keeper_account");
    TCase *tc = desk_case(suite, "account", setup);

    tcase_add_test(tc, accounts_keep_their_keys);
    tcase_add_test(tc, lost_keys_are_not_made_again);
    tcase_add_test(tc, damaged_keys_are_errors);
    return suite;
}
