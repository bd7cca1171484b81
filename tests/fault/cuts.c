/* cuts.c - power cuts at any write or flush of the databases of one system, from what its processes recorded (lib/db_record.h).
 *
 * usage: cuts --record FILE --base DIR --out DIR [--cuts N] [--seed N] [--lying] [--only N]
 *        cuts --record FILE --there DIR
 *
 * Of the record of one load it makes the files as they are on disk after a power cut at one of its events, in the folder --out, opens
 * them and judges: what was answered by then is there, ledger and signer agree, counts are exact, each audit is whole. That it does N
 * times, at events all over the record. --base has the databases as they were before. --only makes the files of one of these cuts and
 * leaves them there, --lying is a disk that loses flushes: then something must be missing. --there makes none and judges the files of a
 * factory as they are, at the end of a load of which only the answers were recorded.
 *
 * Of what was written since the last flush of a file, a cut leaves nothing, all (as when processes are killed), some in another order,
 * or some sectors. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "db_record.h"
#include "file.h"
#include "limits.h"
#include "mem.h"
#include "pack.h"

#define FILES 8
#define SECTOR 512
#define VERSIONS_MAX 100
#define NOTE_MAX 100

/* ---- what was recorded ---- */
struct event {
	enum db_record type;
	size_t file;			/* of all files; a note has none */
	uint64_t at;
	struct buf data;
};

struct disk_file {
	char name[64];			/* without the folder */
	struct buf durable;
	bool exists;
	size_t *pending;		/* events since its last flush */
	size_t n, room;
};

static struct event *events;
static size_t n_events, n_notes;
static struct disk_file files[FILES];
static size_t n_files;
static const char *base, *out;
static bool lying;

_Noreturn static void die(const char *what, const char *why)
{
	fprintf(stderr, "cuts: %s: %s\n", what, why);
	exit(2);
}

/* ---- random, the same for a seed ---- */
static uint64_t seed = 1;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool coin(void)
{
	return next_random() >> 40 & 1;
}

/* ---- reading ---- */
static size_t file_named(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char whole[FILE_PATH];
	struct err e;
	size_t i;

	for (i = 0; i < n_files; i++)
		if (strcmp(files[i].name, name) == 0)
			return i;
	if (n_files == FILES)
		die(path, "too many files");
	snprintf(files[n_files].name, sizeof files[i].name, "%s", name);
	if (base && file_join(whole, &e, base, name) == 0 && file_exists(whole)) {
		if (file_read(&files[n_files].durable, whole, LIMIT_BUF, &e) < 0)
			die(whole, e.text);
		files[n_files].exists = true;
	}
	return n_files++;
}

/* The record is larger than a buffer may be: it is read piece by piece. */
static void read_exactly(FILE *f, void *to, size_t n)
{
	if (fread(to, 1, n, f) != n)
		die("record", "it ends within an event");
}

