/* What a node whose database was put back takes over from the CA, each case against a real database. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "mem.h"
#include "recover.h"
#include "rules.h"
#include "unit.h"

#define NOW 1795000000

static struct db *db;
static struct err e;
static char path[FILE_PATH];
static const struct device_id dev = { "Acme Devices", "gateway-b", "00020001" };

static struct buf certificate[4];	/* DER, of ids a to d */
static struct cert parsed[4];

static int make_certificates(void)
{
	struct key *key = key_generate(KEY_P256, &e);
	struct cert_plan plan = { .subject_cn = "device", .path_len = -1, .not_before = NOW, .not_after = X509_NO_EXPIRY };
	struct buf spki = {0};
	int rc = key ? key_spki(key, &spki, &e) : -1;

	plan.spki = &spki;
	for (int i = 0; rc == 0 && i < 4; i++)
		rc = cert_build(&plan, NULL, key, &certificate[i], &e) < 0 ||
		     cert_parse(&parsed[i], certificate[i].data, certificate[i].len, &e) < 0 ? -1 : 0;
	buf_free(&spki);
	key_free(key);
	return rc;
}

static void begin(void)
{
	file_join(path, &e, unit_folder(), "node.db");
	db = store_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL_FATAL(db_begin(db, &e), 0);
}

static void end(void)
{
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	db_close(db);
}

static struct request_id id(char c, uint32_t generation)
{
	struct request_id r = { .generation = generation };

	memset(r.id, c, REQUEST_ID_LEN);
	return r;
}

/* ---- what is here: rows as the rules would have written them ---- */
static struct node_device row(void)
{
	struct node_device d;

	store_device_get(db, &dev, &d, &e);
	return d;
}

static void here(char c, uint32_t generation, enum node_state state, char renews)
{
	struct node_device d = row();
	struct node_request r = { .id = id(c, generation), .state = state };

	CU_ASSERT_EQUAL_FATAL(store_device_put(db, &d, &e), 0);
	r.device = d.n;
	if (renews) {
		struct request_id old = id(renews, 1);

		memcpy(r.renews, old.id, sizeof r.renews);
	}
	buf_str(&r.spki, "key");
	CU_ASSERT_EQUAL_FATAL(store_request_add(db, &r, NOW, &e), 0);
	if (state != NODE_BOUND) {
		buf_set(&r.certificate, certificate[c - 'a'].data, certificate[c - 'a'].len);
		memcpy(r.sha256, parsed[c - 'a'].sha256, SHA256_LEN);
		CU_ASSERT_EQUAL_FATAL(store_request_certified(db, &r, state, NOW, &e), 0);
	}
	if (state == NODE_ACTIVE)
		memcpy(d.active, r.id.id, sizeof d.active);
	if (state == NODE_BOUND || state == NODE_CERTIFIED)
		memcpy(d.pending, r.id.id, sizeof d.pending);
	d.highest = generation;
	CU_ASSERT_EQUAL_FATAL(store_device_put(db, &d, &e), 0);
	node_request_free(&r);
}

static struct node_request got;

static enum node_state state_of(char c)
{
	struct request_id r = id(c, 1);

	return store_request_get(db, r.id, &got, &e) == 1 ? got.state : (enum node_state)-1;
}

static bool is(const char *field, char c)
{
	struct request_id r = id(c, 1);

	return strcmp(field, c ? r.id : "") == 0;
}

/* ---- what the CA says ---- */
static enum learned learn_as(char c, uint32_t generation, enum ca_state state, const char *reason, char renews, bool older)
{
	struct ca_known k = { .request = id(c, generation), .device = dev, .state = state };
	enum learned l;

	snprintf(k.reason, sizeof k.reason, "%s", reason);
	if (renews) {
		struct request_id old = id(renews, 1);

		memcpy(k.renews, old.id, sizeof k.renews);
	}
	if (state != CA_UNKNOWN)
		buf_str(&k.public_key, "key");
	if (state != CA_RESERVED)
		buf_set(&k.certificate, certificate[c - 'a'].data, certificate[c - 'a'].len);
	CU_ASSERT_EQUAL_FATAL(recover_learn(db, &k, older, "test", NOW, &l, &e), 0);
	ca_known_free(&k);
	return l;
}

static enum learned learn(char c, uint32_t generation, enum ca_state state, const char *reason)
{
	return learn_as(c, generation, state, reason, 0, true);
}

