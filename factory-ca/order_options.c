#include <config.h>

#include "order_options.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

#define VALID_DEFAULT_S (30 * 86400)
#define VALID_MAX_S (10ull * 366 * 86400)
#define QUOTA_MAX 10000000u

/* FROM-TO of equal width: the middle is where they part, since a serial may contain "-" itself. */
static int parse_range(struct order_range *r, const char *text, struct err *e)
{
	size_t n = strlen(text), half = n / 2;

	if (n % 2 == 0 || text[half] != '-' || half > LIMIT_SERIAL)
		return err_set(e, REASON_CONFIG, "--serials %s: write FROM-TO, both of the same number of characters",
			       text);
	snprintf(r->from, sizeof r->from, "%.*s", (int)half, text);
	snprintf(r->to, sizeof r->to, "%s", text + half + 1);
	if (!text_is_token(r->from, LIMIT_SERIAL) || !text_is_token(r->to, LIMIT_SERIAL) || strcmp(r->from, r->to) > 0)
		return err_set(e, REASON_CONFIG, "--serials %s: the first must not come after the last", text);
	if (!order_range_fits(r))
		return err_set(e, REASON_CONFIG, "--serials %s: both may differ in digits at their ends only, like GB-000100-GB-000199", text);
	return 0;
}

int option_valid(int64_t *seconds, const char *text, struct err *e)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	char digits[16];
	size_t n = strlen(text);
	uint64_t v;

	*seconds = VALID_DEFAULT_S;
	if (n == 0)
		return 0;
	snprintf(digits, sizeof digits, "%.*s", (int)(n - 1), text);
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (text[n - 1] == units[i].letter && n < sizeof digits &&
		    text_uint(&v, digits, VALID_MAX_S / (uint64_t)units[i].seconds) == 0 && v) {
			*seconds = (int64_t)v * units[i].seconds;
			return 0;
		}
	return err_set(e, REASON_CONFIG, "--valid %s: write a number with d, h, m or s, for example 30d", text);
}

int option_number(uint32_t *out, const struct cli *c, const char *name, uint32_t least, uint32_t otherwise,
			struct err *e)
{
	const char *text = cli_get(c, name);
	uint64_t v = otherwise;

	if (text && (text_uint(&v, text, QUOTA_MAX) < 0 || v < least))
		return err_set(e, REASON_CONFIG, "--%s %s: a number from %u to %u", name, text, least, QUOTA_MAX);
	*out = (uint32_t)v;
	return 0;
}

/* Both are filled from where they stand. */
int option_lists(struct work_order *o, const struct cli *c, struct err *e)
{
	if (o->n_ranges + cli_count(c, "serials") > ORDER_RANGES_MAX)
		return err_set(e, REASON_CONFIG, "at most %d --serials FROM-TO", ORDER_RANGES_MAX);
	if (o->n_stations + cli_count(c, "station") > ORDER_STATIONS_MAX)
		return err_set(e, REASON_CONFIG, "at most %d --station NAME", ORDER_STATIONS_MAX);
	for (size_t i = 0; i < cli_count(c, "serials"); i++)
		if (parse_range(&o->range[o->n_ranges++], cli_get_n(c, "serials", i), e) < 0)
			return -1;
	for (size_t i = 0; i < cli_count(c, "station"); i++) {
		const char *name = cli_get_n(c, "station", i);

		if (!text_is_token(name, LIMIT_NAME))
			return err_set(e, REASON_CONFIG, "--station %s: letters, digits, \".\", \"_\" and \"-\"", name);
		if (!work_order_has_station(o, name))
			snprintf(o->station[o->n_stations++], sizeof o->station[0], "%s", name);
	}
	return 0;
}
