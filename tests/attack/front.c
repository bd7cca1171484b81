/* front.c - in the place of handsel-ca: starts handsel-signer as the front does, and asks it for everything it wants to have. */
#include <config.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file.h"
#include "invite.h"
#include "ipc.h"
#include "mem.h"
#include "oid.h"
#include "pack.h"
#include "proc.h"
#include "signer.h"

static const char usage[] =
	"usage: front DIR ORDER OTHER-ORDER MANUFACTURER MODEL SERIAL CMS MOST INVITATION RENEWAL\n"
	"\n"
	"DIR holds a CA system that is not served. ORDER is open, with quota and scrap, MOST in all, of which nothing is used yet;\n"
	"OTHER-ORDER is closed; CMS is a file with an order that an operator signed. At a customer both orders are \"\".\n"
	"INVITATION is one that an operator signed, whose code the front does not have; RENEWAL is what a station has signed for its own key.\n"
	"Both may be \"\".\n";

#define CA ""			/* the system's first; each question begins with it */
#define ENDED 0			/* instead of an answer */
#define GARBAGE 80		/* messages of chance, each to a signer of its own */
#define CUT_STEP 5		/* bytes; no field is a multiple of it */
#define UNITS_TRIED 40		/* more than any quota with scrap of the test */

static struct {
	const char *dir, *order, *other, *manufacturer, *model, *serial, *cms, *invitation, *renewal;
	bool factory;
	int fd;
	pid_t pid;
	uint64_t position;	/* of the journal */
	int tried, through, certificates;
} it;

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

/* ---- the channel ---- */
static void begin_silent(const char *purpose)
{
	const char *const argv[] = { "handsel-signer", "--dir", it.dir, "serve", "--fd", "3", "--for", purpose, NULL };
	struct err e;

	it.fd = proc_spawn(argv, &it.pid, &e);
	if (it.fd < 0) {
		fprintf(stderr, "front: %s\n", e.text);
		exit(99);
	}
}

static void end(void)
{
	close(it.fd);
	proc_wait(it.pid, 10000);
}

static uint32_t ask(uint32_t type, const struct buf *question, struct buf *answer)
{
	uint32_t got;
	struct err e;

	return ipc_send(it.fd, type, question, &e) < 0 || ipc_recv(it.fd, &got, answer, &e) != 1 ? ENDED : got;
}

static void begin(void)
{
	struct buf hello = {0}, answer = {0};
	struct unpack u;

	begin_silent("serve");
	pack_u32(&hello, SIGNER_VERSION);
	if (ask(SIGNER_HELLO, &hello, &answer) != SIGNER_DONE) {
		fprintf(stderr, "front: the signer does not answer\n");
		exit(99);
	}
	buf_clear(&hello);
	pack_str(&hello, CA);
	if (ask(SIGNER_POSITION, &hello, &answer) == SIGNER_DONE) {
		unpack_init(&u, answer.data, answer.len);
		it.position = unpack_u64(&u);
	}
	buf_free(&hello);
	buf_free(&answer);
}

/* ---- what it gives ---- */

/* Whatever comes out of it must be the certificate of a device and of nothing else. */
static void judge(const struct buf *der, const char *serial)
{
	struct cert c = {0};
	struct err e;
	bool good = cert_parse(&c, der->data, der->len, &e) == 0;

	it.certificates++;
	good = good && !c.ca && !c.key_cert_sign && !c.role[0] && !c.server_auth &&
	       cert_has_policy(&c, it.factory ? OID_POLICY_FACTORY : OID_POLICY_CUSTOMER) &&
	       !cert_has_policy(&c, OID_POLICY_UNIT) &&
	       !cert_has_policy(&c, it.factory ? OID_POLICY_CUSTOMER : OID_POLICY_FACTORY) &&
	       strcmp(c.device.serial, serial) == 0;
	if (!good)
		report(false, "a certificate for %s that is more than a device's", serial);
	cert_free(&c);
}

static void new_spki(struct buf *spki)
{
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	if (!k || key_spki(k, spki, &e) < 0)
		exit(99);
	key_free(k);
}

