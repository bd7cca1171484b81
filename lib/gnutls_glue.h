/* gnutls_glue.h - the handles behind key.h and tls.h, for the files that own GnuTLS (key csr trust cms tls httpd) and no other. */
#ifndef HANDSEL_GNUTLS_GLUE_H
#define HANDSEL_GNUTLS_GLUE_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "der.h"
#include "key.h"

gnutls_privkey_t key_handle(const struct key *k);

/* A key of a handle, which it owns also if it fails. away: it is in something that may be gone for a while; a signature that fails
 * then has the code CA_UNAVAILABLE. */
struct key *key_adopt(gnutls_privkey_t handle, bool away, struct err *e);
int key_type_parameters(enum key_type type, gnutls_pk_algorithm_t *algorithm, unsigned *bits);	/* for generating; -1: none of ours */

/* Sets err to "what: GnuTLS's text"; GNUTLS_E_MEMORY_ERROR ends the process. Always -1. */
int gnutls_fail(struct err *e, enum reason code, const char *what, int rc);

/* The accepted signature algorithm that an AlgorithmIdentifier (content of the SEQUENCE) names, else GNUTLS_SIGN_UNKNOWN. */
gnutls_sign_algorithm_t key_algorithm(const struct der *identifier);

/* Appends the AlgorithmIdentifier of key_sign() with this key; -1 if it cannot sign certificates. */
int key_put_algorithm(const struct key *k, struct buf *out);

gnutls_sign_algorithm_t key_sign_algorithm(enum key_type type);	/* of key_sign(); GNUTLS_SIGN_UNKNOWN if it signs nothing */

/* NULL if spki is no public key, or one too weak to be accepted. */
gnutls_pubkey_t spki_import(const void *spki, size_t len);
/* Whether sig is a good one over data by that key; pub is what spki_import() made of spki. */
bool spki_signed(const struct buf *spki, gnutls_pubkey_t pub, gnutls_sign_algorithm_t algorithm, const gnutls_datum_t *data,
		 const gnutls_datum_t *sig);
enum key_type key_type_of(gnutls_pubkey_t pub);

/* Ends a handshake before GnuTLS verifies with a peer's key that spki_import() would not take: TLS 1.3 uses the key of a stranger
 * first and asks for the verdict on his certificate after that. */
void tls_guard_key(gnutls_session_t s);

int tls_session_exporter(gnutls_session_t s, uint8_t out[32], struct err *e);

/* The compiled HANDSEL_PRIORITY, shared by all sessions; NULL with an error where the library refuses it. */
gnutls_priority_t tls_priority(struct err *e);

#define HANDSEL_PRIORITY \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:" \
	"-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-SHA1"

#endif
