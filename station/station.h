/* station.h - what a station is: its folder with station.yaml, key, certificate and the factory root. */
#ifndef HANDSEL_STATION_H
#define HANDSEL_STATION_H

#include "caclient.h"
#include "console_settings.h"
#include "http.h"
#include "key.h"
#include "label.h"
#include "limits.h"
#include "mes.h"
#include "scan.h"
#include "unit_key.h"
#include "usb.h"
#include "x509.h"

#define STATION_SLOTS_MAX 64

struct station_slot {
	char name[LIMIT_NAME + 1];
	char port[USB_PORT_MAX];
};

struct station {
	char dir[1024];
	char name[LIMIT_NAME + 1];
	struct url ca;
	char ca_id[CA_ID_MAX + 1];	/* which CA of that system; "": its first */
	struct station_slot slot[STATION_SLOTS_MAX];	/* n_slots 0: every port is a slot, named after itself */
	size_t n_slots;
	struct scan_settings scanner;
	struct console_settings console;
	struct mes mes;
	struct label_settings label;
	struct unit_place place;	/* of the key */
	struct key *key;
	struct chain chain;		/* unit certificate, unit CA */
	struct chain root;		/* root.h: the one in force, then older ones */
	struct trust *trust;		/* it: the CA, documents */
	struct trust *made;		/* all of them: what was made in their time */
};

/* Code CONFIG, or those of the key and the certificates. Free with station_free(), also after a failure. */
int station_load(struct station *s, const char *dir, struct err *e);
int station_settings(struct station *s, const char *dir, struct err *e);	/* station.yaml alone */
int station_offline(struct station *s, const char *dir, struct err *e);	/* and the root: to verify, not to work */
void station_free(struct station *s);

/* The slot of a port; NULL if the station has slots and this port is none of them. */
const char *station_slot(const struct station *s, const char *port);

struct cli;
enum cli_exit cmd_init(const struct cli *c);
enum cli_exit cmd_enrol(const struct cli *c);
enum cli_exit cmd_renew(const struct cli *c);
enum cli_exit cmd_run(const struct cli *c);
enum cli_exit cmd_failed(const struct cli *c);	/* run --failed --dry-run: 0 nothing is left, 1 something is */
enum cli_exit cmd_doctor(const struct cli *c);
enum cli_exit cmd_label_print(const struct cli *c);
enum cli_exit cmd_label_reprint(const struct cli *c);
enum cli_exit cmd_label_reprints(const struct cli *c);
enum cli_exit cmd_queue_list(const struct cli *c);
enum cli_exit cmd_queue_retry(const struct cli *c);
enum cli_exit cmd_queue_drop(const struct cli *c);
enum cli_exit cmd_report(const struct cli *c);
enum cli_exit cmd_record_show(const struct cli *c);
enum cli_exit cmd_record_verify(const struct cli *c);
enum cli_exit cmd_journal_list(const struct cli *c);
enum cli_exit cmd_journal_abandon(const struct cli *c);
enum cli_exit cmd_slots_learn(const struct cli *c);
enum cli_exit cmd_slots_list(const struct cli *c);
enum cli_exit cmd_slots_test(const struct cli *c);

#endif