struct wish {
	const char *ca;			/* NULL: CA */
	const char *order, *manufacturer, *model, *serial;
	struct ca_params params;
	const struct buf *spki;		/* NULL: a new one */
	bool made;
};

static struct wish wish(void)
{
	return (struct wish){ .order = it.order, .manufacturer = it.manufacturer, .model = it.model, .serial = it.serial };
}

static void pack_wish(struct buf *b, const struct wish *w, const struct buf *spki)
{
	static const struct request_id id = { "00112233445566778899aabbccddeeff", 1 };
	struct device_id d = {0};
	struct sign_item item = { .order = w->order, .device = &d, .spki = spki, .params = &w->params, .made = w->made,
				  .unit = "station:line-1", .id = &id, .renews = "" };
	struct sign_batch said = { .position = it.position };

	snprintf(d.manufacturer, sizeof d.manufacturer, "%s", w->manufacturer);
	snprintf(d.model, sizeof d.model, "%s", w->model);
	snprintf(d.serial, sizeof d.serial, "%s", w->serial);
	pack_str(b, w->ca ? w->ca : CA);
	pack_u32(b, 1);
	sign_item_pack(b, &item);
	sign_tail_pack(b, &said);
}

/* The reason of the refusal; REASON_OK: it signed; -1: it has ended. */
static int sign(const struct wish *w)
{
	struct buf q = {0}, a = {0}, spki = {0}, der = {0};
	struct unpack u;
	uint32_t got;
	int code = -1;

	if (!w->spki)
		new_spki(&spki);
	pack_wish(&q, w, w->spki ? w->spki : &spki);
	got = ask(SIGNER_SIGN, &q, &a);
	unpack_init(&u, a.data, a.len);
	if (got == SIGNER_REFUSED || (got == SIGNER_DONE && unpack_u32(&u) == 1))
		code = (int)unpack_u32(&u);
	if (got == SIGNER_DONE && code == REASON_OK) {
		unpack_bytes(&u, &der);
		judge(&der, w->serial);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&spki);
	buf_free(&der);
	return code;
}

static void refused(const char *name, const struct wish *w, enum reason expected)
{
	int code = sign(w);

	report(code == (int)expected, "%s: %s", name, code < 0 ? "the signer has ended" : reason_id((enum reason)code));
}

/* ---- what ends it: nothing that a front of ours says ---- */
static void ends(const char *name, uint32_t type, const struct buf *question)
{
	struct buf a = {0};

	begin();
	report(ask(type, question, &a) == ENDED, "%s: the signer ends", name);
	end();
	buf_free(&a);
}

static void ask_for_units(void)
{
	static const char *const roles[] = { "ca", "node", "station", "operator", "ra", "kmc" };
	char name[64];

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct buf q = {0}, spki = {0};

		new_spki(&spki);
		pack_str(&q, CA);
		pack_str(&q, roles[i]);
		pack_str(&q, "line-1");
		pack_str(&q, "");
		for (size_t h = 0; h < SIGNER_HOSTS; h++)
			pack_str(&q, "");
		pack_bytes(&q, spki.data, spki.len);
		snprintf(name, sizeof name, "a certificate of role %s", roles[i]);
		ends(name, SIGNER_UNIT, &q);
		buf_free(&q);
		buf_free(&spki);
	}
}

static void ask_as_operator(void)
{
	struct buf q = {0}, cms = {0};
	struct err e;

	if (file_read(&cms, it.cms, 0, &e) < 0)
		exit(99);
	pack_str(&q, CA);
	pack_bytes(&q, cms.data, cms.len);
	ends("a work order, although an operator signed it", SIGNER_ORDER, &q);
	buf_clear(&q);
	pack_str(&q, CA);
	pack_str(&q, it.order);
	ends("the end of a work order", SIGNER_CLOSE, &q);
	buf_clear(&q);
	pack_str(&q, CA);
	pack_u64(&q, 0);
	pack_bytes(&q, (const uint8_t[SHA256_LEN]){ 0 }, SHA256_LEN);
	ends("a new history of the audit", SIGNER_HISTORY, &q);
	buf_clear(&q);
	pack_u32(&q, SIGNER_VERSION);
	ends("a second hello", SIGNER_HELLO, &q);
	buf_free(&q);
	buf_free(&cms);
}

