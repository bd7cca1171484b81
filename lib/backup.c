#include <config.h>

#include "backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "cms.h"
#include "db.h"
#include "digest.h"
#include "fault.h"
#include "limits.h"
#include "mem.h"
#include "oid.h"

#define HEAD "handsel-backup 1 "
#define PART ".part"		/* what was cut is recognised by its name, and made anew */
#define DEPTH_MAX 6		/* cas/ID/gen-N/keys/FILE is 5 */
#define LAST "signer.db"	/* after the ledger beside it: so the signer is ahead, which is what reconciling is for */

struct entry {
	char path[FILE_PATH];	/* within the folder */
	char sha256[SHA256_HEX];
	unsigned mode;
	uint64_t size;
};
struct list {
	char program[32];
	struct entry *of;
	size_t n;
};

void backup_free(struct backup *b)
{
	free(b->left_out);
	*b = (struct backup){0};
}

/* ---- files ---- */
static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* What belongs to a running program, and not to what it knows. */
static bool is_passing(const char *name)
{
	return ends_with(name, "-wal") || ends_with(name, "-shm") || ends_with(name, "-journal") || strcmp(name, "status.yaml") == 0 ||
	       ends_with(name, PART) || name[0] == '.';
}

static bool contains(const struct buf *b, const char *text)
{
	return b->len && memmem(b->data, b->len, text, strlen(text));
}

static int hash_file(char hex[SHA256_HEX], uint64_t *size, const char *path, struct err *e)
{
	uint8_t hash[SHA256_LEN];
	struct stat st;

	if (digest_sha256_file(hash, path, e) < 0)
		return -1;
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return err_errno(e, REASON_STORAGE, "%s is no plain file", path);
	*size = (uint64_t)st.st_size;
	text_hex(hex, hash, sizeof hash);
	return 0;
}

/* Of any length; the file is on the disk afterwards. */
static int copy_file(const char *from, const char *to, unsigned mode, struct err *e)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	uint8_t block[65536];
	ssize_t n = -1;

	if (in >= 0 && out >= 0) {
		while ((n = read(in, block, sizeof block)) > 0)
			if (write(out, block, (size_t)n) != n) {
				n = -1;
				break;
			}
		if (n == 0 && fsync(out) < 0)
			n = -1;
	}
	if (n < 0)
		err_errno(e, REASON_STORAGE, "cannot copy %s to %s", from, to);
	mem_wipe(block, sizeof block);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n < 0 ? -1 : 0;
}

/* A folder beside `to`, empty, that becomes it. */
static int part_begin(char part[FILE_PATH], const char *to, struct err *e)
{
	size_t n = strlen(to);

	while (n > 1 && to[n - 1] == '/')
		n--;
	if (snprintf(part, FILE_PATH, "%.*s" PART, (int)n, to) >= FILE_PATH)
		return err_set(e, REASON_CONFIG, "path too long: %.200s", to);
	return file_remove_tree(part, e) < 0 || file_mkdir(part, e) < 0 ? -1 : 0;
}

static int part_end(const char *part, const char *to, struct err *e)
{
	FAULT("backup.made");
	if (rename(part, to) < 0)
		return err_errno(e, REASON_STORAGE, "cannot rename %s to %s", part, to);
	return file_sync_parent(to, e);
}

/* ---- create ---- */
struct saving {
	struct backup *b;
	const char *dir, *part;
	bool keys;
	struct buf list;
};

static void leave_out(struct backup *b, const char *path)
{
	b->left_out = mem_grow(b->left_out, b->n_left_out + 1, sizeof *b->left_out);
	snprintf(b->left_out[b->n_left_out++], FILE_PATH, "%s", path);
}

/* What is for its owner alone and not known by its name may be a passphrase. */
static bool is_secret(const char *file, const struct stat *st)
{
	static const char *const known[] = { ".yaml", ".pem", ".key", ".csr", ".crl", ".p7", ".xml", ".name", ".json", ".csv", NULL };

	for (size_t i = 0; known[i]; i++)
		if (ends_with(file, known[i]))
			return false;
	return (st->st_mode & 077) == 0;
}

static int is_left_out(const struct saving *s, const char *file, const struct stat *st, bool *out, struct err *e)
{
	struct buf text = {0};

	*out = is_secret(file, st);
	if (*out || st->st_size > LIMIT_FILE)	/* no key is so long */
		return 0;
	if (file_read(&text, file, 0, e) < 0)
		return -1;
	*out = contains(&text, "PRIVATE KEY-----") &&
	       (!s->keys || contains(&text, "-----BEGIN PRIVATE KEY") || contains(&text, "-----BEGIN RSA PRIVATE KEY") ||
		contains(&text, "-----BEGIN EC PRIVATE KEY"));
	buf_free(&text);
	return 0;
}

