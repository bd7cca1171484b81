/* settings.h - agent.yaml in the store: what the maker or the installer has settled. Without the file all is as in its absence. */
#ifndef HANDSEL_AGENT_SETTINGS_H
#define HANDSEL_AGENT_SETTINGS_H

#include <stdbool.h>

#include "err.h"

#define AGENT_CONF "agent.yaml"

struct agent_conf {
	bool voucher;		/* required; handsel-agent(1) says what "off" gives away */
};

int agent_conf_load(struct agent_conf *c, const char *dir, struct err *e);

#endif
