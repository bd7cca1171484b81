/* tls.h - TLS 1.2 and 1.3 over a connected socket: X25519 and P-256, AEAD suites only. */
#ifndef HANDSEL_TLS_H
#define HANDSEL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "key.h"
#include "x509.h"

#define TLS_EXPORTER_LEN 32

struct tls;

struct tls_client {
	const struct chain *chain;	/* our identity; NULL: none */
	const struct key *key;
	struct trust *trust;
	struct trust_rule rule;		/* for the peer: SERVER is demanded in any case */
	bool stranger;			/* whoever answers will do, whatever it shows: nothing that it says may be believed, and
					 * nothing secret told. Not beside trust */
	const char *sni;		/* NULL: none */
	const char *host;		/* NULL, or the DNS name or address that the peer's certificate must have (RFC 9525): for
					 * peers that have no role of ours */
	int64_t deadline_ms;		/* clock_mono_ms() after which everything fails; tls_deadline() moves it */
};

/* Connects over fd, which the result owns (closed on failure, too). The peer's certificate is verified by trust and rule
 * within the handshake. Codes: AUTHORITY, CLOCK, ROLE, UNREACHABLE; a peer's alert is UNREACHABLE with its text. */
struct tls *tls_connect(int fd, const struct tls_client *opt, struct err *e);
void tls_deadline(struct tls *t, int64_t deadline_ms);

/* >0 bytes, 0 at the end (only after a close_notify; a cut is an error), -1. */
long tls_read(struct tls *t, void *data, size_t len, struct err *e);
int tls_write(struct tls *t, const void *data, size_t len, struct err *e);	/* all of it */

/* The exporter of this session (RFC 5705, RFC 8446 7.5), label "EXPORTER-handsel-confirm", no context. */
int tls_exporter(struct tls *t, uint8_t out[TLS_EXPORTER_LEN], struct err *e);

/* The peer's leaf. Lives as long as the session. */
const struct cert *tls_peer(const struct tls *t);

void tls_close(struct tls *t);

/* A TCP connection with TCP_NODELAY to "host" (name or address, IPv6 in brackets or not), port. Non-blocking connect
 * bounded by the deadline. Code UNREACHABLE. Returns the descriptor or -1. */
int tcp_connect(const char *host, const char *port, int64_t deadline_ms, struct err *e);

#endif
