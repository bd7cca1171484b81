/* devmsg.h - the device link (doc/protocol-link.md): frames between station and agent, over bulk endpoints or a socket.
 *
 * Frame: u8 type, u8 0, u16 channel, u32 length (big-endian), then length bytes, at most LIMIT_LINK_FRAME. */
#ifndef HANDSEL_DEVMSG_H
#define HANDSEL_DEVMSG_H

#include "buf.h"
#include "device.h"
#include "err.h"
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
};
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

/* What a challenge signs: "handsel-challenge-v1" NUL, station, NUL, station's nonce, device's nonce. Replaces *out. */
void link_challenge_text(struct buf *out, const char *station, const uint8_t station_nonce[SHA256_LEN],
			 const uint8_t device_nonce[SHA256_LEN]);

#endif
