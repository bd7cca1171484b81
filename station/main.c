#include <config.h>

#include "cli.h"
#include "station.h"
#include "unit_key.h"

static const struct cli_option init_options[] = {
	{ "name", "NAME", "the station's name, as the work orders call it", false },
	{ "ca", "URL", "the factory CA: https://HOST:PORT", false },
	{ "ca-id", "ID", "which CA of that system, where it has several", false },
	{ "root", "FILE", "the factory root certificate, PEM", false },
	UNIT_KEY_OPTIONS,
	{ NULL, NULL, NULL, false },
};

static const struct cli_option enrol_options[] = {
	{ "ca", "URL", "the factory CA: https://HOST:PORT", false },
	{ "code", "CODE", "of `handsel-ca unit invite`: eight groups of five characters", false },
	{ "ca-id", "ID", "which CA of that system, where it has several", false },
	UNIT_KEY_OPTIONS,
	{ NULL, NULL, NULL, false },
};

static const struct cli_option run_options[] = {
	{ "order", "ID", "the work order", false },
	{ "agent", "FILE", "the device agent that the order names", false },
	{ "model", "FILE", "the device model, YAML", false },
	{ "labels", "FILE", "labels to compare, lines \"SERIAL\" or \"PORT SERIAL\"; - for a scanner at standard input",
	  false },
	{ "count", "N", "end after N units (default: go on until interrupted)", false },
	{ "failed", NULL, "only units of the order whose last attempt was no PASS, or that were cut; ends when each was tried", false },
	{ "dry-run", NULL, "with --failed: only list them; 0 nothing is left, 1 something is", false },
	{ "key", "device|ca", "who makes the keys: each device (default), or the CA system, encrypted to the device", false },
	{ "key-type", "TYPE", "with --key ca: p256, p384, rsa2048 or rsa3072 (default: the CA's)", false },
	{ "client", "device|station", "who speaks to the CA: each device (default), or the station for devices that have no TLS", false },
	{ "timeout", "SECONDS", "for one unit, without the time in which the CA is away (default 120s)", false },
	{ "ca-wait", "SECONDS", "how long a unit is held while the CA is away (default: until it is back)", false },
	{ "max-attempts", "N", "how often a failed USB transfer is begun again, the first time included (default 3)", false },
	{ "progress", "auto|bar|plain|json|none", "a screen, a line a phase, JSON lines or nothing (default: a screen on a terminal)", false },
	{ "palette", "blue-orange|green-red|none", "the colours of PASS and FAIL (default: station.yaml's)", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option wait_options[] = {
	{ "timeout", "SECONDS", "how long to wait for each device (default 120s)", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option journal_options[] = {
	{ "order", "ID", "the order of the unit, where several have this serial", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option doctor_options[] = {
	{ "order", "ID", "the work order that is to be done", false },
	{ "model", "FILE", "the device model, YAML", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option report_options[] = {
	{ "order", "ID", "of this work order only", false },
	{ "shift", "TIMES", "FROM..TO: that ended in this time: 06:00..14:00 of the clock here, the last that has begun; or UTC times as "
	  "2026-11-22T06:00:00Z", false },
	{ "csv", NULL, "a line a record (RFC 4180)", false },
	{ "junit", NULL, "a test case a record (JUnit XML)", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option label_print_options[] = {
	{ "png", NULL, "a picture, dot by dot what the printer prints", false },
	{ "text", NULL, "its lines, and what the QR code says", false },
	{ "zpl", NULL, "what the printer gets", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option queue_list_options[] = {
	{ "dropped", NULL, "also those that somebody gave up, with reason", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option queue_drop_options[] = {
	{ "reason", "TEXT", "why the MES is not to get it", false },
	{ "operator", "NAME", "who says so; default: who is logged in at this machine", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_option label_reprint_options[] = {
	{ "reason", "TEXT", "why it is printed again", false },
	{ "operator", "NAME", "who wants that; default: who is logged in at this machine", false },
	{ NULL, NULL, NULL, false },
};

#define RECORD_ARGS_MAX 1000	/* what a shell finds in the folder of a day */

static const struct cli_command commands[] = {
	{ "init", "--name NAME --ca URL --root FILE", "make this folder a station: key, request and settings",
	  init_options, 0, 0, cmd_init },
	{ "enrol", "--ca URL --code CODE", "make this folder a station by an operator's code", enrol_options, 0, 0, cmd_enrol },
	{ "renew", "", "renew the station's certificate now; run does it by itself when it is due", NULL, 0, 0, cmd_renew },
	{ "run", "--order ID --agent FILE --model FILE [--labels FILE]",
	  "load and certify every unit that is plugged in", run_options, 0, 0, cmd_run },
	{ "label print", "RECORD|SERIAL --png|--text|--zpl", "the label of a unit that has passed, to standard output",
	  label_print_options, 1, 1, cmd_label_print },
	{ "label reprint", "RECORD|SERIAL --reason TEXT [--operator NAME]", "have it printed again, and note who and why",
	  label_reprint_options, 1, 1, cmd_label_reprint },
	{ "label reprints", "", "the labels that were printed again", NULL, 0, 0, cmd_label_reprints },
	{ "queue list", "[--dropped]", "records that wait for the MES, and those that it fails at or refused, with reason and age",
	  queue_list_options, 0, 0, cmd_queue_list },
	{ "queue retry", "[ID...]", "send now what waits, and again what was refused, all or these", NULL, 0, RECORD_ARGS_MAX,
	  cmd_queue_retry },
	{ "queue drop", "ID... --reason TEXT [--operator NAME]", "do not send these; the records stay", queue_drop_options, 1,
	  RECORD_ARGS_MAX, cmd_queue_drop },
	{ "report", "[--order ID] [--shift TIMES] [--csv|--junit]", "what came of the units", report_options, 0, 0,
	  cmd_report },
	{ "record show", "ID|SERIAL", "one record; of a serial the last", NULL, 1, 1, cmd_record_show },
	{ "record verify", "[ID|SERIAL...]", "signatures and index, all or these; 0 all are good, 1 not", NULL, 0, RECORD_ARGS_MAX,
	  cmd_record_verify },
	{ "slots learn", "NAME... [--timeout SECONDS]", "name the slots: plug a device into each in turn", wait_options, 1,
	  STATION_SLOTS_MAX, cmd_slots_learn },
	{ "slots list", "", "slots, their ports, and what is plugged in where", NULL, 0, 0, cmd_slots_list },
	{ "slots test", "[--timeout SECONDS]", "plug a device into each slot, in any order: 0 all were seen, 1 not", wait_options, 0,
	  0, cmd_slots_test },
	{ "journal list", "", "units that were cut, and are finished when they are back in their slots", NULL, 0, 0, cmd_journal_list },
	{ "journal abandon", "SERIAL [--order ID]", "give up a unit that was cut: what is pending at the CA is revoked", journal_options, 1, 1,
	  cmd_journal_abandon },
	{ "doctor", "[--order ID] [--model FILE]", "what stands in the way of work, and what to do", doctor_options, 0, 0, cmd_doctor },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "handsel-station",
		.summary = "loads the agent into devices over USB and gives each its factory credential",
		.default_dir = HANDSEL_STATEDIR "/station",
		.commands = commands,
	};

	return cli_main(&program, argc, argv);
}