static uint32_t read_u32(FILE *f)
{
	uint8_t b[4];

	read_exactly(f, b, sizeof b);
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void read_bytes(FILE *f, struct buf *b)
{
	uint32_t n = read_u32(f);
	void *data = mem_new(n + 1, 1);

	read_exactly(f, data, n);
	buf_set(b, data, n);
	free(data);
}

static void read_record(const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf name = {0};
	size_t room = 0;
	int type;

	if (!f)
		die(path, strerror(errno));
	while ((type = fgetc(f)) != EOF) {
		struct event *v;

		if (n_events == room) {
			room += 1024;
			events = mem_grow(events, room, sizeof *events);
		}
		v = &events[n_events++];
		*v = (struct event){ .type = (enum db_record)type };
		read_bytes(f, &name);
		v->at = (uint64_t)read_u32(f) << 32;
		v->at |= read_u32(f);
		read_bytes(f, &v->data);
		if (v->type == DB_NOTE)
			n_notes++;
		else
			v->file = file_named(buf_text(&name));
	}
	buf_free(&name);
	fclose(f);
}

/* ---- the disk ---- */
static void resize(struct buf *b, size_t size)
{
	static const uint8_t zeros[4096];

	if (size <= b->len)
		b->len = size;
	while (b->len < size)
		buf_add(b, zeros, size - b->len < sizeof zeros ? size - b->len : sizeof zeros);
}

static void apply(struct buf *to, const struct event *v, bool torn)
{
	if (v->type == DB_TRUNCATE) {
		resize(to, v->at);
		return;
	}
	if (to->len < v->at + v->data.len)
		resize(to, v->at + v->data.len);
	for (size_t i = 0; i < v->data.len; i += SECTOR)
		if (!torn || coin())
			memcpy(to->data + v->at + i, v->data.data + i, v->data.len - i < SECTOR ? v->data.len - i : SECTOR);
}

static void happens(const struct event *v, size_t i)
{
	struct disk_file *f = &files[v->file];

	if (v->type == DB_NOTE)
		return;
	f->exists = true;
	if (v->type != DB_FLUSH) {
		if (f->n == f->room) {
			f->room += 64;
			f->pending = mem_grow(f->pending, f->room, sizeof *f->pending);
		}
		f->pending[f->n++] = i;
	} else if (!lying) {
		for (size_t k = 0; k < f->n; k++)
			apply(&f->durable, &events[f->pending[k]], false);
		f->n = 0;
	}
}

enum cut { NOTHING, ALL, SOME, SHUFFLED, BEGINNING, SECTORS, CUTS };
static const char *const cut_names[CUTS] = { "nothing", "all", "some", "some in another order", "the beginning", "some sectors" };

static void image_of(const struct disk_file *f, enum cut cut, struct buf *image)
{
	size_t *order = mem_new(f->n + 1, sizeof *order), most = cut == BEGINNING && f->n ? next_random() % f->n : f->n;

	buf_set(image, f->durable.data, f->durable.len);
	for (size_t i = 0; i < f->n; i++)
		order[i] = f->pending[i];
	for (size_t i = f->n; cut == SHUFFLED && i > 1; i--) {
		size_t k = next_random() % i, kept = order[k];

		order[k] = order[i - 1];
		order[i - 1] = kept;
	}
	for (size_t i = 0; i < most && cut != NOTHING; i++)
		if (cut == ALL || cut == BEGINNING || cut == SECTORS || coin())
			apply(image, &events[order[i]], cut == SECTORS);
	if (cut == BEGINNING && most < f->n)
		apply(image, &events[order[most]], true);
	free(order);
}

static void write_image(enum cut cut)
{
	struct buf image = {0};
	char path[FILE_PATH + sizeof files[0].name + 8];

	for (size_t i = 0; i < n_files; i++) {
		FILE *f;

		snprintf(path, sizeof path, "%s/%s-shm", out, files[i].name);
		unlink(path);
		snprintf(path, sizeof path, "%s/%s", out, files[i].name);
		unlink(path);
		if (!files[i].exists)
			continue;
		image_of(&files[i], cut, &image);
		f = fopen(path, "we");
		if (!f || fwrite(image.data, 1, image.len, f) != image.len || fclose(f))
			die(path, strerror(errno));
		chmod(path, 0600);
	}
	buf_free(&image);
}

/* ---- what must hold ---- */
static size_t found;

static void bad(size_t n, enum cut cut, const char *what, const char *why)
{
	if (found++ < 20)
		printf("cut at event %zu of %zu, %s of what was not flushed is there: %s: %s\n", n, n_events, cut_names[cut], what, why);
}

/* A database is opened by one who knows its version; nothing migrates. */
static struct db *open_it(const char *name, struct err *e)
{
	static const char *const none[VERSIONS_MAX];
	static size_t version[FILES];
	size_t i = file_named(name);
	char path[FILE_PATH];
	struct db *d = NULL;

	if (file_join(path, e, out, name) < 0)
		return NULL;
	if (version[i])
		d = db_open(path, none, version[i], e);
	for (size_t v = 1; !d && !version[i] && v < VERSIONS_MAX; v++)
		if ((d = db_open(path, none, v, e)))
			version[i] = v;
	if (d && db_run(db_stmt(d, "PRAGMA synchronous = OFF"), e) < 0)	/* it has been read: what is written now is thrown away */
		die(path, e->text);
	return d;
}

/* Each is a count of what is wrong. s: the signer, n: the node. NOT IN, which makes an index of its own where the databases have none. */
static const struct {
	const char *what, *sql;
	bool node;
} checks[] = {
	{ "certificates of the ledger that the signer does not know",
	  "SELECT count(*) FROM request WHERE certificate IS NOT NULL AND ifnull(certificate_sha256, '') NOT IN"
	  " (SELECT sha256 FROM s.signed WHERE sha256 IS NOT NULL)", false },
	{ "certificates that the signer has told and the ledger lacks",
	  "SELECT count(*) FROM s.signed g WHERE g.changed <= (SELECT value FROM meta WHERE name = 'signer') AND ifnull(g.sha256, '') NOT IN"
	  " (SELECT certificate_sha256 FROM request WHERE certificate_sha256 IS NOT NULL)", false },
	{ "positions: the ledger before what it has told, or behind the signer",
	  "SELECT count(*) FROM meta, s.position WHERE name = 'signer' AND NOT value BETWEEN told AND changes", false },
	{ "requests with two answers",
	  "SELECT count(*) FROM (SELECT 1 FROM s.signed GROUP BY unit, id, spki HAVING count(DISTINCT certificate) > 1)", false },
	{ "devices with two credentials",
	  "SELECT count(*) FROM (SELECT 1 FROM request WHERE state IN ('reserved', 'pending', 'active') GROUP BY device HAVING count(*) > 1)",
	  false },
	{ "reservations without end", "SELECT count(*) FROM request WHERE state = 'reserved'", false },
	{ "orders whose units are miscounted in the ledger",
	  "SELECT count(*) FROM work_order o WHERE used != (SELECT count(*) FROM device d WHERE d.order_id = o.id)", false },
	{ "orders whose keys are miscounted by the signer",
	  "SELECT count(*) FROM s.work_order o WHERE used != (SELECT count(*) FROM s.counted c WHERE c.order_id = o.id)", false },
	{ "orders with more units than keys",
	  "SELECT count(*) FROM work_order o WHERE used > (SELECT used FROM s.work_order w WHERE w.id = o.id)", false },
	{ "active ones that the signer was never told of",
	  "SELECT count(*) FROM request r JOIN s.signed g ON g.sha256 = r.certificate_sha256 WHERE r.state = 'active' AND NOT g.active"
	  " AND NOT EXISTS (SELECT 1 FROM note WHERE certificate_sha256 = r.certificate_sha256)", false },
	{ "credentials of the node that its CA does not know",
	  "SELECT count(*) FROM n.request WHERE sha256 IS NOT NULL AND sha256 NOT IN"
	  " (SELECT certificate_sha256 FROM request WHERE certificate_sha256 IS NOT NULL)", true },
	{ "activations that the CA is not going to hear of",
	  "SELECT count(*) FROM n.request q JOIN request r ON r.certificate_sha256 = q.sha256 JOIN n.device d ON d.active = q.id"
	  " WHERE r.state = 'pending' AND NOT EXISTS (SELECT 1 FROM n.outbox o WHERE o.request = q.id)", true },
	{ "references to nothing", "SELECT count(*) FROM pragma_foreign_key_check", false },
};

/* -1: the database refuses. */
static int64_t number(struct db *d, const char *sql, const char *parameter)
{
	struct stmt *s = db_stmt(d, sql);
	int64_t n = -1;
	struct err e;

	if (parameter)
		bind_text(s, 1, parameter);
	if (db_step(s, &e) == 1)
		n = col_int(s, 0);
	db_reset(s);
	return n;
}

/* What is there, by hash: the databases have no such index. */
static const struct {
	const char *sql;
	bool node;
} collected[] = {
	{ "CREATE TEMP TABLE there AS SELECT hex(certificate_sha256) AS hash, state FROM request WHERE certificate_sha256 IS NOT NULL", false },
	{ "CREATE INDEX temp.there_hash ON there(hash)", false },
	{ "CREATE TEMP TABLE held AS SELECT hex(sha256) AS hash, id IN (SELECT active FROM n.device) AS active FROM n.request"
	  " WHERE sha256 IS NOT NULL", true },
	{ "CREATE INDEX temp.held_hash ON held(hash)", true },
};

/* What the load was told, as "issued SHA256" and so on. */
static const struct {
	const char *word, *sql;
} told[] = {
	{ "issued", "SELECT count(*) FROM there WHERE hash = ?1 AND state IN ('pending', 'active')" },
	{ "confirmed", "SELECT count(*) FROM there WHERE hash = ?1 AND state = 'active'" },
	{ "enrolled", "SELECT count(*) FROM held WHERE hash = ?1" },
	{ "onboarded", "SELECT count(*) FROM held WHERE hash = ?1 AND active" },
};

static void judge_answers(struct db *d, bool node, size_t at, enum cut cut)
{
	char word[NOTE_MAX], sha256[NOTE_MAX];
	const char *text;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(collected); i++)
		if ((!collected[i].node || node) && db_run(db_stmt(d, collected[i].sql), &e) < 0) {
			bad(at, cut, "what is there cannot be read", e.text);
			return;
		}
	for (size_t i = 0; i < at; i++) {
		if (events[i].type != DB_NOTE)
			continue;
		text = buf_text(&events[i].data);
		if (sscanf(text, "%99s %99s", word, sha256) != 2)
			die("note", text);
		for (size_t k = 0; k < ARRAY_LEN(told); k++)
			if (strcmp(told[k].word, word) == 0 && number(d, told[k].sql, sha256) != 1)
				bad(at, cut, "what was answered is not there", text);
	}
}

