/* The rules of the customer transaction at the node, each against a real database. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "allowlist.h"
#include "audit.h"
#include "file.h"
#include "mem.h"
#include "rules.h"
#include "unit.h"

#define NOW 1795000000
#define LIMIT_S 900

static const struct crl_word no_crl = { .verdict = CRL_UNUSED };
static struct db *db;
static struct err e;
static int64_t now = NOW;
static const struct makers makers = { { "Acme Devices" }, 1 };

static const struct device_id dev = { "Acme Devices", "gateway-b", "00020001" };
static const struct device_id dev2 = { "Acme Devices", "gateway-b", "00020002" };

/* ---- a site: both devices shipped and listed ---- */
static void list(const char *yaml)
{
	struct allowlist al = {0};
	struct buf b = {0};
	int ended;

	buf_str(&b, yaml);
	allowlist_parse(&al, "list.yaml", &b, &makers, now);
	CU_ASSERT_EQUAL_FATAL(allowlist_apply(db, &al, "test", now, &ended, &e), 0);
	allowlist_free(&al);
	buf_free(&b);
}

static void ship(const struct device_id *d, uint8_t fingerprint)
{
	struct manifest_entry m = { .device = *d, .certificate = { fingerprint } };

	CU_ASSERT_EQUAL_FATAL(store_shipped_put(db, &m, 1, &e), 0);
}

static void begin(void)
{
	char path[FILE_PATH];

	now = NOW;
	file_join(path, &e, unit_folder(), "node.db");
	db = store_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL_FATAL(db_begin(db, &e), 0);
	list("version: 1\ndevices:\n  - serial: \"00020001\"\n  - serial: \"00020002\"\n");
	ship(&dev, 1);
	ship(&dev2, 2);
}

static void end(void)
{
	int64_t rows = 0;

	CU_ASSERT_EQUAL(audit_verify(db, &rows, &e), 0);
	CU_ASSERT(rows > 0);
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	db_close(db);
}

static struct request_id id(char c, uint32_t generation)
{
	struct request_id r = { .generation = generation };

	memset(r.id, c, REQUEST_ID_LEN);
	return r;
}

static struct rules_peer factory(const struct device_id *d)
{
	struct rules_peer p = { .device = *d, .remote = "192.0.2.7" };

	p.certificate[0] = strcmp(d->serial, dev.serial) == 0 ? 1 : 2;
	return p;
}

/* ---- acts; the last verdict, reason and generation stay here ---- */
static struct decision last;
static char last_certificate[40];

static enum verdict keep(struct decision *d, int rc)
{
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	snprintf(last_certificate, sizeof last_certificate, "%.*s", (int)d->certificate.len, buf_text(&d->certificate));
	buf_free(&d->certificate);
	last = *d;
	return last.verdict;
}

static enum verdict ask(const struct rules_peer *p, struct request_id r, const char *key, bool plain)
{
	struct buf spki = {0};
	struct rules_ask a = { .peer = p, .request = r, .plain = plain, .plain_allowed = plain, .spki = &spki, .crl = &no_crl, .now = now };
	struct decision d = {0};
	int rc;

	buf_str(&spki, key);
	rc = rules_bind(db, &a, &d, &e);
	buf_free(&spki);
	return keep(&d, rc);
}

/* The key is named after the id. */
static enum verdict bind(const struct device_id *d, char c, uint32_t generation)
{
	struct rules_peer p = factory(d);
	char key[] = { c, 0 };

	return ask(&p, id(c, generation), key, false);
}

/* The certificate's hash is named after the id, too. */
static enum verdict issued_id(struct request_id r)
{
	struct cert leaf = { .sha256 = { (uint8_t)r.id[0] }, .serial = "01" };
	struct decision d = {0};
	int rc;

	buf_fmt(&leaf.der, "certificate %c", r.id[0]);
	rc = rules_issued(db, &r, &leaf, NULL, now, &d, &e);
	buf_free(&leaf.der);
	return keep(&d, rc);
}

static enum verdict issued(char c, uint32_t generation)
{
	return issued_id(id(c, generation));
}

static enum verdict confirm_as(const struct rules_peer *p, char c, uint32_t generation)
{
	struct request_id r = id(c, generation);
	uint8_t hash[SHA256_LEN] = { (uint8_t)c };
	struct decision d = {0};

	return keep(&d, rules_confirm(db, p, &r, hash, now, &d, &e));
}

static enum verdict confirm(const struct device_id *d, char c, uint32_t generation)
{
	struct rules_peer p = factory(d);

