/* The signer tells of revocations: lists, and answers about one certificate. */
#include <config.h>

#include "crl.h"
#include "signer_world.h"

/* ---- revocation lists ---- */
static uint32_t tell(struct side *s, enum crl_of of, const char *serial, uint8_t reason, int64_t expires)
{
	struct buf q = {0}, a = {0};
	uint32_t got;

	pack_u8(&q, (uint8_t)of);
	pack_u32(&q, 1);
	pack_str(&q, serial);
	pack_u8(&q, reason);
	pack_u64(&q, (uint64_t)clock_utc());
	pack_u64(&q, (uint64_t)expires);
	got = side_ask(s, SIGNER_REVOKED, &q, &a);
	buf_free(&q);
	buf_free(&a);
	return got;
}

static uint32_t list(struct side *s, enum crl_of of, uint32_t valid_s, struct crl *c)
{
	struct buf q = {0}, a = {0}, der = {0};
	struct unpack u;
	uint32_t got;
	struct err e;

	pack_u8(&q, (uint8_t)of);
	pack_u32(&q, valid_s);
	got = side_ask(s, SIGNER_CRL, &q, &a);
	crl_free(c);
	if (got == SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		unpack_bytes(&u, &der);
		CU_ASSERT(unpack_done(&u));
		CU_ASSERT_EQUAL_FATAL(crl_parse(c, der.data, der.len, &e), 0);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&der);
	return got;
}

