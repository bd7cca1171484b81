/* est_client.h - an EST client (RFC 7030) for the tests, on a TLS library that is not ours: est_client.c is the HTTP, one
 * file a library the rest. */
#ifndef EST_CLIENT_H
#define EST_CLIENT_H

#include <stddef.h>

struct est_client {
	const char *name;			/* the certificate of the node must have it */
	const char *root, *cert, *key;		/* PEM files: whom to believe, who we are */
	const char *version;			/* "1.2" or "1.3" */
	int fd;
};

/* A new P-256 key into a PEM file, and the base64 of its PKCS#10 request. 0 or -1. */
int stack_request(const char *key_path, char *base64, size_t size);
/* Mutual TLS over c->fd. 0 or -1, with a message on stderr. */
int stack_open(const struct est_client *c);
int stack_write(const void *data, size_t len);	/* all of it: 0 or -1 */
int stack_read(void *out, size_t size);		/* bytes, 0 at the end, -1 */
void stack_close(void);

#endif
