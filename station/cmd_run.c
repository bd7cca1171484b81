#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "desk.h"
#include "dfu_suffix.h"
#include "digest.h"
#include "file.h"
#include "hold.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "resume.h"
#include "root.h"
#include "setup.h"
#include "slot.h"
#include "text.h"
#include "zpl.h"

#define SCAN_MS 250		/* where hotplug events do not come */
#define SCAN_RARE_MS 2000	/* where they do: each look reads the descriptors of every device */
#define TIMEOUT_DEFAULT_S 120	/* one unit: the slowest board that we know takes 40 s */
#define TIMEOUT_MAX_S 3600
#define CA_WAIT_MAX_S 604800	/* a week: longer is no wait */
#define ATTEMPTS_DEFAULT 3	/* a bad contact shows in three tries; more cost a slot its time */
#define ATTEMPTS_MAX 100

bool run_is_agent(const struct usb_place *p, void *model)
{
	const struct model *m = model;

	return p->vid == m->agent_vid && p->pid == m->agent_pid;
}

bool run_wants(const struct usb_place *p, void *model)
{
	const struct model *m = model;

	return run_is_agent(p, model) || (p->vid == m->dfu_vid && p->pid == m->dfu_pid);
}

bool run_has_passed(struct run *r, const char *serial)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_passed && !found; i++)
		found = strcmp(r->passed[i], serial) == 0;
	pthread_mutex_unlock(&r->lock);
	return found;
}

bool run_claim_serial(struct run *r, struct unit *u, const char *serial, char other[LIMIT_NAME + 1])
{
	bool free_here = true;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < STATION_SLOTS_MAX && free_here; i++) {
		struct unit *o = r->unit[i];

		if (o && o != u && !o->finished && strcmp(o->serial, serial) == 0) {
			text_copy(other, LIMIT_NAME + 1, o->record.slot);
			text_copy(o->twin, sizeof o->twin, u->record.slot);
			free_here = false;
		}
	}
	if (free_here)
		text_copy(u->serial, sizeof u->serial, serial);
	pthread_mutex_unlock(&r->lock);
	return free_here;
}

/* ---- the main thread ------------------------------------------------------------------ */

struct floor {			/* what only the main thread knows */
	struct run *run;
	size_t wanted;		/* units, 0: no end */
	size_t started;		/* that count toward it */
	struct usb_place done[STATION_SLOTS_MAX];	/* devices that are finished with but still plugged in */
	size_t n_done;
	struct usb_place failed[STATION_SLOTS_MAX];	/* those of them that a card may start again */
	size_t n_failed;
	struct usb_place strange[STATION_SLOTS_MAX];	/* on ports that are no slots: said once */
	size_t n_strange;
	bool full;		/* the disk */
};

static bool same_place(const struct usb_place *a, const struct usb_place *b)
{
	return strcmp(a->port, b->port) == 0 && a->address == b->address;
}

static bool among(const struct usb_place *list, size_t n, const struct usb_place *p)
{
	for (size_t i = 0; i < n; i++)
		if (same_place(&list[i], p))
			return true;
	return false;
}

/* Forgets the devices that have left, so that the next one on the port is a new unit. */
static size_t keep_present(struct usb_place *list, size_t n, const struct usb_place *now, size_t n_now)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (among(now, n_now, &list[i]))
			list[kept++] = list[i];
	return kept;
}

static bool port_busy(const struct run *r, const char *port)
{
	for (size_t i = 0; i < STATION_SLOTS_MAX; i++)
		if (r->unit[i] && strcmp(r->unit[i]->record.port, port) == 0)
			return true;
	return false;
}

static void leave_alone(struct floor *f, const struct usb_place *p)
{
	if (among(f->strange, f->n_strange, p) || f->n_strange == STATION_SLOTS_MAX)
		return;
	f->strange[f->n_strange++] = *p;
	log_warn("a device on port %s is left alone: station.yaml names no slot for this port", p->port);
}