	return confirm_as(&p, c, generation);
}

static void onboard(const struct device_id *d, char c, uint32_t generation)
{
	CU_ASSERT_EQUAL_FATAL(bind(d, c, generation), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL_FATAL(issued(c, generation), VERDICT_CERTIFICATE);
	CU_ASSERT_EQUAL_FATAL(confirm(d, c, generation), VERDICT_CONFIRMED);
}

static struct node_device row(const struct device_id *d)
{
	struct node_device r;

	store_device_get(db, d, &r, &e);
	return r;
}

/* What the CA would be told next: "r" revoke, "c" confirm, each with the id's letter. */
static const char *outbox(void)
{
	static char text[200];
	struct outbox_row rows[64];
	size_t n = 0;

	text[0] = 0;
	CU_ASSERT_EQUAL(store_outbox_next(db, 1000, rows, 64, &n, &e), 0);
	for (size_t i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%c%c", i ? " " : "", rows[i].kind == OUTBOX_REVOKE ? 'r' : 'c',
			rows[i].request.id[0]);
	return text;
}

/* The CA has answered all of it. */
static void tell(void)
{
	struct outbox_row rows[64];
	size_t n;

	do {
		CU_ASSERT_EQUAL(store_outbox_next(db, 1000, rows, 64, &n, &e), 0);
		for (size_t i = 0; i < n; i++)
			store_outbox_done(db, rows[i].n, &e);
	} while (n);
}

static void refused(enum verdict v, enum reason code, const char *word)
{
	CU_ASSERT_EQUAL(v, VERDICT_REFUSED);
	CU_ASSERT_EQUAL(last.why.code, code);
	if (!strstr(last.why.text, word)) {
		printf("\n  no \"%s\" in: %s\n", word, last.why.text);
		CU_FAIL("sentence");
	}
}

/* ---- who is let in ---- */
static void test_listed(void)
{
	static const struct device_id unknown = { "Acme Devices", "gateway-b", "00029999" };
	struct rules_peer p = factory(&dev);

	begin();
	refused(bind(&unknown, 'a', 1), REASON_NOT_LISTED, "is not on the allowlist");
	CU_ASSERT_EQUAL(row(&unknown).refused, REASON_NOT_LISTED);
	CU_ASSERT_EQUAL(row(&unknown).highest, 0);
	CU_ASSERT_STRING_EQUAL(row(&unknown).remote, "192.0.2.7");
	/* a refused request changes nothing and does not burn the id */
	list("version: 1\ndevices:\n  - serial: \"00029999\"\n  - serial: \"00020001\"\n    model: \"gateway-c\"\n");
	refused(bind(&unknown, 'a', 1), REASON_NOT_LISTED, "in no imported shipment manifest");
	refused(bind(&dev, 'b', 1), REASON_MODEL, "another model");
	CU_ASSERT_EQUAL(row(&unknown).refusals, 2);
	ship(&unknown, 2);
	CU_ASSERT_EQUAL(bind(&unknown, 'a', 1), VERDICT_ASK_CA);
	list("version: 1\ndevices:\n  - serial: \"00020001\"\n    expires: \"2026-11-17\"\n");
	refused(bind(&dev, 'b', 1), REASON_BLOCKED, "only until 2026-11-17");
	list("version: 1\ndevices:\n  - serial: \"00020001\"\n    expires: \"2026-11-18\"\n");
	p.certificate[0] = 77;
	refused(ask(&p, id('b', 1), "b", false), REASON_NOT_LISTED, "another factory certificate than the one in manifest 1");
	CU_ASSERT_EQUAL(bind(&dev, 'b', 1), VERDICT_ASK_CA);
	end();
}

static void test_leaving_the_list(void)
{
	begin();
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_ASK_CA);
	list("version: 1\ndevices: []\n");	/* stops new enrolments only */
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(issued('a', 1), VERDICT_CERTIFICATE);
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_CONFIRMED);
	refused(bind(&dev2, 'b', 1), REASON_NOT_LISTED, "00020002");
	end();
}

/* ---- the straight way, and every message twice ---- */
static void test_same_id_same_answer(void)
{
	begin();
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_ASK_CA);
	CU_ASSERT_STRING_EQUAL(row(&dev).pending, id('a', 1).id);
	CU_ASSERT_EQUAL(issued('a', 1), VERDICT_CERTIFICATE);
	CU_ASSERT_EQUAL(issued('a', 1), VERDICT_CERTIFICATE);
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(last_certificate, "certificate a");
	CU_ASSERT_STRING_EQUAL(outbox(), "");
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_CONFIRMED);
	CU_ASSERT(last.outbox);
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_CONFIRMED);
	CU_ASSERT(!last.outbox);
	CU_ASSERT_STRING_EQUAL(outbox(), "ca");
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('a', 1).id);
	CU_ASSERT_STRING_EQUAL(row(&dev).pending, "");
	end();
}