static void judge_audit(const char *name, size_t at, enum cut cut)
{
	struct err e = {0};
	struct db *d = open_it(name, &e);
	struct stmt *s;
	int64_t rows;

	if (!d || audit_verify(d, &rows, &e) < 0) {
		bad(at, cut, name, e.text);
	} else {
		s = db_stmt(d, "PRAGMA integrity_check(1)");
		if (db_step(s, &e) != 1 || strcmp(col_text(s, 0), "ok") != 0)
			bad(at, cut, name, "it is damaged");
		db_reset(s);
	}
	db_close(d);
}

static void attach(struct db *d, const char *name, char as, size_t at, enum cut cut)
{
	static char sql[2][FILE_PATH + 40];
	char *to = sql[as == 'n'];
	struct err e;

	snprintf(to, sizeof sql[0], "ATTACH '%s/%s' AS %c", out, name, as);
	if (db_run(db_stmt(d, to), &e) < 0)
		bad(at, cut, name, e.text);
}

static void judge(size_t at, enum cut cut)
{
	bool node = false;
	struct err e = {0};
	struct db *d;

	for (size_t i = 0; i < n_files; i++) {
		if (!strstr(files[i].name, "-wal"))
			judge_audit(files[i].name, at, cut);
		node = node || strcmp(files[i].name, "node.db") == 0;
	}
	d = open_it("ca.db", &e);
	if (!d) {
		bad(at, cut, "ca.db", e.text);
		return;
	}
	attach(d, "signer.db", 's', at, cut);
	if (node)
		attach(d, "node.db", 'n', at, cut);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if ((!checks[i].node || node) && number(d, checks[i].sql, NULL) != 0)
			bad(at, cut, "there are", checks[i].what);
	judge_answers(d, node, at, cut);
	db_close(d);
}