static void start_unit(struct floor *f, const struct usb_place *p, const char *slot)
{
	struct err e;

	for (size_t i = 0; i < STATION_SLOTS_MAX; i++) {
		struct unit *u;

		if (f->run->unit[i])
			continue;
		/* The unit's thread finds its own entry when it compares itself with the others. */
		pthread_mutex_lock(&f->run->lock);
		u = unit_start(f->run, p, slot, &e);
		f->run->unit[i] = u;
		pthread_mutex_unlock(&f->run->lock);
		if (u)
			f->started++;
		else
			log_err(&e, "slot %s", slot);
		return;
	}
}

/* Without room no unit is begun; said once each way. */
static bool has_room(struct floor *f)
{
	struct console *c = f->run->console;
	struct err e;
	bool room = hold_room(f->run->station.dir, &e) == 0;

	if (room == !f->full)
		return room;
	f->full = !room;
	console_state(c, "disk", room ? "ok" : "full");
	if (room)
		console_say(c, "there is room on the disk again: work goes on");
	else
		console_say(c, "%s %s; no unit is begun until there is room", reason_id(e.code), e.text);
	return room;
}

static void start_units(struct floor *f)
{
	struct usb_place now[BUS_DEVICES_MAX];
	size_t n = bus_list(f->run->bus, run_wants, &f->run->model, now, BUS_DEVICES_MAX);

	f->n_done = keep_present(f->done, f->n_done, now, n);
	f->n_failed = keep_present(f->failed, f->n_failed, now, n);
	f->n_strange = keep_present(f->strange, f->n_strange, now, n);
	if (!has_room(f))
		return;
	for (size_t i = 0; i < n; i++) {
		const char *slot = station_slot(&f->run->station, now[i].port);

		if (!slot)
			leave_alone(f, &now[i]);
		else if (!port_busy(f->run, now[i].port) && !among(f->done, f->n_done, &now[i]) &&
			 (!f->wanted || f->started < f->wanted))
			start_unit(f, &now[i], slot);
	}
}

/* Joins the units that are finished (all: waits for each). */
static size_t reap(struct floor *f, bool all)
{
	struct run *r = f->run;
	size_t busy = 0;

	for (size_t i = 0; i < STATION_SLOTS_MAX; i++) {
		struct unit *u = r->unit[i];
		bool finished;

		if (!u)
			continue;
		pthread_mutex_lock(&r->lock);
		finished = u->finished;
		if (finished || all)
			r->unit[i] = NULL;
		pthread_mutex_unlock(&r->lock);
		if (!finished && !all) {
			busy++;
			continue;
		}
		if (f->n_done < STATION_SLOTS_MAX)
			f->done[f->n_done++] = u->place;
		if ((outcome_has_reason(u->record.outcome) || (u->no_label && u->record.outcome == OUTCOME_ABORTED)) && f->n_failed < STATION_SLOTS_MAX)
			f->failed[f->n_failed++] = u->place;
		if (u->ignore || u->left_out)
			f->started--;
		unit_free(u);
	}
	return busy;
}

/* ---- command cards ---------------------------------------------------------------------- */

void run_ask(struct run *r, enum scan_kind kind, const char *slot)
{
	uint64_t one = 1;

	pthread_mutex_lock(&r->lock);
	if (r->n_asks < RUN_ASKS_MAX) {
		r->ask[r->n_asks].kind = kind;
		text_copy(r->ask[r->n_asks++].slot, LIMIT_NAME + 1, slot);
	}
	pthread_mutex_unlock(&r->lock);
	if (write(r->wake, &one, sizeof one) < 0)
		log_debug("the card is seen at the next scan");
}

static size_t remove_place(struct usb_place *list, size_t n, const struct usb_place *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!same_place(&list[i], p))
			list[kept++] = list[i];
	return kept;
}

/* A failed unit that is still plugged in is begun again, or its row is cleared. false: there is none in the slot. */
static bool answer_failed(struct floor *f, const struct run_ask *a)
{
	for (size_t i = 0; i < f->n_failed; i++) {
		struct usb_place p = f->failed[i];
		const char *slot = station_slot(&f->run->station, p.port);

		if (!slot || strcmp(slot, a->slot) != 0)
			continue;
		f->n_failed = remove_place(f->failed, f->n_failed, &p);
		if (a->kind == SCAN_RETRY) {
			f->n_done = remove_place(f->done, f->n_done, &p);
			f->started--;	/* it counts once */
		} else {
			console_clear(f->run->console, slot, p.port);
		}
		return true;
	}
	return false;
}

