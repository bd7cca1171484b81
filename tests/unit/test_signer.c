/* The signer over its real channel: what ends it, what it certifies, what it remembers, and what it does not believe. */
#include <config.h>

#include "digest.h"
#include "signer_world.h"

/* ---- the journal ---- */
struct told {
	size_t n;
	struct buf der;			/* of the last row */
	bool active, ended;
};

static uint64_t at(struct side *s, uint64_t *told)
{
	struct buf q = {0}, a = {0};
	struct unpack u;
	uint64_t changes;

	CU_ASSERT_EQUAL(side_ask(s, SIGNER_POSITION, &q, &a), SIGNER_DONE);
	unpack_init(&u, a.data, a.len);
	changes = unpack_u64(&u);
	*told = unpack_u64(&u);
	CU_ASSERT(unpack_done(&u));
	buf_free(&a);
	return changes;
}

/* A batch of one note or none: what the signer says, 0: nothing, it took it. */
static enum reason note(struct side *s, uint64_t position, const struct buf *der, bool active)
{
	struct sign_note n = { .active = active };
	struct sign_batch b = { .note = &n, .n_notes = der != NULL, .position = position };
	struct buf q = {0}, a = {0};
	enum reason code = REASON_OK;
	struct unpack u;

	if (der) {
		strcpy(n.serial, "0042");
		digest_sha256(n.certificate, der->data, der->len);
	}
	pack_u32(&q, 0);
	sign_tail_pack(&q, &b);
	if (side_ask(s, SIGNER_SIGN, &q, &a) != SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		code = (enum reason)unpack_u32(&u);
	}
	buf_free(&q);
	buf_free(&a);
	return code;
}

static void journal(struct side *s, uint64_t after, struct told *t)
{
	struct buf q = {0}, a = {0};
	struct signed_row row = {0};
	struct unpack u;

	*t = (struct told){ .der = t->der };
	pack_u64(&q, after);
	pack_u64(&q, 0);
	CU_ASSERT_EQUAL(side_ask(s, SIGNER_JOURNAL, &q, &a), SIGNER_DONE);
	unpack_init(&u, a.data, a.len);
	while (unpack_u8(&u)) {
		signed_row_unpack(&u, &row);
		CU_ASSERT_STRING_EQUAL(row.unit, "node:site-1");
		CU_ASSERT_STRING_EQUAL(row.id.id, request.id);
		buf_set(&t->der, row.der.data, row.der.len);
		t->n++;
		t->active = row.active;
		t->ended = row.ended;
	}
	CU_ASSERT(unpack_done(&u));
	signed_row_free(&row);
	buf_free(&q);
	buf_free(&a);
}