static const char *outbox(void)
{
	static char text[200];
	struct outbox_row rows[16];
	size_t n = 0;

	text[0] = 0;
	CU_ASSERT_EQUAL(store_outbox_next(db, 1000, rows, 16, &n, &e), 0);
	for (size_t i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%c%c", i ? " " : "", rows[i].kind == OUTBOX_REVOKE ? 'r' : 'c',
			rows[i].request.id[0]);
	return text;
}

static int lapse(void)
{
	int count;

	CU_ASSERT_EQUAL_FATAL(rules_lapse(db, 1000, 900, NOW, &count, &e), 0);
	return count;
}

/* ---- the cases ---- */
static void test_unknown(void)
{
	begin();
	CU_ASSERT_EQUAL(learn('a', 3, CA_ACTIVE, ""), LEARNED_ACTIVE);
	CU_ASSERT_EQUAL(state_of('a'), NODE_ACTIVE);
	CU_ASSERT(buf_same(&got.certificate, &certificate[0]));
	CU_ASSERT_EQUAL(memcmp(got.sha256, parsed[0].sha256, SHA256_LEN), 0);
	CU_ASSERT(is(row().active, 'a') && is(row().pending, 0) && row().highest == 3);
	CU_ASSERT_EQUAL(learn('a', 3, CA_ACTIVE, ""), LEARNED_NOTHING);
	CU_ASSERT_STRING_EQUAL(outbox(), "");
	/* its renewal was handed out and perhaps confirmed */
	CU_ASSERT_EQUAL(learn_as('b', 4, CA_PENDING, "", 'a', true), LEARNED_PENDING);
	CU_ASSERT_EQUAL(state_of('b'), NODE_CERTIFIED);
	CU_ASSERT(got.held && is(got.renews, 'a'));
	CU_ASSERT(is(row().active, 'a') && is(row().pending, 'b') && row().highest == 4);
	CU_ASSERT_EQUAL(lapse(), 0);		/* it does not lapse */
	CU_ASSERT_EQUAL(learn_as('b', 4, CA_PENDING, "", 'a', true), LEARNED_NOTHING);
	end();
}

static void test_tombstone(void)
{
	struct ca_known k = { .request = id('a', 9), .device = dev, .state = CA_REVOKED, .reason = "lapsed" };
	enum learned l;

	begin();
	CU_ASSERT_EQUAL(recover_learn(db, &k, true, "test", NOW, &l, &e), 0);
	CU_ASSERT_EQUAL(l, LEARNED_NOTHING);
	CU_ASSERT_EQUAL(row().highest, 9);		/* the generation is learnt all the same */
	CU_ASSERT_EQUAL(state_of('a'), (enum node_state)-1);
	k.device = (struct device_id){ .serial = "" };
	CU_ASSERT_EQUAL(recover_learn(db, &k, true, "test", NOW, &l, &e), 0);
	end();
}

static void test_pending_here(void)
{
	begin();
	here('a', 1, NODE_CERTIFIED, 0);
	CU_ASSERT_EQUAL(learn_as('a', 1, CA_PENDING, "", 0, false), LEARNED_NOTHING);	/* nothing was put back */
	CU_ASSERT_EQUAL(learn('a', 1, CA_PENDING, ""), LEARNED_PENDING);	/* it may have been confirmed since the backup */
	CU_ASSERT_EQUAL(lapse(), 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_ACTIVE, ""), LEARNED_ACTIVE);
	CU_ASSERT(is(row().active, 'a') && is(row().pending, 0));
	end();
	begin();	/* put back unnoticed: nothing was told since the backup */
	here('a', 1, NODE_CERTIFIED, 0);
	CU_ASSERT_EQUAL(store_hold_certified(db, &e), 0);
	CU_ASSERT_EQUAL(lapse(), 0);
	end();
	begin();
	here('a', 1, NODE_BOUND, 0);
	CU_ASSERT_EQUAL(store_hold_certified(db, &e), 0);	/* no device can have confirmed it */
	CU_ASSERT_EQUAL(lapse(), 1);
	end();
	begin();
	here('a', 1, NODE_BOUND, 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_RESERVED, ""), LEARNED_PENDING);
	CU_ASSERT_EQUAL(state_of('a'), NODE_BOUND);
	CU_ASSERT_EQUAL(learn('a', 1, CA_PENDING, ""), LEARNED_PENDING);
	CU_ASSERT_EQUAL(state_of('a'), NODE_CERTIFIED);
	CU_ASSERT_EQUAL(got.certificate.len, certificate[0].len);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "lapsed"), LEARNED_DEAD);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);
	CU_ASSERT_STRING_EQUAL(got.cause, "lapsed");
	CU_ASSERT(is(row().pending, 0));
	end();
}

