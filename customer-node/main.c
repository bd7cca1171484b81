#include <config.h>

#include "cmd.h"
#include "cmd_backup.h"

static const struct cli_command commands[] = {
	{ "init", "--name NAME --ca URL --ca-root FILE", "makes the folder: keys, requests, node.yaml, an empty allowlist",
	  init_options, 0, 0, cmd_init },
	{ "enrol", "--name NAME --ca URL --code CODE", "makes the folder by an operator's code: keys, certificate and all else",
	  enrol_options, 0, 0, cmd_enrol },
	{ "renew", "", "renews the node's certificate now; serve does it by itself when it is due", NULL, 0, 0, cmd_renew },
	{ "handoff request", "--out FILE", "writes the request that the manufacturer grants", request_options, 0, 0,
	  cmd_handoff_request },
	{ "handoff accept", "BUNDLE --root-fingerprint HEX", "takes the manufacturer's bundle; the fingerprint comes another way",
	  accept_options, 1, 1, cmd_handoff_accept },
	{ "import", "MANIFEST", "takes a shipment manifest and appends what is missing to the allowlist", NULL, 1, 1, cmd_import },
	{ "lint", "[FILE]", "checks an allowlist: 0 clean, 1 errors", NULL, 0, 1, cmd_lint },
	{ "plan", "[FILE]", "shows what apply would change: 0 nothing, 1 something", NULL, 0, 1, cmd_plan },
	{ "apply", "[FILE]", "puts an allowlist in force; a wrong one changes nothing", NULL, 0, 1, cmd_apply },
	{ "devices", "", "all that is known: shipped, listed, pending, onboarded, refused", NULL, 0, 0, cmd_devices },
	{ "devices list", "", "the same", NULL, 0, 0, cmd_devices },
	{ "devices release", "SERIAL", "revokes its customer credential, so that it can be onboarded again", release_options, 1, 1,
	  cmd_devices_release },
	{ "devices block", "SERIAL", "revokes its customer credential and lets it in no more", device_options, 1, 1,
	  cmd_devices_block },
	{ "devices unblock", "SERIAL", "takes a block back", device_options, 1, 1, cmd_devices_unblock },
	{ "explain", "SERIAL", "why a device is let in or refused", device_options, 1, 1, cmd_explain },
	{ "reconcile", "[--apply]", "after a restore: shows what the CA knows better; 0 nothing, 1 something", reconcile_options, 0, 0,
	  cmd_reconcile },
	{ "audit verify", "[--against FILE]... [--export FILE [--certificates FILE]]", "is the audit whole and unchanged?", audit_verify_options,
	  0, 0, cmd_audit_verify },
	{ "audit export", "[--out FILE]", "rows and heads, one JSON object a line", audit_export_options, 0, 0, cmd_audit_export },
	{ "audit tail", "[--rows N] [--follow]", "the last rows", audit_tail_options, 0, 0, cmd_audit_tail },
	{ "audit head", "", "sign a head of the last row, to be kept elsewhere", NULL, 0, 0, cmd_audit_head },
	BACKUP_COMMANDS(cmd_node_backup_create, cmd_node_backup_verify, cmd_node_backup_restore),
	{ "config check", "", "checks configuration, keys, certificates and allowlist", NULL, 0, 0, cmd_config_check },
	{ "serve", "", "the daemon", serve_options, 0, 0, cmd_serve },
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "handsel-node",
		.summary = "the customer's node: lets devices from the factory in, and hands them the customer's credentials",
		.default_dir = HANDSEL_STATEDIR "/node",
		.commands = commands,
	};

	return cli_main(&program, argc, argv);
}
