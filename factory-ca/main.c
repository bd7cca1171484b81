#include <config.h>

#include "cmd.h"
#include "cmd_audit.h"
#include "cmd_backup.h"
#include "keys.h"

#define HOST { "host", "NAME_OR_ADDRESS", "where it is reached; may be repeated", true }
#define OUT(what) { "out", "FILE", what, false }

#define PROFILE { "profile", "NAME", "that it issues to devices by; may be repeated, the first is the default", true }

/* A person's: over the network, from his own folder. */
#define REMOTE \
	{ "server", "URL", "of the CA, for a person who acts from his own machine; with --as", false }, \
	{ "as", "DIR", "the person's folder, made by operator enrol", false }

static const struct cli_option init_options[] = {
	{ "kind", "KIND", "factory, customer or upper", false },
	{ "name", "NAME", "of the company; in the factory the manufacturer as in the model files", false },
	{ "id", "ID", "of this CA in the protocol; default: the kind", false },
	PROFILE,
	HOST,
	{ "listen", "ADDRESS:PORT", "for serve; default 0.0.0.0:8443", false },
	KEY_HOME_OPTIONS,
	UNIT_KEY_OPTIONS,
	{ NULL },
};
static const struct cli_option serve_options[] = {
	{ "listen", "ADDRESS:PORT", "instead of ca.yaml's; port 0: any free one", false },
	{ "ready-file", "FILE", "gets the port as soon as requests are served", false },
	{ "record", "DIR", "keep the XML of each exchange there", false },
	{ NULL },
};
static const struct cli_option add_options[] = {
	{ "id", "ID", "of the new CA: lower-case letters, digits and hyphens", false },
	{ "kind", "KIND", "factory or customer", false },
	{ "name", "NAME", "of the company; in the factory the manufacturer as in the model files", false },
	PROFILE,
	HOST,
	KEY_HOME_OPTIONS,
	UNIT_KEY_OPTIONS,
	{ NULL },
};
/* Of every command: which CA of the system it is about. */
static const struct cli_option program_options[] = {
	{ "ca", "ID", "which CA of the system; default: its first", false },
	{ NULL },
};
static const struct cli_option rollover_options[] = {
	HOST,
	{ "finish", NULL, "end the overlap: what is under the older root is good no more", false },
	KEY_HOME_OPTIONS,
	{ NULL },
};
static const struct cli_option sign_options[] = {
	OUT("the certificate, then the upper root's, PEM"),
	{ NULL },
};
static const struct cli_option root_list_options[] = {
	{ "generation", "N", "of which root; default: the one in force", false },
	{ "days", "N", "how long it is good; default: 365", false },
	{ "revoke", "FILE", "a certificate by this root that goes on it for ever", false },
	{ "reason", "REASON", "cACompromise, superseded, cessationOfOperation, ...", false },
	{ NULL },
};
static const struct cli_option install_options[] = {
	{ "root-fingerprint", "HEX", "SHA-256 of the upper CA's root, obtained by another way", false },
	{ NULL },
};
static const struct cli_option unit_options[] = {
	{ "role", "ROLE", "ca, station, node, operator, ra or kmc", false },
	{ "name", "NAME", "of the unit", false },
	HOST,
	OUT("the certificate, then the unit CA's, PEM"),
	{ NULL },
};
static const struct cli_option invite_options[] = {
	{ "role", "ROLE", "as with unit issue", false },
	{ "name", "NAME", "of the unit", false },
	HOST,
	{ "valid", "TIME", "like 8h; 1d is the default, 7d the most", false },
	REMOTE,
	{ NULL },
};
static const struct cli_option create_options[] = {
	{ "id", "ID", "of the work order", false },
	{ "model", "MODEL", "name of a model file, or a path with a slash", false },
	{ "serials", "FROM-TO", "inclusive, of equal width; may be repeated", true },
	{ "quota", "Q", "units", false },
	{ "label", NULL, "no unit passes before its label is printed", false },
	{ "scrap", "S", "keys beyond the quota for tries that were cut; default a tenth of it, at least 3", false },
	{ "station", "NAME", "that may work on it; may be repeated", true },
	{ "agent", "FILE", "the agent image that is loaded into the devices", false },
	{ "valid", "TIME", "like 30d (the default) or 8h", false },
	OUT("the signed order"),
	REMOTE,
	{ NULL },
};
static const struct cli_option extend_options[] = {
	{ "valid", "TIME", "from now on, like 30d or 8h", false },
	{ "quota", "Q", "units in all, never below what is used", false },
	{ "scrap", "S", "keys beyond the quota", false },
	{ "serials", "FROM-TO", "further ones, of equal width; may be repeated", true },
	{ "station", "NAME", "a further one that may work on it; may be repeated", true },
	OUT("the signed order"),
	REMOTE,
	{ NULL },
};
static const struct cli_option close_options[] = {
	{ "compromised", NULL, "refuse even repeats and confirms of what was handed out", false },
	REMOTE,
	{ NULL },
};
static const struct cli_option account_options[] = {
	{ "records", "DIR", "the folder of a station, or a copy with its records; may be repeated", true },
	OUT("the report; and FILE.p7, the same signed"),
	{ NULL },
};
#define ISSUED \
	{ "order", "ID", "only of this work order", false }, \
	{ "status", "STATE", "reserved, pending, active, superseded, revoked or expired", false }, \
	{ "state", "STATE", "the same", false }, \
	{ "since", "TIME", "asked for then or later: 2026-11-22 or 2026-11-22T14:00:00Z (UTC)", false }, \
	{ "device", "SERIAL", "only this device's", false }, \
	{ "name", "M/MODEL/SERIAL", "only of the device with this manufacturer, model and serial", false }, \
	{ "serial", "SERIAL", "a device's, a certificate's in hex, or a request id", false }, \
	{ "key", "SHA256", "only of this public key (hash of the SubjectPublicKeyInfo, hex)", false }
