/* devmsg.h - the device link (doc/protocol-link.md): frames between station and agent, over bulk endpoints or a socket.
 *
 * Frame: u8 type, u8 0, u16 channel, u32 length (big-endian), then length bytes, at most LIMIT_LINK_FRAME. */
#ifndef HANDSEL_DEVMSG_H
#define HANDSEL_DEVMSG_H

#include "buf.h"
#include "device.h"
#include "err.h"
#include "limits.h"
#include "reason.h"
#include "text.h"

enum link_type {
	LINK_HELLO = 1,		/* station -> device: link_hello_ask; device -> station: link_hello */
	LINK_PREPARE,		/* station -> device: link_prepare. Make (or find) key and request id, store both */
	LINK_READY,		/* device -> station: link_ready */
	LINK_GO,		/* station -> device: link_go. Request the credential now (H2) */
	LINK_OPEN,		/* device -> station: open tunnel `channel` to the CA */
	LINK_OPENED,		/* station -> device */
	LINK_DATA,		/* both */
	LINK_CLOSE,		/* both */
	LINK_RESULT,		/* device -> station: link_result */
	LINK_CHALLENGE,		/* station -> device: link_challenge */
	LINK_PROOF,		/* device -> station: link_proof */
	LINK_DONE,		/* station -> device: PASS is written; no challenge is served any more */
	LINK_LOG,		/* device -> station: a line for the technician's log */
	/* Where the CA-client is in the station (H6): in place of go and the tunnel. */
	LINK_REQUEST,		/* station -> device: link_request. Show the request that is prepared */
	LINK_CSR,		/* device -> station: link_csr */
	LINK_CERTIFICATE,	/* station -> device: link_certificate, from the CA */
	LINK_STORED,		/* device -> station: link_stored. It is on stable storage, and may be confirmed */
	LINK_CONFIRM,		/* station -> device: link_confirm. Sign for the station's session with the CA */
	LINK_SIGNED,		/* device -> station: link_signed */
	LINK_VERDICT,		/* station -> device: link_verdict, the CA's on the request */
};
#define LINK_LAST LINK_VERDICT
#define LINK_VERSION 1
#define LINK_HEADER 8

struct link_frame {
	enum link_type type;
	uint16_t channel;
	struct buf payload;
};

/* Takes one whole frame off the front of `in`: 1 a frame, 0 not yet, -1 malformed (the link is dead). */
int link_take(struct buf *in, struct link_frame *f, struct err *e);
void link_put(struct buf *out, enum link_type type, uint16_t channel, const void *payload, size_t len);	/* appends */
const char *link_type_name(enum link_type type);

enum link_store { STORE_EMPTY, STORE_PENDING, STORE_FACTORY, STORE_CUSTOMER };	/* what the device already has */

struct link_hello {
	uint32_t version;
	struct device_id device;
	char revision[LIMIT_NAME + 1];
	char agent_version[LIMIT_NAME + 1];
	uint8_t agent_sha256[SHA256_LEN];	/* of its own executable */
	enum link_store store;
};
enum link_mode { MODE_DEVICE, MODE_CA };	/* who makes the key (H13) */
const char *link_mode_name(enum link_mode m);	/* as in the ticket: "device", "ca" */

struct link_prepare {
	enum link_mode mode;
};
struct link_ready {
	struct request_id request;
	uint8_t key_sha256[SHA256_LEN];		/* of the SPKI of the new key, in mode ca of the transport key */
	enum link_mode mode;			/* of this request: what is stored already stays as it is */
};
struct link_go {
	struct buf ticket;			/* CMS */
	struct buf root;			/* factory root, DER: pinned by the first GO, must be the same ever after */
	char ca[33];				/* CA id in the protocol; "": the only one */
	char host[256];				/* Host header */
	char key_type[16];			/* mode ca: of the key that the CA shall make; "": its default */
};
struct link_result {
	enum reason code;			/* OK: the factory credential is current */
	char text[400];
	uint8_t certificate[SHA256_LEN];
};
struct link_challenge {
	char station[LIMIT_NAME + 1];
	uint8_t nonce[SHA256_LEN];
};
struct link_proof {
	uint8_t nonce[SHA256_LEN];		/* the device's own */
	struct buf certificate;			/* leaf DER */
	struct buf issuer;			/* issuing CA DER */
	struct buf signature;			/* by the factory key over link_challenge_text() */
};

