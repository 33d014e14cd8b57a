/* A double of crypto_mb for tests: it computes with OpenSSL's BIGNUMs, and fails as the macros say.
   VERSION is the text of its version. WRONG is the slot whose private result is wrong in every batch of
   eight after the first GOOD batches. HANG makes such batches hang. NO_SLOTS says that RSA has none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct bignum_st BIGNUM;
typedef struct bignum_ctx BN_CTX;
BIGNUM *BN_lebin2bn(const unsigned char *s, int len, BIGNUM *ret);
BIGNUM *BN_bin2bn(const unsigned char *s, int len, BIGNUM *ret);
int BN_bn2binpad(const BIGNUM *a, unsigned char *to, int tolen);
BIGNUM *BN_new(void);
void BN_free(BIGNUM *a);
BN_CTX *BN_CTX_new(void);
void BN_CTX_free(BN_CTX *c);
int BN_set_word(BIGNUM *a, unsigned long w);
int BN_mod_exp(BIGNUM *r, const BIGNUM *a, const BIGNUM *p, const BIGNUM *m, BN_CTX *ctx);
int BN_mod_sub(BIGNUM *r, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m, BN_CTX *ctx);
int BN_mod_mul(BIGNUM *r, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m, BN_CTX *ctx);
int BN_mul(BIGNUM *r, const BIGNUM *a, const BIGNUM *b, BN_CTX *ctx);
int BN_add(BIGNUM *r, const BIGNUM *a, const BIGNUM *b);

#ifndef VERSION
#define VERSION "crypto_mb (double) (ver: 0.0.1 (13.0) build: today)"
#endif
#ifndef GOOD
#define GOOD 1000000
#endif
#ifndef WRONG
#define WRONG -1
#endif

static const struct {
	int major, minor, patch;
	char target[4];
	const char *name, *date, *text;
} version = {0, 0, 1, "c", "crypto_mb", "today", VERSION};

const void *mbx_getversion(void) { return &version; }
int mbx_is_crypto_mb_applicable(uint64_t features) { return 1; }
#ifdef NO_SLOTS
uint64_t mbx_get_algo_info(int algorithm) { return 0; }
#else
uint64_t mbx_get_algo_info(int algorithm) { return 8; }
#endif
const void *mbx_RSA_private_crt_Method(int bits) { return &version; }
const void *mbx_RSA_pub65537_Method(int bits) { return &version; }
int mbx_RSA_Method_BufSize(const void *method) { return 100; }

typedef const unsigned char *const arg[8];

uint32_t mbx_rsa_public_mb8(arg from, unsigned char *const to[8], arg n, int bits, const void *method,
	unsigned char *scratch)
{
	uint32_t status = 0;
	BN_CTX *c = BN_CTX_new();
	for (int i = 0; i < 8; i++) {
		if (!from[i] || !to[i] || !n[i]) {
			status |= 2u << 4 * i;
			continue;
		}
		BIGNUM *x = BN_bin2bn(from[i], bits / 8, 0), *m = BN_lebin2bn(n[i], bits / 8, 0), *e = BN_new();
		BN_set_word(e, 65537);
		BN_mod_exp(x, x, e, m, c);
		BN_bn2binpad(x, to[i], bits / 8);
		BN_free(x), BN_free(m), BN_free(e);
	}
	BN_CTX_free(c);
	memset(scratch, 0xa5, 100);
	return status;
}

static int batches;

uint32_t mbx_rsa_private_crt_mb8(arg from, unsigned char *const to[8], arg p, arg q, arg dp, arg dq, arg iq, int bits,
	const void *method, unsigned char *scratch)
{
	uint32_t status = 0;
	int fails = from[7] && __atomic_add_fetch(&batches, 1, __ATOMIC_SEQ_CST) > GOOD;
	BN_CTX *c = BN_CTX_new();
#ifdef HANG
	while (fails)
		sleep(1);
#endif
	for (int i = 0; i < 8; i++) {
		if (!from[i] || !to[i] || !p[i] || !q[i] || !dp[i] || !dq[i] || !iq[i]) {
			status |= 2u << 4 * i;
			continue;
		}
		BIGNUM *x = BN_bin2bn(from[i], bits / 8, 0), *n[5], *m1 = BN_new(), *m2 = BN_new();
		const unsigned char *all[5] = {p[i], q[i], dp[i], dq[i], iq[i]};
		for (int k = 0; k < 5; k++)
			n[k] = BN_lebin2bn(all[k], bits / 16, 0);
		BN_mod_exp(m1, x, n[2], n[0], c);
		BN_mod_exp(m2, x, n[3], n[1], c);
		BN_mod_sub(m1, m1, m2, n[0], c);
		BN_mod_mul(m1, m1, n[4], n[0], c);
		BN_mul(m1, m1, n[1], c);
		BN_add(m1, m1, m2);
		BN_bn2binpad(m1, to[i], bits / 8);
		if (fails && i == WRONG)
			to[i][bits / 8 - 1] ^= 1;
		for (int k = 0; k < 5; k++)
			BN_free(n[k]);
		BN_free(x), BN_free(m1), BN_free(m2);
	}
	BN_CTX_free(c);
	memset(scratch, 0xa5, 100);
	return status;
}
