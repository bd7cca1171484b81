#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "order_source.h"
#include "run.h"
#include "spool.h"
#include "text.h"

#define DAY_S 86400
#define CERT_DOUBT_S ((int64_t)30 * DAY_S)	/* a month to have it renewed */
#define DISK_BAD ((uint64_t)10 << 20)		/* some hours of records, at 4 KiB each and a full block */
#define DISK_DOUBT ((uint64_t)500 << 20)	/* some months */

struct visit {
	struct findings *all;
	struct station station;
	bool certified;
};

/* ---- this machine ---- */
static void look_station(struct visit *v, const char *dir)
{
	struct err e;

	if (station_settings(&v->station, dir, &e) < 0) {
		finding_say(v->all, "station", FINDING_BAD, e.code, "%s", e.text);
		return;
	}
	finding_say(v->all, "station", FINDING_GOOD, REASON_OK, "%s, CA %s port %s", v->station.name, v->station.ca.host, v->station.ca.port);
	station_free(&v->station);
	v->certified = station_load(&v->station, dir, &e) == 0;
	if (!v->certified)
		finding_say(v->all, "certificate", FINDING_BAD, e.code, "%s", e.text);
}

static void look_certificate(struct visit *v)
{
	int64_t until = v->station.chain.cert[0].not_after;
	char t[TEXT_TIME];

	text_time(t, until);
	if (until - clock_utc() < CERT_DOUBT_S)
		finding_say(v->all, "certificate", FINDING_DOUBT, REASON_CONFIG, "ends at %s: have station.csr certified anew before", t);
	else
		finding_say(v->all, "certificate", FINDING_GOOD, REASON_OK, "good until %s", t);
}

static void look_clock(struct visit *v)
{
	char now[TEXT_TIME];

	text_time(now, clock_utc());
	if (v->station.root.n && clock_utc() < v->station.root.cert[0].not_before)
		finding_say(v->all, "clock", FINDING_BAD, REASON_CLOCK, "%s is before the factory's root was made; set the clock", now);
	else
		finding_say(v->all, "clock", FINDING_GOOD, REASON_OK, "%s", now);
}

static void look_disk(struct visit *v, const char *dir)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (statvfs(dir, &fs) < 0 || access(dir, W_OK) < 0) {
		finding_say(v->all, "disk", FINDING_BAD, REASON_STORAGE, "%s cannot be written: %s", dir, strerror(errno));
		return;
	}
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes < DISK_BAD)
		finding_say(v->all, "disk", FINDING_BAD, REASON_STORAGE, "%" PRIu64 " MiB are free: move old records away", free_bytes >> 20);
	else if (free_bytes < DISK_DOUBT)
		finding_say(v->all, "disk", FINDING_DOUBT, REASON_STORAGE, "%" PRIu64 " MiB are free: move old records away soon",
		    free_bytes >> 20);
	else
		finding_say(v->all, "disk", FINDING_GOOD, REASON_OK, "%" PRIu64 " MiB are free", free_bytes >> 20);
}

/* ---- the MES ---- */
static void look_mes(struct visit *v, const char *dir)
{
	struct spooled *waiting = NULL, *refused = NULL;
	size_t n_waiting = 0, n_refused = 0;
	char since[TEXT_TIME];
	struct err e;

	if (!mes_is_set(&v->station.mes))
		return;
	if (spool_list(dir, SPOOL_WAITING, &waiting, &n_waiting, &e) < 0 || spool_list(dir, SPOOL_REFUSED, &refused, &n_refused, &e) < 0) {
		finding_say(v->all, "mes", FINDING_BAD, e.code, "%s", e.text);
	} else if (v->station.mes.n_program && strchr(v->station.mes.program[0], '/') && access(v->station.mes.program[0], X_OK) < 0) {
		finding_say(v->all, "mes", FINDING_BAD, REASON_CONFIG, "program %s of mes cannot be started: %s", v->station.mes.program[0],
			    strerror(errno));
	} else if (n_refused) {
		finding_say(v->all, "mes", FINDING_DOUBT, REASON_REQUEST, "refused %zu record%s: handsel-station queue list", n_refused,
			    n_refused == 1 ? "" : "s");
	} else if (n_waiting) {
		text_time(since, waiting[0].time_ns / 1000000000);
		finding_say(v->all, "mes", FINDING_DOUBT, REASON_UNREACHABLE,
			    "%zu record%s, the oldest since %s: handsel-station queue retry", n_waiting,
			    n_waiting == 1 ? " waits" : "s wait", since);
	} else {
		finding_say(v->all, "mes", FINDING_GOOD, REASON_OK, "no record waits");
	}
	free(waiting);
	free(refused);
}

/* ---- the label printer ---- */
static void look_printer(struct visit *v)
{
	struct printer *p;
	struct err e;

	if (!label_is_printed(&v->station.label))
		return;
	p = printer_new(&v->station.label, NULL, NULL);
	if (printer_look(p, &e) < 0)
		finding_say(v->all, "printer", FINDING_BAD, e.code, "%s", e.text);
	else
		finding_say(v->all, "printer", FINDING_GOOD, REASON_OK, "%s is ready", printer_name(p));
	printer_free(p);
}