static const struct cli_option issued_options[] = {
	ISSUED,
	{ "format", "FORMAT", "json (like --json) or csv", false },
	REMOTE,
	{ NULL },
};
static const struct cli_option export_options[] = {
	ISSUED,
	{ "format", "FORMAT", "json (the default) or csv", false },
	OUT("the list, with certificates and hashes of keys"),
	REMOTE,
	{ NULL },
};
static const struct cli_option revoke_options[] = {
	{ "device", "SERIAL", "whose pending or active credential is revoked", false },
	{ "manufacturer", "M", "if several use that serial", false },
	{ "model", "MODEL", "likewise", false },
	{ "certificate", "HEXSERIAL", "a device's or a unit's certificate by its serial number", false },
	{ "reason", "REASON", "superseded, keyCompromise, cessationOfOperation, ...", false },
	REMOTE,
	{ NULL },
};
#define WHICH \
	{ "serial", "SERIAL", "of the device", false }, \
	{ "manufacturer", "M", "if several use that serial", false }, \
	{ "model", "MODEL", "likewise", false }, \
	{ "reason", "TEXT", "why, for the audit", false }
static const struct cli_option takeover_options[] = {
	WHICH,
	{ "to", "STATION", "that may supersede what another station has pending", false },
	REMOTE,
	{ NULL },
};
static const struct cli_option rework_options[] = {
	WHICH,
	REMOTE,
	{ NULL },
};
static const struct cli_option crl_options[] = {
	{ "of", "CA", "issuing (devices' certificates), unit or root, with -N of generation N; default: issuing, in force", false },
	{ "pem", NULL, "in PEM instead of DER", false },
	OUT("the list"),
	{ NULL },
};
static const struct cli_option reconcile_options[] = {
	{ "apply", NULL, "take over what one side lacks; without it, it is only shown", false },
	{ NULL },
};
static const struct cli_option grant_options[] = {
	{ "customer", "ID", "of the customer, as in the manifests", false },
	{ "name", "NODE", "name of the node", false },
	HOST,
	{ "action", "ID", "of a grant that waited for a second person, or was cut: the bundle of that one, for whoever asked", false },
	OUT("the bundle"),
	REMOTE,
	{ NULL },
};
static const struct cli_option accept_options[] = {
	{ "root-fingerprint", "HEX", "SHA-256 of the factory's root, obtained by another way", false },
	{ NULL },
};
static const struct cli_option ship_options[] = {
	{ "customer", "ID", "who gets the devices", false },
	{ "order", "ID", "all active ones of this work order", false },
	{ "serials", "FROM-TO", "of these alone, inclusive, of equal width; may be repeated", true },
	{ "device", "SERIAL", "this one; may be repeated", true },
	{ "resale", NULL, "also what was shipped to another customer before", false },
	OUT("the signed manifest"),
	{ NULL },
};
static const struct cli_option verify_options[] = {
	AUDIT_VERIFY_OPTIONS("root and unit CAs, PEM: an export is judged by these alone, without a CA"),
	{ "signer", NULL, "also against what the signer has read", false },
	{ NULL },
};
static const struct cli_option export_audit_options[] = {
	OUT("the export; default: standard output"),
	REMOTE,
	{ NULL },
};
static const struct cli_option tail_options[] = {
	AUDIT_TAIL_OPTIONS,
	REMOTE,
	{ NULL },
};
static const struct cli_option head_options[] = {
	REMOTE,
	{ NULL },
};
static const struct cli_option accept_audit_options[] = {
	{ "reason", "TEXT", "why it is accepted as it is, for the audit", false },
	{ NULL },
};

