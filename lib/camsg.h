/* camsg.h - the messages of the CA protocol (doc/protocol-ca.md), both ends side by side. */
#ifndef HANDSEL_CAMSG_H
#define HANDSEL_CAMSG_H

#include "audit_head.h"
#include "device.h"
#include "functions.h"
#include "key.h"
#include "text.h"
#include "x509.h"

#define CA_PATH "/ca"
#define CA_TYPE "application/xml"
#define CA_ID_MAX 32			/* id of a CA within a CA system (H4) */
#define CA_MARK_LEN 16			/* hex digits */

enum ca_kind { CA_ISSUE, CA_CONFIRM, CA_REVOKE, CA_STATUS, CA_CERTIFICATES, CA_WORK_ORDER, CA_RECOVER, CA_ENROL, CA_RENEW, CA_ACT, CA_APPROVE, CA_QUERY, CA_KINDS };
enum ca_state { CA_UNKNOWN, CA_RESERVED, CA_PENDING, CA_ACTIVE, CA_SUPERSEDED, CA_REVOKED, CA_EXPIRED };
const char *ca_state_name(enum ca_state s);
int ca_state_parse(const char *name, enum ca_state *s);
const char *ca_kind_name(enum ca_kind k);
bool ca_reason_known(const char *name);	/* a reason of a revocation: "superseded", "lapsed", ... */

enum ca_choice { CHOICE_DEFAULT, CHOICE_YES, CHOICE_NO };

/* The optional parameters of H3: what is not given ("" or 0) takes the profile's default. */
struct ca_params {
	char profile[CA_ID_MAX + 1];
	char key_type[16];
	uint32_t key_bits, validity_days;
	char organization[LIMIT_NAME + 1], unit[LIMIT_NAME + 1], locality[LIMIT_NAME + 1], email[2 * LIMIT_NAME + 1];
	enum ca_choice encrypt_key, include_ca;
};

/* What a node forwards of the device's endorsement (endorsement.h). */
struct ca_endorsement {
	struct buf signature;			/* empty: there is none */
	uint8_t node[SHA256_LEN];		/* of the certificate that the node showed */
	struct buf factory_certificate;		/* DER, that the device showed; empty: at a renewal */
	uint8_t renews[SHA256_LEN];		/* at a renewal: of the customer certificate that it showed */
};

/* query: what a person wants to read (functions.h); the filters are those of handsel-ca issued list. */
enum ca_form { CA_TEXT, CA_JSON, CA_CSV, CA_DER, CA_FORMS };
struct ca_query {
	enum ask_of what;
	enum ca_form form;
	int64_t after;			/* behind this row; 0: from the beginning */
	int64_t last;			/* audit: no more than the last of these rows; 0: all */
	bool whole;			/* issued: with certificates */
	char subject[2 * LIMIT_NAME + 2];	/* order: its id. action: its id */
	char order[CA_ID_MAX + 1], state[16], manufacturer[LIMIT_NAME + 1], model[LIMIT_NAME + 1], serial[LIMIT_SERIAL + 1];
	char id[LIMIT_SERIAL + 1];
	int64_t since;
};

struct ca_request {
	enum ca_kind kind;
	struct request_id request;	/* issue confirm revoke status */
	struct device_id device;	/* issue; revoke of an id that the CA may not have seen */
	uint8_t invitation[SHA256_LEN];	/* enrol: the public key of the code (invite.h) */
	struct buf document;		/* renew: CMS of the unit's renewal (documents.h). act, approve: of an action, an approval (action.h) */
	struct ca_query query;		/* query */
	struct buf csr;			/* issue, enrol, renew: PKCS#10 DER; or, where the CA makes the key, instead of it: */
	struct buf transport_key;	/* SPKI DER of the key that the new private key is encrypted to */
	struct buf ticket;		/* issue in the factory: CMS (ticket.h) */
	struct ca_params params;	/* issue */
	struct ca_endorsement endorsement;	/* issue at the customer */
	char renews[REQUEST_ID_LEN + 1];	/* issue from a node: the active id that this one takes the place of; "" = none */
	uint8_t certificate[SHA256_LEN];	/* confirm: hash of the certificate */
	struct buf signature;		/* confirm by a device: see confirm.h; empty from a node. enrol: by the code's key */
	char reason[LIMIT_NAME + 1];	/* revoke: a CRLReason name: "superseded", "cessationOfOperation", ...; also "lapsed" */
	char order[CA_ID_MAX + 1];	/* work-order */
	bool list;			/* recover: the ids as well, behind row `after` */
	int64_t after;
};

