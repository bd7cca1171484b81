/* documents.h - the provable documents: exact XML bytes in CMS SignedData (doc/protocol-documents.md).
 * Each has a writer that signs and a reader that verifies first and parses then. */
#ifndef HANDSEL_DOCUMENTS_H
#define HANDSEL_DOCUMENTS_H

#include "camsg.h"
#include "cms.h"
#include "device.h"
#include "invite.h"
#include "x509.h"

/* ---- work order (operator -> CA, signer, station) ---- */
#define ORDER_STATIONS_MAX 64
#define ORDER_RANGES_MAX 16

struct order_range {
	char from[LIMIT_SERIAL + 1], to[LIMIT_SERIAL + 1];	/* inclusive, of equal width */
};
bool order_range_fits(const struct order_range *r);	/* of equal width, and different in digits at their ends only */
bool order_range_has(const struct order_range *r, const char *serial);

struct work_order {
	char id[CA_ID_MAX + 1];
	uint32_t version;			/* 1, and one more with each extension; 0 is written as 1 */
	char manufacturer[LIMIT_NAME + 1], model[LIMIT_NAME + 1];
	char hw_type[CERT_OID_MAX];
	struct order_range range[ORDER_RANGES_MAX];
	size_t n_ranges;
	uint32_t quota, scrap;			/* Q and S: the signer signs at most Q + S distinct keys */
	char station[ORDER_STATIONS_MAX][LIMIT_NAME + 1];
	size_t n_stations;
	uint8_t agent_sha256[SHA256_LEN];
	int64_t not_before, not_after;
	bool label;				/* no unit passes before its label is printed */
	char operator_name[LIMIT_NAME + 1];	/* read: from the signer's certificate */
	bool person;				/* read: a person of that name, not the local operator */
};

int work_order_write(const struct work_order *o, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
int work_order_read(struct work_order *o, const void *cms, size_t len, struct trust *t, struct err *e);	/* by a clerk, or the local operator */
/* May `next` take the place of `before`? Of a higher version, and no more is changed than an extension may. Code ORDER. */
int work_order_follows(const struct work_order *next, const struct work_order *before, struct err *e);
bool work_order_has_serial(const struct work_order *o, const char *serial);
bool work_order_has_station(const struct work_order *o, const char *station);

/* ---- ticket (station -> CA, carried by the device) ---- */
struct ticket {
	char order[CA_ID_MAX + 1];
	char slot[LIMIT_NAME + 1];
	struct device_id device;
	struct request_id request;
	uint8_t key_sha256[SHA256_LEN];		/* of the device's new SPKI (mode device) or its transport key (mode ca) */
	char mode[8];				/* who makes the key: "device" or "ca" */
	int64_t not_after;
	char station[LIMIT_NAME + 1];		/* read: from the signer's certificate */
};

int ticket_write(const struct ticket *t, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
/* Role station. Dates are checked by the caller (only a reservation needs them). *signer may be NULL. */
int ticket_read(struct ticket *t, const void *cms, size_t len, struct trust *trust, struct err *e);

/* ---- handoff bundle (manufacturer -> customer), once ---- */
struct handoff {
	char customer[LIMIT_NAME + 1];
	char manufacturer[LIMIT_NAME + 1];
	struct chain node;			/* the node's certificate toward new devices, then its issuer */
	struct chain factory;			/* issuing CAs to pin, unit CA, then the factory root last */
};

int handoff_write(const struct handoff *h, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
void handoff_draft(const struct handoff *h, struct buf *xml);	/* appends what would be signed; handoff_parse() reads it (document.h) */
/* By an RA operator, or the local one. root_sha256: the fingerprint obtained otherwise; the root inside must have it. Free with handoff_free(). */
int handoff_read(struct handoff *h, const void *cms, size_t len, const uint8_t root_sha256[SHA256_LEN], struct err *e);
void handoff_free(struct handoff *h);

/* ---- shipment manifest (manufacturer -> customer), each shipment ---- */
struct manifest_entry {
	struct device_id device;
	uint8_t certificate[SHA256_LEN];	/* of the one active factory certificate */
	struct buf voucher;			/* CMS, for this very device; empty in manifests of before vouchers */
};

struct manifest {
	char customer[LIMIT_NAME + 1];
	uint64_t sequence;
	int64_t time;
	struct audit_head audit;		/* of the CA when it was signed; at.n 0: none */
	struct manifest_entry *entry;
	size_t n;
};

int manifest_write(const struct manifest *m, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
int manifest_read(struct manifest *m, const void *cms, size_t len, struct trust *t, struct err *e);	/* role operator */
void manifest_free(struct manifest *m);

/* ---- voucher (manufacturer -> device, by way of the manifest and the node): whose the device is ---- */
struct voucher {
	char customer[LIMIT_NAME + 1];
	uint64_t sequence;			/* of its manifest: the higher one counts (resale) */
	struct device_id device;
	uint8_t key_sha256[SHA256_LEN];		/* of the factory key's SPKI */
};

int voucher_write(const struct voucher *v, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
int voucher_read(struct voucher *v, const void *cms, size_t len, struct trust *t, struct err *e);	/* role operator */

/* ---- release (node -> its device): this customer credential is given up, the device may go back to the factory's ---- */
struct release {
	struct device_id device;
	uint8_t certificate[SHA256_LEN];	/* of the customer certificate that is released */
	uint64_t sequence;			/* of the node, for the record */
	int64_t time;
	char node[LIMIT_NAME + 1];		/* read: from the signer's certificate */
};

int release_write(const struct release *r, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
/* Role node. Whether it is meant for this device and this certificate is the caller's to judge. */
int release_read(struct release *r, const void *cms, size_t len, struct trust *trust, struct err *e);

/* ---- invitation (operator -> CA, signer): who has the code of this key may become that unit ---- */
#define INVITATION_HOSTS 8
#define INVITATION_MAX_S (7 * 86400)		/* a code lies on a desk until somebody has travelled, and not longer */

struct invitation {
	uint8_t key[INVITE_KEY];		/* of the code (invite.h) */
	char role[CERT_ROLE_MAX], name[LIMIT_NAME + 1];
	char host[INVITATION_HOSTS][LIMIT_NAME + 1];	/* names or addresses of a server, "" after the last */
	char functions[CERT_FUNCTIONS_MAX];	/* of a person (functions.h); "" of any other role */
	int64_t not_before, not_after;
	char operator_name[LIMIT_NAME + 1];	/* read: from the signer's certificate */
	bool person;				/* read: a person of that name, not the local operator */
};

int invitation_write(const struct invitation *v, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
/* By the local operator, or a person: RA for a unit, administrator for a person. */
int invitation_read(struct invitation *v, const void *cms, size_t len, struct trust *t, struct err *e);

/* ---- renewal (unit -> CA, signer): a unit asks for a certificate of a new key, by the old one ---- */
struct unit_renewal {
	uint8_t key_sha256[SHA256_LEN];		/* of the new SPKI */
	int64_t time;
};

int unit_renewal_write(const struct unit_renewal *r, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
/* Any role; *unit is the certificate that signed, to be freed in any case. Its dates and its revocation are the caller's to judge. */
int unit_renewal_read(struct unit_renewal *r, struct cert *unit, const void *cms, size_t len, struct trust *t, struct err *e);

#endif