/* serverkeygen: the envelope is kept with the certificate; the other path does not get at it. */
static void test_made_key(void)
{
	struct rules_peer p = factory(&dev);
	struct buf spki = {0}, sealed = {0};
	struct request_id r = id('m', 1);
	struct rules_ask a = { .peer = &p, .request = r, .spki = &spki, .made = true, .crl = &no_crl, .now = now };
	struct cert leaf = { .sha256 = { 'm' }, .serial = "01" };
	struct decision d = {0};

	begin();
	buf_str(&spki, "transport");
	buf_str(&sealed, "an envelope");
	buf_str(&leaf.der, "certificate m");
	CU_ASSERT_EQUAL(rules_bind(db, &a, &d, &e), 0);
	CU_ASSERT_EQUAL(d.verdict, VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(rules_issued(db, &r, &leaf, &sealed, now, &d, &e), 0);
	CU_ASSERT(d.verdict == VERDICT_CERTIFICATE && buf_same(&d.encrypted_key, &sealed));
	decision_free(&d);
	CU_ASSERT_EQUAL(rules_bind(db, &a, &d, &e), 0);
	CU_ASSERT(d.verdict == VERDICT_CERTIFICATE && buf_same(&d.encrypted_key, &sealed) && buf_same(&d.certificate, &leaf.der));
	decision_free(&d);
	a.made = false;
	CU_ASSERT_EQUAL(rules_bind(db, &a, &d, &e), 0);
	CU_ASSERT(d.verdict == VERDICT_REFUSED && d.why.code == REASON_REQUEST && strstr(d.why.text, "8.2") && !d.encrypted_key.len);
	decision_free(&d);
	CU_ASSERT_EQUAL(confirm(&dev, 'm', 1), VERDICT_CONFIRMED);
	end();
	buf_free(&spki);
	buf_free(&sealed);
	buf_free(&leaf.der);
}

static void test_confirm_refused(void)
{
	struct rules_peer p = factory(&dev);
	struct request_id r = id('a', 1);
	uint8_t other[SHA256_LEN] = { 'x' };
	struct decision d = {0};

	begin();
	bind(&dev, 'a', 1);
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_ASK_CA);		/* none was handed out: another node's, perhaps */
	issued('a', 1);
	refused(keep(&d, rules_confirm(db, &p, &r, other, now, &d, &e)), REASON_REQUEST, "another certificate");
	CU_ASSERT_EQUAL(confirm(&dev, 'z', 1), VERDICT_ASK_CA);		/* an id that was never bound */
	CU_ASSERT_EQUAL(last.highest, 1);
	onboard(&dev2, 'b', 1);
	CU_ASSERT_EQUAL(confirm(&dev2, 'a', 1), VERDICT_DEAD);			/* another device's */
	CU_ASSERT_STRING_EQUAL(row(&dev).active, "");
	end();
}

static void test_onboarded(void)
{
	begin();
	onboard(&dev, 'a', 3);
	now += 60;
	refused(bind(&dev, 'b', 4), REASON_ONBOARDED, "devices release 00020001");
	CU_ASSERT_EQUAL(row(&dev).highest, 3);
	CU_ASSERT_EQUAL(row(&dev).asked_again, now);
	CU_ASSERT_EQUAL(row(&dev).refused, REASON_ONBOARDED);
	end();
}

/* ---- superseding, generations, clones ---- */
static void test_superseded_is_dead(void)
{
	begin();
	bind(&dev, 'a', 1);
	CU_ASSERT_EQUAL(bind(&dev, 'b', 2), VERDICT_ASK_CA);
	CU_ASSERT(last.outbox);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	CU_ASSERT_EQUAL(issued('a', 1), VERDICT_DEAD);		/* its certificate comes late */
	CU_ASSERT_EQUAL(last.highest, 2);
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_DEAD);
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_ASK_CA);	/* a certificate of it can only be another node's */
	CU_ASSERT_EQUAL(last.highest, 2);
	CU_ASSERT_EQUAL(issued('b', 2), VERDICT_CERTIFICATE);
	CU_ASSERT_EQUAL(bind(&dev, 'c', 3), VERDICT_ASK_CA);	/* the slot was lost after the certificate came */
	CU_ASSERT_STRING_EQUAL(outbox(), "ra rb");
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_DEAD);
	end();
}

