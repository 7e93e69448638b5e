/* The compiled TLS (whole.c: _tls.c) where memory, HMAC and ciphers fail by chance, and each nonce that
 * something is encrypted with is remembered with its key: see test_unlucky.py. */

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, KEY = 32, IV = 12 };

static unsigned state, one_in; /* 0: nothing fails */
static int failures, repeated, count;
static struct {
    unsigned char key[KEY], nonce[IV];
} used[MOST];
static unsigned char key_now[KEY]; /* of what encrypts: one connection at a time */

void set_out(unsigned seed) {
    state = seed;
    one_in = 0;
    count = 0;
}

void be_unlucky(unsigned rate) { one_in = rate; }

int failed(void) { return failures; }

int nonces_repeated(void) { return repeated; }

static bool unlucky(void) {
    state = state * 1103515245u + 12345u;
    bool now = one_in && (state >> 8) % one_in == 0;
    failures += now;
    return now;
}

static void *unlucky_malloc(size_t size) { return unlucky() ? NULL : malloc(size); }

static unsigned char *unlucky_hmac(const EVP_MD *digest, const void *key, int size, const unsigned char *data,
                                   size_t length, unsigned char *made, unsigned *made_size) {
    return unlucky() ? NULL : HMAC(digest, key, size, data, length, made, made_size);
}

static void note(const unsigned char *nonce) {
    for (int place = 0; place < count; place++)
        if (!memcmp(used[place].key, key_now, KEY) && !memcmp(used[place].nonce, nonce, IV))
            repeated++;
    if (count < MOST) {
        memcpy(used[count].key, key_now, KEY);
        memcpy(used[count++].nonce, nonce, IV);
    }
}

static int unlucky_init(EVP_CIPHER_CTX *cipher, const EVP_CIPHER *kind, ENGINE *engine,
                        const unsigned char *key, const unsigned char *nonce, int direction) {
    if (unlucky() || EVP_CipherInit_ex(cipher, kind, engine, key, nonce, direction) != 1)
        return 0;
    if (EVP_CIPHER_CTX_is_encrypting(cipher) && key)
        memcpy(key_now, key, (size_t)EVP_CIPHER_CTX_get_key_length(cipher));
    if (EVP_CIPHER_CTX_is_encrypting(cipher) && nonce)
        note(nonce);
    return 1;
}

static int unlucky_update(EVP_CIPHER_CTX *cipher, unsigned char *to, int *size, const unsigned char *from,
                          int length) {
    return unlucky() ? 0 : EVP_EncryptUpdate(cipher, to, size, from, length);
}

#define malloc unlucky_malloc
#define HMAC unlucky_hmac
#define EVP_CipherInit_ex unlucky_init
#define EVP_EncryptUpdate unlucky_update

#include "whole.c"
