#include <config.h>

#include <stdio.h>
#include <string.h>

#include "board.h"
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "reprints.h"
#include "steps.h"
#include "zpl.h"

#define OPTIONAL_MS 15000	/* for a label that the order does not want: some labels are before it */

struct at_printer {
	struct unit *unit;
	enum reason said;
	int64_t until;		/* clock_mono_ms(); 0: for ever */
	bool left, given_up;
};

static bool is_it(const struct usb_place *p, void *arg)
{
	const struct usb_place *mine = arg;

	return p->address == mine->address && strcmp(p->port, mine->port) == 0;
}

/* A label is for a device that is in its slot: one that comes out later would be put on another. */
static bool goes_on(void *arg, const struct err *why)
{
	struct at_printer *w = arg;
	struct run *r = w->unit->run;
	struct usb_place p;
	char note[BOARD_TEXT];

	w->left = bus_list(r->bus, is_it, &w->unit->place, &p, 1) == 0;
	w->given_up = unit_label_given_up(w->unit);
	if (w->left || w->given_up || bus_stopped(r->bus) || (w->until && (why || clock_mono_ms() >= w->until)))
		return false;
	if (why && why->code != w->said) {
		snprintf(note, sizeof note, "%.200s: %s", why->text, reason_info(why->code)->action);
		console_note(r->console, &w->unit->record, note);
		w->said = why->code;
	}
	return true;
}

bool unit_label_given_up(struct unit *u)
{
	bool rc;

	pthread_mutex_lock(&u->run->lock);
	rc = u->no_label;
	pthread_mutex_unlock(&u->run->lock);
	return rc;
}

static void set_at_printer(struct unit *u, bool is_there)
{
	pthread_mutex_lock(&u->run->lock);
	u->at_printer = is_there;
	pthread_mutex_unlock(&u->run->lock);
}

static void printed(struct unit *u, const struct label *l)
{
	static const uint8_t none[SHA256_LEN];
	struct record *r = &u->record;
	char *detail = r->phase[r->n_phases - 1].detail;
	const char *more = "";

	if (memcmp(u->labelled, none, SHA256_LEN) != 0)
		more = "; one of an older key was printed before: destroy it";
	else if (u->label_given > 1)
		more = "; it may have come out twice: destroy one";
	snprintf(detail, sizeof r->phase->detail, "on paper, printer %.80s%s", printer_name(u->run->printer), more);
	if (*more)
		console_note(u->run->console, r, detail);
	memcpy(u->labelled, l->key_sha256, SHA256_LEN);
}

static int print(struct unit *u, const struct label *l, const struct buf *zpl, struct err *e)
{
	struct run *r = u->run;
	int64_t start = clock_mono_ms();
	struct at_printer w = { .unit = u, .until = r->source.order.label ? 0 : start + OPTIONAL_MS };
	int rc;

	set_at_printer(u, true);
	rc = printer_print(r->printer, zpl, goes_on, &w, &u->label_given, e);
	set_at_printer(u, false);
	u->deadline += clock_mono_ms() - start;		/* a printer's time is not the unit's */
	if (rc == 0) {
		FAULT("station.label.printed");
		printed(u, l);
		return 0;
	}
	if (w.left)
		return err_set(e, REASON_DEVICE_LEFT, "the device left its slot before its label was printed");
	if (bus_stopped(r->bus))
		return err_set(e, REASON_INTERNAL, "interrupted");
	if (w.given_up && u->label_given)
		err_prefix(e, "given up by a command card, though the printer has it and may print it yet: destroy that one");
	else if (w.given_up)
		err_prefix(e, "given up by a command card");
	return -1;
}

/* ---- labels of earlier ---------------------------------------------------------------------- */

struct earlier {
	const struct unit *unit;
	const struct label *label;
	bool found;
};

/* Is it this key's? */
static void look_at_reprint(void *arg, const struct reprint *re, bool follows)
{
	struct earlier *x = arg;
	struct record r = {0};
	struct label l;
	struct err e;

	if (!re->printed || strcmp(re->serial, x->label->device.serial) != 0)
		return;
	if (records_read(x->unit->run->station.dir, re->record, &r, &e) == 0 && label_of_record(&l, &r, &e) == 0 &&
	    memcmp(l.key_sha256, x->label->key_sha256, SHA256_LEN) == 0)
		x->found = true;
	record_free(&r);
}

/* A unit whose label a card gave up may have got it by `label reprint`. */
static bool is_on_paper(const struct unit *u, const struct label *l)
{
	struct earlier x = { .unit = u, .label = l, .found = memcmp(u->labelled, l->key_sha256, SHA256_LEN) == 0 };
	struct err e;

	if (!x.found && reprints_each(u->run->station.dir, look_at_reprint, &x, &e) < 0)
		log_err(&e, "slot %s: labels that were printed again", u->record.slot);
	return x.found;
}

/* ---- the step ---------------------------------------------------------------------------------- */

/* The order does not want it: the unit is good without. */
static int go_without(struct unit *u, const struct err *e)
{
	struct record *r = &u->record;
	char note[BOARD_TEXT];

	u->skip = true;
	snprintf(r->phase[r->n_phases - 1].detail, sizeof r->phase->detail, "%s %.180s", reason_id(e->code), e->text);
	snprintf(note, sizeof note, "no label: %.150s; handsel-station label reprint %s prints it later", e->text, r->id);
	console_note(u->run->console, r, note);
	return 0;
}

int step_label(struct unit *u, struct err *e)
{
	struct run *r = u->run;
	struct buf zpl = {0};
	struct label l;
	int rc = -1;

	u->skip = !r->printer || u->has_passed;
	if (u->skip)
		return 0;
	if (label_of_record(&l, &u->record, e) < 0)
		return -1;
	u->skip = is_on_paper(u, &l);
	if (u->skip) {
		snprintf(u->record.phase[u->record.n_phases - 1].detail, sizeof u->record.phase->detail, "was on paper before");
		return 0;
	}
	if (zpl_label(&r->station.label, &l, &zpl, e) == 0)
		rc = print(u, &l, &zpl, e);
	buf_free(&zpl);
	if (rc < 0 && !r->source.order.label && e->code != REASON_DEVICE_LEFT && !bus_stopped(r->bus))
		rc = go_without(u, e);
	return rc;
}