/* Types that are not listed; some are listed ones to who looks at a part of the number. */
static void ask_unlisted(void)
{
	static const uint32_t types[] = { 0, SIGNER_AGREE + 20, 127, SIGNER_DONE, SIGNER_REFUSED, 255, 256 + SIGNER_SIGN,
					  SIGNER_SIGN << 24, 0x80000000 + SIGNER_SIGN, UINT32_MAX };
	struct buf q = {0}, a = {0};
	bool held = true;

	pack_u32(&q, SIGNER_VERSION);
	for (size_t i = 0; i < ARRAY_LEN(types) && held; i++) {
		begin();
		held = ask(types[i], &q, &a) == ENDED;
		end();
	}
	report(held, "types that are not listed: the signer ends");
	buf_free(&q);
	buf_free(&a);
}

static void out_of_order(void)
{
	struct wish w = wish();
	struct buf q = {0}, a = {0}, spki = {0};

	new_spki(&spki);
	pack_wish(&q, &w, &spki);
	begin_silent("serve");
	report(ask(SIGNER_SIGN, &q, &a) == ENDED, "a signature before hello: the signer ends");
	end();
	begin_silent("serve");
	buf_clear(&q);
	pack_u32(&q, SIGNER_VERSION + 1);
	report(ask(SIGNER_HELLO, &q, &a) == SIGNER_REFUSED, "another version: refused");
	end();
	buf_free(&q);
	buf_free(&a);
	buf_free(&spki);
}

/* A CA that this system does not have, as a path or as a name. */
static void other_cas(void)
{
	static const char *const names[] = { "globex", ".", "..", "cas", "../factory" };
	struct wish w = wish();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		w.ca = names[i];
		begin();
		report(sign(&w) == -1, "a certificate of the CA \"%s\": the signer ends", names[i]);
		end();
	}
}

/* A good question cut at many bytes, and with one too many: never answered. */
static void cut(void)
{
	struct wish w = wish();
	struct buf q = {0}, a = {0}, spki = {0}, part = {0};
	bool held = true;

	new_spki(&spki);
	pack_wish(&q, &w, &spki);
	for (size_t n = 0; n < q.len && held; n += CUT_STEP) {
		buf_set(&part, q.data, n);
		begin();
		held = ask(SIGNER_SIGN, &part, &a) == ENDED;
		end();
	}
	report(held, "a question of %zu bytes that is cut: the signer ends", q.len);
	buf_byte(&q, 0);
	ends("a question that is too long by a byte", SIGNER_SIGN, &q);
	buf_free(&q);
	buf_free(&a);
	buf_free(&spki);
	buf_free(&part);
}

/* Frames below the messages: a length beyond all bounds, half a header, half a frame. */
static void broken_frames(void)
{
	static const struct {
		const char *name;
		uint8_t bytes[12];
		size_t len;
	} frames[] = {
		{ "a frame of 4 GiB", { 0, 0, 0, SIGNER_SIGN, 255, 255, 255, 255 }, 8 },
		{ "half a header", { 0, 0, 0, SIGNER_SIGN, 0 }, 5 },
		{ "half a frame", { 0, 0, 0, SIGNER_SIGN, 0, 0, 0, 64, 1, 2, 3, 4 }, 12 },
	};
	uint32_t type;
	struct buf a = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		begin();
		if (send(it.fd, frames[i].bytes, frames[i].len, 0) != (ssize_t)frames[i].len || shutdown(it.fd, SHUT_WR) < 0)
			exit(99);
		report(ipc_recv(it.fd, &type, &a, &e) != 1, "%s: no answer", frames[i].name);
		end();
	}
	buf_free(&a);
}

