#include <config.h>

#include "record_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cms.h"
#include "digest.h"
#include "mem.h"
#include "proof.h"

int records_path(char path[FILE_PATH], const char *folder, const char *id, const char *suffix, struct err *e)
{
	char name[RECORD_ID_LEN + 16];

	snprintf(name, sizeof name, "%s.%s", id, suffix);
	return file_join(path, e, folder, name);
}

int index_parse(struct index_entry *en, const char *line, struct err *e)
{
	char previous[SHA256_HEX], sha256[SHA256_HEX], end[TEXT_TIME], outcome[16];
	char order[LIMIT_SERIAL + 1], serial[LIMIT_SERIAL + 1];
	int used = 0;

	memset(en, 0, sizeof *en);
	if (sscanf(line, "%64s %32s %23s %64s %64s %15s %64s%n", previous, en->id, end, order, serial, outcome, sha256,
		   &used) != 7 || line[used] || text_unhex(en->previous, SHA256_LEN, previous) < 0 ||
	    text_unhex(en->sha256, SHA256_LEN, sha256) < 0 || text_untime(&en->end, end) < 0 ||
	    !record_id_valid(en->id) || !text_is_token(order, CA_ID_MAX) || !text_is_token(serial, LIMIT_SERIAL))
		return err_set(e, REASON_REQUEST, "the line is not like \"PREVIOUS ID END ORDER SERIAL OUTCOME SHA256\"");
	text_copy(en->order, sizeof en->order, order);
	text_copy(en->serial, sizeof en->serial, serial);
	en->outcome = outcome_parse(outcome);
	return en->outcome == OUTCOME_NONE ? err_set(e, REASON_REQUEST, "the outcome %s is not known", outcome) : 0;
}

void index_hash(uint8_t hash[SHA256_LEN], const char *line)
{
	char *whole = mem_fmt("%s\n", line);

	digest_sha256(hash, whole, strlen(whole));
	free(whole);
}

int records_open_signed(struct trust *t, const struct buf *p7, struct buf *json, struct cert *signer, struct err *e)
{
	/* A record is judged by its own time: certificates expire, records stay. */
	const struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .role = "station", .ignore_expiry = true };

	return cms_open(p7->data, p7->len, t, &rule, json, signer, e);
}

/* ---- readers -------------------------------------------------------------------------------- */

static int visit_lines(FILE *f, records_visit *visit, void *arg, struct err *e)
{
	uint8_t previous[SHA256_LEN] = {0};
	char line[INDEX_LINE_MAX + 2];
	int rc = 0;

	for (unsigned long n = 1; rc == 0 && fgets(line, sizeof line, f); n++) {
		struct index_entry en;
		size_t len = strcspn(line, "\n");

		if (line[len] != '\n')
			return err_set(e, REASON_REQUEST, "line %lu of the index is not complete%s", n,
				       feof(f) ? ": the next run repairs it" : "");
		line[len] = 0;
		if (index_parse(&en, line, e) < 0)
			return err_prefix(e, "line %lu of the index", n);
		rc = visit(arg, &en, memcmp(en.previous, previous, SHA256_LEN) == 0, e);
		index_hash(previous, line);
	}
	return rc;
}

int records_each(const char *dir, records_visit *visit, void *arg, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];
	FILE *f;
	int rc;

	if (file_join(folder, e, dir, "records") < 0 || file_join(path, e, folder, "index") < 0)
		return -1;
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot read %s", path);
	rc = visit_lines(f, visit, arg, e);
	fclose(f);
	return rc;
}

int records_load(const char *dir, const char *id, const char *suffix, struct buf *data, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];

	buf_clear(data);
	if (file_join(folder, e, dir, "records") < 0 || records_path(path, folder, id, suffix, e) < 0)
		return -1;
	return file_read(data, path, LIMIT_RECORD, e);
}

int records_read(const char *dir, const char *id, struct record *r, struct err *e)
{
	uint8_t nonce[SHA256_LEN];
	struct buf json = {0};
	int rc = records_load(dir, id, "json", &json, e) == 0 ? record_read(r, nonce, json.data, json.len, e) : -1;

	buf_free(&json);
	return rc < 0 ? err_prefix(e, "record %s", id) : 0;
}

/* ---- verification ------------------------------------------------------------------------------ */

static int verify_proof(struct trust *t, const struct record *r, const uint8_t nonce[SHA256_LEN], struct err *e)
{
	struct link_result result = { .code = REASON_OK };

	if (!r->proof.certificate.len)
		return err_set(e, REASON_AGENT, "PASS without a proof of the device");
	if (memcmp(nonce, r->challenge.nonce, SHA256_LEN) != 0)
		return err_set(e, REASON_AGENT, "the device's signature is for another unit, order or slot than this record");
	if (strcmp(r->challenge.station, r->station) != 0)
		return err_set(e, REASON_AGENT, "the device was challenged by station %s", r->challenge.station);
	memcpy(result.certificate, r->certificate, SHA256_LEN);
	return proof_verify(&r->proof, &r->challenge, &r->hello, &r->ready, &result, t, r->end, e);
}

static int verify_signer(const struct record *r, const struct cert *signer, struct err *e)
{
	if (strcmp(signer->name, r->station) != 0)
		return err_set(e, REASON_ROLE, "signed by station %s, but the record is of station %s", signer->name,
			       r->station);
	if (r->end < signer->not_before || r->end > signer->not_after)
		return err_set(e, REASON_CLOCK, "the station's certificate was not valid at the time of the record");
	return 0;
}

static int verify_entry(const struct index_entry *en, const struct record *r, struct err *e)
{
	if (strcmp(en->id, r->id) != 0 || en->end != r->end || en->outcome != r->outcome ||
	    strcmp(en->order, r->order) != 0 || strcmp(en->serial, record_serial(r)) != 0)
		return err_set(e, REASON_REQUEST, "the index tells another unit, time or outcome than the record");
	if (memcmp(en->previous, r->previous, SHA256_LEN) != 0)
		return err_set(e, REASON_REQUEST, "the record was signed behind another one: lines of the index were exchanged "
			       "or removed");
	return 0;
}

int records_verify(const char *dir, struct trust *t, const struct index_entry *en, struct record *r, struct err *e)
{
	uint8_t sha256[SHA256_LEN], nonce[SHA256_LEN];
	struct buf json = {0}, p7 = {0}, signed_json = {0};
	struct cert signer = {0};
	int rc = -1;

	memset(r, 0, sizeof *r);
	if (records_load(dir, en->id, "json", &json, e) < 0 || records_load(dir, en->id, "p7", &p7, e) < 0)
		goto out;
	digest_sha256(sha256, json.data, json.len);
	if (memcmp(sha256, en->sha256, SHA256_LEN) != 0) {
		err_set(e, REASON_REQUEST, "%s.json is not the record of the index: it was changed", en->id);
		goto out;
	}
	if (records_open_signed(t, &p7, &signed_json, &signer, e) < 0) {
		err_prefix(e, "%s.p7", en->id);
		goto out;
	}
	if (!buf_same(&json, &signed_json)) {
		err_set(e, REASON_REQUEST, "%s.p7 is the signature of another record", en->id);
		goto out;
	}
	if (record_read(r, nonce, json.data, json.len, e) < 0 || verify_signer(r, &signer, e) < 0 ||
	    verify_entry(en, r, e) < 0)
		goto out;
	rc = r->outcome == OUTCOME_PASS || record_is_proven(r) ? verify_proof(t, r, nonce, e) : 0;
out:
	cert_free(&signer);
	buf_free(&json);
	buf_free(&p7);
	buf_free(&signed_json);
	return rc;
}