static const struct cli_option ceremony_options[] = {
	{ "expect", "SHA256", "of the file that was reviewed; another one is refused", false },
	{ "yes", NULL, "ask nothing before the steps; needs --expect", false },
	{ NULL },
};
static const struct cli_option unlock_options[] = {
	{ "credential", "FILE", "passphrase or PIN, a file that nobody else can read; else it is asked for", false },
	{ "older", NULL, "for the keys of the generation before", false },
	{ "last-try", NULL, "even if the token locks itself should the PIN be wrong", false },
	{ NULL },
};

static const struct cli_option preview_options[] = {
	{ "csr", "FILE", "the request, PEM or DER; without it a key is made up", false },
	{ "serial", "SERIAL", "of a device; default: as the request says", false },
	{ "model", "MODEL", "of a device; default: as the request says", false },
	{ "manufacturer", "M", "of a device; default: as the request says, in a factory the CA's name", false },
	{ "hw-type", "OID", "of a device whose model has no file", false },
	{ "role", "ROLE", "of a unit, as with unit issue", false },
	{ "name", "NAME", "of a unit", false },
	HOST,
	{ "organization", "NAME", "of a CA; default: the name of this one", false },
	{ "validity-days", "N", "that the request asks for", false },
	{ "key-type", "TYPE", "that the request asks for", false },
	{ "locality", "NAME", "that the request asks for", false },
	{ "email", "ADDRESS", "that the request asks for", false },
	OUT("the certificate, PEM"),
	{ "der", NULL, "in DER instead of PEM", false },
	{ NULL },
};
static const struct cli_option remote_options[] = {
	REMOTE,
	{ NULL },
};
static const struct cli_option enrol_options[] = {
	{ "code", "CODE", "of operator invite", false },
	REMOTE,
	UNIT_KEY_OPTIONS,
	{ NULL },
};
static const struct cli_option operator_options[] = {
	{ "function", "F", "clerk, ra, auditor or administrator; may be repeated", true },
	{ "valid", "TIME", "like 8h; 1d is the default, 7d the most", false },
	REMOTE,
	{ NULL },
};
static const struct cli_option end_options[] = {
	{ "reason", "TEXT", "why, for the audit", false },
	{ "local", NULL, "the local operator of the CA's folder, for good: then persons act alone", false },
	REMOTE,
	{ NULL },
};
static const struct cli_option two_options[] = {
	{ "none", NULL, "nothing needs two persons", false },
	REMOTE,
	{ NULL },
};

