/* x509.h - certificates and requests, parsed whole into plain structs (RFC 5280, RFC 2986). */
#ifndef HANDSEL_X509_H
#define HANDSEL_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "device.h"
#include "err.h"
#include "key.h"
#include "text.h"

/* ---- certificates ---- */
#define CERT_SERIAL_MAX 20		/* bytes, RFC 5280 4.1.2.2 */
#define CERT_POLICIES_MAX 4
#define CERT_ROLE_MAX 32
#define CERT_OID_MAX 80
#define CERT_FUNCTIONS_MAX 64

struct cert_span {
	uint16_t at, len;		/* len 0: absent */
};

enum cert_purpose { PURPOSE_ANY, PURPOSE_SERVER, PURPOSE_CLIENT };

struct cert {
	struct buf der, spki;
	uint8_t sha256[SHA256_LEN];		/* of der */
	uint8_t spki_sha256[SHA256_LEN];
	char serial[2 * CERT_SERIAL_MAX + 1];	/* hex */
	char subject[256], issuer[256];		/* RFC 4514 text, for messages */
	int64_t not_before, not_after;		/* 253402300799 for 99991231235959Z */
	bool ca, server_auth, client_auth, any_eku;	/* any_eku: no EKU extension */
	char policies[CERT_POLICIES_MAX][CERT_OID_MAX];	/* "" after the last */
	char role[CERT_ROLE_MAX];		/* of the URI SAN handsel:ROLE:NAME; "" if none */
	char name[LIMIT_NAME + 1];		/* NAME of it */
	char customer[LIMIT_NAME + 1];		/* of the URI SAN handsel:customer:ID; "" if none */
	char functions[CERT_FUNCTIONS_MAX];	/* of the URI SAN handsel:functions:F.G (functions.h); "" if none */
	struct device_id device;		/* subject O, OU, serialNumber; serial "" if none */
	char hw_type[CERT_OID_MAX];		/* hardwareModuleName (RFC 4108); "" if none */
	char hw_serial[LIMIT_SERIAL + 1];

	/* for the path (trust.c) and the builder; spans are offsets into der */
	struct cert_span tbs, issuer_name, subject_name, signature, key_id, issuer_key_id, names, limits;
	int signature_algorithm;		/* of key_algorithm(); 0: one that is not accepted */
	int path_len;				/* -1: none */
	bool key_usage, digital_signature, key_cert_sign, crl_sign;	/* key_usage: the extension is there */
	bool any_purpose;			/* anyExtendedKeyUsage: counts for a CA only */
	char unknown_critical[CERT_OID_MAX];	/* a critical extension that we do not process; "" if none */
};

/* Parses one DER certificate of at most LIMIT_CERT bytes. *c is filled only on success; free with cert_free(). */
int cert_parse(struct cert *c, const void *der, size_t len, struct err *e);
void cert_free(struct cert *c);
/* The names and addresses of its subjectAltName; *host is zeroed by the caller. */
int cert_hosts(const struct cert *c, char host[][128], size_t max, struct err *e);
/* Does a program's own certificate hold now? If not, code CLOCK with what it is, and the remedy if it has expired. */
int cert_holds(const struct cert *c, const char *what, const char *remedy, struct err *e);
/* A certificate's number as cert.serial has it: however openssl, a browser or a person wrote it. */
void cert_serial_plain(char out[2 * CERT_SERIAL_MAX + 1], const char *text);
bool cert_has_policy(const struct cert *c, const char *oid);

/* A chain: leaf first. */
struct chain {
	struct cert *cert;
	size_t n;
};

int chain_add(struct chain *ch, const void *der, size_t len, struct err *e);	/* at most 64 */
int chain_append(struct chain *ch, const struct chain *more, struct err *e);	/* a copy of each, behind those that are there */
int chain_from_pem(struct chain *ch, const struct buf *pem, struct err *e);	/* appends; at least one certificate */
int chain_load(struct chain *ch, const char *path, struct err *e);
void chain_to_pem(const struct chain *ch, struct buf *pem);			/* appends */
int chain_save(const struct chain *ch, const char *path, struct err *e);	/* PEM that all may read, whole or not at all */
int chain_save_own(const struct chain *ch, const char *path, struct err *e);	/* the same, for nobody else to read */
int chain_save_in(const struct chain *ch, const char *dir, const char *name, struct err *e);	/* the first of these, as DIR/NAME */
void cert_to_pem(const struct cert *c, struct buf *pem);			/* appends */
void cert_text(const struct cert *c, struct buf *text);			/* appends all that it says, for a person; not the signature */
void chain_free(struct chain *ch);

/* ---- trust: a set of roots and pinned issuing CAs ---- */
struct trust;

struct trust *trust_new(void);
void trust_free(struct trust *t);

/* A self-signed root. Copies. */
int trust_add_root(struct trust *t, const struct cert *root, struct err *e);

/* An issuing or unit CA under one of the roots; verified here once (signature, CA bit, keyCertSign). Copies. */
int trust_add_issuer(struct trust *t, const struct cert *issuer, struct err *e);
/* The same where others may stand between it and the root: a root's certificate by another root (cross.h). */
int trust_add_issuer_via(struct trust *t, const struct cert *issuer, const struct chain *via, struct err *e);

struct trust_rule {
	enum cert_purpose purpose;	/* EKU demanded; without an EKU extension a leaf satisfies SERVER or CLIENT only if: */
	bool unrestricted;		/* it is taken as RFC 5280 4.2.1.12 has it: good for any purpose */
	const char *policy;		/* NULL, or an OID that the leaf must carry */
	const char *role;		/* NULL, or the role that the leaf must carry */
	bool pinned;			/* the leaf's issuer must be one added by trust_add_issuer() */
	bool ignore_expiry;		/* for CMS documents judged by their own dates */
	int64_t now;
};