static int save_file(struct saving *s, const char *path, const struct stat *st, struct err *e)
{
	char from[FILE_PATH], to[FILE_PATH], hex[SHA256_HEX];
	uint64_t size;
	bool out = false;

	if (file_join(from, e, s->dir, path) < 0 || file_join(to, e, s->part, path) < 0)
		return -1;
	if (ends_with(path, ".db")) {
		if (db_copy(from, to, e) < 0)
			return -1;
	} else {
		if (is_left_out(s, from, st, &out, e) < 0)
			return -1;
		if (out) {
			leave_out(s->b, path);
			return 0;
		}
		if (copy_file(from, to, 0600, e) < 0)
			return -1;
	}
	if (hash_file(hex, &size, to, e) < 0)
		return -1;
	buf_fmt(&s->list, "%s %03o %" PRIu64 " %s\n", hex, (unsigned)st->st_mode & 0644, size, path);
	s->b->files++;
	return 0;
}

static int save_tree(struct saving *s, const char *below, int depth, struct err *e);

static int save_one(struct saving *s, const char *below, const char *name, int depth, struct err *e)
{
	char path[FILE_PATH], from[FILE_PATH], to[FILE_PATH];
	struct stat st;

	if (*below ? file_join(path, e, below, name) < 0 : snprintf(path, sizeof path, "%s", name) >= FILE_PATH)
		return -1;
	if (file_join(from, e, s->dir, path) < 0)
		return -1;
	if (lstat(from, &st) < 0)	/* replaced or removed as we looked */
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot read %s", from);
	if (S_ISREG(st.st_mode))
		return save_file(s, path, &st, e);
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return err_set(e, REASON_CONFIG, "%s is no file of this program; take it away", from);
	return file_join(to, e, s->part, path) < 0 || file_mkdir(to, e) < 0 ? -1 : save_tree(s, path, depth + 1, e);
}

static int not_dot(const struct dirent *d)
{
	return !is_passing(d->d_name);
}

static int last_last(const struct dirent **a, const struct dirent **b)
{
	int x = strcmp((*a)->d_name, LAST) == 0, y = strcmp((*b)->d_name, LAST) == 0;

	return x != y ? x - y : strcmp((*a)->d_name, (*b)->d_name);
}

static int save_tree(struct saving *s, const char *below, int depth, struct err *e)
{
	char dir[FILE_PATH];
	struct dirent **names;
	int n, rc = 0;

	if (*below ? file_join(dir, e, s->dir, below) < 0 : snprintf(dir, sizeof dir, "%s", s->dir) >= FILE_PATH)
		return -1;
	n = scandir(dir, &names, not_dot, last_last);
	if (n < 0)
		return err_errno(e, REASON_CONFIG, "cannot read folder %s", dir);
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = save_one(s, below, names[i]->d_name, depth, e);
		free(names[i]);
	}
	free(names);
	return rc;
}

static int save_signature(struct backup *b, const struct backup_unit *u, const char *dir, const char *part, const struct buf *list, struct err *e)
{
	struct chain chain = {0};
	struct key *key = NULL;
	struct buf cms = {0};
	char path[FILE_PATH];
	int rc = u->signer(dir, &key, &chain, e), has = rc;

	if (rc == 1)
		rc = cms_sign(list->data, list->len, key, &chain, &cms, e) < 0 || file_join(path, e, part, BACKUP_SIGNED) < 0
			     ? -1 : file_replace(path, cms.data, cms.len, 0600, e);
	if (rc == 0 && has == 1)
		snprintf(b->signer, sizeof b->signer, "%s:%s", chain.cert[0].role, chain.cert[0].name);
	buf_free(&cms);
	key_free(key);
	chain_free(&chain);
	return rc;
}

int backup_create(struct backup *b, const struct backup_unit *u, const char *dir, bool keys, const char *to, struct err *e)
{
	char part[FILE_PATH], path[FILE_PATH], now[TEXT_TIME];
	struct saving s = { .b = b, .dir = dir, .part = part, .keys = keys, .list.max = LIMIT_FILE };
	int rc = -1;

	if (file_exists(to))
		return err_set(e, REASON_CONFIG, "%s exists already; a backup is never replaced, give another name", to);
	text_time(now, clock_utc());
	buf_fmt(&s.list, HEAD "%s %s\n", u->program, now);
	if (part_begin(part, to, e) == 0 && save_tree(&s, "", 0, e) == 0 && file_join(path, e, part, BACKUP_LIST) == 0 &&
	    file_replace(path, s.list.data, s.list.len, 0600, e) == 0 && save_signature(b, u, dir, part, &s.list, e) == 0)
		rc = part_end(part, to, e);
	if (rc == 0)
		digest_sha256_hex(b->fingerprint, s.list.data, s.list.len);
	buf_free(&s.list);
	return rc;
}

