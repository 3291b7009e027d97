/*
 * digest: SHA-256, to tell contents apart. Of libmd, which cannot fail and
 * reads no configuration: what undoes a change must work when everything
 * else is broken. Signatures and certificates use crypto/.
 */
#include <sha2.h>

#include "base/base.h"

_Static_assert(BASE_SHA256_SIZE == SHA256_DIGEST_STRING_LENGTH,
               "64 hexadecimal digits and a NUL");

char *base_sha256(char hex[BASE_SHA256_SIZE], const void *data,
                  apr_size_t len)
{
    return SHA256Data(data, len, hex);
}
