/* digest.h - SHA-256. */
#ifndef HANDSEL_DIGEST_H
#define HANDSEL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "text.h"

void digest_sha256(uint8_t out[SHA256_LEN], const void *data, size_t len);
void digest_sha256_hex(char out[SHA256_HEX], const void *data, size_t len);
int digest_sha256_file(uint8_t out[SHA256_LEN], const char *path, struct err *e);

#endif
