#include <config.h>

#include "devmsg.h"

#include <string.h>

#include "limits.h"
#include "pack.h"

static const char *const type_names[] = {
	[LINK_HELLO] = "hello", [LINK_PREPARE] = "prepare", [LINK_READY] = "ready", [LINK_GO] = "go",
	[LINK_OPEN] = "open", [LINK_OPENED] = "opened", [LINK_DATA] = "data", [LINK_CLOSE] = "close",
	[LINK_RESULT] = "result", [LINK_CHALLENGE] = "challenge", [LINK_PROOF] = "proof", [LINK_DONE] = "done",
	[LINK_LOG] = "log", [LINK_REQUEST] = "request", [LINK_CSR] = "csr", [LINK_CERTIFICATE] = "certificate",
	[LINK_STORED] = "stored", [LINK_CONFIRM] = "confirm", [LINK_SIGNED] = "signed", [LINK_VERDICT] = "verdict",
};

const char *link_type_name(enum link_type type)
{
	return type >= LINK_HELLO && type <= LINK_LAST ? type_names[type] : "unknown";
}

static int bad_frame(struct err *e, const char *clause, const char *what)
{
	return err_set(e, REASON_USB, "device link: clause %s: %s; the link must be opened again", clause, what);
}

static bool is_tunnel(unsigned type)
{
	return type >= LINK_OPEN && type <= LINK_CLOSE;
}

int link_take(struct buf *in, struct link_frame *f, struct err *e)
{
	const uint8_t *p = in->data;
	uint32_t len;

	if (in->len < LINK_HEADER)
		return 0;
	if (p[0] < LINK_HELLO || p[0] > LINK_LAST)
		return bad_frame(e, "L2.2", "a frame of an unknown type");
	if (p[1] != 0)
		return bad_frame(e, "L2.3", "the reserved byte of a frame is not 0");
	if (!is_tunnel(p[0]) && (p[2] || p[3]))
		return bad_frame(e, "L2.4", "a channel in a frame that belongs to none");
	len = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
	if (len > LIMIT_LINK_FRAME)
		return bad_frame(e, "L2.5", "a frame is too long");
	if (in->len - LINK_HEADER < len)
		return 0;
	f->type = p[0];
	f->channel = (uint16_t)(p[2] << 8 | p[3]);
	buf_set(&f->payload, p + LINK_HEADER, len);
	buf_drop(in, LINK_HEADER + len);
	return 1;
}

void link_put(struct buf *out, enum link_type type, uint16_t channel, const void *payload, size_t len)
{
	if (len > LIMIT_LINK_FRAME) {
		out->failed = true;
		return;
	}
	pack_u8(out, (uint8_t)type);
	pack_u8(out, 0);
	pack_u8(out, (uint8_t)(channel >> 8));
	pack_u8(out, (uint8_t)channel);
	pack_u32(out, (uint32_t)len);
	buf_add(out, payload, len);
}

static int bad_message(struct err *e, const char *clause, const char *message, const char *what)
{
	return err_set(e, REASON_REQUEST, "device link: clause %s: message %s: %s", clause, message, what);
}

/* ---- hello ---- */
void link_hello_write(const struct link_hello *m, struct buf *payload)
{
	buf_clear(payload);
	pack_u32(payload, m->version);
	pack_str(payload, m->device.manufacturer);
	pack_str(payload, m->device.model);
	pack_str(payload, m->device.serial);
	pack_str(payload, m->revision);
	pack_str(payload, m->agent_version);
	pack_bytes(payload, m->agent_sha256, sizeof m->agent_sha256);
	pack_u8(payload, (uint8_t)m->store);
}