/* ---- the list ---- */
static bool is_inside(const char *path)
{
	for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
		if (*p == '.' || *p == '/')
			return false;
	return *path && path[strlen(path) - 1] != '/';
}

static int read_line(struct entry *en, char *line)
{
	char *mode = strchr(line, ' '), *size = mode ? strchr(mode + 1, ' ') : NULL, *path = size ? strchr(size + 1, ' ') : NULL;
	uint8_t hash[SHA256_LEN];

	if (!path || mode - line != SHA256_HEX - 1 || size - mode != 4 || strspn(mode + 1, "01234567") != 3)
		return -1;
	*mode = *size = *path = 0;
	en->mode = (unsigned)strtoul(mode + 1, NULL, 8) & 0644;
	snprintf(en->sha256, sizeof en->sha256, "%s", line);
	snprintf(en->path, sizeof en->path, "%.*s", FILE_PATH - 1, path + 1);
	return text_unhex(hash, SHA256_LEN, en->sha256) < 0 || text_uint(&en->size, size + 1, INT64_MAX) < 0 || !is_inside(en->path) ? -1 : 0;
}

static int read_list(struct list *l, const struct buf *text, const char *from, struct err *e)
{
	char *copy = mem_str(buf_text(text)), *save = NULL, *line = strtok_r(copy, "\n", &save);
	int rc = 0;

	if (strlen(copy) > text->len || !line || strncmp(line, HEAD, strlen(HEAD)) != 0 ||
	    sscanf(line + strlen(HEAD), "%31s", l->program) != 1)
		rc = -1;
	while (rc == 0 && (line = strtok_r(NULL, "\n", &save))) {
		l->of = mem_grow(l->of, l->n + 1, sizeof *l->of);
		rc = read_line(&l->of[l->n++], line);
	}
	free(copy);
	return rc == 0 ? 0 : err_set(e, REASON_REQUEST, "%s/" BACKUP_LIST " is no list of a backup, or was changed", from);
}

static const struct entry *find(const struct list *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->of[i].path, path) == 0)
			return &l->of[i];
	return NULL;
}

/* ---- verify ---- */
static int check_file(const char *from, const struct entry *en, struct err *e)
{
	char path[FILE_PATH], hex[SHA256_HEX];
	uint64_t size;

	if (file_join(path, e, from, en->path) < 0)
		return -1;
	if (hash_file(hex, &size, path, e) < 0)
		return err_set(e, REASON_REQUEST, "%s is missing or cannot be read", path);
	return size == en->size && strcmp(hex, en->sha256) == 0 ? 0 : err_set(e, REASON_REQUEST, "%s was changed since it was saved", path);
}

static int check_databases(const struct list *l, const char *from, struct err *e)
{
	char path[FILE_PATH];

	for (size_t i = 0; i < l->n; i++)
		if (ends_with(l->of[i].path, ".db") && (file_join(path, e, from, l->of[i].path) < 0 || db_check(path, e) < 0))
			return -1;
	return 0;
}

static int check_strangers(const struct list *l, const char *from, const char *below, int depth, struct err *e)
{
	char dir[FILE_PATH], path[FILE_PATH];
	struct dirent *d;
	struct stat st;
	DIR *stream;
	int rc = 0;

	if (*below ? file_join(dir, e, from, below) < 0 : snprintf(dir, sizeof dir, "%s", from) >= FILE_PATH)
		return -1;
	stream = opendir(dir);
	if (!stream)
		return err_errno(e, REASON_CONFIG, "cannot read folder %s", dir);
	while (rc == 0 && (d = readdir(stream))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    (!*below && (strcmp(d->d_name, BACKUP_LIST) == 0 || strcmp(d->d_name, BACKUP_SIGNED) == 0)))
			continue;
		rc = *below ? file_join(path, e, below, d->d_name) : snprintf(path, sizeof path, "%s", d->d_name) >= FILE_PATH ? -1 : 0;
		if (rc == 0 && fstatat(dirfd(stream), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			rc = check_strangers(l, from, path, depth + 1, e);
		else if (rc == 0 && !find(l, path))
			rc = err_set(e, REASON_REQUEST, "%s/%s is not in the list of the backup", from, path);
	}
	closedir(stream);
	return rc;
}

/* The very bytes of the list, signed by a unit under that root. Its dates are of no account: a backup outlives certificates. */
static int open_signature(struct backup *b, const struct backup_unit *u, const char *from, const struct buf *list, struct trust *t, struct err *e)
{
	const struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .role = u->role, .ignore_expiry = true };
	struct buf cms = {0}, content = {0};
	struct cert signer = {0};
	char path[FILE_PATH];
	int rc = file_join(path, e, from, BACKUP_SIGNED);

	if (rc == 0 && !file_exists(path))
		rc = err_set(e, REASON_REQUEST, "%s is missing: the backup is not signed, so anybody may have made it; make another one", path);
	if (rc == 0 && (rc = file_read(&cms, path, 0, e)) == 0 && cms_open(cms.data, cms.len, t, &rule, &content, &signer, e) < 0) {
		e->code = REASON_REQUEST;
		rc = err_prefix(e, "%s", path);
	}
	if (rc == 0 && !buf_same(&content, list))
		rc = err_set(e, REASON_REQUEST, "%s is the signature of another backup", path);
	if (rc == 0)
		snprintf(b->signer, sizeof b->signer, "%s:%s", signer.role, signer.name);
	cert_free(&signer);
	buf_free(&cms);
	buf_free(&content);
	return rc;
}