/* The printer is asked all the time anyway: to try again needs only an answer. */
static bool answer_at_printer(const struct floor *f, const struct run_ask *a)
{
	struct run *r = f->run;
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < STATION_SLOTS_MAX && !found; i++) {
		struct unit *u = r->unit[i];

		found = u && u->at_printer && strcmp(u->record.slot, a->slot) == 0;
		if (found && a->kind == SCAN_SKIP)
			u->no_label = true;
	}
	pthread_mutex_unlock(&r->lock);
	if (found && a->kind == SCAN_RETRY)
		console_say(r->console, "slot %s: waits for the label printer, and goes on when that prints", a->slot);
	else if (found && r->source.order.label)
		console_say(r->console, "slot %s: without its label the unit does not pass; plug it in again, or use label reprint, when the "
					"printer prints", a->slot);
	return found;
}

static void answer(struct floor *f, const struct run_ask *a)
{
	struct run *r = f->run;

	if (answer_failed(f, a) || answer_at_printer(f, a) || (a->kind == SCAN_SKIP && r->labels && labels_skip(r->labels, a->slot)))
		return;
	console_say(r->console, "slot %s: %s", a->slot,
		    a->kind == SCAN_RETRY ? "no failed unit is plugged in there; nothing is tried again"
					  : "no failed unit and none that waits for its label or the printer is there; nothing is skipped");
}

static void answer_cards(struct floor *f)
{
	struct run_ask ask[RUN_ASKS_MAX];
	size_t n;

	pthread_mutex_lock(&f->run->lock);
	n = f->run->n_asks;
	memcpy(ask, f->run->ask, sizeof ask);
	f->run->n_asks = 0;
	pthread_mutex_unlock(&f->run->lock);
	for (size_t i = 0; i < n; i++)
		answer(f, &ask[i]);
}

/* Whether anybody has woken us: the bus, or a unit that is finished. */
static bool drain(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof n) > 0)
		return true;
	if (errno != EAGAIN)
		log_debug("eventfd: %s", strerror(errno));
	return false;
}

/* Until the wanted number is finished, or a signal. Returns the signal. */
static int work(struct floor *f, const struct usb_watch *watch)
{
	bool warned = false;
	struct err e;

	for (;;) {
		bool told = drain(f->run->wake) && usb_watch_works(watch);
		int signal_number;

		if (bus_scan(f->run->bus, told ? watch : NULL, &e) < 0 && !warned) {
			log_err(&e, "USB");
			warned = true;
		}
		if (reap(f, false) == 0 && f->wanted && f->started >= f->wanted)
			return 0;
		answer_cards(f);
		start_units(f);
		signal_number = proc_signals_wait(f->run->wake, usb_watch_works(watch) ? SCAN_RARE_MS : SCAN_MS);
		if (signal_number)
			return signal_number;
	}
}

static enum cli_exit serve(struct run *r, size_t wanted)
{
	struct floor f = { .run = r, .wanted = wanted };
	struct usb_watch *watch = usb_watch_start(r->wake);
	struct desk *desk = desk_start(r);
	int64_t start = clock_mono_ms();
	int signal_number = work(&f, watch);
	size_t waiting;

	if (signal_number)
		bus_stop(r->bus);
	reap(&f, true);
	usb_watch_stop(watch);
	desk_stop(desk);
	waiting = sender_stop(r->sender);
	console_totals(r->console, &r->totals, clock_mono_ms() - start);
	if (waiting)
		log_warn("%zu records wait for the MES; the next run sends them, or handsel-station queue retry", waiting);
	if (signal_number)
		return EXIT_INTERRUPTED;
	return r->totals.fail ? EXIT_NO : EXIT_DONE;
}

/* ---- before it -------------------------------------------------------------------------- */

