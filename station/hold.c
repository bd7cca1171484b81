#include <config.h>

#include "hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "clock.h"

#define CA_PAUSE_MS 1000	/* the first pause before the CA is asked again; it doubles */
#define CA_PAUSE_MAX_MS 8000
#define ROOM_PAUSE_MS 1000
#define ROOM_MIN ((uint64_t)1 << 20)	/* journal, record, signature and index of STATION_SLOTS_MAX units: 16 KiB each */
#define ROOM_FILES (4 * STATION_SLOTS_MAX)

bool hold_is_away(const struct err *e)
{
	return e->code == REASON_CA_UNAVAILABLE || e->code == REASON_UNREACHABLE || e->code == REASON_SECRET;
}

/* The CA is away: the device is held in its slot with the same request, and goes on when the CA is back. The station asks for
 * itself, as a device could say this for ever: only time in which the CA does not answer the station is not the unit's. */
int hold_for_ca(struct unit *u, const struct err *e)
{
	int64_t pause = CA_PAUSE_MS;
	struct run *r = u->run;
	struct standing_of s;
	char note[sizeof e->text + 96];
	struct err why;
	bool away = false;

	snprintf(note, sizeof note, "%s; the unit is held in its slot until %s is back", e->text,
		 e->code == REASON_SECRET ? "the token of the station's key" : "the CA");
	console_note(r->console, &u->record, note);
	for (;;) {
		bus_pause(r->bus, clock_mono_ms() + ca_client_pause_ms(&r->standing.client, pause));
		if (bus_stopped(r->bus))
			return -1;
		if (standing_ask(&r->standing, &u->record.ready.request, &s, &why) == 0 || !hold_is_away(&why))
			break;
		away = true;
		if (r->ca_wait_ms && clock_mono_ms() - u->phase_start >= r->ca_wait_ms)
			return -1;
		if (pause < CA_PAUSE_MAX_MS)
			pause *= 2;
	}
	if (away)
		u->deadline += clock_mono_ms() - u->phase_start;
	if (clock_mono_ms() >= u->deadline)
		return -1;
	console_note(r->console, &u->record, "the CA answers: the unit goes on");
	return 0;
}

int hold_room(const char *dir, struct err *e)
{
	struct statvfs fs;
	uint64_t left;

	if (statvfs(dir, &fs) < 0)
		return err_errno(e, REASON_STORAGE, "the station's folder %s", dir);
	if (fs.f_flag & ST_RDONLY)
		return err_set(e, REASON_STORAGE, "the station's folder %s is on a disk that is read-only", dir);
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left >= ROOM_MIN && (!fs.f_files || fs.f_favail >= ROOM_FILES))
		return 0;
	return err_set(e, REASON_STORAGE, "the disk of the station's folder %s is full (%" PRIu64 " KiB, %" PRIu64 " files are left); move "
		       "old records away", dir, left >> 10, (uint64_t)fs.f_favail);
}

int hold_for_room(struct unit *u, const struct err *e)
{
	struct run *r = u->run;
	int64_t begin = clock_mono_ms();
	char note[sizeof e->text + 96];
	struct err why;
	bool full = false;

	snprintf(note, sizeof note, "%s %s; the unit is held in its slot until there is room", reason_id(e->code), e->text);
	console_note(r->console, &u->record, note);
	console_state(r->console, "disk", "full");
	do {
		bus_pause(r->bus, clock_mono_ms() + ROOM_PAUSE_MS);
		if (bus_stopped(r->bus))
			return -1;
	} while (hold_room(r->station.dir, &why) < 0 && (full = true));
	if (full)
		u->deadline += clock_mono_ms() - begin;
	else if (clock_mono_ms() >= u->deadline)
		return -1;
	console_state(r->console, "disk", "ok");
	console_note(r->console, &u->record, "there is room: the unit goes on");
	return 0;
}