static int check_signature(struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked, const struct buf *list,
			   struct err *e)
{
	uint8_t root[SHA256_LEN];
	struct trust *t = NULL;
	int rc = u->trust(from, &t, root, e);

	if (rc == 1) {
		text_hex(b->root, root, sizeof root);
		rc = open_signature(b, u, from, list, t, e);
	}
	if (rc == 0 && asked->root && *asked->root && strcasecmp(asked->root, b->root) != 0)
		rc = err_set(e, REASON_REQUEST, "%s is of the root %s, not of the one that was asked for", from, *b->root ? b->root : "of an upper CA");
	trust_free(t);
	return rc;
}

static int read_signed_list(struct list *l, struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked,
			    struct buf *text, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, from, BACKUP_LIST) < 0 || file_read(text, path, 0, e) < 0)
		return -1;
	digest_sha256_hex(b->fingerprint, text->data, text->len);
	if (asked->fingerprint && *asked->fingerprint && strcasecmp(asked->fingerprint, b->fingerprint) != 0)
		return err_set(e, REASON_REQUEST, "%s has the fingerprint %s: it is not the one that was asked for", path, b->fingerprint);
	if (read_list(l, text, from, e) < 0)
		return -1;
	return strcmp(l->program, u->program) == 0 ? 0 : err_set(e, REASON_REQUEST, "%s is a backup of %s", from, l->program);
}

static int verify(struct list *l, struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked, struct err *e)
{
	struct buf text = {0};
	int rc = read_signed_list(l, b, u, from, asked, &text, e);

	for (size_t i = 0; rc == 0 && i < l->n; i++)
		rc = check_file(from, &l->of[i], e);
	if (rc == 0)
		rc = check_strangers(l, from, "", 0, e);
	if (rc == 0)
		rc = check_signature(b, u, from, asked, &text, e);
	if (rc == 0)
		rc = check_databases(l, from, e);
	b->files = l->n;
	buf_free(&text);
	return rc;
}

int backup_verify(struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked, struct err *e)
{
	struct list l = {0};
	int rc = verify(&l, b, u, from, asked, e);

	free(l.of);
	return rc;
}

/* ---- restore ---- */
/* The folders on the way to a file. */
static int make_way(const char *part, const char *path, struct err *e)
{
	char below[FILE_PATH], dir[FILE_PATH];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(below, sizeof below, "%.*s", (int)(slash - path), path);
		if (file_join(dir, e, part, below) < 0 || file_mkdir(dir, e) < 0)
			return -1;
	}
	return 0;
}

static int restore_files(const struct list *l, const char *from, const char *part, struct err *e)
{
	char source[FILE_PATH], to[FILE_PATH], hex[SHA256_HEX];
	uint64_t size;

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *en = &l->of[i];

		if (file_join(source, e, from, en->path) < 0 || file_join(to, e, part, en->path) < 0 || make_way(part, en->path, e) < 0 ||
		    copy_file(source, to, en->mode, e) < 0 || hash_file(hex, &size, to, e) < 0)
			return -1;
		if (strcmp(hex, en->sha256) != 0)	/* not what was verified a moment ago */
			return err_set(e, REASON_REQUEST, "%s was changed since it was saved", source);
		if (file_sync_parent(to, e) < 0)
			return -1;
	}
	return 0;
}

int backup_restore(struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked, const char *dir,
		   struct err *e)
{
	char part[FILE_PATH];
	struct list l = {0};
	int rc = -1;

	if (rmdir(dir) < 0 && errno != ENOENT)
		return err_set(e, REASON_CONFIG, "%s is not empty: nothing is restored over what is there; move it away first", dir);
	if (verify(&l, b, u, from, asked, e) == 0 && part_begin(part, dir, e) == 0 && restore_files(&l, from, part, e) == 0 && u->mark(part, e) == 0)
		rc = part_end(part, dir, e);
	free(l.of);
	return rc;
}