/* Pending here, and another one there: of a device one is under way at a time. */
static void test_other_pending(void)
{
	begin();
	here('a', 1, NODE_BOUND, 0);
	CU_ASSERT_EQUAL(learn('b', 2, CA_PENDING, ""), LEARNED_PENDING);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);
	CU_ASSERT(is(row().pending, 'b'));
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	end();
}

static void test_active_here(void)
{
	begin();
	here('a', 1, NODE_ACTIVE, 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_PENDING, ""), LEARNED_NOTHING);	/* the CA was not told yet, and is */
	CU_ASSERT_EQUAL(state_of('a'), NODE_ACTIVE);
	CU_ASSERT_STRING_EQUAL(outbox(), "ca");
	CU_ASSERT_EQUAL(learn('a', 1, CA_PENDING, ""), LEARNED_NOTHING);
	CU_ASSERT_STRING_EQUAL(outbox(), "ca");
	/* renewed since: the old one may have to repeat that confirm */
	CU_ASSERT_EQUAL(learn('a', 1, CA_SUPERSEDED, ""), LEARNED_SUPERSEDED);
	CU_ASSERT_EQUAL(learn('b', 2, CA_ACTIVE, ""), LEARNED_ACTIVE);
	CU_ASSERT_EQUAL(state_of('a'), NODE_SUPERSEDED);
	CU_ASSERT(is(row().active, 'b'));
	CU_ASSERT_STRING_EQUAL(outbox(), "");		/* nothing is told of what is over */
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "superseded"), LEARNED_NOTHING);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "unspecified"), LEARNED_NOTHING);	/* the CA had it from its signer, which has no reasons */
	CU_ASSERT_EQUAL(state_of('a'), NODE_SUPERSEDED);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "keyCompromise"), LEARNED_DEAD);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);
	end();
}

/* The CA was not told of the first one's activation; a renewal of it shows that there was one. */
static void test_renewed_pending(void)
{
	begin();
	CU_ASSERT_EQUAL(learn('a', 1, CA_PENDING, ""), LEARNED_PENDING);
	CU_ASSERT_EQUAL(learn_as('b', 2, CA_PENDING, "", 'a', true), LEARNED_PENDING);
	CU_ASSERT_EQUAL(state_of('a'), NODE_ACTIVE);
	CU_ASSERT(is(row().active, 'a') && is(row().pending, 'b'));
	CU_ASSERT_STRING_EQUAL(outbox(), "ca");
	end();
}

static void test_ended(void)
{
	begin();
	here('a', 1, NODE_ACTIVE, 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "cessationOfOperation"), LEARNED_DEAD);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);
	CU_ASSERT_STRING_EQUAL(got.cause, "released");
	CU_ASSERT(is(row().active, 0) && !row().blocked);
	end();
	begin();
	here('a', 1, NODE_ACTIVE, 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "privilegeWithdrawn"), LEARNED_BLOCKED);
	CU_ASSERT(row().blocked);
	end();
	begin();		/* blocked once, and onboarded again since */
	here('b', 2, NODE_ACTIVE, 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "privilegeWithdrawn"), LEARNED_DEAD);
	CU_ASSERT(!row().blocked && is(row().active, 'b'));
	end();
}

static void test_dead_here(void)
{
	begin();
	here('a', 1, NODE_DEAD, 0);
	CU_ASSERT_EQUAL(learn('a', 1, CA_REVOKED, "lapsed"), LEARNED_NOTHING);
	CU_ASSERT_EQUAL(learn('a', 1, CA_ACTIVE, ""), LEARNED_REVOKE);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);	/* dead stays dead */
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	CU_ASSERT_EQUAL(learn('a', 1, CA_ACTIVE, ""), LEARNED_NOTHING);
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	end();
}

