#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm.h"
#include "mem.h"
#include "text.h"

static const char usage[] =
	"usage: [umockdev-wrapper] farm --dir DIR --manufacturer M --model M --revision R --serial S [--serial S ...]\n"
	"       [--alternate NAME] [--fault SERIAL=KIND[:VALUE] ...] -- COMMAND [ARG...]\n"
	"\n"
	"Virtual USB devices, one a serial, on ports 1-1, 1-2, ... while COMMAND runs; ends with its status.\n"
	"Faults, N counted from 0 for blocks and from 1 for transfers:\n"
	"  stall:N stall-once:N vanish:N hang:N   at block N of the download\n"
	"  busy:N short-status:N                  dfuDNBUSY for ever, half a GETSTATUS at block N\n"
	"  poll:MS bad-status                     a slow boot loader; errVERIFY at the end of the image\n"
	"  size:N no-function short-function      what the functional descriptor says, or that there is none, or half of it\n"
	"  no-endpoints                           the agent's interface has none\n"
	"  vanish-link:N power-cut:N              at bulk OUT transfer N to the agent: for good, or until it is back\n"
	"  wrong-serial[:S] wrong-model[:M]       the device is not what its label says\n"
	"  no-detach not-tolerant leaves runtime  boot loaders of other kinds, as DFU 1.1 allows them (usbmodel.h)\n"
	"  env:NAME=VALUE                         for the first start of the agent\n"
	"  fault-points:LIST                      HANDSEL_FAULT for each start of the agent, with a log in DIR/SERIAL\n"
	"  as-agent                               begins with DIR/SERIAL/agent running\n"
	"  held                                   is plugged in by the next SIGUSR1\n";

static void device_defaults(struct farm_device *d, const char *serial)
{
	d->serial = serial;
	d->model.manufacturer = "Acme";
	d->model.product = "USB download gadget";
	d->model.serial = serial;
	d->model.alternate[0] = "agent";
	d->model.n_alternates = 1;
	d->model.fd = -1;
	d->model.fault = MODEL_NO_FAULT;
	text_copy(d->real_serial, sizeof d->real_serial, serial);
}

static struct farm_device *find(struct farm *f, const char *serial, size_t len)
{
	for (int i = 0; i < f->n; i++)
		if (strlen(f->device[i].serial) == len && strncmp(f->device[i].serial, serial, len) == 0)
			return &f->device[i];
	return NULL;
}

static int set_number(struct farm_device *d, const char *kind, const char *value)
{
	const struct {
		const char *kind;
		int *field;
	} numbers[] = {
		{ "stall", &d->model.fault.stall_block }, { "stall-once", &d->model.fault.stall_once },
		{ "vanish", &d->model.fault.vanish_block }, { "hang", &d->model.fault.hang_block },
		{ "poll", &d->model.fault.poll_ms }, { "vanish-link", &d->model.fault.vanish_out },
		{ "power-cut", &d->model.fault.cut_out }, { "busy", &d->model.fault.busy_block },
		{ "short-status", &d->model.fault.short_block }, { "size", &d->model.fault.size },
	};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(numbers[i].kind, kind) == 0 && text_uint(&n, value, 0xffffff) == 0) {
			*numbers[i].field = (int)n;
			return 0;
		}
	return -1;
}

static bool set_flag(struct farm_device *d, const char *kind)
{
	const struct {
		const char *kind;
		bool *field;
	} flags[] = {
		{ "no-function", &d->model.fault.no_function }, { "short-function", &d->model.fault.short_function },
		{ "no-endpoints", &d->model.fault.no_endpoints }, { "no-detach", &d->model.kind.no_detach },
		{ "not-tolerant", &d->model.kind.not_tolerant }, { "leaves", &d->model.kind.leaves },
		{ "runtime", &d->model.kind.runtime }, { "as-agent", &d->as_agent },
		{ "held", &d->held },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(flags[i].kind, kind) == 0)
			return *flags[i].field = true;
	return false;
}

/* SERIAL=KIND[:VALUE] */
static int add_fault(struct farm *f, const char *text)
{
	const char *equals = strchr(text, '=');
	struct farm_device *d = equals ? find(f, text, (size_t)(equals - text)) : NULL;
	char kind[32] = "";
	const char *value;

	if (!d || sscanf(equals + 1, "%31[a-z-]", kind) != 1)
		return -1;
	value = equals + 1 + strlen(kind);
	if (*value == ':')
		value++;
	else if (*value)
		return -1;
	if (strcmp(kind, "bad-status") == 0)
		d->model.fault.bad_status = 1;
	else if (!*value && set_flag(d, kind))
		return 0;
	else if (strcmp(kind, "wrong-serial") == 0)
		return text_copy(d->real_serial, sizeof d->real_serial, *value ? value : "99999999");
	else if (strcmp(kind, "wrong-model") == 0)
		return text_copy(d->model_name, sizeof d->model_name, *value ? value : "toaster");
	else if (strcmp(kind, "fault-points") == 0)
		d->fault_points = value;
	else if (strcmp(kind, "env") == 0 && strchr(value, '='))
		d->env = mem_str(value);
	else
		return set_number(d, kind, value);
	return 0;
}

static int take(struct farm *f, int option, char *value)
{
	switch (option) {
	case 'd':
		f->dir = value;
		return 0;
	case 'm':
		f->manufacturer = value;
		return 0;
	case 'M':
		f->model = value;
		return 0;
	case 'r':
		f->revision = value;
		return 0;
	case 's':
		if (f->n == FARM_MAX || !text_is_token(value, LIMIT_SERIAL))
			return -1;
		device_defaults(&f->device[f->n++], value);
		return 0;
	case 'a':
		for (int i = 0; i < f->n; i++) {
			f->device[i].model.alternate[1] = value;
			f->device[i].model.n_alternates = 2;
		}
		return f->n ? 0 : -1;
	case 'f':
		return add_fault(f, value);
	default:
		return -1;
	}
}

int farm_options(struct farm *f, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },      { "manufacturer", required_argument, NULL, 'm' },
		{ "model", required_argument, NULL, 'M' },    { "revision", required_argument, NULL, 'r' },
		{ "serial", required_argument, NULL, 's' },   { "alternate", required_argument, NULL, 'a' },
		{ "fault", required_argument, NULL, 'f' },    { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (take(f, option, optarg) < 0) {
			fprintf(stderr, "farm: bad option%s%s\n%s", optarg ? " value " : "", optarg ? optarg : "",
				usage);
			return -1;
		}
	if (f->dir && f->manufacturer && f->model && f->revision && f->n && optind < argc) {
		f->command = argv + optind;
		return 0;
	}
	fputs(usage, stderr);
	return -1;
}
