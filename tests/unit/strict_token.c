/* A PKCS#11 module that is as strict as real tokens are: SoftHSM2, but three wrong PINs lock it, and it says how many tries are left
 * (PKCS#11 2.40, CK_TOKEN_INFO). The file $STRICT_TOKEN has the tries that are left and how many logins were tried, as two numbers.
 * $STRICT_KEYS makes it lax about new keys: "extractable" or "readable", whatever it was asked for. */
#include <config.h>

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INNER "/usr/lib/softhsm/libsofthsm2.so"
#define TRIES 3
#define ATTRIBUTES 32	/* more than a private key is asked for with */

static CK_FUNCTION_LIST strict, *inner;

static void state_read(int *tries, int *logins)
{
	FILE *f = fopen(getenv("STRICT_TOKEN"), "re");

	if (!f || fscanf(f, "%d %d", tries, logins) != 2)
		abort();
	fclose(f);
}

static void state_write(int tries, int logins)
{
	FILE *f = fopen(getenv("STRICT_TOKEN"), "we");

	if (!f || fprintf(f, "%d %d\n", tries, logins) < 0 || fclose(f))
		abort();
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = inner->C_GetTokenInfo(slot, info);
	int tries, logins;

	state_read(&tries, &logins);
	info->flags &= ~(CK_FLAGS)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
	if (tries < TRIES)
		info->flags |= CKF_USER_PIN_COUNT_LOW;
	if (tries == 1)
		info->flags |= CKF_USER_PIN_FINAL_TRY;
	if (tries == 0)
		info->flags |= CKF_USER_PIN_LOCKED;
	return rv;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	int tries, logins;
	CK_RV rv;

	state_read(&tries, &logins);
	rv = tries ? inner->C_Login(session, user, pin, len) : CKR_PIN_LOCKED;
	if (rv == CKR_OK)
		tries = TRIES;
	else if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE)
		tries--;
	state_write(tries, logins + (rv != CKR_USER_ALREADY_LOGGED_IN));
	return rv;
}

/* *secret, but for one attribute, which has this value. */
static CK_ULONG replace(CK_ATTRIBUTE *out, const CK_ATTRIBUTE *secret, CK_ULONG n, CK_ATTRIBUTE_TYPE type, CK_BBOOL *value)
{
	CK_ULONG kept = 0;

	if (n >= ATTRIBUTES)
		abort();
	for (CK_ULONG i = 0; i < n; i++)
		if (secret[i].type != type)
			out[kept++] = secret[i];
	out[kept++] = (CK_ATTRIBUTE){ type, value, sizeof *value };
	return kept;
}

static CK_RV generate(CK_SESSION_HANDLE session, CK_MECHANISM *how, CK_ATTRIBUTE *open, CK_ULONG n_open, CK_ATTRIBUTE *secret, CK_ULONG n_secret,
		      CK_OBJECT_HANDLE *open_key, CK_OBJECT_HANDLE *secret_key)
{
	const char *lax = getenv("STRICT_KEYS");
	CK_ATTRIBUTE all[ATTRIBUTES];
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

	if (lax && strcmp(lax, "extractable") == 0)
		n_secret = replace(all, secret, n_secret, CKA_EXTRACTABLE, &yes);
	else if (lax && strcmp(lax, "readable") == 0)
		n_secret = replace(all, secret, n_secret, CKA_SENSITIVE, &no);
	else
		return inner->C_GenerateKeyPair(session, how, open, n_open, secret, n_secret, open_key, secret_key);
	return inner->C_GenerateKeyPair(session, how, open, n_open, all, n_secret, open_key, secret_key);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV (*get)(CK_FUNCTION_LIST **list);
	void *module = dlopen(INNER, RTLD_NOW | RTLD_LOCAL);

	*(void **)&get = module ? dlsym(module, "C_GetFunctionList") : NULL;
	if (!get || get(&inner) != CKR_OK)
		return CKR_GENERAL_ERROR;
	strict = *inner;
	strict.C_GetTokenInfo = get_token_info;
	strict.C_Login = login;
	strict.C_GenerateKeyPair = generate;
	*list = &strict;
	return CKR_OK;
}
