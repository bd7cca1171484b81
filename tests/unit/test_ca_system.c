/* The CAs of a system and the profiles of each. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "models.h"
#include "system.h"
#include "unit.h"

static char *folder;
static const char *const first_only[] = { "device-customer" };

static void put(const char *dir, const char *name, const char *text)
{
	char path[FILE_PATH];
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_mkdir(dir, &e), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, dir, name), 0);
	CU_ASSERT_EQUAL_FATAL(file_replace(path, text, strlen(text), 0644, &e), 0);
}

static void put_ca(const char *below, const char *id)
{
	char *dir = mem_fmt("%s%s", folder, below), *text = mem_fmt("version: 1\nkind: customer\nid: \"%s\"\nname: N\n", id);

	put(dir, "ca.yaml", text);
	free(dir);
	free(text);
}

static void test_folders(void)
{
	struct ca_folders *f = mem_new(1, sizeof *f);
	char path[FILE_PATH], *dir;
	struct err e;

	folder = unit_folder();
	put_ca("", "plant");
	CU_ASSERT_EQUAL_FATAL(system_list(f, folder, &e), 0);
	CU_ASSERT(f->n == 1 && !*f->of[0].name && strcmp(f->of[0].path, folder) == 0);
	CU_ASSERT_EQUAL(system_place(path, folder, "b", &e), 0);
	put_ca("/cas/b", "b");
	put_ca("/cas/a-1", "a-1");
	dir = mem_fmt("%s/cas/half", folder);	/* init was cut before ca.yaml */
	CU_ASSERT_EQUAL(file_mkdir(dir, &e), 0);
	CU_ASSERT_EQUAL_FATAL(system_list(f, folder, &e), 0);
	CU_ASSERT_EQUAL(f->n, 3);
	CU_ASSERT(strcmp(f->of[1].name, "a-1") == 0 && strcmp(f->of[2].name, "b") == 0);
	/* by id */
	CU_ASSERT(system_find(path, folder, NULL, &e) == 0 && strcmp(path, folder) == 0);
	CU_ASSERT(system_find(path, folder, "plant", &e) == 0 && strcmp(path, folder) == 0);
	CU_ASSERT(system_find(path, folder, "b", &e) == 0 && strcmp(path, f->of[2].path) == 0);
	CU_ASSERT(system_find(path, folder, "half", &e) < 0 && e.code == REASON_CONFIG);
	CU_ASSERT(system_find(path, folder, "../cas/b", &e) < 0 && e.code == REASON_CONFIG);
	/* a new one */
	CU_ASSERT_EQUAL(system_place(path, folder, "half", &e), 0);
	CU_ASSERT_STRING_EQUAL(path, dir);
	for (size_t i = 0; i < 7; i++) {
		static const char *const bad[] = { "plant", "b", "Upper", "a.b", "", "-x", "x-" };

		CU_ASSERT(system_place(path, folder, bad[i], &e) < 0 && e.code == REASON_CONFIG);
	}
	for (int i = 0; i < LIMIT_CAS - 3; i++) {
		char *below = mem_fmt("/cas/n%d", i);

		put_ca(below, below + 5);
		free(below);
	}
	CU_ASSERT_EQUAL(system_list(f, folder, &e), 0);
	put_ca("/cas/more", "more");
	CU_ASSERT(system_list(f, folder, &e) < 0 && e.code == REASON_CONFIG);
	free(dir);
	free(f);
}

/* ---- profiles ---- */
#define SHORT "version: 1\nid: %s\nkind: %s\nkey-types: [p256]\nvalidity: 30d\nallow: [email]\nlocality: \"Hall 9\"\n" \
	      "include-ca: false\nusage: [client-auth]\n"

static int load(struct profiles *p, const char *const *names, size_t n, struct err *e)
{
	struct settings s = { .site = SITE_CUSTOMER, .n_profiles = n };

	for (size_t i = 0; i < n; i++)
		snprintf(s.profile[i], sizeof s.profile[i], "%s", names[i]);
	return profiles_load(p, folder, &s, e);
}

static void put_profile(const char *file, const char *id, const char *kind)
{
	char *dir = mem_fmt("%s/profiles", folder), *text = mem_fmt(SHORT, id, kind);

	put(dir, file, text);
	free(dir);
	free(text);
}

static void test_profiles(void)
{
	static const char *const both[] = { "short", "device-customer" }, *const absent[] = { "nothing" },
				 *const other[] = { "misnamed" }, *const kind[] = { "device-factory" };
	struct profiles *p = mem_new(1, sizeof *p);
	struct err e;

	put_profile("short.yaml", "short", "device-customer");
	put_profile("misnamed.yaml", "short", "device-customer");
	CU_ASSERT_EQUAL_FATAL(load(p, first_only, 1, &e), 0);
	CU_ASSERT_EQUAL(profiles_choose(p, "", &e), &p->of[0]);
	CU_ASSERT_PTR_NULL(profiles_choose(p, "short", &e));
	CU_ASSERT(e.code == REASON_PROFILE && strstr(e.text, "'profile'"));
	CU_ASSERT_EQUAL_FATAL(load(p, both, 2, &e), 0);
	CU_ASSERT_EQUAL(profiles_choose(p, "", &e), &p->of[0]);
	CU_ASSERT_STRING_EQUAL(profiles_choose(p, "", &e)->id, "short");
	CU_ASSERT_EQUAL(profiles_choose(p, "device-customer", &e), &p->of[1]);
	CU_ASSERT_PTR_NULL(profiles_choose(p, "device-factory", &e));
	CU_ASSERT(load(p, absent, 1, &e) < 0 && e.code == REASON_CONFIG);
	CU_ASSERT(load(p, other, 1, &e) < 0 && e.code == REASON_CONFIG);
	CU_ASSERT(load(p, kind, 1, &e) < 0 && e.code == REASON_CONFIG);
	/* the CA's own file goes before the one that is installed */
	put_profile("device-customer.yaml", "device-customer", "device-customer");
	CU_ASSERT_EQUAL(load(p, first_only, 1, &e), 0);
	CU_ASSERT_EQUAL(p->of[0].validity_days, 30);
	free(p);
}

