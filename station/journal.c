#include <config.h>

#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "conf.h"
#include "digest.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"

#define ENTRY_MAX 4096		/* a file: a dozen short lines */
#define CUTS_MAX 10000		/* units that wait for their devices; more is another program's folder */
#define SUFFIX ".yaml"

struct journal {
	char folder[FILE_PATH];
	int lock_fd;
	pthread_mutex_t lock;		/* of what follows */
	struct journal_entry *cut;
	size_t n;
};

/* ---- a file ------------------------------------------------------------------------- */

/* Serials may have any printable character: in single quotes YAML doubles these and leaves all others alone. */
static void put(struct buf *b, const char *name, const char *text)
{
	buf_str(b, name);
	buf_str(b, ": '");
	for (; *text; text++)
		buf_add(b, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
	buf_str(b, "'\n");
}

static void put_number(struct buf *b, const char *name, uint32_t n)
{
	char text[12];

	snprintf(text, sizeof text, "%lu", (unsigned long)n);
	buf_str(b, name);
	buf_str(b, ": ");
	buf_str(b, text);
	buf_str(b, "\n");
}

static void put_time(struct buf *b, const char *name, int64_t utc)
{
	char text[TEXT_TIME];

	text_time(text, utc);
	put(b, name, text);
}

static bool has_label(const struct journal_entry *x)
{
	static const uint8_t none[SHA256_LEN];

	return memcmp(x->labelled, none, SHA256_LEN) != 0;
}

void journal_entry_write(const struct journal_entry *x, struct buf *text)
{
	char hex[SHA256_HEX];

	buf_str(text, "version: 1\n");
	put(text, "record", x->record);
	put(text, "order", x->order);
	put(text, "slot", x->slot);
	put(text, "port", x->port);
	put(text, "phase", phase_name(x->phase));
	put_time(text, "start", x->start);
	put_time(text, "time", x->time);
	put_number(text, "tries", x->tries);
	if (x->device.serial[0]) {
		put(text, "manufacturer", x->device.manufacturer);
		put(text, "model", x->device.model);
		put(text, "serial", x->device.serial);
	}
	if (x->request.id[0]) {
		put(text, "request", x->request.id);
		put_number(text, "generation", x->request.generation);
	}
	if (x->label_given)
		put_number(text, "label-given", x->label_given);
	if (has_label(x)) {
		text_hex(hex, x->labelled, SHA256_LEN);
		put(text, "labelled", hex);
	}
	digest_sha256_hex(hex, text->data, text->len);
	put(text, "sha256", hex);
}

enum { AT_VERSION, AT_RECORD, AT_ORDER, AT_SLOT, AT_PORT, AT_PHASE, AT_START, AT_TIME, AT_TRIES, AT_SHA256, AT_MANUFACTURER, AT_MODEL, AT_SERIAL, AT_REQUEST,
       AT_GENERATION, AT_LABEL_GIVEN, AT_LABELLED };

static int read_names(struct journal_entry *x, const struct conf_node *const *v, struct err *e)
{
	uint64_t tries, generation = 0, given = 0;

	if (conf_str(v[AT_RECORD], x->record, sizeof x->record, e) < 0 || conf_str(v[AT_ORDER], x->order, sizeof x->order, e) < 0 ||
	    conf_str(v[AT_SLOT], x->slot, sizeof x->slot, e) < 0 || conf_str(v[AT_PORT], x->port, sizeof x->port, e) < 0 ||
	    conf_str(v[AT_MANUFACTURER], x->device.manufacturer, sizeof x->device.manufacturer, e) < 0 ||
	    conf_str(v[AT_MODEL], x->device.model, sizeof x->device.model, e) < 0 ||
	    conf_str(v[AT_SERIAL], x->device.serial, sizeof x->device.serial, e) < 0 ||
	    conf_str(v[AT_REQUEST], x->request.id, sizeof x->request.id, e) < 0 ||
	    conf_uint(v[AT_LABEL_GIVEN], &given, 0, UINT32_MAX, e) < 0 || conf_uint(v[AT_TRIES], &tries, 1, UINT32_MAX, e) < 0 || conf_uint(v[AT_GENERATION], &generation, 0, UINT32_MAX, e) < 0)
		return -1;
	x->tries = (uint32_t)tries;
	x->label_given = (uint32_t)given;
	x->request.generation = (uint32_t)generation;
	if (!record_id_valid(x->record))
		return conf_error(v[AT_RECORD], e, "this is no record's id");
	if (v[AT_SERIAL] && !device_valid(&x->device))
		return conf_error(v[AT_SERIAL], e, "this is no device's name");
	if (x->request.id[0] && !request_id_valid(&x->request))
		return conf_error(v[AT_REQUEST], e, "this is no request id");
	if (v[AT_LABELLED] && text_unhex(x->labelled, SHA256_LEN, conf_text(v[AT_LABELLED])) < 0)
		return conf_error(v[AT_LABELLED], e, "this is no hash");
	return 0;
}

static int read_phase(struct journal_entry *x, const struct conf_node *const *v, struct err *e)
{
	x->phase = phase_parse(conf_text(v[AT_PHASE]));
	if (x->phase == PHASES)
		return conf_error(v[AT_PHASE], e, "there is no such phase");
	if (text_untime(&x->start, conf_text(v[AT_START])) < 0)
		return conf_error(v[AT_START], e, "this is no time");
	return text_untime(&x->time, conf_text(v[AT_TIME])) < 0 ? conf_error(v[AT_TIME], e, "this is no time") : 0;
}

/* The last line is the hash of all before it. */
static int read_sha256(const struct conf_node *n, const struct buf *text, struct err *e)
{
	size_t last = strlen("sha256: ''\n") + SHA256_HEX - 1;
	char hex[SHA256_HEX];

	digest_sha256_hex(hex, text->data, text->len > last ? text->len - last : 0);
	return strcmp(hex, conf_text(n)) == 0 ? 0 : conf_error(n, e, "the lines before are not those that were written");
}

int journal_entry_read(struct journal_entry *x, const char *name, const struct buf *text, struct err *e)
{
	static const struct conf_field fields[] = {
		[AT_VERSION] = { "version", CONF_SCALAR, true },   [AT_RECORD] = { "record", CONF_SCALAR, true },
		[AT_ORDER] = { "order", CONF_SCALAR, true },	[AT_SLOT] = { "slot", CONF_SCALAR, true },
		[AT_PORT] = { "port", CONF_SCALAR, true },		[AT_PHASE] = { "phase", CONF_SCALAR, true },
		[AT_START] = { "start", CONF_SCALAR, true },	[AT_TIME] = { "time", CONF_SCALAR, true },
		[AT_TRIES] = { "tries", CONF_SCALAR, true },	[AT_SHA256] = { "sha256", CONF_SCALAR, true },
		[AT_MANUFACTURER] = { "manufacturer", CONF_SCALAR, false }, [AT_MODEL] = { "model", CONF_SCALAR, false },
		[AT_SERIAL] = { "serial", CONF_SCALAR, false },    [AT_REQUEST] = { "request", CONF_SCALAR, false },
		[AT_GENERATION] = { "generation", CONF_SCALAR, false }, [AT_LABEL_GIVEN] = { "label-given", CONF_SCALAR, false },
		[AT_LABELLED] = { "labelled", CONF_SCALAR, false },
	};
	const struct conf_node *v[ARRAY_LEN(fields)];
	struct conf *c = conf_parse(name, text, e);
	int rc = -1;

	memset(x, 0, sizeof *x);
	if (c && conf_fields(conf_root(c), fields, ARRAY_LEN(fields), v, e) == 0 && conf_version(v[AT_VERSION], conf_root(c), e) == 0 &&
	    read_sha256(v[AT_SHA256], text, e) == 0 && read_phase(x, v, e) == 0)
		rc = read_names(x, v, e);
	conf_free(c);
	return rc;
}

/* ---- the folder ----------------------------------------------------------------------- */

int journal_write(const struct journal *j, const struct journal_entry *x, struct err *e)
{
	char path[FILE_PATH];
	struct buf text = {0};
	int rc;

	journal_entry_write(x, &text);
	FAULT("station.journal.write");
	rc = file_join_end(path, e, j->folder, x->record, SUFFIX) < 0 ? -1 : file_replace(path, text.data, text.len, 0600, e);
	FAULT("station.journal.written");
	buf_free(&text);
	return rc < 0 ? err_prefix(e, "the journal") : 0;
}

/* Nothing is deleted: a person may still read what it was about. */
static void set_aside(const struct journal *j, const char *name, const struct err *why)
{
	char path[FILE_PATH], aside[FILE_PATH];
	struct err e;

	if (file_join(path, &e, j->folder, name) < 0 ||
	    (size_t)snprintf(aside, sizeof aside, "%s.damaged", path) >= sizeof aside || rename(path, aside) < 0)
		log_err(why, "the journal of one unit cannot be read, nor renamed to .damaged");
	else
		log_err(why, "the journal of one unit cannot be read; it is kept as %s. Put the unit of that time into its slot again", aside);
}

static int has_its_name(const struct journal_entry *x, const char *name, struct err *e)
{
	if (strlen(name) == RECORD_ID_LEN + strlen(SUFFIX) && strncmp(name, x->record, RECORD_ID_LEN) == 0)
		return 0;
	return err_set(e, REASON_CONFIG, "%s is of record %s", name, x->record);
}

static void read_file(struct journal *j, const char *name)
{
	size_t len = strlen(name);
	char path[FILE_PATH];
	struct journal_entry x;
	struct buf text = {0};
	struct err e;

	if (len <= strlen(SUFFIX) || strcmp(name + len - strlen(SUFFIX), SUFFIX) != 0 || j->n == CUTS_MAX)
		return;
	if (file_join(path, &e, j->folder, name) < 0 || file_read(&text, path, ENTRY_MAX, &e) < 0 ||
	    journal_entry_read(&x, name, &text, &e) < 0 || has_its_name(&x, name, &e) < 0)
		set_aside(j, name, &e);
	else
		journal_put_back(j, &x);
	buf_free(&text);
}

static int by_time(const void *a, const void *b)
{
	const struct journal_entry *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

static int read_folder(struct journal *j, struct err *e)
{
	DIR *d = opendir(j->folder);
	const struct dirent *entry;

	if (!d)
		return err_errno(e, REASON_STORAGE, "cannot read folder %s", j->folder);
	while ((entry = readdir(d)))
		read_file(j, entry->d_name);
	closedir(d);
	if (j->n)
		qsort(j->cut, j->n, sizeof *j->cut, by_time);
	return 0;
}

static int lock_folder(struct journal *j, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, j->folder, "lock") < 0)
		return -1;
	j->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->lock_fd < 0)
		return err_errno(e, REASON_STORAGE, "cannot open %s", path);
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? err_set(e, REASON_CONFIG, "another handsel-station works in this folder; end it first, or give "
					      "each its own --dir")
				    : err_errno(e, REASON_STORAGE, "cannot lock %s", path);
}