int link_hello_read(struct link_hello *m, const struct buf *payload, struct err *e)
{
	struct unpack u;
	uint8_t store;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	m->version = unpack_u32(&u);
	if (!u.failed && m->version != LINK_VERSION)	/* the fields behind it may differ in another version */
		return err_set(e, REASON_AGENT, "device link: clause L3.1: the agent speaks version %u of the link, the station %d; "
			       "load an agent that fits", (unsigned)m->version, LINK_VERSION);
	unpack_str(&u, m->device.manufacturer, sizeof m->device.manufacturer);
	unpack_str(&u, m->device.model, sizeof m->device.model);
	unpack_str(&u, m->device.serial, sizeof m->device.serial);
	unpack_str(&u, m->revision, sizeof m->revision);
	unpack_str(&u, m->agent_version, sizeof m->agent_version);
	unpack_fixed(&u, m->agent_sha256, sizeof m->agent_sha256);
	store = unpack_u8(&u);
	if (!unpack_done(&u))
		return bad_message(e, "L3.2", "hello", "a field is too long, or the message too short or too long");
	if (!device_valid(&m->device))
		return bad_message(e, "L3.2", "hello", "manufacturer, model or serial are missing or malformed");
	if ((m->revision[0] && !text_is_name(m->revision, LIMIT_NAME)) || !text_is_name(m->agent_version, LIMIT_NAME))
		return bad_message(e, "L3.2", "hello", "revision or agent version are malformed");
	if (store > STORE_CUSTOMER)
		return bad_message(e, "L3.2", "hello", "an unknown state of the store");
	m->store = store;
	return 0;
}

/* ---- prepare ---- */
const char *link_mode_name(enum link_mode m)
{
	return m == MODE_CA ? "ca" : "device";
}

void link_prepare_write(const struct link_prepare *m, struct buf *payload)
{
	buf_clear(payload);
	pack_u8(payload, (uint8_t)m->mode);
}

int link_prepare_read(struct link_prepare *m, const struct buf *payload, struct err *e)
{
	struct unpack u;
	uint8_t mode;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	mode = payload->len ? unpack_u8(&u) : MODE_DEVICE;
	if (!unpack_done(&u) || mode > MODE_CA)
		return bad_message(e, "L3.9", "prepare", "it is not one byte that names a mode");
	m->mode = mode;
	return 0;
}

/* ---- ready ---- */
void link_ready_write(const struct link_ready *m, struct buf *payload)
{
	buf_clear(payload);
	pack_str(payload, m->request.id);
	pack_u32(payload, m->request.generation);
	pack_bytes(payload, m->key_sha256, sizeof m->key_sha256);
	pack_u8(payload, (uint8_t)m->mode);
}

int link_ready_read(struct link_ready *m, const struct buf *payload, struct err *e)
{
	struct unpack u;
	uint8_t mode;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	unpack_str(&u, m->request.id, sizeof m->request.id);
	m->request.generation = unpack_u32(&u);
	unpack_fixed(&u, m->key_sha256, sizeof m->key_sha256);
	mode = unpack_u8(&u);
	if (!unpack_done(&u))
		return bad_message(e, "L3.3", "ready", "a field is too long, or the message too short or too long");
	if (!request_id_valid(&m->request))
		return bad_message(e, "L3.3", "ready", "the request id is malformed");
	if (mode > MODE_CA)
		return bad_message(e, "L3.3", "ready", "an unknown mode");
	m->mode = mode;
	return 0;
}

/* ---- go ---- */
void link_go_write(const struct link_go *m, struct buf *payload)
{
	buf_clear(payload);
	pack_bytes(payload, m->ticket.data, m->ticket.len);
	pack_bytes(payload, m->root.data, m->root.len);
	pack_str(payload, m->ca);
	pack_str(payload, m->host);
	pack_str(payload, m->key_type);
}

int link_go_read(struct link_go *m, const struct buf *payload, struct err *e)
{
	struct unpack u;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	unpack_bytes(&u, &m->ticket);
	unpack_bytes(&u, &m->root);
	unpack_str(&u, m->ca, sizeof m->ca);
	unpack_str(&u, m->host, sizeof m->host);
	unpack_str(&u, m->key_type, sizeof m->key_type);
	if (!unpack_done(&u))
		bad_message(e, "L3.4", "go", "a field is too long, or the message too short or too long");
	else if (!m->ticket.len || !m->root.len)
		bad_message(e, "L3.4", "go", "the ticket or the factory root is missing");
	else if (m->ca[0] && !text_is_token(m->ca, sizeof m->ca - 1))
		bad_message(e, "L3.4", "go", "the id of the CA is malformed");
	else if (!text_is_name(m->host, sizeof m->host - 1) || strpbrk(m->host, " /"))
		bad_message(e, "L3.4", "go", "the host of the CA is malformed");
	else if (m->key_type[0] && !text_is_token(m->key_type, sizeof m->key_type - 1))
		bad_message(e, "L3.4", "go", "the type of the key is malformed");
	else
		return 0;
	link_go_free(m);
	return -1;
}