/* ---- models ---- */
#define MODEL "version: 1\nmanufacturer: \"%s\"\nmodel: \"%s\"\nhw-type: %s\ndfu: {vid: 0x1209, pid: 0x0002}\nagent: {vid: 0x1209, pid: 0x0001}\n"

static void put_model(const char *file, const char *maker, const char *model, const char *hw_type)
{
	char *dir = mem_fmt("%s/profiles", folder), *models = mem_fmt("%s/models", dir), *text = mem_fmt(MODEL, maker, model, hw_type);
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_mkdir(dir, &e), 0);
	put(models, file, text);
	free(dir);
	free(models);
	free(text);
}

/* The hwType that is found, "" for none. */
static const char *found(struct model *m, const char *maker, const char *model)
{
	struct err e;

	return model_of(m, maker, model, &e) == 1 ? m->hw_type : "";
}

static void test_models(void)
{
	const char *was = getenv("HANDSEL_DATADIR");
	char *kept = mem_str(was ? was : ""), *models;
	struct model *m = mem_new(1, sizeof *m);
	struct err e;

	setenv("HANDSEL_DATADIR", folder, 1);
	CU_ASSERT(model_of(m, "Acme", "gw", &e) < 0 && e.code == REASON_CONFIG);
	put_model("gw.yaml", "Acme", "gw", "1.2.1");
	put_model("bolt-gw.yaml", "Bolt", "gw", "1.2.2");
	put_model("zz.yaml", "Bolt", "gw", "1.2.3");
	put_model("other.yaml", "Acme", "sw", "1.2.4");
	models = mem_fmt("%s/profiles/models", folder);
	put(models, "broken.yaml", "version: 1\nmanu");
	put(models, "note.txt", "manufacturer: none");
	CU_ASSERT_STRING_EQUAL(found(m, "Acme", "gw"), "1.2.1");
	CU_ASSERT_STRING_EQUAL(found(m, "Bolt", "gw"), "1.2.2");
	CU_ASSERT_STRING_EQUAL(found(m, "Acme", "sw"), "1.2.4");
	CU_ASSERT_STRING_EQUAL(found(m, "Bolt", "sw"), "");
	CU_ASSERT_STRING_EQUAL(found(m, "Acme", "../models/gw"), "");
	/* as a person calls it */
	CU_ASSERT(model_by_name(m, "Bolt", "gw", &e) == 0 && strcmp(m->hw_type, "1.2.2") == 0);
	CU_ASSERT(model_by_name(m, "Acme", "sw", &e) == 0 && strcmp(m->hw_type, "1.2.4") == 0);
	CU_ASSERT(model_by_name(m, "Acme", "zz", &e) == 0 && strcmp(m->hw_type, "1.2.3") == 0);
	CU_ASSERT(model_by_name(m, "Acme", "gone", &e) < 0 && e.code == REASON_CONFIG);
	CU_ASSERT(model_by_name(m, "Acme", "a b", &e) < 0 && e.code == REASON_CONFIG);
	setenv("HANDSEL_DATADIR", kept, 1);	/* "" is as good as none */
	free(kept);
	free(models);
	free(m);
}

static void test_settings(void)
{
	struct settings s = { .site = SITE_FACTORY, .id = "acme", .name = "Acme \"D\"", .pending_s = 60, .n_profiles = 2,
			      .profile = { "one", "two" } }, again;
	static const char *const bad[] = { "profiles: []", "profiles: [\"a\", \"a\"]", "profiles: [\"a/b\"]", "profiles: x" };
	struct err e;

	CU_ASSERT_EQUAL(settings_save(&s, folder, &e), 0);
	CU_ASSERT_EQUAL_FATAL(settings_load(&again, folder, &e), 0);
	CU_ASSERT(again.n_profiles == 2 && strcmp(again.profile[0], "one") == 0 && strcmp(again.profile[1], "two") == 0);
	CU_ASSERT(!*again.listen && strcmp(again.name, s.name) == 0 && again.pending_s == 60);
	s.n_profiles = 0;
	strcpy(s.listen, "[::]:8443");
	CU_ASSERT_EQUAL(settings_save(&s, folder, &e), 0);
	CU_ASSERT_EQUAL_FATAL(settings_load(&again, folder, &e), 0);
	CU_ASSERT(again.n_profiles == 1 && strcmp(again.profile[0], "device-factory") == 0 && strcmp(again.listen, s.listen) == 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *text = mem_fmt("version: 1\nkind: customer\nid: x\nname: N\n%s\n", bad[i]);

		put(folder, "ca.yaml", text);
		CU_ASSERT(settings_load(&again, folder, &e) < 0 && e.code == REASON_CONFIG);
		free(text);
	}
	unit_remove(folder);
}

UNIT_MAIN("ca system", { "folders", test_folders }, { "profiles", test_profiles }, { "models", test_models }, { "settings", test_settings })
