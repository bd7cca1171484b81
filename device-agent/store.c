#include <config.h>

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "store_place.h"

struct store {
	char dir[FILE_PATH];
	int lock;			/* the folder, locked by a writer; -1: a reader */
	struct identity identity;
	uint32_t generation;
	enum store_slot current;
};

/* ---- the two small files ---- */

static int read_small(const struct store *s, const char *name, char *out, size_t size, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, s->dir, name) < 0)
		return -1;
	return place_read_line(path, out, size, e);
}

static int write_small(const struct store *s, const char *name, const char *text, struct err *e)
{
	char path[FILE_PATH], line[64];

	snprintf(line, sizeof line, "%s\n", text);
	if (file_join(path, e, s->dir, name) < 0)
		return -1;
	return file_replace(path, line, strlen(line), 0600, e);
}

static int read_generation(struct store *s, struct err *e)
{
	char text[64];
	uint64_t value = 0;

	if (read_small(s, "generation", text, sizeof text, e) < 0)
		return -1;
	if (text[0] && text_uint(&value, text, UINT32_MAX) < 0)
		return err_set(e, REASON_KEY_STORE, "%s/generation is damaged", s->dir);
	s->generation = (uint32_t)value;
	return 0;
}

static int read_current(struct store *s, struct err *e)
{
	char text[64];

	if (read_small(s, "current", text, sizeof text, e) < 0)
		return -1;
	s->current = SLOT_NONE;
	for (enum store_slot i = 0; i < SLOT_COUNT; i++)
		if (strcmp(text, store_slot_name(i)) == 0)
			s->current = i;
	if (text[0] && s->current == SLOT_NONE)
		return err_set(e, REASON_KEY_STORE, "%s/current is damaged: it names no credential", s->dir);
	return 0;
}

static int raise_generation(struct store *s, uint32_t generation, struct err *e)
{
	char text[16];

	if (generation <= s->generation)
		return 0;
	snprintf(text, sizeof text, "%u", generation);
	if (write_small(s, "generation", text, e) < 0)
		return -1;
	s->generation = generation;
	return 0;
}

/* ---- clearing away what a power cut left ---- */

/* Half-made is dropped; the generation of a request that may have been sent is kept in mind first. */
static int recover_slot(struct store *s, enum store_slot slot, struct err *e)
{
	struct place p;
	struct request_id request;
	struct credential c = {0};
	struct err why;
	int rc;

	if (place_open(&p, s->dir, slot, e) < 0 || place_clean(&p, e) < 0)
		return -1;
	rc = place_request(&p, &request, e);
	if (rc < 0)
		return -1;
	if (rc > 0 && raise_generation(s, request.generation, e) < 0)
		return -1;
	if (slot == s->current && place_drop_transport(&p, e) < 0)
		return -1;
	if (slot == s->current)
		return slot == SLOT_FACTORY ? 0 : place_set_active(&p, e);
	if (slot == SLOT_FACTORY && s->current != SLOT_NONE)
		return 0;	/* closed for ever */
	if (s->current != SLOT_NONE && place_active(&p))
		return place_drop_active(&p, e);
	if (!place_prepared(&p)) {
		if (!place_empty(&p))
			log_info("%s: a half-made request is dropped", p.name);
		return place_drop(&p, e);
	}
	/* The same id gets the same certificate again, so a half-written or damaged one is no loss. */
	if (place_load(&p, &c, &why) == 0 && c.chain.n > 0) {
		credential_free(&c);
		return 0;
	}
	credential_free(&c);
	return place_drop_certificate(&p, e);
}

static int recover(struct store *s, struct err *e)
{
	if (place_remove_temporaries(s->dir, e) < 0)
		return -1;
	for (enum store_slot i = 0; i < SLOT_COUNT; i++)
		if (recover_slot(s, i, e) < 0)
			return -1;
	return 0;
}

static int lock_folder(struct store *s, struct err *e)
{
	s->lock = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return err_errno(e, REASON_CONFIG, "cannot open the store %s", s->dir);
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		return err_errno(e, REASON_KEY_STORE, "the store %s is in use by another handsel-agent; wait until it has ended",
				 s->dir);
	return 0;
}

struct store *store_open(const char *dir, bool writer, struct err *e)
{
	struct store *s = mem_new(1, sizeof *s);