static const struct cli_command commands[] = {
	{ "init", "--kind KIND --name NAME [--id ID] [--host H]...", "make a CA system: root, issuing and unit CA",
	  init_options, 0, 0, cmd_init },
	{ "serve", "[--listen ADDRESS:PORT] [--ready-file FILE] [--record DIR]", "answer devices, stations and nodes",
	  serve_options, 0, 0, cmd_serve },
	{ "ceremony check", "FILE", "what a key ceremony would do, and whether it can be held here", NULL, 1, 1, cmd_ceremony_check },
	{ "ceremony rehearse", "FILE", "all of it with keys that are thrown away", NULL, 1, 1, cmd_ceremony_rehearse },
	{ "ceremony run", "FILE [--expect SHA256] [--yes]", "hold it, or go on with one that was cut", ceremony_options, 1, 1, cmd_ceremony_run },
	{ "ca add", "--id ID --kind KIND --name NAME [--profile P]... [--host H]...", "make a further CA in this system",
	  add_options, 0, 0, cmd_ca_add },
	{ "ca list", "", "the CAs of this system", NULL, 0, 0, cmd_ca_list },
	{ "ca rollover", "[--host H]... | --finish", "make new keys for root, issuing and unit CA", rollover_options, 0, 0, cmd_ca_rollover },
	{ "root sign", "ROOT --out FILE", "certify the root of another CA (upper CA)", sign_options, 1, 1, cmd_root_sign },
	{ "root crl", "[--generation N] [--days N] [--revoke FILE --reason REASON]", "make the revocation list of a root anew", root_list_options, 0, 0,
	  cmd_root_crl },
	{ "root install", "FILE --root-fingerprint HEX", "pass on what an upper CA has certified", install_options, 1, 1,
	  cmd_root_install },
	{ "unit issue", "CSR --role R --name N [--host H]... --out FILE", "certify a unit", unit_options, 1, 1,
	  cmd_unit_issue },
	{ "unit invite", "--role R --name N [--host H]... [--valid TIME]", "a code by which a unit enrols itself, once", invite_options, 0, 0,
	  cmd_unit_invite },
	{ "unit list", "", "certificates of units", remote_options, 0, 0, cmd_unit_list },
	{ "operator invite", "NAME --function F...", "a code by which a person enrols as an operator, once", operator_options, 1, 1,
	  cmd_operator_invite },
	{ "operator enrol", "--server URL --as DIR --code CODE", "make DIR an operator's, on his own machine", enrol_options, 0, 0,
	  cmd_operator_enrol },
	{ "operator list", "", "certificates of operators", remote_options, 0, 0, cmd_operator_list },
	{ "operator revoke", "NAME --reason TEXT [--local]", "end an operator, with all his certificates", end_options, 1, 1, cmd_operator_revoke },
	{ "operator two-person", "ACT... | --none", "what needs a second person's approval", two_options, 0, 16, cmd_operator_two_person },
	{ "action list", "", "what operators have signed, and what waits for a second one", remote_options, 0, 0, cmd_action_list },
	{ "action show", "ID", "one of them in plain words, from its signed bytes", remote_options, 1, 1, cmd_action_show },
	{ "action approve", "ID", "sign it as the second person", remote_options, 1, 1, cmd_action_approve },
	{ "action reject", "ID", "refuse it, or take back one's own", remote_options, 1, 1, cmd_action_reject },
	{ "order create", "--id ID --model MODEL --serials FROM-TO --quota Q --station NAME --agent FILE",
	  "sign a work order", create_options, 0, 0, cmd_order_create },
	{ "order extend", "ID [--valid TIME] [--quota Q] [--scrap S] [--serials FROM-TO]... [--station NAME]...",
	  "sign a later version of a work order", extend_options, 1, 1, cmd_order_extend },
	{ "order list", "", "work orders and what is used of them", remote_options, 0, 0, cmd_order_list },
	{ "order show", "ID", "one of them, with its serials and stations", remote_options, 1, 1, cmd_order_show },
	{ "order close", "ID [--compromised]", "end a work order", close_options, 1, 1, cmd_order_close },
	{ "order reconcile", "ID [--records DIR]... [--out FILE]", "compare ledger, signer and the stations' records", account_options, 1, 1,
	  cmd_order_reconcile },
	{ "issued list", "[--order ID] [--status S] [--since TIME] [--name M/MODEL/SERIAL]...", "what was issued", issued_options, 0, 0,
	  cmd_issued_list },
	{ "issued show", "REQUEST-ID-OR-SERIAL", "one of them whole", remote_options, 1, 1, cmd_issued_show },
	{ "issued export", "--out FILE [--format json|csv] [--order ID]...", "the same into a file, with certificates", export_options, 0, 0,
	  cmd_issued_export },
	{ "revoke", "(--device SERIAL | --certificate HEXSERIAL) --reason REASON", "end a credential", revoke_options,
	  0, 0, cmd_revoke },
	{ "takeover", "--serial SERIAL --to STATION --reason TEXT", "give a pending serial to another station (factory)",
	  takeover_options, 0, 0, cmd_takeover },
	{ "rework", "--serial SERIAL --reason TEXT", "have a serial that has passed issued once more (factory)", rework_options,
	  0, 0, cmd_rework },
	{ "unlock", "[--credential FILE] [--last-try]", "give the running signer the passphrase or PIN of its keys", unlock_options, 0, 0,
	  cmd_unlock },
	{ "status", "", "orders, requests, revocation lists, and how the daemon does", remote_options, 0, 0, cmd_status },
	{ "crl", "[--of CA] [--pem] --out FILE", "make a revocation list", crl_options, 0, 0, cmd_crl },
	{ "reconcile", "[--apply]", "after a restore: what ledger or signer lack, and take it over", reconcile_options, 0, 0,
	  cmd_reconcile },
	BACKUP_COMMANDS(cmd_ca_backup_create, cmd_ca_backup_verify, cmd_ca_backup_restore),
	{ "handoff grant", "(CSR --customer ID --name NODE [--host H]... | --action ID) --out BUNDLE",
	  "introduce a customer's node (factory)", grant_options, 0, 1, cmd_handoff_grant },
	{ "handoff accept", "BUNDLE --root-fingerprint HEX", "accept a factory (customer)", accept_options, 1, 1,
	  cmd_handoff_accept },
	{ "ship", "--customer ID (--order ID [--serials FROM-TO]... | --device SERIAL...) [--resale] --out MANIFEST", "sign a shipment manifest",
	  ship_options, 0, 0, cmd_ship },
	{ "audit verify", "[--against FILE]... [--signer] [--export FILE [--certificates FILE]]", "is the audit whole and unchanged?",
	  verify_options, 0, 0, cmd_audit_verify },
	{ "audit export", "[--out FILE]", "rows and heads, one JSON object a line", export_audit_options, 0, 0, cmd_audit_export },
	{ "audit tail", "[--rows N] [--follow]", "the last rows", tail_options, 0, 0, cmd_audit_tail },
	{ "audit head", "", "have the signer sign a head of the last row, to be kept elsewhere", head_options, 0, 0, cmd_audit_head },
	{ "audit accept", "--reason TEXT", "begin a new history of an audit that the signer does not go on with", accept_audit_options, 0, 0,
	  cmd_audit_accept },
	{ "profile list", "", "the certificate profiles that are there", NULL, 0, 0, cmd_profile_list },
	{ "profile show", "NAME", "what one of them comes to", NULL, 1, 1, cmd_profile_show },
	{ "profile lint", "[NAME|FILE]...", "all that is wrong or doubtful with profiles", NULL, 0, 256, cmd_profile_lint },
	{ "profile preview", "NAME [--csr FILE] [--serial S --model M] [--role R --name N] [--out FILE]",
	  "the certificate that would be issued, without the CA's keys", preview_options, 1, 1, cmd_profile_preview },
	{ "config check", "", "check ca.yaml, certificates, keys, profiles and databases", NULL, 0, 0,
	  cmd_config_check },
	{ NULL },
};
/* REMOTE, for commands that have it not. */
static const char *const away[] = { "server", "as", NULL };
static const struct cli_program program = {
	.name = "handsel-ca",
	.summary = "the CA system of a factory or a customer",
	.default_dir = HANDSEL_STATEDIR "/ca",
	.options = program_options,
	.commands = commands,
	.away = away,
	.away_not = "works on the CA's own folder, with keys and databases that are nowhere else: run it there, without --server and --as; "
		    "handsel-ca(1), OPERATORS, has what a person can do from his own machine",
};

int main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
