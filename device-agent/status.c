#include <config.h>

#include <stdio.h>

#include "cmd.h"
#include "store.h"
#include "text.h"

/* What there is of one place. */
struct shown {
	char state[16];		/* "none", "requested", "stored", "in force", "kept", "damaged" */
	char subject[256], issuer[256];
	char serial[2 * CERT_SERIAL_MAX + 1];
	char from[TEXT_TIME], until[TEXT_TIME];
	struct request_id request;
};

static bool has_request(const struct store *s, enum store_slot slot)
{
	return store_pending(s) == slot || store_is_stored(s, slot);
}

static void look(const struct store *s, enum store_slot slot, struct shown *out)
{
	struct credential c = {0};
	const struct cert *leaf;
	struct err e;

	*out = (struct shown){ .state = "none" };
	if (slot != store_current(s) && !has_request(s, slot))
		return;
	if (store_load(s, slot, &c, &e) < 0) {
		snprintf(out->state, sizeof out->state, "damaged");
		return;
	}
	out->request = c.request;
	if (c.chain.n == 0) {
		snprintf(out->state, sizeof out->state, "requested");
	} else {
		leaf = &c.chain.cert[0];
		snprintf(out->state, sizeof out->state, "%s", slot == store_current(s) ? "in force" :
			 slot == store_pending(s) ? "stored" : "kept");
		snprintf(out->subject, sizeof out->subject, "%s", leaf->subject);
		snprintf(out->issuer, sizeof out->issuer, "%s", leaf->issuer);
		snprintf(out->serial, sizeof out->serial, "%s", leaf->serial);
		text_time(out->from, leaf->not_before);
		text_time(out->until, leaf->not_after);
	}
	credential_free(&c);
}

static const char *level_name(enum link_store level)
{
	static const char *const names[] = { "empty", "pending", "factory", "customer" };

	return names[level];
}

static void print_json(const struct store *s)
{
	const struct identity *id = store_identity(s);
	struct store_outcome outcome;
	struct jsonl *j;

	for (enum store_slot i = 0; i < SLOT_COUNT; i++) {
		struct shown sh;

		look(s, i, &sh);
		j = jsonl_new("credential");
		jsonl_str(j, "slot", store_slot_name(i));
		jsonl_str(j, "state", sh.state);
		jsonl_str(j, "request", sh.request.id);
		jsonl_int(j, "generation", sh.request.generation);
		jsonl_str(j, "subject", sh.subject);
		jsonl_str(j, "issuer", sh.issuer);
		jsonl_str(j, "certificate", sh.serial);
		jsonl_str(j, "not_before", sh.from);
		jsonl_str(j, "not_after", sh.until);
		jsonl_print(j);
	}
	j = jsonl_new("result");
	jsonl_str(j, "manufacturer", id->device.manufacturer);
	jsonl_str(j, "model", id->device.model);
	jsonl_str(j, "revision", id->revision);
	jsonl_str(j, "serial", id->device.serial);
	jsonl_str(j, "state", level_name(store_level(s)));
	jsonl_str(j, "current", store_slot_name(store_current(s)));
	jsonl_int(j, "generation", store_generation(s));
	store_outcome(s, &outcome);
	if (outcome.code != REASON_OK) {
		jsonl_str(j, "code", reason_id(outcome.code));
		jsonl_str(j, "reason", reason_info(outcome.code)->name);
		jsonl_str(j, "text", outcome.text);
	}
	jsonl_print(j);
}

static void print_text(const struct store *s)
{
	const struct identity *id = store_identity(s);
	struct store_outcome outcome;

	printf("device      %s %s revision %s serial %s\n", id->device.manufacturer, id->device.model, id->revision,
	       id->device.serial);
	printf("state       %s (generation %u)\n", level_name(store_level(s)), store_generation(s));
	for (enum store_slot i = 0; i < SLOT_COUNT; i++) {
		struct shown sh;

		look(s, i, &sh);
		printf("%-11s %s", store_slot_name(i), sh.state);
		if (sh.issuer[0])
			printf(": %s, by %s, until %s", sh.subject, sh.issuer, sh.until);
		putchar('\n');
	}
	store_outcome(s, &outcome);
	if (outcome.code != REASON_OK)
		printf("last try    %s %s\n", reason_id(outcome.code), outcome.text);
}

enum cli_exit cmd_status(const struct cli *c)
{
	struct store *s;
	struct err e;

	s = store_open(cli_dir(c), false, &e);
	if (!s)
		return cli_fail(c, &e);
	if (cli_json(c))
		print_json(s);
	else
		print_text(s);
	store_close(s);
	return EXIT_DONE;
}
