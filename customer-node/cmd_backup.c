/* backup create, verify, restore: lib/backup.h. */
#include <config.h>

#include "cmd_backup.h"

#include <string.h>

#include "cmd.h"
#include "node.h"
#include "store.h"

static int signer(const char *dir, struct key **key, struct chain *chain, struct err *e)
{
	struct node_identity own;

	if (node_identity_load(&own, dir, NODE_OWN, NODE_OWN, e) < 0)
		return -1;
	*key = own.key;
	*chain = own.chain;
	return 1;
}

static int trust(const char *dir, struct trust **t, uint8_t root[SHA256_LEN], struct err *e)
{
	struct chain ch = {0};
	char path[FILE_PATH];
	int rc = file_join(path, e, dir, NODE_CA_ROOT) < 0 || chain_load(&ch, path, e) < 0 || !(*t = node_trust(&ch, e)) ? -1 : 1;

	if (rc == 1)
		memcpy(root, ch.cert[ch.n - 1].sha256, SHA256_LEN);
	chain_free(&ch);
	return rc;
}

/* What the CA knows better is taken over before the node does anything else. */
static int mark(const char *dir, struct err *e)
{
	struct db *db = node_db_open(dir, e);
	int rc;

	if (!db)
		return -1;
	rc = db_begin(db, e);
	if (rc == 0 && store_recovering_set(db, true, e) == 0)
		rc = db_commit(db, e);
	db_close(db);
	return rc;
}

static const struct backup_unit unit = { "handsel-node", "node", signer, trust, mark };

enum cli_exit cmd_node_backup_create(const struct cli *c)
{
	return cmd_backup_create(c, &unit);
}

enum cli_exit cmd_node_backup_verify(const struct cli *c)
{
	return cmd_backup_verify(c, &unit);
}

enum cli_exit cmd_node_backup_restore(const struct cli *c)
{
	return cmd_backup_restore(c, &unit,
				  "next: put node.key and onboard.key back and start it; it takes over what the CA knows before it lets a device"
				  " in. \"handsel-node reconcile\" shows what that is.");
}