struct link_request {
	struct buf root;			/* as in link_go */
};
struct link_csr {
	struct buf der;				/* PKCS#10; in mode ca the SPKI of the transport key */
};
struct link_certificate {
	struct buf certificate[LIMIT_CHAIN];	/* DER, leaf first, as the CA sent them */
	size_t n;				/* 1 or more */
	struct buf encrypted_key;		/* mode ca; else empty */
};
struct link_stored {
	uint8_t certificate[SHA256_LEN];
};
struct link_confirm {
	uint8_t exporter[SHA256_LEN];		/* of the TLS session that the confirm will be sent in */
};
struct link_signed {
	struct buf signature;			/* confirm.h */
};
enum link_standing { STANDING_ACTIVE, STANDING_DEAD };
struct link_verdict {
	enum link_standing standing;
	uint32_t generation;			/* dead: the highest one that the CA knows; active: 0 */
};

void link_hello_write(const struct link_hello *m, struct buf *payload);
int link_hello_read(struct link_hello *m, const struct buf *payload, struct err *e);
void link_prepare_write(const struct link_prepare *m, struct buf *payload);
int link_prepare_read(struct link_prepare *m, const struct buf *payload, struct err *e);
void link_ready_write(const struct link_ready *m, struct buf *payload);
int link_ready_read(struct link_ready *m, const struct buf *payload, struct err *e);
void link_go_write(const struct link_go *m, struct buf *payload);
int link_go_read(struct link_go *m, const struct buf *payload, struct err *e);
void link_go_free(struct link_go *m);
void link_result_write(const struct link_result *m, struct buf *payload);
int link_result_read(struct link_result *m, const struct buf *payload, struct err *e);
void link_challenge_write(const struct link_challenge *m, struct buf *payload);
int link_challenge_read(struct link_challenge *m, const struct buf *payload, struct err *e);
void link_proof_write(const struct link_proof *m, struct buf *payload);
int link_proof_read(struct link_proof *m, const struct buf *payload, struct err *e);
void link_proof_free(struct link_proof *m);

/* ---- devmsg_client.c ---- */
void link_request_write(const struct link_request *m, struct buf *payload);
int link_request_read(struct link_request *m, const struct buf *payload, struct err *e);
void link_request_free(struct link_request *m);
void link_csr_write(const struct link_csr *m, struct buf *payload);
int link_csr_read(struct link_csr *m, const struct buf *payload, struct err *e);
void link_csr_free(struct link_csr *m);
void link_certificate_write(const struct link_certificate *m, struct buf *payload);
int link_certificate_read(struct link_certificate *m, const struct buf *payload, struct err *e);
void link_certificate_free(struct link_certificate *m);
void link_stored_write(const struct link_stored *m, struct buf *payload);
int link_stored_read(struct link_stored *m, const struct buf *payload, struct err *e);
void link_confirm_write(const struct link_confirm *m, struct buf *payload);
int link_confirm_read(struct link_confirm *m, const struct buf *payload, struct err *e);
void link_signed_write(const struct link_signed *m, struct buf *payload);
int link_signed_read(struct link_signed *m, const struct buf *payload, struct err *e);
void link_signed_free(struct link_signed *m);
void link_verdict_write(const struct link_verdict *m, struct buf *payload);
int link_verdict_read(struct link_verdict *m, const struct buf *payload, struct err *e);

/* What a challenge signs: "handsel-challenge-v1" NUL, station, NUL, station's nonce, device's nonce. Replaces *out. */
void link_challenge_text(struct buf *out, const char *station, const uint8_t station_nonce[SHA256_LEN],
			 const uint8_t device_nonce[SHA256_LEN]);

#endif