/* The list holds all that any process of this signer was ever told, and its number grows whatever the clock says. */
static void test_lists(void)
{
	struct authority ca;
	struct crl c = {0};
	uint64_t number;
	struct side s;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(authority_load(&ca, factory, &e), 0);
	side_begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 3600, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 0 && crl_verify(&c, ca.issuing.cert, &e) == 0);
	CU_ASSERT(c.next_update - clock_utc() > 3590 && c.next_update - clock_utc() <= 3600 && c.this_update < clock_utc());
	number = c.number;
	CU_ASSERT_EQUAL(tell(&s, CRL_ISSUING, "0a0b", 4, 0), SIGNER_DONE);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 1 && c.number > number && crl_find(&c, "0a0b") && crl_find(&c, "0a0b")->reason == 4);
	CU_ASSERT_EQUAL(list(&s, CRL_UNIT, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 0 && crl_verify(&c, ca.unit.cert, &e) == 0 && crl_verify(&c, ca.issuing.cert, &e) == -1);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	/* an operator's signer goes on with the same list; what is there stays as it is */
	side_begin(&s, factory, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(tell(&s, CRL_ISSUING, "0a0b", 1, 1), SIGNER_DONE);
	CU_ASSERT_EQUAL(tell(&s, CRL_ISSUING, "0c", 0, 0), SIGNER_DONE);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 2 && c.number > number + 1 && crl_find(&c, "0c") && crl_find(&c, "0a0b")->reason == 4);
	/* there is no generation before; the signer goes on */
	CU_ASSERT_EQUAL(tell(&s, CRL_OLDER_ISSUING, "0d", 0, 0), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(list(&s, CRL_OLDER_ISSUING, 60, &c), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(list(&s, CRL_OLDER_UNIT, 60, &c), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 2 && !crl_find(&c, "0d"));
	CU_ASSERT_EQUAL(side_end(&s), 0);
	crl_free(&c);
	authority_free(&ca);
}

static int is_there(void *arg, const struct revoked_item *v)
{
	size_t *n = arg;

	++*n;
	return 0;
}

/* Numbers and ends at times of our choice: a clock that is set back, a signer.db from a backup, an expired certificate. */
static void test_list_rules(void)
{
	const struct revoked_item mortal = { .serial = "11", .expires = 5000 }, immortal = { .serial = "12" };
	const uint8_t ca[SHA256_LEN] = { 1 }, other[SHA256_LEN] = { 2 };
	int64_t number, before;
	char path[FILE_PATH];
	size_t n = 0;
	struct db *db;
	struct err e;

	CU_ASSERT_EQUAL(file_join(path, &e, folder, "rules.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT(count_crl_next(db, ca, 1000, &number, &before, &e) == 0 && number == 1000 && before == 0);
	CU_ASSERT(count_crl_next(db, ca, 1000, &number, &before, &e) == 0 && number == 1001 && before == 1000);
	CU_ASSERT(count_crl_next(db, ca, 500, &number, &before, &e) == 0 && number == 1002 && before == 1000);
	CU_ASSERT(count_crl_next(db, ca, 2000, &number, &before, &e) == 0 && number == 2000 && before == 500);
	CU_ASSERT(count_crl_next(db, other, 7, &number, &before, &e) == 0 && number == 7 && before == 0);
	CU_ASSERT(count_revoked_add(db, ca, &mortal, &e) == 0 && count_revoked_add(db, ca, &immortal, &e) == 0);
	CU_ASSERT(count_revoked_list(db, ca, 5000, is_there, &n, &e) == 0 && n == 2);
	n = 0;
	CU_ASSERT(count_revoked_list(db, ca, 5001, is_there, &n, &e) == 0 && n == 1);
	n = 0;
	CU_ASSERT(count_revoked_list(db, other, 0, is_there, &n, &e) == 0 && n == 0);
	db_close(db);
}

/* What no front of ours sends ends the signer. */
static void test_list_malformed(void)
{
	static const struct {
		const char *serial;
		uint8_t of, reason;
		uint32_t valid_s;
	} cells[] = { { "0", CRL_ISSUING, 0, 0 }, { "xy", CRL_ISSUING, 0, 0 },
		      { "000102030405060708090a0b0c0d0e0f1011121314", CRL_ISSUING, 0, 0 },
		      { "01", CRL_KINDS, 0, 0 }, { "01", CRL_ISSUING, 7, 0 }, { "01", CRL_ISSUING, 200, 0 },
		      { NULL, CRL_ISSUING, 0, 0 }, { NULL, CRL_ISSUING, 0, LIMIT_CRL_VALID_S + 1 }, { NULL, CRL_KINDS, 0, 60 } };
	struct crl c = {0};
	struct side s;

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		side_begin(&s, factory, SIGNER_FOR_SERVE);
		CU_ASSERT_EQUAL(cells[i].serial ? tell(&s, (enum crl_of)cells[i].of, cells[i].serial, cells[i].reason, 0)
						: list(&s, (enum crl_of)cells[i].of, cells[i].valid_s, &c),
				0);
		CU_ASSERT_EQUAL(side_end(&s), -1);
		CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
	}
}

/* ---- answers about one certificate ---- */
struct status {
	uint32_t got;			/* SIGNER_DONE, SIGNER_REFUSED, 0: it has ended */
	int status;
	enum reason code;
};

static struct status ask_status(struct side *s, const struct buf *cert, const char *serial, const struct revoked_item *revoked, uint8_t of)
{
	struct buf q = {0}, a = {0}, der = {0};
	struct status st = { .status = -1 };
	struct unpack u;

	pack_u8(&q, of);
	pack_u8(&q, OCSP_SHA1);
	pack_u32(&q, 3600);
	pack_str(&q, serial);
	pack_bytes(&q, cert->data, cert->len);
	pack_u8(&q, revoked != NULL);
	if (revoked) {
		pack_str(&q, revoked->serial);
		pack_u8(&q, revoked->reason);
		pack_u64(&q, (uint64_t)revoked->date);
		pack_u64(&q, (uint64_t)revoked->expires);
	}
	st.got = side_ask(s, SIGNER_OCSP, &q, &a);
	unpack_init(&u, a.data, a.len);
	if (st.got == SIGNER_DONE) {
		st.status = unpack_u8(&u);
		unpack_u64(&u);
		unpack_u64(&u);
		unpack_bytes(&u, &der);
		CU_ASSERT(unpack_done(&u) && der.len > 200);
	} else if (st.got == SIGNER_REFUSED) {
		st.code = (enum reason)unpack_u32(&u);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&der);
	return st;
}

static void test_ocsp(void)
{
	struct revoked_item over = { .reason = 1, .date = clock_utc() };
	struct buf k = {0}, der = {0}, other = {0}, none = {0};
	struct cert c = {0};
	struct status st;
	struct side s;
	struct err e;

	new_spki(&k);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL_FATAL(side_sign(&s, "", "gateway-b", "0700", &k, NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, NULL, CRL_ISSUING).status, OCSP_GOOD);
	/* good is nothing but what this key has signed: not another's, not under another number, not changed */
	st = ask_status(&s, &der, c.serial, NULL, CRL_UNIT);
	CU_ASSERT(st.got == SIGNER_REFUSED && st.code == REASON_AUTHORITY);
	st = ask_status(&s, &der, "1234", NULL, CRL_ISSUING);
	CU_ASSERT(st.got == SIGNER_REFUSED && st.code == REASON_REQUEST);
	buf_set(&other, der.data, der.len);
	other.data[other.len - 1] ^= 1;
	CU_ASSERT_EQUAL(ask_status(&s, &other, c.serial, NULL, CRL_ISSUING).got, SIGNER_REFUSED);
	CU_ASSERT_EQUAL(ask_status(&s, &none, "1234", NULL, CRL_ISSUING).status, OCSP_UNKNOWN);
	st = ask_status(&s, &none, "1234", NULL, CRL_OLDER_ISSUING);
	CU_ASSERT(st.got == SIGNER_REFUSED && st.code == REASON_CONFIG);
	/* revoked once is revoked for ever, whoever says what */
	snprintf(over.serial, sizeof over.serial, "%s", c.serial);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, &over, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, NULL, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(ask_status(&s, &none, c.serial, NULL, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	side_begin(&s, customer, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, NULL, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(ask_status(&s, &der, "no number", NULL, CRL_ISSUING).got, 0);
	CU_ASSERT_EQUAL(side_end(&s), -1);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, &(struct revoked_item){ .serial = "1234" }, CRL_ISSUING).got, 0);	/* of another */
	CU_ASSERT_EQUAL(side_end(&s), -1);
	cert_free(&c);
	buf_free(&k);
	buf_free(&der);
	buf_free(&other);
}

UNIT_MAIN("signer, status", { "init", test_init }, { "lists", test_lists }, { "rules of lists", test_list_rules },
	  { "malformed lists", test_list_malformed }, { "ocsp", test_ocsp }, { "end", test_end })
