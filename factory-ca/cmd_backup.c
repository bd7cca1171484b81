/* backup create, verify, restore: lib/backup.h. */
#include <config.h>

#include "cmd_backup.h"

#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "mem.h"
#include "signer_count.h"

/* The operator of the first CA of the system. An upper CA has none. */
static int signer(const char *dir, struct key **key, struct chain *chain, struct err *e)
{
	struct operator op;
	struct settings s;

	if (settings_load(&s, dir, e) < 0 || (s.site != SITE_UPPER && operator_load(&op, dir, e) < 0))
		return -1;
	if (s.site == SITE_UPPER)
		return 0;
	*key = op.key;
	*chain = op.chain;
	return 1;
}

static int trust(const char *dir, struct trust **t, uint8_t root[SHA256_LEN], struct err *e)
{
	struct authority a = {0};
	struct settings s;

	if (settings_load(&s, dir, e) < 0)
		return -1;
	if (s.site == SITE_UPPER)
		return 0;
	if (authority_load(&a, dir, e) < 0)
		return -1;
	memcpy(root, a.root.cert->sha256, SHA256_LEN);
	*t = a.trust;
	a.trust = NULL;
	authority_free(&a);
	return 1;
}

static int mark_one(const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct db *db;
	int rc = file_join(path, e, dir, "signer.db");

	if (rc < 0 || !file_exists(path))	/* an upper CA has none */
		return rc;
	db = count_open(path, e);
	if (!db)
		return -1;
	rc = db_begin(db, e);
	if (rc == 0 && count_restored(db, e) == 0)
		rc = db_commit(db, e);
	db_close(db);
	return rc;
}

/* Whatever was issued after the backup neither database knows: so nothing is issued before an operator has looked. */
static int mark(const char *dir, struct err *e)
{
	struct ca_folders *folders = mem_new(1, sizeof *folders);
	int rc = system_list(folders, dir, e);

	for (size_t i = 0; rc == 0 && i < folders->n; i++)
		rc = mark_one(folders->of[i].path, e);
	free(folders);
	return rc;
}

static const struct backup_unit unit = { "handsel-ca", "operator", signer, trust, mark };

enum cli_exit cmd_ca_backup_create(const struct cli *c)
{
	return cmd_backup_create(c, &unit);
}

enum cli_exit cmd_ca_backup_verify(const struct cli *c)
{
	return cmd_backup_verify(c, &unit);
}

enum cli_exit cmd_ca_backup_restore(const struct cli *c)
{
	return cmd_backup_restore(c, &unit,
				  "next: put the keys back; if the old signer.db is still there, put it in place of this one; then \"handsel-ca"
				  " reconcile\". Until then nothing is issued.");
}
