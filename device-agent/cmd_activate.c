#include <config.h>

#include <stdio.h>
#include <string.h>

#include "activate.h"
#include "clock.h"
#include "cmd.h"
#include "fallback.h"
#include "log.h"
#include "node.h"

#define TIMEOUT_DEFAULT_S 60
#define TIMEOUT_MAX_S 86400

/* "90", "90s", "15m", "8h" */
static int read_timeout(int64_t *seconds, const char *text, struct err *e)
{
	char digits[16];
	size_t n = strspn(text, "0123456789");
	uint64_t value, unit = 1;

	if (text[n] == 'm')
		unit = 60;
	else if (text[n] == 'h')
		unit = 3600;
	if (n >= sizeof digits || (text[n] && (!strchr("smh", text[n]) || text[n + 1])))
		goto wrong;
	memcpy(digits, text, n);
	digits[n] = 0;
	if (text_uint(&value, digits, TIMEOUT_MAX_S) < 0 || value * unit > TIMEOUT_MAX_S)
		goto wrong;
	*seconds = (int64_t)(value * unit);
	return 0;
wrong:
	return err_set(e, REASON_CONFIG, "--timeout \"%s\": give a time like 60s, 15m or 8h, at most 24h", text);
}

/* Whom the installer calls, and with which words. */
static void advice(char *out, size_t size, const struct reason_info *r, const char *customer, const char *serial)
{
	char site[LIMIT_NAME + 16] = "the customer";

	if (customer[0])
		snprintf(site, sizeof site, "\"%s\"", customer);
	if (strcmp(r->who, "admin") == 0 || strcmp(r->who, "operator") == 0)
		snprintf(out, size, "call the %s of %s and read out serial %s", r->who, site, serial);
	else if (strcmp(r->who, "installer") == 0)
		snprintf(out, size, "%s", r->action);
	else
		snprintf(out, size, "call the %s and read out %s and serial %s", r->who, r->id, serial);
}

static void print_json(const struct identity *id, const char *customer, enum reason code, const char *text, const char *action)
{
	struct jsonl *j = jsonl_new("result");

	jsonl_str(j, "result", code == REASON_OK ? "PASS" : "FAIL");
	jsonl_str(j, "serial", id->device.serial);
	jsonl_str(j, "customer", customer);
	if (code != REASON_OK) {
		jsonl_str(j, "code", reason_id(code));
		jsonl_str(j, "reason", reason_info(code)->name);
		jsonl_str(j, "action", action);
	}
	jsonl_str(j, "text", text);
	jsonl_print(j);
}

static enum cli_exit passed(const struct cli *c, const struct identity *id, const char *customer, const char *text)
{
	if (cli_json(c))
		print_json(id, customer, REASON_OK, text, "");
	else
		printf("PASS %s %s%s%s%s\n", id->device.serial, text, customer[0] ? " at \"" : "", customer,
		       customer[0] ? "\"" : "");
	return EXIT_DONE;
}

/* One line for the installer on stdout, the whole sentence behind it on stderr. */
static enum cli_exit failed(const struct cli *c, const struct identity *id, const char *customer, const struct err *e)
{
	const struct reason_info *r = reason_info(e->code);
	char what[256];

	advice(what, sizeof what, r, customer, id->device.serial);
	if (cli_json(c)) {
		print_json(id, customer, e->code, e->text, what);
	} else {
		fprintf(stderr, "handsel-agent: %s %s\n", r->id, e->text);
		printf("FAIL %s %s: %s\n", r->id, r->text, what);
	}
	return cli_exit_of(e->code);
}

static int read_mode(const struct cli *c, enum link_mode *mode, struct err *e)
{
	const char *who = cli_get(c, "key");

	*mode = who && strcmp(who, "ca") == 0 ? MODE_CA : MODE_DEVICE;
	if (who && strcmp(who, "ca") != 0 && strcmp(who, "device") != 0)
		return err_set(e, REASON_CONFIG, "--key \"%s\": device or ca is possible", who);
	return 0;
}

/* What a device with a customer credential has to do at a node: see whether it was released, renew. EXIT_DONE with *released:
 * it is a new device again. */
static enum cli_exit stay(const struct cli *c, struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms,
			  bool now, bool *released)
{
	const struct identity *id = store_identity(s);
	struct err e;
	int rc = fallback(s, url, give_up_ms, &e);

	*released = rc == 1;
	if (rc == 1)
		return EXIT_DONE;
	if (rc < 0)
		log_info("%s whether the device was released is not known: %s", reason_id(e.code), e.text);
	rc = now ? 1 : renew_is_due(s, clock_utc(), &e);
	if (rc == 0)
		return passed(c, id, "", "is onboarded already: nothing to do");
	if (rc < 0 || renew(s, url, mode, give_up_ms, &e) < 0) {
		store_set_outcome(s, e.code, e.text);
		return failed(c, id, "", &e);
	}
	store_set_outcome(s, REASON_OK, "");
	return passed(c, id, "", "renewed");
}

static enum cli_exit enter(const struct cli *c, struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms)
{
	const struct identity *id = store_identity(s);
	char customer[LIMIT_NAME + 1] = "";
	struct err e;

	if (activate(s, url, mode, give_up_ms, customer, &e) < 0) {
		store_set_outcome(s, e.code, e.text);
		return failed(c, id, customer, &e);
	}
	store_set_outcome(s, REASON_OK, "");
	return passed(c, id, customer, "onboarded");
}

static enum cli_exit run(const struct cli *c, struct store *s, int64_t timeout_s, enum link_mode mode, bool renewal)
{
	const struct identity *id = store_identity(s);
	const char *address = cli_get(c, "node");
	int64_t give_up_ms = clock_mono_ms() + timeout_s * 1000;
	bool onboarded = store_level(s) == STORE_CUSTOMER, released;
	enum cli_exit rc;
	struct url url;
	struct err e;

	if (onboarded && !address && !renewal)
		return passed(c, id, "", "is onboarded already: nothing to do");
	if (!address) {
		err_set(&e, REASON_NO_ADDRESS, "no address of the customer node was given");
		return failed(c, id, "", &e);
	}
	if (node_url(&url, address, &e) < 0)
		return cli_fail(c, &e);
	if (!onboarded && renewal) {
		err_set(&e, REASON_CONFIG, "there is no customer credential to renew; run activate first");
		return failed(c, id, "", &e);
	}
	if (onboarded) {
		rc = stay(c, s, &url, mode, give_up_ms, renewal, &released);
		if (!released)
			return rc;
	}
	return enter(c, s, &url, mode, give_up_ms);
}

static enum cli_exit with_store(const struct cli *c, bool renewal)
{
	const char *timeout = cli_get(c, "timeout");
	int64_t timeout_s = TIMEOUT_DEFAULT_S;
	enum link_mode mode;
	enum cli_exit rc;
	struct store *s;
	struct err e;

	if ((timeout && read_timeout(&timeout_s, timeout, &e) < 0) || read_mode(c, &mode, &e) < 0)
		return cli_fail(c, &e);
	s = store_open(cli_dir(c), true, &e);
	if (!s)
		return cli_fail(c, &e);
	floor_apply(s);
	rc = run(c, s, timeout_s, mode, renewal);
	store_close(s);
	return rc;
}

enum cli_exit cmd_activate(const struct cli *c)
{
	return with_store(c, false);
}

enum cli_exit cmd_renew(const struct cli *c)
{
	return with_store(c, true);
}
