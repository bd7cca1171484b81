/* The signed documents: round trips, roles, foreign roots, changed and cut bytes. */
#include <config.h>

#include <string.h>

#include "action.h"
#include "document.h"
#include "mem.h"
#include "oid.h"
#include "samples.h"
#include "unit.h"

static struct samples samples, foreign;

/* ---- work order ---- */
static void write_order(struct buf *cms, const struct sample_unit *by)
{
	static struct work_order o;
	struct err e = {0};

	sample_order(&o);
	CU_ASSERT_EQUAL_FATAL(work_order_write(&o, by->key, &by->chain, cms, &e), 0);
}

static void test_order(void)
{
	static struct work_order o, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_order(&o);
	write_order(&cms, &samples.operator);
	CU_ASSERT_EQUAL_FATAL(work_order_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.operator_name, "alice");
	snprintf(o.operator_name, sizeof o.operator_name, "alice");
	CU_ASSERT_EQUAL(memcmp(&o, &again, sizeof o), 0);
	buf_free(&cms);
}

/* What an extension may change, and what not. */
static void test_order_extension(void)
{
	static struct work_order before, o;
	struct buf cms = {0};
	struct err e = {0};

	sample_order(&before);
	o = before;
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), -1);	/* the same version */
	o.version = 2;
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), 0);
	CU_ASSERT_EQUAL(work_order_follows(&before, &o, &e), -1);
	o.quota++, o.scrap++, o.not_after++, o.not_before--;
	strcpy(o.station[o.n_stations++], "line-4");
	o.range[o.n_ranges++] = (struct order_range){ "GB-000600", "GB-000700" };
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), 0);
	CU_ASSERT_EQUAL(work_order_write(&o, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	before = o;
	CU_ASSERT_EQUAL_FATAL(work_order_read(&o, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_EQUAL(o.version, 2);
	o.version = 3;
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), 0);
	o.label = false;
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), -1);
	o.label = true;
	o.n_stations--;
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), -1);
	o.n_stations++, o.n_ranges--;
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), -1);
	o.n_ranges++, strcpy(o.hw_type, "2.25.1");
	CU_ASSERT_EQUAL(work_order_follows(&o, &before, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ORDER);
	buf_free(&cms);
}

static void test_order_serials(void)
{
	static struct work_order o;

	sample_order(&o);
	CU_ASSERT(work_order_has_serial(&o, "GB-000100"));
	CU_ASSERT(work_order_has_serial(&o, "GB-000150"));
	CU_ASSERT(work_order_has_serial(&o, "GB-000199"));
	CU_ASSERT(work_order_has_serial(&o, "GB-000500"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "GB-000099"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "GB-000200"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "GB-000501"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "GB-00015"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "GB-0001500"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "GB-00015a"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, "gb-000150"));
	CU_ASSERT_FALSE(work_order_has_serial(&o, ""));
	CU_ASSERT(work_order_has_station(&o, "line-3"));
	CU_ASSERT_FALSE(work_order_has_station(&o, "line-4"));
	CU_ASSERT_FALSE(work_order_has_station(&o, ""));
}

