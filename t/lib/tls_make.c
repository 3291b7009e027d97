/*
 * tls_make: thousands of certificates in a few seconds, for t/bench.
 *
 *   tls_make ROOT <<END
 *   NAME[,NAME...] DIRECTORY
 *   ...
 *   END
 *
 * A root (written to the file ROOT) and an intermediate of it, then for each
 * line a P-256 key and a certificate for the names:
 * DIRECTORY/{cert,chain,fullchain,key}.pem, as acmectl's store has them. The
 * directories have to be there.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define DAY (24 * 3600)

typedef struct authority_t {
    EVP_PKEY *key;
    X509 *cert;
} authority_t;

static int extension_add(X509 *cert, X509V3_CTX *ctx, int nid,
                         const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    int ok = ext && X509_add_ext(cert, ext, -1);

    X509_EXTENSION_free(ext);
    return ok;
}

/* "a,b" as "DNS:a,DNS:b". */
static void san_write(char *san, size_t size, const char *names)
{
    int n = snprintf(san, size, "DNS:");

    for (; *names && (size_t)n < size; names++) {
        n += snprintf(san + n, size - n, *names == ',' ? "%c%s" : "%c",
                      *names, "DNS:");
    }
}

static int extensions_add(X509 *cert, X509 *issuer, const char *names, int ca)
{
    char san[4096];
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    san_write(san, sizeof(san), names);
    return extension_add(cert, &ctx, NID_basic_constraints,
                         ca ? "critical,CA:TRUE" : "critical,CA:FALSE")
        && extension_add(cert, &ctx, NID_key_usage,
                         ca ? "critical,keyCertSign,cRLSign"
                            : "critical,digitalSignature")
        && extension_add(cert, &ctx, NID_subject_key_identifier, "hash")
        && (ca || extension_add(cert, &ctx, NID_authority_key_identifier,
                                "keyid"))
        && (ca || extension_add(cert, &ctx, NID_ext_key_usage,
                                "serverAuth"))
        && (ca || extension_add(cert, &ctx, NID_subject_alt_name, san));
}

/* @param issuer  whose it is; NULL: self-signed */
static X509 *cert_make(const char *names, EVP_PKEY *key,
                       const authority_t *issuer, int ca)
{
    X509 *cert = X509_new();
    X509 *by = issuer ? issuer->cert : cert;
    X509_NAME *subject = X509_get_subject_name(cert);
    uint64_t serial;

    if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1
        || !X509_set_version(cert, X509_VERSION_3)
        || !ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1)
        || !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
               (const unsigned char *)names, (int)strcspn(names, ","),
               -1, 0)
        || !X509_set_issuer_name(cert, X509_get_subject_name(by))
        || !X509_gmtime_adj(X509_getm_notBefore(cert), -DAY)
        || !X509_gmtime_adj(X509_getm_notAfter(cert), 90 * DAY)
        || !X509_set_pubkey(cert, key)
        || !extensions_add(cert, by, names, ca)
        || !X509_sign(cert, issuer ? issuer->key : key, EVP_sha256())) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static int authority_make(authority_t *made, const char *name,
                          const authority_t *issuer)
{
    made->key = EVP_EC_gen("P-256");
    made->cert = made->key ? cert_make(name, made->key, issuer, 1) : NULL;
    return made->cert != NULL;
}

/* Write certificates (either may be NULL) and a key to dir/file. */
static int file_write(const char *dir, const char *file, X509 *first,
                      X509 *second, EVP_PKEY *key)
{
    char path[PATH_MAX];
    FILE *out;
    int ok;

    snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", file);
    out = fopen(path, "w");
    if (!out) {
        perror(path);
        return 0;
    }
    ok = (!first || PEM_write_X509(out, first))
        && (!second || PEM_write_X509(out, second))
        && (!key || PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL,
                                         NULL));
    return fclose(out) == 0 && ok;
}

static int leaf_write(const char *names, const char *dir,
                      const authority_t *issuer)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = key ? cert_make(names, key, issuer, 0) : NULL;
    int ok = leaf && file_write(dir, "cert.pem", leaf, NULL, NULL)
        && file_write(dir, "chain.pem", issuer->cert, NULL, NULL)
        && file_write(dir, "fullchain.pem", leaf, issuer->cert, NULL)
        && file_write(dir, "key.pem", NULL, NULL, key);

    X509_free(leaf);
    EVP_PKEY_free(key);
    return ok;
}

/* One for each line of the input. @return 0: one could not be made */
static int leaves_write(const authority_t *issuer)
{
    char names[2048], dir[1024];

    while (scanf("%2047s %1023s", names, dir) == 2) {
        if (!leaf_write(names, dir, issuer)) {
            fprintf(stderr, "tls_make: cannot make one for %s\n", names);
            return 0;
        }
    }
    return 1;
}

static void authority_free(authority_t *authority)
{
    X509_free(authority->cert);
    EVP_PKEY_free(authority->key);
}

int main(int argc, char **argv)
{
    authority_t root = { NULL, NULL }, intermediate = { NULL, NULL };
    int ok;

    umask(077);
    if (argc != 2) {
        fprintf(stderr, "usage: tls_make ROOT, with NAME DIRECTORY a line\n");
        return 2;
    }
    ok = authority_make(&root, "Bench Root", NULL)
        && authority_make(&intermediate, "Bench CA", &root)
        && file_write("", argv[1], root.cert, NULL, NULL)
        && leaves_write(&intermediate);
    authority_free(&intermediate);
    authority_free(&root);
    return ok ? 0 : 1;
}