/* Each change has a number; a ledger that has told of it may not forget it. */
static void test_journal(void)
{
	struct buf k = {0}, der = {0}, again = {0};
	struct told t = {0};
	uint64_t told, start;
	struct side s;

	new_spki(&k);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	start = at(&s, &told);
	CU_ASSERT_EQUAL(side_sign(&s, "", "gateway-b", "0042", &k, NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(side_sign(&s, "", "gateway-b", "0042", &k, NULL, &again), REASON_OK);	/* no change: the same bytes */
	CU_ASSERT(buf_same(&der, &again));
	CU_ASSERT_EQUAL(at(&s, &told), start + 1);
	journal(&s, start, &t);
	CU_ASSERT(t.n == 1 && buf_same(&t.der, &der) && !t.active && !t.ended);
	CU_ASSERT_EQUAL(note(&s, start + 1, &der, true), REASON_OK);
	CU_ASSERT_EQUAL(note(&s, start + 1, &der, true), REASON_OK);	/* no change */
	CU_ASSERT_EQUAL(at(&s, &told), start + 2);
	CU_ASSERT_EQUAL(told, start + 1);
	journal(&s, start + 1, &t);
	CU_ASSERT(t.n == 1 && t.active && !t.ended);
	/* the ledger is behind by what it never told: a cut; by more: a backup; more than there is: ours is one */
	CU_ASSERT_EQUAL(note(&s, start, &der, false), REASON_CA_UNAVAILABLE);
	CU_ASSERT_EQUAL(note(&s, start + 3, &der, false), REASON_CA_UNAVAILABLE);
	journal(&s, start, &t);
	CU_ASSERT(t.n == 1 && !t.ended);
	CU_ASSERT_EQUAL(note(&s, start + 2, &der, false), REASON_OK);
	journal(&s, start + 2, &t);
	CU_ASSERT(t.n == 1 && t.active && t.ended);
	CU_ASSERT_EQUAL(note(&s, start + 3, &k, true), REASON_OK);	/* of before there was a journal: nothing */
	CU_ASSERT_EQUAL(at(&s, &told), start + 3);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	side_begin(&s, customer, SIGNER_FOR_SERVE);	/* it outlives the process */
	CU_ASSERT_EQUAL(note(&s, start + 2, NULL, false), REASON_CA_UNAVAILABLE);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	buf_free(&t.der);
	buf_free(&again);
	buf_free(&der);
	buf_free(&k);
}

/* The journal as programs kept it whose request ids and hashes had indexes: nothing of it is lost, and it goes on. */
static void test_old_journal(void)
{
	static const char *const before[] = { "DROP INDEX signed_device", "CREATE INDEX signed_serial ON signed(serial, order_id)",
		"CREATE INDEX signed_id ON signed(id) WHERE order_id = ''", "CREATE UNIQUE INDEX signed_sha256 ON signed(sha256)",
		"ALTER TABLE act DROP COLUMN made", "DROP TABLE barred", "PRAGMA user_version = 9" };
	struct sign_question q[2] = { { .device = { "Acme", "gw", "0001" }, .id = request, .unit = "node:site-1" },
				      { .device = { "Acme", "gw", "0001" }, .order = "WO-1" } };
	struct sign_note note = { .serial = "0001", .active = true };
	struct buf der[2] = { 0 }, got = {0}, none = {0};
	char path[FILE_PATH];
	struct db *db;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, folder, "journal.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	for (uint8_t i = 0; i < 2; i++) {
		buf_byte(&q[i].spki, i);
		buf_byte(&der[i], i);
		CU_ASSERT_EQUAL(count_signed_add(db, &q[i], &der[i], &none, &e), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		CU_ASSERT_EQUAL(db_run(db_stmt(db, before[i]), &e), 0);
	db_close(db);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(count_signed_get(db, &q[i], &got, &none, &e), 1);
		CU_ASSERT(buf_same(&got, &der[i]));
	}
	digest_sha256(note.certificate, der[1].data, der[1].len);
	CU_ASSERT_EQUAL(count_note(db, &note, &e), 1);
	CU_ASSERT_EQUAL(count_note(db, &note, &e), 0);
	CU_ASSERT_EQUAL(count_signed_add(db, &q[1], &der[1], &none, &e), -1);	/* no certificate twice */
	q[0].id.id[0] ^= 1;
	CU_ASSERT_EQUAL(count_signed_get(db, &q[0], &got, &none, &e), 0);	/* another id of this device */
	strcpy(note.serial, "0002");
	note.active = false;
	CU_ASSERT_EQUAL(count_note(db, &note, &e), 0);	/* of another device */
	db_close(db);
	for (size_t i = 0; i < 2; i++) {
		buf_free(&q[i].spki);
		buf_free(&der[i]);
	}
	buf_free(&none);
	buf_free(&got);
}

/* What is malformed ends it, whoever sends it. */
static void test_malformed(void)
{
	static const struct {
		enum signer_purpose purpose;
		uint32_t type;
	} cells[] = {
		{ SIGNER_FOR_SERVE, SIGNER_UNIT },  { SIGNER_FOR_SERVE, SIGNER_ORDER },
		{ SIGNER_FOR_SERVE, SIGNER_CLOSE },	{ SIGNER_FOR_SERVE, SIGNER_REVOKED },
		{ SIGNER_FOR_SERVE, SIGNER_CRL },	{ SIGNER_FOR_OPERATOR, SIGNER_CRL },
		{ SIGNER_FOR_SERVE, SIGNER_STATE },	{ SIGNER_FOR_OPERATOR, SIGNER_STATE },
		{ SIGNER_FOR_SERVE, SIGNER_ORDERS },
		{ SIGNER_FOR_SERVE, SIGNER_TAKE_OVER }, { SIGNER_FOR_SERVE, SIGNER_AGREE },
		{ SIGNER_FOR_SERVE, SIGNER_HEAD },	{ SIGNER_FOR_OPERATOR, SIGNER_HEAD },
		{ SIGNER_FOR_SERVE, SIGNER_OCSP },	{ SIGNER_FOR_OPERATOR, SIGNER_OCSP },
		{ SIGNER_FOR_SERVE, SIGNER_HISTORY },	{ SIGNER_FOR_OPERATOR, SIGNER_HISTORY },
		{ SIGNER_FOR_SERVE, SIGNER_POSITION },	{ SIGNER_FOR_SERVE, SIGNER_JOURNAL },
		{ SIGNER_FOR_SERVE, SIGNER_HELLO },
		{ SIGNER_FOR_SERVE, 77 },		{ SIGNER_FOR_SERVE, SIGNER_SIGN },
		{ SIGNER_FOR_OPERATOR, SIGNER_SIGN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		struct buf q = {0}, a = {0};
		struct side s;

		side_begin(&s, factory, cells[i].purpose);
		pack_u32(&q, 1);	/* malformed for all of them */
		CU_ASSERT_EQUAL(side_ask(&s, cells[i].type, &q, &a), 0);
		CU_ASSERT_EQUAL(side_end(&s), -1);
		CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
		buf_free(&q);
		buf_free(&a);
	}
}

/* Who may ask what, from protocol-signer.md 2 by hand: not the signer's own table. */
static const struct asked {
	uint32_t type;
	bool serve, operator;
} asked[] = {
	{ SIGNER_SIGN, true, false },	  { SIGNER_UNIT, false, true },	  { SIGNER_ORDER, false, true },     { SIGNER_CLOSE, false, true },
	{ SIGNER_REVOKED, true, true },	  { SIGNER_CRL, true, true },	  { SIGNER_STATE, true, false },     { SIGNER_POSITION, true, true },
	{ SIGNER_JOURNAL, true, true },	  { SIGNER_ORDERS, false, true }, { SIGNER_TAKE_OVER, false, true }, { SIGNER_AGREE, false, true },
	{ SIGNER_HEAD, true, true },	  { SIGNER_HISTORY, false, true }, { SIGNER_ENROL, true, false },    { SIGNER_RENEW, true, false },
	{ SIGNER_OCSP, true, true },	  { SIGNER_KEYS, true, false },	  { SIGNER_RELOAD, true, false },    { SIGNER_ACT, true, true },
	{ SIGNER_HELLO, false, false },	  { SIGNER_UNLOCK, false, false }, { SIGNER_DONE, false, false },    { SIGNER_REFUSED, false, false },
	{ 0, false, false },		  { SIGNER_ACT + 1, false, false }, { UINT32_MAX, false, false },
};

static void pack_unit(struct buf *q, const char *role, const char *plant, const struct buf *spki)
{
	pack_str(q, role);
	pack_str(q, "line-1");
	pack_str(q, plant);
	for (int h = 0; h < SIGNER_HOSTS; h++)
		pack_str(q, "");
	pack_bytes(q, spki->data, spki->len);
}

static void pack_audit(struct buf *q)	/* row and hash of where an audit begins */
{
	static const uint8_t zero[SHA256_LEN];

	pack_u64(q, 0);
	pack_bytes(q, zero, sizeof zero);
}

/* As its purpose sends it: what it comes to is not asked here, only that it is read. */
static void well_formed(struct buf *q, uint32_t type, const struct buf *spki)
{
	static const uint8_t zero[SHA256_LEN];

	switch (type) {
	case SIGNER_HELLO:
		pack_u32(q, SIGNER_VERSION);
		break;
	case SIGNER_SIGN:
		pack_u32(q, 0);
		sign_tail_pack(q, &(struct sign_batch){0});
		break;
	case SIGNER_UNIT:
		pack_unit(q, "station", "", spki);
		break;
	case SIGNER_ENROL:
		pack_str(q, "invitation");
		/* fall through */
	case SIGNER_RENEW:
	case SIGNER_ACT:
		pack_str(q, "document");
		/* fall through */
	case SIGNER_ORDER:
	case SIGNER_CLOSE:
		pack_str(q, "WO-1");
		break;
	case SIGNER_REVOKED:
		pack_u8(q, CRL_ISSUING);
		pack_u32(q, 1);
		pack_str(q, "1234567890abcdef");
		pack_u8(q, 1);
		pack_u64(q, 1);
		pack_u64(q, 0);
		break;
	case SIGNER_CRL:
		pack_u8(q, CRL_ISSUING);
		pack_u32(q, 86400);
		break;
	case SIGNER_JOURNAL:
		pack_u64(q, 0);
		/* fall through */
	case SIGNER_ORDERS:
		pack_u64(q, 0);
		break;
	case SIGNER_TAKE_OVER:
		pack_u8(q, 1);
		pack_u32(q, 0);
		break;
	case SIGNER_AGREE:
		pack_u64(q, 0);
		/* fall through */
	case SIGNER_HISTORY:
		pack_audit(q);
		break;
	case SIGNER_HEAD:
		pack_u8(q, 0);
		pack_u64(q, 0);
		pack_u32(q, 0);
		pack_bytes(q, zero, sizeof zero);
		break;
	case SIGNER_OCSP:
		pack_u8(q, CRL_ISSUING);
		pack_u8(q, 0);
		pack_u32(q, 86400);
		pack_str(q, "1234567890abcdef");
		pack_bytes(q, NULL, 0);
		pack_u8(q, 0);
		break;
	default:	/* the others have no fields */
		break;
	}
}

static void ask(const struct asked *cell, const char *dir, enum signer_purpose purpose, const struct buf *spki)
{
	bool allowed = purpose == SIGNER_FOR_SERVE ? cell->serve : cell->operator;
	struct buf q = {0}, a = {0};
	struct side s;
	uint32_t got;
	int rc;

	well_formed(&q, cell->type, spki);
	side_begin(&s, dir, purpose);
	got = side_ask(&s, cell->type, &q, &a);
	rc = side_end(&s);
	if ((got == SIGNER_DONE || got == SIGNER_REFUSED) != allowed || (rc == 0) != allowed || (!allowed && s.e.code != REASON_ROLE)) {
		fprintf(stderr, "question %u, purpose %d: answer %u, end %d\n", cell->type, (int)purpose, got, rc);
		CU_FAIL("the signer allows what it must not, or ends for what is allowed");
	}
	buf_free(&q);
	buf_free(&a);
}

/* Each question, well-formed, to a signer of each purpose: it ends for exactly those that are not in the table for it. */
static void test_table(void)
{
	char dir[FILE_PATH];
	struct buf spki = {0};
	struct err e;

	new_spki(&spki);
	CU_ASSERT_EQUAL_FATAL(file_join(dir, &e, folder, "table"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(dir, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		ask(&asked[i], dir, SIGNER_FOR_SERVE, &spki);
		ask(&asked[i], dir, SIGNER_FOR_OPERATOR, &spki);
	}
	buf_free(&spki);
}

/* For its purpose alone, and only roles that an operator may give. */
static void test_unit(void)
{
	static const struct {
		enum signer_purpose purpose;
		const char *role, *customer;
		uint32_t wanted;
	} cells[] = {
		{ SIGNER_FOR_SERVE, "station", "", 0 },
		{ SIGNER_FOR_OPERATOR, "station", "", SIGNER_DONE },
		{ SIGNER_FOR_OPERATOR, "node", "plant", SIGNER_DONE },
		{ SIGNER_FOR_OPERATOR, "station", "plant", SIGNER_REFUSED },
		{ SIGNER_FOR_OPERATOR, "root", "", SIGNER_REFUSED },
		{ SIGNER_FOR_OPERATOR, "device", "", SIGNER_REFUSED },
	};
	struct buf k = {0};

	new_spki(&k);
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		struct buf q = {0}, a = {0};
		struct side s;

		side_begin(&s, factory, cells[i].purpose);
		pack_unit(&q, cells[i].role, cells[i].customer, &k);
		CU_ASSERT_EQUAL(side_ask(&s, SIGNER_UNIT, &q, &a), cells[i].wanted);
		side_end(&s);
		buf_free(&q);
		buf_free(&a);
	}
	buf_free(&k);
}

static void check_cert(const struct buf *der, const char *policy)
{
	struct cert c = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der->data, der->len, &e), 0);
	CU_ASSERT_STRING_EQUAL(c.device.manufacturer, "Acme Devices");
	CU_ASSERT_STRING_EQUAL(c.device.model, "gateway-b");
	CU_ASSERT_STRING_EQUAL(c.device.serial, "0001");
	CU_ASSERT_STRING_EQUAL(c.hw_serial, "0001");
	CU_ASSERT_STRING_EQUAL(c.hw_type, OID_MODELS ".1");
	CU_ASSERT_TRUE(cert_has_policy(&c, policy));
	CU_ASSERT_FALSE(c.ca);
	CU_ASSERT_TRUE(c.client_auth && !c.server_auth && !c.any_eku);
	CU_ASSERT_STRING_EQUAL(c.role, "");
	cert_free(&c);
}

static void test_certificate(void)
{
	struct buf k = {0}, der = {0};
	struct ca_params days = { .validity_days = 10 };
	struct cert c = {0};
	struct side s;
	struct err e;

	new_spki(&k);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(side_sign(&s, "", "gateway-b", "0001", &k, &days, &der), REASON_OK);
	check_cert(&der, OID_POLICY_CUSTOMER);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der.data, der.len, &e), 0);
	CU_ASSERT_TRUE(c.not_after > clock_utc() + 9 * 86400 && c.not_after < clock_utc() + 11 * 86400);
	cert_free(&c);
	CU_ASSERT_EQUAL(side_sign(&s, "WO-1", "gateway-b", "0001", &k, NULL, &der), REASON_ORDER); /* a customer has none */
	CU_ASSERT_EQUAL(side_end(&s), 0);
	buf_free(&k);
	buf_free(&der);
}