/* Verifies chain[0] up to a root: signatures, dates (RFC 5280 6.1), CA bits, then the rule. The peer's own intermediates are used
 * unless rule->pinned. The verdict on an intermediate is kept, so a leaf costs one signature verification.
 * Codes: AUTHORITY unknown issuer or bad signature or purpose, CLOCK outside its dates, ROLE wrong role or policy. Thread-safe. */
int trust_verify(struct trust *t, const struct chain *ch, const struct trust_rule *rule, struct err *e);

/* Names and signature alone: this CA key has signed it. Code AUTHORITY. */
int cert_signed_by(const struct cert *c, const struct cert *ca, struct err *e);

/* ---- name constraints (RFC 5280 4.2.1.10) ---- */
enum name_form { FORM_EMAIL = 1, FORM_DNS = 2, FORM_IP = 7 };	/* the [n] of GeneralName */
#define NAME_SUBTREES 12
struct name_limits {
	struct name_subtree {
		enum name_form form;
		bool excluded;
		char text[128];			/* a domain, a mailbox, a host; "" is all of them */
		uint8_t ip[32];			/* address and mask */
		size_t ip_len;			/* of one of them */
	} of[NAME_SUBTREES];
	size_t n;
};

/* "dns:plant.example", "email:plant.example", "email:.plant.example", "email:a@plant.example", "ip:10.0.0.0/8"; "*" behind the
 * colon is all of that form. -1: it is none of these, -2: there are too many. */
int name_limits_add(struct name_limits *l, bool excluded, const char *text);
void name_limits_put(struct buf *out, const struct name_limits *l);	/* appends NameConstraints */
/* The names (content of a GeneralNames) of a certificate below that CA, which may have no constraints. Code AUTHORITY. */
int name_limits_check(const struct cert *ca, const void *san, size_t len, const char *subject, struct err *e);

/* ---- building (handsel-signer only) ---- */
#define PLAN_PURPOSES 4
#define CERT_NUMBER 16			/* bytes of a serial number of ours */
struct cert_plan {
	const struct buf *spki;
	char subject_cn[2 * LIMIT_NAME + 2];
	char organization[LIMIT_NAME + 1], unit[LIMIT_NAME + 1], locality[LIMIT_NAME + 1], email[2 * LIMIT_NAME + 1];
	char serial_number[LIMIT_SERIAL + 1];	/* subject serialNumber; "" = none; likewise the above */
	int64_t not_before, not_after;		/* X509_NO_EXPIRY for 99991231235959Z */
	bool ca;
	int path_len;				/* of a CA, -1 = none */
	bool key_cert_sign, crl_sign, digital_signature, key_encipherment, key_agreement;
	bool server_auth, client_auth;
	bool ocsp_signing;			/* of a responder: with ocsp-nocheck (RFC 6960 4.2.2.2.1) */
	bool no_rev_avail;			/* nobody will say that it is revoked (RFC 9608) */
	char purpose[PLAN_PURPOSES][CERT_OID_MAX];	/* further key purposes, "" = none */
	const char *crl_url, *ocsp_url, *issuer_url;	/* NULL or "": none */
	const char *policy;			/* NULL or OID */
	char policies[CERT_POLICIES_MAX - 1][CERT_OID_MAX];	/* further ones, "" = none */
	const struct name_limits *limits;	/* of a CA; NULL: none */
	bool no_key_id;				/* no subjectKeyIdentifier; not of a CA (RFC 5280 4.2.1.2) */
	const uint8_t *number;			/* NULL: a new one; else CERT_NUMBER bytes, the first 1 to 127, for what is compared */
	const struct cert *as;			/* not NULL: the subject is that of this certificate, byte for byte */
	char uri[3][2 * LIMIT_NAME + 16];	/* URI SANs, "" = none */
	char dns[4][128];			/* dNSName SANs */
	char ip[4][46];				/* iPAddress SANs, textual */
	const char *hw_type;			/* NULL or OID of hardwareModuleName, with serial_number as hwSerialNum */
};
#define X509_NO_EXPIRY 253402300799

/* Builds and signs; a serial number with 88 random bits, SKI and AKI by RFC 5280 4.2.1.2 (1). issuer NULL: self-signed with `key`.
 * Code PROFILE: the issuer's name constraints do not allow a name. */
int cert_build(const struct cert_plan *plan, const struct cert *issuer, const struct key *key, struct buf *der, struct err *e);

/* ---- PKCS#10 ---- */
struct csr {
	struct buf der, spki;
	uint8_t spki_sha256[SHA256_LEN];
	enum key_type key_type;
	struct device_id device;	/* of the subject; serial "" if none: never trusted over a certificate */
	struct request_id request;	/* of our attribute; id "" and generation 0 if there is none */
	struct buf endorsement;		/* see endorsement.h; empty if there is none */
};

/* Parses and verifies the signature (proof of possession, RFC 2986 4.2). */
int csr_parse(struct csr *c, const void *der, size_t len, struct err *e);
void csr_free(struct csr *c);

/* device and request may be NULL. Replaces *der. */
int csr_build(const struct key *key, const struct device_id *device, const struct request_id *request, struct buf *der,
	      struct err *e);
/* With the endorsement of a device that has one; not with an empty one. */
int csr_build_endorsed(const struct key *key, const struct device_id *device, const struct request_id *request,
		       const struct buf *endorsement, struct buf *der, struct err *e);
void csr_to_pem(const struct buf *der, struct buf *pem);			/* appends */
int csr_from_pem(const struct buf *pem, struct buf *der, struct err *e);	/* replaces *der; takes DER, too */

#endif
