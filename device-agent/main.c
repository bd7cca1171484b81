#include <config.h>

#include <signal.h>
#include <sys/resource.h>

#include "cmd.h"

static const struct cli_option factory_options[] = {
	{ "ffs", "DIR", "the device link over USB: the mounted FunctionFS of a gadget" },
	{ "gadget", "DIR", "bind this gadget, a folder in configfs, to --udc when it is described" },
	{ "udc", "NAME", "the USB device controller, one of /sys/class/udc" },
	{ "fd", "N", "the device link over a connected socket that is open as descriptor N" },
	{ 0 },
};

static const struct cli_option activate_options[] = {
	{ "node", "URL", "address of the customer node: https://HOST:PORT" },
	{ "key", "device|ca", "who makes the key: this device (default), or the customer's CA, encrypted to this device" },
	{ "timeout", "TIME", "give up after this time (60s)" },
	{ 0 },
};

static const struct cli_option check_options[] = {
	{ "node", "URL", "address of the customer node: https://HOST:PORT" },
	{ 0 },
};

static const struct cli_command commands[] = {
	{ "factory", "--ffs DIR [--gadget DIR --udc NAME]", "serve the loading station: get the factory credential", factory_options, 0, 0, cmd_factory },
	{ "activate", "--node URL [--timeout TIME]", "exchange the factory credential for the customer's", activate_options, 0, 0,
	  cmd_activate },
	{ "renew", "--node URL [--timeout TIME]", "renew the customer credential now, or see whether it was released",
	  activate_options, 0, 0, cmd_renew },
	{ "status", "", "show which credentials there are", NULL, 0, 0, cmd_status },
	{ "check", "[--node URL]", "find out what is in the way, and whom to ask", check_options, 0, 0, cmd_check },
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "handsel-agent",
		.summary = "the device's side of the handover: gets its factory credential, and exchanges it for the customer's",
		.default_dir = HANDSEL_STATEDIR "/agent",
		.commands = commands,
	};
	struct rlimit none = {0};

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);	/* keys are in this memory */
	return cli_main(&program, argc, argv);
}
