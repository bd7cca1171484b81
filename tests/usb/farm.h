/* farm.h - a farm of virtual devices, each with a folder, a boot loader and, once it is loaded, an agent. */
#ifndef HANDSEL_FARM_H
#define HANDSEL_FARM_H

#include <sys/types.h>

#include "file.h"
#include "limits.h"
#include "host.h"

#define FARM_MAX 64
#define RESTARTS_MAX 3	/* a device whose agent dies more often stays dead */

struct farm_device {
	const char *serial;
	char real_serial[64];		/* what identity.yaml says: not the label, for a fault */
	char model_name[64];
	char *env;			/* "NAME=VALUE" for the first start of the agent */
	const char *fault_points;	/* a list, of which each start of the agent meets the next one; NULL: none */
	bool as_agent;			/* it begins as a running agent */
	bool held;			/* not plugged in yet */
	struct usbmodel model;
	struct host_device *usb;
	bool plugged;
	pid_t pid;			/* the agent; 0: none */
	int restarts;
	char folder[FILE_PATH], agent[FILE_PATH], store[FILE_PATH];
};

struct farm {
	const char *dir, *manufacturer, *model, *revision;
	struct farm_device device[FARM_MAX];
	int n;
	char **command;
};

int farm_options(struct farm *f, int argc, char **argv);	/* -1: told on stderr */

/* Folder, store and identity of a device, if they are not there yet. */
void farm_folder(const struct farm *f, struct farm_device *d);

/* What came by DFU becomes the file that the device runs. */
void farm_save_image(struct farm_device *d);

/* Starts the received file with a socket to the model. false: it is no program. */
bool farm_start_agent(struct farm_device *d);
void farm_stop_agent(struct farm_device *d);	/* as a power cut does */
void farm_end_agent(struct farm_device *d);	/* as a host that goes: what it has said is still heard */

#endif