/* Nothing is signed that the reader would refuse. */
static void test_order_nonsense(void)
{
	static struct work_order o;
	struct buf cms = {0};
	struct err e = {0};

	sample_order(&o);
	snprintf(o.range[0].to, sizeof o.range[0].to, "GB-99");
	CU_ASSERT_EQUAL(work_order_write(&o, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-documents 2.3"));
	sample_order(&o);
	o.quota = 0;
	CU_ASSERT_EQUAL(work_order_write(&o, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	CU_ASSERT_EQUAL(cms.len, 0);
	buf_free(&cms);
}

/* ---- ticket ---- */
static void write_ticket(struct buf *cms, const struct sample_unit *by)
{
	struct ticket t;
	struct err e = {0};

	sample_ticket(&t);
	CU_ASSERT_EQUAL_FATAL(ticket_write(&t, by->key, &by->chain, cms, &e), 0);
}

static void test_ticket(void)
{
	struct ticket t, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_ticket(&t);
	write_ticket(&cms, &samples.station);
	CU_ASSERT_EQUAL_FATAL(ticket_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.station, "line-2");
	CU_ASSERT_STRING_EQUAL(again.order, t.order);
	CU_ASSERT_STRING_EQUAL(again.slot, t.slot);
	CU_ASSERT_STRING_EQUAL(again.mode, t.mode);
	CU_ASSERT(device_same(&again.device, &t.device));
	CU_ASSERT_EQUAL(memcmp(&again.request, &t.request, sizeof t.request), 0);
	CU_ASSERT_EQUAL(memcmp(again.key_sha256, t.key_sha256, SHA256_LEN), 0);
	CU_ASSERT_EQUAL(again.not_after, t.not_after);
	CU_ASSERT(cms.len < LIMIT_REQUEST / 2);
	buf_free(&cms);
}

/* ---- release ---- */
static void write_release(struct buf *cms, const struct sample_unit *by)
{
	struct release r;
	struct err e = {0};

	sample_release(&r);
	CU_ASSERT_EQUAL_FATAL(release_write(&r, by->key, &by->chain, cms, &e), 0);
}

static void test_release(void)
{
	struct release r, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_release(&r);
	write_release(&cms, &samples.node);
	CU_ASSERT_EQUAL_FATAL(release_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.node, "node-1");
	CU_ASSERT(device_same(&again.device, &r.device));
	CU_ASSERT_EQUAL(memcmp(again.certificate, r.certificate, SHA256_LEN), 0);
	CU_ASSERT_EQUAL(again.sequence, r.sequence);
	CU_ASSERT_EQUAL(again.time, r.time);
	write_release(&cms, &samples.operator);
	CU_ASSERT_EQUAL(release_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	write_release(&cms, &foreign.node);
	CU_ASSERT_EQUAL(release_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	r.sequence = 0;
	CU_ASSERT_EQUAL(release_write(&r, samples.node.key, &samples.node.chain, &cms, &e), -1);
	buf_free(&cms);
}

/* With a trust that has seen no good copy of the embedded unit CA before. */
static int read_release(struct release *r, const struct buf *cms, size_t len)
{
	struct trust *t = trust_new();
	struct err e = {0};
	int rc;

	CU_ASSERT_EQUAL_FATAL(trust_add_root(t, &samples.root.cert[0], &e), 0);
	rc = release_read(r, cms->data, len, t, &e);
	trust_free(t);
	return rc;
}

/* Every changed bit, every cut: refused, or says the same. */
static void test_release_mutated(void)
{
	struct release r, again;
	struct buf cms = {0};
	int accepted = 0, tries = 0;

	sample_release(&r);
	write_release(&cms, &samples.node);
	for (size_t i = 0; i < cms.len * 8; i += 13, tries++) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (read_release(&again, &cms, cms.len) == 0) {
			accepted++;
			CU_ASSERT(device_same(&again.device, &r.device));
			CU_ASSERT_EQUAL(memcmp(again.certificate, r.certificate, SHA256_LEN), 0);
		}
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT(accepted < tries / 50);
	for (size_t n = 0; n < cms.len; n += 7)
		CU_ASSERT_EQUAL(read_release(&again, &cms, n), -1);
	buf_free(&cms);
}

/* ---- who may sign what ---- */
static void test_roles(void)
{
	static struct work_order o;
	struct buf cms = {0};
	struct ticket t;
	struct manifest m;
	struct err e = {0};

	write_order(&cms, &samples.station);
	CU_ASSERT_EQUAL(work_order_read(&o, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	write_ticket(&cms, &samples.operator);
	CU_ASSERT_EQUAL(ticket_read(&t, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	sample_manifest(&m, 1);
	CU_ASSERT_EQUAL(manifest_write(&m, samples.node.key, &samples.node.chain, &cms, &e), 0);
	manifest_free(&m);
	CU_ASSERT_EQUAL(manifest_read(&m, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	buf_free(&cms);
}

static void test_foreign_root(void)
{
	static struct work_order o;
	struct buf cms = {0};
	struct ticket t;
	struct err e = {0};

	write_order(&cms, &foreign.operator);
	CU_ASSERT_EQUAL(work_order_read(&o, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	write_ticket(&cms, &foreign.station);
	CU_ASSERT_EQUAL(ticket_read(&t, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	buf_free(&cms);
}

/* A key that is not the certificate's, whatever certificate is embedded with the signature. */
static void test_foreign_key(void)
{
	struct sample_unit forged = { foreign.station.key, samples.station.chain };
	struct buf cms = {0};
	struct ticket t;
	struct err e = {0};
	struct err written = {0};

	sample_ticket(&t);
	if (ticket_write(&t, forged.key, &forged.chain, &cms, &written) == 0)
		CU_ASSERT_EQUAL(ticket_read(&t, cms.data, cms.len, samples.trust, &e), -1);
	buf_free(&cms);
}

/* A good signature over another document of the same signer does not pass for this one. */
static void test_other_document(void)
{
	static struct work_order o;
	struct buf cms = {0};
	struct manifest m;
	struct err e = {0};

	write_order(&cms, &samples.operator);
	CU_ASSERT_EQUAL(manifest_read(&m, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-documents 1.6"));
	sample_manifest(&m, 1);
	CU_ASSERT_EQUAL(manifest_write(&m, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(work_order_read(&o, cms.data, cms.len, samples.trust, &e), -1);
	manifest_free(&m);
	buf_free(&cms);
}

/* More devices than one manifest holds: the factory is told, not its customer. */
static void test_manifest_size(void)
{
	struct buf cms = {0};
	struct manifest m;
	struct err e = {0};

	sample_manifest(&m, 100000);
	CU_ASSERT_EQUAL(manifest_write(&m, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "manifest of 100000 devices: over 15 MiB"));
	manifest_free(&m);
	buf_free(&cms);
}

/* ---- handoff ---- */
static void test_handoff(void)
{
	struct handoff h, again = {0};
	struct buf cms = {0};
	struct err e = {0};

	sample_handoff(&h, &samples);
	CU_ASSERT_EQUAL_FATAL(handoff_write(&h, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(handoff_read(&again, cms.data, cms.len, samples.root.cert[0].sha256, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.customer, h.customer);
	CU_ASSERT_STRING_EQUAL(again.manufacturer, h.manufacturer);
	CU_ASSERT_EQUAL_FATAL(again.node.n, 2);
	CU_ASSERT_EQUAL_FATAL(again.factory.n, 2);
	CU_ASSERT(buf_same(&again.node.cert[0].der, &samples.node.chain.cert[0].der));
	CU_ASSERT(buf_same(&again.factory.cert[1].der, &samples.root.cert[0].der));
	handoff_free(&again);
	CU_ASSERT_EQUAL(handoff_read(&again, cms.data, cms.len, foreign.root.cert[0].sha256, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "fingerprint"));
	CU_ASSERT_PTR_NULL(again.node.cert);
	handoff_free(&h);
	buf_free(&cms);
}

/* Whoever has some certificate of the right fingerprint but not the root's trust cannot make a bundle: the fingerprint of a
 * unit's certificate, of the unit CA, and the true root over a foreign signature. */
static void test_handoff_forged(void)
{
	struct handoff h, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_handoff(&h, &samples);
	CU_ASSERT_EQUAL_FATAL(handoff_write(&h, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(handoff_read(&again, cms.data, cms.len, samples.operator.chain.cert[0].sha256, &e), -1);
	CU_ASSERT_EQUAL(handoff_read(&again, cms.data, cms.len, samples.factory.cert[0].sha256, &e), -1);
	CU_ASSERT_EQUAL_FATAL(handoff_write(&h, foreign.operator.key, &foreign.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(handoff_read(&again, cms.data, cms.len, samples.root.cert[0].sha256, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	handoff_free(&h);
	buf_free(&cms);
}

static void test_handoff_nonsense(void)
{
	struct handoff h;
	struct buf cms = {0};
	struct err e = {0};

	sample_handoff(&h, &samples);
	snprintf(h.customer, sizeof h.customer, "hospital-2");	/* the node's certificate says hospital-1 */
	CU_ASSERT_EQUAL(handoff_write(&h, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-documents 4.3"));
	handoff_free(&h);
	buf_free(&cms);
}

/* ---- manifest ---- */
static void test_manifest(void)
{
	struct manifest m, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_manifest(&m, 500);
	CU_ASSERT_EQUAL_FATAL(manifest_write(&m, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(manifest_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.customer, m.customer);
	CU_ASSERT_EQUAL(again.sequence, m.sequence);
	CU_ASSERT_EQUAL(again.time, m.time);
	CU_ASSERT_EQUAL_FATAL(again.n, m.n);
	for (size_t i = 0; i < m.n; i++) {
		CU_ASSERT(device_same(&again.entry[i].device, &m.entry[i].device));
		CU_ASSERT_EQUAL(memcmp(again.entry[i].certificate, m.entry[i].certificate, SHA256_LEN), 0);
		CU_ASSERT(buf_same(&again.entry[i].voucher, &m.entry[i].voucher));
	}
	CU_ASSERT_EQUAL(memcmp(&m.audit, &again.audit, sizeof m.audit), 0);
	manifest_free(&m);
	manifest_free(&again);
	buf_free(&cms);
}

/* ---- voucher ---- */
static void write_voucher(struct buf *cms, const struct sample_unit *by)
{
	struct voucher v;
	struct err e = {0};

	sample_voucher(&v);
	CU_ASSERT_EQUAL_FATAL(voucher_write(&v, by->key, &by->chain, cms, &e), 0);
}

static void test_voucher(void)
{
	struct voucher v, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_voucher(&v);
	write_voucher(&cms, &samples.operator);
	CU_ASSERT_EQUAL_FATAL(voucher_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&v, &again, sizeof v), 0);
	CU_ASSERT(cms.len < LIMIT_REQUEST / 4);
	write_voucher(&cms, &samples.node);
	CU_ASSERT_EQUAL(voucher_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	write_voucher(&cms, &foreign.operator);
	CU_ASSERT_EQUAL(voucher_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	write_order(&cms, &samples.operator);	/* the operator has signed it, but as something else */
	CU_ASSERT_EQUAL(voucher_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-documents 1.6"));
	v.sequence = 0;
	CU_ASSERT_EQUAL(voucher_write(&v, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	buf_free(&cms);
}

/* No changed bit makes it say anything else. */
static void test_voucher_mutated(void)
{
	struct voucher v, again;
	struct buf cms = {0};
	struct err e = {0};
	size_t len;

	sample_voucher(&v);
	write_voucher(&cms, &samples.operator);
	for (size_t i = 0; i < cms.len * 8; i += 13) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (voucher_read(&again, cms.data, cms.len, samples.trust, &e) == 0)
			CU_ASSERT_EQUAL(memcmp(&v, &again, sizeof v), 0);
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (len = 0; len < cms.len; len += 3)
		CU_ASSERT_EQUAL(voucher_read(&again, cms.data, len, samples.trust, &e), -1);
	buf_free(&cms);
}

/* ---- invitation, its code, and renewal ---- */
static void test_code(void)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char text[INVITE_TEXT], typed[INVITE_TEXT];
	struct invite v, again;
	uint8_t root[SHA256_LEN], one[INVITE_KEY], two[INVITE_KEY];
	struct buf spki = {0}, other = {0}, signature = {0};
	struct err e;
	int accepted = 0;

	memset(root, 0x5a, sizeof root);
	invite_new(&v, root);
	invite_text(&v, text);
	CU_ASSERT_EQUAL(strlen(text), INVITE_TEXT - 1);
	CU_ASSERT_EQUAL_FATAL(invite_parse(&again, text, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&v, &again, sizeof v), 0);
	for (size_t i = 0; i < INVITE_TEXT; i++)	/* lower case, blanks for hyphens, O for 0, L for 1 */
		typed[i] = text[i] == '-' ? ' ' : text[i] == '0' ? 'o' : text[i] == '1' ? 'l' : text[i] >= 'A' ? (char)(text[i] - 'A' + 'a') : text[i];
	CU_ASSERT_EQUAL(invite_parse(&again, typed, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&v, &again, sizeof v), 0);
	/* one wrong character anywhere, one missing, one too many */
	for (size_t i = 0; i < INVITE_TEXT - 1; i++)
		for (size_t k = 0; text[i] != '-' && k < 32; k++) {
			memcpy(typed, text, sizeof typed);
			typed[i] = digits[k];
			accepted += typed[i] != text[i] && invite_parse(&again, typed, &e) == 0;
		}
	CU_ASSERT_EQUAL(accepted, 0);
	memcpy(typed, text, sizeof typed);
	typed[INVITE_TEXT - 2] = 0;
	CU_ASSERT_EQUAL(invite_parse(&again, typed, &e), -1);
	CU_ASSERT_EQUAL(invite_parse(&again, "", &e), -1);
	CU_ASSERT_EQUAL(invite_parse(&again, "00000-00000-00000-00000-00000-00000-00000-00000-00000", &e), -1);
	/* the signature is for one key, by one code */
	buf_str(&spki, "a key");
	buf_str(&other, "another key");
	invite_public(&v, one);
	invite_sign(&v, &spki, &signature);
	CU_ASSERT_EQUAL(invite_verify(one, &spki, &signature, &e), 0);
	CU_ASSERT_EQUAL(invite_verify(one, &other, &signature, &e), -1);
	v.secret[0] ^= 1;
	invite_public(&v, two);
	CU_ASSERT_EQUAL(invite_verify(two, &spki, &signature, &e), -1);
	signature.len--;
	CU_ASSERT_EQUAL(invite_verify(one, &spki, &signature, &e), -1);
	buf_free(&spki);
	buf_free(&other);
	buf_free(&signature);
}

static void test_invitation(void)
{
	struct invitation v, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_invitation(&v);
	CU_ASSERT_EQUAL_FATAL(invitation_write(&v, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	snprintf(v.operator_name, sizeof v.operator_name, "alice");
	CU_ASSERT_EQUAL_FATAL(invitation_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&v, &again, sizeof v), 0);
	for (size_t i = 0; i < cms.len * 8; i += 13) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (invitation_read(&again, cms.data, cms.len, samples.trust, &e) == 0)
			CU_ASSERT_EQUAL(memcmp(&v, &again, sizeof v), 0);
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT_EQUAL_FATAL(invitation_write(&v, samples.station.key, &samples.station.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(invitation_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	v.not_after = v.not_before + INVITATION_MAX_S + 1;
	CU_ASSERT_EQUAL(invitation_write(&v, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-documents 8.3"));
	buf_free(&cms);
}

static void test_unit_renewal(void)
{
	struct unit_renewal r = { .time = 1767225600 }, again;
	struct buf cms = {0};
	struct cert unit = {0};
	struct err e = {0};

	memset(r.key_sha256, 0x5e, SHA256_LEN);
	CU_ASSERT_EQUAL_FATAL(unit_renewal_write(&r, samples.station.key, &samples.station.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(unit_renewal_read(&again, &unit, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT_STRING_EQUAL(unit.role, "station");
	CU_ASSERT_EQUAL(memcmp(&r, &again, sizeof r), 0);
	cert_free(&unit);
	for (size_t i = 0; i < cms.len * 8; i += 13) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (unit_renewal_read(&again, &unit, cms.data, cms.len, samples.trust, &e) == 0)
			CU_ASSERT_EQUAL(memcmp(&r, &again, sizeof r), 0);
		cert_free(&unit);
		unit = (struct cert){0};
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT_EQUAL_FATAL(unit_renewal_write(&r, foreign.station.key, &foreign.station.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(unit_renewal_read(&again, &unit, cms.data, cms.len, samples.trust, &e), -1);
	cert_free(&unit);
	buf_free(&cms);
}

/* ---- what persons sign ---- */
static bool same_action(const struct action *a, const struct action *b)
{
	return strcmp(a->id, b->id) == 0 && a->what == b->what && a->time == b->time && strcmp(a->subject, b->subject) == 0 &&
	       device_same(&a->device, &b->device) && strcmp(a->station, b->station) == 0 && strcmp(a->reason, b->reason) == 0 &&
	       a->guarded == b->guarded && strcmp(a->name, b->name) == 0 && strcmp(a->hosts, b->hosts) == 0 && buf_same(&a->document, &b->document);
}

static void test_action(void)
{
	struct action a, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_action(&a);
	CU_ASSERT_EQUAL_FATAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(action_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT(same_action(&a, &again));
	CU_ASSERT_STRING_EQUAL(again.maker.name, "alice");
	action_free(&again);
	for (size_t i = 0; i < cms.len * 8; i += 13) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (action_read(&again, cms.data, cms.len, samples.trust, &e) == 0)
			CU_ASSERT(same_action(&a, &again));
		action_free(&again);
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT_EQUAL_FATAL(action_write(&a, samples.station.key, &samples.station.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(action_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	action_free(&again);
	/* each act has its own fields: neither less nor more */
	a.station[0] = 0;
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-documents 10.3"));
	a.what = ACT_REWORK;
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	a.guarded = 1;
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	a = (struct action){ .what = ACT_TWO_PERSON, .time = a.time, .guarded = 1u << ACT_REWORK | 1u << ACT_ORDER_CREATE };
	action_new_id(&a);
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(action_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT(same_action(&a, &again));
	action_free(&again);
	a = (struct action){ .what = ACT_HANDOFF, .time = a.time, .subject = "plant-seven", .name = "site-1", .hosts = "gate.example 10.0.0.7" };
	action_new_id(&a);
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), -1);	/* without a request */
	buf_set(&a.document, "a request", 9);
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(action_read(&again, cms.data, cms.len, samples.trust, &e), 0);
	CU_ASSERT(same_action(&a, &again));
	action_free(&again);
	a.hosts[0] = 0;
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
	a.reason[0] = 'x';
	CU_ASSERT_EQUAL(action_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), -1);
	buf_free(&a.document);
	buf_free(&cms);
}

static void test_approval(void)
{
	struct approval a, again;
	struct buf cms = {0};
	struct err e = {0};

	sample_approval(&a);
	for (int yes = 0; yes < 2; yes++) {
		a.yes = yes;
		CU_ASSERT_EQUAL_FATAL(approval_write(&a, samples.operator.key, &samples.operator.chain, &cms, &e), 0);
		CU_ASSERT_EQUAL_FATAL(approval_read(&again, cms.data, cms.len, samples.trust, &e), 0);
		CU_ASSERT(again.yes == a.yes && again.time == a.time && memcmp(again.action, a.action, SHA256_LEN) == 0 && strcmp(again.id, a.id) == 0);
		approval_free(&again);
	}
	for (size_t i = 0; i < cms.len * 8; i += 13) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (approval_read(&again, cms.data, cms.len, samples.trust, &e) == 0)
			CU_ASSERT(again.yes && memcmp(again.action, a.action, SHA256_LEN) == 0);
		approval_free(&again);
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT_EQUAL_FATAL(approval_write(&a, samples.station.key, &samples.station.chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(approval_read(&again, cms.data, cms.len, samples.trust, &e), -1);
	approval_free(&again);
	buf_free(&cms);
}

/* ---- mutation ---- */

/* With a trust that has seen no good copy of the embedded unit CA before. */
static bool opens(const struct buf *cms, struct buf *xml)
{
	struct trust *t = trust_new();
	struct err e = {0};
	bool ok;

	CU_ASSERT_EQUAL_FATAL(trust_add_root(t, &samples.root.cert[0], &e), 0);
	ok = document_open("ticket", cms->data, cms->len, t, "station", xml, NULL, &e) == 0;
	if (!ok)
		CU_ASSERT(e.code != REASON_OK && e.text[0]);
	trust_free(t);
	return ok;
}

/* No changed bit gives another content: it is refused, or stood where the signature does not reach and nobody looks. */
static void test_mutated_bits(void)
{
	struct buf cms = {0}, good = {0}, xml = {0};
	int accepted = 0, tries = 0;

	write_ticket(&cms, &samples.station);
	CU_ASSERT_FATAL(opens(&cms, &good));
	for (size_t i = 0; i < cms.len * 8; i += 11, tries++) {
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (opens(&cms, &xml)) {
			accepted++;
			CU_ASSERT(buf_same(&xml, &good));
		}
		cms.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT(accepted < tries / 50);
	buf_free(&cms);
	buf_free(&good);
	buf_free(&xml);
}

static void test_mutated_length(void)
{
	struct buf cms = {0}, xml = {0};
	size_t len;

	write_ticket(&cms, &samples.station);
	len = cms.len;
	for (cms.len = 0; cms.len < len; cms.len++)
		CU_ASSERT_FALSE(opens(&cms, &xml));
	CU_ASSERT(opens(&cms, &xml));
	buf_str(&cms, "more");
	CU_ASSERT_FALSE(opens(&cms, &xml));
	buf_free(&cms);
	buf_free(&xml);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "order", test_order }, { "order extension", test_order_extension }, { "order's serials", test_order_serials }, { "order, nonsense", test_order_nonsense },
		{ "ticket", test_ticket }, { "roles", test_roles }, { "foreign root", test_foreign_root },
		{ "foreign key", test_foreign_key }, { "other document", test_other_document }, { "manifest size", test_manifest_size },
		{ "handoff", test_handoff }, { "handoff, forged", test_handoff_forged },
		{ "handoff, nonsense", test_handoff_nonsense }, { "manifest", test_manifest },
		{ "release", test_release }, { "release, mutated", test_release_mutated },
		{ "voucher", test_voucher },
		{ "voucher, mutated", test_voucher_mutated }, { "code", test_code }, { "invitation", test_invitation }, { "unit renewal", test_unit_renewal },
		{ "action", test_action }, { "approval", test_approval },
		{ "mutated bits", test_mutated_bits }, { "mutated length", test_mutated_length },
	};
	int rc;

	samples_make(&samples);
	samples_make(&foreign);
	rc = unit_run("documents", tests, ARRAY_LEN(tests));
	samples_free(&samples);
	samples_free(&foreign);
	return rc;
}