/* Bytes of chance, by themselves and within a good question. What it answers, if anything, is a refusal or a device's certificate. */
static void garbage(void)
{
	struct wish w = wish();
	struct buf q = {0}, a = {0}, spki = {0}, der = {0};
	int before = it.through;

	new_spki(&spki);
	for (int i = 0; i < GARBAGE; i++) {
		uint8_t chance[256];
		uint32_t at, got;
		struct unpack u;

		mem_random(chance, sizeof chance);
		buf_clear(&q);
		if (i % 2)
			buf_add(&q, chance, chance[0]);
		else
			pack_wish(&q, &w, &spki);
		memcpy(&at, chance, sizeof at);
		if (q.len)
			q.data[at % q.len] ^= chance[9];
		begin();
		got = ask(i % 4 == 3 ? chance[1] : SIGNER_SIGN, &q, &a);
		unpack_init(&u, a.data, a.len);
		if (got == SIGNER_DONE && i % 4 != 3 && unpack_u32(&u) == 1 && unpack_u32(&u) == REASON_OK) {
			struct cert c = {0};
			struct err e;

			unpack_bytes(&u, &der);
			if (cert_parse(&c, der.data, der.len, &e) == 0)
				judge(&der, c.device.serial);
			cert_free(&c);
		}
		end();
	}
	report(before == it.through, "%d messages of chance: nothing but devices", GARBAGE);
	buf_free(&q);
	buf_free(&a);
	buf_free(&spki);
	buf_free(&der);
}

/* ---- what it refuses, and goes on ---- */
static void wish_names(void)
{
	struct wish w = wish();

	w.serial = "";
	refused("no serial", &w, it.factory ? REASON_ORDER : REASON_REQUEST);
	w.serial = "../../root";
	refused("a serial that is a path", &w, it.factory ? REASON_ORDER : REASON_REQUEST);
	w = wish();
	w.model = it.factory ? "toaster" : "a\nb";
	refused("another model", &w, it.factory ? REASON_WRONG_MODEL : REASON_REQUEST);
	w = wish();
	w.manufacturer = "";
	refused("no manufacturer", &w, it.factory ? REASON_WRONG_MODEL : REASON_REQUEST);
}

/* What a profile does not allow: another profile, another name, a longer life, a key that the CA may not have. */
static void wish_profile(void)
{
	static const char *const profiles[] = { "root", "issuing", "unit-ca", "unit", "device-factory", "device-customer" };
	const char *own = it.factory ? "device-factory" : "device-customer";
	char name[64];
	struct wish w;

	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		if (strcmp(profiles[i], own) == 0)
			continue;
		w = wish();
		snprintf(w.params.profile, sizeof w.params.profile, "%s", profiles[i]);
		snprintf(name, sizeof name, "profile %s", profiles[i]);
		refused(name, &w, REASON_PROFILE);
	}
	w = wish();
	strcpy(w.params.organization, "Another Manufacturer");
	refused("another manufacturer's name", &w, REASON_PROFILE);
	w = wish();
	strcpy(w.params.unit, "another model");
	refused("another model's name", &w, REASON_PROFILE);
	w = wish();
	w.params.validity_days = UINT32_MAX;
	refused("a life of ten million years", &w, REASON_PROFILE);
}

static void wish_keys(void)
{
	struct buf none = {0}, junk = {0};
	struct wish w = wish();

	w.spki = &none;
	refused("no key", &w, REASON_PROFILE);
	buf_str(&junk, "this is no key");
	w.spki = &junk;
	refused("a key that is none", &w, REASON_PROFILE);
	w.made = true;
	refused("a transport key that is none", &w, REASON_REQUEST);
	buf_free(&junk);
}

static void wish_orders(void)
{
	struct wish w = wish();

	w.order = "";
	refused("no order", &w, REASON_ORDER);
	w.order = "WO-unknown";
	refused("an order that nobody signed", &w, REASON_ORDER);
	w.order = it.other;
	refused("an order that is closed", &w, REASON_ORDER);
	w = wish();
	w.serial = "99999999";
	refused("a serial outside the order", &w, REASON_ORDER);
}