enum ca_result { CA_ISSUED, CA_CONFIRMED, CA_REVOKED_OK, CA_STATUS_IS, CA_CERTIFICATES_ARE, CA_ORDER_IS, CA_RECOVERED, CA_ENROLLED, CA_ACTED, CA_PAGE, CA_DEAD, CA_REFUSED };

/* What became of an action. */
enum ca_acted { ACTED_DONE, ACTED_WAITING, ACTED_REJECTED, ACTED_STATES };
const char *ca_acted_name(enum ca_acted a);

/* recovered: what the CA knows of an id. */
struct ca_known {
	struct request_id request;
	struct device_id device;	/* serial "": the CA was never told */
	enum ca_state state;
	char reason[LIMIT_NAME + 1];	/* revoked */
	char renews[REQUEST_ID_LEN + 1];	/* still open as a renewal of it; "" = none */
	bool made;			/* the CA made the key: public_key is the transport key */
	struct buf public_key, certificate, encrypted_key;	/* DER; empty where there is none */
};

struct ca_answer {
	enum ca_result result;
	struct request_id request;	/* dead: generation is the highest one known */
	enum ca_state state;
	struct chain chain;		/* enrolled: leaf, unit CA and whoever stands between it and an older root; issued: leaf, then issuing CA if include_ca; ca-certificates: all but the root last */
	struct buf encrypted_key;	/* issued with a key made by the CA: CMS to the transport key (envelope.h) over PKCS#8 */
	struct buf order;		/* CMS of the work order */
	char mark[CA_MARK_LEN + 1];	/* recovered: of the last message of this unit that changed something; "" = none */
	struct ca_known *known;		/* recovered */
	size_t n_known;
	int64_t next;			/* recovered: there is more behind this row; 0 = no. page: the last row that is told; 0 = none */
	bool more;			/* page: there is more behind it */
	uint32_t rows;			/* page */
	enum ca_acted acted;		/* acted */
	char action[REQUEST_ID_LEN + 1];	/* acted: its id */
	struct buf data;		/* page: lines, or a document */
	uint32_t ordered, done;		/* work-order: units ordered, units reserved or issued */
	/* status, revoked: by an operator's takeover, the station that has the serial now, or that had it before; "" = none */
	char taken_by[LIMIT_NAME + 1], taken_from[LIMIT_NAME + 1];
	enum reason code;		/* refused */
	char text[400];			/* refused, acted: sentence for a person */
};

void ca_request_free(struct ca_request *r);
void ca_answer_free(struct ca_answer *a);
struct ca_known *ca_known_add(struct ca_answer *a);	/* zeroed; until the next one is added */
void ca_known_free(struct ca_known *k);
void ca_refuse(struct ca_answer *a, enum reason code, const char *text);

struct ca_message {			/* a request message */
	char ca[CA_ID_MAX + 1];		/* which CA of the system; "" = its only one */
	char mark[CA_MARK_LEN + 1];	/* from a node: where its database stands; "" = not said */
	struct ca_request request[LIMIT_BATCH];
	size_t n;
};
struct ca_reply {
	struct audit_head audit;	/* to a unit: the last head of the CA's audit; at.n 0: none */
	struct ca_answer answer[LIMIT_BATCH];
	size_t n;
};

/* With n requests or answers to be filled in. No more than these are zeroed: a message has room for LIMIT_BATCH, and mostly one. */
struct ca_message *ca_message_new(size_t n);
struct ca_reply *ca_reply_new(size_t n);

/* Reading refuses what the schema would: code REQUEST with line and element. Each request is judged alone: what is wrong within
 * one becomes bad[i], its error (NULL for a good one; free() it), and does not spoil the others; of a bad one only `request` may
 * be used, and only if it is there. With bad NULL a bad request refuses the message. Objects come from ca_message_new(0) and
 * ca_reply_new(0), or zeroed as a whole. */
int ca_message_read(struct ca_message *m, struct err *bad[LIMIT_BATCH], const void *xml, size_t len, size_t max, struct err *e);
void ca_message_write(const struct ca_message *m, struct buf *xml);
void ca_message_free(struct ca_message *m);	/* and the memory of m itself */

int ca_reply_read(struct ca_reply *r, const void *xml, size_t len, struct err *e);
void ca_reply_write(const struct ca_reply *r, struct buf *xml);
void ca_reply_free(struct ca_reply *r);

#endif
