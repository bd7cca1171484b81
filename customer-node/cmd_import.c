#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "digest.h"
#include "fault.h"
#include "import.h"
#include "mem.h"
#include "node.h"

/* Each voucher is one for its device, of this very manifest: what the device would refuse is not taken in. */
static int check_vouchers(const struct manifest *m, struct trust *t, struct err *e)
{
	struct voucher v;

	for (size_t i = 0; i < m->n; i++) {
		const struct manifest_entry *d = &m->entry[i];

		if (!d->voucher.len)
			continue;
		if (voucher_read(&v, d->voucher.data, d->voucher.len, t, e) < 0)
			return err_prefix(e, "device %s", d->device.serial);
		if (strcmp(v.customer, m->customer) != 0 || v.sequence != m->sequence || !device_same(&v.device, &d->device))
			return err_set(e, REASON_VOUCHER, "protocol-documents 6.3: the voucher of device %s is for another "
				       "device, customer or shipment; ask the manufacturer for a new manifest", d->device.serial);
	}
	return 0;
}

/* By an operator of this factory, for devices of its own alone, and for this customer. */
static int judge_manifest(const struct manifest *m, const struct maker *maker, struct trust *t, struct err *e)
{
	const char *customer = maker->onboard.chain.cert[0].customer;

	if (strcmp(m->customer, customer) != 0)
		return err_set(e, REASON_OTHER_SITE, "the manifest is for customer \"%s\", and this is \"%s\"", m->customer, customer);
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->entry[i].device.manufacturer, maker->name) != 0)
			return err_set(e, REASON_AUTHORITY, "the manifest is signed by \"%s\" and names device %s of \"%s\"", maker->name,
				       m->entry[i].device.serial, m->entry[i].device.manufacturer);
	return check_vouchers(m, t, e);
}

/* *theirs: it is signed by this factory, whatever comes of it. */
static int try_maker(const struct maker *maker, const struct buf *cms, struct manifest *m, bool *theirs, struct err *e)
{
	struct trust *t = node_trust(&maker->factory, e);
	int rc = -1;

	*theirs = t && manifest_read(m, cms->data, cms->len, t, e) == 0;
	if (*theirs)
		rc = judge_manifest(m, maker, t, e);
	trust_free(t);
	return rc;
}

/* Of several manufacturers that one speaks under whose root it is signed. */
static int open_manifest(const struct cli *c, struct manifest *m, uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct maker_set *makers = mem_new(1, sizeof *makers);
	struct buf cms = {0};
	bool theirs = false;
	struct err why;
	int rc = -1;

	if (maker_set_load(makers, cli_dir(c), e) < 0 || file_read(&cms, cli_arg(c, 0), LIMIT_BUF, e) < 0)
		goto out;
	for (size_t i = 0; i < makers->n && !theirs; i++) {
		manifest_free(m);
		rc = try_maker(&makers->one[i], &cms, m, &theirs, &why);
		if (i == 0 || theirs || why.code != REASON_AUTHORITY)
			*e = why;
	}
	digest_sha256(sha256, cms.data, cms.len);
out:
	maker_set_free(makers);
	free(makers);
	buf_free(&cms);
	return rc;
}

static int record(const struct cli *c, const struct manifest *m, const uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct db *db = node_db_open(cli_dir(c), e);
	int rc = -1;

	if (!db)
		return -1;
	if (db_begin(db, e) == 0) {
		rc = import_record(db, m, sha256, cmd_actor(), clock_utc(), e);
		if (rc == 0)
			rc = db_commit(db, e);
		if (rc < 0)
			db_rollback(db);
	}
	db_close(db);
	return rc;
}

static int import(const struct cli *c, const struct manifest *m, const uint8_t sha256[SHA256_LEN], size_t *added, struct err *e)
{
	struct makers makers;
	char path[FILE_PATH];
	struct buf text = {0};
	int rc = -1;

	/* All is judged before anything is written; a cut between the two writes is mended by importing again. */
	if (makers_load(&makers, cli_dir(c), e) == 0 && file_join(path, e, cli_dir(c), NODE_ALLOWLIST) == 0 &&
	    file_read(&text, path, 0, e) == 0 && import_append(&text, path, &makers, m, added, e) == 0 && record(c, m, sha256, e) == 0) {
		FAULT("node.imported");
		rc = *added ? file_replace(path, text.data, text.len, 0644, e) : 0;
	}
	buf_free(&text);
	return rc;
}

enum cli_exit cmd_import(const struct cli *c)
{
	struct manifest m = {0};
	uint8_t sha256[SHA256_LEN];
	size_t added = 0;
	struct err e;

	if (open_manifest(c, &m, sha256, &e) < 0 || import(c, &m, sha256, &added, &e) < 0) {
		manifest_free(&m);
		return cli_fail(c, &e);
	}
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, "sequence", (int64_t)m.sequence);
		jsonl_int(j, "devices", (int64_t)m.n);
		jsonl_int(j, "added", (int64_t)added);
		jsonl_print(j);
	} else {
		printf("manifest %" PRIu64 ": %zu devices, %zu added to %s%s\n", m.sequence, m.n, added, NODE_ALLOWLIST,
		       added ? "; look with `handsel-node plan`, put in force with `handsel-node apply`" : "");
	}
	manifest_free(&m);
	return EXIT_DONE;
}
