#include <config.h>

#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cms.h"
#include "digest.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"

#define PENDING "pending.p7"

struct records {
	const struct station *station;
	char folder[FILE_PATH], spool[FILE_PATH];	/* spool "": none */
	char pending[FILE_PATH];
	int index;
	pthread_mutex_t lock;
};

/* ---- lines ---------------------------------------------------------------------------- */

static void format_line(struct buf *line, const struct record *r, const char *json)
{
	char previous[SHA256_HEX], sha256[SHA256_HEX], end[TEXT_TIME];

	text_hex(previous, r->previous, SHA256_LEN);
	digest_sha256_hex(sha256, json, strlen(json));
	text_time(end, r->end);
	buf_fmt(line, "%s %s %s %s %s %s %s\n", previous, r->id, end, r->order, record_serial(r), outcome_name(r->outcome),
		sha256);
}

/* The last whole line and what follows it; both may be empty. *size is that of the file. */
static int read_tail(const struct records *rs, char line[INDEX_LINE_MAX + 1], size_t *rest, off_t *size, struct err *e)
{
	char tail[2 * INDEX_LINE_MAX + 1];
	char *end, *begin;
	struct stat st;
	ssize_t n = 0;
	off_t from;

	*rest = 0;
	line[0] = 0;
	if (fstat(rs->index, &st) < 0)
		return err_errno(e, REASON_STORAGE, "%s/index", rs->folder);
	*size = st.st_size;
	from = st.st_size > (off_t)sizeof tail - 1 ? st.st_size - (off_t)sizeof tail + 1 : 0;
	n = pread(rs->index, tail, sizeof tail - 1, from);
	if (n < 0)
		return err_errno(e, REASON_STORAGE, "%s/index", rs->folder);
	end = n ? memrchr(tail, '\n', (size_t)n) : NULL;
	*rest = end ? (size_t)(tail + n - end - 1) : (size_t)n;
	if (!end)
		return from ? err_set(e, REASON_CONFIG, "%s/index is no index of records: restore it from a copy", rs->folder) : 0;
	begin = end == tail ? NULL : memrchr(tail, '\n', (size_t)(end - tail));
	begin = begin ? begin + 1 : tail;
	if (end - begin > INDEX_LINE_MAX)
		return err_set(e, REASON_CONFIG, "%s/index is no index of records: restore it from a copy", rs->folder);
	memcpy(line, begin, (size_t)(end - begin));
	line[end - begin] = 0;
	return 0;
}

static int cut(const struct records *rs, off_t size, struct err *e)
{
	if (ftruncate(rs->index, size) < 0 || fsync(rs->index) < 0)
		return err_errno(e, REASON_STORAGE, "cannot shorten %s/index", rs->folder);
	return 0;
}

static int append(const struct records *rs, const struct buf *line, struct err *e)
{
	struct stat st;
	struct err ignored;
	ssize_t n;

	if (fstat(rs->index, &st) < 0)
		return err_errno(e, REASON_STORAGE, "%s/index", rs->folder);
	n = write(rs->index, line->data, line->len);
	if (n == (ssize_t)line->len && fsync(rs->index) == 0)
		return 0;
	err_errno(e, REASON_STORAGE, "cannot write %s/index", rs->folder);
	if (n >= 0 && n < (ssize_t)line->len)
		err_set(e, REASON_STORAGE, "cannot write %s/index: the storage is full", rs->folder);
	cut(rs, st.st_size, &ignored);	/* if not now, then before the next record */
	return -1;
}

/* ---- what a cut left behind ------------------------------------------------------------- */

static int give_to_spool(const struct records *rs, const char *path, const char *id, struct err *e)
{
	char name[FILE_PATH];

	if (!rs->spool[0])
		return 0;
	if (records_path(name, rs->spool, id, "json", e) < 0)
		return -1;
	if (link(path, name) < 0 && errno != EEXIST)
		return err_errno(e, REASON_STORAGE, "cannot put the record into %s", rs->spool);
	return file_sync_parent(name, e);
}

/* Behind the line of the index; each step may be done again. */
static int finish(const struct records *rs, const char *id, const void *json, size_t len, struct err *e)
{
	char path[FILE_PATH], p7[FILE_PATH];

	if (records_path(path, rs->folder, id, "json", e) < 0 || records_path(p7, rs->folder, id, "p7", e) < 0 ||
	    file_replace(path, json, len, 0644, e) < 0)
		return -1;
	FAULT("station.record.json");
	if (give_to_spool(rs, path, id, e) < 0)
		return -1;
	FAULT("station.record.spooled");
	if (rename(rs->pending, p7) < 0)
		return err_errno(e, REASON_STORAGE, "cannot rename %s", rs->pending);
	return file_sync_parent(p7, e);
}

/* Is the record that was under way the one of the last line? Then it is finished, else it never was. */
static int settle_pending(const struct records *rs, const char *last, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	struct buf p7 = {0}, json = {0};
	struct index_entry en;
	int rc = -1;

	if (file_read(&p7, rs->pending, LIMIT_RECORD, e) < 0)
		goto out;
	if (index_parse(&en, last, e) == 0 && records_open_signed(rs->station->made, &p7, &json, NULL, e) == 0) {
		digest_sha256(sha256, json.data, json.len);
		if (memcmp(sha256, en.sha256, SHA256_LEN) == 0) {
			log_info("record %s is complete now: it was being written when the station stopped", en.id);
			rc = finish(rs, en.id, json.data, json.len, e);
			goto out;
		}
	}
	log_info("a record that was not complete when the station stopped is removed: its unit was not shown as passed");
	rc = file_remove(rs->pending, e);
out:
	buf_free(&p7);
	buf_free(&json);
	return rc;
}