static void test_generations(void)
{
	begin();
	CU_ASSERT_EQUAL(bind(&dev, 'a', 40), VERDICT_ASK_CA);	/* resold: the node knows none yet */
	CU_ASSERT_EQUAL(bind(&dev, 'b', 39), VERDICT_DEAD);	/* late, no alarm */
	CU_ASSERT_EQUAL(last.highest, 40);
	CU_ASSERT_EQUAL(row(&dev).refusals, 0);
	CU_ASSERT_EQUAL(bind(&dev, 'c', 40), VERDICT_DEAD);
	CU_ASSERT_STRING_EQUAL(row(&dev).pending, id('a', 40).id);
	refused(bind(&dev, 'd', 57), REASON_CLONE, "jumps from 40 to 57");
	CU_ASSERT_EQUAL(row(&dev).highest, 40);
	CU_ASSERT_EQUAL(bind(&dev, 'e', 56), VERDICT_ASK_CA);
	refused(bind(&dev, 'f', 0), REASON_REQUEST, "generation 0");
	end();
}

static void test_clones(void)
{
	struct rules_peer p = factory(&dev);

	begin();
	bind(&dev, 'a', 1);
	refused(ask(&p, id('a', 1), "another key", false), REASON_CLONE, "another key");
	refused(ask(&p, id('a', 2), "a", false), REASON_CLONE, "generation");
	refused(bind(&dev2, 'a', 1), REASON_CLONE, "another device");
	CU_ASSERT_EQUAL(row(&dev).refused, REASON_CLONE);
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_ASK_CA);	/* the genuine one goes on */
	end();
}

/* ---- lapse ---- */
static int lapse(int64_t seconds)
{
	int count;

	CU_ASSERT_EQUAL_FATAL(rules_lapse(db, seconds, LIMIT_S, now, &count, &e), 0);
	return count;
}

static void test_lapse(void)
{
	begin();
	bind(&dev, 'a', 1);
	issued('a', 1);
	now += 100 * 86400;				/* a calendar tells nothing: the node was off */
	CU_ASSERT_EQUAL(lapse(LIMIT_S - 1), 0);
	bind(&dev2, 'b', 1);
	CU_ASSERT_EQUAL(lapse(1), 1);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_DEAD);	/* it is told so and starts again */
	CU_ASSERT_EQUAL(last.highest, 1);
	CU_ASSERT_EQUAL(bind(&dev, 'c', 2), VERDICT_ASK_CA);
	issued('c', 2);
	confirm(&dev, 'c', 2);
	CU_ASSERT_EQUAL(lapse(LIMIT_S), 1);		/* dev2, which was only bound; the active one never */
	CU_ASSERT_EQUAL(bind(&dev2, 'b', 1), VERDICT_DEAD);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('c', 2).id);
	end();
}

/* ---- the admin ---- */
static void test_release(void)
{
	struct node_device d;

	begin();
	onboard(&dev, 'a', 1);
	now += 60;
	refused(bind(&dev, 'b', 2), REASON_ONBOARDED, "");
	CU_ASSERT_STRING_EQUAL(outbox(), "ca");
	d = row(&dev);
	CU_ASSERT(!rules_release_doubtful(&d));
	CU_ASSERT_EQUAL(rules_release(db, &d, "operator:maria", now, &e), 0);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");		/* the queued activation is taken back in the same commit */
	CU_ASSERT_EQUAL(confirm(&dev, 'a', 1), VERDICT_DEAD);
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_DEAD);
	CU_ASSERT_EQUAL(bind(&dev, 'b', 2), VERDICT_ASK_CA);	/* the very request that was refused */
	issued('b', 2);
	CU_ASSERT_EQUAL(confirm(&dev, 'b', 2), VERDICT_CONFIRMED);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");		/* the revocation goes before the next activation */
	tell();
	CU_ASSERT_STRING_EQUAL(outbox(), "");
	end();
}