/* ---- all of it ---- */
static size_t count_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || !*text)
		die(text, "not a number");
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "record", 1, NULL, 'r' }, { "base", 1, NULL, 'b' }, { "out", 1, NULL, 'o' },
		{ "cuts", 1, NULL, 'c' }, { "seed", 1, NULL, 's' }, { "lying", 0, NULL, 'l' }, { "only", 1, NULL, 'n' },
		{ "there", 1, NULL, 't' }, { NULL, 0, NULL, 0 } };
	size_t cuts = 100, only = SIZE_MAX, done = 0;
	const char *record = NULL, *there = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'r': record = optarg; break;
		case 'b': base = optarg; break;
		case 'o': out = optarg; break;
		case 'c': cuts = count_of(optarg); break;
		case 's': seed = count_of(optarg) | 1; break;
		case 'l': lying = true; break;
		case 'n': only = count_of(optarg); break;
		case 't': there = out = optarg; break;
		default: die("usage", "see the top of cuts.c");
		}
	if (!record || !out || !base == !there)
		die("usage", "see the top of cuts.c");
	unsetenv("HANDSEL_DB_RECORD");
	read_record(record);
	if (n_events < (there ? 1 : 100) || !n_notes)
		die(record, "too little was recorded");
	if (there) {
		file_named("ca.db");
		file_named("signer.db");
		judge(n_events, ALL);
		printf("%zu answers, %zu exceptions\n", n_notes, found);
		return found ? 1 : 0;
	}
	for (size_t i = 0; i < n_events && found < 20; i++) {
		while (done < cuts && i == (2 * done + 1) * n_events / (2 * cuts)) {
			enum cut cut = (enum cut)(done % CUTS);

			if (only == SIZE_MAX || only == done)
				write_image(cut);
			if (only == SIZE_MAX)
				judge(i, cut);
			if (only == done)
				return 0;
			done++;
		}
		happens(&events[i], i);
	}
	printf("%zu events, %zu answers, %zu cuts, %zu exceptions\n", n_events, n_notes, done, found);
	return found ? 1 : 0;
}
