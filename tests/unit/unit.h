/* unit.h - the frame of a unit test program: a table of tests, CUnit's basic run, exit 1 if any failed. */
#ifndef HANDSEL_UNIT_H
#define HANDSEL_UNIT_H

#ifdef NDEBUG
#error "tests must not be built with NDEBUG"
#endif

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* A fresh folder with a space in its name, below $TMPDIR; removed by nobody but the caller of the tests. */
static inline char *unit_folder(void)
{
	static char path[256];
	const char *base = getenv("TMPDIR");

	snprintf(path, sizeof path, "%s/handsel unit XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(path)) {
		perror(path);
		exit(99);
	}
	return path;
}

static inline int unit_remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

/* A folder and all that is in it. */
static inline void unit_remove(const char *folder)
{
	nftw(folder, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Is the word one of those in the list, which blanks part? */
static inline bool unit_has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
			return true;
	return false;
}

static inline int unit_run(const char *suite_name, const struct unit_test *tests, size_t n)
{
	CU_pSuite suite;
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS || !(suite = CU_add_suite(suite_name, NULL, NULL)))
		return 99;
	for (size_t i = 0; i < n; i++)
		if (!CU_add_test(suite, tests[i].name, tests[i].run))
			return 99;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + (CU_get_number_of_tests_run() != n);
	CU_cleanup_registry();
	return failed ? 1 : 0;
}

/* UNIT_MAIN("text", { "hex", test_hex }, { "base64", test_base64 }) */
#define UNIT_MAIN(suite, ...)                                                            \
	int main(void)                                                                   \
	{                                                                                \
		static const struct unit_test tests[] = { __VA_ARGS__ };                 \
		return unit_run(suite, tests, sizeof tests / sizeof tests[0]);           \
	}

#endif