static void test_release_doubtful(void)
{
	struct rules_peer customer = { .customer = true, .device = dev, .certificate = { 'a' } };
	struct node_device d;

	begin();
	onboard(&dev, 'a', 1);
	now += 60;
	bind(&dev, 'b', 2);			/* somebody asks as a new device ... */
	now += 60;
	CU_ASSERT_EQUAL(ask(&customer, id('a', 1), "a", false), VERDICT_CERTIFICATE); /* ... and the old one is still at work */
	d = row(&dev);
	CU_ASSERT_EQUAL(d.used, now);
	d.asked_again = now;			/* in the same second */
	CU_ASSERT(rules_release_doubtful(&d));
	d = row(&dev);
	CU_ASSERT(rules_release_doubtful(&d));
	now += 60;
	bind(&dev, 'b', 2);
	d = row(&dev);
	CU_ASSERT(!rules_release_doubtful(&d));
	end();
}

static void test_block(void)
{
	struct node_device d;
	struct release r;

	begin();
	onboard(&dev, 'a', 1);
	d = row(&dev);
	CU_ASSERT_EQUAL(rules_block(db, &d, "operator:maria", now, &e), 0);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	refused(bind(&dev, 'b', 2), REASON_BLOCKED, "blocked at this node");
	refused(confirm(&dev, 'a', 1), REASON_BLOCKED, "blocked at this node");
	d = row(&dev);
	CU_ASSERT_EQUAL(rules_unblock(db, &d, "operator:maria", now, &e), 0);
	CU_ASSERT_EQUAL(store_release_next(db, d.n, &r, &e), 1);	/* a release may name what is dead already */
	CU_ASSERT_EQUAL(r.certificate[0], 'a');
	CU_ASSERT_EQUAL(bind(&dev, 'b', 2), VERDICT_ASK_CA);
	/* between certificate and confirm: blocked is asked again */
	CU_ASSERT_EQUAL(issued('b', 2), VERDICT_CERTIFICATE);
	list("version: 1\ndevices:\n  - serial: \"00020001\"\n    state: blocked\n  - serial: \"00020002\"\n");
	refused(confirm(&dev, 'b', 2), REASON_BLOCKED, "by the allowlist, line 3");
	CU_ASSERT_STRING_EQUAL(row(&dev).active, "");
	CU_ASSERT_STRING_EQUAL(outbox(), "ra rb");
	list("version: 1\ndevices:\n  - serial: \"00020001\"\n  - serial: \"00020002\"\n");
	CU_ASSERT_EQUAL(confirm(&dev, 'b', 2), VERDICT_DEAD);
	end();
}

/* ---- the CA ---- */
static void test_ca_dead(void)
{
	struct request_id r = id('a', 1);
	struct decision d = {0};

	begin();
	bind(&dev, 'a', 1);
	CU_ASSERT_EQUAL(keep(&d, rules_ca_dead(db, &r, 7, now, &d, &e)), VERDICT_DEAD);
	CU_ASSERT_EQUAL(last.highest, 7);		/* the CA knows more than a node restored from a backup */
	CU_ASSERT_EQUAL(bind(&dev, 'a', 1), VERDICT_DEAD);
	CU_ASSERT_EQUAL(bind(&dev, 'b', 8), VERDICT_ASK_CA);
	issued('b', 8);
	confirm(&dev, 'b', 8);
	r = id('b', 8);
	CU_ASSERT_EQUAL(keep(&d, rules_ca_dead(db, &r, 8, now, &d, &e)), VERDICT_DEAD);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, "");	/* revoked there by its operator */
	CU_ASSERT_EQUAL(bind(&dev, 'c', 9), VERDICT_ASK_CA);
	end();
}

static void test_outbox(void)
{
	struct outbox_row rows[64];
	struct node_device d;
	size_t n;

	begin();
	onboard(&dev, 'a', 1);
	onboard(&dev2, 'b', 1);
	d = row(&dev);
	rules_release(db, &d, "test", now, &e);
	onboard(&dev, 'c', 2);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra cb");	/* c waits for the revocation, b for nobody */
	store_outbox_next(db, 1000, rows, 64, &n, &e);
	CU_ASSERT_EQUAL(store_outbox_later(db, rows[0].n, 2000, &e), 0);
	CU_ASSERT_STRING_EQUAL(outbox(), "cb");		/* the CA refused it for now: c waits on */
	CU_ASSERT_EQUAL(rows[1].certificate[0], 'b');
	CU_ASSERT(device_same(&rows[1].device, &dev2));
	CU_ASSERT_EQUAL(store_outbox_restart(db, &e), 0);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra cb");
	store_outbox_done(db, rows[0].n, &e);
	CU_ASSERT_STRING_EQUAL(outbox(), "cb cc");
	CU_ASSERT_EQUAL(store_outbox_count(db, 0, &e), 2);
	tell();
	CU_ASSERT_EQUAL(store_outbox_count(db, 0, &e), 0);
	end();
}

