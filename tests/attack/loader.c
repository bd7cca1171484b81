/* loader.c - in the place of handsel-station: speaks to a device over its link, as anybody can who has its cable. */
#include <config.h>

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "devmsg.h"
#include "digest.h"
#include "file.h"
#include "mem.h"
#include "pack.h"
#include "proc.h"
#include "tls.h"
#include "x509.h"

static const char usage[] =
	"usage: loader AGENT STORE go ROOT.pem HOST PORT TICKET   let it ask that CA for a credential; prints the code of the result\n"
	"       loader AGENT STORE challenge                      prints the code of the result, or \"proof\"\n"
	"       loader AGENT STORE oracle OUT                     what can be had signed; the last signature goes to OUT\n";

#define ANSWER_MS 30000

static struct {
	int fd, ca;
	pid_t pid;
	struct buf in;
	const char *host, *port;
	int tried, through;
} it = { .ca = -1 };

static void report(bool held, const char *format, ...)
{
	va_list args;

	it.tried++;
	it.through += !held;
	fputs(held ? "ok " : "FAILED ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "loader: %s\n", what);
	exit(99);
}

/* ---- the link ---- */
static void begin(const char *agent, const char *store)
{
	const char *const argv[] = { agent, "--dir", store, "factory", "--fd", "3", NULL };
	struct err e;

	it.fd = proc_spawn(argv, &it.pid, &e);
	must(it.fd >= 0, "the agent does not start");
	buf_clear(&it.in);
}

static void end(void)
{
	close(it.fd);
	proc_wait(it.pid, 10000);
}

static void put(enum link_type type, uint16_t channel, const void *payload, size_t len)
{
	struct buf out = {0};

	link_put(&out, type, channel, payload, len);
	must(send(it.fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len, "the agent has gone");
	buf_free(&out);
}

static void put_buf(enum link_type type, const struct buf *payload)
{
	put(type, 0, payload->data, payload->len);
}

/* What the CA says goes to the device. */
static void relay_down(uint16_t channel)
{
	uint8_t bytes[4096];
	ssize_t n = recv(it.ca, bytes, sizeof bytes, 0);

	if (n > 0) {
		put(LINK_DATA, channel, bytes, (size_t)n);
		return;
	}
	close(it.ca);
	it.ca = -1;
	put(LINK_CLOSE, channel, NULL, 0);
}

/* What the device says goes to the CA. */
static void relay_up(const struct link_frame *f)
{
	struct err e;

	if (it.ca >= 0 && f->type != LINK_DATA) {
		close(it.ca);
		it.ca = -1;
	}
	if (f->type == LINK_OPEN) {
		it.ca = tcp_connect(it.host, it.port, clock_mono_ms() + 5000, &e);
		put(it.ca < 0 ? LINK_CLOSE : LINK_OPENED, f->channel, NULL, 0);
	} else if (f->type == LINK_DATA && it.ca >= 0 &&
		   send(it.ca, f->payload.data, f->payload.len, MSG_NOSIGNAL) != (ssize_t)f->payload.len) {
		close(it.ca);
		it.ca = -1;
	}
}

/* The next frame that is not the tunnel's; 0: the device has ended the link. */
static int take(struct link_frame *f)
{
	uint16_t channel = 0;
	struct err e;

	for (;;) {
		struct pollfd p[] = { { .fd = it.fd, .events = POLLIN }, { .fd = it.ca, .events = POLLIN } };
		int rc = link_take(&it.in, f, &e);
		uint8_t *room;
		ssize_t n;

		must(rc >= 0, "the agent sends nonsense");
		if (rc > 0 && f->type != LINK_OPEN && f->type != LINK_DATA && f->type != LINK_CLOSE && f->type != LINK_LOG)
			return 1;
		if (rc > 0) {
			channel = f->channel;
			if (f->type != LINK_LOG)
				relay_up(f);
			continue;
		}
		must(poll(p, 2, ANSWER_MS) > 0, "the agent does not answer");
		if (p[1].revents)
			relay_down(channel);
		if (!p[0].revents)
			continue;
		room = buf_room(&it.in, LIMIT_LINK_FRAME);
		n = recv(it.fd, room, LIMIT_LINK_FRAME, 0);
		if (n <= 0)
			return 0;
		it.in.len += (size_t)n;
	}
}

/* The code of a result; -1: it is a frame of another kind; -2: the device has ended the link. */
static int take_code(struct link_frame *f)
{
	struct link_result r;
	struct err e;

	if (take(f) == 0)
		return -2;
	return f->type == LINK_RESULT && link_result_read(&r, &f->payload, &e) == 0 ? (int)r.code : -1;
}

/* ---- go ---- */
static int run_go(const char *root_path, const char *ticket_path)
{
	struct link_prepare ask = {0};
	struct link_go go = {0};
	struct buf payload = {0};
	struct link_frame f = {0};
	struct chain root = {0};
	struct err e;
	int code;

	must(chain_load(&root, root_path, &e) == 0, "no root");
	link_prepare_write(&ask, &payload);
	put_buf(LINK_PREPARE, &payload);
	must(take(&f) && f.type == LINK_READY, "the agent is not ready");
	must(file_read(&go.ticket, ticket_path, 0, &e) == 0, "no ticket");
	buf_set(&go.root, root.cert[0].der.data, root.cert[0].der.len);
	snprintf(go.host, sizeof go.host, "%s", it.host);
	link_go_write(&go, &payload);
	put_buf(LINK_GO, &payload);
	code = take_code(&f);
	printf("%s\n", code < 0 ? "the device has ended the link" : code == REASON_OK ? "OK" : reason_id((enum reason)code));
	end();
	link_go_free(&go);
	chain_free(&root);
	buf_free(&payload);
	buf_free(&f.payload);
	return 0;
}

/* ---- challenges ---- */
static int challenge(const char *station, const uint8_t nonce[SHA256_LEN], struct link_proof *proof)
{
	struct link_challenge c = {0};
	struct buf payload = {0};
	struct link_frame f = {0};
	struct err e;
	int code;

	snprintf(c.station, sizeof c.station, "%s", station);
	memcpy(c.nonce, nonce, sizeof c.nonce);
	link_challenge_write(&c, &payload);
	put_buf(LINK_CHALLENGE, &payload);
	code = take_code(&f);
	if (code == -1) {
		must(f.type == LINK_PROOF && link_proof_read(proof, &f.payload, &e) == 0, "the agent's answer is no proof");
		code = REASON_OK;
	}
	buf_free(&payload);
	buf_free(&f.payload);
	return code;
}

static int run_challenge(void)
{
	uint8_t nonce[SHA256_LEN] = {0};
	struct link_proof proof = {0};
	int code = challenge("line-1", nonce, &proof);

	printf("%s\n", code < 0 ? "the device has ended the link" : code == REASON_OK ? "proof" : reason_id((enum reason)code));
	link_proof_free(&proof);
	end();
	return 0;
}

/* What somebody would like to have signed; each text has 32 bytes of his choice. */
static void text_tls(struct buf *b, const uint8_t chosen[SHA256_LEN])
{
	buf_clear(b);	/* RFC 8446 4.4.3, of a client */
	for (int i = 0; i < 64; i++)
		buf_byte(b, 0x20);
	buf_add(b, "TLS 1.3, client CertificateVerify", sizeof "TLS 1.3, client CertificateVerify");
	buf_add(b, chosen, SHA256_LEN);
}
static void text_confirm(struct buf *b, const uint8_t chosen[SHA256_LEN])
{
	buf_clear(b);
	buf_add(b, "handsel-confirm-v1", sizeof "handsel-confirm-v1");
	buf_add(b, chosen, SHA256_LEN);
}
static void text_endorsement(struct buf *b, const uint8_t chosen[SHA256_LEN])
{
	buf_clear(b);
	buf_add(b, "handsel-endorsement-v1", sizeof "handsel-endorsement-v1");
	buf_add(b, chosen, SHA256_LEN);
}
static void text_bare(struct buf *b, const uint8_t chosen[SHA256_LEN])
{
	buf_set(b, chosen, SHA256_LEN);
}

/* The bytes of our choice come back signed within the challenge's own text, and in no other. */
static void only_in_its_text(const char *out)
{
	static const struct {
		const char *name;
		void (*text)(struct buf *b, const uint8_t chosen[SHA256_LEN]);
	} wanted[] = {
		{ "a TLS handshake", text_tls }, { "a confirm", text_confirm }, { "an endorsement", text_endorsement },
		{ "the bytes themselves", text_bare },
	};
	uint8_t before[SHA256_LEN] = {0};
	struct buf text = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct link_proof proof = {0};
		struct cert leaf = {0};
		uint8_t chosen[SHA256_LEN];

		mem_random(chosen, sizeof chosen);
		wanted[i].text(&text, chosen);
		digest_sha256(chosen, text.data, text.len);	/* the hash that its signature would be over */
		must(challenge("line-1", chosen, &proof) == REASON_OK, "an honest challenge is refused");
		must(cert_parse(&leaf, proof.certificate.data, proof.certificate.len, &e) == 0, "no certificate");
		report(spki_verify(&leaf.spki, text.data, text.len, &proof.signature, &e) < 0, "%s is not what it signs",
		       wanted[i].name);
		link_challenge_text(&text, "line-1", chosen, proof.nonce);
		report(spki_verify(&leaf.spki, text.data, text.len, &proof.signature, &e) == 0, "but the challenge's text");
		report(memcmp(before, proof.nonce, SHA256_LEN) != 0, "with 32 bytes of its own choice");
		memcpy(before, proof.nonce, sizeof before);
		must(file_replace(out, proof.signature.data, proof.signature.len, 0600, &e) == 0, "cannot write the signature");
		link_proof_free(&proof);
		cert_free(&leaf);
	}
	buf_free(&text);
}

/* Payloads that are not what L3.6 says: a text with other limits than its own would be a text of the sender's. */
static void malformed(void)
{
	static const struct {
		const char *name, *station;
		size_t len, nonce;	/* of the station's name; of the nonce */
		int more;		/* bytes behind both */
	} asks[] = {
		{ "no name", "", 0, 32, 0 },
		{ "a name with a NUL", "line-1\0x", 8, 32, 0 },
		{ "a name with a blank", "line 1", 6, 32, 0 },
		{ "a name with a line end", "line-1\n", 7, 32, 0 },
		{ "a name of 65 bytes", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345", 65, 32, 0 },
		{ "a nonce of 31 bytes", "line-1", 6, 31, 0 },
		{ "a nonce of 33 bytes", "line-1", 6, 33, 0 },
		{ "a nonce of 16,000 bytes", "line-1", 6, 16000, 0 },
		{ "no nonce", "line-1", 6, 0, 0 },
		{ "a byte too many", "line-1", 6, 32, 1 },
	};
	static const uint8_t zeros[16000];

	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct link_frame f = {0};
		struct buf b = {0};
		int code;

		pack_bytes(&b, asks[i].station, asks[i].len);
		pack_bytes(&b, zeros, asks[i].nonce);
		for (int more = 0; more < asks[i].more; more++)
			buf_byte(&b, 0);
		put_buf(LINK_CHALLENGE, &b);
		code = take_code(&f);
		report(code > REASON_OK, "a challenge with %s: %s", asks[i].name, code < 0 ? "a proof" : reason_id((enum reason)code));
		buf_free(&b);
		buf_free(&f.payload);
	}
}

/* The station's own CA-client has a confirm signed with an exporter of its choice, of a certificate that is under way; not of one in force. */
static void no_confirm(void)
{
	static const enum link_type types[] = { LINK_REQUEST, LINK_CERTIFICATE, LINK_CONFIRM, LINK_VERDICT };
	const struct link_confirm m = { .exporter = "31 octets that somebody has made" };
	struct buf b = {0};

	link_confirm_write(&m, &b);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct link_frame f = {0};

		put_buf(types[i], &b);
		report(take_code(&f) == REASON_OK, "%s: it has its credential, and says no more", link_type_name(types[i]));
		buf_free(&f.payload);
	}
	buf_free(&b);
}

