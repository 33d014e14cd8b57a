/* A library that passes everything on to the real crypto_mb, in the file REAL, and after the first GOOD batches of
   eight private operations makes the result of one slot wrong. */
#include <dlfcn.h>
#include <stdint.h>

static void *real(const char *name)
{
	static void *library;
	if (!library)
		library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
	return library ? dlsym(library, name) : 0;
}

const void *mbx_getversion(void) { return ((const void *(*)(void))real("mbx_getversion"))(); }
int mbx_is_crypto_mb_applicable(uint64_t f) { return ((int (*)(uint64_t))real("mbx_is_crypto_mb_applicable"))(f); }
uint64_t mbx_get_algo_info(int a) { return ((uint64_t (*)(int))real("mbx_get_algo_info"))(a); }
const void *mbx_RSA_private_crt_Method(int bits)
{
	return ((const void *(*)(int))real("mbx_RSA_private_crt_Method"))(bits);
}
const void *mbx_RSA_pub65537_Method(int bits)
{
	return ((const void *(*)(int))real("mbx_RSA_pub65537_Method"))(bits);
}
int mbx_RSA_Method_BufSize(const void *method) { return ((int (*)(const void *))real("mbx_RSA_Method_BufSize"))(method); }

typedef const unsigned char *const arg[8];
typedef unsigned char *const out[8];

uint32_t mbx_rsa_public_mb8(arg from, out to, arg n, int bits, const void *method, unsigned char *scratch)
{
	static uint32_t (*f)(arg, out, arg, int, const void *, unsigned char *);
	if (!f)
		f = real("mbx_rsa_public_mb8");
	return f(from, to, n, bits, method, scratch);
}

uint32_t mbx_rsa_private_crt_mb8(arg from, out to, arg p, arg q, arg dp, arg dq, arg iq, int bits, const void *method,
	unsigned char *scratch)
{
	static uint32_t (*f)(arg, out, arg, arg, arg, arg, arg, int, const void *, unsigned char *);
	static int batches;
	uint32_t status;
	if (!f)
		f = real("mbx_rsa_private_crt_mb8");
	status = f(from, to, p, q, dp, dq, iq, bits, method, scratch);
	if (from[7] && __atomic_add_fetch(&batches, 1, __ATOMIC_SEQ_CST) > GOOD)
		to[5][bits / 8 - 1] ^= 1;
	return status;
}