/* ---- plain EST ---- */
static void test_plain(void)
{
	static const uint8_t hash[SHA256_LEN] = { 0x01, 0x23, 0xab };
	struct rules_peer p = factory(&dev);
	struct buf spki = {0};
	struct decision d = {0};
	struct request_id r;
	struct node_request kept = {0};
	struct rules_ask a = { .peer = &p, .plain = true, .plain_allowed = false, .spki = &spki, .crl = &no_crl, .now = NOW };

	begin();
	rules_plain_id(hash, &r);
	CU_ASSERT_STRING_EQUAL(r.id, "0123ab00000000000000000000000000");
	CU_ASSERT_EQUAL(r.generation, 0);
	buf_str(&spki, "key");
	a.request = r;
	refused(keep(&d, rules_bind(db, &a, &d, &e)), REASON_REQUEST, "plain-est in node.yaml");
	CU_ASSERT_EQUAL(ask(&p, r, "key", true), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(lapse(10 * LIMIT_S), 0);	/* its only id: it must not die while the CA is away */
	CU_ASSERT_EQUAL(issued_id(r), VERDICT_CERTIFICATE);
	CU_ASSERT(last.outbox);				/* handing out confirms */
	CU_ASSERT_STRING_EQUAL(outbox(), "c0");
	CU_ASSERT_STRING_EQUAL(row(&dev).active, r.id);
	CU_ASSERT_EQUAL(store_request_get(db, r.id, &kept, &e), 1);
	CU_ASSERT(kept.state == NODE_ACTIVE && kept.plain);
	node_request_free(&kept);
	CU_ASSERT_EQUAL(ask(&p, r, "key", true), VERDICT_CERTIFICATE);
	refused(ask(&p, id('b', 0), "b", true), REASON_ONBOARDED, "already onboarded");
	buf_free(&spki);
	end();
}

/* ---- renewal ---- */
static struct rules_peer customer(char c)
{
	struct rules_peer p = { .customer = true, .device = dev, .certificate = { (uint8_t)c }, .remote = "192.0.2.8" };

	return p;
}

static enum node_state state_of(char c)
{
	struct node_request r = {0};
	struct request_id i = id(c, 1);
	enum node_state state;

	CU_ASSERT_EQUAL(store_request_get(db, i.id, &r, &e), 1);
	state = r.state;
	node_request_free(&r);
	return state;
}

static void test_renewal(void)
{
	struct rules_peer first = customer('a'), third = customer('c');

	begin();
	onboard(&dev, 'a', 1);
	tell();
	list("version: 1\ndevices: []\n");		/* no new enrolment */
	CU_ASSERT_EQUAL(ask(&first, id('b', 2), "b", false), VERDICT_ASK_CA);
	CU_ASSERT_STRING_EQUAL(last.renews, id('a', 1).id);
	CU_ASSERT_STRING_EQUAL(outbox(), "");		/* the old one is active until the new one is confirmed */
	CU_ASSERT_EQUAL(ask(&first, id('b', 2), "b", false), VERDICT_ASK_CA);
	CU_ASSERT_STRING_EQUAL(last.renews, id('a', 1).id);
	CU_ASSERT_EQUAL(issued('b', 2), VERDICT_CERTIFICATE);
	/* its slot is lost before it confirms: the old credential still renews */
	CU_ASSERT_EQUAL(ask(&first, id('c', 3), "c", false), VERDICT_ASK_CA);
	CU_ASSERT_STRING_EQUAL(outbox(), "rb");
	CU_ASSERT_EQUAL(issued('c', 3), VERDICT_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('a', 1).id);
	CU_ASSERT_EQUAL(confirm_as(&first, 'c', 3), VERDICT_CONFIRMED);
	CU_ASSERT_STRING_EQUAL(outbox(), "rb ra");	/* before the activation of c */
	CU_ASSERT_EQUAL(state_of('a'), NODE_SUPERSEDED);
	CU_ASSERT_EQUAL(confirm_as(&first, 'c', 3), VERDICT_CONFIRMED);	/* the answer was lost */
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('c', 3).id);
	CU_ASSERT_EQUAL(ask(&first, id('c', 3), "c", false), VERDICT_CERTIFICATE);	/* repeats that renewal ... */
	CU_ASSERT_EQUAL(row(&dev).refused, REASON_OK);
	tell();
	/* ... until the device has switched */
	CU_ASSERT_EQUAL(confirm_as(&third, 'c', 3), VERDICT_CONFIRMED);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);
	refused(ask(&first, id('c', 3), "c", false), REASON_CLONE, "that was renewed is in use");
	refused(confirm_as(&first, 'c', 3), REASON_CLONE, "that was renewed is in use");
	CU_ASSERT_EQUAL(row(&dev).refused, REASON_CLONE);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('c', 3).id);	/* the genuine one goes on */
	CU_ASSERT_EQUAL(ask(&third, id('d', 4), "d", false), VERDICT_ASK_CA);
	CU_ASSERT_STRING_EQUAL(last.renews, id('c', 3).id);
	end();
}