struct journal *journal_open(const char *dir, struct err *e)
{
	struct journal *j = mem_new(1, sizeof *j);

	pthread_mutex_init(&j->lock, NULL);
	j->lock_fd = -1;
	if (file_join(j->folder, e, dir, "journal") == 0 && file_mkdir(j->folder, e) == 0 && lock_folder(j, e) == 0 &&
	    read_folder(j, e) == 0)
		return j;
	journal_close(j);
	return NULL;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	pthread_mutex_destroy(&j->lock);
	free(j->cut);
	free(j);
}

/* ---- the cuts ---------------------------------------------------------------------------- */

size_t journal_count(const struct journal *j)
{
	return j->n;
}

const struct journal_entry *journal_cut(const struct journal *j, size_t i)
{
	return &j->cut[i];
}

static void drop(struct journal *j, size_t i)
{
	memmove(&j->cut[i], &j->cut[i + 1], (--j->n - i) * sizeof *j->cut);
}

int journal_remove(struct journal *j, const char *record, struct err *e)
{
	char path[FILE_PATH];

	pthread_mutex_lock(&j->lock);
	for (size_t i = j->n; i-- > 0;)
		if (strcmp(j->cut[i].record, record) == 0)
			drop(j, i);
	pthread_mutex_unlock(&j->lock);
	FAULT("station.journal.remove");
	if (file_join_end(path, e, j->folder, record, SUFFIX) < 0 || file_remove(path, e) < 0)
		return err_prefix(e, "the journal");
	FAULT("station.journal.removed");
	return 0;
}

bool journal_take(struct journal *j, const char *order, const char *serial, struct journal_entry *out)
{
	bool found = false;

	pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < j->n && !found; i++)
		if (strcmp(j->cut[i].order, order) == 0 && strcmp(j->cut[i].device.serial, serial) == 0) {
			*out = j->cut[i];
			drop(j, i);
			found = true;
		}
	pthread_mutex_unlock(&j->lock);
	return found;
}

void journal_put_back(struct journal *j, const struct journal_entry *x)
{
	pthread_mutex_lock(&j->lock);
	j->cut = mem_grow(j->cut, j->n + 1, sizeof *j->cut);
	j->cut[j->n++] = *x;
	pthread_mutex_unlock(&j->lock);
}