/* Frames that carry something of ours, and only a device may send. */
static void wrong_way(const char *agent, const char *store)
{
	static const enum link_type types[] = { LINK_READY, LINK_RESULT, LINK_PROOF, LINK_LOG, LINK_CSR, LINK_STORED, LINK_SIGNED };
	static const uint8_t zeros[64];

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct link_frame f = {0};

		begin(agent, store);
		put(types[i], 0, zeros, sizeof zeros);
		report(take(&f) == 0, "%s from a station: the link ends", link_type_name(types[i]));
		end();
		buf_free(&f.payload);
	}
}

static int run_oracle(const char *agent, const char *store, const char *out)
{
	only_in_its_text(out);
	malformed();
	no_confirm();
	end();
	wrong_way(agent, store);
	printf("%d attacks, %d got through\n", it.tried, it.through);
	return it.through != 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[3] : "";

	signal(SIGPIPE, SIG_IGN);
	if (argc == 8 && strcmp(what, "go") == 0) {
		it.host = argv[5];
		it.port = argv[6];
		begin(argv[1], argv[2]);
		return run_go(argv[4], argv[7]);
	}
	if (argc == 4 && strcmp(what, "challenge") == 0) {
		begin(argv[1], argv[2]);
		return run_challenge();
	}
	if (argc == 5 && strcmp(what, "oracle") == 0) {
		begin(argv[1], argv[2]);
		return run_oracle(argv[1], argv[2], argv[4]);
	}
	fputs(usage, stderr);
	return 2;
}