/* The old credential after its renewal: good for that alone, from the very first. */
static void test_renewal_spent(void)
{
	struct rules_peer first = customer('a'), lost = customer('b');

	begin();
	onboard(&dev, 'a', 1);
	ask(&first, id('b', 2), "b", false);
	issued('b', 2);
	ask(&first, id('c', 3), "c", false);
	issued('c', 3);
	confirm_as(&first, 'c', 3);
	refused(ask(&first, id('d', 4), "d", false), REASON_CLONE, "in use");
	refused(ask(&first, id('a', 1), "a", false), REASON_CLONE, "in use");
	refused(ask(&first, id('e', 2), "e", false), REASON_CLONE, "in use");	/* not even told a generation */
	refused(confirm_as(&first, 'a', 1), REASON_CLONE, "in use");
	refused(ask(&lost, id('d', 4), "d", false), REASON_CLONE, "that was superseded is in use");
	CU_ASSERT_EQUAL(row(&dev).highest, 3);
	CU_ASSERT_EQUAL(row(&dev).refusals, 5);
	end();
}

/* A renewal that is not confirmed in time, or dies at the CA, leaves the old credential as it was. */
static void test_renewal_lapses(void)
{
	struct rules_peer first = customer('a');
	struct request_id r = id('c', 3);
	struct decision d = {0};

	begin();
	onboard(&dev, 'a', 1);
	tell();
	ask(&first, id('b', 2), "b", false);
	issued('b', 2);
	CU_ASSERT_EQUAL(lapse(LIMIT_S), 1);
	CU_ASSERT_STRING_EQUAL(outbox(), "rb");
	CU_ASSERT_EQUAL(confirm_as(&first, 'b', 2), VERDICT_DEAD);
	CU_ASSERT_EQUAL(state_of('a'), NODE_ACTIVE);
	CU_ASSERT_EQUAL(ask(&first, id('c', 3), "c", false), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(keep(&d, rules_ca_dead(db, &r, 5, now, &d, &e)), VERDICT_DEAD);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('a', 1).id);
	CU_ASSERT_EQUAL(ask(&first, id('d', 6), "d", false), VERDICT_ASK_CA);
	end();
}