static int repair(const struct records *rs, uint8_t previous[SHA256_LEN], struct err *e)
{
	char last[INDEX_LINE_MAX + 1];
	size_t rest;
	off_t size;

	memset(previous, 0, SHA256_LEN);
	if (read_tail(rs, last, &rest, &size, e) < 0)
		return -1;
	if (rest) {
		log_warn("%s/index ended in mid-line: what was not complete when the station stopped is removed",
			 rs->folder);
		if (cut(rs, size - (off_t)rest, e) < 0)
			return -1;
	}
	if (last[0])
		index_hash(previous, last);
	return file_exists(rs->pending) ? settle_pending(rs, last, e) : 0;
}

/* ---- the writer --------------------------------------------------------------------------- */

static int open_folder(struct records *rs, bool spool, struct err *e)
{
	uint8_t previous[SHA256_LEN];
	char path[FILE_PATH];
	int rc;

	if (file_join(rs->folder, e, rs->station->dir, "records") < 0 || file_mkdir(rs->folder, e) < 0 ||
	    file_join(rs->pending, e, rs->folder, PENDING) < 0 || file_join(path, e, rs->folder, "index") < 0)
		return -1;
	if (spool && (file_join(rs->spool, e, rs->station->dir, "spool") < 0 || file_mkdir(rs->spool, e) < 0))
		return -1;
	rs->index = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (rs->index < 0 || flock(rs->index, LOCK_EX) < 0)
		return err_errno(e, REASON_STORAGE, "cannot open %s", path);
	rc = file_sync_parent(path, e);
	if (rc == 0)
		rc = repair(rs, previous, e);
	flock(rs->index, LOCK_UN);
	return rc;
}

struct records *records_open(const struct station *s, bool spool, struct err *e)
{
	struct records *rs = mem_new(1, sizeof *rs);

	rs->station = s;
	rs->index = -1;
	pthread_mutex_init(&rs->lock, NULL);
	if (open_folder(rs, spool, e) == 0)
		return rs;
	records_close(rs);
	return NULL;
}

void records_close(struct records *rs)
{
	if (!rs)
		return;
	if (rs->index >= 0)
		close(rs->index);
	pthread_mutex_destroy(&rs->lock);
	free(rs);
}

static int is_new(const struct records *rs, const struct record *r, struct err *e)
{
	char path[FILE_PATH];

	if (records_path(path, rs->folder, r->id, "json", e) < 0)
		return -1;
	return file_exists(path) ? err_set(e, REASON_INTERNAL, "%s exists already: an attempt has one record", path) : 0;
}

static int add(struct records *rs, struct record *r, struct err *e)
{
	struct buf p7 = {0}, line = {0};
	char *json = NULL;
	struct err ignored, later;
	int rc = -1;

	if (repair(rs, r->previous, e) < 0 || is_new(rs, r, e) < 0)
		return -1;
	json = record_json(r);
	format_line(&line, r, json);
	if (cms_sign(json, strlen(json), rs->station->key, &rs->station->chain, &p7, e) < 0)
		goto out;
	FAULT("station.record.write");
	if (file_replace(rs->pending, p7.data, p7.len, 0644, e) < 0)
		goto out;
	FAULT("station.record.pending");
	if (append(rs, &line, e) < 0) {
		file_remove(rs->pending, &ignored);
		goto out;
	}
	FAULT("station.record.indexed");
	/* From here on the record is there: what finish() cannot do now, it does before the next record. */
	if (finish(rs, r->id, json, strlen(json), &later) < 0)
		log_err(&later, "record %s is safe, but its files are not complete yet", r->id);
	rc = 0;
	FAULT("station.record.written");
out:
	free(json);
	buf_free(&p7);
	buf_free(&line);
	return rc;
}

/* A proof that is not of this try - the unit left and came again - says nothing, and would not verify. */
static void drop_stale_proof(struct record *r)
{
	uint8_t nonce[SHA256_LEN];

	record_nonce(r, nonce);
	if (r->proof.certificate.len && memcmp(nonce, r->challenge.nonce, SHA256_LEN) != 0)
		link_proof_free(&r->proof);
}

int records_add(struct records *rs, struct record *r, struct err *e)
{
	int rc;

	drop_stale_proof(r);
	if (r->outcome == OUTCOME_PASS && !r->proof.certificate.len)
		return err_set(e, REASON_INTERNAL, "a record says PASS without a proof of the device");
	pthread_mutex_lock(&rs->lock);
	if (flock(rs->index, LOCK_EX) < 0) {
		rc = err_errno(e, REASON_STORAGE, "cannot lock %s/index", rs->folder);
	} else {
		rc = add(rs, r, e);
		flock(rs->index, LOCK_UN);
	}
	pthread_mutex_unlock(&rs->lock);
	return rc < 0 ? err_prefix(e, "record") : 0;
}