/* ---- units: by an operator's invitation, or by the unit's own word, and for no other key than these mean ---- */
static void unit_refused(const char *name, uint32_t type, const struct buf *document, const struct buf *signature)
{
	struct buf q = {0}, a = {0}, spki = {0};
	uint32_t got;

	new_spki(&spki);
	pack_str(&q, CA);
	pack_bytes(&q, document->data, document->len);
	pack_bytes(&q, spki.data, spki.len);
	if (signature)
		pack_bytes(&q, signature->data, signature->len);
	got = ask(type, &q, &a);
	report(got == SIGNER_REFUSED, "%s: %s", name, got == SIGNER_REFUSED ? "refused" : got == ENDED ? "the signer has ended" : "CERTIFIED");
	buf_free(&q);
	buf_free(&a);
	buf_free(&spki);
}

static void wish_units(void)
{
	struct buf invitation = {0}, renewal = {0}, order = {0}, none = {0}, own = {0}, spki = {0};
	uint8_t root[SHA256_LEN] = {0};
	struct invite code;
	struct err e;

	if (file_read(&invitation, it.invitation, 0, &e) < 0 || file_read(&renewal, it.renewal, 0, &e) < 0 ||
	    file_read(&order, it.cms, 0, &e) < 0)
		exit(99);
	invite_new(&code, root);
	new_spki(&spki);
	invite_sign(&code, &spki, &own);
	unit_refused("an invitation, without its code", SIGNER_ENROL, &invitation, &none);
	unit_refused("an invitation, with a code of the front's own", SIGNER_ENROL, &invitation, &own);
	unit_refused("a work order for an invitation", SIGNER_ENROL, &order, &own);
	unit_refused("a station's renewal for an invitation", SIGNER_ENROL, &renewal, &own);
	unit_refused("nothing for an invitation", SIGNER_ENROL, &none, &none);
	unit_refused("a station's renewal, kept, with another key", SIGNER_RENEW, &renewal, NULL);
	unit_refused("a work order for a renewal", SIGNER_RENEW, &order, NULL);
	unit_refused("an invitation for a renewal", SIGNER_RENEW, &invitation, NULL);
	for (size_t i = 0; i < invitation.len; i += 97)	/* another key, role, name, time */
		invitation.data[i] ^= 1;
	unit_refused("an invitation that was changed", SIGNER_ENROL, &invitation, &own);
	buf_free(&invitation);
	buf_free(&renewal);
	buf_free(&order);
	buf_free(&own);
	buf_free(&spki);
}

/* Restarts do not help: the count is on the signer's disk. */
static void overproduce(int most)
{
	struct wish w = wish();
	int got = 0, last = 0;

	begin();

	for (int i = 0; i < UNITS_TRIED; i++) {
		if (i % 5 == 4) {
			end();
			begin();
		}
		last = sign(&w);
		got += last == REASON_OK;
	}
	report(got == most && last == REASON_QUOTA, "%d keys asked for: %d signed, then %s", UNITS_TRIED, got,
	       last < 0 ? "it ended" : reason_id((enum reason)last));
	end();
}

int main(int argc, char **argv)
{
	if (argc != 11) {
		fputs(usage, stderr);
		return 2;
	}
	it.dir = argv[1];
	it.order = argv[2];
	it.other = argv[3];
	it.manufacturer = argv[4];
	it.model = argv[5];
	it.serial = argv[6];
	it.cms = argv[7];
	it.invitation = argv[9];
	it.renewal = argv[10];
	it.factory = *it.order != 0;
	signal(SIGPIPE, SIG_IGN);
	ask_for_units();
	ask_as_operator();
	ask_unlisted();
	out_of_order();
	other_cas();
	broken_frames();
	cut();
	begin();
	wish_names();
	wish_profile();
	wish_keys();
	if (it.factory) {
		wish_orders();
		wish_units();
	}
	end();
	if (it.factory)
		overproduce(atoi(argv[8]));
	garbage();
	if (it.factory)
		report(it.certificates == atoi(argv[8]), "%d certificates in all, as many as an operator allowed", it.certificates);
	printf("%d attacks, %d got through; %d certificates of devices\n", it.tried, it.through, it.certificates);
	return it.through != 0;
}