/* Somebody replaces all keys and certificates, or an order in signer.db: neither is believed. */
static void copy(const char *name)
{
	char from[FILE_PATH], to[FILE_PATH];
	struct buf data = {0};
	struct err e;

	CU_ASSERT_EQUAL(file_join(from, &e, factory, name), 0);
	CU_ASSERT_EQUAL(file_join(to, &e, customer, name), 0);
	CU_ASSERT_EQUAL(file_read(&data, from, 0, &e), 0);
	CU_ASSERT_EQUAL(file_replace(to, data.data, data.len, 0600, &e), 0);
	buf_free(&data);
}

static void test_tampered(void)
{
	static const char *const files[] = { "root.pem", "issuing.pem", "unit.pem", "keys/issuing.pem", "keys/unit.pem" };
	struct buf k = {0}, junk = {0};
	struct work_order o;
	char path[FILE_PATH];
	struct side s;
	struct db *db;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		copy(files[i]);
	CU_ASSERT_EQUAL(signer_serve(customer, -1, SIGNER_FOR_SERVE, NULL, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);

	new_spki(&k);
	buf_str(&junk, "not signed by anybody");
	CU_ASSERT_EQUAL(file_join(path, &e, factory, "signer.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_EQUAL(db_begin(db, &e), 0);
	order_fill(&o, "WO-7", 1, 0);
	CU_ASSERT_EQUAL(count_order_put(db, &o, &junk, &e), 0);
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	db_close(db);
	side_begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(side_sign(&s, "WO-7", "gateway-b", "0001", &k, NULL, NULL), REASON_ORDER);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	buf_free(&k);
	buf_free(&junk);
}

/* From a signer.db of the version before rollovers; the signer knows which roots it has made. */
static void test_rollover(void)
{
	char dir[FILE_PATH], path[FILE_PATH];
	uint8_t hash[SHA256_LEN];
	struct sign_question q = {0};
	struct buf der = {0}, sealed = {0};
	struct authority a;
	struct side s;
	struct db *db;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_join(dir, &e, folder, "rolled"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(dir, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, dir, "signer.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE generation"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE position"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE signed"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "ALTER TABLE work_order DROP COLUMN version"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE head"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE invitation"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE act"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE gone"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE guarded"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE permit"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE barred"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "CREATE TABLE made(order_id TEXT, serial TEXT, spki BLOB, certificate BLOB, encrypted_key BLOB)"),
			       &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "INSERT INTO made VALUES('WO-1', '0001', x'01', x'02', x'03')"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "PRAGMA user_version = 3"), &e), 0);
	db_close(db);
	CU_ASSERT_EQUAL_FATAL(signer_rollover(dir, "Acme Devices", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL(signer_rollover(dir, "Acme Devices", &plain, &no_terms, &e), -1);	/* the first is not ended */
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_EQUAL_FATAL(authority_load(&a, dir, &e), 0);
	CU_ASSERT(a.generation == 2 && a.overlap && a.cross.n == 2 && strcmp(a.root.cert->subject, a.older_root.cert->subject) != 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	/* what was made for a transport key before there was a journal is still given again */
	strcpy(q.order, "WO-1");
	strcpy(q.device.serial, "0001");
	buf_byte(&q.spki, 1);
	CU_ASSERT_EQUAL(count_signed_get(db, &q, &der, &sealed, &e), 1);
	CU_ASSERT(der.len == 1 && der.data[0] == 2 && sealed.len == 1 && sealed.data[0] == 3);
	buf_free(&q.spki);
	buf_free(&der);
	buf_free(&sealed);
	CU_ASSERT_EQUAL(count_generation_get(db, 2, hash, &e), 1);
	CU_ASSERT_EQUAL(memcmp(hash, a.root.cert->sha256, sizeof hash), 0);
	CU_ASSERT_EQUAL(count_generation_get(db, 3, hash, &e), 0);
	side_begin(&s, dir, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	/* a generation that was put there by somebody else */
	CU_ASSERT_EQUAL(count_generation_set(db, 2, a.older_root.cert->sha256, &e), 0);
	db_close(db);
	CU_ASSERT_EQUAL(signer_serve(dir, -1, SIGNER_FOR_OPERATOR, NULL, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	authority_free(&a);
}

static void test_ceremony_once(void)
{
	char path[FILE_PATH];
	struct err e;

	CU_ASSERT_EQUAL(file_join(path, &e, factory, "ca.yaml"), 0);
	CU_ASSERT_EQUAL(file_replace(path, "x", 1, 0644, &e), 0);
	CU_ASSERT_EQUAL(signer_init(factory, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
}

UNIT_MAIN("signer", { "init", test_init }, { "malformed", test_malformed }, { "table", test_table }, { "units", test_unit }, { "certificate", test_certificate },
	  { "journal", test_journal }, { "old journal", test_old_journal }, { "tampered", test_tampered }, { "rollover", test_rollover },
	  { "ceremony once", test_ceremony_once }, { "end", test_end })
