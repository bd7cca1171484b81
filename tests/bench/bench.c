#include <config.h>

#include "bench.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "proc.h"

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void need(int rc, const struct err *e, const char *what)
{
	if (rc)
		die("%s: %s", what, e->text);
}

static void print_raw(const char *name, double seconds, bool json)
{
	if (json)
		printf("{\"v\":1,\"type\":\"figure\",\"bench\":\"raw-%s\",\"value\":%.1f,\"unit\":\"per CPU-second\","
		       "\"ratio\":1.0,\"ratio_to\":\"itself\"}\n", name, 1 / seconds);
	else
		printf("raw %-24s %8.1f per CPU-second\n", name, 1 / seconds);
}

static int bench_raw(const struct options *o)
{
	struct raw r;

	raw_measure(&r, 0.5);
	print_raw("p256-sign", r.sign, o->json);
	print_raw("p256-verify", r.verify, o->json);
	print_raw("p256-verify-by-libcrypto", r.daemon_verify, o->json);
	print_raw("p256-keygen", r.keygen, o->json);
	print_raw("mutual-tls13-handshake", r.handshake, o->json);
	return 0;
}

static uint64_t number(const char *text)
{
	uint64_t value;

	if (text_uint(&value, text, 100000000))
		die("\"%s\" is not a number", text);
	return value;
}

static void add_process(struct options *o, char *text)
{
	char *pid = strchr(text, '=');

	if (!pid || o->n_processes == LOAD_PROCESSES)
		die("--process NAME=PID");
	*pid++ = 0;
	o->process[o->n_processes].name = text;
	o->process[o->n_processes++].pid = (pid_t)number(pid);
}

static const char usage[] =
	"usage: bench raw|factory|ca|est|rows --name FIGURE [--json] [--process NAME=PID]...\n"
	"  --ca A:P --node A:P --root PEM --key PEM --cert PEM --order ID --manufacturer M --model M --prefix SERIALS\n"
	"  --kits DIR --first N --count N --threads N --batch N --confirm\n"
	"  factory: --made --again\n"
	"  ca: --fresh --rsa --made --stalled N --stall-at half|whole|drip|silent|head\n"
	"  rows: --ledger DIR --count N\n";

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "ca", 1, NULL, 'c' }, { "node", 1, NULL, 'n' }, { "root", 1, NULL, 'r' }, { "key", 1, NULL, 'k' },
		{ "cert", 1, NULL, 'C' }, { "order", 1, NULL, 'o' }, { "manufacturer", 1, NULL, 'm' }, { "model", 1, NULL, 'M' },
		{ "prefix", 1, NULL, 'p' }, { "kits", 1, NULL, 'K' }, { "first", 1, NULL, 'f' }, { "count", 1, NULL, 'N' },
		{ "threads", 1, NULL, 't' }, { "batch", 1, NULL, 'b' }, { "confirm", 0, NULL, 'y' }, { "json", 0, NULL, 'j' },
		{ "name", 1, NULL, 'a' }, { "process", 1, NULL, 'P' }, { "fresh", 0, NULL, 'F' },
		{ "rsa", 0, NULL, 'R' }, { "stalled", 1, NULL, 'S' }, { "stall-at", 1, NULL, 'T' }, { "ledger", 1, NULL, 'L' },
		{ "made", 0, NULL, 'D' }, { "again", 0, NULL, 'A' }, { NULL, 0, NULL, 0 },
	};
	const char **text;
	uint64_t *value;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		text = c == 'c' ? &o->ca : c == 'n' ? &o->node : c == 'r' ? &o->root : c == 'k' ? &o->key :
		       c == 'C' ? &o->cert : c == 'o' ? &o->order : c == 'm' ? &o->manufacturer : c == 'M' ? &o->model :
		       c == 'p' ? &o->prefix : c == 'K' ? &o->kits : c == 'a' ? &o->name : c == 'L' ? &o->ledger : c == 'T' ? &o->stall_at : NULL;
		value = c == 'f' ? &o->first : c == 'N' ? &o->count : c == 't' ? &o->threads : c == 'b' ? &o->batch : c == 'S' ? &o->stalled : NULL;
		if (text)
			*text = optarg;
		else if (value)
			*value = number(optarg);
		else if (c == 'P')
			add_process(o, optarg);
		else if (c == 'y')
			o->confirm = true;
		else if (c == 'j')
			o->json = true;
		else if (c == 'F')
			o->fresh = true;
		else if (c == 'R')
			o->made = o->rsa = true;
		else if (c == 'D')
			o->made = true;
		else if (c == 'A')
			o->again = true;
		else
			die("%s", usage);
	}
	if (o->threads < 1 || o->batch < 1 || o->batch > LIMIT_BATCH || o->count < 1)
		die("--threads, --batch and --count are 1 or more, --batch at most %d", LIMIT_BATCH);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(const struct options *o); } commands[] = {
		{ "raw", bench_raw }, { "factory", bench_factory }, { "ca", bench_ca }, { "est", bench_est },
		{ "rows", bench_rows },
	};
	struct options o = { .threads = 8, .batch = 1, .count = 1000, .first = 1, .manufacturer = "Acme Devices",
			     .model = "gateway-b", .prefix = "GB-", .stall_at = "half" };

	log_program("bench", 0);
	proc_signals_block();
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			o.name = argv[1];
			parse(&o, argc - 1, argv + 1);
			return commands[i].run(&o);
		}
	fputs(usage, stderr);
	return 2;
}