static void show_queue(void *console, size_t waiting)
{
	char n[24];

	snprintf(n, sizeof n, "%zu", waiting);
	console_state(console, "MES queue", n);
}

static int load_agent(struct run *r, const char *path, struct err *e)
{
	r->agent.max = LIMIT_AGENT_IMAGE;
	if (file_read(&r->agent, path, LIMIT_AGENT_IMAGE, e) < 0)
		return err_prefix(e, "--agent");
	if (dfu_suffix_take(&r->agent, r->model.dfu_vid, r->model.dfu_pid, e) < 0)
		return err_prefix(e, "--agent %s", path);
	return r->agent.len ? 0 : err_set(e, REASON_CONFIG, "--agent %s is empty", path);
}

static int read_key_options(const struct cli *c, struct run *r, struct err *e)
{
	const char *who = cli_get(c, "key"), *type = cli_get(c, "key-type"), *client = cli_get(c, "client");

	if (client && strcmp(client, "device") != 0 && strcmp(client, "station") != 0)
		return err_set(e, REASON_CONFIG, "--client %s: device or station is possible", client);
	r->client_here = client && strcmp(client, "station") == 0;
	if (who && strcmp(who, "device") != 0 && strcmp(who, "ca") != 0)
		return err_set(e, REASON_CONFIG, "--key %s: device or ca is possible", who);
	r->mode = who && strcmp(who, "ca") == 0 ? MODE_CA : MODE_DEVICE;
	if (type && r->mode != MODE_CA)
		return err_set(e, REASON_CONFIG, "--key-type is for keys that the CA makes: add --key ca");
	if (type && key_type_parse(type) == KEY_NONE)
		return err_set(e, REASON_CONFIG, "--key-type %s: p256, p384, rsa2048 or rsa3072 is possible", type);
	if (type)
		text_copy(r->key_type, sizeof r->key_type, type);
	return 0;
}

static int read_options(const struct cli *c, struct run *r, size_t *wanted, struct err *e)
{
	const char *count = cli_get(c, "count"), *attempts = cli_get(c, "max-attempts");
	uint64_t seconds = TIMEOUT_DEFAULT_S, ca_wait = 0, n = 0, tries = ATTEMPTS_DEFAULT;

	if (!cli_get(c, "order") || !cli_get(c, "agent") || !cli_get(c, "model"))
		return err_set(e, REASON_CONFIG, "--order, --agent and --model are needed");
	if (count && (text_uint(&n, count, LABELS_MAX) < 0 || n == 0))
		return err_set(e, REASON_CONFIG, "--count %s: a number from 1 to %d is needed", count, LABELS_MAX);
	if (attempts && (text_uint(&tries, attempts, ATTEMPTS_MAX) < 0 || tries == 0))
		return err_set(e, REASON_CONFIG, "--max-attempts %s: a number from 1 to %d is needed", attempts, ATTEMPTS_MAX);
	if (cli_seconds(c, "timeout", &seconds, TIMEOUT_MAX_S, e) < 0 || cli_seconds(c, "ca-wait", &ca_wait, CA_WAIT_MAX_S, e) < 0)
		return -1;
	r->timeout_ms = (int64_t)seconds * 1000;
	r->ca_wait_ms = (int64_t)ca_wait * 1000;
	r->attempts_max = (unsigned)tries;
	r->failed_only = cli_has(c, "failed");
	*wanted = n;
	return read_key_options(c, r, e);
}

static void show_printer(void *console, const char *state)
{
	console_state(console, "printer", state);
}

/* A label on which the order's units have no room is better known before the first of them. */
static int try_label(const struct run *r, struct err *e)
{
	const struct work_order *o = &r->source.order;
	struct label l = {0};
	struct buf zpl = {0};
	int rc;

	text_copy(l.device.manufacturer, sizeof l.device.manufacturer, o->manufacturer);
	text_copy(l.device.model, sizeof l.device.model, o->model);
	text_copy(l.device.serial, sizeof l.device.serial, o->range[0].from);
	text_copy(l.order, sizeof l.order, o->id);
	rc = zpl_label(&r->station.label, &l, &zpl, e);
	buf_free(&zpl);
	return rc;
}

