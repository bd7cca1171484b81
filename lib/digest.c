#include <config.h>

#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <unistd.h>

void digest_sha256(uint8_t out[SHA256_LEN], const void *data, size_t len)
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, out) < 0)
		abort();	/* a library without SHA-256, or no memory: nothing here can be trusted any more */
}

void digest_sha256_hex(char out[SHA256_HEX], const void *data, size_t len)
{
	uint8_t hash[SHA256_LEN];

	digest_sha256(hash, data, len);
	text_hex(out, hash, sizeof hash);
}

static int hash_descriptor(gnutls_hash_hd_t hash, int fd)
{
	uint8_t block[16384];

	for (;;) {
		ssize_t n = read(fd, block, sizeof block);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (gnutls_hash(hash, block, (size_t)n) < 0)
			abort();
	}
}

int digest_sha256_file(uint8_t out[SHA256_LEN], const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	gnutls_hash_hd_t hash;

	if (fd < 0)
		return err_errno(e, REASON_CONFIG, "cannot open %s", path);
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		abort();
	rc = hash_descriptor(hash, fd);
	if (rc < 0)
		err_errno(e, REASON_CONFIG, "cannot read %s", path);
	gnutls_hash_deinit(hash, out);
	close(fd);
	return rc;
}
