#include <config.h>

#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "file.h"
#include "mem.h"
#include "record_index.h"

static int spool_folder(char folder[FILE_PATH], const char *dir, enum spool_place place, struct err *e)
{
	static const char *const names[] = { "spool", "spool/refused", "spool/dropped" };

	return file_join(folder, e, dir, names[place]);
}

/* The paths of a record and of what is known of it. */
static int spool_paths(char json[FILE_PATH], char text[FILE_PATH], const char *dir, enum spool_place place, const char *id, struct err *e)
{
	char folder[FILE_PATH];

	if (spool_folder(folder, dir, place, e) < 0 || records_path(json, folder, id, "json", e) < 0)
		return -1;
	return records_path(text, folder, id, "txt", e);
}

int spool_lock(const char *dir, struct err *e)
{
	char folder[FILE_PATH];
	int fd;

	if (spool_folder(folder, dir, SPOOL_WAITING, e) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	if (fd < 0 && errno == ENOENT)
		return err_set(e, REASON_CONFIG, "no record of this station has waited for a MES yet: there is no folder %s", folder);
	err_errno(e, REASON_STORAGE, "cannot lock folder %s", folder);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- what is there ---------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct spooled *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void add_file(int fd, const char *name, struct spooled **list, size_t *n)
{
	struct spooled one = {0};
	struct stat st;

	if (strlen(name) != RECORD_ID_LEN + 5 || strcmp(name + RECORD_ID_LEN, ".json") != 0 || fstatat(fd, name, &st, 0) < 0)
		return;
	memcpy(one.id, name, RECORD_ID_LEN);
	one.time_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	if (!record_id_valid(one.id))
		return;
	*list = mem_grow(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = one;
}

int spool_list(const char *dir, enum spool_place place, struct spooled **list, size_t *n, struct err *e)
{
	char folder[FILE_PATH];
	struct dirent *d;
	DIR *handle;

	*list = NULL;
	*n = 0;
	if (spool_folder(folder, dir, place, e) < 0)
		return -1;
	handle = opendir(folder);
	if (!handle)
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot read folder %s", folder);
	while ((d = readdir(handle)))
		add_file(dirfd(handle), d->d_name, list, n);
	closedir(handle);
	if (*n)
		qsort(*list, *n, sizeof **list, by_time);
	return 0;
}

void spool_serial(char serial[LIMIT_SERIAL + 1], const char *dir, const char *id)
{
	struct record r = {0};
	struct err e;

	if (records_read(dir, id, &r, &e) < 0 || text_copy(serial, LIMIT_SERIAL + 1, record_serial(&r)) < 0)
		strcpy(serial, "-");
	record_free(&r);
}

/* ---- what is known of one ------------------------------------------------------------- */

/* "TRIES SERIAL" and a line of text, of one that waits; of others the text alone. */
static bool parse_note(struct spool_note *note, enum spool_place place, char *text)
{
	char *line = text, *serial;
	uint64_t tries;

	if (place == SPOOL_WAITING) {
		line = strchr(text, '\n');
		serial = strchr(text, ' ');
		if (!line || !serial || serial > line)
			return false;
		*line++ = 0;
		*serial++ = 0;
		if (text_uint(&tries, text, UINT32_MAX) < 0 || text_copy(note->serial, sizeof note->serial, serial) < 0)
			return false;
		note->tries = (unsigned)tries;
	}
	line[strcspn(line, "\n")] = 0;
	snprintf(note->text, sizeof note->text, "%s", line);
	return true;
}

bool spool_note(struct spool_note *note, const char *dir, enum spool_place place, const char *id)
{
	char json[FILE_PATH], path[FILE_PATH], *text;
	struct buf b = {0};
	struct stat st;
	struct err e;
	bool rc = false;

	*note = (struct spool_note){ .serial = "-" };
	if (spool_paths(json, path, dir, place, id, &e) < 0 || stat(path, &st) < 0)
		return false;
	if (file_read(&b, path, 0, &e) == 0) {
		note->time = st.st_mtim.tv_sec;
		text = mem_str(buf_text(&b));
		rc = parse_note(note, place, text);
		free(text);
	}
	buf_free(&b);
	return rc;
}

int spool_tried(const struct spool_note *note, const char *dir, const char *id, struct err *e)
{
	char json[FILE_PATH], path[FILE_PATH], text[SPOOL_TEXT_MAX + LIMIT_SERIAL + 32];

	if (spool_paths(json, path, dir, SPOOL_WAITING, id, e) < 0)
		return -1;
	snprintf(text, sizeof text, "%u %s\n%s\n", note->tries, note->serial, note->text);
	return file_replace(path, text, strlen(text), 0644, e);
}

/* ---- moving -------------------------------------------------------------------------------- */

int spool_remove(const char *dir, const char *id, struct err *e)
{
	char json[FILE_PATH], text[FILE_PATH];

	/* A record without its note is sent at once; the other way round something would be left. */
	if (spool_paths(json, text, dir, SPOOL_WAITING, id, e) < 0 || file_remove(text, e) < 0)
		return -1;
	return file_remove(json, e);
}

/* First the reason, then the record: one without a reason is never seen. why NULL: there is none. */
static int move_to(const char *dir, const char *id, enum spool_place from, enum spool_place to, const char *why, struct err *e)
{
	char folder[FILE_PATH], source[FILE_PATH], old[FILE_PATH], target[FILE_PATH], text[FILE_PATH];

	if (spool_folder(folder, dir, to, e) < 0 || file_mkdir(folder, e) < 0 || spool_paths(source, old, dir, from, id, e) < 0 ||
	    spool_paths(target, text, dir, to, id, e) < 0)
		return -1;
	if ((why ? file_replace(text, why, strlen(why), 0644, e) : file_remove(text, e)) < 0)
		return -1;
	FAULT("station.mes.explained");
	if (rename(source, target) < 0)
		return err_errno(e, REASON_STORAGE, "cannot move %s", source);
	FAULT("station.mes.moved");
	/* Of two names of one file rename() leaves both. */
	if (file_sync_parent(target, e) < 0 || file_remove(source, e) < 0)
		return -1;
	return file_remove(old, e);
}

int spool_refuse(const char *dir, const char *id, const char *why, struct err *e)
{
	return move_to(dir, id, SPOOL_WAITING, SPOOL_REFUSED, why, e);
}

/* Where the record is; -1: in none of these places. */
static int place_of(const char *dir, const char *id, enum spool_place last)
{
	char json[FILE_PATH], text[FILE_PATH];
	struct err e;

	for (enum spool_place p = SPOOL_WAITING; p <= last; p++)
		if (spool_paths(json, text, dir, p, id, &e) == 0 && file_exists(json))
			return (int)p;
	return -1;
}

static int put_back(const char *dir, const char *id, struct err *e)
{
	char json[FILE_PATH], text[FILE_PATH];
	int place = place_of(dir, id, SPOOL_DROPPED);

	if (place < 0)
		return err_set(e, REASON_CONFIG, "record %s does not wait for the MES, and was not refused or dropped; queue list shows "
			       "those that are", id);
	if (place != SPOOL_WAITING)
		return move_to(dir, id, (enum spool_place)place, SPOOL_WAITING, NULL, e);
	return spool_paths(json, text, dir, SPOOL_WAITING, id, e) < 0 ? -1 : file_remove(text, e);
}

static int drop(const char *dir, const char *id, const char *why, struct err *e)
{
	int place = place_of(dir, id, SPOOL_REFUSED);

	if (place < 0)
		return err_set(e, REASON_CONFIG, "record %s does not wait for the MES, and was not refused; queue list shows those that are", id);
	return move_to(dir, id, (enum spool_place)place, SPOOL_DROPPED, why, e);
}

int spool_put_back(const char *dir, const char *id, struct err *e)
{
	int fd = spool_lock(dir, e), rc;

	if (fd < 0)
		return -1;
	rc = put_back(dir, id, e);
	close(fd);
	return rc;
}

int spool_drop(const char *dir, const char *id, const char *why, struct err *e)
{
	int fd = spool_lock(dir, e), rc;

	if (fd < 0)
		return -1;
	rc = drop(dir, id, why, e);
	close(fd);
	return rc;
}
