#include <config.h>

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "limits.h"
#include "mem.h"

static int read_all(struct buf *out, int fd, const char *path, size_t max, struct err *e)
{
	for (size_t got = 0;;) {
		uint8_t block[16384];
		ssize_t n = read(fd, block, sizeof block);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, REASON_CONFIG, "cannot read %s", path);
		if (n == 0)
			return 0;
		got += (size_t)n;
		if (got > max)
			return err_set(e, REASON_CONFIG, "%s is longer than %zu bytes", path, max);
		buf_add(out, block, (size_t)n);
		mem_wipe(block, (size_t)n);
	}
}

/* What a service manager hands to us alone it may give to us by an access list, whose mask shows as the group's rights. */
static mode_t for_others(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t n = dir ? strlen(dir) : 0;

	return n && strncmp(path, dir, n) == 0 && path[n] == '/' ? 037 : 077;
}

static int open_and_read(struct buf *out, const char *path, size_t max, bool secret, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = -1;
	struct stat st;

	if (fd < 0)
		return err_errno(e, REASON_CONFIG, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		err_errno(e, REASON_CONFIG, "cannot read %s", path);
	else if (S_ISDIR(st.st_mode))
		err_set(e, REASON_CONFIG, "%s is a folder, a file is needed", path);
	else if (secret && (st.st_mode & for_others(path)))
		err_set(e, REASON_CONFIG, "%s holds a secret and others can read it: chmod 600 it, and change the secret if in doubt",
			path);
	else
		rc = read_all(out, fd, path, max, e);
	close(fd);
	return rc;
}

int file_read(struct buf *out, const char *path, size_t max, struct err *e)
{
	size_t limit = max ? max : LIMIT_FILE;

	if (limit > LIMIT_BUF && !out->max)
		out->max = limit;
	return open_and_read(out, path, limit, false, e);
}

int file_read_secret(struct buf *out, const char *path, struct err *e)
{
	return open_and_read(out, path, LIMIT_FILE, true, e);
}

int file_sync_parent(const char *path, struct err *e)
{
	char copy[FILE_PATH];
	const char *dir;
	int fd, rc;

	snprintf(copy, sizeof copy, "%s", path);
	dir = dirname(copy);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, REASON_STORAGE, "cannot open folder %s", dir);
	rc = fsync(fd);
	close(fd);
	return rc == 0 ? 0 : err_errno(e, REASON_STORAGE, "cannot flush folder %s", dir);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Of the temporary file's name, between the file's own and what makes it unique. */
#define TEMPORARY ".new-"

int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	char temporary[FILE_PATH];
	int fd, n;

	/* The name is unique to the process and the thread's stack: several may replace one file. */
	n = snprintf(temporary, sizeof temporary, "%s" TEMPORARY "%ld-%lx", path, (long)getpid(), (unsigned long)(size_t)&fd);
	if (n < 0 || (size_t)n >= sizeof temporary)
		return err_set(e, REASON_CONFIG, "path too long: %s", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_errno(e, REASON_STORAGE, "cannot create %s", temporary);
	FAULT("file.replace.opened");
	if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 || fsync(fd) < 0) {
		err_errno(e, REASON_STORAGE, "cannot write %s", temporary);
		close(fd);
		unlink(temporary);
		return -1;
	}
	close(fd);
	FAULT("file.replace.written");
	if (rename(temporary, path) < 0) {
		err_errno(e, REASON_STORAGE, "cannot rename to %s", path);
		unlink(temporary);
		return -1;
	}
	FAULT("file.replace.renamed");
	return file_sync_parent(path, e);
}

int file_mkdir(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return file_sync_parent(path, e);
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_errno(e, REASON_STORAGE, "cannot create folder %s", path);
}

int file_remove(const char *path, struct err *e)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(e, REASON_STORAGE, "cannot remove %s", path);
	}
	return file_sync_parent(path, e);
}

#define TREE_DEPTH 64	/* folders below one another: far above what we make, and a bound for the stack */

static int remove_tree(const char *dir, int depth, struct err *e)
{
	char path[FILE_PATH];
	struct dirent *d;
	struct stat st;
	DIR *stream = opendir(dir);
	int rc = 0;

	if (!stream)
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot read folder %s", dir);
	while (rc == 0 && (d = readdir(stream))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		rc = file_join(path, e, dir, d->d_name);
		if (rc == 0 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && depth < TREE_DEPTH)
			rc = remove_tree(path, depth + 1, e);
		else if (rc == 0 && unlink(path) < 0)
			rc = err_errno(e, REASON_STORAGE, "cannot remove %s", path);
	}
	closedir(stream);
	return rc == 0 && rmdir(dir) < 0 ? err_errno(e, REASON_STORAGE, "cannot remove %s", dir) : rc;
}

int file_remove_tree(const char *path, struct err *e)
{
	return remove_tree(path, 0, e);
}

int file_sweep(const char *folder, struct err *e)
{
	char path[FILE_PATH];
	struct dirent *d;
	DIR *dir = opendir(folder);
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot open folder %s", folder);
	while (rc == 0 && (d = readdir(dir)))
		if (strstr(d->d_name, TEMPORARY) && (rc = file_join(path, e, folder, d->d_name)) == 0)
			rc = file_remove(path, e);
	closedir(dir);
	return rc;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int file_join(char out[FILE_PATH], struct err *e, const char *dir, const char *name)
{
	return file_join_end(out, e, dir, name, "");
}

int file_join_end(char out[FILE_PATH], struct err *e, const char *dir, const char *name, const char *end)
{
	int n = snprintf(out, FILE_PATH, "%s/%s%s", dir, name, end);

	if (n < 0 || n >= FILE_PATH)
		return err_set(e, REASON_CONFIG, "path too long: %s/%s%s", dir, name, end);
	return 0;
}