	s->lock = -1;
	if (text_copy(s->dir, sizeof s->dir - 64, dir) < 0)	/* room for the names of the files */
		err_set(e, REASON_CONFIG, "the path of the store is empty or too long");
	else if (identity_load(&s->identity, dir, e) == 0 && (!writer || lock_folder(s, e) == 0) &&
		 read_current(s, e) == 0 && read_generation(s, e) == 0 && (!writer || recover(s, e) == 0))
		return s;
	store_close(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}

/* ---- what there is ---- */

const char *store_slot_name(enum store_slot slot)
{
	static const char *const names[] = { "factory", "customer-a", "customer-b", "none" };

	return names[slot];
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

const struct identity *store_identity(const struct store *s)
{
	return &s->identity;
}

uint32_t store_generation(const struct store *s)
{
	return s->generation;
}

enum store_slot store_current(const struct store *s)
{
	return s->current;
}

/* Not one that was in force before: a reader may come before that is cleared away. */
static bool is_prepared(const struct store *s, enum store_slot slot)
{
	struct place p;
	struct err e;

	return place_open(&p, s->dir, slot, &e) == 0 && place_prepared(&p) && !place_active(&p);
}

bool store_is_stored(const struct store *s, enum store_slot slot)
{
	struct place p;
	struct err e;

	return place_open(&p, s->dir, slot, &e) == 0 && place_stored(&p);
}

/* Where the next credential goes: never over the one in force. */
static enum store_slot free_slot(const struct store *s)
{
	if (s->current == SLOT_NONE)
		return SLOT_FACTORY;
	return s->current == SLOT_A ? SLOT_B : SLOT_A;
}

enum store_slot store_pending(const struct store *s)
{
	enum store_slot slot = free_slot(s);

	return is_prepared(s, slot) ? slot : SLOT_NONE;
}

enum link_store store_level(const struct store *s)
{
	switch (s->current) {
	case SLOT_NONE:
		return store_pending(s) == SLOT_NONE ? STORE_EMPTY : STORE_PENDING;
	case SLOT_FACTORY:
		return STORE_FACTORY;
	default:
		return STORE_CUSTOMER;
	}
}

int store_load(const struct store *s, enum store_slot slot, struct credential *c, struct err *e)
{
	struct place p;

	if (place_open(&p, s->dir, slot, e) < 0)
		return -1;
	return place_load(&p, c, e);
}

/* ---- the transaction, step by step ---- */

/* A request of the other mode that came to nothing yet. */
static bool is_unwanted(const struct place *p, enum link_mode mode)
{
	return place_prepared(p) && !place_stored(p) && (mode == MODE_CA) != file_exists(p->transport);
}

int store_prepare(struct store *s, struct credential *c, struct err *e)
{
	return store_prepare_for(s, MODE_DEVICE, c, e);
}

int store_prepare_for(struct store *s, enum link_mode mode, struct credential *c, struct err *e)
{
	enum store_slot slot = free_slot(s);
	struct request_id request;
	struct place p;
	struct key *key;
	int rc;

	if (place_open(&p, s->dir, slot, e) < 0)
		return -1;
	if (!place_prepared(&p) || is_unwanted(&p, mode)) {
		if (s->generation == UINT32_MAX)
			return err_set(e, REASON_KEY_STORE, "all generations of request ids are used up");
		request_id_new(&request, s->generation + 1);
		key = key_generate(KEY_P256, e);
		if (!key)
			return -1;
		rc = place_drop(&p, e) < 0 ? -1 : place_prepare(&p, key, mode == MODE_CA, &request, e);
		key_free(key);
		if (rc < 0)
			return -1;
	}
	if (place_load(&p, c, e) < 0)
		return -1;
	/* Before the id is used for the first time: the device must never come back below it. */
	if (raise_generation(s, c->request.generation, e) < 0) {
		credential_free(c);
		return -1;
	}
	FAULT("agent.prepared");
	return 0;
}

int store_pin_root(struct store *s, const struct cert *root, struct err *e)
{
	struct place p;

	if (place_open(&p, s->dir, SLOT_FACTORY, e) < 0)
		return -1;
	if (place_pin_root(&p, root, s->current == SLOT_NONE, e) < 0)
		return -1;
	FAULT("agent.root-pinned");
	return 0;
}

static int refuse_closed(const struct store *s, enum store_slot slot, struct err *e)
{
	if (slot == s->current || (slot == SLOT_FACTORY && s->current != SLOT_NONE))
		return err_set(e, REASON_KEY_STORE, "the %s credential is in force or closed and may not be changed",
			       store_slot_name(slot));
	return 0;
}

int store_put(struct store *s, const struct credential *c, struct err *e)
{
	struct place p;

	if (refuse_closed(s, c->slot, e) < 0 || place_open(&p, s->dir, c->slot, e) < 0 || place_put(&p, c, e) < 0)
		return -1;
	FAULT("agent.stored");
	return 0;
}

static int drop_spent(const struct store *s, enum store_slot slot, struct err *e)
{
	struct place p;

	return place_open(&p, s->dir, slot, e) < 0 ? -1 : place_drop_active(&p, e);
}

int store_switch(struct store *s, enum store_slot slot, struct err *e)
{
	enum store_slot before = s->current;
	struct place p;

	if (place_open(&p, s->dir, slot, e) < 0)
		return -1;
	if (!place_stored(&p))
		return err_set(e, REASON_KEY_STORE, "the %s credential is not complete", p.name);
	if (write_small(s, "current", p.name, e) < 0)
		return -1;
	s->current = slot;
	FAULT("agent.switched");
	if (place_drop_transport(&p, e) < 0)
		return -1;
	if (slot == SLOT_FACTORY)
		return 0;
	if (place_set_active(&p, e) < 0)
		return -1;
	return before == SLOT_A || before == SLOT_B ? drop_spent(s, before, e) : 0;
}

int store_release(struct store *s, struct err *e)
{
	if (!store_is_stored(s, SLOT_FACTORY))
		return err_set(e, REASON_KEY_STORE, "the factory credential is not complete, so the device stays with the customer's");
	if (write_small(s, "current", store_slot_name(SLOT_FACTORY), e) < 0)
		return -1;
	s->current = SLOT_FACTORY;
	FAULT("agent.released");
	return drop_spent(s, SLOT_A, e) < 0 || drop_spent(s, SLOT_B, e) < 0 ? -1 : 0;
}

int store_drop_dead(struct store *s, enum store_slot slot, uint32_t generation, struct err *e)
{
	struct place p;

	if (generation > s->generation && generation - s->generation > LIMIT_GENERATION_RISE)
		return err_set(e, REASON_REQUEST, "the answer \"dead\" names generation %u, far above %u of this device; "
			       "nothing was changed", generation, s->generation);
	if (refuse_closed(s, slot, e) < 0 || raise_generation(s, generation, e) < 0 ||
	    place_open(&p, s->dir, slot, e) < 0)
		return -1;
	FAULT("agent.dead");
	return place_drop(&p, e);
}

/* ---- notes on the side ---- */

/* Differs after each start of the device; "" if the system does not tell. */
static void boot_id(char out[64])
{
	struct err e;

	if (place_read_line("/proc/sys/kernel/random/boot_id", out, 64, &e) < 0)
		out[0] = 0;
}

int store_set_passed(struct store *s, struct err *e)
{
	char id[64];

	boot_id(id);
	return write_small(s, "factory/passed", id, e);
}

bool store_passed(const struct store *s)
{
	char path[FILE_PATH], at[64], now[64];
	struct err e;

	if (file_join(path, &e, s->dir, "factory/passed") == 0 && !file_exists(path))
		return false;
	boot_id(now);
	return !now[0] || read_small(s, "factory/passed", at, sizeof at, &e) < 0 || strcmp(at, now) != 0;
}

/* "E21 sentence" */
void store_outcome(const struct store *s, struct store_outcome *out)
{
	char line[sizeof out->text + 4], id[4];
	struct err e;

	*out = (struct store_outcome){ .code = REASON_OK };
	if (read_small(s, "outcome", line, sizeof line, &e) < 0 || strlen(line) < 4)
		return;
	snprintf(id, sizeof id, "%.3s", line);
	out->code = reason_parse(id);
	snprintf(out->text, sizeof out->text, "%s", line + 4);
}

void store_set_outcome(struct store *s, enum reason code, const char *text)
{
	struct store_outcome before;
	char path[FILE_PATH], line[sizeof before.text + 4];
	struct err e;

	store_outcome(s, &before);
	if (before.code == code || file_join(path, &e, s->dir, "outcome") < 0)
		return;		/* said already: flash wears out */
	snprintf(line, sizeof line, "%s %s", reason_id(code), text);
	if (code == REASON_OK ? file_remove(path, &e) : file_replace(path, line, strlen(line), 0600, &e))
		log_err(&e, "cannot note the outcome");
}

int64_t store_floor(const struct store *s)
{
	int64_t latest = 0;

	for (enum store_slot i = 0; i < SLOT_COUNT; i++) {
		struct place p;
		struct err e;

		if (place_open(&p, s->dir, i, &e) == 0)
			place_floor(&p, &latest);
	}
	return latest;
}
