/* The signature of a backup: whose it is, and that no octet of list or signature can be another one. */
#include <config.h>

#include <string.h>
#include <sys/stat.h>

#include "backup.h"
#include "crypto_world.h"
#include "mem.h"
#include "unit.h"

static struct world *w, *other;
static struct cert unit_cert, other_cert, station_cert;
static const struct cert *signs_with;
static const struct key *signs_by;
static const struct authority *issued_by;
static bool upper;

static int signer(const char *dir, struct key **key, struct chain *chain, struct err *e)
{
	struct buf der = {0};
	int rc = -1;

	if (upper)
		return 0;
	*chain = chain_of(signs_with, &issued_by->cert);
	if (key_export(signs_by, &der, e) == 0 && (*key = key_import(&der, e)))
		rc = 1;
	buf_free(&der);
	return rc;
}

/* As the programs do it: the root is a file of the folder. */
static int trust(const char *dir, struct trust **t, uint8_t root[SHA256_LEN], struct err *e)
{
	struct chain ch = {0};
	char path[FILE_PATH];
	int rc = -1;

	if (upper)
		return 0;
	*t = trust_new();
	if (file_join(path, e, dir, "root.pem") == 0 && chain_load(&ch, path, e) == 0 && trust_add_root(*t, &ch.cert[0], e) == 0) {
		memcpy(root, ch.cert[0].sha256, SHA256_LEN);
		rc = 1;
	}
	chain_free(&ch);
	return rc;
}

static int mark(const char *dir, struct err *e)
{
	return 0;
}

static const struct backup_unit program = { "handsel-test", "operator", signer, trust, mark };

static enum reason create(const char *to, struct err *e)
{
	struct backup b = {0};
	int rc = backup_create(&b, &program, scratch("from"), false, scratch(to), e);

	backup_free(&b);
	return rc < 0 ? e->code : REASON_OK;
}

static enum reason verify(const char *from, const char *root, struct backup *b, struct err *e)
{
	const struct backup_asked asked = { .root = root };
	int rc;

	*b = (struct backup){0};
	rc = backup_verify(b, &program, scratch(from), &asked, e);
	return rc < 0 ? e->code : REASON_OK;
}

static void sign_as(const struct cert *cert, const struct world *of)
{
	signs_with = cert;
	signs_by = of->leaf_key;
	issued_by = &of->unit;
}

static void test_begin(void)
{
	struct cert_plan plan = plan_unit("operator", "maria");

	w = world_new("Test Root");
	other = world_new("Other Root");
	unit_cert = make_cert(&plan, w->leaf_key, &w->unit);
	other_cert = make_cert(&plan, other->leaf_key, &other->unit);
	plan = plan_unit("station", "line-1");
	station_cert = make_cert(&plan, w->leaf_key, &w->unit);
	CU_ASSERT_EQUAL_FATAL(mkdir(scratch("from"), 0700), 0);
	scratch_cert("from/root.pem", &w->root.cert);
	scratch_write("from/order.xml", "<x/>", 4);
	sign_as(&unit_cert, w);
}

static void test_signed(void)
{
	char root[SHA256_HEX], strange[SHA256_HEX];
	struct backup b;
	struct err e = {0};

	text_hex(root, w->root.cert.sha256, SHA256_LEN);
	text_hex(strange, other->root.cert.sha256, SHA256_LEN);
	CU_ASSERT_EQUAL_FATAL(create("good", &e), REASON_OK);
	CU_ASSERT_EQUAL(verify("good", root, &b, &e), REASON_OK);
	CU_ASSERT_STRING_EQUAL(b.signer, "operator:maria");
	CU_ASSERT_STRING_EQUAL(b.root, root);
	CU_ASSERT_EQUAL(verify("good", strange, &b, &e), REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "not of the one that was asked for"));
	sign_as(&other_cert, other);
	CU_ASSERT_EQUAL(create("other", &e), REASON_OK);
	CU_ASSERT_EQUAL(verify("other", NULL, &b, &e), REASON_REQUEST);
	sign_as(&station_cert, w);
	CU_ASSERT_EQUAL(create("station", &e), REASON_OK);
	CU_ASSERT_EQUAL(verify("station", NULL, &b, &e), REASON_REQUEST);
	sign_as(&unit_cert, w);
	upper = true;
	CU_ASSERT_EQUAL(create("upper", &e), REASON_OK);
	CU_ASSERT_EQUAL(verify("upper", NULL, &b, &e), REASON_OK);
	CU_ASSERT_STRING_EQUAL(b.signer, "");
	CU_ASSERT_EQUAL(verify("upper", root, &b, &e), REASON_REQUEST);
	upper = false;
	CU_ASSERT_EQUAL(verify("upper", NULL, &b, &e), REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "the backup is not signed, so anybody may have made it"));
}

/* Not over the old one: a file system that flushes what is truncated and closed would take a minute for all of them. */
static void put(const char *path, const struct buf *b, size_t len)
{
	unlink(scratch(path));
	scratch_write(path, b->data, len);
}

/* A signature that verifies although an octet is another one: in the CMS that is so for what nothing means, and then who signed is the same. */
static void flip(const char *name, size_t may_pass)
{
	char path[64];
	struct buf whole;
	size_t passed = 0;
	struct backup b;
	struct err e;

	snprintf(path, sizeof path, "good/%s", name);
	whole = scratch_read(path);
	CU_ASSERT(whole.len > 100);
	for (size_t i = 0; i < whole.len; i++) {
		whole.data[i] ^= 1;
		put(path, &whole, whole.len);
		whole.data[i] ^= 1;
		if (verify("good", NULL, &b, &e) != REASON_OK)
			continue;
		passed++;
		CU_ASSERT_STRING_EQUAL(b.signer, "operator:maria");
	}
	CU_ASSERT(passed <= may_pass);
	if (passed > may_pass)
		fprintf(stderr, "%s: %zu octets\n", name, passed);
	for (size_t n = 0; n < whole.len; n++) {
		put(path, &whole, n);
		CU_ASSERT_NOT_EQUAL(verify("good", NULL, &b, &e), REASON_OK);
	}
	put(path, &whole, whole.len);
	CU_ASSERT_EQUAL(verify("good", NULL, &b, &e), REASON_OK);
	buf_free(&whole);
}

static void test_flipped(void)
{
	flip(BACKUP_LIST, 0);
	flip(BACKUP_SIGNED, 24);
}

/* Whoever can write makes the list anew, and the files to it; not the signature. */
static void test_list_anew(void)
{
	struct buf signature = scratch_read("good/" BACKUP_SIGNED);
	struct backup b;
	struct err e;

	scratch_write("from/order.xml", "<y/>", 4);
	upper = true;
	CU_ASSERT_EQUAL(create("anew", &e), REASON_OK);
	upper = false;
	scratch_write("anew/" BACKUP_SIGNED, signature.data, signature.len);
	CU_ASSERT_EQUAL(verify("anew", NULL, &b, &e), REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "is the signature of another backup"));
	buf_free(&signature);
}

static void test_end(void)
{
	cert_free(&unit_cert);
	cert_free(&other_cert);
	cert_free(&station_cert);
	world_free(w);
	world_free(other);
	scratch_remove();
}

UNIT_MAIN("backup", { "begin", test_begin }, { "signed", test_signed }, { "flipped", test_flipped }, { "list anew", test_list_anew }, { "end", test_end })