/* ---- USB ---- */
/* A device that is wanted must open: its node's rights come from a udev rule. */
static bool opens(struct visit *v, const struct usb_place *p)
{
	struct err e;
	struct usb *u = usb_open(p, &e);

	if (!u)
		finding_say(v->all, "usb", FINDING_BAD, e.code, "%s (60-handsel-station.rules of the installation)", e.text);
	usb_close(u);
	return u;
}

static void look_usb(struct visit *v, const struct model *m)
{
	struct usb_place now[BUS_DEVICES_MAX];
	struct model copy = *m;
	struct err e;
	int n = usb_scan(NULL, now, BUS_DEVICES_MAX, &e), wanted = 0, strange = 0;

	if (n < 0) {
		finding_say(v->all, "usb", FINDING_BAD, e.code, "%s", e.text);
		return;
	}
	for (int i = 0; i < n; i++) {
		if (!run_wants(&now[i], &copy))
			continue;
		if (!station_slot(&v->station, now[i].port))
			strange++;
		if (!opens(v, &now[i]))
			return;
		wanted++;
	}
	finding_say(v->all, "usb", FINDING_GOOD, REASON_OK, "%d of %d devices are of the model, and can be opened", wanted, n);
	if (strange)
		finding_say(v->all, "slots", FINDING_DOUBT, REASON_CONFIG, "%d of them on ports that are no slot: handsel-station slots list", strange);
	else
		finding_say(v->all, "slots", FINDING_GOOD, REASON_OK, v->station.n_slots ? "%zu slots are named" :
		    "%zu slots are named: every port is one", v->station.n_slots);
}

static void look_model(struct visit *v, const char *path)
{
	struct model m;
	struct err e;

	if (!path) {
		finding_say(v->all, "usb", FINDING_NOT_TRIED, REASON_OK, "give the device model with --model");
	} else if (model_load(&m, path, &e) < 0) {
		finding_say(v->all, "model", FINDING_BAD, e.code, "%s", e.text);
		finding_say(v->all, "usb", FINDING_NOT_TRIED, REASON_OK, "no model");
	} else {
		finding_say(v->all, "model", FINDING_GOOD, REASON_OK, "%s %s", m.manufacturer, m.model);
		look_usb(v, &m);
	}
}

/* ---- the CA ---- */
static int reach(const struct station *s, struct err *e)
{
	struct url url = s->ca;
	struct ca_client c = { .connect = ca_connect_url,
			       .arg = &url,
			       .host = url.host,
			       .ca = s->ca_id,
			       .chain = &s->chain,
			       .key = s->key,
			       .trust = s->trust };
	int rc = ca_client_session(&c, e) ? 0 : -1;

	ca_client_close(&c);
	return rc;
}

static void look_order(struct visit *v, const char *id)
{
	struct order_source o;
	char until[TEXT_TIME];
	struct err e;

	if (order_fetch(&o, &v->station, id, &e) < 0) {
		finding_say(v->all, "order", FINDING_BAD, e.code, "%s", e.text);
		return;
	}
	text_time(until, o.order.not_after);
	if (o.done >= o.ordered)
		finding_say(v->all, "order", FINDING_BAD, REASON_QUOTA, "%s: all %" PRIu32 " units are done", id, o.ordered);
	else
		finding_say(v->all, "order", FINDING_GOOD, REASON_OK, "%s: %" PRIu32 " of %" PRIu32 " units are left, until %s", id,
		    o.ordered - o.done, o.ordered, until);
}

static void look_ca(struct visit *v, const char *order)
{
	int64_t start = clock_mono_ms();
	bool good = false;
	struct err e;

	if (!v->certified)
		finding_say(v->all, "ca", FINDING_NOT_TRIED, REASON_OK, "no certificate to show");
	else if (reach(&v->station, &e) < 0)
		finding_say(v->all, "ca", FINDING_BAD, e.code, "%s", e.text);
	else
		good = true;
	if (good)
		finding_say(v->all, "ca", FINDING_GOOD, REASON_OK, "answers, and is of the factory (%d ms)", (int)(clock_mono_ms() - start));
	if (!good || !order)
		finding_say(v->all, "order", FINDING_NOT_TRIED, REASON_OK, order ? "the CA does not answer" : "give one with --order");
	else
		look_order(v, order);
}

void doctor(const char *dir, const char *order, const char *model, struct findings *all)
{
	struct visit v = { .all = all };

	look_station(&v, dir);
	if (v.certified)
		look_certificate(&v);
	look_clock(&v);
	look_disk(&v, dir);
	look_mes(&v, dir);
	look_printer(&v);
	look_model(&v, model);
	look_ca(&v, order);
	station_free(&v.station);
}