static void test_renewal_plain(void)
{
	struct rules_peer p = factory(&dev), first = customer('a'), second = customer('b');

	begin();
	CU_ASSERT_EQUAL(ask(&p, id('a', 0), "a", true), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(issued('a', 0), VERDICT_CERTIFICATE);
	tell();
	CU_ASSERT_EQUAL(ask(&first, id('b', 0), "b", true), VERDICT_ASK_CA);
	CU_ASSERT_EQUAL(issued('b', 0), VERDICT_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(row(&dev).active, id('b', 0).id);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	CU_ASSERT_EQUAL(ask(&first, id('b', 0), "b", true), VERDICT_CERTIFICATE);	/* the answer was lost */
	refused(ask(&first, id('c', 0), "c", true), REASON_CLONE, "in use");
	tell();
	CU_ASSERT_EQUAL(ask(&second, id('c', 0), "c", true), VERDICT_ASK_CA);
	CU_ASSERT_STRING_EQUAL(last.renews, id('b', 0).id);
	refused(ask(&first, id('b', 0), "b", true), REASON_CLONE, "in use");
	end();
}

static void test_customer_peers(void)
{
	struct rules_peer other = { .customer = true, .device = dev, .certificate = { 'x' } };
	struct rules_peer wrong = { .customer = true, .device = dev2, .certificate = { 'a' } };
	struct rules_peer own = { .customer = true, .device = dev, .certificate = { 'a' } };
	struct node_device d;

	begin();
	onboard(&dev, 'a', 1);
	refused(ask(&other, id('b', 2), "b", false), REASON_OTHER_SITE, "not handed out by this node");
	refused(ask(&wrong, id('b', 2), "b", false), REASON_OTHER_SITE, "not handed out by this node");
	d = row(&dev);
	rules_release(db, &d, "test", now, &e);
	refused(ask(&own, id('b', 2), "b", false), REASON_BLOCKED, "released");
	refused(confirm_as(&own, 'a', 1), REASON_BLOCKED, "released");
	end();
}

/* A release in the middle of a renewal ends both, and one after it what was superseded, too. */
static void test_release_in_renewal(void)
{
	struct rules_peer own = customer('a'), other = customer('c');
	struct node_device d;

	begin();
	onboard(&dev, 'a', 1);
	tell();
	ask(&own, id('b', 2), "b", false);
	d = row(&dev);
	CU_ASSERT_EQUAL(rules_release(db, &d, "test", now, &e), 0);
	CU_ASSERT_STRING_EQUAL(outbox(), "rb ra");
	CU_ASSERT_EQUAL(issued('b', 2), VERDICT_DEAD);
	refused(ask(&own, id('c', 3), "c", false), REASON_BLOCKED, "released");
	CU_ASSERT_EQUAL(bind(&dev, 'c', 3), VERDICT_ASK_CA);
	refused(ask(&own, id('d', 4), "d", false), REASON_CLONE, "that was released is in use");	/* it goes on, and is here */
	onboard(&dev, 'c', 3);
	CU_ASSERT_EQUAL(row(&dev).used, 0);		/* of this one */
	refused(ask(&own, id('d', 4), "d", false), REASON_CLONE, "that was released is in use");	/* it has gone back, and is here */
	ask(&other, id('d', 4), "d", false);
	issued('d', 4);
	confirm_as(&other, 'd', 4);
	d = row(&dev);
	CU_ASSERT_EQUAL(rules_release(db, &d, "test", now, &e), 0);
	refused(confirm_as(&other, 'd', 4), REASON_BLOCKED, "released");
	end();
}

/* One document for each certificate that the device may hold; none for what it has surely left. */
static void test_release_documents(void)
{
	struct rules_peer before = customer('z'), own = customer('a');
	struct release r = { .time = now };
	struct buf cms = {0};
	struct node_device d;
	uint8_t hash[SHA256_LEN] = { 'a' };

	begin();
	onboard(&dev, 'z', 1);
	onboard(&dev2, 'x', 1);
	ask(&before, id('a', 2), "a", false);
	issued('a', 2);
	confirm_as(&before, 'a', 2);
	confirm_as(&own, 'a', 2);	/* z is left */
	ask(&own, id('b', 3), "b", false);
	issued('b', 3);
	d = row(&dev);
	CU_ASSERT_EQUAL(store_release_get(db, hash, &cms, &e), 0);
	for (char c = 'a'; c <= 'b'; c++) {
		CU_ASSERT_EQUAL_FATAL(store_release_next(db, d.n, &r, &e), 1);
		CU_ASSERT_EQUAL(r.certificate[0], (uint8_t)c);
		CU_ASSERT_EQUAL(r.sequence, (uint64_t)(c - 'a' + 1));
		buf_clear(&cms);
		buf_fmt(&cms, "release %c", c);
		CU_ASSERT_EQUAL(store_release_add(db, d.n, &r, &cms, &e), 0);
	}
	CU_ASSERT_EQUAL(store_release_next(db, d.n, &r, &e), 0);
	CU_ASSERT_EQUAL(store_release_get(db, hash, &cms, &e), 1);
	CU_ASSERT_EQUAL(memcmp(cms.data, "release a", cms.len), 0);
	hash[0] = 'x';
	CU_ASSERT_EQUAL(store_release_get(db, hash, &cms, &e), 0);
	buf_free(&cms);
	end();
}

UNIT_MAIN("node rules", { "listed", test_listed }, { "leaving the list", test_leaving_the_list },
	  { "same id, same answer", test_same_id_same_answer }, { "confirm refused", test_confirm_refused },
	  { "made key", test_made_key },
	  { "onboarded", test_onboarded }, { "superseded is dead", test_superseded_is_dead },
	  { "generations", test_generations }, { "clones", test_clones }, { "lapse", test_lapse }, { "release", test_release },
	  { "release doubtful", test_release_doubtful }, { "block", test_block }, { "dead at the CA", test_ca_dead },
	  { "outbox", test_outbox }, { "plain EST", test_plain }, { "renewal", test_renewal },
	  { "spent by renewal", test_renewal_spent }, { "renewal lapses", test_renewal_lapses },
	  { "release documents", test_release_documents },
	  { "plain renewal", test_renewal_plain }, { "customer peers", test_customer_peers },
	  { "release in a renewal", test_release_in_renewal })