void link_go_free(struct link_go *m)
{
	if (!m)
		return;
	buf_free(&m->ticket);
	buf_free(&m->root);
	memset(m, 0, sizeof *m);
}

/* ---- result ---- */
void link_result_write(const struct link_result *m, struct buf *payload)
{
	buf_clear(payload);
	pack_u32(payload, (uint32_t)m->code);
	pack_str(payload, m->text);
	pack_bytes(payload, m->certificate, sizeof m->certificate);
}

int link_result_read(struct link_result *m, const struct buf *payload, struct err *e)
{
	struct unpack u;
	uint32_t code;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	code = unpack_u32(&u);
	unpack_str(&u, m->text, sizeof m->text);
	unpack_fixed(&u, m->certificate, sizeof m->certificate);
	if (!unpack_done(&u))
		return bad_message(e, "L3.5", "result", "a field is too long, or the message too short or too long");
	if (code > 99 || (code != REASON_OK && (uint32_t)reason_info((enum reason)code)->code != code))
		return bad_message(e, "L3.5", "result", "an unknown reason code");
	m->code = (enum reason)code;
	return 0;
}

/* ---- challenge and proof ---- */
void link_challenge_write(const struct link_challenge *m, struct buf *payload)
{
	buf_clear(payload);
	pack_str(payload, m->station);
	pack_bytes(payload, m->nonce, sizeof m->nonce);
}

int link_challenge_read(struct link_challenge *m, const struct buf *payload, struct err *e)
{
	struct unpack u;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	unpack_str(&u, m->station, sizeof m->station);
	unpack_fixed(&u, m->nonce, sizeof m->nonce);
	if (!unpack_done(&u))
		return bad_message(e, "L3.6", "challenge", "a field is too long, or the message too short or too long");
	if (!text_is_token(m->station, LIMIT_NAME))
		return bad_message(e, "L3.6", "challenge", "the name of the station is malformed");
	return 0;
}

void link_proof_write(const struct link_proof *m, struct buf *payload)
{
	buf_clear(payload);
	pack_bytes(payload, m->nonce, sizeof m->nonce);
	pack_bytes(payload, m->certificate.data, m->certificate.len);
	pack_bytes(payload, m->issuer.data, m->issuer.len);
	pack_bytes(payload, m->signature.data, m->signature.len);
}

int link_proof_read(struct link_proof *m, const struct buf *payload, struct err *e)
{
	struct unpack u;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	unpack_fixed(&u, m->nonce, sizeof m->nonce);
	unpack_bytes(&u, &m->certificate);
	unpack_bytes(&u, &m->issuer);
	unpack_bytes(&u, &m->signature);
	if (!unpack_done(&u))
		bad_message(e, "L3.7", "proof", "a field is too long, or the message too short or too long");
	else if (!m->certificate.len || !m->issuer.len || !m->signature.len)
		bad_message(e, "L3.7", "proof", "certificate, issuer or signature is missing");
	else
		return 0;
	link_proof_free(m);
	return -1;
}

void link_proof_free(struct link_proof *m)
{
	if (!m)
		return;
	buf_free(&m->certificate);
	buf_free(&m->issuer);
	buf_free(&m->signature);
	memset(m, 0, sizeof *m);
}

void link_challenge_text(struct buf *out, const char *station, const uint8_t station_nonce[SHA256_LEN],
			 const uint8_t device_nonce[SHA256_LEN])
{
	static const char label[] = "handsel-challenge-v1";

	buf_clear(out);
	buf_add(out, label, sizeof label);	/* with its NUL */
	buf_add(out, station, strlen(station) + 1);
	buf_add(out, station_nonce, SHA256_LEN);
	buf_add(out, device_nonce, SHA256_LEN);
}