static int prepare_printer(struct run *r, struct err *e)
{
	if (label_is_printed(&r->station.label)) {
		r->printer = printer_new(&r->station.label, show_printer, r->console);
		return try_label(r, e);
	}
	if (r->source.order.label)
		return err_set(e, REASON_CONFIG, "work order %s wants a printed label on each unit, but station.yaml has no label with a printer",
			       r->source.order.id);
	return 0;
}

/* That there is no paper is better known before the first unit. */
static void look_at_printer(struct run *r)
{
	struct err e;

	if (r->printer && printer_look(r->printer, &e) < 0)
		console_say(r->console, "%s: %s", e.text, reason_info(e.code)->action);
}

static int prepare(const struct cli *c, struct run *r, struct err *e)
{
	uint8_t sha256[SHA256_LEN];

	if (station_load(&r->station, cli_dir(c), e) < 0)
		return -1;
	station_renew(&r->station);
	if (console_setup(r->console, c, &r->station, e) < 0 ||
	    model_load(&r->model, cli_get(c, "model"), e) < 0 ||
	    load_agent(r, cli_get(c, "agent"), e) < 0)
		return -1;
	if (cli_get(c, "labels") && !(r->labels = labels_open(cli_get(c, "labels"), e)))
		return -1;
	digest_sha256(sha256, r->agent.data, r->agent.len);
	if (order_fetch(&r->source, &r->station, cli_get(c, "order"), e) < 0 ||
	    order_fits(&r->source.order, &r->model, sha256, e) < 0 || prepare_printer(r, e) < 0)
		return -1;
	r->journal = journal_open(r->station.dir, e);
	if (r->journal && journal_count(r->journal) == 0)
		root_take_up(&r->station);
	r->records = r->journal ? records_open(&r->station, mes_is_set(&r->station.mes), e) : NULL;
	if (!r->records || (r->failed_only && failed_load(&r->failed, r->station.dir, r->source.order.id, r->journal, e) < 0))
		return -1;
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->wake < 0 ? err_errno(e, REASON_INTERNAL, "cannot make an eventfd") : 0;
}

static enum cli_exit nothing_left(struct run *r)
{
	log_info("nothing of order %s is left that failed or was cut", r->source.order.id);
	console_totals(r->console, &r->totals, 0);
	return EXIT_DONE;
}

static enum cli_exit run_order(struct run *r, size_t wanted)
{
	enum cli_exit rc;

	console_order(r->console, &r->source);
	if (r->failed_only)
		console_say(r->console, "%zu failed or cut: these alone are tried again", r->failed.n);
	standing_init(&r->standing, &r->station);
	if (mes_is_set(&r->station.mes))
		r->sender = sender_start(&r->station, show_queue, r->console);
	look_at_printer(r);
	resume_start(r);
	rc = serve(r, wanted ? wanted : r->failed.n);	/* --failed ends when each was tried */
	standing_close(&r->standing);
	return rc;
}

enum cli_exit cmd_run(const struct cli *c)
{
	struct run *r;
	enum cli_exit rc;
	struct err e = {0};
	size_t wanted = 0;

	if (cli_has(c, "dry-run"))
		return cmd_failed(c);
	r = mem_new(1, sizeof *r);
	r->wake = -1;
	pthread_mutex_init(&r->lock, NULL);
	proc_signals_block();
	r->bus = bus_new();
	r->console = console_new(cli_json(c));
	if (read_options(c, r, &wanted, &e) < 0 || prepare(c, r, &e) < 0)
		rc = cli_fail(c, &e);
	else
		rc = r->failed_only && !r->failed.n ? nothing_left(r) : run_order(r, wanted);
	if (r->wake >= 0)
		close(r->wake);
	records_close(r->records);
	failed_free(&r->failed);
	journal_close(r->journal);
	labels_free(r->labels);
	printer_free(r->printer);
	console_free(r->console);
	bus_free(r->bus);
	buf_free(&r->agent);
	free(r->passed);
	station_free(&r->station);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return rc;
}