/* The device has switched to what the CA calls pending, so it does not confirm again: it is at work. */
static void test_use(void)
{
	struct rules_peer peer = { .customer = true, .device = dev };
	struct buf spki = {0};
	struct request_id next = id('c', 3), same = id('b', 2);
	struct rules_ask ask = { .peer = &peer, .request = next, .spki = &spki, .now = NOW };
	struct decision d = {0};

	begin();
	learn('a', 1, CA_ACTIVE, "");
	learn_as('b', 2, CA_PENDING, "", 'a', true);
	memcpy(peer.certificate, parsed[1].sha256, SHA256_LEN);
	buf_str(&spki, "next key");
	CU_ASSERT_EQUAL(rules_bind(db, &ask, &d, &e), 0);
	CU_ASSERT_EQUAL(d.verdict, VERDICT_ASK_CA);
	CU_ASSERT(is(d.renews, 'b') && d.outbox);
	CU_ASSERT_EQUAL(state_of('b'), NODE_ACTIVE);
	CU_ASSERT_EQUAL(state_of('a'), NODE_DEAD);
	CU_ASSERT(is(row().active, 'b') && is(row().pending, 'c'));
	CU_ASSERT_STRING_EQUAL(outbox(), "ra");
	decision_free(&d);
	end();
	begin();	/* the same by a confirm under the new credential */
	learn('b', 2, CA_PENDING, "");
	CU_ASSERT_EQUAL(rules_confirm(db, &peer, &same, parsed[1].sha256, NOW, &d, &e), 0);
	CU_ASSERT_EQUAL(d.verdict, VERDICT_CONFIRMED);
	CU_ASSERT(is(row().active, 'b'));
	CU_ASSERT_STRING_EQUAL(outbox(), "cb");
	decision_free(&d);
	buf_free(&spki);
	end();
}

/* ---- marks ---- */
static void test_marks(void)
{
	char first[CA_MARK_LEN + 1], then[CA_MARK_LEN + 1];
	int64_t n, m;

	begin();
	CU_ASSERT_EQUAL(store_mark_last(db, &n, first, &e), 0);
	CU_ASSERT_EQUAL(strlen(first), CA_MARK_LEN);
	CU_ASSERT_EQUAL(recover_judge(db, "", &e), 1);		/* the CA has none: a new node */
	CU_ASSERT_EQUAL(recover_judge(db, first, &e), 1);
	here('a', 1, NODE_BOUND, 0);				/* any change makes another one */
	CU_ASSERT_EQUAL(store_mark_last(db, &m, then, &e), 0);
	CU_ASSERT(m > n && strcmp(first, then) != 0);
	CU_ASSERT_EQUAL(recover_judge(db, first, &e), 1);	/* sent, and nothing since, or not heard of */
	CU_ASSERT_EQUAL(store_mark_prune(db, m, &e), 0);
	CU_ASSERT_EQUAL(recover_judge(db, then, &e), 1);
	CU_ASSERT_EQUAL(recover_judge(db, first, &e), 0);
	CU_ASSERT_EQUAL(recover_judge(db, "0123456789abcdef", &e), 0);	/* a later one: this is an older database */
	/* once noticed it stays so until all is taken over */
	CU_ASSERT_EQUAL(recover_begin(db, NOW, &e), 0);
	CU_ASSERT_EQUAL(recover_judge(db, then, &e), 0);
	CU_ASSERT_EQUAL(recover_end(db, "0123456789abcdef", "test", NOW, &e), 0);
	CU_ASSERT_EQUAL(recover_judge(db, "0123456789abcdef", &e), 1);
	CU_ASSERT_EQUAL(recover_judge(db, then, &e), 1);
	CU_ASSERT_EQUAL(store_mark_add(db, "no mark", &e), -1);
	end();
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "unknown here", test_unknown }, { "tombstone", test_tombstone }, { "pending here", test_pending_here },
		{ "another pending", test_other_pending }, { "active here", test_active_here },
		{ "renewed, not told", test_renewed_pending }, { "ended", test_ended }, { "dead here", test_dead_here },
		{ "use counts as confirm", test_use }, { "marks", test_marks },
	};
	int rc;

	if (make_certificates() < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 99;
	}
	rc = unit_run("node recover", tests, ARRAY_LEN(tests));
	for (int i = 0; i < 4; i++) {
		buf_free(&certificate[i]);
		cert_free(&parsed[i]);
	}
	node_request_free(&got);
	return rc;
}
