#include <config.h>

#include "reprints.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "record_index.h"

static int path_of(char path[FILE_PATH], const char *dir, struct err *e)
{
	return file_join(path, e, dir, "reprints");
}

/* ---- lines ------------------------------------------------------------------------------ */

/* The next word of a line, into a field; what follows it. NULL: there is none, or it is too long. */
static const char *word(const char *at, char *out, size_t size)
{
	size_t n = at ? strcspn(at, " ") : 0;

	if (n == 0 || n >= size || at[n] != ' ')
		return NULL;
	memcpy(out, at, n);
	out[n] = 0;
	return at + n + 1;
}

static int parse(struct reprint *r, const char *line, struct err *e)
{
	char previous[SHA256_HEX], time[TEXT_TIME], event[8];
	const char *rest = word(line, previous, sizeof previous);

	memset(r, 0, sizeof *r);
	rest = word(rest, time, sizeof time);
	rest = word(rest, event, sizeof event);
	rest = word(rest, r->record, sizeof r->record);
	rest = word(rest, r->serial, sizeof r->serial);
	rest = word(rest, r->operator, sizeof r->operator);
	r->printed = rest && strcmp(event, "printed") == 0;
	if (!rest || text_unhex(r->previous, SHA256_LEN, previous) < 0 || text_untime(&r->time, time) < 0 ||
	    (!r->printed && strcmp(event, "asked") != 0) || !record_id_valid(r->record) || !text_is_name(rest, WHO_REASON_MAX))
		return err_set(e, REASON_REQUEST, "this is no line of a file of reprints: %.60s", line);
	text_copy(r->reason, sizeof r->reason, rest);
	return 0;
}

static void format(const struct reprint *r, struct buf *line)
{
	char previous[SHA256_HEX], time[TEXT_TIME];

	text_hex(previous, r->previous, SHA256_LEN);
	text_time(time, r->time);
	buf_fmt(line, "%s %s %s %s %s %s %s\n", previous, time, r->printed ? "printed" : "asked", r->record, r->serial, r->operator,
		r->reason);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* The hash of its last whole line, and where that ends. */
static int read_end(const char *path, uint8_t hash[SHA256_LEN], off_t *end, struct err *e)
{
	struct buf text = {0};
	const char *lf, *begin;

	memset(hash, 0, SHA256_LEN);
	*end = 0;
	if (file_read(&text, path, REPRINT_FILE_MAX, e) < 0)
		return -1;
	lf = text.len ? memrchr(text.data, '\n', text.len) : NULL;
	if (lf) {
		*end = lf + 1 - buf_text(&text);
		text.data[*end - 1] = 0;
		begin = memrchr(text.data, '\n', (size_t)*end - 1);
		index_hash(hash, begin ? begin + 1 : buf_text(&text));
	}
	buf_free(&text);
	return 0;
}

static int append(int fd, const char *path, struct reprint *r, struct err *e)
{
	struct buf line = {0};
	off_t end;
	int rc = read_end(path, r->previous, &end, e);

	r->time = clock_utc();
	format(r, &line);
	if (rc == 0 && (ftruncate(fd, end) < 0 || write(fd, line.data, line.len) != (ssize_t)line.len || fsync(fd) < 0))
		rc = err_errno(e, REASON_STORAGE, "cannot write %s", path);
	buf_free(&line);
	return rc;
}

int reprints_add(const char *dir, struct reprint *r, struct err *e)
{
	char path[FILE_PATH];
	int fd, rc = -1;

	if (path_of(path, dir, e) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		err_errno(e, REASON_STORAGE, "cannot open %s", path);
	else if (file_sync_parent(path, e) == 0)
		rc = append(fd, path, r, e);
	if (fd >= 0)
		close(fd);
	return rc;
}

int reprints_each(const char *dir, void (*visit)(void *arg, const struct reprint *r, bool follows), void *arg, struct err *e)
{
	uint8_t expected[SHA256_LEN] = { 0 };
	struct buf text = {0};
	char path[FILE_PATH];
	struct reprint r;
	int rc = 0;

	if (path_of(path, dir, e) < 0)
		return -1;
	if (!file_exists(path))
		return 0;
	if (file_read(&text, path, REPRINT_FILE_MAX, e) < 0)
		return -1;
	for (char *line = (char *)text.data, *end; rc == 0 && line && (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		rc = parse(&r, line, e);
		if (rc == 0)
			visit(arg, &r, memcmp(r.previous, expected, SHA256_LEN) == 0);
		index_hash(expected, line);
	}
	buf_free(&text);
	return rc;
}
