/* softhsm.h - tokens of SoftHSM2 in a folder of a test's own, which can be pulled and put back. */
#ifndef HANDSEL_TEST_SOFTHSM_H
#define HANDSEL_TEST_SOFTHSM_H

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SOFTHSM_PIN "1234567890"

static char softhsm_folder[1024];

/* Before the module is loaded, or reset after: the library reads its configuration once. */
static inline void softhsm_begin(const char *folder)
{
	char path[1100];
	FILE *f;

	snprintf(softhsm_folder, sizeof softhsm_folder, "%s", folder);
	mkdir(folder, 0700);
	snprintf(path, sizeof path, "%s/tokens", folder);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/softhsm2.conf", folder);
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fprintf(f, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", folder);
	fclose(f);
	setenv("SOFTHSM2_CONF", path, 1);
}

static inline void softhsm_do(const char *command)
{
	char whole[2400];

	snprintf(whole, sizeof whole, "cd '%s' && %s >/dev/null", softhsm_folder, command);
	CU_ASSERT_EQUAL_FATAL(system(whole), 0);
}

static inline void softhsm_token(const char *label)
{
	char command[256];

	snprintf(command, sizeof command, "softhsm2-util --init-token --free --label '%s' --pin " SOFTHSM_PIN " --so-pin 87654321", label);
	softhsm_do(command);
}

static inline void softhsm_pull(void)
{
	softhsm_do("mkdir -p away && mv tokens/* away");
}

static inline void softhsm_put_back(void)
{
	softhsm_do("mv away/* tokens");
}

static inline void softhsm_end(void)
{
	unsetenv("SOFTHSM2_CONF");
}

#endif
